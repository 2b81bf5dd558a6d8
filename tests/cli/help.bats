#!/usr/bin/env bats
# What a user meets first: help, versions, and what is said about words that are wrong.
load helpers

@test "help lists commands and exits 0" {
    run "$COFFER"
    [ "$status" -eq 0 ]
    [[ "$output" == "Usage: coffer [OPTIONS] COMMAND"* ]]
    local bare=$output
    run "$COFFER" --help
    [ "$status" -eq 0 ]
    [ "$output" = "$bare" ]
}

@test "coffer help CMD and coffer CMD --help are the same" {
    run "$COFFER" help version
    local by_help=$output
    run "$COFFER" version --help
    [ "$status" -eq 0 ]
    [ "$output" = "$by_help" ]
}

@test "unknown command: nearest is suggested, exit code 125" {
    run "$COFFER" versoin
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: unknown command versoin; did you mean version?" ]
}

@test "unknown flag: nearest is suggested, exit code 125" {
    run "$COFFER" version --fromat json
    [ "$status" -eq 125 ]
    [ "$output" = "coffer version: unknown flag --fromat; did you mean --format?" ]
}

@test "unknown field of a template: all are named" {
    run "$COFFER" version --format '{{.Versio}}'
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: --format: expected one of .Version, .Os, .Arch, .KernelVersion between {{ and }}, found ".Versio"' ]
}

@test "a global option behind the command: its place is named" {
    run "$COFFER" version --root=/tmp
    [ "$status" -eq 125 ]
    [ "$output" = "coffer version: --root stands before the command: coffer --root DIR ... version" ]
    run "$COFFER_OCI" state --log x id
    [ "$status" -eq 1 ]
    [ "$output" = "coffer-oci state: --log stands before the command: coffer-oci --log FILE ... state" ]
}

@test "too many words" {
    run "$COFFER" version now
    [ "$status" -eq 125 ]
    [ "$output" = "coffer version: expected no words behind the options, found 1" ]
}

@test "version as JSON" {
    run "$COFFER" version --format json
    [ "$status" -eq 0 ]
    [ "$(jq -r .Version <<< "$output")" = "$(cat "$BATS_TEST_DIRNAME/../../VERSION")" ]
}

@test "low level: wrong usage has exit code 1" {
    run "$COFFER_OCI" start
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer-oci start: expected 1 word ("* ]]
}

@test "low level: help shows its own commands" {
    run "$COFFER_OCI" help exec
    local by_help=$output
    run "$COFFER_OCI" exec --help
    [ "$status" -eq 0 ]
    [ "$output" = "$by_help" ]
    [ "$("$COFFER_OCI" help)" = "$("$COFFER_OCI" --help)" ]
    run "$COFFER_OCI" help images
    [ "$status" -eq 1 ]
    [ "$output" = "coffer: help: coffer-oci has no command images; coffer-oci --help lists them" ]
}

@test "low level: the error is in the log too, as runc writes it" {
    run "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root" --log "$BATS_TEST_TMPDIR/log" --log-format json state nobody
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: "*nobody* ]]
    [ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = error ]
    [ "coffer: $(jq -r .msg "$BATS_TEST_TMPDIR/log")" = "$output" ]
}

@test "standard output that cannot be written is an error" {
    run bash -c '"$COFFER" version > /dev/full'
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: write to standard output: No space left on device" ]
}

@test "rootless without XDG_RUNTIME_DIR: a folder in /tmp of somebody else is refused" {
    needs_root
    make_user
    local folder=/tmp/coffer-$TEST_UID
    [ ! -e "$folder" ] || skip "$folder exists"
    mkdir "$folder"
    run as_user env -u XDG_RUNTIME_DIR HOME=/tmp "$COFFER_OCI" state nobody
    rmdir "$folder"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: $folder: expected a folder of uid $TEST_UID with mode 0700"* ]]
}

@test "bash completes commands, options and their values" {
    "$COFFER" completion bash > "$BATS_TEST_TMPDIR/completion"
    complete_words() {
        # shellcheck disable=SC2016
        bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _coffer; echo "${COMPREPLY[@]}"' bash "$BATS_TEST_TMPDIR/completion" "$@"
    }
    [ "$(complete_words coffer ver)" = version ]
    [ "$(complete_words coffer --root /x ver)" = version ]
    [ "$(complete_words coffer --log-level "")" = "error warning info debug" ]
    [ "$(complete_words coffer version --fo)" = --format ]
    [ "$(complete_words /usr/bin/coffer-oci --log-f)" = --log-format ]
}
