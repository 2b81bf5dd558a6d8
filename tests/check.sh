#!/bin/bash
# tests/check.sh [TEST...]: what `make check` does behind `make deps`: build with warnings as errors, then all tests (or these).
# The last line is "N passed, N failed, N skipped" whatever happens.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build} SAN=${SAN:-0}
shopt -s nullglob

if ! make --no-print-directory -j2 WERROR=1 SAN="$SAN" BUILD="$BUILD" all unit fuzz-build; then
    echo "the build failed"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

export COFFER=$PWD/$BUILD/coffer COFFER_OCI=$PWD/$BUILD/coffer-oci
reports=$PWD/$BUILD/sanitizer-reports
if [ "$SAN" = 1 ]; then
    # Reports go to files: a test that only looks at an exit code would not show them. Leaks: see tests/run.
    rm -rf "$reports"
    mkdir -m 1777 "$reports"
    export ASAN_OPTIONS=log_path=$reports/asan:detect_leaks=0 UBSAN_OPTIONS=log_path=$reports/ubsan:print_stacktrace=1
fi

if [ $# -gt 0 ]; then
    tests=("$@")
else
    tests=("tests/static/all.sh $COFFER")
    for file in tests/cli/*.bats tests/fault/*.bats tests/unit/*_test.c; do
        case $file in
        *.bats) tests+=("$file") ;;
        *.c) tests+=("$BUILD/unit/$(basename "$file" .c)") ;;
        esac
    done
    if compgen -G "tests/fuzz/*_fuzz.c" > /dev/null; then
        targets=(tests/fuzz/*_fuzz.c)
        targets=("${targets[@]#tests/fuzz/}")
        targets=("${targets[@]%_fuzz.c}")
        tests+=("tests/fuzz/replay.sh 10 ${targets[*]/#/$BUILD/fuzz/}")
    fi
fi
last=()
if [ "$SAN" = 1 ]; then
    last=(-l "tests/static/no_reports.sh $reports")
fi
exec tests/run -o "$BUILD/tap" "${last[@]}" "${tests[@]}"
