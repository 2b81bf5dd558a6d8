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
# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"
registry_pid=''
clean_more() {
    if [ "$registry_pid" ]; then
        kill "$registry_pid" 2> /dev/null || true
        wait "$registry_pid" 2> /dev/null || true
    fi
}
bench_in "$(realpath "$2")/pull"

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

stores_in "$build"
start_dockerd "$folder/docker"

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
    measure "$build" "pull of $name into an empty store" "pull-$name" "${BENCH_RUNS:-5}"

    # The last round has left it there.
    again=()
    for contender in "${contenders[@]}"; do
        IFS='|' read -r who command _ servers <<< "$contender"
        again+=("$who|$command||$servers")
    done
    contenders=("${again[@]}")
    add docker "$folder/docker" "$(docker_servers)" "" "${docker[@]}" pull -q "$image"
    measure "$build" "pull of $name, nothing new" "pull-again-$name" "$((4 * ${BENCH_RUNS:-5}))"
done
