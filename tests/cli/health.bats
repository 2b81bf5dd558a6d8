#!/usr/bin/env bats
# Containers that are asked whether they do what they are there for, and how the end of one is explained.

bats_require_minimum_version 1.5.0
load engine

# start NAME ARG... IMAGE COMMAND...: a container in the background, without a network.
start() {
    local name=$1
    shift
    coffer run -d --network none --name "$name" "$@" > /dev/null
}

health() {
    coffer ps -a --format '{{.Names}} {{.Health}}' | sed -n "s/^$1 //p"
}

is() { # NAME HEALTH
    [ "$(health "$1")" = "$2" ]
}

# How often the checks of a container have left a line in its file /checks.
checks() {
    coffer exec "$1" cat /checks 2> /dev/null | wc -l
}

has_checks() { # NAME NUMBER
    [ "$(checks "$1")" -ge "$2" ]
}

# health_log NAME: of one that runs, as JSON.
health_log() {
    cat "$(coffer_root)"/containers/*/"$(coffer ps -aq --no-trunc --format '{{.Names}} {{.ID}}' | sed -n "s/^$1 //p")"*/health.log
}

@test "no check: no word of health" {
    start box tiny sleep 100
    is box none
    [[ $(coffer ps --format '{{.Status}}') != *ealth* ]]
    fails 'check box: it has no health check; see --health-cmd of "coffer run"' coffer healthcheck run box
    fails 'wait box: it has no health check; see --health-cmd of "coffer run"' coffer wait --condition healthy box
}

@test "a command: starting, healthy, unhealthy, healthy again" {
    start box --health-cmd 'echo one >> /checks; test ! -e /ill' --health-interval 100ms --health-retries 2 tiny sleep 100
    coffer wait --condition healthy box
    is box healthy
    [[ $(coffer ps --format '{{.Status}}') == "Up "*" (healthy)" ]]
    coffer exec box touch /ill
    until_true is box unhealthy
    [[ $(coffer ps --format '{{.Status}}') == "Up "*" (unhealthy)" ]]
    is_state box running
    coffer exec box rm /ill
    coffer wait --condition healthy box
    is box healthy
}

@test "the first check comes after one interval" {
    start box --health-cmd 'echo one >> /checks' --health-interval 1h tiny sleep 100
    is box starting
    [[ $(coffer ps --format '{{.Status}}') == "Up "*" (health: starting)" ]]
    [ "$(checks box)" = 0 ]
    run coffer healthcheck run box
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(checks box)" = 1 ]
    is box healthy
}

@test "healthcheck run: a failure is exit code 1, and counts" {
    start box --health-cmd 'exit 3' --health-interval 1h --health-retries 2 tiny sleep 100
    run coffer healthcheck run box
    [ "$status" -eq 1 ]
    [ "$output" = unhealthy ]
    is box starting
    run -1 coffer healthcheck run box
    is box unhealthy
    coffer stop -t 0 box
    fails 'check box: it is not running' coffer healthcheck run box
    [ "$(coffer inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' box)" = 'unhealthy 2' ] # as it was
}

@test "what checks said is kept: five of them, of 4 KiB" {
    start box --health-interval 1h --health-cmd 'echo one >> /checks; echo out; echo err >&2; [ "$(grep -c one /checks)" = 6 ] || exit 4;
        for i in $(seq 1000); do echo 123456789; done' tiny sleep 100
    for _ in 1 2 3 4 5; do
        run -1 coffer healthcheck run box
    done
    coffer healthcheck run box
    health_log box | python3 -c '
import json, sys
log = json.load(sys.stdin)
assert len(log) == 5, log
assert all(entry["ExitCode"] == 4 and entry["Output"] == "out\nerr\n" for entry in log[:4]), log
assert log[4]["ExitCode"] == 0 and len(log[4]["Output"]) == 4096 and log[4]["Output"].endswith("..."), log[4]
assert all(entry["Start"] < entry["End"] for entry in log), log
'
}

@test "a check has the container's user, variables, folder and rights" {
    start box --user 1000:1000 -e WHO=me --workdir /tmp --cap-drop ALL --security-opt no-new-privileges --health-interval 1h \
        --health-cmd 'id -u; id -g; echo $WHO; echo $PWD; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status' tiny sleep 100
    coffer healthcheck run box
    health_log box | python3 -c '
import json, sys
print(json.load(sys.stdin)[0]["Output"], end="")' > "$BATS_TEST_TMPDIR/said"
    diff "$BATS_TEST_TMPDIR/said" - << EOF2
1000
1000
me
/tmp
CapBnd:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
EOF2
}

@test "a check past its timeout is killed with all it has started" {
    start box --health-interval 100ms --health-timeout 2s --health-retries 1 \
        --health-cmd 'echo begun; sleep 1000 & (sleep 1001 &); sh -c "sleep 1002; true"; true' tiny sleep 100
    until_true is box unhealthy
    # An emulated host may not even have begun in that time, once.
    is_told() { [[ $(health_log box) == *'"ExitCode":-1,"Output":"Health check exceeded timeout (2.000s): begun'* ]]; }
    until_true is_told
    # Between two checks nothing of them is left.
    only_sleeps() { ! coffer exec box ps | grep -q 'sleep 100[0-9]'; }
    until_true only_sleeps
}

@test "what a check has left behind and says on and on is waited for no longer" {
    start box --health-interval 100ms --health-timeout 2s --health-cmd 'yes & sleep 0.2; exit 0' tiny sleep 100
    until_true is box healthy
    [[ $(health_log box) == *'"ExitCode":0,"Output":"y'* ]]
}

@test "no checks while it is paused, and one that the pause meets does not count" {
    start box --health-interval 100ms --health-timeout 1s --health-retries 1 --health-cmd 'echo one >> /checks; sleep 0.2' tiny sleep 100
    coffer wait --condition healthy box
    coffer pause box
    sleep 2 # longer than the timeout of a check that is held
    is box healthy
    coffer unpause box
    local before
    before=$(checks box)
    until_true has_checks box $((before + 2))
    is box healthy
}

@test "failures in the start period do not count, and come at the start interval" {
    start box --health-cmd 'echo one >> /checks; test -e /well' --health-interval 100ms --health-start-interval 50ms \
        --health-start-period 1h --health-retries 1 tiny sleep 100
    until_true has_checks box 4
    is box starting
    coffer exec box touch /well
    coffer wait --condition healthy box
    coffer exec box rm /well # one success has ended it
    until_true is box unhealthy
}

@test "a restart begins anew" {
    start box --restart always --health-cmd 'test -e /tmp/well' --tmpfs /tmp --health-interval 50ms --health-retries 1 \
        tiny sh -c 'while [ ! -e /tmp/go ]; do sleep 0.05; done'
    until_true is box unhealthy
    coffer exec box touch /tmp/well
    coffer wait --condition healthy box
    coffer exec box touch /tmp/go
    until_true is box unhealthy
}

@test "--health-on-failure: kill, stop and restart" {
    start killed --health-on-failure kill --health-cmd false --health-interval 50ms --health-retries 2 tiny sleep 100
    [ "$(coffer wait killed)" = 137 ]
    [[ $(coffer logs killed 2>&1) == *'coffer: unhealthy: 2 checks in a row have failed; the container is killed'* ]]
    start stopped --restart always --health-on-failure stop --health-cmd false --health-interval 50ms --health-retries 1 \
        tiny sh -c 'trap "exit 3" TERM; while true; do sleep 0.05; done'
    until_true is_state stopped exited
    [[ $(coffer ps -a --format '{{.Names}} {{.Status}}') == *'stopped Exited (3) '* ]]
    # Without a policy it is restarted all the same.
    start again --health-on-failure restart --health-cmd 'test -e /well' --health-interval 50ms --health-retries 1 \
        tiny sh -c 'echo up; [ ! -e /second ] || touch /well; touch /second; trap "exit 0" TERM; while true; do sleep 0.05; done'
    coffer wait --condition healthy again
    [ "$(coffer logs again 2> /dev/null | grep -c up)" = 2 ]
    is again healthy
}

@test "--health-port: healthy when it listens, and no program is needed" {
    start box --health-port 8080/tcp --health-interval 300ms --health-retries 1 --health-start-period 1h \
        tiny sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exec busybox httpd -f -p 127.0.0.1:8080'
    is box starting
    coffer exec box touch /go
    coffer wait --condition healthy box
    [[ $(health_log box) == *'"ExitCode":0,"Output":"It listens on TCP port 8080"'* ]]
    start deaf --health-port 8081 --health-interval 100ms --health-retries 2 tiny sleep 100
    until_true is deaf unhealthy
    [[ $(health_log deaf) == *'"ExitCode":1,"Output":"Nothing listens on TCP port 8081"'* ]]
}

@test "--health-port: who waits learns it at once, whatever the interval" {
    start box --health-port 8080 --health-interval 1h tiny sh -c 'sleep 0.5; exec busybox httpd -f -p 8080'
    coffer wait --condition healthy box
}

@test "wait --condition healthy: one that ends before is an error" {
    start box --health-cmd false --health-interval 100ms tiny sh -c 'until test -e /go; do sleep 0.05; done; exit 6'
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" wait --condition healthy box > "$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
    local waits=$! code=0
    is_connected() { [ -n "$(find "/proc/$waits/fd" -lname 'socket:*')" ]; } # to the monitor
    until_true is_connected
    coffer exec box touch /go
    wait "$waits" || code=$?
    [ "$code" -eq 125 ]
    [ "$(cat "$BATS_TEST_TMPDIR/said")" = 'coffer: wait box: it has ended with exit code 6' ]
    fails 'wait box: it is not running' coffer wait --condition healthy box
}

@test "an image's HEALTHCHECK counts, and can be left out or changed" {
    make_rootfs "$BATS_TEST_TMPDIR/rootfs"
    tar -C "$BATS_TEST_TMPDIR/rootfs" -c . | coffer import --change 'HEALTHCHECK --interval=100ms --retries=1 CMD test ! -e /ill' \
        --change 'ENV PATH=/bin' --change 'CMD ["sleep", "100"]' - checked > /dev/null
    start box checked
    coffer wait --condition healthy box
    coffer exec box touch /ill
    until_true is box unhealthy
    [ "$(coffer inspect -f '{{json .Config.Healthcheck}}' box)" = \
        '{"Test":["CMD-SHELL","test ! -e /ill"],"Interval":100000000,"Retries":1}' ]
    start without --no-healthcheck checked
    is without none
    start slow --health-interval 1h checked
    is slow starting
    start other --health-cmd 'exit 0' checked
    coffer wait --condition healthy other
    [ "$(coffer inspect -f '{{json .Config.Healthcheck}}' other)" = \
        '{"Test":["CMD-SHELL","exit 0"],"Interval":100000000,"Retries":1}' ]
    fails 'run checked: --no-healthcheck and the --health flags exclude each other' coffer run --no-healthcheck --health-cmd true checked
}

@test "a stopped and started container begins anew; its last state is kept" {
    start box --health-cmd 'exit 1' --health-interval 50ms --health-retries 1 tiny sleep 100
    until_true is box unhealthy
    coffer stop -t 0 box
    [ "$(coffer inspect -f '{{.State.Health.Status}}' box)" = unhealthy ]
    coffer start box
    until_true is box unhealthy
}

@test "kill -9 of the monitor while a check runs: nothing of the check is left" {
    start box --health-interval 100ms --health-cmd 'echo one >> /checks; sleep 1000 & sh -c "sleep 1001; true"' tiny sleep 100
    until_true has_checks box 1
    sleeping() { coffer exec box ps | grep -q 'sleep 100[01]'; }
    until_true sleeping
    kill -9 "$(monitors)"
    not_sleeping() { ! sleeping; }
    until_true not_sleeping
    no_check() {
        local pid
        for pid in $(pgrep -x coffer-check); do
            ! grep -qzF -- "$BATS_TEST_TMPDIR/" "/proc/$pid/cmdline" 2> /dev/null || return 1
        done
    }
    until_true no_check
    is_state box running
    coffer rm -f box
}

@test "stop while a check runs: nothing is waited for" {
    start box --health-interval 100ms --health-cmd 'echo one >> /checks; sleep 1000' tiny sleep 100
    until_true has_checks box 1
    local begin=$EPOCHREALTIME
    coffer stop -t 0 box
    [ $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) -lt 8000 ]
    is_state box exited
}

@test "wishes that cannot be are named before anything is made" {
    fails 'run tiny: --health-on-failure: expected none, kill, restart or stop, found "pray"' coffer run --health-cmd true --health-on-failure pray tiny
    fails 'run tiny: --health-port: expected PORT or PORT/tcp, 1 to 65535, found "80/udp"' coffer run --health-port 80/udp tiny
    fails 'run tiny: --health-cmd and --health-port exclude each other: give one of them' coffer run --health-port 80 --health-cmd true tiny
    [ -z "$(coffer ps -aq)" ]
}
