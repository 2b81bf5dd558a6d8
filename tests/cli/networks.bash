# What bats files about networks load: a network namespace to be the tests' host, which the containers' monitors stay in, so that nothing
# is made on this machine.
#
#   make_host, remove_host     in setup and teardown; HOST is its process
#   on_host CMD...             in that namespace
#   here ARGS...               coffer, there
#   fails MESSAGE CMD...       with exit code 125 and this message, a pattern
#   serve NAME PORT ARGS...    a container that answers from-NAME on a port of it

make_host() {
    unset COFFER_NETWORK
    needs_root
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
    coffer load -q --name tiny "oci:$(make_image):tiny" > /dev/null
    unshare -n sleep 1000 3>&- &
    HOST=$!
    for ((i = 0; i < 500; i++)); do
        [ "$(readlink "/proc/$HOST/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
        sleep 0.01
    done
    on_host ip link set lo up
}

remove_host() {
    [ -n "${HOST:-}" ] || return 0
    on_host "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" ps -aq 2> /dev/null |
        nsenter --net="/proc/$HOST/ns/net" xargs -r -n 1 "${COFFER}" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null 2>&1 || true
    kill "$HOST"
}

on_host() {
    nsenter --net="/proc/$HOST/ns/net" timeout -k 1 60 "$@"
}

here() {
    on_host "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

fails() { # MESSAGE COMMAND...
    local expected=$1
    shift
    run -125 "$@"
    # shellcheck disable=SC2053 # a pattern
    [[ "$output" == $expected ]] || {
        echo "$output"
        return 1
    }
}

# A server of one line on a port of the container.
serve() { # NAME PORT ARGS...
    local name=$1 port=$2
    shift 2
    here run -d --name "$name" "$@" tiny busybox nc -ll -p "$port" -e echo "from-$name" > /dev/null # at no moment it does not listen
    for ((i = 0; i < 500; i++)); do
        here exec "$name" sh -c "busybox netstat -ltn 2> /dev/null | grep -q ':$port '" && return 0
        sleep 0.02
    done
}
