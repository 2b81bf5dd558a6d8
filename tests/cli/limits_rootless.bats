#!/usr/bin/env bats
# Limits of an ordinary user's containers, which need control groups of version 2 that are delegated to him: by hand.
#   make lab LAB_TESTS=tests/cli/limits_rootless.bats
bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs_root # to delegate
    grep -qw memory /sys/fs/cgroup/cgroup.controllers 2> /dev/null || skip "needs control groups of version 2: make lab LAB_TESTS=tests/cli/limits_rootless.bats"
    make_home
    OWN=/sys/fs/cgroup/coffertest-$$
}

teardown() {
    [ -n "${HOME_DIR:-}" ] || return 0
    leave_home
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
}
