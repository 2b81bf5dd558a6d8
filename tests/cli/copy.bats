#!/usr/bin/env bats
# Images between registries, layouts and the store: copied byte for byte, brought by `run` where they are missing, and shared by two pulls.
bats_require_minimum_version 1.5.0
load helpers
load ../registry/registry

setup_file() {
    needs umoci skopeo docker-registry python3 openssl jq
    mkdir -p "$REGISTRY_DIR"
    make_image tiny > /dev/null
    registry_start one
    registry_start two
    registry_push "$BATS_FILE_TMPDIR/image.tiny:tiny" "$(registry one)/tiny:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    export COFFER_STORE=$BATS_TEST_TMPDIR/store
    ONE=$(registry one)
    TWO=$(registry two)
}

coffer() {
    "$COFFER" --root "$BATS_TEST_TMPDIR/run" "$@"
}

digest_of() { # HOST/NAME:TAG
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$1"
}

fails() { # MESSAGE COMMAND...
    local expected=$1
    shift
    run -125 "$@"
    [ "$output" = "coffer: $expected" ] || {
        echo "$output"
        return 1
    }
}

@test "a copy between two registries, and out to a layout and back, has the same digest" {
    wanted=$(digest_of "$ONE/tiny:1")
    [ "$(coffer copy -q "$ONE/tiny:1" "$TWO/copied/tiny:2")" = "$wanted" ]
    [ "$(digest_of "$TWO/copied/tiny:2")" = "$wanted" ]
    [ "$(coffer copy -q "docker://$TWO/copied/tiny:2" "oci:$BATS_TEST_TMPDIR/layout:x")" = "$wanted" ]
    [ "$(skopeo inspect --format '{{.Digest}}' "oci:$BATS_TEST_TMPDIR/layout:x")" = "$wanted" ]
    [ "$(coffer copy -q "oci:$BATS_TEST_TMPDIR/layout:x" "$TWO/back:1")" = "$wanted" ]
    [ "$(digest_of "$TWO/back:1")" = "$wanted" ]
}

@test "what the target has is not sent again, and a repository beside it is a mount" {
    coffer copy -q "$ONE/tiny:1" "$TWO/first:1"
    run --separate-stderr coffer copy "$ONE/tiny:1" "$TWO/first:2"
    [ "$(grep -c 'is already there' <<< "$stderr")" -eq 2 ]
    run --separate-stderr coffer copy "$TWO/first:1" "$TWO/second:1"
    [ "$(grep -c 'taken from the repository beside it' <<< "$stderr")" -eq 2 ]
}

@test "an index is copied whole with --all, else the image of one platform" {
    layout=$BATS_TEST_TMPDIR/multi
    cp -r "$BATS_FILE_TMPDIR/image.tiny" "$layout"
    # The image once more, said to be for another platform, and an index of both.
    entry=$(jq -c '.manifests[0]' "$layout/index.json")
    index=$(jq -nc --argjson e "$entry" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
        ($e | del(.annotations) | .platform = {os: "linux", architecture: "amd64"}),
        ($e | del(.annotations) | .platform = {os: "linux", architecture: "s390x"})]}')
    hex=$(printf %s "$index" | sha256sum | cut -d ' ' -f 1)
    printf %s "$index" > "$layout/blobs/sha256/$hex"
    jq -nc --arg d "sha256:$hex" --argjson s "${#index}" '{schemaVersion: 2, manifests: [{mediaType:
        "application/vnd.oci.image.index.v1+json", digest: $d, size: $s, annotations: {"org.opencontainers.image.ref.name": "m"}}]}' \
        > "$layout/index.json"
    [ "$(coffer copy -q --all "oci:$layout:m" "$ONE/multi:all")" = "sha256:$hex" ]
    [ "$(coffer copy -q --platform linux/amd64 "oci:$layout:m" "$ONE/multi:one")" = "$(jq -r .digest <<< "$entry")" ]
    coffer pull -q "$ONE/multi:all"
    coffer inspect "$ONE/multi@sha256:$hex" > /dev/null
    run coffer pull "$ONE/multi:all"
    [ "$output" = "Image is up to date: $ONE/multi:all" ]
    run -125 coffer pull -q --platform linux/riscv64 "$ONE/multi:all"
    [[ "$output" == *"sha256:$hex: has no image for linux/riscv64, only for \"linux/amd64, linux/s390x\"" ]]
}

@test "a damaged blob of a layout is not copied" {
    cp -r "$BATS_FILE_TMPDIR/image.tiny" "$BATS_TEST_TMPDIR/bad"
    manifest=$(jq -r '.manifests[0].digest | split(":")[1]' "$BATS_TEST_TMPDIR/bad/index.json")
    layer=$(jq -r '.layers[0].digest | split(":")[1]' "$BATS_TEST_TMPDIR/bad/blobs/sha256/$manifest")
    printf x | dd of="$BATS_TEST_TMPDIR/bad/blobs/sha256/$layer" bs=1 seek=100 conv=notrunc status=none
    run -125 coffer copy -q "oci:$BATS_TEST_TMPDIR/bad:tiny" "oci:$BATS_TEST_TMPDIR/never:1"
    [[ "$output" == "coffer: blob sha256:$layer: its digest is sha256:"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/never/index.json" ]
    run -125 coffer copy -q "oci:$BATS_TEST_TMPDIR/bad:tiny" "$TWO/never:1"
    run -125 coffer copy -q "$TWO/never:1" "oci:$BATS_TEST_TMPDIR/never:1"
    [[ "$output" == *"$TWO has none"* ]]
}

@test "a file of another size in a layout is no blob" {
    coffer copy -q "$ONE/tiny:1" "oci:$BATS_TEST_TMPDIR/layout:x"
    for path in "$BATS_TEST_TMPDIR"/layout/blobs/sha256/*; do
        truncate -s 5 "$path"
    done
    rm "$BATS_TEST_TMPDIR/layout/index.json"
    coffer copy -q "$ONE/tiny:1" "oci:$BATS_TEST_TMPDIR/layout:x"
    coffer load -q "oci:$BATS_TEST_TMPDIR/layout:x" > /dev/null
}

@test "a password goes to the registry that it is for" {
    registry_start three htpasswd
    coffer copy -q --dest-creds someone:secret "$ONE/tiny:1" "$(registry three)/tiny:1"
    coffer copy -q --src-creds someone:secret "$(registry three)/tiny:1" "$TWO/from-three:1"
    run -125 coffer copy -q --src-creds someone:secret "$ONE/tiny:1" "$(registry three)/tiny:2"
}

@test "wrong words of copy" {
    run -125 coffer copy "$ONE/tiny:1"
    [ "${lines[0]}" = "coffer copy: expected 2 words (SOURCE TARGET), found 1" ]
    fails "./x: expected a target of the form REGISTRY/REPOSITORY:TAG, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REFERENCE] or dir:DIR" \
        coffer copy -q "$ONE/tiny:1" ./x
    fails "--creds: there are two registries; give --src-creds or --dest-creds" coffer copy --creds a:b "$ONE/tiny:1" "$TWO/x:1"
    fails "--dest-creds is for a registry, and oci:x is none" coffer copy --dest-creds a:b "$ONE/tiny:1" oci:x
    fails "both --all and --platform: which of them?" coffer copy --all --platform linux/amd64 "$ONE/tiny:1" "$TWO/x:1"
    fails "open $BATS_TEST_TMPDIR/nothing: No such file or directory" coffer copy -q "oci:$BATS_TEST_TMPDIR/nothing" "$TWO/x:1"
}

@test "run brings an image that is missing, unless it is told not to" {
    needs_root
    [ "$(coffer run --rm "$ONE/tiny:1" sh -c 'echo ran')" = ran ]
    run -125 coffer run --rm --pull never "$ONE/tiny:2" true
    [[ "$output" == *"image $ONE/tiny:2 is not in the store"* ]]
    run -125 coffer run --rm "$ONE/tiny:2" true
    [[ "$output" == "coffer: pull $ONE/tiny:2: $ONE/tiny:2: $ONE has none"* ]]
    coffer copy -q "$ONE/tiny:1" "$ONE/moves:1"
    coffer run --rm --pull always "$ONE/moves:1" true
    [ "$(coffer images -q | sort -u | wc -l)" -eq 1 ]
}

@test "events of a pull are JSON, a line each" {
    coffer pull --format json "$ONE/tiny:1" > "$BATS_TEST_TMPDIR/events"
    [ "$(jq -r 'select(.event == "layer").state' "$BATS_TEST_TMPDIR/events" | tail -1)" = "done" ]
    [ "$(jq -r 'select(.event == "image").names[0]' "$BATS_TEST_TMPDIR/events")" = "$ONE/tiny:1" ]
    coffer pull --format json "$ONE/tiny:1" > "$BATS_TEST_TMPDIR/events"
    [ "$(wc -l < "$BATS_TEST_TMPDIR/events")" -eq 1 ]
}

@test "four pulls of one image at once bring each layer once" {
    local i pids=()
    for i in 1 2 3 4; do
        coffer pull --format json "$ONE/tiny:1" > "$BATS_TEST_TMPDIR/events.$i" 2> /dev/null 3>&- &
        pids+=("$!")
    done
    for i in "${pids[@]}"; do
        wait "$i"
    done
    [ "$(cat "$BATS_TEST_TMPDIR"/events.* | jq -r 'select(.state == "done").layer' | wc -l)" -eq 1 ]
    [ -z "$(ls "$COFFER_STORE/staging")" ]
    [ "$(coffer images -q | wc -l)" -eq 1 ]
}

@test "a pull that is killed leaves nothing that the next command does not clear up, and the next pull is whole" {
    local i pid pids=()
    dd if=/dev/urandom of="$BATS_TEST_TMPDIR/noise" bs=1M count=24 status=none
    cp -r "$BATS_FILE_TMPDIR/image.tiny" "$BATS_TEST_TMPDIR/large"
    umoci --log error insert --image "$BATS_TEST_TMPDIR/large:tiny" "$BATS_TEST_TMPDIR/noise" /noise
    registry_push "$BATS_TEST_TMPDIR/large:tiny" "$ONE/large:1"
    for i in $(seq 0 "${FAULT_KILLS:-12}"); do
        setsid "$COFFER" pull -q "$ONE/large:1" > /dev/null 2>&1 3>&- &
        pid=$!
        pids+=("$pid")
        sleep "0.$(printf %03d $((RANDOM % 180)))"
        kill -KILL "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    coffer pull -q "$ONE/large:1"
    [ -z "$(ls "$COFFER_STORE/staging")" ]
    [ "$(coffer images -q | wc -l)" -eq 1 ]
    # Nobody of ours is left: fetcher and unpackers end with who started them.
    for pid in "${pids[@]}"; do
        for i in $(seq 50); do
            [ -n "$(pgrep -s "$pid" || true)" ] || break
            sleep 0.1
        done
        [ -z "$(pgrep -s "$pid" || true)" ]
    done
}
