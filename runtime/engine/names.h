// Names for containers whose users gave none.
#ifndef COFFER_ENGINE_NAMES_H
#define COFFER_ENGINE_NAMES_H

struct arena;

// "amber_harbour": two words chosen by the random id; each attempt gives another pair.
const char *names_make_up(struct arena *arena, const char *id, unsigned attempt);

#endif
