#include "images/registries_state.h"

#include "images/ref.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/toml.h"

#include <string.h>

// Where in which file a key stands.
struct place {
    const char *file;
    const struct toml_value *value;
};

static int wrong(const struct place *place, const char *expected, const char *found_text, struct err *err) {
    char room[QUOTE_SIZE];
    return err_set(err, ERR_INPUT, "%s: line %u: %s: expected %s, found %s", place->file, place->value->line, place->value->key,
                   expected, found_text ? quote_text(found_text, room) : toml_kind_name(place->value->kind));
}

static void warn_unknown(const struct place *place, const char *where) {
    char room[QUOTE_SIZE];
    log_warn("%s: line %u: %s has no key %s; it has no effect", place->file, place->value->line, where,
             quote_text(place->value->key, room));
}

static int take_bool(const struct place *place, bool *ret, struct err *err) {
    if (place->value->kind != TOML_BOOL) {
        return wrong(place, toml_kind_name(TOML_BOOL), NULL, err);
    }
    *ret = place->value->boolean;
    return 0;
}

bool registries_location_valid(const char *location) {
    AUTO_ARENA struct arena arena = {0};
    struct image_ref ref;
    struct err err;
    size_t host = strcspn(location, "/");
    char *text = arena_format(&arena, "%s/x/y", location); // a name below it, of two parts: docker.io/x is short for another
    return image_ref_parse(&arena, text, &ref, &err) == 0 && !ref.digest && strlen(ref.registry) == host &&
           strncmp(ref.registry, location, host) == 0 && strlen(ref.name) == strlen(text);
}

// HOST[:PORT][/PATH]; slashes at its end are of no meaning.
static int take_location(struct arena *arena, const struct place *place, const char **ret, struct err *err) {
    static const char expected[] = "HOST[:PORT][/PATH], without https://";
    if (place->value->kind != TOML_STRING) {
        return wrong(place, expected, NULL, err);
    }
    size_t size = strlen(place->value->string);
    while (size > 0 && place->value->string[size - 1] == '/') {
        size--;
    }
    const char *text = arena_copy(arena, place->value->string, size);
    const char *checked = strncmp(text, "*.", 2) == 0 && strcmp(place->value->key, "prefix") == 0 ? text + 2 : text;
    // A prefix may have a tag or be a host that no location could be ("*.test"): it is only compared. What it holds must still be
    // sane.
    bool is_prefix = strcmp(place->value->key, "prefix") == 0;
    if (!*checked ||
        (is_prefix ? checked[strcspn(checked, " *\\\"'")] || strstr(checked, "://") : !registries_location_valid(checked))) {
        return wrong(place, expected, place->value->string, err);
    }
    *ret = text;
    return 0;
}

static int take_use(const struct place *place, enum mirror_use *ret, struct err *err) {
    static const char *const names[] = {[MIRROR_ALL] = "all", [MIRROR_DIGEST_ONLY] = "digest-only", [MIRROR_TAG_ONLY] = "tag-only"};
    const char *text = place->value->kind == TOML_STRING ? place->value->string : NULL;
    for (unsigned use = 0; text && use < ARRAY_LEN(names); use++) {
        if (strcmp(text, names[use]) == 0) {
            *ret = (enum mirror_use)use;
            return 0;
        }
    }
    return wrong(place, "one of all, digest-only, tag-only", text, err);
}

static int read_mirror(struct arena *arena, const char *file, const struct toml_table *table, struct registry_mirror *ret,
                       struct err *err) {
    for (const struct toml_value *value = table->values; value; value = value->next) {
        const struct place place = {file, value};
        if (strcmp(value->key, "location") == 0) {
            if (take_location(arena, &place, &ret->location, err) < 0) {
                return -1;
            }
        } else if (strcmp(value->key, "insecure") == 0) {
            if (take_bool(&place, &ret->insecure, err) < 0) {
                return -1;
            }
        } else if (strcmp(value->key, "pull-from-mirror") == 0) {
            if (take_use(&place, &ret->use, err) < 0) {
                return -1;
            }
        } else {
            warn_unknown(&place, "a [[registry.mirror]]");
        }
    }
    if (!ret->location) {
        return err_set(err, ERR_INPUT, "%s: line %u: a [[registry.mirror]] has no location", file, table->line);
    }
    return 0;
}

static int read_mirrors(struct arena *arena, const struct place *place, struct registry_rule *rule, struct err *err) {
    if (place->value->kind != TOML_TABLES) {
        return wrong(place, "[[registry.mirror]] tables", NULL, err);
    }
    rule->mirrors = arena_array(arena, place->value->count, sizeof(*rule->mirrors));
    for (const struct toml_table *table = place->value->table; table; table = table->next) {
        if (read_mirror(arena, place->file, table, &rule->mirrors[rule->mirrors_count++], err) < 0) {
            return -1;
        }
    }
    return 0;
}

// mirror-by-digest-only is the older way to say pull-from-mirror = "digest-only" of all mirrors.
static int apply_digest_only(const char *file, const struct toml_table *table, struct registry_rule *rule, struct err *err) {
    for (size_t i = 0; i < rule->mirrors_count; i++) {
        if (rule->mirrors[i].use != MIRROR_ALL) {
            return err_set(err, ERR_INPUT,
                           "%s: line %u: a [[registry]] has both mirror-by-digest-only and a mirror with pull-from-mirror", file,
                           table->line);
        }
        rule->mirrors[i].use = MIRROR_DIGEST_ONLY;
    }
    return 0;
}

static int read_rule_key(struct arena *arena, const struct place *place, struct registry_rule *rule, bool *digest_only,
                         struct err *err) {
    const char *key = place->value->key;
    if (strcmp(key, "prefix") == 0) {
        return take_location(arena, place, &rule->prefix, err);
    }
    if (strcmp(key, "location") == 0) {
        if (place->value->kind == TOML_STRING && !*place->value->string) {
            return 0; // as good as none
        }
        return take_location(arena, place, &rule->location, err);
    }
    if (strcmp(key, "insecure") == 0) {
        return take_bool(place, &rule->insecure, err);
    }
    if (strcmp(key, "blocked") == 0) {
        return take_bool(place, &rule->blocked, err);
    }
    if (strcmp(key, "mirror-by-digest-only") == 0) {
        return take_bool(place, digest_only, err);
    }
    if (strcmp(key, "mirror") == 0) {
        return read_mirrors(arena, place, rule, err);
    }
    warn_unknown(place, "a [[registry]]");
    return 0;
}

static void add_rule(struct registries *registries, const struct registry_rule *rule) {
    for (size_t i = 0; i < registries->rules_count; i++) {
        if (strcmp(registries->rules[i].prefix, rule->prefix) == 0) {
            registries->rules[i] = *rule;
            return;
        }
    }
    registries->rules = mem_resize(registries->rules, registries->rules_count + 1, sizeof(*registries->rules));
    registries->rules[registries->rules_count++] = *rule;
}

static int read_rule(struct registries *registries, const char *file, const struct toml_table *table, struct err *err) {
    struct registry_rule rule = {.file = file, .line = table->line};
    bool digest_only = false;
    for (const struct toml_value *value = table->values; value; value = value->next) {
        const struct place place = {file, value};
        if (read_rule_key(&registries->arena, &place, &rule, &digest_only, err) < 0) {
            return -1;
        }
    }
    if (!rule.prefix && !rule.location) {
        return err_set(err, ERR_INPUT, "%s: line %u: a [[registry]] has neither prefix nor location", file, table->line);
    }
    bool wildcard = rule.prefix && rule.prefix[0] == '*';
    if (wildcard && rule.location) {
        return err_set(err, ERR_INPUT,
                       "%s: line %u: a [[registry]] with the prefix %s cannot have a location; its hosts are as they are named",
                       file, table->line, rule.prefix);
    }
    rule.prefix = rule.prefix ? rule.prefix : rule.location;
    if (digest_only && apply_digest_only(file, table, &rule, err) < 0) {
        return -1;
    }
    add_rule(registries, &rule);
    return 0;
}

// Keys that mean something to others: coffer's short names are docker.io's, and who we are is docker's and podman's files' affair.
static bool is_others(const struct toml_value *value) {
    static const char *const keys[] = {"unqualified-search-registries", "short-name-mode", "aliases",
                                       "additional-layer-store-auth-helper"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(value->key, keys[i]) == 0) {
            return true;
        }
    }
    return strcmp(value->key, "credential-helpers") == 0 && value->kind == TOML_STRINGS &&
           (value->count == 0 || (value->count == 1 && strcmp(value->strings[0], "containers-auth.json") == 0));
}

int registries_read(struct registries *registries, const char *path, struct err *err) {
    const char *text, *file = arena_copy_string(&registries->arena, path);
    ssize_t size = fd_read_file_into(&registries->arena, path, 0, TOML_MAX_BYTES, &text, err);
    struct toml_table *root;
    if (size < 0 || toml_parse(file, text, (size_t)size, &registries->arena, &root, err) < 0) {
        return -1;
    }
    for (const struct toml_value *value = root->values; value; value = value->next) {
        const struct place place = {file, value};
        if (strcmp(value->key, "registry") == 0) {
            if (value->kind != TOML_TABLES) {
                return wrong(&place, "[[registry]] tables", NULL, err);
            }
            for (const struct toml_table *table = value->table; table; table = table->next) {
                if (read_rule(registries, file, table, err) < 0) {
                    return -1;
                }
            }
        } else if (strcmp(value->key, "registries") == 0) {
            // It may block registries: to pass over it would let in what it keeps out.
            return err_set(err, ERR_INPUT, "%s: line %u: [registries] is of version 1 of this format; write [[registry]] tables",
                           file, value->line);
        } else if (!is_others(value)) {
            warn_unknown(&place, "the file");
        }
    }
    return 0;
}
