#include "cli/copy_progress.h"

#include "cli/output.h"
#include "cli/progress.h"
#include "runtime/base/buf.h"
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

// The blob's line, begun with the first word of it. The last is given away where there are too many, which there never are.
static struct copy_line *find_line(struct copy_progress *shown, const char *digest, enum copy_state state) {
    struct copy_line *free_line = &shown->lines[COPY_LINES - 1];
    for (size_t i = COPY_LINES; i-- > 0;) {
        if (strcmp(shown->lines[i].digest, digest) == 0) {
            return &shown->lines[i];
        }
        free_line = shown->lines[i].digest[0] ? free_line : &shown->lines[i];
    }
    const char *colon = strchr(digest, ':');
    AUTO_FREE char *label = mem_format("%s %.12s", state == COPY_PACKING ? "pack" : "blob", colon ? colon + 1 : digest);
    snprintf(free_line->digest, sizeof(free_line->digest), "%s", digest);
    free_line->line = progress_add(shown->progress, label);
    return free_line;
}

void copy_progress_show(void *context, const char *digest, enum copy_state state, uint64_t done, uint64_t size) {
    static const char *const words[] = {[COPY_PACKING] = "packed",
                                        [COPY_SENT] = "copied",
                                        [COPY_MOUNTED] = "taken from the repository beside it,",
                                        [COPY_PRESENT] = "is already there,",
                                        [COPY_FOREIGN] = "is not to be handed on, and is left where its manifest says,"};
    struct copy_line *line = find_line(context, digest, state);
    struct progress *progress = ((struct copy_progress *)context)->progress;
    char text[OUTPUT_HUMAN_SIZE];
    if (state == COPY_SENDING || (state == COPY_PACKING && done < size)) {
        progress_set(progress, line->line, done, size);
    } else {
        AUTO_FREE char *result = mem_format("%s %s", words[state], output_human_size((int64_t)size, text));
        progress_done(progress, line->line, result);
        line->digest[0] = '\0';
    }
}

int copy_open_spool(struct err *err) {
    static const char folder[] = "/var/tmp"; // /tmp may be memory
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open %s", folder) : fd;
}

int copy_write_digest(const struct digest *digest, const char *file, struct err *err) {
    char text[DIGEST_TEXT_SIZE];
    if (!file) {
        return 0;
    }
    digest_format(digest, text);
    AUTO_FD int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 ? err_sys(err, "--digestfile: write %s", file) : 0;
}

int copy_tell_digest(const struct digest *digest, const char *file, struct err *err) {
    AUTO_BUF struct buf line = {0};
    char text[DIGEST_TEXT_SIZE];
    buf_add_format(&line, "%s\n", digest_format(digest, text));
    return copy_write_digest(digest, file, err) < 0 ? -1 : output_write(&line, err);
}
