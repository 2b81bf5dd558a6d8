#!/bin/bash
# tests/bench/load.sh BUILD FOLDER: loading an image of several layers into an empty store, page cache warm: coffer against podman,
# once from gzip layers (OCI archive) and once from plain ones (docker archive).
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
# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"
bench_in "$(realpath "$2")/load"

layout=${BENCH_IMAGE:-$images/app.oci}
[ -d "$layout" ] || "$here/image.sh" app "$layout"
# The same image in the two shapes that `load` of both can read, made once for each layout.
oci_archive=$folder/app.oci.tar
docker_archive=$folder/app.docker.tar
tar -C "$layout" -cf "$oci_archive" .
skopeo copy -q "oci:$layout" "docker-archive:$docker_archive:bench/app:1"
cat "$oci_archive" "$docker_archive" > /dev/null
echo "image: $(jq '.manifests | length' "$layout/index.json") manifest, $(du -sm "$layout" | cut -f 1) MB compressed," \
    "$(du -m "$docker_archive" | cut -f 1) MB plain"

stores_in "$build"
add coffer "$folder/coffer" "" "$fresh_coffer" "${coffer[@]}" load "oci-archive:$oci_archive"
add "podman load" "$folder/podman" "" "$fresh_podman" "${podman[@]}" load -q -i "$oci_archive"
add "podman pull oci:" "$folder/podman" "" "$fresh_podman" "${podman[@]}" pull -q "oci:$layout"
measure "$build" "load of an image with gzip layers" load-gzip "${BENCH_RUNS:-5}"
contenders=()

add coffer "$folder/coffer" "" "$fresh_coffer" "${coffer[@]}" load "docker-archive:$docker_archive"
add podman "$folder/podman" "" "$fresh_podman" "${podman[@]}" load -q -i "$docker_archive"
measure "$build" "load of an image with plain layers" load-plain "${BENCH_RUNS:-5}"
