#!/usr/bin/env bats
# Limits and restart policies of containers that are there, changed.

bats_require_minimum_version 1.5.0
load engine

setup() {
    engine_setup
    [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && VERSION=2 || VERSION=1
}

# What the kernel has for a container: a file of each version.
group_of() { # NAME CONTROLLER
    local pid
    pid=$(coffer inspect -f '{{.State.Pid}}' "$1")
    if [ "$VERSION" = 2 ]; then
        echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")"
    else
        local line
        line=$(grep -E "^[0-9]+:([^:]*,)?$2(,[^:]*)?:" "/proc/$pid/cgroup")
        echo "/sys/fs/cgroup/$2${line#*:*:}"
    fi
}

has() { # NAME CONTROLLER FILE-OF-1 FILE-OF-2
    local file=$3
    [ "$VERSION" = 1 ] || file=$4
    cat "$(group_of "$1" "$2")/$file"
}

@test "update: limits of one that runs, which had none, and of its next starts" {
    coffer run -d --name box tiny sh -c 'sleep 1000 & wait' > /dev/null
    coffer update --memory 64m --pids-limit 33 --cpus 0.5 --cpu-shares 512 box
    [ "$(has box memory memory.limit_in_bytes memory.max)" = 67108864 ]
    [ "$(has box pids pids.max pids.max)" = 33 ]
    if [ "$VERSION" = 1 ]; then
        [ "$(has box cpu cpu.cfs_quota_us)" = 50000 ]
        [ "$(has box cpu cpu.shares)" = 512 ]
    else
        [ "$(has box cpu '' cpu.max)" = "50000 100000" ]
    fi
    # All of it is in there, what was forked too.
    until_true sh -c "[ \$(wc -l < $(group_of box memory)/cgroup.procs) = 2 ]"
    [ "$(coffer inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}}' box)" = \
        "67108864 33 500000000 512" ]
    [[ $(coffer stats --no-stream --format '{{.MemUsage}}' box) == *" / 64MiB" ]]
    coffer update -m 96m box
    [ "$(has box memory memory.limit_in_bytes memory.max)" = 100663296 ]
    coffer restart -t 0 box
    [ "$(has box memory memory.limit_in_bytes memory.max)" = 100663296 ]
    [ "$(has box pids pids.max pids.max)" = 33 ]
}

@test "update: one that does not run has them when it starts" {
    coffer create --name box tiny sleep 100 > /dev/null
    coffer update --memory 64m --cpuset-cpus 0 box
    coffer start box
    [ "$(has box memory memory.limit_in_bytes memory.max)" = 67108864 ]
    [ "$(coffer exec box nproc)" = 1 ]
    coffer events --since 5m --until 0s -f event=update --format '{{.Actor.Attributes.name}}' | grep -qx box
}

@test "update: the restart policy counts for one that runs" {
    coffer run -d --name box tiny sh -c 'while [ ! -e /go ]; do sleep 0.05; done; rm /go; exit 3' > /dev/null
    coffer update --restart on-failure:1 box
    [ "$(coffer inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' box)" = "on-failure 1" ]
    coffer exec box touch /go
    until_true sh -c "[ \$($COFFER --root '$(coffer_root)' --store '$(coffer_store)' inspect -f '{{.RestartCount}} {{.State.Running}}' box | tr ' ' -) = 1-true ]"
    coffer update --restart no box
    coffer exec box touch /go
    [ "$(coffer wait box)" = 3 ]
    [ "$(coffer inspect -f '{{.RestartCount}} {{.State.Status}}' box)" = "1 exited" ]
}

@test "update: out of memory by a limit that came later is seen" {
    coffer run -d --name box tiny sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exec dd if=/dev/zero of=/dev/null bs=200M count=1' > /dev/null
    coffer update -m 32m --memory-swap 32m box
    coffer exec box touch /go
    [ "$(coffer wait box)" = 137 ]
    [ "$(coffer inspect -f '{{.State.OOMKilled}}' box)" = true ]
    [[ $(coffer ps -a --format '{{.Status}}') == "Exited (137) "*" ago (out of memory)" ]]
    coffer events --since 5m --until 0s -f container=box -f event=oom -f event=die --format '{{.Action}}' | paste -sd, | grep -qx oom,die
}

@test "update: what cannot be is refused, and changes nothing" {
    coffer run -d --name box -m 64m tiny sleep 100 > /dev/null
    fails 'update: expected a limit or --restart to change' coffer update box
    run -125 coffer update -m 1m box
    [[ $output == 'coffer: update box: --memory: expected at least 6m'* ]]
    run -125 coffer update --restart sometimes box
    [[ $output == 'coffer: --restart'* ]]
    fails 'no container is named "nobody"; coffer ps --all lists them' coffer update -m 64m nobody
    coffer run -d --rm --name passing tiny sleep 100 > /dev/null
    fails 'update passing: --restart: the container is removed when it has ended (--rm), and not started again' \
        coffer update --restart always passing
    [ "$(coffer inspect -f '{{.HostConfig.Memory}}' box)" = 67108864 ]
    [ "$(has box memory memory.limit_in_bytes memory.max)" = 67108864 ]
    coffer rm -f passing > /dev/null
}
