#include "cli/progress.h"

#include "cli/messages.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { REDRAW_MS = 100, RATE_AFTER_MS = 500, BAR_WIDTH = 20, LABEL_WIDTH = 24 };

struct line {
    char *label;
    char *result; // NULL until it is done
    uint64_t done_bytes, total_bytes;
    uint64_t first_bytes; // and when, so that the rate leaves out what was there before
    int64_t first_ms;
};

struct progress {
    pthread_mutex_t lock;
    int fd;
    bool terminal;
    struct line *lines;
    unsigned count;
    unsigned drawn; // lines on the terminal that a redraw goes over
    int64_t drawn_at_ms;
};

struct progress *progress_create(int fd) {
    struct progress *progress = mem_alloc(sizeof(*progress));
    pthread_mutex_init(&progress->lock, NULL);
    progress->fd = fd;
    progress->terminal = isatty(fd);
    return progress;
}

static void write_all(const struct progress *progress, const struct buf *buf) {
    // Progress that cannot be shown must not stop the work.
    int ignored = fd_write_all(progress->fd, buf->data, buf->size);
    (void)ignored;
}

void progress_format(struct buf *buf, const char *label, uint64_t done_bytes, uint64_t total_bytes, int width) {
    char done[OUTPUT_HUMAN_SIZE], total[OUTPUT_HUMAN_SIZE];
    output_human_size((int64_t)done_bytes, done);
    buf_add_format(buf, "%-*s ", LABEL_WIDTH, label);
    if (total_bytes == 0) {
        buf_add_string(buf, done_bytes ? done : "");
        return;
    }
    if (width >= LABEL_WIDTH + BAR_WIDTH + 24) {
        unsigned filled = done_bytes >= total_bytes ? BAR_WIDTH : (unsigned)((double)done_bytes / (double)total_bytes * BAR_WIDTH);
        buf_add_char(buf, '[');
        for (unsigned i = 0; i < BAR_WIDTH; i++) {
            buf_add_char(buf, i < filled ? '=' : i == filled ? '>' : ' ');
        }
        buf_add_string(buf, "] ");
    }
    buf_add_format(buf, "%s/%s", done, output_human_size((int64_t)total_bytes, total));
}

// Bytes a second, once there is a second's worth to tell it from.
static void add_rate(struct buf *buf, const struct line *line) {
    char rate[OUTPUT_HUMAN_SIZE];
    int64_t passed_ms = line->first_ms ? clock_now_ms() - line->first_ms : 0;
    if (passed_ms >= RATE_AFTER_MS && line->done_bytes > line->first_bytes) {
        double bytes = (double)(line->done_bytes - line->first_bytes) * 1000 / (double)passed_ms;
        buf_add_format(buf, "  %s/s", output_human_size((int64_t)bytes, rate));
    }
}

static void add_line(struct buf *buf, const struct line *line, int width) {
    if (line->result) {
        buf_add_format(buf, "%-*s %s", LABEL_WIDTH, line->label, line->result);
    } else {
        progress_format(buf, line->label, line->done_bytes, line->total_bytes, width);
        add_rate(buf, line);
    }
}

// Goes back over what was drawn and draws it anew. Called with the lock held.
static void redraw(struct progress *progress, bool now) {
    int64_t time_ms = clock_now_ms();
    if (!progress->terminal || (!now && time_ms - progress->drawn_at_ms < REDRAW_MS)) {
        return;
    }
    AUTO_BUF struct buf buf = {0};
    int width = output_width(progress->fd);
    if (progress->drawn) {
        buf_add_format(&buf, "\033[%uA", progress->drawn);
    }
    for (unsigned i = 0; i < progress->count; i++) {
        size_t start = buf.size;
        add_line(&buf, &progress->lines[i], width);
        // A line that the terminal would break would make the way back too short.
        if (buf.size - start > (size_t)width) {
            buf.size = start + (size_t)width;
        }
        buf_add_string(&buf, "\033[K\n");
    }
    write_all(progress, &buf);
    progress->drawn = progress->count;
    progress->drawn_at_ms = time_ms;
}

unsigned progress_add(struct progress *progress, const char *label) {
    if (!progress) {
        return 0;
    }
    AUTO_BUF struct buf visible = {0};
    messages_add_visible(&visible, label);
    pthread_mutex_lock(&progress->lock);
    unsigned number = progress->count++;
    progress->lines = mem_resize(progress->lines, progress->count, sizeof(*progress->lines));
    progress->lines[number] = (struct line){.label = buf_take(&visible)};
    redraw(progress, false);
    pthread_mutex_unlock(&progress->lock);
    return number;
}

void progress_set(struct progress *progress, unsigned line, uint64_t done_bytes, uint64_t total_bytes) {
    if (!progress) {
        return;
    }
    pthread_mutex_lock(&progress->lock);
    assert(line < progress->count);
    if (done_bytes > 0 && progress->lines[line].first_ms == 0) {
        progress->lines[line].first_bytes = done_bytes;
        progress->lines[line].first_ms = clock_now_ms();
    }
    progress->lines[line].done_bytes = done_bytes;
    progress->lines[line].total_bytes = total_bytes;
    redraw(progress, false);
    pthread_mutex_unlock(&progress->lock);
}

void progress_done(struct progress *progress, unsigned line, const char *result) {
    if (!progress) {
        return;
    }
    AUTO_BUF struct buf visible = {0}, buf = {0};
    messages_add_visible(&visible, result);
    pthread_mutex_lock(&progress->lock);
    assert(line < progress->count);
    mem_cleanup(&progress->lines[line].result);
    progress->lines[line].result = buf_take(&visible);
    if (progress->terminal) {
        redraw(progress, true);
    } else {
        buf_add_format(&buf, "%s: %s\n", progress->lines[line].label, progress->lines[line].result);
        write_all(progress, &buf);
    }
    pthread_mutex_unlock(&progress->lock);
}

void progress_destroy(struct progress *progress) {
    if (!progress) {
        return;
    }
    redraw(progress, true);
    for (unsigned i = 0; i < progress->count; i++) {
        mem_cleanup(&progress->lines[i].label);
        mem_cleanup(&progress->lines[i].result);
    }
    mem_cleanup(&progress->lines);
    pthread_mutex_destroy(&progress->lock);
    mem_cleanup(&progress);
}

void progress_cleanup(struct progress **progress) {
    progress_destroy(*progress);
    *progress = NULL;
}
