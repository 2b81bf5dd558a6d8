#!/usr/bin/env bats
# What the store takes and what could be had back: system df, image prune and system prune.
load helpers
load images

setup() {
    needs_root
    images_setup
    base=$(zeros base 200000)
    layout "$WORK/one" 1 "$base" "$(zeros one 3000)"
    layout "$WORK/two" 1 "$base" "$(zeros two 50000)"
    coffer load -q "oci:$WORK/one"
    coffer load -q "oci:$WORK/two"
}

df_of() { # TYPE FIELD
    coffer system df --format json | jq -r "select(.Type == \"$1\").$2"
}

@test "system df counts a shared layer once, and as shared by each" {
    [ "$(df_of Images TotalCount)" = 2 ]
    [ "$(df_of Images Size)" = 253kB ]
    [ "$(df_of Documents Active)" = 4 ]
    run coffer system df -v
    [ "$status" -eq 0 ]
    [ "$(awk '$1 == "one" { print $(NF - 3), $(NF - 2), $(NF - 1) }' <<< "$output")" = "203kB 200kB 3kB" ]
    [ "$(awk '$1 == "two" { print $(NF - 3), $(NF - 2), $(NF - 1) }' <<< "$output")" = "250kB 200kB 50kB" ]
}

@test "what rmi leaves of a shared layer is what the other needs" {
    coffer rmi one:1 > /dev/null
    [ "$(df_of Images Size)" = 250kB ]
    coffer rmi two:1 > /dev/null
    [ "$(df_of Images Size)" = 0B ]
    [ "$(df_of Documents TotalCount)" = 0 ]
}

@test "image prune takes what has no name, with --all what no container runs" {
    run coffer image prune -f
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    coffer image prune --all -f --filter until=500000h > /dev/null
    [ "$(df_of Images TotalCount)" = 2 ]
    run coffer image prune --all -f
    [[ "$output" == *"Untagged: one:1"*"Deleted: sha256:"*"Total reclaimed space: 253kB" ]]
    [ -z "$(coffer images -q)" ]
}

@test "system prune asks, and takes what is left over" {
    run coffer system prune < /dev/null
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: standard input is no terminal to ask on; use --force" ]
    run coffer system prune --force
    [ "$status" -eq 0 ]
    [ "$(df_of Images TotalCount)" = 2 ]
    run coffer image prune -f --filter bogus
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: --filter bogus: expected until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]" ]
}
