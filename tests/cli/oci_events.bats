#!/usr/bin/env bats
# The low level: what a container uses, and when it runs out of memory, as lines of JSON in runc's form.
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
}

needs_controller() {
    if $V2; then
        grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || skip "this host's cgroups have no controller $1"
    else
        [ -d "/sys/fs/cgroup/$1" ] || skip "this host's cgroups have no controller $1"
    fi
}

# The background job's lines so far.
events() {
    cat "$BATS_TEST_TMPDIR/background"
}

has_events() {
    [ "$(events | jq -s --arg type "$1" '[.[] | select(.type == $type)] | length')" -ge "$2" ]
}

@test "what a container uses is one line, with the members of runc's" {
    for controller in memory pids cpu cpuset; do
        needs_controller "$controller"
    done
    configure_script 'head -c 8000000 /dev/zero > /tmp/x; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; : > /tmp/ready; sleep 61 & wait' \
        '.linux.resources = {"memory": {"limit": 67108864}, "pids": {"limit": 33}, "cpu": {"quota": 50000, "period": 100000, "cpus": "0", "mems": "0"}}
            | .mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
    oci run --detach "$ID" 3>&-
    wait_for test -e "/proc/$(pid_of)/root/tmp/ready"
    run oci events --stats "$ID"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    check() { jq -e "$@" <<< "$output" > /dev/null || { echo "$* in $output"; return 1; }; }
    check --arg id "$ID" '.type == "stats" and .id == $id'
    check '.data | keys == ["blkio", "cpu", "cpuset", "hugetlb", "intel_rdt", "memory", "network_interfaces", "pids"]'
    # Some of it is counted by clock ticks, some exactly.
    check '.data.cpu.usage | .total > 1000000 and .kernel >= 0 and .user >= 0'
    check '.data.cpu.throttling | .periods >= 0 and .throttledPeriods >= 0 and .throttledTime >= 0'
    check '.data.cpuset.cpus == [0] and .data.cpuset.mems == [0]'
    check '.data.pids == {"current": 2, "limit": 33}'
    check '.data.memory.usage | .limit == 67108864 and .usage >= 8000000 and .usage < 67108864'
    check '.data.memory.raw | length > 10'
    check '.data.memory.cache >= 8000000'
    check '.data.memory.swap | .limit >= 67108864 and .usage >= 8000000'
    check '.data.network_interfaces == null and .data.intel_rdt == {}'
    if ! $V2 || [ "$(uname -r | cut -d. -f1)" -ge 6 ]; then
        check '.data.memory.usage | .max >= .usage'
    fi
    if $V2; then
        check '.data.memory.event_count.oom_kill == 0'
    else
        check '(.data.cpu.usage.percpu | length) > 0'
        check '.data.cpu.usage | .percpu[0] == .percpu_kernel[0] + .percpu_user[0]'
        check '.data.cpuset.sched_load_balance == 1'
    fi
}

@test "numbers without a limit are as other runtimes have them" {
    needs_controller memory
    oci run --detach "$ID" 3>&-
    run oci events --stats "$ID"
    if $V2; then
        [[ "$output" == *'"usage":{"limit":18446744073709551615,'* ]]
    else
        [[ "$output" == *'"usage":{"limit":9223372036854771712,'* ]]
    fi
    jq -e '.data.pids.limit == 0 or .data.pids.limit > 0' <<< "$output"
}

@test "bytes read from and written to a disk are counted by device" {
    if $V2; then
        needs_controller io
    else
        needs_controller blkio
    fi
    device=$(stat -f -c %T "$BUNDLE")
    [[ "$device" == ext* || "$device" == xfs || "$device" == btrfs ]] || skip "the bundle lies on $device, not on a disk"
    # Version 1 counts only what has a rule.
    configure_script 'dd if=/dev/zero of=/tmp/x bs=65536 count=16 oflag=direct 2> /dev/null; : > /tmp/ready; sleep 60' \
        '.root.readonly = false | .linux.resources.blockIO.throttleWriteBpsDevice = [{"major": ($major | tonumber), "minor": ($minor | tonumber), "rate": 1000000000}]' \
        --arg major "$(stat -c %Hd "$BUNDLE")" --arg minor "$(stat -c %Ld "$BUNDLE")"
    oci run --detach "$ID" 3>&-
    wait_for test -e "$ROOTFS/tmp/ready"
    run oci events --stats "$ID"
    jq -e '[.data.blkio.ioServiceBytesRecursive[] | select(.op == "Write") | .value] | add >= 1048576' <<< "$output"
    jq -e '[.data.blkio.ioServicedRecursive[] | select(.op == "Write") | .value] | add >= 1' <<< "$output"
    jq -e '.data.blkio.ioServiceBytesRecursive[0] | .major >= 0 and .minor >= 0' <<< "$output"
}

@test "events come in intervals and end with the container" {
    oci run --detach "$ID" 3>&-
    in_background events --interval 50ms "$ID"
    wait_for has_events stats 3
    oci kill "$ID" KILL
    end_of_background
    [ "$status" -eq 0 ]
    run jq -s --arg id "$ID" 'all(.type == "stats" and .id == $id)' <<< "$output"
    [ "$output" = true ]
}

@test "running out of memory is an event of its own, in each of which the container goes on" {
    needs_controller memory
    configure_script 'while ! [ -e /tmp/go ]; do sleep 0.05; done; for i in 1 2; do (echo 1000 > /proc/self/oom_score_adj; head -c 100000000 /dev/zero | tail -c 99999999 > /dev/null); done; : > /tmp/done; sleep 60' \
        '.linux.resources.memory = {"limit": 16777216} | .root.readonly = false'
    oci run --detach "$ID" 3>&-
    in_background events --interval 60s "$ID"
    sleep 0.3
    : > "$ROOTFS/tmp/go"
    wait_for test -e "$ROOTFS/tmp/done"
    wait_for has_events oom 2
    has_status running
    [ "$(events | head -n 1)" = "{\"type\":\"oom\",\"id\":\"$ID\"}" ]
    oci delete --force "$ID"
    end_of_background
    [ "$status" -eq 0 ]
}

@test "the end by lack of memory is told before the end" {
    needs_controller memory
    configure_script 'while ! [ -e /tmp/go ]; do sleep 0.05; done; exec tail -c 99999999 /dev/zero' \
        '.linux.resources.memory = {"limit": 16777216} | .root.readonly = false'
    oci run --detach "$ID" 3>&-
    in_background events --interval 60s "$ID"
    sleep 0.3
    : > "$ROOTFS/tmp/go"
    end_of_background
    [ "$status" -eq 0 ]
    has_line "{\"type\":\"oom\",\"id\":\"$ID\"}"
    has_status stopped
}

@test "what is not running has no events" {
    oci create "$ID" 3>&-
    oci events --stats "$ID"
    oci start "$ID"
    oci kill "$ID" KILL
    wait_for has_status stopped
    for option in --stats --interval=1s; do
        run oci events "$option" "$ID"
        fails_with "watch container \"$ID\": container not running: it is stopped"
    done
    run oci events nobody
    fails_with 'container "nobody" does not exist'
    run oci events --interval 0s "$ID"
    fails_with '--interval: expected at least 1ms'
}
