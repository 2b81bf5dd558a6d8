#!/usr/bin/env bats
# The low level: what a caller hands to a new container and gets of it: descriptors, sockets, files, the word that it is ready.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    LISTENER=""
    configure '.root.readonly = false'
    unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES
}

teardown() {
    [ -z "$LISTENER" ] || kill "$LISTENER" 2> /dev/null || true
    bundle_teardown
}

# --- descriptors ---

@test "--preserve-fds hands over so many descriptors, and no other" {
    echo three > 3.txt
    echo four > 4.txt
    echo five > 5.txt
    configure_script 'cat <&3; cat <&4; ls /proc/self/fd'
    run "$COFFER_OCI" --root "$(coffer_root)/oci" run --preserve-fds 2 "$ID" 3< 3.txt 4< 4.txt 5< 5.txt
    [ "$status" -eq 0 ]
    # 5 is what ls(1) itself reads the folder by.
    [ "$output" = "three"$'\n'"four"$'\n'"0"$'\n'"1"$'\n'"2"$'\n'"3"$'\n'"4"$'\n'"5" ]
    configure_script 'ls -l /proc/self/fd'
    run "$COFFER_OCI" --root "$(coffer_root)/oci" run --preserve-fds 2 "$ID" 3< 3.txt 4< 4.txt 5< 5.txt
    [[ "$output" != *5.txt* ]]
    run "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID" 3< 3.txt 4< 4.txt
    [[ "$output" != *.txt* ]]
}

@test "descriptors that are to be kept must be open" {
    run "$COFFER_OCI" --root "$(coffer_root)/oci" run --preserve-fds 3 "$ID" 3< config.json 4< config.json 5<&-
    fails_with "run container \"$ID\": --preserve-fds, LISTEN_FDS: descriptors 3 to 5 are to be kept, and 5 is not open"
    run oci run --preserve-fds -1 "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"--preserve-fds"* ]]
    nothing_left
}

@test "what is handed over at create waits for start" {
    echo three > 3.txt
    configure_script 'cat <&3 > /tmp/got'
    "$COFFER_OCI" --root "$(coffer_root)/oci" create --preserve-fds 1 "$ID" 3< 3.txt > /dev/null 2>&1 < /dev/null
    oci start "$ID"
    wait_for has_status stopped
    [ "$(< "$ROOTFS/tmp/got")" = three ]
}

@test "create holds nothing that its caller left open" {
    configure_script true
    mkfifo pipe
    timeout 10 cat pipe > ended 3>&- &
    "$COFFER_OCI" --root "$(coffer_root)/oci" create "$ID" 3>&- 7> pipe > /dev/null 2>&1 < /dev/null
    wait $! # the pipe's reader sees its end, while the container waits for start
    has_status created
}

@test "sockets of LISTEN_FDS come first, with the command's own process id" {
    echo three > 3.txt
    echo four > 4.txt
    configure_script 'echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES $$; cat <&3; cat <&4' '.process.env += ["LISTEN_FDS=7", "LISTEN_FDNAMES=false"]'
    # The shell's own number is the program's, once it executes it.
    run bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@" 3< 3.txt 4< 4.txt' - "$COFFER_OCI" --root "$(coffer_root)/oci" run --preserve-fds 1 "$ID"
    [ "$output" = "1 1 web 1"$'\n'three$'\n'four ]
    configure 'del(.linux.namespaces[] | select(.type == "pid"))'
    run bash -c 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@" 3< 3.txt 4< 4.txt' - "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [[ "${lines[0]}" =~ ^"2 "([0-9]+)" false "([0-9]+)$ ]]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    # Those of another process are not for us.
    LISTEN_PID=1 LISTEN_FDS=1 run "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID" 3< 3.txt
    [[ "$output" == "7 "* ]]
    [[ "$output" != *three* ]]
}

# --- files and sockets ---

@test "the pid file has the number alone, for run --detach too" {
    configure_script 'exec sleep 100'
    oci run --detach --pid-file pid "$ID" > /dev/null 2>&1 < /dev/null 3>&-
    [ "$(< pid)" = "$(pid_of)" ]
    [ "$(wc -c < pid)" -eq "$(tr -d '\n' < pid | wc -c)" ]
    oci kill "$ID" KILL
}

# take_fd FILE: takes one connection on ./socket; its word and what /proc says of its descriptor go to FILE.
take_fd() {
    rm -f socket
    timeout 20 python3 -c '
import array, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("socket")
listener.listen(1)
peer, _ = listener.accept()
data, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
info = dict(line.split(":\t", 1) for line in open(f"/proc/self/fdinfo/{fd}").read().splitlines() if ":\t" in line)
print(data.decode(), os.readlink(f"/proc/self/fd/{fd}"), info.get("Pid"), file=open(sys.argv[1], "w"), flush=True)
' "$1" 3>&- &
    LISTENER=$!
    wait_for test -S socket
}

@test "the pidfd socket gets a descriptor of the process" {
    configure_script 'exec sleep 100'
    take_fd got
    oci create --pidfd-socket socket "$ID" > /dev/null 2>&1 < /dev/null
    wait "$LISTENER"
    [[ "$(< got)" == "standard "*pidfd*" $(pid_of)" ]]
    run oci run --pidfd-socket nowhere "$ID.2"
    fails_with "run container \"$ID.2\": --pidfd-socket: connect to nowhere: No such file or directory"
    nothing_left "$ID.2"
}

@test "a console socket may lie at a long path" {
    local long
    long=$(printf 'l%.0s' $(seq 150))
    mkdir "$long"
    cd "$long" || return
    python3 "$BATS_TEST_DIRNAME/console.py" socket < /dev/null > ../raw 2> ../console.errors 3>&- &
    LISTENER=$!
    cd ..
    wait_for test -S "$long/socket"
    configure_script 'echo out' '.process.terminal = true'
    oci create --console-socket "$PWD/$long/socket" "$ID"
    oci start "$ID"
    wait "$LISTENER"
    grep -q out raw
}

@test "a console socket without a terminal is an error" {
    configure_script true
    for command in create run; do
        run oci "$command" --console-socket socket "$ID"
        fails_with "$command container \"$ID\": --console-socket: process.terminal is false, so there is no terminal to send"
    done
    configure '.process.terminal = true'
    run oci run --detach "$ID"
    fails_with "run container \"$ID\": create: process.terminal is true, so --console-socket is needed"
    nothing_left
}

@test "run --keep leaves the container there until it is deleted" {
    configure_script 'exit 7'
    run oci run --keep "$ID"
    [ "$status" -eq 7 ]
    has_status stopped
    oci delete "$ID"
    nothing_left
}

@test "--config takes another document" {
    configure_script 'echo of the bundle'
    jq '.process.args[2] = "echo of another"' config.json > other.json
    run oci run --config other.json "$ID"
    [ "$output" = 'of another' ]
    (cd / && oci run -b "$BUNDLE" -f "$BUNDLE/other.json" "$ID") > out
    [ "$(< out)" = 'of another' ]
    run oci run --config nowhere.json "$ID"
    fails_with "open nowhere.json: No such file or directory"
    run oci run --no-subreaper "$ID"
    [ "$output" = 'of the bundle' ]
}

# --- sd_notify ---

# A service manager on ./manager: its messages are the lines of ./heard. It confirms barriers, as sd_notify_barrier(3) has it.
start_manager() {
    python3 -c '
import array, os, socket
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("manager")
while True:
    data, control, _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(4))
    print(data.decode().strip().replace("\n", " "), file=open("heard", "a"), flush=True)
    for _, _, fds in control:
        os.close(array.array("i", fds)[0])
' 3>&- &
    LISTENER=$!
    wait_for test -S manager
    export NOTIFY_SOCKET=$BUNDLE/manager
    # busybox has no datagrams for unix sockets: the test speaks in the container's place, through its mount.
    configure '.process.args = ["sh", "-c", "echo $NOTIFY_SOCKET; while [ ! -e /tmp/end ]; do sleep 0.05; done"]'
}

# say ID TEXT: as the container would.
say() {
    python3 -c '
import socket, sys
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.connect(f"/proc/{sys.argv[1]}/root/run/notify/notify.sock")
peer.send(sys.argv[2].encode())
' "$(pid_of "$1")" "$2"
}

can_say() {
    test -S "/proc/$(pid_of "$1")/root/run/notify/notify.sock"
}

@test "start waits until the container says that it is ready, and says so to the service manager" {
    start_manager
    oci create "$ID" > out 2>&1 < /dev/null
    in_background start "$ID"
    wait_for has_status running
    wait_for can_say "$ID"
    say "$ID" $'STATUS=half way\nMAINPID=1\n'
    sleep 0.2
    kill -0 "$JOB"
    [ ! -e heard ]
    say "$ID" $'STATUS=all the way\nREADY=1\nMAINPID=1\n'
    end_of_background
    [ "$status" -eq 0 ]
    [ "$(< heard)" = "READY=1 MAINPID=$(pid_of)"$'\n'BARRIER=1 ]
    [ "$(< out)" = /run/notify/notify.sock ]
    oci delete --force "$ID"
    nothing_left
}

@test "start waits no longer than the container lives" {
    start_manager
    configure_script true
    oci create "$ID" > /dev/null 2>&1 < /dev/null
    timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" start "$ID"
    [ ! -e heard ]
}

@test "run in the foreground passes the word on and stays" {
    start_manager
    in_background run "$ID"
    wait_for has_status running
    wait_for can_say "$ID"
    say "$ID" READY=1
    wait_for test -s heard
    [ "$(< heard)" = READY=1 ]
    touch "$ROOTFS/tmp/end"
    end_of_background
    [ "$status" -eq 0 ]
    nothing_left
}

@test "run --detach waits for the word, in a user namespace too" {
    start_manager
    configure '.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.uidMappings = .linux.gidMappings'
    mkdir -p "$ROOTFS/run/notify" # the root file system belongs to the host's root, which is nobody inside
    in_background run --detach "$ID"
    wait_for has_status running
    wait_for can_say "$ID"
    kill -0 "$JOB"
    say "$ID" READY=1
    end_of_background
    [ "$status" -eq 0 ]
    [ "$(head -1 heard)" = "READY=1 MAINPID=$(pid_of)" ]
}

@test "a service manager that does not listen is a warning" {
    configure_script 'echo runs'
    NOTIFY_SOCKET=/nowhere run oci run "$ID"
    [ "$status" -eq 0 ]
    has_line runs
    has_line "coffer: warning: NOTIFY_SOCKET: connect to /nowhere: No such file or directory; nobody learns that the container is ready"
    nothing_left
}
