#!/usr/bin/env bats
# Many containers, one after the other and side by side: nothing grows.
#
#   SOAK_COUNT=N   how many (64; `make soak`: 5000)      SOAK_NETWORKED=N   on a bridge (16; 500)
bats_require_minimum_version 1.5.0
load ../cli/helpers

setup_file() {
    [ "$(id -u)" -eq 0 ] || return 0
    make_image tiny > /dev/null
}

@test "starting and stopping leaves mounts, cgroups, interfaces, files, descriptors and memory as they were" {
    needs_root
    needs unshare nft ip
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
    timeout -k 2 3600 "$BATS_TEST_DIRNAME/soak.sh" "$COFFER" "oci:$(make_image):tiny" "$BATS_TEST_TMPDIR/soak" "${SOAK_COUNT:-64}" 8 \
        "${SOAK_NETWORKED:-16}"
}
