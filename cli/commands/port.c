#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/view.h"

#include <stdlib.h>
#include <string.h>

struct wish {
    uint32_t port; // 0: all
    const char *protocol;
};

// PORT[/PROTOCOL]; tcp where nothing else is said.
static int parse_wish(const char *text, struct wish *ret, struct err *err) {
    char *end = NULL;
    unsigned long port = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    *ret = (struct wish){.port = (uint32_t)port, .protocol = end && *end == '/' ? end + 1 : "tcp"};
    bool known = strcmp(ret->protocol, "tcp") == 0 || strcmp(ret->protocol, "udp") == 0 || strcmp(ret->protocol, "sctp") == 0;
    return port == 0 || port > UINT16_MAX || (*end && *end != '/') || !known
               ? err_set(err, ERR_INPUT, "port: expected a port of the container such as 80 or 53/udp, found \"%s\"", text)
               : 0;
}

static void add_line(struct buf *buf, const struct view_port *port, bool alone) {
    bool six = strchr(port->host, ':') != NULL;
    if (!alone) {
        buf_add_format(buf, "%u/%s -> ", port->port, port->protocol);
    }
    buf_add_format(buf, "%s%s%s:%u\n", six ? "[" : "", port->host, six ? "]" : "", port->host_port);
}

static int run(struct context *context, struct err *err) {
    const struct engine engine = engine_of(context);
    const char *name = context->operands[0];
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_BUF struct buf buf = {0};
    char id[RECORD_ID_SIZE];
    struct view view;
    struct wish wish = {0};
    if ((context->operand_count > 1 && parse_wish(context->operands[1], &wish, err) < 0) || home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (record_find(&home, name, id, err) < 0 || view_read(&home, &context->arena, id, &view, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < view.ports_count; i++) {
        const struct view_port *port = &view.ports[i];
        if (!wish.port || (port->port == wish.port && strcmp(port->protocol, wish.protocol) == 0)) {
            add_line(&buf, port, wish.port);
        }
    }
    if (wish.port && buf.size == 0) {
        return err_set(err, ERR_NOT_FOUND, "port %u/%s of %s is not published%s", wish.port, wish.protocol, name,
                       view_runs(&view) ? "" : ": it is not running");
    }
    return output_write(&buf, err);
}

const struct command command_port = {
    .name = "port",
    .usage = "CONTAINER [PORT[/PROTOCOL]]",
    .summary = "Show where a container's ports are published",
    .examples = "coffer port web\ncoffer port web 80",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
