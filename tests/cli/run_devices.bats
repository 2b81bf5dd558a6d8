#!/usr/bin/env bats
# Devices of the host in a container: which it sees, and which it may use.

bats_require_minimum_version 1.5.0
load engine

teardown() {
    umount -l -t overlay /etc 2> /dev/null || true # of with_cdi_file
    engine_teardown
}

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

# This machine's /etc with a CDI file in it, for this test file's mount namespace alone.
with_cdi_file() { # NAME, its text on standard input
    mkdir -p "$BATS_TEST_TMPDIR"/etc/{upper/cdi,work}
    cat > "$BATS_TEST_TMPDIR/etc/upper/cdi/$1"
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$BATS_TEST_TMPDIR/etc/upper,workdir=$BATS_TEST_TMPDIR/etc/work" /etc
}

@test "--device and --gpus: what CDI files describe" {
    [ ! -e /etc/cdi ] || skip "this host has CDI files of its own"
    local device number
    device=$(some_device)
    number=$(stat -c %t:%T $device)
    echo library > "$BATS_TEST_TMPDIR/library"
    with_cdi_file test.json << END
{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
 "containerEdits": {"env": ["DRIVER=1"], "mounts": [{"hostPath": "$BATS_TEST_TMPDIR/library", "containerPath": "/lib/driver", "options": ["ro", "nosuid"]}]},
 "devices": [
  {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu0", "hostPath": "$device"}], "env": ["GPU=0"], "additionalGids": [77]}},
  {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu1", "hostPath": "$device", "permissions": "r"}], "env": ["GPU=1"]}},
  {"name": "all", "containerEdits": {"deviceNodes": [{"path": "$device"}], "hooks": [{"hookName": "createContainer", "path": "/bin/hook"}]}}]}
END
    local inside='stat -c %t:%T /dev/gpu0; cat /lib/driver; echo $DRIVER $GPU; id -G'
    [ "$(tiny --device nvidia.com/gpu=0 tiny sh -c "$inside")" = "$number"$'\nlibrary\n1 0\n0 77' ]
    [ "$(tiny --gpus 2 tiny sh -c "$inside; stat -c %t:%T /dev/gpu1")" = "$number"$'\nlibrary\n1 1\n0 77\n'"$number" ]
    [ "$(tiny --gpus '"device=0,1",capabilities=utility' tiny sh -c 'ls /dev/gpu*')" = $'/dev/gpu0\n/dev/gpu1' ]
    run tiny --gpus all tiny stat -c %t:%T $device
    [ "$status" -eq 0 ]
    [[ $output == *'a CDI file asks for the hook createContainer, /bin/hook, which is not run'* ]]
    [[ $output == *"$number" ]]
    refused '--gpus: --device nvidia.com/gpu=7: no CDI file in /etc/cdi or /var/run/cdi describes it' --gpus device=7
    refused '--gpus: expected all, a number, or "device=NAME,..." in quotes of its own, found "some"' --gpus some
    echo '{"cdiVersion": "0.6.0", "kind": 5}' > /etc/cdi/broken.json
    run tiny --device other.org/thing=x tiny true
    [ "$status" -eq 125 ]
    [[ $output == *'/etc/cdi/broken.json: kind: expected a string, found a number'* ]]
    [[ $output == *'--device other.org/thing=x: no CDI file in /etc/cdi or /var/run/cdi describes it' ]]
    umount -l /etc
    refused '--gpus: no GPU is described on this host: expected a CDI file of kind nvidia.com/gpu in /etc/cdi or /var/run/cdi, as "nvidia-ctk cdi generate --format json --output /etc/cdi/nvidia.json" writes it' --gpus all
}
