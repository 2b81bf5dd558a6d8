#!/usr/bin/env bats
# The low level without the host's root: an ordinary user with one id and with a range of them; root of a user namespace, as which
# rootless podman calls it; and inside another container.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root # to become the user
    needs busybox jq setpriv newuidmap
    bundle_setup_file
}

setup() {
    bundle_setup
    make_user
    as_user unshare --user true 2> /dev/null || skip "this host gives ordinary users no user namespaces"
    MINE=$BATS_TEST_TMPDIR/mine
    GROUP=delegated-$$-$BATS_TEST_NUMBER
    OWN=$BATS_TEST_TMPDIR/own # root's, who is the only one in a namespace without the user
    mkdir -m 700 "$MINE" "$OWN"
    chown -R "$TEST_UID" "$MINE" "$BUNDLE"
    rm "$BUNDLE/config.json"
    as_user "$COFFER_OCI" spec --rootless
    configure '.process.terminal = false'
}

teardown() {
    as_mine delete --force "$ID" || true
    bundle_teardown
    if [ -n "${GROUP:-}" ]; then
        find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" -exec rmdir {} \; 2> /dev/null || true
    fi
}

as_mine() {
    as_user "$COFFER_OCI" --root "$MINE/oci" "$@"
}

run_mine() {
    configure_script "$@"
    run as_mine run "$ID"
}

# No other user namespace than the one that the runtime itself is in.
no_user_namespace() {
    configure '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
}

# The user's own id as root, and his range behind it.
map_range() {
    local first
    first=$(sed -n "s/^$TEST_USER:\([0-9]*\):.*/\1/p" /etc/subuid | head -1)
    configure --argjson id "$TEST_UID" --argjson first "$first" '
        .linux.uidMappings = [{containerID: 0, hostID: $id, size: 1}, {containerID: 1, hostID: $first, size: 65536}] |
        .linux.gidMappings = .linux.uidMappings'
}

# A command as root of a user namespace that has a mount namespace of its own, which is what podman makes for its runtime.
as_namespace_root() {
    as_user unshare --user --mount --map-root-user --map-auto "$@"
}

@test "an ordinary user runs a container with nothing but his own id" {
    run_mine 'cat /proc/self/uid_map /proc/self/setgroups; id -u; hostname; test -c /dev/null && echo x > /dev/null && head -c 2 /dev/zero | wc -c' \
        '.linux.namespaces += [{type: "network"}] | .hostname = "mine"'
    [ "$status" -eq 0 ]
    [ "$(awk 'NR == 1 { print $1, $2, $3 }' <<< "$output")" = "0 $TEST_UID 1" ]
    [ "$(sed -n '2,$p' <<< "$output" | tr '\n' ' ')" = "deny 0 mine 2 " ]
    nothing_left
}

@test "an ordinary user's loopback is up in a network of its own" {
    run_mine 'ip link show lo' '.linux.namespaces += [{type: "network"}]'
    [ "$status" -eq 0 ]
    [[ $output == *"<LOOPBACK,UP,LOWER_UP>"* ]]
}

@test "an ordinary user's container has its whole life: create, start, state, kill, delete" {
    configure_script 'trap "exit 0" TERM; while :; do sleep 0.1; done'
    as_mine create "$ID"
    [ "$(as_mine state "$ID" | jq -r .status)" = created ]
    as_mine start "$ID"
    [ "$(as_mine state "$ID" | jq -r .status)" = running ]
    [ "$(awk '/^Uid:/ { print $2 }' "/proc/$(as_mine state "$ID" | jq .pid)/status")" = "$TEST_UID" ]
    as_mine kill "$ID" KILL
    wait_for eval '[ "$(as_mine state "$ID" | jq -r .status)" = stopped ]'
    as_mine delete "$ID"
    nothing_left
}

@test "the state of an ordinary user's containers is his alone" {
    configure_script 'sleep 100'
    chmod 755 "$MINE"
    as_user "$COFFER_OCI" --root "$MINE/a/b" create "$ID"
    [ "$(stat -c '%a %u' "$MINE/a" "$MINE/a/b" | sort -u)" = "1700 $TEST_UID" ]
    run setpriv --reuid 65534 --regid 65534 --clear-groups "$COFFER_OCI" --root "$MINE/a/b" state "$ID"
    fails_with "open the run-time directory $MINE/a/b: Permission denied"
    as_user "$COFFER_OCI" --root "$MINE/a/b" delete --force "$ID"
}

@test "an ordinary user's state lies in XDG_RUNTIME_DIR, also for root of his user namespace" {
    configure_script 'sleep 100'
    as_user env XDG_RUNTIME_DIR="$MINE" "$COFFER_OCI" create "$ID"
    [ -d "$MINE/coffer/oci/$ID" ]
    run as_user env XDG_RUNTIME_DIR="$MINE" "$COFFER_OCI" state "$ID"
    [ "$status" -eq 0 ]
    run as_namespace_root env XDG_RUNTIME_DIR="$MINE" "$COFFER_OCI" state "$ID"
    [ "$status" -eq 0 ]
    as_user env XDG_RUNTIME_DIR="$MINE" "$COFFER_OCI" delete --force "$ID"
    [ ! -e "$MINE/coffer/oci/$ID" ]
}

@test "a range of subordinate ids is mapped by newuidmap, and users and groups of it are taken" {
    map_range
    run_mine 'id -u; id -g; id -G' '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000, 3000]}'
    [ "$status" -eq 0 ]
    [ "$(tr '\n' ' ' <<< "$output")" = "1000 1000 1000 2000 3000 " ]
}

@test "an id that is not the user's to map is refused by newuidmap, in its words" {
    run_mine true '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]'
    [ "$status" -eq 1 ]
    [[ $output == "coffer: run container \"$ID\": map the ids of the user namespace: newuidmap: "*"(see /etc/subuid and /etc/subgid)" ]]
    nothing_left
}

@test "additional groups that the namespace denies are warned of" {
    run_mine 'echo ran' '.process.user.additionalGids = [7]'
    [ "$status" -eq 0 ]
    has_line ran
    [[ $output == *"process.user.additionalGids: not set, as the user namespace denies setgroups(2)"* ]]
}

@test "oomScoreAdj is raised by an ordinary user, and lowering it is refused" {
    local own
    own=$(cat /proc/self/oom_score_adj)
    run_mine 'cat /proc/self/oom_score_adj' ".process.oomScoreAdj = $((own + 100))"
    [ "$status" -eq 0 ]
    has_line "$((own + 100))"
    run_mine true '.process.oomScoreAdj = -1000'
    fails_with "run container \"$ID\": set process.oomScoreAdj to -1000 (less than the caller's takes CAP_SYS_RESOURCE): Permission denied"
    nothing_left
}

@test "a user's limits without a cgroup of his are an error that says what to do" {
    run_mine true '.linux.resources.pids.limit = 10'
    [ "$status" -eq 1 ]
    [[ $output == "coffer: run container \"$ID\": set the limits: make cgroup /sys/fs/cgroup/"*" (without root it must lie in a delegated cgroup: systemd-run --user --scope -p Delegate=yes COMMAND): Permission denied" ]]
    nothing_left
}

# Runs the command as the user from inside a cgroup of version 2 that was handed to him.
in_delegated() {
    local top=/sys/fs/cgroup
    [ "$(stat -fc %T "$top")" = cgroup2fs ] || top=/sys/fs/cgroup/unified
    [ "$(stat -fc %T "$top" 2> /dev/null)" = cgroup2fs ] || skip "needs cgroup version 2"
    mkdir -p "$top/$GROUP/leaf"
    echo +pids > "$top/cgroup.subtree_control" 2> /dev/null || true
    chown "$TEST_UID" "$top/$GROUP" "$top/$GROUP"/{cgroup.procs,cgroup.subtree_control} "$top/$GROUP/leaf" "$top/$GROUP/leaf/cgroup.procs"
    # shellcheck disable=SC2016 # the inner shell's
    sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' sh "$top/$GROUP/leaf" setpriv --reuid "$TEST_UID" \
        --regid "$(id -g "$TEST_USER")" --init-groups -- "$@"
}

@test "a delegated cgroup holds an ordinary user's limits" {
    [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || skip "needs a host of cgroup version 2 (make lab)"
    configure_script 'cat /sys/fs/cgroup/pids.max' '.linux.resources.pids.limit = 17'
    run in_delegated "$COFFER_OCI" --root "$MINE/oci" run "$ID"
    [ "$status" -eq 0 ]
    has_line 17
    nothing_left
}

@test "CVE-2023-25809: a cgroup of the host is never writable in an ordinary user's container" {
    local attempt='for d in /sys/fs/cgroup/unified $(find /sys/fs/cgroup -name "delegated-*" -type d); do echo "found $d"; mkdir "$d/in" && echo "made $d/in"; done; true' mounts
    for mounts in '.mounts |= map(select(.type != "cgroup"))' '.linux.namespaces |= map(select(.type != "cgroup"))' \
        '.linux.namespaces |= map(select(.type != "cgroup")) | (.mounts[] | select(.type == "cgroup").options) = ["rw"]'; do
        configure_script "$attempt" "$mounts"
        run in_delegated "$COFFER_OCI" --root "$MINE/oci" run "$ID"
        echo "$mounts: $output"
        [ "$status" -eq 0 ]
        [[ $output == *"found "*"Read-only file system"* ]]
        [[ $output != *made* ]]
        as_user "$COFFER_OCI" spec --rootless --bundle "$MINE"
        mv "$MINE/config.json" "$BUNDLE/config.json"
        configure '.process.terminal = false'
    done
}

@test "root of a user namespace, without rights on the host, runs a container without another user namespace" {
    no_user_namespace
    configure_script 'id -u; cat /proc/self/uid_map | wc -l; test -c /dev/full; echo $?; umount /proc 2> /dev/null || echo kept' \
        '.linux.resources.devices = [{allow: false, access: "rwm"}]'
    run as_namespace_root "$COFFER_OCI" --root "$MINE/oci" run "$ID"
    [ "$status" -eq 0 ]
    [ "$(tr '\n' ' ' <<< "$output")" = "0 2 0 kept " ]
    nothing_left
}

@test "root of a user namespace makes another one below" {
    configure_script 'awk "{ print \$1, \$2, \$3 }" /proc/self/uid_map; id -G' '
        .linux.uidMappings = [{containerID: 0, hostID: 1, size: 1000}] | .linux.gidMappings = .linux.uidMappings |
        .process.user.additionalGids = [5]'
    chmod -R a+rX "$BUNDLE"
    run as_namespace_root "$COFFER_OCI" --root "$MINE/oci" run "$ID"
    [ "$status" -eq 0 ]
    has_line "0 1 1000"
    has_line "0 5"
}

@test "root of a user namespace without a mount namespace of its own leaves the opening to init" {
    configure_script 'cat /src/file' '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}, {containerID: 1, hostID: 1, size: 999}] | .linux.gidMappings = .linux.uidMappings |
        .mounts += [{destination: "/src", source: "'"$MINE"'/src", options: ["rbind"]}]'
    as_user sh -c 'mkdir "$1" && echo content > "$1/file"' sh "$MINE/src"
    run as_user unshare --user --map-root-user --map-auto "$COFFER_OCI" --root "$MINE/oci" run "$ID"
    [ "$status" -eq 0 ]
    has_line content
}

@test "root of a user namespace and of its own processes and mounts runs a container" {
    no_user_namespace
    configure_script 'ls -d /proc/[0-9]* | wc -l'
    run unshare -Urmpf --mount-proc "$COFFER_OCI" --root "$OWN/oci" run "$ID"
    [ "$status" -eq 0 ]
    [ "$output" -le 4 ]
    nothing_left
}

# As in a container of docker: some of /proc and /sys is hidden. What follows then is root of a user namespace in it.
in_masked() {
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private sh -c 'mount -t tmpfs none /proc/fs && mount -t tmpfs none /sys/firmware &&
        if [ "$1" = readonly ]; then mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys; fi && shift && exec "$@"' sh "$@"
}

@test "where parts of /proc are hidden a new pid namespace cannot have its own, and the error says what to do" {
    no_user_namespace
    configure_script true
    run in_masked - unshare -Urmpf "$COFFER_OCI" --root "$OWN/oci" run "$ID"
    fails_with "run container \"$ID\": mount /proc: this user namespace may not make a procfs, as parts of the /proc around it are hidden; run the container around it with nothing masked (podman: --security-opt unmask=ALL, docker: --security-opt systempaths=unconfined), or leave out the new pid namespace"
    nothing_left
}

@test "where parts of /proc are hidden they stay so in a container that shares the pid namespace" {
    no_user_namespace
    configure_script 'grep -c " /proc/fs .* - tmpfs none" /proc/self/mountinfo; grep -c " /sys/firmware .* - tmpfs none" /proc/self/mountinfo; cat /proc/sys/net/ipv4/ip_forward; touch /sys/x' '
        .linux.namespaces |= map(select(.type != "pid")) + [{type: "network"}] | .linux.sysctl = {"net.ipv4.ip_forward": "1"} |
        .linux.maskedPaths = [] | .linux.readonlyPaths = [] |
        .mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "sysfs", source: "sysfs"} else . end)'
    run in_masked - unshare -Urm "$COFFER_OCI" --root "$OWN/oci" run "$ID"
    [ "$(head -3 <<< "$output" | tr '\n' ' ')" = "1 1 1 " ]
    [[ $output == *"touch: /sys/x: Read-only file system" ]]
}

@test "a sysctl that the /proc around a nested container has read-only is an error, and nothing is written elsewhere" {
    no_user_namespace
    configure_script true '.linux.namespaces |= map(select(.type != "pid")) + [{type: "network"}] | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
    run in_masked readonly unshare -Urm "$COFFER_OCI" --root "$OWN/oci" run "$ID"
    fails_with "run container \"$ID\": set sysctl net/ipv4/ip_forward to 1: the /proc around this container is read-only there, or hides it"
}

# Outer container with everything, inner one inside it: the program, a bundle and a place for its state are bound into the outer one.
nest() {
    [ "${SAN:-0}" != 1 ] || skip "a sanitised program needs libraries that the outer container has not"
    mkdir "$MINE/outer" "$MINE/state"
    cp -a "$BATS_FILE_TMPDIR/bundle/." "$MINE/outer"
    configure_script 'echo "inner $(id -u) $(hostname)"; test -c /dev/null && echo null' "$1"
    # shellcheck disable=SC2016 # jq's
    jq --arg coffer "$(readlink -f "$COFFER")" --arg bundle "$BUNDLE" --arg state "$MINE/state" '
        .process.args = ["/coffer", "oci", "--root", "/state", "run", "--bundle", "/bundle", "inner"] | .root.readonly = false |
        ["bounding", "effective", "permitted"] as $sets |
        reduce $sets[] as $set (.; .process.capabilities[$set] = $capabilities) |
        .process.noNewPrivileges = false | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .linux.resources.devices = [{allow: true, access: "rwm"}] |
        .mounts |= map(if .destination == "/sys" or .destination == "/sys/fs/cgroup" then .options |= map(select(. != "ro")) else . end) |
        .mounts += [{destination: "/coffer", source: $coffer, options: ["bind", "ro"]},
                    {destination: "/bundle", source: $bundle, options: ["rbind"]}, {destination: "/state", source: $state, options: ["bind"]}]' \
        --argjson capabilities "$(seq 0 40 | jq -Rs '
            ["CHOWN","DAC_OVERRIDE","DAC_READ_SEARCH","FOWNER","FSETID","KILL","SETGID","SETUID","SETPCAP","NET_BIND_SERVICE","NET_ADMIN","NET_RAW",
             "SYS_CHROOT","SYS_PTRACE","SYS_ADMIN","MKNOD","AUDIT_WRITE","SETFCAP"] | map("CAP_" + .)')" \
        "$MINE/outer/config.json" > "$MINE/outer/new.json"
    mv "$MINE/outer/new.json" "$MINE/outer/config.json"
    touch "$MINE/outer/rootfs/coffer"
    mkdir "$MINE/outer/rootfs/"{bundle,state}
    run oci run --bundle "$MINE/outer" "$ID"
}

@test "a container runs in a container of root that has all rights" {
    no_user_namespace
    nest '.hostname = "nested"'
    [ "$status" -eq 0 ]
    has_line "inner 0 nested"
    has_line null
    nothing_left
}

@test "a container with a user namespace of its own runs in a container of root" {
    nest '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 65536}] | .linux.gidMappings = .linux.uidMappings | .hostname = "nested"'
    [ "$status" -eq 0 ]
    has_line "inner 0 nested"
    has_line null
    nothing_left
}

# --- the wish to do without a control group ---

@test "--rootless says whether a container may do without a control group" {
    run_mine 'echo ran'
    [ "$output" = ran ]
    run as_user "$COFFER_OCI" --root "$MINE/oci" --rootless true run "$ID"
    [ "$output" = ran ]
    # A user who was given one would get it: then there is nothing to complain of.
    run as_user "$COFFER_OCI" --root "$MINE/oci" --rootless=false run "$ID"
    [ "$output" = ran ] || [[ "$status" -eq 1 && "$output" == "coffer: run container \"$ID\": "*cgroup*"Permission denied"* ]] || {
        echo "$output"
        return 1
    }
    run as_user "$COFFER_OCI" --root "$MINE/oci" --rootless perhaps run "$ID"
    [ "$status" -eq 1 ]
    [ "$output" = 'coffer-oci: --rootless: expected auto, true or false, found "perhaps"' ]
}

# --- exec ---

@test "exec of an ordinary user joins his container, with nothing but his own id" {
    configure_script 'sleep 100'
    as_mine run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    run as_mine exec "$ID" sh -c 'awk "{ print \$1, \$2, \$3 }" /proc/self/uid_map; id -u; cat /proc/1/comm'
    [ "$status" -eq 0 ]
    [ "$(tr '\n' ' ' <<< "$output")" = "0 $TEST_UID 1 0 sh " ] || [ "$(tr '\n' ' ' <<< "$output")" = "0 $TEST_UID 1 0 sleep " ]
    run as_mine exec --additional-gids 5 "$ID" true
    [ "$status" -eq 0 ]
    [ "$output" = 'coffer: warning: additional groups are not set, as the user namespace denies setgroups(2)' ]
    run as_mine exec --user 1000 "$ID" true
    [ "$status" -eq 255 ]
    [ "$output" = "coffer: exec in container \"$ID\": become user 1000 (is it mapped in the user namespace?): Invalid argument" ]
    run as_mine exec "$ID" nowhere
    [ "$output" = "coffer: exec in container \"$ID\": command \"nowhere\": executable file not found in \$PATH of the container" ]
}

@test "exec of an ordinary user with a range of ids, and of root in his container, whose groups stay outside" {
    map_range
    configure_script 'sleep 100' '.process.oomScoreAdj = 500'
    as_mine run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    run as_mine exec --user 1000:1000 -g 2000 "$ID" sh -c 'id -u; id -G; cat /proc/self/oom_score_adj'
    [ "$status" -eq 0 ]
    [ "$(tr '\n' ' ' <<< "$output")" = "1000 1000 2000 500 " ]
    run setpriv --groups 4,5,6 "$COFFER_OCI" --root "$MINE/oci" exec "$ID" sh -c 'id -u; id -G; cat /proc/self/uid_map | wc -l'
    [ "$(tr '\n' ' ' <<< "$output")" = "0 0 2 " ]
}

@test "exec of root leaves its groups outside of a user's container that denies setgroups" {
    configure_script 'sleep 100'
    as_mine run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    run setpriv --groups 4,5,6 "$COFFER_OCI" --root "$MINE/oci" exec "$ID" grep Groups /proc/self/status
    [ "$(tr -d ' \t' <<< "$output")" = "Groups:" ]
}

@test "exec of root of a user namespace" {
    no_user_namespace
    configure_script 'sleep 100'
    # Its name changes a moment after it has said that it runs.
    # shellcheck disable=SC2016 # the inner shell's
    run as_namespace_root sh -c '"$1" --root "$2" run --detach "$3" < /dev/null > /dev/null 2>&1 && "$1" --root "$2" exec "$3" sh -c "until grep ^s /proc/1/comm; do sleep 0.02; done"; "$1" --root "$2" delete --force "$3"' \
        sh "$COFFER_OCI" "$MINE/oci" "$ID"
    [[ "$output" == s* ]]
    configure_script 'sleep 100' '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 1, size: 1000}] | .linux.gidMappings = .linux.uidMappings'
    chmod -R a+rX "$BUNDLE"
    # shellcheck disable=SC2016 # the inner shell's
    run as_namespace_root sh -c '"$1" --root "$2" run --detach "$3" < /dev/null > /dev/null 2>&1; "$1" --root "$2" exec -g 5 "$3" sh -c "awk \"{ print \\\$1, \\\$2, \\\$3 }\" /proc/self/uid_map; id -G"; "$1" --root "$2" delete --force "$3"' \
        sh "$COFFER_OCI" "$MINE/oci" "$ID"
    has_line "0 1 1000"
    has_line "0 5"
}

@test "exec in a container whose limits an ordinary user cannot join is refused; without limits it stays outside" {
    grep -qsw pids /sys/fs/cgroup/cgroup.controllers || skip "needs a host of cgroup version 2 (make lab)"
    configure_script 'sleep 100' '.linux.resources.pids.limit = 17'
    in_delegated "$COFFER_OCI" --root "$MINE/oci" run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    in_delegated "$COFFER_OCI" --root "$MINE/oci" exec "$ID" true
    run as_mine exec "$ID" true
    [ "$status" -eq 255 ]
    [[ "$output" == *"the container's limits hold in its cgroup alone, which this user may not join from here (try systemd-run --user --scope): "*": Permission denied" ]]
    as_mine delete --force "$ID"
    configure_script 'sleep 100' 'del(.linux.resources)'
    in_delegated "$COFFER_OCI" --root "$MINE/oci" run --detach "$ID" < /dev/null > /dev/null 2>&1 3>&-
    run as_mine exec "$ID" echo ran
    [ "$output" = ran ]
}

@test "exec in a container that runs in a container" {
    no_user_namespace
    nest '.hostname = "nested"'
    configure '.process.args = ["sleep", "100"]'
    jq '.process.args = ["/bin/sh", "-c", "/coffer oci --root /state run --detach --bundle /bundle inner < /dev/null > /dev/null 2>&1; /coffer oci --root /state exec inner hostname; /coffer oci --root /state delete --force inner"]' \
        "$MINE/outer/config.json" > "$MINE/outer/new.json"
    mv "$MINE/outer/new.json" "$MINE/outer/config.json"
    run oci run --bundle "$MINE/outer" "$ID"
    [ "$output" = nested ]
}
