#include "runtime/engine/boot.h"

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/view.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { MOST_JOBS = 64 };

// What a starter has to say, in memory that we share with it.
struct word {
    bool failed;
    struct err err;
};

struct job {
    size_t item;
    int pidfd;
    int64_t began_ms, until_ms; // 0: as long as it takes
};

struct work {
    const struct engine *engine;
    struct arena *arena;
    struct boot *boot;
    struct word *words; // one an item
    bool *done, *begun;
    struct job jobs[MOST_JOBS];
    size_t job_count, most_at_once;
    int64_t health_ms;
};

// --- in a process of its own, which the container's monitor is a clone of ---

static bool has_health(const struct engine *engine, const char *id) {
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_ARENA struct arena arena = {0};
    struct view view;
    struct err gone;
    return home_open(engine, &home, &gone) == 0 && view_read(&home, &arena, id, &view, &gone) == 0 && view.health != HEALTH_NONE;
}

static void start_one(const struct work *work, const struct boot_item *item, struct word *word) {
    struct engine_end end;
    word->failed = engine_start(work->engine, item->id, &(struct engine_attach){0}, &end, &word->err) < 0;
    if (!word->failed && item->is_waited_for && has_health(work->engine, item->id)) {
        word->failed = engine_wait_healthy(work->engine, item->id, &word->err) < 0;
    }
    _exit(0);
}

// --- in ours ---

static void finish(struct work *work, size_t number, enum boot_result result, const char *reason) {
    work->boot->items[number].result = result;
    work->boot->items[number].reason = arena_copy_string(work->arena, reason);
    work->done[number] = true;
}

static int begin(struct work *work, size_t number, struct err *err) {
    struct boot_item *item = &work->boot->items[number];
    struct job *job = &work->jobs[work->job_count];
    *job = (struct job){.item = number, .began_ms = clock_now_ms()};
    // What is waited for to become healthy has a bound, the rest has its own.
    job->until_ms = item->is_waited_for ? job->began_ms + work->health_ms : 0;
    work->begun[number] = true;
    // Taken back by its own word: that it was killed is no success.
    work->words[number].failed = true;
    err_set(&work->words[number].err, ERR_STATE, "what started it was killed");
    pid_t pid = process_clone(0, -1, &job->pidfd);
    if (pid == 0) {
        start_one(work, item, &work->words[number]);
    }
    if (pid < 0) {
        return err_sys(err, "start a process");
    }
    work->job_count++;
    return 0;
}

static const struct boot_item *broken_need(const struct work *work, const struct boot_item *item, bool *ret_ready) {
    *ret_ready = true;
    for (size_t i = 0; i < item->after_count; i++) {
        const struct boot_item *before = &work->boot->items[item->after[i]];
        if (!work->done[item->after[i]]) {
            *ret_ready = false;
        } else if (before->result == BOOT_FAILED || before->result == BOOT_SKIPPED) {
            return before;
        }
    }
    return NULL;
}

// All that can begin. Whether anything has changed.
static int begin_ready(struct work *work, bool *ret_changed, struct err *err) {
    *ret_changed = false;
    for (size_t i = 0; i < work->boot->count; i++) {
        bool ready;
        struct boot_item *item = &work->boot->items[i];
        if (work->done[i] || work->begun[i]) {
            continue;
        }
        const struct boot_item *broken = broken_need(work, item, &ready);
        if (broken) {
            finish(work, i, BOOT_SKIPPED, arena_format(work->arena, "it needs %s", broken->name));
            *ret_changed = true;
        } else if (ready && work->job_count < work->most_at_once && begin(work, i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void end_job(struct work *work, size_t index, bool in_time) {
    struct job job = work->jobs[index];
    struct boot_item *item = &work->boot->items[job.item];
    const struct word *word = &work->words[job.item];
    siginfo_t end;
    if (!in_time) {
        sys_pidfd_send_signal(job.pidfd, SIGKILL);
    }
    process_reap(job.pidfd, &end);
    fd_close(&job.pidfd);
    item->took_ms = clock_now_ms() - job.began_ms;
    if (!in_time) {
        finish(work, job.item, BOOT_FAILED, "it runs, but did not become healthy in time");
    } else {
        enum boot_result good = item->result == BOOT_RUNS ? BOOT_RUNS : BOOT_STARTED;
        finish(work, job.item, word->failed ? BOOT_FAILED : good, word->failed ? word->err.text : "");
    }
    work->jobs[index] = work->jobs[--work->job_count];
}

static void wait_for_one(struct work *work) {
    struct pollfd polls[MOST_JOBS];
    int64_t now_ms = clock_now_ms(), least_ms = INT_MAX;
    for (size_t i = 0; i < work->job_count; i++) {
        polls[i] = (struct pollfd){.fd = work->jobs[i].pidfd, .events = POLLIN};
        int64_t left_ms = work->jobs[i].until_ms ? work->jobs[i].until_ms - now_ms : INT_MAX;
        least_ms = left_ms < 0 ? 0 : left_ms < least_ms ? left_ms : least_ms;
    }
    if (poll(polls, work->job_count, least_ms == INT_MAX ? -1 : (int)least_ms) < 0) {
        return; // interrupted
    }
    now_ms = clock_now_ms();
    for (size_t i = work->job_count; i-- > 0;) {
        bool ended = polls[i].revents != 0;
        if (ended || (work->jobs[i].until_ms && now_ms >= work->jobs[i].until_ms)) {
            end_job(work, i, ended);
        }
    }
}

static int run_all(struct work *work, struct err *err) {
    for (size_t i = 0; i < work->boot->count; i++) {
        const struct boot_item *item = &work->boot->items[i];
        // One that runs has nothing to be done, unless somebody waits for it.
        work->done[i] = item->result == BOOT_SKIPPED || (item->result == BOOT_RUNS && !item->is_waited_for);
    }
    for (;;) {
        bool changed;
        if (begin_ready(work, &changed, err) < 0) {
            return -1;
        }
        if (work->job_count > 0) {
            wait_for_one(work);
        } else if (!changed) {
            return 0;
        }
    }
}

int boot_run(const struct engine *engine, struct arena *arena, struct boot *boot, size_t most_at_once, int64_t health_ms,
             struct err *err) {
    struct work work = {
        .engine = engine,
        .arena = arena,
        .boot = boot,
        .done = arena_array(arena, boot->count + 1, sizeof(bool)),
        .begun = arena_array(arena, boot->count + 1, sizeof(bool)),
        .most_at_once = most_at_once < 1 ? 1 : most_at_once < MOST_JOBS ? most_at_once : MOST_JOBS,
        .health_ms = health_ms,
    };
    if (boot->count == 0) {
        return 0;
    }
    memset(work.done, 0, boot->count * sizeof(bool));
    memset(work.begun, 0, boot->count * sizeof(bool));
    size_t size = boot->count * sizeof(*work.words);
    work.words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (work.words == MAP_FAILED) {
        return err_sys(err, "get memory");
    }
    int result = run_all(&work, err);
    munmap(work.words, size);
    return result;
}
