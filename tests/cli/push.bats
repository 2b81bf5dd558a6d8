#!/usr/bin/env bats
# Pushing images of the store: equal digests on the other side, nothing sent that is there, and what cannot be pushed is said.
load helpers
load ../registry/registry

setup_file() {
    command -v docker-registry skopeo umoci htpasswd openssl > /dev/null || return 0
    registry_start r-plain plain
    registry_start r-other plain
    registry_start r-token token
    registry_start r-tls tls
    registry_push "$(make_image):tiny" "$(registry r-plain)/team/app:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    needs docker-registry skopeo umoci htpasswd openssl
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime
    unset REGISTRY_AUTH_FILE XDG_CONFIG_HOME DOCKER_CONFIG
    r=$(registry r-plain)
    wanted=$(skopeo inspect --tls-verify=false "docker://$r/team/app:1" | jq -r .Digest)
}

digest_at() {
    skopeo inspect --tls-verify=false "$@" | jq -r .Digest
}

@test "a pulled image is pushed to a repository beside: its layers are mounted, its digest is the same" {
    coffer pull -q "$r/team/app:1"
    coffer tag "$r/team/app:1" "$r/else/where:2"
    run coffer push "$r/else/where:2"
    [ "$status" -eq 0 ]
    [[ "$output" == *"taken from the repository beside it,"* ]]
    [ "${lines[-1]}" = "$wanted" ]
    [ "$(digest_at "docker://$r/else/where:2")" = "$wanted" ]
    run coffer push "$r/else/where:2"
    [ "$status" -eq 0 ]
    [ "$(grep -c 'is already there' <<< "$output")" -eq 2 ]
}

@test "to another registry layers are brought over, with a login by token" {
    t=$(registry r-token)
    coffer pull -q "$r/team/app:1"
    run coffer push -q --creds someone:secret --digestfile "$BATS_TEST_TMPDIR/digest" "$r/team/app:1" "$t/mirror/app:3"
    [ "$status" -eq 0 ]
    [ "$output" = "$wanted" ]
    [ "$(cat "$BATS_TEST_TMPDIR/digest")" = "$wanted" ]
    [ "$(digest_at --creds someone:secret "docker://$t/mirror/app:3")" = "$wanted" ]
    # What came over is whole.
    skopeo copy -q --src-tls-verify=false --src-creds someone:secret "docker://$t/mirror/app:3" "oci:$BATS_TEST_TMPDIR/back:x"
    run coffer push -q "$r/team/app:1" "$t/mirror/app:4"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $t/mirror/app: blob sha256:"*": the registry wants a login, or has nothing of this name"*"; run coffer login $t" ]]
}

@test "what is allowed of the target is not allowed of where layers come from" {
    s=$(registry r-tls)
    registry_push "$(make_image):tiny" "$s/team/app:1"
    coffer pull -q --tls-verify=false "$s/team/app:1"
    run coffer --log-level info push -q --tls-verify=false "$s/team/app:1" "$(registry r-other)/from/tls:1"
    [ "$status" -eq 0 ]
    [[ "$output" == *"SSL certificate problem"* ]]
    [[ "$output" == *"some layers were nowhere to be had and were packed anew"* ]]
}

# What stands at the reference is loaded by podman, and has this id and these diff ids.
same_image_at() {
    skopeo copy -q --src-tls-verify=false "docker://$1" "oci:$BATS_TEST_TMPDIR/there:x"
    [ "$(skopeo inspect --config --raw "oci:$BATS_TEST_TMPDIR/there:x" | sha256sum | cut -d' ' -f1)" = "${2#sha256:}" ]
    # umoci verifies both digests of each layer, and unpacks them.
    umoci unpack --image "$BATS_TEST_TMPDIR/there:x" "$BATS_TEST_TMPDIR/unpacked"
    rm -rf "$BATS_TEST_TMPDIR/unpacked" "$BATS_TEST_TMPDIR/there"
}

@test "a layer that nobody has any more is packed anew: the image's id stays what it is" {
    o=$(registry r-other)
    coffer load -q "oci:$(make_image):tiny"
    name=$(coffer images --format '{{.Repository}}:{{.Tag}}')
    id=$(coffer inspect --format '{{.Id}}' "$name")
    run coffer push "$name" "$o/packed/app:1"
    [ "$status" -eq 0 ]
    [[ "$output" == *"pack "*": packed "* ]]
    [[ "$output" == *"coffer: warning: $o/packed/app: some layers were nowhere to be had and were packed anew: its digest there is ${lines[-1]}, its id is the same"* ]]
    [ "$(digest_at "docker://$o/packed/app:1")" = "${lines[-1]}" ]
    same_image_at "$o/packed/app:1" "$id"
    first=${lines[-1]}
    # The same bytes again: nothing is sent.
    run coffer push "$name" "$o/packed/app:2"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "$first" ]
    [[ "$output" != *" copied "*MB* ]]
    run coffer push -q --compression-format zstd "$name" "$o/packed/app:zstd"
    [ "$status" -eq 0 ]
    skopeo inspect --tls-verify=false --raw "docker://$o/packed/app:zstd" | jq -e '.layers[0].mediaType == "application/vnd.oci.image.layer.v1.tar+zstd"'
    # Which umoci does not know yet; coffer checks both digests, too.
    coffer rmi -f "$name"
    coffer pull -q "$o/packed/app:zstd"
    [ "$(coffer inspect --format '{{.Id}}' "$o/packed/app:zstd")" = "$id" ]
    run coffer push -q --compression-format lzma "$o/packed/app:zstd" "$o/packed/app:1"
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: --compression-format: expected gzip or zstd, found "lzma"' ]
}

@test "an archive of docker's, which has no manifest, an imported tar and an imported directory are pushed" {
    o=$(registry r-other)
    skopeo copy -q "oci:$(make_image):tiny" "docker-archive:$BATS_TEST_TMPDIR/tiny.tar:tiny:1"
    coffer load -q "docker-archive:$BATS_TEST_TMPDIR/tiny.tar"
    id=$(coffer inspect --format '{{.Id}}' tiny:1)
    coffer push -q tiny:1 "$o/from/docker:1"
    same_image_at "$o/from/docker:1" "$id"
    mkdir "$BATS_TEST_TMPDIR/tree"
    echo hello > "$BATS_TEST_TMPDIR/tree/file"
    tar -C "$BATS_TEST_TMPDIR/tree" -cf "$BATS_TEST_TMPDIR/tree.tar" .
    coffer import "$BATS_TEST_TMPDIR/tree.tar" imported:1
    coffer push -q imported:1 "$o/from/import:1"
    same_image_at "$o/from/import:1" "$(coffer inspect --format '{{.Id}}' imported:1)"
    mkdir "$BATS_TEST_TMPDIR/tree/dir"
    ln "$BATS_TEST_TMPDIR/tree/file" "$BATS_TEST_TMPDIR/tree/dir/link"
    coffer import "$BATS_TEST_TMPDIR/tree" imported:2
    coffer push -q imported:2 "$o/from/import:2"
    same_image_at "$o/from/import:2" "$(coffer inspect --format '{{.Id}}' imported:2)"
    # Pulled by somebody else it is the same image on the same layer.
    id=$(coffer inspect --format '{{.Id}}' imported:2)
    coffer rmi -f imported:2
    coffer pull -q "$o/from/import:2"
    [ "$(coffer inspect --format '{{.Id}}' "$o/from/import:2")" = "$id" ]
}

@test "a layer whose files were changed in the store is not pushed" {
    o=$(registry r-other)
    coffer load -q "oci:$(make_image):tiny"
    name=$(coffer images --format '{{.Repository}}:{{.Tag}}')
    file=$(find "$(coffer_store)"/layers/*/fs -type f -size +0 | head -n 1)
    printf '\1' | dd of="$file" bs=1 conv=notrunc status=none
    run coffer push -q "$name" "$o/broken/app:1"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: layer sha256:"*" of the store: its files were changed, they make sha256:"*"; coffer system check --repair" ]]
    rm "$file"
    run coffer push -q "$name" "$o/broken/app:1"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: layer sha256:"*" of the store: entry "*": is not in the layer any more" ]]
    run coffer tags "$o/broken/app"
    [ "$status" -eq 125 ] # no half image
}

@test "what cannot be pushed is refused" {
    o=$(registry r-other)
    coffer pull -q "$r/team/app:1"
    run coffer push none "$o/team/app:1"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: image none:latest is not in the store; "* ]]
    zeros=sha256:0000000000000000000000000000000000000000000000000000000000000000
    run coffer push "$r/team/app:1" "$o/team/app@$zeros"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $o/team/app: the image's digest is $wanted" ]
    id=$(coffer inspect --format '{{.Id}}' "$r/team/app:1")
    run coffer push "${id#sha256:}"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: push ${id#sha256:}: an id says no registry; give the target as a second name" ]
}
