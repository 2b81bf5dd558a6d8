#!/usr/bin/env bats
# Containers of an ordinary user that live on.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    make_home
}

teardown() {
    leave_home
}

state() {
    mine ps -a --format '{{.Names}} {{.State}}' | sed -n "s/^$1 //p"
}

is_state() {
    [ "$(state "$1")" = "$2" ]
}

logs_have() {
    mine logs "$1" 2>&1 | grep -q -- "$2"
}

@test "rootless: started, looked into, stopped by its own signal, started again" {
    mine run -d --name box tiny sh -c 'trap "echo got TERM; exit 7" TERM; echo more >> /file; echo ready; while true; do sleep 0.05; done' > /dev/null
    until_true logs_have box ready
    [ "$(mine exec box id -u)" = 0 ]
    [ "$(echo in | mine exec -i box cat)" = in ]
    mine stop box
    [[ $(mine ps -a --format '{{.Status}}') == "Exited (7) "* ]]
    logs_have box 'got TERM'
    mine start box
    until_true mine exec box sh -c 'test $(grep -c more /file) = 2'
    mine rename box other
    mine kill other
    [ "$(mine wait other)" = 137 ]
    mine start other
    mine rm -f other
}

@test "rootless: attached, and restarted" {
    mine run -d -i --name box tiny sh -c 'read line; echo "read $line"; sleep 0.2; exit 6' > /dev/null
    run mine attach box <<< word
    [ "$status" -eq 6 ]
    [ "$output" = "read word" ]
    mine run -d --name other --restart on-failure:2 tiny sh -c 'echo run; exit 3' > /dev/null
    until_true is_state other exited
    [ "$(mine logs other | grep -c run)" = 3 ]
}

@test "rootless: kill -9 of the monitor, and of the client" {
    mine run -d --name box tiny sleep 100 > /dev/null
    monitors | xargs kill -KILL
    [[ $(mine ps --format '{{.Status}}' 2> /dev/null) == "Up "* ]]
    [ -n "$(monitors)" ]
    mine stop -t 0 box
    [ "$(state box)" = exited ]
    mine run --rm --name other tiny sh -c 'sleep 0.5' &
    local pid=$!
    until_true is_state other running
    pgrep -u "$TEST_UID" -f 'run --rm --name other' | xargs kill -KILL
    wait "$pid" || true
    until_true is_state other ""
}

@test "rootless: another one's processes and memory" {
    mine run -d --name one --ipc shareable tiny sh -c 'echo word > /dev/shm/word; exec sleep 1001' > /dev/null
    until_true mine exec one test -s /dev/shm/word
    [[ $(mine run --rm --pid container:one tiny ps) == *'sleep 1001'* ]]
    [ "$(mine run --rm --ipc container:one tiny cat /dev/shm/word)" = word ]
    mine run --rm --pid container:one --ipc container:one tiny kill 1
    mine rm -f one
}
