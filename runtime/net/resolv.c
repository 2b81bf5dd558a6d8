#include "runtime/net/resolv.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t\r";

// The next word of the line; NULL at its end.
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, blanks);
    size_t length = strcspn(word, blanks);
    *rest = word + length;
    if (**rest) {
        *(*rest)++ = '\0';
    }
    return length > 0 ? word : NULL;
}

static bool is_known(const struct resolv *resolv, const struct resolv_server *server) {
    for (size_t i = 0; i < resolv->server_count; i++) {
        if (address_is_equal(&resolv->servers[i].address, &server->address) &&
            strcmp(resolv->servers[i].scope, server->scope) == 0) {
            return true;
        }
    }
    return false;
}

static void add_server(struct resolv *resolv, const struct resolv_server *server) {
    if (resolv->server_count < RESOLV_MAX_SERVERS && !is_known(resolv, server)) {
        resolv->servers[resolv->server_count++] = *server;
    }
}

static void read_server(struct resolv *resolv, char *word) {
    struct resolv_server server = {0};
    struct err ignored;
    char *scope = strchr(word, '%');
    if (scope) {
        *scope++ = '\0';
        if (!*scope || strlen(scope) >= sizeof(server.scope)) {
            return;
        }
        memcpy(server.scope, scope, strlen(scope) + 1);
    }
    if (address_parse("nameserver", word, &server.address, &ignored) == 0 && (!scope || server.address.family == AF_INET6)) {
        add_server(resolv, &server);
    }
}

// What does not fit is left out, whole words.
static void add_words(char line[RESOLV_LINE_SIZE], char *rest) {
    for (char *word = next_word(&rest); word; word = next_word(&rest)) {
        size_t used = strlen(line);
        if (used + strlen(word) + 2 <= RESOLV_LINE_SIZE) {
            snprintf(line + used, RESOLV_LINE_SIZE - used, "%s%s", used ? " " : "", word);
        }
    }
}

static void read_line(struct resolv *resolv, char *line) {
    char *rest = line;
    const char *keyword = next_word(&rest);
    if (!keyword || *keyword == '#' || *keyword == ';') {
        return;
    }
    if (strcmp(keyword, "nameserver") == 0) {
        char *word = next_word(&rest);
        if (word) {
            read_server(resolv, word);
        }
    } else if (strcmp(keyword, "search") == 0 || strcmp(keyword, "domain") == 0) {
        resolv->search[0] = '\0';
        add_words(resolv->search, rest);
    } else if (strcmp(keyword, "options") == 0) {
        add_words(resolv->options, rest);
    }
}

void resolv_parse(const char *text, size_t size, struct resolv *ret) {
    *ret = (struct resolv){0};
    for (const char *end = text + size; text < end;) {
        char line[RESOLV_LINE_SIZE];
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        if (length < sizeof(line) && !memchr(text, '\0', length)) {
            memcpy(line, text, length);
            line[length] = '\0';
            read_line(ret, line);
        }
        text += length + 1;
    }
}

void resolv_read(const char *path, struct resolv *ret) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err missing;
    *ret = (struct resolv){0};
    if (fd_read_file(AT_FDCWD, path, RESOLV_MAX_BYTES, &text, &size, &missing) == 0) {
        resolv_parse(text, size, ret);
    }
}

void resolv_add_servers(struct resolv *resolv, const struct resolv *other) {
    for (size_t i = 0; i < other->server_count; i++) {
        add_server(resolv, &other->servers[i]);
    }
}

bool resolv_has_stub(const struct resolv *resolv) {
    static const uint8_t stubs[][4] = {{127, 0, 0, 53}, {127, 0, 0, 54}};
    for (size_t i = 0; i < resolv->server_count; i++) {
        const struct address *address = &resolv->servers[i].address;
        if (address->family == AF_INET && (memcmp(address->bytes, stubs[0], 4) == 0 || memcmp(address->bytes, stubs[1], 4) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_loopback(const struct address *address) {
    static const struct subnet loopback[] = {{{AF_INET, {127}}, 8}, {{AF_INET6, {[15] = 1}}, 128}};
    return subnet_contains(&loopback[0], address) || subnet_contains(&loopback[1], address);
}

static void add_options(const struct resolv *host, bool has_gateways, struct buf *text) {
    char copy[RESOLV_LINE_SIZE];
    char *rest = copy;
    bool any = has_gateways;
    memcpy(copy, host->options, sizeof(copy));
    if (has_gateways) {
        buf_add_string(text, "options ndots:0");
    }
    for (const char *word = next_word(&rest); word; word = next_word(&rest)) {
        if (!has_gateways || strncmp(word, "ndots:", 6) != 0) {
            buf_add_format(text, "%s %s", any ? "" : "options", word);
            any = true;
        }
    }
    if (any) {
        buf_add_char(text, '\n');
    }
}

// A scope names an interface of the host, which the container has not.
void resolv_for_container(const struct resolv *host, const struct address *gateways, size_t gateway_count, struct buf *text) {
    char one[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < gateway_count; i++) {
        buf_add_format(text, "nameserver %s\n", address_format(&gateways[i], one));
    }
    for (size_t i = 0; i < host->server_count && gateway_count == 0; i++) {
        if (!is_loopback(&host->servers[i].address) && !*host->servers[i].scope) {
            buf_add_format(text, "nameserver %s\n", address_format(&host->servers[i].address, one));
        }
    }
    if (*host->search) {
        buf_add_format(text, "search %s\n", host->search);
    }
    add_options(host, gateway_count > 0, text);
}
