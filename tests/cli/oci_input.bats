#!/usr/bin/env bats
# The low level: documents and words that are wrong, or made to harm. They are refused by their field, before anything is made, and with
# little work: what goes beyond the limit of the address space would abort, what computes for a second is killed. How long it takes is
# measured by bench-low.
bats_require_minimum_version 1.5.0
load helpers
load bundle

# The program itself is mapped, too.
MEMORY_KIB=$((16384 + $(stat --dereference --format %s "$COFFER") / 1024))

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

# attempt ARGS...: `run` within the limits.
attempt() {
    if [[ "$COFFER" == */san/* ]]; then # a shadow of memory is larger than any limit
        run oci run "$@"
    else
        run bash -c 'ulimit -v "$1" -t 1 && shift && exec "$@"' - "$MEMORY_KIB" "$COFFER_OCI" --root "$(coffer_root)/oci" run "$@"
    fi
}

refused() {
    attempt "$ID"
    fails_with "$1"
    nothing_left
}

# refuses FILTER MESSAGE
refuses() {
    cp "$BATS_FILE_TMPDIR/bundle/config.json" config.json
    configure "$1"
    refused "$2"
}

# --- the document as bytes ---

@test "a configuration of 256 MiB" {
    printf '{"a":"' > config.json
    truncate --size 256M config.json
    printf '"}' >> config.json
    refused "$BUNDLE/config.json: is larger than 4194304 bytes"
    mkfifo pipe
    (timeout 10 cat /dev/zero > pipe 2> /dev/null || true) 3>&- &
    attempt --config pipe "$ID"
    fails_with "pipe: is larger than 4194304 bytes"
}

@test "a configuration nested 1,000,000 deep" {
    head -c 1000000 /dev/zero | tr '\0' '[' > config.json
    refused "config.json: line 1, column 33: objects and arrays are nested more than 32 deep"
    for _ in $(seq 200); do printf '{"a":'; done > config.json
    refused "config.json: line 1, column 161: objects and arrays are nested more than 32 deep"
}

@test "a configuration of a million values" {
    { printf '{"ociVersion":"1.0.0","annotations":['; head -c 3000000 /dev/zero | sed 's/\x00\x00\x00/{},/g'; } > config.json
    refused "config.json: line 1, column 98338: the document has more than 65536 values"
}

@test "names twice, bytes behind the end, NUL, bytes that are no UTF-8, an empty file" {
    sed -i 's/"ociVersion"/"ociVersion": "1.0.0", "ociVersion"/' config.json
    refused "config.json: line 2, column 37: duplicate object key near '\"ociVersion\"'"
    printf '{"a": 1} x' > config.json
    refused "config.json: line 1, column 10: end of file expected near 'x'"
    printf '{"a": 1}\0' > config.json
    refused "config.json: line 1, column 9: end of file expected near end of file"
    printf '{"a": "b\\u0000"}' > config.json
    refused "config.json: line 1, column 9: a string holds \\u0000"
    printf '{"a": "\xff"}' > config.json
    refused "config.json: line 1, column 7: unable to decode byte 0xff near '\"'"
    printf '{"a": "\xed\xa0\x80"}' > config.json
    attempt "$ID"
    [ "$status" -eq 1 ]
    : > config.json
    refused "config.json: is empty; expected JSON"
    printf '[1]' > config.json
    attempt "$ID"
    [ "$status" -eq 1 ]
    nothing_left
}

# --- fields ---

@test "strings that the kernel cannot take" {
    refuses '.hostname = "h" * 1000' "config.json: hostname: expected at most 64 bytes, found 1000"
    refuses '.domainname = "d" * 65' "config.json: domainname: expected at most 64 bytes, found 65"
    refuses '.process.env = ["A=" + "x" * 2097152]' "config.json: process.env[0]: expected at most 131071 bytes, which the kernel takes, found 2097154"
    refuses '.process.env += ["A=" + "x" * 131070]' "config.json: process.env[2]: expected at most 131071 bytes, which the kernel takes, found 131072"
    refuses '.process.args += ["x" * 131072]' "config.json: process.args[1]: expected at most 131071 bytes, which the kernel takes, found 131072"
    refuses '.mounts[1].destination = "/x" * 3000' "config.json: mounts[1].destination: expected at most 4095 bytes, found 6000"
}

@test "numbers out of range" {
    refuses '.process.user.uid = 4294967296' "config.json: process.user.uid: expected an integer from 0 to 4294967295, found 4294967296"
    refuses '.process.user.gid = -1' "config.json: process.user.gid: expected an integer from 0 to 4294967295, found -1"
    refuses '.linux.resources.memory.limit = -5' "config.json: linux.resources.memory.limit: expected a number, or -1 for no limit, found -5"
    refuses '.linux.resources.memory.swap = -2' "config.json: linux.resources.memory.swap: expected a number, or -1 for no limit, found -2"
    refuses '.linux.resources.memory.limit = 1e30' "config.json: linux.resources.memory.limit: expected an integer, found a fraction"
    refuses '.linux.resources.cpu.shares = -1' "config.json: linux.resources.cpu.shares: expected an integer from 0 to 18446744073709551615, found -1"
    refuses '.linux.resources.cpu.quota = -7' "config.json: linux.resources.cpu.quota: expected a number, or -1 for no limit, found -7"
    refuses '.process.oomScoreAdj = 2000' "config.json: process.oomScoreAdj: expected an integer from -1000 to 1000, found 2000"
}

@test "ids that would be paths" {
    local id
    for id in ../x .. . a/b '' .a "$(printf 'i%.0s' $(seq 300))"; do
        attempt "$id"
        fails_with "run container \"$id\": container id \"${id:0:64}\": expected 1 to 248 letters, digits, _ + - or, not in front, ."
        [ -z "$(find "$(coffer_root)" -mindepth 2 -not -name '.*' 2> /dev/null)" ]
    done
}

@test "paths that would climb" {
    refuses '.linux.cgroupsPath = "/../.."' "run container \"$ID\": config.json: linux.cgroupsPath: cgroup path \"/../..\": \"..\" cannot be a component"
    refuses '.linux.cgroupsPath = "a/./b"' "run container \"$ID\": config.json: linux.cgroupsPath: cgroup path \"a/./b\": \".\" cannot be a component"
    refuses '.hooks.poststart = [{path: "bin/true"}]' 'config.json: hooks.poststart[0].path: expected an absolute path, found "bin/true"'
    refuses '.process.cwd = "tmp"' 'config.json: process.cwd: expected an absolute path, found "tmp"'
    refuses '.linux.maskedPaths = ["proc"]' 'config.json: linux.maskedPaths[0]: expected an absolute path, found "proc"'
    refuses '.linux.namespaces[0].path = "ns"' 'config.json: linux.namespaces[0].path: expected an absolute path, found "ns"'
    refuses '.root.path = ""' "config.json: root.path: must not be empty"
}

@test "what would change the host" {
    refuses '.linux.sysctl = {"vm.swappiness": "1"}' "config.json: linux.sysctl: vm/swappiness belongs to no namespace, so it would change the host"
    refuses '.linux.sysctl = {"net.../../kernel.core_pattern": "x"}' 'config.json: linux.sysctl: expected names like net.ipv4.ip_forward, found "net///.//.kernel/core_pattern"'
}

@test "what contradicts itself" {
    refuses '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 0, size: 0}] | .linux.gidMappings = .linux.uidMappings' \
        "config.json: linux.uidMappings[0].size: must not be 0"
    refuses '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1, hard: 1}, {type: "RLIMIT_NOFILE", soft: 2, hard: 2}]' \
        "config.json: process.rlimits[1].type: RLIMIT_NOFILE is limited already"
    refuses '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 2, hard: 1}]' \
        "config.json: process.rlimits[0]: the soft limit of RLIMIT_NOFILE, 2, is above the hard one, 1"
    refuses '.linux.namespaces += [{"type": "pid"}]' "config.json: linux.namespaces[$(jq '.linux.namespaces | length' config.json)].type: pid is listed already"
    refuses '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]' "config.json: linux.uidMappings: needs a namespace of type user"
    refuses '.process.args = []' "config.json: process.args: must not be empty"
}
