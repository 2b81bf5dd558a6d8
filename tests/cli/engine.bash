# shellcheck disable=SC2154 # status and output are bats's
# What bats files about containers of root's share. Each test has the image "tiny", and leaves nothing. A file with a teardown of its own
# calls engine_teardown in it, one with a setup engine_setup.
#
#   coffer ARGS...          as helpers.bash has it, but never for ever
#   tiny FLAGS... tiny CMD  run --rm
#   refused TEXT FLAGS...   "create" with the flags fails with just this text, and makes nothing
#   fails TEXT COMMAND...   a command fails with just this text
#   state NAME, is_state NAME STATE, is_gone NAME
#   logs_have NAME PATTERN
#   group_file V1 V2        a file of the only container's control group

load helpers

setup() {
    engine_setup
}

# shellcheck disable=SC2120 # files that load this give one
engine_setup() { # [LAYOUT:TAG]: of another image than make_image tiny
    needs_root
    needs umoci busybox python3 jq
    export LEAK_NAME=none
    coffer load -q --name tiny "oci:${1:-$(make_image tiny):tiny}" > /dev/null
    coffer run --rm tiny true # the first one makes the folders
    leak_snapshot
}

teardown() {
    engine_teardown
}

engine_teardown() {
    coffer ps -aq | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f -v > /dev/null
    leak_check
}

coffer() {
    timeout -k 2 "${COFFER_PATIENCE:-60}" "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

tiny() {
    coffer run --rm "$@"
}

fails() { # TEXT COMMAND...
    run "${@:2}"
    if [ "$status" -ne 125 ] || [ "$output" != "coffer: $1" ]; then
        echo "exit code $status, output: $output"
        return 1
    fi
}

refused() { # TEXT FLAGS...
    fails "create tiny: $1" coffer create "${@:2}" tiny && [ -z "$(coffer ps -aq)" ]
}

state() {
    coffer ps -a --format '{{.Names}} {{.State}}' | sed -n "s/^$1 //p"
}

is_state() {
    [ "$(state "$1")" = "$2" ]
}

is_gone() {
    [ -z "$(state "$1")" ]
}

logs_have() { # NAME PATTERN
    coffer logs "$1" 2>&1 | grep -q -- "$2"
}

# By its name of version 1 or of version 2.
group_file() { # V1-CONTROLLER/FILE V2-FILE
    local pid relative
    pid=$(pgrep -P "$(monitors)")
    relative=$(awk -F: -v controller="${1%%/*}" '$2 ~ "(^|,)" controller "(,|$)" { print $3 }' "/proc/$pid/cgroup")
    if [ -n "$relative" ]; then
        cat "/sys/fs/cgroup/${1%%/*}$relative/${1##*/}"
    else
        cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/$2"
    fi
}
