#!/usr/bin/env bats
# linux.netDevices: interfaces of the host that become the container's. The host is a network namespace of the test's own.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    needs ip unshare nsenter
    bundle_setup_file
}

setup() {
    bundle_setup
    unshare --net sleep 600 3>&- &
    HOST=$!
    wait_for is_apart
    net ip link add dev0 type veth peer name peer0 || skip "this kernel has no veth"
    net ip link set lo up
    net ip link set peer0 up
}

teardown() {
    bundle_teardown
    kill "$HOST" 2> /dev/null || true
    wait "$HOST" 2> /dev/null || true
}

is_apart() {
    [ "$(readlink "/proc/$HOST/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

net() {
    nsenter --net="/proc/$HOST/ns/net" "$@"
}

oci() {
    net "$COFFER_OCI" --root "$(coffer_root)/oci" "$@"
}

inside() {
    nsenter --net="/proc/$(pid_of)/ns/net" "$@"
}

# addresses COMMAND INTERFACE: family, address and scope of each, sorted, without the kernel's own.
addresses() {
    local where=$1 name=$2
    "$where" ip -j addr show dev "$name" | jq -r '.[].addr_info[] | select(.scope == "global")
        | [.family, .local + "/" + (.prefixlen | tostring), .address // "-", .broadcast // "-", .label // "-", .noprefixroute // false] | map(tostring) | join(" ")' | sort
}

# sleeper NETDEVICES: creates and starts a container with them.
sleeper() {
    configure '.process.args = ["sleep", "60"] | .linux.netDevices = $devices' --argjson devices "$1"
    oci run --detach "$ID" 3>&-
}

@test "an interface is moved, with its addresses, and is up" {
    net ip link set dev0 address 02:00:00:00:00:42 mtu 1400
    net ip link set dev0 up
    net ip addr add 10.1.2.3/24 brd + dev dev0
    net ip addr add 10.1.2.4/24 brd 10.1.2.255 dev dev0
    net ip addr add 10.9.0.1/32 dev dev0 noprefixroute
    net ip addr add 10.8.0.1 peer 10.8.0.2/30 dev dev0
    net ip addr add 10.7.0.1/24 dev dev0 scope host
    net ip addr add 10.6.0.1/24 dev dev0 valid_lft 1000 preferred_lft 1000
    net ip addr add 2001:db8::1/64 dev dev0 nodad
    net ip addr add 2001:db8:1::1/64 dev dev0 nodad noprefixroute
    before=$(addresses net dev0 | grep -v 10.6.0.1)
    sleeper '{"dev0": {}}'
    run net ip link show dev0
    [ "$status" -ne 0 ]
    [ "$(addresses inside dev0)" = "$before" ]
    [ "$(wc -l <<< "$before")" -eq 6 ]
    [ "$(inside ip -j link show dev0 | jq -r '.[] | (.flags | contains(["UP"])), .mtu, .address' | tr '\n' ' ')" = "true 1400 02:00:00:00:00:42 " ]
    # 10.7 is of another scope, and 10.6 would have ended.
    [ "$(inside ip addr show dev dev0 | grep -c '10\.[67]\.0\.1')" -eq 0 ]
    [ "$(inside ip route show 10.1.2.0/24 | grep -c 'dev dev0')" -eq 1 ]
    # It works.
    net ip addr add 10.1.2.9/24 dev peer0
    wait_for net busybox ping -c 1 -W 1 10.1.2.3
}

@test "an interface can have another name inside, and two can change theirs" {
    net ip link add dev1 type veth peer name peer1
    net ip addr add 10.1.0.1/24 dev dev0 label dev0:more
    net ip addr add 10.2.0.1/24 dev dev1
    sleeper '{"dev0": {"name": "dev1"}, "dev1": {"name": "dev0"}}'
    [ "$(addresses inside dev1 | cut -d' ' -f2)" = 10.1.0.1/24 ]
    [ "$(addresses inside dev0 | cut -d' ' -f2)" = 10.2.0.1/24 ]
    oci delete --force "$ID"
    net ip link add dev0 type veth peer name peer9
    sleeper '{"dev0": {"name": "eth0"}}'
    inside ip link show eth0
    run inside ip link show dev0
    [ "$status" -ne 0 ]
}

@test "a name with %d is completed by the kernel" {
    net ip link add dev1 type veth peer name peer1
    net ip addr add 10.1.0.1/24 dev dev1
    sleeper '{"dev0": {"name": "net%d"}, "dev1": {"name": "net%d"}}'
    [ "$(inside ip -j link | jq -r '.[].ifname' | grep ^net | sort | tr '\n' ' ')" = "net0 net1 " ]
    [ "$(for name in net0 net1; do addresses inside "$name"; done | cut -d' ' -f2)" = 10.1.0.1/24 ]
}

@test "the addresses and state of what comes back after a failure are as they were" {
    net ip link add dev1 type veth peer name peer1
    net ip link set dev0 up
    net ip addr add 10.1.2.3/24 brd + dev dev0 label dev0:x
    net ip addr add 2001:db8::1/64 dev dev0 nodad
    net ip addr add 10.2.0.1/24 dev dev1
    before=$(addresses net dev0; addresses net dev1; net ip -j link show dev0 | jq -r '.[].ifindex'; net ip route)
    configure '.linux.netDevices = {"dev0": {"name": "a"}, "dev1": {"name": "b"}} | .process.args = ["nowhere"]'
    run oci run "$ID"
    [[ "$status" -eq 1 && "$output" == *'command "nowhere"'* ]]
    [ "$(addresses net dev0; addresses net dev1; net ip -j link show dev0 | jq -r '.[].ifindex'; net ip route)" = "$before" ]
    [ "$(net ip -j link show dev0 | jq -r '.[].flags | contains(["UP"])')" = true ]
    [ "$(net ip -j link show dev1 | jq -r '.[].flags | contains(["UP"])')" = false ]
    # A hook that fails, after the move and before the command.
    configure '.process.args = ["true"] | .hooks.createRuntime = [{"path": "/bin/false"}]'
    run oci create "$ID"
    [ "$status" -eq 1 ]
    [ "$(addresses net dev0; addresses net dev1; net ip -j link show dev0 | jq -r '.[].ifindex'; net ip route)" = "$before" ]
    nothing_left
}

@test "the interfaces are there before the hooks of createRuntime" {
    configure '.process.args = ["true"] | .linux.netDevices = {"dev0": {"name": "inside0"}}
        | .hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "pid=$(jq .pid); nsenter --net=/proc/$pid/ns/net ip link show inside0 > \($out)"],
            "env": ["PATH=\($path)"]}]' --arg out "$BATS_TEST_TMPDIR/seen" --arg path "$PATH"
    oci run "$ID"
    grep -q inside0 "$BATS_TEST_TMPDIR/seen"
}

@test "what the configuration sets of the interface is set" {
    configure '.linux.netDevices = {"dev0": {"name": "eth0"}} | .linux.sysctl = {"net.ipv4.conf.eth0.rp_filter": "2"}
        | .process.args = ["cat", "/proc/sys/net/ipv4/conf/eth0/rp_filter"]'
    run oci run "$ID"
    [ "$output" = 2 ]
}

@test "a name that is taken inside is an error, and all come back" {
    # Another container's network, where there is one of that name already.
    configure '.process.args = ["sleep", "60"]'
    oci run --detach "$ID-first" 3>&-
    pid=$(pid_of "$ID-first")
    net ip link add taken type veth peer name peer1
    net ip link set taken netns "$pid"
    net ip link add dev1 type veth peer name peer2
    before=$(addresses net dev0; net ip -j link | jq -r '.[].ifname')
    configure '.linux.namespaces |= map(if .type == "network" then .path = "/proc/\($pid)/ns/net" else . end)
        | .linux.netDevices = {"dev1": {}, "dev0": {"name": "taken"}}' --arg pid "$pid"
    run oci run "$ID"
    fails_with "run container \"$ID\": network device \"dev0\": the container has one called \"taken\" already; give another name, or one with %d"
    [ "$(addresses net dev0; net ip -j link | jq -r '.[].ifname')" = "$before" ]
    # Not renamed: the kernel does not give it another name by itself.
    net ip link set dev1 name taken
    configure '.linux.netDevices = {"taken": {}}'
    run oci run "$ID"
    fails_with "run container \"$ID\": network device \"taken\": the container has one called \"taken\" already; give another name, or one with %d"
    configure '.linux.netDevices = {"taken": {"name": "taken%d"}} | .process.args = ["true"]'
    oci run "$ID"
    [[ "$(nsenter --net="/proc/$pid/ns/net" ip -j link | jq -r '.[].ifname' | grep taken | sort | tr '\n' ' ')" =~ ^taken\ taken[0-9]\ $ ]]
    oci delete --force "$ID-first"
}

@test "the container's end leaves the interface to the kernel" {
    net ip addr add 10.1.2.3/24 dev dev0
    configure '.linux.netDevices = {"dev0": {}} | .process.args = ["ip", "addr", "show", "dev0"]'
    run oci run "$ID"
    [[ "$output" == *"inet 10.1.2.3/24"* ]]
    # A veth dies with its namespace, and its peer with it.
    wait_for sh -c "! nsenter --net=/proc/$HOST/ns/net ip link show peer0"
    nothing_left
}

@test "the interface of a container in a user namespace is moved as well" {
    chown -R 100000:100000 "$ROOTFS"
    net ip addr add 10.1.2.3/24 dev dev0
    configure '.linux.netDevices = {"dev0": {"name": "eth0"}} | .process.args = ["ip", "addr", "show", "eth0"]
        | .linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.gidMappings = .linux.uidMappings'
    run oci run "$ID"
    [[ "$output" == *"inet 10.1.2.3/24"* ]]
}

@test "what cannot be moved is an error" {
    configure '.linux.netDevices = {"nosuch0": {}}'
    run oci run "$ID"
    fails_with "run container \"$ID\": network device \"nosuch0\": No such device"
    configure '.linux.netDevices = {"lo": {"name": "lo2"}}'
    run oci run "$ID"
    fails_with "run container \"$ID\": network device \"lo\": this kind of device cannot leave its network namespace"
    configure '.linux.netDevices = {"dev0": {"name": "a b"}}'
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *'linux.netDevices: expected names of network interfaces, found "a b"' ]]
    configure '.linux.netDevices = {"dev0": {}} | del(.linux.namespaces[] | select(.type == "network")) | del(.mounts[] | select(.type == "sysfs"))'
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"linux.netDevices: needs a namespace of type network, or it would change the host" ]]
    configure '.linux.namespaces += [{"type": "network", "path": "/proc/self/ns/net"}]'
    run oci run "$ID"
    fails_with "run container \"$ID\": namespace /proc/self/ns/net: is the host's own, which linux.netDevices of the configuration would change"
    net ip link show dev0
    nothing_left
}

@test "an ordinary user is told that only root can give away interfaces" {
    make_user
    configure '.linux.netDevices = {"dev0": {}}'
    chmod -R a+rX "$BATS_TEST_TMPDIR"
    run as_user "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/user" run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"config.json: linux.netDevices: only root can give away the host's network devices" ]]
}

@test "a move takes three datagrams, whatever the number of interfaces" {
    needs strace
    for number in 1 2 3; do
        net ip link add "dev$number" type veth peer name "peer$number"
        net ip addr add "10.$number.0.1/24" dev "dev$number"
    done
    configure '.process.args = ["true"] | .linux.netDevices = {"dev0": {}, "dev1": {}, "dev2": {}, "dev3": {}}'
    net strace -e trace=sendto,setns -o trace "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$(grep -c 'sendto(.*nlmsg_len' trace)" -eq 3 ]
    # In, back, and back from making the namespace.
    [ "$(grep -c 'setns(' trace)" -eq 3 ]
    # And none where nothing is asked for.
    configure 'del(.linux.netDevices)'
    net strace -e trace=sendto,setns -o trace "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$(grep -c 'nlmsg_len' trace)" -eq 0 ]
    [ "$(grep -c 'setns(' trace)" -le 1 ] # back from making the namespace
}
