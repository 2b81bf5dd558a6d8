#!/usr/bin/env bats
# Devices of the host in a container: which it sees, and which it may use.

bats_require_minimum_version 1.5.0
load engine

# A device that no container has of itself, and whose opening does nothing.
some_device() {
    local device
    for device in /dev/fuse /dev/loop-control; do
        [ -e $device ] && echo $device && return
    done
    skip "needs a device to show"
}

@test "--device: one of the host's, and how" {
    local device
    device=$(some_device)
    run tiny tiny test -e $device
    [ "$status" -eq 1 ]
    local number
    number=$(stat -c %t:%T $device)
    [ "$(tiny --device $device tiny stat -c %t:%T $device)" = "$number" ]
    [ "$(tiny --device $device:/dev/other:r tiny stat -c %t:%T /dev/other)" = "$number" ]
    [ "$(tiny --userns host --device $device:/dev/other tiny stat -c %t:%T /dev/other)" = "$number" ]
    run tiny --userns host --device $device:r tiny sh -c "exec 3>> $device"
    [ "$status" -ne 0 ]
    refused '--device: /etc/passwd is no device' --device /etc/passwd
    refused '--device: look at /dev/none: No such file or directory' --device /dev/none
    refused '--device: expected HOST[:CONTAINER][:rwm] with absolute paths, found "fuse"' --device fuse
}

@test "--device: all in a folder" {
    local folder=$BATS_TEST_TMPDIR/devices
    mkdir -p "$folder/below"
    mknod "$folder/one" c 1 3 || skip "may make no devices"
    mknod "$folder/below/two" c 1 5
    echo > "$folder/no-device"
    ln -s one "$folder/link"
    local inside='cd /dev/mine; find . -type c | sort; stat -c %t:%T below/two; ls'
    [ "$(tiny --device "$folder:/dev/mine" tiny sh -c "$inside")" = $'./below/two\n./one\n1:5\nbelow\none' ]
    [ "$(tiny --userns host --device "$folder:/dev/mine" tiny sh -c "$inside")" = $'./below/two\n./one\n1:5\nbelow\none' ]
}

@test "a device that is gone does not keep exec out" {
    mknod "$BATS_TEST_TMPDIR/gone" c 1 3 || skip "may make no devices"
    coffer run -d --name box --device "$BATS_TEST_TMPDIR/gone:/dev/gone" tiny sleep 100 > /dev/null
    rm "$BATS_TEST_TMPDIR/gone"
    [ "$(coffer exec box stat -c %t:%T /dev/gone)" = 1:3 ]
}

@test "--device-cgroup-rule: what comes to be there" {
    local device number
    device=$(some_device)
    number=$(stat -c '%Hr:%Lr' $device)
    local use="mknod /tmp/it c ${number/:/ } && : < /tmp/it"
    run tiny --userns host tiny busybox sh -c "$use"
    [ "$status" -ne 0 ]
    tiny --userns host --device-cgroup-rule "c $number rwm" tiny busybox sh -c "$use"
    tiny --userns host --device-cgroup-rule "c ${number%:*}:* rm" tiny busybox sh -c "$use"
    run tiny --userns host --device-cgroup-rule "c $number m" tiny busybox sh -c "$use"
    [ "$status" -ne 0 ]
    local wrong
    for wrong in 'c 1:3' 'd 1:3 rwm' 'c 1 rwm' 'c 1:x rwm' 'c 1:3 rwx' 'c 99999999999:1 r' ''; do
        refused "--device-cgroup-rule: expected a type, numbers and what may be done, such as \"c 81:* rwm\", found \"$wrong\"" \
            --device-cgroup-rule "$wrong"
    done
}

@test "--privileged: all of the host's, and its own terminals" {
    local device
    device=$(some_device)
    [ "$(tiny --privileged tiny stat -c %t:%T $device)" = "$(stat -c %t:%T $device)" ]
    tiny --privileged tiny sh -c ": < $device"
    run tiny --privileged tiny sh -c 'ls /dev/pts /dev/shm'
    [ "$status" -eq 0 ]
}
