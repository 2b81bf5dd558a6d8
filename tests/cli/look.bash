# What the bats files on looking at containers load beside helpers: containers of one image in a store of the test's own.

look_setup() {
    needs_root
    needs umoci busybox jq
    export LEAK_NAME=none
    coffer load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    coffer run --rm tiny true # the first one makes the folders
    leak_snapshot
}

look_teardown() {
    coffer ps -aq | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null
    leak_check
}

coffer() {
    timeout -k 2 60 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

fails() { # TEXT COMMAND...
    local expected=$1
    shift
    run "$@"
    if [ "$status" -ne 125 ] || [ "$output" != "coffer: $expected" ]; then
        echo "exit code $status, output: $output"
        return 1
    fi
}

# until_true COMMAND...: tries for ten seconds.
until_true() {
    for _ in $(seq 200); do
        "$@" > /dev/null 2>&1 && return 0
        sleep 0.05
    done
    echo "never true: $*"
    return 1
}
