#!/usr/bin/env bats
# The test frame itself: what tests/run counts, and what it says of tests that end badly.
load helpers

# A program that prints this and ends with this exit code.
program() {
    printf '#!/bin/sh\ncat << "END"\n%s\nEND\nexit %s\n' "$2" "$3" > "$BATS_TEST_TMPDIR/$1"
    chmod +x "$BATS_TEST_TMPDIR/$1"
    programs+=("$BATS_TEST_TMPDIR/$1")
}

run_frame() {
    run "$BATS_TEST_DIRNAME/../run" -o "$BATS_TEST_TMPDIR/tap" "$@"
}

@test "passed, failed and skipped tests are counted over all programs" {
    program one $'ok 1 - a\nok 2 - b # skip no such thing here\n1..2' 0
    program two $'# why\nnot ok 1 - c\nok 2 - d\n1..2' 1
    run_frame "${programs[@]}"
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "2 passed, 1 failed, 1 skipped" ]
    [[ "$output" == *"    # why"*"not ok 1 - c"* ]]
    [[ "$output" == *"one: b: no such thing here"* ]]
}

@test "a program that ends in the middle has failed" {
    program plan $'1..3\nok 1 - a' 0
    run_frame "${programs[@]}"
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "1 passed, 1 failed, 0 skipped" ]
    programs=()
    program crash 'ok 1 - a' 139
    run_frame "${programs[@]}"
    [ "${lines[-1]}" = "1 passed, 1 failed, 0 skipped" ]
    programs=()
    program nothing '' 0
    run_frame "${programs[@]}"
    [ "${lines[-1]}" = "0 passed, 1 failed, 0 skipped" ]
}

@test "a program that hangs is ended" {
    printf '#!/bin/sh\necho "ok 1 - a"\nsleep 60\n' > "$BATS_TEST_TMPDIR/slow"
    chmod +x "$BATS_TEST_TMPDIR/slow"
    TEST_TIMEOUT=1 run_frame "$BATS_TEST_TMPDIR/slow"
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "1 passed, 1 failed, 0 skipped" ]
}

@test "nothing to run is a failure" {
    run_frame
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "0 passed, 1 failed, 0 skipped" ]
}
