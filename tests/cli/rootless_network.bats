#!/usr/bin/env bats
# The network of an ordinary user's container that has asked for none: pasta.
bats_require_minimum_version 1.5.0
load helpers
load rootless

setup() {
    rootless_setup
}

teardown() {
    rootless_teardown
}

answers() { [[ $(outside python3 "$NET" ask 192.0.2.2 8080) == "web 192.0.2.1" ]]; }

@test "pasta: an address, a way out, and ports that the outside reaches with its own address" {
    run -0 mine run --rm tiny sh -c 'ip -4 addr show eth0; ip route; cat /etc/resolv.conf; grep 10.202 /etc/hosts'
    [[ "$output" == *"inet 10.202.0.2/24"*"default via 10.202.0.1 dev eth0"*"nameserver 192.0.2.1"*"10.202.0.2"* ]]
    outside python3 "$NET" serve far 99 3>&- &
    until_true outside sh -c 'busybox netstat -ltn | grep -q ":99 "'
    run -0 mine run --rm "${talk[@]}" tiny sh -c '/usr/bin/python3 /net.py ask 192.0.2.1 99; /usr/bin/python3 /net.py ask_udp 192.0.2.1 99'
    [ "$output" = $'far 192.0.2.2\nfar 192.0.2.2' ]
    serve web -p 8080:80 -p 5300:80/udp -p 127.0.0.1:9000-9001:80-81
    run -0 mine port web
    [[ "$output" == *"80/tcp -> 0.0.0.0:8080"*"80/udp -> 0.0.0.0:5300"* ]]
    run -0 outside python3 "$NET" ask 192.0.2.2 8080
    [[ "$output" == "web 192.0.2.1"* ]]
    run -0 outside python3 "$NET" ask_udp 192.0.2.2 5300
    [[ "$output" == "web 192.0.2.1"* ]]
    run -0 on_host sh -c "python3 $NET ask 127.0.0.1 8080; python3 $NET ask 127.0.0.1 9000"
    [ "$(grep -c '^web ' <<< "$output")" = 2 ]
    run outside python3 "$NET" ask 192.0.2.2 9000
    [ "$status" -ne 0 ]
    run -125 mine run --rm -p 8080:80 tiny true
    [[ "$output" == "coffer: run tiny: --publish 8080:80: port 8080/tcp of 0.0.0.0 is taken by container web; choose another one" ]]
    mine stop -t 0 web
    [ -z "$(pastas)" ]
    mine start web
    until_true answers
    run -0 outside python3 "$NET" ask 192.0.2.2 8080
    [[ "$output" == "web 192.0.2.1"* ]]
}

@test "pasta: it is started again when it dies, and goes with the container, the monitor alive or not" {
    serve web -p 8080:80
    sleep 2.1 # one that has just been started is not started again
    old=$(pastas)
    kill -9 "$old"
    is_new() { [ -n "$(pastas)" ] && [ "$(pastas)" != "$old" ]; }
    until_true is_new
    until_true answers
    monitor=$(monitors)
    container=$(pgrep -P "$monitor")
    kill -KILL "$monitor"
    answers
    # The container ends by itself, and nobody looks.
    kill -KILL "$container"
    gone() { [ -z "$(pastas)" ]; }
    until_true gone
    [ "$(mine ps -a --format '{{.State}}')" = exited ]
}

@test "pasta: it is settled when the container is made, and shared by --network container:NAME" {
    mine run -d --name web -p 8080:80 tiny sleep 1000 > /dev/null
    run -125 mine network connect bridge web
    [ "$output" = "coffer: connect web to network bridge: it is on network pasta, which goes with no other and is settled when a container is made; make it anew with --network bridge" ]
    run -125 mine network disconnect pasta web
    [ "$output" = "coffer: disconnect web from network pasta: network pasta is settled when a container is made; make it anew with another --network" ]
    run -125 mine network disconnect bridge web
    [ "$output" = "coffer: disconnect web from network bridge: it is not on network bridge" ]
    mine run -d --name alone --network none tiny sleep 1000 > /dev/null
    run -125 mine network connect bridge alone
    [ "$output" = "coffer: connect alone to network bridge: it has no network of its own (--network none), which is settled when a container is made; make it anew with that network" ]
    run -125 mine network disconnect bridge alone
    [ "$output" = "coffer: disconnect alone from network bridge: it has no network of its own (--network none)" ]
    run -125 mine network connect pasta alone
    mine run -d --name named --network bridge tiny sleep 1000 > /dev/null
    run -125 mine network connect pasta named
    [ "$output" = "coffer: connect named to network pasta: network pasta is a container's only one, and settled when it is made" ]
    run -125 mine network disconnect pasta named
    [ "$output" = 'coffer: disconnect named from network pasta: it is on no network named "pasta"' ]
    run -125 mine network inspect pasta
    [ "$output" = "coffer: network pasta is each container's own; coffer inspect CONTAINER shows what there is of it" ]
    run -0 mine network reload web
    run -0 mine network reload # one that has no network does not keep it from that
    run -0 mine run --rm --network container:web tiny cat /proc/net/route
    [[ "$output" == *eth0* || "$output" == *h0* ]]
}

@test "pasta: IPv6 where the host has it, a host without routes, and a name server on its loopback" {
    on_host ip -6 route add default via 2001:db8::1
    outside python3 "$NET" serve far 99 3>&- &
    serve web -p 8080:80
    run -0 outside python3 "$NET" ask 2001:db8::2 8080
    [ "$output" = "web 2001:db8::1" ]
    run -0 mine exec web /usr/bin/python3 /net.py ask 2001:db8::1 99
    [ "$output" = "far 2001:db8::2" ]
    mine rm -f web > /dev/null
    # As systemd-resolved does it.
    echo 'nameserver 127.0.0.53' > "$BATS_TEST_TMPDIR/resolv.conf"
    nsenter --target "$HOST" --net --mount -- python3 "$NET" serve stub 53 > /dev/null 3>&- &
    local stub=$!
    until_true on_host sh -c 'busybox netstat -lun | grep -q ":53 "'
    run -0 mine run --rm "${talk[@]}" tiny sh -c 'head -n 1 /etc/resolv.conf; /usr/bin/python3 /net.py ask_udp 10.202.0.1 53'
    [ "$output" = $'nameserver 10.202.0.1\nstub 127.0.0.1' ]
    kill "$stub"
    on_host ip link set h0 down
    serve web -p 8080:80
    run -0 on_host python3 "$NET" ask 127.0.0.1 8080
    [[ "$output" == "web "* ]]
}

@test "what cannot be is told: networks of others, addresses, low ports, a host that gives no interfaces" {
    run -125 mine run --rm --network mine tiny true
    [ "$output" = "coffer: run tiny: no network is named \"mine\"; coffer network ls lists them" ]
    run -125 mine run --rm --network pasta --ip 10.202.0.9 tiny true
    [[ "$output" == *"the container is alone on it"* ]]
    run -125 mine run --rm -p 80:80 tiny true
    [[ "$output" == *"port 80/tcp of 0.0.0.0: only root can take ports below net.ipv4.ip_unprivileged_port_start" ]]
    on_host chmod 600 /dev/net/tun
    run -125 mine run --rm -p 8080:80 tiny true
    [ "$output" = "coffer: run tiny: --network pasta: make a network without root: /dev/net/tun must be open to all (mode 0666)" ]
    # What nobody has asked for is done without.
    run -0 mine run --rm tiny ip -o link
    [[ "$output" != *eth0* ]]
}
