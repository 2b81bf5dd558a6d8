#!/usr/bin/env bats
# The low level when the kernel says no: each system call of a run, a create, a start, an exec, a pause and a delete fails in turn, with EIO,
# ENOMEM and EPERM. The command either runs behind exactly the walls of its configuration or not at all; the message names the step;
# nothing stays behind the next command. Which calls there are is asked of a trace, so that a new one is failed without being listed here.
#
#   FULL=1          all faults; else every FAULT_STRIDEth of them (16), a different choice each day
#   FAULT_SEED=N    the choice of another day, as a failed test printed it
bats_require_minimum_version 1.5.0
load ../cli/helpers
load ../cli/bundle

# Calls that cannot fail, or whose failure means nothing to anybody.
NEVER_FAIL=" exit exit_group rt_sigreturn restart_syscall getpid getppid gettid getuid geteuid getgid getegid umask close munmap uname set_tid_address set_robust_list rseq
    arch_prctl mprotect brk mmap poll wait4 waitid "

ERRORS="EIO ENOMEM EPERM"

# What the command sees of its walls.
WALLS='grep -E "^(Cap...|NoNewPrivs|Seccomp|Groups):" /proc/self/status; hostname; stat -c "%F %t:%T" /proc/keys; id; pwd
    for t in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$t | cut -d: -f1; done; touch /x 2>&1; ulimit -n; ls /sys/firmware; umask
    echo 1 2> /dev/null > /proc/sys/net/ipv4/ip_forward || echo refused; grep -vc " /sys/fs/cgroup/" /proc/self/mountinfo; cut -d: -f3 /proc/self/cgroup | sort -u
    cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_default_ttl; head -c 1 /dev/denied 2>&1; cat /sys/fs/cgroup/pids/pids.max 2> /dev/null || cat /sys/fs/cgroup/pids.max 2> /dev/null || echo 64
    ls /proc/self/fd | wc -l; grep -c . /proc/self/uid_map; ls -A /dev | xargs; [ "$(readlink /proc/self/ns/net)" != "$HOST_NET" ] && echo own'

FILTER='.process.oomScoreAdj = 333 | .process.user.additionalGids = [7] | .process.env += ["HOST_NET=" + $net] | .linux.sysctl = {"net.ipv4.ip_default_ttl": "77"}
    | .linux.resources.pids = {"limit": 64} | .linux.devices = [{"path": "/dev/denied", "type": "c", "major": 60, "minor": 5, "fileMode": 438}]
    | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}'

setup_file() {
    needs_root
    needs strace
    bundle_setup_file
}

setup() {
    [ "${SAN:-0}" != 1 ] || skip "a sanitised program makes system calls of its own, which the faults would hit"
    bundle_setup
    FAULT_SEED=${FAULT_SEED:-$(($(date +%s) / 86400))}
    injected=0 tolerated=0 refused=0 passed_over=0 bad=0
    CALL=(timeout -k 1 20)
    OCI=("$COFFER_OCI" --root "$(coffer_root)/oci")
    echo "FAULT_SEED=$FAULT_SEED"
}

teardown() {
    bundle_teardown
}

with_walls() {
    configure_script "$1" "$FILTER" --arg net "$(readlink /proc/self/ns/net)"
}

# How often each call is made at most by one process, up to the command: "call count" in the order of the first time. What is too new for
# this strace has a number only, by which it fails nothing.
count_calls() {
    awk -v never="$NEVER_FAIL" '{
        pid = $1; call = $2; sub(/\(.*/, "", call)
        if (done[pid]) { next }
        if (call == "execve" && NR > 1) { done[pid] = 1 }
        if (call ~ /^[a-z]/ && call !~ /^syscall_0x/ && index(never, " " call " ") == 0) {
            if (!(call in most)) { order[++calls] = call }
            n = ++count[pid, call]; if (n > most[call]) { most[call] = n }
        }
    } END { for (i = 1; i <= calls; i++) { print order[i], most[order[i]] } }' "$1"
}

# The lines of the trace where the command itself, not the runtime, got the fault.
hit_the_command() {
    awk '
        { pid = $1 }
        $2 ~ /^execve\(/ && NR > 1 && !/INJECTED/ { is_command[pid] = executed = 1 }
        !executed { seen[pid] = 1 } # what comes up later is what the command has made
        /INJECTED/ && (is_command[pid] || executed && !seen[pid]) { hit = 1 }
        END { exit !hit }' "$1"
}

# The faults that are to be tried today, of the trace of a call that went well: "call count error" each.
faults() {
    count_calls trace | awk -v errors="$ERRORS" -v seed="$FAULT_SEED" -v stride="${FAULT_STRIDE:-16}" -v full="${FULL:-0}" '{
        n = split(errors, error, " ")
        for (count = 1; count <= $2 && count <= 60; count++) {
            for (e = 1; e <= n; e++) {
                if (full != 0 || (at++ + seed) % stride == 0) { print $1, count, error[e] }
            }
        }
    }'
}

words_of() {
    case $1 in
    EIO) echo '(Input/output|I/O) error' ;;
    ENOMEM) echo '(Out of|Cannot allocate) memory' ;;
    EPERM) echo 'Operation not permitted' ;;
    esac
}

# A refusal is one line that names the program and the step. What the kernel says stands there, too, but where the runtime knows better
# what that answer means.
is_named() { # ERROR FILE
    [ "$(grep -c '^coffer: ' "$2")" -ge 1 ] && ! grep -qvE '^coffer: ' "$2" || return 1
    # Of a container whose init has met the fault, the next command only sees that it stopped; a C library may have its own word for a
    # directory that it cannot read.
    [ "$1" != EIO ] || grep -qE "$(words_of "$1")|only a created one can be started|(read|remove) the directory of container" "$2"
}

# strace FAULT ARGS...: its options, and the low level with these arguments.
traced() {
    local call=$1 count=$2 error=$3
    shift 3
    "${CALL[@]}" strace -f -q -o trace -e "trace=execve,clone,fork,vfork,clone3,$call" -e "inject=$call:error=$error:when=$count" "${OCI[@]}" "$@"
}

# judge: after a call with a fault, by $code, the files `out` and `errors`; `ran` tells that the command was to run.
judge() { # WHERE ERROR
    if [ "$code" -eq 124 ] || [ "$code" -eq 137 ]; then
        echo "$1: hangs"
        return 1
    fi
    if hit_the_command trace; then
        passed_over=$((passed_over + 1)) # what it does of it is its own affair
    elif [ "$code" -eq 0 ]; then
        tolerated=$((tolerated + 1))
        diff reference out || { echo "$1: other walls"; return 1; }
    else
        refused=$((refused + 1))
        # Of the command nothing ran, or it did behind its walls (it was there before the runtime failed, and killed it). Without a word: the
        # program itself did not start, or the word is what could not be written.
        if ! head -c "$(stat -c %s out)" reference | diff - out || ! { is_named "$2" errors || grep -qE '^[0-9]+ +(execve.*|writev?\(2, .*)INJECTED' trace; }; then
            echo "$1: it says \"$(cat errors)\", and the command \"$(cat out)\""
            return 1
        fi
    fi
}

# A test that injected nothing has tested nothing.
sums_up() {
    echo "$(wc -l < list) faults, $injected injected: $refused refused, $tolerated without effect, $passed_over into the command; $bad wrong"
    [ "$bad" -eq 0 ] && [ "$injected" -ge $(($(wc -l < list) / 2)) ] && [ "$refused" -ge 1 ]
}

# inject_faults ARGS...: each fault into one call of the low level. before_fault and after_fault are the test's own.
inject_faults() {
    local call count error code=0 where
    before_fault
    "${CALL[@]}" strace -f -q -o trace "${OCI[@]}" "$@" < /dev/null > out
    diff reference out
    faults > list
    after_fault || return 1
    while read -r call count error; do
        before_fault
        code=0
        traced "$call" "$count" "$error" "$@" > out 2> errors < /dev/null 3>&- || code=$?
        where="$1: $call, the ${count}th time, $error: exit code $code"
        if grep -q INJECTED trace; then
            injected=$((injected + 1))
            judge "$where" "$error" || bad=$((bad + 1))
        fi
        after_fault || { echo "$where: $(cat errors)"; return 1; }
    done < list
    sums_up
}

# Nothing stands behind the next command.
next_command_cleans_up() {
    "${OCI[@]}" run --config true.json "$ID.next" < /dev/null > /dev/null 2>&1 3>&-
    wait_for nothing_left || nothing_left
}

make_true() {
    jq '.process.args = ["true"]' config.json > true.json
}

before_fault() { :; }

@test "a system call that fails ends a run with the step's name, and never weakens a wall" {
    after_fault() { next_command_cleans_up; }
    make_true
    with_walls "$WALLS"
    oci run "$ID" > reference < /dev/null
    grep -qx own reference
    inject_faults run "$ID"
}

@test "a system call that fails ends an exec with the step's name, and never weakens a wall" {
    # Nobody is left in the container but its first process.
    alone() {
        # A zombie is left of what the killed command had made: its new parent, sleep, waits for nobody.
        # shellcheck disable=SC2016 # the inner shell's
        [ "$(oci exec "$ID" sh -c 'n=0; for s in /proc/[0-9]*/status; do grep -q "^State:.[ZX]" $s || n=$((n + 1)); done; echo $n' < /dev/null)" = 2 ]
    }
    after_fault() { wait_for alone; }
    with_walls 'sleep 1000'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    oci exec "$ID" sh -c "$WALLS" > reference < /dev/null
    grep -qx own reference
    inject_faults exec "$ID" sh -c "$WALLS"
    oci delete --force "$ID"
    wait_for nothing_left
}

# Init lives on behind a create, with its trace: until the command that `start` brings has ended.
create_traced() { # LINE OF list
    local job maker
    code=0
    : > trace
    : > errors
    if [ $# -eq 0 ]; then
        "${CALL[@]}" strace -f -q -o trace "${OCI[@]}" create "$ID" > out 2> errors < /dev/null 3>&- &
    else
        traced "$@" create "$ID" > out 2> errors < /dev/null 3>&- &
    fi
    job=$!
    JOB=$job
    wait_for test -s trace
    maker=$(head -1 trace | cut -d' ' -f1)
    wait_for grep -qE "^$maker +[+]{3} " trace || { echo "create: $*: hangs: $(< errors)"; return 1; }
    code=$(sed -n "s/^$maker  *+++ exited with \([0-9]*\) .*/\1/p" trace)
    code=${code:-137}
    if [ "$code" -eq 0 ]; then
        [ ! -s out ] || { echo "the command ran before start: $(< out)"; return 1; }
        "${CALL[@]}" "${OCI[@]}" start "$ID" 2>> errors || code=$?
        # Its init, or the command, is what strace waits for.
    fi
    # What was not started waits on.
    [ "$code" -eq 0 ] || "${OCI[@]}" delete --force "$ID" 2>> errors || true
    wait "$job" || true
    "${OCI[@]}" delete --force "$ID" 2>> errors || true
}

@test "a system call that fails in a create, or in its init up to the command, is told by create or start" {
    local fault code
    make_true
    with_walls "$WALLS"
    oci run "$ID" > reference < /dev/null
    create_traced
    diff reference out
    faults > list
    while read -r -a fault; do
        create_traced "${fault[@]}"
        if grep -q INJECTED trace; then
            injected=$((injected + 1))
            judge "create: ${fault[*]}: exit code $code" "${fault[2]}" || bad=$((bad + 1))
        fi
        next_command_cleans_up || { echo "create: ${fault[*]}: exit code $code: $(cat errors)"; return 1; }
    done < list
    sums_up
}

@test "a system call that fails in a start leaves the container as it was, or ends it" {
    # Whatever start said: the command has run behind its walls, or not at all, and can be started again where the container is created.
    before_fault() {
        rm -f "$ROOTFS/tmp/walls"
        oci create "$ID" > /dev/null 2>&1 < /dev/null 3>&-
    }
    after_fault() {
        if has_status created; then
            [ ! -e "$ROOTFS/tmp/walls" ] || { echo "it ran, and is created still"; return 1; }
            oci start "$ID" || return 1
        fi
        wait_for has_status stopped || return 1
        [ ! -e "$ROOTFS/tmp/walls" ] || diff walls "$ROOTFS/tmp/walls" || return 1
        oci delete "$ID" && next_command_cleans_up
    }
    make_true
    with_walls "{ $WALLS
        } > /tmp/walls.new; mv /tmp/walls.new /tmp/walls"
    configure '.mounts += [{"destination": "/tmp", "type": "bind", "source": "rootfs/tmp", "options": ["bind"]}]'
    chmod 1777 "$ROOTFS/tmp"
    oci run "$ID" > reference < /dev/null
    mv "$ROOTFS/tmp/walls" walls
    FAULT_STRIDE=${FAULT_STRIDE:-6}
    inject_faults start "$ID"
}

@test "a system call that fails in a delete leaves what the next delete removes" {
    before_fault() {
        oci create "$ID" > /dev/null 2>&1 < /dev/null 3>&-
    }
    after_fault() {
        oci delete --force "$ID" && next_command_cleans_up
    }
    make_true
    configure '.process.args = ["sleep", "60"]'
    : > reference
    FAULT_STRIDE=${FAULT_STRIDE:-6}
    inject_faults delete --force "$ID"
}

@test "a system call that fails in a pause leaves a container that runs, or is paused and can be resumed" {
    ticks() {
        local before
        before=$(stat -c %s "$ROOTFS/tmp/ticks")
        wait_for eval '[ "$(stat -c %s "$ROOTFS/tmp/ticks")" -gt '"$before"' ]'
    }
    after_fault() {
        if [ "$code" -eq 0 ]; then
            has_status paused && oci resume "$ID" || return 1
        fi
        has_status running && ticks
    }
    configure_script 'while :; do echo tick >> /tmp/ticks; sleep 0.02; done' '.root.readonly = false'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    wait_for test -s "$ROOTFS/tmp/ticks"
    : > reference
    FAULT_STRIDE=${FAULT_STRIDE:-6}
    inject_faults pause "$ID"
    oci delete --force "$ID"
    wait_for nothing_left
}
