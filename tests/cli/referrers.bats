#!/usr/bin/env bats
# What refers to an image: from registries that know the question and from those that do not; and layers that are not to be handed on.
bats_require_minimum_version 1.5.0
load helpers
load images
load ../registry/registry

OCI=application/vnd.oci.image

setup_file() {
    needs skopeo docker-registry python3 openssl jq curl
    mkdir -p "$REGISTRY_DIR"
    registry_start one
    hostile_start
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR images_setup
    WORK=$BATS_FILE_TMPDIR/work
    echo "a file" > "$(new_layer files)/file"
    layout "$HOSTILE/images/app" 1 "$(pack files gzip)"
    registry_push "$HOSTILE/images/app:1" "$(registry one)/app:1"
    # A signature and a bill of material, as other tools make them.
    local kind
    for kind in sig sbom; do
        artifact "$HOSTILE/images/app" "application/x-$kind" > "$WORK/$kind.json"
    done
}

teardown_file() {
    registry_stop_all
}

setup() {
    images_setup
    # shellcheck disable=SC1091 # the server writes it
    . "$HOSTILE/ports"
    ONE=$(registry one)
    HERE=127.0.0.1:$HTTP
    DIGEST=$(manifest_digest "$HOSTILE/images/app")
}

# artifact LAYOUT TYPE: a manifest whose subject is the layout's image; prints its file's text.
artifact() {
    echo -n '{}' > "$WORK/empty"
    echo "data of $2" > "$WORK/data"
    jq -cn --arg type "$2" --argjson config "$(descriptor "$1" "$WORK/empty" application/vnd.oci.empty.v1+json)" \
        --argjson layer "$(descriptor "$1" "$WORK/data" "$2")" --argjson subject "$(jq -c '.manifests[0] | {mediaType, digest, size}' "$1/index.json")" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: $type, config: $config,
        layers: [$layer], subject: $subject, annotations: {"by": "hand"}}' > "$WORK/artifact"
    blob "$1" "$WORK/artifact" > /dev/null
    cat "$WORK/artifact"
}

put_blob() { # HOST/NAME FILE
    local url
    url=$(curl -sf -i -X POST "http://${1%%/*}/v2/${1#*/}/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$url&digest=$(digest_of "$2")"
}

put_manifest() { # HOST/NAME REFERENCE FILE TYPE
    curl -sf -X PUT -H "Content-Type: $4" --data-binary "@$3" "http://${1%%/*}/v2/${1#*/}/manifests/$2"
}

fails() { # MESSAGE COMMAND...
    local expected=$1
    shift
    run -125 "$@"
    [ "$output" = "coffer: $expected" ] || {
        echo "$output"
        return 1
    }
}

file_digest() {
    digest_of "$BATS_FILE_TMPDIR/work/$1.json"
}

@test "a registry that knows the question" {
    run coffer referrers "$HERE/good/app:1"
    echo "$output"
    [[ "${lines[0]}" =~ ^DIGEST\ +ARTIFACT\ TYPE\ +SIZE$ ]]
    [ "${#lines[@]}" -eq 3 ]
    [ "$(coffer referrers -q "docker://$HERE/good/app@$DIGEST" | sort)" = "$(printf '%s\n' "$(file_digest sig)" "$(file_digest sbom)" | sort)" ]
    run coffer referrers --format json --artifact-type application/x-sbom "$HERE/good/app:1"
    [ "$(jq -cS 'del(.Size)' <<< "$output")" = "$(jq -cnS --arg d "$(file_digest sbom)" \
        '{Digest: $d, ArtifactType: "application/x-sbom", MediaType: "application/vnd.oci.image.manifest.v1+json", Annotations: "by=hand"}')" ]
    hostile_requests .path | grep -q 'referrers/sha256:[0-9a-f]*?artifactType=application%2Fx-sbom'
    [ "$(coffer referrers -q --artifact-type application/x "$HERE/good/app:1")" = "" ]
    # What it says can be fetched.
    [ "$(coffer manifest inspect "$HERE/good/app@$(file_digest sig)")" = "$(cat "$BATS_FILE_TMPDIR/work/sig.json")" ]
}

@test "a registry that does not is asked for the tag that stands for the answer" {
    [ "$(coffer referrers -q "$ONE/app:1")" = "" ]
    for name in sig sbom; do
        jq -r '.config.digest, .layers[].digest' "$BATS_FILE_TMPDIR/work/$name.json" | while read -r digest; do
            put_blob "$ONE/app" "$HOSTILE/images/app/blobs/sha256/${digest#sha256:}"
        done
        put_manifest "$ONE/app" "$(file_digest "$name")" "$BATS_FILE_TMPDIR/work/$name.json" "$OCI.manifest.v1+json"
    done
    for name in sig sbom; do
        jq -c --arg d "$(file_digest "$name")" --argjson s "$(stat -c %s "$BATS_FILE_TMPDIR/work/$name.json")" \
            '{mediaType, artifactType, digest: $d, size: $s}' "$BATS_FILE_TMPDIR/work/$name.json"
    done | jq -cs --arg t "$OCI.index.v1+json" '{schemaVersion: 2, mediaType: $t, manifests: .}' > "$WORK/index"
    put_manifest "$ONE/app" "${DIGEST/:/-}" "$WORK/index" "$OCI.index.v1+json"
    [ "$(coffer referrers -q "$ONE/app:1")" = "$(printf '%s\n' "$(file_digest sig)" "$(file_digest sbom)")" ]
    [ "$(coffer referrers -q --artifact-type application/x-sig "$ONE/app:1")" = "$(file_digest sig)" ]
}

@test "of an index: to itself, or to the image for a platform" {
    jq -c --arg t "$OCI.index.v1+json" '{schemaVersion: 2, mediaType: $t, manifests: [.manifests[0] | del(.annotations) |
        .platform = {os: "linux", architecture: "s390x"}]}' "$HOSTILE/images/app/index.json" > "$WORK/index"
    put_manifest "$ONE/app" multi "$WORK/index" "$OCI.index.v1+json"
    [ "$(coffer referrers -q "$ONE/app:multi")" = "" ]
    coffer referrers -q --platform linux/s390x "$ONE/app:multi" > "$WORK/found"
    diff "$WORK/found" <(coffer referrers -q "$ONE/app:1")
    fails "$ONE/app:multi: has no image for linux/amd64, only for \"linux/s390x\"" coffer referrers --platform linux/amd64 "$ONE/app:multi"
}

@test "registries that misbehave when they are asked what refers to an image" {
    what="$HERE/referrers-%s/app: referrers of $DIGEST"
    run --separate-stderr coffer referrers --format '{{.Digest}} {{.ArtifactType}} {{.Annotations}}' "$HERE/referrers-bad/app:1"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == "sha256:0000"* ]]
    # shellcheck disable=SC2059 # the format is ours
    [ "$stderr" = "coffer: warning: $(printf "$what" bad): \"sha256:../../x\\x1b\" is left out: it is no digest" ]
    ! grep -q $'[\e\a]' <<< "$output" || false
    [ "$(coffer referrers -q "$HERE/referrers-many/app:1" | wc -l)" -eq 10000 ]
    # shellcheck disable=SC2059
    fails "$(printf "$what" pages): the registry's list leads from page to page without an end" coffer referrers "$HERE/referrers-pages/app:1"
    for case in html denied big; do
        run -125 coffer referrers "$HERE/referrers-$case/app:1"
        # shellcheck disable=SC2059
        [[ "$output" == "coffer: $(printf "$what" "$case")"* ]]
        [ "${#lines[@]}" -eq 1 ]
        ! grep -q $'\e' <<< "$output" || false
    done
    run -125 coffer referrers "$ONE/app:nothing"
    [[ "$output" == "coffer: $ONE/app:nothing: $ONE has none"* ]]
}
