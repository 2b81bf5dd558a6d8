#!/usr/bin/env bats
# What is known of containers: inspect and port.

bats_require_minimum_version 1.5.0
load engine

teardown() {
    engine_teardown
    [ -z "${HOST:-}" ] || kill "$HOST"
}

show() { # NAME TEMPLATE
    coffer inspect --format "$2" "$1"
}

# A host of our own for networks.
own_host() {
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
    unshare -n sleep 1000 3>&- &
    HOST=$!
    until_true other_namespace
    on_host ip link set lo up
}

other_namespace() {
    [ "$(readlink "/proc/$HOST/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

on_host() {
    nsenter --net="/proc/$HOST/ns/net" timeout -k 1 60 "$@"
}

here() {
    on_host "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

@test "inspect: what a running container is, by docker's names" {
    id=$(coffer run -d --name box -e A=b -l tier=front -u 1000 -w /tmp --entrypoint sleep --restart on-failure:3 --stop-signal INT tiny 100)
    coffer inspect box > "$BATS_TEST_TMPDIR/out"
    [ "$(jq length "$BATS_TEST_TMPDIR/out")" -eq 1 ]
    jq -e --arg id "$id" '.[0] | .Id == $id and .Name == "/box" and .Path == "sleep" and .Args == ["100"] and .RestartCount == 0
        and .State.Status == "running" and .State.Running and (.State.Paused | not) and (.State.OOMKilled | not) and .State.ExitCode == 0
        and (.State.StartedAt | test("^20[0-9-]+T[0-9:.]+Z$")) and .State.FinishedAt == "0001-01-01T00:00:00Z"
        and (.Created | test("^20[0-9-]+T[0-9:.]+Z$"))
        and .Config.User == "1000" and .Config.WorkingDir == "/tmp" and .Config.Entrypoint == ["sleep"] and .Config.Cmd == ["100"]
        and .Config.Labels == {"tier": "front"} and .Config.Image == "tiny" and .Config.StopSignal == "INT"
        and .HostConfig.RestartPolicy == {"Name": "on-failure", "MaximumRetryCount": 3}
        and .HostConfig.NetworkMode == "none" and (.NetworkSettings.Networks | keys) == ["none"]' "$BATS_TEST_TMPDIR/out"
    [ "$(jq -r '.[0].Config.Env | join(" ")' "$BATS_TEST_TMPDIR/out")" = "PATH=/bin A=b" ]
    [ "$(jq -r '.[0].Image' "$BATS_TEST_TMPDIR/out")" = "$(coffer image inspect -f '{{.Id}}' tiny)" ]
    # Its process is the one that the kernel knows.
    [[ $(tr '\0' ' ' < "/proc/$(jq -r '.[0].State.Pid' "$BATS_TEST_TMPDIR/out")/cmdline") == "sleep 100 " ]]
    coffer pause box
    [ "$(show box '{{.State.Status}} {{.State.Running}} {{.State.Paused}}')" = "paused true true" ]
    coffer unpause box
    coffer rm -f box
}

@test "inspect: one that was made, and one that has ended" {
    coffer create --name made tiny > /dev/null
    [ "$(show made '{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}} {{.Path}}')" = "created 0 0001-01-01T00:00:00Z /bin/sh" ]
    coffer run --name ended tiny sh -c 'exit 7' || true
    [ "$(show ended '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}')" = "exited 7 false" ]
    [ "$(show ended '{{if .State.Running}}up{{else}}down{{end}} {{.State.FinishedAt}}')" != "down 0001-01-01T00:00:00Z" ]
}

@test "inspect: limits, mounts, sizes and the rest of HostConfig" {
    coffer volume create data > /dev/null
    mkdir "$BATS_TEST_TMPDIR/src"
    coffer run -d --name box -m 64m --cpus 0.5 --pids-limit 40 -v data:/data -v "$BATS_TEST_TMPDIR/src:/src:ro" --tmpfs /t:size=1m \
        --cap-drop ALL --cap-add CHOWN --read-only --sysctl net.ipv4.ip_unprivileged_port_start=0 --ulimit nofile=64:128 tiny sleep 100 > /dev/null
    coffer inspect box | jq -e '.[0].HostConfig | .Memory == 67108864 and .NanoCpus == 500000000 and .PidsLimit == 40 and .ReadonlyRootfs
        and .CapAdd == ["CHOWN"] and .CapDrop == ["ALL"] and .Tmpfs == {"/t": "size=1m"}
        and .Sysctls == {"net.ipv4.ip_unprivileged_port_start": "0"} and .Ulimits == [{"Name": "nofile", "Soft": 64, "Hard": 128}]
        and .LogConfig.Type == "k8s-file"'
    coffer inspect box | jq -e --arg src "$BATS_TEST_TMPDIR/src" '.[0].Mounts | map({(.Destination): [.Type, .RW]}) | add
        == {"/data": ["volume", true], "/src": ["bind", false], "/t": ["tmpfs", true]}'
    [ "$(show box '{{range .Mounts}}{{if eq .Type "bind"}}{{.Source}}{{end}}{{end}}')" = "$BATS_TEST_TMPDIR/src" ]
    [ -d "$(show box '{{range .Mounts}}{{if eq .Type "volume"}}{{.Source}}{{end}}{{end}}')" ]
    coffer rm -f box > /dev/null
    coffer run --name fat tiny dd if=/dev/zero of=/fat bs=1024 count=300 2> /dev/null
    coffer inspect fat | jq -e '.[0] | has("SizeRw") | not'
    [ "$(coffer inspect -s -f '{{.SizeRw}}' fat)" -ge 300000 ]
    [ "$(coffer inspect -s -f '{{.SizeRootFs}}' fat)" -gt "$(coffer inspect -s -f '{{.SizeRw}}' fat)" ]
}

@test "inspect: of anything by its name, of one kind by --type, and what is not there" {
    coffer create --name tiny tiny > /dev/null
    coffer volume create data > /dev/null
    [ "$(coffer inspect tiny | jq -r '.[0].Name')" = /tiny ]
    [ "$(coffer inspect --type image -f '{{index .RepoTags 0}}' tiny)" = tiny:latest ]
    [ "$(coffer inspect -f '{{.Driver}}' bridge data)" = "$(printf 'bridge\nlocal')" ]
    [ "$(coffer container inspect -f '{{.Name}}' tiny)" = /tiny ]
    [ "$(coffer inspect -f '{{.State.Status}}' "$(coffer ps -aq | cut -c1-6)")" = created ]
    fails 'nothing is called "nope": no container, image, network or volume' coffer inspect nope
    fails 'no container is named "data"; coffer ps --all lists them' coffer inspect --type container data
    # What is there is shown all the same.
    run -125 --separate-stderr coffer inspect -f '{{.Name}}' tiny nope
    [ "$output" = /tiny ]
    # shellcheck disable=SC2154
    [ "$stderr" = 'coffer: nothing is called "nope": no container, image, network or volume' ]
    fails '--format: {{.State.Stat}}: expected one of Status, Running, Paused, Restarting, OOMKilled, Dead, Pid, ExitCode, Error, StartedAt, FinishedAt, StoppedByUser, found "Stat"' \
        coffer inspect -f '{{.State.Stat}}' tiny
    coffer volume rm data > /dev/null
}

@test "inspect and port: addresses and ports while it runs" {
    own_host
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here run -d --name web --network mine --network-alias www -p 8080:80 -p 127.0.0.1::53/udp tiny sleep 100 > /dev/null
    here inspect web > "$BATS_TEST_TMPDIR/out"
    jq -e '.[0].NetworkSettings | .Ports["80/tcp"] == [{"HostIp": "0.0.0.0", "HostPort": "8080"}] and .Ports["53/udp"][0].HostIp == "127.0.0.1"
        and .Networks.mine.IPAddress == "10.77.0.2" and .Networks.mine.Gateway == "10.77.0.1" and .Networks.mine.IPPrefixLen == 24
        and .Networks.mine.Aliases == ["www"]' "$BATS_TEST_TMPDIR/out"
    jq -e '.[0].HostConfig.PortBindings == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}' \
        "$BATS_TEST_TMPDIR/out"
    mac=$(here exec web cat /sys/class/net/eth0/address 2> /dev/null || here exec web ip link show eth0 | sed -n 's,.*link/ether \([^ ]*\).*,\1,p')
    [ "$(here inspect -f '{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}' web)" = "$mac" ]
    [ "$(here inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web)" = 8080 ]
    [ "$(here port web 80)" = 0.0.0.0:8080 ]
    udp=$(here port web 53/udp)
    [[ $udp =~ ^127\.0\.0\.1:[1-9][0-9]+$ ]]
    [ "$(here port web | sort)" = "$(printf '53/udp -> %s\n80/tcp -> 0.0.0.0:8080' "$udp")" ]
    fails 'port 81/tcp of web is not published' here port web 81
    fails 'port: expected a port of the container such as 80 or 53/udp, found "x"' here port web x
    here stop -t 0 web > /dev/null
    [ "$(here inspect -f '{{json .NetworkSettings.Ports}} {{.NetworkSettings.Networks.mine.IPAddress}}' web)" = "{} " ]
    fails 'port 80/tcp of web is not published: it is not running' here port web 80
    here rm web > /dev/null
}
