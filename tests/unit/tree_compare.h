// Compares two directory trees in all that a layer keeps, for tests against other archivers.
#ifndef COFFER_TESTS_UNIT_TREE_COMPARE_H
#define COFFER_TESTS_UNIT_TREE_COMPARE_H

#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct tree_compare {
    const char *left, *right; // roots
    unsigned things, differences;
};

static inline void tree_differ(struct tree_compare *trees, const char *path, const char *what) {
    printf("# %s: %s differs between %s and %s\n", path, what, trees->left, trees->right);
    trees->differences++;
}

static inline bool tree_same_data(const char *left, const char *right, off_t size) {
    AUTO_FD int a = open(left, O_RDONLY | O_CLOEXEC);
    AUTO_FD int b = open(right, O_RDONLY | O_CLOEXEC);
    static char data[2][65536];
    off_t done = 0;
    while (a >= 0 && b >= 0 && done < size) {
        ssize_t got = fd_read_full(a, data[0], sizeof(data[0]));
        if (got <= 0 || fd_read_full(b, data[1], sizeof(data[1])) != got || memcmp(data[0], data[1], (size_t)got) != 0) {
            return false;
        }
        done += got;
    }
    return done == size;
}

static inline bool tree_same_xattrs(const char *left, const char *right) {
    char names[4096], other[4096], value[2][4096];
    ssize_t size = llistxattr(left, names, sizeof(names));
    if (size != llistxattr(right, other, sizeof(other))) {
        return false;
    }
    for (const char *name = names; name < names + size; name += strlen(name) + 1) {
        ssize_t length = lgetxattr(left, name, value[0], sizeof(value[0]));
        if (length < 0 || lgetxattr(right, name, value[1], sizeof(value[1])) != length ||
            memcmp(value[0], value[1], (size_t)length) != 0) {
            return false;
        }
    }
    return true;
}

static inline void tree_compare_one(struct tree_compare *trees, const char *path) {
    AUTO_FREE char *left = mem_format("%s/%s", trees->left, path);
    AUTO_FREE char *right = mem_format("%s/%s", trees->right, path);
    struct stat a, b;
    trees->things++;
    if (lstat(left, &a) < 0 || lstat(right, &b) < 0) {
        tree_differ(trees, path, "existence");
        return;
    }
    bool is_dir = S_ISDIR(a.st_mode);
    if (a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid || a.st_rdev != b.st_rdev) {
        tree_differ(trees, path, "mode, owner or device");
    }
    if (!is_dir && (a.st_size != b.st_size || a.st_nlink != b.st_nlink)) {
        tree_differ(trees, path, "size or number of links");
    }
    if (a.st_mtim.tv_sec != b.st_mtim.tv_sec || a.st_mtim.tv_nsec != b.st_mtim.tv_nsec) {
        tree_differ(trees, path, "time");
    }
    if (S_ISREG(a.st_mode) && !tree_same_data(left, right, a.st_size)) {
        tree_differ(trees, path, "data");
    }
    if (S_ISREG(a.st_mode) && (a.st_blocks * 512 < a.st_size / 2) != (b.st_blocks * 512 < b.st_size / 2)) {
        tree_differ(trees, path, "sparseness");
    }
    if (S_ISLNK(a.st_mode)) {
        char to[2][PATH_MAX] = {{0}, {0}};
        if (readlink(left, to[0], PATH_MAX - 1) < 0 || readlink(right, to[1], PATH_MAX - 1) < 0 || strcmp(to[0], to[1]) != 0) {
            tree_differ(trees, path, "target");
        }
    }
    if (!tree_same_xattrs(left, right)) {
        tree_differ(trees, path, "extended attributes");
    }
}

static inline void tree_compare_below(struct tree_compare *trees, const char *path) {
    AUTO_FREE char *full = mem_format("%s/%s", trees->left, path);
    struct stat status;
    tree_compare_one(trees, path);
    DIR *directory = lstat(full, &status) == 0 && S_ISDIR(status.st_mode) ? opendir(full) : NULL;
    const struct dirent *row;
    while (directory && (row = readdir(directory))) {
        if (strcmp(row->d_name, ".") != 0 && strcmp(row->d_name, "..") != 0) {
            AUTO_FREE char *below = mem_format("%s/%s", path, row->d_name);
            tree_compare_below(trees, below);
        }
    }
    if (directory) {
        closedir(directory);
    }
}

// Everything of the left tree is in the right one, and as many things the other way round.
static inline unsigned tree_differences(const char *left, const char *right, unsigned *ret_things) {
    struct tree_compare trees = {.left = left, .right = right}, back = {.left = right, .right = left};
    tree_compare_below(&trees, ".");
    tree_compare_below(&back, ".");
    *ret_things = trees.things;
    return trees.differences + (trees.things != back.things);
}

#endif
