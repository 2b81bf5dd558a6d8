# What bats files of an ordinary user's networks load behind helpers: the user's host is a network namespace of its own, HOST, with another
# one as the outside.
#
#   mine ARGS...           coffer as that user on that host
#   on_host, outside CMD...
#   serve NAME ARGS...     a container that says its name, and who has asked, at port 80 of tcp and udp (net.py)
#   of_test PATTERN, pastas            the user's processes of this test

rootless_setup() {
    needs_root # to become the user
    needs umoci busybox setpriv newuidmap pasta python3
    unset COFFER_NETWORK
    make_user
    as_user unshare --user true 2> /dev/null || skip "this host gives ordinary users no user namespaces"
    [ -c /dev/net/tun ] || skip "this host has no /dev/net/tun"
    HOME_DIR=$BATS_TEST_TMPDIR/home
    mkdir "$HOME_DIR"
    chown "$TEST_UID" "$HOME_DIR"
    layout=$(make_image tiny)
    chmod -R a+rX "$layout"
    make_hosts
    mine load -q --name tiny "oci:$layout:tiny" > /dev/null
}

rootless_teardown() {
    [ -n "${HOST:-}" ] || return 0
    mine ps -aq | while read -r id; do
        mine rm -f "$id" > /dev/null
    done
    nothing_left
    kill "$HOST" "$OUTSIDE" ${FAR:+"$FAR"}
}

# A process in new namespaces: its pid. Where one is that has a network namespace of its own, the others are there, too.
hold() {
    unshare "$@" -- sleep 1000 > /dev/null 2>&1 3>&- &
    local pid=$!
    until [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] && [ "$(cat "/proc/$pid/comm")" = sleep ]; do
        sleep 0.01
    done
    echo "$pid"
}

# The user may make interfaces, as on most hosts, and what the host's resolv.conf says is the test's.
make_hosts() {
    HOST=$(hold --net --mount)
    OUTSIDE=$(hold --net)
    on_host mount -t tmpfs -o mode=755 none /dev/net
    on_host mknod -m 666 /dev/net/tun c 10 200
    echo 'nameserver 192.0.2.1' > "$BATS_TEST_TMPDIR/resolv.conf"
    on_host mount --bind "$BATS_TEST_TMPDIR/resolv.conf" "$(readlink -f /etc/resolv.conf)"
    outside ip link add o0 type veth peer name h0 netns "$HOST"
    outside ip addr add 192.0.2.1/24 dev o0
    outside ip -6 addr add 2001:db8::1/64 dev o0 nodad
    outside ip link set o0 up
    outside ip link set lo up
    on_host ip link set lo up
    on_host ip addr add 192.0.2.2/24 dev h0
    on_host ip -6 addr add 2001:db8::2/64 dev h0 nodad
    on_host ip link set h0 up
    on_host ip route add default via 192.0.2.1
    # Pasta does without IPv6 where the host's interface has no link-local address yet.
    until_true on_host sh -c 'ip -6 addr show dev h0 | grep -q fe80'
}

on_host() {
    nsenter --target "$HOST" --net --mount -- "$@"
}

outside() {
    nsenter --target "$OUTSIDE" --net -- timeout -k 2 30 "$@"
}

# A server called far, at port 99 of the outside, for as long as the test goes on.
serve_far() {
    nsenter --target "$OUTSIDE" --net -- timeout -k 2 600 python3 "$NET" serve far 99 3>&- &
    FAR=$!
    until_true outside sh -c 'busybox netstat -ltn | grep -q ":99 "'
}

mine() {
    on_host setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME \
        HOME="$HOME_DIR" timeout -k 2 "${COFFER_PATIENCE:-60}" "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" "$@"
}

# The user's processes whose name fits, and whose words have this test's folder.
of_test() {
    local pid
    for pid in $(pgrep -u "$TEST_UID" -- "$1" 2> /dev/null); do
        grep -qzF -- "$HOME_DIR/" "/proc/$pid/cmdline" 2> /dev/null && echo "$pid"
    done
    return 0
}

pastas() {
    of_test '^pas[st]'
}

# What looks after networks with a name, and the responders, which are nobody of the user's.
keepers() {
    of_test '^coffer-net$'
}

network_helpers() {
    of_test '^coffer-(net|ancho)'
    responders
}

responders() {
    local pid
    for pid in $(pgrep -f '^coffer-dns '); do
        [[ "$(readlink "/proc/$pid/fd/5" 2> /dev/null)" == "$HOME_DIR"/* ]] && echo "$pid"
    done
    return 0
}


nothing_left() {
    local left
    for _ in $(seq 200); do
        left=$(find "$HOME_DIR"/{run/oci,store/containers,store/names} -mindepth 1 -not -name .pending 2> /dev/null
            pastas
            network_helpers)
        [ -n "$left" ] || return 0
        sleep 0.05
    done
    echo "left behind: $left" | head -20
    return 1
}

logs_have() {
    mine logs "$1" 2>&1 | grep -q -- "$2"
}

# net.py needs the host's Python in the container.
NET=$(realpath "$(dirname "${BASH_SOURCE[0]}")")/net.py
export NET
talk=(-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v "$NET:/net.py:ro")

# A server in a container: NAME ARGS...
serve() {
    local name=$1
    shift
    mine run -d --name "$name" "${talk[@]}" "$@" tiny /usr/bin/python3 /net.py serve "$name" 80 > /dev/null
    until_true logs_have "$name" ready
}
