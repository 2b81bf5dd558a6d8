#!/bin/bash
# tests/fuzz/replay.sh SECONDS TARGET...: run each fuzz target over its seeds, then SECONDS more on what it makes of them. TAP.
# An input that is found to crash a target is kept in found/NAME beside the target: add it to the seeds with the repair.
seconds=$1
shift
number=0
for target in "$@"; do
    number=$((number + 1))
    name=$(basename "$target")
    seeds=tests/fuzz/corpus/$name
    found=$(dirname "$target")/found/$name
    grown=$(dirname "$target")/grown/$name
    log=$target.log
    mkdir -p "$found" "$grown"
    options=(-artifact_prefix="$found/" -timeout=10 -rss_limit_mb=2048 -print_funcs=0)
    files=("$seeds"/*)
    if [ ! -e "${files[0]}" ]; then
        echo "not ok $number - $name has no seeds in $seeds"
    elif ! "$target" "${options[@]}" "${files[@]}" > "$log" 2>&1 ||
        ! "$target" "${options[@]}" -max_total_time="$seconds" "$grown" "$seeds" > "$log" 2>&1; then
        tail -30 "$log" | sed 's/^/# /'
        echo "not ok $number - $name"
    else
        echo "ok $number - $name: ${#files[@]} seeds, $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$log" | tail -1)"
    fi
done
echo "1..$number"
