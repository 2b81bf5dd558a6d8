#!/usr/bin/env bats
# Blobs on their way to a registry side by side, over a line that is slow for each connection.
load helpers
load images
load ../registry/registry

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    local files=() i dir
    WORK=$BATS_FILE_TMPDIR/work
    registry_start r plain
    for i in 1 2 3 4 5 6; do
        dir=$(new_layer "l$i")
        head -c 1000000 /dev/urandom > "$dir/file$i"
        files+=("$(pack "l$i" gzip)")
    done
    layout "$WORK/six" 1 "${files[@]}"
    layout "$WORK/twice" 1 "${files[0]}" "${files[1]}" "${files[0]}"
    registry_push "$WORK/six:1" "$(registry r)/from/six:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    images_setup
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG
    SIX=$BATS_FILE_TMPDIR/work/six
    NAME=n$BATS_TEST_NUMBER/app:1
}

# What lies in the registry under the name is the layout's image, whole.
is_there() { # LAYOUT
    skopeo copy -q --src-tls-verify=false "docker://$(registry r)/$NAME" "oci:$BATS_TEST_TMPDIR/back:1"
    [ "$(manifest_digest "$BATS_TEST_TMPDIR/back")" = "$(manifest_digest "$1")" ]
}

@test "copy: six layers by four connections" {
    throttle_start r 1000000
    run coffer copy "oci:$SIX:1" "$THROTTLED/$NAME"
    [ "$status" -eq 0 ]
    [ "$(grep -c ': copied ' <<< "$output")" -eq 7 ]
    [ "$(cat "$THROTTLE/most")" -ge 4 ]
    [ "$(cat "$THROTTLE/most")" -le 5 ]
    is_there "$SIX"
}

@test "push: what comes from where the image was is sent while the next comes" {
    throttle_start r 1000000
    coffer pull -q "$(registry r)/from/six:1"
    run coffer push "$(registry r)/from/six:1" "$THROTTLED/$NAME"
    [ "$status" -eq 0 ]
    [ "$(grep -c ': copied ' <<< "$output")" -eq 7 ]
    [ "${lines[-1]}" = "$(manifest_digest "$SIX")" ]
    [ "$(cat "$THROTTLE/most")" -ge 4 ]
    is_there "$SIX"
}

@test "push: what is packed is sent while the next is packed" {
    throttle_start r 1000000
    coffer pull -q "oci:$SIX:1" --name "localhost/six:1"
    run coffer push "localhost/six:1" "$THROTTLED/$NAME"
    [ "$status" -eq 0 ]
    [ "$(grep -c ': packed ' <<< "$output")" -eq 6 ]
    [ "$(grep -c ': copied ' <<< "$output")" -eq 7 ]
    [ "$(cat "$THROTTLE/most")" -ge 4 ]
    coffer pull -q --tls-verify=false "$(registry r)/$NAME"
    [ "$(coffer inspect -f '{{.Id}}' "$(registry r)/$NAME")" = "$(config_digest "$SIX")" ]
}

@test "a layer that an image has twice is sent once" {
    throttle_start r 1000000
    run coffer copy "oci:$BATS_FILE_TMPDIR/work/twice:1" "$THROTTLED/$NAME"
    [ "$status" -eq 0 ]
    [ "$(grep -c ': copied ' <<< "$output")" -eq 3 ]
    [ "$(grep -c ': is already there, ' <<< "$output")" -eq 1 ]
    is_there "$BATS_FILE_TMPDIR/work/twice"
}

@test "one of them is cut off: it goes on, and the others do not notice" {
    throttle_start r 1000000 300000
    run coffer copy "oci:$SIX:1" "$THROTTLED/$NAME"
    [ "$status" -eq 0 ]
    [ -s "$THROTTLE/cut" ]
    [ "$(grep -c ': copied ' <<< "$output")" -eq 7 ]
    is_there "$SIX"
}

@test "one that cannot be sent ends the others, with one sentence; no name is there" {
    cp -r "$SIX" "$WORK/short"
    layer=$(jq -r '.layers[4].digest' "$SIX/blobs/sha256/$(manifest_digest "$SIX" | cut -d : -f 2)")
    printf x | dd of="$WORK/short/blobs/sha256/${layer#sha256:}" bs=1 seek=1000 conv=notrunc status=none
    run coffer copy -q "oci:$WORK/short:1" "$(registry r)/$NAME"
    [ "$status" -eq 125 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == "coffer: $(registry r)/${NAME%:1}: blob $layer: "* ]]
    run skopeo inspect --tls-verify=false "docker://$(registry r)/$NAME"
    [ "$status" -ne 0 ]
}
