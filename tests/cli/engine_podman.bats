#!/usr/bin/env bats
# podman as root, and buildah, with the low level as their runtime.
bats_require_minimum_version 1.5.0
load helpers

# The defaults are higher than what a caller without CAP_SYS_RESOURCE may have.
RUN_OPTIONS=(--network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

setup_file() {
    needs_root
    needs podman conmon buildah tar
    make_rootfs "$BATS_FILE_TMPDIR/image"
    tar -C "$BATS_FILE_TMPDIR/image" -cf "$BATS_FILE_TMPDIR/image.tar" .
    podman_with import --quiet "$BATS_FILE_TMPDIR/image.tar" tiny
}

teardown_file() {
    podman_with rm --all --force --time 0 > /dev/null 2>&1 || true
    podman_with pod rm --all --force > /dev/null 2>&1 || true
    podman_is_gone "$BATS_FILE_TMPDIR"
}

podman_with() {
    timeout 90 podman --runtime "$COFFER_OCI" --cgroup-manager=cgroupfs --storage-driver vfs --root "$BATS_FILE_TMPDIR/store" \
        --runroot "$BATS_FILE_TMPDIR/run" --tmpdir "$BATS_FILE_TMPDIR/tmp" --events-backend file "$@" 3>&-
}

podman_run() {
    run podman_with run --rm "${RUN_OPTIONS[@]}" "$@"
}

@test "podman run shows what a container writes, and gives its exit code" {
    podman_run tiny sh -c 'echo out; exit 7'
    [ "$status" -eq 7 ]
    [ "$output" = out ]
}

@test "podman's exit codes for a command that is missing or cannot be executed" {
    run -127 podman_with run --rm "${RUN_OPTIONS[@]}" tiny nowhere
    podman_run tiny /etc/passwd
    [ "$status" -eq 126 ]
}

@test "podman limits, execs, inspects, pauses, updates, stops and removes" {
    local id
    id=$(podman_with run --detach "${RUN_OPTIONS[@]}" --memory 64m --pids-limit 40 tiny sleep 1000)
    run podman_with exec "$id" sh -c 'echo inside; exit 3'
    [ "$status" -eq 3 ] && [ "$output" = inside ]
    run -127 podman_with exec "$id" nowhere
    run podman_with exec "$id" /etc/passwd
    [ "$status" -eq 126 ]
    [ "$(podman_with inspect --format '{{.OCIRuntime}} {{.State.Status}}' "$id")" = "$COFFER_OCI running" ]
    [[ "$(podman_with top "$id" args)" == *"sleep 1000"* ]]
    podman_with pause "$id"
    [ "$(podman_with inspect --format '{{.State.Status}}' "$id")" = paused ]
    podman_with unpause "$id"
    podman_with kill --signal USR1 "$id" || true
    podman_with stop --time 1 "$id"
    podman_with start "$id"
    podman_with rm --force --time 0 "$id"
    run find /sys/fs/cgroup -type d -name "*$id*"
    [ -z "$output" ]
}

@test "podman's user namespaces, volumes, tmpfs, and read-only roots" {
    mkdir "$BATS_TEST_TMPDIR/volume"
    echo given > "$BATS_TEST_TMPDIR/volume/file"
    podman_run --uidmap 0:100000:65536 --read-only --tmpfs /scratch --volume "$BATS_TEST_TMPDIR/volume:/v:ro" tiny \
        sh -c 'cat /v/file; cat /proc/self/uid_map; touch /scratch/f && echo scratch; touch /v/f'
    [[ "$output" == *given* && "$output" == *"100000      65536"* && "$output" == *scratch* && "$output" == *"Read-only file system"* ]]
}

@test "podman run -t has a terminal" {
    on_pty "timeout --foreground 90 podman --runtime $COFFER_OCI --cgroup-manager=cgroupfs --storage-driver vfs --root $BATS_FILE_TMPDIR/store --runroot $BATS_FILE_TMPDIR/run --tmpdir $BATS_FILE_TMPDIR/tmp --events-backend file run --rm -t ${RUN_OPTIONS[*]} tiny tty"
    [[ "$output" == *"/dev/pts/0"* ]]
}

@test "a container of a pod joins the others' namespaces" {
    local one
    one=$(podman_with run --detach "${RUN_OPTIONS[@]}" --hostname shared tiny sleep 1000)
    run podman_with run --rm "${RUN_OPTIONS[@]:2}" --network "container:$one" --pid "container:$one" --ipc "container:$one" --uts "container:$one" tiny \
        sh -c 'hostname; ps | grep -c "sleep 1000"'
    [ "${lines[0]}" = shared ]
    [ "${lines[1]}" -ge 1 ]
    podman_with rm --force --time 0 "$one"
}

@test "buildah runs the steps of a Containerfile" {
    printf 'FROM localhost/tiny\nRUN echo built > /result && id -u\nCMD ["cat", "/result"]\n' > "$BATS_TEST_TMPDIR/Containerfile"
    run timeout 90 buildah --storage-driver vfs --root "$BATS_FILE_TMPDIR/store" --runroot "$BATS_FILE_TMPDIR/run" build \
        --runtime "$COFFER_OCI" --isolation oci --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --tag built --file "$BATS_TEST_TMPDIR/Containerfile" "$BATS_TEST_TMPDIR"
    [ "$status" -eq 0 ]
    podman_run built
    [ "$output" = built ]
}

@test "podman's annotations restrict a container, and its exec, by Landlock" {
    [ -x "$BUILD/unit/landlock_test" ] || skip "needs $BUILD/unit/landlock_test (make unit)"
    "$BUILD/unit/landlock_test" | grep -q '^# Landlock [1-9]' || skip "this kernel has no Landlock"
    podman_run --annotation run.coffer.landlock.rx=/bin --annotation run.coffer.landlock.rw=/tmp:/dev tiny \
        sh -c 'exec 2>&1; cat /etc/passwd; echo written > /tmp/file && cat /tmp/file'
    [ "$output" = $'cat: can\'t open \'/etc/passwd\': Permission denied\nwritten' ]
    podman_run --annotation run.coffer.landlock.ro=/ tiny true
    [ "$status" -eq 126 ]
    podman_with run --detach --name restricted "${RUN_OPTIONS[@]}" --annotation run.coffer.landlock.rx=/bin tiny sleep 100
    run podman_with exec restricted cat /etc/passwd
    [ "$output" = "cat: can't open '/etc/passwd': Permission denied" ]
    podman_with rm --force --time 0 restricted
}

@test "podman's AppArmor profile is that of a container and its exec" {
    [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" = Y ] || skip "needs AppArmor (make lab)"
    needs apparmor_parser
    podman_run tiny cat /proc/self/attr/current
    [[ "$output" == "containers-default-"*" (enforce)" ]]
    podman_run --security-opt apparmor=unconfined tiny cat /proc/self/attr/current
    [ "$output" = unconfined ]
    podman_with run --detach --name profiled "${RUN_OPTIONS[@]}" tiny sleep 100
    run podman_with exec profiled cat /proc/self/attr/current
    [[ "$output" == "containers-default-"*" (enforce)" ]]
    podman_with rm --force --time 0 profiled
}
