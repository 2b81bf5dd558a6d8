#!/usr/bin/env bats
# Lists of images: made in the store of images of the store and of registries, kept through kills, pushed, and understood by podman and
# skopeo; theirs are understood here.
bats_require_minimum_version 1.5.0
load helpers
load images
load ../registry/registry

OCI=application/vnd.oci.image

setup_file() {
    needs umoci skopeo docker-registry python3 openssl jq
    mkdir -p "$REGISTRY_DIR"
    registry_start one
    registry_start two
    hostile_start
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR images_setup
    WORK=$BATS_FILE_TMPDIR/work
    echo "a file" > "$(new_layer files)/file"
    local arch
    for arch in amd64 arm64 s390x; do
        CONFIG=".architecture = \"$arch\"" layout "$BATS_FILE_TMPDIR/$arch/app" "$arch" "$(pack files gzip)"
        registry_push "$BATS_FILE_TMPDIR/$arch/app:$arch" "$(registry one)/app:$arch"
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
}

digest_at() { # HOST/NAME:TAG
    skopeo inspect --raw --tls-verify=false "docker://$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
}

raw() { # HOST/NAME:TAG
    skopeo inspect --raw --tls-verify=false "docker://$1"
}

@test "a list of a registry's images is pushed, and skopeo finds each platform" {
    coffer manifest create app:1 "$ONE/app:amd64" "docker://$ONE/app:arm64"
    run coffer manifest add app:1 "$ONE/app:s390x"
    now=$output
    [ "$(coffer manifest inspect app:1 | jq -c '[.manifests[].platform]')" = \
        '[{"architecture":"amd64","os":"linux"},{"architecture":"arm64","os":"linux"},{"architecture":"s390x","os":"linux"}]' ]
    [ "$(coffer manifest inspect app:1 | jq -r .mediaType)" = "$OCI.index.v1+json" ]
    [ "sha256:$(coffer manifest inspect app:1 | sha256sum | cut -d ' ' -f 1)" = "$now" ]
    run --separate-stderr coffer manifest push --digestfile "$WORK/digest" app:1 "$TWO/pushed/app:1"
    [ "$output" = "$now" ]
    [ "$(cat "$WORK/digest")" = "$now" ]
    [ "$(digest_at "$TWO/pushed/app:1")" = "$now" ]
    cmp <(coffer manifest inspect app:1) <(raw "$TWO/pushed/app:1")
    for arch in amd64 arm64 s390x; do
        skopeo copy -q --src-tls-verify=false --override-arch "$arch" "docker://$TWO/pushed/app:1" "oci:$WORK/got:$arch"
        [ "$(skopeo inspect --config "oci:$WORK/got:$arch" | jq -r .architecture)" = "$arch" ]
        [ "$(skopeo inspect --format '{{.Digest}}' "oci:$WORK/got:$arch")" = "$(digest_at "$ONE/app:$arch")" ]
    done
    # A second push sends nothing.
    run --separate-stderr coffer manifest push app:1 "$TWO/pushed/app:1"
    [ "$output" = "$now" ]
    [ "$stderr" = "" ]
}

@test "images of the store are listed by their manifests, and pushed from it" {
    coffer load -q "oci:$BATS_FILE_TMPDIR/arm64/app:arm64" > /dev/null
    coffer pull -q "$ONE/app:amd64"
    # Of the store and of the registry: "docker://" is what tells them apart.
    coffer manifest create "$TWO/mixed:1" "docker://$ONE/app:s390x" "$ONE/app:amd64" app:arm64
    coffer manifest push -q "$TWO/mixed:1"
    [ "$(raw "$TWO/mixed:1" | jq -r '[.manifests[].platform.architecture] | join(" ")')" = "s390x amd64 arm64" ]
    [ "$(raw "$TWO/mixed:1" | jq -r '.manifests[2].digest')" = "$(digest_at "$ONE/app:arm64")" ]
    skopeo copy -q --all --src-tls-verify=false "docker://$TWO/mixed:1" "oci:$WORK/got:all"
}

@test "an image of the store that no registry has is packed anew, and listed as what it is then" {
    echo "of this test alone" > "$(new_layer alone)/file"
    layout "$WORK/alone.oci" 1 "$(zeros alone 5000)"
    coffer load -q --name alone:1 "oci:$WORK/alone.oci:1" > /dev/null
    coffer manifest create alone:list alone:1 "$ONE/app:arm64"
    coffer manifest push -q alone:list "$TWO/alone:1"
    [ "$(raw "$TWO/alone:1" | jq -r '[.manifests[].platform.architecture] | join(" ")')" = "amd64 arm64" ]
    skopeo copy -q --all --src-tls-verify=false "docker://$TWO/alone:1" "oci:$WORK/got:all"
    coffer pull -q "$TWO/alone:1"
    [ "$(coffer images -q --no-trunc "$TWO/alone:1")" = "$(coffer images -q --no-trunc alone:1)" ]
    coffer import "$WORK/alone" imported:1 > /dev/null
    fails "image imported:1 came into the store without a manifest (an import, or an archive of docker save), which a list would name it by; push it, and add it from there (docker://...)" \
        coffer manifest add alone:list imported:1
}

@test "a list pushed here is pulled by podman for each platform, and one of podman's is amended here" {
    needs podman
    podman() {
        command podman --root "$WORK/podman" --runroot "$WORK/podman-run" --storage-driver vfs "$@"
    }
    coffer manifest create app:1 "$ONE/app:amd64" "$ONE/app:arm64"
    coffer manifest push -q app:1 "$TWO/for-podman:1"
    for arch in amd64 arm64; do
        podman pull -q --tls-verify=false --arch "$arch" "$TWO/for-podman:1"
        [ "$(podman image inspect --format '{{.Architecture}}' "$TWO/for-podman:1")" = "$arch" ]
    done
    podman manifest create theirs
    podman manifest add --tls-verify=false theirs "docker://$ONE/app:amd64"
    podman manifest add --tls-verify=false --arch arm --variant v7 theirs "docker://$ONE/app:arm64"
    podman manifest push -q --tls-verify=false theirs "docker://$TWO/theirs:1"
    cmp <(coffer manifest inspect "$TWO/theirs:1") <(raw "$TWO/theirs:1")
    coffer manifest create --all ours "$TWO/theirs:1"
    coffer manifest add ours "$ONE/app:s390x"
    coffer manifest push -q ours "$TWO/ours:1"
    [ "$(raw "$TWO/ours:1" | jq -c '[.manifests[] | [.platform.architecture, .platform.variant]]')" = \
        '[["amd64",null],["arm","v7"],["s390x",null]]' ]
}

@test "what is said of an image" {
    coffer manifest create app:1
    coffer manifest add --arch arm --variant v7 --os linux --os-version 10.0.1 --features sse4,avx --os-features win32k \
        --annotation a=b --annotation 'c=d=e' app:1 "$ONE/app:arm64"
    [ "$(coffer manifest inspect app:1 | jq -cS '.manifests[0] | [.platform, .annotations]')" = \
        '[{"architecture":"arm","features":["sse4","avx"],"os":"linux","os.features":["win32k"],"os.version":"10.0.1","variant":"v7"},{"a":"b","c":"d=e"}]' ]
    coffer manifest annotate --variant v6 --annotation a=x app:1 "$ONE/app:arm64"
    [ "$(coffer manifest inspect app:1 | jq -r '.manifests[0] | [.platform.variant, .annotations.a, .annotations.c] | join(" ")')" = "v6 x d=e" ]
    coffer manifest annotate --os-version 11 app:1 "$(digest_at "$ONE/app:arm64")"
    [ "$(coffer manifest inspect app:1 | jq -r '.manifests[0].platform["os.version"]')" = 11 ]
    coffer manifest create --amend --annotation of=all app:1
    [ "$(coffer manifest inspect app:1 | jq -r .annotations.of)" = all ]
    # Once more is once.
    coffer manifest add app:1 "$ONE/app:arm64"
    [ "$(coffer manifest inspect app:1 | jq -c '[.manifests[].platform]')" = '[{"architecture":"arm64","os":"linux"}]' ]
    coffer manifest create -a app:1 "$ONE/app:amd64"
    [ "$(coffer manifest inspect app:1 | jq '.manifests | length')" -eq 2 ]
    coffer manifest remove app:1 "$(digest_at "$ONE/app:arm64")"
    [ "$(coffer manifest inspect app:1 | jq -r '.manifests[].platform.architecture')" = amd64 ]
}

@test "of an index one image is added, or with --all every one" {
    coffer manifest create source "$ONE/app:amd64" "$ONE/app:arm64"
    coffer manifest push -q source "$ONE/index:1"
    coffer manifest create --all all "$ONE/index:1"
    [ "$(coffer manifest inspect all | jq -r '[.manifests[].platform.architecture] | join(" ")')" = "amd64 arm64" ]
    coffer manifest create one
    coffer manifest add --arch arm64 one "$ONE/index:1"
    [ "$(coffer manifest inspect one | jq -r '.manifests[] | .digest')" = "$(digest_at "$ONE/app:arm64")" ]
    fails "$ONE/index:1: has no image for linux/riscv64, only for \"linux/amd64, linux/arm64\"" \
        coffer manifest add --arch riscv64 one "$ONE/index:1"
    # An index in an index: those inside are listed.
    raw "$ONE/index:1" > "$WORK/inner"
    jq -nc --arg d "$(digest_at "$ONE/index:1")" --argjson s "$(stat -c %s "$WORK/inner")" --arg t "$OCI.index.v1+json" \
        '{schemaVersion: 2, mediaType: $t, manifests: [{mediaType: $t, digest: $d, size: $s}]}' > "$WORK/outer"
    curl -sf -X PUT -H "Content-Type: $OCI.index.v1+json" --data-binary "@$WORK/outer" "http://$ONE/v2/index/manifests/outer"
    coffer manifest create --all nested "$ONE/index:outer"
    [ "$(coffer manifest inspect nested | jq -r '[.manifests[].platform.architecture] | join(" ")')" = "amd64 arm64" ]
    fails "both --all and a platform: each image that an index lists has its own" coffer manifest add --all --arch arm64 one "$ONE/index:1"
    fails "a platform is said of one image: add the others by themselves" \
        coffer manifest add --arch arm64 one "$ONE/app:amd64" "$ONE/app:arm64"
}

@test "lists are shown, and go" {
    coffer manifest create b:2 "$ONE/app:amd64" "$ONE/app:arm64"
    coffer manifest create registry.example.com:5000/team/a:1
    [ "$(coffer manifest ls --format '{{.Name}} {{.Items}} {{.Platforms}}')" = $'b:2 2 linux/amd64, linux/arm64\nregistry.example.com:5000/team/a:1 0 ' ]
    [ "$(coffer manifest ls -q | head -1)" = b:2 ]
    coffer manifest exists b:2
    run ! coffer manifest exists b:3
    [ "$status" -eq 1 ]
    [ "$output" = "" ]
    [ "$(coffer manifest rm b:2)" = "Deleted: b:2" ]
    run ! coffer manifest exists b:2
    coffer manifest rm registry.example.com:5000/team/a:1
    [ "$(ls -A "$(coffer_store)/lists")" = "" ]
    [ "$(coffer manifest ls -q)" = "" ]
}

@test "a list outlives what cleans up, and keeps no image" {
    coffer load -q "oci:$BATS_FILE_TMPDIR/arm64/app:arm64" > /dev/null
    coffer manifest create app:1 app:arm64
    coffer system df > /dev/null
    coffer system prune -af > /dev/null
    coffer manifest inspect app:1 > "$WORK/before"
    coffer rmi app:arm64 > /dev/null 2>&1 || true
    cmp "$WORK/before" <(coffer manifest inspect app:1)
    digest=$(jq -r '.manifests[0].digest' "$WORK/before")
    fails "list app:1: $digest (linux/arm64) was added from the store as docker.io/library/app:arm64, and is not there any more; bring it back, or remove it from the list" \
        coffer manifest push -q app:1 "$TWO/gone:1"
}

@test "a list is whole after a kill at any moment, and nothing lies about" {
    coffer manifest create app:1 "$ONE/app:amd64"
    for round in $(seq 30); do
        coffer manifest annotate --os-version "$round" app:1 "$ONE/app:amd64" > /dev/null 2>&1 &
        sleep "0.0$(printf %02d $((round % 12)))"
        kill -9 $! 2> /dev/null || true
        wait $! 2> /dev/null || true
        coffer manifest inspect app:1 | jq -e '.manifests | length == 1' > /dev/null
    done
    coffer manifest ls -q
    nothing_staged
    # Two at once: neither loses what the other adds.
    coffer manifest add app:1 "$ONE/app:arm64" > /dev/null &
    coffer manifest add app:1 "$ONE/app:s390x" > /dev/null
    wait $!
    [ "$(coffer manifest inspect app:1 | jq '.manifests | length')" -eq 3 ]
}

@test "a check of the store knows lists, and tells what is none" {
    coffer manifest create app:1 "$ONE/app:amd64"
    coffer system check
    coffer manifest create app:2
    echo rubbish > "$(coffer_store)/lists/docker.io+library+app/2"
    cp "$(coffer_store)/lists/docker.io+library+app/1" "$(coffer_store)/lists/docker.io+library+app/no name"
    run -1 coffer system check
    grep -q '^lists/docker.io+library+app/2: is no list: ' <<< "$output"
    echo "$output"
    grep -q 'lists/docker.io+library+app/no name.*: is no name of a list$' <<< "$output"
    run ! coffer manifest inspect app:2
    coffer system check --repair > /dev/null || true
    coffer system check
    [ "$(coffer manifest ls -q)" = app:1 ]
}

@test "docker's form of a list" {
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --format v2s2 "docker://$ONE/app:amd64" "docker://$ONE/docker:amd64"
    coffer manifest create app:1 "$ONE/docker:amd64"
    coffer manifest push -q --format v2s2 --purge app:1 "$TWO/docker:1"
    [ "$(raw "$TWO/docker:1" | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.list.v2+json ]
    [ "$(raw "$TWO/docker:1" | jq -r '.manifests[0].mediaType')" = application/vnd.docker.distribution.manifest.v2+json ]
    run ! coffer manifest exists app:1
    skopeo inspect --tls-verify=false "docker://$TWO/docker:1" > /dev/null
    coffer manifest create app:1 "$ONE/app:amd64"
    fails "list app:1: --format v2s2: $(digest_at "$ONE/app:amd64") is an OCI manifest, which docker's manifest lists do not list; push it as oci" \
        coffer manifest push -q --format v2s2 app:1 "$TWO/docker:2"
    coffer manifest create --annotation a=b app:2 "$ONE/docker:amd64"
    fails "list app:2: --format v2s2: docker's manifest lists have no annotations, and this one has 1" \
        coffer manifest push -q -f v2s2 app:2 "$TWO/docker:2"
}

@test "a registry's manifests are shown byte for byte, with those inside by --verbose" {
    coffer manifest create app:1 "$ONE/app:amd64" "$ONE/app:arm64"
    coffer manifest push -q app:1 "$TWO/shown:1"
    cmp <(coffer manifest inspect "$ONE/app:amd64") <(raw "$ONE/app:amd64")
    cmp <(coffer manifest inspect "docker://$TWO/shown:1") <(raw "$TWO/shown:1")
    cmp <(coffer manifest inspect "$TWO/shown@$(digest_at "$TWO/shown:1")") <(raw "$TWO/shown:1")
    for name in app:1 "$TWO/shown:1"; do
        coffer manifest inspect --verbose "$name" > "$WORK/verbose"
        [ "$(jq -r '[.[].Descriptor.platform.architecture] | join(" ")' "$WORK/verbose")" = "amd64 arm64" ]
        [ "$(jq -c '.[1].OCIManifest' "$WORK/verbose")" = "$(raw "$ONE/app:arm64" | jq -c .)" ]
    done
    [ "$(coffer manifest inspect -v "$ONE/app:amd64" | jq -r '[.Ref, .Descriptor.digest] | join(" ")')" = "$ONE/app:amd64 $(digest_at "$ONE/app:amd64")" ]
}

@test "what goes wrong with lists is said" {
    coffer manifest create app:1 "$ONE/app:amd64"
    fails "list app:1 exists already; give --amend to add to it, or remove it first (coffer manifest rm)" \
        coffer manifest create app:1 "$ONE/app:arm64"
    missing='list nothing:1 is not in the store; make it with "coffer manifest create"'
    fails "$missing" coffer manifest add nothing:1 "$ONE/app:arm64"
    fails "$missing" coffer manifest annotate nothing:1 "$ONE/app:arm64"
    fails "$missing" coffer manifest remove nothing:1 "$ONE/app:arm64"
    fails "$missing" coffer manifest rm nothing:1
    fails "$missing" coffer manifest push nothing:1 "$TWO/nothing:1"
    fails "list app:1: there is no item \"$ONE/app:arm64\"; \"coffer manifest inspect\" shows their digests" \
        coffer manifest annotate --arch arm app:1 "$ONE/app:arm64"
    zeros=sha256:$(printf '0%.0s' $(seq 64))
    fails "list app:1: there is no item \"$zeros\"; \"coffer manifest inspect\" shows their digests" coffer manifest remove app:1 "$zeros"
    run -125 coffer manifest add app:1 "$ONE/app:nothing"
    [[ "$output" == "coffer: image $ONE/app:nothing is not in the store: $ONE/app:nothing: $ONE has none"* ]]
    run -125 coffer manifest add app:1 "docker://$ONE/app:nothing"
    [[ "$output" == "coffer: $ONE/app:nothing: $ONE has none"* ]]
    fails "list app@$zeros: a list is called by a name and a tag, its digest is what it has" coffer manifest create "app@$zeros"
    coffer manifest create empty:1
    fails "list empty:1: there is nothing in it; add images first (coffer manifest add)" coffer manifest push -q empty:1 "$TWO/empty:1"
    fails "list app:1: $(digest_at "$ONE/app:amd64") (linux/amd64) is not in $TWO/elsewhere, and with --all=false nothing is brought there" \
        coffer manifest push -q --all=false app:1 "$TWO/elsewhere:1"
    coffer copy -q "$ONE/app:amd64" "$TWO/elsewhere:x"
    coffer manifest push -q --all=false app:1 "$TWO/elsewhere:1"
    fails "--annotation: expected NAME=VALUE, found \"x\"" coffer manifest annotate --annotation x app:1 "$ONE/app:amd64"
    fails "architecture: expected a word of letters, digits and \"._+-\", found \"\\x1b[2Jarm\"" \
        coffer manifest annotate --arch $'\e[2Jarm' app:1 "$ONE/app:amd64"
    fails "--creds: there are two registries, $ONE and $TWO; log in to them (coffer login)" \
        coffer manifest create --creds a:b app:2 "$ONE/app:amd64" "$TWO/app:amd64"
}

@test "an image that does not say its platform needs to be told" {
    CONFIG='del(.architecture)' layout "$WORK/none" 1 "$BATS_FILE_TMPDIR/work/files.tar.gz"
    skopeo copy -q --dest-tls-verify=false "oci:$WORK/none:1" "docker://$ONE/none:1"
    coffer manifest create app:1
    fails "$ONE/none:1: $(digest_at "$ONE/none:1"): its configuration does not say for which platform it is; add it by itself, with --os and --arch" \
        coffer manifest add app:1 "$ONE/none:1"
    coffer manifest add --arch mips64le app:1 "$ONE/none:1"
    [ "$(coffer manifest inspect app:1 | jq -r '.manifests[].platform.architecture')" = mips64le ]
    CONFIG='.os = "li\u001b[2Jnux"' layout "$WORK/evil" 1 "$BATS_FILE_TMPDIR/work/files.tar.gz"
    skopeo copy -q --dest-tls-verify=false "oci:$WORK/evil:1" "docker://$ONE/evil:1"
    fails "$ONE/evil:1: $(digest_at "$ONE/evil:1"): platform: os: expected a word of letters, digits and \"._+-\", found \"li\\x1b[2Jnux\"" \
        coffer manifest add app:1 "$ONE/evil:1"
}

@test "indexes that mean harm" {
    hostile_index() { # TAG FILTER: an index of the image of the layout, changed by the filter
        jq -c --arg type "$OCI.index.v1+json" '{schemaVersion: 2, mediaType: $type, manifests: [.manifests[0] | del(.annotations) |
            .platform = {os: "linux", architecture: "amd64"}]}' "$BATS_FILE_TMPDIR/amd64/app/index.json" | jq -c "$2" > "$WORK/index"
        descriptor "$HOSTILE/images/app" "$WORK/index" "$OCI.index.v1+json" | jq -c --arg tag "$1" \
            '. + {annotations: {"org.opencontainers.image.ref.name": $tag}}' > "$WORK/entry"
        jq -c --slurpfile entry "$WORK/entry" '.manifests += $entry' "$HOSTILE/images/app/index.json" > "$WORK/all"
        cp "$WORK/all" "$HOSTILE/images/app/index.json"
        WHERE=127.0.0.1:$HTTP/good/app:$1
        NAME=$(jq -r .digest "$WORK/entry")
    }
    cp -r "$BATS_FILE_TMPDIR/amd64/app" "$HOSTILE/images/app"
    coffer manifest create app:1
    hostile_index many '.manifests[0] as $m | .manifests = [range(10000) | $m | del(.platform)]'
    fails "$WHERE: it lists 10000 images; at most 1024 can be listed" coffer manifest add --all app:1 "docker://$WHERE"
    [ "$(coffer manifest inspect "$WHERE" | jq '.manifests | length')" -eq 10000 ]
    hostile_index more '.manifests[0] as $m | .manifests = [range(10000) | $m]'
    run -125 coffer manifest add --all app:1 "docker://$WHERE"
    [[ "$output" == "coffer: $NAME: holds more than 65536 values"* ]] || [[ "$output" == "coffer: $WHERE: $NAME: "*65536* ]]
    hostile_index controls '.manifests[0].platform.os = "li\u009b2Jnux"'
    fails "$WHERE: manifests[0]: $(jq -r '.manifests[0].digest' "$WORK/index"): platform: os: expected a word of letters, digits and \"._+-\", found \"li\xc2\x9b2Jnux\"" \
        coffer manifest add --all app:1 "docker://$WHERE"
    # In a pipe it is what it is; a terminal is shown what does not move its cursor.
    coffer manifest inspect "$WHERE" | cmp - "$WORK/index"
    on_pty "$COFFER --root $(coffer_root) --store $(coffer_store) manifest inspect $WHERE"
    [[ "$output" == *'"os":"li\u009b2Jnux"'* ]]
    hostile_index data '.manifests[0] += {data: "AAAA", annotations: {"a\u001b": "b"}}'
    coffer manifest create --all data:1 "docker://$WHERE"
    [ "$(coffer manifest inspect data:1 | jq -c '.manifests[0] | [.data, .annotations]')" = '[null,{"a\u001b":"b"}]' ]
    hostile_index path '.manifests[0].digest = "sha256:../../../etc/passwd\u001b"'
    run -125 coffer manifest add --all app:1 "docker://$WHERE"
    [[ "$output" == "coffer: $WHERE: manifests[0]: "* ]]
    run ! grep -q $'\e' <<< "$output"
    hostile_index type '.manifests[0].mediaType = "x/\u001b"'
    fails "$WHERE: manifests[0]: $(jq -r '.manifests[0].digest' "$WORK/index") is no image: its mediaType is \"x/\x1b\"" \
        coffer manifest add --all app:1 "docker://$WHERE"
    hostile_index 1 .
    WHERE=127.0.0.1:$HTTP/nested/app:x
    run -125 coffer manifest add --all app:1 "docker://$WHERE"
    echo "$output"
    [[ "$output" == "coffer: $WHERE: manifests[0]: manifests[0]: manifests[0]: manifests[0]: indexes are nested more than 4 deep" ]]
    for case in cycle both schema-1 html no-json deep-json endless-manifest header-digest; do
        run -125 coffer manifest add --all app:1 "docker://127.0.0.1:$HTTP/$case/app:arm"
        [ "${#lines[@]}" -eq 1 ]
        [ "$case" != cycle ] || continue # only looked at it does no harm
        run -125 coffer manifest inspect "docker://127.0.0.1:$HTTP/$case/app:amd64"
        [ "${#lines[@]}" -eq 1 ]
    done
    [ "$(coffer manifest inspect app:1 | jq -c .manifests)" = "[]" ]
}

@test "an ordinary user makes and pushes lists, with logins" {
    needs_root
    make_user
    registry_start secret htpasswd
    mkdir "$BATS_TEST_TMPDIR/home"
    chown "$TEST_UID" "$BATS_TEST_TMPDIR/home"
    user() {
        as_user env HOME="$BATS_TEST_TMPDIR/home" XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/home" "$COFFER" --root "$BATS_TEST_TMPDIR/home/run" --store "$BATS_TEST_TMPDIR/home/store" "$@"
    }
    user manifest create app:1 "$ONE/app:amd64"
    user pull -q --platform linux/arm64 "$ONE/app:arm64"
    user manifest add app:1 "$ONE/app:arm64"
    run -125 user manifest push -q app:1 "$(registry secret)/app:1"
    user manifest push -q --creds someone:secret app:1 "$(registry secret)/app:1"
    skopeo inspect --raw --creds someone:secret --tls-verify=false "docker://$(registry secret)/app:1" | cmp - <(user manifest inspect app:1)
    user manifest create --creds someone:secret --all again:1 "$(registry secret)/app:1"
    user manifest rm app:1 again:1
}
