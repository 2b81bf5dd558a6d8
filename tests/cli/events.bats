#!/usr/bin/env bats
# What happens, as it is told to those who watch: events.

bats_require_minimum_version 1.5.0
load engine

# "TYPE ACTION" of all up to now, of what happened since the test began.
told() { # OPTIONS...
    coffer events --since "$BEGIN" --until 0s --format '{{.Type}} {{.Action}}' "$@"
}

begin() {
    BEGIN=$(date +%s.%N)
}

@test "events: the life of a container, in its order" {
    begin
    id=$(coffer run -d --name box -l tier=front tiny sh -c 'trap "exit 4" TERM; while :; do sleep 0.05; done')
    coffer pause box
    coffer unpause box
    coffer rename box case
    coffer exec case sh -c 'exit 3' || true
    coffer kill -s TERM case
    coffer wait case > /dev/null
    coffer start case > /dev/null
    coffer stop -t 0 case > /dev/null
    coffer commit case kept:1 > /dev/null
    coffer rm case > /dev/null
    [ "$(told -f container="$id" | sed 's/^container //' | paste -sd,)" = \
        "create,start,pause,unpause,rename,exec_start: sh -c exit 3,exec_die,kill,die,start,kill,die,stop,commit,destroy" ]
    coffer events --since "$BEGIN" --until 0s --format json > "$BATS_TEST_TMPDIR/out"
    jq -es --arg id "$id" 'map(select(.Type == "container")) | all(.Type == "container" and .id == $id and .Actor.ID == $id and .from == "tiny" and .scope == "local"
        and .Actor.Attributes.image == "tiny" and .Actor.Attributes.tier == "front" and .timeNano / 1000000000 - .time < 1)' \
        "$BATS_TEST_TMPDIR/out"
    jq -es 'map(.Action) | index("rename") as $i | $i > 0' "$BATS_TEST_TMPDIR/out"
    [ "$(jq -r 'select(.Action == "rename") | .Actor.Attributes | .oldName + " " + .name' "$BATS_TEST_TMPDIR/out")" = "box case" ]
    [ "$(jq -r 'select(.Action == "exec_die") | .Actor.Attributes.exitCode' "$BATS_TEST_TMPDIR/out")" = 3 ]
    [ "$(jq -r 'select(.Action == "kill") | .Actor.Attributes.signal' "$BATS_TEST_TMPDIR/out" | paste -sd,)" = 15,15 ]
    # As text, and only what is asked for.
    run -0 coffer events --since "$BEGIN" --until 0s -f event=die -f label=tier=front
    [ "${#lines[@]}" -eq 2 ]
    # Its trap for TERM may come before the KILL that follows at once.
    [[ ${lines[1]} =~ ^20[0-9T:.-]+Z\ container\ die\ $id\ \(tier=front,\ image=tiny,\ name=case,\ exitCode=(4|137)\)$ ]]
    run -0 told -f label=tier=back
    [ -z "$output" ]
    run -0 told -f container=nobody
    [ -z "$output" ]
}

@test "events: somebody attaches" {
    coffer run -d --name box -i tiny cat > /dev/null
    begin
    coffer attach --no-stdin box > /dev/null &
    until_true sh -c "'$COFFER' --root '$(coffer_root)' --store '$(coffer_store)' events --since '$BEGIN' --until 0s -f event=attach | grep ' container attach '"
    coffer kill box > /dev/null
    wait $! || true
    [ "$(told -f container=box | paste -sd,)" = "container attach,container kill,container die" ]
}

@test "events: --rm, restarts and a failed start" {
    begin
    coffer run --rm --name gone tiny true
    coffer run --name tries --restart on-failure:1 tiny false || true
    until_true sh -c "'$COFFER' --root '$(coffer_root)' --store '$(coffer_store)' ps -a --format '{{.State}}' | grep -x exited"
    coffer run --rm tiny no-such-command || true
    [ "$(told -f container=gone | paste -sd,)" = "container create,container start,container die,container destroy" ]
    [ "$(told -f container=tries | paste -sd,)" = "container create,container start,container die,container start,container die" ]
    [ "$(told | tail -2 | paste -sd,)" = "container create,container destroy" ]
}

@test "events: an end that nobody saw is told once, before it is started again" {
    begin
    id=$(coffer run -d --name box --restart always tiny sleep 1000)
    pid=$(coffer inspect -f '{{.State.Pid}}' box)
    kill -KILL "$(monitors)"
    kill -KILL "$pid"
    while [ -e "/proc/$pid" ]; do sleep 0.01; done
    coffer ps -q > /dev/null 2>&1 # finds it
    started_again() { [ "$(told -f event=start | wc -l)" -eq 2 ]; }
    until_true started_again
    [ "$(told -f container="$id" | paste -sd,)" = "container create,container start,container die,container start" ]
    [ "$(coffer events --since "$BEGIN" --until 0s -f event=die --format '{{.Actor.Attributes.exitCode}}')" = unknown ]
}

@test "events: health, when it changes" {
    begin
    coffer run -d --name box --health-cmd 'test ! -e /ill' --health-interval 100ms --health-retries 1 tiny sleep 100 > /dev/null
    until_true sh -c "$COFFER --root '$(coffer_root)' --store '$(coffer_store)' ps | grep -q '(healthy)'"
    [ "$(coffer ps -f health=healthy --format '{{.Names}}')" = box ]
    [ "$(coffer inspect -f '{{.State.Health.Status}} {{(index .State.Health.Log 0).ExitCode}}' box)" = "healthy 0" ]
    coffer exec box touch /ill
    until_true sh -c "$COFFER --root '$(coffer_root)' --store '$(coffer_store)' ps | grep -q '(unhealthy)'"
    [ -z "$(coffer ps -q -f health=healthy)" ]
    [ "$(told -f event=health_status | paste -sd,)" = "container health_status: healthy,container health_status: unhealthy" ]
}

@test "events: images, networks and volumes" {
    begin
    coffer tag tiny other:1
    coffer rmi other:1 > /dev/null
    coffer volume create data > /dev/null
    coffer volume rm data > /dev/null
    # With the name goes the one by its digest.
    [ "$(told | uniq | paste -sd,)" = "image tag,image untag,volume create,volume destroy" ]
    coffer events --since "$BEGIN" --until 0s -f type=image -f event=untag --format '{{.ID}}' | grep -qx other:1
    if unshare -n true 2> /dev/null; then
        id=$(unshare -n "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" network create --subnet 10.77.0.0/24 mine)
        box=$(coffer create --network none --name box tiny)
        unshare -n "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" create --network mine --name on tiny > /dev/null
        unshare -n "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" network disconnect mine on
        unshare -n "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" network connect mine on
        [ "$(told -f type=network -f container="$(coffer ps -a --no-trunc -q -f name=on)" | paste -sd,)" = "network disconnect,network connect" ]
        [ -z "$(told -f type=network -f container="$box")" ]
        coffer rm on > /dev/null
        unshare -n "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" network rm mine > /dev/null
        [ "$(told -f network=mine | paste -sd,)" = "network create,network disconnect,network connect,network destroy" ]
        [ "$(coffer events --since "$BEGIN" --until 0s -f event=destroy -f network="${id:0:12}" --format '{{.Actor.Attributes.type}}')" = bridge ]
    fi
}

@test "events: followed as they come, until the time is over" {
    coffer events --until 600s > /dev/null # that is long ago
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" events -f event=die --format '{{.Actor.Attributes.name}}' \
        > "$BATS_TEST_TMPDIR/followed" 3>&- &
    follower=$!
    until_true sh -c "ls -l /proc/$follower/fd | grep -q inotify && ls -l /proc/$follower/fd | grep -q events"
    coffer run --name first tiny true
    until_true grep -qx first "$BATS_TEST_TMPDIR/followed"
    coffer run --name second tiny true
    until_true grep -qx second "$BATS_TEST_TMPDIR/followed"
    kill "$follower"
    # One with an end that is to come ends by itself.
    until=$(($(date +%s) + 2))
    run -0 timeout -k 2 20 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" events --since 1h --until "$until" -f container=first
    [ "${#lines[@]}" -eq 3 ]
    [ "$(date +%s)" -ge "$until" ]
}

@test "events: the log is bounded, and what is cut off or damaged is passed over" {
    coffer create --name one tiny > /dev/null
    log=$(find "$(coffer_root)/containers" -name .events)
    # Three megabytes of lines, and the beginning of one more.
    python3 - "$log" << 'END'
import sys, json
with open(sys.argv[1], "a") as log:
    for i in range(12000):
        log.write(json.dumps({"time": 1700000000000000000 + i, "type": "volume", "action": "create", "id": "v%d" % i,
                              "attributes": {"filler": "x" * 150}}) + "\n")
    log.write("no event\n")
END
    coffer create --name two tiny > /dev/null
    [ "$(stat -c %s "$log")" -gt $((2 << 20)) ]
    [ $(($(stat -c %b "$log") * 512)) -le $((2 << 20)) ]
    coffer events --since 0 --until 0s --format '{{.ID}}' > "$BATS_TEST_TMPDIR/out"
    [ "$(grep -c '^v' "$BATS_TEST_TMPDIR/out")" -gt 3000 ]
    [ "$(grep -c '^v' "$BATS_TEST_TMPDIR/out")" -lt 9000 ]
    grep -qx v11999 "$BATS_TEST_TMPDIR/out"
    [ "$(coffer events --since 10m --until 0s --format '{{.Action}}' -f type=container)" = create ]
}

@test "events: what is wrong is said" {
    fails '--filter nope=1: expected type=KIND, event=ACTION, container=NAME, image=NAME, network=NAME, volume=NAME or label=KEY[=VALUE]' \
        coffer events -f nope=1
    run -125 coffer events --since soon
    [[ $output == 'coffer: --since: expected a length of time such as 10m'* ]]
    begin
    coffer run --rm tiny true
    fails '--format: {{.Nope}}: expected one of Status, ID, From, Type, Action, Actor, Scope, Time, TimeNano, found "Nope"' \
        coffer events --since "$BEGIN" --until 0s --format '{{.Nope}}'
}

@test "what containers are called by moves no cursor" {
    begin
    coffer run --rm --label "evil=$(printf 'a\033]0;b\007')" tiny true
    coffer events --since "$BEGIN" --until 0s -f event=die --format '{{.Actor.Attributes.evil}}' | grep -q $'\033' # in a pipe it is what it is
    on_pty "$COFFER --root $(coffer_root) --store $(coffer_store) events --since $BEGIN --until 0s -f event=die --format '{{.Actor.Attributes.evil}}'"
    [[ $output == *'a\u001b]0;b\u0007'* ]]
    coffer run --name box --label "evil=$(printf 'a\033]0;b\007')" tiny true
    on_pty "$COFFER --root $(coffer_root) --store $(coffer_store) inspect -f '{{.Config.Labels.evil}}' box"
    [[ $output == *'a\u001b]0;b\u0007'* ]]
}
