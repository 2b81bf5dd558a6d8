#!/usr/bin/env bats
# Networks with a name of an ordinary user's containers.
bats_require_minimum_version 1.5.0
load helpers
load rootless

answers() { [[ $(outside python3 "$NET" ask 192.0.2.2 8080) == "web 192.0.2.1" ]]; }

no_helpers() { [ -z "$(network_helpers)" ]; }

setup() {
    rootless_setup
}

teardown() {
    rootless_teardown
}

@test "two containers of a network find each other by name, and nothing is left behind them" {
    mine network create team > /dev/null
    serve db --network team --network-alias store
    run -0 mine run --rm --network team "${talk[@]}" tiny sh -c 'ip -4 -o addr show eth0; /usr/bin/python3 /net.py ask db 80; /usr/bin/python3 /net.py ask_udp store 80'
    [[ "$output" =~ inet\ ([0-9.]+)/.*db\ ([0-9.]+).*db\ ([0-9.]+) ]]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[3]}" ]
    run -125 mine network rm team
    [ "$output" = "coffer: network team is used by container db; stop it or disconnect it first" ]
    [ -n "$(network_helpers)" ]
    mine rm -f db > /dev/null
    nothing_left
    mine network rm team
}

@test "the way out, published ports that see who asks, on the host too, and of two containers at once" {
    mine network create team > /dev/null
    serve_far
    run -0 mine run --rm --network team "${talk[@]}" tiny sh -c '/usr/bin/python3 /net.py ask 192.0.2.1 99; /usr/bin/python3 /net.py ask_udp 192.0.2.1 99'
    [ "$output" = $'far 192.0.2.2\nfar 192.0.2.2' ]
    serve web --network team -p 8080:80 -p 5300:80/udp -p 127.0.0.1:9000-9001:80-81
    serve api --network team -p 8081:80
    run -0 mine port web
    [[ "$output" == *"80/tcp -> 0.0.0.0:8080"*"80/udp -> 0.0.0.0:5300"* ]]
    run -0 outside python3 "$NET" ask 192.0.2.2 8080
    [ "$output" = "web 192.0.2.1" ]
    run -0 outside python3 "$NET" ask_udp 192.0.2.2 5300
    [ "$output" = "web 192.0.2.1" ]
    run -0 outside python3 "$NET" ask 192.0.2.2 8081
    [ "$output" = "api 192.0.2.1" ]
    run -0 on_host sh -c "python3 $NET ask 127.0.0.1 8080; python3 $NET ask 127.0.0.1 9000; python3 $NET ask 192.0.2.2 8081"
    [ "$(grep -c '^web ' <<< "$output")" = 2 ]
    [[ "$output" == *"api 192.0.2.2" ]]
    run outside python3 "$NET" ask 192.0.2.2 9000
    [ "$status" -ne 0 ]
    run -0 mine exec web /usr/bin/python3 /net.py ask 192.0.2.1 99
    [ "$output" = "far 192.0.2.2" ]
    run -0 mine exec web /usr/bin/python3 /net.py ask api 80
    [[ "$output" == "api "* ]]
    run -125 mine run --rm --network team -p 8080:80 tiny true
    [[ "$output" == "coffer: run tiny: --publish 8080:80: port 8080/tcp of 0.0.0.0 is taken by container web; choose another one" ]]
    mine stop -t 0 web
    run outside python3 "$NET" ask 192.0.2.2 8080
    [ "$status" -ne 0 ]
    mine start web
    until_true answers
    [ "$(mine inspect --format '{{.HostConfig.NetworkMode}}' web)" = team ]
}

@test "a container joins and leaves networks while it runs; internal ones lead nowhere; macvlan is root's" {
    mine network create one > /dev/null
    mine network create --internal two > /dev/null
    mine network create --ipv6 six > /dev/null
    serve db --network two
    serve web --network one -p 8080:80
    until_true answers
    mine network connect --alias site two web
    run -0 mine exec db /usr/bin/python3 /net.py ask site 80
    [[ "$output" == "web "* ]]
    run -0 mine exec web /usr/bin/python3 /net.py ask db 80
    [[ "$output" == "db "* ]]
    run mine exec db /usr/bin/python3 /net.py ask 192.0.2.1 99
    [ "$status" -ne 0 ]
    mine network disconnect two web
    run mine exec web /usr/bin/python3 /net.py ask db 80
    [ "$status" -ne 0 ]
    # Its ports go with it to another way out, of both families.
    mine network connect six web
    mine network disconnect one web
    run -0 mine inspect --format '{{range $name, $one := .NetworkSettings.Networks}}{{$name}} {{$one.GlobalIPv6PrefixLen}}{{end}}' web
    [ "$output" = "six 64" ]
    until_true answers
    mine network create --subnet 10.9.9.0/24 nine > /dev/null
    run -0 mine run --rm --network nine --ip 10.9.9.9 --mac-address 02:00:00:00:00:99 tiny ip addr show eth0
    [[ "$output" == *"02:00:00:00:00:99"*"10.9.9.9/24"* ]]
    # One that has no network with a name is not where these are.
    mine run -d --name alone --network none tiny sleep 1000 > /dev/null
    run -125 mine network connect one alone
    mine network create --driver macvlan --subnet 10.9.8.0/24 --opt parent=h0 lan > /dev/null
    run -125 mine run --rm --network lan tiny true
    [ "$output" = "coffer: run tiny: --network lan: only root can put containers on an interface of the host (driver macvlan)" ]
}

@test "IPv6, and a name server on the host's loopback" {
    on_host ip -6 route add default via 2001:db8::1
    serve_far
    mine network create --ipv6 six > /dev/null
    serve web --network six -p 8080:80
    run -0 outside python3 "$NET" ask 2001:db8::2 8080
    [ "$output" = "web 2001:db8::1" ]
    run -0 on_host python3 "$NET" ask ::1 8080
    [[ "$output" == "web "* ]]
    run -0 mine exec web /usr/bin/python3 /net.py ask 2001:db8::1 99
    [ "$output" = "far 2001:db8::2" ]
    mine rm -f web > /dev/null
    nothing_left
    echo 'nameserver 127.0.0.53' > "$BATS_TEST_TMPDIR/resolv.conf"
    nsenter --target "$HOST" --net --mount -- python3 "$BATS_TEST_DIRNAME/name_server.py" 127.0.0.53 192.0.2.9 3>&- &
    local stub=$!
    until_true on_host sh -c 'busybox netstat -lun | grep -q ":53 "'
    run -0 mine run --rm --network six "${talk[@]}" tiny /usr/bin/python3 -c 'import socket; print(socket.gethostbyname("far.example"))'
    [ "$output" = 192.0.2.9 ]
    kill "$stub"
}

@test "host-gateway is the host's own address, where what listens on all addresses is reached, and what is for loopback is not" {
    nsenter --target "$HOST" --net -- timeout -k 2 600 python3 "$NET" serve host 98 3>&- &
    local server=$!
    nsenter --target "$HOST" --net -- timeout -k 2 600 python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 97)); time.sleep(600)' 3>&- &
    local own=$!
    until_true on_host sh -c 'busybox netstat -ltn | grep -q ":98 " && busybox netstat -ltn | grep -q ":97 "'
    mine network create team > /dev/null
    mine network create --internal shut > /dev/null
    local network
    for network in team pasta; do
        run -0 mine run --rm --network "$network" "${talk[@]}" --add-host box:host-gateway tiny sh -c \
            'grep box /etc/hosts; /usr/bin/python3 /net.py ask box 98; /usr/bin/python3 /net.py ask_udp box 98; /usr/bin/python3 /net.py ask box 97 2> /dev/null || echo shut'
        [ "$output" = $'192.0.2.2\tbox\nhost 192.0.2.2\nhost 192.0.2.2\nshut' ]
    done
    # By one whose ports have a way out of their own, as it joins another network, too.
    serve web --network team -p 8080:80 --add-host box:host-gateway
    run -0 mine exec web /usr/bin/python3 /net.py ask box 98
    [ "$output" = "host 192.0.2.2" ]
    mine network connect shut web
    run -0 mine exec web /usr/bin/python3 /net.py ask box 98
    [ "$output" = "host 192.0.2.2" ]
    run -125 mine run --rm --network shut --add-host box:host-gateway tiny true
    [ "$output" = "coffer: run tiny: --add-host: host-gateway: the container's networks do not lead out, or this host has no default route; say an address of the host" ]
    kill "$server" "$own"
}

# The one process whose words fit, and whose name does; another one than before, where that is said.
one_of() { # NAME WORDS [BEFORE]
    local pid
    for pid in $(of_test "^$1"); do
        if [ "$pid" != "${3:-}" ] && grep -qzF -- "$2" "/proc/$pid/cmdline"; then
            echo "$pid"
            return 0
        fi
    done
    return 1
}

# Kills it and waits for another one.
replace() { # NAME WORDS
    local old
    old=$(one_of "$1" "$2")
    kill -KILL "$old"
    until_true one_of "$1" "$2" "$old"
}

far_answers() {
    [ "$(mine exec "$1" /usr/bin/python3 /net.py ask 192.0.2.1 99)" = "far 192.0.2.2" ]
}

finds() { # NAME
    [[ "$(mine run --rm --network team "${talk[@]}" tiny /usr/bin/python3 /net.py ask "$1" 80)" == "$1 "* ]]
}

@test "so many on a network that the next ones are on trunks: they find all others, and the way out" {
    local bridge anchor server
    serve_far
    mine network create --subnet 10.99.0.0/24 team > /dev/null
    serve db --network team
    anchor=$(of_test '^coffer-ancho')
    bridge=cof-$(mine network inspect -f '{{.Id}}' team | cut -c 1-11)
    nsenter --target "$anchor" --net -- sh -c "for i in \$(seq 64); do ip link add idle\$i type veth peer name rest\$i && ip link set idle\$i master $bridge; done"
    nsenter --target "$anchor" --net -- sh -c 'ip link add link rest1 name trial type macvlan && ip link del trial' || skip "this kernel has no macvlans"
    serve web --network team --ip 10.99.0.16 -p 8080:80
    serve api --network team
    run -0 nsenter --target "$anchor" --net -- ip -o link
    [ "$(grep -c ': cv-' <<< "$output")" -eq 1 ]
    [[ "$output" == *": cot-"* ]]
    until_true answers
    run -0 mine exec db /usr/bin/python3 /net.py ask web 80
    [[ "$output" == "web "* ]]
    run -0 mine exec web /usr/bin/python3 /net.py ask api 80
    [[ "$output" == "api "* ]]
    run -0 mine exec web /usr/bin/python3 /net.py ask db 80
    [[ "$output" == "db "* ]]
    run -0 mine exec web /usr/bin/python3 /net.py ask 192.0.2.1 99
    [ "$output" = "far 192.0.2.2" ]
    # One that goes on without its monitor keeps the networks, and its end is seen.
    mine rm -f db api > /dev/null
    nsenter --target "$anchor" --net -- sh -c 'for i in $(seq 64); do ip link del idle$i; done'
    server=$(mine inspect -f '{{.State.Pid}}' web)
    kill -KILL "$(of_test '^coffer-monitor')"
    sleep 1
    [ "$(of_test '^coffer-ancho')" = "$anchor" ]
    until_true answers
    kill -KILL "$server"
    until_true no_helpers
    mine rm web > /dev/null
    nothing_left
}

@test "killed at any time: keeper, anchor, pasta, monitors; what can go on goes on, and nothing stays for ever" {
    serve_far
    mine network create team > /dev/null
    serve db --network team
    serve web --network team -p 8080:80
    replace coffer-net coffer
    answers
    finds db
    replace coffer-anchor coffer
    finds web
    until_true far_answers db
    sleep 2.1 # one that has just been started is not started again at once
    replace 'pas[st]' uplink
    until_true far_answers db
    replace 'pas[st]' cp-
    until_true answers
    # Without their monitors they go on; others look after them from the next command on.
    local pid
    for pid in $(of_test '^coffer-monitor'); do
        kill -KILL "$pid"
    done
    kill -KILL "$(one_of coffer-net coffer)"
    answers
    finds db
    answers
    mine stop -t 0 web
    run outside python3 "$NET" ask 192.0.2.2 8080
    [ "$status" -ne 0 ]
    mine start web
    until_true answers
    # All at once.
    local servers
    servers=$(mine inspect -f '{{.State.Pid}}' web db)
    for pid in $(of_test '^coffer-') $(pastas) $servers; do
        kill -KILL "$pid" || true
    done
    mine system repair
    until_true no_helpers
    mine rm db web > /dev/null
    nothing_left
}
