#include "images/credentials.h"

#include "images/credential_helper.h"
#include "images/credentials_state.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

// What a helper has answered: it is asked once.
struct answer {
    struct answer *next;
    const struct credential_file *file;
    const char *host;
    int found;
    struct credential credential;
};

struct answers {
    struct arena arena;
    struct answer *first;
};

struct credentials {
    struct arena arena;
    struct answers *answers;            // apart: asking leaves the rest as it is
    struct credentials_options options; // its strings are in the arena, search_path and environment borrowed
    struct credential given;
    struct credential_file files[CREDENTIALS_MAX_FILES];
    size_t files_count;
};

static int read_file(struct credentials *credentials, const char *path, bool needed, struct err *err) {
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && !needed) {
        return 0;
    }
    if (fd < 0) {
        return err_sys(err, "open %s", path);
    }
    char *text;
    size_t size;
    if (fd_read_rest(fd, CREDENTIALS_MAX_BYTES, path, &text, &size, err) < 0) {
        return -1;
    }
    struct credential_file *file = &credentials->files[credentials->files_count++];
    int result = credential_file_decode(path, text, size, &credentials->arena, file, err);
    explicit_bzero(text, size);
    free(text);
    return result;
}

// "USER:PASSWORD"
static int take_given(struct credentials *credentials, const char *given, struct err *err) {
    const char *colon = strchr(given, ':');
    if (!colon || colon == given) {
        return err_set(err, ERR_INPUT, "credentials: expected USER:PASSWORD"); // and not what was found
    }
    credentials->given.user = arena_copy(&credentials->arena, given, (size_t)(colon - given));
    credentials->given.password = arena_copy_string(&credentials->arena, colon + 1);
    credentials->given.given = true;
    return 0;
}

int credentials_open(const struct credentials_options *options, struct credentials **ret, struct err *err) {
    AUTO_CREDENTIALS struct credentials *credentials = mem_alloc(sizeof(*credentials));
    credentials->answers = mem_alloc(sizeof(*credentials->answers));
    credentials->options = *options;
    credentials->options.files = NULL;
    credentials->options.given = NULL;
    if (options->given) {
        credentials->options.given_host = credential_key(&credentials->arena, options->given_host);
        if (take_given(credentials, options->given, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; options->files && options->files[i]; i++) {
        if (i == CREDENTIALS_MAX_FILES) {
            return err_set(err, ERR_INPUT, "more than %d files of credentials", CREDENTIALS_MAX_FILES);
        }
        if (read_file(credentials, options->files[i], i == 0 && options->first_needed, err) < 0) {
            return -1;
        }
    }
    *ret = credentials;
    credentials = NULL;
    return 0;
}

static void wipe(const struct credential *credential) {
    secret_wipe(credential->user);
    secret_wipe(credential->password);
    secret_wipe(credential->identity_token);
}

void credentials_close(struct credentials *credentials) {
    if (!credentials) {
        return;
    }
    for (size_t i = 0; i < credentials->files_count; i++) {
        credential_file_wipe(&credentials->files[i]);
    }
    for (const struct answer *answer = credentials->answers->first; answer; answer = answer->next) {
        wipe(&answer->credential);
    }
    arena_finish(&credentials->answers->arena);
    free(credentials->answers);
    wipe(&credentials->given);
    arena_finish(&credentials->arena);
    free(credentials);
}

void credentials_cleanup(struct credentials **credentials) {
    credentials_close(*credentials);
}

static int wrong_entry(const struct credential_file *file, const struct credential_entry *entry, const char *expected,
                       struct err *err) {
    char room[QUOTE_SIZE];
    return err_set(err, ERR_INPUT, "%s: auths[%s].auth: expected %s", file->path, quote_text(entry->key, room), expected);
}

// auth: base64 of USER:PASSWORD.
static int take_auth(const struct credential_file *file, const struct credential_entry *entry, struct arena *arena,
                     struct credential *ret, struct err *err) {
    struct base64_decode_ctx base64;
    size_t length = strlen(entry->auth), size = BASE64_DECODE_LENGTH(length);
    if (length > 2 * CREDENTIALS_MAX_SECRET) {
        return wrong_entry(file, entry, "at most 131072 letters", err);
    }
    char *text = arena_alloc(arena, size + 1);
    base64_decode_init(&base64);
    if (!base64_decode_update(&base64, &size, (uint8_t *)text, length, entry->auth) || !base64_decode_final(&base64)) {
        return wrong_entry(file, entry, "base64", err);
    }
    while (size > 0 && text[size - 1] == '\0') { // some tools end it so
        size--;
    }
    char *colon = memchr(text, ':', size);
    text[size] = '\0';
    if (!colon || memchr(text, '\0', size)) {
        explicit_bzero(text, size);
        return wrong_entry(file, entry, "base64 of USER:PASSWORD", err);
    }
    *colon = '\0';
    ret->user = text;
    ret->password = colon + 1;
    return 0;
}

// What an entry says: 1, or 0 when that is nothing.
static int take_entry(const struct credential_file *file, const struct credential_entry *entry, struct arena *arena,
                      struct credential *ret, struct err *err) {
    struct credential found = {0};
    if (entry->auth && *entry->auth) {
        if (take_auth(file, entry, arena, &found, err) < 0) {
            return -1;
        }
    } else if (entry->user && *entry->user) {
        found.user = arena_copy_string(arena, entry->user);
        found.password = arena_copy_string(arena, entry->password ? entry->password : "");
    }
    if (entry->identity_token && *entry->identity_token) {
        found.identity_token = arena_copy_string(arena, entry->identity_token);
        found.password = NULL; // an empty one stands beside it
    }
    if (entry->registry_token && *entry->registry_token && !found.identity_token && !found.user) {
        char room[QUOTE_SIZE];
        log_warn("%s: auths[%s] has nothing but a registrytoken, which is not used; log in with a user and a password", file->path,
                 quote_text(entry->key, room));
    }
    if (!found.identity_token && !found.user) {
        return 0;
    }
    *ret = found;
    return 1;
}

// How much of name (HOST[/REPOSITORY]) the key stands for; 0: none.
static size_t matched(const char *key, const char *name) {
    size_t size = strlen(key);
    return strncmp(key, name, size) == 0 && (name[size] == '\0' || name[size] == '/') ? size : 0;
}

// The longest key first; entries that say nothing, as docker writes them beside a helper, are passed over.
static int find_entry(const struct credential_file *file, const char *name, struct arena *arena, struct credential *ret,
                      struct err *err) {
    size_t bound = SIZE_MAX;
    for (;;) {
        size_t longest = 0;
        for (size_t i = 0; i < file->entries_count; i++) {
            size_t size = matched(file->entries[i].name, name);
            longest = size < bound && size > longest ? size : longest;
        }
        if (longest == 0) {
            return 0;
        }
        for (size_t i = 0; i < file->entries_count; i++) {
            if (matched(file->entries[i].name, name) == longest) {
                int found = take_entry(file, &file->entries[i], arena, ret, err);
                if (found != 0) {
                    return found;
                }
            }
        }
        bound = longest;
    }
}

static const char *copy_or_null(struct arena *arena, const char *text) {
    return text ? arena_copy_string(arena, text) : NULL;
}

// The answer in an arena of another life.
static struct credential copy_credential(struct arena *arena, const struct credential *from) {
    return (struct credential){
        .user = copy_or_null(arena, from->user),
        .password = copy_or_null(arena, from->password),
        .identity_token = copy_or_null(arena, from->identity_token),
        .given = from->given,
    };
}

// A helper for this host alone must answer. One for all hosts is asked for each public image, too, and often is of another
// machine's desktop: that it fails is said, once, and no more.
static int run_helper(const struct credential_helper *helper, const struct credential_file *file, bool own, struct answer *answer,
                      struct arena *arena, struct err *err) {
    struct err wrong = {0};
    answer->found = credential_helper_get(helper, credential_server(answer->host), arena, &answer->credential, &wrong);
    if (answer->found >= 0) {
        return 0;
    }
    if (own) {
        *err = wrong;
        return err_in(err, "%s: credHelpers", file->path);
    }
    log_warn("%s: credsStore: %s; its credentials are not used", file->path, wrong.text);
    answer->found = 0;
    return 0;
}

static int ask_helper(const struct credentials *credentials, const struct credential_file *file, const char *host,
                      struct arena *arena, struct credential *ret, struct err *err) {
    bool own;
    struct credential_helper helper = {.options = &credentials->options};
    helper.name = credential_file_helper(file, host, arena, &own);
    if (!helper.name) {
        return 0;
    }
    struct answers *answers = credentials->answers;
    struct answer *answer = answers->first;
    while (answer && (answer->file != file || strcmp(answer->host, host) != 0)) {
        answer = answer->next;
    }
    if (!answer) {
        answer = arena_alloc(&answers->arena, sizeof(*answer));
        *answer = (struct answer){.next = answers->first, .file = file, .host = arena_copy_string(&answers->arena, host)};
        if (run_helper(&helper, file, own, answer, &answers->arena, err) < 0) {
            return -1;
        }
        answers->first = answer;
    }
    if (answer->found > 0) {
        *ret = copy_credential(arena, &answer->credential);
    }
    return answer->found;
}

int credentials_find(const struct credentials *credentials, const char *host, const char *repository, struct arena *arena,
                     struct credential *ret, struct err *err) {
    const char *key = credential_key(arena, host);
    const char *name = repository && *repository ? arena_format(arena, "%s/%s", key, repository) : key;
    if (credentials && credentials->given.user && strcmp(credentials->options.given_host, key) == 0) {
        *ret = copy_credential(arena, &credentials->given);
        return 1;
    }
    for (size_t i = 0; credentials && i < credentials->files_count; i++) {
        const struct credential_file *file = &credentials->files[i];
        int found = ask_helper(credentials, file, key, arena, ret, err);
        if (found == 0) {
            found = find_entry(file, name, arena, ret, err);
        }
        if (found != 0) {
            return found;
        }
    }
    return 0;
}
