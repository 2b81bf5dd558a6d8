#!/usr/bin/env bats
# What a container's monitor costs, and that it depends on nobody.

bats_require_minimum_version 1.5.0
load engine

teardown() {
    local result=0
    engine_teardown || result=1
    [ -z "${GROUP:-}" ] || rmdir "$GROUP" 2> /dev/null || true
    return "$result"
}

# Its memory that is no other process's, in kB. Pages of the program's file are in the page cache once, for all monitors.
private_kb() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { ours = $2 ~ /w/ } ours && /^Private_(Clean|Dirty)/ { sum += $2 } END { print sum }' "/proc/$1/smaps"
}

all_below() { # KB
    local pid
    [ -n "$(monitors)" ] || return 1
    for pid in $(monitors); do
        [ "$(private_kb "$pid")" -lt "$1" ] || return 1
    done
}

@test "a monitor has less than 200 kB of its own, also after much output" {
    [ "$BUILD" = "${BUILD%/san}" ] || skip "the sanitisers' memory is not the program's"
    coffer run -d --network none --name one tiny sleep 100 > /dev/null
    coffer run -d --network none --name two tiny sh -c 'seq 100000; exec sleep 100' > /dev/null
    until_true all_below 200 || {
        for pid in $(monitors); do private_kb "$pid"; done
        false
    }
    [ "$(monitors | wc -l)" = 2 ]
}

@test "a monitor does not grow with restarts" {
    [ "$BUILD" = "${BUILD%/san}" ] || skip "the sanitisers' memory is not the program's"
    coffer run -d --network none --restart always --name again tiny true > /dev/null
    restarted() { coffer inspect -f '{{.RestartCount}}' again | grep -qx '[4-9]'; }
    until_true restarted
    until_true all_below 200
}

@test "a monitor is in a group of its own, and outlives its starter's" {
    local group id pid
    for group in /sys/fs/cgroup /sys/fs/cgroup/unified; do
        [ -e "$group/cgroup.procs" ] && [ ! -e "$group/tasks" ] && break
    done
    [ -e "$group/cgroup.procs" ] || skip "needs cgroup version 2, or a hybrid host"
    GROUP=$group/starter-$$-$BATS_TEST_NUMBER
    mkdir "$GROUP"
    id=$(sh -c 'echo 0 > "$1/cgroup.procs"; shift; exec "$@"' sh "$GROUP" \
        timeout -k 2 60 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run -d --network none --name box tiny sleep 100)
    pid=$(monitors)
    grep -q '^0::.*/coffer-monitors$' "/proc/$pid/cgroup"
    [ -z "$(cat "$GROUP/cgroup.procs")" ]
    rmdir "$GROUP"
    [ "$(coffer ps -q --no-trunc)" = "$id" ]
    coffer stop -t 0 box
    is_over() { [ ! -d "/proc/$pid" ]; }
    until_true is_over
}

is_dead() { # whether somebody has taken its end or not
    local state=Z
    { read -r _ _ state _ < "/proc/$1/stat"; } 2> /dev/null || true
    [ "$state" = Z ]
}

@test "where many containers run, each command looks at some of them, and all that was killed is found" {
    for i in $(seq 70); do
        echo "run -d --rm --network none --name many$i tiny sleep 1000"
    done | xargs -P 4 -I '{}' sh -c "\"$COFFER\" --root \"$(coffer_root)\" --store \"$(coffer_store)\" {}" > /dev/null
    count() {
        find "$(coffer_store)/containers" -mindepth 1 -maxdepth 1 | wc -l
    }
    [ "$(count)" -eq 70 ]
    # shellcheck disable=SC2046 # numbers
    children=$(for monitor in $(monitors); do pgrep -P "$monitor"; done)
    # shellcheck disable=SC2046
    kill -KILL $(monitors)
    # shellcheck disable=SC2086
    kill -KILL $children
    for child in $children; do
        until_true is_dead "$child"
    done
    coffer run --rm --network none tiny true
    [ "$(count)" -lt 70 ]
    [ "$(count)" -ge 54 ] # 16 are a part
    for _ in $(seq 10); do
        [ "$(count)" -gt 0 ] || break
        coffer run --rm --network none tiny true
    done
    [ "$(count)" -eq 0 ]
    [ -z "$(coffer ps -aq)" ]
}

# Kernels from 6.14 on mistake the one for a kill at each birth in another group, which is how monitors and containers get into theirs.
@test "a starter whose control group was once killed by cgroup.kill starts containers as any other" {
    top=/sys/fs/cgroup/unified
    [ -d "$top" ] || top=/sys/fs/cgroup
    group=$top/started-$BATS_SUITE_TEST_NUMBER-$$
    mkdir "$group" && [ -e "$group/cgroup.kill" ] || skip "no control groups of version 2 with cgroup.kill"
    echo 1 > "$group/cgroup.kill"
    status=0
    sh -c "echo 0 > '$group/cgroup.procs' && exec \"\$@\"" sh "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" \
        run -d --name box --network none tiny sleep 1000 > /dev/null || status=$?
    rmdir "$group"
    [ "$status" -eq 0 ]
    coffer exec box true
}
