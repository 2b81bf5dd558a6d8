#!/bin/bash
# tests/bench/engine.sh BUILD FOLDER: `run --rm --network none IMAGE true` of a stored image: coffer against docker and podman.
# BENCH_RUNS: rounds; BENCH_JSON: file for the figures.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec unshare -m --propagation private "$0" --inside "$@"
fi
shift
here=$(cd "$(dirname "$0")" && pwd -P)
build=$(realpath "$1")
mkdir -p "$2"
# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"
bench_in "$(realpath "$2")/engine"
"$here/image.sh" tiny "$folder/tiny.docker.tar"
image=bench/tiny:1

contenders=()
# A contender joins only if it brings home the exit code of what it ran.
add() { # NAME SERVERS COMMAND...
    local name=$1 servers=$2 status=0
    shift 2
    "$@" sh -c 'exit 42' > /dev/null 2> "$folder/stderr" || status=$?
    if [ "$status" = 42 ]; then
        contenders+=("$name | $* true || $servers")
    else
        echo "$name: left out: exit code $status, expected 42: $(tail -n 1 "$folder/stderr")"
    fi
}

coffer=("$build/coffer" --root "$folder/coffer/run" --store "$folder/coffer/store")
"${coffer[@]}" load "docker-archive:$folder/tiny.docker.tar" > /dev/null || true
add coffer "" "${coffer[@]}" run --rm --network none "$image"
start_dockerd "$folder/docker"
"${docker[@]}" load -q -i "$folder/tiny.docker.tar" > /dev/null || true
add docker "$(docker_servers)" "${docker[@]}" run --rm --network none "$image"
"${podman[@]}" load -q -i "$folder/tiny.docker.tar" > /dev/null || true
# The limits: podman raises them to what a machine without CAP_SYS_RESOURCE does not grant.
add podman "" "${podman[@]}" run --rm --network none --cgroup-parent "/$bench_cgroup" \
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$image"

"$build/bench/interleave" --title "run --rm --network none IMAGE true" --ours coffer --runs "${BENCH_RUNS:-30}" \
    ${BENCH_JSON:+--json "$BENCH_JSON.engine"} "${contenders[@]}"
