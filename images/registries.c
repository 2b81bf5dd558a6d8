#include "images/registries.h"

#include "images/ref.h"
#include "images/registries_state.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

// docker.io is a name; its registry answers at another one.
static const char docker_hub[] = "docker.io", docker_hub_host[] = "registry-1.docker.io";

static bool is_missing(const struct err *err) {
    return err->errnum == ENOENT || err->errnum == ENOTDIR;
}

// One that need not be there. 1: read, 0: not there.
static int read_optional(struct registries *registries, const char *path, struct err *err) {
    struct err wrong = {0};
    if (!path) {
        return 0;
    }
    if (registries_read(registries, path, &wrong) == 0) {
        return 1;
    }
    if (is_missing(&wrong)) {
        return 0;
    }
    *err = wrong;
    return -1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int registries_list(const char *folder, const char *ending, struct strv *ret, struct err *err) {
    AUTO_FD int fd = openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "open %s", folder);
    }
    AUTO_DIR DIR *stream = dir_stream(fd);
    if (!stream) {
        return err_sys(err, "read directory %s", folder);
    }
    for (const struct dirent *entry; (entry = dir_next(stream));) {
        size_t size = strlen(entry->d_name), end = strlen(ending);
        if (size <= end || strcmp(entry->d_name + size - end, ending) != 0) {
            continue;
        }
        if (ret->count == REGISTRIES_MAX_FILES) {
            return err_set(err, ERR_INPUT, "%s: has more than %d files *%s", folder, REGISTRIES_MAX_FILES, ending);
        }
        strv_add_format(ret, "%s/%s", folder, entry->d_name);
    }
    if (ret->count > 0) {
        qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
    }
    return 1;
}

static int read_folder(struct registries *registries, const char *folder, struct err *err) {
    AUTO_STRV struct strv files = {0};
    if (folder && registries_list(folder, ".conf", &files, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < files.count; i++) {
        if (registries_read(registries, files.items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_all(struct registries *registries, const struct registries_options *options, struct err *err) {
    if (options->file) {
        return registries_read(registries, options->file, err);
    }
    int there = read_optional(registries, options->user_file, err);
    if (there == 0) {
        there = read_optional(registries, options->system_file, err);
    }
    return there < 0 || read_folder(registries, options->system_folder, err) < 0 ||
                   read_folder(registries, options->user_folder, err) < 0
               ? -1
               : 0;
}

static void copy_folders(struct registries *registries, const struct registries_options *options) {
    size_t count = 0;
    while (options->certificate_folders && options->certificate_folders[count]) {
        count++;
    }
    registries->certificate_folders = arena_array(&registries->arena, count + 1, sizeof(*registries->certificate_folders));
    for (size_t i = 0; i < count; i++) {
        registries->certificate_folders[i] = arena_copy_string(&registries->arena, options->certificate_folders[i]);
    }
    if (options->certificate_folder) {
        registries->certificate_folder = arena_copy_string(&registries->arena, options->certificate_folder);
    }
}

int registries_open(const struct registries_options *options, struct registries **ret, struct err *err) {
    AUTO_REGISTRIES struct registries *registries = mem_alloc(sizeof(*registries));
    copy_folders(registries, options);
    if (read_all(registries, options, err) < 0) {
        return -1;
    }
    *ret = registries;
    registries = NULL;
    return 0;
}

void registries_close(struct registries *registries) {
    if (registries) {
        arena_finish(&registries->arena);
        free(registries->rules);
        free(registries);
    }
}

void registries_cleanup(struct registries **registries) {
    registries_close(*registries);
}

// A prefix ends where a component, a tag or a digest begins. The ':' behind a host alone is a port, and so another registry.
static bool ends_at(const char *text, size_t at) {
    return !text[at] || text[at] == '/' || text[at] == '@' || (text[at] == ':' && memchr(text, '/', at));
}

// How much of the text (HOST[/REPOSITORY[:TAG][@DIGEST]]) the prefix stands for; 0: it is not its beginning.
static size_t matched(const char *prefix, const char *text) {
    size_t size = strlen(prefix);
    if (strncmp(prefix, "*.", 2) != 0) {
        return strncmp(prefix, text, size) == 0 && ends_at(text, size) ? size : 0;
    }
    // ".example.com/path" must end the host, a port behind it aside, and go on behind it.
    const char *host_tail = prefix + 1;
    size_t tail = strcspn(host_tail, "/"), host = strcspn(text, "/"), name = strcspn(text, ":/");
    size_t end = memchr(host_tail, ':', tail) ? host : name;
    if (end <= tail || strncmp(text + end - tail, host_tail, tail) != 0) {
        return 0;
    }
    size_t path = strlen(host_tail + tail);
    if (path == 0) {
        return host;
    }
    return strncmp(text + host, host_tail + tail, path) == 0 && ends_at(text, host + path) ? host + path : 0;
}

static const struct registry_rule *find_rule(const struct registries *registries, const char *text, size_t *ret_matched) {
    const struct registry_rule *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; registries && i < registries->rules_count; i++) {
        size_t size = matched(registries->rules[i].prefix, text);
        // At the same length, one that names the host itself is nearer than a wildcard.
        if (size > longest || (best && size == longest && size > 0 && best->prefix[0] == '*')) {
            best = &registries->rules[i];
            longest = size;
        }
    }
    *ret_matched = longest;
    return best;
}

static int refuse_blocked(const struct registry_rule *rule, const char *name, struct err *err) {
    return err_set(err, ERR_STATE, "%s is blocked: %s, line %u, says so of %s", name, rule->file, rule->line, rule->prefix);
}

static void set_host(struct registry_endpoint *endpoint, const char *host) {
    endpoint->host = strcmp(host, docker_hub) == 0 ? docker_hub_host : host;
}

// location, with what the rule's prefix left of the name behind it.
static int set_endpoint(struct arena *arena, const struct registry_rule *rule, const char *location, const char *rest,
                        struct registry_endpoint *ret, struct err *err) {
    struct image_ref ref;
    char *name = arena_format(arena, "%s%s", location, rest);
    struct err wrong = {0};
    if (!strchr(name, '/') || image_ref_parse(arena, name, &ref, &wrong) < 0) {
        return err_set(err, ERR_INPUT, "%s: line %u: the location %s makes %s, which is no image name", rule->file, rule->line,
                       location, name);
    }
    set_host(ret, ref.registry);
    ret->repository = ref.repository;
    return 0;
}

static bool takes_part(const struct registry_mirror *mirror, const struct image_ref *ref) {
    return mirror->use == MIRROR_ALL || (mirror->use == MIRROR_DIGEST_ONLY) == (ref->digest != NULL);
}

int registries_endpoints(const struct registries *registries, const struct image_ref *ref, struct arena *arena,
                         const struct registry_endpoint **ret, size_t *ret_count, struct err *err) {
    const char *text = arena_format(arena, "%s%s%s%s%s", ref->name, ref->tag ? ":" : "", ref->tag ? ref->tag : "",
                                    ref->digest ? "@" : "", ref->digest ? ref->digest : "");
    size_t size, count = 0, name = strlen(ref->name);
    const struct registry_rule *rule = find_rule(registries, text, &size);
    struct registry_endpoint *endpoints = arena_array(arena, (rule ? rule->mirrors_count : 0) + 1, sizeof(*endpoints));
    // A prefix may reach into the tag, which is no part of the name.
    const char *rest = ref->name + (size < name ? size : name);
    if (rule && rule->blocked) {
        return refuse_blocked(rule, ref->name, err);
    }
    for (size_t i = 0; rule && i < rule->mirrors_count; i++) {
        if (takes_part(&rule->mirrors[i], ref)) {
            struct registry_endpoint *mirror = &endpoints[count++];
            mirror->mirror = true;
            mirror->insecure = rule->mirrors[i].insecure;
            if (set_endpoint(arena, rule, rule->mirrors[i].location, rest, mirror, err) < 0) {
                return -1;
            }
        }
    }
    struct registry_endpoint *last = &endpoints[count++];
    last->insecure = rule && rule->insecure;
    if (rule && rule->location) {
        if (set_endpoint(arena, rule, rule->location, rest, last, err) < 0) {
            return -1;
        }
    } else {
        set_host(last, ref->registry);
        last->repository = ref->repository;
    }
    *ret = endpoints;
    *ret_count = count;
    return 0;
}

int registries_host(const struct registries *registries, const char *host, struct arena *arena, struct registry_endpoint *ret,
                    struct err *err) {
    size_t size;
    const struct registry_rule *rule = find_rule(registries, host, &size);
    if (rule && rule->blocked) {
        return refuse_blocked(rule, host, err);
    }
    *ret = (struct registry_endpoint){.insecure = rule && rule->insecure, .repository = ""};
    if (rule && rule->location) {
        set_host(ret, arena_copy(arena, rule->location, strcspn(rule->location, "/")));
    } else {
        set_host(ret, arena_copy_string(arena, host));
    }
    return 0;
}
