#!/bin/bash
# tests/fault/soak.sh COFFER IMAGE FOLDER COUNT PARALLEL NETWORKED: starts and stops COUNT containers, PARALLEL at a time, NETWORKED of them on a
# bridge with a published port, and looks at what grows: mounts, cgroups, network interfaces, packet filter, the run-time root, the store,
# processes; and the descriptors and the memory of a monitor that lives through it all. One of two containers runs to its end and is
# removed (--rm), the other one is started, stopped and removed. IMAGE is an image archive for `coffer load`. FOLDER is made, and gone at the
# end. Runs in namespaces of its own, so that the host's network is not touched.
#
#   SOAK_DROP=1     the page cache is dropped before memory is looked at (root of the host alone)
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec unshare -n -m --propagation private "$0" --inside "$@"
fi
shift
coffer=$1 image=$2 folder=$3 count=$4 parallel=$5 networked=$6
mkdir -p "$folder"
folder=$(realpath "$folder")
export SOAK_COFFER="$coffer --root $folder/run --store $folder/store" SOAK_FOLDER=$folder SOAK_EVERY=$((count / networked))
ip link set lo up

soak() {
    # shellcheck disable=SC2086 # words
    $SOAK_COFFER "$@"
}

clean_up() {
    soak ps -aq 2> /dev/null | xargs -r "$coffer" --root "$folder/run" --store "$folder/store" rm -f > /dev/null 2>&1 || true
    rm -rf --one-file-system "$folder"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

one() { # NUMBER
    local network=(--network none) status=0
    if [ $(($1 % SOAK_EVERY)) = 0 ]; then
        network=(--network bridge -p "80")
    fi
    {
        if [ $(($1 % 2)) = 0 ]; then
            soak run --rm "${network[@]}" soak true || status=$?
        else
            soak run -d --name "soak-$1" "${network[@]}" soak sleep 1000 > /dev/null && soak stop -t 0 "soak-$1" > /dev/null &&
                soak rm "soak-$1" > /dev/null || status=$?
        fi
    } 2> "$SOAK_FOLDER/errors/$1"
    if [ "$status" = 0 ] && [ ! -s "$SOAK_FOLDER/errors/$1" ]; then
        rm "$SOAK_FOLDER/errors/$1"
    else
        echo "exit code $status" >> "$SOAK_FOLDER/errors/$1"
    fi
}
export -f soak one

monitor_of() {
    local pid
    for pid in $(pgrep -x "$1"); do
        [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] || echo "$pid"
    done
}

# One figure a line. What has a name of ours is counted, the rest of the host is not.
figures() {
    local monitor
    monitor=$(monitor_of coffer-monitor | head -n 1)
    echo "mounts $(wc -l < /proc/self/mountinfo)"
    echo "cgroups $(find /sys/fs/cgroup -type d -name "coffer-*" 2> /dev/null | grep -c -F -f "$folder/ids" || true)"
    echo "interfaces $(ip -o link | wc -l)"
    echo "filter-lines $(nft list ruleset | wc -l)"
    echo "run-entries $(find "$folder/run" -mindepth 1 | wc -l)"
    echo "store-entries $(find "$folder/store" -mindepth 1 -not -path '*/layers/*' | wc -l)"
    echo "processes $(monitor_of coffer-monitor | wc -l) $(monitor_of coffer-dns | wc -l)"
    echo "monitor-descriptors $(find "/proc/$monitor/fd" -mindepth 1 | wc -l)"
    echo "monitor-kB $(awk '/^Private_Dirty:/ { sum += $2 } END { print sum }' "/proc/$monitor/smaps_rollup")"
    echo "responder-descriptors $(find "/proc/$(monitor_of coffer-dns | head -n 1)/fd" -mindepth 1 | wc -l)"
}

# What the kernel clears up behind a container takes its time.
settled_figures() { # FILE TO-BE-LIKE
    local i
    for ((i = 0; i < 300; i++)); do
        figures > "$1"
        [ -e "$2" ] || break
        cmp -s "$1" "$2" && break
        sleep 0.1
    done
}

mkdir "$folder/errors"
echo coffer- > "$folder/ids"
soak load -q --name soak "$image" > /dev/null
# Two that live through it all, on a network, so that there is a responder, too. The host's neighbours' cgroups come and go meanwhile: ours
# are told by what is in our store.
soak run -d --name first --network bridge soak sleep 100000 > /dev/null
one 0
one 1
sleep 0.5
soak ps -aq --no-trunc > "$folder/ids"
settled_figures "$folder/before" "$folder/none"
free -k | awk '/^Mem:/ { print "memory used before: " $3 " kB" }'
begin=$(date +%s%N)
seq 2 $((count + 1)) | xargs -P "$parallel" -I @ bash -c 'one @'
awk -v n="$count" -v p="$parallel" -v ns=$(($(date +%s%N) - begin)) \
    'BEGIN { printf "%d started and stopped, %d at a time, in %.1f s, %.1f ms each\n", n, p, ns / 1e9, ns / 1e6 / n }'
free -k | awk '/^Mem:/ { print "memory used after: " $3 " kB" }'
settled_figures "$folder/after" "$folder/before"
paste -d ' ' "$folder/before" <(sed 's/^[^ ]* /-> /' "$folder/after")
failed=$(find "$folder/errors" -type f | wc -l)
if [ "$failed" -gt 0 ]; then
    echo "$failed of $count went wrong; the first:"
    cat "$(find "$folder/errors" -type f | head -n 1)"
    exit 1
fi
# Of the monitor's memory a page more or less is no growth.
awk 'NR == FNR { before[$1] = $2 " " $3; next }
    { grown = ($1 == "monitor-kB") ? ($2 > before[$1] + 16) : ($2 " " $3 != before[$1]) }
    grown { print $1 " is not what it was"; bad = 1 } END { exit bad }' "$folder/before" "$folder/after"
