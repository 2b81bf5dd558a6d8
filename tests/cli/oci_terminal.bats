#!/usr/bin/env bats
# The low level: terminals, for create through --console-socket and for run on the caller's.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.terminal = true'
}

teardown() {
    bundle_teardown
}

# Takes the terminal of $ID on the socket ./console; what it shows is in ./shown, without carriage returns.
take_console() {
    python3 "$BATS_TEST_DIRNAME/console.py" console <&0 > raw 2> console.errors 3>&- &
    TAKER=$!
    wait_for test -S console
}

# All it has shown, in $output.
take_shown() {
    wait "$TAKER"
    [ ! -s console.errors ]
    output=$(tr -d '\r' < raw)
}

# run on a terminal of its own. script(1) shows the end of its own input, as ^@.
on_terminal() {
    on_pty "stty rows 33 cols 77; $COFFER_OCI --root $(coffer_root)/oci run $ID"
    output=$(tr -d '\r' <<< "$output")
}

@test "what a create with a terminal writes to ends with it" {
    configure_script 'echo shown'
    take_console < /dev/null
    # Whoever reads its output waits for the end of it: init must not hold that open until it is started.
    "$COFFER_OCI" --root "$(coffer_root)/oci" create --console-socket console "$ID" 2>&1 3>&- | timeout 10 cat
    has_status created
    oci start "$ID"
    take_shown
    has_line shown
}

@test "create sends the terminal to the console socket" {
    configure_script 'tty; stty size; ls -l /dev/console | cut -c1; readlink /proc/self/fd/0; ps -o tty | tail -1; test -t 0 -a -t 1 -a -t 2 && echo three; cat < /dev/console' \
        '.process.consoleSize = {"height": 21, "width": 43}'
    printf 'typed\n\004' > typed
    take_console < typed
    oci create --console-socket console "$ID"
    oci start "$ID"
    take_shown
    has_line /dev/pts/0
    has_line '21 43'
    has_line c
    has_line three
    [ "$(grep -c typed <<< "$output")" -eq 2 ] # the echo, and cat
    wait_for has_status stopped
    oci delete "$ID"
    nothing_left
}

@test "the terminal is the session's own" {
    # Hanging up and job control need it: the command leads the session and its group is in the foreground.
    configure_script 'exec 3< /dev/tty && echo controlling; stat -c %u /dev/pts/0; exec cut -d" " -f1,6,8 /proc/self/stat' \
        '.process.user = {"uid": 1000, "gid": 1000}'
    take_console < /dev/null
    oci create --console-socket console "$ID"
    oci start "$ID"
    take_shown
    has_line controlling
    has_line 1000
    has_line '1 1 1'
}

@test "create needs a console socket for a terminal, and one that listens" {
    configure_script true
    run oci create "$ID"
    fails_with "create container \"$ID\": create: process.terminal is true, so --console-socket is needed"
    run oci create --console-socket nowhere "$ID"
    fails_with "create container \"$ID\": --console-socket: connect to nowhere: No such file or directory"
    run oci create --console-socket "$(printf '%200s' '' | tr ' ' x)" "$ID"
    [[ "$output" == *"--console-socket: connect to xxx"*"xxx: No such file or directory" ]]
    nothing_left
}

@test "a terminal needs a devpts of the container's own" {
    configure_script true 'del(.mounts[] | select(.destination == "/dev/pts"))'
    take_console < /dev/null
    run oci create --console-socket console "$ID"
    kill "$TAKER"
    [ "$status" -eq 1 ]
    [[ "$output" == *"a terminal needs a devpts file system on /dev/pts"* ]]
    nothing_left
}

@test "run shows the container's terminal on the caller's, which gets its settings back" {
    configure_script 'tty; stty size; echo out; echo err >&2; exit 9'
    on_terminal
    [ "$status" -eq 9 ]
    has_line /dev/pts/0
    has_line '33 77'
    has_line out
    has_line err
    on_pty "before=\$(stty -g); $COFFER_OCI --root $(coffer_root)/oci run $ID > /dev/null; [ \"\$before\" = \"\$(stty -g)\" ] && echo same"
    [[ "$output" == *same* ]]
}

@test "much output comes through the terminal whole" {
    configure_script 'seq 20000'
    on_terminal
    [ "$(grep -c . <<< "$output")" -eq 20000 ]
    [ "$(tail -1 <<< "$output")" = 20000 ]
}

@test "what is typed reaches the command, the interrupt key too" {
    configure_script 'trap "echo interrupted; exit 5" INT; echo ready; read line; echo "got $line"; while :; do sleep 0.05; done'
    {
        wait_for grep -q ready raw
        printf 'hello\n'
        wait_for grep -q 'got hello' raw
        printf '\003'
        sleep 0.5
    } | timeout -k 1 20 script --quiet --return --flush --command "$COFFER_OCI --root $(coffer_root)/oci run $ID" /dev/null > raw || status=$?
    [ "$status" -eq 5 ]
    grep -q 'got hello' raw
    grep -q interrupted raw
}

@test "a change of the caller's window reaches the container" {
    configure_script 'trap "stty size" WINCH; echo ready; i=0; while [ $i -lt 100 ]; do i=$((i + 1)); sleep 0.05; stty size; done'
    timeout -k 1 20 script --quiet --flush --command "stty rows 10 cols 20; tty=\$(tty); (sleep 0.3; stty rows 44 cols 55 < \$tty) & exec $COFFER_OCI --root $(coffer_root)/oci run $ID" /dev/null > raw < /dev/null 3>&- &
    JOB=$!
    wait_for grep -q '10 20' raw
    wait_for grep -q '44 55' raw
    oci kill "$ID" KILL
}

@test "run without a terminal of its own still works with one inside" {
    configure_script 'test -t 1 && echo terminal'
    run timeout -k 1 10 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID" < /dev/null
    [[ "$output" == *terminal* ]]
    nothing_left
}
