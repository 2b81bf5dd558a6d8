#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/process_words.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/process_info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum ps_format { PS_FORMAT_TABLE, PS_FORMAT_JSON };
enum { PS_MAX_BYTES = 64 << 20 };

struct ps_request {
    int format; // enum ps_format
};

struct pids {
    pid_t *items;
    size_t count;
};

static void pids_finish(struct pids *pids) {
    free(pids->items);
}

static void add_json(const struct pids *pids, struct buf *buf) {
    buf_add_char(buf, '[');
    for (size_t i = 0; i < pids->count; i++) {
        buf_add_format(buf, "%s%d", i ? "," : "", (int)pids->items[i]);
    }
    buf_add_string(buf, "]\n");
}

// --- the usual table, as of `ps -ef` ---

static void add_process(pid_t pid, const struct process_clocks *clocks, struct buf *buf) {
    struct process_info info;
    AUTO_BUF struct buf command = {0};
    char user[32], start[16], terminal[32], used[32];
    if (process_info_read(pid, &info, &command) != 0) {
        return; // ended meanwhile
    }
    uint64_t seconds = info.cpu_ms / 1000;
    process_words_user(info.uid, user, sizeof(user));
    process_words_start(clocks, info.start_ms, start, sizeof(start));
    process_words_terminal(info.terminal, terminal, sizeof(terminal));
    snprintf(used, sizeof(used), "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60, seconds % 60);
    buf_add_format(buf, "%-8s %7d %7d %2u %5s %-8s %8s ", user, (int)info.pid, (int)info.parent, process_words_percent(clocks, &info),
                   start, terminal, used);
    messages_add_visible(buf, buf_string(&command));
    buf_add_char(buf, '\n');
}

static void add_table(const struct pids *pids, struct buf *buf) {
    const struct process_clocks clocks = process_clocks_now();
    buf_add_string(buf, "UID          PID    PPID  C STIME TTY          TIME CMD\n");
    for (size_t i = 0; i < pids->count; i++) {
        add_process(pids->items[i], &clocks, buf);
    }
}

// --- the host's own ps, where its options are asked for ---

static int run_ps(char **options, char **ret_text, struct err *err) {
    const char *program = access("/usr/bin/ps", X_OK) == 0 ? "/usr/bin/ps" : "/bin/ps";
    if (access(program, X_OK) < 0) {
        return err_set(err, ERR_UNSUPPORTED, "options for ps need that program, and this host has none: leave them out, or take "
                                             "--format json");
    }
    AUTO_STRV struct strv words = {0};
    strv_add(&words, program);
    for (; *options; options++) {
        strv_add(&words, *options);
    }
    AUTO_FD int output = -1;
    size_t size;
    int status;
    pid_t child = process_spawn(words.items, &output, err);
    if (child < 0) {
        return -1;
    }
    AUTO_FREE char *text = NULL;
    int result = fd_read_rest(output, PS_MAX_BYTES, program, &text, &size, err);
    fd_close(&output);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (result == 0 && status != 0) {
        text[strcspn(text, "\n")] = '\0';
        return err_set(err, ERR_INPUT, "%s: %s", program, text);
    }
    *ret_text = text;
    text = NULL;
    return result;
}

// The place of the word PID in the heading; -1 when it has none.
static int pid_column(const char *heading) {
    AUTO_FREE char *copy = mem_copy_string(heading);
    char *state = NULL;
    int column = 0;
    for (const char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state), column++) {
        if (strcmp(word, "PID") == 0) {
            return column;
        }
    }
    return -1;
}

static bool is_listed(const struct pids *pids, const char *line, int column) {
    const char *at = line + strspn(line, " \t");
    for (; column > 0; column--) {
        at += strcspn(at, " \t");
        at += strspn(at, " \t");
    }
    long pid = strtol(at, NULL, 10);
    for (size_t i = 0; i < pids->count; i++) {
        if (pids->items[i] == pid) {
            return true;
        }
    }
    return false;
}

static int add_filtered(const struct pids *pids, char **options, struct buf *buf, struct err *err) {
    AUTO_FREE char *text = NULL;
    if (run_ps(options, &text, err) < 0) {
        return -1;
    }
    int column = -1;
    char *state = NULL;
    for (const char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        bool heading = column < 0;
        if (heading) {
            column = pid_column(line);
            if (column < 0) {
                return err_set(err, ERR_INPUT, "ps with these options shows no column PID to choose the container's processes by");
            }
        }
        if (heading || is_listed(pids, line, column)) {
            messages_add_visible(buf, line);
            buf_add_char(buf, '\n');
        }
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct ps_request *request = context->request;
    AUTO(pids_finish) struct pids pids = {0};
    AUTO_BUF struct buf buf = {0};
    if (container_processes(context->oci_dir, context->operands[0], &pids.items, &pids.count, err) < 0) {
        return -1;
    }
    if (request->format == PS_FORMAT_JSON) {
        add_json(&pids, &buf);
    } else if (context->operand_count == 1) {
        add_table(&pids, &buf);
    } else if (add_filtered(&pids, context->operands + 1, &buf, err) < 0) {
        return -1;
    }
    return output_write(&buf, err);
}

static const char *const formats[] = {"table", "json", NULL};

static const struct option_row options[] = {
    OPTION_CHOICE("format", 'f', "FORMAT", formats, struct ps_request, format,
                  "Print a table, or json: an array of process ids [default table]"),
    {0},
};

const struct command command_oci_ps = {
    .name = "ps",
    .usage = "ID [PS OPTION...]",
    .summary = "List the processes of a container",
    .description = "Without options of ps(1) the table is that of ps -ef, with the host's process ids.",
    .examples = "coffer-oci ps web\ncoffer-oci ps web -o pid,rss,args\ncoffer-oci ps --format json web\n",
    .flags = COMMAND_OPTIONS_FIRST,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct ps_request),
    .run = run,
};
