#!/usr/bin/env bats
# Images of the store as archives: what docker, podman and skopeo load, with ids that stay; and copies out of the store and into it.
bats_require_minimum_version 1.5.0
load helpers
load images
load ../registry/registry

setup_file() {
    needs umoci skopeo docker-registry podman jq python3 setfattr
    mkdir -p "$REGISTRY_DIR"
    make_image tiny > /dev/null
    # A second image on the same layer, and one with what a tar can hold: sparse, links, an attribute, odd times.
    mkdir -p "$BATS_FILE_TMPDIR/more"
    (
        cd "$BATS_FILE_TMPDIR/more" || exit
        head -c 100001 /dev/urandom > noise
        truncate -s 5M sparse
        echo end >> sparse
        ln noise hard
        ln -s nowhere soft
        touch -d '1970-01-02 03:04:05.678' noise
    )
    cp -r "$BATS_FILE_TMPDIR/image.tiny" "$BATS_FILE_TMPDIR/image"
    umoci --log error insert --image "$BATS_FILE_TMPDIR/image:tiny" --tag more "$BATS_FILE_TMPDIR/more" /more
    registry_start save
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    cd "$BATS_TEST_TMPDIR" || return 1
    coffer load -q --name app/one:1 "oci:$BATS_FILE_TMPDIR/image:tiny" > /dev/null
    coffer load -q --name app/two:2 "oci:$BATS_FILE_TMPDIR/image:more" > /dev/null
    ONE=$(coffer inspect --format '{{.Id}}' app/one:1)
    TWO=$(coffer inspect --format '{{.Id}}' app/two:2)
}

fails() { # MESSAGE COMMAND...
    local expected=$1
    shift
    run -125 "$@"
    [ "$output" = "coffer: $expected" ] || {
            return 1
    }
}

podman_here() {
    podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman.run" --storage-driver vfs "$@"
}

@test "several images in one archive of docker's: podman and skopeo read it, ids stay, a shared layer is in it once" {
    run -0 coffer save -o both.tar app/one:1 app/two:2
    [[ "$output" == *" is already there, "* ]]
    [ "$(tar -tf both.tar | grep -c '\.tar$')" -eq 2 ]
    tar -xOf both.tar manifest.json | jq -e '[.[].RepoTags[0]] == ["docker.io/app/one:1", "docker.io/app/two:2"] or [.[].RepoTags[0]] == ["app/one:1", "app/two:2"]'
    [ "sha256:$(skopeo inspect --config --raw docker-archive:both.tar:app/two:2 | sha256sum | cut -d' ' -f1)" = "$TWO" ]
    podman_here load -q -i both.tar
    [ "sha256:$(podman_here inspect --format '{{.Id}}' app/one:1)" = "$ONE" ]
    [ "sha256:$(podman_here inspect --format '{{.Id}}' app/two:2)" = "$TWO" ]
    # The tars in it are the layers, to the last bit.
    for layer in $(tar -tf both.tar | grep '\.tar$'); do
        [ "$(tar -xOf both.tar "$layer" | sha256sum | cut -d' ' -f1).tar" = "$layer" ]
    done
}

@test "through a pipe into another store, and the image runs there" {
    coffer save -q app/two:2 | "$COFFER" --root "$BATS_TEST_TMPDIR/other.run" --store "$BATS_TEST_TMPDIR/other" load -q
    run -0 "$COFFER" --root "$BATS_TEST_TMPDIR/other.run" --store "$BATS_TEST_TMPDIR/other" inspect --format '{{.Id}}' app/two:2
    [ "$output" = "$TWO" ]
    run -0 "$COFFER" --root "$BATS_TEST_TMPDIR/other.run" --store "$BATS_TEST_TMPDIR/other" run --rm app/two:2 true
}

@test "an OCI archive: umoci verifies and unpacks it, with its id" {
    run -0 coffer save -q --format oci-archive -o one.tar app/two:2
    [ -z "$output" ]
    skopeo copy -q oci-archive:one.tar:2 oci:layout:x
    [ "sha256:$(skopeo inspect --config --raw oci:layout:x | sha256sum | cut -d' ' -f1)" = "$TWO" ]
    umoci --log error unpack --image layout:x bundle
    cmp bundle/rootfs/more/noise "$BATS_FILE_TMPDIR/more/noise"
    cmp bundle/rootfs/more/sparse "$BATS_FILE_TMPDIR/more/sparse"
    # Several: by their whole names.
    coffer save -q --format oci-archive -o both.tar app/one:1 app/two:2
    coffer rmi -f "$ONE" "$TWO" > /dev/null
    coffer load -q -i both.tar
    [ "$(coffer inspect --format '{{.Id}}' app/one:1)" = "$ONE" ]
    [ "$(coffer inspect --format '{{.Id}}' app/two:2)" = "$TWO" ]
}

@test "an image without a name is saved by its id, and loaded without one" {
    coffer save -q -o one.tar "${ONE#sha256:}"
    tar -xOf one.tar manifest.json | jq -e '.[0].RepoTags == null or .[0].RepoTags == []'
    coffer rmi -f "$ONE" > /dev/null
    coffer load -q -i one.tar
    [ "$(coffer inspect --format '{{.Id}}' "${ONE#sha256:}")" = "$ONE" ]
}

@test "an imported tar is saved and pushed, too" {
    tar -C "$BATS_FILE_TMPDIR/more" -cf tree.tar .
    coffer import -q tree.tar imported:1 > /dev/null || coffer import tree.tar imported:1 > /dev/null
    coffer save -q -o imported.tar imported:1
    podman_here load -q -i imported.tar
    [ "sha256:$(podman_here inspect --format '{{.Id}}' imported:1)" = "$(coffer inspect --format '{{.Id}}' imported:1)" ]
}

# All that a root file system may have, in $BATS_TEST_TMPDIR/tree.
rich_tree() {
    mkdir -p tree/etc tree/usr/bin tree/var/tmp
    cp -a "$BATS_FILE_TMPDIR/more" tree/more
    echo hello > tree/etc/motd
    head -c 3000001 /dev/urandom > tree/usr/bin/large
    ln tree/usr/bin/large tree/usr/bin/again
    chmod 4755 tree/usr/bin/large
    chmod 1777 tree/var/tmp
    chown 70:3000000 tree/etc/motd
    mknod tree/null c 1 3
    mkfifo tree/fifo
    setfattr -n user.note -v hello tree/etc/motd || true
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("tree/socket")'
    touch -d '2001-02-03 04:05:06.789' tree/etc/motd tree/etc tree
}

@test "an imported directory is saved: podman, skopeo, docker's form and OCI's, and it comes back as it was" {
    rich_tree
    coffer import tree imported:1 > id
    coffer save -q -o docker.tar imported:1
    podman_here load -q -i docker.tar
    [ "sha256:$(podman_here inspect --format '{{.Id}}' imported:1)" = "$(cat id)" ]
    mounted=$(podman_here image mount imported:1)
    [ "$(stat -c '%a %u %g %Y %s' "$mounted/etc/motd" "$mounted/usr/bin/large")" = "$(stat -c '%a %u %g %Y %s' tree/etc/motd tree/usr/bin/large)" ]
    [ "$(stat -c %h "$mounted/usr/bin/again")" -eq 2 ]
    cmp "$mounted/more/sparse" tree/more/sparse
    [ ! -e "$mounted/socket" ]
    podman_here image unmount imported:1
    coffer save -q --format oci-archive -o oci.tar imported:1
    [ "sha256:$(skopeo inspect --config --raw oci-archive:oci.tar | sha256sum | cut -d' ' -f1)" = "$(cat id)" ]
    coffer copy -q store:imported:1 oci:layout:1
    umoci unpack --image layout:1 unpacked
    rm tree/socket
    touch -r unpacked/rootfs tree
    "$BATS_TEST_DIRNAME/../compare_trees.py" tree unpacked/rootfs
}

@test "the same directory imported twice is one layer, and what changed in it makes another" {
    rich_tree
    before=$(find "$(coffer_store)/layers" -mindepth 1 -maxdepth 1 | wc -l)
    coffer import tree imported:1 > /dev/null
    cp -a tree copied
    rm copied/socket
    touch -r tree copied
    coffer import -m "from elsewhere" copied imported:2 > /dev/null
    [ "$(coffer inspect -f '{{.RootFS.Layers}}' imported:1)" = "$(coffer inspect -f '{{.RootFS.Layers}}' imported:2)" ]
    [ "$(find "$(coffer_store)/layers" -mindepth 1 -maxdepth 1 | wc -l)" -eq $((before + 1)) ]
    touch -d '2001-02-03 04:05:06.79' copied/etc/motd
    coffer import copied imported:3 > /dev/null
    [ "$(find "$(coffer_store)/layers" -mindepth 1 -maxdepth 1 | wc -l)" -eq $((before + 2)) ]
    # So is the tar that was saved of it.
    coffer save -q -o docker.tar imported:1
    tar -xf docker.tar --wildcards '*.tar'
    layer=$(coffer inspect -f '{{index .RootFS.Layers 0}}' imported:1)
    coffer import "${layer#sha256:}.tar" imported:4 > /dev/null
    [ "$(coffer inspect -f '{{.RootFS.Layers}}' imported:4)" = "[$layer]" ]
    run coffer system check
    [ "$status" -eq 0 ]
}

@test "bad: a directory with what no tar can say is not imported" {
    mkdir -p tree/etc
    : > tree/etc/.wh.x
    before=$(find "$(coffer_store)" | sort)
    fails 'tree: pack "etc/.wh.x": is named as whiteouts are in layers (.wh.), and would delete something there' coffer import tree bad:1
    rm tree/etc/.wh.x
    : > tree/etc/file
    setfattr -n 'user.a=b' -v c tree/etc/file || skip "no user attributes here"
    fails 'tree: pack "etc/file": its extended attribute "user.a=b" has a name that no tar can hold' coffer import tree bad:1
    [ "$(find "$(coffer_store)" | sort)" = "$before" ]
}

@test "copy out of the store to every kind of target, and into it" {
    r=$(registry save)
    coffer copy -q store:app/two:2 oci:layout:x
    coffer copy -q store:app/two:2 oci-archive:layout.tar:x
    coffer copy -q store:app/two:2 dir:folder
    coffer copy -q store:app/two:2 docker-archive:docker.tar:app/two:2
    coffer copy -q store:app/two:2 "$r/app/two:2"
    for there in oci:layout:x oci-archive:layout.tar:x dir:folder docker-archive:docker.tar "docker://$r/app/two:2"; do
        [ "sha256:$(skopeo inspect --tls-verify=false --config --raw "$there" | sha256sum | cut -d' ' -f1)" = "$TWO" ]
    done
    coffer rmi -f "$TWO" > /dev/null
    coffer copy -q dir:folder store:back/two:3
    [ "$(coffer inspect --format '{{.Id}}' back/two:3)" = "$TWO" ]
    coffer rmi -f "$TWO" > /dev/null
    coffer copy -q "$r/app/two:2" store:
    [ "$(coffer inspect --format '{{.Id}}' "$r/app/two:2")" = "$TWO" ]
    fails "store:app/one:1: it is in the store already; coffer tag gives it another name" coffer copy store:app/one:1 store:x
    fails "--all: the store holds images for one platform each; choose one with --platform" coffer copy --all dir:folder store:
}

@test "what was changed in the store is not saved, and no half archive is left" {
    file=$(find "$(coffer_store)"/layers/*/fs/more -name noise)
    printf '\1\2\3' | dd of="$file" bs=1 seek=500 conv=notrunc status=none
    echo old > two.tar
    run -125 coffer save -q -o two.tar app/two:2
    [[ "$output" == "coffer: save app/two:2: layer sha256:"*": its files were changed, they make sha256:"*"; coffer system check --repair"* ]] || [[ "$output" == "coffer: save app/two:2: layer sha256:"*": its digest is sha256:"* ]]
    [ "$(cat two.tar)" = old ]
    [ -z "$(find . -name '*coffer-new*' -o -name '.two*')" ]
    find "$(dirname "$file")" -samefile "$file" -delete
    run -125 coffer save -q -o two.tar app/two:2
    [[ "$output" == "coffer: save app/two:2: layer sha256:"*": entry \"more/"*"\": is not in the layer any more" ]]
    [ "$(cat two.tar)" = old ]
}

@test "wrong words" {
    run script -qec "$COFFER --root $BATS_TEST_TMPDIR/run --store $(coffer_store) save app/one:1" /dev/null
    [[ "$output" == "coffer: standard output is a terminal; give a file with --output, or a pipe"* ]]
    run -125 coffer save -o x.tar none:1
    [[ "$output" == "coffer: image none:1 is not in the store"* ]]
    [ ! -e x.tar ]
    run -125 coffer save -o /nowhere/x.tar app/one:1
    [[ "$output" == "coffer: "*"/nowhere"*"No such file or directory" ]]
    run -125 coffer save --format zip -o x.tar app/one:1
    [[ "$output" == *"--format"*"docker-archive"* ]]
}

@test "a full disk: one sentence, and nothing is left" {
    mkdir full
    mount -t tmpfs -o size=64k tmpfs full
    run -125 coffer save -q -o full/x.tar app/two:2
    umount full
    [[ "$output" == "coffer: save app/two:2: layer sha256:"*"No space left on device" ]]
}

@test "a layer that says it is smaller than it is: one sentence, and no waiting for ever" {
    # More than the pipe between holds: who is not read to the end does not end.
    described=$(dirname "$(dirname "$(dirname "$(find "$(coffer_store)"/layers/*/fs/more -name noise)")")")/layer.json
    jq -c '.tar_size = 512' "$described" > changed.json
    cat changed.json > "$described"
    run -125 timeout 60 "$COFFER" --root "$BATS_TEST_TMPDIR/run" --store "$(coffer_store)" save -q -o two.tar app/two:2
    [[ "$output" == "coffer: save app/two:2: layer sha256:"*": has more than the 512 bytes that the store says it has" ]]
    [ ! -e two.tar ]
    # And larger: it ends early.
    jq -c '.tar_size = 900000000' changed.json > larger.json
    cat larger.json > "$described"
    run -125 coffer save -q -o two.tar app/two:2
    [[ "$output" == "coffer: save app/two:2: layer sha256:"*": ends "*" bytes early" ]]
}
