#include "cli/commands/load_view.h"

#include "cli/output.h"
#include "cli/progress.h"
#include "images/ref.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "specs/json_write.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENT_EVERY_MS = 500 };

void load_view_finish(struct load_view *view) {
    progress_destroy(view->progress);
    free(view->done);
    free(view->states);
}

// A line a layer, and one for all of them together when there are several.
static void begin(struct load_view *view, const struct load_layer *layers, size_t count) {
    view->begun = true;
    view->done = mem_array(count + 1, sizeof(*view->done));
    for (size_t i = 0; i < count; i++) {
        const char *name = strncmp(layers[i].name, "sha256:", 7) == 0 ? layers[i].name + 7 : layers[i].name;
        char text[OUTPUT_HUMAN_SIZE];
        AUTO_FREE char *label = layers[i].resumed_at ? mem_format("layer %.12s, resumed at %s", name,
                                                                  output_human_size((int64_t)layers[i].resumed_at, text))
                                                     : mem_format("layer %.12s", name);
        unsigned line = progress_add(view->progress, label);
        view->first = i == 0 ? line : view->first;
    }
    if (count > 1) {
        view->total = progress_add(view->progress, "all layers");
    }
}

static void draw(void *context, const struct load_layer *layers, size_t count) {
    struct load_view *view = context;
    uint64_t done = 0, size = 0;
    bool all_done = true, unpacked = false;
    if (!view->begun) {
        begin(view, layers, count);
    }
    for (size_t i = 0; i < count; i++) {
        bool finished = layers[i].state == LOAD_DONE || layers[i].state == LOAD_PRESENT;
        char text[OUTPUT_HUMAN_SIZE];
        done += layers[i].done;
        size += layers[i].size;
        all_done = all_done && finished;
        unpacked = unpacked || layers[i].state == LOAD_DONE;
        if (finished && !view->done[i]) {
            AUTO_FREE char *result = mem_format("%s %s", layers[i].state == LOAD_DONE ? "unpacked" : "is already there,",
                                                output_human_size((int64_t)layers[i].size, text));
            view->done[i] = true;
            progress_done(view->progress, view->first + (unsigned)i, result);
        } else if (!finished) {
            progress_set(view->progress, view->first + (unsigned)i, layers[i].done, layers[i].size);
        }
    }
    if (count > 1 && all_done && !view->done[count]) {
        char text[OUTPUT_HUMAN_SIZE];
        AUTO_FREE char *result = mem_format(unpacked ? "unpacked %s" : "are all there, %s", output_human_size((int64_t)size, text));
        view->done[count] = true;
        progress_done(view->progress, view->total, result);
    } else if (count > 1 && !all_done) {
        progress_set(view->progress, view->total, done, size);
    }
}

static void write_event(struct buf *event) {
    // Who does not listen any more must not stop the work.
    buf_add_char(event, '\n');
    int ignored = fd_write_all(STDOUT_FILENO, event->data, event->size);
    (void)ignored;
}

static void tell_layer(const struct load_layer *layer) {
    static const char *const names[] = {
        [LOAD_WAITING] = "waiting", [LOAD_RUNNING] = "running", [LOAD_DONE] = "done", [LOAD_PRESENT] = "present"};
    AUTO_BUF struct buf event = {0};
    struct json_writer writer = {.buf = &event};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "event", "layer");
    json_write_string(&writer, "layer", layer->name);
    json_write_string(&writer, "state", names[layer->state]);
    json_write_u64(&writer, "done", layer->done);
    json_write_u64(&writer, "size", layer->size);
    json_write_u64(&writer, "resumed", layer->resumed);
    json_write_close(&writer, '}');
    write_event(&event);
}

static void tell(void *context, const struct load_layer *layers, size_t count) {
    struct load_view *view = context;
    int64_t now_ms = clock_now_ms();
    bool is_due = now_ms - view->told_ms >= EVENT_EVERY_MS, is_first = !view->states;
    view->told_ms = is_due ? now_ms : view->told_ms;
    view->states = is_first ? mem_array(count + 1, sizeof(*view->states)) : view->states;
    for (size_t i = 0; i < count; i++) {
        if (is_first || view->states[i] != layers[i].state || (is_due && layers[i].state == LOAD_RUNNING)) {
            view->states[i] = layers[i].state;
            tell_layer(&layers[i]);
        }
    }
}

void load_view_image(const struct load_image *image, struct arena *arena) {
    AUTO_BUF struct buf event = {0};
    struct json_writer writer = {.buf = &event};
    const char **names = arena_array(arena, image->names_count + 1, sizeof(*names));
    for (size_t i = 0; i < image->names_count; i++) {
        names[i] = image_ref_familiar(arena, &image->names[i]);
    }
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "event", "image");
    json_write_string(&writer, "id", image->id);
    json_write_strings(&writer, "names", names, image->names_count);
    json_write_close(&writer, '}');
    write_event(&event);
}

void load_view_init(struct load_view *view, enum load_view_kind kind, struct load_options *options) {
    *view = (struct load_view){.progress = kind == LOAD_VIEW_LINES ? progress_create(STDERR_FILENO) : NULL};
    options->progress = kind == LOAD_VIEW_LINES ? draw : tell;
    options->progress_context = view;
}
