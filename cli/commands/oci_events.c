#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"

enum { INTERVAL_MS = 5000 };

struct events_request {
    struct opt_i64 interval_ms;
    bool stats;
};

static int tell(void *context, const struct buf *line, struct err *err) {
    (void)context;
    return output_write(line, err);
}

static int run(struct context *context, struct err *err) {
    const struct events_request *request = context->request;
    const char *id = context->operands[0];
    if (request->stats) {
        AUTO_BUF struct buf line = {0};
        return container_stats(context->oci_dir, id, &line, err) < 0 ? -1 : output_write(&line, err);
    }
    const struct container_watch watch = {
        .interval_ms = request->interval_ms.set ? request->interval_ms.value : INTERVAL_MS,
        .tell = tell,
    };
    if (watch.interval_ms < 1) {
        return err_set(err, ERR_INPUT, "--interval: expected at least 1ms");
    }
    return container_events(context->oci_dir, id, &watch, err);
}

static const struct option_row options[] = {
    OPTION_DURATION("interval", 0, "TIME", struct events_request, interval_ms, "Print what it uses so often [default 5s]"),
    OPTION_FLAG("stats", 0, struct events_request, stats, "Print what it uses now, and end"),
    {0},
};

const struct command command_oci_events = {
    .name = "events",
    .usage = "ID",
    .summary = "Print what a container uses, and when it runs out of memory, as lines of JSON",
    .description = "Ends with the container.",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct events_request),
    .run = run,
};
