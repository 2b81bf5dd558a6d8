#include "runtime/engine/network_options.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"

#include <stdio.h>
#include <string.h>

enum { MTU_LEAST = 576, MTU_MOST = 65535 };

// As the kernel has it (dev_valid_name), and nothing that would be more than a name to a shell or a file of settings.
static bool is_interface(const char *value) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(value);
    return length > 0 && length < IF_NAMESIZE && strspn(value, allowed) == length && value[0] != '.' && value[0] != '-';
}

static bool is_mtu(const char *value) {
    int64_t mtu;
    return quantity_int(value, &mtu) == 0 && mtu >= MTU_LEAST && mtu <= MTU_MOST;
}

static bool is_mode(const char *value) {
    static const char *const modes[] = {"bridge", "private", "vepa", "passthru"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(value, modes[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct option {
    const char *name;
    const char *other; // podman's name for it
    unsigned drivers;  // bits
    bool (*is_valid)(const char *value);
    const char *expected;
};

#define BIT(driver) (1U << (driver))

static const struct option options[] = {
    {NETWORK_OPTION_MTU, "mtu", BIT(NETWORK_BRIDGE) | BIT(NETWORK_MACVLAN), is_mtu, "bytes from 576 to 65535"},
    {NETWORK_OPTION_BRIDGE, NULL, BIT(NETWORK_BRIDGE), is_interface, "a name of at most 15 letters, digits, _ . or -"},
    {NETWORK_OPTION_PARENT, NULL, BIT(NETWORK_MACVLAN), is_interface, "the name of an interface of this host"},
    {NETWORK_OPTION_MODE, "mode", BIT(NETWORK_MACVLAN), is_mode, "bridge, private, vepa or passthru"},
};

static const struct option *find_option(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strcmp(options[i].name, name) == 0 || (options[i].other && strcmp(options[i].other, name) == 0)) {
            return &options[i];
        }
    }
    return NULL;
}

static void list_options(uint32_t driver, struct buf *text) {
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i].drivers & BIT(driver)) {
            buf_add_format(text, "%s%s", text->size ? ", " : "", options[i].name);
        }
    }
}

static int add_option(const struct option *option, const char *value, struct network *network, struct err *err) {
    if (!option->is_valid(value)) {
        return err_set(err, ERR_INPUT, "--opt %s=%s: expected %s", option->name, value, option->expected);
    }
    if (network_option(network, option->name)) {
        return err_set(err, ERR_INPUT, "--opt %s is given twice", option->name);
    }
    network->options[network->options_count++] = (struct text_pair){option->name, value};
    return 0;
}

int network_options_set(struct arena *arena, const struct strv *words, struct network *network, struct err *err) {
    network->options = arena_array(arena, words->count + 1, sizeof(*network->options));
    for (size_t i = 0; i < words->count; i++) {
        char *name = arena_copy_string(arena, words->items[i]);
        char *value = strchr(name, '=');
        if (value) {
            *value++ = '\0';
        }
        const struct option *option = find_option(name);
        if (!value || !option || !(option->drivers & BIT(network->driver))) {
            AUTO_BUF struct buf known = {0};
            list_options(network->driver, &known);
            return err_set(err, value && !option ? ERR_UNSUPPORTED : ERR_INPUT,
                           "--opt %s: networks of driver %s have %s, each with =VALUE", words->items[i],
                           network_driver_name(network->driver), known.size ? buf_string(&known) : "no options");
        }
        if (add_option(option, value, network, err) < 0) {
            return -1;
        }
    }
    if (network->driver == NETWORK_MACVLAN && !network_option(network, NETWORK_OPTION_PARENT)) {
        return err_set(err, ERR_INPUT, "a network of driver macvlan needs an interface of this host: --opt parent=NAME");
    }
    return 0;
}

const char *network_option(const struct network *network, const char *name) {
    for (size_t i = 0; i < network->options_count; i++) {
        if (strcmp(network->options[i].name, name) == 0) {
            return network->options[i].value;
        }
    }
    return NULL;
}

// Fifteen letters are what an interface's name can have; stores other than this one have networks on the same host.
const char *network_bridge_name(const struct network *network, char name[IF_NAMESIZE]) {
    const char *wish = network_option(network, NETWORK_OPTION_BRIDGE);
    if (wish) {
        snprintf(name, IF_NAMESIZE, "%.15s", wish);
    } else {
        snprintf(name, IF_NAMESIZE, "cof-%.11s", network->id);
    }
    return name;
}

unsigned network_mtu(const struct network *network) {
    const char *value = network_option(network, NETWORK_OPTION_MTU);
    int64_t mtu = 0;
    return value && quantity_int(value, &mtu) == 0 ? (unsigned)mtu : 0;
}
