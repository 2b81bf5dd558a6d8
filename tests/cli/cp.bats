#!/usr/bin/env bats
# coffer cp: files into containers and out of them, that run or not, by docker's rules of names, whatever the container does meanwhile.
bats_require_minimum_version 1.5.0
load engine

setup() {
    needs setpriv getcap setcap getfattr
    engine_setup
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    [ -z "${HOME_DIR:-}" ] || leave_home
    engine_teardown
}

# A container that runs, and one that never did.
make_both() {
    coffer run -d --name up "$@" tiny sleep 1000 > /dev/null
    coffer create --name down "$@" tiny true > /dev/null
}

inside() { # COMMAND..., in the one that runs
    coffer exec up "$@"
}

@test "files and directories go where docker puts them, in and out, whether it runs or not" {
    mkdir -p tree/sub
    echo one > tree/a
    echo two > tree/sub/b
    echo file > file
    make_both
    for name in up down; do
        rm -rf out && mkdir out
        # A file: as a new name, into a directory, over a file.
        coffer cp file $name:/tmp/new
        coffer cp file $name:/tmp
        coffer cp tree/a $name:/tmp/file
        coffer cp $name:/tmp/new out/copy
        coffer cp $name:/tmp/file out
        [ "$(cat out/copy out/file | paste -sd ' ')" = "file one" ]
        # A directory: it becomes what is missing, goes into what is there; "/." is what is in it.
        coffer cp tree $name:/tmp/fresh
        coffer cp tree $name:/tmp
        coffer cp tree/. $name:/tmp/fresh2
        coffer cp tree/. $name:/tmp
        coffer cp $name:/tmp out/all
        [ "$(cd out/all && find . -type f | sort | paste -sd ' ')" = \
            "./a ./file ./fresh/a ./fresh/sub/b ./fresh2/a ./fresh2/sub/b ./new ./sub/b ./tree/a ./tree/sub/b" ]
        coffer cp $name:/tmp/fresh out
        coffer cp $name:/tmp/fresh/. out
        [ "$(cat out/fresh/sub/b out/sub/b out/a | paste -sd ' ')" = "two two one" ]
        # Slashes at the end.
        coffer cp $name:/tmp/fresh/ out/slash
        coffer cp tree/ $name:/tmp/slash/
        [ "$(cat out/slash/a)" = one ]
        coffer cp $name:tmp/slash/a - | tar -xO | grep -qx one
    done
    [ "$(inside cat /tmp/fresh/a /tmp/slash/sub/b | paste -sd ' ')" = "one two" ]
    coffer start -a down
    coffer cp down:/tmp/fresh/a - | tar -tf - | grep -qx a
}

@test "what does not fit is refused, and says so" {
    mkdir dir
    echo x > file
    mkfifo pipe
    mknod device c 1 3
    make_both
    fails "copy file to up:/dev/null: /dev/null is a pipe, a socket or a device, which is not replaced" coffer cp file up:/dev/null
    for name in up down; do
        coffer cp file $name:/tmp/file
        fails "copy $name:/tmp/file to device: $PWD/device is a pipe, a socket or a device, which is not replaced" coffer cp $name:/tmp/file device
        fails "copy $name:/bin/sh to pipe: $PWD/pipe is a pipe, a socket or a device, which is not replaced" coffer cp $name:/bin/sh pipe
        [ -c device ]
        fails "copy dir to $name:/tmp/file: cannot copy a directory to /tmp/file, which is none" coffer cp dir $name:/tmp/file
        fails "copy file to $name:/tmp/no/: directory /tmp/no does not exist" coffer cp file $name:/tmp/no/
        fails "copy file to $name:/tmp/no/way: open directory /tmp/no: No such file or directory" coffer cp file $name:/tmp/no/way
        fails "copy dir to $name:/tmp/no/way: open directory /tmp/no: No such file or directory" coffer cp dir $name:/tmp/no/way
        fails "copy file to $name:/tmp/file/: /tmp/file is not a directory" coffer cp file $name:/tmp/file/
        fails "copy $name:/none to dir: $name:/none: No such file or directory" coffer cp $name:/none dir
        fails "copy $name:/tmp/file/ to dir: $name:/tmp/file: Not a directory" coffer cp $name:/tmp/file/ dir
        fails "copy $name:/tmp/file/. to dir: $name:/tmp/file: Not a directory" coffer cp $name:/tmp/file/. dir
        fails "copy $name:/tmp to file: cannot copy a directory to $PWD/file, which is none" coffer cp $name:/tmp file
        fails "copy none to $name:/tmp: $PWD/none: No such file or directory" coffer cp none $name:/tmp
        # A file never takes the place of a directory within one, nor the other way round.
        mkdir -p tree/file other/sub
        echo x > other/sub/file
        coffer cp other/. $name:/tmp/other
        fails "copy tree/. to $name:/tmp: \"file/\": cannot overwrite what is no directory with one" coffer cp tree/. $name:/tmp
        rm -rf tree other
        mkdir -p tree
        echo x > tree/sub
        fails "copy tree/. to $name:/tmp/other: \"sub\": cannot overwrite a directory with what is none" coffer cp tree/. $name:/tmp/other
        rm -rf tree
        # Nor does anything of a directory that of a device.
        mkdir -p out
        mknod out/file c 1 3
        fails "copy $name:/tmp/other/sub/. to out: \"file\": is a device, in whose place nothing is copied" coffer cp $name:/tmp/other/sub/. out
        [ -c out/file ]
        rm -r out
    done
    fails 'expected CONTAINER:PATH as source or destination, found "file" and "dir"' coffer cp file dir
    fails '"up:": expected a path behind the colon' coffer cp up: dir
    fails 'no container is named "nobody"; coffer ps --all lists them' coffer cp nobody:/x dir
    echo colon > a:b
    coffer cp ./a:b up:/tmp
    [ "$(inside cat /tmp/a:b)" = colon ]
}

@test "links: as themselves, or with -L and a slash what they lead to, always within the container" {
    make_both
    echo secret > "$BATS_TEST_TMPDIR/secret"
    ln -s dir/file here
    mkdir dir tree
    echo host > dir/file
    ln -s "$BATS_TEST_TMPDIR/secret" tree/leak
    for name in up down; do
        coffer cp tree $name:/tmp # a link stays one
        rm -rf out && mkdir out
        coffer cp $name:/tmp/tree/leak out
        [ "$(readlink out/leak)" = "$BATS_TEST_TMPDIR/secret" ]
        # Followed, it leads to what the container has there: nothing.
        run coffer cp -L $name:/tmp/tree/leak out/l
        [ "$status" -eq 125 ]
        [ ! -e out/l ]
        coffer cp -L here $name:/tmp/followed
        coffer cp here $name:/tmp/link
        coffer cp $name:/tmp/followed out
        [ "$(cat out/followed)" = host ]
        coffer cp $name:/tmp/link out
        [ "$(readlink out/link)" = dir/file ]
    done
    # A destination that is a link is the place it leads to, in the container.
    inside sh -c 'mkdir /real /deep; ln -s /real /tmp/to; ln -s ../../../real/file /deep/f; ln -s /nowhere/x /deep/dangling'
    coffer cp dir/file up:/tmp/to
    coffer cp dir/file up:/deep/f
    [ "$(inside cat /real/file)" = host ]
    [ "$(inside readlink /deep/f)" = ../../../real/file ]
    run coffer cp dir/file up:/deep/dangling
    [ "$status" -eq 125 ]
    [ ! -e /nowhere ]
    coffer cp up:/tmp/to out/to
    [ -L out/to ]
    coffer cp up:/tmp/to/ out/real
    [ "$(cat out/real/file)" = host ]
}

@test "owners: the caller's and the container's root, or with -a as they are by number" {
    mkdir tree
    echo x > tree/file
    cp "$(command -v busybox)" tree/tool
    chown 1234:1235 tree tree/file tree/tool
    chmod 4711 tree/tool
    setcap cap_net_raw=ep tree/tool
    chmod 4711 tree/tool
    setfattr -n user.note -v kept tree/file
    make_both
    for name in up down; do
        coffer cp tree $name:/tmp/plain
        coffer cp -a tree $name:/tmp/kept
        rm -rf out && mkdir out
        coffer cp $name:/tmp/kept out/plain
        coffer cp -a $name:/tmp/kept out/kept
        [ "$(stat -c '%u:%g:%a' out/plain out/plain/file out/plain/tool | paste -sd ' ')" = "0:0:755 0:0:644 0:0:711" ]
        [ "$(stat -c '%u:%g:%a' out/kept out/kept/file out/kept/tool | paste -sd ' ')" = "1234:1235:755 1234:1235:644 1234:1235:4711" ]
        [ -z "$(getcap out/plain/tool)" ]
        [[ $(getcap out/kept/tool) == *cap_net_raw=ep ]]
        [ "$(getfattr --only-values -n user.note out/plain/file)" = kept ]
        # A tar has what the container has.
        [ "$(coffer cp $name:/tmp/plain - | tar --numeric-owner -tvf - | awk '{print $2}' | sort -u)" = 0/0 ]
        [ "$(coffer cp $name:/tmp/kept - | tar --numeric-owner -tvf - | awk '{print $2}' | sort -u)" = 1234/1235 ]
    done
    [ "$(inside stat -c '%u:%g:%a' /tmp/plain/tool /tmp/kept/tool | paste -sd ' ')" = "0:0:711 1234:1235:4711" ]
    # On the disk they are those of the container's range.
    [ "$(coffer run --rm --userns host tiny stat -c %u /bin/busybox)" = 0 ]
    # An id that the container does not have.
    chown 100000 tree/file
    run coffer cp -a tree/file up:/tmp
    [ "$status" -eq 125 ]
    [[ $output == *"\"file\": its owner 100000:1235 does not exist in the user namespace there" ]]
}

@test "hard links, holes, times and modes come along; sockets and devices do not" {
    mkdir tree
    echo x > tree/a
    ln tree/a tree/b
    truncate -s 64M tree/holes
    printf end | dd of=tree/holes bs=1 seek=$((32 << 20)) conv=notrunc status=none
    mkfifo tree/fifo
    mknod tree/null c 1 3
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("tree/socket")'
    touch -d '2001-02-03 04:05:06.789' tree/a
    chmod 2750 tree
    touch -d '2002-01-01 00:00:00' tree
    make_both
    for name in up down; do
        rm -rf out
        run --separate-stderr coffer cp -a tree $name:/tmp
        [ "$status" -eq 0 ]
        [[ $stderr == *"2 sockets and devices were left out"* ]]
        coffer cp -a $name:/tmp/tree out
        [ "$(cd out && ls | paste -sd ' ')" = "a b fifo holes" ]
        [ "$(stat -c %i out/a)" = "$(stat -c %i out/b)" ]
        [ "$(stat -c '%Y %a' out)" = "$(stat -c '%Y %a' tree)" ]
        [ "$(stat -c %y out/a)" = "$(stat -c %y tree/a)" ]
        [ -p out/fifo ]
        cmp tree/holes out/holes
        [ "$(du -k out/holes | cut -f 1)" -lt 1000 ]
    done
    coffer cp -aq tree up:/tmp
    run coffer cp up:/dev/null out
    [ "$status" -eq 125 ]
    [[ $output == *"is a socket or a device, which is not copied" ]]
}

@test "a hole of any size is a hole at the other end, and takes neither time nor room" {
    truncate -s 1G hole
    truncate -s 4T large
    printf end | dd of=large bs=1 seek=$((3 << 40)) conv=notrunc status=none
    make_both
    for name in up down; do
        for file in hole large; do
            rm -f out
            timeout 20 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" cp $file $name:/tmp/$file
            timeout 20 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" cp $name:/tmp/$file out
            [ "$(stat -c %s out)" = "$(stat -c %s $file)" ]
            [ "$(du -k out | cut -f 1)" -lt 100 ]
        done
        [ "$(tail -c $((1 << 40)) out | head -c 3)" = end ]
    done
}

@test "tar archives: out on standard output, in from standard input, compressed or not" {
    mkdir -p tree/sub out
    echo one > tree/sub/a
    chown 77:78 tree/sub/a
    make_both
    for name in up down; do
        tar -C tree -cf - . | coffer cp - $name:/tmp
        inside mkdir -p /opt
        coffer cp $name:/tmp/sub - | tar --numeric-owner -tvf - | grep -q '77/78.*sub/a$'
        [ "$(coffer cp $name:/tmp/sub/. - | tar -tf - | paste -sd ' ')" = "./ a" ]
        [ "$(coffer cp $name:/tmp/sub/a - | tar -tf -)" = a ]
    done
    tar -C tree -czf - . | coffer cp - up:/opt
    tar -C tree -c --zstd -f - . 2> /dev/null | coffer cp - up:/opt
    [ "$(inside cat /opt/sub/a)" = one ]
    [ "$(inside stat -c %u:%g /opt/sub/a)" = 77:78 ]
    run bash -c "echo garbage | timeout 20 '$COFFER' --root '$(coffer_root)' --store '$(coffer_store)' cp - up:/tmp"
    [ "$status" -eq 125 ]
    run coffer cp - up:/none < /dev/null
    [ "$status" -eq 125 ]
    [[ $output == *"directory /none does not exist" ]]
    # On a root whose directories are links, as most have by now.
    inside sh -c 'mkdir -p /usr/lib; ln -s usr/lib /lib3; ln -s /usr/lib /usr/lib4'
    mkdir -p links/lib3/x links/usr/lib4
    echo y > links/lib3/x/y
    echo z > links/usr/lib4/z
    tar -C links -cf - lib3 usr/lib4/z | coffer cp - up:/
    [ "$(inside cat /usr/lib/x/y /usr/lib/z | paste -sd ' ')" = "y z" ]
    inside test -L /lib3
}

@test "volumes, binds and what is in memory are there as the container sees them" {
    mkdir bound ro
    echo host > bound/file
    coffer volume create data > /dev/null
    make_both -v data:/data -v "$PWD/bound:/bound" -v "$PWD/ro:/ro:ro" --tmpfs /mem
    echo new > new
    coffer cp new down:/data/from-down
    coffer cp new up:/data/from-up
    coffer cp new up:/mem/in-memory
    coffer cp new up:/bound/from-up
    coffer cp new down:/bound/from-down
    [ "$(inside cat /data/from-down /data/from-up /mem/in-memory | paste -sd ' ')" = "new new new" ]
    [ "$(inside stat -c %u /data/from-down /data/from-up | paste -sd ' ')" = "0 0" ]
    [ "$(stat -c %u bound/from-up bound/from-down | paste -sd ' ')" = "0 0" ]
    for name in up down; do
        coffer cp $name:/bound/file got
        [ "$(cat got)" = host ]
        run coffer cp new $name:/ro/x
        [ "$status" -eq 125 ]
        [[ $output == *"Read-only file system" ]]
    done
    [ ! -e ro/x ]
    # A file that is mounted is written to; it cannot be replaced.
    echo 192.0.2.1 somewhere > hosts
    coffer cp hosts up:/etc/hosts
    [ "$(inside cat /etc/hosts)" = "192.0.2.1 somewhere" ]
    coffer cp up:/proc/version got
    cmp got /proc/version
    # Its kernel's file systems are neither read whole nor written to.
    coffer cp up:/ all
    [ -z "$(ls -A all/proc)" ]
    [ "$(cat all/data/from-up)" = new ]
    run coffer cp new up:/proc/sys/kernel/hostname
    [ "$status" -eq 125 ]
    [[ $output == *"lies in a file system of the kernel, where nothing is copied to" ]]
    mkdir -p made/below
    fails "copy made to up:/proc: made lies in a file system of the kernel, where nothing is copied to" coffer cp made up:/proc
    run --separate-stderr bash -c 'tar -cf - made/below | "$@"' tar "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" cp - up:/proc
    [[ $stderr == *"lies in a file system of the kernel, where nothing is copied to" ]]
}

@test "a volume's place that is made for a copy belongs to the container's root" {
    echo host > file
    coffer create --name down -v data:/new/deep/data -v "$PWD/file:/new/file" tiny stat -c %u:%g /new /new/deep > /dev/null
    coffer cp down:/etc/passwd .
    upper=$(coffer_store)/containers/$(coffer ps -aq --no-trunc)/upper
    owner=$(stat -c %u:%g "$upper")
    [ "$owner" != 0:0 ]
    [ "$(stat -c %u:%g "$upper"/new{,/deep,/deep/data,/file} | sort -u)" = "$owner" ]
    [ "$(coffer start -a down | sort -u)" = 0:0 ]
}

@test "from container to container" {
    make_both
    inside sh -c 'mkdir /from; echo x > /from/x; chown 5:6 /from/x'
    coffer cp -a up:/from down:/tmp
    coffer cp up:/from/x down:/tmp/y
    coffer cp down:/tmp/from/x up:/tmp/back
    coffer cp up:/from/x up:/tmp/again
    [ "$(inside cat /tmp/back /tmp/again | paste -sd ' ')" = "x x" ]
    [ "$(coffer cp down:/tmp - | tar --numeric-owner -tvf - | awk '{print $2, $NF}' | grep -c '^5/6 tmp/from/x$\|^0/0 tmp/y$')" = 2 ]
    fails "copy within container down: it does not run; start it, or copy by way of the host" coffer cp down:/tmp/y down:/tmp/z
}

@test "CVE-2018-15664: a container that exchanges a directory for a link leads nobody out" {
    mkdir -p "$BATS_TEST_TMPDIR/victim"
    echo host > "$BATS_TEST_TMPDIR/victim/file"
    coffer run -d --name up tiny sh -c "mkdir -p /swap/real$BATS_TEST_TMPDIR/victim; cd /swap; mkdir dir; ln -s / link
        while :; do mv dir x 2>/dev/null; mv link dir 2>/dev/null; mv dir link 2>/dev/null; mv x dir 2>/dev/null; done" > /dev/null
    echo new > file
    before=$(ls /)
    for _ in $(seq 10); do
        coffer cp file "up:/swap/dir$BATS_TEST_TMPDIR/victim/file" 2> /dev/null || true
        coffer cp file up:/swap/dir/escaped-coffer-test 2> /dev/null || true
        rm -f got
        coffer cp "up:/swap/dir$BATS_TEST_TMPDIR/victim/file" got 2> /dev/null || true
        [ ! -e got ] || [ "$(cat got)" != host ]
    done
    [ "$(cat "$BATS_TEST_TMPDIR/victim/file")" = host ]
    [ ! -e /escaped-coffer-test ]
    [ "$(ls /)" = "$before" ]
}

@test "CVE-2019-14271: nothing that the container has is loaded or executed" {
    make_both
    # Any of these would be opened by a program that looks up names, or by a dynamic one, behind a chroot.
    for name in up down; do
        mkdir -p evil
        for file in libnss_files.so.2 libc.so.6 ld-linux-x86-64.so.2 libz.so.1 libzstd.so.1; do
            printf '#!/bin/sh\ntouch /executed\n' > evil/$file
        done
        chmod 755 evil/*
        for dir in /lib /lib64 /usr /etc; do
            coffer cp evil $name:$dir 2> /dev/null || true
        done
        needs strace
        strace -f -qq -e trace=execve,open,openat,openat2 -o trace "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" cp $name:/bin out-$name
        [ "$(grep -c 'execve(' trace)" = 1 ] # our own
        grep -q openat2 trace
        run grep -E '"[^"]*(libnss|libc\.so|ld-linux|libz|nsswitch|/etc/passwd)' trace
        [ "$status" -eq 1 ]
    done
}

@test "CVE-2019-11246, CVE-2019-1002101: a tar cannot leave the directory that it is for" {
    make_both
    python3 - << 'END'
import io, tarfile
def make(name, *members):
    with tarfile.open(name, "w") as tar:
        for kind, path, link in members:
            info = tarfile.TarInfo(path)
            info.type = kind
            info.linkname = link
            data = b"evil" if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
make("up.tar", (tarfile.REGTYPE, "../../../../escaped-coffer-test", ""))
make("absolute.tar", (tarfile.REGTYPE, "/escaped-coffer-test", ""))
make("link.tar", (tarfile.SYMTYPE, "out", "/"), (tarfile.REGTYPE, "out/escaped-coffer-test", ""))
make("hard.tar", (tarfile.LNKTYPE, "shadow", "../../../etc/shadow"))
make("hardlink.tar", (tarfile.SYMTYPE, "etc", "/etc"), (tarfile.LNKTYPE, "shadow", "etc/shadow"))
END
    for name in up down; do
        fails "copy - to $name:/tmp: \"../../../../escaped-coffer-test\": its name has a \"..\" component" coffer cp - $name:/tmp < up.tar
        coffer cp - $name:/tmp < absolute.tar # below the place, as docker has it
        coffer cp - $name:/tmp < link.tar     # in the container's own root
        run coffer cp - $name:/tmp < hard.tar
        [ "$status" -eq 125 ]
        run coffer cp - $name:/tmp < hardlink.tar
        [ "$status" -eq 125 ]
        [ "$(coffer cp $name:/escaped-coffer-test - | tar -xO)" = evil ]
        [ "$(coffer cp $name:/tmp/escaped-coffer-test - | tar -xO)" = evil ]
    done
    [ ! -e /escaped-coffer-test ]
}

@test "what is copied may change, and go, meanwhile" {
    coffer run -d --name up tiny sh -c 'mkdir /busy; cd /busy
        while :; do mkdir a; echo x > a/f; mkdir -p a/b/c; echo long > g; mv a z; rm -rf z; : > g; rm g; done' > /dev/null
    for i in $(seq 8); do
        coffer cp up:/busy "out$i"
    done
    coffer pause up
    coffer cp up:/busy paused
    coffer cp up:/bin/busybox paused-file
    cmp paused-file "$(command -v busybox)"
    coffer unpause up
}

@test "one that is killed leaves nothing, and a container can be started at once" {
    coffer create --name down tiny true > /dev/null
    mkfifo slow
    (exec 9> slow; sleep 0.5) &
    run timeout -s KILL 0.2 "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" cp - down:/tmp < slow
    wait
    coffer start -a down
    [ -z "$(ls "$(coffer_root)"/containers/*/)" ]
    [ ! -e "$(coffer_store)/containers/$(coffer ps -aq --no-trunc)/work" ]
}

# --- an ordinary user ---

@test "rootless: in and out, with the user's own files and those of his ranges" {
    make_home
    as_user mkdir "$HOME_DIR/tree"
    as_user sh -c "echo mine > $HOME_DIR/tree/file; ln -s file $HOME_DIR/tree/link"
    mine run -d --name up tiny sleep 1000 > /dev/null
    mine create --name down tiny true > /dev/null
    for name in up down; do
        mine cp "$HOME_DIR/tree" $name:/tmp
        [ "$(mine cp $name:/tmp/tree - | tar --numeric-owner -tvf - | awk '{print $2}' | sort -u)" = 0/0 ]
        mine cp $name:/tmp/tree "$HOME_DIR/out-$name"
        [ "$(cat "$HOME_DIR/out-$name/link")" = mine ]
        [ "$(stat -c %u "$HOME_DIR/out-$name/file")" = "$TEST_UID" ]
        run mine cp "$HOME_DIR/tree" $name:/tmp/none/tree
        [ "$status" -eq 125 ]
        # What is nobody's business stays so.
        run mine cp /etc/shadow $name:/tmp
        [ "$status" -eq 125 ]
        [[ $output == *"Permission denied" ]]
        run mine cp $name:/tmp/tree/file /etc/coffer-test
        [ "$status" -eq 125 ]
    done
    mine exec up chown 1000:1000 /tmp/tree/file
    mine cp -a up:/tmp/tree/file down:/tmp/theirs
    [ "$(mine cp down:/tmp/theirs - | tar --numeric-owner -tvf - | awk '{print $2}')" = 1000/1000 ]
    mine cp up:/tmp/tree/file "$HOME_DIR/owned"
    [ "$(stat -c %u "$HOME_DIR/owned")" = "$TEST_UID" ]
}
