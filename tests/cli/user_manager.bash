# shellcheck disable=SC2034 # SERVICE is for who loads this
# What bats files about an ordinary user's own systemd load, behind helpers.bash: it runs in the lab (LAB_FLAGS=--systemd).
#
#   start_user_manager      once make_home has made the user; SERVICE is its control group. stop_user_manager in teardown
#   in_session CMD...       as that user, logged in
#   logged_in ARGS...       coffer so, as mine has it elsewhere

start_user_manager() {
    if [ ! -d /run/systemd/system ] || [ ! -S /run/dbus/system_bus_socket ]; then
        skip "systemd does not run here: make lab LAB_FLAGS=--systemd LAB_TESTS=tests/cli/${BATS_TEST_FILENAME##*/}"
    fi
    [ -e /usr/lib/systemd/user/dbus.socket ] || skip "needs dbus-user-session"
    USER_MANAGER=1
    systemctl start "user@$TEST_UID.service"
    until_true test -S "/run/user/$TEST_UID/bus"
    SERVICE=/sys/fs/cgroup/user.slice/user-$TEST_UID.slice/user@$TEST_UID.service
}

stop_user_manager() {
    [ -z "${USER_MANAGER:-}" ] || systemctl stop "user@$TEST_UID.service"
}

in_session() {
    as_user env -u DBUS_SESSION_BUS_ADDRESS -u XDG_DATA_HOME -u XDG_CONFIG_HOME HOME="$HOME_DIR" XDG_RUNTIME_DIR="/run/user/$TEST_UID" \
        timeout -k 2 60 "$@"
}

logged_in() {
    in_session "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" "$@"
}
