#!/usr/bin/env bats
# The low level: list and state, and commands that take several containers, as engines and people call them.
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

# sleeper ID [FILTER]: a running container of that id.
sleeper() {
    configure ".process.args = [\"sleep\", \"60\"] | ${2:-.}"
    oci run --detach "$1" 3>&-
}

@test "list is runc's table" {
    sleeper "$ID"
    oci create "$ID.long-name" 3>&-
    run oci list
    [ "${#lines[@]}" -eq 3 ]
    # Columns are as wide as their longest cell and three blanks, twelve at least; the last one ends with its text.
    local width=$((${#ID} + 10 + 3))
    [ "$width" -ge 12 ] || width=12
    [ "${lines[0]%%BUNDLE*}" = "$(printf '%-*s%-12s%-12s' "$width" ID PID STATUS)" ]
    read -r id pid status bundle created owner rest <<< "${lines[1]}"
    [ "$id $pid $status $bundle $owner$rest" = "$ID $(pid_of) running $BUNDLE root" ]
    [ "${lines[1]%%"$pid"*}" = "$(printf '%-*s' "$width" "$ID")" ]
    [[ "$created" =~ ^[0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z$ ]]
    read -r id pid status rest <<< "${lines[2]}"
    [ "$id $pid $status" = "$ID.long-name $(pid_of "$ID.long-name") created" ]
}

@test "list as JSON is an array on one line, of what state prints and the owner" {
    sleeper "$ID" '.annotations = {"a.b": "<c> & \"d\""}'
    sleeper "$ID-2" 'del(.annotations)'
    run oci list --format json
    [ "${#lines[@]}" -eq 1 ]
    [ "$(jq -r '.[].id' <<< "$output")" = "$ID"$'\n'"$ID-2" ]
    [ "$(jq -cS '.[0]' <<< "$output")" = "$(oci state "$ID" | jq -cS '.owner = "root"')" ]
    [ "$(jq -r '.[0] | keys_unsorted | join(" ")' <<< "$output")" = "ociVersion id pid status bundle rootfs created annotations owner" ]
    [ "$(jq -r '.[0].annotations["a.b"]' <<< "$output")" = '<c> & "d"' ]
    [ "$(jq -r '.[1] | has("annotations")' <<< "$output")" = false ]
    run oci list -q
    [ "$output" = "$ID"$'\n'"$ID-2" ]
    [ "$(oci list --quiet --format json)" = "$output" ]
}

@test "list of nothing" {
    mkdir -p "$(coffer_root)/oci"
    [ "$(oci list | tr -s ' ')" = "ID PID STATUS BUNDLE CREATED OWNER" ]
    [ "$(oci list -f json)" = null ]
    [ -z "$(oci list -q)" ]
    run oci list --format yaml
    [ "$status" -eq 1 ]
    [ "$output" = 'coffer-oci list: --format: expected table or json, found "yaml"' ]
}

@test "the default folder need not be there, one that is named must" {
    COFFER_ROOT="$BATS_TEST_TMPDIR/none" run "$COFFER_OCI" list --format json
    [ "$output" = null ]
    run "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/none" list
    fails_with "open the run-time directory $BATS_TEST_TMPDIR/none: No such file or directory"
}

@test "list says which container it cannot read, and lists the others" {
    sleeper "$ID"
    mkdir "$(coffer_root)/oci/half" "$(coffer_root)/oci/.seccomp2"
    touch "$(coffer_root)/oci/file"
    run --separate-stderr oci list -q
    [ "$status" -eq 0 ]
    [ "$output" = "$ID" ]
    [ "$stderr" = 'coffer: warning: container "half" is being created, or its creation was cut off' ]
    rmdir "$(coffer_root)/oci/half" "$(coffer_root)/oci/.seccomp2"
    rm "$(coffer_root)/oci/file"
}

@test "the owner of a container is its folder's, by name or by number" {
    sleeper "$ID"
    chown 54321 "$(coffer_root)/oci/$ID"
    [ "$(oci list -f json | jq -r '.[].owner')" = "#54321" ]
    [ "$(oci state "$ID" | jq -r .owner)" = "" ]
}

@test "state has the fields of the specification and of runc" {
    sleeper "$ID" '.annotations = {"org.example": "x"}'
    state=$(oci state "$ID")
    [ "$(jq -r 'keys_unsorted | join(" ")' <<< "$state")" = "ociVersion id pid status bundle rootfs created annotations owner" ]
    [ "$(jq -r '.ociVersion, .id, .status, .bundle, .rootfs, .annotations["org.example"]' <<< "$state" | tr '\n' ' ')" = \
        "1.3.0 $ID running $BUNDLE $ROOTFS x " ]
}

# What create does is stretched by a hook, so that others can look at it meanwhile.
@test "a container is creating while its maker is at work, however it is made" {
    cat > "$BATS_TEST_TMPDIR/slow" << 'EOF'
#!/bin/bash
cat > "$1.document"
while [ ! -e "$1" ]; do sleep 0.02; done
EOF
    chmod +x "$BATS_TEST_TMPDIR/slow"
    configure '.process.args = ["sleep", "60"] | .hooks.createRuntime = [{"path": $hook, "args": ["slow", $go]}]' \
        --arg hook "$BATS_TEST_TMPDIR/slow" --arg go "$BATS_TEST_TMPDIR/go"
    local way
    for way in "create" "run --detach" "run"; do
        rm -f "$BATS_TEST_TMPDIR"/go*
        in_background $way "$ID"
        wait_for test -s "$BATS_TEST_TMPDIR/go.document"
        [ "$(status_of)" = creating ]
        [ "$(jq -r .status "$BATS_TEST_TMPDIR/go.document")" = creating ]
        [ "$(oci list -f json | jq -r '.[].status')" = creating ]
        [ "$(pid_of)" -gt 0 ]
        run oci kill "$ID" TERM
        fails_with "kill container \"$ID\": it is being created; delete --force ends that"
        touch "$BATS_TEST_TMPDIR/go"
        case $way in
        create)
            wait_for has_status created
            end_of_background
            ;;
        *) wait_for has_status running ;;
        esac
        oci delete --force "$ID"
        JOB=
        nothing_left
    done
}

@test "a folder whose maker has not written its state yet is creating, once it has" {
    mkdir -p "$(coffer_root)/oci/$ID"
    # The maker: holds the lock, and writes a moment later.
    flock "$(coffer_root)/oci/$ID" sh -c "sleep 0.03; printf '%s\n' '{\"id\":\"$ID\",\"bundle\":\"/b\",\"pid\":0,\"startTime\":0}' > '$(coffer_root)/oci/$ID/state.json'; sleep 2" 3>&- &
    JOB=$!
    wait_for sh -c "! flock --nonblock '$(coffer_root)/oci/$ID' true"
    run oci state "$ID"
    [ "$(jq -r '.status, .pid, .bundle' <<< "$output" | tr '\n' ' ')" = "creating 0 /b " ]
    wait "$JOB"
    JOB=
    # Its maker is gone: what it left is no container being made.
    has_status stopped
}

@test "a container whose process is a zombie, or another one of that number, is stopped" {
    sleeper "$ID"
    pid=$(pid_of)
    state="$(coffer_root)/oci/$ID/state.json"
    # Another process has the number: it began at another time.
    cp "$state" kept
    sed -i '1s/"startTime":\([0-9]*\)/"startTime":1\1/' "$state"
    has_status stopped
    [ "$(pid_of)" -eq 0 ]
    run oci kill "$ID" KILL
    fails_with "kill container \"$ID\": container not running: it is stopped"
    [ -d "/proc/$pid" ]
    cp kept "$state"
    has_status running
    # A zombie: its parent, which is this shell's subreaper or init, does not look.
    python3 - "$pid" "$COFFER_OCI" "$(coffer_root)/oci" "$ID" << 'EOF'
import ctypes, json, os, subprocess, sys
pid, program, root, name = int(sys.argv[1]), *sys.argv[2:]
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
bundle = json.loads(subprocess.check_output([program, "--root", root, "state", name]))["bundle"]
subprocess.check_call([program, "--root", root, "delete", "--force", name])
subprocess.check_call([program, "--root", root, "run", "--detach", "--bundle", bundle, name])
state = json.loads(subprocess.check_output([program, "--root", root, "state", name]))
assert state["status"] == "running", state
os.kill(state["pid"], 9)
while open(f"/proc/{state['pid']}/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
    pass
state = json.loads(subprocess.check_output([program, "--root", root, "state", name]))
assert (state["status"], state["pid"]) == ("stopped", 0), state
EOF
}

@test "a container that only waits for others to be waited for is stopped" {
    configure '.process.args = ["sleep", "1000"]'
    oci run --detach "$ID" 3>&-
    # A parent of the exec'd process that does not wait for it: the first process of the pid namespace cannot end before.
    cat > parent.py << 'P'
import ctypes, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
subprocess.run(sys.argv[1:], check=True)
print("ready", flush=True)
time.sleep(60)
P
    mkfifo ready
    python3 parent.py "$COFFER_OCI" --root "$(coffer_root)/oci" exec --detach "$ID" sleep 1000 > ready 3>&- &
    local parent=$!
    read -r < ready
    kill -9 "$(oci state "$ID" | jq .pid)"
    wait_for has_status stopped
    run oci exec "$ID" true
    kill -9 "$parent"
    [ "$status" -eq 255 ]
    [ "$output" = "coffer: exec in container \"$ID\": cannot exec in a stopped container" ]
    wait "$parent" || true
    oci delete "$ID"
    wait_for nothing_left
}

@test "a process that ended before its start could be asked is no reason to stay" {
    sleeper "$ID"
    kill -KILL "$(pid_of)"
    wait_for has_status stopped
    # As the maker of a container writes it whose init has failed already, and who is killed then.
    sed -i '1s/"startTime":[0-9]*/"startTime":0/; 1s/$/ /' "$(coffer_root)/oci/$ID/state.json"
    has_status stopped
    run oci exec "$ID" true
    [ "$output" = "coffer: exec in container \"$ID\": cannot exec in a stopped container" ]
    run oci delete "$ID"
    [ "$status" -eq 0 ]
    [ "$output" = "" ]
    nothing_left
}

@test "a command that looks like our own init is running, and can be killed" {
    mv "$ROOTFS/bin/busybox" "$ROOTFS/memfd:coffer-init"
    ln -s ../memfd:coffer-init "$ROOTFS/bin/busybox"
    configure '.process.args = ["sleep", "60"]'
    in_background run "$ID"
    wait_for has_status running
    [ "$(readlink "/proc/$(pid_of)/exe")" = /memfd:coffer-init ]
    oci kill "$ID" KILL
    end_of_background
    JOB=
    [ "$status" -eq 137 ]
}

# Its first thread has ended, and looks like a zombie; the process runs on.
@test "a command whose first thread has ended is running, and can be killed" {
    needs python3
    configure '.process.args = ["/usr/bin/python3", "-c", $program] | .mounts += [("/usr", "/lib", "/lib64") | {"destination": ., "source": .,
        "type": "bind", "options": ["rbind", "ro"]}]' --arg program 'import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)'
    oci run --detach "$ID" < /dev/null 3>&-
    pid=$(pid_of)
    wait_for grep -q '^State:.*zombie' "/proc/$pid/status"
    has_status running
    run oci delete "$ID"
    [ "$status" -eq 1 ]
    oci kill "$ID" KILL
    wait_for has_status stopped
    oci delete "$ID"
    nothing_left
}

# Two commands find what a killed run has left. The slow one must not take the container that the other makes under that name for it.
@test "who removes what a killed run has left never removes a new container of that name" {
    needs strace
    configure '.process.args = ["sleep", "60"]'
    in_background run "$ID"
    wait_for has_status running
    kill -KILL "$JOB"
    wait "$JOB" || true
    timeout -k 1 60 strace -q -o trace -e trace=openat -e inject=openat:delay_enter=150000 \
        "$COFFER_OCI" --root "$(coffer_root)/oci" create "$ID.slow" > /dev/null 2>&1 < /dev/null 3>&- &
    slow=$!
    makes_another() {
        oci run --detach "$ID" > /dev/null 2>&1 < /dev/null 3>&-
    }
    JOB=
    wait_for grep -q state.json trace
    wait_for makes_another
    wait "$slow"
    has_status running
}

@test "state and list answer while others hold the container's lock" {
    sleeper "$ID"
    flock "$(coffer_root)/oci/$ID" timeout 5 "$COFFER_OCI" --root "$(coffer_root)/oci" state "$ID" > state.json
    [ "$(jq -r .status state.json)" = running ]
    [ "$(flock "$(coffer_root)/oci/$ID" timeout 5 "$COFFER_OCI" --root "$(coffer_root)/oci" list -q)" = "$ID" ]
}

# --- signals ---

@test "kill takes signals in all spellings" {
    configure_script 'for signal in HUP USR1 USR2 CONT 37; do trap "echo got $signal >> /tmp/got" $signal; done
        echo ready >> /tmp/got; while :; do sleep 0.02; done' '.root.readonly = false'
    oci run --detach "$ID" 3>&-
    wait_for grep -q ready "$ROOTFS/tmp/got"
    local spelling
    for spelling in 1:HUP HUP:HUP SIGHUP:HUP hup:HUP sighup:HUP SIGUSR1:USR1 12:USR2 37:37 RTMIN+3:37 SIGRTMIN+3:37 rtmin+3:37; do
        : > "$ROOTFS/tmp/got"
        oci kill "$ID" "${spelling%:*}"
        wait_for grep -qx "got ${spelling#*:}" "$ROOTFS/tmp/got"
    done
    oci kill "$ID" 0 # asks only
    has_status running
    for spelling in 65 -1 NONE SIG RTMIN+40 ""; do
        run oci kill "$ID" -- "$spelling"
        fails_with "unknown signal \"$spelling\"; expected a name such as TERM or KILL, or a number from 1 to 64"
    done
    oci kill --all "$ID" KILL
    wait_for has_status stopped
    run oci kill "$ID" 0
    fails_with "kill container \"$ID\": container not running: it is stopped"
    oci kill --all "$ID" KILL # as engines do after the end, to be sure
}

@test "kill and delete take a regular expression" {
    local name
    for name in a1 a2 b1; do
        sleeper "$name"
    done
    oci kill --regex '^a[0-9]+$' KILL
    wait_for has_status stopped a1
    wait_for has_status stopped a2
    has_status running b1
    run oci delete --regex '^[ab]'
    [ "$status" -eq 0 ]
    [ "$output" = 'coffer: warning: delete container "b1": it is running; stop it first, or use --force' ]
    [ "$(oci list -q)" = b1 ]
    oci delete -f -r b
    [ -z "$(oci list -q)" ]
    oci delete --regex nothing
    run oci delete --regex '('
    [ "$status" -eq 1 ]
    [[ "$output" == 'coffer: --regex: "(" is no extended regular expression: '* ]]
}

@test "delete wants a stopped container, and with force none at all" {
    sleeper "$ID"
    run oci delete "$ID"
    fails_with "delete container \"$ID\": it is running; stop it first, or use --force"
    oci delete --force "$ID"
    oci delete --force "$ID"
    run oci delete "$ID"
    fails_with "container \"$ID\" does not exist"
    nothing_left
}

# --- spec ---

@test "spec writes to another file, over what is there" {
    echo old > other.json
    oci spec --file other.json
    [ "$(jq -r .hostname other.json)" = coffer ]
    oci spec --bundle / --file "$BATS_TEST_TMPDIR/absolute.json" --rootless
    [ "$(jq -r '.linux.namespaces[].type' "$BATS_TEST_TMPDIR/absolute.json" | grep -c user)" -eq 1 ]
    [ "$(oci spec -f /dev/stdout | jq -r .root.path)" = rootfs ]
    run oci spec --bundle /nowhere
    fails_with "bundle /nowhere: No such file or directory"
}

@test "spec means what runc's spec means" {
    needs runc
    local kind
    # Of runc's, what differs by its age and by the host: version, name, the cgroup namespace, inheritable and ambient capabilities.
    same='del(.ociVersion, .hostname, .process.capabilities.inheritable, .process.capabilities.ambient)
        | .linux.namespaces |= map(select(.type != "cgroup")) | .linux.maskedPaths |= sort | .linux.readonlyPaths |= sort
        | .mounts |= map(if .options == null then del(.options) else . end)'
    for kind in "" --rootless; do
        rm -f config.json
        runc spec $kind
        mv config.json runc.json
        oci spec $kind
        diff <(jq -S "$same" runc.json) <(jq -S "$same" config.json)
    done
}

# --- version ---

@test "the version is told in the lines that engines parse" {
    run oci --version
    [[ "${lines[0]}" =~ ^coffer-oci\ version\ [0-9][^\ ]*$ ]]
    [ "${lines[-1]}" = "spec: 1.3.0" ]
    [ "$(grep -c version <<< "$output")" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ] || [[ "${lines[1]}" =~ ^commit:\ [0-9a-f]{40}$ ]]
    [ "$(oci -v)" = "$output" ]
    [ "$(oci -V)" = "$output" ]
}
