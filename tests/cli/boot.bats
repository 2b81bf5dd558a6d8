#!/usr/bin/env bats
# The host comes up again: what ran is shown as ended, what shall run is started in its order, and systemd is told to see to it.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    make_image tiny > /dev/null
}

setup() {
    needs_root
    export COFFER_NETWORK=none
    coffer load -q --name tiny "oci:$(make_image):tiny" > /dev/null
}

teardown() {
    [ -z "${COFFER_NETWORK:-}" ] || coffer ps -aq 2> /dev/null | xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null 2>&1 || true
}

record() { # ID MEMBER
    jq -r ".$2" "$(coffer_store)/containers/$1/record.json"
}

# Everything dies at once, and what is in memory is lost.
power_cut() {
    local pid id folder
    for pid in $(monitors); do kill -KILL "$pid"; done
    for folder in "$(coffer_store)"/containers/*; do
        id=${folder##*/}
        pid=$(record "$id" pid)
        [ "$pid" = 0 ] || kill -KILL "$pid"
        while [ "$pid" != 0 ] && [ -e "/proc/$pid" ]; do sleep 0.01; done
        find /sys/fs/cgroup -depth -type d -name "*$id*" -exec rmdir {} + 2> /dev/null || true
    done
    rm -rf "$(coffer_root)"
}

# Where what runs of the store has its folders.
live() { # STORE
    echo "$(coffer_root)/containers/$(stat -c '%D %i' "$1" | xargs printf '%s.%x')"
}

states() {
    coffer ps -a --format '{{.Names}} {{.State}}' | sort | tr '\n' ';'
}

@test "boot starts what shall run, and nothing that was stopped or never asked to; again it finds it running" {
    coffer run -d --name always --restart always tiny sleep 1000 > /dev/null
    coffer run -d --name stopped-always --restart always tiny sleep 1000 > /dev/null
    coffer run -d --name unless --restart unless-stopped tiny sleep 1000 > /dev/null
    coffer run -d --name stopped-unless --restart unless-stopped tiny sleep 1000 > /dev/null
    coffer run -d --name fails --restart on-failure tiny sleep 1000 > /dev/null
    coffer run -d --name plain tiny sleep 1000 > /dev/null
    coffer run -d --name passing --rm tiny sleep 1000 > /dev/null
    coffer create --name made --restart always tiny sleep 1000 > /dev/null
    coffer stop -t 0 stopped-always stopped-unless > /dev/null
    power_cut
    [ "$(states)" = "always exited;fails exited;made created;plain exited;stopped-always exited;stopped-unless exited;unless exited;" ]
    run -0 --separate-stderr coffer boot
    [ -z "$stderr" ]
    [[ "${lines[0]}" == "NAME "*"RESULT "*"TOOK "*"REASON"* ]]
    [ "$(coffer boot --format '{{.Name}} {{.Result}}' | tr '\n' ';')" = "always runs already;stopped-always runs already;unless runs already;" ]
    [ "$(states)" = "always running;fails exited;made created;plain exited;stopped-always running;stopped-unless exited;unless running;" ]
}

@test "boot: one waits for those it needs, until they are healthy; a failure stops only those behind it" {
    mkdir "$BATS_TEST_TMPDIR/shared"
    local shared="$BATS_TEST_TMPDIR/shared:/shared"
    coffer run -d --name db --restart always -v "$shared" --health-cmd 'test -e /shared/ready' --health-interval 100ms tiny \
        sh -c 'sleep 0.5; echo db >> /shared/order; touch /shared/ready; sleep 1000' > /dev/null
    coffer run -d --name web --restart always -v "$shared" --label coffer.after=db tiny sh -c 'echo web >> /shared/order; sleep 1000' > /dev/null
    coffer run -d --name lost --restart always --mount "type=bind,source=$BATS_TEST_TMPDIR/shared,target=/v" tiny sleep 1000 > /dev/null
    coffer run -d --name behind --restart always --label coffer.after=lost tiny sleep 1000 > /dev/null
    coffer run -d --name ring --restart always --label coffer.after=ring tiny sleep 1000 > /dev/null
    power_cut
    rm -f "$BATS_TEST_TMPDIR/shared"/*
    mv "$BATS_TEST_TMPDIR/shared" "$BATS_TEST_TMPDIR/moved"
    mkdir "$BATS_TEST_TMPDIR/shared"
    sed -i "s|\"source=$BATS_TEST_TMPDIR/shared,target=/v\"|\"source=$BATS_TEST_TMPDIR/gone,target=/v\"|; s|\"source\":\"$BATS_TEST_TMPDIR/shared\",\"target\":\"/v\"|\"source\":\"$BATS_TEST_TMPDIR/gone\",\"target\":\"/v\"|" \
        "$(coffer_store)/containers/"*/record.json
    run -1 coffer boot --format '{{.Name}}: {{.Result}} {{.Reason}}'
    echo "$output"
    [[ "$output" == *"db: started"* && "$output" == *"web: started"* ]]
    [[ "$output" == *"lost: failed "*"/gone"* ]]
    [[ "$output" == *"behind: skipped it needs lost"* ]]
    [[ "$output" == *"ring: skipped it waits for itself"* ]]
    # The last one's command may just begin.
    until_true grep -qx web "$BATS_TEST_TMPDIR/shared/order"
    [ "$(tr '\n' ' ' < "$BATS_TEST_TMPDIR/shared/order")" = "db web " ]
}

@test "boot: what never becomes healthy is waited for no longer than told" {
    coffer run -d --name db --restart always --health-cmd false --health-interval 100ms tiny sleep 1000 > /dev/null
    coffer run -d --name web --restart always --label coffer.after=db tiny sleep 1000 > /dev/null
    power_cut
    run -1 timeout 30 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" boot --health-timeout 1 --format '{{.Name}}: {{.Result}} {{.Reason}}'
    [[ "$output" == *"db: failed it runs, but did not become healthy"* || "$output" == *"db: failed "*"unhealthy"* ]]
    [[ "$output" == *"web: skipped it needs db"* ]]
    [ "$(states)" = "db running;web exited;" ]
}

@test "a changed boot id: what ran is shown as ended, and processes of the old numbers are left alone" {
    id=$(coffer run -d --name box --restart always tiny sleep 1000)
    pid=$(record "$id" pid)
    for monitor in $(monitors); do kill -KILL "$monitor"; done
    # No control group outlives a boot.
    local group
    while read -r group; do
        echo "$pid" > "${group%%/coffer-*}/cgroup.procs" # version 2: no group in between may have processes
        rmdir "$group"
    done < <(find /sys/fs/cgroup -depth -type d -name "*$id*")
    echo 01234567-89ab-cdef-0123-456789abcdef > "$BATS_TEST_TMPDIR/boot-id"
    # Our process is a stranger to the new boot, which happens to have its number and its time. It holds its root file system, so that the
    # container can start only without it.
    # shellcheck disable=SC2016 # the inner shell's
    run -0 unshare -m --propagation private bash -c '
        set -e
        mount --bind "$1" /proc/sys/kernel/random/boot_id
        pid=$2
        shift 2
        "$@" ps -a --format "{{.Names}} {{.Status}}"
        "$@" system repair -q
        kill -0 "$pid"
        kill -KILL "$pid"
        while [ -e "/proc/$pid" ]; do sleep 0.01; done
        umount /proc/sys/kernel/random/boot_id # a container cannot have a procfs of its own where ours is partly hidden; and one more boot
        "$@" boot --format "{{.Name}} {{.Result}} {{.Reason}}"
        "$@" ps -a --format "{{.Names}} {{.State}}"
        "$@" rm -f box
    ' - "$BATS_TEST_TMPDIR/boot-id" "$pid" "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)"
    echo "$output"
    [[ "${lines[0]}" == "box Exited (unknown) "* ]]
    [ "${lines[1]}" = "box started " ]
    [ "${lines[2]}" = "box running" ]
}

@test "units for systemd are what systemd takes" {
    coffer create --name db tiny sleep 1000 > /dev/null
    coffer create --name web --stop-timeout 30 --label coffer.after=db tiny sleep 1000 > /dev/null
    coffer create --name own --restart always tiny sleep 1000 > /dev/null
    run -0 coffer generate systemd
    [[ "$output" == "# coffer-boot.service"*"Type=oneshot"*"ExecStart="*" boot"*"ExecStop="*" boot --stop"*"WantedBy=multi-user.target"* ]]
    run -0 coffer generate systemd web
    [[ "$output" == *"Requires=coffer-db.service"*"After=coffer-db.service"*" start --attach --sig-proxy=false web"*" stop web"*"TimeoutStopSec=45"*"Restart=on-failure"* ]]
    run -0 coffer generate systemd --user own
    [[ "$output" == *"Restart=no"*"WantedBy=default.target"* ]]
    run -125 coffer generate systemd --all web
    [ "$output" = "coffer: --all and names exclude each other" ]
    run -125 coffer generate systemd nobody
    [[ "$output" == "coffer: no container is named \"nobody\""* ]]
    needs systemd-analyze
    mkdir "$BATS_TEST_TMPDIR/units"
    HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME="" coffer generate systemd --user --install --all
    HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME="" coffer generate systemd --user --install
    [ "$(ls "$BATS_TEST_TMPDIR/.config/systemd/user" | tr '\n' ' ')" = "coffer-boot.service coffer-db.service coffer-own.service coffer-web.service " ]
    run -0 systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/.config/systemd/user/*.service
    echo "$output"
    [[ "$output" != *coffer-* ]]
}

needs_systemd() {
    [ -d /run/systemd/system ] && [ -S /run/dbus/system_bus_socket ] ||
        skip "systemd does not run here: make lab LAB_FLAGS=--systemd LAB_TESTS=tests/cli/boot.bats"
    # An administrator's own must not be lost.
    ! ls /etc/systemd/system/coffer-*.service > /dev/null 2>&1 || skip "units of coffer are installed here"
}

@test "systemd starts what shall run, and ends it without making it the user's wish" {
    needs_systemd
    coffer run -d --name always --restart always tiny sleep 1000 > /dev/null
    coffer run -d --name unless --restart unless-stopped tiny sleep 1000 > /dev/null
    power_cut
    coffer generate systemd --install
    systemctl daemon-reload
    systemctl start coffer-boot
    [ "$(systemctl is-active coffer-boot)" = active ]
    [ "$(states)" = "always running;unless running;" ]
    systemctl stop coffer-boot
    [ "$(states)" = "always exited;unless exited;" ]
    systemctl start coffer-boot
    [ "$(states)" = "always running;unless running;" ]
    systemctl stop coffer-boot
    rm /etc/systemd/system/coffer-boot.service
    systemctl daemon-reload
}

@test "boot --stop ends what runs, by its own signal, and it comes up again" {
    coffer run -d --name box --restart unless-stopped tiny sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done' > /dev/null
    coffer run -d --name plain --stop-timeout 0 tiny sleep 1000 > /dev/null
    for ((i = 0; i < 200; i++)); do [ "$(coffer logs box)" != ready ] || break; sleep 0.02; done
    run -0 coffer boot --stop
    [ -z "$output" ]
    [ "$(states)" = "box exited;plain exited;" ]
    [[ $(coffer ps -a --format '{{.Status}}' --filter name=box) == "Exited (7) "* ]]
    [ "$(coffer boot --format '{{.Name}} {{.Result}}')" = "box started" ]
}

@test "boot --stop ends one whose monitor was killed, however many there are" {
    coffer run -d --name box --stop-signal KILL tiny sleep 1000 > /dev/null
    kill -KILL "$(monitors)"
    # Each command looks at some folders only. These are debris.
    (cd "$(live "$(coffer_store)")" && seq -f '%064.0f' 3000 | xargs mkdir)
    run -0 coffer boot --stop
    [ "$(states)" = "box exited;" ]
}

@test "boot --stop ends more than there may be descriptors at first" {
    local i
    for i in 1 2 3 4 5 6 7 8; do coffer run -d --name "box$i" --stop-signal KILL tiny sleep 1000 > /dev/null; done
    # shellcheck disable=SC2016 # the inner shell's
    run -0 bash -c 'exec 3>&- 4>&- 9>&-; ulimit -S -n 14; exec "$@"' - "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" boot --stop
    [ -z "$output" ]
    [[ $(states) != *running* ]]
    for i in 1 2 3 4 5 6 7 8; do coffer start "box$i" > /dev/null; done
    # shellcheck disable=SC2016
    run -125 bash -c 'exec 3>&- 4>&- 9>&-; ulimit -n 14; exec "$@"' - "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" boot --stop
    echo "$output"
    [[ $output == *"coffer: warning: "*" the monitor of container "* ]]
    [[ ${lines[-1]} == "coffer: "?" of 8 containers could not be told to end, as said above, and "?" have not within 110 s; coffer ps lists them, coffer kill ends them" ]]
    [[ $(states) == *exited*running* || $(states) == *running*exited* ]]
}

@test "a changed boot id: containers of other stores that share the run-time root go on" {
    coffer run -d --name box tiny sleep 1000 > /dev/null
    local other=("$COFFER" --root "$(coffer_root)" --store "$BATS_TEST_TMPDIR/other")
    "${other[@]}" ps > /dev/null
    ln -sfn 01234567-89ab-cdef-0123-456789abcdef "$(live "$BATS_TEST_TMPDIR/other")/.swept"
    "${other[@]}" boot --stop
    [ "$(readlink "$(live "$BATS_TEST_TMPDIR/other")/.swept")" = "$(cat /proc/sys/kernel/random/boot_id)" ]
    [ "$(states)" = "box running;" ]
    coffer exec box true
}

@test "a container as systemd's unit: it ends as the container does, and a stop is no failure" {
    needs_systemd
    coffer create --name fine tiny sleep 1000 > /dev/null
    coffer create --name fails tiny sh -c 'sleep 0.5; exit 3' > /dev/null
    coffer generate systemd --install --all
    sed -i 's/^Restart=on-failure/Restart=no/' /etc/systemd/system/coffer-fails.service
    systemctl daemon-reload
    systemctl start coffer-fine
    for ((i = 0; i < 300; i++)); do [[ "$(states)" != *"fine running"* ]] || break; sleep 0.1; done
    [ "$(systemctl is-active coffer-fine)" = active ]
    [[ "$(states)" == *"fine running"* ]]
    systemctl stop coffer-fine
    systemctl status coffer-fine || true
    [ "$(systemctl is-active coffer-fine)" = inactive ]
    [[ "$(states)" == *"fine exited"* ]]
    systemctl start coffer-fails
    for ((i = 0; i < 300; i++)); do [ "$(systemctl is-active coffer-fails)" = active ] || break; sleep 0.1; done
    [ "$(systemctl is-active coffer-fails)" = failed ]
    [ "$(systemctl show --value -p ExecMainStatus coffer-fails)" = 3 ]
    rm /etc/systemd/system/coffer-{fine,fails}.service
    systemctl daemon-reload
}
