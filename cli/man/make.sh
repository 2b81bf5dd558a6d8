#!/bin/bash
# cli/man/make.sh PROGRAM DIR: write the manual pages of all commands into DIR.
set -euo pipefail
program=$1
dir=$2
mkdir -p "$dir"
"$program" __man | while read -r page; do
    "$program" __man "$page" > "$dir/$page.1"
done
