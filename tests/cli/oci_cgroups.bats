#!/usr/bin/env bats
# The low level: where a container's cgroup is, what its limits become, who may change it, and how small they can be.
bats_require_minimum_version 1.5.0
load helpers
load bundle

USERNS='.linux.namespaces += [{"type": "user"}]
    | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
WRITABLE='.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)'

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "60"]'
    V2=false
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || V2=true
    EXTRA=coffer-extra-$ID
}

teardown() {
    bundle_teardown
    find /sys/fs/cgroup -depth -type d -path "*/$EXTRA*" -exec rmdir {} + 2> /dev/null || true
}

needs_v2() {
    $V2 || skip "this host's cgroups are of version 1"
}

needs_v1() {
    ! $V2 || skip "this host's cgroups are of version 2"
}

needs_controller() {
    if $V2; then
        grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || skip "this host's cgroups have no controller $1"
    else
        [ -d "/sys/fs/cgroup/$1" ] || skip "this host's cgroups have no controller $1"
    fi
}

group() {
    if $V2; then
        echo "/sys/fs/cgroup/coffer-$ID"
    else
        echo "/sys/fs/cgroup/$1/coffer-$ID"
    fi
}

# sets RESOURCES FILE VALUE...: what stands in files of the new container's group, version 2
sets() {
    configure ".linux.resources = $1"
    shift
    oci run --detach "$ID" 3>&-
    while [ $# -gt 0 ]; do
        [ "$(cat "$(group)/$1")" = "$2" ] || { echo "$1: expected $2, found $(cat "$(group)/$1")"; return 1; }
        shift 2
    done
    oci delete --force "$ID"
}

# --- small limits ---

@test "a memory limit of 1 MiB is enough to start: what the runtime needs is not charged to it" {
    needs_controller memory
    run_script 'echo it runs' '.linux.resources.memory = {"limit": 1048576}'
    [ "$status" -eq 0 ]
    [ "$output" = "it runs" ]
    configure '.process.args = ["sleep", "60"] | .process.terminal = false'
    oci create "$ID" 3>&-
    oci start "$ID"
    has_status running
    oci delete --force "$ID"
    configure "$USERNS"
    run_script 'echo it runs'
    [ "$output" = "it runs" ]
}

@test "a memory limit that is too small says so, whoever starts the container" {
    needs_controller memory
    configure '.linux.resources.memory = {"limit": 8192}'
    run oci run "$ID"
    fails_with "run container \"$ID\": memory limit of 8192 bytes is too small: container init was OOM-killed"
    nothing_left
    run oci run --detach "$ID" 3>&-
    [ "$status" -eq 1 ]
    [[ "$output" == *"memory limit of 8192 bytes is too small: container init was OOM-killed" ]]
    nothing_left
    if oci create "$ID" 2> said 3>&-; then
        run oci start "$ID"
        fails_with "start container \"$ID\": memory limit of 8192 bytes is too small: container init was OOM-killed"
        oci delete --force "$ID"
    else
        [ "$(cat said)" = "coffer: create container \"$ID\": memory limit of 8192 bytes is too small: container init was OOM-killed" ]
    fi
    nothing_left
}

@test "a command that is killed for its memory is not taken for init" {
    needs_controller memory
    configure '.linux.resources.memory = {"limit": 4194304} | .process.args = ["tail", "-c", "99999999", "/dev/zero"]'
    run oci run "$ID"
    [ "$status" -eq 137 ]
    [ "$output" = "" ]
}

@test "one process is enough" {
    needs_controller pids
    configure '.linux.resources.pids = {"limit": 1} | .process.args = ["echo", "alone"]'
    run oci run "$ID"
    [ "$output" = alone ]
    configure '.process.args = ["sleep", "60"]'
    oci create "$ID" 3>&-
    oci start "$ID"
    has_status running
}

# --- places ---

@test "a relative path is one place, wherever the caller is" {
    configure ".linux.cgroupsPath = \"$EXTRA/a\""
    for hierarchy in /sys/fs/cgroup/*/; do
        $V2 || mkdir "$hierarchy$EXTRA.caller"
    done
    ! $V2 || mkdir "/sys/fs/cgroup/$EXTRA.caller"
    (
        for procs in /sys/fs/cgroup/"$EXTRA.caller"/cgroup.procs /sys/fs/cgroup/*/"$EXTRA.caller"/cgroup.procs; do
            [ ! -e "$procs" ] || [[ "$procs" == */cpuset/* ]] || echo "$BASHPID" > "$procs"
        done
        oci run --detach "$ID" 3>&-
    )
    grep -q ":/$EXTRA/a\$" "/proc/$(pid_of)/cgroup"
    ! grep -q caller "/proc/$(pid_of)/cgroup" || false
}

@test "groups that the container made below its own go with it, the deepest first" {
    configure_script 'for d in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
            [ -e $d ] || continue; d=${d%/cgroup.procs}; mkdir -p $d/a/b/c $d/a/d; done
        : > /tmp/ready; sleep 60' ".root.readonly = false | $WRITABLE"
    oci run --detach "$ID" 3>&-
    wait_for test -e "$ROOTFS/tmp/ready"
    [ -d "$(group pids)/a/b/c" ]
    oci delete --force "$ID"
    nothing_left
}

@test "a group that was there, and once was killed, takes a container and who enters it" {
    local unified=/sys/fs/cgroup
    $V2 || unified=/sys/fs/cgroup/unified
    [ -e "$unified/cgroup.procs" ] || skip "this host has no hierarchy of version 2"
    mkdir "$unified/$EXTRA"
    echo 1 > "$unified/$EXTRA/cgroup.kill"
    configure_script 'grep -c "^0::.*/$0$" /proc/self/cgroup; sleep 60' ".linux.cgroupsPath = \"/$EXTRA\" | del(.linux.namespaces[] | select(.type == \"cgroup\"))
        | .process.args += [\"$EXTRA\"]"
    oci run --detach "$ID" > out 3>&-
    wait_for grep -qx 1 out # it may not have come so far yet
    # Of version 1 the hierarchies with a controller are made, and go; this one stays.
    [ "$(oci exec "$ID" grep -c "^0::.*/$EXTRA$" /proc/self/cgroup)" = 1 ]
    oci delete --force "$ID"
    [ -d "$unified/$EXTRA" ]
    rmdir "$unified/$EXTRA"
}

@test "of version 1 a container without a cgroup namespace sees its own groups only" {
    needs_v1
    configure 'del(.linux.namespaces[] | select(.type == "cgroup"))'
    run_script 'cat /sys/fs/cgroup/pids/cgroup.procs | wc -l; find /sys/fs/cgroup -name "coffer*"; mkdir /sys/fs/cgroup/pids/x || echo refused; mkdir /sys/fs/cgroup/x || echo refused'
    [ "${lines[0]}" -le 3 ]
    [ "$(grep -c refused <<< "$output")" -eq 2 ]
    [[ "$output" != *"/coffer"* ]]
    run_script 'mkdir /sys/fs/cgroup/pids/x && echo 7 > /sys/fs/cgroup/pids/x/pids.max && cat /sys/fs/cgroup/pids/x/pids.max' "$WRITABLE"
    [ "$output" = 7 ]
    nothing_left
}

@test "of version 1 a container in the cgroup namespace of another process sees its own groups, not the host's tree" {
    needs_v1
    # The namespace of one that was in the group which the container is put into: that is "/" there.
    local group=joined-$BASHPID hierarchy
    for hierarchy in /sys/fs/cgroup/pids /sys/fs/cgroup/unified; do
        [ ! -e "$hierarchy/cgroup.procs" ] || mkdir -p "$hierarchy/$group/inner"
    done
    (
        for hierarchy in /sys/fs/cgroup/pids /sys/fs/cgroup/unified; do
            [ ! -e "$hierarchy/$group" ] || echo 0 > "$hierarchy/$group/inner/cgroup.procs"
        done
        exec unshare -C sleep 100
    ) 3>&- &
    local sleeper=$!
    until_true sh -c "[ \"\$(readlink /proc/self/ns/cgroup)\" != \"\$(readlink /proc/$sleeper/ns/cgroup)\" ]"
    for hierarchy in /sys/fs/cgroup/pids /sys/fs/cgroup/unified; do
        [ ! -e "$hierarchy/$group" ] || echo "$sleeper" > "$hierarchy/cgroup.procs"
    done
    configure '(.linux.namespaces[] | select(.type == "cgroup")).path = $path | .linux.cgroupsPath = $group' \
        --arg path "/proc/$sleeper/ns/cgroup" --arg group "/$group/inner"
    run_script 'cat /sys/fs/cgroup/pids/cgroup.procs | wc -l; ls -d /sys/fs/cgroup/pids/joined-* /sys/fs/cgroup/unified/joined-* 2> /dev/null'
    kill "$sleeper"
    wait "$sleeper" || true
    rmdir /sys/fs/cgroup/{pids,unified}/"$group"{/inner,} 2> /dev/null || true
    [ "${lines[0]}" -le 4 ]
    [[ "$output" != *"joined-"* ]]
}

# --- version 2: conversions ---

@test "processor weights of version 2 follow the curve of all runtimes" {
    needs_v2
    needs_controller cpu
    sets '{"cpu": {"shares": 2}}' cpu.weight 1
    sets '{"cpu": {"shares": 512}}' cpu.weight 59
    sets '{"cpu": {"shares": 1024}}' cpu.weight 100
    sets '{"cpu": {"shares": 262144}}' cpu.weight 10000
    sets '{"cpu": {"quota": 30000, "period": 60000}}' cpu.max "30000 60000"
    sets '{"cpu": {"quota": 30000, "period": 60000, "burst": 20000}}' cpu.max "30000 60000" cpu.max.burst 20000
    sets '{"cpu": {"idle": 1}}' cpu.idle 1
}

@test "memory, swap and reservation of version 2" {
    needs_v2
    needs_controller memory
    sets '{"memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432}}' \
        memory.max 67108864 memory.low 33554432
    sets '{"memory": {"limit": -1}}' memory.max max
    configure '.linux.resources = {"memory": {"limit": 67108864, "swap": 33554432}}'
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"memory.swap: 33554432 is less than memory.limit, 67108864, which it includes" ]]
    configure '.linux.resources = {"memory": {"swap": 33554432}}'
    run oci run "$ID"
    fails_with "run container \"$ID\": limit of memory and swap together needs a limit of memory on cgroup version 2"
    nothing_left
}

@test "disk weights of version 2, BFQ's file where it is there" {
    needs_v2
    needs_controller io
    configure '.linux.resources = {"blockIO": {"weight": 500}}'
    run oci run --detach "$ID" 3>&-
    if [ "$status" -ne 0 ]; then
        [[ "$output" == *"has no file io.weight"* ]]
        skip "this kernel has neither io.bfq.weight nor io.weight"
    fi
    if [ -e "$(group)/io.bfq.weight" ]; then
        [ "$(cat "$(group)/io.bfq.weight")" = "default 500" ]
    else
        [ "$(cat "$(group)/io.weight")" = "default 4950" ]
    fi
}

@test "huge pages of version 2, reserved ones too" {
    needs_v2
    needs_controller hugetlb
    [ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MB here"
    sets '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}' hugetlb.2MB.max 4194304 hugetlb.2MB.rsvd.max 4194304
}

@test "files of version 2 are written as they are, their controllers enabled" {
    needs_v2
    needs_controller memory
    sets '{"unified": {"memory.high": "50331648", "pids.max": "77", "cgroup.max.descendants": "5"}}' \
        memory.high 50331648 pids.max 77 cgroup.max.descendants 5
    configure '.linux.resources = {"unified": {"memory.nothing": "1"}}'
    run oci run "$ID"
    fails_with "run container \"$ID\": cgroup /coffer-$ID has no file memory.nothing: the kernel is too old or built without it"
    configure '.linux.resources = {"unified": {"nothing.max": "1"}}'
    run oci run "$ID"
    fails_with "run container \"$ID\": cgroup file nothing.max: there is no controller \"nothing\""
    nothing_left
}

@test "what version 2 has nothing for is refused by its name" {
    needs_v2
    while read -r field resources; do
        configure ".linux.resources = $resources"
        run oci run "$ID"
        fails_with "run container \"$ID\": resources.$field cannot be set: cgroup version 2 has no such thing"
        nothing_left
    done <<'END'
memory.kernelTCP {"memory": {"kernelTCP": 1048576}}
memory.swappiness {"memory": {"swappiness": 10}}
memory.disableOOMKiller {"memory": {"disableOOMKiller": true}}
cpu.realtimeRuntime {"cpu": {"realtimeRuntime": 1000}}
cpu.realtimePeriod {"cpu": {"realtimePeriod": 1000}}
blockIO.leafWeight {"blockIO": {"leafWeight": 100}}
network.classID {"network": {"classID": 5}}
network.priorities {"network": {"priorities": [{"name": "lo", "priority": 1}]}}
END
}

# --- who may change it ---

@test "a user namespace with a writable cgroup is given what the kernel lists for delegation, and no more" {
    needs_v2
    needs_controller pids
    configure_script 'mkdir /sys/fs/cgroup/inner && echo $$ > /sys/fs/cgroup/inner/cgroup.procs && echo moved; echo max > /sys/fs/cgroup/pids.max || echo no; : > /tmp/ready; sleep 60' \
        "$USERNS | $WRITABLE | .linux.resources.pids.limit = 20"' | .mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
    oci run --detach "$ID" 3>&- > said 2>&1
    wait_for test -e "/proc/$(pid_of)/root/tmp/ready"
    grep -qx moved said
    grep -qx no said
    [ "$(cat "$(group)/pids.max")" = 20 ]
    [ "$(stat -c %u "$(group)")" = 100000 ]
    while read -r file; do
        [ ! -e "$(group)/$file" ] || [ "$(stat -c %u "$(group)/$file")" = 100000 ]
    done < /sys/kernel/cgroup/delegate
    [ "$(stat -c %u "$(group)/pids.max")" = 0 ]
    oci delete --force "$ID"
    nothing_left
    # Read-only: nothing to manage, nothing is given.
    configure '.process.args = ["sleep", "60"] | .mounts |= map(if .type == "cgroup" then .options += ["ro"] else . end)'
    oci run --detach "$ID" 3>&-
    [ "$(stat -c %u "$(group)")" = 0 ]
}

# A bundle of the user's, in $MINE.
make_mine() {
    make_user
    MINE=$BATS_TEST_TMPDIR/mine
    mkdir "$MINE"
    cp -a "$ROOTFS" "$MINE/rootfs"
    "$COFFER_OCI" spec --rootless --bundle "$MINE"
    BUNDLE=$MINE configure --arg uid "$TEST_UID" '.process.terminal = false | .linux.uidMappings[0].hostID = ($uid | tonumber) | .linux.gidMappings[0].hostID = ($uid | tonumber)
        | .process.args = ["sh", "-c", "cat /proc/self/cgroup; echo done"]'
    chown -R "$TEST_UID:$(id -g "$TEST_USER")" "$MINE"
    BUNDLE=$MINE configure --arg gid "$(id -g "$TEST_USER")" '.linux.gidMappings[0].hostID = ($gid | tonumber)'
}

run_mine() {
    run as_user "$COFFER_OCI" --root "$MINE/run" run --bundle "$MINE" "$ID"
}

@test "without root: limits need a delegated cgroup, and the message says how to get one" {
    make_mine
    run_mine
    [ "$status" -eq 0 ]
    [[ "$output" == *done ]]
    BUNDLE=$MINE configure '.linux.resources.pids.limit = 20'
    run_mine
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: run container \"$ID\": set the limits: make cgroup /sys/fs/cgroup/"*"(without root it must lie in a delegated cgroup: systemd-run --user --scope -p Delegate=yes COMMAND): Permission denied" ]]
}

@test "without root: limits are set in a subtree that is delegated" {
    needs_v2
    needs_controller pids
    make_mine
    mkdir -p "/sys/fs/cgroup/$EXTRA/inner"
    echo "+pids" > /sys/fs/cgroup/cgroup.subtree_control
    chown "$TEST_UID" "/sys/fs/cgroup/$EXTRA" "/sys/fs/cgroup/$EXTRA"/cgroup.{procs,subtree_control} "/sys/fs/cgroup/$EXTRA/inner" \
        "/sys/fs/cgroup/$EXTRA/inner/cgroup.procs"
    BUNDLE=$MINE configure '.linux.resources.pids.limit = 20 | .process.args = ["sh", "-c", ": > /tmp/ready; sleep 60"]
        | .mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
    (
        echo "$BASHPID" > "/sys/fs/cgroup/$EXTRA/inner/cgroup.procs"
        as_user "$COFFER_OCI" --root "$MINE/run" run --detach --bundle "$MINE" "$ID" 3>&- < /dev/null
    )
    [ "$(cat "/sys/fs/cgroup/$EXTRA/coffer-$ID/pids.max")" = 20 ]
    as_user "$COFFER_OCI" --root "$MINE/run" update --pids-limit 30 "$ID"
    [ "$(cat "/sys/fs/cgroup/$EXTRA/coffer-$ID/pids.max")" = 30 ]
    as_user "$COFFER_OCI" --root "$MINE/run" pause "$ID"
    [ "$(as_user "$COFFER_OCI" --root "$MINE/run" state "$ID" | jq -r .status)" = paused ]
    as_user "$COFFER_OCI" --root "$MINE/run" delete --force "$ID"
    [ ! -e "/sys/fs/cgroup/$EXTRA/coffer-$ID" ]
}
