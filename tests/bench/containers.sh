#!/bin/bash
# tests/bench/containers.sh BUILD FOLDER [ROW...]: containers on a bridge with NAT: coffer against docker and podman, each on a host (a
# network namespace) of its own. Rows: run (--rm true), detached (run -d), exec (true), parallel (50 of `run --rm true`, 8 at a time).
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
# shellcheck source=tests/bench/three.sh
. "$here/three.sh"
three "$(realpath "$2")/containers"
shift 2
[ $# -gt 0 ] || set -- run detached exec parallel

# measure TITLE SUFFIX ROUNDS SETTLE_MS ACT...: ACT is a function that prints, for NAME, "COMMAND | BEFORE"
measure() {
    local title=$1 suffix=$2 rounds=$3 settle=$4 act=$5 name contenders=()
    for name in "${peers[@]}"; do
        contenders+=("$name | $($act "$name") | $(servers "$name") | $(within "$name")")
    done
    "$build/bench/interleave" --title "$title" --ours coffer --runs "$rounds" --warmups 1 --settle "$settle" \
        ${BENCH_JSON:+--json "$BENCH_JSON.$suffix"} "${contenders[@]}"
}

run_command() { # NAME
    echo "$(command_of "$1") run $(run_options "$1")"
}

act_run() {
    echo "$(run_command "$1") --rm $image true |"
}

# A script of its own for what takes a pipe: in a contender | divides fields.
act_detached() {
    printf '#!/bin/sh\n%s\n' "$(remove_line "$1" | tr ! '|')" > "$folder/remove-$1"
    echo "$(run_command "$1") -d $image sleep 1000 | sh $folder/remove-$1"
}

act_exec() {
    echo "$(command_of "$1") exec bench-exec true |"
}

act_parallel() {
    printf '#!/bin/sh\nseq 50 | xargs -P 8 -I @ %s --rm %s true\n' "$(run_command "$1")" "$image" > "$folder/parallel-$1"
    echo "sh $folder/parallel-$1 |"
}

for row; do
    case $row in
    run) measure "run --rm IMAGE true, bridge and NAT" run "${BENCH_RUNS:-10}" 3000 act_run ;;
    detached)
        measure "run -d IMAGE sleep, bridge and NAT" detached "${BENCH_RUNS:-10}" 0 act_detached
        for name in "${peers[@]}"; do
            remove_containers "$name"
        done
        ;;
    exec)
        for name in "${peers[@]}"; do
            run_on "$name" -d --name bench-exec "$image" sleep 1000 > /dev/null
        done
        measure "exec CONTAINER true" exec "${BENCH_RUNS:-10}" 0 act_exec
        for name in "${peers[@]}"; do
            remove_containers "$name"
        done
        ;;
    parallel) measure "50 of run --rm IMAGE true, 8 at a time, bridge and NAT" parallel "${BENCH_PARALLEL_RUNS:-2}" 3000 act_parallel ;;
    *) echo "containers.sh: expected run, detached, exec or parallel, found \"$row\"" >&2 && exit 2 ;;
    esac
done
