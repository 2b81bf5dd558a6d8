#!/usr/bin/env bats
# Published ports of an ordinary user's containers: at one address of the host, at those of one family, and twice.
bats_require_minimum_version 1.5.0
load helpers
load rootless

setup() {
    rootless_setup
    mine network create team > /dev/null
}

teardown() {
    rootless_teardown
}

asks() { # WHERE ADDRESS ANSWER
    run -0 "$1" python3 "$NET" ask "$2" 8080
    [[ "$output" == "$3 "* ]]
}

asks_in_vain() { # WHERE ADDRESS
    run "$1" python3 "$NET" ask "$2" 8080
    [ "$status" -ne 0 ]
}

# With IPv6 on the host, too.
lead_out_6() {
    on_host ip -6 route add default via 2001:db8::1
    mine network create --subnet fd12:3456::/64 six > /dev/null
}

@test "at one address: 0.0.0.0, the host's own, one of loopback; and nowhere else" {
    serve web --network team -p 0.0.0.0:8080:80
    asks on_host 127.0.0.1 web
    asks outside 192.0.2.2 web
    mine rm -f web > /dev/null
    serve web --network team -p 192.0.2.2:8080:80
    asks on_host 192.0.2.2 web
    asks outside 192.0.2.2 web
    asks_in_vain on_host 127.0.0.1
    run -0 mine port web
    [ "$output" = "80/tcp -> 192.0.2.2:8080" ]
    mine network reload web # as of a packet filter that was flushed
    asks outside 192.0.2.2 web
    mine rm -f web > /dev/null
    serve web --network team -p 127.0.0.2:8080:80
    asks on_host 127.0.0.2 web
    asks_in_vain on_host 127.0.0.1
    asks_in_vain outside 192.0.2.2
}

@test "two containers: one port each where pasta tells their addresses apart; else the second is told whose it is, and nothing is left of it" {
    on_host ip addr add 192.0.2.3/24 dev h0
    serve own --network team -p 127.0.0.1:8080:80
    serve web --network team -p 192.0.2.2:8080:80
    asks on_host 127.0.0.1 own
    asks outside 192.0.2.2 web
    run -125 mine run --name late --network team -p 192.0.2.2:8080:80 tiny true
    [ "$output" = "coffer: run tiny: --publish 192.0.2.2:8080:80: port 8080/tcp of 192.0.2.2 is taken by container web; choose another one" ]
    run -125 mine run --name late --network team -p 127.0.0.1:8080:80 tiny true
    [ "$output" = "coffer: run tiny: --publish 127.0.0.1:8080:80: port 8080/tcp of 127.0.0.1 is taken by container own; choose another one" ]
    run -125 mine run --name late --network team -p 8080:80 tiny true
    [[ "$output" == "coffer: run tiny: --publish 8080:80: port 8080/tcp of 0.0.0.0 is taken by container "*"; choose another one" ]]
    run -125 mine run --name late --network team -p 192.0.2.3:8080:80 tiny true
    [ "$output" = "coffer: run tiny: --publish 192.0.2.3:8080:80: port 8080/tcp of 192.0.2.3 cannot be told from that of 192.0.2.2, which container web has: without root only loopback is told from other addresses; choose another one" ]
    run -125 mine run --name late --network team -p 127.0.0.2:8080:80 tiny true
    [[ "$output" == *"port 8080/tcp of 127.0.0.2 cannot be told from that of 127.0.0.1, which container own has"* ]]
    run -0 mine ps -a --format '{{.Names}}'
    [ "$(sort <<< "$output" | xargs)" = "own web" ]
    asks on_host 127.0.0.1 own
    asks outside 192.0.2.2 web
    # Another protocol, and another network than these, are not in the way.
    mine run --rm --network team -p 192.0.2.3:8080:80/udp tiny true
    mine run --rm --network pasta -p 192.0.2.3:8080:80 tiny true
    mine rm -f web > /dev/null
    mine run --rm --network team -p 192.0.2.3:8080:80 tiny true
}

# Two at one moment: one of them comes up, and $output is what both have said.
one_of_two_starts() { # NETWORK PORT PORT
    local one two
    mine run -d --name one --network "$1" -p "$2" tiny sleep 1000 > "$BATS_TEST_TMPDIR/one" 2>&1 3>&- &
    one=$!
    mine run -d --name two --network "$1" -p "$3" tiny sleep 1000 > "$BATS_TEST_TMPDIR/two" 2>&1 3>&- &
    two=$!
    wait "$one" && one=0 || one=1
    wait "$two" && two=0 || two=1
    cat "$BATS_TEST_TMPDIR"/{one,two}
    [ $((one + two)) = 1 ]
    run -0 cat "$BATS_TEST_TMPDIR"/{one,two}
}

@test "two containers that want one port at one moment: one gets it, and the other is told by name" {
    local network
    for network in team pasta; do
        for _ in 1 2 3 4 5; do
            one_of_two_starts "$network" 8080:80 8080:80
            [[ "$output" == *"port 8080/tcp of 0.0.0.0 is taken by container "*"; choose another one"* ]]
            [ "$(mine ps -aq | wc -l)" = 1 ]
            mine rm -f one two > /dev/null 2>&1 || true
        done
    done
    # The same at two addresses that the user's networks do not tell apart.
    on_host ip addr add 192.0.2.3/24 dev h0
    for _ in 1 2 3 4 5; do
        one_of_two_starts team 192.0.2.2:8080:80 192.0.2.3:8080:80
        [[ "$output" == *"8080/tcp "*" container "@(one|two)*"; choose another one"* ]]
        mine rm -f one two > /dev/null 2>&1 || true
    done
}

@test "a port at two addresses of one container: all of both families are one; others are refused in a line" {
    lead_out_6
    mine network create --ipv6 both > /dev/null
    serve web --network both -p 0.0.0.0:8080:80 -p '[::]:8080:80'
    asks outside 192.0.2.2 web
    asks outside 2001:db8::2 web
    mine rm -f web > /dev/null
    run -125 mine run --network both -p 127.0.0.1:8080:80 -p '[::1]:8080:80' tiny true
    [[ "$output" == "coffer: run tiny: publish the container's ports: without root a port can be published at one address of the host, or at all of them (-p PORT:PORT); "*"pasta said "* ]]
    run -125 mine run --network both -p 192.0.2.2:8080:80 -p '192.0.2.3:8080:81' tiny true
    [[ "$output" != *$'\n'* ]]
    [ -z "$(mine ps -aq)" ]
}

@test "IPv6: all addresses of a network without IPv4, ::1, one of the host's; and what has none is told so" {
    lead_out_6
    serve web --network six -p 8080:80
    asks outside 2001:db8::2 web
    asks on_host ::1 web
    mine rm -f web > /dev/null
    serve web --network six -p '[::]:8080:80'
    asks outside 2001:db8::2 web
    asks on_host ::1 web
    asks_in_vain outside 192.0.2.2
    mine rm -f web > /dev/null
    serve web --network six -p '[::1]:8080:80'
    asks on_host ::1 web
    asks_in_vain outside 2001:db8::2
    mine rm -f web > /dev/null
    serve web --network six -p '[2001:db8::2]:8080:80'
    asks outside 2001:db8::2 web
    asks_in_vain on_host ::1
    mine rm -f web > /dev/null
    run -125 mine run --rm --network team -p '[::1]:8080:80' tiny true
    [ "$output" = "coffer: run tiny: --publish [::1]:8080:80: the container has no address of IPv6 that this could lead to; put it on a network made with --ipv6" ]
    run -125 mine run --rm --network six -p 127.0.0.1:8080:80 tiny true
    [ "$output" = "coffer: run tiny: --publish 127.0.0.1:8080:80: the container has no address of IPv4 that this could lead to" ]
    # Pasta has IPv6 only where the host has.
    on_host ip -6 route del default
    run -125 mine run --rm --network six -p 8080:80 tiny true
    [ "$output" = "coffer: run tiny: --publish 8080:80: without root ports of IPv6 take a default route of IPv6 on this host, and it has none" ]
    run -125 mine run --rm --network pasta -p '[::1]:8080:80' tiny true
    [ "$output" = "coffer: run tiny: --publish [::1]:8080:80: --network pasta has IPv6 where this host has a default route of it, and it has none" ]
    mine network create --ipv6 both > /dev/null
    serve web --network both -p 8080:80
    run -0 mine port web
    [ "$output" = "80/tcp -> 0.0.0.0:8080" ]
}
