#!/bin/bash
# tests/bench/load.sh BUILD FOLDER: loading an image of several layers into an empty store, page cache warm: coffer against podman
# and docker, once from gzip layers (OCI archive) and once from plain ones (docker archive).
# BENCH_IMAGE: an OCI layout to use (default: one made from Debian's packages, kept in FOLDER); BENCH_RUNS: rounds;
# BENCH_JSON: file for the figures.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec unshare -m --propagation private "$0" --inside "$@"
fi
shift
here=$(cd "$(dirname "$0")" && pwd -P)
build=$(realpath "$1")
mkdir -p "$2/images"
images=$(realpath "$2/images")
folder=$(realpath "$2")/load
# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"
podman_in "$folder/podman"

clean_up() {
    stop_dockerd
    remove_cgroups
    remove_podman "$folder/podman"
    rm -rf --one-file-system "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
clean_up
mkdir -p "$folder"

layout=${BENCH_IMAGE:-$images/app.oci}
[ -d "$layout" ] || "$here/image.sh" app "$layout"
# The same image in the two shapes that `load` of all three can read, made once for each layout.
oci_archive=$folder/app.oci.tar
docker_archive=$folder/app.docker.tar
tar -C "$layout" -cf "$oci_archive" .
skopeo copy -q "oci:$layout" "docker-archive:$docker_archive:bench/app:1"
cat "$oci_archive" "$docker_archive" > /dev/null
echo "image: $(jq '.manifests | length' "$layout/index.json") manifest, $(du -sm "$layout" | cut -f 1) MB compressed," \
    "$(du -m "$docker_archive" | cut -f 1) MB plain"

coffer=("$build/coffer" --root "$folder/coffer/run" --store "$folder/coffer/store")
start_dockerd "$folder/docker"

# Writing back what one left in the page cache must not slow the next.
fresh_coffer="rm -rf $folder/coffer; sync"
fresh_podman="umount -l $folder/podman/root/overlay 2> /dev/null; rm -rf --one-file-system $folder/podman; sync"
fresh_docker="${docker[*]} rmi -f bench/app:1 > /dev/null 2>&1; sync"

# A contender joins only if its store has grown.
contenders=()
add() { # NAME STORE SERVERS BEFORE COMMAND...
    local name=$1 store=$2 servers=$3 before=$4
    shift 4
    bash -c "$before"
    mkdir -p "$store"
    if "$@" > /dev/null 2> "$folder/stderr" && [ "$(du -sm "$store" | cut -f 1)" -gt 1 ]; then
        contenders+=("$name | $* | $before | $servers")
    else
        echo "$name: left out: $(tail -n 1 "$folder/stderr")"
    fi
}
measure() { # TITLE JSON-SUFFIX
    "$build/bench/interleave" --title "$1" --ours coffer --runs "${BENCH_RUNS:-5}" --warmups 0 \
        ${BENCH_JSON:+--json "$BENCH_JSON.$2"} "${contenders[@]}"
    contenders=()
}

add coffer "$folder/coffer" "" "$fresh_coffer" "${coffer[@]}" load "oci-archive:$oci_archive"
add "podman load" "$folder/podman" "" "$fresh_podman" "${podman[@]}" load -q -i "$oci_archive"
add "podman pull oci:" "$folder/podman" "" "$fresh_podman" "${podman[@]}" pull -q "oci:$layout"
measure "load of an image with gzip layers" load-gzip

add coffer "$folder/coffer" "" "$fresh_coffer" "${coffer[@]}" load "docker-archive:$docker_archive"
add podman "$folder/podman" "" "$fresh_podman" "${podman[@]}" load -q -i "$docker_archive"
add docker "$folder/docker" "$(docker_servers)" "$fresh_docker" "${docker[@]}" load -q -i "$docker_archive"
measure "load of an image with plain layers" load-plain
