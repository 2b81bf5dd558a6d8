#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network_change.h"
#include "runtime/engine/network_heal.h"
#include "runtime/engine/record.h"

static int reload_one(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    (void)context;
    return engine_network_reload(engine, name, err);
}

static int run(struct context *context, struct err *err) {
    AUTO_HOME struct home home = HOME_CLOSED;
    const struct engine engine = engine_of(context);
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (network_heal_all(&home, err) < 0) {
        return -1;
    }
    return context->operand_count > 0 ? each_container(context, reload_one, err) : network_reload_running(&home, err);
}

const struct command command_network_reload = {
    .name = "reload",
    .usage = "[CONTAINER...]",
    .summary = "Bring back what others have taken of the containers' networks",
    .description =
        "After the packet filter was flushed, by \"nft flush ruleset\" or a restart of a firewall, or an interface was removed. "
        "Every command that puts a container on a network looks for that, too.",
    .group = COMMAND_GROUP_CONTAINERS,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
