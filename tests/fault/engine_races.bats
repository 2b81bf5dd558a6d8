#!/usr/bin/env bats
# Two commands at one container, a disk that is full, a log that somebody deleted, a clock that goes back: a right result or a clear error.
bats_require_minimum_version 1.5.0
load ../cli/helpers

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    make_image tiny > /dev/null
}

setup() {
    needs_root
    export COFFER_NETWORK=none
    coffer load -q --name tiny "oci:$(make_image):tiny" > /dev/null
}

teardown() {
    [ -z "${COFFER_NETWORK:-}" ] || coffer ps -aq 2> /dev/null | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null 2>&1 || true
}

soon() {
    timeout -k 1 30 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

state() {
    coffer ps -a --format '{{.State}}'
}

nothing_left() {
    find "$(coffer_store)"/{containers,names,ids} "$(coffer_root)/oci" -mindepth 1 -not -name .pending 2> /dev/null || true
    [ -z "$(find "$(coffer_store)"/{containers,names,ids} "$(coffer_root)/oci" -mindepth 1 -not -name .pending 2> /dev/null)" ]
    [ -z "$(monitors)" ]
}

# both A B: two commands at once; their exit codes in FIRST and SECOND, what they said in the files first and second.
both() {
    FIRST=0 SECOND=0
    soon $1 > "$BATS_TEST_TMPDIR/first" 2>&1 &
    local other=$!
    soon $2 > "$BATS_TEST_TMPDIR/second" 2>&1 || SECOND=$?
    wait "$other" || FIRST=$?
}

@test "two rm of one container: each has removed it, or says that there is none" {
    local i said
    for ((i = 0; i < 8; i++)); do
        if ((i % 2)); then coffer run -d --name box tiny sleep 1000 > /dev/null; else coffer create --name box tiny true > /dev/null; fi
        both "rm -f box" "rm -f box"
        for said in first second; do
            [[ $(cat "$BATS_TEST_TMPDIR/$said") == box || $(cat "$BATS_TEST_TMPDIR/$said") == 'coffer: no container is named "box"'* ]] || {
                cat "$BATS_TEST_TMPDIR/$said"
                false
            }
        done
        grep -qx box "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
        nothing_left
    done
}

@test "stop while it is being started: it runs or it does not, and another stop ends it" {
    local i
    coffer create --name box tiny sleep 1000 > /dev/null
    for ((i = 0; i < 8; i++)); do
        both "start box" "stop -t 0 box"
        echo "$FIRST $SECOND" "$(cat "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second")"
        [ "$FIRST $SECOND" = "0 0" ]
        [[ $(state) == running || $(state) == exited ]]
        soon stop -t 0 box
        [ "$(state)" = exited ]
        [ -z "$(monitors)" ]
    done
}

@test "start twice at once: one container, one monitor, and both say it runs" {
    local i
    coffer create --name box tiny sleep 1000 > /dev/null
    for ((i = 0; i < 8; i++)); do
        both "start box" "start box"
        [ "$FIRST $SECOND" = "0 0" ]
        [ "$(state)" = running ]
        [ "$(monitors | wc -l)" = 1 ]
        soon stop -t 0 box
    done
}

@test "rm while it is being started: it is gone, or it runs and rm says so" {
    local i
    for ((i = 0; i < 8; i++)); do
        coffer create --name box tiny sleep 1000 > /dev/null
        both "start box" "rm box"
        if [ "$SECOND" = 0 ]; then
            [ -z "$(coffer ps -aq)" ]
        else
            grep -q 'is running' "$BATS_TEST_TMPDIR/second"
            [ "$FIRST" = 0 ]
        fi
        soon rm -f box > /dev/null 2>&1 || true
        nothing_left
    done
}

@test "a full disk: run says so and leaves nothing, and a container that writes is not held up" {
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private bash -c '
        set -euo pipefail
        full=$2/full
        small() { timeout -k 1 60 "$1" --root "$2/run" --store "$full/store" "${@:3}"; }
        mkdir "$full"
        # Ids of a container of its own take a file system that can show them others: tmpfs since Linux 6.3.
        mount -t tmpfs -o size=16m,nr_inodes=4000 coffer-test "$full"
        small "$1" "$2" load -q --name tiny "oci:$3:tiny" > /dev/null
        small "$1" "$2" run -d --userns host --name writes tiny sh -c "until test -e /go; do sleep 0.05; done; seq 400000; echo done > /dev/stderr; exit 3" > /dev/null
        dd if=/dev/zero of="$full/filler" bs=64k status=none 2> /dev/null || true
        touch "$full/more" || true
        small "$1" "$2" exec writes touch /go
        [ "$(small "$1" "$2" wait writes)" = 3 ]
        status=0
        small "$1" "$2" run --userns host --name none tiny true 2> "$2/stderr" || status=$?
        cat "$2/stderr"
        [ "$status" -eq 125 ]
        grep -q "^coffer: .*No space left on device" "$2/stderr"
        [ "$(small "$1" "$2" ps -a --format "{{.Names}}")" = writes ]
        rm "$full/filler"
        [ "$(small "$1" "$2" run --rm --userns host tiny echo again)" = again ]
        small "$1" "$2" rm writes > /dev/null
        [ -z "$(ls "$full/store/containers")" ]
        # A monitor that is about to end still holds it.
        for ((i = 0; i < 400; i++)); do
            ! umount "$full" 2> /dev/null || exit 0
            sleep 0.05
        done
        umount "$full"
    ' - "$COFFER" "$BATS_TEST_TMPDIR" "$(make_image)"
}

@test "a log that is deleted meanwhile: the container goes on, and logs shows what comes" {
    id=$(coffer run -d --name box -v "$BATS_TEST_TMPDIR:/t" tiny sh -c 'echo first; until test -e /t/go; do sleep 0.02; done; echo second')
    for ((i = 0; i < 200; i++)); do [ "$(soon logs box)" != first ] || break; sleep 0.02; done
    rm "$(coffer_store)/containers/$id/ctr.log"
    touch "$BATS_TEST_TMPDIR/go"
    [ "$(soon wait box)" = 0 ]
    run -0 soon logs box
    [ "$output" = second ]
    soon rm box > /dev/null
    nothing_left
}

@test "a clock that was set back: times to come are no negative ones" {
    id=$(coffer run -d --name box tiny sleep 1000)
    exited=$(coffer run -d --name other tiny true)
    soon wait other > /dev/null
    for record in "$id" "$exited"; do
        record=$(coffer_store)/containers/$record/record.json
        later=$(($(date +%s) + 7200))
        jq -c ".created = $later | .started = $later | if .finished > 0 then .finished = $later else . end" "$record" > "$record.new"
        mv "$record.new" "$record"
    done
    run -0 soon ps -a --format '{{.Names}} {{.Status}} {{.RunningFor}}'
    echo "$output"
    [[ "$output" == *"box Up Less than a second Less than a second ago"* ]]
    [[ "$output" == *"other Exited (0) Less than a second ago Less than a second ago"* ]]
    soon stop -t 0 box > /dev/null
    soon rm box other > /dev/null
    nothing_left
}

@test "without the right to nftables: one clear sentence, and nothing is left" {
    needs setpriv unshare
    run -125 unshare -n setpriv --bounding-set -net_admin --inh-caps -net_admin "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" \
        run --network bridge -p 80 tiny true
    echo "$output"
    [ "${#lines[@]}" = 1 ]
    [[ "$output" == "coffer: run tiny: "*"nft"* || "$output" == "coffer: run tiny: "*"CAP_NET_ADMIN"* || "$output" == *"Operation not permitted"* ]]
    [ -z "$(coffer ps -aq)" ]
}
