#!/usr/bin/env bats
# Options U and idmap of a mount: whose files are whose, without any of them being changed.
bats_require_minimum_version 1.5.0
load engine

host_folder() { # of 1000:2000, with a file of his, one of root's and one of 7:8
    local folder=$BATS_TEST_TMPDIR/$1
    mkdir -p "$folder"
    touch "$folder/his" "$folder/roots" "$folder/others"
    chown 1000:2000 "$folder" "$folder/his"
    chown 7:8 "$folder/others"
    echo "$folder"
}

look='cd /v; stat -c "%u:%g" . his roots others | paste -sd " "'
idmaps() { # a file system that cannot is a skip
    touch "$BATS_TEST_TMPDIR/probe"
    [[ $(tiny -v "$BATS_TEST_TMPDIR/probe:/probe:U" tiny stat -c works /probe 2>&1) == works ]] || skip "ids of mounts cannot be mapped here"
}

@test "U: the owner's files are the container's user's, and what he makes is the owner's" {
    idmaps
    folder=$(host_folder one)
    for users in host auto; do
        for flag in -v "--mount"; do
            [ "$flag" = -v ] && words=$folder:/v:U || words=type=bind,src=$folder,dst=/v,U=true
            [ "$(tiny --userns $users "$flag" "$words" tiny sh -c "$look")" = "0:0 0:0 1000:2000 7:8" ]
            [ "$(tiny --userns $users --user 33:44 "$flag" "$words" tiny sh -c "$look; touch made made-$users" )" = "33:44 33:44 0:0 7:8" ]
        done
        [ "$(stat -c %u:%g "$folder/made-$users")" = 1000:2000 ]
        tiny --userns $users -v "$folder:/v:U" tiny sh -c "touch /v/by-root; chown 7:8 /v/by-root; rm /v/made-$users"
        [ "$(stat -c %u:%g "$folder/by-root")" = 7:8 ]
    done
    [ "$(cd "$folder" && stat -c %u:%g . his roots others | paste -sd ' ')" = "1000:2000 1000:2000 0:0 7:8" ]
    [ "$(tiny -v "$folder:/v:U,ro" tiny sh -c 'touch /v/x 2>&1' | cut -d: -f3)" = " Read-only file system" ]
}

@test "U: a missing directory, a volume, a part of it, and another's volumes" {
    idmaps
    tiny --user 33:44 -v "$BATS_TEST_TMPDIR/new:/v:U" tiny touch /v/made
    [ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/new/made")" = 0:0 ]
    tiny -v vol:/v tiny sh -c 'mkdir /v/sub; touch /v/sub/file; chown -R 5:6 /v/sub'
    [ "$(tiny --user 33:44 -v vol:/v:U tiny sh -c 'touch /v/made; stat -c %u:%g /v /v/made /v/sub' | paste -sd ' ')" = "33:44 33:44 5:6" ]
    [ "$(tiny -v vol:/v tiny stat -c %u:%g /v/made)" = 0:0 ]
    [ "$(tiny --user 33:44 --mount source=vol,target=/v,volume-subpath=sub,U tiny stat -c %u:%g /v/file)" = 33:44 ]
    coffer create --name one -v vol:/v:U tiny true > /dev/null
    [ "$(tiny --user 33:44 --volumes-from one tiny stat -c %u:%g /v)" = 33:44 ]
    [ "$(coffer inspect -f '{{range .Mounts}}{{.Mode}}{{end}}' one)" = U ]
}

@test "U: a file that is copied to a container's user is the owner's, whether it runs or not" {
    idmaps
    folder=$(host_folder one)
    echo new > "$BATS_TEST_TMPDIR/new"
    chown 33:44 "$BATS_TEST_TMPDIR/new"
    for users in host auto; do
        coffer create --name box --userns $users --user 33:44 -v "$folder:/v:U" tiny sleep 1000 > /dev/null
        coffer cp -a "$BATS_TEST_TMPDIR/new" box:/v/down
        coffer start box > /dev/null
        coffer cp -a "$BATS_TEST_TMPDIR/new" box:/v/up
        [ "$(coffer exec box stat -c %u:%g /v/up /v/down | paste -sd ' ')" = "33:44 33:44" ]
        [ "$(stat -c %u:%g "$folder/up" "$folder/down" | paste -sd ' ')" = "1000:2000 1000:2000" ]
        coffer rm -f box > /dev/null
        rm "$folder/up" "$folder/down"
    done
}

@test "idmap: a map that is written down, and the container's own" {
    idmaps
    folder=$(host_folder one)
    [ "$(tiny --userns host -v "$folder:/v:idmap=uids=1000-5-1#0-0-1;gids=2000-6-1#0-0-1" tiny stat -c %u:%g /v/his)" = 5:6 ]
    [ "$(tiny --userns auto -v "$folder:/v:idmap" tiny stat -c %u:%g /v/his)" = 1000:2000 ]
    [ "$(tiny --userns auto --mount "type=bind,src=$folder,dst=/v,idmap=uids=@1000-5-1#@0-0-1;gids=@2000-6-1#@0-0-1" tiny stat -c %u:%g /v/his)" = 5:6 ]
}

@test "what cannot be is refused, and makes nothing" {
    folder=$(host_folder one)
    for user in 1000 nobody daemon:1 1000:users; do
        refused "mount $folder on /v: option U: expected the container's user and group as numbers, such as --user 1000:1000, found \"$user\"" \
            --user $user -v "$folder:/v:U"
    done
    refused "mount $folder on /v: option idmap: the container has the host's user ids; leave out --userns host, or write the map: idmap=uids=FIRST-FIRST-COUNT;gids=FIRST-FIRST-COUNT" \
        --userns host -v "$folder:/v:idmap"
    refused "mount $folder on /v: option idmap: expected both maps, idmap=uids=FIRST-FIRST-COUNT;gids=FIRST-FIRST-COUNT" -v "$folder:/v:idmap=uids=0-1-1"
    refused "mount $folder on /v: options U and idmap exclude each other" -v "$folder:/v:U,idmap"
    refused "mount $folder on /v: option U: the container has the ids 0 to 65535 alone, and so no user 70000:1" --userns auto --user 70000:1 -v "$folder:/v:U"
    fails "run tiny: mount /v: mounts[10].source: the file system of /proc cannot show its files to other user ids; leave the map out (option U or idmap), or use another place: map the ids of /proc: Invalid argument" \
        coffer run --rm --userns host -v /proc:/v:U tiny true
}

@test "an ordinary user is told that U is not for him" {
    make_home
    run mine create -v "$HOME:/v:U" tiny
    leave_home
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: create tiny: mount $HOME on /v: options U and idmap are for root alone; leave them out: your own files are those of the container's root anyway, and \"coffer unshare chown\" gives them to another user of the container" ]
}
