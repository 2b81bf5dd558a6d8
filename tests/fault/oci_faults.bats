#!/usr/bin/env bats
# The low level when things go wrong: killed at any moment, many at once. What is left behind must be gone with the next command.
#
#   FAULT_KILLS=N   how often each command is killed (50; 300 in the long form)
bats_require_minimum_version 1.5.0
load ../cli/helpers
load ../cli/bundle

setup_file() {
    needs_root
    needs strace
    bundle_setup_file
}

setup() {
    bundle_setup
    FAULT_KILLS=${FAULT_KILLS:-50}
    mkfifo never
    exec {NEVER}<> never
}

teardown() {
    exec {NEVER}>&-
    bundle_teardown
}

# Sleeps without a process of its own.
pause_ms() {
    read -r -t "$(printf '0.%03d' "$1")" -u "$NEVER" || true
}

# kill_at_random VERB: starts it FAULT_KILLS times, each time in a root of its own, and kills it up to 25 ms later.
kill_at_random() {
    local verb=$1 i
    cp config.json sleeper.json
    for ((i = 0; i < FAULT_KILLS; i++)); do
        cp sleeper.json config.json
        "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" "$verb" "$ID.$i" > /dev/null 2>&1 < /dev/null 3>&- &
        JOB=$!
        pause_ms $((RANDOM % 25))
        kill -9 "$JOB" 2> /dev/null || true
        wait "$JOB" 2> /dev/null || true
        # Its death signal to init is on the way: until then init, not executed yet, shares the lock on the folder.
        pause_ms 10
        # What is a created container by now is one that the next command leaves alone.
        if [ "$verb" = create ] && [ "$("$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" state "$ID.$i" 2> /dev/null | jq -r .status)" = created ] &&
            "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" start "$ID.$i" 2> /dev/null; then
            "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" delete --force "$ID.$i"
        fi
        configure '.process.args = ["true"]'
        "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/root.$i" run "$ID.$i.next"
        find "$BATS_TEST_TMPDIR/root.$i" -mindepth 1 -not -name '.*'
        [ -z "$(find "$BATS_TEST_TMPDIR/root.$i" -mindepth 1 -not -name '.*')" ]
        wait_for nothing_left "$ID.$i"
    done
    wait_for nothing_left
}

@test "a run killed at any moment leaves nothing behind the next command" {
    configure '.process.args = ["sleep", "60"]'
    kill_at_random run
}

@test "a create killed at any moment leaves nothing behind the next command" {
    configure '.process.args = ["sleep", "60"]'
    kill_at_random create
}

@test "a create killed while it makes the parents of its group leaves none of them, and those that were there" {
    local there n made=0
    for there in /sys/fs/cgroup /sys/fs/cgroup/unified; do
        [ ! -e "$there/cgroup.procs" ] || break
    done
    mkdir "$there/there-$ID"
    configure ".process.args = [\"sleep\", \"60\"] | .linux.cgroupsPath = \"/there-$ID/made-$ID/leaf\""
    cp config.json sleeper.json
    for ((n = 1; n < 60; n++)); do
        cp sleeper.json config.json
        timeout -k 1 20 strace -f -qq -o trace -e trace=mkdirat -e inject=mkdirat:signal=KILL:when="$n" "$COFFER_OCI" --root "$(coffer_root)/oci" \
            create "$ID" < /dev/null > /dev/null 2>&1 3>&- || true
        grep -q 'killed by SIGKILL' trace || break
        [ -z "$(find /sys/fs/cgroup -type d -name "made-$ID")" ] || made=$((made + 1))
        cp "$BATS_FILE_TMPDIR/bundle/config.json" .
        configure '.process.args = ["true"]'
        oci run "$ID.next"
        wait_for nothing_left "made-$ID"
        [ -d "$there/there-$ID" ]
        [ "$(find /sys/fs/cgroup -type d -name "there-$ID" | wc -l)" -eq 1 ]
    done
    [ "$made" -gt 0 ]
    oci delete --force "$ID" || true
    rmdir "$there/there-$ID"
    wait_for nothing_left
}

@test "run and create with a user namespace, killed at any moment" {
    chown -R 100000:100000 "$ROOTFS"
    for verb in run create; do
        cp "$BATS_FILE_TMPDIR/bundle/config.json" .
        configure '.process.args = ["sleep", "60"] | .linux.namespaces += [{"type": "user"}]
            | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.uidMappings = .linux.gidMappings'
        kill_at_random $verb
    done
}

# The network that a container was given lives by its processes, and a pair of devices that its hook has made goes with it.
@test "a run with a network, killed at any moment, leaves no device of its own" {
    local host=v$BATS_TEST_NUMBER-$$
    cp config.json plain.json
    configure '.process.args = ["sleep", "60"] | .hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c",
        "pid=$(sed -n \"s/.*\\\"pid\\\": *\\([0-9]*\\).*/\\1/p\" | head -1); ip link add " + $host + " type veth peer name inside netns $pid"]}]' --arg host "$host"
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    ip link show "$host" > /dev/null
    oci delete --force "$ID"
    kill_at_random run
    gone() { ! ip link show "$host"; }
    wait_for gone
}

@test "a delete killed at any moment leaves nothing behind the next command" {
    local i root
    configure '.process.args = ["true"]'
    cp config.json true.json
    configure '.process.args = ["sleep", "60"]'
    for ((i = 0; i < FAULT_KILLS; i++)); do
        root=$BATS_TEST_TMPDIR/root.$i
        # Its parents are removed with it; of each round its own, so that the next one hides nothing.
        configure '.linux.cgroupsPath = $path' --arg path "/$ID.$i.top/parent/$ID.$i"
        "$COFFER_OCI" --root "$root" run --detach "$ID.$i" > /dev/null 2>&1 < /dev/null 3>&-
        "$COFFER_OCI" --root "$root" delete --force "$ID.$i" > /dev/null 2>&1 < /dev/null 3>&- &
        JOB=$!
        pause_ms $((RANDOM % 12))
        kill -9 "$JOB" 2> /dev/null || true
        wait "$JOB" 2> /dev/null || true
        # What was not begun is not to be finished: then the container is whole. The next delete, of one that is gone too, ends it.
        "$COFFER_OCI" --root "$root" run --config true.json "$ID.$i.next" < /dev/null
        case $("$COFFER_OCI" --root "$root" state "$ID.$i" 2> /dev/null | jq -r .status) in
        running | stopped) "$COFFER_OCI" --root "$root" delete --force "$ID.$i" ;;
        esac
        [ -z "$(find "$root" -mindepth 1 -not -name '.*')" ] || { find "$root"; return 1; }
        wait_for nothing_left "$ID.$i" || nothing_left "$ID.$i"
    done
    wait_for nothing_left || nothing_left
}

@test "an exec killed at any moment leaves no more than its command, which goes on" {
    local i
    alone() {
        [ "$(oci exec "$ID" sh -c 'set -- /proc/[0-9]*; echo $#' < /dev/null)" = 2 ]
    }
    configure '.process.args = ["sleep", "1000"]'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    for ((i = 0; i < FAULT_KILLS; i++)); do
        "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" sh -c 'exit 0' > /dev/null 2>&1 < /dev/null 3>&- &
        JOB=$!
        pause_ms $((RANDOM % 8))
        kill -9 "$JOB" 2> /dev/null || true
        wait "$JOB" 2> /dev/null || true
        wait_for alone
    done
    oci delete --force "$ID"
    wait_for nothing_left
}

@test "200 runs one after the other, and as many eight at a time" {
    configure '.process.args = ["true"]'
    for ((i = 0; i < 200; i++)); do
        oci run "$ID.$i" < /dev/null
    done
    nothing_left
    # shellcheck disable=SC2016 # the inner shell's
    seq 200 | xargs -P 8 -I{} "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID.p{}" 3>&-
    nothing_left
}

@test "many at once start, are asked about and deleted" {
    configure '.process.args = ["sleep", "60"]'
    # shellcheck disable=SC2016 # the inner shell's
    seq 40 | xargs -P 8 -I{} sh -c '"$0" --root "$1" create "$2.$3" && "$0" --root "$1" start "$2.$3" &&
        "$0" --root "$1" state "$2.$3" > /dev/null && "$0" --root "$1" delete --force "$2.$3"' \
        "$COFFER_OCI" "$(coffer_root)/oci" "$ID" {} 3>&- && touch all-ran
    [ -e all-ran ]
    nothing_left
}

@test "one id, eight at once: one gets it" {
    configure '.process.args = ["sleep", "60"]'
    for i in 1 2 3; do
        # shellcheck disable=SC2016 # the inner shell's
        seq 8 | xargs -P 8 -I{} sh -c '"$0" --root "$1" create "$2" && echo made' "$COFFER_OCI" "$(coffer_root)/oci" "$ID" \
            > made 2> refused 3>&- || true
        [ "$(grep -c made made)" -eq 1 ]
        [ "$(grep -c 'exists already' refused)" -eq 7 ]
        [ "$(wc -l < refused)" -eq 7 ]
        has_status created
        oci delete --force "$ID"
        nothing_left
    done
}

# --- mounts of a container that is there ---

hot_table() {
    cut -d' ' -f1,2,4,5,6 "/proc/$(pid_of)/mountinfo"
}

@test "mounts add: whatever system call fails, all mounts are there or none" {
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false'
    mkdir source
    touch source/file
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    echo '[{"destination": "/a", "source": "source", "options": ["bind", "ro"]}, {"destination": "/b", "type": "tmpfs", "source": "t"},
        {"destination": "/c", "source": "source/file", "options": ["bind"]}]' > mounts.json
    oci mounts add "$ID" mounts.json
    oci mounts remove "$ID" mounts.json
    hot_table > before
    local call when failed=0
    for call in move_mount open_tree fsopen fsconfig fsmount mount_setattr setns statx openat2 fchmodat fstatfs sendmsg recvmsg clone3 execveat; do
        for when in 1 2 3 4 5; do
            run timeout -k 1 20 strace -f -o /dev/null -e trace="$call" -e inject="$call:error=EIO:when=$when" \
                "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" mounts.json
            if [ "$status" -eq 0 ]; then # so often it was not called, or there is another way
                [ "$(hot_table | wc -l)" -eq "$(($(wc -l < before) + 3))" ]
                oci mounts remove "$ID" mounts.json
            else
                echo "$call $when: $output"
                [ "$status" -eq 1 ]
                [[ "$output" == "coffer: add mounts to container \"$ID\": "* ]]
                failed=$((failed + 1))
            fi
            diff before <(hot_table)
        done
    done
    echo "$failed calls failed"
    [ "$failed" -gt 20 ]
}

@test "mounts add: one that was killed half way says so" {
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    echo '[{"destination": "/a", "type": "tmpfs"}, {"destination": "/b", "type": "tmpfs"}]' > mounts.json
    run timeout -k 1 20 strace -f -o /dev/null -e trace=move_mount -e inject=move_mount:signal=KILL:when=2 \
        "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" mounts.json
    fails_with "add mounts to container \"$ID\": the process that was to do it was killed; some of the mounts may have been changed"
}

@test "mounts add: when the runtime is killed, so is who mounts for it" {
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false | .linux.namespaces += [{"type": "user"}]
        | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
    chown -R 100000:100000 "$ROOTFS"
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    echo '[{"destination": "/tmp", "type": "tmpfs"}]' > mounts.json
    hot_table > before
    timeout -k 1 30 strace -f -o /dev/null -e trace=move_mount -e inject=move_mount:signal=STOP:when=1 \
        "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" mounts.json > /dev/null 2>&1 < /dev/null 3>&- &
    JOB=$!
    wait_for eval 'pgrep -P "$(pgrep -P "$JOB")" coffer'
    runtime=$(pgrep -P "$(pgrep -P "$JOB")" coffer)
    wait_for pgrep -P "$runtime" coffer-init
    inside=$(pgrep -P "$runtime" coffer-init)
    # It has joined the container's mounts, and made one. What keeps it there could as well be a file system of the container's.
    wait_for eval '! diff before <(hot_table)'
    kill -9 "$runtime"
    local i
    for ((i = 0; i < 50; i++)); do
        kill -0 "$inside" 2> /dev/null || break
        sleep 0.05
    done
    [ "$i" -lt 50 ]
}
