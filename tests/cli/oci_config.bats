#!/usr/bin/env bats
# The low level: configurations that are wrong. Each is refused by one sentence that names the field, before anything is made.
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

refuses() {
    cp good config.json
    configure "$1"
    run oci run "$ID"
    fails_with "$2"
    nothing_left
}

@test "a bundle without a configuration, or none at all" {
    rm config.json
    run oci run "$ID"
    fails_with "$BUNDLE/config.json does not exist; coffer-oci spec writes one to start from"
    run oci run --bundle /nowhere "$ID"
    fails_with "bundle /nowhere: No such file or directory"
}

@test "a configuration that is no file is refused at once; one that is named may be a pipe" {
    local good
    good=$(< config.json)
    rm config.json
    mkdir config.json
    run timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    fails_with "$BUNDLE/config.json: expected a regular file, found a directory"
    rmdir config.json
    mkfifo config.json # nobody will ever write to it
    run timeout 10 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    fails_with "$BUNDLE/config.json: expected a regular file, found a pipe"
    rm config.json
    ln -s /dev/zero config.json
    run oci run "$ID"
    fails_with "$BUNDLE/config.json: expected a regular file, found a device"
    run oci run --config <(jq '.process.args = ["echo", "by a pipe"]' <<< "$good") "$ID"
    [ "$status" -eq 0 ]
    [ "$output" = "by a pipe" ]
    nothing_left
}

@test "what is no JSON is told by its line" {
    printf '{\n  "ociVersion": "1.0.2",\n  "root": {"path": }\n}\n' > config.json
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: config.json: line 3"* ]]
    printf '{"ociVersion": "1.0.2", "ociVersion": "1.0.2"}' > config.json
    run oci run "$ID"
    [[ "$output" == "coffer: config.json: "*"duplicate"* ]]
    : > config.json
    run oci run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == "coffer: config.json: "* ]]
}

@test "a document that is too large or too deep is refused at once" {
    head -c 300000000 /dev/zero > config.json
    run timeout 5 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *config.json* ]]
    { printf '%100000s' '' | tr ' ' '['; } > config.json
    run timeout 5 "$COFFER_OCI" --root "$(coffer_root)/oci" run "$ID"
    [ "$status" -eq 1 ]
    [[ "$output" == *config.json* ]]
}

@test "a wrong type three levels deep is named with its place" {
    refuses '.process.user.uid = "root"' 'config.json: process.user.uid: expected an integer, found a string'
    refuses '.linux.resources.memory = {"limit": "64m"}' \
        'config.json: linux.resources.memory.limit: expected an integer, found a string'
    refuses '.mounts[2].options = "ro"' 'config.json: mounts[2].options: expected an array of strings, found a string'
    refuses '.linux.namespaces[1].type = "mnt"' "$(printf '%s' 'config.json: linux.namespaces[1].type: expected one of cgroup, ipc, mount, network, pid, time, user, uts, found "mnt"')"
    refuses '.process.rlimits[0].soft = -1' 'config.json: process.rlimits[0].soft: expected an integer from 0 to 18446744073709551615, found -1'
}

@test "what the specification asks for must be there" {
    refuses 'del(.ociVersion)' 'config.json: ociVersion: expected a string, found nothing'
    refuses '.ociVersion = "2.0.0"' 'config.json: ociVersion: expected version 1.x, found "2.0.0"'
    refuses '.root.path = ""' 'config.json: root.path: must not be empty'
    refuses '.process.args = []' 'config.json: process.args: must not be empty'
    refuses '.process.cwd = "relative"' 'config.json: process.cwd: expected an absolute path, found "relative"'
    refuses '.mounts[0].destination = ""' 'config.json: mounts[0].destination: must not be empty'
    refuses '.hooks.poststop = [{"path": "true"}]' 'config.json: hooks.poststop[0].path: expected an absolute path, found "true"'
    refuses '.hooks.poststop = [{"path": "/true", "timeout": 0}]' 'config.json: hooks.poststop[0].timeout: expected seconds above 0, found 0'
}

@test "what contradicts itself is refused" {
    refuses '.linux.namespaces += [{"type": "pid"}]' 'config.json: linux.namespaces[6].type: pid is listed already'
    refuses '.process.rlimits += [.process.rlimits[0]]' 'config.json: process.rlimits[1].type: RLIMIT_NOFILE is limited already'
    refuses '.process.rlimits[0].soft = 2000' 'config.json: process.rlimits[0]: the soft limit of RLIMIT_NOFILE, 2000, is above the hard one, 1024'
    refuses '.linux.uidMappings = [{"containerID": 0, "hostID": 1, "size": 1}]' 'config.json: linux.uidMappings: needs a namespace of type user'
    refuses 'del(.linux.namespaces[] | select(.type == "uts"))' 'config.json: hostname: needs a namespace of type uts, or it would change the host'
    refuses '.linux.namespaces += [{"type": "user"}]' \
        "run container \"$ID\": config.json: linux.uidMappings and linux.gidMappings: a new user namespace needs both"
}

@test "what cannot be done here is refused, never passed over" {
    for filter in '.linux.intelRdt = {"closID": "x"}' '.process.apparmorProfile = "x"' '.process.selinuxLabel = "x"' \
        '.linux.netDevices = {"eth9": {}}' '.linux.cgroupsPath = "a.slice:b:c"'; do
        cp good config.json
        configure "$filter"
        run oci run "$ID"
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        nothing_left
    done
}
