#!/usr/bin/env bats
# The low level: mounts that a container gets and loses while it is there.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "1000"] | .root.readonly = false'
    mkdir source outside
    echo text > source/file
    USERNS='.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.uidMappings = .linux.gidMappings'
    MINE=""
}

teardown() {
    if [ -n "$MINE" ]; then
        as_user "$COFFER_OCI" --root "$MINE/oci" delete --force "$ID" || true
    fi
    bundle_teardown
}

running() { # [FILTER [JQ ARGS...]]
    [ $# -eq 0 ] || configure "$@"
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
}

# add JSON, remove JSON: what `run` says of it.
add() {
    printf '%s' "$1" > mounts.json
    run oci mounts add "$ID" mounts.json
}

remove() {
    printf '%s' "$1" > mounts.json
    run oci mounts remove "$ID" mounts.json
}

inside() {
    run oci exec "$ID" sh -c "$1"
}

well() {
    [ "$status" -eq 0 ] && [ "$output" = "" ] || {
        echo "exit code $status: $output"
        return 1
    }
}

add_fails_with() {
    fails_with "add mounts to container \"$ID\": $1"
}

remove_fails_with() {
    fails_with "remove mounts from container \"$ID\": $1"
}

# The container's table of mounts is what it was at table_kept.
table() {
    cut -d' ' -f1,2,4,5,6 "/proc/$(pid_of)/mountinfo"
}

table_kept() {
    table > table.before
}

table_same() {
    diff table.before <(table)
}

# --- add ---

@test "a bind mount is seen by the command and by exec, and written through" {
    running '.process.args = ["sh", "-c", "while [ ! -e /m/file ]; do sleep 0.02; done; cp /m/file /m/copy; exec sleep 1000"]'
    add '[{"destination": "/m", "type": "bind", "source": "source", "options": ["bind"]}]'
    well
    wait_for test -e source/copy
    inside 'cat /m/copy; echo new > /m/new; grep " /m " /proc/self/mountinfo'
    [ "${lines[0]}" = text ]
    [[ "${lines[1]}" == *" rw,"*" - "* ]] && [[ "${lines[1]}" != *shared:* ]]
    [ "$(< source/new)" = new ]
    oci delete --force "$ID"
    nothing_left
}

@test "a read-only bind mount cannot be written, and has all its attributes" {
    running
    add '[{"destination": "/m", "source": "source", "options": ["rbind", "rro", "nosuid", "nodev", "noexec"]}]'
    well
    inside 'echo x > /m/file; grep " /m " /proc/self/mountinfo'
    [[ "$output" == *"/m/file: Read-only file system"*" ro,nosuid,nodev,noexec"* ]]
    [ "$(< source/file)" = text ]
}

@test "a tmpfs has its size, mode and owner, and without a mode that of the directory" {
    mkdir -m 1777 "$ROOTFS/there"
    mkdir -m 750 "$ROOTFS/sealed"
    running
    add '[{"destination": "/t", "type": "tmpfs", "source": "t", "options": ["size=1m", "mode=1750", "uid=5", "gid=6", "noexec"]},
          {"destination": "/there", "type": "tmpfs", "source": "t"}, {"destination": "/sealed", "type": "tmpfs", "options": ["ro"]}]'
    well
    inside 'stat -c "%a %u:%g" /t /there /sealed; stat -f -c "%b %S" /t; touch /sealed/x'
    [ "$output" = $'1750 5:6\n1777 0:0\n750 0:0\n256 4096\ntouch: /sealed/x: Read-only file system' ]
}

@test "mounts of one file are made in their order, also on each other, and missing destinations are made" {
    echo second > second
    running
    add '{"mounts": [{"destination": "a/b", "type": "tmpfs", "source": "t"}, {"destination": "/a/b/c", "source": "source", "options": ["bind"]},
          {"destination": "/a/b/c/file", "source": "second", "options": ["bind", "ro"]},
          {"destination": "/etc/new/file", "source": "'"$BUNDLE"'/second", "type": "bind", "options": ["bind"]}]}'
    well
    inside 'cat /a/b/c/file /etc/new/file; stat -f -c %T /a/b'
    [ "$output" = $'second\nsecond\ntmpfs' ]
    [ "$(< source/file)" = text ]
    remove "$(< mounts.json)"
    well
    inside 'ls /a/b; cat /etc/new/file; cat /proc/self/mountinfo | grep -c " /a"'
    [ "$output" = 0 ]
}

@test "the list comes from standard input, too" {
    running
    oci mounts add "$ID" - <<< '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
    inside 'cat /m/file'
    [ "$output" = text ]
    oci mounts remove "$ID" - <<< '[{"destination": "/m"}]'
    inside 'ls /m'
    [ "$output" = "" ]
    run oci mounts add "$ID" - <<< '[{"destination": ""}]'
    fails_with 'standard input: mounts[0].destination: must not be empty'
    run oci mounts add "$ID" - <<< '[]'
    well
}

@test "a created container and a paused one get mounts" {
    configure '.process.args = ["sh", "-c", "cat /m/file > /tmp/seen; exec sleep 1000"]'
    oci create "$ID" < /dev/null > /dev/null 2>&1 3>&-
    add '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
    well
    oci start "$ID"
    wait_for grep -q text "$ROOTFS/tmp/seen"
    run oci pause "$ID"
    [ "$status" -eq 0 ] || skip "no freezer here: $output"
    run timeout -k 1 10 "$COFFER_OCI" --root "$(coffer_root)/oci" mounts add "$ID" - <<< '[{"destination": "/n", "source": "source", "options": ["bind"]}]'
    well
    run timeout -k 1 10 "$COFFER_OCI" --root "$(coffer_root)/oci" mounts remove "$ID" - <<< '[{"destination": "/m"}]'
    well
    has_status paused
    oci resume "$ID"
    inside 'cat /n/file; ls /m'
    [ "$output" = text ]
}

@test "a container without pivot_root has them in its own root file system" {
    configure '.process.args = ["sleep", "1000"]'
    oci run --detach --no-pivot "$ID" < /dev/null > /dev/null 2>&1 3>&-
    add '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
    well
    inside 'cat /m/file'
    [ "$output" = text ]
    remove '[{"destination": "/m"}]'
    well
    [ -d "$ROOTFS/m" ] && [ ! -e /m ]
}

@test "propagation is the container's own business unless it is asked for" {
    running
    add '[{"destination": "/a", "source": "source", "options": ["bind"]}, {"destination": "/b", "source": "source", "options": ["rbind", "shared"]},
          {"destination": "/c", "source": "source", "options": ["bind", "unbindable"]}]'
    well
    inside 'for m in a b c; do grep " /$m " /proc/self/mountinfo | cut -d" " -f7; done'
    [ "${lines[0]}" = - ]
    [[ "${lines[1]}" == shared:* ]]
    [ "${lines[2]}" = unbindable ]
}

@test "an id-mapped bind shows the host's owners as the container's" {
    chown -R 100000:100000 "$ROOTFS"
    chown 5:6 source/file
    running "$USERNS"
    add '[{"destination": "/m", "source": "source", "options": ["bind", "idmap"]}, {"destination": "/n", "source": "source", "options": ["bind"],
           "uidMappings": [{"containerID": 5, "hostID": 100007, "size": 1}], "gidMappings": [{"containerID": 6, "hostID": 100008, "size": 1}]}]'
    if [[ "$output" == *"cannot show its files to another range"* ]]; then
        skip "this file system has no id-mapped mounts"
    fi
    well
    inside 'stat -c %u:%g /m/file /n/file'
    [ "$output" = $'5:6\n7:8' ]
}

@test "a container with a user namespace gets mounts of the host's root, and a tmpfs of its own" {
    mkdir -m 700 closed # the container's root could not open what is in it
    mv source closed
    chown -R 100000:100000 "$ROOTFS"
    running "$USERNS"
    add '[{"destination": "/made/m", "source": "closed/source", "options": ["rbind", "ro"]},
          {"destination": "/made/t", "type": "tmpfs", "source": "t", "options": ["size=64k", "mode=700"]},
          {"destination": "/made/q", "type": "mqueue", "source": "q"}, {"destination": "/made/s", "type": "sysfs", "source": "s", "options": ["ro"]}]'
    well
    inside 'cat /made/m/file; stat -c "%a %u" /made /made/t; touch /made/t/x; for m in q s; do sed -n "s:.* /made/$m .* - \([a-z]*\) .*:\1:p" /proc/self/mountinfo; done'
    [ "$output" = $'text\n755 0\n700 0\nmqueue\nsysfs' ]
    [ "$(stat -c %u "$ROOTFS/made")" = 100000 ]
    remove '[{"destination": "/made/m"}, {"destination": "/made/t"}]'
    well
    inside 'ls /made/m /made/t'
    [ "$output" = $'/made/m:\n\n/made/t:' ]
}

@test "new file systems show the container's namespaces" {
    running
    add '[{"destination": "/q", "type": "mqueue", "source": "q"}, {"destination": "/s", "type": "sysfs", "source": "s", "options": ["ro"]}]'
    well
    inside 'ls /s/class/net; touch /dev/mqueue/mine; ls /q'
    [ "$output" = $'lo\nmine' ]
}

# --- all or nothing ---

@test "when one mount cannot be made, those before it are taken away again" {
    running
    table_kept
    before='{"destination": "/a", "source": "source", "options": ["bind"]}, {"destination": "/f", "source": "source/file", "options": ["bind"]},
        {"destination": "/a/t", "type": "tmpfs", "source": "t"}'
    mkdir source/t
    add "[$before, {\"destination\": \"/bin/busybox\", \"source\": \"source\", \"options\": [\"bind\"]}]"
    add_fails_with "mount /bin/busybox: make directory /bin/busybox in the root file system: Not a directory"
    table_same
    add "[$before, {\"destination\": \"/x\", \"source\": \"/nowhere\", \"options\": [\"bind\"]}]"
    add_fails_with "mount /x: mounts[3].source: open /nowhere: No such file or directory"
    table_same
    add "[$before, {\"destination\": \"/proc/sys/kernel\", \"source\": \"source\", \"options\": [\"bind\"]}]"
    add_fails_with "mount /proc/sys/kernel: the target lies in /proc, where nothing may be mounted but on single files such as /proc/cpuinfo"
    table_same
    add "[$before, {\"destination\": \"/x\", \"type\": \"tmpfs\", \"options\": [\"colour=red\"]}]"
    [[ "$output" == "coffer: add mounts to container \"$ID\": mount /x: option colour=red: Invalid argument"* ]]
    table_same
    [ "$(ls source)" = $'file\nt' ]
}

@test "what the configuration hides stays hidden" {
    mkdir -p "$ROOTFS/data/secret" source/secret
    running '.linux.maskedPaths += ["/data/secret"]'
    table_kept
    for where in /sys /data /sys/firmware; do
        add '[{"destination": "/m", "source": "source", "options": ["bind"]}, {"destination": "'$where'", "source": "source", "options": ["bind"]}]'
        [[ "$output" == "coffer: add mounts to container \"$ID\": "*" of linux.maskedPaths would be another file then, and not hidden; mount elsewhere, or when the container is created" ]]
        table_same
    done
    add '[{"destination": "/proc", "source": "source", "options": ["bind"]}]'
    add_fails_with 'mount /proc: only a proc file system can be mounted there'
    add '[{"destination": "/proc", "source": "/proc", "options": ["rbind"]}]'
    add_fails_with 'mount /proc: the target lies in /proc, where nothing may be mounted but on single files such as /proc/cpuinfo'
    add '[{"destination": "/proc/uptime", "source": "source/file", "options": ["bind"]}]'
    well
    inside 'cat /proc/uptime'
    [ "$output" = text ]
}

# --- remove ---

@test "remove detaches what is mounted, the last first, also in use" {
    running
    add '[{"destination": "/m", "source": "source", "options": ["bind"]}, {"destination": "/m", "type": "tmpfs", "source": "t"},
          {"destination": "/f", "source": "source/file", "options": ["bind"]}, {"destination": "/u", "type": "tmpfs", "source": "t"}]'
    well
    oci exec --detach --cwd /u "$ID" sleep 1000 < /dev/null > /dev/null 2>&1 3>&-
    remove '[{"destination": "/m"}, {"destination": "/f", "type": "nonsense", "source": "/nowhere"}, {"destination": "/u"}]'
    well
    inside 'cat /m/file; cat /f; grep -E " /(f|u) " /proc/self/mountinfo'
    [ "$output" = text ]
    remove '[{"destination": "/m"}]'
    well
    remove '[{"destination": "/m"}]'
    remove_fails_with "unmount /m: nothing is mounted there: it lies in the container's root file system"
}

@test "mounts that lie on others are removed with them, in any order" {
    running
    table_kept
    both='[{"destination": "/a", "type": "tmpfs", "source": "t"}, {"destination": "/a/b", "type": "tmpfs", "source": "t"}]'
    for list in "$both" '[{"destination": "/a/b"}, {"destination": "/a"}]' '[{"destination": "/a"}]'; do
        add "$both"
        well
        remove "$list"
        well
        table_same
    done
}

@test "nothing is unmounted when one destination is no mount" {
    running
    add '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
    well
    mkdir source/dir
    table_kept
    remove '[{"destination": "/m/dir"}, {"destination": "/m"}]'
    remove_fails_with "unmount /m/dir: nothing is mounted there: it lies in what is mounted above it"
    remove '[{"destination": "/etc"}, {"destination": "/m"}]'
    remove_fails_with "unmount /etc: nothing is mounted there: it lies in the container's root file system"
    remove '[{"destination": "/m"}, {"destination": "/nowhere"}]'
    remove_fails_with "unmount /nowhere: open /nowhere in the root file system: No such file or directory"
    remove '[{"destination": "/m"}, {"destination": "/etc/../m"}]'
    remove_fails_with "unmount /etc/../m: it is the same mount as mounts[0]"
    for root in / /. // ///; do
        remove '[{"destination": "/m"}, {"destination": "'$root'"}]'
        remove_fails_with "mounts.json: mounts[1].destination: expected a path below /; what is on / itself is root.path"
    done
    remove '[{"destination": "/m"}, {"destination": "/m/.."}]'
    remove_fails_with "unmount /m/..: nothing is mounted there: it lies in the container's root file system"
    table_same
}

@test "what hides paths is not unmounted" {
    running
    table_kept
    local masked
    masked=$(awk '$5 ~ "^/proc/[a-z_]*$" && $4 == "/null" { print $5; exit }' "/proc/$(pid_of)/mountinfo")
    [ -n "$masked" ]
    for where in "$masked" /proc /sys/firmware /sys; do
        remove '[{"destination": "'"$where"'"}]'
        [[ "$output" == "coffer: remove mounts from container \"$ID\": unmount $where: "*" of linux.maskedPaths lies there, and would not be hidden any more" ]]
    done
    remove '[{"destination": "/proc/sys"}]'
    remove_fails_with "unmount /proc/sys: /proc/sys of linux.readonlyPaths lies there, and would not be hidden any more"
    table_same
}

# --- a hostile container ---

@test "a link at the destination leads only inside the container" {
    ln -s /etc "$ROOTFS/link"
    ln -s "$BUNDLE/outside" "$ROOTFS/absolute"
    ln -s ../../../../../../../../etc "$ROOTFS/relative"
    running
    add '[{"destination": "/link/m", "source": "source", "options": ["bind"]}, {"destination": "/relative/n", "source": "source", "options": ["bind"]}]'
    well
    inside 'cat /etc/m/file /etc/n/file'
    [ "$output" = $'text\ntext' ]
    remove '[{"destination": "/link/m"}, {"destination": "/relative/n"}]'
    well
    add '[{"destination": "/absolute/m", "source": "source", "options": ["bind"]}]'
    [ "$status" -eq 1 ]
    add '[{"destination": "/link", "type": "tmpfs", "source": "t", "options": ["dest-nofollow"]}]'
    [ "$status" -eq 1 ]
    [ -z "$(ls outside)" ]
}

@test "a destination that is exchanged all the time never leads outside" {
    mkdir "$ROOTFS/d" "$ROOTFS/e"
    ln -s "$BUNDLE/outside" "$ROOTFS/l"
    ln -s / "$ROOTFS/k"
    running '.process.args = ["sh", "-c", $script] | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE"])' --arg script '
        while :; do
            mv /d /swap; mv /swap /d; mv /l /swap; mv /swap /l; mv /k /swap; mv /swap /k
        done > /dev/null 2>&1'
    local host made=0 i
    host=$(cut -d' ' -f5 /proc/self/mountinfo)
    for ((i = 0; i < 150; i++)); do
        add '[{"destination": "/e", "type": "tmpfs", "source": "t"}, {"destination": "/swap/race", "source": "source", "options": ["bind"]}]'
        if [ "$status" -eq 0 ]; then
            made=$((made + 1))
        fi
        # Whatever became of it, nothing is mounted twice or left over: both or none.
        [ "$(grep -c ' /e ' "/proc/$(pid_of)/mountinfo")" -eq "$made" ]
        [ "$(grep -c "/bundle/source /" "/proc/$(pid_of)/mountinfo")" -eq "$made" ]
    done
    [ -z "$(ls -A outside)" ]
    [ "$(cut -d' ' -f5 /proc/self/mountinfo)" = "$host" ]
    [ ! -e /race ]
    echo "$made of $i were made"
    [ "$made" -gt 0 ]
}

@test "who mounts is not seen in the container, nor by its own root stopped" {
    running '.process.args = ["sh", "-c", $script] | .process.capabilities |= map_values(["CAP_KILL", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"])' --arg script '
        while :; do
            for p in /proc/[0-9]*; do
                grep -q "^Name:.coffer-init" $p/status && { echo $p >> /tmp/seen; kill -STOP ${p#/proc/}; }
            done
        done 2> /dev/null'
    local i
    for ((i = 0; i < 20; i++)); do
        add '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
        well
        remove '[{"destination": "/m"}]'
        well
    done
    [ ! -e "$ROOTFS/tmp/seen" ]
}

@test "what the container mounts on a new mount goes with it" {
    running '.process.args = ["sh", "-c", $script] | .process.capabilities |= map_values(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"])' --arg script '
        while [ ! -e /m/file ]; do sleep 0.02; done; mount -t tmpfs over /m && touch /tmp/over; exec sleep 1000'
    add '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
    well
    wait_for test -e "$ROOTFS/tmp/over"
    remove '[{"destination": "/m"}]'
    well
    inside 'cat /m/file'
    [ "$output" = text ]
    remove '[{"destination": "/m"}]'
    well
    inside 'ls /m'
    [ "$output" = "" ]
}

# --- what is refused ---

@test "a stopped container, one that is not there, and too few words are errors" {
    running '.process.args = ["true"]'
    wait_for has_status stopped
    add '[{"destination": "/m", "source": "source", "options": ["bind"]}]'
    add_fails_with "container not running: it is stopped"
    remove '[{"destination": "/m"}]'
    remove_fails_with "container not running: it is stopped"
    run oci mounts add nobody mounts.json
    fails_with 'add mounts to container "nobody": container "nobody" does not exist'
    run oci mounts add "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer-oci mounts add: "* ]]
    run oci mounts change "$ID" mounts.json
    [ "$status" -eq 1 ]
    [[ "$output" == *"unknown command change"* ]]
    run oci mounts add "$ID" /nowhere
    fails_with 'mounts: open /nowhere: No such file or directory'
}

@test "bad lists are refused by the field's name, before anything is mounted" {
    running
    table_kept
    while IFS='|' read -r list message; do
        add "$list"
        fails_with "mounts.json: $message" || fails_with "add mounts to container \"$ID\": mounts.json: $message"
    done << 'EOF'
[{"source": "/x"}]|mounts[0].destination: expected a string, found nothing
[{"destination": 5}]|mounts[0].destination: expected a string, found a number
{}|mounts: expected an array of objects, found nothing
[5]|mounts[0]: expected an object, found a number
[{"destination": "/a", "type": "tmpfs"}, {"destination": "/b", "options": "ro"}]|mounts[1].options: expected an array of strings, found a string
[{"destination": "/b", "type": "bind", "source": "/", "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}]|mounts[0].uidMappings: needs gidMappings beside it
[{"destination": "/a", "type": "tmpfs"}, {"destination": "/b"}]|mounts[1].type: expected a type of file system, or the option bind
[{"destination": "/b", "options": ["bind"]}]|mounts[0].source: a bind mount needs one
[{"destination": "/", "type": "tmpfs"}]|mounts[0].destination: expected a path below /; what is on / itself is root.path
[{"destination": "/b", "type": "tmpfs", "options": ["tmpcopyup"]}]|mounts[0].options: tmpcopyup: only where the container is created
[{"destination": "/b", "type": "bind", "source": "/", "options": ["copy-symlink"]}]|mounts[0].options: copy-symlink: only where the container is created
[{"destination": "/tmp", "options": ["remount", "ro"]}]|mounts[0].options: remount: a running container gets new mounts only; remove the old one and add it anew
[{"destination": "/b", "type": "proc"}]|mounts[0].type: proc, cgroup and cgroup2 are mounted when the container is created, not while it runs
[{"destination": "/b", "type": "cgroup2"}]|mounts[0].type: proc, cgroup and cgroup2 are mounted when the container is created, not while it runs
[{"destination": "/b", "source": "source", "options": ["bind", "idmap"]}]|mounts[0].options: idmap needs a user namespace of the container's, or uidMappings and gidMappings of the mount
[{"destination": "/b", "source": "source", "options": ["bind", "size=5"]}]|mounts[0].options: "size=5" is no option of a bind mount
EOF
    add '[{"destination": "/a", "destination": "/b"}]'
    [[ "$output" == 'coffer: mounts.json: '*'"destination"'* ]]
    add '[{"destination": "/a"}] x'
    [[ "$output" == 'coffer: mounts.json: '* ]]
    table_same
}

# --- without root ---

# A container of an ordinary user's.
running_mine() { # [FILTER [JQ ARGS...]]
    make_user
    as_user unshare --user true 2> /dev/null || skip "this host gives ordinary users no user namespaces"
    MINE=$BATS_TEST_TMPDIR/mine
    mkdir -m 700 "$MINE"
    chown -R "$TEST_UID" "$MINE" "$BUNDLE"
    rm "$BUNDLE/config.json"
    as_user "$COFFER_OCI" spec --rootless
    configure '.process.terminal = false | .root.readonly = false | .process.args = ["sleep", "1000"]'
    [ $# -eq 0 ] || configure "$@"
}

as_mine() {
    as_user "$COFFER_OCI" --root "$MINE/oci" "$@"
}

@test "an ordinary user's container gets the host's directories and file systems of its own" {
    running_mine
    as_mine run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    as_mine mounts add "$ID" - <<< '[{"destination": "/made/m", "source": "source", "options": ["rbind", "ro"]},
        {"destination": "/f", "source": "source/file", "options": ["bind"]}, {"destination": "/made/t", "type": "tmpfs", "source": "t", "options": ["size=64k"]}]'
    run as_mine exec "$ID" sh -c 'cat /made/m/file /f; touch /made/t/x && ls /made/t; echo x > /made/m/file'
    [[ "$output" == $'text\ntext\nx\n'*"Read-only file system" ]]
    run as_mine mounts add "$ID" - <<< '[{"destination": "/n", "source": "source", "options": ["bind"]}, {"destination": "/o", "source": "/nowhere", "options": ["bind"]}]'
    add_fails_with "mount /o: mounts[1].source: open /nowhere: No such file or directory"
    mkdir -m 700 "$BATS_TEST_TMPDIR/closed" "$BATS_TEST_TMPDIR/closed/in"
    run as_mine mounts add "$ID" - <<< "[{\"destination\": \"/n\", \"source\": \"$BATS_TEST_TMPDIR/closed/in\", \"options\": [\"bind\"]}]"
    add_fails_with "mount /n: mounts[0].source: open $BATS_TEST_TMPDIR/closed/in: Permission denied"
    as_mine mounts remove "$ID" - <<< '[{"destination": "/made/m"}, {"destination": "/f"}, {"destination": "/made/t"}]'
    run as_mine exec "$ID" sh -c 'ls /made/m; cat /f; grep -cE " /(made/m|made/t|f) " /proc/self/mountinfo'
    [ "$output" = 0 ]
    run as_mine mounts add "$ID" - <<< '[{"destination": "/n", "source": "source", "options": ["bind", "idmap"]}]'
    add_fails_with "standard input: mounts[0]: only root can map the ids of a mount"
}

@test "root of a user namespace, without rights on the host, changes mounts of a container without another one" {
    running_mine '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
    # shellcheck disable=SC2016 # the inner shell's
    run as_user unshare --user --mount --map-root-user --map-auto sh -c '
        "$0" --root "$1" run --detach "$2" < /dev/null > /dev/null 2>&1 &&
        echo "[{\"destination\": \"/m\", \"source\": \"source\", \"options\": [\"rbind\"]}, {\"destination\": \"/t\", \"type\": \"tmpfs\"}]" > mounts.json &&
        "$0" --root "$1" mounts add "$2" mounts.json && "$0" --root "$1" exec "$2" cat /m/file &&
        "$0" --root "$1" mounts remove "$2" mounts.json && "$0" --root "$1" exec "$2" ls /m /t; "$0" --root "$1" delete --force "$2"' \
        "$COFFER_OCI" "$MINE/oci" "$ID" 3>&-
    [ "$status" -eq 0 ]
    [ "$output" = $'text\n/m:\n\n/t:' ]
}

# --- words ---

@test "help, completions and man page have both" {
    run "$COFFER_OCI" mounts --help
    [[ "$output" == "Usage: coffer-oci mounts [OPTIONS] COMMAND"*"  add  "*"  remove  "* ]]
    run "$COFFER" oci mounts add --help
    [[ "$output" == "Usage: coffer oci mounts add ID FILE"* ]]
    run "$COFFER" help oci mounts remove
    [[ "$output" == "Usage: coffer oci mounts remove ID FILE"* ]]
    for shell in bash zsh fish; do
        "$COFFER" completion "$shell" | grep -q "mounts add"
    done
}
