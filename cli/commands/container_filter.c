#include "cli/commands/container_filter.h"
#include "cli/commands/filter.h"

#include "cli/context.h"
#include "cli/time_word.h"
#include "images/catalog.h"
#include "images/ref.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/strv.h"
#include "runtime/engine/publish.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asking {
    const struct context *context;
    const struct home *home;
    struct arena *arena;
    const char *word; // whole, for messages
};

// What a word asks for, made ready.
struct container_filter_value {
    const char *text;
    int64_t number;       // EXITED, UNTIL
    struct record other;  // BEFORE, SINCE
    const char *image_id; // ANCESTOR: NULL where the store has none of the name
    const struct image_record_layer *layers;
    size_t layers_count;
    struct asking *asking;
    uint32_t first, last; // PUBLISH
    const char *protocol;
};

struct container_filter {
    const char *key;      // with its sign
    const char *choices;  // the values it can have, a blank behind each; NULL: any
    const char *expected; // behind "expected", where prepare() says no
    bool all;             // of several all must pass
    bool in_prune, in_ps;
    bool shows_all;
    bool (*prepare)(const struct asking *asking, struct container_filter_value *value); // NULL: nothing to do
    bool (*passes)(const struct home *home, const struct view *view, const struct container_filter_value *value);
};

// --- what it is called and says of itself ---

static bool passes_id(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return strncmp(view->record.id, value->text, strlen(value->text)) == 0;
}

static bool prepare_expression(const struct asking *asking, struct container_filter_value *value) {
    regex_t expression;
    (void)asking;
    if (regcomp(&expression, value->text, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    regfree(&expression);
    return true;
}

// docker's names begin with a slash, and people write ^/web$.
static bool passes_name(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    char name[256];
    regex_t expression;
    (void)home;
    if (regcomp(&expression, value->text, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    snprintf(name, sizeof(name), "/%s", view->record.name);
    bool matches = regexec(&expression, name, 0, NULL, 0) == 0 || regexec(&expression, name + 1, 0, NULL, 0) == 0;
    regfree(&expression);
    return matches;
}

static bool passes_label(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    size_t length = strcspn(value->text, "=");
    (void)home;
    for (size_t i = 0; i < view->request.labels.count; i++) {
        const char *label = view->request.labels.items[i];
        if (strcspn(label, "=") == length && strncmp(label, value->text, length) == 0) {
            const char *own = label[length] ? label + length + 1 : "";
            return !value->text[length] || strcmp(own, value->text + length + 1) == 0;
        }
    }
    return false;
}

static bool passes_no_label(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    return !passes_label(home, view, value);
}

// --- what it is in ---

static bool passes_status(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return strcmp(record_state_name(view->state), value->text) == 0;
}

static bool passes_health(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return strcmp(health_status_name(view->health), value->text) == 0;
}

static bool prepare_number(const struct asking *asking, struct container_filter_value *value) {
    (void)asking;
    return quantity_int(value->text, &value->number) == 0;
}

static bool passes_exited(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return view->state == RECORD_EXITED && view->record.exit_code == value->number;
}

static bool prepare_until(const struct asking *asking, struct container_filter_value *value) {
    (void)asking;
    return time_word_parse(value->text, &value->number) == 0;
}

static bool passes_until(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return view->record.created_s < value->number;
}

static bool prepare_container(const struct asking *asking, struct container_filter_value *value) {
    char id[RECORD_ID_SIZE];
    struct err unknown;
    return record_find(asking->home, value->text, id, &unknown) == 0 &&
           record_read(asking->home, asking->arena, id, &value->other, &unknown) == 0;
}

static bool passes_before(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return record_order(&view->record, &value->other) < 0;
}

static bool passes_since(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    return record_order(&view->record, &value->other) > 0;
}

// --- what it is made of ---

static struct store *open_store(const struct asking *asking) {
    struct store *store;
    struct err unknown;
    return store_open(asking->context->store_dir, asking->context->rootless ? STORE_USER_XATTR : 0, &store, &unknown) == 0 ? store
                                                                                                                           : NULL;
}

static bool prepare_image(const struct asking *asking, struct container_filter_value *value) {
    AUTO_STORE struct store *store = open_store(asking);
    struct catalog_image image;
    struct err unknown;
    if (store && catalog_get(store, value->text, asking->arena, &image, &unknown) == 0) {
        value->image_id = image.record.id;
        value->layers = image.record.layers;
        value->layers_count = image.record.layers_count;
        value->asking = arena_alloc(asking->arena, sizeof(*asking));
        *value->asking = *asking;
    }
    return true;
}

// An image that begins with the layers of the other one has been made of it. One without layers is nobody's ancestor.
static bool is_made_of(const char *image_id, const struct container_filter_value *value) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_STORE struct store *store = value->layers_count > 0 ? open_store(value->asking) : NULL;
    struct catalog_image image;
    struct err gone;
    if (!store || catalog_get(store, image_id, &arena, &image, &gone) < 0 || image.record.layers_count < value->layers_count) {
        return false;
    }
    for (size_t i = 0; i < value->layers_count; i++) {
        if (strcmp(image.record.layers[i].key, value->layers[i].key) != 0) {
            return false;
        }
    }
    return true;
}

// By the image's name as the container's user had it, too: it may have another image's name by now.
static bool passes_ancestor(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    AUTO_ARENA struct arena arena = {0};
    struct image_ref own, asked;
    struct err no_name;
    (void)home;
    if (value->image_id && (strcmp(value->image_id, view->record.image_id) == 0 || is_made_of(view->record.image_id, value))) {
        return true;
    }
    return image_ref_parse(&arena, view->record.image, &own, &no_name) == 0 &&
           image_ref_parse(&arena, value->text, &asked, &no_name) == 0 &&
           strcmp(image_ref_full(&arena, &own), image_ref_full(&arena, &asked)) == 0;
}

static bool passes_volume(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    for (size_t i = 0; i < view->mounts.items_count; i++) {
        const struct volume *volume = &view->mounts.items[i];
        if (strcmp(volume->target, value->text) == 0 || (volume->source && strcmp(volume->source, value->text) == 0)) {
            return true;
        }
    }
    return false;
}

static bool passes_network(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    for (size_t i = 0; i < view->networks_count; i++) {
        const struct view_network *network = &view->networks[i];
        if (strcmp(network->name, value->text) == 0 || strncmp(network->id, value->text, strlen(value->text)) == 0) {
            return true;
        }
    }
    return view->networks_count == 0 && view->request.network && strcmp(view->request.network, value->text) == 0;
}

// PORT[-PORT][/PROTOCOL]
static bool prepare_ports(const struct asking *asking, struct container_filter_value *value) {
    char *end;
    (void)asking;
    value->first = value->last = (uint32_t)strtoul(value->text, &end, 10);
    if (*end == '-') {
        value->last = (uint32_t)strtoul(end + 1, &end, 10);
    }
    value->protocol = *end == '/' ? end + 1 : NULL;
    bool known = !value->protocol || strcmp(value->protocol, "tcp") == 0 || strcmp(value->protocol, "udp") == 0 ||
                 strcmp(value->protocol, "sctp") == 0;
    return value->first > 0 && value->last >= value->first && value->last <= UINT16_MAX && (!*end || *end == '/') && known;
}

static bool has_protocol(const struct container_filter_value *value, const char *protocol) {
    return strcmp(value->protocol ? value->protocol : "tcp", protocol) == 0; // docker's default
}

static bool in_range(const struct container_filter_value *value, uint32_t first, uint32_t last) {
    return first <= value->last && value->first <= last;
}

// By the container's port or by the host's: docker's pages have the one, its program the other.
static bool passes_publish(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    for (size_t i = 0; i < view->ports_count; i++) {
        const struct view_port *port = &view->ports[i];
        if (has_protocol(value, port->protocol) &&
            (in_range(value, port->port, port->port) || in_range(value, port->host_port, port->host_port))) {
            return true;
        }
    }
    return false;
}

// What is published is exposed.
static bool passes_expose(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    const struct strv *lists[] = {&view->request.exposed, &view->request.publish};
    (void)home;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (size_t j = 0; j < lists[i]->count; j++) {
            struct publish port;
            struct err ignored;
            if (publish_parse(lists[i]->items[j], &port, &ignored) == 0 &&
                has_protocol(value, publish_protocol_name(port.protocol)) && in_range(value, port.first, port.last)) {
                return true;
            }
        }
    }
    return false;
}

// Tasks are swarm's, which there is none of here.
static bool passes_task(const struct home *home, const struct view *view, const struct container_filter_value *value) {
    (void)home;
    (void)view;
    return strcmp(value->text, "false") == 0;
}

static const struct container_filter filters_known[] = {
    {"name=", NULL, "a regular expression", false, false, true, false, prepare_expression, passes_name},
    {"id=", NULL, NULL, false, false, true, false, NULL, passes_id},
    {"label=", NULL, NULL, true, true, true, false, NULL, passes_label},
    {"label!=", NULL, NULL, true, true, true, false, NULL, passes_no_label},
    {"until=", NULL, TIME_WORD_EXPECTED, true, true, true, false, prepare_until, passes_until},
    {"status=", "created running paused restarting exited removing dead ", NULL, false, false, true, true, NULL, passes_status},
    {"exited=", NULL, "an exit code", false, false, true, true, prepare_number, passes_exited},
    {"ancestor=", NULL, NULL, false, false, true, false, prepare_image, passes_ancestor},
    {"before=", NULL, "a container that is there", false, false, true, false, prepare_container, passes_before},
    {"since=", NULL, "a container that is there", false, false, true, false, prepare_container, passes_since},
    {"volume=", NULL, NULL, false, false, true, false, NULL, passes_volume},
    {"network=", NULL, NULL, false, false, true, false, NULL, passes_network},
    {"health=", "none starting healthy unhealthy ", NULL, false, false, true, false, NULL, passes_health},
    {"publish=", NULL, "a port such as 80, 53/udp or 8000-8080", false, false, true, false, prepare_ports, passes_publish},
    {"expose=", NULL, "a port of the container such as 80, 53/udp or 8000-8080", false, false, true, false, prepare_ports,
     passes_expose},
    {"is-task=", "true false ", NULL, false, false, true, false, NULL, passes_task},
};

static const struct container_filter *find_filter(const char *word) {
    for (size_t i = 0; i < ARRAY_LEN(filters_known); i++) {
        if (strncmp(word, filters_known[i].key, strlen(filters_known[i].key)) == 0) {
            return &filters_known[i];
        }
    }
    return NULL;
}

static int parse_word(const struct asking *asking, enum container_filter_set set, const struct container_filter **ret_kind,
                      struct container_filter_value *value, struct err *err) {
    const struct container_filter *filter = find_filter(asking->word);
    value->text = filter ? asking->word + strlen(filter->key) : "";
    if (!filter || !(set == CONTAINER_FILTERS_PS ? filter->in_ps : filter->in_prune) || !*value->text) {
        return err_set(err, ERR_INPUT, "--filter %s: expected %s", asking->word,
                       set == CONTAINER_FILTERS_PS
                           ? "name=TEXT, id=ID, label=KEY[=VALUE], status=STATUS, exited=CODE, ancestor=IMAGE, before=CONTAINER, "
                             "since=CONTAINER, volume=VOLUME, network=NETWORK, publish=PORT, expose=PORT, health=STATUS, "
                             "is-task=BOOL or until=TIME"
                           : "until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]");
    }
    if (!filter_has_choice(filter->choices, value->text)) {
        return err_set(err, ERR_INPUT, "--filter %s: expected one of %.*s", asking->word, (int)strlen(filter->choices) - 1,
                       filter->choices);
    }
    if (filter->prepare && !filter->prepare(asking, value)) {
        return err_set(err, ERR_INPUT, "--filter %s: expected %s", asking->word, filter->expected);
    }
    *ret_kind = filter;
    return 0;
}

int container_filters_parse(struct context *context, const struct home *home, const struct strv *words,
                            enum container_filter_set set, struct container_filters *ret, struct err *err) {
    struct arena *arena = &context->arena;
    *ret = (struct container_filters){
        .kinds = arena_array(arena, words->count + 1, sizeof(struct container_filter *)),
        .values = arena_array(arena, words->count + 1, sizeof(struct container_filter_value)),
    };
    for (; ret->count < words->count; ret->count++) {
        const struct asking asking = {context, home, arena, words->items[ret->count]};
        if (parse_word(&asking, set, &ret->kinds[ret->count], &ret->values[ret->count], err) < 0) {
            return -1;
        }
        ret->all = ret->all || ret->kinds[ret->count]->shows_all;
    }
    return 0;
}

bool container_passes(const struct home *home, const struct view *view, const struct container_filters *filters) {
    for (size_t key = 0; key < ARRAY_LEN(filters_known); key++) {
        size_t given = 0, passed = 0;
        for (size_t i = 0; i < filters->count; i++) {
            if (filters->kinds[i] == &filters_known[key]) {
                given++;
                passed += filters_known[key].passes(home, view, &filters->values[i]);
            }
        }
        if (given > 0 && (filters_known[key].all ? passed < given : passed == 0)) {
            return false;
        }
    }
    return true;
}
