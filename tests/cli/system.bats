#!/usr/bin/env bats
# coffer system df and prune, coffer image prune: numbers that agree with what a removal frees.
load helpers
load images

setup() {
    needs_root
    images_setup
}

two_images() {
    layout "$WORK/one" 1 "$(zeros a 10000)" "$(zeros b 20000)"
    CONFIG='.config.Labels = {team: "x"}' layout "$WORK/two" 1 "$WORK/a.tar.gz" "$(zeros c 40000)"
    coffer load -q "oci:$WORK/one"
    coffer load -q "oci:$WORK/two"
}

@test "system df counts shared layers once, and tells what each image alone has" {
    two_images
    run coffer system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}'
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "Images 2 0 70kB 70kB (100%)" ]
    [ "${lines[1]}" = "Containers 0 0 0B 0B (0%)" ]
    [ "${lines[2]}" = "Local Volumes 0 0 0B 0B (0%)" ]
    [[ "${lines[3]}" == "Documents 4 4 "*" 0B (0%)" ]]
    [ "${lines[4]}" = "Leftovers 0 0 0B 0B (0%)" ]
    run coffer system df -v --format json
    [ "$(jq -r '.Images[] | select(.Repository == "one") | .SharedSize + " " + .UniqueSize + " " + .InUse' <<< "$output")" = "10kB 20kB no" ]
    [ "$(jq -r '.Images[] | select(.Repository == "two") | .SharedSize + " " + .UniqueSize' <<< "$output")" = "10kB 40kB" ]
    mkdir "$(coffer_store)/staging/dead"
    head -c 8192 /dev/zero > "$(coffer_store)/staging/dead/x"
    [[ "$(coffer system df --format '{{.Type}} {{.TotalCount}} {{.Active}}' | tail -1)" = "Leftovers 1 0" ]]
    fails "--format with --verbose: expected json or table, as there are several tables" coffer system df -v --format '{{.Type}}'
}

@test "image prune takes what its filters let it, and says what that has freed" {
    two_images
    fails "--filter size=3: expected until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]" coffer image prune --filter size=3
    fails "--filter until=soon: expected a length of time such as 24h, or a time such as 2026-01-31T12:00:00" \
        coffer image prune --filter until=soon
    [ "$(coffer image prune -a --filter until=2001-02-03T04:05:06Z)" = "" ]
    [ "$(coffer image prune -a --filter label=team=y)" = "" ]
    run coffer image prune -a --filter until=24h --filter label=team=x
    [[ "${lines[0]}" == "Untagged: two:1" ]]
    [[ "$output" == *"Total reclaimed space: 40kB" ]]
    run coffer image prune -a -f --filter 'label!=team'
    [[ "$output" == *"Total reclaimed space: 30kB" ]]
    [ "$(coffer images -q)" = "" ]
}

@test "system prune asks, or is forced" {
    two_images
    fails "standard input is no terminal to ask on; use --force" coffer system prune < /dev/null
    run coffer system prune -f
    [ "$output" = "" ]
    run coffer system prune -a -f
    [[ "$output" == *"Total reclaimed space: 70kB" ]]
    [ "$(coffer system df --format '{{.TotalCount}}' | paste -sd ' ')" = "0 0 0 0 0" ]
}
