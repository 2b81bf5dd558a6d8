// Logins written down and forgotten: changes of a file of credentials, which is replaced as a whole.
#include "images/credential_helper.h"
#include "images/credentials.h"
#include "images/credentials_state.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/secret.h"
#include "specs/json.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// A file that is being changed.
struct edit {
    struct arena arena;
    const char *path; // what a symbolic link leads to
    const char *name; // below folder_fd
    int folder_fd;    // locked: what we read is what we replace
    bool there;
    struct stat status; // of one that is there
    json_t *root;
    struct credential_file file; // the same decoded
};

static void edit_finish(struct edit *edit) {
    credential_file_wipe(&edit->file);
    json_decref(edit->root);
    fd_close(&edit->folder_fd);
    arena_finish(&edit->arena);
}
#define AUTO_EDIT AUTO(edit_finish)

static int open_folder(struct edit *edit, bool make, struct err *err) {
    const char *slash = strrchr(edit->path, '/');
    const char *folder = !slash                ? "."
                         : slash == edit->path ? "/"
                                               : arena_copy(&edit->arena, edit->path, (size_t)(slash - edit->path));
    edit->name = slash ? slash + 1 : edit->path;
    if (make && mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s", folder);
    }
    edit->folder_fd = openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (edit->folder_fd < 0) {
        return errno == ENOENT && !make ? 0 : err_sys(err, "open %s", folder);
    }
    while (flock(edit->folder_fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock %s", folder);
        }
    }
    return 0;
}

// Integers that the reader keeps as marked strings would be written as these.
static bool holds_marked(const json_t *value) {
    const char *key;
    json_t *item;
    size_t index;
    if (json_is_string(value)) {
        return strlen(json_string_value(value)) != json_string_length(value);
    }
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, item) {
            if (holds_marked(item)) {
                return true;
            }
        }
    }
    json_array_foreach(value, index, item) {
        if (holds_marked(item)) {
            return true;
        }
    }
    return false;
}

static int parse(struct edit *edit, const char *text, size_t size, struct err *err) {
    if (credential_file_decode(edit->path, text, size, &edit->arena, &edit->file, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = edit->path, .text = text, .size = size, .max_bytes = CREDENTIALS_MAX_BYTES};
    struct err blank;
    if (json_parse(&document, &edit->root, &blank) < 0) {
        edit->root = json_object(); // it was decoded, so it is blank
    }
    return holds_marked(edit->root)
               ? err_set(err, ERR_INPUT, "%s: holds a number above 9223372036854775807, which cannot be kept as it is", edit->path)
               : 0;
}

// make: its folder, where that is missing. What is not there is an empty object.
static int edit_open(struct edit *edit, const char *path, bool make, struct err *err) {
    char *real = realpath(path, NULL);
    edit->path = arena_copy_string(&edit->arena, real ? real : path);
    free(real);
    if (open_folder(edit, make, err) < 0) {
        return -1;
    }
    AUTO_FD int fd = edit->folder_fd < 0 ? -1 : openat(edit->folder_fd, edit->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && edit->folder_fd >= 0 && errno != ENOENT) {
        return err_sys(err, "open %s", edit->path);
    }
    if (fd < 0) {
        return parse(edit, "", 0, err);
    }
    if (fstat(fd, &edit->status) < 0) {
        return err_sys(err, "look at %s", edit->path);
    }
    if (!S_ISREG(edit->status.st_mode)) {
        return err_set(err, ERR_INPUT, "%s: is no regular file, so no login can be written there", edit->path);
    }
    edit->there = true;
    char *text;
    size_t size;
    if (fd_read_rest(fd, CREDENTIALS_MAX_BYTES, edit->path, &text, &size, err) < 0) {
        return -1;
    }
    int result = parse(edit, text, size, err);
    explicit_bzero(text, size);
    free(text);
    return result;
}

static int write_synced(const struct edit *edit, int fd, const struct buf *text, struct err *err) {
    // Root that writes an ordinary user's file (sudo -E) must not take it from him.
    if (edit->there && (edit->status.st_uid != geteuid() || edit->status.st_gid != getegid()) &&
        fchown(fd, edit->status.st_uid, edit->status.st_gid) < 0) {
        return err_sys(err, "give the new %s to its owner", edit->path);
    }
    if (fd_write_all(fd, text->data, text->size) < 0 || fsync(fd) < 0) {
        return err_sys(err, "write %s", edit->path);
    }
    return 0;
}

// A new file beside the old one takes its place when it is on the disk.
static int replace(const struct edit *edit, const struct buf *text, struct err *err) {
    AUTO_FREE char *temporary = mem_format(".%s.%d", edit->name, (int)getpid());
    (void)unlinkat(edit->folder_fd, temporary, 0); // of a process of that number that died
    AUTO_FD int fd = openat(edit->folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_sys(err, "create a file beside %s", edit->path);
    }
    int result = write_synced(edit, fd, text, err);
    if (result == 0 && renameat(edit->folder_fd, temporary, edit->folder_fd, edit->name) < 0) {
        result = err_sys(err, "replace %s", edit->path);
    }
    if (result < 0) {
        (void)unlinkat(edit->folder_fd, temporary, 0);
        return -1;
    }
    return fsync(edit->folder_fd) < 0 ? err_sys(err, "sync the folder of %s", edit->path) : 0;
}

static int edit_save(const struct edit *edit, struct err *err) {
    AUTO_SECRET struct buf text = {0};
    buf_reserve(&text, 2 * CREDENTIALS_MAX_BYTES); // so that it does not grow and leave copies behind
    if (json_print(edit->root, JSON_INDENT(4), &text) < 0) {
        return err_set(err, ERR_CORRUPT, "%s: cannot be written as JSON", edit->path); // it came from there
    }
    buf_add_char(&text, '\n');
    return replace(edit, &text, err);
}

// Takes all entries of a host, however it is written, out of auths; true: there was one.
static bool remove_entries(struct edit *edit, const char *host) {
    json_t *auths = json_object_get(edit->root, "auths");
    bool removed = false;
    for (size_t i = 0; i < edit->file.entries_count; i++) {
        const struct credential_entry *entry = &edit->file.entries[i];
        if (strcmp(entry->name, host) == 0) {
            removed = json_object_del(auths, entry->key) == 0 || removed;
        }
    }
    return removed;
}

static int add_entry(struct edit *edit, const char *host, json_t *give_entry, struct err *err) {
    json_t *auths = json_object_get(edit->root, "auths");
    if (!json_is_object(auths)) {
        auths = json_object();
        if (json_object_set_new(edit->root, "auths", auths) < 0) {
            json_decref(give_entry);
            return err_set(err, ERR_SYSTEM, "%s: there is no memory for a login", edit->path);
        }
    }
    if (json_object_set_new(auths, credential_server(host), give_entry) < 0) {
        return err_set(err, ERR_INPUT, "%s: the login is not in UTF-8", edit->path);
    }
    return 0;
}

static json_t *entry_of(const struct credential *credential) {
    json_t *entry = json_object();
    const char *user = credential->user ? credential->user : "";
    const char *password = credential->identity_token ? "" : credential->password;
    AUTO_FREE char *pair = mem_format("%s:%s", user, password);
    size_t size = strlen(pair), length = BASE64_ENCODE_RAW_LENGTH(size);
    AUTO_FREE char *text = mem_alloc(length + 1);
    base64_encode_raw(text, size, (const uint8_t *)pair);
    json_object_set_new(entry, "auth", json_string(text));
    if (credential->identity_token) {
        json_object_set_new(entry, "identitytoken", json_string(credential->identity_token));
    }
    explicit_bzero(pair, size);
    explicit_bzero(text, length);
    return entry;
}

static int check_credential(const struct credential *credential, struct err *err) {
    const char *parts[] = {credential->user, credential->password, credential->identity_token};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i] && strlen(parts[i]) > CREDENTIALS_MAX_SECRET) {
            return err_set(err, ERR_INPUT, "a user's name, a password or a token has more than %d bytes", CREDENTIALS_MAX_SECRET);
        }
    }
    if (credential->user && strchr(credential->user, ':')) {
        char room[QUOTE_SIZE];
        return err_set(err, ERR_INPUT, "the user %s: a user's name cannot hold a colon", quote_text(credential->user, room));
    }
    return 0;
}

int credentials_store(const struct credentials_options *options, const char *path, const char *host,
                      const struct credential *credential, struct arena *arena, const char **ret_helper, struct err *err) {
    AUTO_EDIT struct edit edit = {.folder_fd = -1};
    bool own;
    const char *key = credential_key(&edit.arena, host);
    if (check_credential(credential, err) < 0 || edit_open(&edit, path, true, err) < 0) {
        return -1;
    }
    struct credential_helper helper = {.options = options};
    helper.name = credential_file_helper(&edit.file, key, &edit.arena, &own);
    if (helper.name && credential_helper_store(&helper, credential_server(key), credential, err) < 0) {
        return err_in(err, "%s: %s", edit.path, own ? "credHelpers" : "credsStore");
    }
    // Beside a helper an empty entry stands for the login, as docker has it; a secret that was there is there no more.
    remove_entries(&edit, key);
    if (add_entry(&edit, key, helper.name ? json_object() : entry_of(credential), err) < 0 || edit_save(&edit, err) < 0) {
        return -1;
    }
    if (ret_helper) {
        *ret_helper = helper.name ? arena_copy_string(arena, helper.name) : NULL;
    }
    return 0;
}

// 1: the helper knew it.
static int erase_at_helper(struct edit *edit, const struct credential_helper *helper, const char *server, struct err *err) {
    struct credential known = {0};
    int found = credential_helper_get(helper, server, &edit->arena, &known, err);
    secret_wipe(known.user);
    secret_wipe(known.password);
    secret_wipe(known.identity_token);
    return found <= 0 ? found : credential_helper_erase(helper, server, err);
}

static int erase_all_at_helper(struct edit *edit, const struct credential_helper *helper, struct err *err) {
    struct text_pair *known;
    size_t count;
    int erased = 0;
    if (credential_helper_list(helper, &edit->arena, &known, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        int result = credential_helper_erase(helper, known[i].name, err);
        if (result < 0) {
            return -1;
        }
        erased |= result;
    }
    return erased;
}

static int erase_all(struct edit *edit, const struct credentials_options *options, struct err *err) {
    struct credential_helper helper = {.options = options};
    bool erased = json_object_size(json_object_get(edit->root, "auths")) > 0;
    for (size_t i = 0; i <= edit->file.helpers_count; i++) {
        helper.name = i < edit->file.helpers_count ? edit->file.helpers[i].value : edit->file.store;
        int result = helper.name && *helper.name ? erase_all_at_helper(edit, &helper, err) : 0;
        if (result < 0) {
            return err_in(err, "%s", edit->path);
        }
        erased = erased || result > 0;
    }
    json_object_clear(json_object_get(edit->root, "auths"));
    return erased;
}

static int erase_one(struct edit *edit, const struct credentials_options *options, const char *host, struct err *err) {
    struct credential_helper helper = {.options = options};
    bool own;
    const char *key = credential_key(&edit->arena, host);
    helper.name = credential_file_helper(&edit->file, key, &edit->arena, &own);
    int erased = helper.name ? erase_at_helper(edit, &helper, credential_server(key), err) : 0;
    if (erased < 0) {
        return err_in(err, "%s: %s", edit->path, own ? "credHelpers" : "credsStore");
    }
    return remove_entries(edit, key) || erased > 0;
}

int credentials_erase(const struct credentials_options *options, const char *path, const char *host, struct err *err) {
    AUTO_EDIT struct edit edit = {.folder_fd = -1};
    if (edit_open(&edit, path, false, err) < 0) {
        return -1;
    }
    int erased = host ? erase_one(&edit, options, host, err) : erase_all(&edit, options, err);
    if (erased <= 0) {
        return erased;
    }
    return edit_save(&edit, err) < 0 ? -1 : 1;
}
