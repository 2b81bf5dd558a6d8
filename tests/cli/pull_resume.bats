#!/usr/bin/env bats
# pull, broken off and begun again: what a slow one has got is kept and not asked for twice, whatever has become of it meanwhile.
load helpers
load images
load ../registry/registry
bats_require_minimum_version 1.5.0

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    local dir
    WORK=$BATS_FILE_TMPDIR/work
    hostile_start
    dir=$(new_layer b)
    head -c 3000000 /dev/urandom > "$dir/b"
    dir=$(new_layer c)
    head -c 2000000 /dev/urandom > "$dir/c"
    layout "$HOSTILE/images/one" 1 "$(pack b gzip)"
    layout "$HOSTILE/images/two" 1 "$WORK/b.tar.gz" "$(pack c gzip)"
}

teardown_file() {
    registry_stop_all
}

setup() {
    needs_root
    images_setup
    # shellcheck source=/dev/null
    . "$HOSTILE/ports"
    export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG
    LAYER=$(digest_of "$BATS_FILE_TMPDIR/work/b.tar.gz")
    SIZE=$(stat -c %s "$BATS_FILE_TMPDIR/work/b.tar.gz")
    NOTE=34
    NAME=t$BATS_TEST_NUMBER
    ln -sfn one "$HOSTILE/images/$NAME"
    coffer images > /dev/null
    PARTIAL=$(coffer_store)/partials/${LAYER/:/-}
}

ref() { # CASE
    echo "127.0.0.1:$HTTP/$1/$NAME:1"
}

# break_off BYTES OPTION...: a slow pull, killed with kill -9 once so many bytes are kept.
break_off() {
    local least=$1 pid
    shift
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" pull -q "$@" "$(ref throttled)" > "$WORK/log" 2>&1 3>&- &
    pid=$!
    for _ in $(seq 100); do
        [ ! -f "$PARTIAL" ] || [ "$(stat -c %s "$PARTIAL")" -lt "$least" ] || break
        sleep 0.05
    done
    kill -9 "$pid"
    wait "$pid" 2> /dev/null || true
    sleep 0.2 # its helpers end with it
    KEPT=$(($(stat -c %s "$PARTIAL") - NOTE))
    FROM=$((16#$(head -c $NOTE "$PARTIAL" | cut -d ' ' -f 4)))
    [ "$KEPT" -ge $((least - NOTE)) ]
    [ $((FROM + KEPT)) -lt "$SIZE" ]
    : > "$HOSTILE/sent"
    : > "$HOSTILE/requests"
}

layer_bytes() { # CASE: that the registry sent of the layer
    jq -s "map(select(.path == \"/v2/$1/$NAME/blobs/$LAYER\").bytes) | add // 0" "$HOSTILE/sent"
}

ranges() {
    hostile_requests "select(.path | endswith(\"$LAYER\")) | .range // \"all\"" | jq -r . | paste -sd ' '
}

is_whole() {
    cmp "$(coffer_store)"/layers/*/fs/b "$BATS_FILE_TMPDIR/work/b/b"
    nothing_staged
    [ "$(ls -A "$(coffer_store)/partials" 2> /dev/null)" = "" ]
}

# resumes CASE: the second pull; nothing but warnings of what is not as it should be is said on standard error.
resumes() {
    run --separate-stderr coffer pull -q "$(ref "$1")"
    if [ "$status" -ne 0 ] || [ "$output" != "$(ref "$1")" ]; then
        echo "exit code $status, output: $output, errors: $stderr"
        return 1
    fi
    is_whole
}

@test "kill -9 in the middle: what is kept is not asked for again" {
    break_off 1500000 --partial-after 0
    [ "$FROM" -eq 0 ]
    resumes good
    [ "$stderr" = "" ]
    [ "$(ranges)" = "bytes=$KEPT-" ]
    [ "$(layer_bytes good)" -eq $((SIZE - KEPT)) ]
}

@test "one that began to keep later: what came before is asked for, and what comes behind" {
    break_off 700000 --partial-after 1s
    [ "$FROM" -gt 100000 ]
    resumes good
    [ "$stderr" = "" ]
    [ "$(ranges)" = "bytes=0-$((FROM - 1)) bytes=$((FROM + KEPT))-" ]
    [ "$(layer_bytes good)" -eq $((SIZE - KEPT)) ]
}

@test "broken off twice: the file grows, and the third pull asks for the rest only" {
    break_off 700000 --partial-after 0
    first=$KEPT
    break_off $((first + 500000)) --partial-after 1h
    [ "$KEPT" -gt "$first" ]
    cmp <(tail -c +$((NOTE + 1)) "$PARTIAL") <(head -c "$KEPT" "$BATS_FILE_TMPDIR/work/b.tar.gz")
    resumes good
    [ "$(layer_bytes good)" -eq $((SIZE - KEPT)) ]
}

@test "said to people and to programs" {
    break_off 1500000 --partial-after 0
    cp "$PARTIAL" "$WORK/partial"
    run --separate-stderr coffer pull --format json "$(ref good)"
    [ "$status" -eq 0 ]
    [ "$(jq -c 'select(.event == "layer") | .resumed' <<< "$output" | sort -u)" = "$KEPT" ]
    coffer rmi "$(ref good)"
    cp "$WORK/partial" "$PARTIAL"
    run --separate-stderr coffer pull "$(ref good)"
    [[ "$stderr" =~ ^"layer $(cut -c 8-19 <<< "$LAYER"), resumed at "[0-9.]+MB": unpacked "[0-9.]+MB$ ]]
    is_whole
}

@test "a download that is there in whole asks for no byte of it" {
    mkdir "$(coffer_store)/partials"
    (printf 'coffer partial 1 0000000000000000\n' && cat "$BATS_FILE_TMPDIR/work/b.tar.gz") > "$PARTIAL"
    : > "$HOSTILE/requests"
    resumes good
    [ "$(ranges)" = "" ]
}

@test "a byte of the file that is another: all comes anew, once" {
    break_off 1500000 --partial-after 0
    printf '\xff\xfe\xfd' | dd of="$PARTIAL" bs=1 seek=700000 conv=notrunc status=none
    resumes good
    [[ "$stderr" = "coffer: warning: layer ${LAYER:0:19}: cannot be resumed, and is brought anew: "* ]]
    [ "$(ranges)" = "bytes=$KEPT- all" ]
}

@test "a note that lies about where its bytes belong" {
    break_off 1500000 --partial-after 0
    printf 'coffer partial 1 0000000000000100\n' | dd of="$PARTIAL" conv=notrunc status=none
    resumes good
    [[ "$stderr" = "coffer: warning: layer ${LAYER:0:19}: cannot be resumed, and is brought anew: "* ]]
    [[ "$(ranges)" = *" all" ]]
}

@test "files that cannot be right are removed, and count for nothing" {
    mkdir "$(coffer_store)/partials"
    local note
    for note in 'coffer partial 1 0000000000000000\n' 'coffer partial 2 0000000000000000\n' 'coffer partial 1 00000000000000zz\n' \
        'coffer partial 1 ffffffffffffffff\n' "$(printf 'coffer partial 1 %016x\\n' "$SIZE")" '' 'coffer'; do
        # shellcheck disable=SC2059
        printf "$note" > "$PARTIAL"
        [ "$note" = 'coffer partial 1 0000000000000000\n' ] || head -c 100 /dev/zero >> "$PARTIAL"
        : > "$HOSTILE/requests"
        resumes good
        [ "$stderr" = "" ]
        [ "$(ranges)" = all ]
        coffer rmi "$(ref good)"
    done
    # Longer than the layer.
    (printf 'coffer partial 1 0000000000000000\n' && cat "$BATS_FILE_TMPDIR/work/b.tar.gz" && echo) > "$PARTIAL"
    : > "$HOSTILE/requests"
    resumes good
    [ "$stderr" = "" ]
    [ "$(ranges)" = all ]
}

@test "a registry that knows no ranges: its whole body is taken for what it is" {
    break_off 700000 --partial-after 1s
    resumes deaf
    [ "$stderr" = "" ]
    [ "$(layer_bytes deaf)" -eq "$SIZE" ]
}

@test "one that knows none, and breaks off as well" {
    break_off 700000 --partial-after 1s
    resumes deaf-cut
}

@test "a registry that refuses the part: all comes anew" {
    break_off 1500000 --partial-after 0
    resumes no-parts
    [[ "$stderr" = "coffer: warning: layer ${LAYER:0:19}: cannot be resumed, and is brought anew: "* ]]
    [ "$(ranges)" = "bytes=$KEPT- all" ]
}

@test "a registry that is away leaves the file where it is" {
    break_off 1500000 --partial-after 0
    run coffer pull -q "$(ref missing-layer)"
    [ "$status" -eq 125 ]
    [ "$(stat -c %s "$PARTIAL")" -eq $((NOTE + KEPT)) ]
    nothing_staged
    resumes good
    [ "$(layer_bytes good)" -eq $((SIZE - KEPT)) ]
}

@test "a fast pull writes no such file at all, a slow one that comes to its end leaves none" {
    needs strace
    strace -f -o "$WORK/trace" -e trace=openat,mkdirat "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" pull -q "$(ref good)"
    run grep -E 'O_CREAT|O_WRONLY|O_RDWR|mkdirat' "$WORK/trace"
    [[ "$output" != *partials* ]]
    [ ! -e "$(coffer_store)/partials" ]
    coffer rmi "$(ref good)"
    coffer pull -q --partial-after 1s "$(ref throttled)"
    [ -d "$(coffer_store)/partials" ]
    is_whole
}

@test "layers that are done are kept with those under way" {
    ln -sfn two "$HOSTILE/images/$NAME"
    PARTIAL=$(coffer_store)/partials/${LAYER/:/-}
    break_off 2300000 --partial-after 0
    other=$(digest_of "$BATS_FILE_TMPDIR/work/c.tar.gz")
    [ "$(stat -c %s "$(coffer_store)/partials/${other/:/-}")" -eq $((NOTE + $(stat -c %s "$BATS_FILE_TMPDIR/work/c.tar.gz"))) ]
    resumes good
    [ "$(hostile_requests "select(.path | endswith(\"$other\"))")" = "" ]
}

@test "two at once share the locks: the second waits, and finds the layer" {
    break_off 700000 --partial-after 0
    coffer pull -q "$(ref throttled)" > "$WORK/log" 2>&1 3>&- &
    pid=$!
    sleep 0.5
    run coffer pull -q "$(ref throttled)"
    [ "$status" -eq 0 ]
    wait "$pid"
    [ "$(hostile_requests 'select(.path | contains("/blobs/sha256:'"${LAYER#sha256:}"'"))' | wc -l)" -eq 1 ]
    is_whole
}

@test "no room for the file: the pull goes on without it" {
    mkdir -p "$WORK/small" "$(coffer_store)/partials"
    mount -t tmpfs -o size=512k none "$(coffer_store)/partials"
    run --separate-stderr coffer --log-level info pull -q --partial-after 0 "$(ref throttled)"
    leftover=$(ls -A "$(coffer_store)/partials")
    umount "$(coffer_store)/partials"
    [ "$status" -eq 0 ]
    [ "$leftover" = "" ]
    [[ "$stderr" = *"layer $LAYER: what comes of it is not kept: No space left on device"* ]]
    is_whole
}

@test "df counts it, prune removes it, and neither touches one that is in use" {
    break_off 1500000 --partial-after 0
    run coffer system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Reclaimable}}'
    [[ "${lines[4]}" = "Leftovers 2 0 "*" (100%)" ]]
    coffer images > /dev/null # what was staged goes
    run coffer system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Reclaimable}}'
    [[ "${lines[4]}" = "Leftovers 1 0 1.5"*"MB (100%)" ]] || [[ "${lines[4]}" = "Leftovers 1 0 1.6"*"MB (100%)" ]]
    exec 9< "$PARTIAL"
    flock -n 9
    run coffer system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Reclaimable}}'
    [ "${lines[4]}" = "Leftovers 1 1 0B (0%)" ]
    run coffer image prune
    [ "$output" = "" ]
    [ -f "$PARTIAL" ]
    # And a pull does without it.
    resumes_without
    exec 9<&-
    run coffer image prune
    [[ "${lines[0]}" = "Deleted partial downloads: 1" ]]
    [[ "${lines[1]}" = "Total reclaimed space: 1."*"MB" ]]
    [ ! -e "$PARTIAL" ]
}

resumes_without() {
    coffer pull -q "$(ref good)"
    [ "$(ranges)" = all ]
    cmp "$(coffer_store)"/layers/*/fs/b "$BATS_FILE_TMPDIR/work/b/b"
}

@test "after a week it goes by itself; rmi leaves it" {
    break_off 1500000 --partial-after 0
    touch -d '6 days ago' "$PARTIAL"
    coffer images > /dev/null
    [ -f "$PARTIAL" ]
    touch -d '8 days ago' "$PARTIAL"
    coffer images > /dev/null
    [ ! -e "$PARTIAL" ]
}

@test "bytes that prove wrong are not kept" {
    run coffer pull -q --partial-after 0 "$(ref flipped)"
    [ "$status" -eq 125 ]
    [[ "$output" == *": layer $LAYER: "* ]]
    [ "$(ls -A "$(coffer_store)/partials")" = "" ]
    nothing_staged
}

@test "a disk without room for the layer leaves what is kept" {
    break_off 1500000 --partial-after 0
    mount -t tmpfs -o size=1m none "$(coffer_store)/staging"
    run --separate-stderr coffer pull -q "$(ref good)"
    umount "$(coffer_store)/staging"
    [ "$status" -eq 125 ]
    [[ "$stderr" == *"No space left on device" ]]
    [ "$(stat -c %s "$PARTIAL")" -ge $((NOTE + KEPT)) ]
    coffer images > /dev/null
    : > "$HOSTILE/requests"
    resumes good
    [ "$stderr" = "" ]
}

@test "a check of the store knows it" {
    break_off 1500000 --partial-after 0
    coffer images > /dev/null
    coffer system check
    touch "$(coffer_store)/partials/sha256-0"
    run coffer system check
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == *"partials/sha256-0: does not belong into the store" ]]
    rm "$(coffer_store)/partials/sha256-0"
}

@test "an ordinary user's pull, whose fetcher has no more rights than he" {
    needs newuidmap setpriv
    make_user
    install -d -o "$TEST_UID" "$BATS_TEST_TMPDIR/user"
    export HOME=$BATS_TEST_TMPDIR/user XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/user
    cd "$BATS_TEST_TMPDIR/user"
    PARTIAL=$BATS_TEST_TMPDIR/user/store/partials/${LAYER/:/-}
    # Not as_user: the process itself is to be killed.
    setpriv --reuid "$TEST_UID" --regid "$(id -g "$TEST_USER")" --init-groups -- \
        "$COFFER" --root "$HOME/run" --store "$HOME/store" pull -q --partial-after 0 "$(ref throttled)" > "$WORK/log" 2>&1 3>&- &
    pid=$!
    for _ in $(seq 100); do
        [ ! -f "$PARTIAL" ] || [ "$(stat -c %s "$PARTIAL")" -lt 1000000 ] || break
        sleep 0.05
    done
    kill -9 "$pid"
    wait "$pid" 2> /dev/null || true
    sleep 0.2
    [ "$(stat -c '%u %a' "$PARTIAL")" = "$TEST_UID 600" ]
    KEPT=$(($(stat -c %s "$PARTIAL") - NOTE))
    [ "$KEPT" -gt 900000 ]
    : > "$HOSTILE/requests"
    run as_user "$COFFER" --root "$HOME/run" --store "$HOME/store" pull -q "$(ref good)"
    [ "$status" -eq 0 ]
    [ "$output" = "$(ref good)" ]
    [ "$(ranges)" = "bytes=$KEPT-" ]
    [ ! -e "$PARTIAL" ]
}
