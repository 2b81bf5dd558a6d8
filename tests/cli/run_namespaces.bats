#!/usr/bin/env bats
# Namespaces of a container: its own, the host's, and another container's.

bats_require_minimum_version 1.5.0
load engine

@test "--pid, --ipc, --uts: the host's, for who is root there" {
    [ "$(tiny --userns host --pid host tiny readlink /proc/self/ns/pid)" = "$(readlink /proc/self/ns/pid)" ]
    [ "$(tiny --userns host --ipc host tiny readlink /proc/self/ns/ipc)" = "$(readlink /proc/self/ns/ipc)" ]
    [ "$(tiny --uts host tiny sh -c 'readlink /proc/self/ns/uts; hostname')" = "$(readlink /proc/self/ns/uts)"$'\n'"$(hostname)" ]
    [ "$(tiny --pid private tiny sh -c 'echo $$')" = 1 ]
    coffer run -d --name box --userns host --pid host tiny sh -c 'sleep 100 & sleep 101' > /dev/null
    coffer stop -t 0 box
    [ -z "$(pgrep -x sleep -f 'sleep 10[01]' || true)" ] # all of them
    coffer rm box
    refused '--pid host: not with user ids of its own; add --userns host' --pid host
    refused '--ipc host: not with user ids of its own; add --userns host' --ipc host
    refused '--pid: no container is named "box"; coffer ps --all lists them' --pid container:box
    refused '--pid: expected private, container:NAME or host, found "shareable"' --pid shareable
    refused '--ipc: expected private, shareable, none, container:NAME or host, found "share"' --ipc share
    refused '--uts: expected private or host, found "none of it"' --uts 'none of it'
    refused '--hostname and --uts host exclude each other' --uts host --hostname me
}

@test "--cgroupns, --domainname" {
    [ "$(tiny --cgroupns host tiny readlink /proc/self/ns/cgroup)" = "$(readlink /proc/self/ns/cgroup)" ]
    [ "$(tiny --cgroupns private tiny cat /proc/self/cgroup | grep -c coffer-)" = 0 ]
    [ "$(tiny --cgroupns host tiny cat /proc/self/cgroup | grep -c coffer-)" != 0 ]
    [ "$(tiny --hostname me --domainname of.test tiny cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname)" = $'me\nof.test' ]
    refused '--cgroupns: expected private or host, found "none of it"' --cgroupns 'none of it'
    refused '--domainname and --uts host exclude each other' --uts host --domainname here
    refused '--userns: expected auto, container:NAME or host, found "mine"' --userns mine
    refused '--userns keep-id: an image'"'"'s files cannot be shown to other ids without root; leave it out: what the container'"'"'s root writes to volumes is yours' --userns keep-id
}

@test "--pid container: another one's processes, with its user ids" {
    coffer run -d --name one tiny sh -c 'sleep 1001; true' > /dev/null
    [ "$(tiny --pid container:one tiny readlink /proc/self/ns/pid)" = "$(coffer exec one readlink /proc/self/ns/pid)" ]
    [[ $(tiny --pid container:one tiny ps) == *'sleep 1001'* ]]
    [ "$(tiny --pid container:one tiny cat /proc/self/uid_map)" = "$(coffer exec one cat /proc/self/uid_map)" ]
    tiny --pid container:one tiny busybox killall sleep # it has its rights there
    [ "$(coffer wait one)" = 0 ]
    run tiny --pid container:one tiny true
    [ "$status" -eq 125 ]
    [[ $output == 'coffer: run tiny: --pid container:'????????????': that does not run; start it first' ]]
    coffer create --name two --pid container:one tiny true > /dev/null # it may run by then
    coffer rename one first
    coffer start first
    coffer start two # by its id
    [ "$(coffer wait two)" = 0 ]
}

@test "--ipc container: its memory, where it shares that" {
    coffer run -d --name one --ipc shareable --shm-size 1m tiny sh -c 'echo told > /dev/shm/word; exec sleep 1000' > /dev/null
    until_true coffer exec one test -s /dev/shm/word
    [ "$(tiny --ipc container:one tiny sh -c 'cat /dev/shm/word; echo heard > /dev/shm/answer; df -k /dev/shm | awk "NR == 2 { print \$2 }"')" = $'told\n1024' ]
    [ "$(coffer exec one cat /dev/shm/answer)" = heard ]
    [ "$(tiny --ipc container:one tiny readlink /proc/self/ns/ipc)" = "$(coffer exec one readlink /proc/self/ns/ipc)" ]
    [[ $(tiny --ipc container:one tiny grep ' /dev/shm ' /proc/self/mountinfo) == *nosuid,nodev,noexec* ]]
    run tiny --ipc none tiny ls /dev/shm
    [ "$status" -ne 0 ]
    coffer run -d --name own tiny sleep 1000 > /dev/null
    run coffer create --ipc container:own tiny
    [ "$output" = 'coffer: create tiny: --ipc container:own: that keeps its IPC for itself; make it with --ipc shareable' ]
    run coffer create --ipc container:one --shm-size 1m tiny
    [ "$output" = 'coffer: create tiny: --shm-size: /dev/shm is that of the container of --ipc; give the size to that one' ]
    run coffer create --ipc container:one --sysctl kernel.shmmni=7 tiny
    [ "$output" = 'coffer: create tiny: --sysctl kernel.shmmni=7: that is shared with another container here, and would change it for all' ]
}

@test "user ids that several containers have are free when the last of them is gone" {
    coffer run -d --name one --ipc shareable tiny sleep 1000 > /dev/null
    coffer run -d --name two --pid container:one --ipc container:one tiny sleep 1000 > /dev/null
    coffer run -d --name three --userns container:two tiny sleep 1000 > /dev/null
    local ids map
    ids=$(coffer_store)/ids
    map=$(coffer exec one cat /proc/self/uid_map)
    [ "$(coffer exec three cat /proc/self/uid_map)" = "$map" ]
    [ "$(find "$ids" -maxdepth 1 -type l | wc -l)" = 1 ]
    coffer rm -f one
    [ "$(coffer exec three cat /proc/self/uid_map)" = "$map" ]
    [ "$(find "$ids" -maxdepth 1 -type l | wc -l)" = 1 ]
    coffer rm -f three
    [ "$(find "$ids" -maxdepth 1 -type l | wc -l)" = 1 ]
    coffer rm -f two
    [ -z "$(find "$ids" -mindepth 1)" ]
    coffer run -d --name one tiny sleep 1000 > /dev/null
    coffer run -d --name other tiny sleep 1000 > /dev/null
    run coffer create --userns host --pid container:one tiny
    [ "$output" = 'coffer: create tiny: --userns host: with --pid container:one it has the user ids of that; leave --userns out' ]
    run coffer create --privileged --pid container:one tiny
    [ "$output" = 'coffer: create tiny: --privileged: not with the user ids of container one; make that with --userns host' ]
    run coffer create --userns container:other --pid container:one tiny
    [ "$output" = 'coffer: create tiny: --pid container:one: that has other user ids than the container of --userns; one can only have those of one' ]
    coffer rm -f one other
    coffer run -d --name one --userns host tiny sleep 1000 > /dev/null
    [ "$(tiny --pid container:one tiny readlink /proc/self/ns/user)" = "$(readlink /proc/self/ns/user)" ]
}

no_zombies() { # NAME
    local all
    all=$(coffer exec "$1" ps -o stat) && [[ $all == STAT* && $all != *Z* ]]
}

@test "--init: signals go on, and orphans are reaped" {
    coffer run -d --name box --init tiny sh -c '
        trap "echo got; exit 7" TERM
        sh -c "sleep 0.1 & exec true"
        echo ready
        while :; do sleep 0.1; done' > /dev/null
    [ "$(coffer exec box cat /proc/1/comm)" = coffer-init ]
    until_true logs_have box ready
    until_true no_zombies box
    coffer stop box
    [ "$(coffer wait box)" = 7 ]
    [ "$(coffer logs box)" = $'ready\ngot' ]
    # What process 1 would ignore ends a command that is none.
    coffer run -d --name other --init tiny sleep 1000 > /dev/null
    coffer stop -t 30 other
    [ "$(coffer wait other)" = 143 ]
}
