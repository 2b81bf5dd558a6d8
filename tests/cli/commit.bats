#!/usr/bin/env bats
# What containers have made of their images: coffer diff tells it, commit makes an image of it, export writes all of their files down.
bats_require_minimum_version 1.5.0
load engine

setup() {
    needs skopeo setcap
    engine_setup "$(make_rich):rich"
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    [ -z "${caught:-}" ] || kill -KILL "$caught" 2> /dev/null || true
    [ -z "${HOME_DIR:-}" ] || leave_home
    engine_teardown
}

# make_image with files in two layers to be changed.
make_rich() {
    local layout=$BATS_FILE_TMPDIR/image.rich bundle=$BATS_FILE_TMPDIR/unpacked.rich
    if [ ! -d "$layout" ]; then
        cp -r "$(make_image tiny)" "$layout.new"
        umoci --log error unpack --image "$layout.new:tiny" "$bundle"
        mkdir -p "$bundle"/rootfs/{old/sub,gone/deep,moved,there}
        echo a > "$bundle/rootfs/old/a"
        echo b > "$bundle/rootfs/old/sub/b"
        echo x > "$bundle/rootfs/gone/deep/x"
        echo m > "$bundle/rootfs/moved/m"
        umoci --log error repack --refresh-bundle --image "$layout.new:rich" "$bundle"
        echo c > "$bundle/rootfs/old/c"
        chown 1000:1001 "$bundle/rootfs/old/c"
        umoci --log error repack --image "$layout.new:rich" "$bundle"
        rm -rf "$bundle"
        mv "$layout.new" "$layout"
    fi
    echo "$layout"
}

# What all of these tests do to the image.
work='cd /old; echo more >> a; rm sub/b; echo new > "new file"; chown 7:8 "new file"; chmod 4755 "new file"
    rm -r /gone; mv /moved /renamed; rm -r /there; mkdir /there; echo t > /there/t
    ln -s /old/a /link; ln "new file" hard; mkfifo /fifo'

changes='A /fifo
D /gone
A /link
D /moved
C /old
C /old/a
A /old/hard
A /old/new file
C /old/sub
D /old/sub/b
A /renamed
A /renamed/m
C /there
A /there/t'

@test "diff: added, changed, deleted, renamed, made anew; not what was mounted" {
    coffer run -d --name box -v vol:/new/volume -v /old/sub/other tiny sh -c "$work; rmdir /old/sub/other 2> /dev/null; echo ready; sleep 1000" > /dev/null
    for _ in $(seq 100); do
        coffer logs box | grep -q ready && break
        sleep 0.1
    done
    [ "$(coffer diff box)" = "$changes" ]
    coffer stop -t 0 box
    [ "$(coffer diff box)" = "$changes" ]
    [ "$(coffer diff --format json box | jq -sc 'map([.Kind, .Path]) | .[0:2]')" = '[["A","/fifo"],["D","/gone"]]' ]
    [ "$(coffer diff --format '{{.Path}}' box | head -n 1)" = /fifo ]
    coffer create --name fresh tiny true > /dev/null
    [ -z "$(coffer diff fresh)" ]
    # A name that would play with the terminal.
    coffer run --name odd tiny touch "$(printf '/tmp/\033[2J')"
    [ "$(coffer diff odd | tail -n 1)" = 'A /tmp/\x1b[2J' ]
    run coffer diff nobody
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: no container is named "nobody"; coffer ps --all lists them' ]
}

@test "commit: one more layer, which has the changes and nothing else" {
    coffer run --name box -e MODE=test -w /old --label team=x tiny sh -c "$work"
    id=$(coffer commit -a 'Jane <jane@example.com>' -m 'with changes' -c 'CMD ["cat", "/old/a"]' -c 'ENV EXTRA=1' box made:one)
    [[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
    [ "$(coffer run --rm made:one | paste -sd ' ')" = "a more" ]
    [ "$(coffer run --rm made:one sh -c 'stat -c "%u:%g:%a:%h" "/old/new file"; cat /old/hard; ls /there; ls /old/sub | wc -l; readlink /link; test ! -e /gone && test ! -e /moved && cat /renamed/m; stat -c %u:%g /old/c; pwd; echo $MODE$EXTRA' | paste -sd ' ')" = \
        "7:8:4755:2 new t 0 /old/a m 1000:1001 /old test1" ]
    coffer create --name again made:one > /dev/null
    [ -z "$(coffer diff again)" ]
    # As an image: the layers of the old one, and the new.
    coffer inspect made:one > one.json
    coffer inspect tiny > tiny.json
    [ "$(jq -c '.[0].RootFS.Layers[:-1]' one.json)" = "$(jq -c '.[0].RootFS.Layers' tiny.json)" ]
    [ "$(jq -r '.[0] | .Author, .Config.Labels.team' one.json | paste -sd ' ')" = "Jane <jane@example.com> x" ]
    [ "$(coffer history --format '{{.Comment}}' made:one | head -n 1)" = "with changes" ]
    coffer save --format oci-archive -o one.tar made:one
    mkdir saved && tar -C saved -xf one.tar
    top=$(jq -r '.manifests[0].digest' saved/index.json | cut -d : -f 2)
    layer=$(jq -r '.layers[-1].digest' "saved/blobs/sha256/$top" | cut -d : -f 2)
    [ "$(tar -tf "saved/blobs/sha256/$layer" | LC_ALL=C sort | paste -sd ' ')" = \
        "./ .wh.gone .wh.moved fifo link old/ old/a old/hard old/new file old/sub/ old/sub/.wh.b renamed/ renamed/m there/ there/.wh..wh..opq there/t" ]
    # And for others.
    skopeo copy --quiet oci-archive:one.tar "dir:$PWD/copied"
    coffer system check
}

@test "commit of one that runs: held meanwhile, and let go in any case" {
    coffer run -d --name box tiny sh -c 'while :; do echo x >> /old/a; done' > /dev/null
    coffer commit box held > /dev/null
    [ "$(coffer ps --format '{{.State}}')" = running ]
    coffer commit --pause=false box free > /dev/null
    coffer pause box
    coffer commit box paused > /dev/null
    [ "$(coffer ps --format '{{.State}}')" = paused ]
    coffer unpause box
    for _ in 1 2 3; do
        timeout -s KILL 0.05 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" commit box killed > /dev/null 2>&1 || true
    done
    for _ in $(seq 100); do
        [ "$(coffer ps --format '{{.State}}')" = running ] && break
        sleep 0.1
    done
    [ "$(coffer ps --format '{{.State}}')" = running ]
    coffer rm -f box
    coffer images > /dev/null # takes away what was half made
    [ -z "$(ls "$(coffer_store)/staging")" ]
    coffer system check
}

# A commit in the background that is stopped while it has what the command looks for; the container's layer is large enough for that.
catch() { # COMMAND...
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" commit box caught > /dev/null 2> caught.txt &
    caught=$!
    for _ in $(seq 5000); do
        "$@" && break
    done
    kill -STOP $caught
    "$@"
}

is_paused() {
    [ "$(coffer ps --format '{{.State}}')" = paused ]
}

guard_of() { # PID: its child that leads a session
    ps -o pid=,sess= --ppid "$1" | while read -r pid session; do
        [ "$pid" != "$session" ] || echo "$pid"
    done
}

@test "commit of one that runs: one at a time, a user's pause stays, and what was killed leaves none" {
    coffer run -d --name box tiny sh -c 'dd if=/dev/urandom of=/large bs=1M count=64 2> /dev/null; echo ready; sleep 1000' > /dev/null
    for _ in $(seq 300); do
        coffer logs box | grep -q ready && break
        sleep 0.1
    done
    catch is_paused
    run timeout -k 2 1 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" commit box second
    [ "$status" -eq 124 ]
    coffer pause box > /dev/null &
    pausing=$!
    kill -CONT $caught
    wait $caught
    wait $pausing
    is_paused
    coffer unpause box
    catch is_paused
    guard=$(guard_of $caught)
    kill -KILL "$guard"
    kill -CONT $caught
    wait $caught
    [ "$(coffer ps --format '{{.State}}')" = running ]
    [ ! -s caught.txt ]
}

@test "commit of one that does not run: nobody starts or removes it meanwhile" {
    coffer run --name box tiny dd if=/dev/urandom of=/large bs=1M count=64 2> /dev/null
    folder=$(coffer_store)/containers/$(coffer ps -aq --no-trunc)
    is_locked() {
        ! flock -n -s "$folder" true || false
    }
    catch is_locked
    run timeout -k 2 1 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm box
    [ "$status" -eq 124 ]
    kill -CONT $caught
    wait $caught
    [ "$(coffer run --rm caught stat -c %s /large)" = 67108864 ]
    coffer rm box
}

@test "what is removed while it is read is an error, not a part of it" {
    start_large() {
        coffer run -d --name box tiny sh -c 'dd if=/dev/urandom of=/large bs=1M count=64 2> /dev/null; touch /ready; exec sleep 1000' > /dev/null
        until_true coffer exec box stat /ready
    }
    mkfifo pipe
    for command in "export box" "cp box:/ -"; do
        start_large
        # shellcheck disable=SC2086 # two words and more
        coffer $command > pipe 2> said.txt &
        reading=$!
        exec 9< pipe
        head -c 1 <&9 > /dev/null
        coffer rm -f box > /dev/null
        cat <&9 > /dev/null
        exec 9<&-
        status=0
        wait $reading || status=$?
        [ "$status" -eq 125 ]
        [[ $(cat said.txt) == "coffer: "*": the container was removed meanwhile" ]]
    done
    start_large
    children_of() { # the first one
        child=
        { read -r child _ < "/proc/$1/task/$1/children"; } 2> /dev/null || true
        [ -n "$child" ]
    }
    # Who writes the tar is stopped while at it; where that was over already, once more.
    for _ in $(seq 20); do
        packer=''
        "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" commit --pause=false box half > /dev/null 2> said.txt &
        committing=$!
        while [ -z "$packer" ] && [ -e "/proc/$committing" ]; do
            children_of $committing && children_of "$child" && packer=$child
        done
        kill -STOP "$packer" && [[ $(ps -o state= -p "$packer") == T* ]] && break
        wait $committing
        coffer rmi half > /dev/null
    done
    coffer rm -f box > /dev/null
    kill -CONT "$packer"
    status=0
    wait $committing || status=$?
    [ "$status" -eq 125 ]
    [ "$(cat said.txt)" = "coffer: commit box: the container was removed meanwhile" ]
    [ -z "$(coffer images -q half)" ]
}

@test "commit: capabilities, and files that a container of root's has on the host" {
    cp "$(command -v busybox)" tool
    setcap cap_net_raw=ep tool
    coffer create --name box tiny true > /dev/null
    coffer cp -a tool box:/bin/tool
    coffer commit box caps > /dev/null
    coffer create --name other caps true > /dev/null
    coffer cp -a other:/bin/tool back
    [[ $(getcap back) == *cap_net_raw=ep ]]
    coffer run --userns host --name host tiny sh -c 'echo h > /old/host; chown 3:4 /old/host; rm /old/c'
    coffer commit host hosted > /dev/null
    [ "$(coffer run --rm hosted sh -c 'stat -c %u:%g /old/host; ls /old' | paste -sd ' ')" = "3:4 a host sub" ]
    run coffer commit -c 'FROM x' box
    [ "$status" -eq 125 ]
    run coffer commit box 'Upper/Case'
    [ "$status" -eq 125 ]
}

@test "export: all files, flat, and an image of them again" {
    coffer run -d --name box -v vol:/old/sub tiny sh -c "$work; echo in volume > /old/sub/v; echo ready; sleep 1000" > /dev/null
    for _ in $(seq 100); do
        coffer logs box | grep -q ready && break
        sleep 0.1
    done
    coffer export -o up.tar box
    coffer stop -t 0 box
    coffer export box > down.tar
    for tar in up.tar down.tar; do
        tar --numeric-owner -tvf $tar > list
        grep -q '^-rwsr-xr-x 7/8 .* old/hard$' list
        grep -q '^-rw-r--r-- 1000/1001 .* old/c$' list
        grep -q '^hrw.* old/new file link to old/hard$' list
        grep -q ' bin/busybox$' list
        ! grep -q 'old/sub/v$\|gone\| proc/.' list || false
        [ "$(tar -xOf $tar old/a | paste -sd ' ')" = "a more" ]
    done
    coffer import -c 'ENV PATH=/bin' down.tar flat > /dev/null
    [ "$(coffer run --rm flat cat /there/t)" = t ]
    run coffer export nobody -o x.tar
    [ "$status" -eq 125 ]
    [ ! -e x.tar ]
}

@test "what a container names like a whiteout is refused, not believed" {
    coffer run --name box tiny touch /old/.wh.a
    run coffer commit box bad
    [ "$status" -eq 125 ]
    [[ $output == *'"old/.wh.a": is named as whiteouts are in layers (.wh.), and would delete something there' ]]
    coffer export box | tar -tf - | grep -qx 'old/.wh.a'
    [ "$(coffer diff box | paste -sd ' ')" = "C /old A /old/.wh.a" ]
}

@test "rootless: diff, commit and export" {
    make_home "$(make_rich)" rich
    mine run --name box tiny sh -c "$work"
    [ "$(mine diff box)" = "$changes" ]
    mine commit -m mine box made > /dev/null
    [ "$(mine run --rm made sh -c 'stat -c %u:%g "/old/new file"; ls /there; ls /old/sub | wc -l; test ! -e /gone' | paste -sd ' ')" = "7:8 t 0" ]
    mine export box | tar --numeric-owner -tvf - | grep -q '^-rwsr-xr-x 7/8 .* old/hard$'
}
