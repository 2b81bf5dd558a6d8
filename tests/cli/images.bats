#!/usr/bin/env bats
# Images: what can be loaded, how they are listed, named and removed, and that what is wrong changes nothing.
load helpers
load images

setup() {
    needs_root
    images_setup
    # The store is there before, so that a failed load can be held against it.
    coffer images > /dev/null
}

simple_layer() {
    local dir
    dir=$(new_layer "$1")
    mkdir -p "$dir/etc"
    echo "$1" > "$dir/etc/$1"
    pack "$1" "${2:-}"
}

fs_of() { # DIFF-ID
    echo "$(coffer_store)/layers/${1#sha256:}/fs"
}

@test "an OCI layout made by umoci is loaded, listed, inspected and removed" {
    needs umoci
    layout=$(make_image)
    run coffer load -q "oci:$layout:tiny"
    [ "$status" -eq 0 ]
    [ "$output" = "Loaded image: image:tiny" ] || [ "$output" = "Loaded image: image.tiny:tiny" ]
    name=${output#Loaded image: }
    run coffer images --format '{{.Repository}}:{{.Tag}} {{.ID}}'
    [ "${lines[0]}" = "$name $(config_digest "$layout" | cut -c 8-19)" ]
    [ "$(coffer inspect --format '{{.Id}}' "$name")" = "$(config_digest "$layout")" ]
    [ "$(coffer inspect "$name" | jq -r '.[0].Config.Cmd[0]')" = /bin/sh ]
    run coffer rmi "$name"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "Untagged: $name" ]
    [ "$(coffer images -q)" = "" ]
    [ "$(cd "$(coffer_store)" && find layers blobs/sha256 staging -mindepth 1)" = "" ]
}

@test "plain, gzip and zstd layers come out the same" {
    dir=$(new_layer a)
    mkdir -p "$dir/usr/bin" "$dir/etc"
    echo hello > "$dir/etc/motd"
    ln -s ../etc/motd "$dir/usr/link"
    ln "$dir/etc/motd" "$dir/etc/hard"
    cp /bin/true "$dir/usr/bin/ping"
    chown 1000:2000 "$dir/etc/motd"
    chmod 4755 "$dir/usr/bin/ping"
    setcap cap_net_raw+ep "$dir/usr/bin/ping"
    truncate -s 1M "$dir/sparse"
    mknod "$dir/null" c 1 3
    for kind in plain gzip zstd; do
        file=$(pack a $kind)
        layout "$WORK/$kind" 1 "$file"
        coffer load -q "oci:$WORK/$kind"
        fs=$(fs_of "$(plain_digest "$file")")
        [ "$(cat "$fs/etc/motd")" = hello ]
        [ "$(stat -c '%u:%g %h' "$fs/etc/hard")" = "1000:2000 2" ]
        [ "$(stat -c %a "$fs/usr/bin/ping")" = 4755 ]
        [ "$(getcap "$fs/usr/bin/ping")" = "$fs/usr/bin/ping cap_net_raw=ep" ]
        [ "$(stat -c '%F %t %T' "$fs/null")" = "character special file 1 3" ]
        [ "$(stat -c %Y "$fs/etc/motd")" = 1000000000 ]
        coffer rmi "$kind:1"
    done
}

@test "an archive of a layout, plain and compressed, by name and from a pipe" {
    layout "$WORK/app.oci" 2.0 "$(simple_layer a gzip)" "$(simple_layer b)"
    tar -C "$WORK/app.oci" -cf "$WORK/app.tar" .
    gzip -c "$WORK/app.tar" > "$WORK/app.tar.gz"
    zstd -q "$WORK/app.tar" -o "$WORK/app.tar.zst"
    for source in "oci-archive:$WORK/app.tar" "oci-archive:$WORK/app.tar:2.0" "$WORK/app.tar.gz" "$WORK/app.tar.zst" "$WORK/app.oci"; do
        run coffer load -q "$source"
        [ "$output" = "Loaded image: app:2.0" ]
        coffer rmi app:2.0
    done
    run coffer load -q -i "$WORK/app.tar"
    [ "$output" = "Loaded image: app:2.0" ]
    coffer rmi app:2.0
    for file in app.tar app.tar.gz app.tar.zst; do
        run bash -c "cat '$WORK/$file' | '$COFFER' --store '$(coffer_store)' load -q"
        [ "$status" -eq 0 ]
        [ "$output" = "Loaded image: standardinput:2.0" ] || [ "$output" = "Loaded image ID: $(config_digest "$WORK/app.oci")" ]
    done
}

@test "an archive of docker save; layers may be links to other members" {
    a=$(simple_layer a) b=$(simple_layer b)
    docker_archive "$WORK/x.tar" "example/x:7" "$a" "$b"
    run coffer load -q -i "$WORK/x.tar"
    [ "$output" = "Loaded image: example/x:7" ]
    [ "$(coffer inspect -f '{{len .RootFS.Layers}} {{.Digest}}' example/x:7)" = "2 " ]
    coffer rmi example/x:7
    mkdir "$WORK/links" && tar -C "$WORK/links" -xf "$WORK/x.tar"
    mv "$WORK/links/2/layer.tar" "$WORK/links/blob.tar"
    ln -s ../blob.tar "$WORK/links/2/layer.tar"
    tar -C "$WORK/links" -cf "$WORK/links.tar" .
    run coffer load -q "docker-archive:$WORK/links.tar:example/x:7"
    [ "$output" = "Loaded image: example/x:7" ]
    [ -f "$(fs_of "$(plain_digest "$b")")/etc/b" ]
}

@test "skopeo's archives are loaded as what they were" {
    needs skopeo
    layout "$WORK/app" 1 "$(simple_layer a gzip)" "$(simple_layer b gzip)"
    skopeo copy -q "oci:$WORK/app:1" "docker-archive:$WORK/d.tar:example/app:1"
    skopeo copy -q "oci:$WORK/app:1" "oci-archive:$WORK/o.tar:1"
    coffer load -q -i "$WORK/d.tar"
    coffer load -q -i "$WORK/o.tar"
    [ "$(coffer images -q | sort -u | wc -l)" -le 2 ]
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 2 ]
}

@test "layers are shared, and go with the last image that has them" {
    a=$(simple_layer a) b=$(simple_layer b) c=$(simple_layer c)
    layout "$WORK/one" 1 "$a" "$b"
    layout "$WORK/two" 1 "$a" "$c"
    coffer load -q "oci:$WORK/one"
    run coffer load "oci:$WORK/two"
    [[ "$output" == *"layer $(plain_digest "$a" | cut -c 8-19): is already there"* ]]
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 3 ]
    coffer rmi one:1
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 2 ]
    coffer rmi two:1
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 0 ]
}

@test "the same layer twice, empty layers, and no layer at all" {
    a=$(simple_layer a) b=$(simple_layer b)
    new_layer nothing > /dev/null
    tar -cf "$WORK/nothing.tar" -T /dev/null
    layout "$WORK/twice" 1 "$a" "$WORK/nothing.tar" "$b" "$WORK/nothing.tar" "$a"
    run coffer load -q "oci:$WORK/twice"
    [ "$output" = "Loaded image: twice:1" ]
    [ "$(coffer inspect -f '{{len .RootFS.Layers}}' twice:1)" = 5 ]
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 3 ]
    docker_archive "$WORK/none.tar" none:1
    run coffer load -q -i "$WORK/none.tar"
    [ "$output" = "Loaded image: none:1" ]
}

@test "directories that a layer implies take what they are below; so does a hard link" {
    dir=$(new_layer low)
    mkdir -p "$dir/srv/app"
    chmod 2750 "$dir/srv" && chown 7:8 "$dir/srv"
    echo data > "$dir/srv/app/file"
    low=$(pack low)
    new_layer high > /dev/null
    mkdir -p "$WORK/high/srv/app"
    echo more > "$WORK/high/srv/app/more"
    tar -C "$WORK/high" -cf "$WORK/high.tar" srv/app/more
    # A hard link to a file that only the lower layer has.
    mkdir -p "$WORK/linker/srv/app"
    echo data > "$WORK/linker/srv/app/file" && ln "$WORK/linker/srv/app/file" "$WORK/linker/srv/app/linked"
    tar -C "$WORK/linker" -cf "$WORK/both.tar" srv/app/file srv/app/linked
    tar -f "$WORK/both.tar" --delete srv/app/file
    layout "$WORK/app" 1 "$low" "$WORK/high.tar" "$WORK/both.tar"
    coffer load -q "oci:$WORK/app"
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 3 ]
    [ "$(stat -c '%a %u:%g' "$(coffer_store)"/layers/*/fs/srv | sort -u)" = "2750 7:8" ]
    [ "$(cat "$(coffer_store)"/layers/*/fs/srv/app/linked)" = data ]
}

@test "tag, short ids, digests, and names with the same image" {
    layout "$WORK/app" 1 "$(simple_layer a)"
    coffer load -q "oci:$WORK/app"
    id=$(config_digest "$WORK/app")
    coffer tag app:1 localhost:5000/team/app:stable
    coffer tag "${id:7:6}" other
    [ "$(coffer inspect -f '{{json .RepoTags}}' "$id")" = '["app:1","other:latest","localhost:5000/team/app:stable"]' ]
    [ "$(coffer inspect -f '{{.Id}}' "app@$(manifest_digest "$WORK/app")")" = "$id" ]
    [ "$(coffer inspect -f '{{.Id}}' "${id#sha256:}")" = "$id" ]
    run coffer rmi "${id:7:12}"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: image ${id:7:12} has names in several repositories; remove those, or use --force" ]
    run coffer rmi other
    [ "${lines[0]}" = "Untagged: other:latest" ]
    [ "$(coffer images -q | wc -l)" -eq 2 ]
    run coffer rmi -f "${id:7:12}"
    [ "$status" -eq 0 ]
    [[ "$output" == *"Deleted: $id"* ]]
    [ "$(ls "$(coffer_store)/tags" | wc -l)" -eq 0 ]
}

@test "a name that moves to another image leaves the old one without; prune takes it" {
    layout "$WORK/app" 1 "$(simple_layer a)"
    coffer load -q "oci:$WORK/app"
    old=$(config_digest "$WORK/app")
    layout "$WORK/app" 1 "$(simple_layer b)"
    coffer load -q "oci:$WORK/app"
    run coffer images --format '{{.Repository}}:{{.Tag}} {{.ID}}'
    [ "$(sort <<< "$output")" = "$(printf '%s\n' "app:1 $(config_digest "$WORK/app" | cut -c 8-19)" "app:<none> ${old:7:12}" | sort)" ]
    run coffer image prune
    [[ "$output" == *"Deleted: $old"* ]]
    [ "$(coffer images -q | wc -l)" -eq 1 ]
    run coffer image prune
    [ "$output" = "" ]
}

@test "several images in one archive; one of them by its name" {
    layout "$WORK/one" 1 "$(simple_layer a)"
    layout "$WORK/two" 2 "$(simple_layer b)"
    cp "$WORK"/two/blobs/sha256/* "$WORK/one/blobs/sha256/"
    jq -s '.[0].manifests += .[1].manifests | .[0]' "$WORK/one/index.json" "$WORK/two/index.json" > "$WORK/index"
    cp "$WORK/index" "$WORK/one/index.json"
    run coffer load -q "oci:$WORK/one:2"
    [ "$output" = "Loaded image: one:2" ]
    [ "$(coffer images -q | wc -l)" -eq 1 ]
    run coffer load -q "oci:$WORK/one"
    [ "$output" = $'Loaded image: one:1\nLoaded image: one:2' ]
    fails "$WORK/one: index.json: it lists no image \"3\", only \"1, 2\"" coffer load -q "oci:$WORK/one:3"
    run coffer load -q --name example/named:x "oci:$WORK/one:1"
    [ "$output" = "Loaded image: example/named:x" ]
}

@test "of an index the image for this platform, attestations passed over" {
    layout "$WORK/arm" 1 "$(simple_layer a)"
    layout "$WORK/amd" 1 "$(simple_layer b)"
    cp "$WORK"/amd/blobs/sha256/* "$WORK/arm/blobs/sha256/"
    jq -cs --arg type application/vnd.oci.image.index.v1+json '{schemaVersion: 2, mediaType: $type, manifests: [
        (.[0].manifests[0] | del(.annotations) | .platform = {os: "unknown", architecture: "unknown"}),
        (.[0].manifests[0] | del(.annotations) | .platform = {os: "linux", architecture: "arm64", variant: "v8"}),
        (.[1].manifests[0] | del(.annotations) | .platform = {os: "linux", architecture: "amd64"})]}' \
        "$WORK/arm/index.json" "$WORK/amd/index.json" > "$WORK/index"
    descriptor "$WORK/arm" "$WORK/index" application/vnd.oci.image.index.v1+json |
        jq -c '{schemaVersion: 2, manifests: [.]}' > "$WORK/arm/index.json"
    run coffer load -q --platform linux/amd64 "oci:$WORK/arm"
    [ "$output" = "Loaded image: arm:latest" ]
    [ "$(coffer inspect -f '{{.Id}}' arm)" = "$(config_digest "$WORK/amd")" ]
    fails "$WORK/arm: index.json: $(jq -r '.manifests[0].digest' "$WORK/arm/index.json"): has no image for linux/s390x, only for \"linux/arm64/v8, linux/amd64\"" \
        coffer load -q --platform linux/s390x "oci:$WORK/arm"
}

@test "import of a directory and of a tar, with changes" {
    dir=$(new_layer root)
    mkdir -p "$dir/bin" && echo x > "$dir/bin/x" && ln "$dir/bin/x" "$dir/bin/y" && chown 5:6 "$dir/bin"
    run coffer import -c 'CMD ["/bin/x", "-v"]' -c 'ENV A=b' -m "by hand" "$dir" mine:1
    [ "$status" -eq 0 ]
    [[ "$output" == sha256:* ]]
    [ "$(coffer inspect -f '{{.Config.Cmd}} {{.Config.Env}}' mine:1)" = "[/bin/x -v] [A=b]" ]
    fs=$(fs_of "$(coffer inspect -f '{{index .RootFS.Layers 0}}' mine:1)")
    [ "$(stat -c %h "$fs/bin/x")" -eq 2 ]
    [ "$(stat -c %u:%g "$fs/bin")" = 5:6 ]
    run bash -c "zstd -q -c '$(pack root)' | '$COFFER' --store '$(coffer_store)' import - mine:2"
    [ "$status" -eq 0 ]
    [ "$(cat "$(fs_of "$(plain_digest "$WORK/root.tar")")/bin/x")" = x ]
    fails 'change "FROM x": expected one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR' \
        coffer import -c 'FROM x' "$dir" bad:1
    fails "open $WORK/nothing: No such file or directory" coffer import "$WORK/nothing" bad:1
}

@test "names with odd characters, and images that are not there" {
    fails 'image nothing:latest is not in the store; load one with "coffer load" or "coffer pull"' coffer image inspect nothing
    fails 'image name "Alpine": expected lower-case letters, found "Alpine"' coffer image inspect Alpine
    fails 'image name "a b": expected lower-case letters and digits parted by one of . _ __ -, found "a b"' coffer rmi "a b"
    fails 'image name "a:b:": expected a tag of at most 128 letters, digits and . _ -, found ""' coffer image inspect "a:b:"
    fails 'image name "../../etc/passwd": expected a registry'"'"'s host name, perhaps with a port, found ".."' \
        coffer image inspect ../../etc/passwd
    fails 'image name "a\x0a\x1b[31m": expected lower-case letters and digits parted by one of . _ __ -, found "a\x0a\x1b[31m"' \
        coffer image inspect $'a\n\e[31m'
    fails 'image name "x@sha256:../../x": digest "sha256:../../x": expected 64 lower-case hex digits behind sha256:' \
        coffer image inspect 'x@sha256:../../x'
    fails 'image dead is not in the store; load one with "coffer load" or "coffer pull"' coffer image inspect dead || true
}

@test "bad: a layer with another digest, size or content" {
    a=$(simple_layer a gzip)
    digest=$(digest_of "$a")
    layout "$WORK/app" 1 "$a"
    blob=$WORK/app/blobs/sha256/${digest#sha256:}
    cp "$blob" "$WORK/kept"
    truncate -s -4 "$blob"
    fails "$WORK/app: index.json: $(manifest_digest "$WORK/app"): layers[0]: blobs/sha256/${digest#sha256:}: expected $(stat -c %s "$WORK/kept") bytes, found $(stat -c %s "$blob")" \
        coffer load -q "oci:$WORK/app"
    simple_layer b gzip > /dev/null
    head -c "$(stat -c %s "$WORK/kept")" < <(cat "$WORK/b.tar.gz" /dev/zero) > "$blob"
    run coffer load -q "oci:$WORK/app"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: oci:$WORK/app: layer $digest: "* ]]
    [ "$(coffer images -q)" = "" ]
    rm "$blob"
    fails "$WORK/app: index.json: $(manifest_digest "$WORK/app"): layers[0]: blobs/sha256/${digest#sha256:} is missing" \
        coffer load -q "oci:$WORK/app"
}

@test "bad: a sound layer of another digest, and a wrong diff id" {
    a=$(simple_layer a)
    layout "$WORK/app" 1 "$a"
    digest=$(digest_of "$a")
    printf x | dd of="$WORK/app/blobs/sha256/${digest#sha256:}" bs=1 seek=1100 conv=notrunc status=none
    fails "oci:$WORK/app: layer $digest: its digest is $(digest_of "$WORK/app/blobs/sha256/${digest#sha256:}")" coffer load -q "oci:$WORK/app" ||
        [[ "$output" == "coffer: oci:$WORK/app: layer $digest: "* ]]
    zeros=sha256:$(printf '0%.0s' {1..64})
    CONFIG=".rootfs.diff_ids[0] = \"$zeros\"" layout "$WORK/wrong" 1 "$a"
    fails "oci:$WORK/wrong: layer $digest: its diff id is $digest, but the image's configuration says $zeros" \
        coffer load -q "oci:$WORK/wrong"
}

@test "bad: manifests that lie" {
    a=$(simple_layer a)
    MANIFEST='.manifests = [.config]' layout "$WORK/both" 1 "$a"
    fails "$WORK/both: index.json: $(manifest_digest "$WORK/both"): has both layers and manifests, so two readers would see two images" \
        coffer load -q "oci:$WORK/both"
    MANIFEST='.layers[0].mediaType = "application/x-squash"' layout "$WORK/type" 1 "$a"
    fails "$WORK/type: index.json: $(manifest_digest "$WORK/type"): layers[0]: mediaType \"application/x-squash\" is of no kind of layer that can be unpacked" \
        coffer load -q "oci:$WORK/type"
    MANIFEST='.config.mediaType = "application/vnd.cncf.helm.config.v1+json"' layout "$WORK/chart" 1 "$a"
    fails "$WORK/chart: index.json: $(manifest_digest "$WORK/chart"): it is no image of a container: config.mediaType is \"application/vnd.cncf.helm.config.v1+json\"" \
        coffer load -q "oci:$WORK/chart"
    MANIFEST='.layers[0].digest = "sha256:../../../etc/passwd"' layout "$WORK/climb" 1 "$a"
    fails "$WORK/climb: index.json: $(manifest_digest "$WORK/climb"): layers[0]: digest \"sha256:../../../etc/passwd\": expected 64 lower-case hex digits behind sha256:" \
        coffer load -q "oci:$WORK/climb"
    MANIFEST='.layers[0].size = "12"' layout "$WORK/size" 1 "$a"
    fails "$WORK/size: index.json: $(manifest_digest "$WORK/size"): layers[0].size: expected a size in bytes, found \"12\"" \
        coffer load -q "oci:$WORK/size"
    CONFIG='.rootfs.type = "tar"' layout "$WORK/rootfs" 1 "$a"
    fails "$WORK/rootfs: index.json: $(config_digest "$WORK/rootfs"): rootfs.type: expected \"layers\", found \"tar\"" \
        coffer load -q "oci:$WORK/rootfs"
    CONFIG='.rootfs.diff_ids += .rootfs.diff_ids' layout "$WORK/count" 1 "$a"
    fails "$WORK/count: index.json: $(config_digest "$WORK/count"): rootfs.diff_ids: expected one of each of the 1 layers, found 2" \
        coffer load -q "oci:$WORK/count"
    CONFIG='.config.Env = ["A=b", 3]' layout "$WORK/env" 1 "$a"
    fails "$WORK/env: index.json: $(config_digest "$WORK/env"): config.Env[1]: expected a string, found 3" coffer load -q "oci:$WORK/env" ||
        [[ "$output" == *"config.Env[1]: expected a string, found a number" ]]
    INDEX='.manifests[0].data = "aGVsbG8="' layout "$WORK/data" 1 "$a"
    fails "$WORK/data: index.json: $(manifest_digest "$WORK/data"): its embedded data is something else" coffer load -q "oci:$WORK/data"
    INDEX='.manifests[0].mediaType = "application/vnd.oci.image.index.v1+json"' layout "$WORK/kind" 1 "$a"
    fails "$WORK/kind: index.json: $(manifest_digest "$WORK/kind"): mediaType: expected \"application/vnd.oci.image.index.v1+json\", found \"application/vnd.oci.image.manifest.v1+json\"" \
        coffer load -q "oci:$WORK/kind"
}

@test "bad: archives that end early, or are something else" {
    layout "$WORK/app" 1 "$(simple_layer a gzip)"
    tar -C "$WORK/app" -cf "$WORK/app.tar" index.json oci-layout blobs
    head -c 4000 "$WORK/app.tar" > "$WORK/cut.tar"
    run coffer load -q -i "$WORK/cut.tar"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $WORK/cut.tar: "* ]]
    gzip -c "$WORK/app.tar" | head -c 700 > "$WORK/cut.tar.gz"
    run coffer load -q -i "$WORK/cut.tar.gz"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $WORK/cut.tar.gz: "* ]]
    head -c 10000 /dev/urandom > "$WORK/noise"
    run coffer load -q -i "$WORK/noise"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: $WORK/noise: "* ]]
    : > "$WORK/empty"
    fails "$WORK/empty: it is no image: it has neither index.json nor manifest.json" coffer load -q -i "$WORK/empty"
    [ "$(coffer images -q)" = "" ]
    [ "$(ls "$(coffer_store)/staging")" = "" ]
}

# One layer with one entry that GNU tar would not write by itself.
bad_entry() { # NAME TAR-ARGUMENTS...
    local name=$1
    shift
    tar -C "$WORK" -cf "$WORK/$name.tar" "$@"
    layout "$WORK/$name" 1 "$WORK/$name.tar"
}

@test "bad: layers that try to write outside" {
    mkdir -p "$WORK/tree/dir" && echo evil > "$WORK/tree/file"
    ln -s /etc "$WORK/tree/link"
    bad_entry dots --transform 's,^tree/file,../../../evil,' tree/file
    run coffer load -q "oci:$WORK/dots"
    [ "$status" -eq 125 ]
    [[ "$output" == "coffer: oci:$WORK/dots: layer "*": \"../../../evil\": its name has a \"..\" component"* ]] ||
        [[ "$output" == *"its name has a \"..\" component" ]]
    bad_entry through --transform 's,^tree/link,x,;s,^tree/file,x/evil,' tree/link tree/file
    run coffer load -q "oci:$WORK/through"
    [ "$status" -eq 125 ]
    [[ "$output" == *"its parent \"x\" is a symbolic link, not a directory" ]]
    # An absolute target is a link's own affair: it is made as it is, and led inside the container.
    bad_entry absolute --transform 's,^tree/link,x,' tree/link
    run coffer load -q "oci:$WORK/absolute"
    [ "$status" -eq 0 ]
    [ ! -e /evil ]
    [ ! -e /etc/evil ]
}

@test "a load that is killed leaves nothing that the next command does not take away" {
    dir=$(new_layer big)
    mkdir -p "$dir/d"
    for i in $(seq 200); do
        head -c 20000 /dev/urandom > "$dir/d/$i"
    done
    layout "$WORK/app" 1 "$(pack big gzip)" "$(simple_layer a)"
    for pause in 0.002 0.005 0.01 0.02 0.03 0.05 0.08; do
        "$COFFER" --store "$(coffer_store)" load -q "oci:$WORK/app" > /dev/null 2>&1 &
        sleep "$pause"
        kill -9 $! 2> /dev/null || true
        wait $! 2> /dev/null || true
        run coffer images -q
        [ "$status" -eq 0 ]
        [ "$(ls "$(coffer_store)/staging")" = "" ]
        if [ "$output" = "" ]; then
            [ "$(ls "$(coffer_store)/layers")" = "" ]
        else
            coffer rmi "$output"
        fi
    done
    run coffer load -q "oci:$WORK/app"
    [ "$output" = "Loaded image: app:1" ]
}

@test "two loads of the same image at once" {
    layout "$WORK/app" 1 "$(simple_layer a gzip)" "$(simple_layer b gzip)"
    for _ in 1 2 3 4; do
        coffer load -q "oci:$WORK/app" > /dev/null &
    done
    for job in $(jobs -p); do
        wait "$job"
    done
    [ "$(coffer images -q | wc -l)" -eq 1 ]
    [ "$(ls "$(coffer_store)/layers" | wc -l)" -eq 2 ]
    [ "$(ls "$(coffer_store)/staging")" = "" ]
}

@test "a folder that is no store is refused and left alone" {
    mkdir "$BATS_TEST_TMPDIR/other" && touch "$BATS_TEST_TMPDIR/other/precious"
    run "$COFFER" --store "$BATS_TEST_TMPDIR/other" images
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $BATS_TEST_TMPDIR/other is no store: it holds \"precious\", but no file \"version\"" ]
    [ "$(ls "$BATS_TEST_TMPDIR/other")" = precious ]
    echo 9 > "$(coffer_store)/version"
    run coffer images
    [ "$output" = "coffer: the store $(coffer_store) is of version \"9\"; this program knows version 1" ]
}

@test "an image that a container runs stays; by force it loses its name" {
    needs umoci
    layout=$(make_image)
    coffer load -q --name tiny "oci:$layout:tiny"
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm --network none tiny \
        sh -c 'trap "exit 0" TERM; echo up; sleep 30 & wait' > "$BATS_TEST_TMPDIR/run.out" 2>&1 3>&- &
    job=$!
    for _ in $(seq 100); do
        ! grep -q up "$BATS_TEST_TMPDIR/run.out" || break
        sleep 0.05
    done
    run coffer rmi tiny
    [ "$output" = "coffer: image tiny is in use by a running container; stop it first" ]
    run coffer rmi -f tiny
    [ "${lines[0]}" = "Untagged: tiny:latest" ]
    [ "$(coffer images -q | wc -l)" -eq 1 ]
    kill "$job"
    wait "$job" || true
    run coffer image prune
    [ "$status" -eq 0 ]
    [ "$(coffer images -q | wc -l)" -eq 0 ]
}

rootless_setup() {
    make_user
    chmod 755 "$WORK"
    USER_STORE=$BATS_TEST_TMPDIR/user/store
    install -d -o "$TEST_UID" "$BATS_TEST_TMPDIR/user"
    cd "$BATS_TEST_TMPDIR/user" || return
}

rootless() {
    as_user "$COFFER" --root "$BATS_TEST_TMPDIR/user/run" --store "$USER_STORE" "$@"
}

@test "an ordinary user: load, list, remove, with owners below his subordinate ids" {
    needs newuidmap setpriv
    rootless_setup
    dir=$(new_layer a)
    mkdir -p "$dir/etc" "$dir/dev"
    echo x > "$dir/etc/x" && chown 7:8 "$dir/etc/x"
    mknod "$dir/dev/null" c 1 3
    a=$(pack a gzip)
    new_layer b > /dev/null
    mkdir -p "$WORK/b/etc" && touch "$WORK/b/etc/.wh.x" "$WORK/b/.wh.dev"
    layout "$WORK/app" 1 "$a" "$(pack b)"
    run rootless load -q "oci:$WORK/app"
    [ "$status" -eq 0 ]
    [ "$output" = "Loaded image: app:1" ]
    first=$(awk -F: -v user="$TEST_USER" '$1 == user { print $2; exit }' /etc/subuid)
    [ "$(stat -c %u "$USER_STORE"/layers/*/fs/etc/x | sort -n | tail -n 1)" -eq $((first + 6)) ]
    [ "$(stat -c '%F %t %T' "$USER_STORE/layers/$(sha256sum < "$WORK/b.tar" | cut -c 1-64)/fs/etc/x")" = "character special file 0 0" ]
    run rootless images --format '{{.Repository}}:{{.Tag}}'
    [ "$output" = "app:1" ]
    run rootless rmi app:1
    [ "$status" -eq 0 ]
    [ "$(cd "$USER_STORE" && find layers blobs/sha256 staging -mindepth 1)" = "" ]
    # Root does not take over somebody else's store, nor the other way around.
    run "$COFFER" --store "$USER_STORE" images
    [ "$output" = "coffer: the store $USER_STORE belongs to user $TEST_UID, not to user 0; choose another one with --store" ]
}

@test "bad: a device node outside of /dev for an ordinary user" {
    needs newuidmap setpriv
    rootless_setup
    dir=$(new_layer a)
    mkdir -p "$dir/x"
    mknod "$dir/x/disk" b 8 0
    layout "$WORK/app" 1 "$(pack a)"
    run rootless load -q "oci:$WORK/app"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: oci:$WORK/app: layer $(digest_of "$WORK/a.tar"): entry \"./x/disk\": is a block device, which only root can make" ]
    run rootless images -q
    [ "$output" = "" ]
}
