#!/usr/bin/env bats
# The store when things go wrong: the power cut, the disk full, a command killed at any moment. What it shows is whole then, nothing is
# left behind, and the next command ends the work.
#
#   FAULT_KILLS=N   how often each command is killed (20)      FAULT_CUTS=N   how often the power is cut (5)
bats_require_minimum_version 1.5.0
load ../cli/helpers
load ../registry/registry

setup_file() {
    needs_root
    needs umoci skopeo docker-registry python3 openssl jq unshare mkfs.ext4
    mkdir -p "$REGISTRY_DIR"
    make_image tiny > /dev/null
    registry_start one
    cp -r "$BATS_FILE_TMPDIR/image.tiny" "$BATS_FILE_TMPDIR/large"
    dd if=/dev/urandom of="$BATS_FILE_TMPDIR/noise" bs=1M count=24 status=none
    umoci --log error insert --image "$BATS_FILE_TMPDIR/large:tiny" "$BATS_FILE_TMPDIR/noise" /noise
    registry_push "$BATS_FILE_TMPDIR/large:tiny" "$(registry one)/large:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    export COFFER_STORE=$BATS_TEST_TMPDIR/store
    LARGE=$(registry one)/large:1
    SHA256=$(sha256sum < "$BATS_FILE_TMPDIR/noise" | cut -d ' ' -f 1)
}

coffer() {
    "$COFFER" --root "$BATS_TEST_TMPDIR/run" "$@"
}

@test "the power cut while an image is pulled" {
    [ -e /dev/loop-control ] || skip "there are no loop devices"
    unshare -m --propagation private "$BATS_TEST_DIRNAME/power_cut.sh" "$COFFER" "$LARGE" "$SHA256" "$BATS_TEST_TMPDIR" "${FAULT_CUTS:-5}"
}

@test "a full disk is told, and what fits later comes whole" {
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private bash -c '
        set -euo pipefail
        store() { "$1" --root "$2/run" --store "$2/full/store" "${@:3}"; }
        mkdir -p "$2/full"
        mount -t tmpfs -o size=8m coffer-test "$2/full"
        status=0
        store "$1" "$2" pull -q "$3" 2> "$2/stderr" || status=$?
        cat "$2/stderr"
        [ "$status" -eq 125 ]
        grep -q "^coffer: .*layer sha256:[0-9a-f]*: entry \"[a-z/]*\": .*: No space left on device$" "$2/stderr"
        [ "$(wc -l < "$2/stderr")" -eq 1 ]
        [ -z "$(store "$1" "$2" images -q)" ]
        [ -z "$(ls "$2/full/store/staging")" ]
        mount -o remount,size=64m "$2/full"
        store "$1" "$2" pull -q "$3"
        [ "$(store "$1" "$2" run --rm "$3" busybox sha256sum /noise | cut -d " " -f 1)" = "$4" ]
        # The monitor gives back what it removed after the command has ended.
        for ((i = 0; i < 400; i++)); do
            ! umount "$2/full" 2> /dev/null || exit 0
            sleep 0.05
        done
        umount "$2/full"
    ' - "$COFFER" "$BATS_TEST_TMPDIR" "$LARGE" "$SHA256"
}

# killed_at_random MS COMMAND...: up to so many ms after its start.
killed_at_random() {
    local ms=$1 pid
    shift
    "$COFFER" --root "$BATS_TEST_TMPDIR/run" "$@" > /dev/null 2>&1 3>&- &
    pid=$!
    sleep "0.$(printf %03d $((RANDOM % ms)))"
    kill -KILL "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true
}

# What is there is whole, and nothing else is.
whole() {
    local id
    for id in $(coffer images -q | sort -u); do
        [ "$(coffer run --rm --pull never "$id" busybox sha256sum /noise | cut -d ' ' -f 1)" = "$SHA256" ]
    done
    [ -z "$(ls "$COFFER_STORE/staging")" ]
}

@test "rmi, tag and prune killed at any moment" {
    local i
    for ((i = 0; i < ${FAULT_KILLS:-20}; i++)); do
        coffer pull -q "$LARGE"
        coffer tag "$LARGE" other:1
        killed_at_random 12 tag "$LARGE" other:2
        killed_at_random 20 rmi -f "$LARGE" other:1
        whole
        coffer rmi -f "$LARGE" other:1 other:2 > /dev/null 2>&1 || true
        killed_at_random 12 image prune -a -f
        coffer image prune -a -f > /dev/null
        [ -z "$(coffer images -q)" ]
        [ -z "$(find "$COFFER_STORE/layers" "$COFFER_STORE/staging" "$COFFER_STORE/blobs/sha256" -mindepth 1)" ]
    done
}

@test "a copy killed at any moment leaves a layout that names only what is whole" {
    local i path
    for ((i = 0; i < ${FAULT_KILLS:-20}; i++)); do
        killed_at_random 150 copy -q "$LARGE" "oci:$BATS_TEST_TMPDIR/layout:$i"
        for path in "$BATS_TEST_TMPDIR"/layout/blobs/sha256/*; do
            [ ! -e "$path" ] || [ "$(sha256sum < "$path" | cut -d ' ' -f 1)" = "${path##*/}" ]
        done
    done
    coffer copy -q "$LARGE" "oci:$BATS_TEST_TMPDIR/layout:last"
    coffer load -q "oci:$BATS_TEST_TMPDIR/layout:last" > /dev/null
    whole
}

@test "an import of a directory killed at any moment leaves nothing, or all of it with its tar" {
    local i
    umoci --log error unpack --image "$BATS_FILE_TMPDIR/large:tiny" "$BATS_TEST_TMPDIR/unpacked"
    for ((i = 0; i < ${FAULT_KILLS:-20}; i++)); do
        killed_at_random 150 import "$BATS_TEST_TMPDIR/unpacked/rootfs" "imported:$i"
        whole
        coffer system check
    done
    coffer import "$BATS_TEST_TMPDIR/unpacked/rootfs" imported:last
    whole
    [ "$(find "$COFFER_STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)" -le 1 ]
    coffer save -q -o "$BATS_TEST_TMPDIR/saved.tar" imported:last
    coffer rmi -f "$(coffer images -q --no-trunc imported:last)" > /dev/null
    coffer load -q -i "$BATS_TEST_TMPDIR/saved.tar" > /dev/null
    whole
}

@test "a push killed at any moment names only what is whole" {
    local i to
    to=$(registry one)/pushed
    for ((i = 0; i < ${FAULT_KILLS:-20}; i++)); do
        killed_at_random 200 copy -q "oci:$BATS_FILE_TMPDIR/large:tiny" "$to:$i"
        if skopeo inspect --tls-verify=false "docker://$to:$i" > /dev/null 2>&1; then
            coffer pull -q "$to:$i"
        fi
    done
    coffer copy -q "oci:$BATS_FILE_TMPDIR/large:tiny" "$to:last"
    coffer pull -q "$to:last"
    whole
}
