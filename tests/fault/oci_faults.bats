#!/usr/bin/env bats
# The low level when things go wrong: killed at any moment, system calls that fail, many at once. What is left behind must be gone
# with the next command, and a container never runs with a weaker wall than its configuration asks for.
bats_require_minimum_version 1.5.0
load ../cli/helpers
load ../cli/bundle

setup_file() {
    needs_root
    needs strace
    bundle_setup_file
}

setup() {
    bundle_setup
    mkfifo never
    exec {NEVER}<> never
}

teardown() {
    exec {NEVER}>&-
    bundle_teardown
}

# Sleeps without a process of its own.
pause_ms() {
    read -r -t "$(printf '0.%03d' "$1")" -u "$NEVER" || true
}

# kill_at_random VERB: starts it a hundred times, each time in a root of its own, and kills it up to 25 ms later.
kill_at_random() {
    local verb=$1 i
    cp config.json sleeper.json
    for ((i = 0; i < 100; i++)); do
        cp sleeper.json config.json
        "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" "$verb" "$ID.$i" > /dev/null 2>&1 < /dev/null 3>&- &
        JOB=$!
        pause_ms $((RANDOM % 25))
        kill -9 "$JOB" 2> /dev/null || true
        wait "$JOB" 2> /dev/null || true
        # Its death signal to init is on the way: until then init, not executed yet, shares the lock on the folder.
        pause_ms 10
        # What is a created container by now is one that the next command leaves alone.
        if [ "$verb" = create ] && [ "$("$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" state "$ID.$i" 2> /dev/null | jq -r .status)" = created ] &&
            "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" start "$ID.$i" 2> /dev/null; then
            "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" delete --force "$ID.$i"
        fi
        configure '.process.args = ["true"]'
        "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" run "$ID.$i.next"
        find "$BATS_TEST_TMPDIR/root.$i" -mindepth 1 -not -name '.*'
        [ -z "$(find "$BATS_TEST_TMPDIR/root.$i" -mindepth 1 -not -name '.*')" ]
        wait_for nothing_left "$ID.$i"
    done
    wait_for nothing_left
}

@test "a run killed at any moment leaves nothing behind the next command" {
    configure '.process.args = ["sleep", "60"]'
    kill_at_random run
}

@test "a create killed at any moment leaves nothing behind the next command" {
    configure '.process.args = ["sleep", "60"]'
    kill_at_random create
}

@test "run and create with a user namespace, killed at any moment" {
    chown -R 100000:100000 "$ROOTFS"
    for verb in run create; do
        cp "$BATS_FILE_TMPDIR/bundle/config.json" .
        configure '.process.args = ["sleep", "60"] | .linux.namespaces += [{"type": "user"}]
            | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.uidMappings = .linux.gidMappings'
        kill_at_random $verb
    done
}

@test "an exec killed at any moment leaves no more than its command, which goes on" {
    local i
    alone() {
        [ "$(oci exec "$ID" sh -c 'set -- /proc/[0-9]*; echo $#' < /dev/null)" = 2 ]
    }
    configure '.process.args = ["sleep", "1000"]'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    for ((i = 0; i < 100; i++)); do
        "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" sh -c 'exit 0' > /dev/null 2>&1 < /dev/null 3>&- &
        JOB=$!
        pause_ms $((RANDOM % 8))
        kill -9 "$JOB" 2> /dev/null || true
        wait "$JOB" 2> /dev/null || true
        wait_for alone
    done
    oci delete --force "$ID"
    wait_for nothing_left
}

@test "200 runs one after the other, and as many eight at a time" {
    configure '.process.args = ["true"]'
    for ((i = 0; i < 200; i++)); do
        oci run "$ID.$i" < /dev/null
    done
    nothing_left
    # shellcheck disable=SC2016 # the inner shell's
    seq 200 | xargs -P 8 -I{} "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID.p{}" 3>&-
    nothing_left
}

@test "many at once start, are asked about and deleted" {
    configure '.process.args = ["sleep", "60"]'
    # shellcheck disable=SC2016 # the inner shell's
    seq 40 | xargs -P 8 -I{} sh -c '"$0" --root "$1" create "$2.$3" && "$0" --root "$1" start "$2.$3" &&
        "$0" --root "$1" state "$2.$3" > /dev/null && "$0" --root "$1" delete --force "$2.$3"' \
        "$COFFER_OCI" "$(coffer_root)/oci" "$ID" {} 3>&- < /dev/null
    nothing_left
}

@test "one id, eight at once: one gets it" {
    configure '.process.args = ["sleep", "60"]'
    for i in 1 2 3; do
        # shellcheck disable=SC2016 # the inner shell's
        seq 8 | xargs -P 8 -I{} sh -c '"$0" --root "$1" create "$2" && echo made' "$COFFER_OCI" "$(coffer_root)/oci" "$ID" \
            > made 2> refused 3>&- || true
        [ "$(grep -c made made)" -eq 1 ]
        [ "$(grep -c 'exists already' refused)" -eq 7 ]
        [ "$(wc -l < refused)" -eq 7 ]
        has_status created
        oci delete --force "$ID"
        nothing_left
    done
}

# --- failing system calls ---

# What the command sees of its walls.
WALLS='grep -E "^(CapEff|CapBnd|CapInh|NoNewPrivs|Seccomp|Groups):" /proc/self/status; hostname; stat -c "%F %t:%T" /proc/keys; id; pwd
    for t in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$t | cut -d: -f1; done; touch /x 2>&1; ulimit -n; ls /sys/firmware; umask
    echo 1 2> /dev/null > /proc/sys/net/ipv4/ip_forward || echo refused; grep -vc " /sys/fs/cgroup/" /proc/self/mountinfo; cut -d: -f3 /proc/self/cgroup | sort -u'

# Calls whose failure must never be passed over, or only where that makes no difference.
CALLS="clone3 memfd_create socketpair execveat sendmsg recvmsg setsid open_tree move_mount mount_setattr fsopen fsconfig fsmount pivot_root
    umount2 unshare openat2 mkdirat symlinkat mknodat fchdir chdir sethostname setrlimit setgroups setresgid setresuid capset prctl seccomp
    close_range execve flock pwrite64 write openat dup2 getcwd fchown fstatfs bpf unlinkat fcntl read"

# How often each call is made at most by one process, up to the command: "count call".
count_calls() {
    awk '{
        pid = $1; call = $2; sub(/\(.*/, "", call)
        if (done[pid]) { next }
        if (call == "execve" && started[pid]++ > 0 || call == "execve" && NR > 1) { done[pid] = 1 }
        if (call ~ /^[a-z]/) { n = ++count[pid, call]; if (n > most[call]) { most[call] = n } }
    } END { for (call in most) { print most[call], call } }' "$1"
}

# The lines of the trace where the command itself, not the runtime, got the fault.
hit_the_command() {
    awk '
        { pid = $1 }
        $2 ~ /^execve\(/ && NR > 1 && !/INJECTED/ { is_command[pid] = 1 }
        / (v?fork|clone3?)\(|resumed>.*clone/ && is_command[pid] { is_command[$NF] = 1 }
        /INJECTED/ && is_command[pid] { hit = 1 }
        END { exit !hit }' "$1"
}

# inject_faults ARGS...: one call of the low level, with each system call failing in turn. The command shows its walls; `reference` has
# what they are. after_fault, the test's own, looks at what is left. Counts what it has done in $injected, $tolerated and $refused.
inject_faults() {
    local call most n status where
    strace -f -qq -o trace "$COFFER_OCI" --root "$(coffer_root)/oci" "$@" < /dev/null > traced
    diff reference traced
    count_calls trace > counts
    injected=0 tolerated=0 refused=0
    for call in $CALLS; do
        most=$(awk -v call="$call" '$2 == call { print $1 }' counts)
        for ((n = 1; n <= ${most:-0} && n <= 40; n++)); do
            status=0
            timeout -k 1 20 strace -f -qq -o trace -e trace=execve,clone,fork,vfork,clone3,"$call" -e inject="$call:error=EIO:when=$n" \
                "$COFFER_OCI" --root "$(coffer_root)/oci" "$@" > out 2> errors < /dev/null || status=$?
            grep -q INJECTED trace || continue
            injected=$((injected + 1))
            where="$call, the ${n}th time: exit code $status"
            if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
                echo "$where, hangs"
                return 1
            fi
            if hit_the_command trace; then
                : # what it does of it is its own affair
            elif [ "$status" -eq 0 ]; then
                tolerated=$((tolerated + 1))
                diff reference out || { echo "$where, and other walls"; return 1; }
            else
                refused=$((refused + 1))
                # Each process has a fault of its own: a broken pipe is what one sees who cannot read the other's last words either.
                if [ -s out ] || ! grep -qE "^coffer: .*((Input/output|I/O) error|talk to the container's init: Broken pipe)" errors; then
                    echo "$where, and says $(cat errors)"
                    # The program itself did not start, or the message was what could not be written.
                    [ -s errors ] || grep -qE '^[0-9]+ (execve.*|write\(2, "coffer: .*|<... write resumed>.*)INJECTED' trace || return 1
                fi
            fi
            after_fault || { echo "$where: $(cat errors)"; return 1; }
        done
    done
    echo "$injected faults: $refused refused, $tolerated without effect"
}

FILTER='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}'

@test "a system call that fails ends the run with the step's name, and never weakens a wall" {
    after_fault() {
        oci run "$ID.next" > /dev/null 2>&1 < /dev/null
        wait_for nothing_left || nothing_left
    }
    configure_script "$WALLS" "$FILTER"
    oci run "$ID" > reference < /dev/null
    inject_faults run "$ID"
    [ "$injected" -ge 200 ]
    [ "$refused" -ge 120 ]
}

@test "a system call that fails ends an exec with the step's name, and never weakens a wall" {
    # Nobody is left in the container but its first process.
    alone() {
        [ "$(oci exec "$ID" sh -c 'set -- /proc/[0-9]*; echo $#' < /dev/null)" = 2 ]
    }
    after_fault() {
        wait_for alone
    }
    configure_script 'sleep 1000' "$FILTER"
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    oci exec "$ID" sh -c "$WALLS" > reference < /dev/null
    inject_faults exec "$ID" sh -c "$WALLS"
    [ "$injected" -ge 100 ]
    [ "$refused" -ge 60 ]
    oci delete --force "$ID"
    wait_for nothing_left
}

# --- mounts of a container that is there ---

hot_table() {
    cut -d' ' -f1,2,4,5,6 "/proc/$(pid_of)/mountinfo"
}

@test "mounts add: whatever system call fails, all mounts are there or none" {
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false'
    mkdir source
    touch source/file
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    echo '[{"destination": "/a", "source": "source", "options": ["bind", "ro"]}, {"destination": "/b", "type": "tmpfs", "source": "t"},
        {"destination": "/c", "source": "source/file", "options": ["bind"]}]' > mounts.json
    oci mounts add "$ID" mounts.json
    oci mounts remove "$ID" mounts.json
    hot_table > before
    local call when failed=0
    for call in move_mount open_tree fsopen fsconfig fsmount mount_setattr setns statx openat2 fchmodat fstatfs sendmsg recvmsg clone3 execveat; do
        for when in 1 2 3 4 5; do
            run timeout -k 1 20 strace -f -o /dev/null -e trace="$call" -e inject="$call:error=EIO:when=$when" \
                "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" mounts.json
            if [ "$status" -eq 0 ]; then # so often it was not called, or there is another way
                [ "$(hot_table | wc -l)" -eq "$(($(wc -l < before) + 3))" ]
                oci mounts remove "$ID" mounts.json
            else
                echo "$call $when: $output"
                [ "$status" -eq 1 ]
                [[ "$output" == "coffer: add mounts to container \"$ID\": "* ]]
                failed=$((failed + 1))
            fi
            diff before <(hot_table)
        done
    done
    echo "$failed calls failed"
    [ "$failed" -gt 20 ]
}

@test "mounts add: one that was killed half way says so" {
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    echo '[{"destination": "/a", "type": "tmpfs"}, {"destination": "/b", "type": "tmpfs"}]' > mounts.json
    run timeout -k 1 20 strace -f -o /dev/null -e trace=move_mount -e inject=move_mount:signal=KILL:when=2 \
        "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" mounts.json
    fails_with "add mounts to container \"$ID\": the process that was to do it was killed; some of the mounts may have been changed"
}

@test "mounts add: when the runtime is killed, so is who mounts for it" {
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false | .linux.namespaces += [{"type": "user"}]
        | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
    chown -R 100000:100000 "$ROOTFS"
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    echo '[{"destination": "/tmp", "type": "tmpfs"}]' > mounts.json
    hot_table > before
    timeout -k 1 30 strace -f -o /dev/null -e trace=move_mount -e inject=move_mount:signal=STOP:when=1 \
        "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" mounts.json > /dev/null 2>&1 < /dev/null 3>&- &
    JOB=$!
    wait_for eval 'pgrep -P "$(pgrep -P "$JOB")" coffer'
    runtime=$(pgrep -P "$(pgrep -P "$JOB")" coffer)
    wait_for pgrep -P "$runtime" coffer-init
    inside=$(pgrep -P "$runtime" coffer-init)
    # It has joined the container's mounts, and made one. What keeps it there could as well be a file system of the container's.
    wait_for eval '! diff before <(hot_table)'
    kill -9 "$runtime"
    local i
    for ((i = 0; i < 50; i++)); do
        kill -0 "$inside" 2> /dev/null || break
        sleep 0.05
    done
    [ "$i" -lt 50 ]
}
