#!/usr/bin/env bats
# What config.json says of the process beside its identity: clocks, scheduling, memory, personality, keys, the OOM killer's score.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    USERNS='.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.uidMappings = .linux.gidMappings'
    TIME='.linux.namespaces += [{"type": "time"}]'
}

teardown() {
    bundle_teardown
}

needs_time_namespaces() {
    [ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
}

# A field of /proc/self/stat of the container's shell, counted from 1: 19 nice, 40 real-time priority, 41 policy.
stat_field() {
    echo "read -r line < /proc/self/stat; set -- \${line##*) }; shift $(($1 - 3)); echo \$1"
}

@test "time namespace: a new one has the host's clocks, and is not the host's" {
    needs_time_namespaces
    run_script 'readlink /proc/self/ns/time; readlink /proc/self/ns/time_for_children; cat /proc/self/timens_offsets | tr -s " "' "$TIME"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" != "$(readlink /proc/self/ns/time)" ]
    [ "${lines[0]#time:}" = "${lines[1]#time_for_children:}" ] || [ "${lines[0]}" = "${lines[1]}" ]
    [ "${lines[2]}" = "monotonic 0 0" ]
    [ "${lines[3]}" = "boottime 0 0" ]
}

@test "timeOffsets: the clocks are set before any process is in the namespace" {
    needs_time_namespaces
    local offsets='.linux.timeOffsets = {"boottime": {"secs": 1000000, "nanosecs": 5}, "monotonic": {"secs": 2000000}}' more
    for more in . "$USERNS"; do
        cp config.json kept
        [ "$more" = . ] || chown -hR 100000:100000 "$ROOTFS"
        run_script 'cat /proc/self/timens_offsets | tr -s " "; cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time; sh -c "readlink /proc/self/ns/time"' \
            "$TIME | $offsets | $more"
        [ "$status" -eq 0 ]
        [ "${lines[0]}" = "monotonic 2000000 0" ]
        [ "${lines[1]}" = "boottime 1000000 5" ]
        [ "${lines[2]}" -ge 1000000 ]
        # All are in the same one.
        [ "${lines[3]}" = "${lines[4]}" ]
        mv kept config.json
    done
}

@test "timeOffsets: they hold for the hooks in the container, too" {
    needs_time_namespaces
    local made=$BATS_TEST_TMPDIR/made
    configure '.hooks.createContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "cut -d. -f1 /proc/uptime > \($made)"]}]' --arg made "$made"
    run_script true "$TIME"' | .linux.timeOffsets.boottime.secs = 1000000'
    [ "$status" -eq 0 ]
    [ "$(< "$made")" -ge 1000000 ]
}

@test "timeOffsets: what cannot be is refused by name" {
    needs_time_namespaces
    configure '.linux.timeOffsets.boottime.secs = 5'
    run oci run "$ID"
    fails_with 'config.json: linux.timeOffsets: needs a new namespace of type time; the clocks of the host cannot be set'
    configure '.linux.namespaces += [{"type": "time", "path": "/proc/self/ns/time"}]'
    run oci run "$ID"
    fails_with 'config.json: linux.timeOffsets: needs a new namespace of type time; the clocks of one that is joined by its path cannot be set'
    configure 'del(.linux.namespaces[] | select(.type == "time")) | '"$TIME"' | .linux.timeOffsets.boottime.secs = -1000000000'
    run oci run "$ID"
    fails_with "run container \"$ID\": set linux.timeOffsets (a clock would show a time before 0 or after 146 years): Numerical result out of range" ||
        fails_with "run container \"$ID\": set linux.timeOffsets (a clock would show a time before 0 or after 146 years): Result not representable"
    nothing_left
}

@test "time namespace: joined by its path, and only one of this type" {
    needs_time_namespaces
    configure '.process.args = ["sleep", "60"] | '"$TIME"' | .linux.timeOffsets.boottime.secs = 1000000'
    oci create "$ID" 3>&-
    oci start "$ID"
    local pid
    pid=$(pid_of)
    cp config.json kept
    ID=$ID.2 run_script 'cut -d. -f1 /proc/uptime' \
        'del(.linux.timeOffsets) | .linux.namespaces |= map(if .type == "time" then .path = "/proc/\($pid)/ns/time" else . end)' --arg pid "$pid"
    [ "$status" -eq 0 ]
    [ "$output" -ge 1000000 ]
    configure '.linux.namespaces |= map(if .type == "time" then .path = "/proc/self/ns/uts" else . end)'
    run oci run "$ID.2"
    fails_with "run container \"$ID.2\": namespace /proc/self/ns/uts: expected one of type time, found type uts"
}

@test "process.scheduler: policy, priority and nice value are the command's" {
    run_script "$(stat_field 41); $(stat_field 19)" '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 7}'
    [ "$output" = $'3\n7' ]
    run_script "$(stat_field 41)" '.process.scheduler = {"policy": "SCHED_IDLE"}'
    [ "$output" = 5 ]
    run_script "$(stat_field 41); $(stat_field 19)" '.process.scheduler = {"policy": "SCHED_OTHER", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}'
    [ "$output" = $'0\n3' ]
}

@test "process.scheduler: real-time policies, where the host gives them" {
    command chrt -r 5 true 2> /dev/null || skip "this host gives no real-time policies here"
    ! ls -d /sys/fs/cgroup/*/cpu.rt_runtime_us > /dev/null 2>&1 || skip "control groups of version 1 give a new group no real time"
    run_script "$(stat_field 41); $(stat_field 40)" '.process.scheduler = {"policy": "SCHED_RR", "priority": 9}'
    [ "$output" = $'2\n9' ]
    run_script "$(stat_field 41); $(stat_field 40)" '.process.scheduler = {"policy": "SCHED_FIFO", "priority": 1}'
    [ "$output" = $'1\n1' ]
    chrt -d --sched-runtime 100000 --sched-deadline 1000000 --sched-period 1000000 0 true 2> /dev/null || return 0
    configure '.process.args = ["cat", "/proc/self/stat"] | .process.scheduler =
        {"policy": "SCHED_DEADLINE", "runtime": 100000, "deadline": 1000000, "period": 1000000}'
    run oci run "$ID"
    [ "$(sed 's/.*) //' <<< "$output" | cut -d' ' -f39)" = 6 ]
}

@test "process.scheduler: what the kernel or the specification refuses is an error of that name" {
    local wrong expected
    while IFS='|' read -r wrong expected; do
        configure ".process.scheduler = $wrong"
        run oci run "$ID"
        fails_with "config.json: process.scheduler$expected"
    done <<'TABLE'
{"policy": "SCHED_OTHER", "nice": 20}|.nice: expected an integer from -20 to 19, found 20
{"policy": "SCHED_OTHER", "priority": 1}|.priority: expected none, as only SCHED_FIFO and SCHED_RR have one, found 1
{"policy": "SCHED_FIFO"}|.priority: expected an integer from 1 to 99, found 0
{"policy": "SCHED_RR", "priority": 100}|.priority: expected an integer from 1 to 99, found 100
{"policy": "SCHED_BATCH", "runtime": 5}|: runtime, deadline and period are for SCHED_DEADLINE alone
TABLE
    configure '.process.scheduler = {"policy": "SCHED_DEADLINE", "runtime": 5, "deadline": 1, "period": 1}'
    run oci run "$ID"
    fails_with "run container \"$ID\": set process.scheduler: Invalid argument" ||
        [[ "$output" == *"set process.scheduler (real-time policies and a lower nice value need CAP_SYS_NICE on the host): Operation not permitted" ]]
    # Root of a user namespace is nobody who may do so.
    chown -hR 100000:100000 "$ROOTFS"
    configure '.process.scheduler = {"policy": "SCHED_FIFO", "priority": 1} | '"$USERNS"
    run oci run "$ID"
    fails_with "run container \"$ID\": set process.scheduler (real-time policies and a lower nice value need CAP_SYS_NICE on the host): Operation not permitted"
    nothing_left
}

@test "process.ioPriority: class and level are the command's" {
    run_script 'busybox ionice -p $$' '.process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}'
    [ "$output" = "best-effort: prio 6" ]
    run_script 'busybox ionice -p $$' '.process.ioPriority = {"class": "IOPRIO_CLASS_IDLE"}'
    [[ "$output" == "idle"* ]]
    run_script 'busybox ionice -p $$' '.process.ioPriority = {"class": "IOPRIO_CLASS_RT", "priority": 2}'
    [ "$output" = "realtime: prio 2" ]
    chown -hR 100000:100000 "$ROOTFS"
    run_script true "$USERNS"
    fails_with "run container \"$ID\": set process.ioPriority (IOPRIO_CLASS_RT needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host): Operation not permitted"
}

@test "linux.personality: the command sees a machine of 32 bits" {
    [ "$(uname -m)" = x86_64 ] || skip "the other machine's name is known for x86-64 only"
    run_script 'busybox uname -m' '.linux.personality = {"domain": "LINUX32"}'
    [ "$output" = i686 ]
    configure '.linux.personality = {"domain": "LINUX"}'
    run setarch i686 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$output" = x86_64 ]
}

@test "linux.memoryPolicy: mode, nodes and flags are the command's" {
    [ -e /proc/self/numa_maps ] || skip "this kernel knows nothing of memory nodes"
    local all
    all=$(< /sys/devices/system/node/has_memory)
    run_script 'head -1 /proc/self/numa_maps | cut -d" " -f2' '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0"}'
    [ "$output" = bind:0 ]
    run_script 'head -1 /proc/self/numa_maps | cut -d" " -f2' '.linux.memoryPolicy = {"mode": "MPOL_INTERLEAVE", "nodes": $all, "flags": ["MPOL_F_STATIC_NODES"]}' --arg all "$all"
    [[ "$output" == interleave=static:* ]]
    run_script 'head -1 /proc/self/numa_maps | cut -d" " -f2' '.linux.memoryPolicy = {"mode": "MPOL_LOCAL"}'
    [ "$output" = local ]
    run_script 'head -1 /proc/self/numa_maps | cut -d" " -f2' '.linux.memoryPolicy = {"mode": "MPOL_DEFAULT"}'
    [ "$output" = default ]
}

@test "linux.memoryPolicy: what cannot be is refused by name" {
    configure '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0-"}'
    run oci run "$ID"
    fails_with "run container \"$ID\": config.json: linux.memoryPolicy.nodes: expected a list of memory nodes like 0-3,7, found \"0-\""
    [ -e /proc/self/numa_maps ] || skip "this kernel knows nothing of memory nodes"
    configure '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "1000"}'
    run oci run "$ID"
    fails_with "run container \"$ID\": set linux.memoryPolicy (does the host have these memory nodes, and its kernel this mode and these flags?): Invalid argument"
    configure '.linux.memoryPolicy = {"mode": "MPOL_BIND"}'
    run oci run "$ID"
    fails_with "run container \"$ID\": set linux.memoryPolicy (does the host have these memory nodes, and its kernel this mode and these flags?): Invalid argument"
    nothing_left
}

@test "process.oomScoreAdj: set when told, untouched when not" {
    local own
    own=$(< /proc/self/oom_score_adj)
    run_script 'cat /proc/self/oom_score_adj' 'del(.process.oomScoreAdj)'
    [ "$output" = "$own" ]
    run_script 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 345'
    [ "$output" = 345 ]
    chown -hR 100000:100000 "$ROOTFS"
    run_script 'cat /proc/self/oom_score_adj' "$USERNS"' | .process.oomScoreAdj = 346'
    [ "$output" = 346 ]
}

@test "process.oomScoreAdj: root lowers it for a user namespace, too" {
    (echo -5 > /proc/self/oom_score_adj) 2> /dev/null || skip "root may not lower it here (no CAP_SYS_RESOURCE)"
    chown -hR 100000:100000 "$ROOTFS"
    run_script 'cat /proc/self/oom_score_adj' "$USERNS"' | .process.oomScoreAdj = -500'
    [ "$output" = -500 ]
}

@test "exec: the clocks, the personality and the memory policy are the container's, the rest the new process's own" {
    needs_time_namespaces
    configure '.process.args = ["sleep", "60"] | .linux.personality = {"domain": "LINUX32"} | .process.scheduler = {"policy": "SCHED_BATCH", "nice": 4}
        | .process.ioPriority = {"class": "IOPRIO_CLASS_IDLE"} | .linux.timeOffsets.boottime.secs = 1000000 | '"$TIME"
    oci create "$ID" > /dev/null 3>&-
    oci start "$ID"
    run oci exec "$ID" sh -c "cut -d. -f1 /proc/uptime; busybox uname -m; busybox ionice -p \$\$; $(stat_field 41)"
    [ "${lines[0]}" -ge 1000000 ]
    [[ "${lines[1]}" == i?86 || "$(uname -m)" != x86_64 ]]
    [[ "${lines[2]}" == idle* ]]
    [ "${lines[3]}" = 3 ]
    echo '{"args": ["sh", "-c", "busybox ionice -p $$; cat /proc/self/oom_score_adj"], "cwd": "/", "env": ["PATH=/bin"],
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 5}, "oomScoreAdj": 123}' > process.json
    run oci exec --process process.json "$ID"
    [ "$output" = $'best-effort: prio 5\n123' ]
}

# A key that only its possessor sees, in the caller's session keyring.
with_secret_key() {
    needs python3
    [ -e /proc/keys ] || skip "this kernel has no keyrings"
    python3 - "$@" <<'PYTHON'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
join, setperm = 1, 5
if libc.syscall(keyctl, join, None) < 0:
    sys.exit("no session keyring")
key = libc.syscall(add_key, b"user", b"coffer-secret", b"x", 1, -3)
if key < 0 or libc.syscall(keyctl, setperm, key, 0x3f000000) < 0:
    sys.exit("no key")
os.execvp(sys.argv[1], sys.argv[1:])
PYTHON
}

@test "session keyring: the caller's keys are not the container's" {
    configure_script 'grep -c coffer-secret /proc/keys' '.linux.maskedPaths -= ["/proc/keys"]'
    run with_secret_key "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$output" = 0 ]
    chown -hR 100000:100000 "$ROOTFS"
    configure "$USERNS"
    run with_secret_key "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$output" = 0 ]
}

@test "session keyring: nor do startContainer hooks, programs of the image, reach the caller's keys" {
    configure_script 'cat /tmp/hook; grep -c coffer-secret /proc/keys' '.linux.maskedPaths -= ["/proc/keys"] | .root.readonly = false
        | .hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "grep -c coffer-secret /proc/keys > /tmp/hook; true"], "env": ["PATH=/bin"]}]'
    run with_secret_key "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$output" = $'0\n0' ]
    run with_secret_key "$COFFER_OCI" --root "$(coffer_root)/oci" run --no-new-keyring "$ID"
    [ "$output" = $'1\n1' ]
}

@test "--no-new-keyring: the session keyring stays the caller's" {
    configure_script 'grep -c coffer-secret /proc/keys' '.linux.maskedPaths -= ["/proc/keys"]'
    run with_secret_key "$COFFER_OCI" --root "$(coffer_root)/oci" run --no-new-keyring "$ID"
    [ "$output" = 1 ]
    with_secret_key "$COFFER_OCI" --root "$(coffer_root)/oci" create --no-new-keyring "$ID" > /dev/null 3>&-
}
