// The processes of a container, from /proc: no program is run, neither in the container nor on the host.
#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/process_words.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/view.h"
#include "runtime/kernel/process_info.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 64 };

struct top_request {
    struct list_options list;
};

struct columns {
    const struct process_column *items[MOST_COLUMNS];
    struct table_column titles[MOST_COLUMNS + 1];
    size_t count;
};

// Of ps -ef, as docker has it; and of ps aux, and its other forms.
static const char usual[] = "user,pid,ppid,c,stime,tty,time,cmd";
static const char by_use[] = "user,pid,%cpu,%mem,vsz,rss,tty,stat,start,time,cmd";

static int add_columns(struct columns *columns, const char *words, struct err *err) {
    for (const char *at = words; *at;) {
        size_t length = strcspn(at, ", =");
        const struct process_column *column = process_column(at, length);
        if (!column || columns->count == MOST_COLUMNS) {
            AUTO_BUF struct buf names = {0};
            process_columns_add_names(&names);
            return err_set(err, ERR_INPUT, "top: expected columns of %s; or -ef, or aux; found \"%.*s\"", buf_string(&names),
                           (int)length, at);
        }
        columns->items[columns->count++] = column;
        at += length;
        at += strcspn(at, ", "); // "pid=Number" has a heading of its own, which we do without
        at += strspn(at, ", ");
    }
    return 0;
}

static bool is_form(const char *word, const char *letters) {
    word += *word == '-';
    return *word && strspn(word, letters) == strlen(word);
}

// As of ps(1): -o LIST, -oLIST, o LIST, LIST; -ef, -e, aux.
static int parse_columns(char **words, struct columns *columns, struct err *err) {
    bool wide = false;
    for (; *words; words++) {
        const char *word = *words;
        if (strcmp(word, "-o") == 0 || strcmp(word, "o") == 0) {
            continue;
        }
        if (is_form(word, "auxww") && strchr(word, 'u')) {
            wide = true;
        } else if (!(is_form(word, "efFlAwax") && !process_column(word, strlen(word))) &&
                   add_columns(columns, strncmp(word, "-o", 2) == 0 ? word + 2 : word, err) < 0) {
            return -1;
        }
    }
    bool is_usual = columns->count == 0 && !wide;
    if (columns->count == 0 && add_columns(columns, wide ? by_use : usual, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < columns->count; i++) {
        const char *heading = is_usual && i == 0 ? "UID" : columns->items[i]->heading; // as ps -ef calls its users' names
        columns->titles[i] = (struct table_column){.key = heading, .title = heading};
    }
    return 0;
}

static int by_number(const void *a, const void *b) {
    const pid_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void add_process(struct table *table, const struct columns *columns, pid_t pid, const struct process_clocks *clocks) {
    AUTO_BUF struct buf command = {0}, cell = {0};
    struct process_info info;
    if (process_info_read(pid, &info, &command) != 0) {
        return; // ended meanwhile
    }
    table_row(table);
    for (size_t i = 0; i < columns->count; i++) {
        buf_clear(&cell);
        columns->items[i]->add(&info, clocks, buf_string(&command), &cell);
        table_set(table, (unsigned)i, "%s", buf_string(&cell));
    }
}

static void free_pids(pid_t **pids) {
    free(*pids);
}

static int run(struct context *context, struct err *err) {
    const struct top_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO(free_pids) pid_t *pids = NULL;
    size_t count;
    struct columns columns = {0};
    AUTO_TABLE struct table table = {.columns = columns.titles};
    const struct process_clocks clocks = process_clocks_now();
    if (parse_columns(context->operands + 1, &columns, err) < 0 ||
        engine_processes(&engine, context->operands[0], &pids, &count, err) < 0) {
        return -1;
    }
    qsort(pids, count, sizeof(*pids), by_number);
    for (size_t i = 0; i < count; i++) {
        add_process(&table, &columns, pids[i], &clocks);
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(format_option_rows, struct top_request, list, struct list_options),
    {0},
};

const struct command command_top = {
    .name = "top",
    .usage = "CONTAINER [COLUMNS]",
    .summary = "List the processes of a container",
    .description =
        "Columns are those of ps(1), by any of its ways to name them; pid is the host's number of a process, cpid the container's.",
    .examples = "coffer top web\ncoffer top web -o pid,cpid,rss,args\ncoffer top web aux",
    .group = COMMAND_GROUP_CONTAINERS,
    .flags = COMMAND_OPTIONS_FIRST,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct top_request),
    .run = run,
};
