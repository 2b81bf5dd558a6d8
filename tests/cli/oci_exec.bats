#!/usr/bin/env bats
# The low level: further commands in a container that is there.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "1000"] | .process.env = ["PATH=/bin", "OWN=config"]'
    USERNS='.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.uidMappings = .linux.gidMappings'
}

teardown() {
    bundle_teardown
}

running() { # [FILTER [JQ ARGS...]]
    [ $# -eq 0 ] || configure "$@"
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
}

exec_fails_with() {
    [ "$status" -eq 255 ] && [ "$output" = "coffer: exec in container \"$ID\": $1" ] || {
        echo "exit code $status: $output"
        echo "expected: coffer: exec in container \"$ID\": $1"
        return 1
    }
}

# --- the command and its exit code ---

@test "exec runs a command inside and ends with its exit code" {
    running
    for code in 0 1 42 125 126 127 255; do
        run "-$code" oci exec "$ID" sh -c "exit $code"
    done
    run oci exec "$ID" sh -c 'kill -KILL $$'
    [ "$status" -eq 137 ]
    run oci exec "$ID" echo one -t --user two
    [ "$output" = 'one -t --user two' ]
    oci delete --force "$ID"
    wait_for nothing_left
}

@test "exec passes standard input, output and errors through" {
    running
    echo in | oci exec "$ID" sh -c 'cat; echo err >&2' > out 2> err
    [ "$(< out)" = in ]
    [ "$(< err)" = err ]
}

@test "a command that cannot be run is an error of one sentence that engines know, and 255" {
    running
    run oci exec "$ID" nowhere
    exec_fails_with 'command "nowhere": executable file not found in $PATH of the container'
    run oci exec "$ID" /bin/nowhere
    exec_fails_with 'command "/bin/nowhere": no such file or directory in the container'
    run oci exec "$ID" /etc/passwd
    exec_fails_with 'command "/etc/passwd" cannot be executed: permission denied'
    run oci exec "$ID" /etc
    exec_fails_with 'command "/etc" is a directory: permission denied'
    printf '#!/nowhere\n' > "$ROOTFS/bin/script"
    chmod +x "$ROOTFS/bin/script"
    run oci exec "$ID" script
    exec_fails_with 'command "script": its interpreter or dynamic loader is missing in the container: no such file or directory'
    run oci exec "$ID" ''
    exec_fails_with 'expected a command to run, found ""'
    run oci exec "$ID"
    exec_fails_with_usage=$output
    [ "$status" -eq 255 ]
    [ "$exec_fails_with_usage" = "coffer: expected a command behind the container's id, or --process" ]
    # What failed leaves nothing in the container.
    [ "$(oci exec "$ID" sh -c 'set -- /proc/[0-9]*; echo $#')" = 2 ]
}

@test "exec needs a container that is there, and not stopped" {
    run oci exec "$ID" true
    exec_fails_with "container \"$ID\" does not exist"
    running
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci exec "$ID" true
    exec_fails_with 'cannot exec in a stopped container'
}

@test "exec works in a created container, before its own command runs" {
    oci create "$ID" < /dev/null > /dev/null 2>&1 3>&-
    run oci exec "$ID" sh -c 'hostname; ls /; cat /proc/1/comm'
    [ "$status" -eq 0 ]
    has_line "$(jq -r .hostname config.json)"
    has_line bin
    has_line coffer-init
    has_status created
    oci start "$ID"
    oci exec "$ID" true
}

@test "exec does not enter a container that is just being made" {
    printf '#!/bin/sh\necho > %s/hook.runs; while [ ! -e %s/go ]; do sleep 0.05; done\n' "$BUNDLE" "$BUNDLE" > hook
    chmod +x hook
    configure '.hooks.createContainer = [{"path": $hook}]' --arg hook "$BUNDLE/hook"
    for way in run create; do
        rm -f hook.runs go
        in_background "$way" "$ID"
        wait_for test -e hook.runs
        run oci exec "$ID" ls /
        exec_fails_with 'the container is just being made; try again'
        touch go
        wait_for oci exec "$ID" true
        oci delete --force "$ID"
        [ "$way" = create ] || end_of_background
    done
}

# --- where it runs ---

@test "exec is in all namespaces of the container, and in its cgroups" {
    running '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
    oci exec --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    init=$(pid_of)
    for type in user mnt pid net ipc uts cgroup time; do
        [ "$(readlink "/proc/$init/ns/$type")" = "$(readlink "/proc/$(< pid)/ns/$type")" ]
    done
    diff "/proc/$init/cgroup" "/proc/$(< pid)/cgroup"
    [ "$(readlink "/proc/$(< pid)/root")" = / ]
    [ "$(stat -L -c %d:%i "/proc/$init/root")" = "$(stat -L -c %d:%i "/proc/$(< pid)/root")" ]
}

@test "exec joins namespaces that the container shares with its maker's, where the caller is elsewhere" {
    running 'del(.linux.namespaces[] | select(.type == "uts" or .type == "network")) | del(.hostname)'
    before=$(readlink /proc/self/ns/net)
    run unshare --net --uts "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" readlink /proc/self/ns/net
    [ "$output" = "$before" ]
}

@test "exec in a user namespace is its root, and its ids are the container's" {
    chown -hR 100000:100000 "$ROOTFS"
    running "$USERNS"
    run oci exec "$ID" sh -c 'id -u; cat /proc/self/uid_map | tr -s " "'
    has_line 0
    has_line ' 0 100000 65536'
    run oci exec --user 1000:1000 "$ID" id
    [ "$output" = 'uid=1000(user) gid=1000(user)' ]
    oci exec --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    [ "$(stat -c %u "/proc/$(< pid)")" = 100000 ]
}

@test "exec on cgroup version 1 is in every hierarchy of the container, on version 2 born in it" {
    running '.linux.cgroupsPath = "/coffer-\($id)/below"' --arg id "$ID"
    oci exec --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    grep -q "coffer-$ID/below" "/proc/$(< pid)/cgroup"
    diff "/proc/$(pid_of)/cgroup" "/proc/$(< pid)/cgroup"
    oci delete --force "$ID"
    wait_for nothing_left
}

@test "exec --cgroup goes below the container's group, never elsewhere" {
    running
    group=$(sed -n 's/^0:://p' "/proc/$(pid_of)/cgroup")
    mount=/sys/fs/cgroup
    [ "$(stat -f -c %T $mount)" = cgroup2fs ] || mount=/sys/fs/cgroup/unified
    [ -d "$mount$group" ] || skip "no cgroup version 2 is mounted"
    mkdir "$mount$group/sub"
    if [ $mount = /sys/fs/cgroup ]; then
        oci exec --cgroup sub --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
        run oci exec --cgroup cpu:sub "$ID" true
        exec_fails_with '--cgroup: expected a path alone, as cgroups are of version 2 here, found "cpu:sub"'
    else
        for dir in /sys/fs/cgroup/*/; do
            [ ! -d "$dir$group" ] || mkdir -p "$dir$group/sub"
        done
        for file in cpus mems; do
            cat "/sys/fs/cgroup/cpuset$group/cpuset.$file" > "/sys/fs/cgroup/cpuset$group/sub/cpuset.$file"
        done
        oci exec --cgroup /sub --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
        oci exec --cgroup pids,cpu:sub --detach --pid-file pid2 "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
        grep -q "pids:$group/sub\$" "/proc/$(< pid2)/cgroup"
        grep -q "memory:$group\$" "/proc/$(< pid2)/cgroup"
        run oci exec --cgroup nosuch:sub "$ID" true
        exec_fails_with '--cgroup: expected names of controllers before the colon, found "nosuch:sub"'
    fi
    grep -q "^0::$group/sub\$" "/proc/$(< pid)/cgroup"
    oci exec --cgroup / "$ID" true
    for path in ../other sub/.. /../.. sub/../../x . ./sub //sub; do
        run oci exec --cgroup "$path" "$ID" true
        [ "$status" -eq 255 ]
        [[ "$output" == *"cannot be a component"* ]]
    done
    run oci exec --cgroup missing "$ID" true
    [ "$status" -eq 255 ]
    [[ "$output" == *"missing: No such file or directory" ]]
    run oci exec --cgroup sub --cgroup sub "$ID" true
    exec_fails_with '--cgroup: more than one needs controllers before a colon in each, found "sub"'
    oci delete --force "$ID"
    wait_for nothing_left
}

@test "exec in a container whose init has moved to a group below follows it" {
    [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || skip "needs cgroup version 2 alone"
    grep -qw pids /sys/fs/cgroup/cgroup.controllers || skip "needs the pids controller on cgroup version 2"
    running '.linux.resources.pids.limit = 100'
    group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of)/cgroup")
    mkdir "$group/init.scope"
    echo "$(pid_of)" > "$group/init.scope/cgroup.procs"
    echo +pids > "$group/cgroup.subtree_control"
    oci exec --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    grep -q "/init.scope\$" "/proc/$(< pid)/cgroup"
}

# --- who it is ---

@test "exec takes user, environment, folder, capabilities, limits and filter from the container's configuration as it was" {
    running '.process.user = {"uid": 1000, "gid": 1000, "additionalGids": [2000], "umask": 63} | .process.cwd = "/tmp"
        | .process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}] | .process.noNewPrivileges = true
        | .process.capabilities = {"bounding": ["CAP_KILL"]} | .process.oomScoreAdj = 321
        | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}'
    configure '.process.user.uid = 0 | .process.env = []' # too late
    run oci exec "$ID" sh -c 'id; pwd; umask; ulimit -Sn; ulimit -Hn; grep -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status; cat /proc/self/oom_score_adj; echo $OWN; mkdir /tmp/x'
    has_line 'uid=1000(user) gid=1000(user) groups=2000(extra)'
    has_line /tmp
    has_line 0077
    has_line 77
    has_line 88
    has_line $'CapBnd:\t0000000000000020'
    has_line $'CapEff:\t0000000000000000'
    has_line $'NoNewPrivs:\t1'
    has_line $'Seccomp:\t2'
    has_line 321
    has_line config
    has_line "mkdir: can't create directory '/tmp/x': Function not implemented"
}

@test "exec --env adds, and replaces by name" {
    running
    run oci exec -e A=1 --env OWN=mine -e A=2 -e EMPTY= "$ID" env
    has_line A=2
    has_line OWN=mine
    has_line EMPTY=
    has_line PATH=/bin
    [ "$(grep -c ^A= <<< "$output")" -eq 1 ]
    [ "$(grep -c ^OWN= <<< "$output")" -eq 1 ]
    for wrong in A =x ''; do
        run oci exec -e "$wrong" "$ID" true
        exec_fails_with "--env: expected NAME=VALUE, found \"$wrong\""
    done
}

@test "exec gives the user his HOME, and the caller's pipes" {
    running
    [ "$(oci exec -u 1000 "$ID" sh -c 'echo $HOME; echo error > /dev/stderr' 2>&1 3>&- | cat)" = $'/home/user\nerror' ]
    run oci exec -e HOME=/x "$ID" sh -c 'echo $HOME'
    [ "$output" = /x ]
}

@test "exec --cwd must be absolute, and there" {
    running
    run oci exec --cwd /home/user "$ID" sh -c pwd
    [ "$output" = /home/user ]
    run oci exec --cwd tmp "$ID" true
    exec_fails_with '--cwd: expected an absolute path, found "tmp"'
    run oci exec --cwd /nowhere "$ID" true
    exec_fails_with 'change to working directory /nowhere: No such file or directory'
}

@test "exec --user keeps the container's group where none is given, --additional-gids adds" {
    running '.process.user = {"uid": 5, "gid": 6, "additionalGids": [7]}'
    run oci exec --user 1000 "$ID" id
    [ "$output" = 'uid=1000(user) gid=6 groups=7' ]
    run oci exec -u 1000:1000 -g 8 --additional-gids 9 "$ID" id
    [ "$output" = 'uid=1000(user) gid=1000(user) groups=7,8,9' ]
    run oci exec -g 1,2 "$ID" true
    exec_fails_with '--additional-gids: expected a number below 4294967295, found "1,2"'
}

@test "exec --cap adds to the bounding, effective and permitted sets alone" {
    running '.process.capabilities |= map_values([])'
    run oci exec --cap CAP_NET_ADMIN -c kill "$ID" grep Cap /proc/self/status
    [ "$output" = $'CapInh:\t0000000000000000\nCapPrm:\t0000000000001020\nCapEff:\t0000000000001020\nCapBnd:\t0000000000001020\nCapAmb:\t0000000000000000' ]
    run oci exec --cap CAP_NONSENSE "$ID" true
    exec_fails_with '--cap: expected the name of a capability such as CAP_NET_ADMIN, found "CAP_NONSENSE"'
}

@test "exec --no-new-privs" {
    running '.process.noNewPrivileges = false'
    run oci exec "$ID" grep NoNewPrivs /proc/self/status
    [ "$output" = $'NoNewPrivs:\t0' ]
    run oci exec --no-new-privs "$ID" grep NoNewPrivs /proc/self/status
    [ "$output" = $'NoNewPrivs:\t1' ]
}

@test "execCPUAffinity: first before the cgroup is joined, then in it" {
    [ "$(nproc)" -ge 2 ] || skip "needs two processors"
    running '.process.execCPUAffinity = {"initial": "0", "final": "1"}'
    run oci exec "$ID" grep Cpus_allowed_list /proc/self/status
    [ "$output" = $'Cpus_allowed_list:\t1' ]
    oci delete --force "$ID"
    running '.process.execCPUAffinity = {"initial": "1"}'
    run oci exec "$ID" grep Cpus_allowed_list /proc/self/status
    [ "$output" = $'Cpus_allowed_list:\t1' ]
    oci delete --force "$ID"
    running '.process.execCPUAffinity = {"final": "1-0"}'
    run oci exec "$ID" true
    exec_fails_with 'process.execCPUAffinity.final: expected a list of processors like 0-3,7, each below 8192, found "1-0"'
    # The container's own process has nothing of it.
    [ "$(grep Cpus_allowed_list "/proc/$(pid_of)/status")" = "$(grep Cpus_allowed_list /proc/self/status)" ]
}

# --- a document ---

@test "exec --process takes the whole process from a document" {
    running
    jq -n '{"args": ["sh", "-c", "id; pwd; env; grep CapEff /proc/self/status"], "cwd": "/tmp", "env": ["PATH=/bin", "X=y"],
        "user": {"uid": 1000, "gid": 1000}, "capabilities": {}}' > process.json
    run oci exec --process process.json "$ID"
    has_line 'uid=1000(user) gid=1000(user)'
    has_line /tmp
    has_line X=y
    [[ "$output" != *OWN* ]]
    has_line $'CapEff:\t0000000000000000'
    # Capabilities that it says nothing of are the container's.
    jq 'del(.capabilities, .user)' process.json > other.json
    run oci exec -p other.json "$ID"
    has_line "$(grep CapEff "/proc/$(pid_of)/status")"
}

@test "exec --process refuses what is wrong in it, and what cannot stand beside it" {
    running
    echo '{"args": ["true"], "cwd": "relative"}' > process.json
    run oci exec --process process.json "$ID"
    [ "$status" -eq 255 ]
    [ "$output" = 'coffer: process.json: cwd: expected an absolute path, found "relative"' ]
    echo '{"args": ["true"], "cwd": "/"' > process.json
    run oci exec --process process.json "$ID"
    [ "$status" -eq 255 ]
    [[ "$output" == "coffer: process.json: "* ]]
    run oci exec --process nowhere.json "$ID"
    [ "$output" = 'coffer: --process: open nowhere.json: No such file or directory' ] || [[ "$output" == "coffer: --process: "*"nowhere.json: No such file or directory" ]]
    echo '{"args": ["true"], "cwd": "/"}' > process.json
    run oci exec --process process.json --user 5 "$ID"
    [ "$output" = 'coffer: --process gives the whole process, so --user cannot stand beside it' ]
    run oci exec --process process.json "$ID" true
    [ "$output" = 'coffer: --process gives the whole process, so a command cannot stand beside it' ]
    oci exec --tty=false --process process.json "$ID"
}

# --- detached, files and sockets ---

@test "exec --detach returns once the command runs, with the pid file written" {
    running
    oci exec --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    [ "$(cat "/proc/$(< pid)/comm")" = sleep ]
    [ "$(tail -c 1 pid | od -An -tc | tr -d ' ')" != '\n' ]
    run oci exec --detach --pid-file missing "$ID" nowhere
    exec_fails_with 'command "nowhere": executable file not found in $PATH of the container'
    [ ! -e missing ]
    # It ends with the container.
    oci kill "$ID" KILL
    wait_for test ! -e "/proc/$(< pid)/cwd/"
}

@test "exec --pidfd-socket sends a pidfd of the process" {
    running
    python3 - << 'END' > taken 2>&1 3>&- &
import array, os, select, signal, socket
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("socket")
listener.listen(1)
peer, _ = listener.accept()
data, control, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
fds = array.array("i")
fds.frombytes(control[0][2][:4])
with open("/proc/self/fdinfo/%d" % fds[0]) as info:
    pid = [line for line in info if line.startswith("Pid:")][0].split()[1]
print(data.decode(), pid)
END
    taker=$!
    wait_for test -S socket
    oci exec --detach --pid-file pid --pidfd-socket socket "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    wait $taker
    [ "$(< taken)" = "setns $(< pid)" ]
    run oci exec --pidfd-socket nowhere "$ID" touch /tmp/ran
    exec_fails_with '--pidfd-socket: connect to nowhere: No such file or directory'
    run ! oci exec "$ID" test -e /tmp/ran
}

@test "exec --preserve-fds hands on so many descriptors and no other" {
    running
    echo three > three
    echo five > five
    run oci exec --preserve-fds 2 "$ID" sh -c 'cat <&3; for fd in 3 4 5 6 7 8 9; do test ! -e /proc/self/fd/$fd || echo has $fd; done' 3< three 4< /dev/null 5< five
    [ "$output" = $'three\nhas 3\nhas 4' ]
    run bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3< three' - "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" sh -c 'cat <&3; echo $LISTEN_FDS'
    [ "$output" = $'three\n1' ]
    run oci exec --preserve-fds 3 "$ID" true 3< three 4< /dev/null 5<&-
    exec_fails_with '--preserve-fds, LISTEN_FDS: descriptors 3 to 5 are to be kept, and 5 is not open'
}

@test "exec --tty gives a terminal of the container's own" {
    running
    on_pty "stty rows 33 cols 77; $COFFER_OCI --root $(coffer_root)/oci exec -t $ID sh -c 'tty; stty size; exec 3< /dev/tty && echo controlling; exit 9'"
    [ "$status" -eq 9 ]
    output=$(tr -d '\r' <<< "${output//^@/}")
    has_line /dev/pts/0
    has_line '33 77'
    has_line controlling
    run oci exec "$ID" sh -c 'test -t 0 || echo none' < /dev/null
    [ "$output" = none ]
}

@test "exec sends a detached terminal to the console socket" {
    running
    python3 "$BATS_TEST_DIRNAME/console.py" console < /dev/null > raw 2> console.errors 3>&- &
    taker=$!
    wait_for test -S console
    oci exec --detach --tty --console-socket console "$ID" tty 3>&-
    wait $taker
    [ ! -s console.errors ]
    [[ "$(< raw)" == /dev/pts/* ]]
    run oci exec --detach --tty "$ID" true
    exec_fails_with 'a terminal of a detached process needs --console-socket'
    run oci exec --console-socket console "$ID" true
    exec_fails_with '--console-socket: there is no terminal to send; add --tty'
}

# --- signals and ends ---

@test "exec passes signals on" {
    running
    "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" sh -c 'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.05; done' > out 2>&1 3>&- &
    JOB=$!
    wait_for grep -q ready out
    kill -TERM "$JOB"
    code=0
    wait "$JOB" || code=$?
    [ "$code" -eq 5 ]
    [ "$(< out)" = $'ready\ncaught' ]
}

@test "exec ends when the container does" {
    running
    "$COFFER_OCI" --root "$(coffer_root)/oci" exec --pid-file pid "$ID" sleep 1000 > out 2>&1 3>&- &
    JOB=$!
    wait_for test -s pid
    oci kill "$ID" KILL
    code=0
    wait "$JOB" || code=$?
    [ "$code" -eq 137 ]
}

@test "a command goes on when the runtime that waits for it is killed" {
    running
    "$COFFER_OCI" --root "$(coffer_root)/oci" exec --pid-file pid "$ID" sleep 1000 > out 2>&1 3>&- &
    JOB=$!
    wait_for test -s pid
    kill -KILL "$JOB"
    wait "$JOB" || true
    [ "$(cat "/proc/$(< pid)/comm")" = sleep ]
    oci delete --force "$ID"
    wait_for test ! -e "/proc/$(< pid)/cwd/"
    wait_for nothing_left
}

@test "exec in a paused container is an error, with --ignore-paused it waits" {
    running
    group=$(sed -n 's/^0:://p' "/proc/$(pid_of)/cgroup")
    freezer=/sys/fs/cgroup$group/cgroup.freeze frozen=1 thawed=0
    [ -e "$freezer" ] || freezer=/sys/fs/cgroup/unified$group/cgroup.freeze
    [ -e "$freezer" ] || freezer=/sys/fs/cgroup/freezer$group/freezer.state frozen=FROZEN thawed=THAWED
    [ -e "$freezer" ] || skip "no freezer is mounted"
    echo $frozen > "$freezer"
    run oci exec "$ID" true
    exec_fails_with 'cannot exec in a paused container (use --ignore-paused to override)'
    "$COFFER_OCI" --root "$(coffer_root)/oci" exec --ignore-paused "$ID" echo thawed > out 2>&1 3>&- &
    JOB=$!
    sleep 0.3
    [ ! -s out ]
    kill -0 "$JOB"
    echo $thawed > "$freezer"
    wait "$JOB"
    [ "$(< out)" = thawed ]
}

@test "many at once" {
    running
    pids=()
    for i in $(seq 20); do
        oci exec "$ID" sh -c "echo $i; exit $i" > "out.$i" 3>&- &
        pids+=($!)
    done
    for i in $(seq 20); do
        code=0
        wait "${pids[i - 1]}" || code=$?
        [ "$code" -eq "$i" ]
        [ "$(< "out.$i")" = "$i" ]
    done
}
