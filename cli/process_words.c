#include "cli/process_words.h"

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process_info.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct process_clocks process_clocks_now(void) {
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return (struct process_clocks){
        .now = time(NULL),
        .up_ms = (uint64_t)up.tv_sec * 1000 + (uint64_t)up.tv_nsec / 1000000,
        .memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0,
    };
}

void process_words_start(const struct process_clocks *clocks, uint64_t start_ms, char *text, size_t size) {
    uint64_t ago_ms = start_ms < clocks->up_ms ? clocks->up_ms - start_ms : 0;
    time_t start = clocks->now - (time_t)(ago_ms / 1000);
    struct tm then, today;
    localtime_r(&start, &then);
    localtime_r(&clocks->now, &today);
    bool same_day = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
    strftime(text, size, same_day ? "%H:%M" : then.tm_year == today.tm_year ? "%b%d" : "%Y", &then);
}

void process_words_terminal(int device, char *text, size_t size) {
    unsigned number_major = major((dev_t)device), number_minor = minor((dev_t)device);
    if (device == 0) {
        snprintf(text, size, "?");
    } else if (number_major >= 136 && number_major <= 143) { // Unix98 pseudo terminals
        snprintf(text, size, "pts/%u", number_minor + (number_major - 136) * 256);
    } else if (number_major == 4) {
        snprintf(text, size, number_minor < 64 ? "tty%u" : "ttyS%u", number_minor < 64 ? number_minor : number_minor - 64);
    } else {
        snprintf(text, size, "%u:%u", number_major, number_minor);
    }
}

void process_words_user(uid_t uid, char *text, size_t size) {
    const struct passwd *entry = getpwuid(uid);
    if (!entry) {
        snprintf(text, size, "%u", (unsigned)uid);
    } else if (strlen(entry->pw_name) > 8) {
        snprintf(text, size, "%.7s+", entry->pw_name);
    } else {
        snprintf(text, size, "%s", entry->pw_name);
    }
}

static uint64_t lived_ms(const struct process_clocks *clocks, const struct process_info *info) {
    return clocks->up_ms > info->start_ms ? clocks->up_ms - info->start_ms : 0;
}

unsigned process_words_percent(const struct process_clocks *clocks, const struct process_info *info) {
    uint64_t lived = lived_ms(clocks, info), percent = lived ? info->cpu_ms * 100 / lived : 0;
    return percent > 99 ? 99 : (unsigned)percent;
}

// --- columns ---

#define COLUMN(name)                                                                                                               \
    static void name(const struct process_info *info, const struct process_clocks *clocks, const char *command, struct buf *buf)
#define UNUSED (void)info, (void)clocks, (void)command

COLUMN(add_pid) {
    UNUSED;
    buf_add_format(buf, "%d", info->pid);
}

COLUMN(add_inner) {
    UNUSED;
    buf_add_format(buf, "%d", info->inner);
}

COLUMN(add_parent) {
    UNUSED;
    buf_add_format(buf, "%d", info->parent);
}

COLUMN(add_group_leader) {
    UNUSED;
    buf_add_format(buf, "%d", info->group);
}

COLUMN(add_session) {
    UNUSED;
    buf_add_format(buf, "%d", info->session);
}

COLUMN(add_user) {
    UNUSED;
    char text[32];
    process_words_user(info->uid, text, sizeof(text));
    buf_add_string(buf, text);
}

COLUMN(add_uid) {
    UNUSED;
    buf_add_format(buf, "%u", info->uid);
}

COLUMN(add_gid) {
    UNUSED;
    buf_add_format(buf, "%u", info->gid);
}

COLUMN(add_group) {
    UNUSED;
    const struct group *entry = getgrgid(info->gid);
    if (entry) {
        buf_add_string(buf, entry->gr_name);
    } else {
        add_gid(info, clocks, command, buf);
    }
}

COLUMN(add_c) {
    UNUSED;
    buf_add_format(buf, "%u", process_words_percent(clocks, info));
}

static void add_tenths(struct buf *buf, uint64_t part, uint64_t whole) {
    uint64_t tenths = whole ? part * 1000 / whole : 0;
    buf_add_format(buf, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

COLUMN(add_cpu) {
    UNUSED;
    add_tenths(buf, info->cpu_ms, lived_ms(clocks, info));
}

COLUMN(add_memory) {
    UNUSED;
    add_tenths(buf, info->resident_bytes, clocks->memory_bytes);
}

COLUMN(add_resident) {
    UNUSED;
    buf_add_format(buf, "%" PRIu64, info->resident_bytes / 1024);
}

COLUMN(add_virtual) {
    UNUSED;
    buf_add_format(buf, "%" PRIu64, info->virtual_bytes / 1024);
}

COLUMN(add_start) {
    UNUSED;
    char text[16];
    process_words_start(clocks, info->start_ms, text, sizeof(text));
    buf_add_string(buf, text);
}

COLUMN(add_terminal) {
    UNUSED;
    char text[32];
    process_words_terminal(info->terminal, text, sizeof(text));
    buf_add_string(buf, text);
}

// [DD-]HH:MM:SS
static void add_duration(struct buf *buf, uint64_t seconds, bool short_form) {
    if (seconds >= 86400) {
        buf_add_format(buf, "%" PRIu64 "-", seconds / 86400);
    }
    if (!short_form || seconds >= 3600) {
        buf_add_format(buf, "%02" PRIu64 ":", seconds / 3600 % 24);
    }
    buf_add_format(buf, "%02" PRIu64 ":%02" PRIu64, seconds / 60 % 60, seconds % 60);
}

COLUMN(add_time) {
    UNUSED;
    add_duration(buf, info->cpu_ms / 1000, false);
}

COLUMN(add_elapsed) {
    UNUSED;
    add_duration(buf, lived_ms(clocks, info) / 1000, true);
}

COLUMN(add_command) {
    UNUSED;
    buf_add_string(buf, command);
}

COLUMN(add_name) {
    UNUSED;
    buf_add_string(buf, info->name);
}

COLUMN(add_state) {
    UNUSED;
    buf_add_char(buf, info->state);
}

COLUMN(add_nice) {
    UNUSED;
    buf_add_format(buf, "%d", info->nice);
}

COLUMN(add_threads) {
    UNUSED;
    buf_add_format(buf, "%u", info->threads);
}

static const struct process_column known[] = {
    {"pid hpid ", "PID", add_pid},
    {"cpid nspid ", "CPID", add_inner},
    {"ppid ", "PPID", add_parent},
    {"user euser uname ", "USER", add_user},
    {"uid euid ", "UID", add_uid},
    {"group egroup ", "GROUP", add_group},
    {"gid egid ", "GID", add_gid},
    {"c ", "C", add_c},
    {"%cpu pcpu ", "%CPU", add_cpu},
    {"%mem pmem ", "%MEM", add_memory},
    {"rss rssize rsz ", "RSS", add_resident},
    {"vsz vsize ", "VSZ", add_virtual},
    {"stime start start_time bsdstart ", "STIME", add_start},
    {"tty tt tname ", "TTY", add_terminal},
    {"time cputime bsdtime ", "TIME", add_time},
    {"etime ", "ELAPSED", add_elapsed},
    {"cmd args command ", "CMD", add_command},
    {"comm ucmd ucomm ", "COMMAND", add_name},
    {"s state stat ", "S", add_state},
    {"ni nice ", "NI", add_nice},
    {"nlwp thcount ", "NLWP", add_threads},
    {"pgid pgrp ", "PGID", add_group_leader},
    {"sid sess session ", "SID", add_session},
};

const struct process_column *process_column(const char *name, size_t length) {
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        for (const char *at = known[i].names; *at; at = strchr(at, ' ') + 1) {
            if (length > 0 && strncmp(at, name, length) == 0 && at[length] == ' ') {
                return &known[i];
            }
        }
    }
    return NULL;
}

void process_columns_add_names(struct buf *buf) {
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        buf_add_format(buf, "%s%.*s", i > 0 ? ", " : "", (int)strcspn(known[i].names, " "), known[i].names);
    }
}
