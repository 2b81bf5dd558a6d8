#!/usr/bin/env bats
# dockerd, with the low level as its default runtime: containers, and the replicated service of a swarm of one node.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
    needs_root
    needs dockerd docker tar unshare
    export DOCKER=$BATS_FILE_TMPDIR/d DOCKER_HOST=unix://$BATS_FILE_TMPDIR/d/sock
    mkdir -p "$DOCKER"
    # In namespaces of its own: no mount, bridge or packet filter of the daemon's shows on this machine, and no port of its is taken.
    unshare --mount --net --propagation private sh -c 'ip link set lo up; exec "$@"' sh dockerd --data-root "$DOCKER/data" \
        --exec-root "$DOCKER/exec" --host "$DOCKER_HOST" --pidfile "$DOCKER/pid" --iptables=false --ip6tables=false --bridge=none \
        --add-runtime "coffer=$COFFER_OCI" --default-runtime coffer > "$DOCKER/log" 2>&1 3>&- &
    echo $! > "$DOCKER/starter"
    local i
    for ((i = 0; i < 150; i++)); do
        docker version > /dev/null 2>&1 && break
        sleep 0.2
    done
    docker version > /dev/null 2>&1 || {
        tail -3 "$DOCKER/log"
        return 1
    }
    make_rootfs "$BATS_FILE_TMPDIR/image"
    tar -C "$BATS_FILE_TMPDIR/image" -c . | docker import - tiny
}

teardown_file() {
    [ -e "${DOCKER:-/nowhere}/starter" ] || return 0
    docker ps --all --quiet | while read -r id; do docker rm --force "$id" > /dev/null 2>&1; done
    kill "$(cat "$DOCKER/starter")" || true
    local i
    for ((i = 0; i < 100; i++)); do
        [ -e "$DOCKER/pid" ] || break
        sleep 0.1
    done
}

teardown() {
    if [ -n "${CONTAINER:-}" ]; then
        docker rm --force "$CONTAINER" > /dev/null 2>&1 || true
    fi
}

docker_run() {
    run timeout 60 docker run --rm --network none "$@"
}

start_sleeper() {
    CONTAINER=$(timeout 60 docker run --detach --network none "$@" tiny sleep 1000)
    [ "$(docker inspect --format '{{.HostConfig.Runtime}} {{.State.Status}}' "$CONTAINER")" = "coffer running" ]
}

@test "docker run shows what a container writes, and gives its exit code" {
    docker_run tiny sh -c 'echo out; echo err >&2; exit 7'
    [ "$status" -eq 7 ]
    [ "$(sort <<< "$output")" = $'err\nout' ]
}

@test "a command that is missing or cannot be executed has docker's exit codes" {
    run -127 timeout 60 docker run --rm --network none tiny nowhere
    [[ "$output" == *'command "nowhere": executable file not found in $PATH'* ]]
    docker_run tiny /etc/passwd
    [ "$status" -eq 126 ]
}

@test "docker run -t has a terminal" {
    on_pty "timeout --foreground 60 docker run --rm --tty --network none tiny sh -c 'test -t 0 && tty; stat -c %F /dev/console'"
    [[ "$output" == *"/dev/pts/0"*"character special file"* ]]
}

@test "limits, exec, top, stats, pause, update, stop and rm" {
    start_sleeper --memory 64m --cpus 0.5 --pids-limit 50
    run docker exec "$CONTAINER" sh -c 'echo inside; exit 3'
    [ "$status" -eq 3 ] && [ "$output" = inside ]
    run docker exec "$CONTAINER" nowhere
    [ "$status" -eq 126 ] || [ "$status" -eq 127 ]
    [[ "$output" == *"executable file not found"* ]]
    [[ "$(docker top "$CONTAINER")" == *"sleep 1000"* ]]
    [[ "$(docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$CONTAINER")" == *"/ 64MiB 1" ]]
    docker pause "$CONTAINER"
    [ "$(docker inspect --format '{{.State.Status}}' "$CONTAINER")" = paused ]
    docker unpause "$CONTAINER"
    docker update --memory 128m --memory-swap 256m "$CONTAINER"
    [[ "$(docker stats --no-stream --format '{{.MemUsage}}' "$CONTAINER")" == *"/ 128MiB" ]]
    timeout 30 docker stop --time 1 "$CONTAINER"
    [ "$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$CONTAINER")" = "exited 137" ]
    docker start "$CONTAINER"
    docker rm --force "$CONTAINER"
    run find /sys/fs/cgroup -type d -name "$CONTAINER"
    [ -z "$output" ]
}

@test "user, capabilities, no_new_privileges, a read-only root and tmpfs hold" {
    docker_run --read-only --tmpfs /scratch --user 1000:1000 --cap-drop ALL --security-opt no-new-privileges tiny \
        sh -c 'id; touch /f; touch /scratch/f && echo scratch; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status'
    [[ "$output" == *"uid=1000"* && "$output" == *"Read-only file system"* && "$output" == *scratch* ]]
    [[ "$output" == *$'CapBnd:\t0000000000000000'* && "$output" == *$'NoNewPrivs:\t1'* && "$output" == *$'Seccomp:\t2'* ]]
}

@test "what uses more than its memory is killed, and docker is told why" {
    CONTAINER=$(docker create --network none --memory 16m --memory-swap 16m tiny sh -c 'x=a; while true; do x=$x$x; done')
    run timeout 60 docker start --attach "$CONTAINER"
    [ "$status" -eq 137 ]
    [ "$(docker inspect --format '{{.State.OOMKilled}}' "$CONTAINER")" = true ]
}

@test "a privileged container has the host's devices and a writable /sys" {
    docker_run --privileged tiny sh -c 'test -e /dev/loop-control -o -e /dev/mem -o -e /dev/kmsg && mount | grep "on /sys type sysfs (rw"'
    [ "$status" -eq 0 ]
}

@test "a replicated service runs, and scales, on a swarm of one node" {
    docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1
    docker service create --quiet --detach --name web --replicas 2 tiny sleep 1000
    running() { [ "$(docker ps --quiet --filter label=com.docker.swarm.service.name=web | wc -l)" -eq "$1" ]; }
    local i
    for ((i = 0; i < 200; i++)); do running 2 && break || sleep 0.2; done
    running 2
    docker service scale --detach web=3
    for ((i = 0; i < 200; i++)); do running 3 && break || sleep 0.2; done
    running 3
    [ "$(docker ps --quiet | head -1 | xargs docker inspect --format '{{.HostConfig.Runtime}}')" = coffer ]
    docker service rm web
    for ((i = 0; i < 200; i++)); do running 0 && break || sleep 0.2; done
    running 0
    docker swarm leave --force
}

@test "docker loads what coffer copies into its form, and coffer reads what docker saves" {
    local id
    needs jq
    cd "$BATS_TEST_TMPDIR" || return 1
    id=$(docker image inspect --format '{{.Id}}' tiny)
    docker save tiny > saved.tar
    [ "$("$COFFER" copy -q docker-archive:saved.tar docker-archive:ours.tar:again/tiny:2)" = "$id" ]
    "$COFFER" copy -q docker-archive:saved.tar oci:layout:x
    # Compressed on the way, so that the layers are unpacked again.
    skopeo copy -q --dest-compress docker-archive:saved.tar dir:packed 2> /dev/null || skip "needs skopeo"
    [ "$(jq -r '.layers[0].mediaType' packed/manifest.json)" = application/vnd.docker.image.rootfs.diff.tar.gzip ]
    docker rmi tiny > /dev/null
    docker load -q -i ours.tar
    [ "$(docker image inspect --format '{{.Id}}' again/tiny:2)" = "$id" ]
    docker rmi again/tiny:2 > /dev/null
    "$COFFER" copy -q oci:layout:x docker-archive:-:tiny | docker load -q
    [ "$(docker image inspect --format '{{.Id}}' tiny:latest)" = "$id" ]
    docker rmi tiny > /dev/null
    "$COFFER" copy -q dir:packed docker-archive:-:tiny | docker load -q
    [ "$(docker image inspect --format '{{.Id}}' tiny:latest)" = "$id" ]
    docker_run tiny sh -c 'echo whole'
    [ "$output" = whole ]
}
