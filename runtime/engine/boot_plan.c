#include "runtime/engine/attachment.h"
#include "runtime/engine/boot.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/engine/view.h"

#include <stdlib.h>
#include <string.h>

bool boot_wants(const struct view *view) {
    struct restart_policy policy;
    struct err damaged;
    return view->record.started && restart_policy_parse(view->request.restart, &policy, &damaged) == 0 &&
           (policy.kind == RESTART_ALWAYS || (policy.kind == RESTART_UNLESS_STOPPED && !view->record.stopped));
}

// "container:NAME", and NAME with what stands behind a colon.
static const char *name_in(struct arena *arena, const char *text) {
    static const char prefix[] = "container:";
    text = strncmp(text, prefix, sizeof(prefix) - 1) == 0 ? text + sizeof(prefix) - 1 : text;
    return arena_format(arena, "%.*s", (int)strcspn(text, ":"), text);
}

static bool is_container(const char *mode) {
    return mode && strncmp(mode, "container:", 10) == 0;
}

static size_t add_label(const struct run_request *request, struct arena *arena, const char **needs, size_t count, size_t room) {
    static const char label[] = BOOT_LABEL_AFTER "=";
    for (size_t i = 0; i < request->labels.count; i++) {
        if (strncmp(request->labels.items[i], label, sizeof(label) - 1) != 0) {
            continue;
        }
        const char *at = request->labels.items[i] + sizeof(label) - 1;
        for (; *at && count < room; at += strcspn(at, ","), at += *at == ',') {
            needs[count++] = arena_format(arena, "%.*s", (int)strcspn(at, ","), at);
        }
    }
    return count;
}

const char **boot_needs(const struct view *view, struct arena *arena) {
    enum { MAX_LABELLED = 64 };
    const struct run_request *request = &view->request;
    const char *const modes[] = {request->network, request->pid, request->ipc};
    size_t room = 3 + request->volumes_from.count + MAX_LABELLED, count = 0;
    const char **needs = arena_array(arena, room + 1, sizeof(*needs));
    for (size_t i = 0; i < 3; i++) {
        if (is_container(modes[i])) {
            needs[count++] = name_in(arena, modes[i]);
        }
    }
    for (size_t i = 0; i < request->volumes_from.count; i++) {
        needs[count++] = name_in(arena, request->volumes_from.items[i]);
    }
    count = add_label(request, arena, needs, count, room);
    needs[count] = NULL;
    return needs;
}

// --- the order ---

static bool is_called(const struct boot_item *item, const char *text) {
    return strcmp(item->name, text) == 0 || (strlen(text) >= RECORD_SHORT_ID && strncmp(item->id, text, strlen(text)) == 0);
}

static void resolve(struct arena *arena, struct boot *boot, size_t number, const char *const *needs) {
    size_t count = 0, room = 0;
    while (needs[room]) {
        room++;
    }
    size_t *after = arena_array(arena, room + 1, sizeof(*after));
    for (size_t i = 0; i < room; i++) {
        for (size_t other = 0; other < boot->count; other++) {
            if (is_called(&boot->items[other], needs[i])) {
                after[count++] = other;
                boot->items[other].is_waited_for = true;
                break;
            }
        }
    }
    boot->items[number].after = after;
    boot->items[number].after_count = count;
}

static bool is_ready(const struct boot *boot, const bool *done, size_t number) {
    for (size_t i = 0; i < boot->items[number].after_count; i++) {
        if (!done[boot->items[number].after[i]]) {
            return false;
        }
    }
    return true;
}

void boot_order(struct arena *arena, struct boot *boot, const char *const *const *needs) {
    bool *done = arena_array(arena, boot->count + 1, sizeof(*done)), more = true;
    memset(done, 0, boot->count * sizeof(*done));
    for (size_t i = 0; i < boot->count; i++) {
        resolve(arena, boot, i, needs[i]);
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < boot->count; i++) {
            if (!done[i] && is_ready(boot, done, i)) {
                done[i] = more = true;
            }
        }
    }
    for (size_t i = 0; i < boot->count; i++) {
        if (!done[i]) {
            boot->items[i].result = BOOT_SKIPPED;
            boot->items[i].reason = "it waits for itself, by way of those it needs";
        }
    }
}

// --- what there is ---

static int oldest_first(const void *a, const void *b) {
    const struct view *left = a, *right = b;
    return left->record.created_s != right->record.created_s ? (left->record.created_s < right->record.created_s ? -1 : 1)
                                                             : strcmp(left->record.name, right->record.name);
}

static size_t read_wanted(const struct home *home, struct arena *arena, const char *const *ids, struct view *views) {
    size_t count = 0;
    for (; *ids; ids++) {
        struct err gone;
        if (view_read(home, arena, *ids, &views[count], &gone) == 0 && boot_wants(&views[count])) {
            count++;
        }
    }
    return count;
}

int boot_plan(const struct engine *engine, struct arena *arena, struct boot *ret, struct err *err) {
    AUTO_HOME struct home home = HOME_CLOSED;
    const char **ids;
    size_t total = 0;
    if (home_open(engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (record_list(&home, arena, &ids, err) < 0) {
        return -1;
    }
    while (ids[total]) {
        total++;
    }
    struct view *views = arena_array(arena, total + 1, sizeof(*views));
    struct boot boot = {.count = read_wanted(&home, arena, ids, views)};
    qsort(views, boot.count, sizeof(*views), oldest_first);
    boot.items = arena_array(arena, boot.count + 1, sizeof(*boot.items));
    const char *const **needs = arena_array(arena, boot.count + 1, sizeof(*needs));
    for (size_t i = 0; i < boot.count; i++) {
        bool runs = view_runs(&views[i]) || views[i].state == RECORD_RESTARTING;
        boot.items[i] = (struct boot_item){
            .id = arena_copy_string(arena, views[i].record.id),
            .name = views[i].record.name,
            .result = runs ? BOOT_RUNS : BOOT_STARTED,
            .reason = "",
        };
        needs[i] = (const char *const *)boot_needs(&views[i], arena);
    }
    boot_order(arena, &boot, needs);
    *ret = boot;
    return 0;
}
