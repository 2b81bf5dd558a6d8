#!/usr/bin/env bats
# What others take of networks under running containers comes back, and what is removed leaves nothing. In a network namespace of its own.
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

reach() { # ADDRESS PORT WANTED
    run on_host sh -c "busybox nc -w 5 $1 $2 < /dev/null"
    [ "$output" = "$3" ]
}

asks_by_name() { # NETWORK NAME WANTED
    run -0 here run --rm --network "$1" tiny sh -c "busybox nc -w 5 $2 80 < /dev/null"
    [ "$output" = "$3" ]
}

@test "a flushed packet filter: network reload brings networks and ports back" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network mine -p 8080:80
    serve other 80 -p 127.0.0.1:8081:80
    on_host nft flush ruleset
    run on_host sh -c 'busybox nc -w 1 127.0.0.1 8080 < /dev/null'
    [ "$status" -ne 0 ]
    here network reload
    reach 127.0.0.1 8080 from-web
    reach 127.0.0.1 8081 from-other
    on_host nft flush ruleset
    run -0 here network reload web
    [ "$output" = web ]
    reach 127.0.0.1 8080 from-web
    here rm -f web other > /dev/null
    run -0 on_host nft list ruleset
    [[ "$output" != *8080* ]]
}

@test "a flushed packet filter: the next container that joins any network heals all of them" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network mine -p 8080:80
    on_host nft flush ruleset
    here run --rm --network bridge tiny true
    reach 127.0.0.1 8080 from-web
    run -0 on_host nft list ruleset
    [[ "$output" == *10.77.0.0/24* ]]
    # What is there in part is made whole, too.
    on_host nft flush table inet coffer
    here run --rm --network bridge tiny true
    reach 127.0.0.1 8080 from-web
}

@test "a flushed packet filter: a container that fails to join its network heals the others all the same" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --internal --subnet 10.78.0.0/24 -o com.docker.network.bridge.name=walled inner > /dev/null
    here network create --subnet 10.79.0.0/24 -o com.docker.network.bridge.name=taken bad > /dev/null
    on_host ip link add taken type veth peer name taken2
    serve web 80 --network mine --network inner -p 8080:80
    # Whom nothing comes to from outside is not told to take 127.0.0.1 from there.
    run -0 on_host cat /proc/sys/net/ipv4/conf/walled/route_localnet
    [ "$output" = 0 ]
    on_host nft flush ruleset
    run -125 here run --rm --network bad tiny true
    reach 127.0.0.1 8080 from-web
    run -0 on_host nft list ruleset
    [[ "$output" == *'"walled"'* ]]
}

@test "a flushed packet filter: no port comes back for a container that has ended, even if its monitor has not said so yet" {
    here run -d --name web -p 8080:80 tiny sleep 1000 > /dev/null
    here run -d --name other -p 8081:80 tiny sleep 1000 > /dev/null
    pid=$(here inspect -f '{{.State.Pid}}' web)
    monitor=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$pid/stat")
    [ "$(cat "/proc/$monitor/comm")" = coffer-monitor ]
    kill -STOP "$monitor"
    kill -9 "$pid"
    for ((i = 0; i < 500; i++)); do grep -q '^State:.*Z' "/proc/$pid/status" && break; sleep 0.01; done
    on_host nft flush ruleset
    here run --rm --network bridge tiny true
    run -0 on_host nft list ruleset
    kill -CONT "$monitor"
    [[ "$output" == *8081* && "$output" != *8080* ]]
}

@test "a bridge that was removed is there again with all that were in it" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network mine -p 8080:80
    on_host ip link del "$(on_host ip -o link show type bridge | sed 's/^[0-9]*: \([^:@]*\).*/\1/')"
    asks_by_name mine web from-web
    reach 127.0.0.1 8080 from-web
}

@test "an interface that was removed is there again by network reload, with its address and the way out" {
    serve web 80 --network bridge -p 8080:80
    address=$(here inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' web)
    on_host ip link del "cv-$(here inspect -f '{{.Id}}' web | cut -c 1-12)"
    run here exec web ip addr show eth0
    [ "$status" -ne 0 ]
    here network reload web
    run -0 here exec web sh -c 'ip -4 -o addr show eth0; ip route'
    [[ "$output" == *"$address/"*"default via "* ]]
    reach 127.0.0.1 8080 from-web
}

@test "a network that a container cannot join while it runs leaves no interface in it" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.78.0.0/24 --subnet fd00:78::/64 six > /dev/null
    here run -d --name web --network mine --sysctl net.ipv6.conf.all.disable_ipv6=1 --sysctl net.ipv6.conf.default.disable_ipv6=1 tiny sleep 1000 > /dev/null
    fails 'coffer: connect web to network six: *fd00:78::2*' here network connect six web
    run -0 here exec web ip -o link
    [[ "$output" == *eth0* && "$output" != *eth1* ]]
    [ "$(on_host ip -o link | grep -c ': cv')" -eq 1 ]
    [ -z "$(find "$(coffer_store)/networks/$(here network inspect -f '{{.Id}}' six)/leases" -type l)" ]
}

@test "a change that cannot be written down is none: what it is on it can still leave, and what was refused it does not join later" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.78.0.0/24 more > /dev/null
    here run -d --name web --network bridge --network mine tiny sleep 1000 > /dev/null
    folder=$(echo "$(coffer_store)"/containers/"$(here inspect -f '{{.Id}}' web)")
    mkdir "$folder/record.json.new"
    fails 'coffer: disconnect web from network mine: *record.json*' here network disconnect mine web
    fails 'coffer: connect web to network more: *record.json*' here network connect more web
    rmdir "$folder/record.json.new"
    run -0 here network disconnect mine web
    here network connect mine web
    here restart -t 0 web > /dev/null
    run -0 here exec web ip -4 -o addr
    [[ "$output" == *10.77.0.* && "$output" != *10.78.0.* ]]
}

@test "a responder that was killed is there again for the next one on the network, and by network reload" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    serve web 80 --network mine
    lock=$(echo "$(coffer_store)"/networks/"$(here network inspect -f '{{.Id}}' mine)"/dns.lock)
    kill_responder() {
        local pid
        read -r pid _ < "$lock"
        [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink "/proc/$HOST/ns/net")" ]
        kill -9 "$pid"
        for ((i = 0; i < 500; i++)); do [ -e "/proc/$pid" ] || return 0; sleep 0.01; done
    }
    asks_by_name mine web from-web
    kill_responder
    asks_by_name mine web from-web
    kill_responder
    run here exec web busybox nslookup web
    [ "$status" -ne 0 ]
    here network reload
    run -0 here exec web busybox nslookup web
}

@test "a network that is removed leaves no interface and no rule, nor takes what was not its own" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here run --rm --network mine tiny true
    here run --rm --network bridge tiny true
    here network rm mine bridge > /dev/null
    run -0 on_host ip -o link show type bridge
    [ -z "$output" ]
    run -0 on_host nft list ruleset
    [[ "$output" != *cof-* && "$output" != *10.77.0* ]]
    # Of that name, but somebody else's; and one of ours under a name that was asked for.
    on_host ip link add br0 type bridge
    here network create --subnet 10.78.0.0/24 -o com.docker.network.bridge.name=br0 theirs > /dev/null
    here network create --subnet 10.79.0.0/24 -o com.docker.network.bridge.name=br1 ours > /dev/null
    here run --rm --network theirs --network ours tiny true
    here network rm theirs ours > /dev/null
    run -0 on_host ip -o link show type bridge
    [[ "$output" == *br0* && "$output" != *br1* ]]
}

@test "reload: one that does not run, and one without a network" {
    here run -d --name alone --network none tiny sleep 1000 > /dev/null
    run -0 here network reload alone
    here stop -t 0 alone > /dev/null
    fails 'coffer: reload the networks of alone: it is not running' here network reload alone
    here network reload
}

@test "a monitor that is killed while its container joins and leaves: nothing is left, and no network is held" {
    here network create --subnet 10.77.0.0/24 mine > /dev/null
    here network create --subnet 10.78.0.0/24 more > /dev/null
    for round in 1 2 3 4 5 6; do
        id=$(here run -d --name web --network mine -p 8080:80 tiny sleep 1000)
        monitor=$(monitors)
        (for _ in 1 2 3 4 5; do here network connect --gw-priority 1 more web && here network disconnect more web; done) > /dev/null 2>&1 3>&- &
        joining=$!
        sleep "0.0$((round * 15))"
        kill -9 "$monitor"
        wait "$joining" || true
        # Killed while it wrote down its names.
        for folder in "$(coffer_store)"/networks/*/endpoints; do
            : > "$folder/$id.new"
        done
        here rm -f web > /dev/null
        [ -z "$(find "$(coffer_store)"/networks/*/leases -type l)" ]
        [ -z "$(find "$(coffer_store)"/networks/*/endpoints -type f)" ]
        run -0 on_host nft list ruleset
        [[ "$output" != *8080* ]]
    done
    for ((i = 0; i < 1000; i++)); do
        run -0 on_host ip -o link
        [[ "$output" == *" cv"* ]] || break
        sleep 0.02
    done
    [[ "$output" != *" cv"* ]]
    here network rm mine more > /dev/null
}
