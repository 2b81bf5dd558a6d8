// What lists of processes show of one, in the words of ps(1).
#ifndef COFFER_CLI_PROCESS_WORDS_H
#define COFFER_CLI_PROCESS_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct buf;
struct process_info;

struct process_clocks {
    time_t now;
    uint64_t up_ms;        // since boot
    uint64_t memory_bytes; // of the host
};

struct process_clocks process_clocks_now(void);

// "14:05" today, "Nov27" this year, "2025" before.
void process_words_start(const struct process_clocks *clocks, uint64_t start_ms, char *text, size_t size);

// "pts/3", "?"
void process_words_terminal(int device, char *text, size_t size);

// A name that does not fit is shown by its beginning and a +; the number of who has none.
void process_words_user(uid_t uid, char *text, size_t size);

// Percent of one processor since its start.
unsigned process_words_percent(const struct process_clocks *clocks, const struct process_info *info);

// A column of ps by one of its names ("pid", "args", "%cpu"). Returns its heading, NULL for an unknown name.
struct process_column {
    const char *names; // with a blank behind each
    const char *heading;
    void (*add)(const struct process_info *info, const struct process_clocks *clocks, const char *command, struct buf *buf);
};
const struct process_column *process_column(const char *name, size_t length);

// All names, ", " between: the first of each column.
void process_columns_add_names(struct buf *buf);

#endif
