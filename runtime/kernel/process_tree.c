#include "runtime/kernel/process_tree.h"

#include "runtime/base/buf.h"
#include "runtime/base/dir.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process_info.h"
#include "runtime/kernel/sys.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_PASSES = 16 };

size_t process_list_all(void *context, pid_t **ret_pids) {
    (void)context;
    AUTO_DIR DIR *stream = opendir("/proc");
    AUTO_BUF struct buf pids = {0};
    size_t count = 0;
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0) {
            buf_add(&pids, &pid, sizeof(pid));
            count++;
        }
    }
    *ret_pids = (pid_t *)(void *)buf_take(&pids);
    return count;
}

// 0: it cannot be told.
static ino_t pid_namespace_of(pid_t pid) {
    char path[32];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

size_t process_list_namespace(pid_t member, pid_t **ret_pids) {
    pid_t *pids;
    size_t count = process_list_all(NULL, &pids), kept = 0;
    ino_t wanted = pid_namespace_of(member);
    for (size_t i = 0; i < count; i++) {
        if (wanted != 0 && pid_namespace_of(pids[i]) == wanted) {
            pids[kept++] = pids[i];
        }
    }
    *ret_pids = pids;
    return kept;
}

struct member {
    struct process_info info;
    bool belongs;
};

struct tree {
    pid_t root;
    struct member *members;
    size_t count;
};

static void tree_finish(struct tree *tree) {
    free(tree->members);
    tree->members = NULL;
    tree->count = 0;
}

static void look(struct tree *tree, const struct process_source *source) {
    AUTO_FREE pid_t *pids = NULL;
    size_t count = source->list(source->context, &pids);
    tree_finish(tree);
    tree->members = mem_alloc((count + 1) * sizeof(*tree->members));
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF struct buf command = {0};
        struct member *member = &tree->members[tree->count];
        if (process_info_read(pids[i], &member->info, &command) == 0) {
            member->belongs = pids[i] == tree->root || member->info.session == tree->root;
            tree->count++;
        }
    }
}

static bool has_parent(const struct tree *tree, const struct member *child) {
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->members[i].belongs && tree->members[i].info.pid == child->info.parent) {
            return true;
        }
    }
    return false;
}

static void mark_descendants(struct tree *tree) {
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < tree->count; i++) {
            struct member *member = &tree->members[i];
            if (!member->belongs && has_parent(tree, member)) {
                member->belongs = found = true;
            }
        }
    }
}

static void send(const struct process_info *info, int signal) {
    AUTO_BUF struct buf command = {0};
    struct process_info now;
    AUTO_FD int pidfd = sys_pidfd_open(info->pid, 0);
    if (pidfd >= 0 && process_info_read(info->pid, &now, &command) == 0 && now.start_ms == info->start_ms) {
        sys_pidfd_send_signal(pidfd, signal);
    }
}

static size_t send_all(const struct tree *tree, int signal) {
    size_t sent = 0;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->members[i].belongs) {
            send(&tree->members[i].info, signal);
            sent++;
        }
    }
    return sent;
}

void process_tree_kill(pid_t root, const struct process_source *source) {
    AUTO(tree_finish) struct tree tree = {.root = root};
    size_t before = 0, now = 0;
    for (int i = 0; i < MAX_PASSES; i++) {
        look(&tree, source);
        mark_descendants(&tree);
        now = send_all(&tree, SIGSTOP);
        if (now == before) {
            break;
        }
        before = now;
    }
    send_all(&tree, SIGKILL);
}
