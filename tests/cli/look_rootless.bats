#!/usr/bin/env bats
# Looking at containers of an ordinary user, and changing them.

bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs jq
    make_home
}

teardown() {
    leave_home
}

@test "rootless: inspect, ps with sizes, top, stats and events" {
    mine run -d --name box -l tier=front tiny sleep 100 > /dev/null
    mine run --name fat tiny dd if=/dev/zero of=/fat bs=1024 count=300 2> /dev/null
    mine inspect box | jq -e '.[0] | .State.Running and .Config.Labels.tier == "front" and .Path == "sleep"'
    [ "$(mine inspect -f '{{index .RepoTags 0}}' tiny)" = tiny:latest ]
    # A container and an image in one call: the one is looked at outside of the user's namespace, the other within.
    [ "$(mine inspect -f '{{len .Id}}' box tiny | paste -sd,)" = 64,71 ]
    [ "$(mine ps -a -f ancestor=tiny --format '{{.Names}}' | sort | paste -sd,)" = box,fat ]
    [[ $(mine ps -a -s -f name=fat --format '{{.Size}}') =~ ^3[0-9]{2}kB\ \(virtual\  ]]
    [ "$(mine top box -o cpid,cmd | sed -n 2p | tr -s ' ')" = "1 sleep 100" ]
    mine stats --no-stream --format json box | jq -e '.Name == "box" and .PIDs == "1"'
    mine tag tiny other:1
    mine rmi other:1 > /dev/null
    mine events --since 5m --until 0s -f label=tier=front --format '{{.Action}}' | paste -sd, | grep -qx create,start
    mine events --since 5m --until 0s -f type=image --format '{{.Action}}' | uniq | paste -sd, | grep -qx load,tag,untag
    [ "$(mine container prune -f | grep -c ^Deleted)" = 1 ]
}

@test "rootless: a limit that cannot be had is refused by name, a restart policy is taken" {
    mine run -d --name box tiny sleep 100 > /dev/null
    mine update --restart on-failure:2 box
    [ "$(mine inspect -f '{{.HostConfig.RestartPolicy.Name}}' box)" = on-failure ]
    if ! mine update --memory 64m box 2> "$BATS_TEST_TMPDIR/err"; then
        grep -q '^coffer: update box: ' "$BATS_TEST_TMPDIR/err"
        [ "$(mine inspect -f '{{.HostConfig.Memory}}' box)" = 0 ]
    else
        [ "$(mine inspect -f '{{.HostConfig.Memory}}' box)" = 67108864 ]
    fi
    [ "$(mine inspect -f '{{.State.Status}}' box)" = running ]
}
