// What is in our table, as firewall.h describes it.
#include "runtime/net/firewall.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/net/elements.h"
#include "runtime/net/nft.h"
#include "runtime/net/ruleset.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

// A dump that was cut short by a change is asked for again, so often.
enum { ATTEMPTS = 20 };

struct reading {
    struct arena *arena;
    enum ruleset_set set;
    struct buf found; // struct firewall_published[], or const char *[] of interfaces
};

static const char *owner_of(struct arena *arena, struct netlink_bytes element) {
    struct netlink_bytes comment = netlink_find(element, NFTA_SET_ELEM_USERDATA, 3);
    const uint8_t *bytes = comment.data;
    if (!bytes || bytes[0] != 0 || bytes[1] < 1 || bytes[1] > comment.size - 2) {
        return "";
    }
    return arena_copy(arena, bytes + 2, bytes[1] - 1u);
}

static void take_element(struct reading *reading, struct netlink_bytes element) {
    struct netlink_bytes key =
        netlink_find(netlink_find(element, NFTA_SET_ELEM_KEY, 0), NFTA_DATA_VALUE, ruleset_key_size(reading->set));
    struct netlink_bytes data =
        netlink_find(netlink_find(element, NFTA_SET_ELEM_DATA, 0), NFTA_DATA_VALUE, ruleset_data_size(reading->set));
    if (!key.data) {
        return;
    }
    if (!ruleset_data_size(reading->set)) {
        const char *name = arena_copy(reading->arena, key.data, strnlen(key.data, IFNAMSIZ));
        buf_add(&reading->found, &name, sizeof(name));
    } else if (data.data) {
        const struct firewall_published published = {.port = elements_port(reading->set, key.data, data.data),
                                                     .owner = owner_of(reading->arena, element)};
        buf_add(&reading->found, &published, sizeof(published));
    }
}

static int take_elements(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    uint16_t type;
    struct netlink_bytes element;
    if (nft_type(message) == NFT_MSG_NEWSETELEM) {
        struct netlink_bytes list = netlink_find(nft_attributes(message), NFTA_SET_ELEM_LIST_ELEMENTS, 0);
        while (netlink_next(&list, &type, &element)) {
            take_element(context, element);
        }
    }
    return 0;
}

// Adds a set's elements to what was found before. A set that is not there has none.
static int read_set(int fd, struct reading *reading, enum ruleset_set set, struct err *err) {
    struct netlink_failure failure = {.errnum = EINTR};
    size_t before = reading->found.size;
    reading->set = set;
    for (int i = 0; i < ATTEMPTS && failure.errnum == EINTR; i++) {
        AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
        reading->found.size = before;
        nft_message(&batch, NFT_MSG_GETSETELEM, NLM_F_DUMP);
        netlink_add_string(&batch.messages, NFTA_SET_ELEM_LIST_SET, ruleset_set_name(set));
        if (nft_ask(fd, &batch, take_elements, reading, &failure, err) < 0) {
            return -1;
        }
    }
    return failure.errnum && failure.errnum != ENOENT ? nft_complain(failure.errnum, "read the packet filter", err) : 0;
}

static const void *keep(struct reading *reading, size_t item_size, size_t *ret_count) {
    *ret_count = reading->found.size / item_size;
    void *items = arena_array(reading->arena, *ret_count + 1, item_size);
    if (*ret_count > 0) {
        memcpy(items, reading->found.data, reading->found.size);
    }
    buf_clear(&reading->found);
    return items;
}

static int read_all(int fd, struct reading *reading, struct firewall_state *state, struct err *err) {
    static const enum ruleset_set maps[] = {SET_PUBLISH4, SET_PUBLISH4_ANY, SET_PUBLISH6, SET_PUBLISH6_ANY};
    if (read_set(fd, reading, SET_BRIDGES, err) < 0) {
        return -1;
    }
    state->bridges = keep(reading, sizeof(*state->bridges), &state->bridge_count);
    if (read_set(fd, reading, SET_INTERNAL, err) < 0) {
        return -1;
    }
    state->internal = keep(reading, sizeof(*state->internal), &state->internal_count);
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        if (read_set(fd, reading, maps[i], err) < 0) {
            return -1;
        }
    }
    state->ports = keep(reading, sizeof(*state->ports), &state->port_count);
    return 0;
}

int firewall_read(int fd, struct arena *arena, struct firewall_state *ret, struct err *err) {
    struct reading reading = {.arena = arena};
    struct firewall_state state = {0};
    int result = read_all(fd, &reading, &state, err);
    buf_finish(&reading.found);
    if (result == 0) {
        *ret = state;
    }
    return result;
}
