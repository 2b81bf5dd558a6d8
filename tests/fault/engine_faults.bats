#!/usr/bin/env bats
# The engine when things go wrong: commands and monitors killed at any moment. Nothing may be left, and nothing may be lost.
#
#   FAULT_KILLS=N   how many kills (20; 300 in the long form)      FAULT_SEED=N   the same ones again
bats_require_minimum_version 1.5.0
load ../cli/helpers

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    make_image tiny > /dev/null
}

setup() {
    needs_root
    needs unshare python3 nft ip
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
    coffer load -q --name tiny "oci:$(make_image):tiny" > /dev/null
}

@test "commands and monitors killed at any moment leave nothing behind a repair" {
    # shellcheck disable=SC2086 # no seed is no argument
    unshare -n -m --propagation private timeout -k 2 1200 "$BATS_TEST_DIRNAME/engine_kills.py" "$COFFER" "$BATS_TEST_TMPDIR" \
        "${FAULT_KILLS:-20}" ${FAULT_SEED:-}
}
