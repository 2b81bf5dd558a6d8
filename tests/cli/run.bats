#!/usr/bin/env bats
# Containers of images from the command line, as their users meet them: root's.

bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs_root
    needs umoci busybox
    export LEAK_NAME=none # ids are random: nothing_left looks at the cgroups of all
    coffer load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    coffer run --rm tiny true # the first one makes the folders
    leak_snapshot
}

teardown() {
    coffer ps -aq | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f
    leak_check
}

# No container, name, range of ids, run-time state or cgroup. Tests of other files run at the same time: their groups go by themselves.
# Groups of containers that have ended. Those of containers that run may be another test's.
empty_cgroups() {
    local group
    find /sys/fs/cgroup -type d -regextype egrep -regex '.*/coffer-[0-9a-f]{64}' 2> /dev/null | while read -r group; do
        [ -n "$(cat "$group/cgroup.procs" 2> /dev/null || echo gone)" ] || echo "$group"
    done
}

nothing_left() {
    local left
    for _ in $(seq 100); do
        left=$(find "$(coffer_store)"/{containers,names,ids} "$(coffer_root)/oci" -mindepth 1 -not -name .pending
            empty_cgroups
            monitors)
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    echo "$left"
    return 1
}

run_tiny() {
    coffer run --rm "$@"
}

@test "the exit code is the command's, or says why there is none" {
    run run_tiny tiny sh -c 'exit 42'
    [ "$status" -eq 42 ]
    run -127 run_tiny tiny no-such-command
    [ "$output" = 'coffer: run tiny: command "no-such-command": executable file not found in $PATH of the container' ]
    run run_tiny tiny /etc
    [ "$status" -eq 126 ]
    [ "$output" = 'coffer: run tiny: command "/etc" is a directory: permission denied' ]
    run run_tiny tiny /etc/passwd
    [ "$status" -eq 126 ]
    run run_tiny --init tiny sh -c 'kill -TERM $$'
    [ "$status" -eq 143 ]
    run run_tiny --no-such-flag tiny
    [ "$status" -eq 125 ]
    run run_tiny --pull never missing
    [ "$status" -eq 125 ]
    [[ $output == "coffer: image missing:latest is not in the store"* ]]
    run -127 run_tiny tiny ""
}

@test "root inside is nobody outside, and each container has user ids of its own" {
    coffer run --name one tiny cat /proc/self/uid_map > "$BATS_TEST_TMPDIR/one"
    coffer run --name two tiny cat /proc/self/uid_map > "$BATS_TEST_TMPDIR/two"
    read -r inside first_one count < "$BATS_TEST_TMPDIR/one"
    read -r _ first_two _ < "$BATS_TEST_TMPDIR/two"
    [ "$inside" = 0 ]
    [ "$count" = 65536 ]
    [ "$first_one" -ge 1879048192 ]
    [ "$first_one" != "$first_two" ]
    [ "$(find "$(coffer_store)/ids" -type l | wc -l)" = 2 ]
    coffer rm one two
    nothing_left
}

@test "--userns host maps nothing, and says what else there is" {
    run run_tiny --userns host tiny cat /proc/self/uid_map
    [[ $output == *"0          0 4294967295"* ]]
    run run_tiny --userns mine tiny true
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: run tiny: --userns: expected auto, container:NAME or host, found "mine"' ]
}

@test "all namespaces are new, but for the network when told" {
    local name
    for name in pid mnt ipc uts net cgroup user; do
        [ "$(run_tiny tiny readlink "/proc/self/ns/$name")" != "$(readlink "/proc/self/ns/$name")" ]
    done
    [ "$(run_tiny --network host tiny readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ]
    [ "$(run_tiny tiny sh -c 'ls /sys/class/net')" = lo ]
    run -125 run_tiny --network nope tiny true
    [ "$output" = 'coffer: run tiny: no network is named "nope"; coffer network ls lists them' ]
}

@test "what the container may do is docker's default, without what is inherited" {
    run run_tiny tiny grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status
    [[ $output == *"CapInh:	0000000000000000"* ]]
    [[ $output == *"CapEff:	00000000a80425fb"* ]]
    [[ $output == *"CapBnd:	00000000a80425fb"* ]]
    [[ $output == *"CapAmb:	0000000000000000"* ]]
    [[ $output == *"Seccomp:	2"* ]]
    run run_tiny --cap-drop ALL --cap-add net_admin --security-opt no-new-privileges tiny grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
    [[ $output == *"CapEff:	0000000000001000"* ]]
    [[ $output == *"NoNewPrivs:	1"* ]]
    run run_tiny --cap-add FLY tiny true
    [ "$status" -eq 125 ]
    [[ $output == *'--cap-add: unknown capability "FLY"'* ]]
    run run_tiny --security-opt seccomp=unconfined tiny grep Seccomp: /proc/self/status
    [[ $output == *"0"* ]]
    run run_tiny tiny busybox unshare -U true
    [ "$status" -eq 1 ]
    [[ $output == *"Operation not permitted"* ]]
}

@test "a seccomp profile of docker's format is taken, and a wrong one refused by name" {
    echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' \
        > "$BATS_TEST_TMPDIR/profile.json"
    run run_tiny --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" tiny mkdir /x
    [ "$status" -eq 1 ]
    [[ $output == *"Operation not permitted"* ]]
    echo '{"defaultAction":"SCMP_ACT_SOMETIMES"}' > "$BATS_TEST_TMPDIR/profile.json"
    run run_tiny --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" tiny true
    [ "$status" -eq 125 ]
    [[ $output == *"defaultAction"* ]]
}

@test "environment: image, options, files, the caller's" {
    printf '# comment\nFILE=from file\nBOTH=file\n\n' > "$BATS_TEST_TMPDIR/env"
    export CALLER=mine
    run run_tiny --env-file "$BATS_TEST_TMPDIR/env" -e BOTH=option -e CALLER -e UNSET_HERE -e EMPTY= tiny env
    [[ $output == *"FILE=from file"* ]]
    [[ $output == *"BOTH=option"* ]]
    [[ $output == *"CALLER=mine"* ]]
    [[ $output == *"EMPTY="* ]]
    [[ $output != *"UNSET_HERE"* ]]
    [[ $output == *"PATH=/bin"* ]]
    [[ $output == *"HOME=/root"* ]]
    printf 'TWO WORDS=x\n' > "$BATS_TEST_TMPDIR/env"
    run run_tiny --env-file "$BATS_TEST_TMPDIR/env" tiny true
    [ "$status" -eq 125 ]
    [[ $output == *"env: line 1: expected NAME=VALUE or NAME" ]]
    [ "$(run_tiny tiny cat /proc/1/environ | tr '\0' '\n' | grep -c CALLER)" = 0 ]
}

@test "user, groups and working directory" {
    [ "$(run_tiny -u user tiny id -u)" = 1000 ]
    [[ $(run_tiny -u user tiny id -G) == *2000* ]]
    [ "$(run_tiny -u 12:34 tiny sh -c 'id -u; id -g' | tr '\n' ' ')" = "12 34 " ]
    # shellcheck disable=SC2016 # for the shell inside
    [ "$(run_tiny -u user tiny sh -c 'echo $HOME')" = /home/user ]
    [ "$(run_tiny -w /made/here tiny sh -c pwd)" = /made/here ]
    run run_tiny -u nobody-here tiny true
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: run tiny: user \"nobody-here\" is not in the container's /etc/passwd" ]
    run run_tiny -w relative tiny true
    [ "$status" -eq 125 ]
    # 1000x is a name, not 1000 (CVE-2026-30892)
    run run_tiny -u 1000x tiny true
    [ "$status" -eq 125 ]
}

@test "entrypoint: replaced, dropped, and the image's command with it" {
    [ "$(run_tiny --entrypoint echo tiny a b)" = "a b" ]
    [ "$(run_tiny --entrypoint '' tiny echo c)" = "c" ]
    run run_tiny --entrypoint '' tiny
    [ "$status" -eq 125 ]
    [[ $output == *"names no command; give one behind the image" ]]
}

@test "hosts, hostname and resolv.conf" {
    [ "$(run_tiny --hostname box tiny hostname)" = box ]
    [ "$(run_tiny --hostname box tiny cat /etc/hostname)" = box ]
    run run_tiny --hostname box tiny cat /etc/hosts
    [[ $output == *"127.0.0.1	localhost"* ]]
    [[ $output == *"box"* ]]
    [ "$(run_tiny tiny stat -c %u:%g /etc/hosts)" = 0:0 ]
    run_tiny tiny sh -c 'echo 10.0.0.1 added >> /etc/hosts'
    [ "$(run_tiny --network host tiny cat /etc/resolv.conf)" = "$(cat /etc/resolv.conf)" ]
}

@test "volumes keep the owners they have outside" {
    mkdir "$BATS_TEST_TMPDIR/v"
    echo root > "$BATS_TEST_TMPDIR/v/root" && echo user > "$BATS_TEST_TMPDIR/v/user"
    chown 1000:1000 "$BATS_TEST_TMPDIR/v/user"
    [ "$(run_tiny -v "$BATS_TEST_TMPDIR/v:/v" tiny stat -c %u /v/root)" = 0 ]
    [ "$(run_tiny -v "$BATS_TEST_TMPDIR/v:/v" tiny stat -c %u /v/user)" = 1000 ]
    run_tiny -u user --mount "type=bind,src=$BATS_TEST_TMPDIR/v,dst=/v" tiny sh -c 'echo more >> /v/user'
    run_tiny -v "$BATS_TEST_TMPDIR/v:/v" tiny touch /v/new
    [ "$(stat -c %u "$BATS_TEST_TMPDIR/v/new")" = 0 ]
    run run_tiny -v "$BATS_TEST_TMPDIR/v:/v:ro" tiny touch /v/x
    [ "$status" -eq 1 ]
    [[ $output == *"Read-only file system"* ]]
    run run_tiny --mount "type=bind,src=$BATS_TEST_TMPDIR/none,dst=/v" tiny true
    [ "$status" -eq 125 ]
    run_tiny -v "$BATS_TEST_TMPDIR/made:/v" tiny true
    [ -d "$BATS_TEST_TMPDIR/made" ]
}

@test "tmpfs, read-only root, shm" {
    run run_tiny --read-only --tmpfs /tmp:size=1m tiny sh -c 'touch /tmp/x && mount | grep " /tmp " && touch /x'
    [ "$status" -eq 1 ]
    [[ $output == *"size=1024k"* ]]
    [[ $output == *"/x: Read-only file system"* ]]
    run run_tiny --shm-size 8m tiny df -k /dev/shm
    [[ $output == *8192* ]]
}

@test "limits hold" {
    run run_tiny --memory 64m --memory-swap 64m --cpus 0.5 --pids-limit 20 tiny sh -c \
        'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max 2> /dev/null ||
         cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/pids/pids.max'
    [ "${lines[0]}" = 67108864 ]
    [[ ${lines[1]} == 50000* ]]
    [ "${lines[2]}" = 20 ]
    run run_tiny --memory 32m --memory-swap 32m tiny sh -c 'tail /dev/zero; echo "tail: $?"'
    [[ $output == *"tail: 137"* ]]
    run run_tiny --pids-limit 5 tiny sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'
    [[ $output == *"can't fork"* ]]
    run run_tiny --memory 1m tiny true
    [ "$status" -eq 125 ]
    [[ $output == *"--memory: expected at least 6m"* ]]
}

@test "standard input: closed, kept, and through a pipe" {
    [ -z "$(echo no | run_tiny tiny cat)" ]
    [ "$(echo yes | run_tiny -i tiny cat)" = yes ]
    [ "$(seq 50000 | run_tiny -i tiny sh -c 'cat | wc -l')" = 50000 ]
    run run_tiny tiny sh -c 'echo out; echo err >&2'
    [ "$output" = $'out\nerr' ]
}

@test "a terminal of the container's own, or none of the user's" {
    on_pty "$COFFER --root $(coffer_root) --store $(coffer_store) run --rm -it tiny sh -c 'tty; test -t 0 && test -t 1; exit \$?'"
    [ "$status" -eq 0 ]
    [[ $output == *"/dev/pts/0"* ]]
    on_pty "$COFFER --root $(coffer_root) --store $(coffer_store) run --rm tiny sh -c 'test -t 1 || echo none; exit 7'"
    [ "$status" -eq 7 ]
    [[ $output == *none* ]]
    on_pty "stty rows 33 cols 77; $COFFER --root $(coffer_root) --store $(coffer_store) run --rm -it tiny sh -c 'sleep 0.2; stty size'"
    [[ $output == *"33 77"* ]]
}

@test "--init reaps, and passes signals on" {
    run run_tiny --init tiny sh -c 'ps | grep -c coffer-init; exit 3'
    [ "$status" -eq 3 ]
    coffer run --rm --init tiny sleep 100 &
    local pid=$!
    for _ in $(seq 50); do
        coffer ps -q | grep -q . && break
        sleep 0.1
    done
    sleep 0.3
    kill -TERM "$pid"
    local code=0
    wait "$pid" || code=$?
    [ "$code" -eq 143 ]
}

@test "names: taken, made up, found by a part of the id, and free again" {
    coffer run --name box tiny true
    run coffer run --name box tiny true
    [ "$status" -eq 125 ]
    [[ $output == *'the name "box" is taken by container '* ]]
    run coffer run --name 'bad/name' tiny true
    [ "$status" -eq 125 ]
    [[ $output == *'container name "bad/name": expected'* ]]
    local id
    id=$(coffer ps -aq)
    [ "${#id}" -eq 12 ]
    run coffer ps -a --format '{{.Names}} {{.Status}}'
    [[ $output == "box Exited (0)"* ]]
    coffer rm "${id:0:6}"
    coffer run --rm --name box tiny true
    run coffer rm box
    [ "$status" -eq 125 ]
    [[ $output == *'no container is named "box"'* ]]
}

@test "a running container is not removed but by force" {
    coffer run --name box tiny sleep 100 &
    local pid=$!
    for _ in $(seq 50); do
        [ "$(coffer ps --format '{{.State}}')" = running ] && break
        sleep 0.1
    done
    run coffer rm box
    [ "$status" -eq 125 ]
    [[ $output == *"is running"* ]]
    coffer rm -f box
    wait "$pid" || true
    [ -z "$(coffer ps -aq)" ]
}

@test "an image in use is not taken away below its container" {
    coffer run --rm tiny sleep 2 &
    local pid=$!
    for _ in $(seq 50); do
        coffer ps -q | grep -q . && break
        sleep 0.1
    done
    run coffer rmi tiny
    [ "$status" -eq 125 ]
    wait "$pid"
    coffer rmi tiny
}

@test "200 runs, then 8 at a time: nothing is left" {
    for _ in $(seq 200); do
        run_tiny tiny true
    done
    for _ in $(seq 10); do
        local pids=()
        for _ in $(seq 8); do
            run_tiny tiny true &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do
            wait "$pid"
        done
    done
    nothing_left
}

@test "kill -9 at 100 random moments: the next command puts all in order" {
    run_tiny tiny true
    for _ in $(seq 100); do
        timeout -s KILL "0.$(printf %05d $((RANDOM % 1500)))" "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" \
            run --rm tiny sh -c 'sleep 0.005' > /dev/null 2>&1 || true
    done
    coffer images > /dev/null
    run_tiny tiny true
    nothing_left
}
