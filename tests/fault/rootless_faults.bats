#!/usr/bin/env bats
# Networks of an ordinary user when things go wrong: commands, monitors, the keeper, the anchor and pasta killed at any moment.
#
#   FAULT_KILLS=N   how many kills (12)      FAULT_SEED=N   the same choices again
bats_require_minimum_version 1.5.0
load ../cli/helpers
load ../cli/rootless

setup() {
    rootless_setup
}

teardown() {
    rootless_teardown
}

# One of what there is, by chance.
kill_one() {
    local there
    read -ra there <<< "$(of_test '^coffer' | tr '\n' ' ') $(pastas | tr '\n' ' ')"
    [ "${#there[@]}" -eq 0 ] || kill -KILL "${there[RANDOM % ${#there[@]}]}" 2> /dev/null || true
}

far_answers() {
    [ "$(mine exec "$1" /usr/bin/python3 /net.py ask 192.0.2.1 99)" = "far 192.0.2.2" ]
}

# Those that run are found by their names, and lead out.
all_work() {
    local name
    for name in $(mine ps --format '{{.Names}}'); do
        mine run --rm --network team tiny busybox nslookup "$name" > /dev/null || return 1
        until_true far_answers "$name" || return 1
    done
}

@test "what an ordinary user's networks need, killed at any moment, is there again, and nothing is left behind a repair" {
    RANDOM=${FAULT_SEED:-$$}
    echo "seed ${FAULT_SEED:-$$}"
    serve_far
    mine network create team > /dev/null
    for ((i = 0; i < ${FAULT_KILLS:-12}; i++)); do
        mine run -d --name "c$i" --network team -p 80 "${talk[@]}" tiny sleep 1000 > /dev/null 2>&1 3>&- &
        local command=$!
        sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
        kill_one
        wait "$command" || true
        if [ $((i % 4)) -eq 3 ]; then
            mine system repair > /dev/null 2>&1
            all_work
            mine rm -f "$(mine ps -q | head -n 1)" > /dev/null
        fi
    done
    mine system repair > /dev/null 2>&1
    mine ps -aq | while read -r id; do
        mine rm -f "$id" > /dev/null
    done
    nothing_left
    mine network rm team
}
