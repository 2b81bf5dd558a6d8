#!/usr/bin/env bats
# What keeps an ordinary user's networks is killed, more of it than one at a time: they are found again, or that they are lost is told.
bats_require_minimum_version 1.5.0
load helpers
load rootless

setup() {
    rootless_setup
    mine network create team > /dev/null
    serve_far
    serve db --network team
    serve web --network team -p 8080:80
}

teardown() {
    # shellcheck disable=SC2046
    kill -CONT $(of_test '^coffer-monitor') 2> /dev/null || true
    rootless_teardown
}

answers() { [[ $(outside python3 "$NET" ask 192.0.2.2 8080) == "web 192.0.2.1" ]]; }

finds() { # NAME
    [[ "$(mine run --rm --network team "${talk[@]}" tiny /usr/bin/python3 /net.py ask "$1" 80)" == "$1 "* ]]
}

far_answers() { # NAME
    [ "$(mine exec "$1" /usr/bin/python3 /net.py ask 192.0.2.1 99)" = "far 192.0.2.2" ]
}

all_is_well() {
    finds db
    finds web
    answers
    until_true far_answers db
    until_true far_answers web
    [[ "$(mine exec db /usr/bin/python3 /net.py ask web 80)" == "web "* ]]
}

@test "keeper and anchor at one moment: whoever is first finds the namespaces again, by the monitors" {
    local before
    before=$(mine inspect --format '{{.NetworkSettings.IPAddress}}{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' db)
    # shellcheck disable=SC2046
    kill -KILL $(of_test '^coffer-(net|ancho)')
    run -0 mine run --rm --network team "${talk[@]}" tiny /usr/bin/python3 /net.py ask db 80
    [[ "$output" == "db "* ]]
    all_is_well
    [ "$before" = "$(mine inspect --format '{{.NetworkSettings.IPAddress}}{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' db)" ]
}

@test "keeper and anchor, and the monitors do not come to it or are no more: by a responder" {
    local monitors
    monitors=$(of_test '^coffer-monitor')
    # shellcheck disable=SC2086
    kill -STOP $monitors
    # shellcheck disable=SC2046
    kill -KILL $(of_test '^coffer-(net|ancho)')
    run -0 mine run --rm --network team "${talk[@]}" tiny /usr/bin/python3 /net.py ask db 80
    [[ "$output" == "db "* ]]
    # shellcheck disable=SC2086
    kill -CONT $monitors
    all_is_well
    monitors=$(of_test '^coffer-')
    # shellcheck disable=SC2086
    kill -STOP $monitors
    # shellcheck disable=SC2086
    kill -KILL $monitors
    run -0 mine ps
    echo "$output"
    [[ "$output" != *lost* ]]
    all_is_well
}

@test "all that kept them: the next command says so, nothing lies, and a restart mends it" {
    local all
    all="$(of_test '^coffer-') $(responders)"
    # shellcheck disable=SC2086
    kill -STOP $all # a monitor is quick
    # shellcheck disable=SC2086
    kill -KILL $all
    run -0 mine ps --format '{{.Names}} {{.Ports}}'
    [[ "$output" == *"coffer: warning: container db has lost its networks, as the processes that kept them were killed; coffer restart db"* ]]
    [[ "$output" == *"container web has lost its networks"*"coffer restart web"* ]]
    written_down() {
        [ "$(mine ps --format '{{.Names}}{{.Ports}}' | sort | xargs)" = "db web" ] &&
            [ "$(mine network inspect --format '{{json .Containers}}' team)" = "{}" ]
    }
    until_true written_down
    run outside python3 "$NET" ask 192.0.2.2 8080
    [ "$status" -ne 0 ]
    run -125 mine network reload web
    [ "$output" = "coffer: reload the networks of web: it has lost its networks, as the processes that kept them were killed; restart it" ]
    mine restart -t 0 db web > /dev/null
    until_true answers
    until_true finds db
    all_is_well
}

@test "who comes before the monitors makes networks anew: they write down that theirs are lost" {
    local monitors
    monitors=$(of_test '^coffer-monitor')
    # shellcheck disable=SC2086
    kill -STOP $monitors
    # shellcheck disable=SC2046
    kill -KILL $(of_test '^coffer-(net|ancho)') $(responders)
    run -0 mine run -d --name new --network team tiny sleep 1000
    [[ "$output" == *"container web has lost its networks"* ]]
    # shellcheck disable=SC2086
    kill -CONT $monitors
    until_true logs_have web "coffer: network: the namespace of the user's networks was lost, and with it the container's; restart it"
    shows_none() { [ "$(mine ps --format '{{.Names}}{{.Ports}}' | sort | xargs)" = "db new web" ]; }
    until_true shows_none
    run outside python3 "$NET" ask 192.0.2.2 8080
    [ "$status" -ne 0 ]
    mine restart -t 0 db web > /dev/null
    until_true answers
    until_true finds db
    all_is_well
}

@test "a keeper whose greeting is cut short is told from one that is none" {
    mine rm -f db web > /dev/null
    nothing_left
    local folder
    folder=$(find "$HOME_DIR/run" -type d -name commons)
    (cd "$folder" && exec setpriv --reuid "$TEST_UID" --clear-groups timeout -k 2 60 python3 -c '
import socket
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind("keeper")
server.listen()
while True:
    with server.accept()[0] as client:
        try:
            client.send(b"who?")
        except OSError:
            pass' 3>&-) &
    local keeper=$!
    until_true test -S "$folder/keeper"
    run -125 mine run --rm --network team tiny true
    [ "$output" = "coffer: run tiny: the keeper of the user's networks (process coffer-net) is of another version of coffer; it goes when the containers on networks with a name are stopped" ]
    kill "$keeper"
    rm "$folder/keeper"
    mine run --rm --network team tiny true
}
