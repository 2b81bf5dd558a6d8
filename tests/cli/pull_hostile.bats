#!/usr/bin/env bats
# pull, from a registry that misbehaves (tests/registry/hostile.py): refused in one sentence or contained, and nothing half published.
load helpers
load images
load ../registry/registry

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    local dir
    WORK=$BATS_FILE_TMPDIR/work
    hostile_start
    dir=$(new_layer a)
    mkdir -p "$dir/etc"
    echo a > "$dir/etc/a"
    dir=$(new_layer b)
    head -c 300000 /dev/urandom > "$dir/b"
    layout "$HOSTILE/images/one" 1 "$(pack b gzip)"
    layout "$HOSTILE/images/two" 2 "$(pack a gzip)"
    # The second image's tag and blobs, beside the first's: for a tag that moves.
    cp "$HOSTILE"/images/two/blobs/sha256/* "$HOSTILE/images/one/blobs/sha256/"
    jq -s '.[0].manifests += .[1].manifests | .[0]' "$HOSTILE/images/one/index.json" "$HOSTILE/images/two/index.json" > "$WORK/index"
    cp "$WORK/index" "$HOSTILE/images/one/index.json"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    images_setup
    # shellcheck source=/dev/null
    . "$HOSTILE/ports"
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG
    ONE=$HOSTILE/images/one
    DIGEST=$(manifest_digest "$ONE")
    IMAGE_ID=$(config_digest "$ONE")
    LAYER=$(jq -r '.layers[0].digest' "$ONE/blobs/sha256/${DIGEST#sha256:}")
    SIZE=$(jq -r '.layers[0].size' "$ONE/blobs/sha256/${DIGEST#sha256:}")
    HOST=127.0.0.1:$HTTP
    # Cases count by image: a name of our own begins anew.
    NAME=t$BATS_TEST_NUMBER
    ln -sfn one "$HOSTILE/images/$NAME"
    coffer images > /dev/null
}

ref() { # CASE: the image in it
    echo "$HOST/$1/$NAME:1"
}

# refuses CASE TEXT [OPTION...]: a pull of the case fails with this text behind the image's name, at once, and leaves nothing: no name, no
# layer, nothing staged, no process.
refuses() {
    local case=$1 text=$2 sid
    shift 2
    fails "$(ref "$case"): $text" timeout 20 setsid -w "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" pull "$@" "$(ref "$case")"
    [ "$(coffer images -q)" = "" ]
    nothing_staged
}

pulls() { # CASE [OPTION...]
    local case=$1
    shift
    run coffer pull -q "$@" "$(ref "$case")"
    if [ "$status" -ne 0 ] || [ "${lines[-1]}" != "$(ref "$case")" ]; then
        echo "exit code $status, output: $output"
        return 1
    fi
    [ "$(coffer inspect -f '{{.Id}}' "$(ref "$case")")" = "$IMAGE_ID" ]
    cmp "$(coffer_store)"/layers/*/fs/b "$BATS_FILE_TMPDIR/work/b/b"
    nothing_staged
    coffer rmi "$(ref "$case")" > /dev/null
}

# What the layer's messages begin with.
of_layer() { # CASE
    echo "layer $LAYER: $HOST/$1/$NAME: blob $LAYER:"
}

asked() { # CASE WHAT: how often the servers were asked for it
    hostile_requests "select(.path | startswith(\"/v2/$1/$NAME/$2\"))" | wc -l
}

@test "the server's manners themselves: seen by curl" {
    needs curl
    [ "$(curl -s "http://$HOST/v2/good/$NAME/manifests/1" | sha256sum | cut -c 1-64)" = "${DIGEST#sha256:}" ]
    [ "$(curl -s -r 5- "http://$HOST/v2/good/$NAME/blobs/$LAYER" | wc -c)" -eq $((SIZE - 5)) ]
    [ "$(curl -s --cacert "$REGISTRY_CERTS/ca.crt" "https://127.0.0.1:$HTTPS/v2/good/$NAME/blobs/$LAYER" | sha256sum | cut -c 1-64)" = "${LAYER#sha256:}" ]
    run curl -s -o /dev/null -w '%{size_download}' "http://$HOST/v2/cut-always/$NAME/blobs/$LAYER"
    [ "$status" -eq 18 ]
    [ "$output" -eq $((SIZE / 2)) ]
    run curl -s -m 2 -o /dev/null -w '%{size_download}' "http://$HOST/v2/endless-blob/$NAME/blobs/$LAYER"
    [ "$status" -eq 28 ]
    [ "$output" -gt 10000000 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$HOST/v2/no-such-case/$NAME/manifests/1")" = 404 ]
    pulls good
}

@test "digests that the registry says wrong, and bytes that are not what was asked for" {
    zeros=sha256:$(printf '0%.0s' {1..64})
    refuses header-digest "the manifest is $DIGEST, but the registry says $zeros"
    refuses header-path "$HOST says of the manifest: digest \"sha256:../../../../etc/passwd\": expected 64 lower-case hex digits behind sha256:"
    other=sha256:$( (cat "$ONE/blobs/sha256/${DIGEST#sha256:}" && printf ' ') | sha256sum | cut -c 1-64)
    name=$HOST/other-bytes/$NAME@$DIGEST
    fails "$name: the manifest is $other, but asked for was $DIGEST" coffer pull "$name"
    refuses cycle "$(index_digest cycle): $HOST/cycle/$NAME@$zeros: the manifest is $(index_digest cycle), but asked for was $zeros"
}

index_digest() { # CASE
    echo "sha256:$(python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' \
        "http://$HOST/v2/$1/$NAME/manifests/1" | sha256sum | cut -c 1-64)"
}

@test "a tag that changes between HEAD and GET: what came is stored, whole, under its own digest" {
    two=$HOSTILE/images/two
    coffer pull -q "$HOST/good/$NAME:1"
    # The first time there is nothing to ask HEAD for.
    coffer pull -q "$(ref tag-moves)"
    run coffer pull -q "$(ref tag-moves)"
    [ "$status" -eq 0 ]
    [ "$(coffer inspect -f '{{.Id}}' "$(ref tag-moves)")" = "$(config_digest "$two")" ]
    [ "$(coffer inspect -f '{{.Id}}' "$HOST/tag-moves/$NAME@$(manifest_digest "$two")")" = "$(config_digest "$two")" ]
    [ "$(coffer inspect -f '{{.Id}}' "$HOST/good/$NAME:1")" = "$IMAGE_ID" ]
    [ "$(hostile_requests "select(.path == \"/v2/tag-moves/$NAME/manifests/1\") | .method" | tr '\n' ' ')" = '"GET" "HEAD" "GET" ' ]
    run coffer inspect "$HOST/tag-moves/$NAME@$DIGEST"
    [ "$status" -ne 0 ]
    nothing_staged
}

@test "blobs that are flipped, longer, shorter, endless; documents without end" {
    refuses flipped "layer $LAYER: entry \"./b\": gzip data is damaged: a wrong checksum"
    refuses long-blob "$(of_layer long-blob) the server sends more than $SIZE bytes"
    refuses endless-blob "$(of_layer endless-blob) the server sends more than $SIZE bytes"
    refuses short-blob "$(of_layer short-blob) has $((SIZE - 7)) bytes, expected $SIZE"
    refuses long-config "$DIGEST: config: $HOST/long-config/$NAME: blob $IMAGE_ID: the server sends more than $(stat -c %s "$ONE/blobs/sha256/${IMAGE_ID#sha256:}") bytes"
    refuses endless-manifest "the server sends more than 4194304 bytes"
    refuses huge-manifest "the server sends more than 4194304 bytes"
}

@test "a line that is cut: gone on with, begun again, and given up in the end" {
    pulls cut-once
    [ "$(hostile_requests "select(.path | startswith(\"/v2/cut-once/$NAME/blobs/$LAYER\")) | .range" | tail -n 1)" = "\"bytes=$((SIZE / 2))-\"" ]
    pulls cut-once-all
    pulls cut-often
    [ "$(asked cut-often "blobs/$LAYER")" -eq 8 ]
    run coffer pull "$(ref cut-always)"
    [ "$status" -eq 125 ]
    [ "${lines[-1]}" = "coffer: $(ref cut-always): $(of_layer cut-always) transfer closed with $((SIZE - SIZE / 2)) bytes remaining to read" ]
    [ "$(asked cut-always "blobs/$LAYER")" -le 5 ]
    [ "$(coffer images -q)" = "" ]
    [ "$(ls "$(coffer_store)/layers")" = "" ]
    nothing_staged
}

@test "another part than was asked for, and one that only says it is the right one" {
    run coffer pull "$(ref other-range)"
    [ "$status" -eq 125 ]
    [ "${lines[-1]}" = "coffer: $(ref other-range): $(of_layer other-range) the server sends another part than was asked for (Content-Range)" ]
    run coffer pull "$(ref lying-range)"
    [ "$status" -eq 125 ]
    [[ "${lines[-1]}" == "coffer: $(ref lying-range): layer $LAYER: "* ]]
    [ "$(coffer images -q)" = "" ]
    [ "$(ls "$(coffer_store)/layers")" = "" ]
    nothing_staged
}

@test "not now: waited for as long as is asked, if that is not too long" {
    for case in busy-once limited-once; do
        run coffer pull "$(ref $case)"
        [ "$status" -eq 0 ]
        status=503
        [ $case = busy-once ] || status=429
        [ "${lines[0]}" = "coffer: warning: $(ref $case): try again in 1.0 s: $HOST answers $status (\"later\")" ]
        coffer rmi "$(ref $case)"
    done
    run coffer pull "$(ref busy-always)"
    [ "$status" -eq 125 ]
    [ "${lines[-1]}" = "coffer: $(ref busy-always): $HOST answers 503 (\"later\"); try again later" ]
    [ "$(asked busy-always manifests/)" -eq 4 ]
    refuses limited-long "$HOST wants fewer requests (\"later\"); it asks to wait 86400 s; try again later"
    refuses limited-date "$HOST wants fewer requests (\"later\"); it asks to wait until \"Fri, 31 Dec 2999 23:59:59 GMT\"; try again later"
}

@test "redirects: nothing secret goes along, nothing leads from https to http, none goes round" {
    for case in redirect-port redirect-name; do
        pulls $case --creds someone:secret
        [ "$(hostile_requests "select(.server == \"other\" and (.path | startswith(\"/v2/$case/$NAME/\"))) | .path" | wc -l)" -eq 1 ]
        [ "$(hostile_requests "select(.server == \"http\" and (.path | startswith(\"/v2/$case/$NAME/\")) and .authorization) | .path" | wc -l)" -ge 3 ]
    done
    # Neither here nor in any other test.
    [ "$(hostile_requests 'select(.server == "other" and .authorization and (.path | startswith("/token/") | not))')" = "" ]
    refuses redirect-loop "$(of_layer redirect-loop) $HOST redirects more than 5 times" --creds someone:secret
    [ "$(asked redirect-loop "blobs/$LAYER")" -le 8 ]
    refuses redirect-file "$(of_layer redirect-file) $HOST redirects badly: URL \"file:///etc/passwd\" begins with neither https:// nor http://" \
        --creds someone:secret
    refuses redirect-user "$(of_layer redirect-user) $HOST redirects badly: URL \"http://someone:secret@127.0.0.1:$OTHER/v2/redirect-user/$NAME/blobs/$LAYER\" has a user's name in it" \
        --creds someone:secret
    HOST=127.0.0.1:$HTTPS
    refuses redirect-http "$(of_layer redirect-http) $HOST redirects from https to \"http://127.0.0.1:$HTTP/v2/good/$NAME/blobs/$LAYER\", which is refused" \
        --creds someone:secret --cert-dir "$REGISTRY_CERTS"
    [ "$(asked good blobs/)" -eq 0 ]
}

@test "a redirect with control characters in it leads nowhere" {
    run coffer pull --creds someone:secret "$(ref redirect-lines)"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $(ref redirect-lines): $(of_layer redirect-lines) $HOST redirects badly: URL "* ]]
    [[ "$output" != *$'\x1b'* ]]
    nothing_staged
}

@test "foreign layers are taken from the registry, whatever their urls say" {
    pulls foreign-urls --creds someone:secret
    [ "$(hostile_requests 'select(.path | startswith("/foreign/"))')" = "" ]
}

@test "tokens: by https only where the registry is, never from a file, and not for ever" {
    pulls token --creds someone:secret
    # A registry by plain http may name any realm: its own answer could have been changed anyway.
    pulls token-elsewhere --creds someone:secret
    refuses token-file "the realm that $HOST names: URL \"file:///etc/passwd\" begins with neither https:// nor http://"
    refuses token-loop "the registry wants a login, or has nothing of this name (\"who is it?\"); run coffer login $HOST"
    [ "$(asked token-loop manifests/)" -le 3 ]
    refuses token-lines "$HOST answers with a token that cannot be one"
    refuses token-huge "$HOST answers with a token that cannot be one"
    refuses token-none "$HOST answers with no token"
    refuses no-realm "$HOST wants a token, but names no realm to get one from"
    refuses no-scheme "the registry wants an authorisation that coffer does not know; it knows Basic and Bearer (\"who is it?\")"
    HOST=127.0.0.1:$HTTPS
    refuses token-http "$HOST, reached by https, wants a token from \"http://127.0.0.1:$HTTP/token/token\", which is not; refused" \
        --creds someone:secret --cert-dir "$REGISTRY_CERTS"
    [ "$(hostile_requests 'select(.path == "/token/token" and .server == "http" and .authorization and (.path | contains("token-http")))')" = "" ]
    [ "$(hostile_requests 'select(."x-injected")')" = "" ]
}

@test "documents that two readers would read in two ways, of old kinds, and none at all" {
    refuses both "$(index_digest both): has both layers and manifests, so two readers would see two images"
    for case in schema-1 schema-1-hidden; do
        refuses $case "the registry has a manifest of docker's schema 1, whose content no digest vouches for; push the image anew with a tool of today"
    done
    refuses other-type "$DIGEST: mediaType: expected \"application/vnd.oci.image.index.v1+json\", found \"application/vnd.oci.image.manifest.v1+json\""
    refuses html "$HOST answers with \"text/html\" where a manifest was asked for; is it a registry?"
    refuses no-json "$(index_digest no-json): line 1, column 1: '[' or '{' expected near end of file"
    refuses deep-json "$(index_digest deep-json): line 1, column 42: objects and arrays are nested more than 32 deep"
    run coffer pull "$(ref nested)"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $(ref nested): $(index_digest nested): "*": indexes are nested more than 4 deep" ]]
    [ "$(asked nested manifests/)" -le 7 ]
}

@test "digests and sizes in a manifest that are none" {
    hex="expected 64 lower-case hex digits behind sha256:"
    refuses digest-path "$(index_digest digest-path): layers[0]: digest \"sha256:../../../../etc/passwd\": $hex"
    refuses digest-short "$(index_digest digest-short): layers[0]: digest \"sha256:abc\": $hex"
    refuses digest-upper "$(index_digest digest-upper): layers[0]: digest \"sha256:$(printf 'A%.0s' {1..64})\": $hex"
    refuses digest-kind "$(index_digest digest-kind): layers[0]: digest \"md5:$(printf '0%.0s' {1..32})\": expected sha256: or sha512: and lower-case hex digits"
    refuses config-path "$(index_digest config-path): config: digest \"sha256:../../../../etc/passwd\": $hex"
    refuses negative-size "$(index_digest negative-size): layers[0].size: expected a size in bytes, found -1"
    [ "$(hostile_requests 'select(.path | test("/blobs/(?!sha256:[0-9a-f]{64}$)"))')" = "" ]
}

@test "what a server says is shown, but does nothing to the terminal" {
    refuses control "the registry denies it (\"\\x1b[2J\\x1b]0;owned\\x07no\\x0d\\x0acoffer: all is well\\xe2\\x80\\xae\"); perhaps it wants a login: run coffer login $HOST"
    refuses missing-layer "$(of_layer missing-layer) $HOST has none (\"not there\")"
}

@test "bytes are taken as they are, whatever Content-Encoding says" {
    pulls encoded
}

@test "header lines without end, and what is no HTTP" {
    run coffer pull "$(ref big-headers)"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $(ref big-headers): the server sends more than 64 KiB of header lines"* ]]
    run coffer pull "$(ref no-http)"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $(ref no-http): Received HTTP/0.9 when not allowed"* ]]
    [ "$(coffer images -q)" = "" ]
    nothing_staged
}

@test "layers that are not what they say: garbage, cut off, with a tail, of another diffID; each by name, over the network" {
    head -c 5000 /dev/urandom > "$WORK/garbage.tar.gz"
    b=$BATS_FILE_TMPDIR/work/b.tar.gz
    head -c 200000 "$b" > "$WORK/cut.tar.gz"
    (cat "$b" && echo tail) > "$WORK/tail.tar.gz"
    cp "$b" "$WORK/other.tar.gz"
    for kind in garbage cut tail other; do
        # Its own digest and size are right; the configuration names the good layer's tar, or another.
        CONFIG=".rootfs.diff_ids = [\"$(plain_digest "$b")\"]"
        [ "$kind" != other ] || CONFIG=".rootfs.diff_ids = [\"sha256:$(printf '1%.0s' {1..64})\"]"
        layout "$HOSTILE/images/$NAME.$kind" 1 "$WORK/$kind.tar.gz" 2> /dev/null
    done
    refuses_image() {
        run coffer pull "$HOST/good/$NAME.$1:1"
        [ "$status" -eq 125 ]
        echo "$output"
        [ "$output" = "coffer: $HOST/good/$NAME.$1:1: layer $(digest_of "$WORK/$1.tar.gz"): $2" ]
        [ "$(coffer images -q)" = "" ]
        [ "$(ls "$(coffer_store)/layers")" = "" ]
        nothing_staged
    }
    refuses_image garbage "data is uncompressed, but the media type says gzip"
    refuses_image cut "gzip data is cut off"
    refuses_image tail "entry \"./b\": gzip data has bytes behind its end"
    refuses_image other "its diff id is $(plain_digest "$b"), but the image's configuration says sha256:$(printf '1%.0s' {1..64})"
}

@test "a server that knows no HEAD is asked for the whole of what is there already" {
    coffer pull -q "$(ref no-head)"
    run coffer pull "$(ref no-head)"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "Pulled image: $(ref no-head)" ]
}

@test "a run that is killed while it pulls takes the pull with it" {
    setsid "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm "$(ref slow)" true > /dev/null 2>&1 3>&- &
    pid=$!
    for _ in $(seq 100); do
        [ "$(asked slow "blobs/$LAYER")" -eq 0 ] || break
        sleep 0.1
    done
    [ "$(asked slow "blobs/$LAYER")" -eq 1 ]
    kill -9 "$pid"
    wait "$pid" || true
    session_is_empty "$pid"
    [ "$(coffer images -q)" = "" ]
    nothing_staged
}

@test "a registry that drips: the pull can be ended, and takes everything with it" {
    setsid "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" pull "$(ref slow)" > /dev/null 2>&1 3>&- &
    pid=$!
    for _ in $(seq 100); do
        [ "$(asked slow "blobs/$LAYER")" -eq 0 ] || break
        sleep 0.1
    done
    [ "$(asked slow "blobs/$LAYER")" -eq 1 ]
    kill "$pid"
    wait "$pid" || true
    session_is_empty "$pid"
    [ "$(coffer images -q)" = "" ]
    nothing_staged
}
