#!/usr/bin/env bats
# Registries' lists: tags and search, against docker-registry in all the ways it is run, with what is said when it does not let us in.
load helpers
load ../registry/registry

setup_file() {
    command -v docker-registry skopeo umoci htpasswd openssl > /dev/null || return 0
    local layout kind
    layout=$(make_image)
    for kind in plain tls htpasswd tls-htpasswd token; do
        registry_start "r-$kind" "$kind"
        registry_push "$layout:tiny" "$(registry "r-$kind")/team/app:1" --dest-creds someone:secret
    done
    registry_push "$layout:tiny" "$(registry r-token)/public/app:2" --dest-creds someone:secret
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs docker-registry skopeo umoci htpasswd openssl
    # Nobody's logins but the test's.
    export HOME=$BATS_TEST_TMPDIR DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime
    unset REGISTRY_AUTH_FILE XDG_CONFIG_HOME
}

@test "tags of a registry of this host, by plain http" {
    r=$(registry r-plain)
    run coffer tags -q "$r/team/app"
    [ "$status" -eq 0 ]
    [ "$output" = 1 ]
    run coffer tags --format json "$r/team/app"
    [ "$output" = "{\"Repository\":\"$r/team/app\",\"Tag\":\"1\"}" ]
    run coffer tags "$r/team/none"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $r/team/none: $r has none (\"repository name not known to registry\")" ]
}

@test "more tags than one page has" {
    r=$(registry r-plain)
    # The registry's own folder, since a thousand pushes take their time.
    dir=$REGISTRY_DIR/r-plain/data/docker/registry/v2/repositories/team/many/_manifests
    mkdir -p "$dir"
    cp -r "$dir/../../app/_layers" "$dir/.."
    cp -r "$dir/../../app/_manifests/." "$dir"
    for i in $(seq 1000 2050); do
        cp -r "$dir/tags/1" "$dir/tags/v$i"
    done
    [ "$(coffer tags -q "$r/team/many" | wc -l)" -eq 1052 ]
    [ "$(coffer tags -q "$r/team/many" | sort -u | wc -l)" -eq 1052 ]
    [ "$(coffer tags -q --limit 3 "$r/team/many" | wc -l)" -eq 3 ]
}

@test "a certificate is verified, on this host too" {
    r=$(registry r-tls)
    run coffer tags -q "$r/team/app"
    [ "$status" -ne 0 ]
    [ "$output" = "coffer: $r/team/app: SSL certificate problem: unable to get local issuer certificate; put its authority's certificate into /etc/containers/certs.d/$r, or give --cert-dir" ]
    [ "$(coffer tags -q --cert-dir "$REGISTRY_CERTS" "$r/team/app")" = 1 ]
    [ "$(coffer tags -q --tls-verify=false "$r/team/app")" = 1 ]
}

@test "a registry that was given a certificate is never asked by http" {
    r=$(registry r-plain)
    run coffer tags -q --cert-dir "$REGISTRY_CERTS" "$r/team/app"
    [ "$status" -ne 0 ]
    [[ "$output" == "coffer: $r/team/app: "*"wrong version number; if it speaks plain http only, give --tls-verify=false" ]]
}

@test "logins by Basic" {
    for kind in htpasswd tls-htpasswd; do
        r=$(registry "r-$kind")
        [ "$(coffer tags -q --cert-dir "$REGISTRY_CERTS" --tls-verify=false --creds someone:secret "$r/team/app")" = 1 ]
        run coffer tags -q --tls-verify=false "$r/team/app"
        [ "$status" -ne 0 ]
        [ "$output" = "coffer: $r/team/app: the registry wants a login, or has nothing of this name (\"authentication required\"); run coffer login $r" ]
        run coffer tags -q --tls-verify=false --creds someone:wrong "$r/team/app"
        [ "$status" -ne 0 ]
        [ "$output" = "coffer: $r/team/app: the registry does not accept this user and password (\"authentication required\")" ]
    done
}

@test "logins by token" {
    r=$(registry r-token)
    [ "$(coffer tags -q --creds someone:secret "$r/team/app")" = 1 ]
    [ "$(coffer tags -q "$r/public/app")" = 2 ]
    run coffer tags -q "$r/team/app"
    [ "$status" -ne 0 ]
    [ "$output" = "coffer: $r/team/app: the registry wants a login, or has nothing of this name (\"authentication required\"); run coffer login $r" ]
    run coffer tags -q --creds someone:wrong "$r/team/app"
    [ "$status" -ne 0 ]
    [[ "$output" == "coffer: $r/team/app: 127.0.0.1:"*" does not accept this user and password (\"incorrect username or password\")" ]]
    [[ "$output" != *wrong* ]]
}

@test "logins out of the files of docker and of the containers tools" {
    r=$(registry r-htpasswd)
    auth="{\"auths\": {\"$r\": {\"auth\": \"$(printf someone:secret | base64)\"}}}"
    for file in docker/config.json runtime/containers/auth.json .config/containers/auth.json; do
        mkdir -p "$BATS_TEST_TMPDIR/${file%/*}"
        echo "$auth" > "$BATS_TEST_TMPDIR/$file"
        [ "$(coffer tags -q "$r/team/app")" = 1 ]
        rm "$BATS_TEST_TMPDIR/$file"
    done
    echo "$auth" > "$BATS_TEST_TMPDIR/named"
    [ "$(coffer tags -q --authfile "$BATS_TEST_TMPDIR/named" "$r/team/app")" = 1 ]
    [ "$(REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/named coffer tags -q "$r/team/app")" = 1 ]
}

@test "a registry that is not there" {
    run coffer tags 127.0.0.1:1/team/app
    [ "$status" -ne 0 ]
    [[ "${lines[0]}" == "coffer: warning: 127.0.0.1:1/team/app: try again in 0."* ]]
    [[ "${lines[3]}" == "coffer: 127.0.0.1:1/team/app: "* ]]
    [ "${#lines[@]}" -eq 4 ]
}

@test "what is no repository is refused before anything is asked" {
    run coffer tags team/app:1
    [ "$output" = "coffer: tags team/app:1: expected a repository without a tag or digest" ]
}

@test "search goes through the catalog where there is no index" {
    r=$(registry r-plain)
    [ "$(coffer search -q "$r/ap")" = "$r/team/app" ]
    [ "$(coffer search -q "$r/nothing")" = "" ]
    run coffer search --format json "$r/team/app"
    [ "$output" = "{\"Name\":\"$r/team/app\",\"Description\":\"\",\"StarCount\":\"0\",\"IsOfficial\":\"\"}" ]
}
