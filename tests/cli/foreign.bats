#!/usr/bin/env bats
# Layers that are not to be handed on: no address of a manifest is followed, what is with the image is taken, and copies leave them where
# they are, as skopeo's do.
bats_require_minimum_version 1.5.0
load helpers
load images
load ../registry/registry

setup_file() {
    needs skopeo docker-registry python3 openssl jq
    mkdir -p "$REGISTRY_DIR"
    registry_start one urls
    registry_start two urls
    hostile_start
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR images_setup
    WORK=$BATS_FILE_TMPDIR/work
    # shellcheck disable=SC1091 # the server writes it
    . "$HOSTILE/ports"
    local type name
    for type in vnd.oci.image.layer.nondistributable.v1.tar+gzip vnd.docker.image.rootfs.foreign.diff.tar.gzip vnd.oci.image.layer.v1.tar+gzip; do
        case $type in
        *nondistributable*) name=oci ;;
        *foreign*) name=docker ;;
        *) name=plain ;;
        esac
        MANIFEST=".layers[1] += {mediaType: \"application/$type\", urls: [\"http://127.0.0.1:$OTHER/foreign/$name\"]}" \
            layout "$HOSTILE/images/$name" 1 "$(zeros "below-$name" 3000)" "$(zeros "foreign-$name" 4000)"
        cp -r "$HOSTILE/images/$name" "$HOSTILE/images/$name-gone"
        rm "$HOSTILE/images/$name-gone/blobs/sha256/$(foreign_hex "$name")"
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
    TWO=$(registry two)
    HERE=127.0.0.1:$HTTP/good
}

teardown() {
    [ "$(hostile_requests 'select(.path | startswith("/foreign/"))')" = "" ]
}

foreign_hex() {
    jq -r '.layers[1].digest | split(":")[1]' "$HOSTILE/images/$1/blobs/sha256/$(manifest_digest "$HOSTILE/images/$1" | cut -d : -f 2)"
}

elsewhere() { # NAME
    echo "is not with the image: its manifest says that it is at \"http://127.0.0.1:$OTHER/foreign/$1\", and such addresses are not followed, since a manifest could name any; take the image from a registry that has all its layers"
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

blobs() { # LAYOUT
    (cd "$1/blobs/sha256" && find . -type f | sort)
}

@test "what the registry has is taken from it, and what it has not is nowhere" {
    for name in oci docker plain; do
        coffer pull -q "$HERE/$name:1"
        coffer rmi "$HERE/$name:1" > /dev/null
        fails "$HERE/$name-gone:1: layer sha256:$(foreign_hex "$name"): $(elsewhere "$name")" coffer pull -q "$HERE/$name-gone:1"
        nothing_staged
    done
    [ "$(coffer images -q)" = "" ]
}

@test "a layout without such a layer" {
    manifest=$(manifest_digest "$HOSTILE/images/oci")
    fails "$HOSTILE/images/oci-gone: index.json: $manifest: layers[1]: $(elsewhere oci)" coffer load -q "oci:$HOSTILE/images/oci-gone:1"
    coffer load -q "oci:$HOSTILE/images/oci:1"
}

@test "a copy leaves it where it is, as skopeo's does, and has the same digest" {
    for name in oci docker; do
        wanted=$(manifest_digest "$HOSTILE/images/$name")
        for from in "$name" "$name-gone"; do
            run --separate-stderr coffer copy "$HERE/$from:1" "$ONE/copied/$from:1"
            [ "$output" = "$wanted" ]
            grep -q "^blob $(foreign_hex "$name" | cut -c 1-12): is not to be handed on, and is left where its manifest says, " <<< "$stderr"
            [ "$(coffer copy -q "$ONE/copied/$from:1" "$TWO/copied/$from:1")" = "$wanted" ]
            [ "$(coffer copy -q "$HERE/$from:1" "oci:$WORK/$from:1")" = "$wanted" ]
            skopeo copy -q --src-tls-verify=false "docker://$HERE/$from:1" "oci:$WORK/$from.skopeo:1"
            diff <(blobs "$WORK/$from") <(blobs "$WORK/$from.skopeo")
            [ ! -e "$WORK/$from/blobs/sha256/$(foreign_hex "$name")" ]
        done
        run ! curl -sf "http://$TWO/v2/copied/$name/blobs/sha256:$(foreign_hex "$name")"
    done
}

@test "a layer of a kind that may be handed on is copied, whatever address it has" {
    coffer copy -q "$HERE/plain:1" "$ONE/plain:1"
    curl -sf -o /dev/null "http://$ONE/v2/plain/blobs/sha256:$(foreign_hex plain)"
    fails "blob sha256:$(foreign_hex plain): $(elsewhere plain)" coffer copy -q "$HERE/plain-gone:1" "$ONE/gone:1"
    # What keeps no manifest needs all layers.
    coffer copy -q "$HERE/oci:1" "docker-archive:$WORK/whole.tar:x:1" > /dev/null
    fails "blob sha256:$(foreign_hex oci): $(elsewhere oci)" coffer copy -q "$HERE/oci-gone:1" "docker-archive:$WORK/gone.tar:x:1"
    fails "blob sha256:$(foreign_hex oci): $(elsewhere oci)" coffer copy -q "$HERE/oci-gone:1" "dir:$WORK/gone"
}

@test "an image of the store is pushed without it" {
    coffer pull -q "$HERE/oci:1"
    coffer tag "$HERE/oci:1" "$ONE/pushed:1"
    [ "$(coffer push -q "$ONE/pushed:1")" = "$(manifest_digest "$HOSTILE/images/oci")" ]
    run ! curl -sf "http://$ONE/v2/pushed/blobs/sha256:$(foreign_hex oci)"
    coffer manifest create listed:1 "docker://$HERE/oci-gone:1"
    coffer manifest push -q listed:1 "$ONE/listed:1"
}
