#!/usr/bin/env bats
# What a user can type wrong at run: one sentence that names the option and what was expected, exit code 125, and nothing made.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs_root
    needs umoci busybox
    coffer load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
}

# refuses SENTENCE ARGS...
refuses() {
    local sentence=$1
    shift
    run coffer run --rm "$@"
    [ "$status" -eq 125 ] && [[ "${output#coffer}" == $sentence* ]] && [ "$(grep -c . <<< "$output")" -le 2 ] || {
        echo "run $*: exit code $status: $output"
        return 1
    }
    [ -z "$(coffer ps -aq)" ]
}

@test "wrong names of containers and images" {
    for name in '' a 'a b' ../x -x .x "$(printf '%129s' '' | tr ' ' x)" $'a\nb'; do
        refuses ": run tiny: container name " --name "$name" tiny true
    done
    refuses ': image name "Bad Name": expected lower-case letters' 'Bad Name' true
    refuses ': the image name is empty' '' true
    refuses ': image tiny:nope is not in the store' --pull never tiny:nope true
    refuses ': image name "tiny@sha256:abc": digest "sha256:abc": expected 64 lower-case hex digits' tiny@sha256:abc true
    refuses ': run tiny: image tiny names no command; give one behind the image' --entrypoint '' tiny
}

@test "wrong limits" {
    refuses ' run: --memory: expected a number of bytes' --memory 12q tiny true
    refuses ' run: --memory: expected a number of bytes' --memory -5 tiny true
    refuses ': run tiny: --memory: expected at least 6m' --memory 1k tiny true
    refuses ' run: --cpus: expected a number of CPUs' --cpus x tiny true
    refuses ': run tiny: --cpus: expected 0.01 to ' --cpus 0 tiny true
    refuses ': run tiny: --cpus: expected 0.01 to ' --cpus 100000 tiny true
    refuses ' run: --pids-limit: expected a whole number' --pids-limit x tiny true
}

@test "wrong volumes and mounts" {
    refuses ': run tiny: --volume: "x:y:z:w": expected an absolute path in the container' -v x:y:z:w tiny true
    refuses ': run tiny: --volume: "/etc:relative": expected an absolute path in the container' -v /etc:relative tiny true
    refuses ': run tiny: --volume: "/etc:/x:qq": unknown option "qq"' -v /etc:/x:qq tiny true
    refuses ": run tiny: --volume: \"/etc:/\": nothing can be mounted on the container's root" -v /etc:/ tiny true
    refuses ': run tiny: --volume: "x/y:/z": the name of a volume has no slash; write the path as ./x/y' -v x/y:/z tiny true
    refuses ': run tiny: mount /proc: only a proc file system can be mounted there' -v /etc:/proc tiny true
    refuses ': run tiny: mount /etc: /etc in the root file system is not a file' -v /etc/passwd:/etc tiny true
    refuses ': run tiny: --mount: "type=nope,target=/x": type "nope" is not supported' --mount type=nope,target=/x tiny true
    refuses ': run tiny: --mount: "type=bind,source=/etc": expected target=PATH, where it is to be in the container' --mount type=bind,source=/etc tiny true
    refuses ': run tiny: --mount: "type=bind,source=/etc,target=/x,colour=red": unknown field "colour"' \
        --mount type=bind,source=/etc,target=/x,colour=red tiny true
    refuses ': run tiny: --tmpfs: "x": expected an absolute path' --tmpfs x tiny true
    refuses ': run tiny: mount /x: option size=abc: Invalid argument' --tmpfs /x:size=abc tiny true
}

@test "wrong users, directories and variables" {
    for user in nobody2 1000x 5000000000 -1 0x10 ' 5'; do
        refuses ": run tiny: user \"$user\" is not in the container's /etc/passwd" -u "$user" tiny true
    done
    refuses ': run tiny: become user 100000 (is it mapped in the user namespace?)' -u 100000 tiny true
    refuses ": run tiny: group \"nogroup\" is not in the container's /etc/group" -u user:nogroup tiny true
    refuses ': run tiny: working directory "relative": expected an absolute path' -w relative tiny true
    refuses ': --env "=x": expected NAME=VALUE or NAME' -e =x tiny true
    refuses ': --env-file: ' --env-file /does/not/exist tiny true
    refuses ': run tiny: set the host name to ' -h "$(printf '%80s' '' | tr ' ' x)" tiny true
}

@test "wrong capabilities, profiles and modes" {
    refuses ': run tiny: --cap-add: unknown capability "NOPE"' --cap-add NOPE tiny true
    refuses ': run tiny: --security-opt nope: expected no-new-privileges' --security-opt nope tiny true
    refuses ': run tiny: --security-opt seccomp: ' --security-opt seccomp=/does/not/exist tiny true
    refuses ': run tiny: no network is named "nope"' --network nope tiny true
    refuses ': run tiny: --userns: expected auto, container:NAME or host, found "nope"' --userns nope tiny true
    refuses ' run: --pull: expected missing, always or never, found "nope"' --pull nope tiny true
}
