#!/usr/bin/env bats
# What this host is, and what works on it.

bats_require_minimum_version 1.5.0
load engine

@test "system info: what there is, by docker's names, and what works here" {
    coffer run -d --name up tiny sleep 100 > /dev/null
    coffer run --name ended tiny true
    coffer volume create data > /dev/null
    coffer system info --format json > "$BATS_TEST_TMPDIR/out"
    jq -e --arg kernel "$(uname -r)" --arg store "$(coffer_store)" --argjson cpus "$(nproc --all)" '.Containers == 2 and .ContainersRunning == 1
        and .ContainersStopped == 1 and .ContainersPaused == 0 and .Images == 1 and .Volumes == 1 and .Networks >= 2
        and .KernelVersion == $kernel and .StoreDir == $store and .NCPU >= 1 and .NCPU <= $cpus and .Rootless == false' "$BATS_TEST_TMPDIR/out"
    case $(stat -fc %T /sys/fs/cgroup) in
    cgroup2fs) version=2 ;;
    *) version=1 ;;
    esac
    jq -e --argjson version "$version" '.CgroupVersion == $version and (.Checks | map({(.Name): .Works}) | add | .["control groups"]
        and .["user namespaces"] and .["system call filters"])' "$BATS_TEST_TMPDIR/out"
    # What works needs no advice, and what does not has one.
    jq -e '.Checks | all(.Works == (.Advice == "") and .Detail != "")' "$BATS_TEST_TMPDIR/out"
    jq -e '(.Warnings | length) == ([.Checks[] | select((.Works | not) and .Wanted)] | length)' "$BATS_TEST_TMPDIR/out"
    [ "$(coffer info --format '{{.ContainersRunning}} {{.OSType}}')" = "1 linux" ]
    run -0 coffer info
    [[ $output == "Version: "*"Containers: 2 (running 1, paused 0, stopped 1)"*"Works here:"*" control groups: version $version"*"Does not work here:"* ]]
}

@test "system info: what is missing is told with what to do about it" {
    # A host without control groups, overlay and IPv6, as far as our eyes go.
    # shellcheck disable=SC2016
    run -0 unshare -m "$BASH" -c 'umount -l /sys/fs/cgroup && printf "nodev\tproc\n" > "$1/filesystems" && mount --bind "$1/filesystems" /proc/filesystems &&
        exec "$2" --root "$3" --store "$4" info' bash "$BATS_TEST_TMPDIR" "$COFFER" "$(coffer_root)" "$(coffer_store)"
    [[ $output == *"Does not work here:"*" control groups: none; mount cgroup2 on /sys/fs/cgroup"*" overlay file systems: not loaded; modprobe overlay"* ]]
}

@test "system info: an ordinary user is told of his own" {
    make_user
    mkdir "$BATS_TEST_TMPDIR/own"
    chown "$TEST_USER" "$BATS_TEST_TMPDIR/own"
    run -0 as_user "$COFFER" --root "$BATS_TEST_TMPDIR/own/run" --store "$BATS_TEST_TMPDIR/own/store" info --format json
    jq -e '.Rootless and (.Checks | map(.Name) | index("subordinate ids") and index("networks of an ordinary user"))' <<< "$output"
}
