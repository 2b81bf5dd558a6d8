#!/bin/bash
# tests/bench/image.sh tiny FILE: a docker archive with one layer, busybox, named bench/tiny:1
# tests/bench/image.sh app LAYOUT: an OCI layout of six gzip layers like those of a usual application image: a Debian base, an
# interpreter, servers, a compiler, many small files, and one that removes. From packages that apt fetches; nothing is installed.
# tests/bench/image.sh packages FILE PACKAGE...: a tar of these packages and all that they need, as a root file system
set -euo pipefail

kind=$1 target=$2
shift 2
case $kind in
tiny | app | packages) ;;
*) echo "image.sh: expected tiny, app or packages, found \"$kind\"" >&2 && exit 2 ;;
esac
mkdir -p "$(dirname "$target")"
target=$(realpath "$target")
work=$(mktemp -d "$target.making.XXXXXX")
trap 'rm -rf "$work"' EXIT

pack() { # FOLDER: as a tar that depends on nothing but its content
    tar --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -C "$1" -c .
}

sha256_of() {
    sha256sum "$1" | cut -d ' ' -f 1
}

make_tiny() {
    local root=$work/root applet layer config
    mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp} "$work/archive"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in sh true false cat echo id ls mount sleep; do
        ln -s busybox "$root/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
    echo 'root:x:0:' > "$root/etc/group"
    pack "$root" > "$work/archive/layer.tar"
    layer=$(sha256_of "$work/archive/layer.tar")
    jq -n --arg layer "sha256:$layer" '{architecture: "amd64", os: "linux",
        config: {Cmd: ["/bin/sh"], Env: ["PATH=/bin"]}, rootfs: {type: "layers", diff_ids: [$layer]},
        history: [{created_by: "tests/bench/image.sh"}]}' > "$work/config"
    config=$(sha256_of "$work/config").json
    mv "$work/config" "$work/archive/$config"
    jq -n --arg config "$config" '[{Config: $config, RepoTags: ["bench/tiny:1"], Layers: ["layer.tar"]}]' \
        > "$work/archive/manifest.json"
    tar -C "$work/archive" -cf "$work/tar" "$config" layer.tar manifest.json
    mv "$work/tar" "$target"
}

# What the packages need, all of it, but for what an earlier layer has.
unpack_packages() { # LAYER PACKAGE...
    local layer=$1
    shift
    mkdir -p "$work/debs" "$layer"
    touch "$work/have"
    # On a machine that has nothing installed, apt names everything that is needed.
    apt-get install --simulate --no-install-recommends -o Dir::State::status=/dev/null "$@" |
        sed -n 's/^Inst \([^ :]*\).*/\1/p' | sort -u | comm -23 - "$work/have" > "$work/chosen"
    (cd "$work/debs" && xargs apt-get -qq -o APT::Sandbox::User=root download < "$work/chosen")
    local deb
    for deb in "$work"/debs/*.deb; do
        dpkg -x "$deb" "$layer"
    done
    rm -r "$work/debs"
    sort -u -o "$work/have" "$work/have" "$work/chosen"
}

add_blob() { # FILE: into the layout, by its digest, which is printed
    local digest
    digest=$(sha256_of "$1")
    mv "$1" "$work/layout/blobs/sha256/$digest"
    echo "sha256:$digest"
}

add_layer() { # FOLDER
    local diff_id digest size
    pack "$1" > "$work/tar"
    diff_id=sha256:$(sha256_of "$work/tar")
    gzip -n -6 "$work/tar"
    size=$(stat -c %s "$work/tar.gz")
    digest=$(add_blob "$work/tar.gz")
    jq -c -n --arg digest "$digest" --arg diff_id "$diff_id" --argjson size "$size" \
        '{digest: $digest, size: $size, diff_id: $diff_id}' >> "$work/layers"
    rm -r "$1"
}

make_app() {
    mkdir -p "$work/layout/blobs/sha256"
    local layer=$work/layer i essential
    mapfile -t essential < <(dpkg-query -W -f '${Essential} ${Package}\n' | sed -n 's/^yes //p')
    unpack_packages "$layer" "${essential[@]}" apt
    add_layer "$layer"
    unpack_packages "$layer" python3 python3-pip python3-numpy
    add_layer "$layer"
    unpack_packages "$layer" nginx-light redis-server
    add_layer "$layer"
    unpack_packages "$layer" git gcc libc6-dev make
    add_layer "$layer"
    mkdir -p "$layer/srv/app"
    for ((i = 0; i < 500; i++)); do
        echo "print($i)" > "$layer/srv/app/m$i.py"
    done
    ln "$layer/srv/app/m1.py" "$layer/srv/app/hard.py"
    ln -s m2.py "$layer/srv/app/symbolic.py"
    add_layer "$layer"
    mkdir -p "$layer/usr/share"
    touch "$layer/usr/share/.wh.doc" "$layer/usr/share/.wh.man"
    add_layer "$layer"

    jq -s '{architecture: "amd64", os: "linux", config: {Cmd: ["/bin/bash"]},
        rootfs: {type: "layers", diff_ids: map(.diff_id)}, history: map({created_by: "tests/bench/image.sh"})}' \
        "$work/layers" > "$work/config"
    local config config_size manifest manifest_size
    config_size=$(stat -c %s "$work/config")
    config=$(add_blob "$work/config")
    jq -s --arg config "$config" --argjson size "$config_size" '{schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $size},
        layers: map({mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size})}' "$work/layers" > "$work/manifest"
    manifest_size=$(stat -c %s "$work/manifest")
    manifest=$(add_blob "$work/manifest")
    jq -n --arg manifest "$manifest" --argjson size "$manifest_size" '{schemaVersion: 2, manifests: [{
        mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $manifest, size: $size,
        annotations: {"org.opencontainers.image.ref.name": "1"}}]}' > "$work/layout/index.json"
    echo '{"imageLayoutVersion": "1.0.0"}' > "$work/layout/oci-layout"
    mv "$work/layout" "$target"
}

# Nothing is configured, as nothing of it runs here: users and groups are what base-passwd begins with, and one for each service.
make_packages() { # PACKAGE...
    local root=$work/root id=990 name
    unpack_packages "$root" base-files base-passwd dash coreutils sed grep "$@"
    mkdir -p "$root"/{etc,tmp,run,var/lib}
    chmod 1777 "$root/tmp"
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    for name in nginx redis postgres; do
        echo "$name:x:$id:$id::/var/lib/$name:/bin/sh" >> "$root/etc/passwd"
        echo "$name:x:$id:" >> "$root/etc/group"
        id=$((id + 1))
    done
    rm -rf "$root"/usr/share/{doc,man,locale,info}
    pack "$root" > "$work/tar"
    mv "$work/tar" "$target"
}

"make_$kind" "$@"
