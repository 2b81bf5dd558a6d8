#!/bin/bash
# tests/static/no_reports.sh DIR: whether ASan and UBSan left a report in DIR, as one TAP line. Run behind all other tests.
shopt -s nullglob
reports=("$1"/*)
if [ "${#reports[@]}" -eq 0 ]; then
    echo "ok 1 - no report of a sanitizer"
else
    head -n 40 "${reports[@]:0:5}" | sed 's/^/# /'
    echo "not ok 1 - ${#reports[@]} reports of sanitizers in $1"
fi
echo "1..1"
