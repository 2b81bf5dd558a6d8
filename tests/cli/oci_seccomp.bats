#!/usr/bin/env bats
# The low level: linux.seccomp, from the filter's actions to the listener of those that ask (runtime-spec, config-linux.md, "Seccomp").
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    AGENT=""
    configure '.root.readonly = false'
}

teardown() {
    [ -z "$AGENT" ] || kill "$AGENT" 2> /dev/null || true
    bundle_teardown
}

# seccomp FILTER: the section, as a jq expression.
seccomp() {
    configure ".linux.seccomp = $1"
}

# deny REST: mkdir alone has the action.
mkdir_is() {
    seccomp "{defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [\"mkdir\", \"mkdirat\"], $1}]}"
}

# Answers on ./agent.sock; see agent.py.
start_agent() {
    mkdir -p answers
    python3 "$BATS_TEST_DIRNAME/agent.py" "${SOCKET:-agent.sock}" answers "$@" 2> agent.errors 3>&- &
    AGENT=$!
    wait_for test -S "${SOCKET:-agent.sock}"
}

asked() {
    grep -qx "$1" answers/asked
}

@test "each action does what its name says" {
    mkdir_is 'action: "SCMP_ACT_ERRNO"'
    run_script 'mkdir /tmp/x; echo alive'
    [ "$output" = "mkdir: can't create directory '/tmp/x': Operation not permitted"$'\n'alive ]
    mkdir_is 'action: "SCMP_ACT_ERRNO", errnoRet: 123'
    run_script 'mkdir /tmp/x; echo alive'
    [ "$output" = "mkdir: can't create directory '/tmp/x': No medium found"$'\n'alive ]
    mkdir_is 'action: "SCMP_ACT_TRACE"' # and no tracer
    run_script 'mkdir /tmp/x; echo alive'
    [ "$output" = "mkdir: can't create directory '/tmp/x': Function not implemented"$'\n'alive ]
    for action in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
        mkdir_is "action: \"$action\""
        run_script 'mkdir /tmp/x; echo $?'
        has_line 159 # 128 + SIGSYS
    done
    for action in SCMP_ACT_ALLOW SCMP_ACT_LOG; do
        mkdir_is "action: \"$action\""
        run_script 'mkdir /tmp/x; echo $?'
        has_line 0
        rmdir "$ROOTFS/tmp/x"
    done
}

@test "a default that denies allows what is listed, and names that nobody knows are passed over" {
    configure_script 'echo $((1 + 1))' '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 95, syscalls: [
        {names: ["read", "write", "readv", "writev", "open", "openat", "close", "execve", "brk", "mmap", "munmap", "mprotect", "rt_sigaction",
            "rt_sigprocmask", "rt_sigreturn", "fstat", "newfstatat", "stat", "lseek", "exit", "exit_group", "arch_prctl", "set_tid_address",
            "set_robust_list", "rseq", "prlimit64", "getrandom", "getuid", "geteuid", "getgid", "getegid", "getpid", "getppid", "getcwd",
            "fcntl", "ioctl", "dup2", "uname", "chdir", "prctl", "readlink", "access", "clone", "fork", "vfork", "wait4", "futex", "poll",
            "call_of_a_distant_future", "another one"], action: "SCMP_ACT_ALLOW"},
        {names: ["setresuid", "setresgid", "setgroups", "capset", "capget", "sendmsg"], action: "SCMP_ACT_ALLOW"}]}'
    run oci --log log --debug run "$ID"
    [ "$status" -eq 0 ]
    [ "$output" = 2 ]
    grep -q 'linux.seccomp.syscalls: no system call is known here by the name call_of_a_distant_future' log
    oci run "$ID" # and again
    configure '.process.args = ["mkdir", "/tmp/x"]'
    run oci run "$ID"
    [[ "$output" == *"Not supported" || "$output" == *"Operation not supported" ]]
}

@test "arguments are compared whole" {
    # kill(0, 2^32 + 0) would pass for a comparison of 32 bits; the shell's numbers are of 64.
    configure_script 'umask 077; umask; umask 022; umask' '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
        {names: ["umask"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [{index: 0, value: 63, op: "SCMP_CMP_MASKED_EQ", valueTwo: 18}]}]}'
    run oci run "$ID"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = 0077 ]
    [ "${lines[1]}" != 0022 ]
}

@test "all flags are taken" {
    mkdir_is 'action: "SCMP_ACT_ERRNO"'
    configure_script 'mkdir /tmp/x || grep Seccomp: /proc/self/status' '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'
    run oci run "$ID"
    has_line "Seccomp:	2"
    configure '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": config.json: linux.seccomp.flags[0]: expected one of SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, found \"SECCOMP_FILTER_FLAG_NEW_LISTENER\"" ||
        fails_with "config.json: linux.seccomp.flags[0]: expected one of SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, found \"SECCOMP_FILTER_FLAG_NEW_LISTENER\""
}

@test "what makes no sense is refused by its field" {
    mkdir_is 'action: "SCMP_ACT_KILL", errnoRet: 1'
    run oci run "$ID"
    fails_with "config.json: linux.seccomp.syscalls[0].errnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE return an error number, found SCMP_ACT_KILL"
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "x"}'
    run oci run "$ID"
    fails_with "config.json: linux.seccomp.listenerMetadata: needs a listenerPath"
    mkdir_is 'action: "SCMP_ACT_NOTIFY"'
    run oci run "$ID"
    fails_with "config.json: linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs a listenerPath"
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: [], action: "SCMP_ACT_KILL"}]}'
    run oci run "$ID"
    fails_with "config.json: linux.seccomp.syscalls[0].names: must not be empty"
    nothing_left
}

@test "a filter that the kernel would not take is an error with the limit" {
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [range(5000) | {names: ["read"], action: "SCMP_ACT_ERRNO", args: [{index: 1, value: (. * 7 + 1), op: "SCMP_CMP_EQ"}]}]}'
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" =~ "linux.seccomp: the filter has "[0-9]+" instructions, the kernel takes 4096" ]]
    nothing_left
}

@test "the profile of podman and docker holds, with its three architectures" {
    local profile=/usr/share/containers/seccomp.json
    [ -r "$profile" ] || skip "needs $profile (golang-github-containers-common)"
    configure_script 'echo runs; mount -t tmpfs none /tmp || echo denied' '.linux.seccomp = ($profile[0] | {defaultAction, defaultErrnoRet, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            syscalls: [.syscalls[] | select((.includes.caps // []) == [] and (.includes.arches // ["amd64"] | index("amd64"))
                and (.excludes.arches // [] | index("amd64") | not)) | {names, action, errnoRet, args} | del(..|nulls)]} | del(..|nulls))' --slurpfile profile "$profile"
    run oci run "$ID"
    [ "$status" -eq 0 ]
    has_line runs
    has_line denied
}

# --- listeners ---

# asks ACTION-LESS FILTER: what is asked about.
asks() {
    seccomp "{defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"$BUNDLE/agent.sock\", listenerMetadata: \"of the test\",
        syscalls: [{names: $1, action: \"SCMP_ACT_NOTIFY\"}]}"
}

@test "the listener comes with the process's state, by one connection" {
    asks '["mkdir", "mkdirat"]'
    configure '.annotations = {"org.example": "text"}'
    start_agent 83=ENOMEDIUM 258=ENOMEDIUM
    run_script 'mkdir /tmp/x; echo alive'
    [ "$status" -eq 0 ]
    [ "$output" = "mkdir: can't create directory '/tmp/x': No medium found"$'\n'alive ]
    wait_for test -f answers/state.0
    [ "$(cut -c1-3 answers/parts.0)" = 1 ] || [ "$(cut -c1-4 answers/parts.0)" = "1 0 " ]
    [ ! -e answers/parts.1 ]
    [ "$(jq -c '[.ociVersion, .fds, .metadata, .pid == .state.pid, .state.id, .state.status, .state.annotations]' answers/state.0)" = \
        "[\"1.3.0\",[\"seccompFd\"],\"of the test\",true,\"$ID\",\"created\",{\"org.example\":\"text\"}]" ]
    nothing_left
}

@test "every call may be asked about, those that init itself makes too" {
    start_agent
    for privileges in true false; do
        asks '["write", "sendmsg", "close", "read", "execve", "execveat", "capset", "prctl", "setresuid", "setresgid", "chdir", "getcwd", "exit_group"]'
        run_script 'echo out' ".process.noNewPrivileges = $privileges"
        [ "$status" -eq 0 ]
        [ "$output" = out ]
        asked 59
        seccomp "{defaultAction: \"SCMP_ACT_NOTIFY\", listenerPath: \"$BUNDLE/agent.sock\"}"
        run oci run "$ID"
        [ "$output" = out ]
    done
    nothing_left
}

@test "create connects to nobody, start does" {
    asks '["mkdir", "mkdirat"]'
    start_agent 83=ENOMEDIUM 258=ENOMEDIUM
    configure_script 'mkdir /tmp/x || touch /tmp/refused'
    oci create "$ID" < /dev/null > /dev/null 2>&1
    pid=$(pid_of)
    [ ! -e answers/parts.0 ]
    oci start "$ID"
    wait_for test -f answers/state.0
    [ "$(jq .state.pid answers/state.0)" = "$pid" ]
    wait_for has_status stopped
    [ -e "$ROOTFS/tmp/refused" ]
    oci delete "$ID"
}

@test "exec has a listener of its own, with its own process and the container's state" {
    asks '["mkdir", "mkdirat"]'
    start_agent 83=ENOMEDIUM 258=ENOMEDIUM
    configure_script 'exec sleep 100'
    oci run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    run oci exec "$ID" mkdir /tmp/x
    [ "$status" -eq 1 ]
    [[ "$output" == *"No medium found" ]]
    wait_for test -f answers/state.1
    [ "$(jq .state.pid answers/state.1)" = "$(pid_of)" ]
    [ "$(jq -c '[.metadata, .state.status, .pid != .state.pid]' answers/state.1)" = '["of the test","running",true]' ]
    kill "$AGENT"
    wait "$AGENT" || true
    run oci exec "$ID" mkdir /tmp/x
    [ "$status" -ne 0 ]
    [[ "$output" == *"linux.seccomp.listenerPath: connect to $BUNDLE/agent.sock: Connection refused" ]]
    has_status running
}

@test "without who answers nothing runs" {
    asks '["mkdir"]'
    run_script 'touch /tmp/ran'
    fails_with "run container \"$ID\": linux.seccomp.listenerPath: connect to $BUNDLE/agent.sock: No such file or directory"
    nothing_left
    oci create "$ID" < /dev/null > /dev/null 2>&1
    run oci start "$ID"
    fails_with "start container \"$ID\": linux.seccomp.listenerPath: connect to $BUNDLE/agent.sock: No such file or directory"
    wait_for has_status stopped
    [ ! -e "$ROOTFS/tmp/ran" ]
    oci delete "$ID"
}

@test "who stops answering leaves calls missing, not allowed" {
    asks '["mkdir", "mkdirat"]'
    start_agent
    configure_script 'while [ ! -e /tmp/go ]; do sleep 0.05; done; mkdir /tmp/x'
    in_background run "$ID"
    wait_for test -f answers/state.0
    kill -KILL "$AGENT"
    wait "$AGENT" || true
    touch "$ROOTFS/tmp/go"
    end_of_background
    [ "$status" -eq 1 ]
    [[ "$output" == *"mkdir: can't create directory '/tmp/x': Function not implemented" ]]
}

@test "a listener works from a user namespace, by a long path and with much metadata" {
    local long
    long=$BUNDLE/$(printf 'l%.0s' $(seq 150))
    mkdir "$long"
    (cd "$long" && exec python3 "$BATS_TEST_DIRNAME/agent.py" agent.sock "$BUNDLE" 83=ENOMEDIUM 258=ENOMEDIUM 2> /dev/null 3>&-) &
    AGENT=$!
    wait_for test -S "$long/agent.sock"
    asks '["mkdir", "mkdirat"]'
    configure_script 'mkdir /tmp/x' '.linux.seccomp.listenerPath = $path
        | .linux.seccomp.listenerMetadata = ("much " * 60000)
        | .linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        | .linux.uidMappings = .linux.gidMappings' --arg path "$long/agent.sock"
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *"No medium found" ]]
    wait_for test -f state.0
    [ "$(jq -r '.metadata | length' state.0)" -eq 300000 ]
    [ "$(tr -d ' 0\n' < parts.0)" = 1 ]
}

@test "an ordinary user's container has a listener, too" {
    [ -x /usr/bin/python3 ] || skip "needs a python3 that any user can run"
    make_user
    cp "$BATS_TEST_DIRNAME/agent.py" .
    rm config.json
    chown -R "$TEST_UID" "$BATS_TEST_TMPDIR"
    as_user "$COFFER_OCI" spec --rootless
    asks '["mkdir", "mkdirat"]'
    configure_script 'mkdir /tmp/x; echo alive' '.process.terminal = false | .root.readonly = false'
    mkdir answers
    chown -R "$TEST_UID" "$BATS_TEST_TMPDIR"
    setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- /usr/bin/python3 agent.py agent.sock answers 83=ENOMEDIUM 258=ENOMEDIUM 3>&- &
    AGENT=$!
    wait_for test -S agent.sock
    run as_user "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/user" run "$ID"
    [ "$status" -eq 0 ]
    [ "$output" = "mkdir: can't create directory '/tmp/x': No medium found"$'\n'alive ]
}

@test "a listener's path without a rule that asks is not used" {
    seccomp '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/nowhere", listenerMetadata: "x"}'
    run_script 'echo out'
    [ "$status" -eq 0 ]
    [ "$output" = out ]
}
