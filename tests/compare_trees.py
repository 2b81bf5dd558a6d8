#!/usr/bin/env python3
"""compare_trees.py A B: whether two trees are the same to whoever looks into them; as root. What differs is a line each, with what A and what B
has: type, mode, owner, group, size, content, target, device, time of change in nanoseconds, extended attributes (capabilities, ACLs), which
names are one file. Where a file of B has holes, that of A must not fill more than B and a page for each piece. Exit code 1: something
differs.

  --seconds   times are compared without their fractions (a tool that does not write those)"""

import hashlib
import os
import stat
import sys

PIECE = 1 << 20


def attributes(path):
    # Of the mount that a tree may be looked at through, not of the tree.
    names = sorted(name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith("trusted.overlay."))
    return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names}


def content(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def look(root, path, seconds):
    full = os.path.join(root, path)
    status = os.lstat(full)
    kind = stat.S_IFMT(status.st_mode)
    facts = {
        "type": oct(kind),
        "mode": oct(stat.S_IMODE(status.st_mode)),
        "owner": status.st_uid,
        "group": status.st_gid,
        "time": status.st_mtime_ns // (10**9 if seconds else 1),
        "xattrs": attributes(full),
    }
    if kind == stat.S_IFREG:
        facts.update(size=status.st_size, content=content(full))
    if kind == stat.S_IFLNK:
        facts["target"] = os.readlink(full)
    if kind in (stat.S_IFBLK, stat.S_IFCHR):
        facts["device"] = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return facts, status


def tree(root, seconds):
    """Facts by path; and by path, the first name of the file that it is another name of."""
    facts, first, blocks, names = {}, {}, {}, {"."}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            names.add(os.path.relpath(os.path.join(folder, name), root))
    for path in sorted(names):
        facts[path], status = look(root, path, seconds)
        if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
            facts[path]["same file as"] = first.setdefault((status.st_dev, status.st_ino), path)
        if stat.S_ISREG(status.st_mode):
            blocks[path] = (status.st_blocks * 512, status.st_size)
    return facts, blocks


def main():
    seconds = "--seconds" in sys.argv
    roots = [word for word in sys.argv[1:] if word != "--seconds"]
    (ours, our_blocks), (theirs, their_blocks) = (tree(root, seconds) for root in roots)
    different = []
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours or path not in theirs:
            different.append(f"{path}: only in {roots[path in theirs]}")
            continue
        for fact in sorted(ours[path].keys() | theirs[path].keys()):
            mine, other = ours[path].get(fact), theirs[path].get(fact)
            if mine != other:
                different.append(f"{path}: {fact}: {mine}, {other}")
        if path in our_blocks and path in their_blocks:
            (filled, _), (their_filled, size) = our_blocks[path], their_blocks[path]
            if their_filled < size // 2 and filled > their_filled + 65536:
                different.append(f"{path}: fills {filled}, {their_filled}")
    print("\n".join(different[:50]))
    print(f"{len(ours)} and {len(theirs)} names, {len(different)} differences")
    return 1 if different or len(ours) < 2 else 0


sys.exit(main())
