#!/usr/bin/env bats
# podman as an ordinary user, driving the low level: podman makes the user namespace, and calls the runtime as root of it.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
    needs_root # to become the user
    needs podman conmon newuidmap busybox setpriv tar
    export PODMAN_HOME=$BATS_FILE_TMPDIR/home
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_user
    mkdir -p "$PODMAN_HOME/run"
    make_rootfs "$BATS_FILE_TMPDIR/image"
    tar -C "$BATS_FILE_TMPDIR/image" -cf "$PODMAN_HOME/image.tar" .
    rm -r "$BATS_FILE_TMPDIR/image"
    chown -R "$TEST_UID" "$PODMAN_HOME"
    chmod 700 "$PODMAN_HOME/run"
    # shellcheck disable=SC2031 # helpers.bash sets it
    export TEST_UID TEST_USER COFFER_OCI
    # What podman cannot do on this machine even with runc says nothing about us.
    if ! with_runtime "$(command -v runc || command -v crun)" import "$PODMAN_HOME/image.tar" tiny > "$BATS_FILE_TMPDIR/why" 2>&1 ||
        ! with_runtime "$(command -v runc || command -v crun)" run --rm "${RUN_OPTIONS[@]}" tiny true > "$BATS_FILE_TMPDIR/why" 2>&1; then
        export UNFIT
        UNFIT=$(tail -1 "$BATS_FILE_TMPDIR/why")
    fi
}

setup() {
    [ -z "${UNFIT:-}" ] || skip "podman cannot run as an ordinary user here, with runc either: $UNFIT"
}

teardown_file() {
    with_runtime "$COFFER_OCI" rm --all --force --time 0 > /dev/null 2>&1 || true
    # Files of subordinate ids are root's to remove; podman's pause process holds the mounts.
    if [ -e "${PODMAN_HOME:-/nowhere}/run/libpod/tmp/pause.pid" ]; then
        kill "$(cat "$PODMAN_HOME/run/libpod/tmp/pause.pid")" || true
    fi
}

# The defaults are higher than what a caller without CAP_SYS_RESOURCE may have.
RUN_OPTIONS=(--network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

with_runtime() {
    local runtime=$1
    shift
    cd "$PODMAN_HOME" || return
    as_user env -i PATH="$PATH" HOME="$PODMAN_HOME" XDG_RUNTIME_DIR="$PODMAN_HOME/run" podman --runtime "$runtime" \
        --cgroup-manager=cgroupfs --storage-driver vfs --root "$PODMAN_HOME/store" --runroot "$PODMAN_HOME/run/containers" \
        --events-backend file "$@" 3>&-
}

podman_run() {
    run with_runtime "$COFFER_OCI" run --rm "${RUN_OPTIONS[@]}" "$@"
}

@test "rootless podman runs a container" {
    podman_run tiny sh -c 'id -u; wc -l < /proc/self/uid_map; test -c /dev/null && ls /proc | grep -c "^[0-9]"; exit 7'
    [ "$status" -eq 7 ]
    [ "$(head -2 <<< "$output" | tr '\n' ' ')" = "0 2 " ]
}

@test "rootless podman's container has a life in the background" {
    with_runtime "$COFFER_OCI" run -d --name life "${RUN_OPTIONS[@]}" tiny sh -c 'echo started; trap "exit 3" TERM; while :; do sleep 0.1; done'
    [ "$(with_runtime "$COFFER_OCI" inspect --format '{{.State.Status}}' life)" = running ]
    [[ $(with_runtime "$COFFER_OCI" top life) == *sh* ]]
    with_runtime "$COFFER_OCI" stop --time 10 life
    [ "$(with_runtime "$COFFER_OCI" wait life)" = 3 ]
    [ "$(with_runtime "$COFFER_OCI" logs life)" = started ]
    with_runtime "$COFFER_OCI" rm life
    run find "$PODMAN_HOME/run/coffer" -mindepth 2 -not -path '*seccomp*' -not -name .pending
    [ -z "$output" ]
}

@test "rootless podman sets users, groups, sysctls, names, OOM scores and volumes" {
    as_user sh -c 'echo content > "$0/file"' "$PODMAN_HOME"
    podman_run --user 1000:1000 --group-add 5 --oom-score-adj 300 --sysctl net.ipv4.ip_forward=1 --hostname named \
        -v "$PODMAN_HOME:/mnt:ro" tiny sh -c 'id -u; id -G; hostname; cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward /mnt/file'
    [ "$status" -eq 0 ]
    [ "$(tr '\n' '|' <<< "$output")" = "1000|1000 5|named|300|1|content|" ] || [ "$(tr '\n' '|' <<< "$output")" = "1000|5 1000|named|300|1|content|" ]
}

@test "rootless podman maps ids in other ways" {
    podman_run --userns=keep-id tiny id -u
    [ "$status" -eq 0 ]
    [ "$output" = "$TEST_UID" ]
    podman_run --userns=auto tiny awk '{ print $1, $3 }' /proc/self/uid_map
    [ "$status" -eq 0 ]
    [ "$output" = "0 1024" ]
}

@test "rootless podman shares the host's processes, and gives a terminal, a read-only root and all devices" {
    podman_run --pid=host tiny sh -c '[ $$ -ne 1 ] && echo shared'
    [ "$output" = shared ]
    podman_run -t tiny tty
    [ "${output%$'\r'}" = /dev/pts/0 ] || [ "${output%$'\r'}" = /dev/console ]
    podman_run --read-only --tmpfs /t:size=1m tiny sh -c 'touch /t/x && ! touch /x 2> /dev/null && echo kept'
    [ "$output" = kept ]
    podman_run --privileged tiny test -c /dev/null
    [ "$status" -eq 0 ]
}
