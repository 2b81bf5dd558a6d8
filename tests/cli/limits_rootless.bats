#!/usr/bin/env bats
# Limits of an ordinary user's containers, which need control groups of version 2 that are delegated to him: by hand, or by his own systemd.
#   make lab LAB_FLAGS=--systemd LAB_TESTS=tests/cli/limits_rootless.bats
bats_require_minimum_version 1.5.0
load helpers
load user_manager

setup() {
    needs_root # to delegate
    grep -qw memory /sys/fs/cgroup/cgroup.controllers 2> /dev/null || skip "needs control groups of version 2: make lab LAB_TESTS=tests/cli/limits_rootless.bats"
    make_home
    OWN=/sys/fs/cgroup/coffertest-$$
}

teardown() {
    [ -n "${HOME_DIR:-}" ] || return 0
    leave_home
    stop_user_manager
    find "$OWN" -depth -type d -exec rmdir {} + 2> /dev/null || true
}

# A group that is the user's, and we are in one below it.
delegate() {
    echo "+cpu +memory +pids" > /sys/fs/cgroup/cgroup.subtree_control
    mkdir "$OWN" "$OWN/shell"
    echo "+cpu +memory +pids" > "$OWN/cgroup.subtree_control"
    chown "$TEST_UID" "$OWN" "$OWN"/{cgroup.procs,cgroup.subtree_control,cgroup.threads} "$OWN/shell" "$OWN/shell/cgroup.procs"
}

# mine, started in that group.
delegated() {
    (
        echo "$BASHPID" > "$OWN/shell/cgroup.procs"
        mine "$@"
    )
}

group_of() { # NAME
    echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(mine inspect -f '{{.State.Pid}}' "$1")/cgroup")"
}

limits_hold() { # NAME MEMORY
    local group
    group=$(group_of "$1")
    [ "$(cat "$group/memory.max") $(cat "$group/cpu.max") $(cat "$group/pids.max")" = "$2 50000 100000 33" ]
}

LIMITS=(--memory 64m --cpus 0.5 --pids-limit 33)

@test "limits without root: a group that is delegated holds them, and what exceeds them is told" {
    delegate
    delegated run -d --name box "${LIMITS[@]}" tiny sleep 1000 > /dev/null
    [[ $(group_of box) == "$OWN"/coffer-containers/coffer-* ]]
    run -0 delegated info
    [[ $output == *"Works here:"*" memory limits: controller memory"*"Does not work here:"* ]]
    # What the group above hands down its owner can switch on himself.
    if grep -qw io "$OWN/cgroup.controllers"; then
        [[ $output == *" disk limits: controller io"* ]]
    else
        [[ $output == *"Does not work here:"*" disk limits: no controller io for you"* ]]
    fi
    limits_hold box 67108864
    [ "$(delegated exec box sh -c 'echo in')" = in ]
    [[ $(mine stats --no-stream --format '{{.MemUsage}}' box) == *" / 64MiB" ]]
    mine update --memory 96m box
    limits_hold box 100663296
    mine pause box
    grep -qx 'frozen 1' "$(group_of box)/cgroup.events"
    mine unpause box
    # Nobody can take away what is given on.
    run -1 sh -c "echo -cpu > $OWN/cgroup.subtree_control"
    mine rm -f box > /dev/null
    [ ! -e "$OWN/coffer-containers" ]
    run -137 delegated run --name eater --memory 16m tiny dd if=/dev/zero of=/dev/null bs=200M count=1
    [[ $output == *"it was killed, as its memory limit of 16777216 bytes was reached (--memory)" ]]
    [[ $(mine ps -a --format '{{.Status}}') == "Exited (137) "*"(out of memory)" ]]
}

@test "limits without root: where nothing is delegated, one word says so, and nothing is left" {
    run -125 mine run --rm --memory 64m tiny true
    [[ $output == "coffer: run tiny: set the limits: make cgroup "*" (without root it must lie in a delegated cgroup: systemd-run --user --scope -p Delegate=yes COMMAND): Permission denied" ]]
    [ -z "$(mine ps -aq)" ]
    [ "$(mine run --rm tiny echo fine)" = fine ]
    [[ $(mine info) == *"Does not work here:"*" memory limits: no controller memory for you; have it delegated to you: Delegate=yes for user@.service"* ]]
}

@test "limits without root: in a session the user's systemd gives a place for them, for later commands too" {
    start_user_manager
    logged_in run -d --name box "${LIMITS[@]}" tiny sleep 1000 > /dev/null
    [[ $(group_of box) == "$SERVICE"/app.slice/coffer-containers/coffer-* ]]
    limits_hold box 67108864
    logged_in exec box true
    logged_in update --memory 96m box
    logged_in restart -t 0 box
    limits_hold box 100663296
    # systemd, which looks after the groups that it has made, leaves ours alone.
    in_session systemctl --user daemon-reload
    in_session systemd-run --user --scope --quiet true
    limits_hold box 100663296
    logged_in stop -t 0 box
    logged_in start box
    limits_hold box 100663296
    logged_in rm -f box
    [ -z "$(find "$SERVICE" -name 'coffer-containers')" ]
    [ -z "$(in_session systemctl --user list-units --all --plain --no-legend 'coffer-*')" ]
}

@test "limits without root: in a scope, and in a service, of the user's systemd" {
    start_user_manager
    in_session systemd-run --user --scope --quiet -p Delegate=yes "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" \
        run -d --name box "${LIMITS[@]}" tiny sleep 1000 > /dev/null
    limits_hold box 67108864
    run -0 in_session systemd-run --user --pipe --wait --quiet "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" \
        run --rm --memory 64m tiny cat /sys/fs/cgroup/memory.max
    [ "$output" = 67108864 ]
    limits_hold box 67108864
    logged_in exec box true
}
