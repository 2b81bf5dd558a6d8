#include "runtime/engine/network_change.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/connection_pasta.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/network.h"
#include "runtime/engine/network_store.h"
#include "runtime/engine/target.h"

#include <string.h>

// --- the list ---

// A network may be said by its name, or by its id.
static bool is_of(const struct home *home, struct arena *arena, const struct attachment *attachment, const char *word,
                  const char *id) {
    struct network network;
    struct err gone;
    if (strcmp(attachment->network, word) == 0) {
        return true;
    }
    return id && network_find(home, arena, attachment->network, &network, &gone) == 0 && strcmp(network.id, id) == 0;
}

static size_t find(const struct home *home, struct arena *arena, const struct attachment_list *list, const char *word,
                   const char *id) {
    size_t at = 0;
    while (at < list->items_count && !is_of(home, arena, &list->items[at], word, id)) {
        at++;
    }
    return at;
}

static struct attachment *copy_items(struct arena *arena, const struct attachment_list *list, size_t more) {
    struct attachment *items = arena_array(arena, list->items_count + more + 1, sizeof(*items));
    if (list->items_count > 0) {
        memcpy(items, list->items, list->items_count * sizeof(*items));
    }
    return items;
}

// Pasta is no network of the store, and goes with no other.
static int check_joining(const struct attachment_list *list, const char *word, struct err *err) {
    if (strcmp(word, PASTA_NETWORK) == 0) {
        return err_set(err, ERR_UNSUPPORTED, "network " PASTA_NETWORK " is a container's only one, and settled when it is made");
    }
    return pasta_is_meant(list)
               ? err_set(err, ERR_UNSUPPORTED,
                         "it is on network " PASTA_NETWORK ", which goes with no other and is settled when a container is "
                         "made; make it anew with --network %s",
                         word)
               : 0;
}

static int check_leaving(const struct attachment_list *list, const char *word, struct err *err) {
    return pasta_is_meant(list) && strcmp(word, PASTA_NETWORK) == 0
               ? err_set(err, ERR_UNSUPPORTED,
                         "network " PASTA_NETWORK " is settled when a container is made; make it anew with another --network")
               : 0;
}

int network_change_join(const struct home *home, struct arena *arena, struct attachment_list *list, const char *text,
                        struct err *err) {
    struct attachment_list added = {0};
    struct network network;
    if (attachment_list_read(text, arena, &added, err) < 0) {
        return -1;
    }
    if (added.items_count != 1) {
        return err_set(err, ERR_INPUT, "expected one network, found %zu", added.items_count);
    }
    struct attachment *wish = &added.items[0];
    if (check_joining(list, wish->network, err) < 0) {
        return -1;
    }
    if (network_find(home, arena, wish->network, &network, err) < 0) {
        return -1;
    }
    if (network.driver != NETWORK_BRIDGE && network.driver != NETWORK_MACVLAN) {
        return err_set(err, ERR_INPUT, "network %s is no network that a container can join beside others", network.name);
    }
    if (find(home, arena, list, wish->network, network.id) < list->items_count) {
        return err_set(err, ERR_EXISTS, "it is on network %s already", network.name);
    }
    if (list->items_count == ATTACHMENTS_MAX) {
        return err_set(err, ERR_STATE, "it is on %d networks, and can be on no more", ATTACHMENTS_MAX);
    }
    wish->number = attachment_free_number(list);
    list->items = copy_items(arena, list, 1);
    list->items[list->items_count++] = *wish;
    return 0;
}

int network_change_leave(const struct home *home, struct arena *arena, struct attachment_list *list, const char *network,
                         int64_t *ret_number, struct err *err) {
    struct network found;
    struct err gone;
    if (check_leaving(list, network, err) < 0) {
        return -1;
    }
    bool exists = network_find(home, arena, network, &found, &gone) == 0;
    size_t at = find(home, arena, list, network, exists ? found.id : NULL);
    if (at == list->items_count) {
        return err_set(err, ERR_NOT_FOUND, exists ? "it is not on network %s" : "it is on no network named \"%s\"", network);
    }
    *ret_number = list->items[at].number;
    list->items = copy_items(arena, list, 0);
    for (list->items_count--; at < list->items_count; at++) {
        list->items[at] = list->items[at + 1];
    }
    return 0;
}

int network_change_none(const char *network, bool joins, struct err *err) {
    // Of another container's no more than the beginning of its id.
    return err_set(err, ERR_STATE, "it has no network of its own (--network %.22s)%s", network,
                   joins ? ", which is settled when a container is made; make it anew with that network" : "");
}

// --- the commands ---

static int change_record(struct target *target, const struct control_message *wish, const char *text, struct err *err) {
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    struct attachment_list list = {0};
    int64_t number;
    if (target_runs(target)) {
        return err_set(err, ERR_STATE, "it runs, and its monitor was killed; stop it first");
    }
    if (control_lock(&target->home, target->id, &dir, err) < 0 ||
        record_read(&target->home, &target->arena, target->id, &target->record, err) < 0 ||
        attachment_list_read(target->record.networks, &target->arena, &list, err) < 0) {
        return -1;
    }
    int result = wish->kind == CONTROL_CONNECT ? network_change_join(&target->home, &target->arena, &list, text, err)
                                               : network_change_leave(&target->home, &target->arena, &list, text, &number, err);
    if (result < 0) {
        return -1;
    }
    target->record.networks = attachment_list_write(&list, false, &target->arena);
    return record_write(&dir, &target->record, err);
}

static int change(struct target *target, enum control_kind kind, const char *text, struct err *err) {
    struct control_message answer;
    size_t size = strlen(text);
    const struct control_message wish = {.kind = kind, .size = (uint32_t)size, .bytes = text};
    if (size > CONTROL_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "expected fewer or shorter aliases");
    }
    if (!request_has_own_network(&target->request)) {
        return network_change_none(target->request.network, kind == CONTROL_CONNECT, err);
    }
    int result = target_ask(target, &wish, &answer, err);
    return result > 0 ? change_record(target, &wish, text, err) : result;
}

// What of one without a monitor was lost is there again when all are healed.
static int reload(struct target *target, struct err *err) {
    struct control_message answer;
    int result = request_has_own_network(&target->request)
                     ? target_ask(target, &(struct control_message){.kind = CONTROL_RELOAD}, &answer, err)
                     : 0;
    return result < 0 ? -1 : 0;
}

int engine_network_reload(const struct engine *engine, const char *name, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!target_runs(&target)) {
        return target_not_running(&target, "reload the networks of", name, err);
    }
    return reload(&target, err) < 0 ? err_in(err, "reload the networks of %s", name) : 0;
}

// One by one, without a look at all of them for each.
int network_reload_running(const struct home *home, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    int result = 0;
    if (record_list(home, &arena, &ids, err) < 0) {
        return -1;
    }
    for (; *ids; ids++) {
        char room[CONTROL_MAX_BYTES];
        struct control_message answer;
        struct err none;
        AUTO_FD int monitor = control_connect(home, *ids, &none);
        bool asked = monitor >= 0 && control_send(monitor, &(struct control_message){.kind = CONTROL_RELOAD}) == 0 &&
                     control_receive(monitor, room, &answer) > 0;
        if (asked && answer.kind == CONTROL_FAILED && answer.size == sizeof(*err)) {
            memcpy(err, answer.bytes, sizeof(*err));
            result = err_in(err, "reload the networks of %.12s", *ids);
        }
    }
    return result;
}

static void announce(struct target *target, const char *name, const char *action) {
    struct network network;
    struct err gone;
    if (network_find(&target->home, &target->arena, name, &network, &gone) == 0) {
        network_announce(&target->home, &network, action, target->id);
    }
}

int engine_network_connect(const struct engine *engine, const char *name, const struct attachment *attachment, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    struct attachment one = *attachment;
    const struct attachment_list list = {.items = &one, .items_count = 1};
    if (attachment_check("network connect", attachment, err) < 0 || target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    const char *text = attachment_list_write(&list, false, &target.arena);
    if (change(&target, CONTROL_CONNECT, text, err) < 0) {
        return err_in(err, "connect %s to network %s", name, attachment->network);
    }
    announce(&target, attachment->network, "connect");
    return 0;
}

int engine_network_disconnect(const struct engine *engine, const char *name, const char *network, bool force, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (change(&target, CONTROL_DISCONNECT, network, err) == 0) {
        announce(&target, network, "disconnect");
        return 0;
    }
    return force && err->kind == ERR_NOT_FOUND ? 0 : err_in(err, "disconnect %s from network %s", name, network);
}
