#!/usr/bin/env bats
# Networks of other kinds: another container's, the host's, none, and an interface of the host's by macvlan. In a network namespace of
# its own.
bats_require_minimum_version 1.5.0
load helpers
load networks

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    make_image tiny > /dev/null
}

setup() {
    make_host
}

teardown() {
    [ -z "${OTHER:-}" ] || kill "$OTHER"
    remove_host
}

@test "--network container:NAME: its addresses, its names, its 127.0.0.1, and no other" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network mine -p 8080:80
    run -0 here run --rm --network container:web tiny sh -c 'ip -4 -o addr show eth0; busybox nc -w 5 127.0.0.1 80 < /dev/null; cat /etc/resolv.conf; hostname; ls /sys/class/net'
    [[ "$output" == *10.77.0.2/24*from-web*"nameserver 10.77.0.1"*"$(here inspect -f '{{.Config.Hostname}}' web)"*eth0* ]]
    # A port that it listens on is the other's.
    here run -d --name side --network container:web tiny sh -c 'while :; do echo from-side | busybox nc -l -p 81; done' > /dev/null
    for ((i = 0; i < 500; i++)); do
        run here run --rm --network mine tiny sh -c 'busybox nc -w 1 web 81 < /dev/null'
        [ "$output" = from-side ] && break
        sleep 0.02
    done
    [ "$output" = from-side ]
    fails 'coffer: run tiny: --publish: is for the container of --network container:web' here run --rm --network container:web -p 80 tiny true
    fails 'coffer: run tiny: --hostname: is for the container of --network container:web' here run --rm --network container:web --hostname x tiny true
    fails 'coffer: run tiny: --network: *none-such*' here run --rm --network container:none-such tiny true
    fails 'coffer: connect side to network mine: it has no network of its own (--network container:*' here network connect mine side
    here create --name later --network container:web tiny true > /dev/null
    here stop -t 0 web > /dev/null
    fails 'coffer: start later: --network container:*: that does not run; start it first' here start later
}

@test "--network host and none" {
    run -0 here run --rm --network host tiny readlink /proc/self/ns/net
    [ "$output" = "$(readlink "/proc/$HOST/ns/net")" ]
    here run -d --name shares --network host tiny sleep 1000 > /dev/null
    run -0 here run --rm --network container:shares tiny readlink /proc/self/ns/net
    [ "$output" = "$(readlink "/proc/$HOST/ns/net")" ]
    run -0 here run --rm --network none tiny sh -c 'ip -o link | wc -l; ip -4 -o addr show lo'
    [[ "$output" == 1*127.0.0.1/8* ]]
}

@test "who is on a network, by network inspect and by ps" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.78.0.0/24 more > /dev/null
    here run -d --name web --network mine --net more -p 8080:80 tiny sleep 1000 > /dev/null
    here run -d --name db --network mine --mac-address 02:00:5e:10:00:07 tiny sleep 1000 > /dev/null
    run -0 here network inspect mine
    [ "$(jq -r '.[0].Containers | map("\(.Name) \(.IPv4Address) \(.MacAddress)") | sort | join(", ")' <<< "$output")" = \
        "db 10.77.0.3/24 02:00:5e:10:00:07, web 10.77.0.2/24 02:cf:0a:4d:00:02" ]
    run -0 here ps --format '{{.Names}} {{.Networks}} {{.Ports}}' --filter name=web
    [ "$output" = "web mine,more 0.0.0.0:8080->80/tcp" ]
    run -0 here ps --filter network=more --format '{{.Names}}'
    [ "$output" = web ]
}

@test "macvlan: containers on the link of an interface of the host" {
    # The other end of the cable is another host.
    unshare -n sleep 1000 3>&- &
    OTHER=$!
    for ((i = 0; i < 500; i++)); do [ "$(readlink "/proc/$OTHER/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break; sleep 0.01; done
    on_host ip link add up0 type veth peer name eth0 netns "$OTHER"
    on_host ip link set up0 up
    nsenter --net="/proc/$OTHER/ns/net" ip addr add 192.0.2.1/24 dev eth0
    nsenter --net="/proc/$OTHER/ns/net" ip link set eth0 up
    here network create -d macvlan --subnet 192.0.2.0/24 -o parent=up0 lan > /dev/null
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network lan --ip 192.0.2.40
    run nsenter --net="/proc/$OTHER/ns/net" timeout 10 busybox nc -w 5 192.0.2.40 80 < /dev/null
    [ "$output" = from-web ]
    run here run --rm --network lan tiny sh -c 'ip route; busybox nc -w 5 192.0.2.40 80 < /dev/null'
    [[ "$output" == *"default via 192.0.2.1"*from-web ]]
    # Beside a bridge, joined while it runs.
    here network connect mine web
    run -0 here exec web sh -c 'ip -4 -o addr; ip route'
    [[ "$output" == *192.0.2.40/24*10.77.0.2/24*"default via 192.0.2.1 dev eth0"* ]]
    here network disconnect lan web
    run -0 here exec web sh -c 'ip -4 -o addr; ip route'
    [[ "$output" == *10.77.0.2/24*"default via 10.77.0.1 dev eth1"* && "$output" != *192.0.2* ]]
    fails 'coffer: run tiny: --publish: the way out is network lan of driver macvlan, whose neighbours reach all ports as they are' here run --rm --network lan -p 80 tiny true
    here network create -d macvlan --subnet 192.0.3.0/24 -o parent=none0 nowhere > /dev/null
    fails 'coffer: run tiny: network nowhere: *this host has no interface "none0"' here run --rm --network nowhere tiny true
}
