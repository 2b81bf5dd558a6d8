#include "images/credentials_state.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/secret.h"
#include "specs/json.h"

#include <string.h>

static const struct json_row entry_rows[] = {
    ROW_STRING("auth", struct credential_entry, auth, 0),
    ROW_STRING("username", struct credential_entry, user, 0),
    ROW_STRING("password", struct credential_entry, password, 0),
    ROW_STRING("identitytoken", struct credential_entry, identity_token, 0),
    ROW_STRING("registrytoken", struct credential_entry, registry_token, 0),
};
static const struct json_table entry_table = JSON_TABLE(struct credential_entry, entry_rows);

static const struct json_row file_rows[] = {
    ROW_BY_NAME("auths", struct credential_file, entries, struct credential_entry, entry_table, 0),
    ROW_PAIRS("credHelpers", struct credential_file, helpers, 0),
    ROW_STRING("credsStore", struct credential_file, store, 0),
};
static const struct json_table file_table = JSON_TABLE(struct credential_file, file_rows);

int credentials_hush(struct err *err) {
    char *near = strstr(err->text, " near '");
    if (near) {
        *near = '\0';
    }
    return -1;
}

static bool is_blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!text[i] || !strchr(" \t\r\n", text[i])) {
            return false;
        }
    }
    return true;
}

int credential_file_decode(const char *path, const char *text, size_t size, struct arena *arena, struct credential_file *ret,
                           struct err *err) {
    struct credential_file file = {0};
    bool blank = is_blank(text, size); // /dev/null, or one that touch(1) has made
    const struct json_document document = {
        .name = path, .text = blank ? "{}" : text, .size = blank ? 2 : size, .max_bytes = CREDENTIALS_MAX_BYTES};
    if (json_decode(&document, &file_table, arena, &file, err) < 0) {
        return credentials_hush(err);
    }
    for (size_t i = 0; i < file.entries_count; i++) {
        file.entries[i].name = credential_key(arena, file.entries[i].key);
    }
    file.path = arena_copy_string(arena, path);
    *ret = file;
    return 0;
}

void credential_file_wipe(struct credential_file *file) {
    for (size_t i = 0; i < file->entries_count; i++) {
        struct credential_entry *entry = &file->entries[i];
        const char *secrets[] = {entry->auth, entry->user, entry->password, entry->identity_token, entry->registry_token};
        for (size_t k = 0; k < ARRAY_LEN(secrets); k++) {
            secret_wipe(secrets[k]);
        }
    }
}

const char *credential_key(struct arena *arena, const char *text) {
    static const char *const hub[] = {"docker.io", "index.docker.io", "registry-1.docker.io"};
    const char *scheme = strncmp(text, "https://", 8) == 0 ? text + 8 : strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;
    const char *start = scheme ? scheme : text;
    size_t host = strcspn(start, "/"), size = scheme ? host : strlen(start);
    while (size > host && start[size - 1] == '/') {
        size--;
    }
    for (size_t i = 0; i < ARRAY_LEN(hub); i++) {
        if (strlen(hub[i]) == host && strncmp(start, hub[i], host) == 0) {
            return arena_format(arena, "%s%.*s", hub[0], (int)(size - host), start + host);
        }
    }
    return arena_copy(arena, start, size);
}

const char *credential_server(const char *host) {
    return strcmp(host, "docker.io") == 0 ? "https://index.docker.io/v1/" : host;
}

const char *credential_file_helper(const struct credential_file *file, const char *host, struct arena *arena, bool *ret_own) {
    for (size_t i = 0; i < file->helpers_count; i++) {
        if (strcmp(credential_key(arena, file->helpers[i].name), host) == 0 && *file->helpers[i].value) {
            *ret_own = true;
            return file->helpers[i].value;
        }
    }
    *ret_own = false;
    return file->store && *file->store ? file->store : NULL;
}
