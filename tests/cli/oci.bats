#!/usr/bin/env bats
# The low level: the life of an OCI container, and what its configuration asks for as seen from inside and from the host.
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
}

# --- spec ---

@test "spec writes a configuration that runs, and never over one" {
    rm config.json
    oci spec
    [ "$(jq -r .ociVersion config.json)" = 1.3.0 ]
    configure '.process.terminal = false | .process.args = ["true"]'
    oci run "$ID"
    run oci spec
    fails_with "./config.json exists already; remove it first"
    rm config.json
    oci spec --rootless --bundle "$BUNDLE"
    [ "$(jq -r '.linux.namespaces[] | select(.type == "user") | .type' config.json)" = user ]
}

# --- run ---

@test "run ends with the command's exit code" {
    run_script 'exit 0'
    [ "$status" -eq 0 ]
    for code in 42 125 126 127 255; do
        configure_script "exit $code"
        run "-$code" oci run "$ID"
    done
    nothing_left
}

@test "run ends with 128 and the number of the signal that killed the command" {
    configure '.process.args = ["sleep", "60"]'
    for signal in KILL:137 9:137 SIGKILL:137; do
        in_background run "$ID"
        wait_for has_status running
        oci kill "$ID" "${signal%:*}"
        end_of_background
        [ "$status" -eq "${signal#*:}" ]
        nothing_left
    done
}

@test "a command that cannot be run is an error of one sentence" {
    configure '.process.args = ["nowhere"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": command \"nowhere\": executable file not found in \$PATH of the container"
    configure '.process.args = ["/bin/nowhere"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": command \"/bin/nowhere\": no such file or directory in the container"
    configure '.process.args = ["/etc/passwd"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": command \"/etc/passwd\" cannot be executed: permission denied"
    configure '.process.args = ["/etc"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": command \"/etc\" is a directory: permission denied"
    printf '#!/nowhere\n' > "$ROOTFS/bin/script"
    chmod +x "$ROOTFS/bin/script"
    configure '.process.args = ["script"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": command \"script\": its interpreter or dynamic loader is missing in the container: no such file or directory"
    nothing_left
}

@test "run passes standard input, output and errors through" {
    configure_script 'cat; echo out; echo err >&2'
    [ "$(echo in | oci run "$ID" 2> err)" = $'in\nout' ]
    [ "$(< err)" = err ]
}

@test "run passes signals to the command" {
    configure_script 'trap "echo got TERM; exit 7" TERM; trap "echo got HUP" HUP; echo ready; while :; do sleep 0.05; done'
    in_background run "$ID"
    wait_for grep -q ready "$BATS_TEST_TMPDIR/background"
    kill -HUP "$JOB"
    wait_for grep -q 'got HUP' "$BATS_TEST_TMPDIR/background"
    kill -TERM "$JOB"
    end_of_background
    [ "$status" -eq 7 ]
    grep -q 'got TERM' "$BATS_TEST_TMPDIR/background"
    nothing_left
}

@test "run gives the command the default actions of signals and no mask" {
    trap "" HUP QUIT
    configure '.process.args = ["grep", "-E", "^(SigBlk|SigIgn)", "/proc/self/status"]'
    run oci run "$ID"
    has_line $'SigBlk:\t0000000000000000'
    has_line $'SigIgn:\t0000000000000000'
    trap - HUP QUIT
}

@test "run --detach returns at once; the container is found by its id" {
    configure '.process.args = ["sleep", "60"]'
    oci run --detach --pid-file pid "$ID" 3>&-
    has_status running
    [ "$(< pid)" = "$(pid_of)" ]
    oci delete --force "$ID"
    nothing_left
}

@test "run --detach that fails at the start leaves nothing" {
    printf 'no program' > "$ROOTFS/bin/bad"
    chmod +x "$ROOTFS/bin/bad"
    configure '.process.args = ["bad"]'
    run oci run --detach "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"command \"bad\" cannot be executed: exec format error" ]]
    nothing_left
}

# --- create, start, state, kill, delete ---

@test "a container is created, started, stopped and deleted" {
    configure_script 'echo started > /tmp/started; trap "exit 3" TERM; while :; do sleep 0.05; done' '.root.readonly = false'
    oci create --pid-file pid "$ID" 3>&-
    has_status created
    [ ! -e "$ROOTFS/tmp/started" ]
    [ "$(oci state "$ID" | jq -r '.ociVersion, .id, .bundle')" = $'1.3.0\n'"$ID"$'\n'"$BUNDLE" ]
    [ "$(pid_of)" = "$(< pid)" ]
    [ -d "/proc/$(< pid)" ]
    oci start "$ID"
    has_status running
    wait_for test -e "$ROOTFS/tmp/started"
    oci kill "$ID" TERM
    wait_for has_status stopped
    oci state "$ID" | jq -e 'has("pid") == false or .pid == 0'
    oci delete "$ID"
    run oci state "$ID"
    fails_with "container \"$ID\" does not exist"
    nothing_left
}

@test "start wants a created container" {
    configure '.process.args = ["sleep", "60"]'
    run oci start "$ID"
    fails_with "container \"$ID\" does not exist"
    oci run --detach "$ID" 3>&-
    run oci start "$ID"
    fails_with "start container \"$ID\": it is running; only a created one can be started"
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci start "$ID"
    fails_with "start container \"$ID\": it is stopped; only a created one can be started"
}

@test "kill wants a created or running container, and a signal that is one" {
    configure '.process.args = ["sleep", "60"]'
    run oci kill "$ID" KILL
    fails_with "container \"$ID\" does not exist"
    oci create "$ID" 3>&-
    run oci kill "$ID" NONE
    fails_with "unknown signal \"NONE\"; expected a name such as TERM or KILL, or a number from 1 to 64"
    run oci kill "$ID" 65
    fails_with "unknown signal \"65\"; expected a name such as TERM or KILL, or a number from 1 to 64"
    oci kill "$ID" KILL
    wait_for has_status stopped
    run oci kill "$ID" KILL
    fails_with "kill container \"$ID\": container not running: it is stopped"
    oci delete "$ID"
    nothing_left
}

@test "delete wants a stopped container, or --force" {
    configure '.process.args = ["sleep", "60"]'
    run oci delete "$ID"
    fails_with "container \"$ID\" does not exist"
    oci delete --force "$ID"
    oci create "$ID" 3>&-
    run oci delete "$ID"
    fails_with "delete container \"$ID\": it is created; stop it first, or use --force"
    oci start "$ID"
    run oci delete "$ID"
    fails_with "delete container \"$ID\": it is running; stop it first, or use --force"
    has_status running
    oci delete --force "$ID"
    nothing_left
}

@test "delete --force ends a run in the foreground" {
    configure '.process.args = ["sleep", "60"]'
    in_background run "$ID"
    wait_for has_status running
    run oci delete "$ID"
    [ "$status" -eq 1 ]
    oci delete --force "$ID"
    nothing_left
    end_of_background
    [ "$status" -eq 137 ]
}

@test "an id is taken once" {
    configure '.process.args = ["sleep", "60"]'
    oci create "$ID" 3>&-
    for verb in create run; do
        run oci "$verb" "$ID"
        fails_with "$verb container \"$ID\": container \"$ID\" exists already; delete it or take another id"
        has_status created
    done
    oci start "$ID"
}

@test "an id that could be a path or an option is refused" {
    for id in "" . .. ../x a/b .hidden 'a b' $'a\nb' "$(printf '%249s' '' | tr ' ' x)"; do
        run oci run -- "$id"
        [ "$status" -eq 1 ]
        [[ "$output" == *"expected 1 to 248 letters, digits, _ + - or, not in front, ."* ]]
    done
    for id in a A.9_+- "$(printf '%248s' '' | tr ' ' x)"; do
        oci run -- "$id"
    done
    [ -z "$(ls "$(coffer_root)/oci")" ]
}

@test "create keeps the configuration: later edits change nothing" {
    configure_script 'echo first > /tmp/which' '.root.readonly = false | .annotations = {"a": "1"}'
    oci create "$ID" 3>&-
    configure_script 'echo second > /tmp/which' '.annotations = {"a": "2"}'
    oci start "$ID"
    wait_for test -s "$ROOTFS/tmp/which"
    [ "$(< "$ROOTFS/tmp/which")" = first ]
    [ "$(oci state "$ID" | jq -r .annotations.a)" = 1 ]
    rm config.json
    oci delete --force "$ID"
    nothing_left
}

@test "create without a process is legal, start is not" {
    configure 'del(.process)'
    oci create "$ID" 3>&-
    has_status created
    run oci start "$ID"
    fails_with "start container \"$ID\": the configuration has no process to start"
    oci delete --force "$ID"
    nothing_left
}

@test "a failed create leaves nothing" {
    for filter in '.mounts += [{"destination": "/x", "type": "bind", "source": "/nowhere", "options": ["bind"]}]' \
        '.mounts += [{"destination": "/x", "type": "nofs", "source": "x"}]' \
        '.process.args = ["nowhere"]' \
        '.root.path = "nowhere"' \
        '.process.user.uid = 0 | .hooks.createRuntime = [{"path": "/bin/false"}]' \
        '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 5, "hostID": 100000, "size": 1}]
            | .linux.gidMappings = [{"containerID": 5, "hostID": 100000, "size": 1}]'; do
        cp config.json kept
        configure "$filter"
        for verb in create run "run --detach"; do
            run oci $verb "$ID" 3>&-
            [ "$status" -eq 1 ]
            [ "${#lines[@]}" -eq 1 ]
            nothing_left
        done
        mv kept config.json
    done
}

@test "the process of a created container is not the program itself" {
    configure '.process.args = ["sleep", "60"]'
    oci create "$ID" 3>&-
    [[ "$(readlink "/proc/$(pid_of)/exe")" == /memfd:coffer-init* ]]
}

# --- the root file system ---

@test "the root is read-only where the configuration says so" {
    run_script 'touch /tmp/x'
    [ "$status" -ne 0 ]
    [[ "$output" == *"Read-only file system"* ]]
    run_script 'touch /tmp/x' '.root.readonly = false'
    [ "$status" -eq 0 ]
    [ -e "$ROOTFS/tmp/x" ]
}

@test "nothing of the host's mounts is seen" {
    run_script 'cut -d" " -f5 /proc/self/mountinfo | sort -u | grep -vE "^/$|^/(proc|sys|dev)(/|$)"; ls -d /* | wc -l'
    has_line "$(find "$ROOTFS" -mindepth 1 -maxdepth 1 | wc -l)"
    [ "${#lines[@]}" -eq 1 ]
}

@test "standard devices and links are there, whatever the configuration lists" {
    run_script 'stat -c "%n %F %t:%T %a" /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
        for link in fd stdin stdout stderr ptmx; do echo "$link $(readlink /dev/$link)"; done
        echo thrown away > /dev/null; head -c 4 /dev/zero | wc -c; echo x > /dev/full'
    for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
        has_line "/dev/${device%%:*} character special file ${device#*:} 666"
    done
    has_line 'fd /proc/self/fd'
    has_line 'stdin /proc/self/fd/0'
    has_line 'stdout /proc/self/fd/1'
    has_line 'stderr /proc/self/fd/2'
    has_line 'ptmx pts/ptmx'
    has_line 4
    [[ "$output" == *"No space left on device"* ]]
}

@test "devices of the configuration are made, with owner and mode, and need a rule to be used" {
    run_script 'stat -c "%n %F %t:%T %a %u:%g" /dev/fuse2 /dev/pipe; cat /dev/mine' \
        '.linux.devices = [{"path": "/dev/fuse2", "type": "c", "major": 10, "minor": 229, "fileMode": 432, "uid": 3, "gid": 4},
            {"path": "/dev/pipe", "type": "p", "fileMode": 384}, {"path": "/dev/mine", "type": "c", "major": 1, "minor": 4}]'
    has_line '/dev/fuse2 character special file a:e5 660 3:4'
    has_line '/dev/pipe fifo 0:0 600 0:0'
    [[ "$output" == *"cat: can't open '/dev/mine': Operation not permitted"* ]]
}

@test "another kind of file at the place of a device is an error" {
    mkdir -p "$ROOTFS/dev"
    touch "$ROOTFS/dev/null"
    run_script true 'del(.mounts[] | select(.destination | startswith("/dev")))'
    fails_with "run container \"$ID\": device /dev/null: the root file system has another kind of file there"
    nothing_left
}

# --- masked and read-only paths ---

@test "masked paths that lead through /proc to elsewhere are masked" {
    run_script 'ls -d /sys/kernel /sys/class; ls -A /sys/kernel /sys/class | wc -l' '.linux.maskedPaths += ["/proc/../sys/kernel", "/proc/1/../../sys/class"]'
    [ "$output" = $'/sys/class\n/sys/kernel\n3' ]
}

@test "masked paths are empty, and cannot be written" {
    mkdir "$ROOTFS/secret"
    touch "$ROOTFS/secret/inside" "$ROOTFS/file"
    echo secret > "$ROOTFS/file"
    run_script 'stat -c "%n %F %t:%T" /proc/kcore /proc/keys /file; ls -A /sys/firmware /secret | grep inside; cat /file
        touch /secret/x' '.linux.maskedPaths += ["/secret", "/file", "/missing"] | .root.readonly = false'
    for file in /proc/keys /file $(ls /proc/kcore 2> /dev/null); do
        has_line "$file character special file 1:3"
    done
    [[ "$output" != *inside* ]]
    [[ "$output" != *secret$'\n'* ]]
    [[ "$output" == *"/secret/x: Read-only file system"* ]]
    [ "$(< "$ROOTFS/file")" = secret ]
}

@test "read-only paths cannot be written, nor made writable" {
    mkdir "$ROOTFS/kept"
    run_script 'touch /kept/x; echo 1 > /proc/sys/net/ipv4/ip_forward; echo h > /proc/sysrq-trigger
        mount -o remount,rw,bind /kept; touch /kept/x' '.linux.readonlyPaths += ["/kept", "/missing"] | .root.readonly = false'
    [[ "$output" == *"/kept/x: Read-only file system"* ]]
    [[ "$output" == *"/proc/sys/net/ipv4/ip_forward: Read-only file system"* ]]
    [ ! -e /proc/sysrq-trigger ] || [[ "$output" == *"/proc/sysrq-trigger: Read-only file system"* ]]
    [ ! -e "$ROOTFS/kept/x" ]
}

# --- names, limits, identity ---

@test "host and domain name are the container's" {
    run_script 'hostname; cat /proc/sys/kernel/domainname' '.hostname = "inside" | .domainname = "example.org"'
    [ "$output" = $'inside\nexample.org' ]
    [ "$(hostname)" != inside ]
}

@test "rlimits are set, soft and hard" {
    run_script 'ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc' \
        '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 512}]'
    [ "$output" = $'100\n200\n0\n1' ]
}

@test "the five capability sets are those of the configuration" {
    run_script 'grep ^Cap /proc/self/status' '.process.capabilities = {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
        | .process.user.uid = 1000'
    # An executed program has what is ambient (capabilities(7)).
    has_line $'CapInh:\t0000000000000020'
    has_line $'CapPrm:\t0000000000000020'
    has_line $'CapEff:\t0000000000000020'
    has_line $'CapBnd:\t00000000000000a1'
    has_line $'CapAmb:\t0000000000000020'
}

@test "no capabilities section means no capability" {
    run_script 'grep ^Cap /proc/self/status | cut -f2 | sort -u' 'del(.process.capabilities)'
    [ "$output" = 0000000000000000 ]
}

@test "no_new_privs is set or not" {
    run_script 'grep NoNewPrivs /proc/self/status'
    [ "$output" = $'NoNewPrivs:\t1' ]
    run_script 'grep NoNewPrivs /proc/self/status' '.process.noNewPrivileges = false'
    [ "$output" = $'NoNewPrivs:\t0' ]
}

@test "user, groups and umask are those of the configuration" {
    run_script 'id -u; id -g; id -G; umask' '.process.user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 63}'
    [ "$output" = $'1000\n1001\n1001 5 6\n0077' ]
    run_script 'id -G'
    [ "$output" = "1000 1001 5 6" ] || [ "$output" = "1001 5 6" ]
}

@test "the caller's umask reaches the command, but not what the container is made of" {
    rmdir "$ROOTFS/proc" "$ROOTFS/sys" "$ROOTFS/dev"
    configure_script 'umask; stat -c %a /dev/shm /dev/mqueue /dev/null' '.mounts += [{"destination": "/a/b/c", "type": "tmpfs", "source": "x"}]'
    umask 077
    run oci run "$ID"
    umask 022
    [ "$status" -eq 0 ]
    [ "$output" = $'0077\n1777\n1777\n666' ]
    [ "$(stat -c %a "$ROOTFS/proc" "$ROOTFS/a" "$ROOTFS/a/b")" = $'755\n755\n755' ]
}

@test "the environment is the configuration's and nothing more" {
    SECRET=of-the-host run_script 'env; tr "\0" "\n" < /proc/1/environ' '.process.env = ["PATH=/bin", "A=b c", "EMPTY="]'
    [[ "$output" != *SECRET* ]]
    has_line 'A=b c'
    has_line 'EMPTY='
}

@test "the working directory is entered, and made when it is missing" {
    run_script 'pwd' '.process.cwd = "/home/user"'
    [ "$output" = /home/user ]
    run_script 'pwd' '.process.cwd = "/made/for/this" | .root.readonly = false'
    [ "$output" = /made/for/this ]
    [ -d "$ROOTFS/made/for/this" ]
    run_script 'pwd' '.process.cwd = "/etc/passwd"'
    fails_with "run container \"$ID\": change to working directory /etc/passwd: Not a directory"
}

@test "oomScoreAdj is set, also in a user namespace" {
    run_script 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 300'
    [ "$output" = 300 ]
    run_script 'cat /proc/self/oom_score_adj' '.linux.namespaces += [{"type": "user"}]
        | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
    [ "$output" = 300 ]
}

# --- seccomp ---

@test "a system call filter gives its error, or kills" {
    run_script 'mkdir /tmp/x; echo after' '.root.readonly = false | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
    [[ "$output" == *"No space left on device"* ]]
    has_line after
    run_script 'grep -E "^Seccomp:" /proc/self/status; (mkdir /tmp/x); echo $?' \
        '.linux.seccomp.syscalls[0].action = "SCMP_ACT_KILL_PROCESS" | del(.linux.seccomp.syscalls[0].errnoRet)'
    has_line $'Seccomp:\t2'
    has_line 159
    [ ! -e "$ROOTFS/tmp/x" ]
}

@test "a filter that allows only what the command needs does not stop the start" {
    for privileges in true false; do
        run_script 'echo started' '.process.noNewPrivileges = $nnp | .linux.seccomp = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW",
            "names": ["execve", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64",
                "readlink", "readlinkat", "getrandom", "getuid", "getgid", "geteuid", "getegid", "getpid", "getppid", "rt_sigaction",
                "rt_sigprocmask", "write", "exit_group", "stat", "newfstatat", "uname", "prctl", "getcwd", "fcntl", "sigaltstack", "dup2",
                "capset", "capget", "setgroups", "setresuid", "setresgid", "setuid", "setgid", "chdir", "futex"]}]}' \
            --argjson nnp "$privileges"
        [ "$output" = started ]
    done
}

# --- namespaces ---

@test "namespaces are new ones, or the host's where the configuration has none" {
    run_script 'for type in pid net ipc uts mnt cgroup user; do echo "$type $(readlink /proc/self/ns/$type)"; done'
    for type in pid net ipc uts mnt cgroup; do
        [[ "$output" != *"$type $(readlink "/proc/self/ns/$type")"* ]]
    done
    has_line "user $(readlink /proc/self/ns/user)"
    run_script 'for type in pid net ipc uts mnt cgroup user; do echo "$type $(readlink /proc/self/ns/$type)"; done' \
        '.linux.namespaces = [{"type": "mount"}] | del(.hostname) | del(.mounts[] | select(.type == "sysfs" or .type == "mqueue"))'
    for type in pid net ipc uts cgroup user; do
        has_line "$type $(readlink "/proc/self/ns/$type")"
    done
}

@test "the loopback interface of a new network is up" {
    run_script 'ip -o addr show lo; ip link | grep -c "^[0-9]"'
    [[ "$output" == *"inet 127.0.0.1/8"* ]]
    [ "${lines[-1]}" = "$(grep -c : /proc/net/dev | awk '{ print 1 }')" ] || [ "${lines[-1]}" -ge 1 ]
}

@test "namespaces are joined by path" {
    configure '.process.args = ["sleep", "60"] | .hostname = "first"'
    oci run --detach "$ID" 3>&-
    pid=$(pid_of)
    ID=$ID.second
    run_script 'hostname; for type in pid net ipc uts; do readlink /proc/self/ns/$type; done; ls /proc | grep -c "^[0-9]"' \
        'del(.hostname) | .linux.namespaces = [{"type": "mount"}] + [{"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts"} |
            to_entries[] | {"type": .key, "path": "/proc/\($pid)/ns/\(.value)"}]' --arg pid "$pid"
    [ "$status" -eq 0 ]
    has_line first
    for type in pid net ipc uts; do
        has_line "$(readlink "/proc/$pid/ns/$type")"
    done
    nothing_left
}

@test "a user namespace is joined by path" {
    configure '.process.args = ["sleep", "60"] | .linux.namespaces += [{"type": "user"}]
        | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
    oci run --detach "$ID" 3>&-
    pid=$(pid_of)
    ID=$ID.second
    run_script 'readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map' 'del(.linux.uidMappings) | del(.linux.gidMappings)
        | .linux.namespaces = [{"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
            {"type": "cgroup"}, {"type": "user", "path": "/proc/\($pid)/ns/user"}]' --arg pid "$pid"
    has_line "$(readlink "/proc/$pid/ns/user")"
    has_line 0
    [[ "$output" == *100000* ]]
    nothing_left
}

@test "a path that is no namespace, or one of another type, is an error" {
    configure '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/ipc" else . end)'
    run oci run "$ID"
    fails_with "run container \"$ID\": namespace /proc/self/ns/ipc: expected one of type network, found type ipc"
    configure '.linux.namespaces |= map(if .type == "network" then .path = "/etc/passwd" else . end)'
    run oci run "$ID"
    fails_with "run container \"$ID\": /etc/passwd is not a namespace"
    configure '.linux.namespaces |= map(if .type == "network" then .path = "/nowhere" else . end)'
    run oci run "$ID"
    fails_with "run container \"$ID\": open namespace /nowhere: No such file or directory"
    configure '.linux.namespaces |= map(if .type == "network" then del(.path) elif .type == "pid" then .path = "/proc/self/ns/net" else . end)'
    run oci run "$ID"
    fails_with "run container \"$ID\": namespace /proc/self/ns/net: expected one of type pid, found type network"
    nothing_left
}

@test "a user namespace has the mapping of the configuration, and files belong to mapped ids" {
    chown -R 100000:100000 "$ROOTFS"
    run_script 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "; id -u; touch /tmp/x; stat -c "%u %F" /bin /dev/null' \
        '.root.readonly = false | .linux.namespaces += [{"type": "user"}]
            | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 300000, "size": 500}]
            | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
    [ "$status" -eq 0 ]
    [ "${lines[0]# }" = "0 100000 1000" ]
    [ "${lines[1]# }" = "1000 300000 500" ]
    [ "${lines[2]# }" = "0 100000 65536" ]
    has_line "0 directory"
    [ "$(stat -c %u:%g "$ROOTFS/tmp/x")" = 100000:100000 ]
    run_script 'echo > /tmp/y' '.process.user = {"uid": 1000, "gid": 7}'
    [ "$(stat -c %u:%g "$ROOTFS/tmp/y")" = 300000:100007 ]
}

@test "the process of a user namespace has no power over the host" {
    chown -R 100000:100000 "$ROOTFS"
    run_script 'cat /host; echo x > /host; touch /dev/null; mknod /tmp/dev c 1 3; grep CapEff /proc/self/status' \
        '.root.readonly = false | .linux.namespaces += [{"type": "user"}] | .process.noNewPrivileges = false
            | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings
            | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_SYS_ADMIN"])
            | .mounts += [{"destination": "/host", "type": "bind", "source": "/etc/shadow", "options": ["bind"]}]'
    [[ "$output" == *"can't open '/host': Permission denied"* ]]
    [[ "$output" == *"can't create /host: Permission denied"* ]]
    [[ "$output" == *"/tmp/dev: Operation not permitted"* ]]
    [ ! -e "$ROOTFS/tmp/dev" ]
}

@test "sysctls of the container's namespaces are set, the host's refused" {
    before=$(cat /proc/sys/net/ipv4/ip_default_ttl)
    run_script 'cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/shmmni' \
        '.linux.sysctl = {"net.ipv4.ip_default_ttl": "77", "kernel.shmmni": "333"}'
    [ "$output" = $'77\n333' ]
    [ "$(cat /proc/sys/net/ipv4/ip_default_ttl)" = "$before" ]
    run_script true '.linux.sysctl = {"kernel.core_pattern": "|/x"}'
    fails_with "config.json: linux.sysctl: kernel/core_pattern belongs to no namespace, so it would change the host"
    run_script true '.linux.sysctl = {"net.ipv4.ip_default_ttl": "78"} | del(.linux.namespaces[] | select(.type == "network"))'
    fails_with "config.json: linux.sysctl: net/ipv4/ip_default_ttl needs a namespace of type network, or it would change the host"
    run_script true '.linux.namespaces += [{"type": "network", "path": "/proc/self/ns/net"}]'
    fails_with "run container \"$ID\": namespace /proc/self/ns/net: is the host's own, which net/ipv4/ip_default_ttl of the configuration would change"
    [ "$(cat /proc/sys/net/ipv4/ip_default_ttl)" = "$before" ]
}

@test "HOME is the user's in the container's passwd, where the configuration has none" {
    run_script 'echo $HOME' '.process.user = {"uid": 1000, "gid": 1000}'
    [ "$output" = /home/user ]
    run_script 'echo $HOME' '.process.user = {"uid": 77, "gid": 77}'
    [ "$output" = / ]
    run_script 'echo $HOME' '.process.env += ["HOME=/own"]'
    [ "$output" = /own ]
    rm "$ROOTFS/etc/passwd"
    run_script 'echo $HOME' '.process.env -= ["HOME=/own"]'
    [ "$output" = / ]
}

@test "pipes that the caller gives belong to the command's user, files do not" {
    configure_script 'echo error > /dev/stderr; echo output > /dev/stdout' '.process.user = {"uid": 1000, "gid": 1000}'
    [ "$({ oci run "$ID" 2>&1 3>&-; } | cat)" = $'error\noutput' ]
    oci run "$ID" > file 2>&1 < /dev/null 3>&- || true
    [ "$(stat -c %u file)" = 0 ]
}
