#!/usr/bin/env bats
# linux.intelRdt as its user meets it. No machine of ours has such a processor, so here are only the errors; what happens in a resctrl tree is the business of tests/unit/rdt_test.c.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["true"]'
}

teardown() {
    bundle_teardown
}

none_mounted='no resctrl file system is mounted, so there are no classes of caches and memory bandwidth; where the processor has them: mount -t resctrl resctrl /sys/fs/resctrl'

@test "without a resctrl file system it is an error, before anything is made" {
    ! grep -q ' - resctrl ' /proc/self/mountinfo || skip "this host has resctrl"
    configure '.linux.intelRdt = {"l3CacheSchema": "L3:0=f"} | .hooks.createRuntime = [{"path": "/bin/touch", "args": ["touch", $file]}]' \
        --arg file "$BATS_TEST_TMPDIR/hook"
    run oci run "$ID"
    fails_with "run container \"$ID\": $none_mounted"
    [ ! -e "$BATS_TEST_TMPDIR/hook" ]
    nothing_left
}

@test "what is no class and no schema is refused by its name" {
    configure '.linux.intelRdt = {"closID": "../x"}'
    run oci run "$ID"
    fails_with 'config.json: linux.intelRdt.closID: expected a name of at most 255 bytes without slashes, found "../x"'
    configure '.linux.intelRdt = {"memBwSchema": "L3:0=f"}'
    run oci run "$ID"
    fails_with 'config.json: linux.intelRdt.memBwSchema: expected one line that begins with MB:, found "L3:0=f"'
}

@test "update of a container without a class says so" {
    configure '.process.args = ["sleep", "60"]'
    oci run --detach "$ID" 3>&-
    for flag in --l3-cache-schema=L3:0=f --mem-bw-schema=MB:0=10; do
        run oci update "$flag" "$ID"
        fails_with "update container \"$ID\": it was made without linux.intelRdt, so it has no class of service"
    done
}
