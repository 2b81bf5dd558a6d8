#!/usr/bin/env bats
# The low level: checkpoint and restore. What needs criu itself runs where that works (the lab); how we get on with it, by stand-ins, and
# what is refused, everywhere.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    IMAGE=$BATS_TEST_TMPDIR/image
    configure '.process.args = ["sleep", "60"]'
}

teardown() {
    bundle_teardown
}

needs_criu() {
    needs criu
    criu_says=$(timeout 20 criu check 2>&1) || skip "criu does not work on this host: $(head -n 1 <<< "$criu_says")"
}

# A program criu in front of the real one, of shell text.
stand_in() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\n%s\n' "$1" > "$BATS_TEST_TMPDIR/bin/criu"
    chmod 755 "$BATS_TEST_TMPDIR/bin/criu"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# Counts in a file of the container's, from where it was, as long as it lives.
counting() {
    configure_script 'i=0; while :; do i=$((i + 1)); echo $i > /tmp/count; sleep 0.02; done' '.root.readonly = false'
}

# The file is empty for a moment each time.
count() {
    local found=
    until [ -n "$found" ]; do
        found=$(cat "$ROOTFS/tmp/count")
    done
    echo "$found"
}

counts_from() {
    local found
    found=$(count)
    [ -n "$found" ] && [ "$found" -gt "$1" ]
}

restored() {
    oci restore --detach --image-path "$IMAGE" "$@" 3>&-
}

@test "a container goes on where it was checkpointed" {
    needs_criu
    counting
    oci run --detach "$ID" 3>&-
    wait_for counts_from 20
    oci checkpoint --image-path "$IMAGE" "$ID"
    nothing_left
    before=$(count)
    [ "$before" -gt 20 ]
    restored --pid-file pid "$ID"
    has_status running
    [ "$(cat pid)" = "$(pid_of)" ]
    wait_for counts_from "$before"
    [ "$(count)" -lt $((before + 1000)) ]
}

@test "a restored container is one as any other" {
    needs_criu
    counting
    configure '.linux.resources.pids.limit = 17'
    oci run --detach "$ID" 3>&-
    oci checkpoint --image-path "$IMAGE" "$ID"
    restored "$ID"
    [ "$(cat "/sys/fs/cgroup/coffer-$ID/pids.max")" = 17 ]
    run oci exec "$ID" sh -c 'echo $$; cat /proc/self/cgroup; hostname'
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = 0::/ ]
    [ "${lines[2]}" = coffer ]
    oci ps --format json "$ID" | jq -e --argjson pid "$(pid_of)" 'index($pid) != null'
    run oci restore --detach --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": container \"$ID\" exists already; delete it or take another id"
    has_status running
    oci pause "$ID"
    has_status paused
    oci resume "$ID"
    oci kill "$ID" KILL
    wait_for has_status stopped
    oci delete "$ID"
    nothing_left
}

@test "--leave-running lets a container go on, and a checkpoint can be restored more than once" {
    needs_criu
    counting
    oci run --detach "$ID" 3>&-
    oci checkpoint --leave-running --image-path "$IMAGE" "$ID"
    has_status running
    wait_for counts_from "$(count)"
    oci delete --force "$ID"
    for id in "$ID" "$ID-b"; do
        restored "$id"
        [ "$(status_of "$id")" = running ]
        oci delete --force "$id"
        nothing_left "$id"
    done
}

@test "a paused container is checkpointed, and stays paused where it is left" {
    needs_criu
    oci run --detach "$ID" 3>&-
    oci pause "$ID"
    oci checkpoint --leave-running --image-path "$IMAGE" "$ID"
    has_status paused
    oci resume "$ID"
    has_status running
}

@test "--pre-dump writes memory first, and --parent-path only what has changed since" {
    needs_criu
    counting
    oci run --detach "$ID" 3>&-
    mkdir "$IMAGE"
    oci checkpoint --pre-dump --image-path "$IMAGE/first" "$ID"
    has_status running
    wait_for counts_from "$(count)"
    oci checkpoint --parent-path ../first --image-path "$IMAGE/last" "$ID"
    [ -e "$IMAGE/last/parent" ]
    nothing_left
    before=$(count)
    oci restore --detach --image-path "$IMAGE/last" "$ID" 3>&-
    wait_for counts_from "$before"
}

@test "logs and other work files go to --work-path" {
    needs_criu
    oci run --detach "$ID" 3>&-
    oci checkpoint --image-path "$IMAGE" --work-path work "$ID"
    [ -s work/dump.log ] && [ ! -e "$IMAGE/dump.log" ]
    oci restore --detach --image-path "$IMAGE" --work-path work "$ID" 3>&-
    [ -s work/restore.log ] && [ ! -e "$IMAGE/restore.log" ]
}

@test "without --detach a restored container is waited for" {
    needs_criu
    configure_script 'while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 7' '.root.readonly = false'
    oci run --detach "$ID" 3>&-
    oci checkpoint --image-path "$IMAGE" "$ID"
    in_background restore --image-path "$IMAGE" "$ID"
    wait_for has_status running
    touch "$ROOTFS/tmp/end"
    end_of_background
    [ "$status" -eq 7 ]
    nothing_left
}

@test "a run in the foreground ends with its container's checkpoint, and is restored in the foreground" {
    needs_criu
    counting
    in_background run "$ID"
    wait_for counts_from 5
    oci checkpoint --image-path "$IMAGE" "$ID"
    end_of_background
    [ "$status" -eq 137 ]
    nothing_left
    run oci restore --detach --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": $IMAGE is of a container that \`run\` had in the foreground, whose process ends with its parent: restore it without --detach"
    nothing_left
    before=$(count)
    in_background restore --image-path "$IMAGE" "$ID"
    wait_for counts_from "$before"
    oci kill "$ID" KILL
    end_of_background
    [ "$status" -eq 137 ]
    nothing_left
}

@test "standard output is whoever's restores" {
    needs_criu
    configure_script 'while :; do echo tick; sleep 0.05; done'
    oci run --detach "$ID" 3>&- < /dev/null > >(exec cat > first) 2>&1
    wait_for test -s first
    oci checkpoint --image-path "$IMAGE" "$ID"
    oci restore --detach --image-path "$IMAGE" "$ID" 3>&- < /dev/null > >(exec cat > second) 2>&1
    wait_for test -s second
    [ "$(head -n 1 second)" = tick ]
    oci delete --force "$ID"
    # A file of the host's is taken up where it was left: criu wants it to be as long as it was.
    oci run --detach "$ID" 3>&- < /dev/null > third 2>&1
    wait_for test -s third
    oci checkpoint --image-path "$IMAGE" "$ID"
    oci restore --detach --image-path "$IMAGE" "$ID" 3>&- < /dev/null >> third 2>&1
    size=$(stat -c %s third)
    larger() { [ "$(stat -c %s third)" -gt "$size" ]; }
    wait_for larger
}

@test "a terminal is restored to the console socket" {
    needs_criu
    needs python3
    configure_script 'echo ready; while read -r line; do echo "got $line"; [ "$line" != end ] || exit 0; done' '.process.terminal = true'
    timeout 60 python3 "$BATS_TEST_DIRNAME/console.py" "$BATS_TEST_TMPDIR/first" < /dev/null > shown 2> /dev/null 3>&- &
    wait_for test -S "$BATS_TEST_TMPDIR/first"
    oci run --detach --console-socket "$BATS_TEST_TMPDIR/first" "$ID" 3>&-
    wait_for grep -q ready shown
    oci checkpoint --image-path "$IMAGE" "$ID"
    # What is typed before all is restored may be dropped with the settings of the terminal.
    { wait_for test -e pid && sleep 1 && printf 'end\n'; } 2> /dev/null 3>&- | timeout 60 python3 "$BATS_TEST_DIRNAME/console.py" "$BATS_TEST_TMPDIR/second" > shown.again 2> /dev/null 3>&- &
    wait_for test -S "$BATS_TEST_TMPDIR/second"
    oci restore --detach --console-socket "$BATS_TEST_TMPDIR/second" --pid-file pid --image-path "$IMAGE" "$ID" 3>&-
    wait_for has_status stopped
    wait_for grep -q 'got end' shown.again
}

@test "bind mounts are the host's, where the configuration has them now" {
    needs_criu
    mkdir one other
    echo one > one/file
    echo other > other/file
    echo name > names
    configure_script 'while [ ! -e /tmp/end ]; do sleep 0.05; done; cat /place/file /etc/names > /tmp/told; sleep 60' '.root.readonly = false |
        .mounts += [{"destination": "/place", "type": "bind", "source": "one", "options": ["rbind", "ro"]},
                    {"destination": "/etc/names", "source": "names", "options": ["bind"]}]'
    oci run --detach "$ID" 3>&-
    oci checkpoint --image-path "$IMAGE" "$ID"
    # Another root file system of the same content has no places for them.
    rmdir "$ROOTFS/place"
    rm "$ROOTFS/etc/names"
    configure '(.mounts[] | select(.destination == "/place")).source = "other"'
    restored "$ID"
    touch "$ROOTFS/tmp/end"
    wait_for grep -q name "$ROOTFS/tmp/told"
    [ "$(cat "$ROOTFS/tmp/told")" = $'other\nname' ]
    run oci exec "$ID" touch /place/new
    [ "$status" -ne 0 ]
    [[ "$output" == *"Read-only file system"* ]]
}

@test "what is mounted below a bind mount's source comes with it" {
    needs_criu
    mkdir -p one/below other/below
    mount -t tmpfs below one/below
    mount -t tmpfs below other/below
    echo one > one/below/file
    echo other > other/below/file
    configure '.mounts += [{"destination": "/place", "type": "bind", "source": "one", "options": ["rbind"]}]'
    oci run --detach "$ID" > /dev/null 2>&1 3>&-
    found=$(oci exec "$ID" cat /place/below/file)
    run oci checkpoint --image-path "$IMAGE" "$ID"
    checkpointed=$status:$output
    configure '(.mounts[] | select(.destination == "/place")).source = "other"'
    restored=0: # its standard descriptors are of the same kind as before, which those of `run` are not
    restored "$ID" > /dev/null 2>&1 || restored=$?:$(tail -n 3 "$IMAGE/restore.log")
    again=$(oci exec "$ID" cat /place/below/file) || true
    oci delete --force "$ID"
    umount one/below other/below
    [ "$checkpointed" = 0: ] && [ "$restored" = 0: ] || { echo "$checkpointed, $restored"; false; }
    [ "$found" = one ] && [ "$again" = other ]
}

@test "what is masked and read-only is so after a restore" {
    needs_criu
    oci run --detach "$ID" 3>&-
    # Not what stands beside: how many processes there are shows in the links of /proc.
    show='ls -lL /proc/kcore /proc/keys; ls -A /sys/firmware /proc/acpi; touch /proc/sys/kernel/domainname; touch /file'
    before=$(oci exec "$ID" sh -c "$show" 2>&1) || true
    # With what each may not do: read-only, nosuid, nodev, noexec.
    mounts=$(oci exec "$ID" cat /proc/self/mountinfo | awk '{ print $5, $6 }' | sort)
    oci checkpoint --image-path "$IMAGE" "$ID"
    restored "$ID"
    after=$(oci exec "$ID" sh -c "$show" 2>&1) || true
    diff <(oci exec "$ID" cat /proc/self/mountinfo | awk '{ print $5, $6 }' | sort) - <<< "$mounts"
    [ "$(grep -c '1, *3' <<< "$after")" = 2 ]
    times() { sed 's/[A-Z][a-z][a-z] .[0-9] .[0-9]:..//'; }
    diff <(times <<< "$before") <(times <<< "$after")
}

@test "a joined network namespace is named, and another one joined by a restore" {
    needs_criu
    needs ip
    for name in a b; do
        ip netns add "$ID$name"
        ip -n "$ID$name" link add "in$name" type dummy
        configure --arg path "/run/netns/$ID$name" '(.linux.namespaces[] | select(.type == "network")).path = $path'
        if [ "$name" = a ]; then
            oci run --detach "$ID" 3>&-
            oci checkpoint --image-path "$IMAGE" "$ID"
        else
            restored "$ID"
        fi
    done
    run oci exec "$ID" ip link
    oci delete --force "$ID"
    ip netns delete "${ID}a"
    ip netns delete "${ID}b"
    [[ "$output" == *inb* ]]
}

@test "hooks: those of the runtime run for a restore, poststop after a checkpoint" {
    needs_criu
    printf '#!/bin/sh\n{ jq -r .status; echo "$1"; } >> %s/told\n' "$PWD" > hook
    chmod 755 hook
    configure --arg hook "$PWD/hook" '
        def one($name): [{"path": $hook, "args": ["hook", $name], "env": ["PATH=/usr/bin:/bin"]}];
        .hooks = {"createRuntime": one("createRuntime"), "poststart": one("poststart"), "poststop": one("poststop")}'
    oci run --detach "$ID" 3>&-
    : > told
    oci checkpoint --image-path "$IMAGE" "$ID"
    [ "$(cat told)" = $'stopped\npoststop' ]
    : > told
    restored "$ID"
    [ "$(cat told)" = $'creating\ncreateRuntime' ]
}

@test "groups below the container's are restored with it" {
    needs_criu
    configure_script 'mkdir /sys/fs/cgroup/sub && echo $$ > /sys/fs/cgroup/sub/cgroup.procs; touch /tmp/there; sleep 60' '.root.readonly = false |
        (.mounts[] | select(.type == "cgroup")).options -= ["ro"]'
    oci run --detach "$ID" 3>&-
    wait_for test -e "$ROOTFS/tmp/there"
    oci checkpoint --image-path "$IMAGE" "$ID"
    nothing_left
    restored "$ID"
    [[ "$(cat "/proc/$(pid_of)/cgroup")" == *"coffer-$ID/sub" ]]
}

@test "systemd makes the restored container's scope" {
    needs_criu
    [ -d /run/systemd/system ] || skip "needs systemd as the host's first process"
    counting
    oci --systemd-cgroup run --detach "$ID" 3>&-
    oci checkpoint --image-path "$IMAGE" "$ID"
    nothing_left
    oci --systemd-cgroup restore --detach --image-path "$IMAGE" "$ID" 3>&-
    [[ "$(cat "/proc/$(pid_of)/cgroup")" == *"/coffer-$ID.scope" ]]
    wait_for counts_from "$(count)"
    oci delete --force "$ID"
    nothing_left
}

@test "what criu fails at is told by its log's last errors, and leaves the container as it was" {
    counting
    oci run --detach "$ID" 3>&-
    stand_in 'printf "(00.1) fine\n(00.2) Error (here): \033[31mfirst\n(00.3) Error: second\n" > '"$IMAGE"'/dump.log; exit 3'
    run oci checkpoint --image-path "$IMAGE" "$ID"
    fails_with "checkpoint container \"$ID\": criu ended without an answer (exit code 3); the log $IMAGE/dump.log ends in \"(00.2) Error (here): \\x1b[31mfirst\", \"(00.3) Error: second\""
    has_status running
    wait_for counts_from "$(count)"
    stand_in 'exec python3 -c "
import socket, sys
talk = socket.socket(fileno=int(sys.argv[2]))
talk.recv(65536)
talk.send(bytes([8, 1, 16, 0, 56, 13]))" "$@"'
    rm "$IMAGE/dump.log"
    run oci checkpoint --image-path "$IMAGE" "$ID"
    fails_with "checkpoint container \"$ID\": criu failed: Permission denied"
    stand_in 'exec python3 -c "
import socket, sys
talk = socket.socket(fileno=int(sys.argv[2]))
talk.recv(65536)
talk.send(bytes([255]))" "$@"'
    run oci checkpoint --image-path "$IMAGE" "$ID"
    fails_with "checkpoint container \"$ID\": criu answered with what is no reply"
    has_status running
}

@test "a checkpoint that is killed with its criu leaves nothing frozen" {
    needs_freezer
    counting
    oci run --detach "$ID" 3>&-
    stand_in "echo 1 > '$FREEZER'; echo \$\$ > $BATS_TEST_TMPDIR/criu.pid; exec sleep 60"
    in_background checkpoint --image-path "$IMAGE" "$ID"
    wait_for test -s "$BATS_TEST_TMPDIR/criu.pid"
    has_status paused
    kill -KILL "$JOB"
    # criu is at work still.
    run oci checkpoint --image-path "$IMAGE" "$ID"
    fails_with "container \"$ID\" is in use by another command"
    has_status paused
    kill -KILL "$(cat "$BATS_TEST_TMPDIR/criu.pid")"
    wait_for not_locked
    run oci run other-than-"$ID" --bundle /nowhere
    has_status running
    wait_for counts_from "$(count)"
    [ -z "$(ls -A "$(coffer_root)/oci/.pending")" ]
}

needs_freezer() {
    FREEZER=$(find /sys/fs/cgroup /sys/fs/cgroup/unified -maxdepth 1 -name cgroup.procs 2> /dev/null | head -n 1)
    FREEZER=$(dirname "$FREEZER")/coffer-$ID/cgroup.freeze
    [ -n "$FREEZER" ] && grep -qs cgroup2 /proc/self/mountinfo || skip "needs a version 2 hierarchy of control groups"
}

not_locked() {
    flock -n "$(coffer_root)/oci/$ID" true
}

@test "a restore that is killed leaves nothing, once the next command has looked" {
    mkdir "$IMAGE"
    echo '["", "", ""]' > "$IMAGE/descriptors.json"
    stand_in "echo \$\$ > $BATS_TEST_TMPDIR/criu.pid; exec sleep 60"
    in_background restore --image-path "$IMAGE" "$ID"
    wait_for test -s "$BATS_TEST_TMPDIR/criu.pid"
    wait_for has_status creating
    kill -KILL "$JOB"
    kill -KILL "$(cat "$BATS_TEST_TMPDIR/criu.pid")"
    wait_for not_locked
    run oci run other-than-"$ID" --bundle /nowhere
    nothing_left
}

@test "a restore that fails leaves nothing" {
    mkdir "$IMAGE"
    echo '["", "", ""]' > "$IMAGE/descriptors.json"
    stand_in 'exit 3'
    run oci restore --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": criu ended without an answer (exit code 3)"
    nothing_left
    run oci restore --detach --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": criu ended without an answer (exit code 3)"
    nothing_left
}

@test "without criu it is said what to install, and nothing is changed" {
    oci run --detach "$ID" 3>&-
    PATH=/nowhere run "$COFFER_OCI" --root "$(coffer_root)/oci" checkpoint --image-path "$IMAGE" "$ID"
    fails_with "checkpoint container \"$ID\": there is no program criu in PATH (/nowhere): install criu (the package criu)"
    [ ! -e "$IMAGE" ]
    has_status running
    # Only absolute folders count: the working directory may be anybody's.
    printf '#!/bin/sh\n' > criu
    chmod 755 criu
    PATH=.: run "$COFFER_OCI" --root "$(coffer_root)/oci" checkpoint --image-path "$IMAGE" "$ID"
    fails_with "checkpoint container \"$ID\": there is no program criu in PATH (.:): install criu (the package criu)"
    PATH=/nowhere run "$COFFER_OCI" --root "$(coffer_root)/oci" restore --image-path "$IMAGE" "$ID-b"
    fails_with "restore container \"$ID-b\": there is no program criu in PATH (/nowhere): install criu (the package criu)"
    nothing_left "$ID-b"
}

@test "what cannot be checkpointed is refused" {
    stand_in 'exit 3'
    run oci checkpoint nobody
    fails_with 'container "nobody" does not exist'
    oci create "$ID" 3>&-
    run oci checkpoint "$ID"
    fails_with "checkpoint container \"$ID\": container not running: it is created"
    oci start "$ID"
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci checkpoint "$ID"
    fails_with "checkpoint container \"$ID\": container not running: it is stopped"
    [ ! -e checkpoint ]
}

@test "wrong values are refused" {
    stand_in 'exit 3'
    oci run --detach "$ID" 3>&-
    run oci checkpoint --manage-cgroups-mode hard "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"--manage-cgroups-mode"*"soft, full, strict"*"hard"* ]]
    run oci checkpoint --empty-ns pid "$ID"
    fails_with '--empty-ns: expected network, found "pid"'
    run oci checkpoint --page-server somewhere "$ID"
    fails_with '--page-server: expected ADDRESS:PORT, found "somewhere"'
    run oci checkpoint --page-server somewhere:70000 "$ID"
    fails_with '--page-server: expected ADDRESS:PORT, found "somewhere:70000"'
    run oci checkpoint --image-path "$IMAGE" --status-fd 77 "$ID"
    fails_with "checkpoint container \"$ID\": --status-fd 77: expected a descriptor that can be written to"
    run oci checkpoint --image-path "$IMAGE" --parent-path /absolute "$ID"
    fails_with "checkpoint container \"$ID\": --parent-path /absolute: expected a path relative to the image folder"
    run oci checkpoint --image-path "$IMAGE" --parent-path ../nothing "$ID"
    fails_with "checkpoint container \"$ID\": --parent-path ../nothing, in $IMAGE: No such file or directory"
    run oci checkpoint --image-path "$IMAGE/too/deep" "$ID"
    fails_with "checkpoint container \"$ID\": make the image folder $IMAGE/too/deep: No such file or directory"
    has_status running
}

@test "a restore needs a place for its terminal" {
    stand_in 'exit 3'
    mkdir "$IMAGE"
    run oci restore --console-socket /nowhere --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": --console-socket: process.terminal is false, so there is no terminal to send"
    configure '.process.terminal = true'
    run oci restore --detach --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": process.terminal is true, so --detach needs --console-socket"
}

@test "what is no checkpoint is not restored" {
    stand_in 'exit 3'
    run oci restore --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": open the image folder $IMAGE: No such file or directory"
    mkdir "$IMAGE"
    run oci restore --image-path "$IMAGE" "$ID"
    fails_with "restore container \"$ID\": $IMAGE: there is no whole checkpoint in it: descriptors.json is missing"
    echo '{}' > "$IMAGE/descriptors.json"
    run oci restore --image-path "$IMAGE" "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: restore container \"$ID\": $IMAGE: descriptors.json: expected "* ]]
    nothing_left
}
