#!/usr/bin/env bats
# The low level: the container's cgroup, on hosts of version 1 (hybrid ones too) and of version 2.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "60"]'
    V2=false
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || V2=true
}

teardown() {
    bundle_teardown
    if [ -n "${EXTRA:-}" ]; then
        find /sys/fs/cgroup -depth -type d -path "*/$EXTRA*" -exec rmdir {} + 2> /dev/null || true
    fi
}

# limit CONTROLLER FILE_OF_V1 FILE_OF_V2: what stands in it for the container.
limit() {
    local path=${LIMIT_PATH:-coffer-$ID}
    if $V2; then
        cat "/sys/fs/cgroup/$path/$3"
    else
        cat "/sys/fs/cgroup/$1/$path/$2"
    fi
}

needs_controller() {
    if $V2; then
        grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || skip "this host's cgroups have no controller $1"
    else
        [ -d "/sys/fs/cgroup/$1" ] || skip "this host's cgroups have no controller $1"
    fi
}

runs_with() {
    configure "$@"
    oci run --detach "$ID" 3>&-
}

@test "memory limits are set" {
    needs_controller memory
    runs_with '.linux.resources.memory = {"limit": 67108864, "reservation": 33554432}'
    [ "$(limit memory memory.limit_in_bytes memory.max)" = 67108864 ]
    [ "$(limit memory memory.soft_limit_in_bytes memory.low)" = 33554432 ]
}

@test "swap is memory and swap together, as in version 1" {
    needs_controller memory
    if $V2; then
        mkdir "/sys/fs/cgroup/coffer-probe-$ID"
        probe=$(ls "/sys/fs/cgroup/coffer-probe-$ID")
        rmdir "/sys/fs/cgroup/coffer-probe-$ID"
        [[ "$probe" == *memory.swap.max* || "$probe" != *memory.max* ]] || skip "this kernel does not count swap"
    else
        [ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || skip "this kernel does not count swap"
    fi
    runs_with '.linux.resources.memory = {"limit": 67108864, "swap": 100663296}'
    [ "$(limit memory memory.memsw.limit_in_bytes memory.swap.max)" = "$($V2 && echo 33554432 || echo 100663296)" ]
}

@test "a command that takes more memory than it may is killed" {
    needs_controller memory
    configure_script 'head -c 100000000 /dev/zero | tail -c 99999999 > /dev/null; echo "code $?"' \
        '.linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
    if ! $V2 && [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ]; then
        configure 'del(.linux.resources.memory.swap)'
    fi
    run oci run "$ID"
    [[ "$output" == *"code 137"* ]] || [ "$status" -eq 137 ]
    nothing_left
}

@test "processor limits are set" {
    needs_controller cpu
    runs_with '.linux.resources.cpu = {"quota": 50000, "period": 100000}'
    if $V2; then
        [ "$(limit cpu - cpu.max)" = "50000 100000" ]
    else
        [ "$(limit cpu cpu.cfs_quota_us -)" = 50000 ]
        [ "$(limit cpu cpu.cfs_period_us -)" = 100000 ]
    fi
    oci delete --force "$ID"
    runs_with '.linux.resources.cpu = {"shares": 512}'
    [ "$(limit cpu cpu.shares cpu.weight)" = "$($V2 && echo 59 || echo 512)" ]
}

@test "processors are chosen" {
    needs_controller cpuset
    runs_with '.linux.resources.cpu = {"cpus": "0", "mems": "0"}'
    [ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 0 ]
    grep -qx $'Cpus_allowed_list:\t0' "/proc/$(pid_of)/status"
}

@test "the number of processes is bounded" {
    needs_controller pids
    run_script 'i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i + 1)); done; echo all' '.linux.resources.pids = {"limit": 10}'
    [[ "$output" == *"can't fork"* ]]
    [[ "$output" != *all* ]]
    nothing_left
    runs_with '.process.args = ["sleep", "60"] | .linux.resources.pids = {"limit": -1}'
    [ "$(limit pids pids.max pids.max)" = max ]
}

@test "keys of version 2 are written as they are; version 1 has none" {
    configure '.linux.resources.unified = {"memory.high": "50331648", "pids.max": "77"}'
    if $V2; then
        needs_controller memory
        needs_controller pids
        oci run --detach "$ID" 3>&-
        [ "$(limit - - memory.high)" = 50331648 ]
        [ "$(limit - - pids.max)" = 77 ]
    else
        run oci run --detach "$ID" 3>&-
        fails_with "run container \"$ID\": cgroup file memory.high can be set on version 2 only, this host has version 1"
    fi
    oci delete --force "$ID"
    configure '.linux.resources.unified = {"nothing.like.this": "1"}'
    run oci run "$ID"
    [ "$status" -eq 1 ]
    nothing_left
}

@test "devices are denied but those of the rules and the standard ones" {
    run_script 'mknod /tmp/mem c 1 1 && echo made; mknod /dev/null2 c 1 3 && echo x > /dev/null2 && echo usable; head -c 1 /dev/kmsg2 2>&1' \
        '.root.readonly = false | .process.capabilities |= map_values(["CAP_MKNOD", "CAP_DAC_OVERRIDE"])
            | .linux.devices = [{"path": "/dev/kmsg2", "type": "c", "major": 1, "minor": 11}]'
    [[ "$output" == *usable* ]]
    [[ "$output" == *"/dev/kmsg2: Operation not permitted"* ]]
    run_script 'head -c 0 /dev/kmsg2 && echo opened' \
        '.process.capabilities |= map_values(["CAP_SYSLOG"]) | .linux.resources.devices += [{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]'
    has_line opened
}

@test "the cgroup is where cgroupsPath says, and goes with its new parents" {
    EXTRA=coffer-test-$ID
    runs_with ".linux.cgroupsPath = \"/$EXTRA/below/it\""
    LIMIT_PATH=$EXTRA/below/it
    [ "$(limit pids cgroup.procs cgroup.procs)" = "$(pid_of)" ]
    oci delete --force "$ID"
    [ -z "$(find /sys/fs/cgroup -name "$EXTRA")" ]
}

@test "a cgroup that was there stays there" {
    EXTRA=coffer-test-$ID
    for hierarchy in /sys/fs/cgroup/*/; do
        $V2 || mkdir "$hierarchy$EXTRA"
    done
    ! $V2 || mkdir "/sys/fs/cgroup/$EXTRA"
    configure ".linux.cgroupsPath = \"/$EXTRA\" | .process.args = [\"true\"]"
    oci run "$ID"
    before=$(find /sys/fs/cgroup -name "$EXTRA" | wc -l)
    [ "$before" -ge 1 ]
    oci run "$ID"
    [ "$(find /sys/fs/cgroup -name "$EXTRA" | wc -l)" -eq "$before" ]
}

@test "a cgroup that others' processes are in is refused, and they live on" {
    EXTRA=coffer-test-$ID
    configure ".linux.cgroupsPath = \"/$EXTRA\""
    oci run --detach "$ID" 3>&-
    for verb in run create "run --detach"; do
        run oci $verb "$ID.second" 3>&-
        fails_with "${verb%% *} container \"$ID.second\": cgroup /$EXTRA is in use: 1 processes are in it; give another linux.cgroupsPath"
    done
    has_status running
    oci delete --force "$ID"
    [ -z "$(find /sys/fs/cgroup -name "$EXTRA")" ]
}

@test "a cgroup path cannot climb" {
    for path in /../x /a/../../x /a//b ../x; do
        configure ".linux.cgroupsPath = \"$path\""
        run oci run "$ID"
        [ "$status" -eq 1 ]
        [[ "$output" == *"cannot be a component"* ]]
        nothing_left
    done
}

@test "kill --all and delete reach every process, also where there is no pid namespace" {
    configure_script 'setsid sleep 61 & setsid sleep 62 & wait' 'del(.linux.namespaces[] | select(.type == "pid"))'
    oci run --detach "$ID" 3>&-
    wait_for test "$(limit pids cgroup.procs cgroup.procs | wc -l)" -ge 3 || true
    sleep 0.1
    pids=$(limit pids cgroup.procs cgroup.procs)
    [ "$(wc -l <<< "$pids")" -ge 3 ]
    oci kill --all "$ID" KILL
    for pid in $pids; do
        wait_for is_dead "$pid"
    done
    oci delete "$ID"
    nothing_left
    oci run --detach "$ID" 3>&-
    sleep 0.1
    oci delete --force "$ID"
    nothing_left
    # What the command of a `run` leaves running ends with it.
    configure '.process.args[2] = "setsid sleep 63 & exit 5"'
    run -5 oci run "$ID"
    nothing_left
}

is_dead() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"
}

@test "a frozen container can be deleted" {
    oci run --detach "$ID" 3>&-
    if $V2; then
        echo 1 > "/sys/fs/cgroup/coffer-$ID/cgroup.freeze"
    elif [ -e "/sys/fs/cgroup/freezer/coffer-$ID/freezer.state" ]; then
        echo FROZEN > "/sys/fs/cgroup/freezer/coffer-$ID/freezer.state"
    else
        skip "this host has no freezer"
    fi
    timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" delete --force "$ID"
    nothing_left
}

@test "a device that is denied before it was ever allowed is denied, as dockerd does it" {
    run_script 'cat /dev/null && echo null; cat /dev/fuse2; mknod /tmp/fuse c 10 229 && echo made' '.root.readonly = false
        | .process.capabilities |= map_values(. + ["CAP_MKNOD"])
        | .linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
            {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]
        | .linux.devices = [{"path": "/dev/fuse2", "type": "c", "major": 10, "minor": 229, "fileMode": 438}]'
    [[ "$output" == *"can't open '/dev/fuse2': Operation not permitted"* ]]
    has_line null
    has_line made # to make a node is always allowed, as with runc
}
