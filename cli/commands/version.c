#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"

#include <stddef.h>
#include <sys/utsname.h>

struct version_request {
    struct list_options list;
};

enum { COLUMN_VERSION, COLUMN_OS, COLUMN_ARCHITECTURE, COLUMN_KERNEL };

static const struct table_column columns[] = {
    [COLUMN_VERSION] = {"Version", "VERSION"},
    [COLUMN_OS] = {"Os", "OS"},
    [COLUMN_ARCHITECTURE] = {"Arch", "ARCH"},
    [COLUMN_KERNEL] = {"KernelVersion", "KERNEL"},
    {0},
};

static int run(struct context *context, struct err *err) {
    const struct version_request *request = context->request;
    struct utsname host;
    uname(&host); // cannot fail with a pointer that is good
    AUTO_TABLE struct table table = {.columns = columns};
    table_row(&table);
    table_set(&table, COLUMN_VERSION, "%s", COFFER_VERSION);
    table_set(&table, COLUMN_OS, "linux");
    table_set(&table, COLUMN_ARCHITECTURE, "%s", host.machine);
    table_set(&table, COLUMN_KERNEL, "%s", host.release);
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(format_option_rows, struct version_request, list, struct list_options),
    {0},
};

const struct command command_version = {
    .name = "version",
    .summary = "Show the version of coffer and of the kernel it runs on",
    .examples = "coffer version --format '{{.Version}}'",
    .group = COMMAND_GROUP_OTHER,
    .flags = COMMAND_STATELESS,
    .options = options,
    .request_size = sizeof(struct version_request),
    .run = run,
};
