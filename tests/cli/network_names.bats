#!/usr/bin/env bats
# Names on networks: of several at once, those of --dns behind them, and the host's. In a network namespace of its own.
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
    [ -z "${SERVER:-}" ] || kill "$SERVER"
    remove_host
}

# A name server of this host that knows all names to be 203.0.113.9.
serve_names() { # ADDRESS
    on_host python3 "$BATS_TEST_DIRNAME/name_server.py" "$1" 203.0.113.9 3>&- &
    SERVER=$!
    for ((i = 0; i < 500; i++)); do
        on_host sh -c "busybox netstat -lun | grep -q $1:53" && return 0
        sleep 0.02
    done
}

resolves() { # CONTAINER NAME ADDRESS
    run here exec "$1" busybox nslookup "$2"
    [[ "$output" == *"$3"* ]] || {
        echo "$output"
        return 1
    }
}

@test "a container of two networks finds the names of both, by whichever it asks; others only those of their own" {
    here network create --subnet 10.77.0.0/24 one > /dev/null
    here network create --subnet 10.78.0.0/24 --internal two > /dev/null
    here run -d --name first --network one tiny sleep 1000 > /dev/null
    here run -d --name second --network name=two,alias=inner tiny sleep 1000 > /dev/null
    here run -d --name both --network one --network two tiny sleep 1000 > /dev/null
    resolves both first 10.77.0.2
    resolves both second 10.78.0.2
    resolves both inner 10.78.0.2
    run -0 here exec both busybox nslookup first 10.78.0.1
    [[ "$output" == *10.77.0.2* ]]
    run here exec both busybox nslookup none-such
    [ "$status" -ne 0 ]
    # Whose address of which network it is, by its addresses, too.
    run -0 here exec both busybox nslookup 10.78.0.2
    [[ "$output" == *second* ]]
    run here exec first busybox nslookup second
    [ "$status" -ne 0 ]
    run here exec second busybox nslookup first
    [ "$status" -ne 0 ]
    # And as it joins and leaves.
    here network connect two first
    resolves first inner 10.78.0.2
    here network disconnect two first
    run here exec first busybox nslookup inner
    [ "$status" -ne 0 ]
}

@test "--dns is for who answers the network's names: those are found as before, all others by the server" {
    command -v python3 > /dev/null || skip "needs python3"
    on_host ip addr add 192.0.2.53/32 dev lo
    serve_names 192.0.2.53
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here run -d --name web --network mine tiny sleep 1000 > /dev/null
    here run -d --name asks --network mine --dns 192.0.2.53 --dns-search . --dns-option timeout:1 tiny sleep 1000 > /dev/null
    run -0 here exec asks cat /etc/resolv.conf
    [[ "$output" == *"nameserver 10.77.0.1"*timeout:1* && "$output" != *192.0.2.53* ]]
    resolves asks web 10.77.0.2
    resolves asks some.example.com 203.0.113.9
    run here exec web busybox nslookup some.example.com
    [[ "$output" != *203.0.113.9* ]]
    # Where no names are answered the server itself is asked.
    here network create --subnet 10.78.0.0/24 --disable-dns plain > /dev/null
    run -0 here run --rm --network plain --dns 192.0.2.53 tiny cat /etc/resolv.conf
    [[ "$output" == *"nameserver 192.0.2.53"* ]]
}

@test "a container that is renamed is found by its new name at once, and no more by the old one" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here run -d --name one --network mine --network-alias other tiny sleep 1000 > /dev/null
    run -0 here run --rm --network mine tiny busybox ping -c 1 -W 5 one
    here rename one two
    run -0 here run --rm --network mine tiny busybox ping -c 1 -W 5 two
    run -0 here run --rm --network mine tiny busybox ping -c 1 -W 5 other
    run here run --rm --network mine tiny busybox ping -c 1 -W 5 one
    [ "$status" -ne 0 ]
    [[ "$output" == *"bad address"* ]]
    here run -d --name alone --network none tiny sleep 1000 > /dev/null
    here rename alone lone
    run -0 here logs lone
    [ -z "$output" ]
}

@test "host-gateway is the host's address on the container's way out" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    run -0 here run --rm --network mine --add-host box:host-gateway tiny cat /etc/hosts
    [[ "$output" == *$'\n10.77.0.1\tbox'* ]]
    run -0 here run --rm --network mine --add-host box:host-gateway tiny busybox ping -c 1 -W 5 box
    run -0 here run --rm --network host --add-host box:host-gateway tiny cat /etc/hosts
    [[ "$output" == *$'\n127.0.0.1\tbox'* ]]
}

@test "where a name server of the host has port 53 of all addresses, the default network is there without names; others say what to do" {
    command -v python3 > /dev/null || skip "needs python3"
    serve_names 0.0.0.0
    run -0 here run --rm tiny cat /etc/resolv.conf
    [[ "$output" != *10.201.0.1* ]]
    [ -z "$(find "$(coffer_store)"/networks/*/endpoints -type f)" ]
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    fails 'coffer: run tiny: names of network mine: port 53 of 10.77.0.1 is taken: *make the network with --disable-dns' here run --rm --network mine tiny true
}
