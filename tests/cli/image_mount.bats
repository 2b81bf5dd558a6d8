#!/usr/bin/env bats
# Images mounted to look into: coffer image mount and unmount, as root, and as an ordinary user within coffer unshare.
bats_require_minimum_version 1.5.0
load helpers
load images

setup() {
    needs_root
    needs umoci busybox jq setcap
    images_setup
    MOUNTS=$(coffer_root)/images
}

teardown() {
    local pause=${HOME_DIR:-/nowhere}/t/pause.pid
    coffer image unmount --all --force > /dev/null 2>&1 || true
    if [ -e "$pause" ]; then # podman keeps a user namespace by a process that does not end
        kill "$(cat "$pause")" || true
    fi
}

load_tiny() {
    coffer load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    ID=$(coffer inspect -f '{{.Id}}' tiny)
    HEX=${ID#sha256:}
}

mounted() { # PATH
    awk -v path="$1" '$5 == path { found = 1 } END { exit !found }' /proc/self/mountinfo
}

# Nothing is mounted, and of notes there are none.
nothing_left() {
    run find "$MOUNTS" -mindepth 1 -not -name .lock -not -name .empty
    [ -z "$output" ]
    ! grep -F "$MOUNTS" /proc/self/mountinfo || false
}

@test "an image of one layer is shown read-only where it says, and goes again" {
    load_tiny
    run coffer image mount tiny
    [ "$status" -eq 0 ]
    [ "$output" = "$MOUNTS/$HEX" ]
    run -0 cat "$output/etc/passwd"
    [[ $output == root:x:0:0:* ]]
    run touch "$MOUNTS/$HEX/new"
    [ "$status" -ne 0 ]
    awk -v path="$MOUNTS/$HEX" '$5 == path { print $6 }' /proc/self/mountinfo | grep -q 'ro,nosuid,nodev'
    run -0 coffer image unmount tiny
    [ "$output" = "$ID" ]
    nothing_left
}

@test "each mount counts, and the last unmount unmounts; --force does in any case" {
    load_tiny
    path=$(coffer image mount tiny)
    [ "$(coffer mount "$ID")" = "$path" ]
    [ "$(coffer image mount --format '{{.Count}}')" = 2 ]
    coffer image unmount tiny > /dev/null
    mounted "$path"
    coffer umount tiny > /dev/null
    nothing_left
    run coffer image umount tiny
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: unmount image tiny: it is not mounted" ]
    coffer image mount tiny > /dev/null
    coffer image mount tiny > /dev/null
    cd "$path"
    run coffer image unmount -f tiny
    cd /
    [ "$status" -eq 0 ]
    nothing_left
}

@test "what somebody uses is not unmounted" {
    load_tiny
    path=$(coffer image mount tiny)
    cd "$path/etc"
    run coffer image unmount tiny
    cd /
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: unmount image tiny: somebody uses files in $path; end what does, or use --force" ]
    coffer image unmount tiny
}

@test "the list, for people and programs" {
    load_tiny
    run -0 coffer image mount
    [ "$output" = "IMAGE ID   IMAGE   MOUNT POINT" ]
    coffer tag tiny other:2
    path=$(coffer image mount tiny)
    run -0 coffer image mount
    [[ ${lines[1]} == "${HEX:0:12}   other:2, tiny:latest   $path" ]]
    run -0 coffer image mount --no-trunc --format json
    [ "$(jq -r '.ID + " " + .Mountpoint + " " + .Count' <<< "$output")" = "$HEX $path 1" ]
    run -0 coffer image mount -q
    [ "$output" = "${HEX:0:12}" ]
}

@test "several images, all images, and what is wrong with the words" {
    load_tiny
    file=$(zeros base 1000)
    layout "$WORK/zero" 1 "$file"
    coffer load -q --name zero "oci:$WORK/zero"
    run coffer image mount tiny nosuch zero
    [ "$status" -eq 125 ]
    [[ ${lines[0]} == "tiny $MOUNTS/$HEX" ]]
    [[ ${lines[1]} == "zero $MOUNTS/"* ]]
    [[ ${lines[2]} == "coffer: image nosuch:latest is not in the store; "* ]]
    run -0 coffer image mount --all
    [ "${#lines[@]}" -eq 2 ]
    coffer image unmount --all > /dev/null
    [ "$(coffer image mount -q | wc -l)" -eq 2 ]
    run -0 coffer image unmount --all
    [ "${#lines[@]}" -eq 2 ]
    nothing_left
    run coffer image unmount
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: expected an IMAGE, or --all" ]
    run coffer image unmount --all tiny
    [ "$output" = "coffer: --all: expected no IMAGE beside it" ]
    run coffer image mount --all tiny
    [ "$output" = "coffer: --all: expected no IMAGE beside it" ]
}

@test "a mounted image stays: rmi says so, prunes pass over it, by force it loses its name only" {
    load_tiny
    path=$(coffer image mount tiny)
    run coffer rmi tiny
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: image tiny is mounted; unmount it first (coffer image unmount tiny)" ]
    coffer image prune --all > /dev/null
    coffer system prune --all --force > /dev/null
    [ "$(coffer system df --format json | jq -r 'select(.Type == "Images").Active')" = 1 ]
    run -0 coffer rmi -f tiny
    [[ $output == "Untagged: tiny:latest"* && $output != *Deleted* ]]
    run -0 coffer image mount
    [[ ${lines[1]} == "${HEX:0:12}   <none>"* ]]
    [ -x "$path/bin/busybox" ]
    coffer image unmount "$HEX" > /dev/null
    coffer rmi "$HEX" > /dev/null
    [ -z "$(ls "$(coffer_store)/layers")" ]
}

@test "an unmount by hand, a lost note and a killed mount repair themselves" {
    load_tiny
    path=$(coffer image mount tiny)
    coffer image mount tiny
    umount -l "$path"
    run -0 coffer image mount -q
    [ -z "$output" ]
    nothing_left
    # A note without a mount, and a directory without either: a mount that was killed before it was one.
    coffer image mount tiny > /dev/null
    note=$(cd "$MOUNTS" && ls -d "$HEX".*)
    coffer image unmount tiny > /dev/null
    mkdir "$MOUNTS/$HEX"
    echo 7 > "$MOUNTS/$note"
    echo 8 > "$MOUNTS/$note.new"
    coffer image mount tiny > /dev/null
    [ "$(coffer image mount --format '{{.Count}}')" = 1 ]
    # A mount without a note is mounted, and in use.
    rm "$MOUNTS/$note"
    run coffer rmi tiny
    [ "$status" -eq 125 ]
    coffer image unmount tiny > /dev/null
    nothing_left
}

@test "killed at any moment: the next ones find it in order" {
    load_tiny
    for i in $(seq 60); do
        "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" image mount tiny > /dev/null 2>&1 &
        sleep "0.00$((i % 10))"
        kill -9 $! 2> /dev/null || true
        wait $! 2> /dev/null || true
        if [ $((i % 3)) = 0 ]; then
            "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" image unmount -f tiny > /dev/null 2>&1 &
            sleep "0.00$((i / 3 % 5))"
            kill -9 $! 2> /dev/null || true
            wait $! 2> /dev/null || true
        fi
    done
    coffer image unmount -f tiny > /dev/null 2>&1 || true
    coffer image mount > /dev/null
    nothing_left
    coffer rmi tiny > /dev/null
}

@test "a mount of another mount namespace counts while that one lives" {
    load_tiny
    mkfifo "$WORK/go"
    unshare -m --propagation private sh -c '"$0" --root "$1" --store "$2" image mount tiny > /dev/null && echo > "$3" && read -r line < "$3"' \
        "$COFFER" "$(coffer_root)" "$(coffer_store)" "$WORK/go" &
    read -r _ < "$WORK/go"
    run coffer rmi tiny
    [ "$status" -eq 125 ]
    run coffer image unmount tiny
    [ "$output" = "coffer: unmount image tiny: it is mounted in another mount namespace, by \"coffer unshare\" perhaps: unmount it there" ]
    echo > "$WORK/go"
    wait
    coffer image mount > /dev/null
    nothing_left
    coffer rmi tiny > /dev/null
}

@test "as many layers as an image may have" {
    files=()
    for i in $(seq 120); do
        dir=$(new_layer "l$i")
        echo "$i" > "$dir/f$i"
        echo "$i" > "$dir/top"
        files+=("$(pack "l$i")")
    done
    layout "$WORK/many" 1 "${files[@]}"
    coffer load -q --name many "oci:$WORK/many"
    path=$(coffer image mount many)
    [ "$(cat "$path/top")" = 120 ]
    [ "$(cat "$path/f1")" = 1 ]
    [ "$(ls "$path" | wc -l)" -eq 121 ]
}

@test "a kernel before 6.7, without lowerdir+, shows the same" {
    needs strace
    load_tiny
    new=$(coffer image mount tiny)
    find "$new" | sort > "$WORK/new"
    coffer image unmount tiny
    # The call of mount(2) is a child's, which is not traced.
    export ASAN_OPTIONS=detect_leaks=0 # which is not possible under strace
    path=$(strace -o /dev/null -e inject=fsconfig:error=EINVAL "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" image mount tiny)
    [ "$path" = "$new" ]
    grep -F " $path " /proc/self/mountinfo | grep -q ',lowerdir=\| ro,lowerdir='
    find "$path" | sort | diff "$WORK/new" -
    run strace -o /dev/null -e inject=fsconfig:error=EINVAL "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --name old tiny cat /etc/hosts
    [ "$status" -eq 0 ]
    [[ $output == *localhost* ]]
    coffer rm old
}

@test "root is told that it needs no coffer unshare" {
    run coffer unshare true
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: root needs no user namespace to reach his images; call the command without "coffer unshare"' ]
}

# --- as an ordinary user ---

as_mine() {
    as_user env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME HOME="$HOME_DIR" PATH="$(dirname "$COFFER"):/usr/sbin:/usr/bin:/sbin:/bin" "$COFFER" --root "$HOME_DIR/run" \
        --store "$HOME_DIR/store" "$@"
}

user_setup() {
    needs setpriv newuidmap
    make_user
    as_user unshare --user true 2> /dev/null || skip "this host gives ordinary users no user namespaces"
    HOME_DIR=$BATS_TEST_TMPDIR/home
    mkdir "$HOME_DIR"
    chown "$TEST_UID" "$HOME_DIR"
    dir=$(new_layer tree)
    make_rootfs "$dir"
    chown 1000:1000 "$dir/home/user"
    cp /bin/true "$dir/bin/ping"
    setcap cap_net_raw+ep "$dir/bin/ping"
    ln "$dir/etc/group" "$dir/etc/same"
    truncate -s 4M "$dir/home/user/sparse"
    echo end >> "$dir/home/user/sparse"
    base=$(pack tree)
    dir=$(new_layer change)
    mkdir "$dir/home" "$dir/tmp"
    : > "$dir/home/.wh..wh..opq"
    : > "$dir/.wh.root"
    touch "$dir/home/other"
    layout "$WORK/image" 1 "$base" "$(pack change)"
    chmod -R a+rX "$WORK"
    as_mine load -q --name tiny "oci:$WORK/image" > /dev/null
}

@test "an ordinary user is told how, and sees the image as root of his own namespace" {
    user_setup
    for words in "image mount tiny" "mount" "image unmount tiny"; do
        run as_mine $words
        [ "$status" -eq 125 ]
        [ "$output" = "coffer: an ordinary user mounts images in a user namespace of his own; call \"coffer unshare\", and this command in its shell" ]
    done
    run -0 as_mine unshare sh -c 'id -u; path=$(coffer image mount tiny) && stat -c %u:%g "$path/etc" && ls -a "$path/home" && ls "$path" && getcap "$path/bin/ping" &&
        coffer image mount --format "{{.Repositories}}" && coffer image unmount tiny'
    [ "${lines[0]}" = 0 ]
    [ "${lines[1]}" = 0:0 ]
    [ "${lines[2]} ${lines[3]} ${lines[4]}" = ". .. other" ]
    [[ $output != *root$'\n'* ]]
    [[ $output == *"ping cap_net_raw=ep"* ]]
    [[ $output == *$'\n'tiny:latest$'\n'sha256:* ]]
}

@test "what an ordinary user sees is what podman shows him" {
    needs podman skopeo
    user_setup
    skopeo copy -q "oci:$WORK/image:1" "docker-archive:$WORK/image.tar:tiny:latest"
    chmod a+r "$WORK/image.tar"
    # shellcheck disable=SC2016 # the inner shells'
    as_user mkdir -m 0700 "$HOME_DIR/x"
    run as_user env -u XDG_DATA_HOME -u XDG_CONFIG_HOME XDG_RUNTIME_DIR="$HOME_DIR/x" HOME="$HOME_DIR" PATH="$(dirname "$COFFER"):/usr/sbin:/usr/bin:/sbin:/bin" \
        COFFER_ROOT="$HOME_DIR/run" COFFER_STORE="$HOME_DIR/store" COMPARE="$BATS_TEST_DIRNAME/../compare_trees.py" ARCHIVE="$WORK/image.tar" sh -c '
        cd && cp "$COMPARE" compare.py &&
        mine="--root $HOME/p --runroot $HOME/r --tmpdir $HOME/t --storage-driver vfs --cgroup-manager cgroupfs --events-backend file"
        podman $mine load -q -i "$ARCHIVE" > /dev/null
        podman $mine unshare sh -c "theirs=\$(podman $mine image mount tiny) && coffer unshare sh -c \"python3 compare.py --seconds \\\$(coffer image mount tiny) \$theirs\""'
    echo "$output"
    # podman sets no time of the root.
    [[ $(grep -v '^\.: time: ' <<< "$output") =~ ^[0-9]{2}' and '[0-9]{2}' names, '[01]' differences'$ ]]
}

@test "a user's mounted image stays while its coffer unshare lives, and goes with it" {
    user_setup
    mkfifo "$WORK/go"
    chmod 666 "$WORK/go"
    as_mine unshare sh -c 'coffer image mount tiny > /dev/null && echo > "$0" && read -r line < "$0"' "$WORK/go" &
    read -r _ < "$WORK/go"
    run as_mine rmi tiny
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: image tiny is mounted; unmount it first (coffer image unmount tiny)" ]
    # Another one has a view of its own of the same image.
    run -0 as_mine unshare sh -c 'coffer image mount -q; coffer image mount tiny && coffer image mount -q && coffer image unmount tiny'
    [ "${#lines[@]}" -eq 3 ]
    run as_mine rmi tiny
    [ "$status" -eq 125 ]
    echo > "$WORK/go"
    wait
    run -0 as_mine rmi tiny
    as_mine unshare "$COFFER" image mount > /dev/null
    run find "$HOME_DIR/run/images" -mindepth 1 -not -name .lock -not -name .empty -not -name '.namespace.*'
    [ -z "$output" ]
    [ "$(find "$HOME_DIR/run/images" -name '.namespace.*' | wc -l)" -le 1 ]
}

@test "in a user namespace that nobody holds nothing is mounted" {
    user_setup
    run as_user env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME HOME="$HOME_DIR" unshare -rm "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" \
        image mount tiny
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: nobody says how long mounts last in this user namespace; enter one by "coffer unshare"' ]
}

@test "coffer unshare gives the command's exit code, or says why there is none" {
    user_setup
    run -42 as_mine unshare sh -c 'exit 42'
    run -127 as_mine unshare no-such-command
    [ "$output" = "coffer: execute no-such-command: No such file or directory" ]
    run -126 as_mine unshare /etc
    run -0 as_mine unshare coffer images -q
    [ "${#lines[@]}" -eq 1 ]
    run -125 as_mine unshare coffer run --rm tiny true
    [[ $output == "coffer: run tiny: user id "*" does not exist in this user namespace, so the container can have no range of its own; run it outside of \"coffer unshare\", or use --userns host" ]]
    # What is made inside belongs to the same store.
    run -0 as_mine unshare coffer load -q --name second "oci:$WORK/image"
    run -0 as_mine run --rm second ls /home
    [ "$output" = other ]
}
