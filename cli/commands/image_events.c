#include "cli/commands/image_events.h"

#include "cli/commands/engine.h"
#include "images/catalog.h"
#include "runtime/base/strv.h"
#include "runtime/engine/event_log.h"

void image_announce(const struct context *context, const char *action, const char *id, const char *name) {
    const struct engine engine = engine_of(context);
    const struct text_pair attributes[] = {{"name", name}};
    const struct event event = {
        .type = EVENT_IMAGE,
        .action = action,
        .id = id,
        .attributes = attributes,
        .attributes_count = name ? 1 : 0,
    };
    events_add_elsewhere(&engine, &event);
}

void image_announce_removal(const struct context *context, const struct catalog_removal *removal) {
    for (size_t i = 0; i < removal->untagged->count; i++) {
        image_announce(context, "untag", removal->untagged->items[i], removal->untagged->items[i]);
    }
    for (size_t i = 0; i < removal->deleted->count; i++) {
        image_announce(context, "delete", removal->deleted->items[i], NULL);
    }
}
