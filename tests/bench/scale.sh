#!/bin/bash
# tests/bench/scale.sh BUILD FOLDER: many containers at once on one bridge: what each costs in memory for those who look after it, and
# whether the last costs more than the first; then how long it takes to list, measure, stop and remove them all.
# BENCH_MANY: how many (1000); BENCH_PEERS: how many of docker and podman, for their memory (5; 0: without); BENCH_JSON: file for the figures.
# shellcheck disable=SC2154 # host_NAME is set by make_host
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
many=${BENCH_MANY:-1000}
[ "${BENCH_PEERS:-5}" -gt 0 ] || BENCH_ONLY=coffer
three "$(realpath "$2")/scale"

# private_kb NAME PROGRAM...: private memory of these programs, as far as they run on NAME's host.
private_kb() {
    local host=host_$1 program pid
    shift
    for program; do
        for pid in $(pgrep -x "$program" || true); do
            [ "$(readlink "/proc/$pid/ns/net" || true)" = "$(readlink "/proc/${!host}/ns/net")" ] || continue
            awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum + 0 }' "/proc/$pid/smaps_rollup" 2> /dev/null || true
        done
    done | awk '{ sum += $1 } END { print sum + 0 }'
}

report() { # NAME COUNT HELPERS-KB DAEMONS-KB
    awk -v name="$1" -v n="$2" -v helpers="$3" -v daemons="$4" \
        'BEGIN { printf "%-20s %10d %16.0f %16.1f\n", name, n, helpers / n, daemons / 1024 }'
}

echo
echo "private memory of those who look after running containers"
printf '%-20s %10s %16s %16s\n' "" containers "kB a container" "daemons MB"
for name in "${peers[@]}"; do
    [ "$name" != coffer ] || continue
    for ((i = 0; i < BENCH_PEERS; i++)); do
        run_on "$name" -d "$image" sleep 100000 > /dev/null
    done
    case $name in
    docker) report docker "$BENCH_PEERS" "$(private_kb docker containerd-shim)" "$(private_kb docker dockerd containerd)" ;;
    podman) report podman "$BENCH_PEERS" "$(private_kb podman conmon)" 0 ;;
    esac
    remove_containers "$name"
done

fill() { # COUNT: so many run then
    local there
    there=$(on coffer ps -q | wc -l)
    [ "$there" -ge "$1" ] ||
        seq $(($1 - there)) | on_host "$host_coffer" xargs -P 4 -I @ "${coffer[@]}" run -d --network bridge "$image" sleep 100000 > /dev/null
}

# One more than there are, some times. What the kernel clears up behind the one before is not its cost.
one_more() { # COUNT
    "$build/bench/interleave" --title "with $1 running" --ours coffer --runs "${BENCH_RUNS:-15}" --warmups 2 --settle 0 \
        --json "$folder/more.$1" "start | ${coffer[*]} run -d --network bridge --name one-more $image sleep 100000 |
            ${coffer[*]} rm -f one-more > /dev/null 2>&1; sleep 0.3 | | $(within coffer)" \
        "run | ${coffer[*]} run --rm --network bridge $image true | | | $(within coffer)" \
        "exec | ${coffer[*]} exec first true | | | $(within coffer)" > /dev/null
    on coffer rm -f one-more > /dev/null
}

timed() { # TITLE ARGS...
    local title=$1 begin end
    shift
    begin=$(date +%s%N)
    on coffer "$@" > "$folder/out" 2> "$folder/stderr" || {
        echo "$title: left out: $(tail -n 1 "$folder/stderr")"
        return
    }
    end=$(date +%s%N)
    awk -v title="$title" -v ns=$((end - begin)) 'BEGIN { printf "%-40s %10.3f s\n", title, ns / 1e9 }'
}

run_on coffer -d --name first "$image" sleep 100000 > /dev/null
fill 10
sleep 1 # a monitor gives back what the start has needed
report coffer 10 "$(private_kb coffer coffer-monitor)" "$(private_kb coffer coffer-dns)"
one_more 10
begin=$(date +%s%N)
fill "$many"
echo
awk -v n="$many" -v ns=$(($(date +%s%N) - begin)) 'BEGIN { printf "%d containers are started, 4 at a time, in %.1f s\n", n, ns / 1e9 }'
one_more "$many"
jq -r --slurpfile more "$folder/more.$many" --arg many "$many" '.contenders[] | . as $few |
    ($more[0].contenders[] | select(.name == $few.name)) as $later |
    "\($few.name) with 10 running: \($few.min_ms) ms, median \($few.median_ms); with \($many): \($later.min_ms), \($later.median_ms); times " +
    "\($later.min_ms / $few.min_ms * 100 | round / 100), \($later.median_ms / $few.median_ms * 100 | round / 100)"' "$folder/more.10"
[ -z "${BENCH_JSON:-}" ] || jq -s '{few: .[0], many: .[1]}' "$folder/more.10" "$folder/more.$many" > "$BENCH_JSON.scale"
timed "ps of $many" ps
timed "stats --no-stream of $many" stats --no-stream
mapfile -t ids < <(on coffer ps -q)
timed "inspect of $many" inspect "${ids[@]}"
timed "stop -t 0 of $many" stop -t 0 "${ids[@]}"
timed "ps -a of $many that have ended" ps -a
timed "rm of $many" rm "${ids[@]}"
