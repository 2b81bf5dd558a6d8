#!/usr/bin/env bats
# The specification's own words, config.md of version 1.3: what no other file tests (conformance.bats has the list of those that are).
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    cp config.json good
}

teardown() {
    bundle_teardown
}

refuses() {
    cp good config.json
    configure "$1"
    run timeout -k 1 20 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    fails_with "$2"
    nothing_left
}

accepts() {
    cp good config.json
    configure '.process.args = ["true"] | '"$1"
    run oci run "$ID"
    [ "$status" -eq 0 ] && [ -z "$output" ]
}

@test "config.md ociVersion: must be a semantic version" {
    for version in 1 1.0 1.0.0.0 1.2.x 01.0.0 1.00.0 1.0.0- 1.0.0+ 1.0.0-a..b 1.0.0-a_b v1.0.0 ' 1.0.0' '1.0.0 '; do
        refuses ".ociVersion = \"$version\"" "config.json: ociVersion: expected a version like 1.2.0, found \"$version\""
    done
    for version in 1.0.0 1.0.2-dev 1.0.0-rc5 1.3.0+build.7 1.2.0-rc.1-x+y-z; do
        accepts ".ociVersion = \"$version\""
    done
    refuses '.ociVersion = "0.9.0"' 'config.json: ociVersion: expected version 1.x, found "0.9.0"'
    refuses '.ociVersion = "10.0.0"' 'config.json: ociVersion: expected version 1.x, found "10.0.0"'
}

@test "config.md root: a directory must exist at path" {
    refuses '.root.path = "nowhere"' "run container \"$ID\": open root file system $BUNDLE/nowhere: No such file or directory"
    refuses '.root.path = "config.json"' "run container \"$ID\": config.json: root.path: $BUNDLE/config.json is not a directory"
    refuses 'del(.root.path)' 'config.json: root.path: expected a string, found nothing'
    mv rootfs elsewhere
    accepts ".root.path = \"$BUNDLE/elsewhere\""
}

@test "config.md mounts: bind is told by the options, not by the type" {
    mkdir source
    echo bound > source/file
    for type in '"none"' '"bind"' '"tmpfs"' '"nonsense"' null; do
        for option in bind rbind; do
            cp good config.json
            run_script 'cat /mnt/file' ".root.readonly = false | .mounts += [{\"destination\": \"/mnt\", \"source\": \"source\", \"options\": [\"$option\"]}
                + if $type then {\"type\": $type} else {} end]"
            [ "$output" = bound ]
        done
    done
    # And the type alone makes none.
    refuses '.mounts += [{"destination": "/mnt", "type": "bind", "source": "source", "options": ["ro"]}]' \
        "run container \"$ID\": config.json: mounts[7].options: a bind mount needs bind or rbind among them, whatever its type"
}

# The option, and what /proc/self/mountinfo says of a tmpfs with it.
@test "config.md mounts: each option of the table does what mount(8) says of it" {
    while read -r options expected; do
        cp good config.json
        run_script 'grep " /mnt " /proc/self/mountinfo | sed "s/ - tmpfs [^ ]*//" | cut -d" " -f6-' '.root.readonly = false
            | .mounts += [{"destination": "/mnt", "type": "tmpfs", "source": "t", "options": ($options / ",")}]' --arg options "$options"
        [ "$status" -eq 0 ] || { echo "$options: $output"; return 1; }
        shown=",${output//[ ]/,},"
        for word in ${expected//,/ }; do
            case $word in
            !*) [[ "$shown" != *",${word#!},"* ]] || { echo "$options: $word in $shown"; return 1; } ;;
            *) [[ "$shown" == *",$word,"* ]] || { echo "$options: no $word in $shown"; return 1; } ;;
            esac
        done
    done << 'END'
defaults rw,relatime,!nosuid,!nodev,!noexec,!ro
ro ro
rw rw,!ro
ro,rw rw
nosuid nosuid
nosuid,suid !nosuid
nodev nodev
nodev,dev !nodev
noexec noexec
noexec,exec !noexec
noatime noatime
noatime,atime relatime,!noatime
relatime relatime
norelatime !noatime
strictatime !relatime,!noatime
nostrictatime relatime
nodiratime nodiratime
nodiratime,diratime !nodiratime
sync sync
sync,async !sync
dirsync dirsync
lazytime lazytime
lazytime,nolazytime !lazytime
nosymfollow nosymfollow
nosymfollow,symfollow !nosymfollow
silent rw
loud rw
private !shared:
END
}

@test "config.md mounts: idmap without a mapping of its own needs a user namespace" {
    mkdir source
    for option in idmap ridmap; do
        refuses ".mounts += [{\"destination\": \"/mnt\", \"type\": \"none\", \"source\": \"source\", \"options\": [\"rbind\", \"$option\"]}]" \
            "run container \"$ID\": config.json: mounts[7].options: idmap needs a user namespace of the container's, or uidMappings and gidMappings of the mount"
    done
    refuses '.mounts += [{"destination": "/mnt", "source": "source", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]' \
        'config.json: mounts[7].uidMappings: needs gidMappings beside it'
    refuses '.mounts += [{"destination": "/mnt", "source": "source", "options": ["bind"], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]' \
        'config.json: mounts[7].gidMappings: needs uidMappings beside it'
}

@test "config.md process: consoleSize is ignored without a terminal" {
    accepts '.process.consoleSize = {"height": 21, "width": 43}'
    accepts 'del(.process.terminal) | .process.consoleSize = {"height": 21, "width": 43}'
}

@test "config.md process: a limit that the kernel does not have is an error" {
    refuses '.process.rlimits = [{"type": "RLIMIT_NOPE", "soft": 1, "hard": 1}]' \
        'config.json: process.rlimits[0].type: expected the name of a resource limit like RLIMIT_NOFILE, found "RLIMIT_NOPE"'
    for limit in AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK; do
        soft=$(prlimit --noheadings --raw --output SOFT "--${limit,,}" 2> /dev/null || echo unlimited)
        hard=$(prlimit --noheadings --raw --output HARD "--${limit,,}" 2> /dev/null || echo unlimited)
        accepts ".process.rlimits = [{\"type\": \"RLIMIT_$limit\", \"soft\": ${soft/unlimited/1048576000}, \"hard\": ${hard/unlimited/1048576000}}]"
    done
}

@test "config.md process: a capability that is unknown or cannot be granted is a warning, and the container runs" {
    run_script 'grep CapBnd /proc/self/status' '.process.capabilities.bounding += ["CAP_NOPE"]'
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = 'coffer: warning: config.json: process.capabilities.bounding[3]: "CAP_NOPE" is not a known capability and is left out' ]
    cp good config.json
    configure_script 'grep -E "Cap(Bnd|Eff)" /proc/self/status; echo ran' '.process.capabilities |= map_values(["CAP_KILL", "CAP_SYS_TIME"])'
    run setpriv --bounding-set=-sys_time --inh-caps=-sys_time -- "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$status" -eq 0 ]
    [[ "$output" == *warning*CAP_SYS_TIME* ]]
    has_line $'CapBnd:\t0000000000000020'
    has_line $'CapEff:\t0000000000000020'
    has_line ran
}

@test "config.md process: args must have an entry, env may be missing" {
    refuses '.process.args = []' 'config.json: process.args: must not be empty'
    cp good config.json
    configure '.process.args = ["/bin/true"] | del(.process.env)'
    oci run "$ID"
}

@test "config.md hooks: prestart and createRuntime come before pivot_root, in namespaces that are there" {
    cat > hook.sh << 'END'
#!/bin/sh
pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -1)
# The root that the container's process has: still the caller's, not the image's.
[ ! -e "/proc/$pid/root/bin/busybox-of-the-image" ] && echo "$1 before" >> "$2/log"
[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] && echo "$1 network" >> "$2/log"
exit 0
END
    chmod +x hook.sh
    touch "$ROOTFS/bin/busybox-of-the-image"
    configure --arg bundle "$BUNDLE" '.process.args = ["true"] | .hooks = ({"prestart": "prestart", "createRuntime": "createRuntime", "poststart": "poststart"}
        | map_values([{"path": ($bundle + "/hook.sh"), "args": ["hook.sh", ., $bundle]}]))'
    configure '.process.args = ["sleep", "0.3"]'
    oci run "$ID"
    [ "$(< log)" = $'prestart before\nprestart network\ncreateRuntime before\ncreateRuntime network\npoststart network' ]
}

@test "config.md hooks: createContainer is found outside and run inside, startContainer wholly inside" {
    cp "$(command -v busybox)" outside-only
    cp "$(command -v busybox)" "$ROOTFS/bin/inside-only"
    hook='{"path": $path, "args": ["sh", "-c", "{ readlink /proc/self/ns/mnt; readlink /proc/self/ns/net; } > " + $out]}'
    configure --arg path "$BUNDLE/outside-only" --arg out "$BUNDLE/out" ".process.args = [\"true\"] | .hooks.createContainer = [$hook]"
    oci run "$ID"
    run ! grep -qxF "$(readlink /proc/self/ns/mnt)" out
    run ! grep -qxF "$(readlink /proc/self/ns/net)" out
    cp good config.json
    configure --arg path /bin/inside-only --arg out /tmp/out ".root.readonly = false | .process.args = [\"true\"] | .hooks.startContainer = [$hook]"
    oci run "$ID"
    run ! grep -qxF "$(readlink /proc/self/ns/mnt)" "$ROOTFS/tmp/out"
    # Each in the other's place is not there.
    configure --arg path "$BUNDLE/outside-only" --arg out /tmp/out ".hooks.startContainer = [$hook]"
    run oci run "$ID"
    fails_with "run container \"$ID\": startContainer: start hook $BUNDLE/outside-only: No such file or directory"
    configure --arg path /bin/inside-only --arg out /tmp/out "del(.hooks.startContainer) | .hooks.createContainer = [$hook]"
    run oci run "$ID"
    fails_with "run container \"$ID\": createContainer: start hook /bin/inside-only: No such file or directory"
}

@test "config.md hooks: poststart comes after the process began and before start returns" {
    configure_script 'echo began > /tmp/began; sleep 60' '.root.readonly = false | .hooks.poststart = [{"path": "/bin/sh", "args": ["sh", "-c", $text]}]' \
        --arg text "sleep 0.3; cp $ROOTFS/tmp/began $BUNDLE/seen"
    oci create "$ID" 3>&-
    [ ! -e seen ]
    oci start "$ID"
    [ "$(< seen)" = began ]
}

@test "config.md hooks: poststop comes after the container is deleted and before delete returns" {
    configure '.process.args = ["true"] | .linux.cgroupsPath = $id | .hooks.poststop = [{"path": "/bin/sh", "args": ["sh", "-c", $text]}]' --arg id "/$ID" \
        --arg text "sleep 0.2; { find /sys/fs/cgroup -type d -name '$ID*'; ls -d $(coffer_root)/oci/$ID; echo called; } > $BUNDLE/seen 2> /dev/null"
    oci create "$ID" 3>&-
    oci start "$ID"
    wait_for has_status stopped
    [ ! -e seen ]
    oci delete "$ID"
    [ "$(< seen)" = called ]
}

@test "config.md annotations: keys are not empty, values are strings, unknown ones are no error" {
    refuses '.annotations = {"": "x"}' 'config.json: annotations: names must not be empty'
    refuses '.annotations = {"a": 1}' 'config.json: annotations.a: expected a string, found a number'
    refuses '.annotations = ["a"]' 'config.json: annotations: expected an object of strings, found an array'
    accepts '.annotations = {"com.example.unknown": "x", "org.opencontainers.future": "y", "empty": ""}'
}

@test "config.md extensibility: unknown properties are ignored at every depth" {
    accepts '.unknown = {"a": [1, {"b": null}]} | .process.unknown = 1 | .process.user.unknown = "x" | .root.unknown = true | .mounts[0].unknown = []
        | .linux.unknown = {} | .linux.resources.unknown = {"limit": -1} | .linux.namespaces[0].unknown = 0 | .windows = {"layerFolders": []} | .vm = {}'
}

@test "config.md valid values: what is invalid or not supported is an error, wherever it stands" {
    refuses '.mounts[0].destination = 5' 'config.json: mounts[0].destination: expected a string, found a number'
    refuses '.process.noNewPrivileges = "yes"' 'config.json: process.noNewPrivileges: expected true or false, found a string'
    refuses '.linux.rootfsPropagation = "nope"' 'config.json: linux.rootfsPropagation: expected one of private, rprivate, rshared, rslave, runbindable, shared, slave, unbindable, found "nope"'
    refuses '.linux.seccomp = {"defaultAction": "SCMP_ACT_NOPE"}' 'config.json: linux.seccomp.defaultAction: expected one of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_TRAP, found "SCMP_ACT_NOPE"' ||
        [[ "$output" == *"linux.seccomp.defaultAction"*'found "SCMP_ACT_NOPE"' ]]
    refuses '.linux.devices = [{"path": "/dev/x", "type": "z"}]' 'config.json: linux.devices[0].type: expected one of b, c, p, u, found "z"'
}
