#include "cli/commands/volume.h"

#include "runtime/base/err.h"
#include "runtime/base/strv.h"

#include <string.h>
#include <time.h>

const char *volume_created(const struct stored_volume *volume, char text[32]) {
    struct tm parts = {0};
    text[0] = '\0';
    if (gmtime_r(&(time_t){volume->created_s}, &parts)) {
        strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return text;
}

static bool is_true(const char *value) {
    return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static bool passes_name(const struct stored_volume *volume, const char *value, bool used) {
    (void)used;
    return strstr(volume->name, value) != NULL;
}

static bool passes_label(const struct stored_volume *volume, const char *value, bool used) {
    (void)used;
    size_t length = strcspn(value, "=");
    for (size_t i = 0; i < volume->labels_count; i++) {
        const struct text_pair *label = &volume->labels[i];
        if (strlen(label->name) == length && strncmp(label->name, value, length) == 0) {
            return !value[length] || strcmp(label->value, value + length + 1) == 0;
        }
    }
    return false;
}

static bool passes_no_label(const struct stored_volume *volume, const char *value, bool used) {
    return !passes_label(volume, value, used);
}

static bool passes_dangling(const struct stored_volume *volume, const char *value, bool used) {
    (void)volume;
    return !used == is_true(value);
}

// There is one driver, and one host.
static bool passes_local(const struct stored_volume *volume, const char *value, bool used) {
    (void)volume;
    (void)used;
    return strcmp(value, "local") == 0;
}

static bool passes_all(const struct stored_volume *volume, const char *value, bool used) {
    (void)used;
    return volume->anonymous || is_true(value);
}

struct filter {
    const char *key;
    bool is_flag; // true, false, 1 or 0
    bool all;     // of several all must pass
    bool ls_has, prune_has;
    bool (*passes)(const struct stored_volume *volume, const char *value, bool used);
};

static const struct filter filters_known[] = {
    {"name=", false, false, true, false, passes_name},
    {"label=", false, true, true, true, passes_label},
    {"label!=", false, true, false, true, passes_no_label},
    {"dangling=", true, false, true, false, passes_dangling},
    {"driver=", false, false, true, false, passes_local},
    {"scope=", false, false, true, false, passes_local},
    {"all=", true, false, false, true, passes_all},
};

static const struct filter *find_filter(const char *word) {
    for (size_t i = 0; i < ARRAY_LEN(filters_known); i++) {
        if (strncmp(word, filters_known[i].key, strlen(filters_known[i].key)) == 0) {
            return &filters_known[i];
        }
    }
    return NULL;
}

static bool is_flag_value(const char *value) {
    return is_true(value) || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

int volume_filters_check(const struct strv *filters, enum volume_filter_set set, struct err *err) {
    for (size_t i = 0; i < filters->count; i++) {
        const char *word = filters->items[i];
        const struct filter *filter = find_filter(word);
        const char *value = filter ? word + strlen(filter->key) : "";
        bool allowed = filter && (set == VOLUME_FILTERS_LS ? filter->ls_has : filter->prune_has) && *value;
        if (!allowed || (filter->is_flag && !is_flag_value(value))) {
            return err_set(err, ERR_INPUT, "--filter %s: expected %s", word,
                           set == VOLUME_FILTERS_LS ? "name=TEXT, label=KEY[=VALUE], dangling=true or false, driver=local or scope=local"
                                                    : "label=KEY[=VALUE], label!=KEY[=VALUE] or all=true");
        }
    }
    return 0;
}

bool volume_passes(const struct stored_volume *volume, const struct strv *filters, bool used) {
    for (size_t key = 0; key < ARRAY_LEN(filters_known); key++) {
        size_t given = 0, passed = 0;
        for (size_t i = 0; i < filters->count; i++) {
            if (find_filter(filters->items[i]) == &filters_known[key]) {
                given++;
                passed += filters_known[key].passes(volume, filters->items[i] + strlen(filters_known[key].key), used);
            }
        }
        if (given > 0 && (filters_known[key].all ? passed < given : passed == 0)) {
            return false;
        }
    }
    return true;
}

bool volume_filters_ask_use(const struct strv *filters) {
    for (size_t i = 0; i < filters->count; i++) {
        const struct filter *filter = find_filter(filters->items[i]);
        if (filter && filter->passes == passes_dangling) {
            return true;
        }
    }
    return false;
}
