#!/usr/bin/env bats
# What containers use: stats, once and again and again.

bats_require_minimum_version 1.5.0
load engine

of() { # NAME FIELD
    coffer stats --no-stream --format json "$1" | jq -r ".$2"
}

cpu_is_above() { # NAME PERCENT
    coffer stats --no-stream --format json "$1" | jq -e --argjson least "$2" '.CPUPerc | rtrimstr("%") | tonumber > $least'
}

@test "stats: processors, memory and its limit, processes" {
    coffer run -d --name busy tiny sh -c 'while :; do :; done' > /dev/null
    coffer run -d --name limited -m 64m --pids-limit 20 tiny sh -c 'sleep 100 & sleep 100 & wait' > /dev/null
    until_true cpu_is_above busy 10
    until_true sh -c "[ \"\$($COFFER --root '$(coffer_root)' --store '$(coffer_store)' stats --no-stream --format '{{.PIDs}}' limited)\" = 3 ]"
    coffer stats --no-stream > "$BATS_TEST_TMPDIR/out"
    [[ $(head -1 "$BATS_TEST_TMPDIR/out") =~ ^CONTAINER\ ID\ +NAME\ +CPU\ %\ +MEM\ USAGE\ /\ LIMIT\ +MEM\ %\ +NET\ I/O\ +BLOCK\ I/O\ +PIDS$ ]]
    [ "$(wc -l < "$BATS_TEST_TMPDIR/out")" -eq 3 ]
    coffer stats --no-stream --format json limited | jq -e --arg id "$(coffer ps -q --no-trunc -f name=limited)" \
        '.Name == "limited" and .ID == ($id | .[:12]) and .Container == "limited" and (.MemUsage | test("^[0-9.]+[KM]iB / 64MiB$"))
         and (.CPUPerc | rtrimstr("%") | tonumber < 50) and (.NetIO | test("^[0-9.]+k?B / ")) and (.BlockIO | test(" / "))'
    # Its limit is the host's where it has none.
    [[ $(of busy MemUsage) == *"GiB" ]]
}

@test "stats: memory that a container takes is seen, with and without a limit" {
    for limit in "" "-m 256m"; do
        # shellcheck disable=SC2086
        coffer run -d --name eater $limit tiny sh -c 'x=$(dd if=/dev/zero bs=1024 count=20000 2> /dev/null | tr "\0" x); sleep 100; true' > /dev/null
        until_true sh -c "$COFFER --root '$(coffer_root)' --store '$(coffer_store)' stats --no-stream --format '{{.MemUsage}}' eater | grep -E '^(1[5-9]|[2-9][0-9]|1[0-9][0-9])(\.[0-9]+)?MiB'"
        coffer rm -f eater > /dev/null
    done
}

@test "stats: all with -a, one by name that does not run, and one that is not there" {
    coffer run --name ended tiny true
    coffer run -d --name up tiny sleep 100 > /dev/null
    [ "$(coffer stats --no-stream --format '{{.Name}}')" = up ]
    [ "$(coffer stats --no-stream -a --format '{{.Name}}' | sort | paste -sd,)" = ended,up ]
    [ "$(coffer stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.PIDs}}' ended)" = "ended 0.00% 0" ]
    fails 'no container is named "nobody"; coffer ps --all lists them' coffer stats --no-stream nobody
}

@test "stats: again and again, in one place of a terminal, and new containers too" {
    needs script
    coffer run -d --name one tiny sleep 100 > /dev/null
    script -q -f -e -c "timeout -s INT 30 $COFFER --root $(coffer_root) --store $(coffer_store) stats" "$BATS_TEST_TMPDIR/screen" > /dev/null < /dev/null 3>&- &
    until_true grep -q one "$BATS_TEST_TMPDIR/screen"
    coffer run -d --name another tiny sleep 100 > /dev/null
    until_true grep -q another "$BATS_TEST_TMPDIR/screen"
    grep -q $'\033\[2A\r' "$BATS_TEST_TMPDIR/screen" # up by the heading and one line
    pkill -INT -f "coffer --root $(coffer_root) --store $(coffer_store) stats"
    wait
    # What is no terminal gets each look below the other.
    timeout -k 2 4 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" stats --format '{{.Name}}' one > "$BATS_TEST_TMPDIR/lines" || true
    [ "$(grep -cx one "$BATS_TEST_TMPDIR/lines")" -ge 2 ]
}

@test "stats: bytes of the network" {
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
    unshare -n "$BASH" -c "ip link set lo up
        coffer() { timeout -k 2 60 '$COFFER' --root '$(coffer_root)' --store '$(coffer_store)' \"\$@\"; }
        coffer run -d --name web --network bridge tiny busybox ping -i 0.2 -s 1000 10.201.0.1 > /dev/null
        for i in \$(seq 100); do
            sent=\$(coffer stats --no-stream --format '{{.NetIO}}' web)
            case \$sent in *kB\ /\ *kB) break ;; esac
        done
        echo \"\$sent\"
        coffer rm -f web > /dev/null" > "$BATS_TEST_TMPDIR/out"
    [[ $(cat "$BATS_TEST_TMPDIR/out") =~ ^[0-9.]+kB\ /\ [0-9.]+kB$ ]]
}
