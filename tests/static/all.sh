#!/bin/bash
# tests/static/all.sh [PROGRAM]: everything that can be told from the sources, as TAP: one line a check. Fails if one of them does.
cd "$(dirname "$0")/../.." || exit 1
program=${1:-build/coffer}
number=0
failed=0

# check NAME COMMAND...: what the command printed is shown when it fails.
check() {
    local name=$1 said
    shift
    number=$((number + 1))
    if said=$("$@" 2>&1); then
        echo "ok $number - $name"
    else
        sed 's/^/# /' <<< "$said"
        echo "not ok $number - $name"
        failed=1
    fi
}

scripts() {
    grep -rlE '^#!/bin/(ba)?sh' tests .ci --include='*' | grep -v '\.bats$'
}

lint_scripts() {
    scripts | xargs shellcheck -x -S warning
}

lint_bats() {
    local files
    files=$(find tests -name '*.bats' -o -name '*.bash')
    # Bats' own @test lines and its helpers' variables are not what shellcheck knows.
    [ -z "$files" ] || xargs shellcheck -s bash -S warning -e SC1090,SC1091,SC2030,SC2031,SC2034,SC2154,SC2314 <<< "$files"
}

lint_manuals() {
    local dir result=0
    dir=$(mktemp -d)
    cli/man/make.sh "$program" "$dir" && mandoc -T lint -W warning "$dir"/*.1 || result=1
    rm -rf "$dir"
    return "$result"
}

# "! command" does not end a test under set -e: what it denies could be so.
denials() {
    ! grep -rnE '^\s*! ' tests --include='*.bats' --include='*.bash' | grep -vE '\|\| |; then$'
}

# Functions below ~80 lines and files below ~600: more than these bounds is never right.
long_files() {
    find runtime images specs cli -name '*.[ch]' -print0 | xargs -0 wc -l | awk '$2 != "total" && $1 > 700 { print; bad = 1 } END { exit bad }'
}

environment_outside_cli() {
    ! grep -nE '\b(secure_)?getenv\(|\bexit\(|\bprintf\(|\bputs\(|\bperror\(' -r runtime specs images --include=*.c
}

gotos() {
    ! grep -nE '^\s*goto\b' -r runtime specs images cli --include=*.[ch]
}

completions() {
    "$program" completion bash | bash -n && "$program" completion bash | grep -q coffer
}

# One file to install, and nothing of the host's is mapped into a container's process. The sanitised build is linked otherwise.
self_contained() {
    local file
    [ "${SAN:-0}" = 0 ] || return 0
    for file in "$program" "$(dirname "$program")/coffer-init"; do
        if readelf -lW "$file" | grep -q INTERP; then
            echo "$file needs a dynamic loader"
            return 1
        fi
    done
}

check "rooms include each other in their order" tests/include_order.sh
check "no foreign path reaches a plain call" tests/static/plain_paths.sh
check "no environment, printing or exit outside cli" environment_outside_cli
check "no goto" gotos
check "the program and init need no loader" self_contained
check "no file is overlong" long_files
check "scripts are clean" lint_scripts
check "bats files are clean" lint_bats
check "what tests deny they test (! COMMAND || false)" denials
check "manual pages are clean" lint_manuals
check "completions are valid bash" completions
echo "1..$number"
exit "$failed"
