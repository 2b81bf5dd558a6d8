// record: a container's folder in the store: what the user wished for, and what it left when it ended.
//
// Its lock (flock(2) on the folder) is held by the command that runs the container for as
// long as it runs, and let go by the kernel however that command ends. So a folder whose lock is free belongs to nobody alive:
// record_sweep() removes it if it was never finished or was to be removed at the end, and leaves it as "exited" otherwise. It finds
// it by the run-time folder (live.h), which is made first and removed last.
//
// What an ended container keeps is bounded: record.json, what it wrote, and a folder each: 16 KiB on ext4 and a few entries.
#ifndef COFFER_ENGINE_RECORD_H
#define COFFER_ENGINE_RECORD_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct home;

enum { RECORD_ID_SIZE = 65, RECORD_SHORT_ID = 12, RECORD_EXIT_UNKNOWN = 255 };

struct record {
    char id[RECORD_ID_SIZE];
    const char *name;
    const char *image;    // as the user named it
    const char *image_id; // sha256:...
    const char *command;  // for people
    const char *user;     // "name[:group]" of its process, looked up inside; of the request, or the image's
    const char *request;  // what was wished for, as JSON (request_json.h)
    const char *mounts;   // what of it is mounted, as JSON (mount_list.h)
    const char *networks; // that it is on, as JSON (attachment.h)
    int64_t created_s;    // since 1970
    int64_t created_ns;   // of that second
    int64_t started_s;
    int64_t finished_s; // 0: not yet
    int exit_code;      // RECORD_EXIT_UNKNOWN: it is not known
    int64_t pid;        // of its process while it runs; else 0
    bool exit_unknown;  // nobody saw how it ended: its monitor had been killed
    bool started;       // at least once
    int exit_signal;    // that has killed its process; 0: it has exited
    bool out_of_memory; // the kernel has killed something in it for want of memory
    int64_t memory_limit_bytes; // then: its own limit, which was reached; 0: it was another's
    int system_call;            // where exit_signal is SIGSYS: which one; -1: nobody knows
    const char *system_call_name;
    bool stopped;       // by the user's wish
    bool restarting;    // it has ended and will be started again
    int64_t restarts;
    bool remove;    // --rm
    bool has_range; // of user ids
    uint32_t first_id;
};

enum record_state { RECORD_CREATED, RECORD_RUNNING, RECORD_PAUSED, RECORD_RESTARTING, RECORD_EXITED, RECORD_STATE_COUNT };

struct record_dir {
    int fd; // the lock
    char id[RECORD_ID_SIZE];
};

void record_dir_finish(struct record_dir *dir);
#define AUTO_RECORD_DIR AUTO(record_dir_finish)

// Makes the folder of a new container with a random id, locked, and takes the name (NULL: one is made up). A taken name is
// ERR_EXISTS and says whose it is. *ret_name lives in the arena.
int record_create(const struct home *home, struct arena *arena, const char *name, struct record_dir *ret_dir, const char **ret_name,
                  struct err *err) MUST_CHECK;

// Writes record.json as a whole.
int record_write(const struct record_dir *dir, const struct record *record, struct err *err) MUST_CHECK;
int record_read(const struct home *home, struct arena *arena, const char *id, struct record *ret, struct err *err) MUST_CHECK;

// Gives it another name, in the record too. The caller holds the lock.
int record_rename(const struct home *home, const struct record_dir *dir, struct record *record, const char *name,
                  struct err *err) MUST_CHECK;

// Which was made first: below 0, 0 or above it, as strcmp(3).
int record_order(const struct record *left, const struct record *right);

// What it is in: by its record, and by what there is of it.
enum record_state record_state(const struct home *home, const struct record *record);
const char *record_state_name(enum record_state state);

// A name, an id, or the beginning of one that fits one container only.
int record_find(const struct home *home, const char *text, char ret_id[RECORD_ID_SIZE], struct err *err) MUST_CHECK;

// For who reads a container's files without its lock: its folder, and whether its removal has not begun, at the end. The check needs no
// more than a look into the folder, whose descriptor is the context.
int record_open_folder(const struct home *home, const char *id, struct err *err) MUST_CHECK;
int record_check_kept(void *folder_fd, struct err *err) MUST_CHECK;

bool record_exists(const struct home *home, const char *id);

// Whether a command holds the container's lock: it runs.
bool record_is_running(const struct home *home, const char *id);

// Opens and locks the folder of a container that does not run; ERR_STATE when it does.
int record_lock(const struct home *home, const char *id, struct record_dir *ret_dir, struct err *err) MUST_CHECK;

// Whether its monitor was killed, and it goes on. The caller holds the lock, or has seen that nobody does.
bool record_runs_alone(const struct home *home, const char *id);

// Removes run-time state, writable layer, range of ids, name and folder; volumes of its own when told, and with --rm. The caller
// holds the lock.
int record_remove(const struct home *home, struct record_dir *dir, bool volumes, struct err *err) MUST_CHECK;

// Removes what only a running container needs: its run-time folder and overlay's work directory. The caller holds the lock.
void record_settle(const struct home *home, const struct record_dir *dir);

// All ids, in no order: a NULL-terminated array in the arena.
int record_list(const struct home *home, struct arena *arena, const char ***ret_ids, struct err *err) MUST_CHECK;

// What was found of one container, and done about it.
enum record_repair {
    RECORD_IN_ORDER, // somebody looks after it, or it does not run
    RECORD_ADOPTED,  // its monitor was killed, and it goes on with another one
    RECORD_ALONE,    // it goes on without one
    RECORD_SETTLED,  // it has ended without a monitor: it is "exited" now
    RECORD_REMOVED,  // it was never whole, or was to be removed at its end
    RECORD_NOT_REPAIRED,
};

// Never fails; logs what it cannot do.
enum record_repair record_repair(const struct home *home, const char *id);

// The same for who is about to use the container, or has found in the way what is its: nothing is done where nothing runs.
void record_repair_live(const struct home *home, const char *id);

// Repairs what commands that were killed left behind; where many containers run, of some of them, drawn anew each time. Never fails; logs
// what it cannot do.
void record_sweep(const struct home *home);

#endif
