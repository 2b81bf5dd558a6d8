#!/usr/bin/env bats
# The low level with systemd as the maker of control groups. What needs a systemd runs in the lab:
#   make lab LAB_FLAGS=--systemd LAB_TESTS=tests/cli/oci_systemd.bats
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    configure '.process.args = ["sleep", "600"]'
    UNIT=coffer-$ID.scope
}

teardown() {
    bundle_teardown
    if [ -n "${USER_MANAGER:-}" ]; then
        systemctl stop "user@$TEST_UID.service" || true
    fi
}

needs_systemd() {
    [ -d /run/systemd/system ] && [ -S /run/dbus/system_bus_socket ] ||
        skip "systemd does not run here: make lab LAB_FLAGS=--systemd LAB_TESTS=tests/cli/oci_systemd.bats"
}

sd() {
    oci --systemd-cgroup "$@"
}

runs() {
    configure "${@:-.}"
    sd run --detach "$ID" 3>&-
}

# show PROPERTY: what systemd has for the unit.
show() {
    systemctl show --value -p "$1" "$UNIT"
}

# in_group FILE: what stands in the control file; version 2.
in_group() {
    cat "/sys/fs/cgroup$(show ControlGroup)/$1"
}

has_processes() {
    [ "$(in_group cgroup.procs | wc -l)" -ge "$1" ]
}

no_unit() {
    [ -z "$(systemctl list-units --all --plain --no-legend "*$ID*")" ]
}

@test "a path that is not of systemd's form is refused by its field" {
    while IFS='|' read -r path message; do
        configure --arg path "$path" '.linux.cgroupsPath = $path'
        run sd run "$ID"
        fails_with "run container \"$ID\": config.json: linux.cgroupsPath: \"$path\": $message"
        nothing_left
    done <<'PATHS'
/a/b|expected slice:prefix:name, which is what systemd makes cgroups by (--systemd-cgroup)
a.slice:b|expected slice:prefix:name, which is what systemd makes cgroups by (--systemd-cgroup)
a.slice:b:c:d|expected slice:prefix:name, which is what systemd makes cgroups by (--systemd-cgroup)
a.slice/b.slice:c:d|expected slice:prefix:name, which is what systemd makes cgroups by (--systemd-cgroup)
a.slice:b:|the name is empty; expected slice:prefix:name
a:b:c|a slice is named as in "machine.slice" or, below a.slice, "a-b.slice"
a--b.slice:c:d|a slice is named as in "machine.slice" or, below a.slice, "a-b.slice"
-a.slice:c:d|a slice is named as in "machine.slice" or, below a.slice, "a-b.slice"
a.slice:b c:d|a unit's name is at most 255 letters, digits and :-_.\@
::-.slice|the root slice is no container's own
PATHS
}

@test "a wrong annotation of a property is refused before anything is made" {
    while IFS='|' read -r name value message; do
        configure --arg name "org.systemd.property.$name" --arg value "$value" '.annotations = {($name): $value}'
        run sd run "$ID"
        fails_with "run container \"$ID\": config.json: annotations: org.systemd.property.$name: $message"
        nothing_left
    done <<'ANNOTATIONS'
Ab|1|a property's name is at least 3 letters
Memory-Max|1|a property's name is at least 3 letters
TimeoutStopSec|soon|"soon" is not a number of seconds
CollectMode|'inactive|"'inactive" is not a text in quotes
After|['a' 'b']|"['a' 'b']" is not a list of texts, as in ['a', 'b']
TasksMax|uint64 -1|"uint64 -1" is not a value such as true, 'text', ['a', 'b'], 5, uint64 5, int64 5, uint32 5 or int32 5
TasksMax|4294967296|"4294967296" is not a value such as true, 'text', ['a', 'b'], 5, uint64 5, int64 5, uint32 5 or int32 5
ANNOTATIONS
}

@test "without a bus the error says what to do" {
    [ ! -S /run/dbus/system_bus_socket ] || skip "this host has a bus"
    run sd run "$ID"
    fails_with "run container \"$ID\": no systemd to ask for a cgroup (take --cgroup-manager cgroupfs where it does not run): connect to the bus at unix:path=/run/dbus/system_bus_socket: No such file or directory"
    nothing_left
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
    make_user
    run as_user env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS "$COFFER_OCI" --root "$BATS_TEST_TMPDIR/user" --cgroup-manager systemd run "$ID"
    fails_with "--cgroup-manager: the user's own systemd is needed, and neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set: log in (sudo and su do not), or \`loginctl enable-linger\` once and set XDG_RUNTIME_DIR=/run/user/$TEST_UID; or take --cgroup-manager cgroupfs"
}

@test "a container runs in a scope of its own, which goes with it" {
    needs_systemd
    runs
    [ "$(show ActiveState)" = active ]
    [ "$(show Slice)" = system.slice ]
    [ "$(show Delegate)" = yes ]
    [ "$(show DefaultDependencies)" = no ]
    [ "$(show Description)" = "coffer container $ID" ]
    [ "$(show ControlGroup)" = "/system.slice/$UNIT" ]
    [ "$(cut -d: -f3 "/proc/$(pid_of)/cgroup")" = "/system.slice/$UNIT" ]
    for accounting in Memory CPU Tasks IO; do
        [ "$(show "${accounting}Accounting")" = yes ]
    done
    oci delete --force "$ID"
    no_unit
    nothing_left
    configure_script 'cat /proc/self/cgroup; exit 7'
    run sd run "$ID"
    [ "$status" -eq 7 ]
    [ "$output" = 0::/ ]
    no_unit
    nothing_left
}

@test "create, start and delete need no flag" {
    needs_systemd
    sd create "$ID" 3>&-
    [ "$(show ActiveState)" = active ]
    oci start "$ID"
    has_status running
    oci kill "$ID" KILL
    wait_for has_status stopped
    oci delete "$ID"
    no_unit
    nothing_left
}

LIMITS='.linux.resources += {
    "memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432},
    "cpu": {"quota": 50000, "period": 100000, "shares": 512, "cpus": "0", "mems": "0"},
    "pids": {"limit": 50},
    "blockIO": {"weight": 100},
    "unified": {"memory.high": "60M"}}'

# The control files as LIMITS has them.
limits_hold() {
    [ "$(in_group memory.max)" = 67108864 ]
    [ "$(in_group memory.swap.max)" = 33554432 ]
    [ "$(in_group memory.low)" = 33554432 ]
    [ "$(in_group memory.high)" = 62914560 ]
    [ "$(in_group cpu.max)" = "50000 100000" ]
    [ "$(in_group cpu.weight)" = 59 ]
    [ "$(in_group cpuset.cpus)" = 0 ]
    [ "$(in_group pids.max)" = 50 ]
    [ "$(in_group io.weight)" = "default 910" ]
}

@test "limits are properties of the unit, and a daemon-reload leaves them as they are" {
    needs_systemd
    runs "$LIMITS"
    while IFS='=' read -r property value; do
        [ "$(show "$property")" = "$value" ] || {
            echo "$property is $(show "$property"), expected $value"
            return 1
        }
    done <<'PROPERTIES'
MemoryMax=67108864
MemorySwapMax=33554432
MemoryLow=33554432
MemoryHigh=62914560
CPUWeight=59
CPUQuotaPerSecUSec=500ms
CPUQuotaPeriodUSec=100ms
AllowedCPUs=0
AllowedMemoryNodes=0
TasksMax=50
IOWeight=910
DevicePolicy=strict
PROPERTIES
    show DeviceAllow | grep -qx '/dev/char/1:3 rwm'
    limits_hold
    systemctl daemon-reload
    limits_hold
}

@test "device rules hold before and after a daemon-reload" {
    needs_systemd
    configure_script 'trap "head -c 0 /dev/kmsg2 > /tmp/answer 2>&1; head -c 0 /dev/null && echo null >> /tmp/answer" USR1; while :; do sleep 0.1; done' \
        '.root.readonly = false | .process.capabilities |= map_values(["CAP_SYSLOG", "CAP_DAC_OVERRIDE"])
            | .linux.devices = [{"path": "/dev/kmsg2", "type": "c", "major": 1, "minor": 11}]'
    runs
    for round in before after; do
        sleep 0.5
        rm -f "$ROOTFS/tmp/answer"
        oci kill "$ID" USR1
        wait_for grep -q null "$ROOTFS/tmp/answer"
        grep -q "Operation not permitted" "$ROOTFS/tmp/answer"
        systemctl daemon-reload
    done
}

@test "rules that systemd has no list for are enforced without it" {
    needs_systemd
    runs '.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "access": "rwm"},
        {"allow": false, "type": "c", "major": 10, "minor": 200, "access": "rwm"}]'
    [ "$(show DevicePolicy)" = auto ]
    oci delete --force "$ID"
    no_unit
}

@test "update changes properties and files" {
    needs_systemd
    runs "$LIMITS"
    oci update --memory 134217728 --memory-swap 134217728 --pids-limit 70 --cpu-quota 25000 --cpu-share 1024 "$ID"
    [ "$(show MemoryMax)" = 134217728 ]
    [ "$(show MemorySwapMax)" = 0 ]
    [ "$(show TasksMax)" = 70 ]
    [ "$(show CPUWeight)" = 100 ]
    [ "$(show CPUQuotaPerSecUSec)" = 250ms ]
    systemctl daemon-reload
    [ "$(in_group memory.max)" = 134217728 ]
    [ "$(in_group memory.swap.max)" = 0 ]
    [ "$(in_group memory.low)" = 33554432 ]
    [ "$(in_group pids.max)" = 70 ]
    [ "$(in_group cpu.max)" = "25000 100000" ]
    [ "$(in_group cpu.weight)" = 100 ]
}

@test "slices lie in each other by their names" {
    needs_systemd
    runs '.linux.cgroupsPath = "coffertest-sub.slice:pre:'"$ID"'"'
    UNIT=pre-$ID.scope
    [ "$(show Slice)" = coffertest-sub.slice ]
    [ "$(show ControlGroup)" = "/coffertest.slice/coffertest-sub.slice/pre-$ID.scope" ]
    [ "$(cut -d: -f3 "/proc/$(pid_of)/cgroup")" = "/coffertest.slice/coffertest-sub.slice/pre-$ID.scope" ]
    oci delete --force "$ID"
    no_unit
    runs '.linux.cgroupsPath = "-.slice:pre:'"$ID"'"'
    [ "$(show ControlGroup)" = "/pre-$ID.scope" ]
    oci delete --force "$ID"
    no_unit
}

@test "a container can be in a slice of its own" {
    needs_systemd
    slice=coffertest-${ID//-/_}.slice
    runs '.linux.cgroupsPath = "::'"$slice"'" | .linux.resources.pids = {"limit": 40}'
    UNIT=$slice
    [ "$(show ActiveState)" = active ]
    [ "$(cut -d: -f3 "/proc/$(pid_of)/cgroup")" = "/coffertest.slice/$slice" ]
    [ "$(in_group pids.max)" = 40 ]
    oci delete --force "$ID"
    [ "$(show ActiveState)" = inactive ]
    [ ! -e "/sys/fs/cgroup/coffertest.slice/$slice" ]
}

@test "annotations set properties of the unit" {
    needs_systemd
    runs '.annotations = {"org.systemd.property.TimeoutStopSec": "123", "org.systemd.property.Description": "'"'told'"'",
        "org.systemd.property.After": "['"'basic.target', 'dbus.service'"']", "org.systemd.property.SendSIGHUP": "true",
        "org.systemd.property.TasksMax": "uint64 33"}'
    [ "$(show TimeoutStopUSec)" = "2min 3s" ]
    [ "$(show Description)" = told ]
    [[ "$(show After)" == *basic.target* ]]
    [ "$(show SendSIGHUP)" = yes ]
    [ "$(show TasksMax)" = 33 ]
    oci delete --force "$ID"
    configure '.annotations = {"org.systemd.property.NoSuchThing": "true"}'
    run sd run --detach "$ID" 3>&-
    fails_with "run container \"$ID\": make unit $UNIT: systemd says: Cannot set property NoSuchThing, or unknown property."
    no_unit
    nothing_left
}

@test "a unit of this name that is there stays there" {
    needs_systemd
    systemd-run --scope --unit "$UNIT" sleep 600 > /dev/null 2>&1 3>&- &
    wait_for systemctl is-active "$UNIT"
    run sd run --detach "$ID" 3>&-
    fails_with "run container \"$ID\": make unit $UNIT: there is one of this name (systemctl status $UNIT); stop it, or give another name in linux.cgroupsPath"
    [ "$(show ActiveState)" = active ]
    [ ! -e "$(coffer_root)/oci/$ID" ]
    systemctl stop "$UNIT"
}

@test "pause, ps, exec and events work on the scope" {
    needs_systemd
    runs
    oci exec --detach "$ID" sleep 601 3>&-
    wait_for has_processes 2
    oci pause "$ID"
    [ "$(in_group cgroup.freeze)" = 1 ]
    has_status paused
    oci resume "$ID"
    [ "$(oci ps --format json "$ID" | jq length)" -ge 2 ]
    [ "$(oci events --stats "$ID" | jq .data.pids.current)" -ge 2 ]
    oci kill --all "$ID" KILL
    wait_for has_status stopped
    oci delete "$ID"
    no_unit
    nothing_left
}

@test "a failed create leaves no unit" {
    needs_systemd
    configure '.process.args = ["/no/such/program"]'
    run sd create "$ID" 3>&-
    [ "$status" -ne 0 ]
    no_unit
    nothing_left
    configure '.process.args = ["sleep", "600"] | .linux.resources.unified = {"pids.max": "many"}'
    run sd create "$ID" 3>&-
    fails_with "create container \"$ID\": linux.resources.unified: pids.max: \"many\" is no value that systemd can be told"
    no_unit
    nothing_left
}

@test "a killed run or create leaves no unit once the next command has come" {
    needs_systemd
    for round in $(seq 12); do
        verb=$([ $((round % 2)) = 0 ] && echo run || echo create)
        "$COFFER_OCI" --root "$(coffer_root)/oci" --systemd-cgroup "$verb" "$ID" > /dev/null 2>&1 < /dev/null 3>&- &
        victim=$!
        sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
        kill -9 "$victim" 2> /dev/null || true
        wait "$victim" 2> /dev/null || true
        oci delete --force "$ID" || true
        wait_for no_unit
        wait_for nothing_left
    done
}

@test "a user's own systemd makes the scope" {
    needs_systemd
    make_user
    [ -e /usr/lib/systemd/user/dbus.socket ] || skip "needs dbus-user-session"
    USER_MANAGER=1
    systemctl start "user@$TEST_UID.service"
    wait_for test -S "/run/user/$TEST_UID/bus"
    "$COFFER_OCI" spec --rootless --bundle "$BATS_TEST_TMPDIR"
    jq '.process.terminal = false | .process.args = ["sleep", "600"] | .linux.resources.pids = {"limit": 44}
        | .linux.uidMappings[0].hostID = '"$TEST_UID"' | .linux.gidMappings[0].hostID = '"$(id -g "$TEST_USER")" \
        "$BATS_TEST_TMPDIR/config.json" > "$BUNDLE/config.json"
    chmod -R a+rX "$BUNDLE"
    user() {
        as_user env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR="/run/user/$TEST_UID" "$COFFER_OCI" --root "/run/user/$TEST_UID/oci" "$@"
    }
    user --systemd-cgroup run --detach --bundle "$BUNDLE" "$ID" 3>&-
    group=/user.slice/user-$TEST_UID.slice/user@$TEST_UID.service/user.slice/$UNIT
    [ "$(cut -d: -f3 "/proc/$(user state "$ID" | jq .pid)/cgroup")" = "$group" ]
    [ "$(cat "/sys/fs/cgroup$group/pids.max")" = 44 ]
    user update --pids-limit 45 "$ID"
    [ "$(cat "/sys/fs/cgroup$group/pids.max")" = 45 ]
    # Later commands find the bus in the container's record.
    as_user env -i PATH="$PATH" "$COFFER_OCI" --root "/run/user/$TEST_UID/oci" delete --force "$ID"
    [ ! -e "/sys/fs/cgroup$group" ]
    nothing_left
}

@test "podman lets systemd make the scope" {
    needs_systemd
    needs podman conmon
    archive=$BATS_TEST_TMPDIR/image.tar
    tar -C "$ROOTFS" -cf "$archive" .
    pod() {
        podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman.run" --storage-driver vfs --cgroup-manager systemd \
            --runtime "$COFFER_OCI" --events-backend none "$@"
    }
    pod import "$archive" tiny > /dev/null
    run pod run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --memory 64m tiny cat /proc/self/cgroup
    [ "$status" -eq 0 ]
    name=$(pod run --detach --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --memory 64m tiny sleep 600 3>&-)
    UNIT=libpod-$name.scope
    [ "$(show ControlGroup)" = "/machine.slice/$UNIT" ]
    [ "$(show MemoryMax)" = 67108864 ]
    [ "$(pod exec "$name" echo inside)" = inside ]
    pod update --memory 128m "$name" > /dev/null
    [ "$(show MemoryMax)" = 134217728 ]
    [ "$(in_group memory.max)" = 134217728 ]
    pod rm --force --time 0 "$name"
    ID=$name
    wait_for no_unit
}
