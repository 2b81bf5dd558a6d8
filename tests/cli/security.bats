#!/usr/bin/env bats
# Escapes and leaks that other runtimes had, by their numbers. Each test plays the attack; what it would reach is a file, a folder or
# a copy made for the test.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    mkdir outside
    echo kept > outside/file
    NO_DEV='del(.mounts[] | select(.destination | startswith("/dev"))) | .root.readonly = false'
    USERNS='.linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.uidMappings = .linux.gidMappings'
}

teardown() {
    bundle_teardown
}

outside_is_untouched() {
    [ "$(ls -A outside)" = file ]
    [ "$(< outside/file)" = kept ]
}

# Never the real program: were the attack to succeed, nobody could run it any more.
use_a_copy() {
    cp "$(readlink -f "$COFFER_OCI")" coffer-oci
    COFFER_OCI=$BUNDLE/coffer-oci
    SUM=$(sha256sum < coffer-oci)
}

@test "CVE-2019-5736: the program cannot be reached and overwritten from inside" {
    use_a_copy
    # The command is the container's own way to what the runtime executed.
    configure '.process.args = ["/proc/self/exe"]'
    run oci run "$ID"
    [ "$SUM" = "$(sha256sum < coffer-oci)" ]
    printf '#!/proc/self/exe\n' > "$ROOTFS/bin/evil"
    chmod +x "$ROOTFS/bin/evil"
    configure '.process.args = ["evil"]'
    run oci run "$ID"
    [ "$SUM" = "$(sha256sum < coffer-oci)" ]
    # All that any process of the container can open.
    run_script 'for exe in /proc/[0-9]*/exe; do echo x >> $exe; readlink $exe; done' \
        '.root.readonly = false | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"])'
    [[ "$output" != *coffer* ]]
    [ "$SUM" = "$(sha256sum < coffer-oci)" ]
}

@test "CVE-2019-5736: nor by a process that waits for the next one to join its namespaces" {
    use_a_copy
    configure_script 'while :; do for exe in /proc/[0-9]*/exe; do case $(readlink $exe) in */busybox|"") ;; *coffer-oci*) echo reached $exe; echo x >> $exe;; esac; done; done' \
        '.process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"])'
    in_background run "$ID"
    wait_for has_status running
    first=$ID
    pid=$(pid_of)
    for i in 1 2 3 4 5 6 7 8; do
        configure '.process.args = ["true"] | .linux.namespaces |= map(if .type == "pid" then .path = "/proc/\($pid)/ns/pid" else . end)' --arg pid "$pid"
        oci run "$ID.$i"
    done
    oci kill "$first" KILL
    end_of_background
    [[ "$output" != *reached* ]]
    [ "$SUM" = "$(sha256sum < coffer-oci)" ]
}

@test "CVE-2016-9962: processes already inside cannot look into the next one" {
    configure_script 'while :; do for p in /proc/[0-9]*; do case $(cat $p/comm 2> /dev/null) in coffer*) ls -l $p/fd $p/cwd $p/root 2> /dev/null; ls $p/root/ 2> /dev/null;; esac; done; done' \
        '.process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"])'
    in_background run "$ID"
    wait_for has_status running
    first=$ID
    pid=$(pid_of)
    for i in 1 2 3 4; do
        configure '.process.args = ["true"] | .linux.namespaces |= map(if .type == "pid" then .path = "/proc/\($pid)/ns/pid" else . end)' --arg pid "$pid"
        oci run "$ID.$i"
    done
    oci kill "$first" KILL
    end_of_background
    [[ "$output" != *outside* ]]
    [[ "$output" != *"$BUNDLE"* ]]
}

@test "CVE-2024-21626: no descriptor comes in but the standard ones" {
    configure '.process.args = ["ls", "-l", "/proc/self/fd"]'
    run oci run "$ID" 7< / 8< outside 9<> outside/file
    [ "$status" -eq 0 ]
    # 0, 1, 2, and the folder that ls reads.
    [ "$(grep -c '^l[rwx-]* ' <<< "$output")" -eq 4 ]
    [[ "$output" != *outside* ]]
    oci create "$ID" 3>&- 7< / 8< outside
    oci start "$ID"
}

@test "CVE-2024-21626: a working directory behind a descriptor is refused" {
    for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
        for cwd in "/proc/self/fd/$fd" "/proc/self/fd/$fd/../../.." "/proc/1/fd/$fd"; do
            configure_script 'pwd; ls /' ".process.cwd = \"$cwd\" | .root.readonly = false"
            run oci run "$ID" 7< / 8< outside
            [ "$status" -eq 1 ]
            [[ "$output" == *"working directory"* ]]
        done
    done
    outside_is_untouched
    nothing_left
}

@test "CVE-2019-16884, CVE-2019-19921, CVE-2025-52881: nothing is mounted over what the kernel shows in /proc" {
    for destination in /proc /proc/self/attr /proc/sys /proc/sys/kernel /proc/1; do
        run_script true '.mounts += [{"destination": $d, "type": "tmpfs", "source": "t"}]' --arg d "$destination"
        fails_with "run container \"$ID\": mount $destination: the target lies in /proc, where nothing may be mounted but on single files such as /proc/cpuinfo"
        configure 'del(.mounts[-1])'
        run_script true '.mounts += [{"destination": $d, "type": "bind", "source": "outside", "options": ["bind"]}]' --arg d "$destination"
        [ "$status" -eq 1 ]
        configure 'del(.mounts[-1])'
    done
    run_script 'cat /proc/uptime' '.mounts += [{"destination": "/proc/uptime", "type": "bind", "source": "outside/file", "options": ["bind"]}]'
    [ "$output" = kept ]
}

@test "CVE-2025-52881: a sysctl is written to the kernel, not to what lies at its path" {
    mkdir -p fake/sys/net/ipv4
    echo untouched > fake/sys/net/ipv4/ip_default_ttl
    # A volume in the place of /proc, as long as no procfs is there yet, is refused.
    run_script true '.mounts = [{"destination": "/proc", "type": "bind", "source": "fake", "options": ["bind"]}] + .mounts'
    fails_with "run container \"$ID\": mount /proc: only a proc file system can be mounted there"
    # The image's own /proc is not, but does not take the write either.
    rmdir "$ROOTFS/proc"
    cp -r fake "$ROOTFS/proc"
    run_script 'cat /real/sys/net/ipv4/ip_default_ttl; cat /proc/sys/net/ipv4/ip_default_ttl' '.mounts |= map(select(.source != "fake"))
        | (.mounts[] | select(.type == "proc")).destination = "/real"
        | .linux.sysctl = {"net.ipv4.ip_default_ttl": "55"} | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
    [ "$output" = $'55\nuntouched' ]
    [ "$(< fake/sys/net/ipv4/ip_default_ttl)" = untouched ]
}

@test "CVE-2019-19921, CVE-2023-27561: /proc and /sys that are links are refused" {
    for name in proc sys; do
        rmdir "$ROOTFS/$name"
        mkdir "$ROOTFS/elsewhere"
        ln -s elsewhere "$ROOTFS/$name"
        run_script true
        fails_with "run container \"$ID\": mount /$name: /$name in the root file system is a symbolic link, or lies behind one; a $([ $name = proc ] && echo proc || echo sysfs) file system is mounted on a directory only"
        rm "$ROOTFS/$name"
        rmdir "$ROOTFS/elsewhere"
        mkdir "$ROOTFS/$name"
    done
    nothing_left
}

@test "CVE-2021-30465: a mount target that is exchanged meanwhile stays inside" {
    mkdir -p volume/a volume/dir
    configure_script 'test -e /volume/dir/t/outside-mark && echo escaped' '.root.readonly = false | .mounts += [
        {"destination": "/volume", "type": "bind", "source": "volume", "options": ["rbind"]},
        {"destination": "/volume/dir/t", "type": "tmpfs", "source": "t"},
        {"destination": "/volume/dir/made/below", "type": "bind", "source": "outside", "options": ["bind", "ro"]}]'
    python3 - "$BUNDLE/volume" "$BUNDLE/outside" 3>&- << 'END' &
import ctypes, os, sys
libc = ctypes.CDLL(None)
volume, outside = (os.fsencode(path) for path in sys.argv[1:])
os.symlink(outside, volume + b"/link")
while True:  # renameat2 with RENAME_EXCHANGE
    libc.renameat2(-100, volume + b"/dir", -100, volume + b"/link", 2)
END
    JOB=$!
    wait_for test -L volume/link
    for _ in $(seq 40); do
        run oci run "$ID"
        [[ "$output" != *escaped* ]]
        [ "$(ls -A outside)" = file ]
    done
    kill "$JOB"
    outside_is_untouched
}

@test "CVE-2024-45310: nothing is made on the host through links of the root file system" {
    ln -s "$BUNDLE/outside/new" "$ROOTFS/dangling"
    ln -s ../../../../../../../../../../../../../../"$BUNDLE/outside" "$ROOTFS/climbing"
    ln -s "$BUNDLE/outside" "$ROOTFS/folder"
    for destination in /dangling /dangling/x /climbing/x /folder/x /folder/x/y; do
        for mount in '{"type": "tmpfs", "source": "t"}' '{"type": "bind", "source": "outside", "options": ["bind"]}' \
            '{"type": "bind", "source": "/etc/hostname", "options": ["bind"]}'; do
            run_script true '.root.readonly = false | .mounts += [$m + {"destination": $d}]' --argjson m "$mount" --arg d "$destination"
            configure 'del(.mounts[-1])'
            outside_is_untouched
        done
    done
    run_script true '.process.cwd = "/folder/made"'
    outside_is_untouched
    run_script true '.process.cwd = "/" | .linux.devices = [{"path": "/folder/null", "type": "c", "major": 1, "minor": 3}]'
    outside_is_untouched
}

@test "CVE-2025-31133: the image's /dev/null does not choose what hides a path" {
    mkdir -p "$ROOTFS/dev"
    ln -sf /proc/sys/kernel/core_pattern "$ROOTFS/dev/null"
    echo secret > "$ROOTFS/hidden"
    # On the default /dev, a tmpfs, the image's file is out of sight.
    run_script 'stat -c "%F %t:%T" /hidden /dev/null' '.linux.maskedPaths += ["/hidden"]'
    [ "$output" = $'character special file 1:3\ncharacter special file 1:3' ]
    # On the image's own /dev it is refused.
    run_script true "$NO_DEV"
    fails_with "run container \"$ID\": device /dev/null: the root file system has another kind of file there"
    # In a user namespace the host's device is bound over it, link or not.
    chown -hR 100000:100000 "$ROOTFS"
    run_script 'stat -c "%F %t:%T" /hidden; stat -L -c "%F %t:%T" /dev/null' "$USERNS"
    [ "$status" -ne 0 ] || [ "$output" = $'character special file 1:3\ncharacter special file 1:3' ]
    [ "$(cat /proc/sys/kernel/core_pattern)" != "" ]
}

@test "in a user namespace, what a device is bound over in the image's own /dev is nobody's to write" {
    chown -hR 100000:100000 "$ROOTFS"
    run_script 'stat -c "%F %a" /dev/zero' "$NO_DEV | $USERNS | .root.readonly = false"
    [ "$output" = "character special file 666" ]
    [ "$(stat -c "%F %a" "$ROOTFS/dev/zero")" = "regular empty file 600" ]
}

@test "CVE-2025-52565: /dev/console and /dev/pts of the image that are links" {
    for link in console pts ptmx; do
        rm -rf "${ROOTFS:?}/dev"
        mkdir "$ROOTFS/dev"
        ln -s /proc/sys/kernel/hostname "$ROOTFS/dev/$link"
        cp config.json kept
        configure_script 'cat /proc/sys/kernel/hostname; stat -L -c %F /proc/sys/kernel/hostname' \
            '.process.terminal = true | .root.readonly = false | del(.mounts[] | select(.destination == "/dev"))'
        run timeout -k 1 10 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID" < /dev/null
        [ "$status" -ne 0 ] || [[ "$output" == coffer*"regular"* ]]
        mv kept config.json
    done
    rm -rf "${ROOTFS:?}/dev"
    mkdir "$ROOTFS/dev"
    ln -s "$BUNDLE/outside/console" "$ROOTFS/dev/console"
    configure '.process.terminal = true | .root.readonly = false | del(.mounts[] | select(.destination == "/dev")) | .process.args = ["true"]'
    run timeout -k 1 10 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID" < /dev/null
    outside_is_untouched
    nothing_left
}

@test "CVE-2026-41579, CVE-2026-47766: /dev of the image is a link" {
    for target in "$BUNDLE/outside" ../../../../../../../../../../../../"$BUNDLE/outside" /proc; do
        for filter in "$NO_DEV" .; do
            rm -rf "${ROOTFS:?}/dev"
            ln -s "$target" "$ROOTFS/dev"
            cp config.json kept
            run_script true "$filter"
            [[ "$target" == /proc && "$filter" == . ]] || [ "$status" -eq 1 ]
            outside_is_untouched
            nothing_left
            mv kept config.json
        done
    done
}

@test "CVE-2022-29162, CVE-2022-27650: inheritable and ambient capabilities are empty unless asked for" {
    run_script 'grep -E "^Cap(Inh|Amb)" /proc/self/status'
    [ "$output" = $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000' ]
    # Nor do they come from a caller who has some.
    run setpriv --inh-caps +chown,+kill --ambient-caps +chown,+kill -- "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$output" = $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000' ]
}

@test "CVE-2023-25809: the host's cgroups cannot be written without a cgroup namespace" {
    for more in . "$USERNS"; do
        cp config.json kept
        run_script 'for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/evil; done; mount -o remount,rw,bind /sys/fs/cgroup; mkdir /sys/fs/cgroup/evil' \
            'del(.linux.namespaces[] | select(.type == "cgroup")) | .mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)
            | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE"]) | '"$more"
        [[ "$output" == *"Read-only file system"* ]]
        # Root's container may write to its own group of version 1, which is all that it sees, and was asked for.
        [ -z "$(find /sys/fs/cgroup -name evil -not -path "*/coffer-$ID/*")" ]
        mv kept config.json
    done
}

@test "CVE-2016-2779: the command cannot type on the caller's terminal" {
    configure '.process.args = ["sh", "-c", "exec 3< /dev/tty"]'
    run command script --quiet --return --command "$COFFER_OCI --root $(coffer_root)/oci run $ID" /dev/null
    [ "$status" -ne 0 ]
    [[ "$output" == *"/dev/tty"* ]]
}

@test "CVE-2021-43784: a configuration too large for init is refused by its size" {
    configure '.process.env += [range(120) | "V\(.)=" + ("x" * 100000)]'
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    nothing_left
}

@test "init and its environment show nothing of the caller" {
    SECRET=of-the-host run_script 'cat /proc/1/environ /proc/1/cmdline | tr "\0" "\n"; ls -l /proc/1/cwd' '.process.env = ["PATH=/bin"]'
    [[ "$output" != *SECRET* ]]
    [[ "$output" != *"$BUNDLE"* ]]
    configure '.process.args = ["sleep", "60"]'
    SECRET=of-the-host oci create "$ID" 3>&-
    ! tr '\0' '\n' < "/proc/$(pid_of)/environ" | grep SECRET || false
}
