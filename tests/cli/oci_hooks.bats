#!/usr/bin/env bats
# The low level: hooks, in what order, where and with what on their standard input; and when they fail.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

# hook.sh KIND [CODE] notes the kind, its mount namespace, and what the state says. jq is not in the container, sed is.
setup() {
    bundle_setup
    cat > hook.sh <<END
#!/bin/sh
state=\$(cat)
field() { echo "\$state" | sed -n "s/.*\"\$1\": *\"*\([^\",]*\)\"*,*\$/\1/p" | head -1; }
echo "\$1 \$(field status) \$(field id) \$(readlink /proc/self/ns/mnt)" >> "\${LOG:-$BUNDLE/log}"
echo "\$state" > "\${LOG:-$BUNDLE/log}.\$1"
exit \${2:-0}
END
    chmod +x hook.sh
    cp hook.sh "$ROOTFS/bin/hook.sh"
    HOOKS='def hook(kind): {"path": ($bundle + "/hook.sh"), "args": ["hook.sh", kind]};
        .root.readonly = false | .hooks = {
            "prestart": [hook("prestart")], "createRuntime": [hook("createRuntime")], "createContainer": [hook("createContainer")],
            "startContainer": [{"path": "/bin/hook.sh", "args": ["hook.sh", "startContainer"], "env": ["PATH=/bin", "LOG=/tmp/log"]}],
            "poststart": [hook("poststart")], "poststop": [hook("poststop")]}'
    HOST=$(readlink /proc/self/ns/mnt)
}

teardown() {
    bundle_teardown
}

all_hooks() {
    configure --arg bundle "$BUNDLE" "$HOOKS"
}

kinds() {
    cut -d" " -f1 log | xargs
}

@test "hooks run in their order, in their namespaces, with their state" {
    all_hooks
    configure '.process.args = ["sleep", "60"]'
    oci create "$ID" 3>&-
    [ "$(kinds)" = "prestart createRuntime createContainer" ]
    [ "$(sed -n 1,2p log)" = "prestart creating $ID $HOST"$'\n'"createRuntime creating $ID $HOST" ]
    [[ "$(sed -n 3p log)" == "createContainer creating $ID mnt:"* ]]
    [[ "$(sed -n 3p log)" != *"$HOST" ]]
    [ "$(jq -r '.pid, .bundle' log.createRuntime)" = "$(pid_of)"$'\n'"$BUNDLE" ]
    [ ! -e "$ROOTFS/tmp/log" ]
    oci start "$ID"
    [[ "$(< "$ROOTFS/tmp/log")" == "startContainer created $ID mnt:"* ]]
    [ "$(sed -n 4p log)" = "poststart running $ID $HOST" ]
    oci kill "$ID" KILL
    wait_for has_status stopped
    [ "$(wc -l < log)" -eq 4 ]
    oci delete "$ID"
    [ "$(sed -n 5p log)" = "poststop stopped $ID $HOST" ]
    nothing_left
}

@test "run runs all hooks" {
    all_hooks
    configure '.process.args = ["true"]'
    oci run "$ID"
    [ "$(kinds)" = "prestart createRuntime createContainer poststart poststop" ]
    [ "$(tail -1 log)" = "poststop stopped $ID $HOST" ]
    [ -s "$ROOTFS/tmp/log" ]
}

@test "several hooks of a kind run in the order of the list" {
    configure --arg bundle "$BUNDLE" 'def hook(n): {"path": ($bundle + "/hook.sh"), "args": ["hook.sh", n]};
        .process.args = ["true"] | .hooks = {"createRuntime": [hook("a"), hook("b"), hook("c")], "poststop": [hook("d"), hook("e")]}'
    oci run "$ID"
    [ "$(kinds)" = "a b c d e" ]
}

@test "a hook has the arguments and the environment of the configuration, no descriptor and no signal mask" {
    configure --arg bundle "$BUNDLE" '.process.args = ["true"] | .hooks.createRuntime = [{"path": "/bin/sh", "env": ["A=1", "PATH=/usr/bin:/bin"],
        "args": ["name", "-c", "{ env; echo $0 $1; ls /proc/self/fd; grep SigBlk /proc/self/status; } > " + $bundle + "/out", "zero", "one"]}]'
    oci run "$ID" 9< /dev/null
    grep -qx A=1 out
    grep -qx 'zero one' out
    ! grep -q ^HOME= out || false
    ! grep -qx 9 out || false
    grep -qx $'SigBlk:\t0000000000000000' out
}

@test "a failing hook before the start ends the creation; poststop still runs" {
    for kind in prestart createRuntime createContainer; do
        for verb in create run "run --detach"; do
            cp config.json kept
            all_hooks
            configure ".process.args = [\"true\"] | .hooks.${kind}[0].args += [\"3\"]"
            run oci $verb "$ID" 3>&-
            fails_with "${verb%% *} container \"$ID\": $kind: hook $BUNDLE/hook.sh ended with exit code 3"
            [ "$(kinds | sed 's/.* //')" = poststop ]
            nothing_left
            rm -f log
            mv kept config.json
        done
    done
}

@test "a failing startContainer hook stops the container" {
    all_hooks
    configure '.process.args = ["touch", "/tmp/ran"] | .hooks.startContainer[0].args += ["4"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": startContainer: hook /bin/hook.sh ended with exit code 4"
    nothing_left
    oci create "$ID" 3>&-
    run oci start "$ID"
    fails_with "start container \"$ID\": startContainer: hook /bin/hook.sh ended with exit code 4"
    wait_for has_status stopped
    [ ! -e "$ROOTFS/tmp/ran" ]
    oci delete "$ID"
    nothing_left
}

@test "startContainer hooks, programs of the image, have the rights of the command and no more" {
    local rights='grep -E "^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):" /proc/self/status; ulimit -n; mkdir /tmp/made 2>&1; true'
    hook='.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "{ " + $rights + "; } > /tmp/hook"], "env": ["PATH=/bin"]}]'
    chmod 1777 "$ROOTFS/tmp"
    for user in 0 1000; do
        for privileges in true false; do
            rm -f "$ROOTFS/tmp/hook"
            configure_script "$rights" '.root.readonly = false | .process.user = {"uid": $user, "gid": $user, "additionalGids": [7]}
                | .process.noNewPrivileges = $privileges | .process.rlimits[0].soft = 77
                | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
                | '"$hook" --argjson user "$user" --argjson privileges "$privileges" --arg rights "$rights"
            oci run "$ID" > shown
            grep -q 'No space left on device' shown
            diff shown "$ROOTFS/tmp/hook"
        done
    done
    # And what they cannot be given is an error of theirs.
    run_script true '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 1048577, "hard": 2147483584}]'
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: run container \"$ID\": startContainer: start hook /bin/sh: set rlimit RLIMIT_NOFILE to 1048577:2147483584"* ]]
    nothing_left
}

@test "a failing poststart hook stops the container and removes it" {
    all_hooks
    configure '.process.args = ["sleep", "60"] | .hooks.poststart[0].args += ["5"]'
    run oci run "$ID"
    fails_with "run container \"$ID\": poststart: hook $BUNDLE/hook.sh ended with exit code 5"
    [ "$(kinds | sed 's/.* //')" = poststop ]
    nothing_left
    rm log
    oci create "$ID" 3>&-
    run oci start "$ID"
    fails_with "start container \"$ID\": poststart: hook $BUNDLE/hook.sh ended with exit code 5"
    [ "$(kinds | sed 's/.* //')" = poststop ]
    nothing_left
}

@test "a failing poststop hook is a warning, and the others run" {
    configure --arg bundle "$BUNDLE" '.process.args = ["sh", "-c", "exit 6"] | .hooks.poststop = [{"path": "/bin/false"},
        {"path": ($bundle + "/hook.sh"), "args": ["hook.sh", "second"]}]'
    run oci run "$ID"
    [ "$status" -eq 6 ]
    [[ "$output" == *"poststop: hook /bin/false ended with exit code 1"* ]]
    [ "$(kinds)" = second ]
    nothing_left
}

@test "a hook that does not end in time is killed" {
    configure '.process.args = ["true"] | .hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]'
    run oci run "$ID"
    fails_with "run container \"$ID\": createRuntime: hook /bin/sleep did not end within 1 seconds and was killed"
    nothing_left
}

@test "a hook that is killed, or is no program, is told so" {
    configure '.process.args = ["true"] | .hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "kill -9 $$"]}]'
    run oci run "$ID"
    fails_with "run container \"$ID\": createRuntime: hook /bin/sh was killed by signal 9"
    configure '.hooks.createRuntime = [{"path": "/nowhere"}]'
    run oci run "$ID"
    fails_with "run container \"$ID\": createRuntime: start hook /nowhere: No such file or directory"
}

@test "a large state arrives whole, and a hook need not read it" {
    configure --arg bundle "$BUNDLE" '.process.args = ["true"] | .hooks = {
        "createRuntime": [{"path": "/bin/true"}, {"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.2; cat > " + $bundle + "/state"]},
            {"path": "/bin/sh", "args": ["sh", "-c", "exec <&-; sleep 0.1"]}],
        "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.2; cat > " + $bundle + "/state.inside"]}, {"path": "/bin/true"}]}'
    configure '.annotations = ([range(5)] | map({"key": "big\(.)", "value": ("x" * 200000)}) | from_entries)'
    oci run "$ID"
    [ "$(jq -r '.annotations.big4 | length' state)" -eq 200000 ]
    [ "$(jq -r '.annotations.big4 | length' state.inside)" -eq 200000 ]
}
