# For tests of the low level: a bundle of its own for each test, in $BUNDLE, where the test runs; the container is $ID.
#
#   bundle_setup_file, bundle_setup, bundle_teardown    for setup_file, setup and teardown
#   configure FILTER [JQ ARGS...]       change config.json by a jq filter
#   configure_script TEXT [FILTER [ARGS...]]    the same, with `sh -c TEXT` as the command
#   run_script TEXT [FILTER [ARGS...]]          the same, then `run coffer-oci run` of it
#   in_background ARGS...               run the low level in the background; its pid is in $JOB; ends with the test
#   end_of_background           waits for it: $status and $output, as of `run`
#   wait_for CONDITION...               until the command succeeds, up to ten seconds
#   nothing_left [ID]                   no state, cgroup, process or mount of the container is there

bundle_setup_file() {
    make_bundle "$BATS_FILE_TMPDIR/bundle"
    "$COFFER_OCI" spec --bundle "$BATS_FILE_TMPDIR/bundle"
    local config
    config=$(jq '.process.terminal = false' "$BATS_FILE_TMPDIR/bundle/config.json")
    echo "$config" > "$BATS_FILE_TMPDIR/bundle/config.json"
}

bundle_setup() {
    BUNDLE=$BATS_TEST_TMPDIR/bundle
    ROOTFS=$BUNDLE/rootfs
    ID=t$BATS_TEST_NUMBER-$$
    cp -a "$BATS_FILE_TMPDIR/bundle" "$BUNDLE"
    cd "$BUNDLE" || return
}

bundle_teardown() {
    local id
    for id in "$(coffer_root)"/oci/*; do
        oci delete --force "${id##*/}" > /dev/null 2>&1 || true
    done
    if [ -n "${JOB:-}" ]; then
        kill "$JOB" 2> /dev/null || true
        wait "$JOB" 2> /dev/null || true
    fi
}

configure() {
    local config
    config=$(jq "$@" "$BUNDLE/config.json")
    echo "$config" > "$BUNDLE/config.json"
}

configure_script() {
    local text=$1 filter=${2:-.}
    shift
    [ $# -eq 0 ] || shift
    configure --arg script "$text" "$@" ".process.args = [\"sh\", \"-c\", \$script] | $filter"
}

run_script() {
    configure_script "$@"
    run oci run "$ID"
}

# bats waits for whoever holds its descriptor 3.
in_background() {
    "$COFFER_OCI" --root "$(coffer_root)/oci" "$@" > "$BATS_TEST_TMPDIR/background" 2>&1 < /dev/null 3>&- &
    JOB=$!
}

# The exit code of what runs in the background, in $status, as of `run`.
end_of_background() {
    status=0
    wait "$JOB" || status=$?
    output=$(< "$BATS_TEST_TMPDIR/background")
}

# Up to a minute: what takes this long is broken, and not only slow.
wait_for() {
    local end=$((SECONDS + 60))
    while [ "$SECONDS" -lt "$end" ]; do
        if "$@" > /dev/null 2>&1; then
            return 0
        fi
        sleep 0.02
    done
    echo "this did not come true: $*"
    return 1
}

status_of() {
    oci state "${1:-$ID}" | jq -r .status
}

has_status() {
    [ "$(status_of "${2:-$ID}" 2> /dev/null)" = "$1" ]
}

pid_of() {
    oci state "${1:-$ID}" | jq -r .pid
}

# What only waits for its parent to look is no process any more, and what has left its cgroup is about to be none.
is_gone() { # FOLDER in /proc
    local group
    for _ in $(seq 50); do
        [ -e "$1/status" ] || return 0
        ! grep -q '^State:.[ZX]' "$1/status" 2> /dev/null || return 0
        group=$(cat "$1/cgroup" 2> /dev/null) || return 0 # it went in between
        [[ $group == *' (deleted)'* ]] || return 1
        sleep 0.02
    done
    return 1
}

# Processes are found by their cgroup, whose name bears the id.
nothing_left() {
    local id=${1:-$ID} left
    left=$(
        find "$(coffer_root)/oci" -mindepth 1 -name "$id*" 2> /dev/null
        find /sys/fs/cgroup -type d -name "*$id*" 2> /dev/null
        for process in $(grep -lF -- "$id" /proc/[0-9]*/cgroup 2> /dev/null); do
            is_gone "${process%/cgroup}" || echo "process $process"
        done
        awk -v folder="$BATS_TEST_TMPDIR" 'index($0, folder) { print "mount " $5 }' /proc/self/mountinfo
    ) || true
    if [ -n "$left" ]; then
        echo "left behind: $left"
        return 1
    fi
}

# Lines are compared whole.
has_line() {
    grep -qxF -- "$1" <<< "$output" || {
        echo "no line \"$1\" in: $output"
        return 1
    }
}

fails_with() {
    [ "$status" -eq 1 ] && [ "$output" = "coffer: $1" ] || {
        echo "exit code $status: $output"
        echo "expected: coffer: $1"
        return 1
    }
}
