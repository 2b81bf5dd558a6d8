# For tests of images: layouts and archives made piece by piece, so that each piece can be wrong.
#
#   new_layer NAME              an empty folder $WORK/NAME to fill
#   zeros NAME BYTES            a gzip layer with one file of so many zeros, the file called as the layer; prints where it is
#   pack NAME [gzip|zstd]       a tar of it, compressed or not, at $WORK/NAME.tar, .tar.gz or .tar.zst
#   blob LAYOUT FILE            adds the file as a blob, prints its digest
#   layout DIR TAG FILE...      an OCI layout whose image TAG has these layers, the lowest first; CONFIG: a jq filter for its configuration,
#                               MANIFEST: one for its manifest, INDEX: one for index.json
#   docker_archive FILE NAME LAYER...     an archive of `docker save` with these plain layers
#   store_listing               all that is in the store
#   fails TEXT COMMAND...       the command fails with exactly this error, exit code 125, and the store is as before

images_setup() {
    WORK=$BATS_TEST_TMPDIR/work
    mkdir -p "$WORK"
}

new_layer() {
    mkdir -p "$WORK/$1"
    echo "$WORK/$1"
}

pack() {
    local tar=$WORK/$1.tar
    tar --sort=name --mtime=@1000000000 --xattrs --xattrs-include='*' -C "$WORK/$1" -cf "$tar" .
    case ${2:-} in
    gzip) gzip -n -c "$tar" > "$tar.gz" && echo "$tar.gz" ;;
    zstd) zstd -q -f "$tar" -o "$tar.zst" && echo "$tar.zst" ;;
    *) echo "$tar" ;;
    esac
}

zeros() {
    local dir
    dir=$(new_layer "$1")
    head -c "$2" /dev/zero > "$dir/$1"
    pack "$1" gzip
}

digest_of() {
    echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"
}

blob() {
    local digest
    digest=$(digest_of "$2")
    mkdir -p "$1/blobs/sha256"
    cp "$2" "$1/blobs/sha256/${digest#sha256:}"
    echo "$digest"
}

descriptor() { # LAYOUT FILE MEDIA-TYPE
    jq -cn --arg type "$3" --arg digest "$(blob "$1" "$2")" --argjson size "$(stat -c %s "$2")" \
        '{mediaType: $type, digest: $digest, size: $size}'
}

plain_digest() {
    case $1 in
    *.gz) gzip -dc "$1" ;;
    *.zst) zstd -q -dc "$1" ;;
    *) cat "$1" ;;
    esac | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
}

image_config() { # LAYER...
    local file diff_ids=()
    for file in "$@"; do
        diff_ids+=("$(plain_digest "$file")")
    done
    jq -cn --args '{architecture: "amd64", os: "linux", created: "2001-02-03T04:05:06Z",
        config: {Cmd: ["/bin/sh"], Env: ["PATH=/bin"]}, rootfs: {type: "layers", diff_ids: $ARGS.positional}}' "${diff_ids[@]}" |
        jq -c "${CONFIG:-.}"
}

layout() {
    local dir=$1 tag=$2 file type layers=()
    shift 2
    mkdir -p "$dir"
    for file in "$@"; do
        case $file in
        *.gz) type=application/vnd.oci.image.layer.v1.tar+gzip ;;
        *.zst) type=application/vnd.oci.image.layer.v1.tar+zstd ;;
        *) type=application/vnd.oci.image.layer.v1.tar ;;
        esac
        layers+=("$(descriptor "$dir" "$file" "$type")")
    done
    image_config "$@" > "$WORK/config.json"
    printf '%s\n' "${layers[@]}" | jq -cs --argjson config \
        "$(descriptor "$dir" "$WORK/config.json" application/vnd.oci.image.config.v1+json)" \
        '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $config, layers: .}' |
        jq -c "${MANIFEST:-.}" > "$WORK/manifest.json"
    descriptor "$dir" "$WORK/manifest.json" application/vnd.oci.image.manifest.v1+json |
        jq -c --arg tag "$tag" '{schemaVersion: 2, manifests: [. + {annotations: {"org.opencontainers.image.ref.name": $tag}}]}' |
        jq -c "${INDEX:-.}" > "$dir/index.json"
    echo '{"imageLayoutVersion": "1.0.0"}' > "$dir/oci-layout"
}

docker_archive() {
    local archive=$1 name=$2 dir=$WORK/docker.$RANDOM file number=0 names=()
    shift 2
    mkdir -p "$dir"
    for file in "$@"; do
        number=$((number + 1))
        mkdir "$dir/$number"
        cp "$file" "$dir/$number/layer.tar"
        names+=("$number/layer.tar")
    done
    image_config "$@" > "$dir/config"
    file=$(digest_of "$dir/config")
    mv "$dir/config" "$dir/${file#sha256:}.json"
    jq -cn --arg config "${file#sha256:}.json" --arg name "$name" --args \
        '[{Config: $config, RepoTags: [$name], Layers: $ARGS.positional}]' "${names[@]}" | jq -c "${MANIFEST:-.}" > "$dir/manifest.json"
    (cd "$dir" && tar -cf "$archive" -- *)
}

manifest_digest() {
    jq -r '.manifests[0].digest' "$1/index.json"
}

config_digest() {
    local manifest
    manifest=$(manifest_digest "$1")
    jq -r .config.digest "$1/blobs/sha256/${manifest#sha256:}"
}

store_listing() {
    if [ -d "$(coffer_store)" ]; then
        (cd "$(coffer_store)" && find . -printf '%p %y %s %m %U:%G %l\n' | LC_ALL=C sort)
    fi
}

fails() {
    local expected=$1 before
    shift
    before=$(store_listing)
    run "$@"
    if [ "$status" -ne 125 ] || [ "$output" != "coffer: $expected" ]; then
        echo "exit code $status, output: $output"
        echo "expected: coffer: $expected"
        return 1
    fi
    diff <(echo "$before") <(store_listing)
}
