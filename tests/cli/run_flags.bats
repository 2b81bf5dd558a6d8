#!/usr/bin/env bats
# Flags of run and create: what each of them does.

bats_require_minimum_version 1.5.0
load engine

@test "labels, of flags and of files" {
    printf '# nothing\nthree=3\nfour\none=0\n' > "$BATS_TEST_TMPDIR/labels"
    coffer create --label-file "$BATS_TEST_TMPDIR/labels" -l one=1 --label two tiny > /dev/null
    [ "$(coffer ps -a --format '{{.Labels}}')" = "three=3,four=,one=1,two=" ]
    run coffer create -l =x tiny
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: --label "=x": expected NAME=VALUE or NAME' ]
    echo 'a b=c' > "$BATS_TEST_TMPDIR/labels"
    run coffer create --label-file "$BATS_TEST_TMPDIR/labels" tiny
    [ "$output" = "coffer: --label-file $BATS_TEST_TMPDIR/labels: line 1: expected NAME=VALUE or NAME" ]
}

@test "--cidfile: its id, once" {
    local file=$BATS_TEST_TMPDIR/id
    tiny --cidfile "$file" --name box tiny true
    [[ $(< "$file") =~ ^[0-9a-f]{64}$ ]]
    refused "--cidfile $file: there is such a file already, with the id of another container perhaps; remove it" --cidfile "$file"
    rm "$file"
    coffer create --name box tiny > /dev/null
    run coffer create --cidfile "$file" --name box tiny
    [ "$status" -eq 125 ]
    [ ! -e "$file" ] # nothing was made
    run -127 coffer run --cidfile "$file" tiny no-such-command
    [ ! -e "$file" ]
}

@test "--ulimit: of each process" {
    [ "$(tiny --ulimit nofile=100:200 --ulimit core=0 tiny sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c')" = $'100\n200\n0' ]
    [ "$(tiny --ulimit nofile=5 --ulimit nofile=50 tiny sh -c 'ulimit -Sn; ulimit -Hn')" = $'50\n50' ]
    coffer run -d --name box --ulimit nofile=123 tiny sleep 100 > /dev/null
    [ "$(coffer exec box sh -c 'ulimit -n')" = 123 ]
    coffer rm -f box
    refused '--ulimit: expected NAME=SOFT[:HARD] such as nofile=1024:4096, found "files=1"' --ulimit files=1
    refused '--ulimit: expected NAME=SOFT[:HARD] such as nofile=1024:4096, found "nofile"' --ulimit nofile
    refused '--ulimit nofile=2:1: the soft limit is above the hard one' --ulimit nofile=2:1
}

@test "--sysctl: of its own namespaces only" {
    [ "$(tiny --sysctl net.ipv4.ip_forward=1 --sysctl kernel.shmmni=77 tiny cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni)" = $'1\n77' ]
    refused '--sysctl vm.swappiness=1: that is a setting of the host, and would change it for all' --sysctl vm.swappiness=1
    refused '--sysctl net.ipv4.ip_forward=1: that is shared with the host here, and would change it for all' \
        --network host --sysctl net.ipv4.ip_forward=1
    refused '--sysctl: expected NAME=VALUE such as net.ipv4.ip_forward=1, found "one"' --sysctl one
}

@test "in a network of its own whoever is in the container may listen on any port, and ping" {
    for users in auto host; do
        [ "$(tiny --userns $users --user 1000:1000 tiny sh -c '(echo served | busybox nc -l -p 80) & sleep 0.2; busybox nc -w 5 127.0.0.1 80 < /dev/null')" = served ]
    done
    [ "$(tiny tiny cat /proc/sys/net/ipv4/ping_group_range)" = $'0\t65535' ]
    [ "$(tiny --userns host tiny cat /proc/sys/net/ipv4/ping_group_range)" = $'0\t2147483647' ]
    # What is said counts, and the host's own is its own.
    run tiny --user 1000 --sysctl net.ipv4.ip_unprivileged_port_start=81 tiny busybox nc -l -p 80
    [[ $output == *"Permission denied"* ]]
    [ "$(coffer run --rm --network host tiny cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" ]
}

@test "--group-add: by name and number, for exec too" {
    [ "$(tiny --group-add extra --group-add 77 tiny id -G)" = "0 77 2000" ]
    [ "$(tiny -u 1000:1000 --group-add extra tiny id -G)" = "1000 2000" ]
    coffer run -d --name box --group-add extra tiny sleep 100 > /dev/null
    [ "$(coffer exec box id -G)" = "0 2000" ]
    run tiny --group-add none tiny true
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: run tiny: group \"none\" is not in the container's /etc/group" ]
}

@test "--attach: some of the streams" {
    run --separate-stderr tiny -a stdout tiny sh -c 'echo out; echo err >&2'
    [ "$output" = out ]
    [ -z "$stderr" ]
    run --separate-stderr tiny -a STDERR tiny sh -c 'echo out; echo err >&2; exit 3'
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    [ "$stderr" = err ]
    [ "$(echo word | tiny -a stdin -a stdout tiny cat)" = word ]
    # Not cat as the first process, which nobody within could end.
    [ "$(echo word | tiny -i -a stdout tiny sh -c 'timeout 1 cat; echo end')" = end ]
    local id
    id=$(echo word | coffer run -a stdin --name box tiny cat)
    [ "$(coffer logs "$id")" = word ]
    run coffer run -a out tiny true
    [ "$status" -eq 125 ]
    [ "$output" = 'coffer: --attach: expected stdin, stdout or stderr, found "out"' ]
    run coffer run -d -a stdout tiny true
    [ "$output" = 'coffer: --attach and --detach exclude each other: the one stays with the container, the other does not' ]
}

@test "--platform: of the image that is there" {
    local own other=linux/arm64
    case $(uname -m) in
    x86_64) own=linux/amd64 ;;
    aarch64) own=linux/arm64 other=linux/amd64 ;;
    *) skip "knows no name of this architecture" ;;
    esac
    [ "$(tiny --platform "$own" tiny echo ok)" = ok ]
    run coffer run --pull never --platform "$other" tiny true
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: --platform $other: image tiny is in the store for $own" ]
    run coffer run --platform a/b/c/d tiny true
    [ "$output" = 'coffer: --platform: platform "a/b/c/d": expected OS/ARCHITECTURE[/VARIANT]' ]
    run coffer copy --platform "$other" store:tiny "oci:$BATS_TEST_TMPDIR/copy"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: --platform $other: image tiny is in the store for $own" ]
    coffer copy -q --platform "$own" store:tiny "oci:$BATS_TEST_TMPDIR/copy"
}

@test "an image's labels and ports are its containers', and -P publishes them" {
    local layout=$BATS_TEST_TMPDIR/layout record
    cp -r "$(make_image tiny)" "$layout"
    umoci --log error config --image "$layout:tiny" --config.exposedports 80/tcp --config.exposedports 90-91/udp \
        --config.label of=image --config.label both=image
    coffer load -q --name ports "oci:$layout:tiny" > /dev/null
    coffer create -l both=user --network none ports > /dev/null
    [[ $(coffer ps -a --format '{{.Labels}}') == *of=image* ]]
    [[ $(coffer ps -a --format '{{.Labels}}') == *both=user* ]]
    [[ $(coffer ps -a --format '{{.Labels}}') != *both=image* ]]
    coffer rm -f "$(coffer ps -aq)"
    coffer create -P --expose 81 --expose 82/udp -p 8080:80 --network bridge ports > /dev/null
    record=$(cat "$(coffer_store)"/containers/*/record.json)
    [[ $record == *'"publish":["8080:80","81","82/udp","90-91/udp"]'* ]]
    coffer rm -f "$(coffer ps -aq)"
    refused '--expose: expected PORT[-PORT][/PROTOCOL] such as 80 or 5000-5010/udp, found "8080:80"' --expose 8080:80
    refused '--expose: expected PORT[-PORT][/PROTOCOL] such as 80 or 5000-5010/udp, found "none"' --expose none
}

@test "--add-host, --dns, --dns-search, --dns-option" {
    [[ $(tiny --add-host one:1.2.3.4 --add-host two=[fd00::1] tiny cat /etc/hosts) == *$'\n1.2.3.4\tone\nfd00::1\ttwo' ]]
    [ "$(tiny --dns 1.1.1.1 --dns fd00::1 --dns-search a.example --dns-search b --dns-option ndots:2 tiny cat /etc/resolv.conf)" = \
        $'nameserver 1.1.1.1\nnameserver fd00::1\nsearch a.example b\noptions ndots:2' ]
    # The rest is the host's, where its network is.
    printf 'nameserver 9.9.9.9\nsearch of.host\n' > "$BATS_TEST_TMPDIR/resolv.conf"
    mount --bind "$BATS_TEST_TMPDIR/resolv.conf" /etc/resolv.conf
    run tiny --network host --dns 1.1.1.1 tiny cat /etc/resolv.conf
    local first=$output
    run tiny --network host --dns-search . tiny cat /etc/resolv.conf
    umount /etc/resolv.conf
    [ "$first" = $'nameserver 1.1.1.1\nsearch of.host' ]
    [ "$output" = 'nameserver 9.9.9.9' ]
    refused '--add-host: expected NAME:ADDRESS or NAME:host-gateway, found "one"' --add-host one
    refused '--add-host: host-gateway: the container has no network on which it reaches the host; add --network bridge' --add-host one:host-gateway
    refused '--dns-search: expected one word, found "a b"' --dns-search 'a b'
    run coffer create --dns none tiny
    [ "$status" -eq 125 ]
    [[ $output == *'--dns'*'"none"'* ]]
}

@test "--oom-score-adj, --annotation" {
    [ "$(tiny --oom-score-adj 500 tiny cat /proc/self/oom_score_adj)" = 500 ]
    coffer create --annotation a.b/c=d tiny > /dev/null
    grep -q '"annotations":\["a.b/c=d"\]' "$(coffer_store)"/containers/*/record.json
}

@test "memory, processors and disks of its control group" {
    coffer run -d --name box --memory 64m --memory-reservation 32m --cpu-period 50000 --cpu-quota 25000 --cpuset-mems 0 tiny sleep 100 > /dev/null
    [ "$(group_file memory/memory.soft_limit_in_bytes memory.low)" = $((32 << 20)) ]
    [[ $(group_file cpu/cpu.cfs_quota_us cpu.max) =~ ^25000(\ 50000)?$ ]]
    [ "$(group_file cpuset/cpuset.mems cpuset.mems)" = 0 ]
    coffer rm -f box
    refused '--cpus says what --cpu-period and --cpu-quota say; expected one or the others' --cpus 1 --cpu-quota 1000
    last=$(($(getconf _NPROCESSORS_CONF) - 1))
    [ "$last" -eq 0 ] || for list in $((last + 1)) 0-x 0-9999 ''; do
        refused "--cpuset-cpus: expected numbers from 0 to $last, as this host has them, such as 0-1 or 0,1; found \"$list\"" --cpuset-cpus "$list"
    done
    refused '--memory-reservation: expected at most --memory' --memory 64m --memory-reservation 65m
}

# A disk of the host, for limits that are never reached.
disk() {
    lsblk --nodeps --noheadings --output PATH,TYPE 2> /dev/null | awk '$2 == "disk" { print $1; exit }'
}

@test "rates of disks" {
    local disk number
    disk=$(disk)
    [ -b "$disk" ] || skip "needs a disk"
    number=$(lsblk --nodeps --noheadings --output MAJ:MIN "$disk" | tr -d ' ')
    coffer run -d --name box --device-read-bps "$disk:10m" --device-write-bps "$disk:20mb" --device-read-iops "$disk:100" \
        --device-write-iops "$disk:200" tiny sleep 100 > /dev/null
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        [ "$(group_file blkio io.max)" = "$number rbps=10485760 wbps=20971520 riops=100 wiops=200" ]
    else
        [ "$(group_file blkio/blkio.throttle.read_bps_device)" = "$number 10485760" ]
        [ "$(group_file blkio/blkio.throttle.write_bps_device)" = "$number 20971520" ]
        [ "$(group_file blkio/blkio.throttle.read_iops_device)" = "$number 100" ]
        [ "$(group_file blkio/blkio.throttle.write_iops_device)" = "$number 200" ]
    fi
    coffer rm -f box
    refused '--device-read-bps: expected a disk of the host and bytes a second, such as /dev/sda:10m, found "sda:10m"' --device-read-bps sda:10m
    refused "--device-write-iops: expected a disk of the host and a number a second, such as /dev/sda:100, found \"$disk:1k\"" \
        --device-write-iops "$disk:1k"
    refused '--device-read-bps: /dev/null is no disk, which is a block device' --device-read-bps /dev/null:1m
    refused '--device-read-bps: look at /dev/none: No such file or directory' --device-read-bps /dev/none:1m
    refused "--blkio-weight-device: expected a disk of the host and a weight from 10 to 1000, such as /dev/sda:100, found \"$disk:9\"" \
        --blkio-weight-device "$disk:9"
    refused '--blkio-weight: expected a whole number from 10 to 1000, found "5"' --blkio-weight 5
}

@test "--memory-swap, --oom-kill-disable" {
    coffer run -d --name box --memory 64m --memory-swap -1 tiny sleep 100 > /dev/null
    [ "$(group_file memory/memory.limit_in_bytes memory.max)" = $((64 << 20)) ]
    coffer rm -f box
    coffer run -d --name box --memory 64m --memory-swap 96m tiny sleep 100 > /dev/null
    if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
        [ "$(group_file memory/memory.memsw.limit_in_bytes)" = $((96 << 20)) ]
        coffer rm -f box
        coffer run -d --name box --memory 64m --oom-kill-disable tiny sleep 100 > /dev/null
        [[ $(group_file memory/memory.oom_control) == 'oom_kill_disable 1'* ]]
    fi
    coffer rm -f box
    # As docker has it, as much swap as memory where nobody has said, also after an update.
    coffer run -d --name box --memory 64m tiny sleep 100 > /dev/null
    [ "$(coffer inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' box)" = "$((64 << 20)) $((128 << 20))" ]
    if [ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ]; then
        [ "$(group_file memory/memory.memsw.limit_in_bytes none)" = $((128 << 20)) ]
    elif [ -e "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/memory.swap.max" ]; then
        [ "$(group_file none/none memory.swap.max)" = $((64 << 20)) ]
    fi
    coffer update --memory 32m box > /dev/null
    [ "$(coffer inspect -f '{{.HostConfig.MemorySwap}}' box)" = "$((64 << 20))" ]
    coffer rm -f box
    coffer create --name box tiny > /dev/null
    [ "$(coffer inspect -f '{{.HostConfig.MemorySwap}}' box)" = 0 ]
    coffer rm box
    refused '--memory-swap: expected memory and swap together, so at least --memory, or -1 for no limit' --memory 64m --memory-swap 63m
    refused '--oom-kill-disable: needs --memory, or the container could take all that the host has' --oom-kill-disable
}

@test "--cgroup-parent: its group lies there" {
    coffer run -d --name box --cgroup-parent "/coffer-test-$$" tiny sleep 100 > /dev/null
    grep -q "/coffer-test-$$/coffer-[0-9a-f]*$" "/proc/$(pgrep -P "$(monitors)")/cgroup"
    coffer rm -f box
    [ -z "$(find /sys/fs/cgroup -path "*/coffer-test-$$/coffer-*" -type d)" ]
    find /sys/fs/cgroup -name "coffer-test-$$" -type d -exec rmdir {} +
}

@test "--security-opt: what is hidden" {
    run tiny tiny sh -c 'grep -c " /proc/\(sys\|kcore\|timer_list\) " /proc/self/mountinfo'
    [ "$output" != 0 ]
    run tiny --security-opt systempaths=unconfined tiny sh -c 'grep -c " /proc/.* " /proc/self/mountinfo'
    [ "$output" = 0 ]
    run tiny --security-opt unmask=ALL tiny sh -c 'grep -c " /proc/.* " /proc/self/mountinfo'
    [ "$output" = 0 ]
    run tiny --security-opt 'unmask=/proc/sys:/proc/k*' tiny sh -c 'grep -c " /proc/\(sys\|keys\|kcore\) " /proc/self/mountinfo; grep -c " /proc/irq " /proc/self/mountinfo'
    [ "$output" = $'0\n1' ]
    [ "$(tiny --security-opt mask=/etc/group:/home tiny sh -c 'cat /etc/group; ls /home; wc -l < /etc/passwd')" = 2 ]
    tiny --security-opt label=disable tiny true
    refused '--security-opt label=type:x: containers get no SELinux label; leave it out, or say label=disable' --security-opt label=type:x
    refused '--security-opt mask: expected absolute paths with colons between them, found "etc"' --security-opt mask=etc
    refused '--security-opt systempaths: expected unconfined, found "all"' --security-opt systempaths=all
    refused '--security-opt no-new-privileges: expected true or false, found "maybe"' --security-opt no-new-privileges=maybe
    refused '--security-opt nope: expected no-new-privileges, seccomp=, apparmor=, label=disable, systempaths=unconfined, mask= or unmask=' \
        --security-opt nope
    if [ ! -e /sys/module/apparmor/parameters/enabled ]; then
        run tiny --security-opt apparmor=mine tiny true
        [ "$status" -eq 125 ]
        [[ $output == *AppArmor* ]]
        tiny --security-opt apparmor=unconfined tiny true
    fi
}

@test "flags of docker that are not served say so" {
    run coffer run --runtime other tiny
    [ "$status" -eq 125 ]
    [[ $output == *': --runtime is not served: there is one'* ]]
    run coffer create --isolation=hyperv tiny
    [ "$status" -eq 125 ]
    [[ $output == *': --isolation is not served: this version has no micro-VMs'* ]]
    run coffer run --isolatio=hyperv tiny
    [[ $output == *'unknown flag --isolatio'* ]]
}

@test "a flag behind the image is told to stand before it" {
    run -127 coffer run --rm tiny --name box
    [ "$output" = 'coffer: run tiny: command "--name": executable file not found in $PATH of the container; flags of coffer stand before the image' ]
    run -127 coffer run --rm tiny none-of-it
    [ "$output" = 'coffer: run tiny: command "none-of-it": executable file not found in $PATH of the container' ]
}

@test "rm goes on behind one that fails" {
    coffer create --name one tiny > /dev/null
    coffer create --name two tiny > /dev/null
    run coffer rm one none two
    [ "$status" -eq 125 ]
    [ "$output" = $'one\ntwo\ncoffer: no container is named "none"; coffer ps --all lists them' ]
    [ -z "$(coffer ps -aq)" ]
    coffer volume create one > /dev/null
    coffer volume create two > /dev/null
    run coffer volume rm one none two
    [ "$status" -eq 125 ]
    [[ $output == $'one\ntwo\ncoffer: '*none* ]]
    [ -z "$(coffer volume ls -q)" ]
}
