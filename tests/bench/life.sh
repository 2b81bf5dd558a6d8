#!/bin/sh
# tests/bench/life.sh BUNDLE ID RUNTIME...: a container's whole life by three commands, as engines lead it: create, start, delete.
# With the id "probe" at its end the exit code is 42: the contender has done all three.
bundle=$1 id=$2
shift 2
"$@" create --bundle "$bundle" "$id" < /dev/null > /dev/null || exit
"$@" start "$id" || exit
"$@" delete --force "$id" || exit
case $id in
*probe) exit 42 ;;
esac
