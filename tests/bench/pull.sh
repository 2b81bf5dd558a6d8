#!/bin/bash
# tests/bench/pull.sh BUILD FOLDER: pulling an image from docker's registry on the loopback into an empty store, page cache warm: coffer
# against podman, each image for itself; and once more when there is nothing new, against docker, too.
# BENCH_IMAGE: an OCI layout to use, or several (default: one made from Debian's packages, kept in FOLDER, and one of busybox);
# BENCH_RUNS: rounds; BENCH_JSON: file for the figures.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec unshare -m --propagation private "$0" --inside "$@"
fi
shift
here=$(cd "$(dirname "$0")" && pwd -P)
build=$(realpath "$1")
mkdir -p "$2/images"
images=$(realpath "$2/images")
folder=$(realpath "$2")/pull
# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"
podman_in "$folder/podman"
registry_pid=''

clean_up() {
    if [ "$registry_pid" ]; then
        kill "$registry_pid" 2> /dev/null || true
        wait "$registry_pid" 2> /dev/null || true
    fi
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

read -ra layouts <<< "${BENCH_IMAGE:-}"
if [ "${#layouts[@]}" -eq 0 ]; then
    layouts=("$images/tiny.oci" "$images/app.oci")
    [ -d "$images/app.oci" ] || "$here/image.sh" app "$images/app.oci"
    if [ ! -d "$images/tiny.oci" ]; then
        "$here/image.sh" tiny "$folder/tiny.tar"
        skopeo copy -q "docker-archive:$folder/tiny.tar" "oci:$folder/tiny.oci:1"
        mv "$folder/tiny.oci" "$images/tiny.oci"
    fi
fi

start_registry() {
    local port i
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    host=127.0.0.1:$port
    cat > "$folder/registry.yml" << END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: $folder/registry}
http: {addr: "$host"}
END
    setpriv --pdeathsig TERM docker-registry serve "$folder/registry.yml" > "$folder/registry.log" 2>&1 &
    registry_pid=$!
    for ((i = 0; i < 100; i++)); do
        if curl -sf "http://$host/v2/" > /dev/null; then
            return
        fi
        sleep 0.1
    done
    echo "docker-registry did not start: $(tail -n 1 "$folder/registry.log")" >&2
    exit 1
}
start_registry

coffer=("$build/coffer" --root "$folder/coffer/run" --store "$folder/coffer/store")
start_dockerd "$folder/docker"

# Stores are put aside, not deleted: ext4 gives out no inode that was deleted in the last minutes, and looks at each of them for every
# file that is made meanwhile (tar took 18 s in place of 1 for 50,000 files). For the same reason docker does not take part where
# the store must be empty: its daemon can only delete. Writing back what one left in the page cache must not slow the next, either.
mkdir "$folder/aside"
fresh_coffer="mv $folder/coffer \$(mktemp -d $folder/aside/XXXXXX); sync"
fresh_podman="umount -l $folder/podman/root/overlay 2> /dev/null; mv $folder/podman \$(mktemp -d $folder/aside/XXXXXX); sync"

# A contender joins only if its store has grown.
contenders=()
add() { # NAME STORE SERVERS BEFORE COMMAND...
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
measure() { # TITLE JSON-SUFFIX RUNS
    "$build/bench/interleave" --title "$1" --ours coffer --runs "$3" --warmups 0 ${BENCH_JSON:+--json "$BENCH_JSON.$2"} \
        "${contenders[@]}"
}

for layout in "${layouts[@]}"; do
    name=$(basename "$layout" .oci)
    image=$host/bench/$name:1
    tag=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"] // ""' "$layout/index.json")
    skopeo copy -q --preserve-digests --dest-tls-verify=false "oci:$layout${tag:+:$tag}" "docker://$image"
    # What the registry reads is in the page cache.
    find "$folder/registry" -type f -exec cat {} + > /dev/null
    echo "$name: $(du -sm "$layout" | cut -f 1) MB compressed"
    contenders=()
    add coffer "$folder/coffer" "" "$fresh_coffer" "${coffer[@]}" pull -q "$image"
    add podman "$folder/podman" "" "$fresh_podman" "${podman[@]}" pull -q --tls-verify=false "$image"
    measure "pull of $name into an empty store" "pull-$name" "${BENCH_RUNS:-5}"

    # The last round has left it there.
    again=()
    for contender in "${contenders[@]}"; do
        IFS='|' read -r who command _ servers <<< "$contender"
        again+=("$who|$command||$servers")
    done
    contenders=("${again[@]}")
    add docker "$folder/docker" "$(docker_servers)" "" "${docker[@]}" pull -q "$image"
    measure "pull of $name, nothing new" "pull-again-$name" "$((4 * ${BENCH_RUNS:-5}))"
done
