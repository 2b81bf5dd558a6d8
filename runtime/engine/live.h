// live: what there is of a container only while a command works on it: ROOT/containers/STORE/ID with its hosts, hostname and
// resolv.conf, which each start writes anew. An ended container leaves nothing there.
//
// That the folder is there is also the note by which the next command finds what a killed one left behind, without a look at all
// containers of the store: it is made before anything else of a container, and goes last. A reboot takes all notes away; so the
// first command that finds no file .swept beside them looks at the whole store.
#ifndef COFFER_ENGINE_LIVE_H
#define COFFER_ENGINE_LIVE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;
struct home;

// Makes the folder; one that is there is fine.
int live_make(const struct home *home, const char *id, struct err *err) MUST_CHECK;

// Removes it with all that is in it; one that is not there is fine. What cannot be removed is told as a warning.
void live_remove(const struct home *home, const char *id);

// Removes the files that each start writes; the folder, and the monitor's socket in it, stay.
void live_empty(const struct home *home, const char *id);

// Calls `look` for all that have a folder. Returns whether the whole store has been looked at since the reboot.
bool live_each(const struct home *home, void (*look)(const struct home *home, const char *id));

// Says that it has.
void live_set_swept(const struct home *home);

#endif
