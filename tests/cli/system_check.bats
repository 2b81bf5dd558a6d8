#!/usr/bin/env bats
# system check: each kind of damage is planted by hand, found, and repaired from docker's registry where it can be.
load helpers
load images
load ../registry/registry

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    local dir
    WORK=$BATS_FILE_TMPDIR/work
    registry_start plain plain
    dir=$(new_layer base)
    mkdir -p "$dir/etc" "$dir/bin"
    echo one > "$dir/etc/one"
    chmod 600 "$dir/etc/one"
    head -c 300000 /dev/urandom > "$dir/bin/big"
    ln -s one "$dir/etc/link"
    make_rootfs "$dir"
    dir=$(new_layer top)
    mkdir -p "$dir/etc"
    echo two > "$dir/etc/two"
    dir=$(new_layer other)
    echo other > "$dir/other"
    pack base gzip
    pack top gzip
    pack other gzip
    layout "$WORK/app" 1 "$WORK/base.tar.gz" "$WORK/top.tar.gz"
    layout "$WORK/second" 1 "$WORK/base.tar.gz" "$WORK/other.tar.gz"
    registry_push "$WORK/app:1" "$(registry plain)/team/app:1"
    registry_push "$WORK/second:1" "$(registry plain)/team/second:1"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    images_setup
    MADE=$BATS_FILE_TMPDIR/work STORE=$(coffer_store) HOST=$(registry plain)
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG
    NAME=$HOST/team/app:1
    BASE=$(hex_of base) TOP=$(hex_of top)
    ID=$(config_digest "$MADE/app") DIGEST=$(manifest_digest "$MADE/app")
    ID=${ID#sha256:} DIGEST=${DIGEST#sha256:}
    coffer pull -q "$NAME" > "$BATS_TEST_TMPDIR/pulled"
}

hex_of() {
    sha256sum < "$BATS_FILE_TMPDIR/work/$1.tar" | cut -d ' ' -f 1
}

# finds LINE...: the check exits with 1 and says these lines, in any order, before its last one; and changes nothing.
finds() {
    local before
    before=$(store_listing)
    run coffer system check
    said 1 "$@" || return 1
    diff <(echo "$before") <(store_listing)
}

# repairs LINE...: so does a repair with exit code 0; all is well then.
repairs() {
    run coffer system check --repair
    said 0 "$@" || return 1
    run coffer system check
    if [ "$status" -ne 0 ] || [ "${#lines[@]}" -ne 1 ] || [[ "$output" != *": all is well" ]]; then
        echo "after the repair: exit code $status, $output"
        return 1
    fi
    nothing_staged
}

said() {
    local code=$1
    shift
    if [ "$status" -ne "$code" ] ||
        ! diff <(printf '%s\n' "$@" | LC_ALL=C sort) <(printf '%s\n' "${lines[@]}" | grep -v '^Checked \|^What could not be' | LC_ALL=C sort); then
        echo "exit code $status, output: $output"
        cat "$WORK/churned"
        return 1
    fi
}

# of_app: what a finding says behind its problem.
of_app() {
    echo "(of image $NAME)"
}

# The whole of an image as it was pulled.
is_whole() {
    [ "$(coffer inspect -f '{{.Id}}' "$NAME")" = "sha256:$ID" ]
    [ "$(coffer inspect -f '{{.Id}}' "$HOST/team/app@sha256:$DIGEST")" = "sha256:$ID" ]
    cmp "$STORE/layers/$BASE/fs/bin/big" "$MADE/base/bin/big"
    cmp "$STORE/layers/$TOP/fs/etc/two" "$MADE/top/etc/two"
}

@test "a healthy store says so, and is left as it is" {
    coffer pull -q "$HOST/team/second:1"
    coffer load -q --name loaded:1 "oci:$MADE/app:1"
    coffer import "$MADE/other.tar" imported:1
    before=$(store_listing)
    run coffer system check
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^Checked\ 3\ images,\ 3\ layers\ of\ [0-9.]+MB:\ all\ is\ well$ ]]
    run coffer system check --quick
    [ "$status" -eq 0 ]
    [ "$output" = "Checked 3 images, 3 layers without what they hold: all is well" ]
    run coffer system check loaded:1 "$HOST/team/second:1"
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^Checked\ 2\ images,\ 3\ layers\ of\ [0-9.]+MB:\ all\ is\ well$ ]]
    diff <(echo "$before") <(store_listing)
}

@test "a healthy store as JSON" {
    run coffer system check --format json
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.images, .layers, .damage, .repaired, .unread, .findings]' <<< "$output")" = '[1,2,0,0,0,[]]' ]
    [ "$(jq '.bytes > 300000' <<< "$output")" = true ]
}

@test "there is no store, or no such image: that is no damage" {
    fails "there is no store in $BATS_TEST_TMPDIR/none" coffer --store "$BATS_TEST_TMPDIR/none" system check
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
    fails "image nothing:latest is not in the store; load one with \"coffer load\" or \"coffer pull\"" coffer system check nothing
    fails "--force is for what --repair cannot repair; give both" coffer system check --force
    echo 2 > "$STORE/version"
    fails "the store $STORE is of version \"2\"; this program knows version 1" coffer system check
}

@test "a flipped byte in a layer: found, not by --quick; repaired, the image keeps its id and names" {
    file=$STORE/layers/$BASE/fs/bin/big
    byte=$(od -An -tu1 -j 1000 -N 1 "$file")
    touch -r "$file" "$BATS_TEST_TMPDIR/times"
    # shellcheck disable=SC2059
    printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$file" bs=1 seek=1000 conv=notrunc status=none
    touch -r "$BATS_TEST_TMPDIR/times" "$file"
    run coffer system check
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" =~ ^layers/$BASE:\ what\ its\ files\ hold\ has\ changed:\ it\ makes\ sha256:[0-9a-f]{64}\ \(of\ image\ $NAME\)$ ]]
    [[ "${lines[1]}" == "Checked 1 image, 2 layers of "*": 1 fault" ]]
    run coffer system check --quick
    [ "$status" -eq 0 ]
    run coffer system check --repair
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == "layers/$BASE: what its files hold has changed: it makes sha256:"*" $(of_app): repaired" ]]
    [[ "${lines[1]}" == *": 1 fault, 1 repaired" ]]
    is_whole
    nothing_staged
    run coffer system check
    [ "$status" -eq 0 ]
}

# Two layers of everything that a tar can have: $ODD_LOWER, $ODD_UPPER.
odd_image() {
    local dir
    dir=$(new_layer oddlower)
    mkdir -p "$dir/gone" "$dir/covered" "$dir/kept"
    echo a > "$dir/gone/a"
    echo b > "$dir/covered/b"
    echo c > "$dir/kept/c"
    echo shared > "$dir/shared"
    ln "$dir/shared" "$dir/again"
    pack oddlower gzip
    dir=$(new_layer oddupper)
    mkdir -p "$dir/covered" "$dir/plain/deep" "$dir/dev" "$dir/sticky"
    touch "$dir/.wh.gone" "$dir/covered/.wh..wh..opq"
    echo new > "$dir/covered/new"
    echo 'x y' > "$dir/plain/with space"
    echo one > "$dir/plain/one"
    ln "$dir/plain/one" "$dir/plain/two"
    ln -s ../plain/one "$dir/plain/deep/link"
    mknod "$dir/dev/node" c 1 7
    mknod "$dir/dev/disk" b 8 1
    mkfifo "$dir/plain/fifo"
    echo set > "$dir/plain/set"
    chown 12:34 "$dir/plain/set"
    chmod 6755 "$dir/plain/set"
    chmod 1777 "$dir/sticky"
    setfattr -n user.note -v text "$dir/plain/one"
    setcap cap_net_raw+ep "$dir/plain/set"
    truncate -s 1M "$dir/plain/hole"
    touch -d '1969-12-31 23:59:58.25 UTC' "$dir/plain/old"
    chmod 600 "$dir/plain/old"
    tar --sort=name --format=pax --sparse --xattrs --xattrs-include='*' -C "$dir" -cf "$WORK/oddupper.tar" .
    # Names without entries for their directories, and a hard link to what only the lower layer has.
    python3 - "$WORK/oddupper.tar" << 'END'
import io, sys, tarfile
tar = tarfile.open(sys.argv[1], "a")
entry = tarfile.TarInfo("implied/below/file")
entry.size, entry.mtime = 3, 1000000001
tar.addfile(entry, io.BytesIO(b"abc"))
entry = tarfile.TarInfo("kept/linked")
entry.type, entry.linkname = tarfile.LNKTYPE, "shared"
tar.addfile(entry)
tar.close()
END
    gzip -n -c "$WORK/oddupper.tar" > "$WORK/oddupper.tar.gz"
    layout "$WORK/odd" 1 "$WORK/oddlower.tar.gz" "$WORK/oddupper.tar.gz"
    registry_push "$WORK/odd:1" "$HOST/team/odd:1"
    coffer pull -q "$HOST/team/odd:1"
    ODD_ID=$(config_digest "$WORK/odd") ODD_ID=${ODD_ID#sha256:}
    ODD_LOWER=$(sha256sum < "$WORK/oddlower.tar" | cut -d ' ' -f 1)
    ODD_UPPER=$(jq -r '.layers[1].key' "$STORE/images/$ODD_ID.json")
    ODD=$STORE/layers/$ODD_UPPER/fs
}

@test "layers of all that a tar can have are well" {
    odd_image
    [ -e "$ODD/kept/linked" ]
    run coffer system check
    [ "$status" -eq 0 ]
    [[ "$output" == "Checked 2 images, 4 layers of "*": all is well" ]]
}

@test "each thing that is changed in a layer is named, and repaired" {
    odd_image
    chmod 600 "$ODD/plain/one"
    chown -h 5:6 "$ODD/plain/deep/link"
    touch -h -d @5 "$ODD/plain/deep/link"
    echo longer >> "$ODD/plain/with space"
    setfattr -n user.note -v other "$ODD/plain/one"
    setfattr -n user.more -v x "$ODD/plain/one"
    setfattr -x security.capability "$ODD/plain/set"
    rm "$ODD/plain/two" "$ODD/plain/fifo" "$ODD/gone" "$ODD/dev/node" "$ODD/dev/disk"
    echo one > "$ODD/plain/two"
    mkdir "$ODD/plain/fifo"
    echo there > "$ODD/gone"
    mknod -m 644 "$ODD/dev/node" c 1 3
    echo strange > "$ODD/implied/below/$(printf 'new\033')"
    mkdir "$ODD/strange"
    echo x > "$ODD/strange/file"
    setfattr -x trusted.overlay.opaque "$ODD/covered"
    for path in . plain dev implied/below plain/with\ space plain/one plain/set dev/node; do
        name=./$path
        case $path in
        implied/below) continue ;;
        .) name=. ;;
        esac
        touch -h -d "@$(stat -c %.9Y "$WORK/oddupper/$name")" "$ODD/$path"
    done
    layer=layers/$ODD_UPPER of="(of image $HOST/team/odd:1)"
    lines=("plain/one: its mode is 0600, expected 0644"
        "plain/deep/link: its owner is 5:6, expected 0:0"
        "\"plain/with space\": it has 11 bytes, expected 4"
        "plain/one: its extended attribute \"user.note\" has another value"
        "plain/one: has the extended attribute \"user.more\", expected none of that name"
        "plain/set: has no extended attribute \"security.capability\""
        "plain/two: is not the same file as \"plain/one\""
        "plain/fifo: is a directory, expected a fifo"
        "gone: is a file, expected a whiteout"
        "dev/node: it is device 1:3, expected 1:7"
        "dev/disk: is missing"
        "\"implied/below/new\\x1b\": does not belong to the layer"
        "strange: does not belong to the layer"
        "covered: is not marked as opaque")
    expected=("${lines[@]/#/$layer: }")
    run coffer system check
    [ "$status" -eq 1 ]
    diff <(printf '%s\n' "${expected[@]/%/ $of}" | sort) <(grep "^$layer" <<< "$output" | grep -v ' its time of change is ' | sort)
    grep -qE "^$layer: plain/deep/link: its time of change is 5\.000000000, expected [0-9]+\.[0-9]{9} \(" <<< "$output"
    run coffer system check --quick
    [ "$status" -eq 0 ]
    run coffer system check --repair
    [ "$status" -eq 0 ]
    run coffer system check
    [ "$status" -eq 0 ]
    nothing_staged
}

@test "an ordinary user's store: layers are his, and no device nodes are missed" {
    needs newuidmap setpriv
    make_user
    odd_image
    home=$BATS_TEST_TMPDIR/home
    mkdir "$home"
    cp -r "$WORK/odd" "$home/odd"
    chown -R "$TEST_UID" "$home"
    theirs() {
        as_user env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME HOME="$home" "$COFFER" --root "$home/run" --store "$home/store" "$@"
    }
    theirs load -q --name odd:1 "oci:$home/odd:1"
    run theirs system check
    [ "$status" -eq 0 ]
    [[ "$output" == "Checked 1 image, 2 layers of "*": all is well" ]]
    upper=$home/store/layers/$ODD_UPPER/fs
    [ ! -e "$upper/dev/node" ]
    chmod 644 "$upper/sticky"
    setfattr -x user.overlay.opaque "$upper/covered"
    run theirs system check
    [ "$status" -eq 1 ]
    grep -qx "layers/$ODD_UPPER: sticky: its mode is 0644, expected 1777 (of image odd:1)" <<< "$output"
    grep -qx "layers/$ODD_UPPER: covered: is not marked as opaque (of image odd:1)" <<< "$output"
}

@test "a layer with a thousand differences tells a hundred of them" {
    find "$STORE/layers/$BASE/fs/bin" -type l -delete
    for number in $(seq 200); do
        echo x > "$STORE/layers/$BASE/fs/bin/new$number"
    done
    run coffer system check
    [ "$status" -eq 1 ]
    [ "$(grep -c "^layers/$BASE: " <<< "$output")" -eq 101 ]
    grep -qE "^layers/$BASE: differs in [0-9]+ things more \(of image" <<< "$output"
}

@test "more findings than are listed" {
    (cd "$STORE" && seq -f 'stranger%.0f' 10005 | xargs touch)
    run coffer system check
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 10002 ]
    [[ "${lines[-2]}" == *": 10000 faults" ]]
    [ "${lines[-1]}" = "5 findings more are not listed." ]
}

@test "a layer that cannot be read to its end does not keep the others from being checked" {
    # Less memory than the worker needs, and more than the program: where that is depends on the machine.
    rm "$STORE/layers/$TOP/layer.json"
    for limit in $(seq 6000 -250 2500); do
        # shellcheck disable=SC2016
        run bash -c 'ulimit -v "$1"; shift; exec "$@" 2> /dev/null' bash "$limit" "$COFFER" --root "$(coffer_root)" --store "$STORE" \
            system check
        if [[ "$output" == *"could not be checked"* ]]; then
            [ "$status" -eq 1 ]
            [ "${lines[0]}" = "layers/$TOP: layer.json is missing $(of_app)" ]
            [ "${lines[2]}" = "1 layer could not be checked." ]
            coffer system check --repair
            run bash -c 'ulimit -v "$1"; shift; exec "$@" 2> /dev/null' bash "$limit" "$COFFER" --root "$(coffer_root)" --store "$STORE" \
                system check --format json
            [ "$status" -eq 125 ]
            [ "$(jq -c '[.failed, .damage]' <<< "$output")" = '[2,0]' ]
            return 0
        fi
    done
    skip "no limit lets the program run and not the worker"
}

@test "a record of a tar that is damaged, or is not there" {
    record=$STORE/layers/$BASE/tar.zst
    printf 'rubbish' > "$record"
    run coffer system check
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "layers/$BASE: "*" $(of_app)" ]]
    repairs "${lines[0]}: repaired"
    rm "$record"
    finds "layers/$BASE: tar.zst is missing $(of_app)"
    repairs "layers/$BASE: tar.zst is missing $(of_app): repaired"
}

@test "layers of an older store have nothing to be held against: that is said" {
    coffer import "$MADE/other" older:1
    older=$(coffer inspect -f '{{index .RootFS.Layers 0}}' older:1)
    layer=$STORE/layers/${older#sha256:}
    rm "$layer/tar.zst"
    jq -c 'del(.tar_size)' "$layer/layer.json" > "$WORK/json"
    cat "$WORK/json" > "$layer/layer.json"
    run coffer system check
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "Of 1 layer there is no record of the tar to hold them against: they came by an older coffer." ]
    [ "$(coffer system check --format json | jq .unread)" -eq 1 ]
    fails "save older:1: older:1: layer $older has no record of its tar in the store; remove the images that have it (coffer rmi), and pull or load them again" \
        coffer save -q -o "$WORK/older.tar" older:1
}

@test "the layer of an imported directory is held against its tar, and repaired from an archive" {
    mkdir "$WORK/tree"
    echo hello > "$WORK/tree/file"
    coffer import "$WORK/tree" directory:1
    layer=$(coffer inspect -f '{{index .RootFS.Layers 0}}' directory:1)
    file=$STORE/layers/${layer#sha256:}/fs/file
    run coffer system check
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    coffer save -q -o "$WORK/saved.tar" directory:1
    echo hallo > "$file"
    touch -r "$WORK/tree/file" "$file"
    run coffer system check
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "layers/${layer#sha256:}: what its files hold has changed: it makes sha256:"*" (of image directory:1)" ]]
    run coffer system check --repair --from "docker-archive:$WORK/saved.tar"
    [ "$status" -eq 0 ]
    [ "$(cat "$file")" = hello ]
    run coffer system check
    [ "$status" -eq 0 ]
}

@test "a layer that is missing, and one without its description" {
    rm -r "$STORE/layers/$TOP"
    rm "$STORE/layers/$BASE/layer.json"
    finds "layers/$TOP: is missing $(of_app)" "layers/$BASE: layer.json is missing $(of_app)"
    repairs "layers/$TOP: is missing $(of_app): repaired" "layers/$BASE: layer.json is missing $(of_app): repaired"
    is_whole
}

@test "descriptions that say something else" {
    jq -c '.size += 1' "$STORE/layers/$TOP/layer.json" > "$WORK/json"
    cat "$WORK/json" > "$STORE/layers/$TOP/layer.json"
    jq -c ".diff_id = \"sha256:$TOP\"" "$STORE/layers/$BASE/layer.json" > "$WORK/json"
    cat "$WORK/json" > "$STORE/layers/$BASE/layer.json"
    finds "layers/$TOP: layer.json says other things than the record of image ${ID:0:12} $(of_app)" \
        "layers/$BASE: layer.json says that it is layer $TOP $(of_app)"
    echo nonsense > "$STORE/layers/$BASE/layer.json"
    finds "layers/$TOP: layer.json says other things than the record of image ${ID:0:12} $(of_app)" \
        "layers/$BASE: layer.json: line 1, column 8: '[' or '{' expected near 'nonsense' $(of_app)"
    run coffer system check --repair
    [ "$status" -eq 0 ]
    run coffer system check
    [ "$status" -eq 0 ]
    is_whole
}

@test "documents: cut short, another one, too large, a pipe, missing" {
    config=$STORE/blobs/sha256/$ID manifest=$STORE/blobs/sha256/$DIGEST
    truncate -s 10 "$config"
    digest=$(sha256sum < "$config" | cut -d ' ' -f 1)
    finds "blobs/sha256/$ID: its digest is sha256:$digest $(of_app)"
    repairs "blobs/sha256/$ID: its digest is sha256:$digest $(of_app): repaired"
    truncate -s 1G "$manifest"
    finds "blobs/sha256/$DIGEST: is larger than 4194304 bytes $(of_app)"
    repairs "blobs/sha256/$DIGEST: is larger than 4194304 bytes $(of_app): repaired"
    rm "$config" "$manifest"
    finds "blobs/sha256/$ID: is missing $(of_app)" "blobs/sha256/$DIGEST: is missing $(of_app)"
    mkfifo -m 600 "$config"
    finds "blobs/sha256/$ID: is no file that can be read $(of_app)" "blobs/sha256/$ID: does not belong into the store" \
        "blobs/sha256/$DIGEST: is missing $(of_app)"
    repairs "blobs/sha256/$ID: is no file that can be read $(of_app): repaired" \
        "blobs/sha256/$ID: does not belong into the store: moved to lost+found" \
        "blobs/sha256/$DIGEST: is missing $(of_app): repaired"
    is_whole
}

@test "records: renamed, rubbish, other layers, other settings, missing" {
    record=$STORE/images/$ID.json
    cp "$record" "$WORK/record"
    other=$(printf '0%.0s' {1..64})
    mv "$record" "$STORE/images/$other.json"
    run coffer system check
    [ "$status" -eq 1 ]
    grep -qx "images/$other.json: it is the record of sha256:$ID (of image 000000000000)" <<< "$output"
    grep -qx "images/$ID.json: is missing $(of_app)" <<< "$output"
    run coffer system check --repair
    [ "$status" -eq 1 ]
    grep -qx "images/$ID.json: is missing $(of_app): repaired" <<< "$output"
    grep -qx "images/$other.json: it is the record of sha256:$ID (of image 000000000000): not repaired: it has no name in a registry that says its digest" <<< "$output"
    run coffer system check --repair --force
    [ "$status" -eq 0 ]
    grep -qx "images/$other.json: it is the record of sha256:$ID (of image 000000000000): could not be repaired, its images are removed" <<< "$output"
    is_whole
    echo '{' > "$record"
    run coffer system check
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "images/$ID.json: line 2, column 0: "*" $(of_app)" ]]
    coffer system check --repair
    is_whole
    jq -c '.layers[0].key = "../../../etc"' "$WORK/record" > "$record"
    finds "images/$ID.json: its layer 1 has no key: \"../../../etc\" $(of_app)"
    jq -c '.layers |= reverse' "$WORK/record" > "$record"
    run coffer system check
    grep -qx "images/$ID.json: its layer 1 is $TOP, expected $BASE or $BASE $(of_app)" <<< "$output"
    jq -c 'del(.layers[1])' "$WORK/record" > "$record"
    finds "images/$ID.json: it has 1 layers, expected 2 as the image's configuration has $(of_app)" \
        "layers/$TOP: is needed by no image"
    jq -c '.config.config.Cmd = ["/bin/evil"]' "$WORK/record" > "$record"
    finds "images/$ID.json: it says other things than the image's configuration $(of_app)"
    repairs "images/$ID.json: it says other things than the image's configuration $(of_app): repaired"
    is_whole
}

@test "names: one that leads nowhere, one that is none, one that is no link" {
    folder=$STORE/tags/${HOST//\//+}+team+app
    ln -s "../../images/$(printf '1%.0s' {1..64}).json" "$folder/gone"
    ln -s /etc/passwd "$folder/out"
    mkdir -m 700 "$STORE/tags/UPPER"
    ln -s "../../images/$ID.json" "$STORE/tags/UPPER/1"
    echo text > "$folder/file"
    finds "tags/${folder##*/}/gone: leads to image 111111111111, which is not there" "tags/${folder##*/}/out: is no link to an image's record" \
        "tags/UPPER/1: is no link to an image's record" "tags/${folder##*/}/file: does not belong into the store"
    repairs "tags/${folder##*/}/gone: leads to image 111111111111, which is not there: removed" \
        "tags/${folder##*/}/out: is no link to an image's record: removed" "tags/UPPER/1: is no link to an image's record: removed" \
        "tags/${folder##*/}/file: does not belong into the store: moved to lost+found"
    [ ! -e "$STORE/tags/UPPER" ]
    [ "$(cat "$STORE/lost+found/tags+${folder##*/}+file")" = text ]
    is_whole
}

@test "files of strangers are named, and moved by a repair; nothing is overwritten there" {
    echo mine > "$STORE/notes.txt"
    echo mine > "$STORE/layers/$BASE/notes"
    mkdir "$STORE/layers/$(printf 'bad\nname')"
    mkdir "$STORE/lost+found"
    echo older > "$STORE/lost+found/notes.txt"
    finds "notes.txt: does not belong into the store" "layers/$BASE/notes: does not belong into the store" \
        '"layers/bad\x0aname": does not belong into the store'
    repairs "notes.txt: does not belong into the store: moved to lost+found" \
        "layers/$BASE/notes: does not belong into the store: moved to lost+found" \
        '"layers/bad\x0aname": does not belong into the store: moved to lost+found'
    [ "$(cat "$STORE/lost+found/notes.txt")" = older ]
    [ "$(cat "$STORE/lost+found/notes.txt.1")" = mine ]
    [ "$(cat "$STORE/lost+found/layers+$BASE+notes")" = mine ]
}

@test "modes, owners and missing folders" {
    chmod 755 "$STORE" "$STORE/layers"
    chmod 644 "$STORE/images/$ID.json"
    chown 1234 "$STORE/blobs/sha256/$ID"
    rmdir "$STORE/blobs/sha512" "$STORE/staging"
    finds ".: its mode is 0755, expected 0700" "layers: its mode is 0755, expected 0700" \
        "images/$ID.json: its mode is 0644, expected 0600" "blobs/sha256/$ID: belongs to user 1234, expected 0" \
        "blobs/sha512: is missing" "staging: is missing"
    repairs ".: its mode is 0755, expected 0700: repaired" "layers: its mode is 0755, expected 0700: repaired" \
        "images/$ID.json: its mode is 0644, expected 0600: repaired" "blobs/sha256/$ID: belongs to user 1234, expected 0: repaired" \
        "blobs/sha512: is missing: repaired" "staging: is missing: repaired"
    [ "$(stat -c %a "$STORE" "$STORE/layers" "$STORE/images/$ID.json" | tr '\n' ' ')" = "700 700 600 " ]
}

@test "leftovers are told, and are no damage; a living process's are not told" {
    mkdir -m 700 "$STORE/staging/0123456789abcdef" "$STORE/staging/living"
    mkdir "$STORE/staging/0123456789abcdef/layer-0"
    cp -r "$STORE/layers/$TOP" "$STORE/layers/$(printf '2%.0s' {1..64})"
    echo '{}' > "$WORK/blob"
    digest=$(digest_of "$WORK/blob")
    install -m 600 "$WORK/blob" "$STORE/blobs/sha256/${digest#sha256:}"
    exec 7< "$STORE/staging/living"
    flock 7
    run coffer system check
    said 0 "staging/0123456789abcdef: was left by a process that died" "layers/$(printf '2%.0s' {1..64}): is needed by no image" \
        "blobs/sha256/${digest#sha256:}: is needed by no image"
    [[ "${lines[-1]}" == *": all is well, 3 leftovers" ]]
    run coffer system check --repair
    said 0 "staging/0123456789abcdef: was left by a process that died: removed" \
        "layers/$(printf '2%.0s' {1..64}): is needed by no image: removed" "blobs/sha256/${digest#sha256:}: is needed by no image: removed"
    exec 7<&-
    [ "$(ls "$STORE/staging")" = living ]
    [ "$(ls "$STORE/layers" | wc -l)" -eq 2 ]
}

@test "an image from a file has no registry: it is kept and named, or removed by force with what is not shared" {
    coffer load -q --name loaded:1 "oci:$MADE/second:1"
    second=$(config_digest "$MADE/second") second=${second#sha256:}
    rm "$STORE/layers/$(hex_of other)/fs/other"
    before=$(store_listing)
    run coffer system check --repair
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "layers/$(hex_of other): "*" (of image loaded:1): not repaired: "* ]]
    [ "${lines[-1]}" = "What could not be repaired: give a file that has the image (--from), or remove it (coffer rmi, or --force) and load it again." ]
    run coffer system check --repair --force
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == "layers/$(hex_of other): "*" (of image loaded:1): could not be repaired, its images are removed" ]]
    [ "$(coffer images -q --no-trunc)" = "sha256:$ID" ]
    [ ! -e "$STORE/layers/$(hex_of other)" ]
    is_whole
    coffer load -q --name loaded:1 "oci:$MADE/second:1"
    run coffer system check
    [ "$status" -eq 0 ]
}

@test "an image from a file is repaired from the file; its names stay" {
    docker_archive "$WORK/two.tar" "archive:1" "$MADE/base.tar" "$MADE/other.tar"
    coffer load -q -i "$WORK/two.tar"
    coffer tag archive:1 mine:2
    coffer rmi archive:1
    rm -r "$STORE/layers/$(hex_of other)"
    run coffer system check --repair --from "oci:$MADE/app:1"
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "layers/$(hex_of other): is missing (of image mine:2): not repaired: oci:$MADE/app:1 has not got image sha256:"* ]]
    run coffer system check --repair --from "oci:$MADE/app:1" --from "docker-archive:$WORK/two.tar"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "layers/$(hex_of other): is missing (of image mine:2): repaired" ]
    [ "$(coffer images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' ')" = "$NAME mine:2 " ]
    run coffer system check
    [ "$status" -eq 0 ]
    fails "--from $NAME: expected a file or directory, as coffer load takes it" coffer system check --repair --from "$NAME"
    fails "--from oci:$MADE/app: is for --repair; give both" coffer system check --from "oci:$MADE/app"
}

@test "a layer that two images share is brought for the one that has a registry" {
    layout "$WORK/alone" 1 "$MADE/top.tar.gz"
    coffer load -q --name alone:1 "oci:$WORK/alone:1"
    rm -r "$STORE/layers/$TOP"
    run coffer system check --repair
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == "layers/$TOP: is missing (of image "*"): repaired" ]]
    is_whole
}

@test "a registry that does not answer is said, and nothing has changed" {
    coffer tag "$NAME" "127.0.0.1:1/team/app:1"
    coffer rmi "$NAME"
    rm -r "$STORE/layers/$TOP"
    before=$(store_listing)
    run coffer system check --repair
    [ "$status" -eq 1 ]
    said=$(grep '^layers/' <<< "$output")
    [[ "$said" == "layers/$TOP: is missing (of image 127.0.0.1:1/team/app:1): not repaired: 127.0.0.1:1/team/app@sha256:$DIGEST: "*"onnect to 127.0.0.1 port 1"* ]]
    diff <(echo "$before") <(store_listing)
}

@test "what a running container uses is told and not replaced" {
    LEAK_NAME=busy
    coffer run --name busy --network none "$NAME" sleep 60 &
    pid=$!
    for _ in $(seq 100); do
        coffer ps | grep -q busy && break
        sleep 0.1
    done
    rm "$STORE/layers/$TOP/layer.json"
    run coffer system check --repair --force
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "layers/$TOP: layer.json is missing $(of_app): not repaired: image ${ID:0:12} is in use by a running container; stop it first" ]
    coffer rm -f busy
    wait "$pid" || true
    repairs "layers/$TOP: layer.json is missing $(of_app): repaired"
    is_whole
}

@test "an image that is mounted is told and not replaced" {
    coffer image mount "$NAME"
    rm "$STORE/layers/$TOP/layer.json"
    run coffer system check --repair --force
    coffer image unmount "$NAME"
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "layers/$TOP: layer.json is missing $(of_app): not repaired: image ${ID:0:12} is mounted; unmount it first (coffer image unmount)" ]
    repairs "layers/$TOP: layer.json is missing $(of_app): repaired"
}

@test "what others bring and remove meanwhile is no damage" {
    churn() {
        while [ ! -e "$WORK/stop" ]; do
            "$COFFER" --root "$(coffer_root)" --store "$STORE" load -q --name churn:1 "oci:$MADE/second:1"
            "$COFFER" --root "$(coffer_root)" --store "$STORE" rmi churn:1
        done
    }
    churn > "$WORK/churned" 2>&1 3>&- &
    pid=$!
    for _ in $(seq 30); do
        run coffer system check
        [ "$status" -eq 0 ] || break
    done
    touch "$WORK/stop"
    wait "$pid" || churn_status=$?
    if [ "$status" -ne 0 ] || [ "${churn_status:-0}" -ne 0 ] || grep -v '^Untagged\|^Deleted\|^Loaded\|^sha256' "$WORK/churned"; then
        echo "exit code $status, output: $output"
        cat "$WORK/churned"
        return 1
    fi
}

@test "a repair that is killed leaves a store that the next one repairs" {
    for delay in 0.005 0.01 0.02 0.04 0.08 0.16; do
        rm -rf "$STORE/layers/$TOP" "$STORE/blobs/sha256/$ID"
        echo x >> "$STORE/layers/$BASE/fs/bin/big"
        timeout -s KILL "$delay" "$COFFER" --root "$(coffer_root)" --store "$STORE" system check --repair > "$WORK/said" 2>&1 || true
    done
    coffer system check --repair
    run coffer system check
    [ "$status" -eq 0 ]
    [[ "$output" == *": all is well" ]]
    is_whole
    nothing_staged
}

@test "on a terminal it shows how far it is; elsewhere findings are all it says" {
    on_pty "$COFFER --root $(coffer_root) --store $STORE system check"
    [ "$status" -eq 0 ]
    grep -q "layer ${BASE:0:12} *read 2[0-9.]*MB" <<< "$output"
    grep -q "all is well" <<< "$output"
    coffer system check 2> "$WORK/stderr"
    [ ! -s "$WORK/stderr" ]
}

@test "JSON has all findings" {
    rm -r "$STORE/layers/$TOP"
    echo x > "$STORE/foreign"
    run coffer system check --format json
    [ "$status" -eq 1 ]
    [ "$(jq -c '[.damage, .repaired]' <<< "$output")" = '[2,0]' ]
    [ "$(jq -c '.findings[] | select(.kind == "layer")' <<< "$output")" = \
        "{\"kind\":\"layer\",\"path\":\"layers/$TOP\",\"problem\":\"is missing\",\"images\":[\"$ID\"],\"outcome\":\"found\"}" ]
    run coffer system check --repair --format json
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.findings[] | [.kind, .outcome]] | sort' <<< "$output")" = '[["foreign","repaired"],["layer","repaired"]]' ]
}

@test "an image that is named: only what it needs" {
    coffer pull -q "$HOST/team/second:1"
    echo x > "$STORE/foreign"
    rm "$STORE/layers/$(hex_of other)/layer.json"
    run coffer system check "$NAME"
    [ "$status" -eq 0 ]
    run coffer system check "$HOST/team/second:1"
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "layers/$(hex_of other): layer.json is missing (of image "* ]]
    run coffer system check --repair "$HOST/team/second:1"
    [ "$status" -eq 0 ]
    [ -e "$STORE/foreign" ]
}
