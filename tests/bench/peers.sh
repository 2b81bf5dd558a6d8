# The peers of the engine benches, for engine.sh and load.sh to source: a docker and a podman of our own, below one folder, that
# touch nothing of those which the machine may already run. The caller is in a mount namespace of its own.
# shellcheck shell=bash
# shellcheck disable=SC2034 # docker and podman: the command lines, for the caller

dockerd_pid=''
bench_cgroup=coffer-bench-$$

start_dockerd() { # FOLDER
    mkdir -p "$1"
    setpriv --pdeathsig TERM dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" -H "unix://$1/socket" \
        --iptables=false --ip6tables=false --bridge=none --cgroup-parent="/$bench_cgroup" > "$1/log" 2>&1 &
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
