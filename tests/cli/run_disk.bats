#!/usr/bin/env bats
# What ended containers keep: on the disk, in the run-time state, and of the next command's time.
load helpers

setup() {
    needs_root
    needs umoci busybox mkfs.ext4 strace
    DISK=$BATS_TEST_TMPDIR/disk
    truncate -s 256M "$DISK.img"
    mkfs.ext4 -q -F "$DISK.img"
    mkdir "$DISK"
    mount -o loop "$DISK.img" "$DISK" 2> /dev/null || skip "this machine gives no loop device"
    on_disk load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    on_disk run tiny true # the first one makes the folders
}

teardown() {
    if mountpoint -q "$DISK"; then
        umount -l "$DISK"
    fi
}

on_disk() {
    "$COFFER" --root "$(coffer_root)" --store "$DISK/store" "$@"
}

run_many() { # COUNT
    local i
    for ((i = 0; i < $1; i++)); do
        on_disk run tiny true
    done
}

folder_of() { # NAME
    echo "$DISK/store/containers/$(on_disk ps -a --no-trunc --format '{{.ID}} {{.Names}}' | awk -v name="$1" '$2 == name { print $1 }')"
}

free_bytes() {
    sync -f "$DISK"
    stat -f -c '%f %S' "$DISK" | awk '{ print $1 * $2 }'
}

# What is in the run-time state of the engine, but for the folders themselves.
live() {
    find "$(coffer_root)/containers" -mindepth 2 -not -name '.*'
}

calls_of_a_run() {
    strace -f -c -o "$BATS_TEST_TMPDIR/calls" "$COFFER" --root "$(coffer_root)" --store "$DISK/store" run --rm tiny true
    awk '$NF == "total" { print $4 }' "$BATS_TEST_TMPDIR/calls"
}

@test "an ended container keeps less than 17 kB on ext4, names and ids included" {
    before=$(free_bytes)
    run_many 30
    after=$(free_bytes)
    each=$(((before - after) / 30))
    echo "$each bytes a container"
    [ "$each" -gt 4096 ]
    [ "$each" -lt 17000 ]
    [ "$(find "$DISK/store/names" "$DISK/store/ids" -type l -printf '%b\n' | sort -u)" = 0 ]
    [ -z "$(live)" ]
    on_disk ps -aq | xargs "$COFFER" --root "$(coffer_root)" --store "$DISK/store" rm > /dev/null
    [ -z "$(find "$DISK/store"/{containers,names,ids} -mindepth 1)" ]
}

@test "what it wrote is kept, and nothing that only a running one needs" {
    on_disk run --name writer tiny sh -c 'echo kept > /root/file; hostname > /tmp/name; cat /etc/hosts > /tmp/hosts; echo 1.2.3.4 there >> /etc/hosts; rm /bin/tail /bin/dd; rm -r /home'
    folder=$(folder_of writer)
    [ "$(ls "$folder" | tr '\n' ' ')" = "ctr.log record.json upper " ]
    [ "$(cat "$folder/upper/root/file")" = kept ]
    [ -c "$folder/upper/bin/tail" ]
    [ -c "$folder/upper/home" ]
    grep -q localhost "$folder/upper/tmp/hosts"
    [[ ${folder##*/} == "$(cat "$folder/upper/tmp/name")"* ]]
}

@test "a run does not look at all the containers that have ended" {
    few=$(calls_of_a_run)
    run_many 40
    many=$(calls_of_a_run)
    echo "$few calls, with 40 more $many"
    [ "$many" -le $((few + 10)) ]
}

@test "killed: the next command keeps what is to be kept, and no more" {
    mkfifo "$BATS_TEST_TMPDIR/ready"
    for words in "--name kept" "--rm --name gone"; do
        # shellcheck disable=SC2086 # words
        on_disk run $words -v "$BATS_TEST_TMPDIR/ready:/ready" tiny sh -c 'echo here > /root/file; echo > /ready; sleep 100' &
        runner=$!
        read -r _ < "$BATS_TEST_TMPDIR/ready"
        [ -n "$(live)" ]
        # With its monitor gone the container goes on; and then it ends.
        monitor=$(monitors)
        container=$(pgrep -P "$monitor")
        kill -9 "$monitor"
        wait "$runner" || true
        kill -9 "$container"
        for ((i = 0; i < 500; i++)); do [ -e "/proc/$container" ] || break; sleep 0.02; done
    done
    run on_disk ps -a --format '{{.Names}} {{.Status}}'
    grep -q '^kept Exited (unknown) .*: its monitor was killed$' <<< "$output"
    [ "$(grep -c '^gone' <<< "$output")" = 0 ]
    [ -z "$(live)" ]
    folder=$(folder_of kept)
    [ "$(ls "$folder" | tr '\n' ' ')" = "ctr.log record.json upper " ]
    [ "$(cat "$folder/upper/root/file")" = here ]
    on_disk rm kept
}

@test "after a reboot, which takes the run-time state, the whole store is put in order once" {
    id=$(printf 'ab%.0s' {1..32})
    mkdir -p "$DISK/store/containers/$id/work/work"
    on_disk ps -aq > /dev/null
    [ -d "$DISK/store/containers/$id" ] # no note says that there is something
    rm -rf "$(coffer_root)"
    on_disk ps -aq > /dev/null
    [ ! -e "$DISK/store/containers/$id" ]
    [ -n "$(find "$(coffer_root)/containers" -name .swept)" ]
}

@test "two stores may share the run-time state" {
    "$COFFER" --root "$(coffer_root)" --store "$BATS_TEST_TMPDIR/other" load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    mkfifo "$BATS_TEST_TMPDIR/ready"
    on_disk run --rm -v "$BATS_TEST_TMPDIR/ready:/ready" tiny sh -c 'echo > /ready; read -r line < /ready; wc -l < /etc/hosts > /ready' &
    read -r _ < "$BATS_TEST_TMPDIR/ready"
    files=$(live)
    "$COFFER" --root "$(coffer_root)" --store "$BATS_TEST_TMPDIR/other" run --rm tiny true
    "$COFFER" --root "$(coffer_root)" --store "$BATS_TEST_TMPDIR/other" ps -aq
    [ "$(live)" = "$files" ]
    echo > "$BATS_TEST_TMPDIR/ready"
    read -r lines < "$BATS_TEST_TMPDIR/ready"
    [ "$lines" = 7 ]
    wait
    [ -z "$(live)" ]
}
