#!/bin/bash
# tests/fault/power_cut.sh COFFER IMAGE SHA256 FOLDER COUNT: pulls IMAGE into a store on an ext4 of its own and cuts the power COUNT times, each
# time at another moment: the file system is shut down without its log (EXT4_IOC_SHUTDOWN), so that all that was not synced is gone. What
# the store shows after that must be whole: file /noise of each image has this SHA256; and the next pull ends the work.
# Runs in a mount namespace of its own.
set -euo pipefail
coffer=$1 image=$2 sha256=$3 folder=$4 count=$5

file_system=$folder/disk.img mounted=$folder/disk
mkdir -p "$mounted"
truncate -s 512M "$file_system"
mkfs.ext4 -q "$file_system"
mount -o loop "$file_system" "$mounted"
trap 'umount -l "$mounted"' EXIT

store() {
    "$coffer" --root "$folder/run" --store "$mounted/store" "$@"
}

# Cuts the power so many milliseconds after it is told to: started before, since Python takes longer than a pull.
start_cutter() {
    coproc CUTTER {
        exec python3 -c 'import fcntl, os, struct, sys, time
disk = os.open(sys.argv[1], os.O_RDONLY)
print(flush=True)
time.sleep(int(sys.stdin.readline()) / 1000)
fcntl.ioctl(disk, 0x8004587d, struct.pack("I", 2))' "$mounted"
    }
    read -r -u "${CUTTER[0]}" _
}

# All images that the store shows run, and have what was put into them.
verify() {
    local id
    for id in $(store images -q | sort -u); do
        [ "$(store run --rm --pull never "$id" busybox sha256sum /noise | cut -d ' ' -f 1)" = "$sha256" ] || {
            echo "image $id is not whole"
            return 1
        }
    done
    [ -z "$(ls "$mounted/store/staging")" ] || {
        echo "staging is not empty"
        return 1
    }
}

seen=0
for ((i = 0; i < count; i++)); do
    start_cutter
    cutter=$CUTTER_PID
    store pull -q "$image" > /dev/null 2>&1 &
    pid=$!
    echo $((RANDOM % 500)) >&"${CUTTER[1]}"
    wait "$cutter" || true
    wait "$pid" || true
    umount "$mounted"
    mount -o loop "$file_system" "$mounted"
    mkdir -p "$mounted/store"
    verify
    [ -z "$(store images -q)" ] || seen=$((seen + 1))
    store pull -q "$image" > /dev/null
    verify
    [ "$(store images -q | wc -l)" -eq 1 ]
    store rmi -f "$image" > /dev/null
    sync -f "$mounted" # else the cut would undo the removal
done
echo "the power was cut $count times; $seen times the image was there already"
