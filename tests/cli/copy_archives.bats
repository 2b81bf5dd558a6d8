#!/usr/bin/env bats
# Images to and from files of all kinds: layouts, archives of layouts and of docker save, skopeo's directories; held against skopeo's own.
bats_require_minimum_version 1.5.0
load helpers
load images
load ../registry/registry

setup_file() {
    needs umoci skopeo docker-registry python3 jq
    mkdir -p "$REGISTRY_DIR"
    make_image tiny > /dev/null
    # What compresses well, and what does not, in whole blocks: umoci forgets the padding of the last file.
    mkdir -p "$BATS_FILE_TMPDIR/more"
    head -c 3145728 /dev/urandom > "$BATS_FILE_TMPDIR/more/noise"
    head -c 9437184 /dev/zero > "$BATS_FILE_TMPDIR/more/zeros"
    cp -r "$BATS_FILE_TMPDIR/image.tiny" "$BATS_FILE_TMPDIR/image"
    umoci --log error insert --image "$BATS_FILE_TMPDIR/image:tiny" "$BATS_FILE_TMPDIR/more" /more
    skopeo inspect --format '{{.Digest}}' "oci:$BATS_FILE_TMPDIR/image:tiny" > "$BATS_FILE_TMPDIR/digest"
    skopeo inspect --raw "oci:$BATS_FILE_TMPDIR/image:tiny" | jq -r .config.digest > "$BATS_FILE_TMPDIR/id"
    registry_start one
    registry_push "$BATS_FILE_TMPDIR/image:tiny" "$(registry one)/tiny:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    export COFFER_STORE=$BATS_TEST_TMPDIR/store
    ONE=$(registry one)
    IMAGE=oci:$BATS_FILE_TMPDIR/image:tiny
    DIGEST=$(cat "$BATS_FILE_TMPDIR/digest")
    ID=$(cat "$BATS_FILE_TMPDIR/id")
    cd "$BATS_TEST_TMPDIR" || return 1
}

coffer() {
    "$COFFER" --root "$BATS_TEST_TMPDIR/run" "$@"
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

manifest_digest() { # as skopeo sees it
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "$1"
}

@test "between any two kinds with a manifest the digest stays" {
    local from to i=0
    skopeo copy -q "$IMAGE" oci-archive:theirs.tar:x
    skopeo copy -q "$IMAGE" dir:theirs
    for from in "$IMAGE" oci-archive:theirs.tar:x dir:theirs "docker://$ONE/tiny:1"; do
        for to in oci:layout.%d:x oci-archive:archive.%d.tar:x dir:dir.%d "docker://$ONE/pairs/x%d:1"; do
            i=$((i + 1))
            # shellcheck disable=SC2059
            to=$(printf "$to" "$i")
            [ "$(coffer copy -q "$from" "$to")" = "$DIGEST" ]
            [ "$(manifest_digest "$to")" = "$DIGEST" ]
            [ "$(coffer copy -q "$to" oci:"back.$i":y)" = "$DIGEST" ]
        done
    done
    [ "$(printf '%s\n' dir.*/.[!.]* .[!.]* | grep -v '\*')" = "" ]
    diff -r theirs dir.3
}

@test "what goes to docker-archive is what skopeo writes there, layer for layer" {
    local from i=0
    skopeo copy -q "$IMAGE" docker-archive:theirs.tar:tiny:1
    mkdir theirs
    tar -xf theirs.tar -C theirs
    skopeo copy -q "$IMAGE" oci-archive:layout.tar:x
    for from in "$IMAGE" oci-archive:layout.tar "docker://$ONE/tiny:1" docker-archive:theirs.tar; do
        i=$((i + 1))
        [ "$(coffer copy -q "$from" "docker-archive:ours.$i.tar:tiny:1")" = "$ID" ]
        cmp ours.1.tar "ours.$i.tar"
    done
    mkdir ours
    tar -xf ours.1.tar -C ours
    for name in $(jq -r '.[0] | .Config, .Layers[]' theirs/manifest.json); do
        cmp "ours/$name" "theirs/$name"
    done
    [ "$(jq -c '.[0] | [.Config, .Layers]' ours/manifest.json)" = "$(jq -c '.[0] | [.Config, .Layers]' theirs/manifest.json)" ]
    [ "$(jq -r '.[0].RepoTags[]' ours/manifest.json)" = docker.io/library/tiny:1 ]
    [ "$(jq -r '.["docker.io/library/tiny"]["1"]' ours/repositories).tar" = "$(jq -r '.[0].Layers[-1]' ours/manifest.json)" ]
    skopeo copy -q docker-archive:ours.1.tar oci:again:x
    skopeo copy -q docker-archive:theirs.tar oci:again:y
    [ "$(manifest_digest oci:again:x)" = "$(manifest_digest oci:again:y)" ]
}

@test "docker-archive to all others and back keeps the image's id" {
    local to i=0
    skopeo copy -q "$IMAGE" docker-archive:theirs.tar:some/tiny:1
    for to in oci:layout oci-archive:layout.tar dir:dir "docker://$ONE/from/docker:1"; do
        i=$((i + 1))
        digest=$(coffer copy -q docker-archive:theirs.tar "$to")
        [ "$(coffer copy -q "$to" "docker-archive:back.$i.tar:some/tiny:1")" = "$ID" ]
        [ "$(coffer copy -q docker-archive:theirs.tar dir:"again.$i")" = "$digest" ]
        cmp back.1.tar "back.$i.tar"
    done
    # What the archive is called is not lost.
    [ "$(manifest_digest oci:layout:1)" = "$digest" ]
    coffer copy -q docker-archive:theirs.tar docker-archive:same.tar
    cmp same.tar back.1.tar
    # Compressed layers in such an archive, as some tools write them.
    mkdir packed
    tar -xf back.1.tar -C packed
    gzip -n packed/*.tar
    (cd packed && jq -c '.[0].Layers |= map(. + ".gz")' manifest.json > new && mv new manifest.json && tar -cf ../packed.tar ./*)
    coffer copy -q docker-archive:packed.tar oci:packed.layout:x
    [ "$(coffer copy -q oci:packed.layout:x docker-archive:unpacked.tar:some/tiny:1)" = "$ID" ]
    cmp unpacked.tar back.1.tar
}

@test "coffer and podman load what was written" {
    needs_root
    coffer copy -q "$IMAGE" oci-archive:o.tar:loaded
    coffer copy -q "$IMAGE" docker-archive:d.tar:loaded:docker
    coffer copy -q "$IMAGE" dir:dir
    for from in o.tar d.tar dir dir:dir docker-archive:d.tar; do
        coffer load -q -i "$from" > /dev/null
    done
    [ "$(coffer images -q --no-trunc | sort -u)" = "$ID" ]
    coffer run --rm loaded:docker cat /more/noise | cmp - "$BATS_FILE_TMPDIR/more/noise"
    needs podman
    for archive in o.tar d.tar; do
        podman --root "$PWD/podman" --runroot "$PWD/podman.run" --storage-driver vfs load -q -i "$archive" > /dev/null 2>&1
    done
    [ "$(podman --root "$PWD/podman" --runroot "$PWD/podman.run" --storage-driver vfs images -q --no-trunc | sort -u)" = "$ID" ]
    podman --root "$PWD/podman" --runroot "$PWD/podman.run" --storage-driver vfs image exists docker.io/library/loaded:docker
}

@test "an archive through a pipe is the archive that a file gets, and nothing else is on standard output" {
    coffer copy -q "$IMAGE" docker-archive:d.tar:tiny:1
    coffer copy -q "$IMAGE" docker-archive:-:tiny:1 | cat > piped.tar
    cmp d.tar piped.tar
    coffer copy -q "$IMAGE" docker-archive:-:tiny:1 > redirected.tar
    cmp d.tar redirected.tar
    : > appended.tar
    coffer copy -q "$IMAGE" docker-archive:-:tiny:1 >> appended.tar
    cmp d.tar appended.tar
    coffer copy -q "$IMAGE" docker-archive:/dev/stdout:tiny:1 | cat > device.tar
    cmp d.tar device.tar
    coffer copy -q "$IMAGE" oci-archive:o.tar:x
    coffer copy -q --digestfile digest "$IMAGE" oci-archive:-:x | cat > piped.tar
    cmp o.tar piped.tar
    [ "$(cat digest)" = "$DIGEST" ]
    coffer copy -q "docker://$ONE/tiny:1" oci-archive:-:x | coffer copy -q - dir:dir
    [ "$(manifest_digest dir:dir)" = "$DIGEST" ]
}

@test "a terminal is no place for an archive" {
    needs script
    for kind in oci-archive docker-archive; do
        script -qec "'$COFFER' copy -q '$IMAGE' $kind:-" /dev/null < /dev/null > shown || true
        [ "$(tr -d '\r' < shown)" = "coffer: standard output is a terminal; send the archive to a file or a pipe" ]
    done
}

@test "what is there is replaced when the new one is whole, and a link leads to it" {
    echo old > o.tar
    ln -s o.tar link
    chmod 600 o.tar
    run -125 coffer copy -q "oci:$BATS_FILE_TMPDIR/image:nothing" oci-archive:o.tar:x
    [ "$(cat o.tar)" = old ]
    coffer copy -q "$IMAGE" oci-archive:link:x
    [ -L link ]
    [ "$(manifest_digest oci-archive:o.tar:x)" = "$DIGEST" ]
    (umask 077 && coffer copy -q "$IMAGE" oci-archive:o.tar:x)
    [ "$(stat -c %a o.tar)" = 600 ]
    mkfifo fifo
    cat fifo > from-fifo 3>&- &
    coffer copy -q "$IMAGE" oci-archive:fifo:x
    wait "$!"
    [ -p fifo ]
    cmp from-fifo o.tar
    coffer copy -q "$IMAGE" oci-archive:/dev/null:x
    [ -c /dev/null ]
    [ -z "$(find . -name '.*coffer*')" ]
}

@test "a directory holds one image at a time, and what is not an image's stays" {
    coffer copy -q "$IMAGE" dir:dir
    touch dir/mine dir/signature-1
    coffer copy -q "oci:$BATS_FILE_TMPDIR/image.tiny:tiny" dir:dir
    [ "$(find dir -type f | wc -l)" -eq $((4 + 1)) ] # manifest, version, configuration, one layer, and the stranger
    [ -e dir/mine ]
    run --separate-stderr coffer copy "oci:$BATS_FILE_TMPDIR/image.tiny:tiny" dir:dir
    [ "$(grep -c 'is already there' <<< "$stderr")" -eq 2 ]
    mkdir other
    touch other/.coffer-new # of a process that has been killed
    coffer copy -q "$IMAGE" dir:other
    rm -r other
    mkdir other
    touch other/precious
    fails 'other: expected a new or empty directory, or one that has held an image, with a file "version"' coffer copy -q "$IMAGE" dir:other
    [ "$(ls -A other)" = precious ]
    exec 9< dir
    flock 9
    fails "dir: another process is writing to it" coffer copy -q "$IMAGE" dir:dir
}

@test "an index goes with --all where there is room for one" {
    entry=$(jq -c '.manifests[0]' "$BATS_FILE_TMPDIR/image.tiny/index.json")
    cp -r "$BATS_FILE_TMPDIR/image.tiny" multi
    jq -nc --argjson e "$entry" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
        ($e | del(.annotations) | .platform = {os: "linux", architecture: "amd64"}),
        ($e | del(.annotations) | .platform = {os: "linux", architecture: "s390x"})]}' > index
    digest=$(blob multi index)
    jq -nc --arg d "$digest" --argjson s "$(stat -c %s index)" '{schemaVersion: 2, manifests: [{mediaType:
        "application/vnd.oci.image.index.v1+json", digest: $d, size: $s, annotations: {"org.opencontainers.image.ref.name": "m"}}]}' \
        > multi/index.json
    [ "$(coffer copy -q --all oci:multi:m oci-archive:multi.tar:m)" = "$digest" ]
    [ "$(coffer copy -q --all oci-archive:multi.tar:m dir:dir)" = "$digest" ]
    skopeo copy -q --all oci:multi:m dir:theirs
    diff -r theirs dir
    [ "$(coffer copy -q --all dir:dir oci:back:m)" = "$digest" ]
    [ "$(coffer copy -q --platform linux/s390x dir:dir dir:one)" = "$(jq -r .digest <<< "$entry")" ]
    [ -z "$(find one -name '*.manifest.json')" ]
    fails "--all: docker-archive:x.tar holds one image and no index; choose one with --platform" \
        coffer copy -q --all oci:multi:m docker-archive:x.tar
    [ ! -e x.tar ]
}

@test "what a registry sends wrong, or in parts, is found or mended on its way into an archive" {
    local to case
    images_setup
    hostile_start
    # shellcheck source=/dev/null
    . "$HOSTILE/ports"
    dir=$(new_layer one)
    head -c 3000000 /dev/urandom > "$dir/noise"
    layout "$HOSTILE/images/here" 1 "$(pack one gzip)"
    coffer copy -q "oci:$HOSTILE/images/here:1" docker-archive:good.docker:here:1
    coffer copy -q "oci:$HOSTILE/images/here:1" oci-archive:good.oci:1
    coffer copy -q "oci:$HOSTILE/images/here:1" dir:good.dir
    for case in cut-once cut-once-all; do
        for to in docker oci dir; do
            ln -sfn here "$HOSTILE/images/$case-$to" # a name that begins anew
        done
        coffer copy -q "127.0.0.1:$HTTP/$case/$case-docker:1" docker-archive:got.docker:here:1
        coffer copy -q "127.0.0.1:$HTTP/$case/$case-oci:1" oci-archive:got.oci:1
        coffer copy -q "127.0.0.1:$HTTP/$case/$case-dir:1" dir:got.dir
        cmp good.docker got.docker
        cmp good.oci got.oci
        diff -r good.dir got.dir
        rm -r got.docker got.oci got.dir
    done
    for case in flipped long-blob short-blob endless-blob missing-layer; do
        for to in docker-archive:bad.tar:x oci-archive:bad.tar dir:bad; do
            ln -sfn here "$HOSTILE/images/$case-${to%%[-:]*}"
            run -125 timeout 30 "$COFFER" copy -q "127.0.0.1:$HTTP/$case/$case-${to%%[-:]*}:1" "$to"
            echo "$case $to: $output"
            [ "${#lines[@]}" -eq 1 ]
            [ "$(grep -o "$(digest_of "$WORK/one.tar.gz")" <<< "$output" | wc -l)" -eq 1 ]
            [ ! -e bad.tar ]
            [ ! -e bad/manifest.json ]
        done
    done
}

@test "a registry that forgets an upload again and again is given up" {
    [ -s "$HOSTILE/ports" ] || hostile_start
    # shellcheck source=/dev/null
    . "$HOSTILE/ports"
    # Two pieces.
    mkdir -p two
    head -c 17000000 /dev/urandom > two/noise
    cp -r "$BATS_FILE_TMPDIR/image" "$BATS_TEST_TMPDIR/large"
    umoci --log error insert --image large:tiny two /two
    run -125 timeout 100 "$COFFER" --root "$BATS_TEST_TMPDIR/run" copy -q oci:large:tiny "127.0.0.1:$HTTP/forgetful/none:1"
    [[ "${lines[-1]}" == "coffer: 127.0.0.1:$HTTP/forgetful/none: blob sha256:"*"the disk is gone"* ]]
}

@test "an ordinary user unpacks layers for docker-archive as well" {
    needs_root
    make_user
    mkdir -m 777 theirs
    as_user env HOME="$PWD/theirs" XDG_RUNTIME_DIR="$PWD/theirs" "$COFFER" copy -q "docker://$ONE/tiny:1" "docker-archive:$PWD/theirs/d.tar:tiny:1"
    coffer copy -q "$IMAGE" docker-archive:d.tar:tiny:1
    cmp d.tar theirs/d.tar
}

@test "layers of zstd, and what is no layer" {
    images_setup
    dir=$(new_layer one)
    echo hello > "$dir/file"
    layout zstd x "$(pack one zstd)"
    coffer copy -q oci:zstd:x docker-archive:d.tar
    [ "$(sha256sum < "$WORK/one.tar" | cut -d ' ' -f 1).tar" = "$(tar -xOf d.tar manifest.json | jq -r '.[0].Layers[0]')" ]
    [ "$(tar -xOf d.tar manifest.json | jq -c '.[0].RepoTags')" = '[]' ]
    MANIFEST='.layers[0].mediaType = "text/plain"' layout odd x "$(pack one gzip)"
    run -125 coffer copy -q oci:odd:x docker-archive:never.tar
    [[ "$output" == "coffer: sha256:"*': layers[0]: mediaType "text/plain" is of no kind of layer that can be unpacked' ]]
    MANIFEST='.layers = [range(501) as $i | .layers[0]]' layout deep x "$(pack one gzip)"
    run -125 coffer copy -q oci:deep:x docker-archive:never.tar
    [[ "$output" == "coffer: sha256:"*": the image has 501 layers; at most 500 can be mounted" ]]
    MANIFEST='.config.mediaType = "application/x"' layout odd2 x "$(pack one gzip)"
    run -125 coffer copy -q oci:odd2:x docker-archive:never.tar
    [[ "$output" == "coffer: sha256:"*': it is no image of a container: config.mediaType is "application/x"' ]]
    coffer copy -q oci:odd2:x oci-archive:artifact.tar:x # which the others do not mind
    [ ! -e never.tar ]
}

@test "a lie about a layer is found before anything has its name" {
    images_setup
    dir=$(new_layer one)
    echo hello > "$dir/file"
    CONFIG='.rootfs.diff_ids[0] = "sha256:" + ("0" * 64)' layout lie x "$(pack one gzip)"
    layer=$(digest_of "$WORK/one.tar.gz")
    fails "blob $layer: its digest is $(digest_of "$WORK/one.tar")" coffer copy -q oci:lie:x docker-archive:never.tar
    CONFIG='.rootfs.diff_ids = []' layout short x "$(pack one gzip)"
    run -125 coffer copy -q oci:short:x docker-archive:never.tar
    [[ "$output" == "coffer: blob sha256:"*": rootfs.diff_ids: expected one of each of the 1 layers, found 0" ]]
    layout cut x "$(pack one gzip)"
    layer=$(digest_of "$WORK/one.tar.gz")
    truncate -s -9 "$WORK/one.tar.gz"
    cp "$WORK/one.tar.gz" "cut/blobs/sha256/${layer#sha256:}"
    jq -c ".layers[0].size -= 9" "cut/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' cut/index.json)" > manifest
    digest=$(blob cut manifest)
    jq -c --arg d "$digest" --argjson s "$(stat -c %s manifest)" '.manifests[0].digest = $d | .manifests[0].size = $s' cut/index.json > index
    mv index cut/index.json
    fails "blob $layer: gzip data is cut off" coffer copy -q oci:cut:x docker-archive:never.tar
    for to in oci-archive:never.tar:x oci:never:x dir:never.dir; do
        fails "blob $layer: its digest is $(digest_of "$WORK/one.tar.gz")" coffer copy -q oci:cut:x "$to"
    done
    [ -z "$(find . -name 'never.tar*' -o -name '.never*')" ]
    [ ! -e never/index.json ]
    [ ! -e never.dir/manifest.json ]
}

@test "a copy that is killed leaves no file, and the old one as it was" {
    local i to pid
    head -c 60000000 /dev/urandom > noise
    cp -r "$BATS_FILE_TMPDIR/image.tiny" large
    umoci --log error insert --image large:tiny noise /noise
    rm noise
    for to in oci-archive:x.tar:x docker-archive:x.tar:x dir:dir; do
        coffer copy -q "$IMAGE" "$to"
        find x.tar dir -type f -exec sha256sum {} + 2> /dev/null | sort > before || true
        for i in $(seq 0 "${FAULT_KILLS:-6}"); do
            setsid "$COFFER" copy -q oci:large:tiny "$to" > /dev/null 2>&1 3>&- &
            pid=$!
            sleep "0.0$(printf %02d $((RANDOM % 80)))"
            kill -KILL "$pid" 2> /dev/null || true
            wait "$pid" 2> /dev/null || true
            if [ "$to" = dir:dir ]; then
                cmp <(sha256sum < dir/manifest.json | cut -c 1-64) <(echo "${DIGEST#sha256:}") || break # it was faster
            else
                cmp before <(find x.tar dir -type f -exec sha256sum {} + 2> /dev/null | sort) || break
            fi
            [ -z "$(find . -name '.*coffer*')" ]
        done
        coffer copy -q "$IMAGE" "$to"
        cmp before <(find x.tar dir -type f -exec sha256sum {} + 2> /dev/null | sort)
        rm -rf x.tar dir
    done
}

@test "what a copy into a layout has left that was killed is mended by the next" {
    mkdir -p layout/blobs/sha256
    : > layout/oci-layout
    echo half > layout/blobs/.coffer-1
    echo half > layout/blobs/.coffer-2
    # One that is being written is locked.
    (flock -x 8 && exec sleep 60) 8< layout/blobs/.coffer-2 3>&- &
    local writer=$!
    until ! flock -n layout/blobs/.coffer-2 true; do sleep 0.05; done
    coffer copy -q "$IMAGE" oci:layout:x
    kill "$writer"
    [ "$(manifest_digest oci:layout:x)" = "$DIGEST" ]
    [ ! -e layout/blobs/.coffer-1 ]
    [ -e layout/blobs/.coffer-2 ]
}

@test "a full disk is one sentence and leaves nothing" {
    needs_root
    mkdir small
    mount -t tmpfs -o size=1M none small
    for to in oci-archive docker-archive; do
        run -125 coffer copy -q "$IMAGE" "$to:small/x.tar:x"
        [[ "$output" == "coffer: blob sha256:"*": write the archive: No space left on device" ]]
        [ -z "$(ls -A small)" ]
    done
    run -125 coffer copy -q "$IMAGE" dir:small/dir
    [[ "$output" == "coffer: blob sha256:"*": write it: No space left on device" ]]
    [ ! -e small/dir/manifest.json ]
    run -125 coffer copy -q "$IMAGE" oci:small/layout
    [ ! -e small/layout/index.json ]
    umount small
    run -125 coffer copy -q "$IMAGE" oci-archive:/dev/full
    [[ "$output" == "coffer: "*": No space left on device" ]]
}

@test "wrong words" {
    mkdir dir
    echo text > file
    fails "oci-archive:: expected a target of the form REGISTRY/REPOSITORY:TAG, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REFERENCE] or dir:DIR" \
        coffer copy -q "$IMAGE" oci-archive:
    fails "dir is a directory, expected a file" coffer copy -q "$IMAGE" oci-archive:dir
    fails "open directory nowhere: No such file or directory" coffer copy -q "$IMAGE" docker-archive:nowhere/x.tar
    fails "x/: expected a file's name of at most 239 letters" coffer copy -q "$IMAGE" oci-archive:x/
    fails "make directory nowhere/dir: No such file or directory" coffer copy -q "$IMAGE" dir:nowhere/dir
    fails "open file: Not a directory" coffer copy -q "$IMAGE" dir:file
    fails "file: expected a directory, found a file" coffer copy -q dir:file oci:x
    fails "dir: it is no image: it has no manifest.json" coffer copy -q dir:dir oci:x
    echo 'Directory Transport Version: 2.0' > dir/version
    echo '{}' > dir/manifest.json
    fails 'dir: version: expected "Directory Transport Version: 1.1", found "Directory Transport Version: 2.0\x0a"' coffer copy -q dir:dir oci:x
    run -125 coffer copy -q "$IMAGE" "docker-archive:x.tar:Upper/Case"
    [[ "$output" == "coffer: "*"Upper/Case"* ]]
    fails "tiny@sha256:$(printf '%064d' 0): expected a name with a tag: an archive has no digests" \
        coffer copy -q "$IMAGE" "docker-archive:x.tar:tiny@sha256:$(printf '%064d' 0)"
    [ ! -e x.tar ]
    coffer copy -q "$IMAGE" docker-archive:one.tar:tiny:1
    mkdir two
    tar -xf one.tar -C two
    (cd two && jq -c '. + [.[0] | .RepoTags = ["tiny:2"]]' manifest.json > new && mv new manifest.json && tar -cf ../two.tar ./*)
    fails "two.tar: manifest.json: it lists several images; name one behind a colon, such as two.tar:tiny:2" \
        coffer copy -q docker-archive:two.tar oci:x
    coffer copy -q docker-archive:two.tar:tiny:2 docker-archive:two.tar
    [ "$(tar -xOf two.tar manifest.json | jq -c 'map(.RepoTags)')" = '[["docker.io/library/tiny:2"]]' ]
}
