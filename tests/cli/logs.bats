#!/usr/bin/env bats
# coffer logs: what containers have written, from logs that the engine's own writer has made in their folders.

bats_require_minimum_version 1.5.0
load helpers

setup() {
    needs_root
    needs umoci busybox
    WRITER=$BUILD/unit/log_file_test
    [ -x "$WRITER" ] || skip "needs $WRITER (make unit)"
    coffer load -q --name tiny "oci:$(make_image tiny):tiny" > /dev/null
    PIDS=()
}

teardown() {
    [ -z "${FEED-}" ] || exec {FEED}>&- || true
    [ "${#PIDS[@]}" -eq 0 ] || kill "${PIDS[@]}" 2> /dev/null || true
    coffer ps -aq 2> /dev/null | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null
}

folder() { # NAME
    echo "$(coffer_store)/containers/$(coffer ps -a --no-trunc --format '{{.ID}} {{.Names}}' | awk -v name="$1" '$2 == name { print $1 }')"
}

# A container that has ended; its log is what comes on standard input and from the file SAID.
ended() { # NAME DRIVER [OPTION=VALUE...]
    coffer run --name "$1" --log-driver none tiny true
    timeout 60 "$WRITER" "$(folder "$1")" "$2" "${SAID:-/dev/null}" "${@:3}" 3>&-
}

# Up to ten seconds, until the command succeeds.
soon() {
    local _
    for _ in $(seq 500); do
        ! "$@" || return 0
        sleep 0.02
    done
    return 1
}

is_running() { # NAME
    [ "$(coffer ps --format '{{.Names}}' | grep -c "^$1\$")" = 1 ]
}

logs_say() { # TEXT ARGS...
    [ "$(coffer logs "${@:2}")" = "$1" ]
}

# A container whose monitor is RUNNER, and keeps no log itself; what is written to $FEED is what it writes. FOLDER is its folder.
running() { # NAME DRIVER [OPTION=VALUE...]
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" run --name "$1" --log-driver none tiny sleep 1000 < /dev/null > /dev/null 2>&1 3>&- &
    PIDS+=($!)
    soon is_running "$1"
    RUNNER=$(monitors | while read -r pid; do tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q -- "--name $1 " && echo "$pid"; done)
    FOLDER=$(folder "$1")
    mkfifo "$BATS_TEST_TMPDIR/feed.$1"
    "$WRITER" "$FOLDER" "$2" /dev/null "${@:3}" < "$BATS_TEST_TMPDIR/feed.$1" 3>&- &
    PIDS+=($!)
    exec {FEED}> "$BATS_TEST_TMPDIR/feed.$1"
    soon test -e "$FOLDER/ctr.log"
}

follow() { # OUTPUT ARGS...
    "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" logs -f "${@:2}" > "$BATS_TEST_TMPDIR/$1" 2>&1 3>&- {FEED}>&- &
    FOLLOWER=$!
    PIDS+=("$FOLLOWER")
}

# Up to ten seconds.
becomes() { # FILE TEXT
    local _
    for _ in $(seq 500); do
        [ "$(cat "$BATS_TEST_TMPDIR/$1")" != "$2" ] || return 0
        sleep 0.02
    done
    echo "is: $(cat "$BATS_TEST_TMPDIR/$1")"
    return 1
}

ends() { # PID: within ten seconds
    local _
    for _ in $(seq 500); do
        kill -0 "$1" 2> /dev/null || return 0
        sleep 0.02
    done
    return 1
}

@test "both streams go where they went, byte by byte" {
    printf 'bad\n' > "$BATS_TEST_TMPDIR/said"
    printf 'one\ntwo\r\n\n\xff\x00\tbytes\n$ ' | SAID=$BATS_TEST_TMPDIR/said ended web k8s-file
    coffer logs web > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err"
    printf 'one\ntwo\r\n\n\xff\x00\tbytes\n$ ' | cmp - "$BATS_TEST_TMPDIR/out"
    printf 'bad\n' | cmp - "$BATS_TEST_TMPDIR/err"
    coffer logs "$(coffer ps -aq)" 2> /dev/null | cmp - "$BATS_TEST_TMPDIR/out"
}

@test "json-file shows the same, and its tag by --details" {
    printf 'one \xe2\x82\xac\n"two"\\\n$ ' | ended web json-file 'tag={{.Name}}/x'
    [ "$(coffer logs web)" = $'one €\n"two"\\\n$ ' ]
    run -0 coffer logs --details --tail 1 web
    [ "$output" = 'tag=web/x $ ' ]
    jq -e -s 'map(.log) == ["one €\n", "\"two\"\\\n", "$ "]' < "$(folder web)/ctr.log"
    jq -e -s 'map(.attrs.tag) | unique == ["web/x"]' < "$(folder web)/ctr.log"
}

@test "the last lines, across files that have given way" {
    seq 1000 | ended web k8s-file max-size=4k max-file=20
    [ "$(ls "$(folder web)"/ctr.log* | wc -l)" -gt 9 ]
    coffer logs web | cmp - <(seq 1000)
    coffer logs --tail all web | cmp - <(seq 1000)
    coffer logs -n 500 web | cmp - <(seq 501 1000)
    coffer logs --tail=1 web | cmp - <(echo 1000)
    coffer logs --tail 0 web | cmp - /dev/null
    coffer logs --tail -1 web | cmp - <(seq 1000)
}

@test "a line of a megabyte comes as one" {
    head -c 1000000 /dev/zero | tr '\0' x > "$BATS_TEST_TMPDIR/long"
    for driver in k8s-file json-file; do
        (cat "$BATS_TEST_TMPDIR/long" && echo && echo next) | ended "$driver" "$driver"
        coffer logs "$driver" | cmp - <(cat "$BATS_TEST_TMPDIR/long" && echo && echo next)
        coffer logs -n 2 "$driver" | cmp - <(cat "$BATS_TEST_TMPDIR/long" && echo && echo next)
        [ "$(coffer logs -t "$driver" | grep -c '^20..-..-..T')" = 2 ]
    done
}

@test "within times, and with them" {
    coffer run --name web tiny true
    FOLDER=$(folder web)
    for minute in 00 01 02 03; do
        echo "2026-01-31T12:$minute:00.500000000Z stdout F line $minute"
    done > "$FOLDER/ctr.log"
    run -0 coffer logs -t -n 1 web
    [ "$output" = "2026-01-31T12:03:00.500000000Z line 03" ]
    run -0 coffer logs --since 2026-01-31T12:01:00Z --until 2026-01-31T13:02:00.5+01:00 web
    [ "$output" = $'line 01\nline 02' ]
    run -0 coffer logs --since "$(date -d 2026-01-31T12:02:00Z +%s).50" web
    [ "$output" = $'line 02\nline 03' ]
    TZ=Europe/Berlin run -0 coffer logs --since 2026-01-31T13:03 web
    [ "$output" = 'line 03' ]
    TZ=Europe/Berlin run -0 coffer logs --until 2026-01-31T13:00:00.5 web
    [ "$output" = 'line 00' ]
    run -0 coffer logs --since 2026-02-01 web
    [ -z "$output" ]
    run -0 coffer logs --since 10m web
    [ -z "$output" ]
    run -0 coffer logs --until 10m -n 1 web
    [ "$output" = 'line 03' ]
}

@test "what is wrong with the words is said" {
    coffer run --name web --log-driver none tiny true
    run -125 coffer logs web
    [ "$output" = 'coffer: container web keeps no log in a file; if it was started with --log-driver journald, "journalctl CONTAINER_NAME=web" shows what it wrote' ]
    run -125 coffer logs nosuch
    [[ $output == 'coffer: no container is named "nosuch"'* ]]
    run -125 coffer logs --tail ten web
    [ "$output" = 'coffer: --tail: expected a number of lines, or all, found "ten"' ]
    run -125 coffer logs --since yesterday web
    [ "$output" = 'coffer: --since: expected a length of time such as 10m, a time such as 2026-01-31T12:00:00Z, or seconds since 1970, found "yesterday"' ]
    run -125 coffer logs --until 2026-13-01T00:00:00Z web
    [[ $output == 'coffer: --until: expected a length of time'* ]]
    run -125 coffer logs
    ln -s /etc/passwd "$(folder web)/ctr.log"
    run -125 coffer logs web
    [[ "$output" == 'coffer: container web: open the log ctr.log: '*[Ss]'ymbolic link'* ]] # as its C library says it
}

@test "a damaged log shows what it still has" {
    (echo one && echo two) | ended web k8s-file
    sed -i '1s/^2/x/' "$(folder web)/ctr.log"
    head -c 100000 /dev/urandom | tr '\n' x >> "$(folder web)/ctr.log"
    run -0 --separate-stderr coffer logs web
    [ "$output" = two ]
    [ "$stderr" = "coffer: warning: container web: 1 line of the log could not be read and was left out" ]
    echo three | "$WRITER" "$(folder web)" k8s-file /dev/null
    run -0 --separate-stderr coffer logs -n 2 web
    [ "$output" = $'two\nthree' ]
    [ "$stderr" = "coffer: warning: container web: 2 lines of the log could not be read and were left out" ]
}

@test "followed from the last lines on, prompts too, until the container ends" {
    running web k8s-file max-size=4k max-file=20
    printf 'one\ntwo\n' >&"$FEED"
    soon logs_say $'one\ntwo' web
    follow out -n 1 web
    becomes out two
    printf 'login: ' >&"$FEED"
    becomes out $'two\nlogin: '
    printf '\n' >&"$FEED"
    seq 1000 >&"$FEED"
    becomes out $'two\nlogin: \n'"$(seq 1000)"
    kill -0 "$FOLLOWER"
    exec {FEED}>&-
    coffer rm -f web > /dev/null
    ends "$FOLLOWER"
    wait "$FOLLOWER"
}

@test "following ends when the container's monitor is killed, and at once when it has ended" {
    running web k8s-file
    echo one >&"$FEED"
    follow out web
    becomes out one
    # Others look at the container meanwhile.
    for _ in $(seq 20); do coffer ps > /dev/null; done
    kill -0 "$FOLLOWER"
    kill -9 "$RUNNER"
    ends "$FOLLOWER"
    wait "$FOLLOWER"
    run -0 timeout 10 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" logs -f web
    [ "$output" = one ]
}

@test "following ends with the time, and with its reader" {
    running web k8s-file
    echo one >&"$FEED"
    soon logs_say one web
    run -0 timeout 10 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" logs -f --until "$(date -d '+1 second' +%s.%N)" web
    [ "$output" = one ]
    run -0 timeout 10 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" logs -f --until 0s web
    [ "$output" = one ]
    timeout 10 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" logs -f web 3>&- {FEED}>&- | head -1
}

@test "following sleeps while nothing comes" {
    needs strace
    running web k8s-file
    echo one >&"$FEED"
    follow out web
    becomes out one
    strace -f -c -o "$BATS_TEST_TMPDIR/calls" -p "$FOLLOWER" 3>&- {FEED}>&- &
    tracer=$!
    sleep 2
    kill "$tracer"
    wait "$tracer" || true
    cat "$BATS_TEST_TMPDIR/calls"
    [ "$(awk '$NF == "total" { print $(NF - 1) + 0; found = 1 } END { if (!found) print 0 }' "$BATS_TEST_TMPDIR/calls")" -le 2 ]
}

@test "several containers, with their ids or names in front" {
    (echo one && printf '$ ') | ended web k8s-file
    (echo two) | ended database k8s-file
    first=$(coffer ps -a --format '{{.ID}} {{.Names}}' | awk '$2 == "web" { print $1 }')
    second=$(coffer ps -a --format '{{.ID}} {{.Names}}' | awk '$2 == "database" { print $1 }')
    run -0 coffer logs web database
    [ "$output" = "$first one"$'\n'"$first \$ "$'\n'"$second two" ]
    run -0 coffer logs --names web database
    [ "$output" = $'web      one\nweb      $ \ndatabase two' ]
    run -0 coffer logs --names --color web database
    [ "$output" = $'\e[36mweb     \e[0m one\n\e[36mweb     \e[0m $ \n\e[33mdatabase\e[0m two' ]
    run -0 coffer logs --names -n 1 database
    [ "$output" = 'database two' ]
}

@test "several followed at once, each until its end" {
    running web k8s-file
    web_feed=$FEED web_runner=$RUNNER
    running database k8s-file
    follow out --names web database
    echo one >&"$web_feed"
    becomes out 'web      one'
    [ "$(find "/proc/$FOLLOWER/fd" -lname '*inotify*' | wc -l)" -eq 1 ] # of which a user has few
    echo two >&"$FEED"
    becomes out $'web      one\ndatabase two'
    kill -9 "$web_runner"
    echo three >&"$FEED"
    becomes out $'web      one\ndatabase two\ndatabase three'
    exec {web_feed}>&-
    kill -9 "$RUNNER"
    ends "$FOLLOWER"
}

@test "the journal of the host gets what the container writes" {
    [ -x /lib/systemd/systemd-journald ] || skip "needs systemd-journald"
    needs journalctl systemd-cat unshare
    mkdir "$BATS_TEST_TMPDIR/folder"
    cat > "$BATS_TEST_TMPDIR/inside" << 'END'
mount -t tmpfs tmpfs /run && mkdir -p /run/log/journal || exit 1
/lib/systemd/systemd-journald > /dev/null 2>&1 3>&- &
journal=$!
for _ in $(seq 500); do [ ! -S /run/systemd/journal/socket ] || break; sleep 0.02; done
# It is there before it reads; who writes meanwhile is not held up for longer than a moment.
echo ready | systemd-cat -t ready
for _ in $(seq 250); do [ "$(journalctl -q -o cat -t ready)" != ready ] || break; sleep 0.02; done
echo bad > "$2/said"
mkfifo "$2/feed"
"$1" "$2" journald "$2/said" tag=mine < "$2/feed" &
writer=$!
exec 5> "$2/feed"
seq 3000 >&5
# Until it has taken what it was sent; the next message says how much it was not in time for.
taken=0
for _ in $(seq 250); do
    before=$taken taken=$(journalctl -q -o cat CONTAINER_NAME=web | wc -l)
    [ "$taken" = 0 ] || [ "$taken" != "$before" ] || break
    sleep 0.02
done
printf 'no end' >&5
exec 5>&-
wait "$writer" || exit 1
for _ in $(seq 250); do
    [ "$(journalctl -q -o cat CONTAINER_NAME=web PRIORITY=6 | tail -n 1)" != 'no end' ] || break
    sleep 0.02
done
journalctl -q -o cat CONTAINER_NAME=web PRIORITY=6 > "$2/out"
journalctl -q -o cat CONTAINER_NAME=web PRIORITY=3 > "$2/err"
journalctl -q -o json -n 1 CONTAINER_NAME=web PRIORITY=6 > "$2/last"
kill "$journal"
END
    timeout 120 unshare -m --propagation private bash "$BATS_TEST_TMPDIR/inside" "$WRITER" "$BATS_TEST_TMPDIR/folder" 3>&-
    # A slow journal, on an emulated host say, is not waited for; what it has not got is counted.
    lacks=$(sed -n 's/^coffer: here the log lacks \([0-9]*\) lines*: the journal did not take more$/\1/p' "$BATS_TEST_TMPDIR/folder/err" | paste -sd +)
    [ "$(grep -v '^coffer: here the log lacks' "$BATS_TEST_TMPDIR/folder/err")" = bad ] || {
        cat "$BATS_TEST_TMPDIR/folder/err"
        return 1
    }
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/folder/out")" = 'no end' ]
    head -n -1 "$BATS_TEST_TMPDIR/folder/out" > "$BATS_TEST_TMPDIR/folder/numbers"
    sort -n -u -c "$BATS_TEST_TMPDIR/folder/numbers"
    [ -z "$(grep -vxFf <(seq 3000) "$BATS_TEST_TMPDIR/folder/numbers")" ]
    [ $(($(wc -l < "$BATS_TEST_TMPDIR/folder/numbers") + ${lacks:-0})) -eq 3000 ]
    jq -e '.CONTAINER_TAG == "mine" and .SYSLOG_IDENTIFIER == "mine" and .CONTAINER_ID == "0123456789ab" and .CONTAINER_PARTIAL_MESSAGE == "true"' \
        < "$BATS_TEST_TMPDIR/folder/last"
}
