#!/usr/bin/env bats
# The low level: the freezer, signals to all of a container's processes, and the list of them.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "60"]'
}

teardown() {
    bundle_teardown
}

# Counts in a file of the container's, which stands still while it is frozen.
counts() {
    configure_script 'while :; do printf x >> /tmp/count; done' '.root.readonly = false'
    oci run --detach "$ID" 3>&-
    wait_for test -s "$ROOTFS/tmp/count"
}

stands_still() {
    local before
    before=$(stat -c %s "$ROOTFS/tmp/count")
    sleep 0.1
    [ "$(stat -c %s "$ROOTFS/tmp/count")" = "$before" ]
}

goes_on() {
    ! stands_still || false
}

@test "a paused container stands still, says so, and goes on" {
    counts
    goes_on
    oci pause "$ID"
    has_status paused
    stands_still
    oci resume "$ID"
    has_status running
    goes_on
}

@test "what is not running is not paused, and what is not paused is not resumed" {
    oci run --detach "$ID" 3>&-
    run oci resume "$ID"
    fails_with "resume container \"$ID\": container not paused: it is running"
    oci pause "$ID"
    run oci pause "$ID"
    fails_with "pause container \"$ID\": container not running or created: it is paused"
    run oci delete "$ID"
    fails_with "delete container \"$ID\": it is paused; stop it first, or use --force"
    oci resume "$ID"
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci pause "$ID"
    fails_with "pause container \"$ID\": container not running or created: it is stopped"
    run oci resume "$ID"
    fails_with "resume container \"$ID\": container not paused: it is stopped"
    run oci pause nobody
    fails_with 'container "nobody" does not exist'
}

@test "a created container can be paused, is not started then, and can be later" {
    oci create "$ID" 3>&-
    oci pause "$ID"
    has_status paused
    run timeout 5 "$COFFER_OCI" --root "$(coffer_root)/oci" start "$ID"
    fails_with "start container \"$ID\": it is paused; only a created one can be started"
    oci resume "$ID"
    has_status created
    oci start "$ID"
    has_status running
}

@test "a paused container can be killed" {
    oci run --detach "$ID" 3>&-
    oci pause "$ID"
    oci kill "$ID" KILL
    wait_for has_status stopped
    oci delete "$ID"
    nothing_left
}

@test "a paused container without a pid namespace of its own can be killed with all its processes" {
    configure_script 'setsid sleep 61 & setsid sleep 62 & wait' 'del(.linux.namespaces[] | select(.type == "pid"))'
    oci run --detach "$ID" 3>&-
    wait_for has_processes 3
    oci pause "$ID"
    oci kill "$ID" KILL
    wait_for has_processes 0
    oci delete "$ID"
    nothing_left
}

@test "a paused container can be deleted with --force" {
    counts
    oci pause "$ID"
    timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" delete --force "$ID"
    nothing_left
    oci create "$ID" 3>&-
    oci pause "$ID"
    timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" delete --force "$ID"
    nothing_left
}

@test "what the freezer of version 1 holds is paused too, and can be resumed and killed" {
    [ -e /sys/fs/cgroup/freezer ] || skip "this host has no freezer of version 1"
    for end in kill delete; do
        counts
        echo FROZEN > "/sys/fs/cgroup/freezer/coffer-$ID/freezer.state"
        has_status paused
        oci resume "$ID"
        goes_on
        echo FROZEN > "/sys/fs/cgroup/freezer/coffer-$ID/freezer.state"
        if [ "$end" = kill ]; then
            oci kill "$ID" KILL
            wait_for has_status stopped
        fi
        timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" delete --force "$ID"
        nothing_left
    done
}

has_processes() {
    [ "$(oci ps --format json "$ID" | jq length)" = "$1" ]
}

@test "SIGKILL ends all where there is no pid namespace, other signals only the first process" {
    configure_script 'setsid sleep 61 & setsid sleep 62 & wait' 'del(.linux.namespaces[] | select(.type == "pid"))'
    oci run --detach "$ID" 3>&-
    wait_for has_processes 3
    oci kill "$ID" TERM
    wait_for has_processes 2
    has_status stopped
    run oci kill "$ID" TERM
    fails_with "kill container \"$ID\": container not running: it is stopped"
    oci kill --all "$ID" 0
    oci kill "$ID" KILL
    wait_for has_processes 0
    run oci kill "$ID" KILL
    fails_with "kill container \"$ID\": container not running: it is stopped"
    oci kill --all "$ID" KILL # no error, as with runc: engines make sure by it
    oci delete "$ID"
    nothing_left
}

@test "ps lists process ids as json, in the host's numbers" {
    configure_script 'sleep 61 & sleep 62 & wait'
    oci run --detach "$ID" 3>&-
    wait_for has_processes 3
    run oci ps -f json "$ID"
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^\[[0-9]+,[0-9]+,[0-9]+\]$ ]]
    [ "$(jq '.[0]' <<< "$output")" = "$(pid_of)" ]
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci ps --format json "$ID"
    [ "$output" = "[]" ]
    run oci ps --format yaml "$ID"
    [ "$status" -eq 1 ]
}

@test "ps shows the table of ps -ef" {
    configure_script 'sleep 61 & exec sleep 62'
    oci run --detach "$ID" 3>&-
    wait_for has_processes 2
    run oci ps "$ID"
    [ "${lines[0]}" = "UID          PID    PPID  C STIME TTY          TIME CMD" ]
    [ "${#lines[@]}" -eq 3 ]
    pid=$(pid_of)
    [[ "${lines[1]}" =~ ^root\ +$pid\ +[0-9]+\ +[0-9]+\ +[0-9:]+\ \?\ +00:00:0[0-9]\ sleep\ 62$ ]]
    needs ps
    # Columns of ps are as wide as the host's largest process id, and what it counts goes on meanwhile.
    told() { awk '{ print $1, $2, $3, $6, $8, $9 }'; }
    [ "$(told <<< "${lines[1]}")" = "$(ps -ef | grep -E "^root +$pid " | told)" ]
}

@test "ps takes the options of ps(1) behind the id" {
    needs ps
    oci run --detach "$ID" 3>&-
    run oci ps "$ID" -e -o pid,args
    [ "$status" -eq 0 ]
    [ "$(sed 's/^ *//' <<< "$output")" = "$(printf 'PID COMMAND\n%d sleep 60' "$(pid_of)")" ]
    run oci ps "$ID" -e -o args
    fails_with "ps with these options shows no column PID to choose the container's processes by"
    run oci ps "$ID" --no-such-option
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: /usr/bin/ps: "* ]]
}

@test "what a process calls itself does not act on the terminal" {
    configure '.process.args = ["sh", "-c", "sleep 60; : \u001b[31m"]'
    oci run --detach "$ID" 3>&-
    wait_for has_processes 2
    run oci ps "$ID"
    [[ "$output" == *'\x1b[31m'* ]]
    [[ "$output" != *$'\x1b'* ]]
}
