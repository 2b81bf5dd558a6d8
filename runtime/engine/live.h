// live: what there is of a container only while a command works on it: ROOT/containers/STORE/ID with its hosts, hostname and
// resolv.conf, which each start writes anew. An ended container leaves nothing there.
//
// That the folder is there is also the note by which the next command finds what a killed one left behind, without a look at all
// containers of the store: it is made before anything else of a container, and goes last. A reboot takes all notes away; so the
// first command that finds no link .swept beside them looks at the whole store.
//
// Where the run-time root lies on a disk the notes outlive the reboot, and what they tell of does not. The link's text is the boot's id,
// by which that is seen: processes and control groups that bear the old names and numbers are strangers then, and left alone.
#ifndef COFFER_ENGINE_LIVE_H
#define COFFER_ENGINE_LIVE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;
struct home;

// Forgets what an earlier boot has left: to be called before anything of the run-time root is believed.
void live_begin(const struct home *home);

// Makes the folder; one that is there is fine.
int live_make(const struct home *home, const char *id, struct err *err) MUST_CHECK;

// Whether it is there: a command works on the container, or one that did was killed.
bool live_is_there(const struct home *home, const char *id);

// A named pipe in it, made anew: what a container writes to. It can be read from by who comes after a monitor that was killed, and has a
// reader in who writes to it: no write of it fails for want of one. Returns both ends.
int live_make_pipe(const struct home *home, const char *id, const char *name, int *ret_write_fd, struct err *err) MUST_CHECK;

// The end to read, which does not wait; -1 where there is none.
int live_open_pipe(const struct home *home, const char *id, const char *name);

// Removes it with all that is in it; one that is not there is fine. What cannot be removed is told as a warning.
void live_remove(const struct home *home, const char *id);

// Removes the files that each start writes; the folder, and the monitor's socket in it, stay.
void live_empty(const struct home *home, const char *id);

// Calls `look` for all that have a folder. Returns whether the whole store has been looked at since the reboot.
bool live_each(const struct home *home, void (*look)(const struct home *home, const char *id));

// The same for some of them, each time the next, where there are many: what a killed command left is found by one of the next, and no
// command takes longer for the containers that run beside its own.
bool live_some(const struct home *home, void (*look)(const struct home *home, const char *id));

// Says that it has.
void live_set_swept(const struct home *home);

#endif
