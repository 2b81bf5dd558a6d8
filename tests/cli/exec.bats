#!/usr/bin/env bats
# One more command in a container that runs.

bats_require_minimum_version 1.5.0
load engine

@test "exec: input, output, exit codes" {
    coffer run -d --name box tiny sleep 100 > /dev/null
    run coffer exec box sh -c 'exit 33'
    [ "$status" -eq 33 ]
    run coffer exec box sh -c 'kill -KILL $$'
    [ "$status" -eq 137 ]
    [ "$(echo in | coffer exec -i box cat)" = in ]
    [ -z "$(echo in | coffer exec box cat)" ]
    run --separate-stderr coffer exec box sh -c 'echo out; echo err >&2'
    [ "$output" = out ]
    [ "$stderr" = err ]
    head -c 3000000 /dev/urandom > "$BATS_TEST_TMPDIR/data"
    coffer exec -i box cat < "$BATS_TEST_TMPDIR/data" | cmp - "$BATS_TEST_TMPDIR/data"
    run -127 coffer exec box no-such-command
    [ "$output" = 'coffer: exec box: command "no-such-command": executable file not found in $PATH of the container' ]
    run coffer exec box /etc/passwd
    [ "$status" -eq 126 ]
}

@test "exec: only in one that runs" {
    coffer create --name box tiny sleep 100 > /dev/null
    run coffer exec box true
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: exec box: it is not running' ]
    coffer start box
    coffer pause box
    run coffer exec box true
    [ "$status" -eq 125 ]
    [[ $output == *'paused'* ]]
    coffer stop -t 0 box
    run coffer exec box true
    [ "$output" = 'coffer: exec box: it is not running' ]
    run coffer exec none true
    [ "$output" = 'coffer: no container is named "none"; coffer ps --all lists them' ]
}

@test "exec -d: goes on by itself" {
    coffer run -d --name box tiny sleep 100 > /dev/null
    coffer exec -d box sh -c 'sleep 0.2; echo late > /file'
    until_true coffer exec box grep -q late /file
}

@test "exec -t: a terminal of its own" {
    coffer run -d --name box tiny sleep 100 > /dev/null
    printf '%s\n' 'see # ' 'type tty; echo $TERM; stty size\r' 'see /dev/pts' 'see xterm' 'see 24 80' 'size 30x70' 'type stty size\r' \
        'see 30 70' 'type exit 5\r' > "$BATS_TEST_TMPDIR/script"
    run python3 "$BATS_TEST_DIRNAME/terminal.py" "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" exec -it box sh \
        < "$BATS_TEST_TMPDIR/script"
    [ "$status" -eq 5 ]
}

@test "exec: variables and directory are the container's, but for what is said" {
    coffer run -d --name box -e ONE=1 -w /etc tiny sleep 100 > /dev/null
    [ "$(coffer exec box sh -c 'echo $ONE $HOSTNAME; pwd')" = "1 $(coffer ps -q)"$'\n/etc' ]
    [ "$(coffer exec -e ONE=2 -e TWO=3 box sh -c 'echo $ONE$TWO')" = 23 ]
    [ "$(THREE=4 coffer exec -e THREE -e FOUR box sh -c 'echo $THREE${FOUR-none}')" = 4none ]
    echo 'FIVE=5' > "$BATS_TEST_TMPDIR/env"
    [ "$(coffer exec --env-file "$BATS_TEST_TMPDIR/env" box sh -c 'echo $FIVE')" = 5 ]
    [ "$(coffer exec -w /tmp box sh -c pwd)" = /tmp ]
    run coffer exec -w tmp box true
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: --workdir: expected an absolute path, found "tmp"' ]
}

@test "exec: the container's user, or another of its own by name or number" {
    coffer run -d --name box -u user tiny sleep 100 > /dev/null
    [ "$(coffer exec box sh -c 'id -u; id -G; echo $HOME')" = $'1000\n1000 2000\n/home/user' ]
    [ "$(coffer exec -u root box sh -c 'id -u; id -g; echo $HOME')" = $'0\n0\n/root' ]
    [ "$(coffer exec -u 1000:2000 box sh -c 'id -u; id -g')" = $'1000\n2000' ]
    [ "$(coffer exec -u user:extra box sh -c 'id -u; id -g')" = $'1000\n2000' ]
    [ "$(coffer exec -u 77 box sh -c 'id -u; id -g; echo $HOME')" = $'77\n0\n/' ]
    run coffer exec -u nobody box true
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: exec box: user \"nobody\" is not in the container's /etc/passwd" ]
    run coffer exec -u user:none box true
    [ "$output" = "coffer: exec box: group \"none\" is not in the container's /etc/group" ]
}

@test "exec: the image's user" {
    local layout=$BATS_TEST_TMPDIR/layout
    cp -r "$(make_image tiny)" "$layout"
    umoci --log error config --image "$layout:tiny" --config.user user
    coffer load -q --name other "oci:$layout:tiny" > /dev/null
    coffer run -d --name box other sleep 100 > /dev/null
    [ "$(coffer exec box id -u)" = 1000 ]
}

# What holds of the container's own process holds of this one.
@test "exec: no more rights than the container has" {
    local rights='grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp)" /proc/self/status; ulimit -n; cat /proc/self/cgroup'
    coffer run -d --name box --cap-drop CHOWN --cap-add NET_ADMIN --security-opt no-new-privileges tiny sh -c "($rights) > /rights; sleep 100" > /dev/null
    until_true coffer exec box test -s /rights
    coffer exec box sh -c "($rights) | diff - /rights"
    coffer exec box grep -q '^Seccomp:.2' /rights
    run coffer exec --privileged box grep CapEff /proc/self/status
    [[ $output == *"1ffffffffff" ]]
    # A profile beside the caller, who is elsewhere now.
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}' \
        > "$BATS_TEST_TMPDIR/profile.json"
    (cd "$BATS_TEST_TMPDIR" && coffer run -d --name other --security-opt seccomp=profile.json tiny sleep 100 > /dev/null)
    run coffer exec other mkdir /tmp/x
    [ "$status" -eq 1 ]
    coffer restart -t 0 other
    run coffer exec other mkdir /tmp/x
    [ "$status" -eq 1 ]
}
