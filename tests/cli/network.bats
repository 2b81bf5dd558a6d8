#!/usr/bin/env bats
# coffer network: networks as definitions. Nothing of the kernel is made here, so that hosts with any routes can be played in a namespace.
load helpers

setup() {
    needs_root
    needs jq ip unshare
}

fails() {
    local message=$1
    shift
    run "$@"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $message" ]
}

# on_host SETUP ARGS...: coffer on a host that has an interface vpn0 and what SETUP gives it.
on_host() {
    local setup=$1
    shift
    unshare -n -m sh -c 'ip link add vpn0 type veth peer name vpn1 && ip link set vpn1 up && ip link set vpn0 up && eval "$1" && shift && exec "$@"' sh "$setup" \
        "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

@test "three networks are always there, and stay" {
    run coffer network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
    [ "$status" -eq 0 ]
    [ "$output" = "bridge bridge local
host host local
none null local" ]
    for name in host none; do
        fails "network $name is always there and cannot be removed" coffer network rm "$name"
    done
    fails 'the name "bridge" is taken by network '"$(coffer network inspect -f '{{.Id}}' bridge | cut -c1-12)"'; remove that (coffer network rm bridge) or choose another' \
        coffer network create bridge
    [ "$(coffer network ls -q | wc -l)" -eq 3 ]
    [ "$(coffer network inspect -f '{{.Id}}' none | wc -c)" -eq 65 ]
}

@test "bridge is made anew, with another subnet where a VPN has taken the old one, or as one wants it" {
    coffer network create other
    first=$(coffer network inspect -f '{{.Id}}' bridge)
    [ "$(coffer network rm bridge)" = bridge ]
    on_host 'ip route add 10.201.0.0/20 dev vpn0' network ls > /dev/null
    [ "$(coffer network inspect bridge | jq -r '.[0].IPAM.Config[0].Subnet')" = 10.201.32.0/20 ]
    [ "$(coffer network inspect -f '{{.Id}}' bridge)" != "$first" ]
    coffer network rm bridge
    coffer network create --subnet 10.9.0.0/24 --ipv6 bridge
    [ "$(coffer network ls -f name=bridge --format '{{.Subnets}}' | cut -d, -f1)" = 10.9.0.0/24 ]
    [ "$(coffer network prune -f)" = "Deleted network: other" ]
    [ "$(coffer network ls --format '{{.Name}}' | paste -sd ' ')" = "bridge host none" ]
}

@test "create, ls, inspect and rm: by name, id and its beginning" {
    run coffer network create --subnet 10.77.0.0/16 --ip-range 10.77.5.0/24 --gateway 10.77.0.254 --aux-address nas=10.77.0.9 \
        --subnet fd00:77::/64 --internal --label team=x --label empty -o mtu=1400 -o com.docker.network.bridge.name=front0 front
    [ "$status" -eq 0 ]
    id=$output
    [[ "$id" =~ ^[0-9a-f]{64}$ ]]
    run coffer network inspect "$id"
    [ "$(jq -c '.[0] | [.Name, .Scope, .Driver, .EnableIPv4, .EnableIPv6, .Internal, .DNSEnabled, .Options, .Labels, .Containers]' <<< "$output")" = \
        '["front","local","bridge",true,true,true,true,{"com.docker.network.driver.mtu":"1400","com.docker.network.bridge.name":"front0"},{"team":"x","empty":""},{}]' ]
    [ "$(jq -c '.[0].IPAM.Config' <<< "$output")" = '[{"Subnet":"10.77.0.0/16","IPRange":"10.77.5.0/24","Gateway":"10.77.0.254","AuxiliaryAddresses":{"nas":"10.77.0.9"}},{"Subnet":"fd00:77::/64","Gateway":"fd00:77::1","AuxiliaryAddresses":{}}]' ]
    [[ "$(jq -r '.[0].Created' <<< "$output")" =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]
    [ "$(coffer network inspect -f '{{.Name}} {{len .IPAM.Config}}' "${id:0:8}")" = "front 2" ]
    [ "$(coffer network ls --format '{{.ID}} {{.Subnets}} {{.Internal}} {{.IPv6}} {{.Labels}}' -f name=front)" = \
        "${id:0:12} 10.77.0.0/16,fd00:77::/64 true true team=x,empty=" ]
    [ "$(coffer network ls --no-trunc -q -f name=front)" = "$id" ]
    [ "$(coffer network ls --format json -f name=front | jq -r .Name)" = front ]
    fails "the name \"front\" is taken by network ${id:0:12}; remove that (coffer network rm front) or choose another" coffer network create front
    [ "$(coffer network rm front)" = front ]
    fails 'no network is named "front"; coffer network ls lists them' coffer network rm front
    fails "no network is named \"$id\"; coffer network ls lists them" coffer network inspect "$id"
    [ "$(coffer network rm -f front)" = "" ]
    [ -z "$(ls -A "$(coffer_store)/networks/$id" 2> /dev/null)" ]
}

@test "what is refused is refused for a reason" {
    fails '--opt com.docker.network.bridge.name=cot-1: names that begin with cot- are of interfaces that coffer makes itself; choose another' \
        coffer network create -o com.docker.network.bridge.name=cot-1 front
    fails "--subnet 10.9.0.0/16 overlaps 10.9.3.0/24 of network old; choose another" \
        eval 'coffer network create --subnet 10.9.3.0/24 old > /dev/null && coffer network create --subnet 10.9.0.0/16 new'
    fails '--subnet "10.9.0.7/16": the subnet of this address is 10.9.0.0/16' coffer network create --subnet 10.9.0.7/16 x
    fails '--subnet "10.9.0.0": expected ADDRESS/PREFIX, such as 10.1.2.0/24 or fd00:1:2::/64' coffer network create --subnet 10.9.0.0 x
    fails '--subnet "::ffff:10.9.0.0/112": write the IPv4 subnet that is in it' coffer network create --subnet ::ffff:10.9.0.0/112 x
    fails "--subnet 127.0.0.0/8: no container can have an address in it: 127.0.0.0/8 is loopback" coffer network create --subnet 127.0.0.0/8 x
    fails "--subnet 10.9.0.0/31: expected a prefix from 8 to 30" coffer network create --subnet 10.9.0.0/31 x
    fails "--driver overlay: it takes a swarm of hosts, which coffer has not" coffer network create -d overlay x
    fails "--attachable is for a swarm of hosts, which coffer has not; every container of this host can join" coffer network create --attachable x
    fails "--scope is for a swarm of hosts, which coffer has not; every container of this host can join" coffer network create --scope swarm x
    fails "--ipam-driver dhcp: addresses are given by coffer itself; expected default" coffer network create --ipam-driver dhcp x
    fails 'network name "a/b": expected 1 to 128 letters, digits, _ . or -, a letter or digit in front' coffer network create a/b
    fails "--filter colour=red: expected name=TEXT, id=ID, driver=NAME, label=KEY[=VALUE], dangling=true or false, scope=local or type=custom or builtin" \
        coffer network ls -f colour=red
    [ "$(coffer network ls -q | wc -l)" -eq 4 ]
}

@test "a subnet that nobody names overlaps no route, address or name server of the host" {
    subnet_of() {
        coffer network inspect "$1" | jq -r '.[0].IPAM.Config[0].Subnet'
    }
    on_host true network create a
    [ "$(subnet_of bridge) $(subnet_of a)" = "10.201.0.0/20 10.201.16.0/24" ]
    on_host 'ip route add 10.201.16.0/23 dev vpn0' network create b
    [ "$(subnet_of b)" = 10.201.18.0/24 ]
    on_host 'ip addr add 10.201.17.77/30 dev vpn0' network create c
    [ "$(subnet_of c)" = 10.201.19.0/24 ]
    # A VPN's own table, a whole private network; and the halves of everything, which are no reason.
    on_host 'ip route add 10.0.0.0/8 dev vpn0 table 52' network create d
    [ "$(subnet_of d)" = 172.30.0.0/24 ]
    on_host 'ip route add 0.0.0.0/1 dev vpn0 && ip route add 128.0.0.0/1 dev vpn0 && ip route add default dev vpn0' network create e
    [ "$(subnet_of e)" = 10.201.17.0/24 ]
    on_host 'ip route add unreachable 172.16.0.0/12 && ip route add 10.0.0.0/8 dev vpn0' network create f
    [ "$(subnet_of f)" = 192.168.192.0/24 ]
    # A name server that is reached by the default route.
    echo "nameserver 10.201.20.53" > "$BATS_TEST_TMPDIR/resolv.conf"
    on_host "mount --bind $BATS_TEST_TMPDIR/resolv.conf $(readlink -f /etc/resolv.conf)" network create h
    [ "$(subnet_of h)" = 10.201.21.0/24 ]
    fails "other networks and the host's routes leave no subnet free in 10.201.0.0/16, 172.30.0.0/16, 192.168.192.0/18; choose one with --subnet" \
        on_host 'ip route add 172.16.0.0/12 dev vpn0 && ip route add 10.0.0.0/8 dev vpn0 && ip route add 192.168.0.0/16 dev vpn0' network create g
    fails "--subnet 10.8.1.0/24 overlaps the host's route to 10.8.0.0/16 of vpn0; choose another" \
        on_host 'ip route add 10.8.0.0/16 dev vpn0' network create --subnet 10.8.1.0/24 g
    fails "--subnet 10.8.0.0/16 overlaps the host's network 10.8.9.0/24 of vpn0; choose another" \
        on_host 'ip addr add 10.8.9.1/24 dev vpn0' network create --subnet 10.8.0.0/16 g
    [ "$(coffer network ls -q -f type=custom -f name=g)" = "" ]
    on_host 'ip route add 10.8.0.0/16 dev vpn0' network create -d macvlan -o parent=vpn0 --subnet 10.8.0.0/16 lan
}

@test "networks made at once get different subnets, and one name goes to one" {
    for i in $(seq 12); do
        coffer network create --ipv6 "n$i" > /dev/null &
    done
    wait
    [ "$(coffer network ls --format '{{.Subnets}}' -f type=custom | tr , '\n' | sort -u | wc -l)" -eq 24 ]
    for _ in $(seq 8); do
        coffer network create same >> "$BATS_TEST_TMPDIR/made" 2> /dev/null &
    done
    wait
    [ "$(wc -l < "$BATS_TEST_TMPDIR/made")" -eq 1 ]
}

@test "kill -9 at any moment leaves a network that is there or none" {
    moments "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" network create first
    for i in $(seq 60); do
        kill_at_a_moment "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" network create "k$i"
    done
    run coffer network ls --format '{{.Name}}' --filter name=k
    [ "$status" -eq 0 ]
    while read -r name; do
        coffer network inspect "$name" > /dev/null
    done < <(grep '^k[0-9]' <<< "$output")
    coffer network create last
    names=$(find "$(coffer_store)/networks/names" -type l | wc -l)
    [ "$(find "$(coffer_store)/networks" -mindepth 1 -maxdepth 1 -type d ! -name names | wc -l)" -eq "$names" ]
}

@test "filters, and prune takes what they let it" {
    coffer network create --label team=x --label a=1 one
    coffer network create --label team=y two
    coffer network create three
    [ "$(coffer network ls --format '{{.Name}}' -f label=team | paste -sd ' ')" = "one two" ]
    [ "$(coffer network ls --format '{{.Name}}' -f label=team=x -f label=a=1)" = "one" ]
    [ "$(coffer network ls --format '{{.Name}}' -f name=tw -f name=thr | paste -sd ' ')" = "three two" ]
    [ "$(coffer network ls --format '{{.Name}}' -f driver=null)" = "none" ]
    [ "$(coffer network ls --format '{{.Name}}' -f type=builtin | paste -sd ' ')" = "bridge host none" ]
    [ "$(coffer network ls --format '{{.Name}}' -f dangling=true | paste -sd ' ')" = "one three two" ]
    [ "$(coffer network ls --format '{{.Name}}' -f dangling=false | paste -sd ' ')" = "bridge host none" ]
    [ "$(coffer network ls --format '{{.Name}}' -f "id=$(coffer network inspect -f '{{.Id}}' two)")" = two ]
    fails "standard input is no terminal to ask on; use --force" coffer network prune < /dev/null
    fails "--filter until=soon: expected a length of time such as 24h, or a time such as 2026-01-31T12:00:00" coffer network prune -f --filter until=soon
    fails "--filter name=x: expected until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]" coffer network prune -f --filter name=x
    [ "$(coffer network prune -f --filter until=1h)" = "" ]
    [ "$(coffer network prune -f --filter label=team=x)" = "Deleted network: one" ]
    [ "$(coffer network prune -f --filter 'label!=team')" = "Deleted network: three" ]
    [ "$(coffer network prune -f)" = "Deleted network: two" ]
    [ "$(coffer network ls --format '{{.Name}}' | paste -sd ' ')" = "bridge host none" ]
}

@test "a damaged document is told, and hides no other network" {
    coffer network create good
    id=$(coffer network create bad)
    echo '{"id": 3}' > "$(coffer_store)/networks/$id/network.json"
    fails "network bad: network.json: id: expected a string, found a number" coffer network inspect bad
    run coffer network ls --format '{{.Name}}' -f type=custom
    [ "$status" -eq 0 ]
    [[ "$output" == *good* ]]
    [[ "$output" == *"network bad: network.json: id: expected a string"* ]]
}

@test "an ordinary user has networks of his own" {
    make_user
    mkdir "$BATS_TEST_TMPDIR/user"
    chown "$TEST_UID" "$BATS_TEST_TMPDIR/user"
    user_coffer() {
        as_user "$COFFER" --root "$BATS_TEST_TMPDIR/user/run" --store "$BATS_TEST_TMPDIR/user/store" "$@"
    }
    user_coffer network create mine
    [ "$(user_coffer network ls --format '{{.Name}}' | paste -sd ' ')" = "bridge host mine none" ]
    user_coffer network rm mine
}
