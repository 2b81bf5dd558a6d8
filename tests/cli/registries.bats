#!/usr/bin/env bats
# Where references lead: registries.conf with real registries behind it.

setup_file() {
    load helpers.bash
    load ../registry/registry.bash
    needs docker-registry htpasswd umoci busybox skopeo python3
    registry_start main
    registry_start mirror
    registry_push "$(make_image tiny):tiny" "$(registry main)/team/app:1"
    registry_push "$(make_image tiny):tiny" "$(registry mirror)/cache/library/busybox:latest"
    registry_push "$(make_image tiny):tiny" "$(registry mirror)/copy/app:1"
}

teardown_file() {
    load helpers.bash
    load ../registry/registry.bash
    registry_stop_all
}

setup() {
    load helpers.bash
    load ../registry/registry.bash
    needs_root
    needs docker-registry htpasswd umoci busybox skopeo python3
    MAIN=$(registry main)
    MIRROR=$(registry mirror)
    export HOME=$BATS_TEST_TMPDIR/home
    export COFFER_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
    unset CONTAINERS_REGISTRIES_CONF XDG_CONFIG_HOME REGISTRY_AUTH_FILE DOCKER_CONFIG
    mkdir "$HOME"
}

conf() {
    cat > "$COFFER_REGISTRIES_CONF"
}

@test "a short name is docker.io's, whatever is to be searched, and docker.io may have a mirror" {
    conf << END
unqualified-search-registries = ["$MAIN"]
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "$MIRROR/cache"
END
    run coffer pull -q busybox
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(coffer images --format '{{.Repository}}:{{.Tag}}')" = busybox:latest ]
    [ "$(coffer run --rm busybox echo here)" = here ]
}

@test "another location takes the prefix's place, and the image keeps its name" {
    conf << END
[[registry]]
prefix = "example.com/ours"
location = "$MAIN/team"
END
    run coffer pull -q example.com/ours/app:1
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(coffer images --format '{{.Repository}}:{{.Tag}}')" = example.com/ours/app:1 ]
    run coffer tags example.com/ours/app
    echo "$output"
    [ "$(tail -n 1 <<< "$output" | awk '{ print $2 }')" = 1 ]
}

@test "a mirror that does not have it is passed over" {
    conf << END
[[registry]]
location = "$MAIN"
[[registry.mirror]]
location = "$MIRROR/nothing"
END
    run coffer pull -q "$MAIN/team/app:1"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(coffer images --format '{{.Repository}}:{{.Tag}}')" = "$MAIN/team/app:1" ]
}

@test "a mirror for digests alone is not asked for a tag" {
    conf << END
[[registry]]
prefix = "$MAIN/copy"
mirror-by-digest-only = true
[[registry.mirror]]
location = "$MIRROR/copy"
END
    run coffer pull -q "$MAIN/copy/app:1"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: "*"$MAIN/copy/app:1: $MAIN has none"* ]]
    digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$MIRROR/copy/app:1")
    run coffer pull -q "$MAIN/copy/app@$digest"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "what is blocked is neither pulled, nor pushed to, nor copied" {
    conf << END
[[registry]]
prefix = "$MAIN/team"
blocked = true
END
    says="$MAIN/team/app is blocked: $COFFER_REGISTRIES_CONF, line 1, says so of $MAIN/team"
    run coffer pull -q "$MAIN/team/app:1"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: "*"$says" ]]
    coffer load -q --name "$MAIN/team/app:1" "oci:$(make_image tiny):tiny"
    run coffer push -q "$MAIN/team/app:1"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: "*"$says" ]]
    run coffer copy -q "docker://$MAIN/team/app:1" "docker://$MIRROR/stolen:1"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: "*"$says" ]]
}

@test "a file that is wrong stops us, and a key that is not known does not" {
    conf << END
[[registry]]
location = "https://$MAIN"
END
    run coffer pull -q "$MAIN/team/app:1"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $COFFER_REGISTRIES_CONF: line 2: location: expected HOST[:PORT][/PATH], without https://, found \"https://$MAIN\"" ]
    conf << END
colour = "red"
END
    run coffer pull -q "$MAIN/team/app:1"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "coffer: warning: $COFFER_REGISTRIES_CONF: line 1: the file has no key \"colour\"; it has no effect" ]
    rm "$COFFER_REGISTRIES_CONF"
    run coffer pull -q "$MAIN/team/app:1"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: open $COFFER_REGISTRIES_CONF: No such file or directory" ]
}
