#!/usr/bin/env bats
# Labels of Linux security modules: process.apparmorProfile, process.selinuxLabel and linux.mountLabel of config.json, and those of exec.
# What needs AppArmor runs on a booted host (make lab LAB_TESTS=tests/cli/oci_lsm.bats).
bats_require_minimum_version 1.5.0
load helpers
load bundle

# The profile lets everything pass but the one file by which it is seen at work.
profile() { # NAME
    cat << END
profile $1 flags=(attach_disconnected,mediate_deleted) {
    capability,
    network,
    file,
    mount,
    umount,
    pivot_root,
    ptrace,
    signal,
    deny /tmp/secret rw,
}
END
}

setup_file() {
    needs_root
    bundle_setup_file
    [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" = Y ] || return 0
    needs apparmor_parser
    profile coffer-test > "$BATS_FILE_TMPDIR/profiles"
    profile coffer-other >> "$BATS_FILE_TMPDIR/profiles"
    apparmor_parser --replace --skip-cache --quiet "$BATS_FILE_TMPDIR/profiles"
}

teardown_file() {
    [ ! -e "$BATS_FILE_TMPDIR/profiles" ] || apparmor_parser --remove --quiet "$BATS_FILE_TMPDIR/profiles"
}

setup() {
    bundle_setup
    echo hidden > "$ROOTFS/tmp/secret"
    LABELLED='.process.apparmorProfile = "coffer-test"'
    USERNS='.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.uidMappings = .linux.gidMappings'
    ALL='.root.readonly = false | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_KILL"])'
    SHOW='cat /proc/self/attr/current; cat /tmp/secret'
}

teardown() {
    bundle_teardown
}

needs_apparmor() {
    [ -e "$BATS_FILE_TMPDIR/profiles" ] || skip "needs AppArmor (make lab)"
}

needs_no() { # MODULE FILE
    [ ! -e "$2" ] || skip "$1 is on here"
}

waits() { # FILTER...
    configure_script 'sleep 100' "$@"
    oci run --detach "$ID" < /dev/null > shown 2>&1 3>&-
}

# What SHOW says under the profile.
is_confined() { # [NAME]
    has_line "${1:-coffer-test} (enforce)" && has_line "cat: can't open '/tmp/secret': Permission denied" && [[ "$output" != *hidden* ]]
}

@test "a profile where AppArmor is off is refused, and nothing is left" {
    [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" != Y ] || skip "AppArmor is on here"
    run_script "$SHOW" "$LABELLED"
    fails_with "run container \"$ID\": process.apparmorProfile: \"coffer-test\" was asked for, but this host has no AppArmor, or it is off; leave it out"
    nothing_left
    # Nothing is what everything has there.
    run_script 'echo ran' '.process.apparmorProfile = "unconfined"'
    [ "$output" = ran ]
    configure 'del(.process.apparmorProfile)'
    waits
    run oci exec --apparmor coffer-test "$ID" true
    [ "$status" -eq 255 ]
    [ "$output" = "coffer: exec in container \"$ID\": process.apparmorProfile: \"coffer-test\" was asked for, but this host has no AppArmor, or it is off; leave it out" ]
}

@test "an SELinux label where SELinux is off is refused, and nothing is left" {
    needs_no SELinux /sys/fs/selinux/enforce
    run_script true '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
    fails_with "run container \"$ID\": process.selinuxLabel: \"system_u:system_r:container_t:s0\" was asked for, but this host has no SELinux, or it is off; leave it out"
    nothing_left
    configure 'del(.process.selinuxLabel)'
    waits
    run oci exec --process-label a:b:c "$ID" true
    [ "$status" -eq 255 ]
    [ "$output" = "coffer: exec in container \"$ID\": process.selinuxLabel: \"a:b:c\" was asked for, but this host has no SELinux, or it is off; leave it out" ]
    oci exec --process-label '' --apparmor '' "$ID" true
}

@test "a mount label where SELinux is off is refused, and nothing is left" {
    needs_no SELinux /sys/fs/selinux/enforce
    run_script true '.linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"'
    fails_with "run container \"$ID\": config.json: linux.mountLabel: this host has no SELinux, or it is off; leave the label out"
    nothing_left
}

@test "what cannot be a label is refused" {
    run_script true '.process.apparmorProfile = "a\nchangeprofile b"'
    [ "$status" -eq 1 ]
    [[ "$output" == *"process.apparmorProfile: \"a"*"cannot be a label of AppArmor" ]]
    nothing_left
}

@test "the command is in its profile, for root and for another user, with a filter and without privileges" {
    needs_apparmor
    run_script "$SHOW"
    [ "$output" = $'unconfined\nhidden' ]
    FILTER='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount", "openat2", "fsopen", "setresuid"], "action": "SCMP_ACT_KILL_PROCESS"}]}'
    for filter in . '.process.user = {"uid": 1000, "gid": 1000}' '.process.noNewPrivileges = false' \
        "$FILTER | .process.noNewPrivileges = false | .process.user = {\"uid\": 1000, \"gid\": 1000}" "$FILTER | .process.noNewPrivileges = true" \
        'del(.process.capabilities)' 'del(.linux.namespaces[] | select(.type == "pid")) | .mounts |= map(select(.destination != "/proc")) + [{"destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"]}]'; do
        run_script "$SHOW" "del(.linux.seccomp) | $LABELLED | $filter"
        is_confined || {
            echo "$filter"
            return 1
        }
    done
}

@test "the command is in its profile in a user namespace" {
    needs_apparmor
    chown -hR 100000:100000 "$ROOTFS"
    run_script "$SHOW" "$LABELLED | $USERNS"
    is_confined
}

@test "a profile works over create and start, and in hooks of the container" {
    needs_apparmor
    configure_script "$SHOW" "$LABELLED | "'.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "cat /proc/self/attr/current > /tmp/hook"]}] | .root.readonly = false'
    oci create "$ID" < /dev/null > shown 2>&1 3>&-
    [ "$(cat "/proc/$(pid_of)/attr/current")" = unconfined ]
    oci start "$ID"
    wait_for has_status stopped
    output=$(< shown)
    is_confined
    [ "$(< "$ROOTFS/tmp/hook")" = "coffer-test (enforce)" ]
}

@test "exec has the container's profile, or its own" {
    needs_apparmor
    waits "$LABELLED"
    [ "$(cat "/proc/$(pid_of)/attr/current")" = "coffer-test (enforce)" ]
    run oci exec "$ID" sh -c "$SHOW"
    is_confined
    run oci exec --user 1000:1000 --no-new-privs --apparmor '' "$ID" sh -c "$SHOW"
    is_confined
    run oci exec --apparmor coffer-other "$ID" sh -c "$SHOW"
    is_confined coffer-other
    jq --arg show "$SHOW" '.process | .args = ["sh", "-c", $show] | del(.apparmorProfile)' config.json > process.json
    run oci exec --process process.json "$ID"
    is_confined
    jq --arg show "$SHOW" '.process | .args = ["sh", "-c", $show] | .apparmorProfile = "coffer-other"' config.json > process.json
    run oci exec --process process.json "$ID"
    is_confined coffer-other
    run oci exec --apparmor unconfined "$ID" sh -c "$SHOW"
    [ "$output" = $'unconfined\nhidden' ]
}

@test "exec into a user namespace whose /proc is masked has its profile" {
    needs_apparmor
    chown -hR 100000:100000 "$ROOTFS"
    waits "$USERNS"
    run oci exec --apparmor coffer-test "$ID" sh -c "$SHOW"
    is_confined
}

@test "a profile that is not loaded is an error, and nothing is left" {
    needs_apparmor
    run_script "touch /tmp/ran; $SHOW" '.process.apparmorProfile = "coffer-missing"'
    fails_with "run container \"$ID\": set the AppArmor label \"coffer-missing\" (is the profile loaded?): No such file or directory"
    nothing_left
    run oci create "$ID"
    fails_with "create container \"$ID\": set the AppArmor label \"coffer-missing\" (is the profile loaded?): No such file or directory"
    nothing_left
    [ ! -e "$ROOTFS/tmp/ran" ]
    configure "$LABELLED"
    waits
    run oci exec --apparmor coffer-missing "$ID" sh -c "$SHOW"
    [ "$status" -eq 255 ]
    [ "$output" = "coffer: exec in container \"$ID\": set the AppArmor label \"coffer-missing\" (is the profile loaded?): No such file or directory" ]
}

@test "CVE-2019-16884, CVE-2023-28642: a /proc that the image has prepared takes no label" {
    needs_apparmor
    mkdir -p "$ROOTFS/fake/self/attr/apparmor" "$ROOTFS/fake/thread-self/attr/apparmor"
    echo untouched | tee "$ROOTFS"/fake/{self,thread-self}/attr/{exec,apparmor/exec} > /dev/null
    # No procfs at all, but what looks like one.
    rm -rf "$ROOTFS/proc"
    cp -a "$ROOTFS/fake" "$ROOTFS/proc"
    run_script 'cat /tmp/secret; echo ran' "$LABELLED"' | del(.mounts[] | select(.destination == "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
    [ "$output" = $'cat: can\'t open \'/tmp/secret\': Permission denied\nran' ]
    [ "$(cat "$ROOTFS"/{proc,fake}/{self,thread-self}/attr/{exec,apparmor/exec} | sort -u)" = untouched ]
    # A link in its place: whatever is mounted, the command is confined, or there is none.
    rm -rf "$ROOTFS/proc"
    ln -s /fake "$ROOTFS/proc"
    run_script "$SHOW" "$LABELLED"
    [[ "$output" != *hidden* ]]
    [ "$(cat "$ROOTFS"/fake/{self,thread-self}/attr/{exec,apparmor/exec} | sort -u)" = untouched ]
    nothing_left
    # A volume over it is refused.
    rm "$ROOTFS/proc"
    mkdir "$ROOTFS/proc"
    run_script "$SHOW" "$LABELLED"' | .mounts |= map(select(.destination != "/proc")) + [{"destination": "/proc", "type": "none", "source": $fake, "options": ["bind"]}]' --arg fake "$ROOTFS/fake"
    [ "$status" -eq 1 ]
    [[ "$output" == *"only a proc file system can be mounted there" ]]
    nothing_left
}

@test "CVE-2025-52881: a tmpfs over a running container's /proc takes no label of exec" {
    needs_apparmor
    configure_script 'mount -t tmpfs none /proc; mkdir -p /proc/self/attr/apparmor /proc/thread-self/attr/apparmor; touch /proc/self/attr/exec /proc/self/attr/apparmor/exec; touch /tmp/ready; while [ ! -s /proc/self/attr/exec ] && [ ! -s /proc/self/attr/apparmor/exec ]; do sleep 0.1; done; touch /tmp/written; sleep 100' "$ALL"
    oci run --detach "$ID" < /dev/null > shown 2>&1 3>&-
    wait_for test -e "$ROOTFS/tmp/ready"
    for i in $(seq 12); do
        run oci exec --apparmor coffer-test "$ID" cat /tmp/secret
        [ "$output" = "cat: can't open '/tmp/secret': Permission denied" ]
    done
    oci exec --apparmor coffer-test --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    [ "$(cat "/proc/$(< pid)/attr/current")" = "coffer-test (enforce)" ]
    sleep 0.3
    [ ! -e "$ROOTFS/tmp/written" ]
}

@test "CVE-2025-52881: the same where its root could prepare all of /proc, in a user namespace" {
    needs_apparmor
    chown -hR 100000:100000 "$ROOTFS"
    mkdir -p "$ROOTFS/fake/self/attr/apparmor"
    touch "$ROOTFS/fake/self/attr/apparmor/exec" "$ROOTFS/fake/self/attr/exec"
    configure_script 'mount --bind /fake /proc && touch /tmp/ready; sleep 100' "$USERNS | $ALL"
    oci run --detach "$ID" < /dev/null > shown 2>&1 3>&-
    wait_for test -e "$ROOTFS/tmp/ready"
    run oci exec --apparmor coffer-test "$ID" cat /tmp/secret
    [ "$output" = "cat: can't open '/tmp/secret': Permission denied" ]
    oci exec --apparmor coffer-test --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    [ "$(cat "/proc/$(< pid)/attr/current")" = "coffer-test (enforce)" ]
    [ ! -s "$ROOTFS/fake/self/attr/apparmor/exec" ]
    [ ! -s "$ROOTFS/fake/self/attr/exec" ]
}
