#!/usr/bin/env bats
# pull, against docker's registry: plain, by TLS, with logins and with tokens; what is said, what is stored, what is asked for.
load helpers
load images
load ../registry/registry

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    local kind dir
    WORK=$BATS_FILE_TMPDIR/work
    for kind in plain tls htpasswd token; do
        registry_start "$kind" "$kind"
    done
    dir=$(new_layer a)
    mkdir -p "$dir/etc"
    echo a > "$dir/etc/a"
    dir=$(new_layer b)
    head -c 300000 /dev/urandom > "$dir/b"
    # Packed once: another tar of the same files is another tar.
    pack a gzip
    pack b gzip
    zstd -q "$WORK/a.tar" -o "$WORK/a.tar.zst"
    layout "$WORK/app" 1 "$WORK/a.tar.gz" "$WORK/b.tar.gz"
    layout "$WORK/app2" 1 "$WORK/a.tar.gz" "$WORK/a.tar"
    layout "$WORK/zstd" 1 "$WORK/a.tar.zst" "$WORK/b.tar"
    registry_push "$WORK/app:1" "$(registry plain)/team/app:1"
    registry_push "$WORK/zstd:1" "$(registry plain)/team/zstd:1"
    registry_push "$WORK/app:1" "$(registry plain)/team/docker:1" --format v2s2
    registry_push "$WORK/app:1" "$(registry tls)/team/app:1"
    registry_push "$WORK/app:1" "$(registry htpasswd)/team/app:1" --dest-creds someone:secret
    registry_push "$WORK/app:1" "$(registry token)/team/app:1" --dest-creds someone:secret
    registry_push "$WORK/app:1" "$(registry token)/public/app:1" --dest-creds someone:secret
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    images_setup
    APP=$BATS_FILE_TMPDIR/work/app
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG
    coffer images > /dev/null
}

@test "an image is pulled, named, and is there by its tag and by its digest" {
    host=$(registry plain)
    run coffer pull "$host/team/app:1"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "Pulled image: $host/team/app:1" ]
    grep -qx "layer $(digest_of "$BATS_FILE_TMPDIR/work/b.tar.gz" | cut -c 8-19): unpacked 300kB" <<< "$output"
    [ "$(coffer images --format '{{.Repository}}:{{.Tag}}')" = "$host/team/app:1" ]
    [ "$(coffer inspect -f '{{.Id}}' "$host/team/app:1")" = "$(config_digest "$APP")" ]
    [ "$(coffer inspect -f '{{.Id}}' "$host/team/app@$(manifest_digest "$APP")")" = "$(config_digest "$APP")" ]
    cmp "$(coffer_store)"/layers/*/fs/b "$BATS_FILE_TMPDIR/work/b/b"
    nothing_staged
}

@test "again: it is up to date, and the store is as it was" {
    host=$(registry plain)
    coffer pull -q "$host/team/app:1"
    before=$(store_listing)
    run coffer pull "$host/team/app:1"
    [ "$status" -eq 0 ]
    [ "$output" = "Image is up to date: $host/team/app:1" ]
    run coffer pull -q "$host/team/app:1"
    [ "$output" = "$host/team/app:1" ]
    diff <(echo "$before") <(store_listing)
}

@test "by digest: the name has no tag, and other bytes would not do" {
    host=$(registry plain) digest=$(manifest_digest "$APP")
    run coffer pull -q "$host/team/app@$digest"
    [ "$status" -eq 0 ]
    [ "$output" = "$host/team/app@$digest" ]
    [ "$(coffer inspect -f '{{.Id}}' "$host/team/app@$digest")" = "$(config_digest "$APP")" ]
    [ "$(coffer inspect -f '{{json .RepoTags}}' "$host/team/app@$digest")" = "[]" ]
    fails "$host/team/app@sha256:$(printf '0%.0s' {1..64}): $host has none (\"manifest unknown\")" \
        coffer pull "$host/team/app@sha256:$(printf '0%.0s' {1..64})"
}

@test "a tag that has moved brings the new image; layers that are there are not asked for" {
    host=$(registry plain)
    registry_push "$APP:1" "$host/team/moves:1"
    coffer pull -q "$host/team/moves:1"
    registry_push "$BATS_FILE_TMPDIR/work/app2:1" "$host/team/moves:1"
    run coffer pull "$host/team/moves:1"
    [ "$status" -eq 0 ]
    [[ "$output" == *"layer $(digest_of "$BATS_FILE_TMPDIR/work/a.tar.gz" | cut -c 8-19): is already there"* ]]
    [ "$(coffer inspect -f '{{.Id}}' "$host/team/moves:1")" = "$(config_digest "$BATS_FILE_TMPDIR/work/app2")" ]
    [ "$(coffer images -q | wc -l)" -eq 2 ]
}

@test "docker's manifests, zstd and plain layers" {
    host=$(registry plain)
    coffer pull -q "$host/team/docker:1"
    coffer pull -q "$host/team/zstd:1"
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 2 ]
    [ "$(coffer inspect -f '{{len .RootFS.Layers}}' "$host/team/zstd:1")" = 2 ]
}

@test "what is not there is said to be not there" {
    host=$(registry plain)
    fails "$host/team/app:2: $host has none (\"manifest unknown\")" coffer pull "$host/team/app:2"
    fails "$host/nobody/app:1: $host has none (\"manifest unknown\")" coffer pull "$host/nobody/app:1"
    port=$(registry_free_port)
    run coffer pull "127.0.0.1:$port/app:1"
    [ "$status" -eq 125 ]
    [[ "$output" == *"coffer: 127.0.0.1:$port/app:1: "*"onnect to 127.0.0.1 port $port"* ]]
    nothing_staged
}

@test "TLS: with the authority's certificate, without it, and unverified" {
    host=$(registry tls)
    fails "$host/team/app:1: SSL certificate problem: unable to get local issuer certificate; put its authority's certificate into /etc/containers/certs.d/$host, or give --cert-dir" \
        coffer pull "$host/team/app:1"
    run coffer pull -q --cert-dir "$REGISTRY_CERTS" "$host/team/app:1"
    [ "$status" -eq 0 ]
    coffer rmi "$host/team/app:1"
    SSL_CERT_FILE=$REGISTRY_CERTS/ca.crt run coffer pull -q "docker://$host/team/app:1"
    [ "$status" -eq 0 ]
    coffer rmi "$host/team/app:1"
    fails "SSL_CERT_FILE: open $WORK/nothing: No such file or directory" env "SSL_CERT_FILE=$WORK/nothing" \
        "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" pull "$host/team/app:1"
    run coffer pull -q --tls-verify=false "$host/team/app:1"
    [ "$status" -eq 0 ]
    [ "$output" = "$host/team/app:1" ]
}

@test "a login by htpasswd: none, a wrong one, the right one, and from a file" {
    host=$(registry htpasswd)
    fails "$host/team/app:1: the registry wants a login, or has nothing of this name (\"authentication required\"); run coffer login $host" \
        coffer pull "$host/team/app:1"
    fails "$host/team/app:1: the registry does not accept this user and password (\"authentication required\")" \
        coffer pull --creds someone:wrong "$host/team/app:1"
    run coffer pull -q --creds someone:secret "$host/team/app:1"
    [ "$status" -eq 0 ]
    coffer rmi "$host/team/app:1"
    jq -n --arg host "$host" --arg auth "$(printf someone:secret | base64)" '{auths: {($host): {auth: $auth}}}' > "$WORK/auth.json"
    run coffer pull -q --authfile "$WORK/auth.json" "$host/team/app:1"
    [ "$status" -eq 0 ]
    coffer rmi "$host/team/app:1"
    mkdir "$HOME/.docker"
    cp "$WORK/auth.json" "$HOME/.docker/config.json"
    run coffer pull -q "$host/team/app:1"
    [ "$status" -eq 0 ]
}

@test "tokens: one for the repository that is asked for; nobody's where that will do" {
    host=$(registry token)
    : > "$REGISTRY_DIR/token/requests"
    run coffer pull -q "$host/public/app:1"
    [ "$status" -eq 0 ]
    [ "$(cat "$REGISTRY_DIR/token/requests")" = "GET - repository:public/app:pull" ]
    run coffer pull -q --creds someone:secret "$host/team/app:1"
    [ "$status" -eq 0 ]
    [ "$(tail -n 1 "$REGISTRY_DIR/token/requests")" = "GET someone repository:team/app:pull" ]
    coffer rmi "$host/team/app:1"
    fails "$host/team/app:1: the registry wants a login, or has nothing of this name (\"authentication required\"); run coffer login $host" \
        coffer pull "$host/team/app:1"
    fails "$host/team/app:1: 127.0.0.1:$(cat "$REGISTRY_DIR/token/port") does not accept this user and password (\"incorrect username or password\")" \
        coffer pull --creds someone:wrong "$host/team/app:1"
    nothing_staged
}

@test "run pulls what is not there" {
    needs umoci
    layout=$(make_image)
    registry_push "$layout:tiny" "$(registry plain)/tiny:1"
    run coffer run --rm --network none "$(registry plain)/tiny:1" echo hello
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = hello ]
    run coffer run --rm --network none "$(registry plain)/tiny:1" echo again
    [ "$output" = again ]
}

@test "two pulls of the same image at once" {
    host=$(registry plain)
    for _ in 1 2 3 4; do
        coffer pull -q "$host/team/app:1" > /dev/null 3>&- &
    done
    for job in $(jobs -p); do
        wait "$job"
    done
    [ "$(coffer images -q | wc -l)" -eq 1 ]
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 2 ]
    nothing_staged
}

@test "killed at any time: the store is whole, and the next pull ends it" {
    host=$(registry plain)
    for delay in 0.01 0.02 0.03 0.04 0.05 0.07 0.09 0.12; do
        setsid "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" pull -q "$host/team/app:1" > /dev/null 2>&1 3>&- &
        pid=$!
        sleep "$delay"
        kill -9 "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
        session_is_empty "$pid"
        run coffer images -q
        [ "$status" -eq 0 ]
        nothing_staged
        if [ "$output" = "" ]; then
            [ "$(ls "$(coffer_store)/layers")" = "" ]
        else
            coffer rmi "$host/team/app:1"
        fi
    done
    run coffer pull -q "$host/team/app:1"
    [ "$output" = "$host/team/app:1" ]
}
