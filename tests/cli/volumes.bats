#!/usr/bin/env bats
# Volumes: files that outlive containers, and what -v and --mount make of them. Root's, and at the end an ordinary user's.
bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs_root
    needs umoci busybox jq setpriv
    export LEAK_NAME=none
    coffer load -q --name tiny "oci:$(make_filled):filled" > /dev/null
    coffer run --rm tiny true # the first one makes the folders
    leak_snapshot
}

teardown() {
    coffer ps -aq | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f -v > /dev/null
    [ -z "${HOME_DIR:-}" ] || leave_home
    umount "$BATS_TEST_TMPDIR/here/sub" 2> /dev/null || true # of a test that has failed
    leak_check
}

# make_image with a directory that a volume is filled from, in two layers, and one that its configuration calls a volume.
make_filled() {
    local layout=$BATS_FILE_TMPDIR/image.filled bundle=$BATS_FILE_TMPDIR/unpacked.filled tiny
    if [ ! -d "$layout" ]; then
        tiny=$(make_image tiny)
        cp -r "$tiny" "$layout.new"
        umoci --log error unpack --image "$layout.new:tiny" "$bundle"
        mkdir -p "$bundle/rootfs/data/sub" "$bundle/rootfs/own" "$bundle/rootfs/empty"
        echo lower > "$bundle/rootfs/data/a"
        echo gone > "$bundle/rootfs/data/gone"
        umoci --log error repack --refresh-bundle --image "$layout.new:filled" "$bundle"
        echo upper > "$bundle/rootfs/data/b"
        rm "$bundle/rootfs/data/gone"
        ln -s a "$bundle/rootfs/data/link"
        ln "$bundle/rootfs/data/b" "$bundle/rootfs/data/hard"
        touch "$bundle/rootfs/data/sub/users" "$bundle/rootfs/own/first"
        chown 1000:1000 "$bundle/rootfs/data" "$bundle/rootfs/data/sub/users"
        chmod 2770 "$bundle/rootfs/data"
        chmod 4755 "$bundle/rootfs/data/a"
        chmod 700 "$bundle/rootfs/empty"
        setfattr -n user.note -v kept "$bundle/rootfs/data/b" 2> /dev/null || true
        ln -s /data "$bundle/rootfs/to-data"
        umoci --log error repack --image "$layout.new:filled" "$bundle"
        umoci --log error config --image "$layout.new:filled" --config.volume /own --config.env PATH=/bin --config.cmd /bin/sh
        rm -rf "$bundle"
        mv "$layout.new" "$layout"
    fi
    echo "$layout"
}

fails() {
    local message=$1
    shift
    run "$@"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $message" ]
}

volume_names() {
    coffer volume ls -q | paste -sd ' '
}

data_of() {
    coffer volume inspect -f '{{.Mountpoint}}' "$1"
}

# Nothing in the folder of volumes but volumes.
nothing_half() {
    [ -z "$(find "$(coffer_store)/volumes" -mindepth 1 -maxdepth 2 \( -name '.*' -o -name '_f*' \))" ]
}

@test "create, ls, inspect and rm" {
    [ "$(coffer volume ls -q)" = "" ]
    [ "$(coffer volume create --label team=x --label empty data)" = data ]
    [ "$(coffer volume create data)" = data ]
    run coffer volume inspect data
    [ "$status" -eq 0 ]
    [ "$(jq -c '.[0] | [.Name, .Driver, .Scope, .Labels, .Options, .Mountpoint]' <<< "$output")" = \
        "[\"data\",\"local\",\"local\",{\"team\":\"x\",\"empty\":\"\"},{},\"$(coffer_store)/volumes/data/_data\"]" ]
    [[ "$(jq -r '.[0].CreatedAt' <<< "$output")" =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]
    made=$(coffer volume create)
    [[ $made =~ ^[0-9a-f]{64}$ ]]
    run coffer volume ls
    [[ ${lines[0]} =~ ^DRIVER\ +VOLUME\ NAME$ ]]
    [ "$(coffer volume ls --format '{{.Driver}} {{.Labels}}' -f name=data)" = "local team=x,empty=" ]
    [ "$(coffer volume ls --format json -f name=data | jq -r .Name)" = data ]
    [ "$(coffer volume rm "$made" data)" = "$made
data" ]
    fails 'no volume is named "data"; coffer volume ls lists them' coffer volume rm data
    fails 'no volume is named "data"; coffer volume ls lists them' coffer volume inspect data
    [ "$(coffer volume rm -f data)" = "" ]
    [ -z "$(ls -A "$(coffer_store)/volumes")" ]
    [ "$(stat -c %a "$(coffer_store)/volumes")" = 700 ]
}

@test "what is refused is refused for a reason" {
    fails 'volume name "a/b": expected 2 to 128 letters, digits, _ . or -, a letter or digit in front' coffer volume create a/b
    fails 'volume name "..": expected 2 to 128 letters, digits, _ . or -, a letter or digit in front' coffer volume rm ..
    fails 'volume name ".new": expected 2 to 128 letters, digits, _ . or -, a letter or digit in front' coffer volume inspect .new
    fails "--driver nfs: there are no drivers of volumes but local" coffer volume create -d nfs data
    fails '--label "=x": expected KEY=VALUE or KEY' coffer volume create --label =x data
    fails '--opt "size=3": expected type=none, device=DIRECTORY or o=bind' coffer volume create -o size=3 data
    fails '--opt: expected type=none, o=bind and device=DIRECTORY, an absolute path, all three' coffer volume create -o type=none data
    fails '--opt: expected type=none, o=bind and device=DIRECTORY, an absolute path, all three' \
        coffer volume create -o o=bind -o device=relative data
    fails "--opt type=tmpfs: nothing lives on between containers to keep a tmpfs that they share; give each its own with --tmpfs or --mount type=tmpfs" \
        coffer volume create -o type=tmpfs -o device=tmpfs data
    fails "--opt type=nfs: only directories of this host can be volumes; mount it yourself and give type=none, o=bind and device=DIRECTORY" \
        coffer volume create -o type=nfs -o device=:/x data
    fails "--filter colour=red: expected name=TEXT, label=KEY[=VALUE], dangling=true or false, driver=local or scope=local" \
        coffer volume ls -f colour=red
    fails "--filter dangling=maybe: expected name=TEXT, label=KEY[=VALUE], dangling=true or false, driver=local or scope=local" \
        coffer volume ls -f dangling=maybe
    fails "--filter name=x: expected label=KEY[=VALUE], label!=KEY[=VALUE] or all=true" coffer volume prune -f --filter name=x
    fails "standard input is no terminal to ask on; use --force" coffer volume prune < /dev/null
    fails '--name b: there is a name behind the options already; leave out one of them' coffer volume create --name b aa
    [ "$(volume_names)" = "" ]
    fails 'run tiny: --volume: "x/y:/v": the name of a volume has no slash; write the path as ./x/y' coffer run --rm -v x/y:/v tiny true
    fails 'run tiny: --volume: "data:/a/": something is mounted at /a already; leave out one of them' \
        coffer run --rm -v /etc:/a -v data:/a/ tiny true
    fails 'run tiny: --volumes-from: no container is named "nope"; coffer ps --all lists them' coffer run --rm --volumes-from nope tiny true
    fails 'run tiny: --volumes-from: "a:rx": expected CONTAINER, CONTAINER:ro or CONTAINER:rw' coffer run --rm --volumes-from a:rx tiny true
    fails "run tiny: --mount: source $BATS_TEST_TMPDIR/none does not exist; make it, or use --volume, which does" \
        coffer run --rm --mount "type=bind,source=$BATS_TEST_TMPDIR/none,target=/v" tiny true
    [ "$(volume_names)" = "" ]
    [ "$(coffer ps -aq)" = "" ]
}

@test "a named volume outlives its containers, with owners as they are seen inside" {
    coffer run --rm -v vol:/v tiny sh -c 'echo kept > /v/file; touch /v/users; chown 1000:2000 /v/users'
    [ "$(coffer run --rm -v vol:/v tiny cat /v/file)" = kept ]
    [ "$(coffer run --rm -v vol:/v --userns host tiny stat -c %u:%g /v/users)" = 1000:2000 ]
    [ "$(coffer run --rm --mount source=vol,target=/v tiny stat -c %u:%g /v/file /v/users | paste -sd ' ')" = "0:0 1000:2000" ]
    [ "$(stat -c %u:%g "$(data_of vol)/users")" = 1000:2000 ]
    run coffer run --rm -v vol:/v:ro tiny touch /v/x
    [ "$status" -eq 1 ]
    [[ $output == *"Read-only file system"* ]]
    run coffer run --rm --mount source=vol,target=/v,readonly tiny touch /v/x
    [[ $output == *"Read-only file system"* ]]
    [ "$(volume_names)" = vol ]
}

@test "two containers at once share a volume" {
    coffer run -d --name one -v shared:/v tiny sleep 100
    coffer run --rm -v shared:/w tiny sh -c 'echo hello > /w/x'
    [ "$(coffer exec one cat /v/x)" = hello ]
    coffer run --rm --volumes-from one tiny sh -c 'cat /v/x && echo more > /v/y'
    [ "$(coffer exec one cat /v/y)" = more ]
    run coffer run --rm --volumes-from one:ro tiny touch /v/z
    [ "$status" -eq 1 ]
    [[ $output == *"Read-only file system"* ]]
}

@test "an empty volume is filled from the image: layers, owners, modes, links, attributes" {
    coffer run --rm -v vol:/data tiny true
    data=$(data_of vol)
    [ "$(stat -c '%u:%g %a' "$data")" = "1000:1000 2770" ]
    [ "$(ls "$data" | paste -sd ' ')" = "a b hard link sub" ]
    [ "$(cat "$data/a" "$data/b" | paste -sd ' ')" = "lower upper" ]
    [ "$(stat -c %a "$data/a")" = 4755 ]
    [ "$(stat -c %h "$data/b")" = 2 ]
    [ "$(readlink "$data/link")" = a ]
    [ "$(stat -c %u:%g "$data/sub/users")" = 1000:1000 ]
    if getfattr -n user.note "$data/b" > /dev/null 2>&1; then
        [ "$(getfattr --only-values -n user.note "$data/b")" = kept ]
    fi
    nothing_half
    # Only an empty one, and not when told.
    coffer run --rm -v vol:/data tiny rm /data/a
    coffer run --rm -v vol:/data tiny sh -c '! [ -e /data/a ]'
    coffer run --rm -v bare:/data:nocopy tiny sh -c '[ -z "$(ls -A /data)" ]'
    coffer run --rm --mount source=bare,target=/data,volume-nocopy tiny sh -c '[ -z "$(ls -A /data)" ]'
    coffer run --rm -v bare:/data tiny cat /data/a
    # An empty directory has a mode, too; a link in the image is followed there.
    coffer run --rm -v mode:/empty tiny true
    [ "$(stat -c %a "$(data_of mode)")" = 700 ]
    coffer run --rm -v link:/to-data tiny true
    [ -f "$(data_of link)/b" ]
    coffer run --rm -v new:/not/there tiny true
    [ "$(ls -A "$(data_of new)")" = "" ]
}

@test "a created container has its volumes filled, and starts with them" {
    coffer create --name one -v vol:/data tiny cat /data/a
    [ -f "$(data_of vol)/a" ]
    [ "$(coffer start -a one)" = lower ]
    # What was removed behind its back is there again.
    rm -r "$(coffer_store)/volumes/vol"
    run coffer start -a one
    [ "$status" -eq 1 ]
    [ "$(coffer volume ls -q -f name=vol)" = vol ]
}

@test "volumes without a name go with --rm and rm --volumes, named ones never" {
    coffer run --rm -v /anon -v named:/n tiny sh -c '[ -e /own/first ] && touch /anon/x /n/x'
    [ "$(volume_names)" = named ]
    coffer run --name one -v /anon --mount type=volume,target=/more -v named:/n tiny true
    [ "$(coffer volume ls -q | wc -l)" -eq 4 ] # /anon, /more, the image's /own, named
    coffer rm -v one
    [ "$(volume_names)" = named ]
    coffer run --name two -v /anon tiny true
    coffer rm two
    [ "$(coffer volume ls -q | wc -l)" -eq 3 ]
    # Left behind by rm: prune takes them, and the named one only when told.
    run coffer volume prune -f
    [ "$(grep -c '^Deleted volume: [0-9a-f]\{64\}$' <<< "$output")" -eq 2 ]
    [[ $output == *"Total reclaimed space: "* ]]
    [ "$(volume_names)" = named ]
    run coffer volume prune -f --all
    [ "${lines[0]}" = "Deleted volume: named" ]
    [ "$(volume_names)" = "" ]
}

@test "a volume of one's own that another one has by --volumes-from stays for that" {
    coffer run --name one -v /anon tiny sh -c 'echo x > /anon/file'
    coffer create --name two --volumes-from one tiny cat /anon/file
    coffer rm -v one
    [ "$(coffer start -a two)" = x ]
    coffer rm -v two
    [ "$(volume_names)" = "" ]
}

@test "--rm removes them after kill -9 of the monitor" {
    coffer run -d --rm --name one -v /anon tiny sleep 1000
    [ "$(coffer volume ls -q | wc -l)" -eq 2 ]
    kill -9 "$(monitors)"
    coffer rm -f one
    [ "$(volume_names)" = "" ]
}

@test "a volume in use is not removed, whether its container runs or not" {
    coffer create --name made -v vol:/v tiny true > /dev/null
    fails "volume vol is used by container made; remove that first (coffer rm made)" coffer volume rm vol
    coffer run -d --name runs -v vol:/v tiny sleep 100 > /dev/null
    run coffer volume rm -f vol
    [ "$status" -eq 125 ]
    [[ $output == "coffer: volume vol is used by container "*" and others; remove that first (coffer rm "* ]]
    run coffer volume prune -f --all
    [ "$status" -eq 0 ]
    [ "$(coffer volume ls -q -f dangling=true)" = "" ]
    coffer create --name free -v other:/v tiny true > /dev/null
    coffer rm free > /dev/null
    [ "$(coffer volume ls -q -f dangling=true -f name=other)" = other ]
    [ "$(coffer volume ls -q -f dangling=false -f name=vol)" = vol ]
    coffer rm -f made runs > /dev/null
    coffer volume rm vol
}

@test "filters of ls and prune" {
    coffer volume create --label team=x --label a=1 one > /dev/null
    coffer volume create --label team=y two > /dev/null
    coffer volume create three > /dev/null
    [ "$(coffer volume ls -q -f label=team | paste -sd ' ')" = "one two" ]
    [ "$(coffer volume ls -q -f label=team=x -f label=a=1)" = one ]
    [ "$(coffer volume ls -q -f name=tw -f name=thr | paste -sd ' ')" = "three two" ]
    [ "$(coffer volume ls -q -f driver=local | wc -l)" -eq 3 ]
    [ "$(coffer volume ls -q -f driver=nfs)" = "" ]
    [ "$(coffer volume prune -f)" = "" ]
    [ "$(coffer volume prune -f --filter all=true --filter label=team=x | head -1)" = "Deleted volume: one" ]
    [ "$(coffer volume prune -f -a --filter 'label!=team' | head -1)" = "Deleted volume: three" ]
    [ "$(volume_names)" = two ]
}

@test "a directory of the host as a volume" {
    mkdir "$BATS_TEST_TMPDIR/host"
    echo host > "$BATS_TEST_TMPDIR/host/file"
    coffer volume create -o type=none -o o=bind,ro -o "device=$BATS_TEST_TMPDIR/host" data > /dev/null
    [ "$(coffer volume inspect -f '{{.Mountpoint}}' data)" = "$BATS_TEST_TMPDIR/host" ]
    [ "$(coffer run --rm -v data:/v tiny cat /v/file)" = host ]
    run coffer run --rm -v data:/v tiny touch /v/x
    [[ $output == *"Read-only file system"* ]]
    fails "volume data exists already, with other options; remove that (coffer volume rm data) or choose another name" coffer volume create data
    coffer volume rm data > /dev/null
    [ -f "$BATS_TEST_TMPDIR/host/file" ]
    coffer volume create -o type=none -o o=bind -o "device=$BATS_TEST_TMPDIR/none" lost > /dev/null
    fails "run tiny: volume lost: device $BATS_TEST_TMPDIR/none: No such file or directory" coffer run --rm -v lost:/v tiny true
}

@test "binds: relative paths, ~, what is below, propagation, a tmpfs' size and mode" {
    mkdir -p "$BATS_TEST_TMPDIR/here/sub"
    echo here > "$BATS_TEST_TMPDIR/here/file"
    cd "$BATS_TEST_TMPDIR"
    [ "$(coffer run --rm -v ./here:/v tiny cat /v/file)" = here ]
    [ "$(coffer run --rm --mount type=bind,source=./here,target=/v tiny cat /v/file)" = here ]
    # shellcheck disable=SC2088 # ours to expand
    [ "$(HOME=$BATS_TEST_TMPDIR coffer run --rm -v '~/here:/v' tiny cat /v/file)" = here ]
    coffer run --rm -v ./deep/er:/v tiny true
    [ -d deep/er ]
    # Of a file system that can be shown with other user ids: a tmpfs can since Linux 6.3, procfs never.
    mkdir other
    touch other/below
    mount -t proc proc here/sub
    fails "run tiny: mount /v: mounts[10].source: a file system mounted below $BATS_TEST_TMPDIR/./here cannot show its files to another range of user ids; use --userns host, or another place: map the ids of $BATS_TEST_TMPDIR/./here: Invalid argument" \
        coffer run --rm -v ./here:/v tiny true
    umount here/sub
    mount --bind other here/sub
    run coffer run --rm -v ./here:/v:ro tiny touch /v/sub/x
    [[ $output == *"Read-only file system"* ]]
    coffer run --rm --mount type=bind,src=./here,dst=/v,ro,bind-recursive=writable tiny touch /v/sub/x
    coffer run --rm --mount type=bind,src=./here,dst=/v,bind-nonrecursive tiny sh -c '! [ -e /v/sub/below ]'
    umount here/sub
    [ "$(coffer run --rm --mount type=tmpfs,dst=/v,tmpfs-size=1m,tmpfs-mode=1770 tiny sh -c 'stat -c %a /v; df -k /v | tail -1 | tr -s " " | cut -d " " -f 2' | paste -sd ' ')" = "1770 1024" ]
    [ "$(coffer run --rm -v vol:/a/b/c -v ./here:/a tiny sh -c 'ls /a; ls -d /a/b/c' | paste -sd ' ')" = "b file sub /a/b/c" ]
}

@test "a part of a volume, out of which its links do not lead" {
    coffer run --rm -v vol:/v tiny sh -c 'mkdir -p /v/sub/deep; echo deep > /v/sub/deep/f; echo top > /v/f; ln -s /sub/deep /v/in; ln -s ../../../../../../etc /v/out; ln -s /etc/hostname /v/name; ln -s /proc/self/root/etc /v/magic'
    for mode in auto host; do
        [ "$(coffer run --rm --userns $mode --mount source=vol,target=/w,volume-subpath=sub/deep tiny cat /w/f)" = deep ]
        [ "$(coffer run --rm --userns $mode --mount source=vol,target=/w,volume-subpath=in tiny cat /w/f)" = deep ]
        [ "$(coffer run --rm --userns $mode --mount source=vol,target=/w,volume-subpath=f tiny cat /w)" = top ]
        for way in out name magic none ../../..; do
            run coffer run --rm --userns $mode --mount "source=vol,target=/w,volume-subpath=$way" tiny sh -c 'ls -A /w | tr "\n" " "'
            if [ $way = ../../.. ]; then
                [ "$output" = "f in magic name out sub " ] # the top of the volume
            else
                [ "$status" -eq 125 ]
                [[ $output == "coffer: run tiny: "*"open $(data_of vol)/$way: No such file or directory" ]]
            fi
        done
    done
    # Nothing is filled there, and it is shared as a part.
    coffer run --rm --mount source=new,target=/v,volume-nocopy tiny mkdir /v/data
    [ "$(coffer run --rm --mount source=new,target=/data,volume-subpath=data,readonly tiny sh -c 'ls -A /data; touch /data/x 2>&1' | cut -d: -f3)" = " Read-only file system" ]
    coffer create --name one --mount source=vol,target=/w,volume-subpath=sub tiny true > /dev/null
    [ "$(coffer run --rm --volumes-from one tiny cat /w/deep/f)" = deep ]
    fails "volume vol is used by container one; remove that first (coffer rm one)" coffer volume rm vol
}

@test "two containers that fill one volume at once: one does, the other waits" {
    for round in 1 2 3; do
        pids=()
        for i in $(seq 6); do
            coffer run --rm -v "vol$round:/data" tiny sh -c 'ls -l /data | wc -l; cat /data/a /data/b; stat -c %a /data' > "$BATS_TEST_TMPDIR/out$i" &
            pids+=($!)
        done
        wait "${pids[@]}"
        [ "$(sort -u "$BATS_TEST_TMPDIR"/out? | paste -sd ' ')" = "2770 6 lower upper" ]
        nothing_half
    done
}

@test "kill -9 at any moment: a volume is whole or none, and nothing is left" {
    moments "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm -v k0:/data -v /anon tiny true
    for i in $(seq 80); do
        kill_at_a_moment "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --rm -v "k$i:/data" -v /anon tiny true
    done
    no_containers() { [ -z "$(coffer ps -aq)" ]; }
    until_true no_containers # monitors end by themselves
    coffer volume create last > /dev/null
    [ -z "$(find "$(coffer_store)/volumes" -maxdepth 1 -name '.*')" ]
    [ "$(coffer volume ls -q | grep -cE '^[0-9a-f]{64}$')" -eq 0 ]
    for name in $(coffer volume ls -q -f name=k); do
        [ "$(coffer run --rm -v "$name:/data" tiny sh -c 'cat /data/a /data/b; stat -c %a /data' | paste -sd ' ')" = "lower upper 2770" ]
    done
    nothing_half
}

@test "a copy that was cut off goes on where it was" {
    coffer create --name one -v vol:/data tiny true > /dev/null
    folder=$(coffer_store)/volumes/vol
    # As the fill has it half way: a whole copy, of which one entry has moved.
    mkdir "$folder/_full" "$folder/_fill"
    mv "$folder/_data/"{b,sub} "$folder/_full"
    chown 1000:1000 "$folder/_full"
    chmod 2770 "$folder/_full"
    coffer start -a one
    [ "$(ls "$folder/_data" | paste -sd ' ')" = "a b hard link sub" ]
    [ "$(stat -c '%u %a' "$folder/_data")" = "1000 2770" ]
    [ ! -e "$folder/_full" ]
}

@test "what was being removed or made when it was killed is taken away" {
    coffer volume create data > /dev/null
    mkdir -p "$(coffer_store)/volumes/.new/_data" "$(coffer_store)/volumes/.gone.1234/_data/x"
    # Somebody is at work on this one.
    mkdir -p "$(coffer_store)/volumes/.gone.5678/_data"
    mkfifo "$BATS_TEST_TMPDIR/go"
    flock "$(coffer_store)/volumes/.gone.5678" cat "$BATS_TEST_TMPDIR/go" &
    while flock -n "$(coffer_store)/volumes/.gone.5678" true; do sleep 0.05; done
    [ "$(volume_names)" = data ]
    coffer volume create more > /dev/null
    [ "$(ls -A "$(coffer_store)/volumes" | paste -sd ' ')" = ".gone.5678 data more" ]
    : > "$BATS_TEST_TMPDIR/go"
    wait
    coffer volume create more > /dev/null
    [ "$(ls -A "$(coffer_store)/volumes" | paste -sd ' ')" = "data more" ]
    # A damaged one is told, hides no other, and can be removed.
    echo '{"name": 3}' > "$(coffer_store)/volumes/data/volume.json"
    fails "volume data: volume.json: name: expected a string, found a number" coffer volume inspect data
    run coffer volume ls -q
    [ "$status" -eq 0 ]
    [[ $output == *more* ]]
    coffer volume rm data
    [ "$(volume_names)" = more ]
}

@test "--mount makes a missing volume with options and labels" {
    mkdir "$BATS_TEST_TMPDIR/dir"
    mount=type=volume,source=vol,target=/v,volume-opt=type=none,volume-opt=device=$BATS_TEST_TMPDIR/dir,volume-opt=o=bind,volume-label=team=x
    coffer run --rm --mount "$mount" tiny touch /v/new
    [ -f "$BATS_TEST_TMPDIR/dir/new" ]
    [ "$(coffer volume inspect vol | jq -c '.[0] | [.Labels.team, .Options.device]')" = "[\"x\",\"$BATS_TEST_TMPDIR/dir\"]" ]
    coffer run --rm --mount "$mount" tiny test -f /v/new
    coffer run --rm -v vol:/w tiny test -f /w/new
    run coffer run --rm --mount source=vol,target=/v,volume-opt=type=none,volume-opt=device=/tmp,volume-opt=o=bind tiny true
    [ "$status" -eq 125 ]
    [[ $output == *"volume vol exists already, with other options; leave out volume-opt, or choose another name" ]]
    coffer create --name one --mount "$mount" tiny cat /v/new > /dev/null
    coffer volume rm -f vol 2> /dev/null || true
    coffer start -a one
    # What SELinux would be told is passed over, and said to who asks.
    run coffer --log-level info run --rm -v vol:/v:z tiny true
    [ "$status" -eq 0 ]
    [[ $output == *'z, a label of SELinux, is not set: nothing here looks at it'* ]]
}

@test "system df counts volumes, and system prune takes them when told" {
    coffer volume create data > /dev/null
    coffer create --name one -v data:/data -v /anon tiny true > /dev/null
    coffer run --rm -v kept:/k tiny sh -c 'head -c 100000 /dev/zero > /k/x'
    row() { coffer system df --format '{{.Type}}:{{.TotalCount}} {{.Active}} {{.Reclaimable}}' | sed -n 's/^Local Volumes://p'; }
    [[ $(row) == "4 3 "*"kB ("*"%)" ]]
    [ "$(coffer system df -v --format json | jq -r '.Volumes[] | select(.Name == "kept") | .InUse')" = no ]
    [[ $(coffer system df -v) == *"Local Volumes space usage:"*"VOLUME NAME"*"kept"*"no"* ]]
    fails "--volumes and --filter until= exclude each other: of volumes nobody knows when they were used last" \
        coffer system prune -f --volumes --filter until=1h
    coffer system prune -f > /dev/null
    [ "$(coffer volume ls -q | wc -l)" -eq 4 ]
    [[ $(coffer system prune -f --volumes) == *"Deleted volume: "* ]]
    [ "$(volume_names)" = "data kept" ] # those with names are somebody's
    nothing_half
}

@test "--mount type=image: its files, read-only, as its own containers see them" {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir -p single/sub
    echo one > single/sub/f
    ln -s /sub single/in
    ln -s ../../../../etc single/out
    chown 1000 single/sub/f
    coffer import single single > /dev/null
    for users in auto host; do
        [ "$(coffer run --rm --userns $users --mount type=image,source=tiny,target=/i tiny sh -c 'cat /i/data/a /i/data/b; stat -c %u /i/data /i/bin/busybox; test ! -e /i/data/gone; touch /i/x 2>&1 || touch /i/bin/busybox 2>&1' | paste -sd ' ')" = \
            "lower upper 1000 0 touch: /i/x: Read-only file system touch: /i/bin/busybox: Read-only file system" ]
        [ "$(coffer run --rm --userns $users --mount type=image,source=single,dst=/i tiny sh -c 'cat /i/sub/f; stat -c %u /i/sub/f; touch /i/x 2>&1' | paste -sd ' ')" = \
            "one 1000 touch: /i/x: Read-only file system" ]
    done
    # Parts of one: the kernel can from Linux 6.15 on.
    run coffer run --rm --mount type=image,source=tiny,target=/i,image-subpath=data tiny ls /i
    if [[ $output != *"this kernel cannot mount a part of an image"* ]]; then
        [ "$status" -eq 0 ]
        [ "$(paste -sd ' ' <<< "$output")" = "a b hard link sub" ]
        [ "$(coffer run --rm --mount type=image,source=single,target=/i,subpath=in tiny cat /i/f)" = one ]
        run coffer run --rm --mount type=image,source=single,target=/i,subpath=out tiny ls /i
        [ "$status" -eq 125 ]
    fi
    # The image is the one of the day that the container was made, and stays as long as it runs.
    coffer run -d --name one --mount type=image,source=single,target=/i tiny sleep 1000 > /dev/null
    [ "$(coffer inspect one | jq -c '.[0].Mounts[0] | [.Type, .Destination, .RW]')" = '["image","/i",false]' ]
    coffer import single single > /dev/null || true
    run coffer rmi -f "$(coffer images -q single)"
    [ "$(coffer exec one cat /i/sub/f)" = one ]
    coffer restart -t 0 one
    [ "$(coffer exec one cat /i/sub/f)" = one ]
    coffer cp one:/i/sub/f got
    [ "$(cat got)" = one ]
    [ -z "$(coffer diff one)" ]
    coffer rm -f one > /dev/null
    run coffer run --rm --mount type=image,source=none,target=/i tiny true
    [ "$status" -eq 125 ]
    [[ $output == *"--mount type=image: image none:latest is not in the store; load one with "* ]]
    fails 'run tiny: --mount: "type=image,target=/i": source: expected an image'"'"'s name' coffer run --rm --mount type=image,target=/i tiny true
    fails 'run tiny: --mount: "type=image,src=/x,target=/i": source: expected an image'"'"'s name, found the path "/x"; type=bind takes paths' \
        coffer run --rm --mount type=image,src=/x,target=/i tiny true
}

# --- an ordinary user's ---

@test "rootless: filled with subordinate ids, kept, removed" {
    make_home "$(make_filled)" filled
    mine run --rm -v vol:/data -v /anon tiny sh -c 'echo more > /data/more; chown 1000 /data/more; touch /anon/x'
    data=$(mine volume inspect -f '{{.Mountpoint}}' vol)
    first=$(awk -F: -v user="$TEST_USER" '$1 == user { print $2; exit }' /etc/subuid)
    [ "$(stat -c '%u %a' "$data")" = "$((first + 999)) 2770" ]
    [ "$(stat -c %u "$data/a" "$data/more" | paste -sd ' ')" = "$TEST_UID $((first + 999))" ]
    [ "$(mine run --rm -v vol:/data:ro tiny sh -c 'cat /data/a /data/b; stat -c %u:%g /data /data/sub/users' | paste -sd ' ')" = "lower upper 1000:1000 1000:1000" ]
    [ "$(mine volume ls -q)" = vol ]
    mine create --name one -v vol:/data tiny true > /dev/null
    run mine volume rm vol
    [ "$output" = "coffer: volume vol is used by container one; remove that first (coffer rm one)" ]
    mine rm -v one > /dev/null
    mine volume rm vol
    [ "$(mine volume ls -q)" = "" ]
    [ "$(ls -A "$HOME_DIR/store/volumes")" = "" ]
}

@test "rootless: a part of a volume, out of which its links do not lead" {
    make_home "$(make_filled)" filled
    mine run --rm -v vol:/v tiny sh -c 'mkdir -p /v/sub; echo part > /v/sub/f; ln -s ../../../../../../etc /v/out; ln -s /sub /v/in'
    [ "$(mine run --rm --mount source=vol,target=/w,volume-subpath=sub tiny cat /w/f)" = part ]
    [ "$(mine run --rm --mount source=vol,target=/w,volume-subpath=in tiny cat /w/f)" = part ]
    run mine run --rm --mount source=vol,target=/w,volume-subpath=out tiny ls /w
    [ "$status" -eq 125 ]
    [[ $output == *"volumes/vol/_data/out: No such file or directory" ]]
}

@test "rootless: --mount type=image, of one layer and of several, and a part of one" {
    make_home "$(make_filled)" filled
    mkdir -p "$HOME_DIR/single/sub"
    echo one > "$HOME_DIR/single/sub/f"
    chown -R "$TEST_UID" "$HOME_DIR/single"
    mine import "$HOME_DIR/single" single > /dev/null
    [ "$(mine run --rm --mount type=image,source=tiny,target=/i tiny sh -c 'cat /i/data/a /i/data/b; stat -c %u /i/data /i/bin/busybox; test ! -e /i/data/gone; touch /i/x 2>&1 || touch /i/bin/busybox 2>&1' | paste -sd ' ')" = \
        "lower upper 1000 0 touch: /i/x: Read-only file system touch: /i/bin/busybox: Read-only file system" ]
    [ "$(mine run --rm --mount type=image,source=single,dst=/i tiny sh -c 'cat /i/sub/f; stat -c %u /i/sub/f; touch /i/x 2>&1' | paste -sd ' ')" = \
        "one 0 touch: /i/x: Read-only file system" ]
    run mine run --rm --mount type=image,source=tiny,target=/i,image-subpath=data tiny ls /i
    if [[ $output != *"this kernel cannot mount a part of an image"* ]]; then
        [ "$status" -eq 0 ]
        [ "$(paste -sd ' ' <<< "$output")" = "a b hard link sub" ]
    fi
    mine run -d --name one --mount type=image,source=single,target=/i tiny sleep 1000 > /dev/null
    run mine rmi single
    [ "$status" -ne 0 ]
    [ "$(mine exec one cat /i/sub/f)" = one ]
    mine restart -t 0 one
    [ "$(mine exec one cat /i/sub/f)" = one ]
    mine rm -f one > /dev/null
    mine rmi single > /dev/null
}

@test "rootless: with one id only" {
    make_home "$(make_filled)" filled
    : > "$BATS_TEST_TMPDIR/nothing"
    # shellcheck disable=SC2016 # the inner shell's
    alone() {
        NOTHING=$BATS_TEST_TMPDIR/nothing unshare -m --propagation private sh -c 'mount --bind "$NOTHING" /etc/subuid &&
            mount --bind "$NOTHING" /etc/subgid && exec "$@"' sh setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- \
            env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME HOME="$HOME_DIR" "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store.one" "$@"
    }
    alone load -q --name tiny "oci:$(make_filled):filled" > /dev/null
    alone run --rm -v vol:/data -v /anon tiny touch /data/more /anon/x
    [ "$(alone run --rm -v vol:/data tiny sh -c 'cat /data/a; ls /data' | paste -sd ' ')" = "lower a b hard link more sub" ]
    [ "$(stat -c %u "$HOME_DIR/store.one/volumes/vol/_data/b")" = "$TEST_UID" ]
    [ "$(alone volume ls -q)" = vol ]
    alone volume rm vol
    [ -z "$(ls -A "$HOME_DIR/store.one/volumes")" ]
}

@test "rootless: killed at any moment" {
    make_home "$(make_filled)" filled
    his_coffer=(setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME
        HOME="$HOME_DIR" "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store")
    moments "${his_coffer[@]}" run --rm -v k0:/data -v /anon tiny true
    for i in $(seq 40); do
        kill_at_a_moment "${his_coffer[@]}" run --rm -v "k$i:/data" -v /anon tiny true
    done
    no_containers() { [ -z "$(mine ps -aq)" ]; }
    until_true no_containers
    for name in $(mine volume ls -q -f name=k); do
        [ "$(mine run --rm -v "$name:/data" tiny sh -c 'cat /data/a /data/b; stat -c %a /data' | paste -sd ' ')" = "lower upper 2770" ]
    done
    [ "$(mine volume ls -q | grep -cE '^[0-9a-f]{64}$')" -eq 0 ]
    mine volume prune -f --all > /dev/null
    [ "$(ls -A "$HOME_DIR/store/volumes")" = "" ]
}
