#!/usr/bin/env bats
# Containers that live on: started, stopped, looked into, attached to, restarted, and what becomes of them when their monitor is killed.

bats_require_minimum_version 1.5.0
load engine

log_count() { # NAME PATTERN, and what test(1) says of the number of lines
    local name=$1 pattern=$2
    shift 2
    test "$(coffer logs "$name" 2>&1 | grep -c -- "$pattern")" "$@"
}

# A shell that says what signals come, and that it is ready.
catcher='trap "echo got TERM; exit 7" TERM; trap "echo got HUP" HUP; trap "echo got USR1" USR1; echo ready; while true; do sleep 0.05; done'

@test "run -d: an id at once, and the rest by its name" {
    run coffer run -d --name box tiny sh -c 'echo out; echo err >&2; exit 5'
    [ "$status" -eq 0 ]
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    [ "$(coffer wait box)" = 5 ]
    [ "$(coffer logs box 2> /dev/null)" = out ]
    [ "$(coffer logs box 2>&1 > /dev/null)" = err ]
    [ "$(state box)" = exited ]
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (5) "* ]]
    [ -z "$(coffer ps -q)" ]
    coffer rm box
    [ -z "$(coffer ps -aq)" ]
}

@test "run -d: what cannot run is said, and nothing is left" {
    run -127 coffer run -d tiny no-such-command
    [[ $output == *'executable file not found'* ]]
    [ -z "$(coffer ps -aq)" ]
}

@test "create, start, stop: its states, and what it wrote stays" {
    coffer create --name box tiny sh -c 'echo more >> /file; cat /file; exec sleep 100' > /dev/null
    [ "$(state box)" = created ]
    [[ $(coffer ps -a --format '{{.Status}}') == Created ]]
    coffer start box
    [ "$(state box)" = running ]
    until_true logs_have box more
    coffer start box # is fine
    coffer stop -t 0 box
    [ "$(state box)" = exited ]
    coffer stop box # too
    coffer start box
    coffer stop -t 0 box
    [ "$(coffer logs box | grep -c more)" = 3 ]
    fails 'no container is named "none"; coffer ps --all lists them' coffer start none
}

@test "start: hosts are written anew, as the host may have changed" {
    coffer run --name box tiny sh -c 'cat /etc/hosts; echo 1.2.3.4 mine >> /etc/hosts; hostname'
    run coffer start -a box
    [ "$status" -eq 0 ]
    [[ $output != *mine* ]]
    [[ $output == *localhost* ]]
}

@test "start -a: its output and its exit code; -i: our input" {
    coffer create --name box tiny sh -c 'echo out; echo err >&2; exit 9' > /dev/null
    run --separate-stderr coffer start -a box
    [ "$status" -eq 9 ]
    [ "$output" = out ]
    [ "$stderr" = err ]
    coffer create --name reader -i tiny sh -c 'cat; exit 4' > /dev/null
    run coffer start -i reader <<< typed
    [ "$status" -eq 4 ]
    [ "$output" = typed ]
    fails '--attach: one container at a time' coffer start -a box reader
}

@test "stop: a handled TERM, one that is ignored, and how long that is waited for" {
    coffer run -d --name box tiny sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    coffer stop box
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (7) "* ]]
    coffer rm box
    coffer run -d --name box tiny sleep 100 > /dev/null # pid 1 ignores what it does not handle
    local begin=$EPOCHREALTIME
    coffer stop -t 1 box
    local took=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
    [ "$took" -ge 950 ]
    [ "$took" -lt 8000 ]
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (137) "* ]]
    coffer start box
    begin=$EPOCHREALTIME
    coffer stop --time 0 box
    took=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
    [ "$took" -lt 5000 ]
    coffer start box
    run timeout 1.5 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" stop --time -1 box
    [ "$status" -eq 124 ]
    [ "$(state box)" = running ]
}

@test "stop: all that are named end side by side, and each tells for itself" {
    local i begin
    for i in 1 2 3 4 5 6; do
        coffer run -d --name "box$i" tiny sh -c 'trap "" TERM; while :; do sleep 0.1; done' > /dev/null
    done
    begin=$SECONDS
    run coffer stop -t 3 box1 box2 none box3 box4 box5 box6
    [ "$status" -eq 125 ]
    [[ "$output" == *box1*box2*box3*box4*box5*box6*'no container is named "none"'* ]]
    [ $((SECONDS - begin)) -lt 15 ] # one after the other: 18
    [ -z "$(coffer ps -q)" ]
}

@test "stop: the container's own signal and time, and others" {
    coffer run -d --name box --stop-signal USR1 --stop-timeout 0 tiny sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    coffer stop box
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (137) "* ]]
    coffer create --name other --stop-signal 15 --stop-timeout 5 tiny sh -c "$catcher" > /dev/null
    coffer start other
    until_true logs_have other ready
    coffer stop --signal HUP --time 1 other
    logs_have other 'got HUP'
    coffer start other
    until_true log_count other ready -eq 2
    coffer stop other
    [[ $(coffer ps -a --filter name=other --format '{{.Names}} {{.Status}}' 2> /dev/null || coffer ps -a --format '{{.Names}} {{.Status}}') == *"other Exited (7) "* ]]
    fails 'create tiny: --stop-signal: expected a name such as TERM or a number, found "NONE"' coffer create --stop-signal NONE tiny
    run coffer stop --signal NONE box
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: --signal: expected a name such as TERM or a number, found "NONE"' ]
}

@test "stop: the image's signal" {
    local layout=$BATS_TEST_TMPDIR/layout
    cp -r "$(make_image tiny)" "$layout"
    umoci --log error config --image "$layout:tiny" --config.stopsignal SIGUSR1
    coffer load -q --name other "oci:$layout:tiny" > /dev/null
    coffer run -d --name box other sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    coffer stop -t 1 box
    logs_have box 'got USR1'
}

@test "restart: another process, the same container" {
    coffer run -d --name box tiny sh -c 'echo run; exec sleep 100' > /dev/null
    local id
    id=$(coffer ps -q)
    until_true logs_have box run
    coffer restart -t 0 box
    [ "$(coffer ps -q)" = "$id" ]
    until_true log_count box run -eq 2
    coffer stop -t 0 box
    coffer restart box # one that does not run is started
    [ "$(state box)" = running ]
}

@test "kill: any signal, by default one that ends it" {
    coffer run -d --name box tiny sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    coffer kill -s HUP box
    until_true logs_have box 'got HUP'
    [ "$(state box)" = running ]
    coffer kill --signal SIGUSR1 box
    until_true logs_have box 'got USR1'
    coffer kill box
    [ "$(coffer wait box)" = 137 ]
    fails 'kill box: it is not running' coffer kill box
    fails '--signal: expected a name such as HUP or a number, found "NONE"' coffer kill -s NONE box
}

@test "wait: several, one after the other, and of those that ended long ago" {
    coffer run -d --name one tiny sh -c 'sleep 0.5; exit 3' > /dev/null
    coffer run -d --name two tiny sh -c 'exit 4' > /dev/null
    [ "$(coffer wait one two)" = $'3\n4' ]
    [ "$(coffer wait two one)" = $'4\n3' ]
    # Its lock is free when wait returns.
    for _ in $(seq 20); do
        coffer start one two > /dev/null
        coffer wait two > /dev/null
        coffer start two > /dev/null
        coffer wait one two > /dev/null
    done
}

@test "rename: running, stopped, and to a name that is taken" {
    coffer run -d --name one tiny sleep 100 > /dev/null
    coffer create --name two tiny true > /dev/null
    coffer rename one three
    [ "$(state three)" = running ]
    [ -z "$(state one)" ]
    coffer rename two one
    [ "$(state one)" = created ]
    run coffer rename three one
    [ "$status" -eq 125 ]
    [[ $output == 'coffer: rename three: the name "one" is taken by container '* ]]
    fails 'rename one: container name "/": expected 2 to 128 letters, digits, _ . or -, a letter or digit in front' coffer rename one /
    coffer stop -t 0 three
    coffer start three
    [ "$(state three)" = running ]
    coffer run --rm --name two tiny true
}

@test "attach: two at once see the same, and one of them types" {
    coffer run -d -i --name box tiny sh -c 'read line; echo "read $line"; sleep 0.3; exit 6' > /dev/null
    coffer attach --no-stdin box > "$BATS_TEST_TMPDIR/first" &
    local pid=$! code=0
    sleep 0.3
    run coffer attach box <<< word
    [ "$status" -eq 6 ]
    [ "$output" = "read word" ]
    wait "$pid" || code=$?
    [ "$code" -eq 6 ]
    [ "$(< "$BATS_TEST_TMPDIR/first")" = "read word" ]
    fails 'attach box: it is not running' coffer attach box
}

@test "attach: who does not read is left behind, and holds nobody up" {
    coffer run -d --name box tiny sh -c 'until test -e /go; do echo tick; sleep 0.05; done
        dd if=/dev/zero bs=1M count=10 2> /dev/null | tr "\0" x; echo; echo done; sleep 100' > /dev/null
    coffer logs -f box > "$BATS_TEST_TMPDIR/log" &
    local follower=$!
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" attach box > "$BATS_TEST_TMPDIR/out" \
        2> "$BATS_TEST_TMPDIR/err" &
    local pid=$!
    until_true grep -q tick "$BATS_TEST_TMPDIR/out"
    kill -STOP "$pid"
    coffer exec box touch /go
    until_true logs_have box "done"
    kill -CONT "$pid"
    local code=0
    wait "$pid" || code=$?
    [ "$code" -eq 125 ]
    grep -q "attach box: the container's monitor has closed the line: its output was not read for too long" "$BATS_TEST_TMPDIR/err"
    [ "$(state box)" = running ]
    coffer stop -t 0 box
    wait "$follower"
    [ "$(grep -vx tick "$BATS_TEST_TMPDIR/log" | wc -c)" -eq $((10 * 1048576 + 6)) ]
}

@test "run: output that is read slowly is held, and nothing of it lost" {
    coffer run --name box tiny sh -c 'dd if=/dev/zero bs=1M count=4 2> /dev/null | tr "\0" x; echo end' | {
        sleep 1
        [ "$(state box)" = running ]
        wc -c
    } > "$BATS_TEST_TMPDIR/count"
    [ "$(< "$BATS_TEST_TMPDIR/count")" -eq $((4 * 1048576 + 4)) ]
    # One that has ended is that for all others, whoever reads its last words when.
    coffer run --rm --name slow tiny sh -c 'seq 10000' | {
        until_true is_gone slow
        sleep 0.3
        wc -l
    } > "$BATS_TEST_TMPDIR/count"
    [ "$(< "$BATS_TEST_TMPDIR/count")" -eq 10000 ]
}

@test "run -i: much goes in and out at once, and the end of the input is the container's" {
    head -c 10000000 /dev/urandom > "$BATS_TEST_TMPDIR/data"
    coffer run --rm -i tiny cat < "$BATS_TEST_TMPDIR/data" | cmp - "$BATS_TEST_TMPDIR/data"
    # What is not read keeps no signal from the container.
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm -i --name box tiny sh -c "$catcher" \
        < /dev/zero > "$BATS_TEST_TMPDIR/out" &
    local pid=$! code=0
    until_true grep -q ready "$BATS_TEST_TMPDIR/out"
    kill -TERM "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 7 ]
}

sees_signal() { # FILE: that it is attached by now
    coffer kill -s USR1 box > /dev/null
    grep -q 'got USR1' "$1"
}

@test "sig-proxy: signals for the command, or for us" {
    coffer run --name box tiny sh -c "$catcher" > "$BATS_TEST_TMPDIR/out" &
    local pid=$! code=0
    until_true grep -q ready "$BATS_TEST_TMPDIR/out"
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" attach --sig-proxy=false box > "$BATS_TEST_TMPDIR/second" &
    local second=$!
    until_true sees_signal "$BATS_TEST_TMPDIR/second"
    kill -TERM "$second"
    wait "$second"
    [ "$(state box)" = running ]
    kill -HUP "$(pgrep -P "$pid")"
    until_true grep -q 'got HUP' "$BATS_TEST_TMPDIR/out"
    kill -TERM "$(pgrep -P "$pid")"
    wait "$pid" || code=$?
    [ "$code" -eq 7 ]
}

@test "a terminal: detached by keys, attached again, and resized" {
    terminal() {
        python3 "$BATS_TEST_DIRNAME/terminal.py" "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
    }
    printf '%s\n' 'see # ' 'type stty size\r' 'see 24 80' 'size 33x77' 'type stty size\r' 'see 33 77' 'type \x10\x11' |
        terminal run -it --name box tiny sh
    [ "$(state box)" = running ]
    # ctrl-p alone is the shell's, which has the line before; other keys as told.
    printf '%s\n' 'size 40x90' 'type stty size\r' 'see 40 90' 'type echo a\x10b\r' 'see # ' 'type \x01q' |
        terminal attach --detach-keys ctrl-a,q box
    [ "$(state box)" = running ]
    run terminal attach box <<< $'type exit 3\\r'
    [ "$status" -eq 3 ]
    [ "$(state box)" = exited ]
    # The size is there before the command is.
    printf '%s\n' 'see 24 80' | terminal run --rm -it tiny stty size
    fails '--detach-keys: expected keys such as ctrl-p,ctrl-q, found "none"' coffer attach --detach-keys none box
}

@test "pause, unpause, and what is done to one that is paused" {
    coffer run -d --name box tiny sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    coffer pause box
    [ "$(state box)" = paused ]
    [[ $(coffer ps --format '{{.Status}}') == "Up "*" (Paused)" ]]
    fails 'exec box: cannot exec in a paused container (use coffer unpause first)' coffer exec box true
    coffer unpause box
    [ "$(state box)" = running ]
    coffer pause box
    coffer stop box # is let go on for that
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (7) "* ]]
    coffer start box
    coffer pause box
    coffer kill box
    [ "$(coffer wait box)" = 137 ]
    coffer start box
    coffer pause box
    coffer rm -f box
    [ -z "$(coffer ps -aq)" ]
    coffer create --name other tiny true > /dev/null
    fails 'pause other: it is not running' coffer pause other
}

@test "rm: not while it runs, but by force; two at once" {
    coffer run -d --name box tiny sleep 100 > /dev/null
    run coffer rm box
    [ "$status" -eq 125 ]
    [[ $output == "coffer: remove box (--force kills it first): container "*" is running" ]]
    for _ in $(seq 10); do
        coffer rm -f box > /dev/null &
        local first=$!
        coffer rm -f box > /dev/null || true # it may be gone already
        wait "$first" || true
        [ -z "$(coffer ps -aq)" ]
        coffer run -d --name box tiny sleep 100 > /dev/null
    done
    for _ in $(seq 10); do
        coffer run -d --rm --name other tiny true > /dev/null
        coffer rm -f other > /dev/null 2>&1 || true
        [ -z "$(state other)" ]
    done
}

@test "stop and rm while it is being started" {
    for _ in $(seq 20); do
        coffer create --name box tiny sleep 100 > /dev/null
        coffer start box > /dev/null &
        local pid=$!
        sleep "0.00$((RANDOM % 10))"
        coffer stop -t 0 box > /dev/null
        wait "$pid"
        # Whichever came first, nobody has been told otherwise.
        [[ $(state box) =~ ^(running|exited)$ ]]
        coffer start box > /dev/null &
        pid=$!
        sleep "0.00$((RANDOM % 10))"
        coffer rm -f box > /dev/null
        wait "$pid" || true
        [ -z "$(state box)" ]
    done
}

@test "--rm holds when the client is killed" {
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm --name box -v "$BATS_TEST_TMPDIR:/seen" tiny \
        sh -c 'echo ready; until test -e /seen/go; do sleep 0.05; done; echo late' \
        > "$BATS_TEST_TMPDIR/out" &
    local pid=$!
    until_true grep -q ready "$BATS_TEST_TMPDIR/out"
    kill -KILL "$pid"
    [ "$(state box)" = running ]
    touch "$BATS_TEST_TMPDIR/go"
    until_true is_gone box
}

@test "restart policies: no, on-failure, always, unless-stopped" {
    coffer run -d --name box --restart on-failure:2 tiny sh -c 'echo run; exit 3' > /dev/null
    until_true is_state box exited
    [ "$(coffer logs box | grep -c run)" = 3 ]
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (3) "* ]]
    coffer rm box
    coffer run -d --name box --restart on-failure tiny sh -c 'test -e /second && exit 0; touch /second; exit 1' > /dev/null
    until_true is_state box exited
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (0) "* ]]
    coffer rm box
    for policy in always unless-stopped; do
        coffer run -d --name box --restart $policy tiny sh -c 'echo run; exit 0' > /dev/null
        until_true log_count box run -ge 3
        coffer stop box
        [ "$(state box)" = exited ]
        sleep 0.5
        [ "$(state box)" = exited ]
        coffer rm box
    done
    coffer run -d --name box --restart no tiny false > /dev/null
    [ "$(coffer wait box)" = 1 ]
    fails 'create tiny: --restart: expected no, on-failure[:N], always or unless-stopped, found "always:3"' \
        coffer create --restart always:3 tiny
    fails 'create tiny: --rm and --restart exclude each other: what is removed when it has ended is not started again' \
        coffer create --rm --restart always tiny
    coffer run --rm --restart no tiny true
}

@test "restart policies: it waits longer each time, and a stop ends that at once" {
    coffer run -d --name box --restart always tiny sh -c 'exit 3' > /dev/null
    until_true is_state box restarting
    sleep 2 # by now it waits for seconds
    until_true is_state box restarting
    [[ $(coffer ps --format '{{.Status}}') == "Restarting (3) "* ]]
    fails 'attach box: it waits to be restarted; try again when it runs' coffer attach box
    fails 'exec box: it waits to be restarted; try again when it runs' coffer exec box true
    fails 'pause box: it waits to be restarted; try again when it runs' coffer pause box
    fails 'kill box: it waits to be restarted, and has no process now' coffer kill -s HUP box
    run coffer rm box
    [[ $output == *"is running" ]]
    coffer start box # is about to
    local begin=$EPOCHREALTIME
    coffer stop box
    [ $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) -lt 2000 ]
    [ "$(state box)" = exited ]
    coffer start box
    until_true is_state box restarting
    coffer kill box
    until_true is_state box exited
    coffer start box
    until_true is_state box restarting
    coffer rm -f box
    [ -z "$(coffer ps -aq)" ]
}

@test "restart policies: a killed process is started again, one that a user stopped is not" {
    coffer run -d --name box --restart always tiny sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    kill -KILL "$(pgrep -P "$(monitors)")"
    until_true log_count box ready -eq 2
    coffer kill -s HUP box # no wish that it ends
    kill -KILL "$(pgrep -P "$(monitors)")"
    until_true log_count box ready -eq 3
    coffer kill -s TERM box
    until_true is_state box exited
}

@test "restart policies: run in the foreground ends with the first end" {
    run coffer run --name box --restart on-failure:3 tiny sh -c 'echo run; exit 3'
    [ "$status" -eq 3 ]
    [ "$output" = run ]
    until_true is_state box exited
    [ "$(coffer logs box | grep -c run)" = 4 ]
}

@test "restart policies: what cannot be started any more says so in its log" {
    mkdir "$BATS_TEST_TMPDIR/volume"
    coffer run -d --name box --restart always --mount "type=bind,source=$BATS_TEST_TMPDIR/volume,target=/v" tiny \
        sh -c 'while ! test -e /v/go; do sleep 0.05; done' > /dev/null
    touch "$BATS_TEST_TMPDIR/volume/go"
    mv "$BATS_TEST_TMPDIR/volume" "$BATS_TEST_TMPDIR/away"
    until_true logs_have box 'coffer: restart: .*/volume'
    rm "$BATS_TEST_TMPDIR/away/go"
    mv "$BATS_TEST_TMPDIR/away" "$BATS_TEST_TMPDIR/volume"
    until_true is_state box running
}

kill_monitors() {
    local pid
    for pid in $(monitors); do
        kill -KILL "$pid"
        for ((i = 0; i < 500; i++)); do [ -e "/proc/$pid" ] || break; sleep 0.01; done
    done
}

@test "kill -9 of the monitor: the container goes on with another one, is attached to, stopped and removed" {
    coffer run -d --name box tiny sh -c 'trap "" PIPE; while true; do echo line || exit 9; sleep 0.05; done' > /dev/null
    coffer run -d --name other tiny sh -c "$catcher" > /dev/null
    until_true logs_have other ready
    before=$(monitors)
    kill_monitors
    run -0 --separate-stderr coffer ps --format '{{.Names}} {{.Status}}'
    [[ "$output" == *"box Up "* ]]
    [ "$(grep -c 'its monitor was killed; it has another one now' <<< "$stderr")" = 2 ]
    run -0 --separate-stderr coffer ps
    [ -z "$stderr" ]
    [ "$(monitors | wc -l)" = 2 ]
    [ "$(monitors)" != "$before" ]
    [ "$(coffer exec box echo hello)" = hello ]
    timeout -s KILL 2 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" attach box < /dev/null > "$BATS_TEST_TMPDIR/seen" || true
    grep -q line "$BATS_TEST_TMPDIR/seen"
    coffer start box
    coffer rename box third
    coffer kill -s HUP other
    [ "$(state other)" = running ]
    local begin=$EPOCHREALTIME
    coffer stop other # handles it
    [ $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) -lt 8000 ]
    [ "$(state other)" = exited ]
    coffer start other
    [ "$(state other)" = running ]
    run coffer rm third
    [ "$status" -eq 125 ]
    coffer rm -f third other
    [ -z "$(coffer ps -aq)" ]
}

@test "kill -9 of the monitor: output that nobody read holds the container up no longer than to the next command, and none is lost" {
    mkdir "$BATS_TEST_TMPDIR/seen"
    coffer run -d --name box -v "$BATS_TEST_TMPDIR/seen:/seen" tiny \
        sh -c 'echo first; until test -e /seen/go; do sleep 0.02; done; seq 100000; touch /seen/end; exit 7' > /dev/null
    until_true logs_have box first
    kill_monitors
    touch "$BATS_TEST_TMPDIR/seen/go"
    sleep 0.5
    [ ! -e "$BATS_TEST_TMPDIR/seen/end" ] # more than a pipe holds
    coffer system repair 2> /dev/null
    status=$(coffer wait box)
    [ "$(coffer logs box | tail -n +2 | cksum)" = "$(seq 100000 | cksum)" ]
    # Linux 6.15 tells how a stranger's child ended; before it is said to be unknown.
    [ "$status" = 7 ] || { [ "$status" = 255 ] && [[ $(coffer ps -a --format '{{.Status}}') == "Exited (unknown) "* ]]; }
}

@test "kill -9 of the monitor: what is to be restarted is restarted, by policy, however it ended" {
    local id fails pid
    id=$(coffer run -d --name box --restart always tiny sh -c 'echo up; sleep 1000')
    fails=$(coffer run -d --name fails --restart on-failure:3 tiny sh -c 'echo up; sleep 0.3; exit 3')
    until_true logs_have box up
    pid=$(jq .pid "$(coffer_store)/containers/$id/record.json")
    kill_monitors
    kill -KILL "$pid"
    for ((i = 0; i < 500; i++)); do [ -e "/proc/$pid" ] || break; sleep 0.01; done
    coffer ps > /dev/null 2>&1
    until_true is_state box running
    [ "$(jq .exitUnknown "$(coffer_store)/containers/$id/record.json")" = true ]
    until_true is_state fails exited
    [ "$(jq .restarts "$(coffer_store)/containers/$fails/record.json")" = 3 ]
}

@test "kill -9 of the monitor: what ends then is shown as ended, and removed with --rm" {
    local name pids pid
    mkdir "$BATS_TEST_TMPDIR/seen"
    for name in box "other --rm"; do
        # shellcheck disable=SC2086
        coffer run -d -v "$BATS_TEST_TMPDIR/seen:/seen" --name $name tiny sh -c 'until test -e /seen/go; do sleep 0.02; done' > /dev/null
    done
    pids=$(jq .pid "$(coffer_store)"/containers/*/record.json)
    kill_monitors
    touch "$BATS_TEST_TMPDIR/seen/go"
    for pid in $pids; do until_true test ! -e "/proc/$pid"; done
    until_true is_state box exited
    until_true is_gone other
    coffer start box
    [ "$(coffer wait box)" = 0 ]
}

@test "kill -9 of the monitor at any moment of its life: rm -f leaves nothing" {
    local pid
    for _ in $(seq 60); do
        case $((RANDOM % 3)) in
        0) coffer run -d --name box tiny sh -c 'sleep 0.02' > /dev/null 2>&1 & ;;
        1) coffer run --rm --name box tiny sh -c 'sleep 0.02' > /dev/null 2>&1 & ;;
        2)
            coffer run -d --name box tiny sleep 100 > /dev/null
            coffer "$([ $((RANDOM % 2)) = 0 ] && echo rm -f || echo restart)" -f box > /dev/null 2>&1 &
            ;;
        esac
        pid=$!
        sleep "0.0$(printf %02d $((RANDOM % 60)))"
        monitors | xargs -r kill -KILL 2> /dev/null || true
        wait "$pid" || true
        coffer rm -f box > /dev/null 2>&1 || true
        [ -z "$(coffer ps -aq)" ] || coffer ps -aq | xargs "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null
    done
    [ -z "$(find "$(coffer_store)"/{containers,names,ids} "$(coffer_root)/oci" -mindepth 1 -not -name .pending)" ]
}

@test "TERM to a monitor ends its container first, and that is not the user's wish" {
    coffer run -d --name box --restart always tiny sh -c "$catcher" > /dev/null
    until_true logs_have box ready
    monitors | xargs kill -TERM
    until_true is_state box exited
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (7) "* ]]
    grep -q '"stopped":false' "$(coffer_store)"/containers/*/record.json
}

@test "a log on a full disk blocks nobody" {
    mount -t tmpfs -o size=24m tmpfs "$(coffer_store)"
    coffer load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    # Ids of a container's own take a file system that can show them others: tmpfs since Linux 6.3.
    coffer run --rm --userns host tiny true
    leak_snapshot
    coffer run -d --name box --userns host tiny sh -c 'dd if=/dev/zero bs=1M count=60 2> /dev/null | tr "\0" "\n"; echo > /dev/shm/done; sleep 100' > /dev/null
    until_true coffer exec box test -e /dev/shm/done
    coffer stop -t 0 box
    coffer rm -f box
    [ -z "$(coffer ps -aq)" ]
    umount "$(coffer_store)"
}
