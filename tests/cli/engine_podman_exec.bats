#!/usr/bin/env bats
# podman as root: its execs through the low level, with the exit codes that it tells by our words.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
    needs_root
    needs podman conmon busybox tar script
    export PODMAN_DIR=$BATS_FILE_TMPDIR/podman
    mkdir -p "$PODMAN_DIR"
    make_rootfs "$BATS_FILE_TMPDIR/image"
    tar -C "$BATS_FILE_TMPDIR/image" -cf "$PODMAN_DIR/image.tar" .
    # What podman cannot do on this machine even with runc says nothing about us.
    with_runtime "$(command -v runc || command -v crun)" import "$PODMAN_DIR/image.tar" tiny > /dev/null 2>&1 || true
    if ! with_runtime "$(command -v runc || command -v crun)" run --rm "${RUN_OPTIONS[@]}" tiny true > "$BATS_FILE_TMPDIR/why" 2>&1; then
        export UNFIT
        UNFIT=$(tail -1 "$BATS_FILE_TMPDIR/why")
        return
    fi
    with_runtime "$COFFER_OCI" run --detach --name web "${RUN_OPTIONS[@]}" tiny sleep 1000 > /dev/null
}

setup() {
    [ -z "${UNFIT:-}" ] || skip "podman cannot run here, with runc either: $UNFIT"
}

teardown_file() {
    with_runtime "$COFFER_OCI" rm --all --force --time 0 > /dev/null 2>&1 || true
    podman_is_gone "$PODMAN_DIR"
}

# The defaults are higher than what a caller without CAP_SYS_RESOURCE may have.
RUN_OPTIONS=(--network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

with_runtime() {
    local runtime=$1
    shift
    podman --runtime "$runtime" --cgroup-manager=cgroupfs --storage-driver vfs --root "$PODMAN_DIR/store" --runroot "$PODMAN_DIR/run" \
        --tmpdir "$PODMAN_DIR/tmp" --events-backend file "$@" 3>&-
}

podman_exec() {
    run with_runtime "$COFFER_OCI" exec "$@"
}

@test "podman exec brings home the command's exit code and output" {
    podman_exec web sh -c 'echo out; exit 9'
    [ "$status" -eq 9 ]
    [ "$output" = out ]
    [ "$(echo typed | with_runtime "$COFFER_OCI" exec -i web cat)" = typed ]
}

@test "podman exec tells 127 and 126 apart" {
    for command in nowhere /bin/nowhere; do
        run -127 with_runtime "$COFFER_OCI" exec web $command
        [[ "$output" == *"OCI runtime attempted to invoke a command that was not found"* ]]
    done
    for command in /etc/passwd /etc; do
        podman_exec web $command
        [ "$status" -eq 126 ]
        [[ "$output" == *"OCI permission denied"* ]]
    done
    run -127 with_runtime "$COFFER_OCI" run --rm "${RUN_OPTIONS[@]}" tiny nowhere
    run with_runtime "$COFFER_OCI" run --rm "${RUN_OPTIONS[@]}" tiny /etc
    [ "$status" -eq 126 ]
}

@test "podman exec has user, environment, folder, a terminal, and runs in the background" {
    run --separate-stderr with_runtime "$COFFER_OCI" exec -u 1000 -e A=b -w /tmp web sh -c 'id -u; echo $A $HOME; pwd; echo error > /dev/stderr'
    [ "$output" = $'1000\nb /home/user\n/tmp' ]
    # shellcheck disable=SC2154 # of run
    [ "$stderr" = error ]
    on_pty "podman --runtime $COFFER_OCI --cgroup-manager=cgroupfs --storage-driver vfs --root $PODMAN_DIR/store --runroot $PODMAN_DIR/run --tmpdir $PODMAN_DIR/tmp --events-backend file exec -it web sh -c 'tty; exit 3'"
    [ "$status" -eq 3 ]
    [[ "$output" == */dev/pts/0* ]]
    podman_exec -d web sleep 50
    [ "$status" -eq 0 ]
    podman_exec web ps
    [[ "$output" == *"sleep 50"* ]]
}
