#!/usr/bin/env bats
# Finding containers: ps with its filters, top, and the removal of those that have ended.

bats_require_minimum_version 1.5.0
load engine

names() { # OPTIONS...
    coffer ps --format '{{.Names}}' "$@" | paste -sd ' '
}

@test "ps: filters by what a container is" {
    coffer run -d --name web1 -l tier=front -l app=shop tiny sleep 100 > /dev/null
    coffer run -d --name web2 -l tier=front tiny sleep 100 > /dev/null
    coffer run --name job -l tier=back tiny sh -c 'exit 3' || true
    coffer create --name made tiny > /dev/null
    coffer pause web2
    [ "$(names -a)" = "made job web2 web1" ]
    [ "$(names)" = "web2 web1" ]
    [ "$(names -f name=web)" = "web2 web1" ]
    [ "$(names -f 'name=^/web1$')" = web1 ]
    [ "$(names -a -f name=job -f name=1)" = "job web1" ]
    [ "$(names -f label=tier=front -f label=app)" = web1 ]
    [ "$(names -a -f 'label!=tier')" = made ]
    [ "$(names -f status=exited)" = job ]
    [ "$(names -f status=paused -f status=created)" = "made web2" ]
    [ "$(names -a -f exited=3)" = job ]
    [ -z "$(names -a -f exited=0)" ]
    [ "$(names -a -f before=web2)" = web1 ]
    [ "$(names -a -f since=web2)" = "made job" ]
    [ "$(names -f "id=$(coffer ps -q -f name=web1)")" = web1 ]
    [ "$(names -f ancestor=tiny:latest)" = "web2 web1" ]
    [ "$(names -f "ancestor=$(coffer image inspect -f '{{.Id}}' tiny)")" = "web2 web1" ]
    [ -z "$(names -f ancestor=other)" ]
    [ "$(names -a -f until=24h)" = "" ]
    fails '--filter nope=1: expected name=TEXT, id=ID, label=KEY[=VALUE], status=STATUS, exited=CODE, ancestor=IMAGE, before=CONTAINER, since=CONTAINER, volume=VOLUME, network=NETWORK, publish=PORT, expose=PORT, health=STATUS, is-task=BOOL or until=TIME' \
        coffer ps -f nope=1
    fails '--filter status=up: expected one of created running paused restarting exited removing dead' coffer ps -f status=up
    fails '--filter since=nobody: expected a container that is there' coffer ps -f since=nobody
    fails '--filter exited=x: expected an exit code' coffer ps -f exited=x
    fails '--filter name=(: expected a regular expression' coffer ps -f 'name=('
}

@test "ps: the last ones, sizes, mounts, and what is there of a template" {
    coffer volume create data > /dev/null
    coffer run -d --name one -v data:/data tiny sleep 100 > /dev/null
    coffer run --name two tiny dd if=/dev/zero of=/fat bs=1024 count=300 2> /dev/null
    [ "$(names -l)" = two ]
    [ "$(names -n 2)" = "two one" ]
    [ "$(names -n 1)" = two ]
    [ "$(names -f volume=data)" = one ]
    [ "$(names -f volume=/data)" = one ]
    [ "$(coffer ps --format '{{.Mounts}} {{.LocalVolumes}} {{.Size}}')" = "data 1 " ]
    [[ $(coffer ps -s -l --format '{{.Size}}') =~ ^3[0-9]{2}kB\ \(virtual\ [0-9.]+[kM]B\)$ ]]
    [[ $(coffer ps -s -a) == *"SIZE"*"virtual"* ]]
    [[ $(coffer ps) != *SIZE* ]]
    coffer ps -a --format json | jq -es 'length == 2 and .[0].Names == "two" and .[0].State == "exited" and .[1].Image == "tiny"'
    coffer run --name long tiny true aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    [[ $(coffer ps -l) != *aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa* ]]
    [[ $(coffer ps -l --no-trunc) == *'"true aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"'* ]]
}

@test "ps: ports and networks, while it runs" {
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
    unshare -n "$BASH" -c "ip link set lo up
        coffer() { timeout -k 2 60 '$COFFER' --root '$(coffer_root)' --store '$(coffer_store)' \"\$@\"; }
        coffer run -d --name web --network bridge -p 8080-8082:80-82 -p 127.0.0.1:53:53/udp tiny sleep 100
        coffer ps --format '{{.Ports}} | {{.Networks}}'
        coffer ps -q -f publish=81 -f publish=9
        coffer ps -q -f publish=53/tcp
        coffer ps --format '{{.Names}}' -f network=bridge
        coffer ps --format 'out {{.Names}}' -f publish=8081-8090
        coffer ps --format 'out {{.Names}}' -f publish=53
        coffer stop -t 0 web
        coffer ps -a --format '<{{.Ports}}>'
        coffer rm web" > "$BATS_TEST_TMPDIR/out"
    mapfile -t lines < "$BATS_TEST_TMPDIR/out"
    [ "${lines[1]}" = "0.0.0.0:8080-8082->80-82/tcp, 127.0.0.1:53->53/udp | bridge" ]
    [ "${lines[2]}" = "${lines[0]:0:12}" ]
    [ "${lines[3]}" = web ]
    [ "${lines[4]}" = "out web" ] # and not by 53/tcp
    [ "${lines[5]}" = web ]
    [ "${lines[6]}" = "<>" ]
}

@test "ps: filters by what is exposed, by what an image is made of, and by swarm's tasks" {
    coffer create --name one --expose 8000-8010 --expose 53/udp tiny > /dev/null
    coffer create --name two -p 80 tiny > /dev/null
    coffer run --name three tiny touch /more
    coffer commit three child > /dev/null
    coffer create --name four child true > /dev/null
    [ "$(names -a -f expose=8003)" = one ]
    [ "$(names -a -f expose=8009-9000/tcp)" = one ]
    [ -z "$(names -a -f expose=53)" ]
    [ "$(names -a -f expose=53/udp)" = one ]
    [ "$(names -a -f expose=80)" = two ]
    [ "$(names -a -f expose=80 -f expose=8000)" = "two one" ]
    [ "$(names -a -f ancestor=tiny)" = "four three two one" ]
    [ "$(names -a -f ancestor=child)" = four ]
    [ "$(names -a -f is-task=false | wc -w)" = 4 ]
    [ -z "$(names -a -f is-task=true)" ]
    fails '--filter is-task=x: expected one of true false' coffer ps -f is-task=x
    for ports in 0 x 9-8 80/tdp 65536; do
        fails "--filter expose=$ports: expected a port of the container such as 80, 53/udp or 8000-8080" coffer ps -f expose=$ports
        fails "--filter publish=$ports: expected a port such as 80, 53/udp or 8000-8080" coffer ps -f publish=$ports
    done
}

@test "top: the processes of a container, as the host and as the container see them" {
    coffer run -d --name box tiny sh -c 'sleep 1000 & exec sleep 2000' > /dev/null
    until_true sh -c "'$COFFER' --root '$(coffer_root)' --store '$(coffer_store)' top box | grep -q 'sleep 1000'"
    coffer top box > "$BATS_TEST_TMPDIR/out"
    [[ $(head -1 "$BATS_TEST_TMPDIR/out") =~ ^UID\ +PID\ +PPID\ +C\ +STIME\ +TTY\ +TIME\ +CMD$ ]]
    [ "$(wc -l < "$BATS_TEST_TMPDIR/out")" -eq 3 ]
    pid=$(coffer inspect -f '{{.State.Pid}}' box)
    [[ $(awk -v pid="$pid" '$2 == pid' "$BATS_TEST_TMPDIR/out") == *"00:00:00"*"sleep 2000" ]]
    [ "$(coffer top box -o pid,cpid,comm | sed -n 2p | tr -s ' ')" = "$pid 1 sleep" ]
    [ "$(coffer top box cpid args | sed 1d | tr -s ' ' | sort)" = "$(printf '1 sleep 2000\n2 sleep 1000')" ]
    [[ $(coffer top box aux | head -1) == USER*%CPU*RSS*CMD ]]
    [ "$(coffer top --format json box | jq -r .CMD | sort | paste -sd,)" = "sleep 1000,sleep 2000" ]
    run -125 coffer top box -o pid,nothing
    [[ $output == "coffer: top: expected columns of pid, cpid, "*'found "nothing"' ]]
    coffer stop -t 0 box
    fails 'top box: it is not running' coffer top box
}

@test "container prune: what does not run goes, as far as it was meant" {
    coffer run -d --name up tiny sleep 100 > /dev/null
    coffer run --name old -l keep=no tiny true
    coffer run --name kept -l keep=yes tiny true
    coffer create --name made tiny > /dev/null
    fails 'standard input is no terminal to ask on; use --force' coffer container prune < /dev/null
    [ -z "$(coffer container prune -f --filter until=1h)" ]
    run -0 coffer container prune -f --filter 'label!=keep=yes' --filter label=keep
    [[ $output == "Deleted container: "*"Total reclaimed space: "* ]]
    [ "$(names -a)" = "made kept up" ]
    fails '--filter name=x: expected until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]' coffer container prune -f --filter name=x
    run -0 coffer system prune -f --filter 'label=keep=yes'
    [ "$(names -a)" = "made up" ]
    coffer container prune -f > /dev/null
    [ "$(names -a)" = up ]
    [ "$(coffer container ls --format '{{.Names}}')" = up ]
}

@test "ps: a container whose record is damaged is told of, and can be removed" {
    coffer create --name good tiny > /dev/null
    id=$(coffer create --name bad tiny)
    sed -i 's/"mounts":{"list":\[/&{"type":"nothing"}/' "$(coffer_store)/containers/$id/record.json"
    run -0 --separate-stderr coffer ps -a --format '{{.Names}}'
    [ "$output" = good ]
    # shellcheck disable=SC2154
    [[ $stderr == *"container ${id:0:12}: "*"; coffer rm ${id:0:12} removes it" ]]
    coffer rm "${id:0:12}" > /dev/null
    run -0 --separate-stderr coffer ps -a --format '{{.Names}}'
    [ -z "$stderr" ]
}

@test "a record that cannot be read takes nothing with it: only its owner's word does" {
    id=$(coffer create --name box tiny)
    folder=$(coffer_store)/containers/$id
    mkdir "$(coffer_root)"/containers/*/"$id" 2> /dev/null || true # as of one that has just been killed
    echo written > "$folder/upper/file"
    cp "$folder/record.json" "$BATS_TEST_TMPDIR/kept"
    echo '{"name":' > "$folder/record.json"
    coffer system repair > /dev/null 2>&1 || true
    coffer ps -a > /dev/null 2>&1 || true
    [ "$(cat "$folder/upper/file")" = written ]
    cp "$BATS_TEST_TMPDIR/kept" "$folder/record.json"
    [ "$(coffer start -a box; coffer ps -aq | wc -l)" = 1 ]
    echo '{"name":' > "$folder/record.json"
    coffer rm -f "${id:0:12}"
    [ ! -e "$folder" ]
}
