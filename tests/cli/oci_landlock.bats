#!/usr/bin/env bats
# Landlock by annotations of config.json (run.coffer.landlock.*), for the container's process and for exec.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    L=run.coffer.landlock
    OPEN='.root.readonly = false'
    echo data > "$ROOTFS/etc/data"
    echo hidden | tee "$ROOTFS/root/hidden" > "$ROOTFS/home/hidden"
}

teardown() {
    bundle_teardown
}

# VALUE by KEY: a filter for jq.
rules() { # KEY VALUE [KEY VALUE...]
    local filter=.
    while [ $# -gt 0 ]; do
        filter+=" | .annotations[\"$L.$1\"] = \"$2\""
        shift 2
    done
    echo "$filter"
}

needs_landlock() { # [VERSION]
    [ "$("$BUILD/unit/landlock_test" | sed -n 's/^# Landlock //p')" -ge "${1:-1}" ] || skip "this kernel has no Landlock of version ${1:-1}"
}

needs_unit_program() {
    [ -x "$BUILD/unit/landlock_test" ] || skip "needs $BUILD/unit/landlock_test (make unit)"
}

waits() { # FILTER
    configure_script 'sleep 100' "$@"
    oci run --detach "$ID" < /dev/null > shown 2>&1 3>&-
}

refused_annotation() { # KEY VALUE MESSAGE
    run_script true "del(.annotations) | $(rules "$1" "$2")"
    fails_with "run container \"$ID\": config.json: annotations: $L.$1: $3"
    nothing_left
}

@test "annotations that are wrong are refused, and nothing is left" {
    refused_annotation read / "expected ro, rx, rw, tcp.bind, tcp.connect or required behind $L."
    refused_annotation ro etc 'expected absolute paths with colons between, found "etc"'
    refused_annotation tcp.bind http 'expected ports up to 65535 with commas between, found "http"'
    refused_annotation required 1 'expected true or false, found "1"'
}

@test "a path that the container does not have is an error, and nothing is left" {
    needs_unit_program
    needs_landlock
    run_script true "$(rules rx / rw /tmp:/missing)"
    fails_with "run container \"$ID\": annotation $L.rw: open /missing in the root file system: No such file or directory"
    nothing_left
}

@test "what is read, executed and written is what the lists say" {
    needs_unit_program
    needs_landlock
    run_script 'cat /etc/data; echo x > /etc/data; touch /etc/new; rm /etc/data; cat /root/hidden; ls /; echo written > /tmp/file && cat /tmp/file; mkdir /tmp/dir && mv /tmp/file /tmp/dir/; cp /bin/busybox /tmp/mine; /tmp/mine true; echo $?' \
        "$OPEN | $(rules rx /bin ro /etc rw /tmp:/dev)"
    [ "$status" -eq 0 ]
    has_line data
    has_line written
    has_line "sh: can't create /etc/data: Permission denied"
    has_line "touch: /etc/new: Permission denied"
    has_line "rm: can't remove '/etc/data': Permission denied"
    has_line "cat: can't open '/root/hidden': Permission denied"
    has_line "ls: can't open '/': Permission denied"
    has_line "sh: /tmp/mine: Permission denied"
    has_line 126
    [ -e "$ROOTFS/tmp/dir/file" ]
    [ "$(< "$ROOTFS/etc/data")" = data ]
    # A path in two lists has the rights of both; a single file can be named.
    run_script 'cp /bin/busybox /tmp/busybox; /tmp/busybox echo own; cat /etc/data; cat /etc/passwd' "$OPEN | $(rules rx /bin:/tmp ro /etc/data rw /tmp:/dev)"
    echo "$output"
    [ "$output" = $'own\ndata\ncat: can\'t open \'/etc/passwd\': Permission denied' ]
}

@test "rules hold for another user, with a filter, with and without new privileges, and in a user namespace" {
    needs_unit_program
    needs_landlock
    FILTER='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "openat2", "setresuid"], "action": "SCMP_ACT_KILL_PROCESS"}]}'
    local filter
    for filter in '.process.noNewPrivileges = false' '.process.noNewPrivileges = true' '.process.user = {"uid": 1000, "gid": 1000}' \
        '.process.user = {"uid": 1000, "gid": 1000} | .process.noNewPrivileges = false' "$FILTER | .process.noNewPrivileges = true" \
        "$FILTER | .process.noNewPrivileges = false | .process.user = {\"uid\": 1000, \"gid\": 1000}" 'del(.process.capabilities)' \
        '.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 0, "size": 65536}] | .linux.uidMappings = .linux.gidMappings'; do
        cp config.json kept.json
        run_script 'cat /etc/data; cat /bin/sh > /dev/null && echo readable' "$filter | $(rules rx /bin rw /dev)"
        [ "$output" = $'cat: can\'t open \'/etc/data\': Permission denied\nreadable' ] || {
            echo "$filter: $output"
            return 1
        }
        mv kept.json config.json
    done
    # A limit of the command's is none for the descriptors that the rules need.
    configure '.process.args = ["true"] | .process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}] | '"$(rules rx /bin rw /dev)"
    oci run "$ID"
    # A directory that the command's user may not enter himself has its rule all the same.
    mkdir -p "$ROOTFS/closed/open"
    chmod 700 "$ROOTFS/closed"
    run_script 'echo ran' "$(rules rx /bin:/closed/open)"' | .process.user = {"uid": 1000, "gid": 1000}'
    [ "$output" = ran ]
}

@test "exec has the rules of its container" {
    needs_unit_program
    needs_landlock
    waits "$(rules rx /bin rw /dev)"
    run oci exec "$ID" sh -c 'cat /etc/data; echo ran'
    [ "$output" = $'cat: can\'t open \'/etc/data\': Permission denied\nran' ]
    run oci exec --user 1000:1000 "$ID" cat /etc/data
    [ "$output" = "cat: can't open '/etc/data': Permission denied" ]
    jq '.process | .args = ["cat", "/etc/data"]' config.json > process.json
    run oci exec --process process.json "$ID"
    [ "$output" = "cat: can't open '/etc/data': Permission denied" ]
}

@test "a command that may not be executed under the rules is permission denied, which engines make 126 of" {
    needs_unit_program
    needs_landlock
    local annotations
    # Reading, or writing, is not executing; an empty list allows nothing.
    for annotations in '"ro": "/"' '"rw": "/"' '"rx": ""' '"rx": "/etc"'; do
        run_script true ".annotations = ({$annotations} | with_entries(.key |= \"$L.\" + .))"
        fails_with "run container \"$ID\": command \"sh\" cannot be executed: permission denied"
        nothing_left
    done
    waits ".annotations = {\"$L.rx\": \"/bin/busybox\"}"
    cp "$ROOTFS/bin/busybox" "$ROOTFS/tmp/mine"
    run oci exec "$ID" /tmp/mine true
    [ "$status" -eq 255 ]
    [ "$output" = "coffer: exec in container \"$ID\": command \"/tmp/mine\" cannot be executed: permission denied" ]
}

@test "a link of the image leads to no rule outside its root" {
    needs_unit_program
    needs_landlock
    mkdir -p "$BATS_TEST_TMPDIR/outside" "$ROOTFS$BATS_TEST_TMPDIR/outside"
    echo inside > "$ROOTFS$BATS_TEST_TMPDIR/outside/file"
    ln -s "$BATS_TEST_TMPDIR/outside" "$ROOTFS/link"
    ln -s ../../../../../../../../etc "$ROOTFS/climbs"
    run_script 'cat /link/file /etc/data; cat /home/hidden' "$(rules rx /bin ro /link:/climbs)"
    [ "$output" = $'inside\ndata\ncat: can\'t open \'/home/hidden\': Permission denied' ]
    # Nor by a link of /proc, which leads anywhere.
    run_script true 'del(.annotations) | '"$(rules rx /bin ro /proc/self/root/etc)"
    [ "$status" -eq 1 ]
    [[ "$output" == *"annotation $L.ro: "* ]]
    nothing_left
}

@test "TCP ports that are not listed cannot be bound to or connected to" {
    needs_unit_program
    needs_landlock 4
    local try='busybox timeout 1 busybox nc -l -p 81 2>&1; busybox nc 127.0.0.1 81 < /dev/null 2>&1; busybox nc 127.0.0.1 443 < /dev/null 2>&1; cat /etc/data'
    run_script "$try" "$(rules tcp.bind 80 tcp.connect 443,53)"
    [ "$output" = $'nc: bind: Permission denied\nnc: can\'t connect to remote host (127.0.0.1): Permission denied\nnc: can\'t connect to remote host (127.0.0.1): Connection refused\ndata' ]
    # One without the other.
    run_script 'busybox timeout 1 busybox nc -l -p 80 2> /dev/null; busybox nc 127.0.0.1 81 < /dev/null 2>&1' 'del(.annotations) | '"$(rules tcp.connect '')"
    [ "$output" = $'nc: can\'t connect to remote host (127.0.0.1): Permission denied' ]
}

@test "a kernel without ports in its Landlock refuses them, or runs without where that is wished" {
    needs_unit_program
    needs_landlock
    [ "$("$BUILD/unit/landlock_test" | sed -n 's/^# Landlock //p')" -lt 4 ] || skip "this kernel has them"
    refused_annotation tcp.bind 80 "this kernel's Landlock knows nothing of TCP ports (Linux 6.7 does); to run without it set $L.required to \"false\""
    run_script 'cat /etc/data; echo ran' 'del(.annotations) | '"$(rules tcp.bind 80 rx /bin required false)"
    [ "$output" = "coffer: warning: annotation $L.tcp.bind is not applied: this kernel's Landlock knows nothing of TCP ports (Linux 6.7 does)
cat: can't open '/etc/data': Permission denied
ran" ]
}

@test "a kernel without Landlock refuses rules, or runs without where that is wished" {
    # What a filter around the runtime denies is not there for it.
    needs python3
    local without=(python3 "$BATS_TEST_DIRNAME/without_landlock.py" "$COFFER_OCI" --root "$(coffer_root)/oci")
    configure_script 'cat /etc/data' "$(rules rx /bin)"
    run "${without[@]}" run "$ID"
    fails_with "run container \"$ID\": config.json: annotations: $L.rx: this kernel has no Landlock, or it is off (see lsm= of its command line); to run without it set $L.required to \"false\""
    nothing_left
    configure "$(rules required false)"
    run "${without[@]}" run "$ID"
    [ "$output" = "coffer: warning: annotation $L.rx is not applied: this kernel has no Landlock, or it is off (see lsm= of its command line)
data" ]
    # Without annotations nobody asks.
    configure 'del(.annotations)'
    run "${without[@]}" run "$ID"
    [ "$output" = data ]
}
