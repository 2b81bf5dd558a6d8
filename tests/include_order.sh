#!/bin/bash
# tests/include_order.sh: fails on an include that goes against the order of the rooms, or is not written from the top.
# A file includes its own room and the rooms before it. What init is made of is linked with nothing else, so it is held tighter.
cd "$(dirname "$0")/.." || exit 1
find runtime images specs cli -name '*.[ch]' -print0 | xargs -0 awk '
    BEGIN {
        count = split("runtime/base runtime/kernel specs runtime/container images runtime/net runtime/engine runtime/compose cli", rooms, " ")
        for (i = 1; i <= count; i++) { rank[rooms[i]] = i }
    }
    # The longest room that a path lies in.
    function room_of(path) {
        while (sub(/\/[^\/]*$/, "", path)) { if (path in rank) { return path } }
        return ""
    }
    /^#include "/ {
        split($0, parts, "\"")
        included = parts[2]
        from = room_of(FILENAME)
        to = room_of(included)
        if (to == "") { complain("is not written from the top of the tree"); next }
        if (rank[to] > rank[from]) { complain("goes against the order: " from " stands before " to) }
        if (FILENAME ~ /^runtime\/container\/init\// && included !~ /^runtime\/(base|kernel|container\/init)\//) {
            complain("is not part of the init program")
        }
    }
    function complain(what) { printf "%s:%d: include of %s %s\n", FILENAME, FNR, included, what; bad = 1 }
    END { exit bad }'
