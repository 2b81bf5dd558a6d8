#!/usr/bin/env bats
# Containers on networks: addresses, names, published ports, and nothing left of them. All of it in a network namespace of its own.
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
    remove_host
}

answers() { # ADDRESS TEXT
    [ "$(on_host sh -c "busybox nc -w 5 $1 8080 < /dev/null")" = "$2" ]
}

@test "a bridge: an address, a way out, and the host's end goes with the container" {
    run -0 here run --rm --network bridge tiny sh -c 'ip -4 addr show eth0; ip route'
    [[ "$output" == *"inet 10.201.0.2/20"*"default via 10.201.0.1"* ]]
    run -0 here run --rm --network bridge tiny busybox ping -c 1 -W 5 10.201.0.1
    # The kernel takes it away in its own time.
    for ((i = 0; i < 1000; i++)); do
        run -0 on_host ip -o link
        [[ "$output" == *"cv-"* ]] || break
        sleep 0.02
    done
    [[ "$output" != *"cv-"* ]]
    [ -z "$(find "$(coffer_store)"/networks/*/leases -type l)" ]
}

@test "who says nothing is on the bridge; a default of his own is obeyed, and a host that cannot says what to do" {
    run -0 here run --rm tiny sh -c 'ip -4 addr show eth0; ip route'
    [[ "$output" == *"inet 10.201.0.2/20"*"default via 10.201.0.1"* ]]
    COFFER_NETWORK=none run -0 here run --rm tiny sh -c 'ip -o link | wc -l'
    [ "$output" = 1 ]
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    COFFER_NETWORK=mine run -0 here run --rm tiny ip -4 addr show eth0
    [[ "$output" == *"inet 10.77.0.2/24"* ]]
    run -125 nsenter --net="/proc/$HOST/ns/net" setpriv --bounding-set -net_admin --inh-caps -net_admin "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm tiny true
    [[ "$output" == "coffer: run tiny: network bridge: "*"only root can do so (CAP_NET_ADMIN is missing); --network none and host do without" ]]
}

@test "containers of a network find each other by name, alias and short id; those of others do not reach them" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.78.0.0/24 other > /dev/null
    serve web 80 --network mine --network-alias www
    id=$(here ps --format '{{.ID}}')
    for name in web www "$id" web.mine; do
        run -0 here run --rm --network mine tiny sh -c "busybox nc -w 5 $name 80 < /dev/null"
        [ "$output" = from-web ]
    done
    run here run --rm --network other tiny sh -c 'busybox nc -w 1 10.77.0.2 80 < /dev/null'
    [ "$status" -ne 0 ]
    run here run --rm --network other tiny busybox nslookup web
    [ "$status" -ne 0 ]
    fails "coffer: *network mine*web*" here network rm mine
    here rm -f web > /dev/null
    here network rm mine other > /dev/null
}

@test "published ports: by 127.0.0.1, by the host's address, from another container; taken ones are refused by name" {
    serve web 80 -p 8080:80
    run -0 on_host sh -c 'busybox nc -w 5 127.0.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    run -0 on_host sh -c 'busybox nc -w 5 10.201.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    run -0 here run --rm --network bridge tiny sh -c 'busybox nc -w 5 10.201.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    fails "coffer: run tiny: --publish 8080:81: port 8080/tcp * is taken by *container web*" here run --rm -p 8080:81 tiny true
    here rm -f web > /dev/null
    serve web 81 -p 127.0.0.1:8080:81
    run -0 on_host sh -c 'busybox nc -w 5 127.0.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    here stop -t 0 web > /dev/null
    run on_host sh -c 'busybox nc -w 1 127.0.0.1 8080 < /dev/null'
    [ "$status" -ne 0 ]
    run -0 on_host nft list ruleset
    [[ "$output" != *8080* ]]
    here start web > /dev/null
    until_true answers 127.0.0.1 from-web
}

@test "published ports: 0.0.0.0 and :: are all addresses of their family, which the container must have" {
    serve web 80 -p 0.0.0.0:8080:80
    run -0 on_host sh -c 'busybox nc -w 5 127.0.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    run -0 here port web
    [ "$output" = "80/tcp -> 0.0.0.0:8080" ]
    here rm -f web > /dev/null
    run -0 on_host nft list ruleset
    [[ "$output" != *8080* ]]
    here run -d --name any -p 0:80/TCP tiny sleep 1000 > /dev/null
    run -0 here port any
    [[ "$output" == "80/tcp -> 0.0.0.0:"[1-9]* ]]
    here rm -f any > /dev/null
    fails "coffer: run tiny: --publish \[::1\]:8080:80: the container has no address of IPv6 that this could lead to; put it on a network made with --ipv6" \
        here run --rm -p '[::1]:8080:80' tiny true
    here network create --subnet fd12:3456::/64 six > /dev/null
    fails "coffer: run tiny: --publish 127.0.0.1:8080:80: the container has no address of IPv4 that this could lead to" \
        here run --rm --network six -p 127.0.0.1:8080:80 tiny true
    here run -d --name six --network six -p '[::]:8080:80' tiny sh -c 'while :; do echo from-six | busybox nc -l -p 80; done' > /dev/null
    until_true answers fd12:3456::1 from-six
}

@test "several networks: interfaces in their order, the way out by priority and name, ports by the way out" {
    here network create --subnet 10.77.0.0/24 bb > /dev/null
    here network create --subnet 10.78.0.0/24 aa > /dev/null
    here network create --subnet 10.79.0.0/24 --internal inner > /dev/null
    run -0 here run --rm --network bb --network aa --network inner tiny sh -c 'ip -4 -o addr; ip route; ip -o link | wc -l'
    [[ "$output" == *"eth0 "*"10.77.0.2/24"*"eth1 "*"10.78.0.2/24"*"eth2 "*"10.79.0.2/24"*"default via 10.78.0.1 dev eth1"* ]]
    [ "${lines[-1]}" = 4 ]
    [ "$(grep -c 'default' <<< "$output")" -eq 1 ]
    serve web 80 --network name=bb,gw-priority=1,alias=www,ip=10.77.0.50,mac-address=02:00:5e:10:00:01 --network inner -p 8080:80
    run -0 here exec web sh -c 'ip route; ip -o link show eth0; ip -4 -o addr show eth0'
    [[ "$output" == *"default via 10.77.0.1 dev eth0"*"02:00:5e:10:00:01"*"10.77.0.50/24"* ]]
    run -0 on_host sh -c 'busybox nc -w 5 127.0.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    for network in bb inner; do
        run -0 here run --rm --network "$network" tiny sh -c 'busybox nc -w 5 web 80 < /dev/null'
        [ "$output" = from-web ]
    done
    run -0 here run --rm --network bb tiny sh -c 'busybox nc -w 5 www 80 < /dev/null'
    run -0 here run --rm --network name=aa,driver-opt=com.docker.network.endpoint.ifname=wan tiny ip -4 -o addr show wan
    here rm -f web > /dev/null
    [ -z "$(find "$(coffer_store)"/networks/*/leases -type l)" ]
}

@test "the way out of each family may be by another network, and follows as they come and go" {
    here network create --subnet 10.77.0.0/24 four > /dev/null
    here network create --subnet 10.78.0.0/24 --subnet fd00:78::/64 both > /dev/null
    here run -d --name web --network name=four,gw-priority=1 --network both -p 8080:80 tiny sleep 1000 > /dev/null
    run -0 here exec web sh -c 'ip route; ip -6 route'
    [[ "$output" == *"default via 10.77.0.1 dev eth0"*"default via fd00:78::1 dev eth1"* ]]
    run -0 on_host nft list ruleset
    [[ "$output" == *": 10.77.0.2 . 80"* && "$output" == *": fd00:78::2 . 80"* ]]
    here network disconnect both web
    run -0 here exec web sh -c 'ip route; ip -6 route'
    [[ "$output" == *"default via 10.77.0.1 dev eth0"* && "$output" != *fd00:78* ]]
    here network connect --gw-priority 2 --ip6 fd00:78::50 both web
    run -0 here exec web sh -c 'ip route; ip -6 route; ip -6 -o addr show eth1'
    [[ "$output" == *"default via 10.78.0.1 dev eth1"*"default via fd00:78::1 dev eth1"*fd00:78::50/64* ]]
}

@test "what is wrong with networks that were asked for" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.79.0.0/24 --internal inner > /dev/null
    fails 'coffer: run tiny: --network host excludes other networks' here run --rm --network host --network mine tiny true
    fails 'coffer: run tiny: --network none excludes other networks' here run --rm --network mine --network none tiny true
    fails 'coffer: run tiny: --network mine is given twice' here run --rm --network mine --network name=mine,alias=x tiny true
    fails 'coffer: run tiny: the container is on network mine already' here run --rm --network mine --network "$(here network inspect --format '{{.Id}}' mine)" tiny true
    fails 'coffer: run tiny: --network name=mine,speed=1: unknown field "speed"; expected name, alias, ip*' here run --rm --network name=mine,speed=1 tiny true
    fails 'coffer: run tiny: --network alias=x: which network is missing: name=NETWORK' here run --rm --network alias=x tiny true
    fails 'coffer: run tiny: --network: network mine: expected an IPv4 address, found "fd00::1"' here run --rm --network name=mine,ip=fd00::1 tiny true
    fails 'coffer: run tiny: network mine: its address is given twice*' here run --rm --network name=mine,ip=10.77.0.9 --ip 10.77.0.8 tiny true
    fails 'coffer: run tiny: --network: network mine: expected a hardware address such as *, found "01:00:5e:10:00:01"' here run --rm --network mine --mac-address 01:00:5e:10:00:01 tiny true
    fails 'coffer: run tiny: --ip and --network none exclude each other' here run --rm --network none --ip 10.77.0.9 tiny true
    fails 'coffer: run tiny: --publish: no network of the container leads out; add --network bridge' here run --rm --network inner -p 80 tiny true
    [ -z "$(here ps -aq)" ]
    [ -z "$(find "$(coffer_store)"/networks/*/leases -type l)" ]
}

@test "connect and disconnect: at once where it runs, kept by restarts, and by one that does not run" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.78.0.0/24 more > /dev/null
    serve web 80 --network mine -p 8080:80
    here network connect --alias www --ip 10.78.0.50 --gw-priority 5 more web
    run -0 here exec web sh -c 'ip -4 -o addr; ip route; cat /etc/hosts'
    [[ "$output" == *"eth0 "*10.77.0.2/24*"eth1 "*10.78.0.50/24*"default via 10.78.0.1 dev eth1"*10.77.0.2*10.78.0.50* ]]
    run -0 here run --rm --network more tiny sh -c 'busybox nc -w 5 www 80 < /dev/null'
    [ "$output" = from-web ]
    # The ports go with the way out.
    run -0 on_host nft list ruleset
    [[ "$output" == *"tcp . 8080 "*": 10.78.0.50 . 80"* ]]
    run -0 on_host sh -c 'busybox nc -w 5 127.0.0.1 8080 < /dev/null'
    [ "$output" = from-web ]
    fails 'coffer: connect web to network more: it is on network more already' here network connect more web
    [ "$(here inspect -f '{{range $name, $network := .NetworkSettings.Networks}}{{$name}}={{$network.IPAddress}} {{end}}' web)" = "mine=10.77.0.2 more=10.78.0.50 " ]
    here restart -t 0 web > /dev/null
    run -0 here exec web sh -c 'ip -4 -o addr; ip route'
    [[ "$output" == *"eth0 "*10.77.0.*"eth1 "*10.78.0.50/24*"default via 10.78.0.1 dev eth1"* ]]
    here network disconnect more web
    run -0 here exec web sh -c 'ip -4 -o addr; ip route; cat /etc/hosts'
    [[ "$output" == *"eth0 "*10.77.0.*"default via 10.77.0.1 dev eth0"* && "$output" != *10.78* && "$output" != *eth1* ]]
    until_true answers 127.0.0.1 from-web
    run here run --rm --network more tiny busybox nslookup www
    [ "$status" -ne 0 ]
    fails 'coffer: disconnect web from network more: it is not on network more' here network disconnect more web
    here network disconnect -f more web
    fails 'coffer: disconnect web from network none-such: it is on no network named "none-such"' here network disconnect none-such web
    here network rm more > /dev/null
    # From its last one, too; and it comes back.
    here network disconnect mine web
    run -0 here exec web sh -c 'ip -o link | wc -l; ip route | wc -l'
    [ "$output" = $'1\n0' ]
    [ -z "$(find "$(coffer_store)"/networks/*/leases -type l)" ]
    here stop -t 0 web > /dev/null
    here network connect mine web
    here start web > /dev/null
    run -0 here exec web ip -4 -o addr show eth0
    [[ "$output" == *10.77.0.* ]]
}

@test "connect: what is wrong with it leaves nothing" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here run -d --name web --network mine tiny sleep 1000 > /dev/null
    here run -d --name alone --network none tiny sleep 1000 > /dev/null
    here network create --subnet 10.78.0.0/24 more > /dev/null
    fails 'coffer: connect web to network none-such: no network is named "none-such"*' here network connect none-such web
    fails 'coffer: connect web to network more: address 10.9.9.9 lies outside of 10.78.0.0/24*' here network connect --ip 10.9.9.9 more web
    fails 'coffer: connect alone to network more: it has no network of its own (--network none), which is settled when a container is made; make it anew with that network' here network connect more alone
    fails 'coffer: connect web to network host: network host is no network that a container can join beside others' here network connect host web
    fails 'coffer: network connect: network more: expected an IPv4 address, found "x"' here network connect --ip x more web
    # Something of the container's is in the way.
    here run -d --name busy --network mine --cap-add NET_ADMIN tiny sh -c 'ip link add eth1 type bridge; sleep 1000' > /dev/null
    for ((i = 0; i < 200; i++)); do here exec busy ip link show eth1 > /dev/null 2>&1 && break; sleep 0.02; done
    fails 'coffer: connect busy to network more: network more: *eth1*' here network connect more busy
    [ -z "$(find "$(coffer_store)/networks/$(here network inspect -f '{{.Id}}' more)"/leases -type l)" ]
    here network rm more > /dev/null
}

@test "where docker has set FORWARD to drop, what is ours passes" {
    on_host nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network mine -p 8080:80
    # From another host, which has its own namespace.
    unshare -n sleep 1000 3>&- &
    other=$!
    for ((i = 0; i < 500; i++)); do [ "$(readlink "/proc/$other/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break; sleep 0.01; done
    on_host ip link add up0 type veth peer name eth0 netns "$other"
    on_host ip addr add 192.0.2.1/24 dev up0
    on_host ip link set up0 up
    nsenter --net="/proc/$other/ns/net" ip addr add 192.0.2.2/24 dev eth0
    nsenter --net="/proc/$other/ns/net" ip link set eth0 up
    run nsenter --net="/proc/$other/ns/net" timeout 10 busybox nc -w 5 192.0.2.1 8080 < /dev/null
    kill "$other"
    [ "$output" = from-web ]
}

@test "an address that was asked for, and what is wrong with it" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    run -0 here run --rm --network mine --ip 10.77.0.99 tiny ip -4 addr show eth0
    [[ "$output" == *"inet 10.77.0.99/24"* ]]
    fails "coffer: run tiny: address 10.78.0.1 lies outside of 10.77.0.0/24, the subnet of network mine" here run --rm --network mine --ip 10.78.0.1 tiny true
    fails 'coffer: --publish 80:x: expected \[\[ADDRESS:\]*' here run --rm -p 80:x tiny true
    fails 'coffer: --publish 1-3:5-6: the two ranges differ in length' here run --rm -p 1-3:5-6 tiny true
    fails 'coffer: run tiny: no network is named "none-such"; coffer network ls lists them' here run --rm --network none-such tiny true
    fails 'coffer: run tiny: --publish: the container has no network; add --network bridge' here run --rm --network none -p 80 tiny true
    [ -z "$(here ps -aq)" ]
}

@test "killed with its monitor: the address and the port are free again" {
    serve web 80 -p 8080:80
    monitor=$(monitors)
    container=$(pgrep -P "$monitor" | head -n 1)
    kill -9 "$monitor"
    kill -9 "$container"
    for ((i = 0; i < 500; i++)); do [ -e "/proc/$container" ] || break; sleep 0.02; done
    here rm web > /dev/null
    serve again 80 -p 8080:80
    run -0 on_host sh -c 'busybox nc -w 5 127.0.0.1 8080 < /dev/null'
    [ "$output" = from-again ]
}
