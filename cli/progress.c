#include "cli/progress.h"

#include "cli/messages.h"
#include "cli/output.h"
#include "images/load.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { REDRAW_MS = 100, NAME_LETTERS = 12, BAR_LETTERS = 24, ROWS_WITHOUT_SIZE = 24 };

static const char *const state_words[] = {
    [LOAD_WAITING] = "waiting",
    [LOAD_RUNNING] = "unpacking",
    [LOAD_DONE] = "unpacked",
    [LOAD_PRESENT] = "already there",
};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress, int fd) {
    const char *term = getenv("TERM");
    *progress = (struct progress){
        .fd = fd,
        .in_use = true,
        .terminal = isatty(fd) && !(term && strcmp(term, "dumb") == 0),
        .start_ms = now_ms(),
    };
}

// "sha256:0123456789ab...": its first digits; other names come from an archive and are shown by their end, made visible.
static void add_name(struct buf *buf, const char *name) {
    if (strncmp(name, "sha256:", 7) == 0) {
        name += 7;
    }
    size_t length = strcspn(name, "/.");
    AUTO_BUF struct buf visible = {0};
    AUTO_FREE char *cut = mem_format("%.*s", (int)(length < NAME_LETTERS ? length : NAME_LETTERS), name);
    messages_add_visible(&visible, cut);
    buf_add_format(buf, "%-*s", NAME_LETTERS, buf_string(&visible));
}

static void add_sizes(struct buf *buf, uint64_t done, uint64_t size) {
    char done_text[OUTPUT_HUMAN_SIZE], size_text[OUTPUT_HUMAN_SIZE];
    buf_add_format(buf, "%s of %s", output_human_size((int64_t)done, done_text), output_human_size((int64_t)size, size_text));
}

static void add_bar(struct buf *buf, uint64_t done, uint64_t size) {
    unsigned filled = size > 0 ? (unsigned)((double)done / (double)size * BAR_LETTERS) : BAR_LETTERS;
    buf_add_char(buf, '[');
    for (unsigned i = 0; i < BAR_LETTERS; i++) {
        buf_add_char(buf, i < filled ? '=' : i == filled ? '>' : ' ');
    }
    buf_add_string(buf, "] ");
}

static int terminal_rows(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : ROWS_WITHOUT_SIZE;
}

static void add_layer(struct buf *buf, const struct load_layer *layer) {
    add_name(buf, layer->name);
    buf_add_string(buf, "  ");
    if (layer->state == LOAD_RUNNING) {
        add_bar(buf, layer->done, layer->size);
        add_sizes(buf, layer->done, layer->size);
    } else {
        char size[OUTPUT_HUMAN_SIZE];
        buf_add_format(buf, "%s, %s", state_words[layer->state], output_human_size((int64_t)layer->size, size));
    }
    buf_add_string(buf, "\033[K\n");
}

// The whole picture in one write(2), so that it does not flicker.
static void draw(struct progress *progress, const struct load_layer *layers, size_t count) {
    AUTO_BUF struct buf buf = {0};
    uint64_t done = 0, size = 0;
    if (progress->lines > 0) {
        buf_add_format(&buf, "\033[%dA", progress->lines);
    }
    size_t shown = 0, room = (size_t)terminal_rows(progress->fd) - 2;
    for (size_t i = 0; i < count; i++) {
        done += layers[i].done;
        size += layers[i].size;
        // With more layers than rows, those that move.
        if (shown < room && (count <= room || layers[i].state == LOAD_RUNNING)) {
            add_layer(&buf, &layers[i]);
            shown++;
        }
    }
    buf_add_format(&buf, "%-*s  ", NAME_LETTERS, "all layers");
    add_bar(&buf, done, size);
    add_sizes(&buf, done, size);
    buf_add_format(&buf, ", %.1f s\033[K\n\033[J", (double)(now_ms() - progress->start_ms) / 1000);
    progress->lines = (int)shown + 1;
    (void)!fd_write_all(progress->fd, buf.data, buf.size); // a terminal that is gone is no reason to stop
}

static void tell_lines(struct progress *progress, const struct load_layer *layers, size_t count) {
    AUTO_BUF struct buf buf = {0};
    if (progress->told_count < count) {
        progress->told = mem_resize(progress->told, count, 1);
        memset(progress->told + progress->told_count, 0, count - progress->told_count);
        progress->told_count = count;
    }
    for (size_t i = 0; i < count; i++) {
        if (!progress->told[i] && (layers[i].state == LOAD_DONE || layers[i].state == LOAD_PRESENT)) {
            char size[OUTPUT_HUMAN_SIZE];
            progress->told[i] = 1;
            add_name(&buf, layers[i].name);
            buf_add_format(&buf, "  %s, %s\n", state_words[layers[i].state], output_human_size((int64_t)layers[i].size, size));
        }
    }
    if (buf.size > 0) {
        (void)!fd_write_all(progress->fd, buf.data, buf.size);
    }
}

static bool all_done(const struct load_layer *layers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (layers[i].state == LOAD_WAITING || layers[i].state == LOAD_RUNNING) {
            return false;
        }
    }
    return true;
}

void progress_update(void *context, const struct load_layer *layers, size_t count) {
    struct progress *progress = context;
    if (!progress->terminal) {
        tell_lines(progress, layers, count);
        return;
    }
    int64_t now = now_ms();
    if (progress->lines == 0 || now - progress->drawn_ms >= REDRAW_MS || all_done(layers, count)) {
        progress->drawn_ms = now;
        draw(progress, layers, count);
    }
}

void progress_finish(struct progress *progress) {
    free(progress->told);
    *progress = (struct progress){0};
}
