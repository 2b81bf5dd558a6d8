#!/bin/sh
# refusal.sh COMMAND...: succeeds where the command refuses (42 to the probe that asks for it, which is the first run).
"$@" 2> /dev/null && exit 1
case $* in
*-probe) exit 42 ;;
esac
