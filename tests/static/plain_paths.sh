#!/bin/bash
# tests/static/plain_paths.sh: fails when a path could reach a plain system call in a file that is not known to be free of foreign ones.
# Paths that are constants are fine anywhere, and so is a name below a descriptor with O_NOFOLLOW.
cd "$(dirname "$0")/../.." || exit 1
find runtime images specs cli -name '*.c' -print0 | xargs -0 awk '
    BEGIN {
        while ((getline line < "tests/static/plain_paths.txt") > 0) {
            if (line !~ /^#/ && split(line, words, " ") > 1) { allowed[words[1]] = 1 }
        }
        plain = "(open|fopen|opendir|creat|mkdir|mknod|mkfifo|mount|umount2?|stat|lstat|chmod|chown|lchown|unlink|rmdir|rename|symlink|link|" \
                "readlink|access|truncate|realpath|chdir|chroot|statfs|utimes|setxattr|lsetxattr|getxattr|lgetxattr|nftw|remove)"
    }
    FILENAME in allowed { used[FILENAME] = 1; next }
    { code = $0; sub(/\/\/.*/, "", code) }
    code ~ "(^|[^A-Za-z0-9_])" plain "\\(" {
        if (code !~ plain "\\(\"") { complain(); next }
    }
    FNR == 1 { nofollow = 0 }
    code ~ /flags = .*O_NOFOLLOW/ { nofollow = 1 }
    code ~ /(^|[^A-Za-z0-9_])openat\(/ {
        if (code !~ /O_NOFOLLOW/ && !(nofollow && code ~ /, flags/) && code !~ /openat\([^,]*, "/) { complain() }
    }
    function complain() {
        sub(/^ */, "", code)
        printf "%s:%d: a path in a plain call: %s\n", FILENAME, FNR, code
        bad = 1
    }
    END {
        for (file in allowed) {
            if (!(file in used) && system("test -e " file) != 0) { printf "tests/static/plain_paths.txt: %s does not exist\n", file }
        }
        exit bad
    }'
