#!/bin/bash
# tests/bench/port.sh BUILD FOLDER: TCP through a published port, from outside of the host: a network namespace linked to it. coffer against
# docker and podman, each on a host of its own; one second each in turn.
# BENCH_RUNS: rounds; BENCH_JSON: file for the figures.
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
three "$(realpath "$2")/port"
make_host outside

# link NAME NUMBER: outside reaches NAME's host as 10.250.NUMBER.1
link() {
    local host=host_$1 outside=$host_outside
    on_host "$outside" ip link add "out$2" type veth peer name uplink netns "${!host}"
    on_host "$outside" ip addr add "10.250.$2.2/24" dev "out$2"
    on_host "$outside" ip link set "out$2" up
    on_host "${!host}" ip addr add "10.250.$2.1/24" dev uplink
    on_host "${!host}" ip link set uplink up
}

send() { # NUMBER MS
    on_host "$host_outside" "$build/bench/stream" send "10.250.$1.1" 5000 "$2"
}

number=0
for name in "${peers[@]}"; do
    number=$((number + 1))
    link "$name" "$number"
    run_on "$name" -d -p 5000:5000 -v "$build/bench/stream:/stream" "$image" /stream serve 5000 > /dev/null
    for ((i = 0; i < 100; i++)); do
        send "$number" 100 > /dev/null 2>&1 && break
        sleep 0.1
    done
done
for ((round = 0; round < ${BENCH_RUNS:-8}; round++)); do
    number=0
    for name in "${peers[@]}"; do
        number=$((number + 1))
        send "$number" 1000 >> "$folder/$name.rates"
    done
done
echo
echo "TCP through a published port: ${BENCH_RUNS:-8} runs each, interleaved"
printf '%-20s %12s %12s\n' "" "best MB/s" "median MB/s"
for name in "${peers[@]}"; do
    sort -n "$folder/$name.rates" | awk -v name="$name" '{ rate[NR] = $1 }
        END { printf "%-20s %12.0f %12.0f\n", name, rate[NR], rate[int((NR + 1) / 2)] }'
done
if [ -n "${BENCH_JSON:-}" ]; then
    for name in "${peers[@]}"; do
        jq -s --arg name "$name" '{name: $name, mb_per_s: .}' "$folder/$name.rates"
    done | jq -s '{title: "TCP through a published port", contenders: .}' > "$BENCH_JSON.port"
fi
