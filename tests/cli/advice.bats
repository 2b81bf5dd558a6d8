#!/usr/bin/env bats
# What is said of a full file system, and of a home that may not be written to.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs_root # to mount, and to become the user
    needs setpriv
    mkdir "$BATS_TEST_TMPDIR/full" "$BATS_TEST_TMPDIR/tree"
    head -c 600000 /dev/urandom > "$BATS_TEST_TMPDIR/tree/large"
}

# coffer with a store and a run-time folder, where a file system of 300 kB and 200 files is mounted on full; all files are there with FULL.
small() { # STORE ROOT WORDS...
    # shellcheck disable=SC2016 # the inner shell's
    run unshare -m --propagation private sh -c 'cd "$1" && mount -t tmpfs -o size=300k,nr_inodes=200 tmpfs full
        [ -z "$FULL" ] || touch $(seq -f full/%g 200) 2> /dev/null
        program=$2 store=$3 root=$4; shift 4; "$program" --store "$store" --root "$root" "$@"' sh "$BATS_TEST_TMPDIR" "$COFFER" "$@"
}

@test "no room: whose file system, and what makes room" {
    cd "$BATS_TEST_TMPDIR"
    FULL='' small "$PWD/full/store" "$PWD/run" import tree tiny
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: tree: copy \"large\": write: No space left on device; the file system of $PWD/full/store, the store, is full: \"coffer system df\" says what takes room, \"coffer system prune\" removes what nobody uses" ]
    FULL=yes small "$PWD/store" "$PWD/full/run" ps
    [ "$status" -eq 125 ]
    [[ $output == "coffer: "*": No space left on device; the file system of $PWD/full/run, where what runs is noted, is full" ]]
}

@test "nothing is said of room where there is some" {
    run "$BASH" -c '"$1" --store "$2/store" --root "$2/run" ps > /dev/full' bash "$COFFER" "$BATS_TEST_TMPDIR"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: "*": No space left on device" ]]
}

@test "a home that may not be written to: where the store would be, and what to set" {
    make_user
    cd "$BATS_TEST_TMPDIR"
    mkdir -m 755 home
    for home in "$PWD/home" /nonexistent; do
        run as_user env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME -u COFFER_STORE HOME="$home" "$COFFER" --root "$PWD/run" ps
        [ "$status" -eq 125 ]
        [[ $output == "coffer: make directory $home"*": Permission denied; the store would be $home/.local/share/coffer: make that writable, set HOME or XDG_DATA_HOME, or give --store" ]]
    done
    mkdir store
    chown "$TEST_UID" store
    run as_user env -u XDG_RUNTIME_DIR HOME=/ "$COFFER" --store "$PWD/store" --root "$PWD/home/run" ps
    [ "$status" -eq 125 ]
    [[ $output == "coffer: make directory $PWD/home/run: Permission denied; what runs would be $PWD/home/run: make that writable, set XDG_RUNTIME_DIR, or give --root" ]]
}
