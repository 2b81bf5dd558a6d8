#!/bin/bash
# tests/demo.sh: what `make demo` shows behind `make deps` and the build: an image made from Debian's packages, loaded and run.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
dir=$build/demo
mkdir -p "$dir"
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
bold=$(test -t 1 && [ -z "${NO_COLOR-}" ] && printf '\033[1m' || true)
plain=${bold:+$'\033[0m'}
failures=0

# It changes nothing of this machine's network.
export COFFER_NETWORK=none

coffer() {
    "$build/coffer" --root "$state/run" --store "$dir/store" "$@"
}

title() {
    printf '\n%s== %s ==%s\n' "$bold" "$1" "$plain"
}

# expect WHAT FOUND WANTED...: says whether what was found is one of those wanted.
expect() {
    local what=$1 found=$2 wanted
    shift 2
    for wanted in "$@"; do
        # shellcheck disable=SC2254 # wanted is a pattern
        case "$found" in
        $wanted)
            printf '  %-34s %s\n' "$what" "$found"
            return
            ;;
        esac
    done
    printf '  %-34s %s   <- expected %s\n' "$what" "$found" "$*"
    failures=$((failures + 1))
}

milliseconds() {
    echo $(($(date +%s%N) / 1000000))
}

make_debian() {
    rm -f "$dir/rootfs.tar"
    echo "  making a Debian root file system from its packages (mmdebstrap, variant minbase)"
    mmdebstrap --quiet --variant=minbase --skip=output/dev bookworm "$dir/rootfs.tar" < /dev/null
}

make_busybox() {
    echo "  no Debian mirror can be reached: a root file system of busybox instead"
    local root=$dir/busybox name
    rm -rf "$root"
    mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,root}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for name in $(busybox --list); do
        ln -sf busybox "$root/bin/$name"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
    echo 'root:x:0:' > "$root/etc/group"
    echo 'PRETTY_NAME="busybox"' > "$root/etc/os-release"
    tar -C "$root" --numeric-owner --owner=0 --group=0 -cf "$dir/rootfs.tar" .
    rm -rf "$root"
}

make_image() {
    if [ -d "$dir/image" ]; then
        echo "  $dir/image is there already"
        return
    fi
    make_debian || make_busybox
    echo "  packing it as an OCI image layout (umoci)"
    rm -rf "$dir/image.new"
    umoci --log error init --layout "$dir/image.new"
    umoci --log error new --image "$dir/image.new:demo"
    umoci --log error raw add-layer --image "$dir/image.new:demo" "$dir/rootfs.tar"
    umoci --log error config --image "$dir/image.new:demo" --config.cmd /bin/sh \
        --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    umoci --log error gc --layout "$dir/image.new"
    rm -f "$dir/rootfs.tar"
    mv "$dir/image.new" "$dir/image"
}

title "An image"
make_image
printf '  %-34s %s\n' "OCI layout" "$(du -sh "$dir/image" | cut -f1) in $dir/image"

title "Load it"
image=coffer-demo
rm -rf --one-file-system "$dir/store" # of an earlier demo
start=$(milliseconds)
coffer load --name "$image" "oci:$dir/image:demo"
printf '  %-34s %s ms\n' "time taken" $(($(milliseconds) - start))
coffer images

title "Run it: the exit code comes home"
coffer run --rm "$image" sh -c '. /etc/os-release; echo "  hello from $PRETTY_NAME"'
status=0
coffer run --rm "$image" sh -c 'exit 42' || status=$?
expect "exit 42 inside" "$status" 42
status=0
coffer run --rm "$image" no-such-command 2> "$state/said" || status=$?
expect "a command that does not exist" "$status" 127
echo "  it says: $(cat "$state/said")"

title "Namespaces: own ones, all of them"
# shellcheck disable=SC2016
inside=$(coffer run --rm "$image" sh -c 'for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done')
for name in $inside; do
    kind=${name%%:*}
    outside=$(readlink "/proc/self/ns/$kind")
    outside=${outside//[!0-9]/}
    expect "$kind" "here $outside, inside ${name//[!0-9]/}" "here $outside, inside $([ "$outside" = "${name//[!0-9]/}" ] || echo '*')"
done

title "Limits: --memory 64m --pids-limit 100 --cpus 0.5"
# shellcheck disable=SC2016
coffer run --rm --memory 64m --pids-limit 100 --cpus 0.5 "$image" sh -c '
    for file in memory.max pids.max cpu.max memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us; do
        if [ -r /sys/fs/cgroup/$file ]; then echo "$file $(cat /sys/fs/cgroup/$file)"; fi
    done' > "$state/limits" || true
while read -r file value; do
    case $file in
    *memory*) expect "$file" "$value" 67108864 ;;
    *pids*) expect "$file" "$value" 100 ;;
    *) expect "$file" "$value" 50000 "50000 100000" ;;
    esac
done < "$state/limits"
expect "limits found" "$(grep -c . "$state/limits")" 3

title "What the process may do"
coffer run --rm "$image" cat /proc/self/status > "$state/status"
field() {
    awk -v name="$1:" '$1 == name { print $2 }' "$state/status"
}
expect "Seccomp (2: system calls filtered)" "$(field Seccomp)" 2
expect "CapEff (14 capabilities)" "$(field CapEff)" 00000000a80425fb
expect "CapBnd (never more than these)" "$(field CapBnd)" 00000000a80425fb
expect "Uid inside" "$(field Uid)" 0

title "Root inside is nobody outside"
coffer run --rm "$image" sleep 2.7182 &
runner=$!
uid=""
for _ in $(seq 50); do
    uid=$(ps -eo uid=,args= | awk '$2 ~ /sleep$/ && $3 == "2.7182" && !/coffer/ { print $1; exit }')
    [ -z "$uid" ] || break
    sleep 0.1
done
wait "$runner"
if [ "$(id -u)" -eq 0 ]; then
    expect "uid on this host" "${uid:-not found}" "[1-9]????*"
else
    expect "uid on this host" "${uid:-not found}" "$(id -u)" "[1-9]????*"
fi

# sudo names who called it.
user=${SUDO_USER:-root}
if [ "$(id -u)" -eq 0 ] && [ "$user" != root ]; then
    title "The same as an ordinary user: $user"
    install -d -o "$user" "$state/user"
    chmod 755 "$state"
    cp -r "$dir/image" "$state/user/image"
    cp "$build/coffer" "$state/user/coffer"
    chown -R "$user:" "$state/user"
    rootless() {
        setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups -- \
            "$state/user/coffer" --root "$state/user/run" --store "$state/user/store" "$@"
    }
    rootless load --quiet --name "$image" "oci:$state/user/image:demo"
    expect "uid inside" "$(rootless run --rm "$image" id -u)" 0
    expect "uids inside are on this host" "$(rootless run --rm "$image" awk '{ printf "%s-> %s (%s) ", $1, $2, $3 }' /proc/self/uid_map)" "0-> $(id -u "$user") (1)*"
fi

title "Time"
times=()
for _ in $(seq 21); do
    start=$(date +%s%N)
    coffer run --rm --network none "$image" true
    times+=($((($(date +%s%N) - start) / 10000)))
done
mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
printf '  %-34s %s ms (best %s), of 21\n' "coffer run --rm IMAGE true" \
    "$(awk "BEGIN { print ${times[10]} / 100 }")" "$(awk "BEGIN { print ${times[0]} / 100 }")"

title "Nothing is left"
expect "mounts of the demo" "$(grep -c "$state" /proc/self/mountinfo || true)" 0
expect "containers" "$(coffer ps -aq | grep -c . || true)" 0

echo
if [ "$failures" -gt 0 ]; then
    echo "demo: $failures things were not as expected"
    exit 1
fi
echo "demo: all as expected. Try: $build/coffer --store $dir/store run --rm -it $image sh"
