#!/usr/bin/env bats
# Why a container was killed, where the kernel has done it: said by run, wait, ps and inspect.

bats_require_minimum_version 1.5.0
load engine

status_of() {
    coffer ps -a --format '{{.Names}} {{.Status}}' | sed -n "s/^$1 //p"
}

# What its process becomes by doing so: more than 64 MiB of memory.
greedy='x=$(head -c 100000000 /dev/zero | tr "\0" x)'

@test "the memory limit: which one, in one line" {
    run --separate-stderr coffer run --network none --name box -m 64m tiny sh -c "$greedy"
    [ "$status" -eq 137 ]
    id=$(coffer ps -aq)
    [ "$stderr" = "coffer: warning: container $id: it was killed, as its memory limit of 67108864 bytes was reached (--memory)" ]
    [[ $(status_of box) == 'Exited (137) '*' (out of memory)' ]]
    run --separate-stderr coffer wait box
    [ "$output" = 137 ]
    [ "$stderr" = "coffer: warning: container $id: it was killed, as its memory limit of 67108864 bytes was reached (--memory)" ]
    [ "$(coffer inspect -f '{{.State.OOMKilled}} {{.State.Error}}' box)" = \
        'true it was killed, as its memory limit of 67108864 bytes was reached (--memory)' ]
    # While somebody waits for it, too.
    coffer start box
    run --separate-stderr coffer wait box
    [[ $stderr == *'its memory limit of 67108864 bytes was reached (--memory)' ]]
}

@test "the memory limit: one that another process has met" {
    run --separate-stderr coffer run --rm --network none -m 64m tiny sh -c "sh -c '$greedy'; exit 3"
    [ "$status" -eq 3 ]
    [[ $stderr == *'a process in it was killed, as its memory limit of 67108864 bytes was reached (--memory)' ]]
}

@test "a kill by the user, or by itself, is no want of memory" {
    run --separate-stderr coffer run --rm --network none -m 64m tiny sh -c 'kill -9 $$; exit 137'
    [ "$status" -eq 137 ]
    [ -z "$stderr" ]
    coffer run -d --network none -m 64m --name box tiny sleep 100 > /dev/null
    coffer kill box
    run --separate-stderr coffer wait box
    [ "$output" = 137 ]
    [ -z "$stderr" ]
    [[ $(status_of box) != *memory* ]]
}

@test "the system call filter: which call, where the kernel's log says it" {
    local profile=$BATS_TEST_TMPDIR/profile.json call='; for which call is in the kernel'"'"'s audit log, where one is kept'
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]}' > "$profile"
    run --separate-stderr coffer run --network none --name box --security-opt "seccomp=$profile" tiny mkdir /x
    [ "$status" -eq 159 ]
    case $(uname -m) in
    x86_64) dmesg 2> /dev/null | grep -q 'type=1326.*comm="mkdir".*sig=31' && call=', for system call mkdir, number 83 (--security-opt seccomp)' ;;
    *) dmesg 2> /dev/null | grep -q 'type=1326.*comm="mkdir".*sig=31' && call=', for system call mkdirat, number 34 (--security-opt seccomp)' ;;
    esac
    [ "$stderr" = "coffer: warning: container $(coffer ps -aq): it was killed by its system call filter$call" ]
    [[ $(status_of box) == 'Exited (159) '*'denied)' ]]
    [[ $(coffer inspect -f '{{.State.Error}}' box) == 'it was killed by its system call filter'* ]]
}
