#!/usr/bin/env bats
# The specification's own words, runtime.md, runtime-linux.md and bundle.md of version 1.3: a test for each MUST, named by its clause.
# conformance_config.bats has those of config.md, conformance_linux.bats those of config-linux.md. Where a test elsewhere has a
# clause for its subject, it is not written a second time but listed here; the last test looks whether the list is true.
#
# runtime.md State: ociVersion, id, status, pid, bundle -> oci_list.bats: state has the fields of the specification and of runc
# runtime.md State: an id is unique -> oci.bats: an id is taken once
# runtime.md Lifecycle 2: later edits of config.json change nothing -> oci.bats: create keeps the configuration: later edits change nothing
# runtime.md Lifecycle 3-5: a failing prestart, createRuntime or createContainer hook is an error -> oci_hooks.bats: a failing hook before the start ends the creation; poststop still runs
# runtime.md Lifecycle 7: a failing startContainer hook is an error and stops the container -> oci_hooks.bats: a failing startContainer hook stops the container
# runtime.md Lifecycle 9: a failing poststart hook is an error and stops the container -> oci_hooks.bats: a failing poststart hook stops the container and removes it
# runtime.md Lifecycle 13: a failing poststop hook is a warning -> oci_hooks.bats: a failing poststop hook is a warning, and the others run
# runtime.md Errors: a failed create leaves nothing -> oci.bats: a failed create leaves nothing
# runtime.md Create: an id that is in use, or not valid -> oci.bats: an id that could be a path or an option is refused
# runtime.md Start: only what is created -> oci.bats: start wants a created container
# runtime.md Start: a container without process -> oci.bats: create without a process is legal, start is not
# runtime.md Kill: only what is created or running -> oci.bats: kill wants a created or running container, and a signal that is one
# runtime.md Delete: only what is stopped -> oci.bats: delete wants a stopped container, or --force
# runtime.md Delete: a cgroup that it did not make stays -> oci_limits.bats: a cgroup that was there stays there
# runtime-linux.md: standard descriptors only -> security.bats: CVE-2024-21626: no descriptor comes in but the standard ones
# runtime-linux.md: links in /dev -> oci.bats: standard devices and links are there, whatever the configuration lists
# bundle.md: config.json must be there -> oci_config.bats: a bundle without a configuration, or none at all
# glossary.md JSON: UTF-8, no name twice -> oci_input.bats: names twice, bytes behind the end, NUL, bytes that are no UTF-8, an empty file
# config.md root: readonly -> oci.bats: the root is read-only where the configuration says so
# config.md mounts: the listed order -> oci_mounts.bats: mounts are made in their order
# config.md mounts: a relative destination is below / -> oci_mounts.bats: a relative destination is below the root, a relative source below the bundle
# config.md mounts: every option of the table is known -> oci_features.bats: all mount options are ours
# config.md mounts: recursive options -> oci_mounts.bats: ro is of the mount itself, rro of all below it
# config.md mounts: what is no option is data of the file system -> oci_mounts.bats: an option that the file system does not know is named
# config.md mounts: uidMappings and gidMappings together -> oci_mounts.bats: a bind with a mapping of its own needs no user namespace
# config.md process: cwd is absolute -> oci_config.bats: what the specification asks for must be there
# config.md process: rlimits twice -> oci_config.bats: what contradicts itself is refused
# config.md process: soft and hard limit are exact -> oci.bats: rlimits are set, soft and hard
# config.md process: capabilities -> oci.bats: the five capability sets are those of the configuration
# config.md process: oomScoreAdj set, and untouched when not -> oci_process.bats: process.oomScoreAdj: set when told, untouched when not
# config.md process: scheduler -> oci_process.bats: process.scheduler: policy, priority and nice value are the command's
# config.md process: ioPriority -> oci_process.bats: process.ioPriority: class and level are the command's
# config.md process: execCPUAffinity -> oci_exec.bats: execCPUAffinity: first before the cgroup is joined, then in it
# config.md process: user -> oci.bats: user, groups and umask are those of the configuration
# config.md hostname, domainname -> oci.bats: host and domain name are the container's
# config.md hooks: kinds, order, namespaces, state on standard input -> oci_hooks.bats: hooks run in their order, in their namespaces, with their state
# config.md hooks: the listed order -> oci_hooks.bats: several hooks of a kind run in the order of the list
# config.md hooks: timeout -> oci_hooks.bats: a hook that does not end in time is killed
# config-linux.md namespaces: new, or inherited -> oci.bats: namespaces are new ones, or the host's where the configuration has none
# config-linux.md namespaces: by path -> oci.bats: namespaces are joined by path
# config-linux.md namespaces: the path's type -> oci.bats: a path that is no namespace, or one of another type, is an error
# config-linux.md user namespace mappings -> oci.bats: a user namespace has the mapping of the configuration, and files belong to mapped ids
# config-linux.md user namespace mappings: of no ids at all -> oci_input.bats: what contradicts itself
# config-linux.md timeOffsets -> oci_process.bats: timeOffsets: the clocks are set before any process is in the namespace
# config-linux.md devices: another kind of file -> oci.bats: another kind of file at the place of a device is an error
# config-linux.md default devices -> oci.bats: standard devices and links are there, whatever the configuration lists
# config-linux.md default devices: allowed under a default of deny -> oci_limits.bats: devices are denied but those of the rules and the standard ones
# config-linux.md netDevices: a name that is taken -> oci_netdev.bats: a name that is taken inside is an error, and all come back
# config-linux.md netDevices: %d -> oci_netdev.bats: a name with %d is completed by the kernel
# config-linux.md netDevices: addresses stay, the device is up -> oci_netdev.bats: an interface is moved, with its addresses, and is up
# config-linux.md netDevices: never moved back -> oci_netdev.bats: the container's end leaves the interface to the kernel
# config-linux.md cgroupsPath: one value, one place -> oci_cgroups.bats: a relative path is one place, wherever the caller is
# config-linux.md cgroupsPath: a value that is not valid -> oci_limits.bats: a cgroup path cannot climb
# config-linux.md cgroup ownership -> oci_cgroups.bats: a user namespace with a writable cgroup is given what the kernel lists for delegation, and no more
# config-linux.md memory: checkBeforeUpdate -> oci_update.bats: a memory limit below what is in use is refused when the document says to look first
# config-linux.md unified: controllers are enabled, unknown keys written -> oci_cgroups.bats: files of version 2 are written as they are, their controllers enabled
# config-linux.md unified: no conversion -> oci_cgroups.bats: what version 2 has nothing for is refused by its name
# config-linux.md intelRdt: no resctrl is an error -> oci_rdt.bats: without a resctrl file system it is an error, before anything is made
# config-linux.md seccomp: names, errnoRet, listenerMetadata -> oci_seccomp.bats: what makes no sense is refused by its field
# config-linux.md seccomp: listenerPath, one connection, descriptors in the first message -> oci_seccomp.bats: the listener comes with the process's state, by one connection
# config-linux.md seccomp: a listener that cannot be reached is an error -> oci_seccomp.bats: without who answers nothing runs
# config-linux.md sysctl -> oci.bats: sysctls of the container's namespaces are set, the host's refused
# config-linux.md rootfsPropagation -> oci_mounts.bats: rootfsPropagation is set on the root
# config-linux.md maskedPaths -> oci.bats: masked paths are empty, and cannot be written
# config-linux.md readonlyPaths -> oci.bats: read-only paths cannot be written, nor made writable
# config-linux.md personality -> oci_process.bats: linux.personality: the command sees a machine of 32 bits
# config-linux.md memoryPolicy -> oci_process.bats: linux.memoryPolicy: mode, nodes and flags are the command's
# features.md: versions -> oci_features.bats: both ends of the range of versions are accepted
# features.md: hooks -> oci_features.bats: all hooks are run
# features.md: nothing that the version does not define -> oci_features.bats: features needs no state, and has all sections of the specification and none besides
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
}

teardown() {
    bundle_teardown
    if [ -n "${NETNS:-}" ]; then
        umount "$NETNS" 2> /dev/null || true
    fi
}

@test "runtime.md State: pid is that of the process while it is created or running; status is one of four" {
    configure '.process.args = ["sleep", "60"]'
    oci create "$ID" 3>&-
    for state in created running; do
        [ "$state" = created ] || oci start "$ID"
        has_status "$state"
        [ -d "/proc/$(pid_of)" ]
        grep -q "$ID" "/proc/$(pid_of)/cgroup"
    done
    oci kill "$ID" KILL
    wait_for has_status stopped
}

@test "runtime.md Lifecycle 2: the program is not run by create" {
    configure_script 'echo ran > /tmp/ran' '.root.readonly = false'
    oci create "$ID" 3>&-
    sleep 0.2
    [ ! -e "$ROOTFS/tmp/ran" ]
    oci start "$ID"
    wait_for test -s "$ROOTFS/tmp/ran"
}

@test "runtime.md Lifecycle 12: the container is destroyed by undoing what create did" {
    sys="/sys/fs/cgroup"
    find "$sys" -type d | sort > cgroups.before
    grep -v "$BATS_TEST_TMPDIR" /proc/self/mountinfo > mounts.before || true
    configure '.process.args = ["true"] | .linux.cgroupsPath = $path' --arg path "/$ID.parent/of/it"
    oci create "$ID" 3>&-
    find "$sys" -type d -path "*/$ID.parent/of/it" | grep -q .
    oci start "$ID"
    wait_for has_status stopped
    oci delete "$ID"
    find "$sys" -type d | grep -F "$ID" > cgroups.left || true
    [ ! -s cgroups.left ]
    [ -z "$(find "$(coffer_root)/oci" -mindepth 1 -not -name '.*')" ]
}

@test "runtime.md Errors: a create that fails at its last step leaves cgroup, mounts, network and rootfs as they were" {
    ls -lR --time-style=full-iso "$ROOTFS" > rootfs.before
    ip -o link > links.before
    configure '.process.args = ["/nowhere"] | .linux.resources.pids.limit = 20 | .linux.cgroupsPath = $path
        | .linux.devices = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}] | .linux.sysctl = {"net.ipv4.ip_forward": "1"}
        | .hostname = "changed"' --arg path "/$ID.parent/$ID"
    before=$(hostname)
    run oci create "$ID" 3>&-
    fails_with "create container \"$ID\": command \"/nowhere\": no such file or directory in the container"
    wait_for nothing_left
    ls -lR --time-style=full-iso "$ROOTFS" | diff rootfs.before -
    ip -o link | diff links.before -
    [ "$(hostname)" = "$before" ]
}

@test "runtime.md Operations: each one without an id, and with one that nobody has, is an error" {
    for verb in state start kill delete; do
        run oci "$verb"
        [ "$status" -ne 0 ]
        [ -n "$output" ]
        run oci "$verb" nobody
        fails_with 'container "nobody" does not exist'
    done
    run oci create
    [ "$status" -ne 0 ]
    run oci create --bundle "$BUNDLE"
    [ "$status" -ne 0 ]
    [ -z "$(find "$(coffer_root)" -mindepth 2 -not -name '.*' 2> /dev/null)" ]
}

@test "runtime.md Create: without a path to a bundle it is an error" {
    run oci create --bundle "$BUNDLE/none" "$ID"
    fails_with "bundle $BUNDLE/none: No such file or directory"
    run oci create --bundle "$BUNDLE/config.json" "$ID"
    [ "$status" -eq 1 ]
    nothing_left
}

@test "runtime.md Create: all but process is applied by create" {
    mkdir source
    echo bound > source/file
    configure '.process.args = ["sleep", "60"] | .hostname = "applied" | .linux.sysctl = {"net.ipv4.ip_default_ttl": "77"}
        | .linux.resources.pids.limit = 33 | .root.readonly = true | .linux.maskedPaths += ["/etc/passwd"]
        | .mounts += [{"destination": "/mnt", "type": "bind", "source": "source", "options": ["bind", "ro"]}]'
    mkdir "$ROOTFS/mnt"
    oci create "$ID" 3>&-
    pid=$(pid_of)
    [ "$(nsenter --uts --target "$pid" hostname)" = applied ]
    [ "$(< "/proc/$pid/root/mnt/file")" = bound ]
    [ ! -s "/proc/$pid/root/etc/passwd" ]
    run ! touch "/proc/$pid/root/x"
    [ "$(nsenter --net --target "$pid" cat /proc/sys/net/ipv4/ip_default_ttl)" = 77 ]
    find /sys/fs/cgroup -path "*$ID/pids.max" -exec cat {} + | grep -qx 33
    # And process is not: the caller's own limits, groups and capabilities are of no concern here, but the program.
    [[ "$(readlink "/proc/$pid/exe")" == /memfd:coffer-init* ]]
}

@test "runtime.md Create: a property that cannot be applied is an error, and there is no container" {
    for filter in '.linux.sysctl = {"net.ipv4.nothing_like_it": "1"}' '.linux.devices = [{"path": "/etc/passwd", "type": "c", "major": 1, "minor": 3}]' \
        '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/net" else . end)' '.linux.resources.hugepageLimits = [{"pageSize": "3MB", "limit": 0}]' \
        '.mounts += [{"destination": "/proc/nothing", "type": "tmpfs", "source": "t"}]'; do
        cp config.json kept
        configure "$filter"
        run oci create "$ID" 3>&-
        [ "$status" -eq 1 ]
        [[ "$output" == "coffer: create container \"$ID\": "* ]]
        [ "${#lines[@]}" -eq 1 ]
        wait_for nothing_left
        mv kept config.json
    done
}

@test "runtime.md Start: on what is running it changes nothing" {
    configure_script 'echo once >> /tmp/ran; sleep 60' '.root.readonly = false'
    oci create "$ID" 3>&-
    oci start "$ID"
    wait_for test -s "$ROOTFS/tmp/ran"
    pid=$(pid_of)
    run ! oci start "$ID"
    [ "$(pid_of)" = "$pid" ]
    has_status running
    [ "$(wc -l < "$ROOTFS/tmp/ran")" -eq 1 ]
}

@test "runtime.md Kill: the process gets the signal that was asked for" {
    configure_script 'trap "echo USR1 >> /tmp/got" USR1; trap "echo HUP >> /tmp/got" HUP; touch /tmp/ready; while :; do sleep 0.05; done' '.root.readonly = false'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    wait_for test -e "$ROOTFS/tmp/ready"
    oci kill "$ID" USR1
    wait_for grep -q USR1 "$ROOTFS/tmp/got"
    oci kill "$ID" 1
    wait_for grep -q HUP "$ROOTFS/tmp/got"
    has_status running
    oci kill "$ID" KILL
    wait_for has_status stopped
}

@test "runtime.md Kill: without a signal it is TERM" {
    configure_script 'trap "echo TERM > /tmp/got; exit 0" TERM; touch /tmp/ready; while :; do sleep 0.05; done' '.root.readonly = false'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    wait_for test -e "$ROOTFS/tmp/ready"
    oci kill "$ID"
    wait_for has_status stopped
    [ "$(< "$ROOTFS/tmp/got")" = TERM ]
}

@test "runtime.md Kill: a stopped container is left as it is" {
    configure '.process.args = ["true"]'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    wait_for has_status stopped
    oci state "$ID" > before
    run oci kill "$ID" KILL
    fails_with "kill container \"$ID\": container not running: it is stopped"
    oci state "$ID" | diff before -
}

@test "runtime.md Delete: what is created or running stays as it is" {
    configure '.process.args = ["sleep", "60"]'
    oci create "$ID" 3>&-
    for state in created running; do
        [ "$state" = created ] || oci start "$ID"
        oci state "$ID" > before
        run ! oci delete "$ID"
        oci state "$ID" | diff before -
        has_status "$state"
    done
}

@test "runtime.md Delete: namespaces, directories and files that create did not make stay" {
    NETNS=$BUNDLE/netns
    touch "$NETNS"
    unshare --net sh -c 'ip link set lo up; mount --bind /proc/self/ns/net "$0"' "$NETNS"
    mkdir -p source "$ROOTFS/there"
    touch source/file
    configure '.process.args = ["true"] | .linux.namespaces |= map(if .type == "network" then .path = $path else . end)
        | .mounts += [{"destination": "/there", "type": "bind", "source": "source", "options": ["bind"]}]' --arg path "$NETNS"
    before=$(stat -L -c %i "$NETNS")
    oci run "$ID"
    oci create "$ID" 3>&-
    oci delete --force "$ID"
    [ "$(stat -L -c %i "$NETNS")" = "$before" ]
    nsenter --net="$NETNS" ip link show lo | grep -q UP
    [ -e source/file ] && [ -d "$ROOTFS/there" ] && [ -e config.json ]
    umount "$NETNS"
    nothing_left
}

@test "runtime-linux.md: no link in /dev where there is no /proc for it to lead to" {
    configure 'del(.mounts[] | select(.destination == "/proc")) | del(.linux.maskedPaths, .linux.readonlyPaths) | .process.args = ["ls", "/dev"]'
    run oci run "$ID"
    [ "$status" -eq 0 ]
    for link in fd stdin stdout stderr; do
        ! grep -qx "$link" <<< "$output" || false
    done
    grep -qx null <<< "$output"
}

@test "bundle.md: config.json is found in the bundle, whatever the caller's directory" {
    configure '.process.args = ["echo", "found"]'
    cd /
    run oci run --bundle "$BUNDLE" "$ID"
    [ "$output" = found ]
}

# --- the table ---

@test "every clause of the table has its test" {
    table=$(sed -n 's/^# \(.*\) -> \(.*\.bats\): \(.*\)$/\2 \3/p' "$BATS_TEST_FILENAME")
    [ "$(wc -l <<< "$table")" -ge 60 ]
    while read -r file name; do
        grep -qxF "@test \"$name\" {" "$BATS_TEST_DIRNAME/$file" || { echo "$file has no test \"$name\""; missing=1; }
    done <<< "$table"
    [ -z "${missing:-}" ]
}
