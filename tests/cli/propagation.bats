#!/usr/bin/env bats
# A host whose mounts are shared, as systemd leaves them: nothing that a container mounts may appear on it, in no mode and on no
# kernel. Each test runs in a mount namespace of its own in which all is shared.

load helpers

setup() {
    needs_root
    needs umoci busybox
}

# shellcheck disable=SC2016 # the inner shell expands
# Runs the words with all mounts shared, and compares the mount table before and after, and while the container runs.
in_shared() {
    unshare -m --propagation shared bash -c '
        before=$(mktemp) during=$(mktemp) after=$(mktemp)
        cut -d" " -f4- /proc/self/mountinfo | sort > "$before"
        "$@" > "$during.out" 2>&1 &
        pid=$!
        for _ in $(seq 50); do grep -q ready "$during.out" && break; sleep 0.1; done
        cut -d" " -f4- /proc/self/mountinfo | sort > "$during"
        wait $pid; code=$?
        cut -d" " -f4- /proc/self/mountinfo | sort > "$after"
        cat "$during.out"
        diff "$before" "$during" && diff "$before" "$after" && exit $code
        exit 99' shared "$@"
}

@test "a container of an image mounts nothing on a host with shared mounts" {
    coffer load -q --name tiny "oci:$(make_image tiny):tiny"
    run in_shared "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm tiny \
        sh -c 'mount -t tmpfs none /tmp; echo ready; sleep 0.3'
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "nor with the user ids of the host, and all capabilities" {
    coffer load -q --name tiny "oci:$(make_image tiny):tiny"
    run in_shared "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm --userns host --privileged tiny \
        sh -c 'mount -t tmpfs none /tmp && echo ready; sleep 0.3'
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *ready* ]]
}

@test "a volume is private unless asked otherwise" {
    coffer load -q --name tiny "oci:$(make_image tiny):tiny"
    mkdir "$BATS_TEST_TMPDIR/volume"
    run in_shared "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm --userns host --privileged \
        -v "$BATS_TEST_TMPDIR/volume:/v" tiny sh -c 'mount -t tmpfs none /v && echo ready; sleep 0.3'
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *ready* ]]
}

@test "a bundle mounts nothing on a host with shared mounts" {
    make_bundle "$BATS_TEST_TMPDIR/bundle"
    (cd "$BATS_TEST_TMPDIR/bundle" && "$COFFER_OCI" spec)
    jq '.process.terminal = false | .process.args = ["sh", "-c", "echo ready; sleep 0.3"]' "$BATS_TEST_TMPDIR/bundle/config.json" \
        > "$BATS_TEST_TMPDIR/config" && mv "$BATS_TEST_TMPDIR/config" "$BATS_TEST_TMPDIR/bundle/config.json"
    run in_shared "$COFFER_OCI" --root "$(coffer_root)/oci" run --bundle "$BATS_TEST_TMPDIR/bundle" shared-test
    echo "$output"
    [ "$status" -eq 0 ]
}
