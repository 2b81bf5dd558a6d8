#!/usr/bin/env bats
# An ordinary user's containers come up with his own systemd, by the units that are generated for it.
#   make lab LAB_FLAGS=--systemd LAB_TESTS=tests/cli/boot_rootless.bats
bats_require_minimum_version 1.5.0
load helpers
load user_manager

setup() {
    make_home
    start_user_manager
    # His systemd has his real home.
    local config
    config=$(getent passwd "$TEST_USER" | cut -d: -f6)/.config
    ! ls "$config"/systemd/user/coffer-*.service > /dev/null 2>&1 || skip "units of coffer are installed in $config"
    CONFIG=$config
    as_user mkdir -p "$CONFIG"
    mkdir "$HOME_DIR/shared"
    chown "$TEST_UID" "$HOME_DIR/shared"
}

teardown() {
    [ -n "${HOME_DIR:-}" ] || return 0
    leave_home
    stop_user_manager
    [ -z "${CONFIG:-}" ] || find "$CONFIG/systemd/user" -name 'coffer-*.service' -delete
}

install_units() { # [--all]
    in_session env XDG_CONFIG_HOME="$CONFIG" "$COFFER" --root "$HOME_DIR/run" --store "$HOME_DIR/store" generate systemd --install "$@"
    user_systemd daemon-reload
}

user_systemd() {
    in_session systemctl --user "$@"
}

is_active() {
    [ "$(user_systemd is-active "$1")" = active ]
}

states() {
    mine ps -a --format '{{.Names}} {{.State}}' | sort | tr '\n' ';'
}

# The host has gone down and comes up: of the user's nothing runs, and his systemd is started anew.
reboot_user() {
    systemctl stop "user@$TEST_UID.service"
    [[ $(states) != *running* ]]
    rm -f "$HOME_DIR/shared"/*
    start_user_manager
}

@test "a user's systemd: coffer-boot starts what shall run in its order, with its limits, and ends it with him" {
    logged_in run -d --name db --restart always --memory 64m -v "$HOME_DIR/shared:/shared" --health-cmd 'test -e /shared/ready' \
        --health-interval 100ms tiny sh -c 'sleep 0.5; echo db >> /shared/order; touch /shared/ready; sleep 1000' > /dev/null
    logged_in run -d --name web --restart unless-stopped -v "$HOME_DIR/shared:/shared" --label coffer.after=db --stop-signal KILL tiny \
        sh -c 'echo web >> /shared/order; sleep 1000' > /dev/null
    install_units
    user_systemd enable --quiet coffer-boot
    user_systemd start coffer-boot
    is_active coffer-boot
    reboot_user
    until_true is_active coffer-boot
    [ "$(states)" = "db running;web running;" ]
    [ "$(tr '\n' ' ' < "$HOME_DIR/shared/order")" = "db web " ]
    group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(mine inspect -f '{{.State.Pid}}' db)/cgroup")
    [[ $group == "$SERVICE"/* ]]
    [ "$(cat "$group/memory.max")" = 67108864 ]
    user_systemd stop coffer-boot
    [ "$(states)" = "db exited;web exited;" ]
}

@test "a user's systemd: a unit for each, one behind the one that it needs" {
    logged_in create --name db -v "$HOME_DIR/shared:/shared" --stop-signal KILL tiny sh -c 'echo db >> /shared/order; sleep 1000' > /dev/null
    logged_in create --name web -v "$HOME_DIR/shared:/shared" --label coffer.after=db --stop-signal KILL tiny \
        sh -c 'echo web >> /shared/order; sleep 1000' > /dev/null
    install_units --all
    user_systemd enable --quiet coffer-web
    reboot_user
    until_true test -s "$HOME_DIR/shared/order"
    until_true grep -q web "$HOME_DIR/shared/order"
    is_active coffer-db
    is_active coffer-web
    [ "$(states)" = "db running;web running;" ]
    user_systemd stop coffer-db # who needs it goes before it
    [ "$(states)" = "db exited;web exited;" ]
    [ "$(user_systemd is-active coffer-web || true)" = inactive ]
}
