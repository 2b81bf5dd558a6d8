#!/usr/bin/env bats
# Networks with more containers than a bridge has ports without getting slow: the next ones are on trunks, and nobody sees a difference. In a
# network namespace of its own, where interfaces of no use make the crowd.
bats_require_minimum_version 1.5.0
load helpers
load networks

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    make_image tiny > /dev/null
}

setup() {
    make_host
    unshare -n sh -c 'ip link add one type veth peer name two && ip link add link one name trial type macvlan' 2> /dev/null ||
        skip "this kernel has no macvlans"
    here network create --subnet 10.77.0.0/24 --subnet fd00:77::/64 mine > /dev/null
}

teardown() {
    [ -z "${looker:-}" ] || kill "$looker" 2> /dev/null || true
    remove_host
}

# NETWORK ADDRESS: sixty-four ports of no use, once somebody has been on the network and so made its bridge.
crowd() {
    local bridge
    here run --rm --network "$1" --ip "$2" tiny true
    bridge=cof-$(here network inspect -f '{{.Id}}' "$1" | cut -c 1-11)
    on_host sh -c "for i in \$(seq 64); do ip link add idle\$i type veth peer name rest\$i && ip link set idle\$i master $bridge; done"
}

disperse() {
    on_host sh -c 'for i in $(seq 64); do ip link del idle$i; done'
}

links() { # PREFIX: how many interfaces of the host
    on_host ip -o link | grep -c "^[0-9]*: $1" || true
}

answers() { # CONTAINER ADDRESS PORT WANTED; without a container: to the host
    if [ "$1" ]; then
        run here exec "$1" sh -c "busybox nc -w 5 $2 $3 < /dev/null"
    else
        run on_host busybox nc -w 5 "$2" "$3"
    fi < /dev/null
    [ "$output" = "$4" ] || {
        echo "from ${1:-the host} to $2:$3: $output"
        return 1
    }
}

# The first one is asked for by the address at which it is looked up whether there is a crowd.
@test "in a crowd containers are reached by name, address and port, both ways, and reach what is outside" {
    serve early 80 --network mine
    crowd mine 10.77.0.200
    serve one 80 --network mine --ip 10.77.0.16 -p 8081:80
    for name in two three four five; do
        serve "$name" 80 --network mine
    done
    [ "$(links cv-)" -eq 1 ]
    [ "$(links cot-)" -ge 1 ]
    [ "$(links cot-)" -eq "$(links cop-)" ]
    for from in early one two three four five; do
        for to in early one two three four five; do
            answers "$from" "$to" 80 "from-$to"
        done
    done
    six=$(here inspect -f '{{.NetworkSettings.Networks.mine.GlobalIPv6Address}}' two)
    answers one "$six" 80 from-two
    answers early "$six" 80 from-two
    answers "" "$six" 80 from-two
    answers "" 10.77.0.16 80 from-one
    answers "" 127.0.0.1 8081 from-one
    answers one 10.77.0.1 8081 from-one
    answers two 10.77.0.1 8081 from-one
    answers early 10.77.0.1 8081 from-one
    # Out by the host, as the host.
    unshare -n sleep 1000 3>&- &
    outside=$!
    for ((i = 0; i < 500; i++)); do
        [ "$(readlink "/proc/$outside/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
        sleep 0.01
    done
    on_host ip link add up0 type veth peer name eth0 netns "$outside"
    on_host sh -c 'ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up'
    nsenter --net="/proc/$outside/ns/net" sh -c 'ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up'
    nsenter --net="/proc/$outside/ns/net" busybox nc -ll -p 9000 -e echo hello-from-outside 3>&- &
    for ((i = 0; i < 500; i++)); do
        nsenter --net="/proc/$outside/ns/net" busybox netstat -ltn | grep -q ':9000 ' && break
        sleep 0.01
    done
    answers one 192.0.2.2 9000 hello-from-outside
    run nsenter --net="/proc/$outside/ns/net" busybox nc -w 5 192.0.2.1 8081 < /dev/null
    kill "$outside"
    [ "$output" = from-one ]
}

@test "nobody reaches the host, nor another network, by a trunk's own hardware address" {
    here network create --internal --subnet 10.78.0.0/24 inner > /dev/null
    crowd inner 10.78.0.2
    serve other 80 --network mine --ip 10.77.0.5
    here run -d --name one --network inner --ip 10.78.0.16 tiny sleep 1000 > /dev/null
    [ "$(links cot-)" -eq 1 ]
    serve host 9000 --network host
    answers one 10.78.0.1 9000 from-host
    trunk=$(on_host ip -o link | sed -n 's/^[0-9]*: \(cot-[^@]*\)@.*/\1/p')
    mac=$(on_host ip -o link show "$trunk" | sed 's/.*link.ether \([0-9a-f:]*\) .*/\1/')
    within=/proc/$(here inspect -f '{{.State.Pid}}' one)/ns/net
    nsenter --net="$within" sh -c "ip route replace default dev eth0 && ip neigh replace 10.78.0.1 lladdr $mac dev eth0 &&
        ip neigh replace 10.77.0.5 lladdr $mac dev eth0"
    run here exec one sh -c 'busybox nc -w 1 10.78.0.1 9000 < /dev/null'
    [[ "$output" != *from-host* ]]
    run here exec one sh -c 'busybox nc -w 1 10.77.0.5 80 < /dev/null'
    [[ "$output" != *from-other* ]]
    # Nor does the trunk answer in the bridge's place.
    run -0 on_host ip -o link show "$trunk"
    [[ "$output" == *NOARP* ]]
    nsenter --net="$within" ip neigh del 10.78.0.1 dev eth0
    run here exec one sh -c 'busybox nc -w 5 10.78.0.1 9000 < /dev/null'
    [ "$output" = from-host ]
}

@test "who may set interfaces as he likes has a port of his own, where he hears no neighbour" {
    crowd mine 10.77.0.200
    here run -d --name one --network mine --ip 10.77.0.16 tiny sleep 1000 > /dev/null
    [ "$(links cv-)" -eq 0 ]
    here run -d --name two --network mine --cap-add NET_ADMIN tiny sleep 1000 > /dev/null
    [ "$(links cv-)" -eq 1 ]
    here run -d --name three --network mine --privileged --userns host tiny sleep 1000 > /dev/null
    [ "$(links cv-)" -eq 2 ]
}

@test "one that is started anew with its address is there at once, while its old interface is still there, too" {
    crowd mine 10.77.0.200
    serve web 80 --network mine --ip 10.77.0.16
    # Who looks at a container from outside keeps its namespace, as the kernel does for a moment.
    nsenter --net="/proc/$(here inspect -f '{{.State.Pid}}' web)/ns/net" sleep 1000 3>&- &
    looker=$!
    for ((i = 0; i < 500; i++)); do
        [ "$(cat "/proc/$looker/comm")" != sleep ] || break
        sleep 0.01
    done
    here restart -t 0 web > /dev/null
    for ((i = 0; i < 500; i++)); do
        here exec web sh -c "busybox netstat -ltn 2> /dev/null | grep -q ':80 '" && break
    done
    answers "" 10.77.0.16 80 from-web
    [ "$(links cv-)" -eq 1 ]
    run -0 nsenter --net="/proc/$looker/ns/net" ip -o addr show eth0
    [[ "$output" != *10.77.0.16* && "$output" != *fd00:77:* ]]
    kill "$looker"
    here restart -t 0 web > /dev/null
    for ((i = 0; i < 500; i++)); do
        here exec web sh -c "busybox netstat -ltn 2> /dev/null | grep -q ':80 '" && break
    done
    answers "" 10.77.0.16 80 from-web
}

@test "an address that moves between a trunk and a port is found at once" {
    # Who has IPv6 tells all where he is.
    here network create --subnet 10.78.0.0/24 four > /dev/null
    crowd four 10.78.0.200
    here run -d --name marker --network four --ip 10.78.0.16 tiny sleep 1000 > /dev/null
    serve web 80 --network four --ip 10.78.0.20
    answers "" 10.78.0.20 80 from-web
    here rm -f web marker > /dev/null
    disperse
    here run --rm --network four --ip 10.78.0.32 tiny true
    serve next 80 --network four --ip 10.78.0.20
    [ "$(links cv-)" -eq 1 ]
    answers "" 10.78.0.20 80 from-next
    here rm -f next > /dev/null
    crowd four 10.78.0.200
    here run --rm --network four --ip 10.78.0.48 tiny true
    serve last 80 --network four --ip 10.78.0.20
    [ "$(links cv-)" -eq 0 ]
    answers "" 10.78.0.20 80 from-last
}

@test "what is on trunks joins, leaves, and is there again when the bridge or the trunk was removed" {
    here network create --subnet 10.79.0.0/24 more > /dev/null
    crowd mine 10.77.0.200
    serve web 80 --network mine --ip 10.77.0.16 -p 8080:80
    here network connect more web
    answers "" 127.0.0.1 8080 from-web
    here network disconnect mine web
    run -0 here exec web ip -o link
    [[ "$output" != *eth0* && "$output" == *eth1* ]]
    here network connect mine web
    here exec web ip -4 -o addr | grep -q 10.77.0
    answers "" 127.0.0.1 8080 from-web
    on_host ip link del "cof-$(here network inspect -f '{{.Id}}' mine | cut -c 1-11)"
    here network reload
    answers "" "$(here inspect -f '{{.NetworkSettings.Networks.mine.IPAddress}}' web)" 80 from-web
    answers "" 127.0.0.1 8080 from-web
    on_host ip link del "$(on_host ip -o link | sed -n 's/^[0-9]*: \(cot-[^@]*\)@.*/\1/p')"
    here network reload web
    answers "" "$(here inspect -f '{{.NetworkSettings.Networks.mine.IPAddress}}' web)" 80 from-web
    here rm -f web > /dev/null
    here network rm mine > /dev/null
    [ "$(links cot-)" -eq 0 ]
    [ "$(links cop-)" -eq 0 ]
}
