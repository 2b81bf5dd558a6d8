#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/live_table.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 500, INTERVAL_MS = 1000 };

struct stats_request {
    struct list_options list;
    bool all, once;
};

enum {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_CPU,
    COLUMN_MEMORY,
    COLUMN_MEMORY_PERCENT,
    COLUMN_NETWORK,
    COLUMN_STORAGE,
    COLUMN_PIDS,
    COLUMN_CONTAINER
};

static const struct table_column columns[] = {
    [COLUMN_ID] = {"ID", "CONTAINER ID", 0, 12},
    [COLUMN_NAME] = {"Name", "NAME"},
    [COLUMN_CPU] = {"CPUPerc", "CPU %"},
    [COLUMN_MEMORY] = {"MemUsage", "MEM USAGE / LIMIT"},
    [COLUMN_MEMORY_PERCENT] = {"MemPerc", "MEM %"},
    [COLUMN_NETWORK] = {"NetIO", "NET I/O"},
    [COLUMN_STORAGE] = {"BlockIO", "BLOCK I/O"},
    [COLUMN_PIDS] = {"PIDs", "PIDS"},
    [COLUMN_CONTAINER] = {"Container", "CONTAINER", TABLE_HIDDEN},
    {0},
};

// A container that is looked at, and what it had used the last time.
struct watched {
    char id[RECORD_ID_SIZE];
    const char *word; // as the user calls it
    bool known;       // it has been looked at before
    uint64_t cpu_us;
    int64_t at_us;
};

struct watching {
    struct context *context;
    struct home home;
    struct watched *items;
    size_t count, room;
};

static void watching_finish(struct watching *watching) {
    home_finish(&watching->home);
    free(watching->items);
}

static struct watched *add(struct watching *watching, const char *id, const char *word) {
    for (size_t i = 0; i < watching->count; i++) {
        if (strcmp(watching->items[i].id, id) == 0) {
            return &watching->items[i];
        }
    }
    if (watching->count == watching->room) {
        watching->room = watching->room ? 2 * watching->room : 16;
        watching->items = mem_resize(watching->items, watching->room, sizeof(*watching->items));
    }
    struct watched *item = &watching->items[watching->count++];
    *item = (struct watched){.word = word};
    snprintf(item->id, sizeof(item->id), "%s", id);
    return item;
}

// --- one look ---

static void set_pair(struct table *table, unsigned column, uint64_t in, uint64_t out) {
    char texts[2][OUTPUT_HUMAN_SIZE];
    table_set(table, column, "%s / %s", output_human_size((int64_t)in, texts[0]), output_human_size((int64_t)out, texts[1]));
}

static void set_numbers(struct table *table, const struct container_usage *usage, double cpu_percent) {
    char used[OUTPUT_HUMAN_SIZE], limit[OUTPUT_HUMAN_SIZE];
    double percent = usage->memory_limit_bytes ? 100.0 * (double)usage->memory_bytes / (double)usage->memory_limit_bytes : 0;
    table_set(table, COLUMN_CPU, "%.2f%%", cpu_percent);
    table_set(table, COLUMN_MEMORY, "%s / %s", output_human_memory((int64_t)usage->memory_bytes, used),
              output_human_memory((int64_t)usage->memory_limit_bytes, limit));
    table_set(table, COLUMN_MEMORY_PERCENT, "%.2f%%", percent);
    set_pair(table, COLUMN_NETWORK, usage->received_bytes, usage->sent_bytes);
    set_pair(table, COLUMN_STORAGE, usage->read_bytes, usage->written_bytes);
    table_set(table, COLUMN_PIDS, "%" PRIu64, usage->pids);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Of one processor, since the last look.
static double percent_since(struct watched *item, const struct container_usage *usage) {
    int64_t at_us = now_us(), past_us = at_us - item->at_us;
    bool counts = item->known && past_us > 0 && usage->cpu_us >= item->cpu_us;
    double percent = counts ? 100.0 * (double)(usage->cpu_us - item->cpu_us) / (double)past_us : 0;
    item->known = true;
    item->cpu_us = usage->cpu_us;
    item->at_us = at_us;
    return percent;
}

static void look_at(const struct watching *watching, struct watched *item, bool shows_ended, struct table *table) {
    AUTO_ARENA struct arena arena = {0};
    struct container_usage usage = {0};
    struct record record;
    struct err gone;
    if (record_read(&watching->home, &arena, item->id, &record, &gone) < 0) {
        return;
    }
    enum record_state state = record_state(&watching->home, &record);
    bool runs = (state == RECORD_RUNNING || state == RECORD_PAUSED) &&
                container_usage(watching->home.oci_root, item->id, &usage, &gone) == 0;
    double percent = runs ? percent_since(item, &usage) : 0;
    item->known = runs;
    if (!runs && !shows_ended) {
        return;
    }
    table_row(table);
    table_set(table, COLUMN_ID, "%s", record.id);
    table_set(table, COLUMN_NAME, "%s", record.name);
    table_set(table, COLUMN_CONTAINER, "%s", item->word ? item->word : record.id);
    set_numbers(table, &usage, percent);
}

// Those that are named, or all there are by now.
static int look(struct watching *watching, struct table *table, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const struct stats_request *request = watching->context->request;
    bool named = watching->context->operand_count > 0;
    const char **ids;
    if (!named) {
        if (record_list(&watching->home, &arena, &ids, err) < 0) {
            return -1;
        }
        for (; *ids; ids++) {
            (void)add(watching, *ids, NULL);
        }
    }
    for (size_t i = 0; i < watching->count; i++) {
        look_at(watching, &watching->items[i], named || request->all, table);
    }
    return 0;
}

static int show(struct watching *watching, struct live_table *live, struct err *err) {
    const struct stats_request *request = watching->context->request;
    AUTO_TABLE struct table table = {.columns = columns};
    AUTO_BUF struct buf text = {0};
    if (look(watching, &table, err) < 0 || table_format(&table, &request->list, output_has_colour(STDOUT_FILENO), &text, err) < 0) {
        return -1;
    }
    return live_table_show(live, &text, err);
}

// --- again and again ---

static int open_timer(struct err *err) {
    const struct itimerspec times = {
        .it_value = {.tv_nsec = FIRST_MS * 1000000L},
        .it_interval = {.tv_sec = INTERVAL_MS / 1000},
    };
    AUTO_FD int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return fd < 0 || timerfd_settime(fd, 0, &times, NULL) < 0 ? err_sys(err, "make a timer") : fd_take(&fd);
}

static int wait_for(int timer_fd, struct err *err) {
    uint64_t times;
    while (read(timer_fd, &times, sizeof(times)) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "wait for the time to look again");
        }
    }
    return 0;
}

static int watch(struct watching *watching, struct err *err) {
    const struct stats_request *request = watching->context->request;
    struct live_table live = {.fd = STDOUT_FILENO, .in_place = !request->once && !request->list.format && isatty(STDOUT_FILENO)};
    AUTO_TABLE struct table first = {.columns = columns};
    AUTO_FD int timer_fd = open_timer(err);
    // How much is used takes two looks; the first is shown to nobody.
    if (timer_fd < 0 || look(watching, &first, err) < 0) {
        return -1;
    }
    do {
        if (wait_for(timer_fd, err) < 0 || show(watching, &live, err) < 0) {
            return -1;
        }
    } while (!request->once);
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO(watching_finish) struct watching watching = {.context = context, .home = HOME_CLOSED};
    if (home_open(&engine, &watching.home, err) < 0) {
        return -1;
    }
    record_sweep(&watching.home);
    for (int i = 0; i < context->operand_count; i++) {
        char id[RECORD_ID_SIZE];
        if (record_find(&watching.home, context->operands[i], id, err) < 0) {
            return -1;
        }
        (void)add(&watching, id, context->operands[i]);
    }
    return watch(&watching, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct stats_request, all, "Show containers that do not run, too"),
    OPTION_FLAG("no-stream", 0, struct stats_request, once, "Show it once, in place of again and again"),
    OPTION_FLAG("no-trunc", 0, struct stats_request, list.whole, "Do not shorten what is printed"),
    OPTION_ROWS(format_option_rows, struct stats_request, list, struct list_options),
    {0},
};

const struct command command_stats = {
    .name = "stats",
    .usage = "[CONTAINER...]",
    .summary = "Show what containers use: processors, memory, network and storage",
    .description = "CPU % is of one processor: 200 % are two that are busy.",
    .examples = "coffer stats\ncoffer stats --no-stream --format '{{.Name}} {{.MemUsage}}' web",
    .group = COMMAND_GROUP_CONTAINERS,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct stats_request),
    .run = run,
};
