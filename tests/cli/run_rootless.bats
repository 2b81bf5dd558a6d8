#!/usr/bin/env bats
# Containers of images as an ordinary user has them: with a range of subordinate ids, and with none.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_home
    : > "$BATS_TEST_TMPDIR/nothing"
}

teardown() {
    leave_home
}

# The same where the user has no subordinate ids: nothing is changed but what this process sees of the files.
without_ranges() {
    # shellcheck disable=SC2016 # the inner shell's
    NOTHING=$BATS_TEST_TMPDIR/nothing unshare -m --propagation private sh -c 'mount --bind "$NOTHING" /etc/subuid &&
        mount --bind "$NOTHING" /etc/subgid && exec "$@"' sh setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- \
        env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME HOME="$HOME_DIR" "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store.one" "$@"
}

run_mine() {
    run mine run --rm "$@"
}

# Nothing of containers in the folders, no process that once was one.
nothing_left() {
    local left
    for _ in $(seq 100); do
        left=$(find "$HOME_DIR"/{run/oci,store/containers,store/names,store/ids,store.one/containers,store.one/names} -mindepth 1 -not -name .pending 2> /dev/null
            pgrep -u "$TEST_UID" -f "$HOME_DIR" || true)
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    echo "left behind: $left" | head -20
    return 1
}

@test "rootless: root inside is the user outside, the other ids are subordinate ones" {
    run_mine tiny sh -c 'id -u; tr -s " " < /proc/self/uid_map'
    [ "${lines[0]}" = 0 ]
    [ "${lines[1]}" = " 0 $TEST_UID 1" ]
    [ "${lines[2]% *}" = " 1 $(awk -F: -v user="$TEST_USER" '$1 == user { print $2; exit }' /etc/subuid)" ]
    nothing_left
}

@test "rootless: a volume keeps its owners" {
    mkdir "$HOME_DIR/volume"
    chown "$TEST_UID" "$HOME_DIR/volume"
    chmod 777 "$HOME_DIR/volume"
    run_mine -v "$HOME_DIR/volume:/v" tiny sh -c 'touch /v/root; stat -c %u /v'
    [ "$output" = 0 ]
    [ "$(stat -c %u "$HOME_DIR/volume/root")" = "$TEST_UID" ]
    run_mine -u 1000 -v "$HOME_DIR/volume:/v" tiny touch /v/other
    [ "$(stat -c %u "$HOME_DIR/volume/other")" = "$(awk -F: -v user="$TEST_USER" '$1 == user { print $2 + 999; exit }' /etc/subuid)" ]
}

@test "rootless: the host's root is out of reach" {
    echo secret > "$BATS_TEST_TMPDIR/secret"
    chmod 600 "$BATS_TEST_TMPDIR/secret"
    run_mine -v "$BATS_TEST_TMPDIR/secret:/secret" tiny sh -c 'cat /secret; echo x > /secret; chown 0 /secret'
    [ "$status" -ne 0 ]
    [[ "$output" != secret* ]]
    [ "$(< "$BATS_TEST_TMPDIR/secret")" = secret ]
    run_mine --cap-add ALL tiny sh -c 'echo x > /proc/sys/kernel/core_pattern; mknod /x c 1 1; mount -t ext4 /dev/vda /mnt'
    [ "$status" -ne 0 ]
    [[ "$output" == *"Operation not permitted"* ]]
}

@test "rootless: the walls are those of root's containers" {
    run_mine tiny grep -E '^(CapEff|CapBnd|CapInh|CapAmb|Seccomp):' /proc/self/status
    [ "$output" = $'CapInh:\t0000000000000000\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nSeccomp:\t2' ]
    run_mine tiny sh -c 'for t in pid net ipc uts mnt cgroup user; do readlink /proc/self/ns/$t; done'
    for type in pid net ipc uts mnt cgroup user; do
        [[ "$output" != *"$(readlink "/proc/self/ns/$type")"* ]]
    done
    run_mine tiny sh -c 'touch /sys/x; echo 1 > /proc/sys/net/ipv4/ip_forward; mkdir /sys/fs/cgroup/x'
    [ "$(grep -c 'Read-only file system' <<< "$output")" -eq 3 ]
    run_mine tiny sh -c 'stat -c %t:%T /proc/keys; wc -c < /proc/keys'
    [ "$output" = $'1:3\n0' ]
}

@test "rootless: exit codes, input, a terminal" {
    run_mine tiny sh -c 'exit 42'
    [ "$status" -eq 42 ]
    run -127 mine run --rm tiny nowhere
    run -126 mine run --rm tiny /etc/passwd
    [ "$(echo typed | mine run --rm -i tiny cat)" = typed ]
    run timeout -k 1 20 script --quiet --return --command "setpriv --reuid $TEST_UID --regid $TEST_UID --clear-groups env HOME=$HOME_DIR $COFFER \
        --root $HOME_DIR/run --store $HOME_DIR/store run --rm -t tiny sh -c 'tty; test -t 0 && exit 7'" /dev/null
    [ "$status" -eq 7 ]
    [[ "$output" == */dev/pts/0* ]]
    nothing_left
}

@test "rootless: limits without a delegated cgroup are refused with the fix named" {
    run_mine --memory 64m tiny true
    [ "$status" -eq 0 ] || {
        [ "$status" -eq 125 ]
        [[ "$output" == *"delegated"*"systemd-run --user --scope -p Delegate=yes"* ]]
    }
    nothing_left
}

@test "rootless: without subordinate ids there is one id, and said so where more are asked for" {
    without_ranges load -q --name tiny "oci:$(make_image tiny):tiny"
    run without_ranges run --rm tiny sh -c 'id -u; tr -s " " < /proc/self/uid_map; touch /x; stat -c %u /x'
    [ "$output" = "0"$'\n'" 0 $TEST_UID 1"$'\n'"0" ]
    run without_ranges run --rm -u 1000 tiny true
    [ "$status" -eq 125 ]
    [[ "$output" == *"1000"*"mapped"* ]]
    mkdir "$HOME_DIR/volume"
    chown "$TEST_UID" "$HOME_DIR/volume"
    without_ranges run --rm -v "$HOME_DIR/volume:/v" tiny touch /v/mine
    [ "$(stat -c %u "$HOME_DIR/volume/mine")" = "$TEST_UID" ]
    nothing_left
}

@test "rootless: the network is none or the host's" {
    run_mine tiny sh -c 'ip -o link | wc -l; ip -o addr show lo'
    [[ "$output" == *127.0.0.1* ]]
    run_mine --network host tiny readlink /proc/self/ns/net
    [ "$output" = "$(readlink /proc/self/ns/net)" ]
}

@test "rootless: nobody else can look into the store" {
    [ "$(stat -c %a "$HOME_DIR/store")" = 700 ]
    [ "$(stat -c %u "$HOME_DIR/store" "$HOME_DIR/run" | sort -u)" = "$TEST_UID" ]
}

@test "rootless: root does not take what a user made" {
    # Who runs it as root on a user's folders would let the user choose what root runs.
    run "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" run --rm tiny true
    [ "$status" -eq 125 ]
}

@test "rootless: 50 runs, then 8 at a time, leave nothing" {
    for _ in $(seq 50); do
        mine run --rm tiny true
    done
    nothing_left
    # shellcheck disable=SC2016 # the inner shell's
    as_user env HOME="$HOME_DIR" sh -c 'seq 50 | xargs -P 8 -I{} "$0" --root "$HOME/run" --store "$HOME/store" run --rm tiny true' "$COFFER" 3>&-
    nothing_left
}

@test "rootless: killed at 50 random moments, the next command puts all in order" {
    mkfifo "$BATS_TEST_TMPDIR/never"
    exec {NEVER}<> "$BATS_TEST_TMPDIR/never"
    for ((i = 0; i < 50; i++)); do
        # Not through the function: the job is to be the program itself.
        setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- env HOME="$HOME_DIR" "$COFFER" \
            --root "$HOME_DIR/run" --store "$HOME_DIR/store" run --rm tiny sleep 60 > /dev/null 2>&1 < /dev/null 3>&- &
        job=$!
        read -r -t "0.0$((RANDOM % 90 + 10))" -u "$NEVER" || true
        kill -9 "$job"
        # The container goes on without the command, and without its monitor.
        ((i % 2 == 0)) || monitors | xargs -r kill -9 2> /dev/null || true
        wait "$job" 2> /dev/null || true
        mine run --rm tiny true
    done
    exec {NEVER}>&-
    mine ps -aq | xargs -r "$(command -v setpriv)" --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- env HOME="$HOME_DIR" "$COFFER" \
        --root "$HOME_DIR/run" --store "$HOME_DIR/store" rm -f > /dev/null || true # some have ended meanwhile, and are gone by themselves
    mine images > /dev/null
    nothing_left
}

@test "rootless: the low level runs a bundle of its own configuration" {
    make_bundle "$HOME_DIR/bundle"
    as_user "$COFFER_OCI" spec --rootless --bundle "$HOME_DIR/bundle" 2> /dev/null || {
        chown "$TEST_UID" "$HOME_DIR/bundle"
        as_user "$COFFER_OCI" spec --rootless --bundle "$HOME_DIR/bundle"
    }
    config=$(jq '.process.terminal = false | .process.args = ["sh", "-c", "id -u; exit 3"]' "$HOME_DIR/bundle/config.json")
    echo "$config" > "$HOME_DIR/bundle/config.json"
    run as_user env HOME="$HOME_DIR" "$COFFER_OCI" --root "$HOME_DIR/run/oci" run --bundle "$HOME_DIR/bundle" low
    [ "$output" = 0 ]
    [ "$status" -eq 3 ]
    as_user "$COFFER_OCI" --root "$HOME_DIR/run/oci" create --bundle "$HOME_DIR/bundle" low > /dev/null 2>&1 3>&-
    as_user "$COFFER_OCI" --root "$HOME_DIR/run/oci" start low
    as_user "$COFFER_OCI" --root "$HOME_DIR/run/oci" delete --force low
    nothing_left
}

@test "an ended container keeps what it wrote and its record, and nothing else" {
    mine run --name writer tiny sh -c 'echo kept > /root/file; chown 5:6 /root/file; rm /bin/tail; rm -r /home/user; cat /etc/hostname'
    folder=$(echo "$HOME_DIR"/store/containers/*)
    [ "$(ls "$folder" | tr '\n' ' ')" = "ctr.log record.json upper " ]
    [ "$(cat "$folder/upper/root/file")" = kept ]
    [ -z "$(find "$HOME_DIR/run/containers" -mindepth 2 -not -name '.*')" ]
    mine rm writer
    nothing_left
}

@test "an imported directory has a tar, with a range of ids and with one id" {
    needs skopeo
    dir=$HOME_DIR/tree
    as_user mkdir -p "$dir/etc" "$dir/closed"
    as_user sh -c "echo hello > '$dir/etc/motd'; chmod 640 '$dir/etc/motd'; ln '$dir/etc/motd' '$dir/motd'; chmod 0 '$dir/closed'"
    for how in mine without_ranges; do
        run $how import "$dir" imported:1
        [ "$status" -eq 0 ]
        id=${lines[-1]}
        run $how system check
        [ "$status" -eq 0 ]
        [[ "$output" == *": all is well" ]]
        run $how save -q -o "$HOME_DIR/$how.tar" imported:1
        [ "$status" -eq 0 ]
        [ "sha256:$(skopeo inspect --config --raw "docker-archive:$HOME_DIR/$how.tar" | sha256sum | cut -d' ' -f1)" = "$id" ]
        tar -xOf "$HOME_DIR/$how.tar" --wildcards '*.tar' | tar -tv --numeric-owner > "$BATS_TEST_TMPDIR/$how"
        [ "$(grep -c ' 0/0 ' "$BATS_TEST_TMPDIR/$how")" -eq 5 ] # owners as they are inside
    done
    cmp "$BATS_TEST_TMPDIR/mine" "$BATS_TEST_TMPDIR/without_ranges"
}
