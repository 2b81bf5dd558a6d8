#!/usr/bin/env bats
# containerd, whose shim for runc drives the low level: what Kubernetes does to a container, by ctr.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
    needs_root
    needs containerd ctr containerd-shim-runc-v2 umoci tar unshare
    export ENGINE=$BATS_FILE_TMPDIR/c
    mkdir -p "$ENGINE"
    cat > "$ENGINE/config.toml" <<C
version = 2
root = "$ENGINE/root"
state = "$ENGINE/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "$ENGINE/sock"
[ttrpc]
address = "$ENGINE/ttrpc"
C
    unshare --mount --propagation private containerd --config "$ENGINE/config.toml" > "$ENGINE/log" 2>&1 3>&- &
    echo $! > "$ENGINE/pid"
    local i
    for ((i = 0; i < 100; i++)); do
        engine version > /dev/null 2>&1 && break
        sleep 0.1
    done
    make_image tiny > /dev/null
    tar -C "$BATS_FILE_TMPDIR/image.tiny" -cf "$ENGINE/image.tar" .
    engine image import --index-name tiny --base-name local --no-unpack "$ENGINE/image.tar" > "$ENGINE/import" || {
        cat "$ENGINE/import"
        tail -3 "$ENGINE/log"
        return 1
    }
    IMAGE=$(engine image ls -q | grep local | head -1)
    export IMAGE
    mount_image
}

# The image's layers are unpacked in the daemon's own mount namespace: so is what mounts them.
mount_image() {
    nsenter --mount --target "$(cat "$ENGINE/pid")" ctr --address "$ENGINE/sock" image unpack "$IMAGE" > "$ENGINE/unpack" 2>&1 || true
}

teardown_file() {
    [ -e "${ENGINE:-/nowhere}/pid" ] || return 0
    engine task ls -q | while read -r id; do engine task rm --force "$id" > /dev/null 2>&1; done
    kill "$(cat "$ENGINE/pid")" || true
    wait "$(cat "$ENGINE/pid")" 2> /dev/null || true
}

teardown() {
    engine task rm --force "$ID" > /dev/null 2>&1 || true
    engine container rm "$ID" > /dev/null 2>&1 || true
}

setup() {
    ID=c$BATS_TEST_NUMBER-$$
}

engine() {
    timeout 60 ctr --address "$ENGINE/sock" "$@" 3>&-
}

engine_run() {
    run nsenter --mount --target "$(cat "$ENGINE/pid")" timeout 60 ctr --address "$ENGINE/sock" run --rm \
        --runtime io.containerd.runc.v2 --runc-binary "$COFFER_OCI" "$@"
}

start_sleeper() {
    nsenter --mount --target "$(cat "$ENGINE/pid")" timeout 60 ctr --address "$ENGINE/sock" run --detach \
        --runtime io.containerd.runc.v2 --runc-binary "$COFFER_OCI" "$@" "$IMAGE" "$ID" sleep 1000
}

@test "ctr run shows what a container writes, and gives its exit code" {
    engine_run "$IMAGE" "$ID" sh -c 'echo out; exit 7'
    [ "$status" -eq 7 ]
    [ "$output" = out ]
}

@test "a command that is missing is told" {
    engine_run "$IMAGE" "$ID" nowhere
    [ "$status" -ne 0 ]
    [[ "$output" == *'OCI runtime create failed'*'command "nowhere": executable file not found in $PATH'* ]]
}

@test "a task is exec'd, measured, paused, killed and deleted" {
    start_sleeper --memory-limit $((64 << 20))
    run engine task exec --exec-id probe "$ID" sh -c 'echo inside; exit 3'
    [ "$status" -eq 3 ] && [ "$output" = inside ]
    [[ "$(engine task ls)" == *"$ID"*RUNNING* ]]
    [ "$(engine task ps "$ID" | grep -c '^[0-9]')" -eq 1 ]
    engine task metrics "$ID" | grep -q memory
    engine task pause "$ID"
    [[ "$(engine task ls)" == *"$ID"*PAUSED* ]]
    engine task resume "$ID"
    engine task kill --signal SIGKILL "$ID"
    local i
    for ((i = 0; i < 100; i++)); do
        [[ "$(engine task ls)" == *"$ID"*STOPPED* ]] && break
        sleep 0.1
    done
    run engine task rm "$ID"
    [ -z "$(engine task ls -q)" ]
}

# What timeout(1) puts in a process group of its own is stopped when it sets the terminal.
@test "a container has a terminal" {
    on_pty "nsenter --mount --target $(cat "$ENGINE/pid") timeout --foreground 60 ctr --address $ENGINE/sock run --rm --tty --runc-binary $COFFER_OCI $IMAGE $ID tty"
    [[ "$output" == *"/dev/pts/0"* ]] || {
        echo "exit code $status: $output"
        tail -5 "$ENGINE/log"
        return 1
    }
}
