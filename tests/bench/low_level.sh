#!/bin/bash
# tests/bench/low_level.sh [--syscalls] BUILD FOLDER: `run` of a static true with the default configuration, `exec` of one in a container
# that is there, create, start and delete of one, and a hostile document refused: coffer-oci against its peers and the bare system calls, all on one bundle below
# FOLDER. BENCH_RUNS: rounds; BENCH_JSON: file for the figures. --syscalls: count the system calls of each whole path instead.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    exec "$here/cgroup2.sh" "$0" "$@"
fi
syscalls=''
if [ "$1" = --syscalls ]; then
    syscalls=1
    shift
fi
build=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")/low-level
bundle=$folder/bundle
id=coffer-bench-$$

rm -rf "$folder"
mkdir -p "$bundle"/rootfs/{bin,dev,proc,sys,tmp}
# State lies where it does in life: in memory.
state=$(mktemp -d "${TMPDIR:-/dev/shm}/coffer-bench.XXXXXX")
cp "$build/bench/true" "$bundle/rootfs/bin/true"

# The command lines that remove the containers which wait.
runtimes=()
stop_containers() {
    local i command
    for i in "${!runtimes[@]}"; do
        read -ra command <<< "${runtimes[i]}"
        "${command[@]}"
    done
    runtimes=()
}

# A run that failed may have left its group, empty.
clean_up() {
    stop_containers || true
    find /sys/fs/cgroup -maxdepth 1 -type d -name "$id-*" -exec rmdir {} \; || true
    rm -rf "$state"
}
trap clean_up EXIT

# The default document, but for what it runs. Ours and runc's agree; runc's serves where ours is not built.
write_config() { # ARGUMENTS as a JSON array
    rm -f "$bundle/config.json"
    (cd "$bundle" && "$build/coffer-oci" spec > /dev/null 2>&1) || true
    [ -f "$bundle/config.json" ] || runc spec --bundle "$bundle"
    # Older peers refuse a newer version of the specification; the document says nothing that they would not know.
    jq ".ociVersion = \"1.0.2\" | .process.args = $1 | .process.terminal = false" "$bundle/config.json" > "$folder/config.json"
    mv "$folder/config.json" "$bundle/config.json"
}

names=() commands=()
# A contender joins only if it brings home the exit code of what it ran: something that fails early would look fast.
# ARGUMENT is what a command line needs to run true with an argument; the OCI runtimes have that from the document.
add() { # NAME COMMAND ARGUMENT
    local status=0 command
    read -ra command <<< "${2//%/probe} $3"
    "${command[@]}" > /dev/null 2> "$folder/stderr" || status=$?
    if [ "$status" = 42 ]; then
        names+=("$1")
        commands+=("$2")
    else
        echo "$1: left out: exit code $status, expected 42: $(head -n 1 "$folder/stderr")"
    fi
}

# One row a system call, one column a contender, the most called on top.
count_syscalls() {
    local i command
    for i in "${!names[@]}"; do
        read -ra command <<< "${commands[i]//%/$i}"
        strace -qq -f -c -U calls,name -o "$folder/calls" "${command[@]}" > /dev/null
        awk -v name="${names[i]}" '$1 ~ /^[0-9]+$/ { print name, $1, $2 }' "$folder/calls"
    done | awk '
        !($1 in seen) { seen[$1] = 1; order[++n] = $1 }
        { count[$3, $1] = $2; if ($2 > most[$3]) most[$3] = $2 }
        END {
            printf "%-20s", "system calls"
            for (i = 1; i <= n; i++) printf " %11s", order[i]
            print ""
            for (;;) {
                best = ""
                for (call in most) if (best == "" || most[call] > most[best]) best = call
                if (best == "") break
                printf "%-20s", best
                for (i = 1; i <= n; i++) printf " %11s", count[best, order[i]] ? count[best, order[i]] : "."
                print ""
                delete most[best]
            }
        }'
}

# Of what was added: the system calls, or the time.
measure() { # TITLE SUFFIX [FLOOR]
    local contenders=() i
    if [ "$syscalls" ]; then
        echo "$1"
        count_syscalls
        return
    fi
    for i in "${!names[@]}"; do
        contenders+=("${names[i]} | ${commands[i]}")
    done
    "$build/bench/interleave" --title "$1" --ours coffer-oci ${3:+--floor "$3"} --runs "${BENCH_RUNS:-200}" \
        ${BENCH_JSON:+--json "$BENCH_JSON.$2"} "${contenders[@]}"
}

write_config '["/bin/true", "42"]'
add exec "$bundle/rootfs/bin/true" 42
add floor "$build/bench/floor $bundle/rootfs /bin/true" 42
add coffer-oci "$build/coffer-oci --root $state/coffer run --bundle $bundle $id-%" ""
add bubblewrap "bwrap --unshare-all --ro-bind $bundle/rootfs / --proc /proc --dev /dev --tmpfs /tmp /bin/true" 42
add crun "crun --root $state/crun run --bundle $bundle $id-%" ""
add runc "runc --root $state/runc run --bundle $bundle $id-%" ""
write_config '["/bin/true"]'

measure "run of a static true, default configuration" low-level floor

# Each runtime execs in a container of its own making, which waits.
declare -A pids
start_container() { # NAME RUNTIME...
    local name=$1
    shift
    if "$@" run --detach --pid-file "$state/$name.pid" --bundle "$bundle" "$id-exec-$name" < /dev/null > /dev/null 2> "$folder/stderr"; then
        runtimes+=("$* delete --force $id-exec-$name")
        pids[$name]=$(< "$state/$name.pid")
    else
        echo "$name: left out: $(head -n 1 "$folder/stderr")"
    fi
}

write_config '["/bin/true", "wait"]'
start_container coffer-oci "$build/coffer-oci" --root "$state/coffer"
start_container crun crun --root "$state/crun"
start_container runc runc --root "$state/runc"
names=() commands=()
add exec "$bundle/rootfs/bin/true" 42
for name in coffer-oci crun runc; do
    runtime=$name
    [ "$name" != coffer-oci ] || runtime=$build/coffer-oci
    [ ! "${pids[$name]:-}" ] || add "$name" "$runtime --root $state/${name%-oci} exec $id-exec-$name /bin/true" 42
done
[ ! "${pids[coffer-oci]:-}" ] || add nsenter "nsenter --target ${pids[coffer-oci]} --all /bin/true" 42
measure "exec of a static true in a running container" exec

write_config '["/bin/true"]'
names=() commands=()
for name in coffer-oci crun runc; do
    runtime=$name
    [ "$name" != coffer-oci ] || runtime=$build/coffer-oci
    add "$name" "$here/life.sh $bundle $id-life-% $runtime --root $state/${name%-oci}" ""
done
measure "create, start and delete of a static true, by three commands" life

# Three megabytes that would be a million values: refused, by whoever refuses it.
(printf '{"ociVersion":"1.0.0","annotations":['; head -c 3000000 /dev/zero | sed 's/\x00\x00\x00/{},/g') > "$bundle/config.json"
names=() commands=()
for name in coffer-oci crun runc; do
    runtime=$name
    [ "$name" != coffer-oci ] || runtime=$build/coffer-oci
    add "$name" "$here/refusal.sh $runtime --root $state/${name%-oci} run --bundle $bundle $id-hostile-%" ""
done
measure "a hostile configuration of 3 MB, refused" hostile
