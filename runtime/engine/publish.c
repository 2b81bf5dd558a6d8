#include "runtime/engine/publish.h"

#include "runtime/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    uint8_t number;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};

const char *publish_protocol_name(uint8_t protocol) {
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (protocols[i].number == protocol) {
            return protocols[i].name;
        }
    }
    return "?";
}

static int wrong(const char *text, struct err *err) {
    return err_set(err, ERR_INPUT,
                   "--publish %s: expected [[ADDRESS:][HOST_PORT]:]PORT[/PROTOCOL] with ports from 1 to 65535, such as 8080:80 or "
                   "127.0.0.1:5300:53/udp",
                   text);
}

// Returns what is behind the digits; NULL: there is no port.
static const char *take_port(const char *text, uint16_t *ret) {
    char *end;
    if (*text < '0' || *text > '9') {
        return NULL;
    }
    unsigned long number = strtoul(text, &end, 10);
    *ret = (uint16_t)number;
    return number >= 1 && number <= UINT16_MAX ? end : NULL;
}

static bool take_ports(const char *text, uint16_t *ret_first, uint16_t *ret_last) {
    const char *at = take_port(text, ret_first);
    *ret_last = *ret_first;
    if (at && *at == '-') {
        at = take_port(at + 1, ret_last);
    }
    return at && *at == '\0' && *ret_last >= *ret_first;
}

uint8_t publish_protocol_number(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (strcasecmp(name, protocols[i].name) == 0) {
            return protocols[i].number;
        }
    }
    return 0;
}

// Cuts the protocol off.
static bool take_protocol(char *text, uint8_t *ret) {
    char *slash = strrchr(text, '/');
    *ret = IPPROTO_TCP;
    if (!slash) {
        return true;
    }
    *slash = '\0';
    *ret = publish_protocol_number(slash + 1);
    return *ret != 0;
}

static int take_address(char *text, struct address *ret, struct err *err) {
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        text++;
    }
    return address_parse("--publish", text, ret, err);
}

int publish_parse(const char *text, struct publish *ret, struct err *err) {
    struct publish publish = {0};
    char copy[128];
    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy) || !take_protocol(copy, &publish.protocol)) {
        return wrong(text, err);
    }
    char *container = strrchr(copy, ':');
    if (!take_ports(container ? container + 1 : copy, &publish.first, &publish.last)) {
        return wrong(text, err);
    }
    if (container) {
        *container = '\0';
        char *host = strrchr(copy, ':');
        bool bracketed = host && strchr(host, ']');
        if (host && !bracketed) {
            *host = '\0';
            if (take_address(copy, &publish.host, err) < 0) {
                return -1;
            }
        }
        const char *ports = host && !bracketed ? host + 1 : copy;
        // 0 is any, as it is where ports are bound.
        if (*ports && strcmp(ports, "0") != 0 && !take_ports(ports, &publish.host_first, &publish.host_last)) {
            return wrong(text, err);
        }
    }
    uint16_t inside = publish.last - publish.first, outside = publish.host_last - publish.host_first;
    if (publish.host_first != 0 && inside != 0 && inside != outside) {
        return err_set(err, ERR_INPUT, "--publish %s: the two ranges differ in length", text);
    }
    *ret = publish;
    return 0;
}
