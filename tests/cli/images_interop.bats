#!/usr/bin/env bats
# Images made and pushed by umoci and skopeo, buildah, and podman: pulled from docker's registry they run, and what coffer image mount shows
# is what umoci and podman unpack of the very same blobs (tests/compare_trees.py).
load helpers
load images
load ../registry/registry

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    registry_start plain
    WORK=$BATS_FILE_TMPDIR/work
    mkdir -p "$WORK"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    needs umoci skopeo setcap setfacl
    images_setup
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    HOST=$(registry plain)
}

teardown() {
    local point
    coffer image unmount --all > /dev/null
    awk -v work="$WORK/" 'index($5, work) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r point; do
        umount -l "$point"
    done
}

# All that a tar can say of a tree.
fill_tree() { # DIR
    local long
    make_rootfs "$1"
    mkdir -p "$1"/{srv/app,var/empty,usr/lib}
    cp /bin/true "$1/bin/ping"
    setcap cap_net_raw,cap_net_admin+ep "$1/bin/ping"
    cp /bin/true "$1/bin/su"
    chmod 4755 "$1/bin/su"
    chown 7:8 "$1/srv/app"
    chmod 2750 "$1/srv/app"
    echo one > "$1/srv/app/one"
    ln "$1/srv/app/one" "$1/var/other"
    ln "$1/srv/app/one" "$1/srv/zero"
    chown 1000000:4294967294 "$1/srv/app/one"
    chmod 0640 "$1/srv/app/one"
    ln -s ../srv/app/one "$1/usr/link"
    ln -s /nowhere/at/all "$1/usr/dangling"
    chown -h 5:6 "$1/usr/dangling"
    mkfifo "$1/var/fifo"
    mknod "$1/dev/null" c 1 3
    mknod "$1/dev/disk" b 259 1000
    chmod 0600 "$1/dev/disk"
    truncate -s 8M "$1/var/sparse"
    echo middle | dd of="$1/var/sparse" bs=1 seek=4000000 conv=notrunc status=none
    setfattr -n user.note -v 'of a user' "$1/srv/zero"
    setfacl -m u:1234:r "$1/etc/group"
    long=$(printf 'n%.0s' {1..120})
    mkdir -p "$1/srv/$long/$long"
    echo deep > "$1/srv/$long/$long/$long"
    ln -s "$long/$long/$long" "$1/srv/to-deep"
    echo grüße > "$1/srv/grüße und blank"
    touch -d '1969-12-31 23:59:55 UTC' "$1/etc/passwd"
    touch -d '2001-02-03 04:05:06.123456789 UTC' "$1/srv/grüße und blank"
    touch -h -d '2002-02-03 04:05:06 UTC' "$1/usr/dangling"
    touch -d '2003-02-03 04:05:06.5 UTC' "$1/srv/app" "$1/srv/$long"
}

# A second layer: what is taken away, what is put in another's place, what is new in old folders.
change_tree() { # DIR
    rm -r "$1/usr/lib" "$1/var/fifo" "$1/srv/zero"
    mkdir "$1/var/fifo"
    echo inside > "$1/var/fifo/inside"
    rm "$1/usr/link"
    echo 'a file now' > "$1/usr/link"
    chmod 0700 "$1/var/empty"
    mkdir "$1/srv/new"
    ln "$1/srv/app/one" "$1/srv/new/one"
    rm -r "${1:?}"/home/*
    echo other > "$1/home/other"
}

# The image as coffer shows it.
mount_image() { # IMAGE
    OURS=$(coffer image mount "$1")
}

# podman with a store of its own for each driver.
podman_of() { # DRIVER ARGS...
    local driver=$1
    shift
    podman --root "$WORK/$driver/root" --runroot "$WORK/$driver/run" --tmpdir "$WORK/$driver/tmp" \
        --storage-driver "$driver" --cgroup-manager cgroupfs --events-backend file "$@"
}

# What podman unpacks of the very same blobs, with each of its ways to keep them. It sets no times of the root and none before 1970, makes a
# root that is in no layer 0555, and its vfs loses ACLs when it copies a layer for the next one; the rest is the same.
same_as_podman() { # NAME
    local driver id theirs expected='^\.: time: |^\.: mode: 0o755, 0o555$|^etc/passwd: time: -5000000000, 0$'
    command -v podman > /dev/null || return 0
    for driver in overlay vfs; do
        [ "$driver" = overlay ] || expected+="|^etc/group: xattrs: \\{'system.posix_acl_access': '[0-9a-f]*'\\}, \\{\\}$"
        id=$(podman_of "$driver" pull -q --tls-verify=false "$HOST/$1:1")
        theirs=$(podman_of "$driver" image mount "$id")
        "$BATS_TEST_DIRNAME/../compare_trees.py" "$OURS" "$theirs" > "$WORK/differences" || true
        echo "podman, $driver:"
        cat "$WORK/differences"
        grep -qE '^(8|9)[0-9] and (8|9)[0-9] names, ' "$WORK/differences"
        [ "$(grep -vE "$expected| differences\$" "$WORK/differences" | wc -l)" -eq 0 ]
        podman_of "$driver" image unmount "$id" > /dev/null
    done
}

# Pulls NAME:1, runs it, and holds it against what umoci and podman unpack.
same_as_peers() { # NAME
    local name=$1
    run coffer pull -q "$HOST/$name:1"
    [ "$status" -eq 0 ]
    run coffer run --rm --network none "$HOST/$name:1" cat '/srv/grüße und blank'
    [ "$status" -eq 0 ]
    [ "$output" = grüße ]
    skopeo copy -q --src-tls-verify=false "docker://$HOST/$name:1" "oci:$WORK/theirs.oci:1"
    umoci --log error unpack --image "$WORK/theirs.oci:1" "$WORK/theirs"
    mount_image "$HOST/$name:1"
    "$BATS_TEST_DIRNAME/../compare_trees.py" "$OURS" "$WORK/theirs/rootfs"
    same_as_podman "$name"
    # That it would see a difference.
    chmod 0641 "$WORK/theirs/rootfs/srv/app/one"
    run "$BATS_TEST_DIRNAME/../compare_trees.py" "$OURS" "$WORK/theirs/rootfs"
    [ "$status" -eq 1 ]
}

made_by_umoci() { # LAYOUT
    umoci --log error init --layout "$1"
    umoci --log error new --image "$1:1"
    umoci --log error unpack --image "$1:1" "$WORK/bundle"
    fill_tree "$WORK/bundle/rootfs"
    umoci --log error repack --refresh-bundle --image "$1:1" "$WORK/bundle"
    change_tree "$WORK/bundle/rootfs"
    umoci --log error repack --refresh-bundle --image "$1:1" "$WORK/bundle"
    umoci --log error config --image "$1:1" --config.cmd /bin/sh --config.env PATH=/bin
}

@test "umoci's image, two layers, pushed by skopeo" {
    made_by_umoci "$WORK/umoci.oci"
    registry_push "$WORK/umoci.oci:1" "$HOST/umoci:1"
    same_as_peers umoci
    [ "$(coffer inspect -f '{{.Digest}}' "$HOST/umoci:1")" = "$(manifest_digest "$WORK/umoci.oci")" ]
}

@test "umoci's image as skopeo makes it docker's, and with zstd" {
    made_by_umoci "$WORK/umoci.oci"
    registry_push "$WORK/umoci.oci:1" "$HOST/docker:1" --format v2s2
    registry_push "$WORK/umoci.oci:1" "$HOST/zstd:1" --dest-compress-format zstd --dest-compress
    coffer pull -q "$HOST/docker:1"
    coffer pull -q "$HOST/zstd:1"
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 2 ]
    same_as_peers docker
}

@test "GNU tar's layers, with holes and attributes" {
    dir=$(new_layer tree)
    fill_tree "$dir"
    tar --sort=name --sparse --xattrs --xattrs-include='*' -C "$dir" -cf "$WORK/tree.tar" .
    CONFIG='.config.Cmd = ["/bin/sh"]' layout "$WORK/gnu" 1 "$WORK/tree.tar"
    registry_push "$WORK/gnu:1" "$HOST/gnu:1"
    same_as_peers gnu
    # Nothing is lost on the way: it is what it was made from, holes and all.
    touch -d @0 "$dir"
    "$BATS_TEST_DIRNAME/../compare_trees.py" "$OURS" "$dir" | grep -v '^\.: time: ' > "$WORK/differences" || true
    cat "$WORK/differences"
    [ "$(grep -vc 'differences$' "$WORK/differences")" -eq 0 ]
}

@test "three layers made by hand: whiteouts, opaque directories, one kind of file in another's place" {
    local dir base
    dir=$(new_layer base)
    fill_tree "$dir"
    mkdir -p "$dir"/opt/{one/deep,two,three,four}
    echo below > "$dir/opt/one/deep/file"
    echo below > "$dir/opt/two/file"
    echo below > "$dir/opt/three/file"
    ln "$dir/opt/three/file" "$dir/opt/four/same"
    ln -s two "$dir/opt/link"
    echo file > "$dir/opt/becomes"
    base=$(pack base)
    dir=$(new_layer second)
    mkdir -p "$dir"/opt/{one,two,link,becomes,three} "$dir/srv" "$dir/var/empty"
    : > "$dir/opt/one/.wh..wh..opq"
    echo new > "$dir/opt/one/new"
    : > "$dir/opt/two/.wh.file"
    : > "$dir/opt/two/.wh.never-was"
    echo inside > "$dir/opt/link/inside"
    echo inside > "$dir/opt/becomes/inside"
    cp /bin/true "$dir/opt/three/file"
    setcap cap_chown+ep "$dir/opt/three/file"
    ln "$dir/opt/three/file" "$dir/opt/three/second"
    truncate -s 4M "$dir/opt/three/sparse"
    echo end >> "$dir/opt/three/sparse"
    chmod 0751 "$dir/opt/three"
    chown 70000:80000 "$dir/opt/three"
    dir=$(new_layer third)
    mkdir -p "$dir"/opt/one/deep
    : > "$dir/opt/.wh.four"
    : > "$dir/opt/.wh.becomes"
    : > "$dir/opt/one/deep/.wh..wh..opq"
    echo again > "$dir/opt/one/deep/again"
    ln -s one "$dir/opt/four-was"
    layout "$WORK/hand" 1 "$base" "$(pack second gzip)" "$(pack third gzip)"
    registry_push "$WORK/hand:1" "$HOST/hand:1"
    same_as_peers hand
    [ "$(ls "$OURS/opt" | tr '\n' ' ')" = "four-was link one three two " ]
    [ "$(ls "$OURS/opt/one" | tr '\n' ' ')" = "deep new " ]
    [ "$(ls "$OURS/opt/one/deep" "$OURS/opt/two" "$OURS/opt/link" | tr '\n' ' ' | sed "s|$OURS/opt/||g")" = "link: inside  one/deep: again  two: " ]
}

@test "buildah's image" {
    needs buildah
    buildah_with() {
        buildah --root "$WORK/buildah" --runroot "$WORK/buildah.run" --storage-driver vfs "$@"
    }
    fill_tree "$WORK/tree"
    container=$(buildah_with from scratch)
    buildah_with add -q "$container" "$WORK/tree" /
    buildah_with config --cmd /bin/sh --env PATH=/bin "$container"
    buildah_with commit -q "$container" first
    buildah_with rm "$container"
    container=$(buildah_with from first)
    change_tree "$(buildah_with mount "$container")"
    buildah_with commit -q "$container" second
    buildah_with push -q --tls-verify=false second "docker://$HOST/buildah:1"
    same_as_peers buildah
}

@test "podman's image" {
    needs podman
    podman_with() {
        podman --root "$WORK/podman/root" --runroot "$WORK/podman/run" --tmpdir "$WORK/podman/tmp" --storage-driver vfs \
            --cgroup-manager cgroupfs --events-backend file "$@"
    }
    fill_tree "$WORK/tree"
    tar --xattrs --xattrs-include='*' -C "$WORK/tree" -cf "$WORK/tree.tar" .
    podman_with import -q -c 'CMD /bin/sh' -c 'ENV PATH=/bin' "$WORK/tree.tar" made
    podman_with push -q --tls-verify=false made "docker://$HOST/podman:1"
    same_as_peers podman
}
