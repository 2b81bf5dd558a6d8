#include "runtime/engine/image_wishes.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/request.h"
#include "specs/image_config.h"

#include <string.h>

enum { PORTS_MAX = 256 }; // that an image may name

// A list of the request's with room for more, in the arena.
static struct strv longer(struct arena *arena, const struct strv *list, size_t more) {
    struct strv result = {.items = arena_array(arena, list->count + more + 1, sizeof(*result.items)), .count = list->count};
    if (list->count > 0) {
        memcpy(result.items, list->items, list->count * sizeof(*result.items));
    }
    return result;
}

static bool has_name(const struct strv *list, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], name, length) == 0 && (list->items[i][length] == '=' || list->items[i][length] == '\0')) {
            return true;
        }
    }
    return false;
}

static void add_labels(const struct image_settings *image, struct arena *arena, struct run_request *request) {
    if (image->labels_count == 0) {
        return;
    }
    struct strv labels = longer(arena, &request->labels, image->labels_count);
    for (size_t i = 0; i < image->labels_count; i++) {
        const struct text_pair *label = &image->labels[i];
        if (!has_name(&request->labels, label->name)) {
            labels.items[labels.count++] = arena_format(arena, "%s=%s", label->name, label->value ? label->value : "");
        }
    }
    request->labels = labels;
}

// --- ports ---

// PORT[-PORT][/PROTOCOL]: what -p has behind its last colon.
static bool read_exposed(const char *text, struct publish *ret) {
    struct err ignored;
    return !strchr(text, ':') && publish_parse(text, ret, &ignored) == 0;
}

static bool is_published(const struct strv *publish, const struct publish *wanted) {
    for (size_t i = 0; i < publish->count; i++) {
        struct publish there;
        struct err ignored;
        if (publish_parse(publish->items[i], &there, &ignored) == 0 && there.protocol == wanted->protocol &&
            there.first <= wanted->last && wanted->first <= there.last) {
            return true;
        }
    }
    return false;
}

static int check_exposed(const struct strv *exposed, struct err *err) {
    for (size_t i = 0; i < exposed->count; i++) {
        struct publish port;
        if (!read_exposed(exposed->items[i], &port)) {
            return err_set(err, ERR_INPUT, "--expose: expected PORT[-PORT][/PROTOCOL] such as 80 or 5000-5010/udp, found \"%s\"",
                           exposed->items[i]);
        }
    }
    return 0;
}

static void add_exposed(const struct image_settings *image, struct arena *arena, struct run_request *request) {
    struct strv exposed = longer(arena, &request->exposed, image->exposed_ports_count);
    for (size_t i = 0; i < image->exposed_ports_count; i++) {
        char quoted[QUOTE_SIZE];
        struct publish port;
        if (exposed.count - request->exposed.count == PORTS_MAX || !read_exposed(image->exposed_ports[i], &port)) {
            log_warn("image %s: port %s is left out", request->image, quote_text(image->exposed_ports[i], quoted));
        } else if (!is_published(&exposed, &port)) {
            exposed.items[exposed.count++] = arena_copy_string(arena, image->exposed_ports[i]);
        }
    }
    request->exposed = exposed;
}

static void publish_all(struct arena *arena, struct run_request *request) {
    struct strv publish = longer(arena, &request->publish, request->exposed.count);
    for (size_t i = 0; i < request->exposed.count; i++) {
        struct publish port;
        if (read_exposed(request->exposed.items[i], &port) && !is_published(&publish, &port)) {
            publish.items[publish.count++] = request->exposed.items[i];
        }
    }
    request->publish = publish;
}

int image_wishes_add(const struct image_settings *image, struct arena *arena, struct run_request *request, struct err *err) {
    if (check_exposed(&request->exposed, err) < 0) {
        return -1;
    }
    add_labels(image, arena, request);
    add_exposed(image, arena, request);
    if (request->publish_all) {
        publish_all(arena, request);
    }
    return 0;
}
