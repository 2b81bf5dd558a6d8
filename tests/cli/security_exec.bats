#!/usr/bin/env bats
# Escapes and leaks that other runtimes had by way of exec, by their numbers. The container waits for the new process and plays the
# attack; what it would reach is a file, a folder or a copy made for the test.
bats_require_minimum_version 1.5.0
load helpers
load bundle

setup_file() {
    needs_root
    bundle_setup_file
}

setup() {
    bundle_setup
    mkdir outside
    echo kept > outside/file
    ALL='.root.readonly = false | .process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_KILL"])'
}

teardown() {
    bundle_teardown
}

waits() { # SCRIPT [FILTER [JQ ARGS...]]
    configure_script "$@"
    oci run --detach "$ID" < /dev/null > shown 2>&1 3>&-
}

# Never the real program: were the attack to succeed, nobody could run it any more.
use_a_copy() {
    cp "$(readlink -f "$COFFER_OCI")" coffer-oci
    COFFER_OCI=$BUNDLE/coffer-oci
    SUM=$(sha256sum < coffer-oci)
}

@test "CVE-2019-5736: who waits for exec never sees the program itself, and cannot write to it" {
    use_a_copy
    waits 'while :; do for exe in /proc/[0-9]*/exe; do case $(readlink $exe) in */busybox|"") ;; *coffer-oci*) echo reached $exe; echo x >> $exe;; *) echo x >> $exe;; esac; done; done 2> /dev/null' "$ALL"
    for i in $(seq 12); do
        oci exec "$ID" true
    done
    # The command itself as the way to what the runtime executed.
    run oci exec "$ID" /proc/self/exe
    printf '#!/proc/self/exe\n' > "$ROOTFS/bin/evil"
    chmod +x "$ROOTFS/bin/evil"
    run oci exec "$ID" evil
    [[ "$(< shown)" != *reached* ]]
    [ "$SUM" = "$(sha256sum < coffer-oci)" ]
}

@test "CVE-2016-9962: who waits for exec cannot look into the process that comes" {
    waits 'while :; do for p in /proc/[0-9]*; do case $(cat $p/comm 2> /dev/null) in coffer*) ls -l $p/fd $p/cwd $p/root $p/exe 2> /dev/null; cat $p/environ 2> /dev/null;; esac; done; done' \
        '.process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"])'
    for i in $(seq 12); do
        SECRET=of-the-host oci exec "$ID" true 7< outside
    done
    [[ "$(< shown)" != *outside* ]]
    [[ "$(< shown)" != *"$BUNDLE"* ]]
    [[ "$(< shown)" != *SECRET* ]]
    [[ "$(< shown)" != *socket* ]]
}

# Where fs.suid_dumpable is 1 the kernel lets another process of the new user look into ours; that is the whole host's to set.
@test "CVE-2016-9962: nor does the change to the command's user open it" {
    needs strace
    waits 'sleep 60'
    for user in 1000 0:1000; do
        timeout -k 1 60 strace -f -q -o trace -e trace=setresuid,prctl,execve \
            "$COFFER_OCI" --root "$(coffer_root)/oci" exec --user "$user" "$ID" true < /dev/null 3>&-
        sed -n '/setresuid(/,/execve(/p' trace | grep -q 'prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)'
    done
}

@test "CVE-2016-9962: nor in a user namespace, where it has all capabilities" {
    chown -hR 100000:100000 "$ROOTFS"
    waits 'while :; do for p in /proc/[0-9]*; do case $(cat $p/comm 2> /dev/null) in coffer*) ls -l $p/fd $p/cwd $p/root $p/exe 2> /dev/null;; esac; done; done' \
        "$ALL"' | .linux.namespaces += [{"type": "user"}] | .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.uidMappings = .linux.gidMappings'
    for i in $(seq 12); do
        oci exec "$ID" true 7< outside
    done
    # Once it is the command it may be looked at.
    for word in outside memfd coffer socket "$BUNDLE" /sys/fs/cgroup; do
        run ! grep -E "^l.*$word" shown
    done
}

@test "CVE-2016-9962: one with CAP_SYS_PTRACE, who can look, finds nothing that leads to the host" {
    needs strace
    waits 'while :; do for p in /proc/[0-9]*; do case $(cat $p/comm 2> /dev/null) in coffer*) for fd in $p/fd/*; do readlink $fd; ls -d $fd/../../../../../../..; done;; esac; done; done 2> /dev/null' "$ALL"
    # It is inside for some microseconds only: stopped, it can be looked at for as long as that takes. The plan has just come, and with it
    # every descriptor that it ever has; the runtime, which listens, too, is stopped by the same.
    timeout -k 1 60 strace -f -q -o /dev/null -e trace=recvmsg -e inject=recvmsg:signal=STOP:when=1 \
        "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" true > /dev/null 2>&1 < /dev/null 3>&- 7< outside &
    JOB=$!
    wait_for eval 'pgrep -P "$(pgrep -P "$(pgrep -P "$JOB")")" coffer-init'
    wait_for grep -q socket: shown
    sleep 0.2
    runtime=$(pgrep -P "$(pgrep -P "$JOB")")
    for pid in $(pgrep -P "$runtime") "$runtime"; do
        kill -CONT "$pid"
    done
    wait "$JOB"
    # Its own standard descriptors, the channel, the file in memory that it runs, and on cgroup version 1 the files by which it joins the
    # container's own groups: no directory, from which one could climb.
    run grep -vE "^(/dev/null|socket:.*|pipe:.*|/memfd:.*|/tmp/bats.*|/.*/shown|/sys/fs/cgroup/.*$ID/tasks|)$" shown
    [ "$output" = "" ]
}

@test "CVE-2024-21626: no descriptor comes in but the standard ones" {
    waits 'sleep 100'
    run oci exec "$ID" ls -l /proc/self/fd 7< / 8< outside 9<> outside/file
    [ "$status" -eq 0 ]
    # 0, 1, 2, and the folder that ls reads.
    [ "$(grep -c '^l[rwx-]* ' <<< "$output")" -eq 4 ]
    [[ "$output" != *outside* ]]
}

@test "CVE-2024-21626: a working directory behind a descriptor is refused" {
    waits 'sleep 100' "$ALL"
    for fd in 3 4 5 6 7 8 9 10 11 12 13 14; do
        for cwd in "/proc/self/fd/$fd" "/proc/self/fd/$fd/../../.." "/proc/1/fd/$fd"; do
            run oci exec --cwd "$cwd" "$ID" sh -c 'pwd; ls -la /proc/self/cwd/; cat file' 7< / 8< outside
            [ "$status" -eq 255 ]
            [[ "$output" == *"working directory"* ]]
        done
    done
    # Nor by a link in the container's own files.
    ln -s /proc/self/fd/8 "$ROOTFS/tmp/link"
    run oci exec --cwd /tmp/link "$ID" cat file 8< outside
    [ "$status" -eq 255 ]
    # Nor is a command found by one.
    cp "$(command -v busybox)" outside/evil
    run oci exec "$ID" /proc/self/fd/8/evil true 8< outside
    [ "$status" -eq 255 ]
}

@test "CVE-2022-29162, CVE-2022-27650: inheritable and ambient capabilities are empty unless asked for" {
    waits 'sleep 100'
    run oci exec --cap CAP_NET_RAW "$ID" grep -E '^Cap(Inh|Amb)' /proc/self/status
    [ "$output" = $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000' ]
    run setpriv --inh-caps +chown,+kill --ambient-caps +chown,+kill -- "$COFFER_OCI" --root "$(coffer_root)/oci" exec "$ID" grep -E '^Cap(Inh|Amb)' /proc/self/status
    [ "$output" = $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000' ]
}

@test "CVE-2026-30892: a user that is not two numbers is no number" {
    waits 'sleep 100'
    for user in 1000x 0x0 '' : 1000: :1000 1000:100x '1000 ' -1 4294967295 4294967296 1000:1000:0 root; do
        run oci exec --user "$user" "$ID" id
        [ "$status" -eq 255 ]
        [ "$output" = "coffer: exec in container \"$ID\": --user: expected UID or UID:GID, numbers below 4294967295, found \"$user\"" ]
    done
}

@test "CVE-2019-16884, CVE-2025-52881: what lies on the container's /proc takes no write of the runtime's" {
    mkdir -p "$ROOTFS/fake/self/attr/apparmor"
    echo untouched | tee "$ROOTFS/fake/self/oom_score_adj" "$ROOTFS/fake/self/setgroups" "$ROOTFS/fake/self/attr/exec" > /dev/null
    waits 'mount --bind /fake /proc && touch /tmp/mounted && sleep 100' "$ALL"' | .process.oomScoreAdj = 222'
    wait_for test -e "$ROOTFS/tmp/mounted"
    oci exec --detach --pid-file pid "$ID" sleep 100 < /dev/null > /dev/null 2>&1 3>&-
    [ "$(cat "/proc/$(< pid)/oom_score_adj")" = 222 ]
    [ "$(cat "$ROOTFS"/fake/self/oom_score_adj "$ROOTFS"/fake/self/setgroups "$ROOTFS"/fake/self/attr/exec | sort -u)" = untouched ]
}

@test "CVE-2025-52565: a terminal is of the container's devpts, or there is none" {
    waits 'rm -rf /dev/pts /dev/ptmx; umount -l /dev/pts; mkdir -p /dev/pts; ln -sf /proc/sys/kernel/hostname /dev/pts/ptmx; touch /tmp/ready; sleep 100' "$ALL"
    wait_for test -e "$ROOTFS/tmp/ready"
    run timeout -k 1 10 "$COFFER_OCI" --root "$(coffer_root)/oci" exec --tty "$ID" true < /dev/null
    [ "$status" -eq 255 ]
    [[ "$output" == *"a terminal needs a devpts file system on /dev/pts"* ]]
}

@test "a path of --cgroup never leads out of the container's group" {
    waits 'sleep 100'
    for path in .. ../x x/../.. /.. /../.. ./. cpu:.. cpu:../..; do
        run oci exec --cgroup "$path" "$ID" true
        [ "$status" -eq 255 ]
    done
}
