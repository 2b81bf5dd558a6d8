#!/usr/bin/env bats
# The specification's own words, config-linux.md of version 1.3: what no other file tests (conformance.bats has the list of those that
# are).
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    cp config.json good
    V2=false
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || V2=true
}

teardown() {
    bundle_teardown
}

refuses() {
    cp good config.json
    configure "$1"
    run timeout -k 1 20 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    fails_with "$2"
    nothing_left
}

@test "config-linux.md namespaces: a path of each type that is of another one is an error" {
    for type in pid network mount ipc uts user cgroup time; do
        other=net
        [ "$type" != network ] || other=ipc
        refuses "del(.hostname) | .linux.namespaces |= map(select(.type != \"$type\")) + [{\"type\": \"$type\", \"path\": \"/proc/self/ns/$other\"}]" \
            "run container \"$ID\": namespace /proc/self/ns/$other: expected one of type $type, found type ${other/net/network}"
    done
}

@test "config-linux.md namespaces: each type is listed once" {
    for type in pid network mount ipc uts cgroup; do
        refuses ".linux.namespaces += [{\"type\": \"$type\"}]" "config.json: linux.namespaces[6].type: $type is listed already"
    done
}

@test "config-linux.md namespaces: a path must be absolute" {
    refuses '.linux.namespaces |= map(if .type == "ipc" then .path = "proc/self/ns/ipc" else . end)' \
        'config.json: linux.namespaces[2].path: expected an absolute path, found "proc/self/ns/ipc"'
}

@test "config-linux.md namespaces: what is not listed is the runtime's own, one by one" {
    for type in pid network ipc uts cgroup; do
        cp good config.json
        file=${type/network/net}
        run_script "readlink /proc/self/ns/$file" "del(.linux.namespaces[] | select(.type == \"$type\")) | del(.hostname)
            | del(.mounts[] | select(.type == \"sysfs\" or .type == \"mqueue\" or .type == \"cgroup\"))"
        [ "$output" = "$(readlink "/proc/self/ns/$file")" ] || { echo "$type: $output"; return 1; }
    done
}

@test "config-linux.md namespaces: cgroup and time by path" {
    configure '.process.args = ["sleep", "60"] | .linux.namespaces += [{"type": "time"}]'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    pid=$(pid_of)
    first=$ID
    ID=$ID.second
    run_script 'readlink /proc/self/ns/cgroup; readlink /proc/self/ns/time' '.linux.namespaces |= map(if .type == "cgroup" or .type == "time"
        then .path = "/proc/\($pid)/ns/\(.type)" else . end) | del(.mounts[] | select(.type == "cgroup"))' --arg pid "$pid"
    [ "$output" = "$(readlink "/proc/$pid/ns/cgroup" "/proc/$pid/ns/time")" ]
    oci delete --force "$first"
}

@test "config-linux.md namespaces: mount by path: root and mounts are applied in it" {
    mkdir source
    echo bound > source/file
    # What the namespace has at the same paths is not what the configuration means: those are the runtime's.
    # shellcheck disable=SC2016 # the inner shell's
    unshare --mount --propagation private sh -c 'mount -t tmpfs other source && echo other > source/file && touch ready && exec sleep 60' 3>&- &
    JOB=$!
    wait_for test -e ready
    by_path='(.linux.namespaces[] | select(.type == "mount")).path = $path'
    mkdir -p "$ROOTFS/mnt"
    run_script 'readlink /proc/self/ns/mnt; cat /mnt/file; ls -d /bin/busybox /root/.. | head -1; grep -c "/ready" /proc/self/mountinfo; touch /x; echo x > /mnt/file' \
        "$by_path"' | .mounts += [{"destination": "/mnt", "type": "bind", "source": "source", "options": ["bind", "ro"]}]' --arg path "/proc/$JOB/ns/mnt"
    [ "${lines[0]}" = "$(readlink "/proc/$JOB/ns/mnt")" ]
    [ "${lines[1]}" = bound ]
    [ "${lines[2]}" = /bin/busybox ]
    [[ "$output" == *"touch: /x: Read-only file system"* ]]
    [[ "$output" == *"/mnt/file: Read-only file system"* ]]
    # The host's mounts are not in it any more.
    run ! nsenter --mount="/proc/$JOB/ns/mnt" /bin/busybox test -e /etc/shadow
    wait_for nothing_left
}

@test "config-linux.md namespaces: mount by path: never the runtime's own" {
    by_path='(.linux.namespaces[] | select(.type == "mount")).path = '
    refuses "$by_path\"/proc/self/ns/mnt\"" "run container \"$ID\": namespace /proc/self/ns/mnt: is the host's own, which root.path of the configuration would change"
    refuses 'del(.linux.namespaces[] | select(.type == "mount"))' \
        "run container \"$ID\": config.json: linux.namespaces: a mount namespace is needed; without one the container's mounts would be the host's"
    refuses "$by_path\"/proc/1/ns/mnt\" | .hooks.createContainer = [{\"path\": \"/bin/true\"}]" \
        "run container \"$ID\": config.json: hooks.createContainer: cannot be found in the mount namespace of linux.namespaces, whose files are others; use createRuntime"
}

@test "config-linux.md devices: what is there already as asked is taken, another one is an error" {
    mkdir -p "$ROOTFS/dev"
    mknod -m 600 "$ROOTFS/dev/there" c 1 3
    NO_DEV='del(.mounts[] | select(.destination | startswith("/dev"))) | .root.readonly = false'
    run_script 'stat -c "%F %t:%T" /dev/there; echo x > /dev/there && echo written' \
        "$NO_DEV"' | .linux.devices = [{"path": "/dev/there", "type": "c", "major": 1, "minor": 3}]'
    [ "$output" = $'character special file 1:3\nwritten' ]
    for device in '"type": "c", "major": 1, "minor": 5' '"type": "b", "major": 1, "minor": 3' '"type": "p"'; do
        refuses "$NO_DEV | .linux.devices = [{\"path\": \"/dev/there\", $device}]" \
            "run container \"$ID\": linux.devices[0].path: /dev/there: the root file system has another kind of file there"
    done
}

@test "config-linux.md devices: each type is made; u is c" {
    run_script 'stat -c "%n %F %t:%T" /dev/c /dev/u /dev/b /dev/p /made/here/c' '.root.readonly = false | .linux.devices = [
        {"path": "/dev/c", "type": "c", "major": 1, "minor": 3}, {"path": "/dev/u", "type": "u", "major": 1, "minor": 5},
        {"path": "/dev/b", "type": "b", "major": 7, "minor": 99}, {"path": "/dev/p", "type": "p"},
        {"path": "/made/here/c", "type": "c", "major": 1, "minor": 3}]'
    [ "$output" = $'/dev/c character special file 1:3\n/dev/u character special file 1:5\n/dev/b block special file 7:63\n/dev/p fifo 0:0\n/made/here/c character special file 1:3' ]
    refuses '.linux.devices = [{"path": "/dev/c", "type": "c", "major": 1}]' 'config.json: linux.devices[0].minor: expected an integer, found nothing' ||
        [[ "$output" == *"linux.devices[0]"* ]]
}

@test "config-linux.md default devices: allowed, whatever the rules deny and wherever they stand" {
    run_script 'for d in null zero full random urandom; do head -c 1 /dev/$d > /dev/null || echo "$d denied"; done; echo x > /dev/null; : < /dev/ptmx && echo all' \
        '.linux.resources.devices = [{"allow": true, "access": "rwm"}, {"allow": false, "access": "rwm"}, {"allow": false, "type": "c", "access": "rwm"}]'
    [ "$output" = all ]
}

@test "config-linux.md allowed device list: rules are applied in the listed order" {
    # Two rules on one device: the later one holds. It is one that has no driver, so that it cannot be opened where it is allowed.
    device='"type": "c", "major": 60, "minor": 5, "access": "r"'
    make='.linux.devices = [{"path": "/dev/mine", "type": "c", "major": 60, "minor": 5}]'
    run_script 'dd if=/dev/mine count=0 2>&1 | grep -oE "Operation not permitted|No such device or address"' \
        "$make | .linux.resources.devices = [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": true, $device}, {\"allow\": false, $device}]"
    [ "$output" = 'Operation not permitted' ]
    run_script 'dd if=/dev/mine count=0 2>&1 | grep -oE "Operation not permitted|No such device or address"' \
        "$make | .linux.resources.devices = [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": false, $device}, {\"allow\": true, $device}]"
    [ "$output" = 'No such device or address' ]
}

@test "config-linux.md cgroupsPath: an absolute path is below the cgroup mount" {
    configure '.process.args = ["sleep", "60"] | .linux.cgroupsPath = $path' --arg path "/$ID.top/inner"
    oci create "$ID" 3>&-
    if $V2; then
        grep -qx "0::/$ID.top/inner" "/proc/$(pid_of)/cgroup"
    else
        grep -q ":pids:/.*$ID.top/inner$" "/proc/$(pid_of)/cgroup" || grep -q ":memory:/.*$ID.top/inner$" "/proc/$(pid_of)/cgroup"
    fi
    oci delete --force "$ID"
    nothing_left
}

@test "config-linux.md block IO and RDMA: an entry that limits nothing is refused" {
    refuses '.linux.resources.blockIO = {"weightDevice": [{"major": 8, "minor": 0}]}' \
        'config.json: linux.resources.blockIO.weightDevice[0]: expected weight, leafWeight or both'
    refuses '.linux.resources.rdma = {"mlx5_0": {}}' 'config.json: linux.resources.rdma.mlx5_0: expected hcaHandles, hcaObjects or both'
}

@test "config-linux.md CPU: burst is no larger than quota" {
    refuses '.linux.resources.cpu = {"quota": 1000, "burst": 2000, "period": 100000}' 'config.json: linux.resources.cpu.burst: 2000 is more than cpu.quota, 1000'
}

@test "config-linux.md pids: a limit of 0 is a limit" {
    configure '.process.args = ["sleep", "60"] | .linux.resources.pids = {"limit": 0}'
    status=0
    timeout -k 1 20 "$COFFER_OCI" --root "$(coffer_root)/oci" run --detach "$ID" > shown 2>&1 < /dev/null 3>&- || status=$?
    # Of version 2 no process can be made in such a group, and the error says so.
    if [ "$status" -eq 0 ]; then
        find /sys/fs/cgroup -path "*$ID/pids.max" -exec cat {} + | grep -qx 0
    else
        $V2 && grep -q "its pids limit may be reached" shown && nothing_left
    fi
}

@test "config-linux.md unified and controllers: one that is not present is an error" {
    $V2 || skip "needs a host with cgroup version 2"
    refuses '.linux.resources.unified = {"nosuch.max": "1"}' "run container \"$ID\": cgroup controller nosuch, needed for nosuch.max, is not available" ||
        [[ "$output" == *nosuch* && "$status" -eq 1 ]]
}

@test "config-linux.md seccomp: an action without errno that is given one, for the default too, is an error" {
    for action in SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP SCMP_ACT_ALLOW SCMP_ACT_LOG; do
        refuses ".linux.seccomp = {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"acct\"], \"action\": \"$action\", \"errnoRet\": 5}]}" \
            "run container \"$ID\": config.json: linux.seccomp.syscalls[0].errnoRet: $action gives no error" || [[ "$output" == *"seccomp.syscalls[0].errnoRet"* ]]
        refuses ".linux.seccomp = {\"defaultAction\": \"$action\", \"defaultErrnoRet\": 5}" \
            "run container \"$ID\": config.json: linux.seccomp.defaultErrnoRet: $action gives no error" || [[ "$output" == *"seccomp.defaultErrnoRet"* ]]
    done
}

@test "config-linux.md maskedPaths, readonlyPaths: absolute, and missing ones are passed over" {
    refuses '.linux.maskedPaths = ["proc"]' 'config.json: linux.maskedPaths[0]: expected an absolute path, found "proc"'
    refuses '.linux.readonlyPaths = ["proc"]' 'config.json: linux.readonlyPaths[0]: expected an absolute path, found "proc"'
    cp good config.json
    run_script 'echo ran' '.linux.maskedPaths += ["/nowhere", "/nowhere/below", "/etc/passwd/below"] | .linux.readonlyPaths += ["/nowhere", "/etc/passwd/below"]'
    [ "$output" = ran ]
}

@test "config-linux.md user namespace mappings: a mapping of no ids, or beyond the last id, is an error" {
    user='.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
    refuses "$user | .linux.uidMappings = [{\"containerID\": 0, \"hostID\": 0, \"size\": 0}]" 'config.json: linux.uidMappings[0].size: must not be 0'
    cp good config.json
    configure "$user | .linux.uidMappings = [{\"containerID\": 0, \"hostID\": 4294967295, \"size\": 2}]"
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *uidMappings* ]]
    nothing_left
}
