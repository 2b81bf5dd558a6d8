#!/usr/bin/env bats
# The low level's messages: --log, --log-format, --log-level. Engines read the last error out of the log, and people standard error.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup() {
    LOG=$BATS_TEST_TMPDIR/log
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    bundle_teardown
}

missing='container "nobody" does not exist'

@test "an error goes to standard error" {
    run --separate-stderr oci state nobody
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    [ "$stderr" = "coffer: $missing" ]
}

@test "with a log an error goes there and to standard error" {
    run --separate-stderr oci --log "$LOG" state nobody
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    [ "$stderr" = "coffer: $missing" ]
    [[ "$(< "$LOG")" =~ ^time=\"[0-9-]{10}T[0-9:]{8}Z\"\ level=error\ msg=\"container\ \\\"nobody\\\"\ does\ not\ exist\"$ ]]
    oci --log "file:$LOG" state somebody || true
    [ "$(wc -l < "$LOG")" -eq 2 ] # at its end
    oci --log "file:a:b" state somebody || true
    [ -s a:b ]
}

@test "a log of JSON has lines as logrus writes them" {
    oci --log "$LOG" --log-format json state nobody || true
    oci --log-format=json --log="$LOG" state 'no such' || true
    [ "$(jq -r '[.level, .msg] | join(" ")' "$LOG")" = "error $missing
error container id \"no such\": expected 1 to 248 letters, digits, _ + - or, not in front, ." ]
    [[ "$(head -n 1 "$LOG")" =~ ^\{\"level\":\"error\",\"msg\":\".*\",\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z\"\}$ ]]
    # go-runc and conmon take the last line of level error.
    [ "$(jq -r 'select(.level == "error") | .msg' "$LOG" | tail -n 1 | cut -d: -f1)" = 'container id "no such"' ]
}

@test "JSON without a log goes to standard error" {
    run --separate-stderr oci --log-format json state nobody
    [ "$status" -eq 1 ]
    [ "$(jq -r .msg <<< "$stderr")" = "$missing" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "wrong usage is in the log too" {
    run oci --log "$LOG" --log-format json run --no-such-flag x
    [ "$status" -eq 1 ]
    [ "$output" = "coffer-oci run: unknown flag --no-such-flag" ]
    [ "$(jq -r .msg "$LOG")" = "unknown flag --no-such-flag" ]
    run oci --log "$LOG" --log-format json fly
    [ "$(tail -n 1 "$LOG" | jq -r .msg)" = "unknown command fly" ]
    run oci --log "$LOG" --log-format json state
    [ "$(tail -n 1 "$LOG" | jq -r .msg)" = "expected 1 word (ID), found 0" ]
}

@test "warnings go to the log, and are left out by their level" {
    # Warned of is a capability of times to come; the error is that the root file system is missing.
    mkdir bundle
    "$COFFER_OCI" spec --bundle bundle --file plain.json
    jq '.process.terminal = false | .process.capabilities.bounding += ["CAP_FLY"]' bundle/plain.json > bundle/config.json
    run --separate-stderr oci --log "$LOG" --log-format json create --bundle bundle x
    [ "$status" -eq 1 ]
    [ "$(jq -r .level "$LOG" | tr '\n' ' ')" = "warning error " ]
    [ "$(head -n 1 "$LOG" | jq -r .msg)" = 'config.json: process.capabilities.bounding[3]: "CAP_FLY" is not a known capability and is left out' ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    rm "$LOG"
    oci --log "$LOG" --log-level error --log-format json create --bundle bundle x || true
    [ "$(jq -r .level "$LOG")" = error ]
    run oci create --bundle bundle x
    [[ "${lines[0]}" == "coffer: warning: config.json: "* ]]
    run oci --log-level chatty state x
    [ "$output" = 'coffer-oci: --log-level: expected error, warning, info, debug, trace, warn, fatal or panic, found "chatty"' ]
    run oci --log-format xml state x
    [ "$output" = 'coffer-oci: --log-format: expected text or json, found "xml"' ]
}

@test "a log that cannot be opened is an error that names it" {
    run oci --log /nowhere/log state nobody
    fails_with "--log: open /nowhere/log: No such file or directory"
    run oci --log "" state nobody
    fails_with '--log: expected a file, journald:NAME or syslog:NAME, found ""'
}

@test "what a message names cannot forge lines or move the cursor" {
    run --separate-stderr oci --log "$LOG" --log-format json state $'x\n{"level":"error"}\x1b[2J'
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ "$stderr" != *$'\x1b'* ]]
    [ "$(wc -l < "$LOG")" -eq 1 ]
    jq -e . "$LOG"
    rm "$LOG"
    oci --log "$LOG" state $'x\nlevel=error' || true
    [ "$(wc -l < "$LOG")" -eq 1 ]
}

@test "--debug tells what was decided, and nobody else hears of it" {
    needs_root
    mkdir bundle
    make_bundle bundle
    "$COFFER_OCI" spec --bundle bundle --file plain.json
    jq '.process.terminal = false | .process.args = ["sleep", "60"] | .hooks.createRuntime = [{path: "/bin/true"}]
        | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chroot"], action: "SCMP_ACT_ERRNO"}]}' \
        bundle/plain.json > bundle/config.json
    local id=debug$BATS_TEST_NUMBER-$$ pid
    said() {
        jq -r 'select(.level == "debug") | .msg' "$LOG" | grep -Ex -- "$1"
    }
    oci --debug --log "$LOG" --log-format json create --bundle bundle "$id" < /dev/null > out 2>&1 3>&-
    pid=$(oci state "$id" | jq .pid)
    said "create container \"$id\" of bundle $PWD/bundle: new namespaces mnt,pid,net,ipc,uts(,cgroup)?; 0 joined; 7 mounts, .*"
    said "linux.seccomp: 1 rules made a filter of [0-9]+ bytes"
    said "control group .*$id of version [12], by cgroupfs, made"
    said "init of container \"$id\" is process $pid"
    said "createRuntime: hook /bin/true ended well after [0-9]+ ms"
    oci --debug --log "$LOG" --log-format json start "$id"
    said "process $pid of container \"$id\" runs its command"
    oci --debug --log "$LOG" --log-format json exec "$id" true
    said "exec in container \"$id\" of process $pid: process [0-9]+ joined namespaces mnt,pid,net,ipc,uts.*, control group .*$id"
    oci --debug --log "$LOG" --log-format json kill "$id" KILL
    said "kill container \"$id\": signal 9 to process $pid"
    oci --debug --log "$LOG" --log-format json delete --force "$id"
    said "remove container \"$id\" of process $pid, control group .*$id"
    rm "$LOG"
    oci --log "$LOG" run --bundle bundle --detach "$id" < /dev/null > out 2>&1 3>&-
    [ ! -s out ]
    [ ! -s "$LOG" ]
    oci delete --force "$id"
}

# in_host_with SOCKET COMMAND...: with a datagram socket of ours at that place, in mounts of its own; prints what came, a datagram a line.
in_host_with() {
    local socket=$1
    shift
    cat > listen.py << 'EOF'
import os, socket, subprocess, sys
path = sys.argv[1]
os.makedirs(os.path.dirname(path), exist_ok=True)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
listener.settimeout(0.2)
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    while True:
        print(repr(listener.recv(65536)))
except socket.timeout:
    pass
EOF
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -c 'set -e
        case $0 in
        /dev/*) mkdir dev; mount -t tmpfs none dev; touch dev/null; mount --bind /dev/null dev/null; mount --rbind dev /dev ;;
        *) mount -t tmpfs none /run ;;
        esac
        exec python3 listen.py "$0" "$@"' "$socket" "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root" "$@"
}

@test "journald: a message is a datagram of the journal's own protocol" {
    needs_root
    needs python3 unshare
    run in_host_with /run/systemd/journal/socket --log journald:my-name state nobody
    [ "$output" = "b'MESSAGE=container \"nobody\" does not exist\\nPRIORITY=3\\nSYSLOG_IDENTIFIER=my-name\\nID=nobody\\n'" ]
    # Without a name the container's id stands for it; a command without a container has the program's name.
    run in_host_with /run/systemd/journal/socket --log journald: state nobody
    [[ "$output" == *"SYSLOG_IDENTIFIER=nobody"* ]]
    run in_host_with /run/systemd/journal/socket --log journald: list
    [ "$output" = "b'MESSAGE=open the run-time directory $BATS_TEST_TMPDIR/root: No such file or directory\\nPRIORITY=3\\nSYSLOG_IDENTIFIER=coffer-oci\\n'" ]
    run in_host_with /run/systemd/journal/socket --log journald:x --log-format json state nobody
    [[ "$output" == *'MESSAGE={"level":"error","msg":"container \\"nobody\\" does not exist","time":"'*'"}\nPRIORITY=3\n'* ]]
}

@test "syslog: a message is a datagram as syslog(3) sends it" {
    needs_root
    needs python3 unshare
    run in_host_with /dev/log --log syslog:my-name state nobody
    [[ "$output" =~ ^b\'\<11\>[A-Z][a-z]{2}\ [\ 0-9]{2}\ [0-9:]{8}\ my-name:\ container\ \"nobody\"\ does\ not\ exist\'$ ]]
}

@test "journald and syslog say when there is nobody to log to" {
    needs_root
    needs unshare
    # shellcheck disable=SC2016
    run unshare --mount --propagation private bash -c 'mount -t tmpfs none /run; exec "$@"' - "$COFFER_OCI" --log journald:x state nobody
    fails_with "--log journald:x: reach /run/systemd/journal/socket: No such file or directory"
}
