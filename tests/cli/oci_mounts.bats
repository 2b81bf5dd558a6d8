#!/usr/bin/env bats
# The low level: mounts of the configuration, as the container sees them and as the host does.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    mkdir source
    echo outside > source/file
    WRITABLE='.root.readonly = false | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE"])'
    BIND='.root.readonly = false | .mounts += [{"destination": "/m", "type": "bind", "source": $source, "options": $options}]'
}

teardown() {
    bundle_teardown
}

# A bind mount of source on /m with these options, and the script in it.
run_bound() {
    local options=$1 text=$2
    shift 2
    run_script "$text" "$BIND" --arg source "$BUNDLE/source" --argjson options "$options" "$@"
}

# The same, with mounts below the source, in a mount namespace of the test's own.
run_with_submount() {
    configure_script "$2" "$BIND" --arg source "$BUNDLE/source" --argjson options "$1"
    # shellcheck disable=SC2016 # the inner shell's
    run unshare -m --propagation private sh -c 'mkdir -p source/below && mount -t tmpfs t source/below && echo inside > source/below/file &&
        exec "$0" --root "$1" run "$2"' "$COFFER_OCI" "$(coffer_root)/oci" "$ID"
}

@test "a bind mount shows the host's directory, and what is written there" {
    run_bound '["bind"]' 'cat /m/file; echo new > /m/new'
    [ "$output" = outside ]
    [ "$(< source/new)" = new ]
    nothing_left
}

@test "a read-only bind mount cannot be written, whatever the other options" {
    run_bound '["bind", "ro", "nosuid", "nodev", "noexec"]' 'echo x > /m/file; grep " /m " /proc/self/mountinfo'
    [[ "$output" == *"/m/file: Read-only file system"* ]]
    [[ "${lines[-1]}" == *" ro,nosuid,nodev,noexec"* ]]
    [ "$(< source/file)" = outside ]
    run_bound '["rw", "rbind", "ro"]' 'echo x > /m/file'
    [[ "$output" == *"Read-only file system"* ]]
}

@test "bind leaves out what is mounted below, rbind brings it" {
    run_with_submount '["bind"]' 'cat /m/file; ls /m/below'
    [ "$output" = outside ]
    run_with_submount '["rbind"]' 'cat /m/file /m/below/file'
    [ "$output" = $'outside\ninside' ]
}

@test "ro is of the mount itself, rro of all below it" {
    run_with_submount '["rbind", "ro"]' 'echo a > /m/file; echo b > /m/below/file; cat /m/below/file'
    [[ "$output" == *"/m/file: Read-only file system"* ]]
    [ "${lines[-1]}" = b ]
    run_with_submount '["rbind", "rro"]' 'echo a > /m/file; echo b > /m/below/file; cat /m/below/file'
    [[ "$output" == *"/m/file: Read-only file system"*"/m/below/file: Read-only file system"* ]]
    [ "${lines[-1]}" = inside ]
    run_with_submount '["rbind", "rro", "rnosuid", "rnodev"]' 'grep " /m/below " /proc/self/mountinfo'
    [[ "$output" == *" ro,nosuid,nodev"* ]]
}

@test "a file is bound onto a file, and onto nothing" {
    touch "$ROOTFS/there"
    run_script 'cat /there /a/b/missing; echo changed > /there' "$WRITABLE"' | .mounts +=
        [{"destination": "/there", "type": "bind", "source": $file, "options": ["bind"]},
         {"destination": "/a/b/missing", "source": $file, "options": ["bind", "ro"]}]' --arg file "$BUNDLE/source/file"
    [ "$output" = $'outside\noutside' ]
    [ "$(< source/file)" = changed ]
    [ ! -s "$ROOTFS/there" ]
}

@test "file onto directory and directory onto file are errors" {
    run_script true '.mounts += [{"destination": "/etc", "type": "bind", "source": $file, "options": ["bind"]}]' \
        --arg file "$BUNDLE/source/file"
    fails_with "run container \"$ID\": mount /etc: /etc in the root file system is not a file"
    run_script true '.mounts[-1] = {"destination": "/etc/passwd", "type": "bind", "source": $dir, "options": ["bind"]}' \
        --arg dir "$BUNDLE/source"
    fails_with "run container \"$ID\": mount /etc/passwd: make directory /etc/passwd in the root file system: Not a directory"
    nothing_left
}

@test "a relative destination is below the root, a relative source below the bundle" {
    run_script 'cat /rel/dir/file' "$WRITABLE"' | .mounts +=
        [{"destination": "rel/dir", "type": "bind", "source": "source", "options": ["bind"]}]'
    [ "$output" = outside ]
}

@test "mounts are made in their order" {
    mkdir second
    echo second > second/file
    run_script 'cat /m/file /m/in/file' "$WRITABLE"' | .mounts +=
        [{"destination": "/m", "type": "bind", "source": "source", "options": ["bind"]},
         {"destination": "/m", "type": "tmpfs", "source": "t"},
         {"destination": "/m/in", "type": "bind", "source": "source", "options": ["bind"]},
         {"destination": "/m/file", "type": "bind", "source": "second/file", "options": ["bind"]}]'
    [ "$output" = $'second\noutside' ]
}

@test "a tmpfs has its size, mode and owner" {
    run_script 'stat -c "%a %u:%g" /t; dd if=/dev/zero of=/t/x bs=1024 count=2000 2>&1 | grep -o "No space left on device"
        grep " /t " /proc/self/mountinfo; stat -f -c "%b %S" /t' "$WRITABLE"' | .mounts +=
        [{"destination": "/t", "type": "tmpfs", "source": "t", "options": ["size=1m", "mode=1750", "uid=5", "gid=6", "noexec"]}]'
    [ "${lines[0]}" = "1750 5:6" ]
    [ "${lines[1]}" = "No space left on device" ]
    [[ "${lines[2]}" == *noexec* ]]
    [ "${lines[3]}" = "256 4096" ]
}

@test "tmpcopyup copies what the image has there" {
    mkdir -p "$ROOTFS/data/deep/er"
    echo text > "$ROOTFS/data/deep/file"
    ln -s deep/file "$ROOTFS/data/link"
    chmod 640 "$ROOTFS/data/deep/file"
    chown 7:8 "$ROOTFS/data/deep/file"
    chmod 711 "$ROOTFS/data"
    run_script 'cat /data/link; stat -c "%a %u:%g" /data/deep/file; stat -c %a /data; readlink /data/link; echo x > /data/new; ls /data/deep' \
        "$WRITABLE"' | .mounts += [{"destination": "/data", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]}]'
    [ "$output" = $'text\n640 7:8\n711\ndeep/file\ner\nfile' ]
    [ ! -e "$ROOTFS/data/new" ]
}

@test "an option that the file system does not know is named" {
    run_script true '.mounts += [{"destination": "/t", "type": "tmpfs", "source": "t", "options": ["colour=red"]}]'
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: run container \"$ID\": mount /t: option colour=red: Invalid argument"* ]]
    run_script true '.mounts[-1] = {"destination": "/t", "type": "nofs", "source": "t"}'
    [[ "$output" == "coffer: run container \"$ID\": mount /t: file system type nofs is unknown to this kernel"* ]]
    run_script true '.mounts[-1] = {"destination": "/t", "source": "t"}'
    fails_with "run container \"$ID\": config.json: mounts[7].type: expected a type of file system, or the option bind"
    run_script true '.mounts[-1] = {"destination": "/t", "type": "bind", "options": ["bind"]}'
    fails_with "run container \"$ID\": config.json: mounts[7].source: a bind mount needs one"
    run_script true '.mounts[-1] = {"destination": "/t", "type": "bind", "source": "/nowhere", "options": ["bind"]}'
    fails_with "run container \"$ID\": mount /t: mounts[7].source: open /nowhere: No such file or directory"
    nothing_left
}

@test "propagation is the container's own business unless it is asked for" {
    run_bound '["bind"]' 'grep " /m " /proc/self/mountinfo; grep " / / " /proc/self/mountinfo || head -1 /proc/self/mountinfo'
    [[ "$output" != *shared:* ]]
    configure 'del(.mounts[-1])'
    for row in rshared:shared: shared:shared: rprivate: private: unbindable:unbindable; do
        run_bound "[\"rbind\", \"${row%%:*}\"]" 'grep " /m " /proc/self/mountinfo | cut -d" " -f7-'
        [ "$status" -eq 0 ]
        [ -z "${row#*:}" ] || [[ "$output" == *"${row#*:}"* ]]
        [ -n "${row#*:}" ] || [[ "$output" == "- "* ]]
        configure 'del(.mounts[-1])'
    done
}

@test "a slave mount gets what is mounted on the host later, and gives nothing back" {
    configure_script 'echo ready; while [ ! -e /m/below/file ]; do sleep 0.02; done; cat /m/below/file; mount -t tmpfs back /m/back && touch /m/back/x' \
        "$BIND"' | .process.capabilities |= map_values(["CAP_SYS_ADMIN"])' --arg source "$BUNDLE/source" --argjson options '["rbind", "rslave"]'
    mkdir source/below source/back
    # shellcheck disable=SC2016 # the inner shell's
    run timeout -k 1 20 unshare -m --propagation private sh -c 'mount --bind source source && mount --make-shared source || exit 99
        "$0" --root "$1" run "$2" > out 2>&1 & until grep -qs ready out; do sleep 0.02; done
        mount -t tmpfs t source/below && echo later > source/below/file; wait $!; echo "code $?"; cat out; ls source/back' \
        "$COFFER_OCI" "$(coffer_root)/oci" "$ID"
    [ "$output" = $'code 0\nready\nlater' ]
}

@test "rootfsPropagation is set on the root" {
    for row in shared:shared slave: private: unbindable:unbindable; do
        run_script 'awk "\$5 == \"/\"" /proc/self/mountinfo | cut -d" " -f7-' ".linux.rootfsPropagation = \"${row%%:*}\""
        [ "$status" -eq 0 ]
        [[ "$output" == "${row#*:}"* ]]
    done
}

@test "a link in the root file system leads only inside it" {
    mkdir "$BUNDLE/outside" "$ROOTFS/real"
    ln -s "$BUNDLE/outside" "$ROOTFS/absolute"
    ln -s ../../../../../../../../real "$ROOTFS/relative"
    run_script 'cat /relative/file; ls /absolute/file' "$WRITABLE"' | .mounts +=
        [{"destination": "/relative", "type": "bind", "source": "source", "options": ["bind"]}]'
    [ "${lines[0]}" = outside ]
    run_script true '.mounts[-1].destination = "/absolute"'
    [ -z "$(ls "$BUNDLE/outside")" ]
}

@test "what is mounted can be changed by a later remount of the list" {
    run_script 'echo x > /m/file; grep " /m " /proc/self/mountinfo' "$BIND"' | .mounts +=
        [{"destination": "/m", "type": "none", "source": "none", "options": ["remount", "bind", "ro", "nodev"]}]' \
        --arg source "$BUNDLE/source" --argjson options '["bind"]'
    [[ "$output" == *"/m/file: Read-only file system"* ]]
    [[ "$output" == *" ro,nodev"* ]]
}

@test "an id-mapped bind shows the host's owners as the container's" {
    chown -R 100000:100000 "$ROOTFS"
    chown 0:0 source source/file
    run_script 'stat -c %u:%g /m/file; touch /m/new' "$BIND"' | .linux.namespaces += [{"type": "user"}]
        | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings' \
        --arg source "$BUNDLE/source" --argjson options '["bind", "idmap"]'
    if [[ "$output" == *"cannot show its files to another range"* ]]; then
        skip "this file system has no id-mapped mounts"
    fi
    [ "$output" = 0:0 ]
    [ "$(stat -c %u:%g source/new)" = 0:0 ]
    run_bound '["bind", "idmap"]' true
}

@test "a bind with a mapping of its own needs no user namespace" {
    chown 5:6 source/file
    run_script 'stat -c %u:%g /m/file' "$BIND"' | .mounts[-1].uidMappings = [{"containerID": 5, "hostID": 1005, "size": 1}]
        | .mounts[-1].gidMappings = [{"containerID": 6, "hostID": 1006, "size": 1}]' \
        --arg source "$BUNDLE/source" --argjson options '["bind"]'
    if [[ "$output" == *"cannot show its files to another range"* ]]; then
        skip "this file system has no id-mapped mounts"
    fi
    [ "$output" = 1005:1006 ]
    run_script true '.linux.uidMappings = []' # the mapping alone is no error
    run_script true 'del(.mounts[-1].gidMappings)'
    fails_with "config.json: mounts[$(jq '.mounts | length - 1' config.json)].uidMappings: needs gidMappings beside it"
}

@test "the default mounts are there, and are what they say" {
    run_script 'stat -f -c "%n %T" /proc /sys /dev /dev/pts /dev/shm /dev/mqueue; ls /proc | grep -c "^[0-9]"; touch /sys/x'
    has_line "/proc proc"
    has_line "/sys sysfs"
    has_line "/dev tmpfs"
    has_line "/dev/pts devpts"
    has_line "/dev/shm tmpfs"
    [[ "$output" == *"/sys/x: Read-only file system"* ]]
}

@test "cgroups are seen from the container's own, and read-only" {
    run_script 'cut -d: -f3 /proc/self/cgroup | sort -u; find /sys/fs/cgroup -name cgroup.procs | head -1
        for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do [ ! -d $d ] || mkdir $d/x 2>&1; done | grep -v "Read-only file system"; find /sys/fs/cgroup -name "coffer*"'
    [ "${lines[0]}" = / ]
    [[ "${lines[1]}" == */cgroup.procs ]]
    [ "${#lines[@]}" -eq 2 ]
}

@test "dest-nofollow makes what is missing, and mounts on no link" {
    ln -s /etc "$ROOTFS/link"
    run_script 'stat -f -c %T /made/new' '.root.readonly = false
        | .mounts += [{"destination": "/made/new", "type": "tmpfs", "source": "none", "options": ["dest-nofollow"]}]'
    [ "$output" = tmpfs ]
    run_script true '.mounts[-1].destination = "/link"'
    [ "$status" -eq 1 ]
    [[ "$output" == *"mount /link"* ]]
}

@test "without pivot_root the root file system is the root all the same" {
    configure_script 'cat /m/file; ls -d /../../etc/passwd; stat -c %d:%i / /..; ls /proc/1/root/bin/busybox' "$BIND" \
        --arg source "$BUNDLE/source" --argjson options '["bind"]'
    run oci run --no-pivot "$ID"
    [ "$status" -eq 0 ]
    [ "${lines[0]} ${lines[1]}" = "outside /../../etc/passwd" ]
    [ "${lines[2]}" = "${lines[3]}" ]
    [ "${lines[2]}" = "$(stat -c %d:%i "$ROOTFS")" ]
    [ "${lines[4]}" = /proc/1/root/bin/busybox ]
    nothing_left
}
