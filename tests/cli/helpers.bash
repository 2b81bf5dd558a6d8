# What bats files load. Each test has a root and a store of its own, in its own folder.
#
#   coffer ARGS...         the program, with --root and --store in the test's folder
#   oci ARGS...            the low level, the same way
#   make_rootfs DIR        a root file system of one static busybox
#   make_bundle DIR        an OCI bundle with it, without config.json
#   make_image [NAME]      an OCI layout with it, tagged NAME (tiny), made once for a file; prints its folder
#   needs_root, needs CMD...           skip the test where they are missing
#   make_user, as_user CMD...          an ordinary user with 65536 subordinate ids (TEST_USER, TEST_UID)
#   moments PROGRAM..., kill_at_a_moment PROGRAM...    how long it takes, and its end by a signal at any time of that
#   leak_snapshot, leak_check          what must be as before: mounts, cgroups, processes, run-time state

BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/$BUILD ;;
esac
export COFFER=${COFFER:-$BUILD/coffer} COFFER_OCI=${COFFER_OCI:-$BUILD/coffer-oci}
export NO_COLOR=1
# No test makes a bridge on this machine: what is about networks has a network namespace of its own.
export COFFER_NETWORK=none

coffer_root() {
    echo "$BATS_TEST_TMPDIR/run"
}

coffer_store() {
    echo "$BATS_TEST_TMPDIR/store"
}

coffer() {
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

oci() {
    "$COFFER_OCI" --root "$(coffer_root)/oci" "$@"
}

# The monitors of this test's containers, by their pids.
monitors() {
    local pid
    for pid in $(pgrep -x coffer-monitor); do
        grep -qzF -- "$BATS_TEST_TMPDIR/" "/proc/$pid/cmdline" 2> /dev/null && echo "$pid"
    done
    return 0
}

needs_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
}

needs() {
    local command
    for command in "$@"; do
        command -v "$command" > /dev/null || skip "needs $command"
    done
}

make_rootfs() {
    local dir=$1 name
    mkdir -p "$dir"/{bin,etc,proc,sys,dev,tmp,root,home/user}
    chmod 1777 "$dir/tmp"
    cp "$(command -v busybox)" "$dir/bin/busybox"
    for name in sh ls cat echo sleep true false id ps mount umount mkdir touch rm cp mv ln env hostname ip stat kill test printf dd \
        head tail grep sed awk wc tty stty readlink seq sync chmod chown df find trap timeout nproc tr sort cut date; do
        ln -sf busybox "$dir/bin/$name"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n' > "$dir/etc/passwd"
    printf 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\n' > "$dir/etc/group"
}

make_bundle() {
    make_rootfs "$1/rootfs"
}

make_image() {
    local name=${1:-tiny}
    local layout=$BATS_FILE_TMPDIR/image.$name bundle=$BATS_FILE_TMPDIR/unpacked.$name rootless=()
    if [ ! -d "$layout" ]; then
        [ "$(id -u)" -eq 0 ] || rootless=(--rootless)
        umoci --log error init --layout "$layout.new"
        umoci --log error new --image "$layout.new:$name"
        umoci --log error unpack "${rootless[@]}" --image "$layout.new:$name" "$bundle"
        make_rootfs "$bundle/rootfs"
        umoci --log error repack --image "$layout.new:$name" "$bundle"
        umoci --log error config --image "$layout.new:$name" --config.cmd /bin/sh --config.env PATH=/bin --config.workingdir /
        umoci --log error gc --layout "$layout.new"
        rm -rf "$bundle"
        mv "$layout.new" "$layout"
    fi
    echo "$layout"
}

# The user is made once and stays, as its ids do.
make_user() {
    TEST_USER=coffertest
    if ! id "$TEST_USER" > /dev/null 2>&1; then
        useradd --create-home --shell /bin/bash "$TEST_USER"
    fi
    # useradd hands out a range where login.defs asks it to.
    if ! grep -q "^$TEST_USER:" /etc/subuid; then
        usermod --add-subuids 2000000-2065535 --add-subgids 2000000-2065535 "$TEST_USER"
    fi
    TEST_UID=$(id -u "$TEST_USER")
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
    # A tree below a folder that only root may enter: the user gets a copy of the program.
    if ! as_user test -x "$COFFER"; then
        cp "$COFFER" "$BATS_FILE_TMPDIR/coffer"
        ln -sf coffer "$BATS_FILE_TMPDIR/coffer-oci"
        COFFER=$BATS_FILE_TMPDIR/coffer COFFER_OCI=$BATS_FILE_TMPDIR/coffer-oci
    fi
}

as_user() {
    setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- "$@"
}

# A home for the user's containers, HOME_DIR, with an image in its store as "tiny": make_image tiny, or LAYOUT TAG.
make_home() {
    local layout=${1:-$(make_image tiny)}
    needs_root # to become the user
    needs umoci busybox setpriv newuidmap
    make_user
    as_user unshare --user true 2> /dev/null || skip "this host gives ordinary users no user namespaces"
    HOME_DIR=$BATS_TEST_TMPDIR/home
    mkdir "$HOME_DIR"
    chown "$TEST_UID" "$HOME_DIR"
    chmod -R a+rX "$layout"
    mine load -q --name tiny "oci:$layout:${2:-tiny}" > /dev/null
}

# coffer as that user, with what is in HOME_DIR, and never for ever.
mine() {
    as_user env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME HOME="$HOME_DIR" timeout -k 2 "${COFFER_PATIENCE:-60}" \
        "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" "$@"
}

# For teardown: its containers go, and nothing of them is left.
leave_home() {
    local id left
    for id in $(mine ps -aq); do
        mine rm -f -v "$id" > /dev/null
    done
    for _ in $(seq 100); do
        left=$(find "$HOME_DIR"/{run/oci,store/containers,store/names,store/ids} -mindepth 1 -not -name .pending 2> /dev/null
            pgrep -u "$TEST_UID" -f "$HOME_DIR" || true)
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    echo "left behind: $left" | head -20
    return 1
}

# moments PROGRAM...: it ends by itself, and how long that took is what kill_at_a_moment chooses from: the same kills on a fast host and on
# one that is emulated.
moments() {
    local begin=${EPOCHREALTIME/./}
    "$@" > /dev/null 2>&1 3>&-
    MOMENTS_US=$((${EPOCHREALTIME/./} - begin))
}

# Of a program only: a function of ours in the background is a shell, which would be killed instead of what it has started.
kill_at_a_moment() {
    local never=$BATS_TEST_TMPDIR/never pid after_us=$((MOMENTS_US * RANDOM / 32768))
    [ -p "$never" ] || mkfifo "$never"
    "$@" > /dev/null 2>&1 3>&- &
    pid=$!
    # Sleeps without a process of its own.
    read -r -t "$(printf '%d.%06d' $((after_us / 1000000)) $((after_us % 1000000)))" <> "$never" || true
    kill -KILL "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true
}

# until_true COMMAND...: tries for twenty seconds.
until_true() {
    for _ in $(seq 400); do
        "$@" > /dev/null 2>&1 && return 0
        sleep 0.05
    done
    echo "never true: $*"
    return 1
}

# podman's conmon starts a clean-up in the background, which writes below FOLDER while bats removes it.
podman_is_gone() { # FOLDER
    until_true sh -c "! pgrep -f '^(/usr/bin/)?(podman|conmon) .*$1/' > /dev/null" || true
}

# What a container must not leave behind, one a line. Tests of other files run at the same time, so only what bears this test's folder
# counts; cgroups are told by the name of the test's containers (LEAK_NAME).
leak_state() {
    local file pid
    awk -v folder="$BATS_TEST_TMPDIR" 'index($0, folder) { print "mount " $5 }' /proc/self/mountinfo
    find /sys/fs/cgroup -type d -name "*${LEAK_NAME:-coffer}*" ! -name coffer-monitors ! -name coffer-containers -printf 'cgroup %p\n' 2> /dev/null || true
    while read -r file; do
        pid=${file#/proc/}
        pid=${pid%/cmdline}
        case $(readlink "/proc/$pid/exe" 2> /dev/null || true) in
        */coffer | *memfd*) echo "process $pid $(tr '\0' ' ' 2> /dev/null < "$file" || true)" ;;
        esac
    done < <(grep -slF "$BATS_TEST_TMPDIR" /proc/[0-9]*/cmdline || true)
    if [ -d "$(coffer_root)" ]; then
        find "$(coffer_root)" -mindepth 2 ! -name .next -printf 'state %p\n'
    fi
}

leak_snapshot() {
    leak_state | sort > "$BATS_FILE_TMPDIR/leak.$BATS_TEST_NUMBER"
}

# Init of a container that has just ended may need a moment to go: up to two seconds.
leak_check() {
    local left=""
    for _ in $(seq 20); do
        left=$(leak_state | sort | comm -13 "$BATS_FILE_TMPDIR/leak.$BATS_TEST_NUMBER" -)
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    echo "left behind:"
    echo "$left"
    return 1
}

# on_pty COMMAND: runs it on a terminal of its own. Its input does not end: at an end script(1) types one, which is shown or not, and may
# leave before the output has come.
on_pty() {
    local pty_input
    mkfifo "$BATS_TEST_TMPDIR/pty-input"
    exec {pty_input}<> "$BATS_TEST_TMPDIR/pty-input"
    run script --quiet --return --command "$1" /dev/null <&"$pty_input"
    exec {pty_input}>&-
    rm "$BATS_TEST_TMPDIR/pty-input"
}
