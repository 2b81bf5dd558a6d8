#!/usr/bin/env bats
# The low level: other limits for a container that is there, on hosts of version 1 (hybrid ones too) and of version 2.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "60"] | .linux.cgroupsPath = "/coffer-update-'"$ID"'"'
    V2=false
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || V2=true
}

teardown() {
    bundle_teardown
}

# limit CONTROLLER FILE_OF_V1 FILE_OF_V2
limit() {
    if $V2; then
        cat "/sys/fs/cgroup/coffer-update-$ID/$3"
    else
        cat "/sys/fs/cgroup/$1/coffer-update-$ID/$2"
    fi
}

memory() {
    limit memory memory.limit_in_bytes memory.max
}

pids() {
    limit pids pids.max pids.max
}

needs_controller() {
    if $V2; then
        grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || skip "this host's cgroups have no controller $1"
    else
        [ -d "/sys/fs/cgroup/$1" ] || skip "this host's cgroups have no controller $1"
    fi
}

needs_swap_count() {
    if $V2; then
        mkdir "/sys/fs/cgroup/coffer-probe-$ID"
        local probe
        probe=$(ls "/sys/fs/cgroup/coffer-probe-$ID")
        rmdir "/sys/fs/cgroup/coffer-probe-$ID"
        [[ "$probe" == *memory.swap.max* ]] || skip "this kernel does not count swap"
    else
        [ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || skip "this kernel does not count swap"
    fi
}

runs() {
    configure "$@"
    oci run --detach "$ID" 3>&-
}

@test "memory, its reservation and the number of processes by flags" {
    needs_controller memory
    needs_controller pids
    runs '.linux.resources = {"memory": {"limit": 33554432}, "pids": {"limit": 20}}'
    oci update --memory 64m --memory-reservation 16m --pids-limit 30 "$ID"
    [ "$(memory)" = 67108864 ]
    [ "$(limit memory memory.soft_limit_in_bytes memory.low)" = 16777216 ]
    [ "$(pids)" = 30 ]
    # What is not named stays.
    oci update --pids-limit -1 "$ID"
    [ "$(memory)" = 67108864 ]
    [ "$(pids)" = max ]
    oci update --memory -1 "$ID"
    [[ "$(memory)" =~ ^(max|9223372036854771712)$ ]]
}

@test "swap follows the memory, and both together are one limit" {
    needs_controller memory
    needs_swap_count
    runs '.linux.resources.memory = {"limit": 33554432, "swap": 67108864}'
    sum() { limit memory memory.memsw.limit_in_bytes memory.swap.max; }
    [ "$(sum)" = "$($V2 && echo 33554432 || echo 67108864)" ]
    # The sum stays.
    oci update --memory 48m "$ID"
    [ "$(memory)" = 50331648 ]
    [ "$(sum)" = "$($V2 && echo 16777216 || echo 67108864)" ]
    run oci update --memory 96m "$ID"
    fails_with "update container \"$ID\": memory limit of 100663296 bytes is above the limit of memory and swap together, 67108864 bytes; give a new one of those too"
    run oci update --memory-swap 16m "$ID"
    fails_with "update container \"$ID\": memory limit of 50331648 bytes is above the limit of memory and swap together, 16777216 bytes; give a new one of those too"
    oci update --memory 96m --memory-swap 128m "$ID"
    [ "$(memory)" = 100663296 ]
    [ "$(sum)" = "$($V2 && echo 33554432 || echo 134217728)" ]
    oci update --memory 32m --memory-swap 32m "$ID"
    [ "$(sum)" = "$($V2 && echo 0 || echo 33554432)" ]
    oci update --memory-swap -1 "$ID"
    [[ "$(sum)" =~ ^(max|9223372036854771712)$ ]]
    [ "$(memory)" = 33554432 ]
}

@test "the processor's limits by flags, of which each may come alone" {
    needs_controller cpu
    runs '.linux.resources.cpu = {"quota": 40000, "period": 80000, "shares": 512}'
    quota() {
        if $V2; then
            limit - - cpu.max
        else
            echo "$(limit cpu cpu.cfs_quota_us -) $(limit cpu cpu.cfs_period_us -)"
        fi
    }
    [ "$(quota)" = "40000 80000" ]
    oci update --cpu-quota 50000 "$ID"
    [ "$(quota)" = "50000 80000" ]
    oci update --cpu-period 100000 "$ID"
    [ "$(quota)" = "50000 100000" ]
    oci update --cpu-period 20000 --cpu-quota 5000 "$ID"
    [ "$(quota)" = "5000 20000" ]
    oci update --cpu-quota -1 "$ID"
    [[ "$(quota)" =~ ^(max|-1)\ 20000$ ]]
    oci update --cpu-period 30000 "$ID"
    [[ "$(quota)" =~ ^(max|-1)\ 30000$ ]]
    oci update --cpu-share 1024 "$ID"
    [ "$(limit cpu cpu.shares cpu.weight)" = "$($V2 && echo 100 || echo 1024)" ]
}

@test "burst and idle" {
    needs_controller cpu
    runs '.linux.resources.cpu = {"quota": 40000, "period": 80000}'
    run limit cpu cpu.cfs_burst_us cpu.max.burst
    [ "$status" -eq 0 ] || skip "this kernel has no burst"
    oci update --cpu-burst 20000 "$ID"
    [ "$(limit cpu cpu.cfs_burst_us cpu.max.burst)" = 20000 ]
    run oci update --cpu-burst 50000 --cpu-quota 40000 "$ID"
    fails_with "update container \"$ID\": cpu burst (50000 us) is above the cpu quota (40000 us)"
    run limit cpu cpu.idle cpu.idle
    [ "$status" -eq 0 ] || skip "this kernel has no cpu.idle"
    oci update --cpu-idle 1 "$ID"
    [ "$(limit cpu cpu.idle cpu.idle)" = 1 ]
    oci update --cpu-idle 0 "$ID"
    [ "$(limit cpu cpu.idle cpu.idle)" = 0 ]
}

@test "processors and memory nodes are chosen anew" {
    needs_controller cpuset
    runs .
    oci update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
    [ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 0 ]
    grep -qx $'Cpus_allowed_list:\t0' "/proc/$(pid_of)/status"
    run oci update --cpuset-cpus 0-99999 "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: update container \"$ID\": set cpuset.cpus of cgroup /coffer-update-$ID to \"0-99999\": "* ]]
}

@test "a document, from a file and from standard input, in place of flags" {
    needs_controller memory
    needs_controller pids
    runs '.linux.resources = {"memory": {"limit": 33554432}, "pids": {"limit": 20}}'
    echo '{"memory": {"limit": 67108864}, "pids": {"limit": 25}}' > limits.json
    oci update --resources limits.json --pids-limit 99 "$ID"
    [ "$(memory)" = 67108864 ]
    [ "$(pids)" = 25 ]
    # As engines in Go write it: what was not asked for is 0 or empty.
    oci update -r - "$ID" <<< '{"memory": {"limit": 0, "swap": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        "pids": {"limit": 0}, "blockIO": {"weight": 0}}'
    [ "$(memory)" = 67108864 ]
    [ "$(pids)" = 25 ]
    run oci update -r - "$ID" <<< '{"memory": {"limit": "64m"}}'
    fails_with '--resources: memory.limit: expected an integer, found a string'
    run oci update -r - "$ID" <<< '{"memory": {"limit": 10, "swap": 5}}'
    fails_with '--resources: memory.swap: 5 is less than memory.limit, 10, which it includes'
    run oci update -r missing.json "$ID"
    fails_with '--resources: open missing.json: No such file or directory'
}

@test "device rules are replaced where the document has some, the standard devices stay" {
    runs '.process.args = ["sh", "-c", "while :; do sleep 0.05; head -c 0 /dev/kmsg2 && : > /tmp/may || rm -f /tmp/may; head -c 0 /dev/null || : > /tmp/broken; done"]
        | .root.readonly = false | .process.capabilities |= map_values(["CAP_MKNOD", "CAP_SYSLOG", "CAP_DAC_OVERRIDE"])
        | .linux.devices = [{"path": "/dev/kmsg2", "type": "c", "major": 1, "minor": 11}]'
    sleep 0.2
    [ ! -e "$ROOTFS/tmp/may" ]
    oci update -r - "$ID" <<< '{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}'
    wait_for test -e "$ROOTFS/tmp/may"
    # Nothing of devices in the document: the rules stay.
    oci update -r - "$ID" <<< '{"cpu": {}}'
    sleep 0.2
    [ -e "$ROOTFS/tmp/may" ]
    oci update -r - "$ID" <<< '{"devices": [{"allow": false, "access": "rwm"}]}'
    wait_for test ! -e "$ROOTFS/tmp/may"
    sleep 0.2
    [ ! -e "$ROOTFS/tmp/may" ]
    [ ! -e "$ROOTFS/tmp/broken" ]
}

@test "a refused change leaves all limits as they were" {
    needs_controller memory
    needs_controller pids
    needs_controller cpuset
    runs '.linux.resources = {"memory": {"limit": 33554432}, "pids": {"limit": 20}, "cpu": {"quota": 40000, "period": 80000}}'
    run oci update --memory 64m --cpu-quota 20000 --cpuset-mems 999 "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"set cpuset.mems"* ]]
    [ "$(memory)" = 33554432 ]
    [ "$(limit cpu cpu.cfs_quota_us cpu.max)" = "$($V2 && echo "40000 80000" || echo 40000)" ]
}

@test "a memory limit below what is in use is refused when the document says to look first" {
    needs_controller memory
    configure_script 'dd if=/dev/zero of=/tmp/x bs=1M count=24 2> /dev/null; : > /tmp/ready; sleep 60' \
        '.linux.resources.memory = {"limit": 67108864} | .mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
    oci run --detach "$ID" 3>&-
    wait_for test -e "/proc/$(pid_of)/root/tmp/ready"
    run oci update -r - "$ID" <<< '{"memory": {"limit": 8388608, "checkBeforeUpdate": true}}'
    [ "$status" -eq 1 ]
    if $V2; then
        [[ "$output" =~ "update container \"$ID\": memory limit of 8388608 bytes is below the "[0-9]+" bytes in use" ]]
    else
        [[ "$output" == *"set memory.limit_in_bytes"* || "$output" == *"is below the"* ]]
    fi
    [ "$(memory)" = 67108864 ]
    has_status running
}

@test "a created and a paused container take limits; a stopped one does not" {
    needs_controller pids
    oci create "$ID" 3>&-
    oci update --pids-limit 40 "$ID"
    [ "$(pids)" = 40 ]
    oci start "$ID"
    oci pause "$ID"
    oci update --pids-limit 41 "$ID"
    [ "$(pids)" = 41 ]
    has_status paused
    oci resume "$ID"
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci update --pids-limit 42 "$ID"
    fails_with "update container \"$ID\": container not running: it is stopped"
}

@test "what the version cannot express is refused by its name" {
    runs .
    if $V2; then
        run oci update -r - "$ID" <<< '{"memory": {"swappiness": 10}}'
        fails_with "update container \"$ID\": resources.memory.swappiness cannot be set: cgroup version 2 has no such thing"
        needs_controller pids
        oci update -r - "$ID" <<< '{"unified": {"pids.max": "17"}}'
        [ "$(pids)" = 17 ]
    else
        run oci update -r - "$ID" <<< '{"unified": {"pids.max": "17"}}'
        fails_with "update container \"$ID\": cgroup file pids.max can be set on version 2 only, this host has version 1"
    fi
    run oci update --pids-limit some "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer-oci update: --pids-limit: expected a whole number from -1, found \"some\"" ]]
    run oci update --memory lots "$ID"
    [[ "$output" == "coffer-oci update: --memory: expected a number of bytes, "* ]]
}

@test "a container without a cgroup has no limits to change" {
    configure 'del(.linux.resources, .linux.cgroupsPath)'
    oci --cgroup-manager disabled run --detach "$ID" 3>&- 2> warning
    grep -q "no device rule is enforced" warning
    run oci update --pids-limit 5 "$ID"
    fails_with "update container \"$ID\": container \"$ID\" has no cgroup to limit it by"
    run oci pause "$ID"
    fails_with "container \"$ID\" has no cgroup to be paused by"
    oci delete --force "$ID"
    configure '.linux.resources.pids.limit = 10'
    run oci --cgroup-manager disabled run "$ID"
    fails_with "run container \"$ID\": limits need a cgroup, and --cgroup-manager disabled makes none: leave out linux.resources or take --cgroup-manager cgroupfs"
    nothing_left
}
