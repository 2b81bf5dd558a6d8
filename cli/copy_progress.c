#include "cli/copy_progress.h"

#include "cli/output.h"
#include "cli/progress.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void copy_progress_begin(struct copy_progress *shown) {
    shown->progress = progress_create(STDERR_FILENO);
}

void copy_progress_finish(struct copy_progress *shown) {
    progress_destroy(shown->progress);
}

void copy_progress_show(void *context, const char *digest, enum copy_state state, uint64_t done, uint64_t size) {
    static const char *const words[] = {
        [COPY_SENT] = "copied", [COPY_MOUNTED] = "taken from the repository beside it,", [COPY_PRESENT] = "is already there,"};
    struct copy_progress *shown = context;
    char text[OUTPUT_HUMAN_SIZE];
    if (strcmp(shown->digest, digest) != 0) {
        const char *colon = strchr(digest, ':');
        AUTO_FREE char *label = mem_format("blob %.12s", colon ? colon + 1 : digest);
        snprintf(shown->digest, sizeof(shown->digest), "%s", digest);
        shown->line = progress_add(shown->progress, label);
    }
    if (state == COPY_SENDING) {
        progress_set(shown->progress, shown->line, done, size);
    } else {
        AUTO_FREE char *result = mem_format("%s %s", words[state], output_human_size((int64_t)size, text));
        progress_done(shown->progress, shown->line, result);
        shown->digest[0] = '\0';
    }
}

int copy_write_digest(const char *path, const char *digest, struct err *err) {
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 || fd_write_all(fd, digest, strlen(digest)) < 0 ? err_sys(err, "--digestfile: write %s", path) : 0;
}
