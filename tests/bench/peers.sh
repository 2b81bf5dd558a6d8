# The peers of the engine benches, for engine.sh, load.sh and pull.sh to source: a docker and a podman of our own, below one folder, that
# touch nothing of those which the machine may already run. The caller is in a mount namespace of its own.
# shellcheck shell=bash
# shellcheck disable=SC2034 # docker and podman: the command lines, for the caller

dockerd_pid=''
bench_cgroup=coffer-bench-$$

# Without a network; or with its bridge and its rules, in the network namespace of a process.
start_dockerd() { # FOLDER [PID]
    local network=(--iptables=false --ip6tables=false --bridge=none) within=()
    if [ "${2:-}" ]; then
        network=(--ip6tables=false --bip 10.253.0.1/24)
        within=(nsenter --net="/proc/$2/ns/net")
    fi
    mkdir -p "$1"
    setpriv --pdeathsig TERM "${within[@]}" dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \
        -H "unix://$1/socket" "${network[@]}" --cgroup-parent="/$bench_cgroup" > "$1/log" 2>&1 &
    dockerd_pid=$!
    docker=(docker -H "unix://$1/socket")
    local i
    for ((i = 0; i < 150; i++)); do
        if "${docker[@]}" version > /dev/null 2>&1; then
            return
        fi
        if ! kill -0 "$dockerd_pid" 2> /dev/null; then
            break
        fi
        sleep 0.2
    done
    echo "docker: left out: dockerd did not start: $(tail -n 1 "$1/log")"
    stop_dockerd
    docker=(false)
}

# A host of its own for each that shall have one: a network namespace, kept by a process whose number is in $host_NAME; it ends with us.
hosts=()
make_host() { # NAME
    local pid
    setpriv --pdeathsig KILL unshare -n sleep infinity &
    pid=$!
    hosts+=("$pid")
    while [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do
        kill -0 "$pid" || return
        sleep 0.01
    done
    on_host "$pid" sh -c 'ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward'
    declare -g "host_$1=$pid"
}

on_host() { # PID COMMAND...
    local pid=$1
    shift
    nsenter --net="/proc/$pid/ns/net" "$@"
}

stop_hosts() {
    if [ "${#hosts[@]}" -gt 0 ]; then
        kill "${hosts[@]}" 2> /dev/null || true
        wait "${hosts[@]}" 2> /dev/null || true
        hosts=()
    fi
}

stop_dockerd() {
    if [ "$dockerd_pid" ]; then
        kill "$dockerd_pid" 2> /dev/null || true
        wait "$dockerd_pid" || true
        dockerd_pid=''
    fi
}

# The peers take away their containers' groups, but not the one above, nor on every hierarchy.
remove_cgroups() {
    find /sys/fs/cgroup -maxdepth 4 -depth -type d -path "*/$bench_cgroup*" -exec rmdir {} \; 2> /dev/null || true
}

# dockerd and the containerd that it starts.
docker_servers() {
    if [ "$dockerd_pid" ]; then
        echo "$dockerd_pid $(pgrep -d ' ' -P "$dockerd_pid" || true)"
    fi
}

podman_in() { # FOLDER
    podman=(podman --root "$1/root" --runroot "$1/run" --tmpdir "$1/tmp" --storage-driver overlay --cgroup-manager cgroupfs
        --runtime runc --events-backend file)
}

# podman leaves its store mounted over itself.
remove_podman() { # FOLDER
    umount -l "$1/root/overlay" 2> /dev/null || true
    rm -rf --one-file-system "$1"
}

# bench_in FOLDER: all that a bench makes is in $folder, with podman's part; gone at the end, with what clean_more, where there is one,
# ends. Whoever calls it runs in a mount namespace of its own.
bench_in() {
    folder=$1
    podman_in "$folder/podman"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    clean_up
    mkdir -p "$folder"
}

clean_up() {
    if declare -F clean_more > /dev/null; then
        clean_more
    fi
    stop_dockerd
    stop_hosts
    remove_cgroups
    remove_podman "$folder/podman"
    rm -rf --one-file-system "$folder"
}

# stores_in BUILD: $coffer, and shell lines that give coffer and podman an empty store. Stores are put aside, not deleted: ext4 gives out no
# inode that was deleted in the last minutes, and looks at each of them for every file that is made meanwhile (tar took 18 s in place of
# 1 for 50,000 files). For the same reason docker does not take part where the store must be empty: its daemon can only delete.
# Writing back what one left in the page cache must not slow the next, either.
stores_in() {
    coffer=("$1/coffer" --root "$folder/coffer/run" --store "$folder/coffer/store")
    mkdir "$folder/aside"
    fresh_coffer="mv $folder/coffer \$(mktemp -d $folder/aside/XXXXXX); sync"
    fresh_podman="umount -l $folder/podman/root/overlay 2> /dev/null; mv $folder/podman \$(mktemp -d $folder/aside/XXXXXX); sync"
    contenders=()
}

# add NAME STORE SERVERS BEFORE COMMAND...: a contender joins only if its store has grown.
add() {
    local name=$1 store=$2 servers=$3 before=$4 had
    shift 4
    bash -c "$before" 2> /dev/null || true
    mkdir -p "$store"
    had=$(du -sk "$store" | cut -f 1)
    if "$@" > /dev/null 2> "$folder/stderr" && [ "$(du -sk "$store" | cut -f 1)" -gt $((had + 500)) ]; then
        contenders+=("$name | $* | $before | $servers")
    else
        echo "$name: left out: $(tail -n 1 "$folder/stderr")"
    fi
}

# measure BUILD TITLE JSON-SUFFIX RUNS: those that joined.
measure() {
    "$1/bench/interleave" --title "$2" --ours coffer --runs "$4" --warmups 0 ${BENCH_JSON:+--json "$BENCH_JSON.$3"} "${contenders[@]}"
}
