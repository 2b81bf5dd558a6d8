#!/usr/bin/env bats
# The features document: complete, and true, which is tried: each thing that it lists is given to the runtime.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    FEATURES=$BATS_TEST_TMPDIR/features.json
    oci features > "$FEATURES"
}

teardown() {
    bundle_teardown
}

feature() {
    jq -r "$1" "$FEATURES"
}

@test "features needs no state, and has all sections of the specification and none besides" {
    env -i "$COFFER_OCI" --root /nowhere features | cmp - "$FEATURES"
    [ "$(feature 'keys_unsorted | join(" ")')" = \
        "ociVersionMin ociVersionMax hooks mountOptions linux annotations potentiallyUnsafeConfigAnnotations" ]
    [ "$(feature '.linux | keys - ["memoryPolicy"] | join(" ")')" = \
        "apparmor capabilities cgroup intelRdt mountExtensions namespaces netDevices seccomp selinux" ]
    [ "$(feature '.ociVersionMin, .ociVersionMax' | tr '\n' ' ')" = "1.0.0 1.3.0 " ]
    [ "$(feature '.linux.cgroup | keys_unsorted | join(" ")')" = "v1 v2 systemd systemdUser rdma" ]
    [ "$(feature '.linux.seccomp | keys_unsorted | join(" ")')" = "enabled actions operators archs knownFlags supportedFlags" ]
    [ "$(feature '.linux.intelRdt | keys_unsorted | join(" ")')" = "enabled schemata monitoring" ]
    # The types of the schema: lists of different strings, booleans, texts.
    feature '[.hooks, .mountOptions, .potentiallyUnsafeConfigAnnotations, .linux.namespaces, .linux.capabilities, .linux.seccomp.actions,
        .linux.seccomp.operators, .linux.seccomp.archs, .linux.seccomp.knownFlags, .linux.seccomp.supportedFlags]
        | map(type == "array" and all(.[]; type == "string") and (unique | length) == length) | all' | grep -qx true
    feature '[.linux.cgroup[], .linux.seccomp.enabled, .linux.apparmor.enabled, .linux.selinux.enabled, .linux.intelRdt[],
        .linux.mountExtensions.idmap.enabled, .linux.netDevices.enabled] | map(type == "boolean") | all' | grep -qx true
    feature '.annotations | map_values(type == "string") | all' | grep -qx true
    [ "$(feature '.linux.seccomp.supportedFlags - .linux.seccomp.knownFlags | length')" -eq 0 ]
}

@test "features lists what runc lists" {
    needs runc
    runc features > runc.json || skip "this runc has no features"
    local list
    for list in .hooks .mountOptions .linux.namespaces .linux.capabilities .linux.seccomp.actions .linux.seccomp.operators \
        .linux.seccomp.archs; do
        # ACLs and i_version are a file system's options.
        missing=$(jq -rn --slurpfile theirs runc.json --slurpfile ours "$FEATURES" \
            "(\$theirs[0] | $list) - (\$ours[0] | $list) - [\"acl\", \"noacl\"] | join(\" \")")
        [ -z "$missing" ] || {
            echo "$list: $missing"
            return 1
        }
    done
}

# accepted FILTER [ARGS...]: the runtime does not refuse a configuration with it as unknown or unsupported. It need not come to run.
accepted() {
    cp config.json kept.json
    configure "$@"
    run oci run "$ID"
    mv kept.json config.json
    [[ "$output" != *"not supported by this version"* && "$output" != *"expected one of"* && "$output" != *"is not a known"* ]] || {
        echo "$*: $output"
        return 1
    }
}

@test "both ends of the range of versions are accepted" {
    configure '.process.args = ["true"]'
    for version in $(feature '.ociVersionMin, .ociVersionMax'); do
        configure '.ociVersion = $version' --arg version "$version"
        oci run "$ID"
    done
}

@test "all hooks are run" {
    configure '.process.args = ["true"] | .hooks = ($features[0].hooks | map({(.): [{"path": "/bin/sh", "args": ["sh", "-c", "echo \(.) >> \($out)"]}]}) | add)
        | .mounts += [{"destination": $dir, "type": "none", "source": $dir, "options": ["bind"]}]' \
        --slurpfile features "$FEATURES" --arg out "$BATS_TEST_TMPDIR/hooks" --arg dir "$BATS_TEST_TMPDIR"
    oci run "$ID"
    [ "$(sort "$BATS_TEST_TMPDIR/hooks")" = "$(feature '.hooks[]' | sort)" ]
}

# One tmpfs for each: an option that were not ours would go to the file system, which refuses it.
@test "all mount options are ours" {
    configure '.process.args = ["true"] | .root.readonly = false | .mounts += ($features[0].mountOptions
        - ["bind", "rbind", "remount", "idmap", "ridmap", "tmpcopyup", "mand", "iversion"] | map({"destination": "/mnt/\(.)", "type": "tmpfs",
            "source": "none", "options": [.]}))' --slurpfile features "$FEATURES"
    oci run "$ID"
    configure '.mounts += [{"destination": "/mnt/not-ours", "type": "tmpfs", "source": "none", "options": ["not-ours"]}]'
    run oci run "$ID"
    [ "$status" -eq 1 ]
}

@test "all capabilities are known" {
    configure '.process.args = ["true"] | .process.capabilities.bounding = $features[0].linux.capabilities' --slurpfile features "$FEATURES"
    run oci run "$ID"
    [[ "$output" != *"is not a known capability"* ]]
    # Every one that the kernel of this host has is in the list.
    [ "$(feature '.linux.capabilities | length')" -gt "$(cat /proc/sys/kernel/cap_last_cap)" ]
}

@test "all namespaces are made" {
    for type in $(feature '.linux.namespaces[]'); do
        accepted '.process.args = ["true"] | if any(.linux.namespaces[]; .type == $type) then . else .linux.namespaces += [{"type": $type}] end
            | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings
            | if any(.linux.namespaces[]; .type == "user") then . else del(.linux.uidMappings, .linux.gidMappings) end' --arg type "$type"
    done
}

@test "all of seccomp is accepted" {
    [ "$(feature .linux.seccomp.enabled)" = true ]
    local name
    for name in $(feature '.linux.seccomp.actions[]'); do
        accepted '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": $name}]}' --arg name "$name"
    done
    for name in $(feature '.linux.seccomp.operators[]'); do
        accepted '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": 1, "valueTwo": 1, "op": $name}]}]}' --arg name "$name"
    done
    for name in $(feature '.linux.seccomp.archs[]'); do
        accepted '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [$name]}' --arg name "$name"
    done
    for name in $(feature '.linux.seccomp.supportedFlags[] | select(contains("WAIT_KILLABLE") | not)'); do
        configure '.process.args = ["true"] | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "flags": [$name],
            "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}' --arg name "$name"
        oci run "$ID"
    done
}

@test "what is claimed of memory policies, labels, devices of networks and caches is not refused" {
    local name
    for name in $(feature '.linux.memoryPolicy.modes // [] | .[]'); do
        accepted '.linux.memoryPolicy = {"mode": $name, "nodes": "0"}' --arg name "$name"
    done
    [ "$(feature .linux.netDevices.enabled)" = false ] || accepted '.linux.netDevices = {"nosuchdevice": {}}'
    [ "$(feature .linux.intelRdt.enabled)" = false ] || accepted '.linux.intelRdt = {"closID": "x", "enableMonitoring": true}'
    [ "$(feature .linux.apparmor.enabled)" = false ] || accepted '.process.apparmorProfile = "nosuchprofile"'
    [ "$(feature .linux.selinux.enabled)" = false ] || accepted '.process.selinuxLabel = "system_u:system_r:nosuch_t:s0"'
}

@test "what is claimed of cgroup managers is not refused" {
    configure '.process.args = ["true"]'
    if [ "$(feature .linux.cgroup.systemd)" = true ]; then
        run oci --systemd-cgroup run "$ID"
        [[ "$output" != *"this version"* ]]
    fi
}
