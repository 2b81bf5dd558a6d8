#include "cli/commands/filter.h"
#include "cli/commands/network.h"

#include "cli/time_word.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"

#include <string.h>
#include <strings.h>
#include <time.h>

const char *network_created(const struct network *network, char text[32]) {
    struct tm parts = {0};
    text[0] = '\0';
    if (gmtime_r(&(time_t){network->created_s}, &parts)) {
        strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return text;
}

static bool passes_name(const struct network *network, const char *value, bool used) {
    (void)used;
    return strstr(network->name, value) != NULL;
}

static bool passes_id(const struct network *network, const char *value, bool used) {
    (void)used;
    return strncmp(network->id, value, strlen(value)) == 0;
}

static bool passes_driver(const struct network *network, const char *value, bool used) {
    (void)used;
    return strcmp(network_driver_name(network->driver), value) == 0;
}

static bool passes_scope(const struct network *network, const char *value, bool used) {
    (void)network;
    (void)used;
    return strcmp(value, "local") == 0;
}

static bool passes_type(const struct network *network, const char *value, bool used) {
    (void)used;
    return network_is_predefined(network) == (strcmp(value, "builtin") == 0);
}

static bool is_true(const char *value) {
    return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static bool passes_dangling(const struct network *network, const char *value, bool used) {
    return (!used && !network_is_predefined(network)) == is_true(value);
}

static bool passes_label(const struct network *network, const char *value, bool used) {
    (void)used;
    size_t length = strcspn(value, "=");
    for (size_t i = 0; i < network->labels_count; i++) {
        const struct text_pair *label = &network->labels[i];
        if (strlen(label->name) == length && strncmp(label->name, value, length) == 0) {
            return !value[length] || strcmp(label->value, value + length + 1) == 0;
        }
    }
    return false;
}

static bool passes_no_label(const struct network *network, const char *value, bool used) {
    return !passes_label(network, value, used);
}

static bool passes_until(const struct network *network, const char *value, bool used) {
    (void)used;
    int64_t until_s = 0;
    return time_word_parse(value, &until_s) == 0 && network->created_s < until_s;
}

struct filter {
    const char *key;
    const char *choices; // the values it can have, a blank behind each; NULL: any
    bool all;            // of several all must pass
    bool prune_has, ls_has;
    bool (*passes)(const struct network *network, const char *value, bool used);
};

static const struct filter filters_known[] = {
    {"name=", NULL, false, false, true, passes_name},
    {"id=", NULL, false, false, true, passes_id},
    {"driver=", NULL, false, false, true, passes_driver},
    {"label=", NULL, true, true, true, passes_label},
    {"label!=", NULL, true, true, false, passes_no_label},
    {"until=", NULL, true, true, false, passes_until},
    {"scope=", "local swarm global ", false, false, true, passes_scope},
    {"type=", "custom builtin ", false, false, true, passes_type},
    {"dangling=", "true false 1 0 ", false, false, true, passes_dangling},
};

static const struct filter *find_filter(const char *word) {
    for (size_t i = 0; i < ARRAY_LEN(filters_known); i++) {
        if (strncmp(word, filters_known[i].key, strlen(filters_known[i].key)) == 0) {
            return &filters_known[i];
        }
    }
    return NULL;
}

int network_filters_check(const struct strv *filters, enum network_filter_set set, struct err *err) {
    for (size_t i = 0; i < filters->count; i++) {
        const char *word = filters->items[i];
        const struct filter *filter = find_filter(word);
        const char *value = filter ? word + strlen(filter->key) : NULL;
        bool allowed = filter && (set == NETWORK_FILTERS_LS ? filter->ls_has : filter->prune_has) && *value;
        if (!allowed || !filter_has_choice(filter->choices, value)) {
            return err_set(err, ERR_INPUT, "--filter %s: expected %s", word,
                           set == NETWORK_FILTERS_LS
                               ? "name=TEXT, id=ID, driver=NAME, label=KEY[=VALUE], dangling=true or false, scope=local "
                                 "or type=custom or builtin"
                               : "until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]");
        }
        int64_t ignored;
        if (strcmp(filter->key, "until=") == 0 && time_word_parse(value, &ignored) < 0) {
            return err_set(err, ERR_INPUT, "--filter %s: expected " TIME_WORD_EXPECTED, word);
        }
    }
    return 0;
}

bool network_passes(const struct network *network, const struct strv *filters, bool used) {
    for (size_t key = 0; key < ARRAY_LEN(filters_known); key++) {
        size_t given = 0, passed = 0;
        for (size_t i = 0; i < filters->count; i++) {
            if (find_filter(filters->items[i]) == &filters_known[key]) {
                given++;
                passed += filters_known[key].passes(network, filters->items[i] + strlen(filters_known[key].key), used);
            }
        }
        if (given > 0 && (filters_known[key].all ? passed < given : passed == 0)) {
            return false;
        }
    }
    return true;
}
