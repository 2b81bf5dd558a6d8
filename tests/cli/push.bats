#!/usr/bin/env bats
# Pushing images of the store: equal digests on the other side, nothing sent that is there, and what cannot be pushed is said.
load helpers
load ../registry/registry

setup_file() {
    command -v docker-registry skopeo umoci htpasswd openssl > /dev/null || return 0
    registry_start r-plain plain
    registry_start r-other plain
    registry_start r-token token
    registry_start r-tls tls
    registry_push "$(make_image):tiny" "$(registry r-plain)/team/app:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    needs docker-registry skopeo umoci htpasswd openssl
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime
    unset REGISTRY_AUTH_FILE XDG_CONFIG_HOME DOCKER_CONFIG
    r=$(registry r-plain)
    wanted=$(skopeo inspect --tls-verify=false "docker://$r/team/app:1" | jq -r .Digest)
}

digest_at() {
    skopeo inspect --tls-verify=false "$@" | jq -r .Digest
}

@test "a pulled image is pushed to a repository beside: its layers are mounted, its digest is the same" {
    coffer pull -q "$r/team/app:1"
    coffer tag "$r/team/app:1" "$r/else/where:2"
    run coffer push "$r/else/where:2"
    [ "$status" -eq 0 ]
    [[ "$output" == *"taken from the repository beside it,"* ]]
    [ "${lines[-1]}" = "$wanted" ]
    [ "$(digest_at "docker://$r/else/where:2")" = "$wanted" ]
    run coffer push "$r/else/where:2"
    [ "$status" -eq 0 ]
    [ "$(grep -c 'is already there' <<< "$output")" -eq 2 ]
}

@test "to another registry layers are brought over, with a login by token" {
    t=$(registry r-token)
    coffer pull -q "$r/team/app:1"
    run coffer push -q --creds someone:secret --digestfile "$BATS_TEST_TMPDIR/digest" "$r/team/app:1" "$t/mirror/app:3"
    [ "$status" -eq 0 ]
    [ "$output" = "$wanted" ]
    [ "$(cat "$BATS_TEST_TMPDIR/digest")" = "$wanted" ]
    [ "$(digest_at --creds someone:secret "docker://$t/mirror/app:3")" = "$wanted" ]
    # What came over is whole.
    skopeo copy -q --src-tls-verify=false --src-creds someone:secret "docker://$t/mirror/app:3" "oci:$BATS_TEST_TMPDIR/back:x"
    run coffer push -q "$r/team/app:1" "$t/mirror/app:4"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $t/mirror/app: blob sha256:"*": the registry wants a login, or has nothing of this name"*"; run coffer login $t" ]]
}

@test "what is allowed of the target is not allowed of where layers come from" {
    s=$(registry r-tls)
    registry_push "$(make_image):tiny" "$s/team/app:1"
    coffer pull -q --tls-verify=false "$s/team/app:1"
    run coffer push -q --tls-verify=false "$s/team/app:1" "$(registry r-other)/from/tls:1"
    [ "$status" -eq 125 ]
    [[ "$output" == *" is kept unpacked only, and no registry that the image has a name in has it; "* ]]
    run coffer --log-level info push -q --tls-verify=false "$s/team/app:1" "$(registry r-other)/from/tls:1"
    [[ "$output" == *"SSL certificate problem"* ]]
}

@test "a layer that nobody has any more is named" {
    o=$(registry r-other)
    coffer load -q "oci:$(make_image):tiny"
    name=$(coffer images --format '{{.Repository}}:{{.Tag}}')
    run coffer push -q "$name" "$o/team/app:1"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $o/team/app: layer sha256:"*" is kept unpacked only, and no registry that the image has a name in has it; copy the image from where it came from (coffer copy)" ]]
    run coffer tags "$o/team/app"
    [ "$status" -eq 125 ] # no half image
}

@test "what cannot be pushed is refused" {
    o=$(registry r-other)
    coffer pull -q "$r/team/app:1"
    run coffer push none "$o/team/app:1"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: image none:latest is not in the store; "* ]]
    zeros=sha256:0000000000000000000000000000000000000000000000000000000000000000
    run coffer push "$r/team/app:1" "$o/team/app@$zeros"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $o/team/app: the image's digest is $wanted" ]
    id=$(coffer inspect --format '{{.Id}}' "$r/team/app:1")
    run coffer push "${id#sha256:}"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: push ${id#sha256:}: an id says no registry; give the target as a second name" ]
}
