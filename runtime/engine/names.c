#include "runtime/engine/names.h"

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdlib.h>
#include <string.h>

static const char *const firsts[] = {
    "amber",  "brisk",  "calm",   "clear", "coral",  "crisp",  "dapper", "dusky",  "eager",  "early", "fabled", "fleet",  "gentle",
    "gilded", "hardy",  "hazel",  "jolly", "keen",   "lively", "lucid",  "mellow", "merry",  "misty", "noble",  "olive",  "patient",
    "placid", "plucky", "proud",  "quick", "quiet",  "rapid",  "ready",  "rosy",   "ruddy",  "sage",  "serene", "silent", "silver",
    "snug",   "solid",  "spry",   "stark", "steady", "sunny",  "swift",  "tidy",   "tranquil", "trim", "vivid", "warm",   "wise",
};

static const char *const seconds[] = {
    "anchor",  "anvil",  "arbour", "basin",  "beacon", "birch",  "brook",  "canyon", "cedar",  "chest",  "cliff",  "comet",  "cove",
    "crane",   "delta",  "dune",   "ember",  "falcon", "fern",   "fjord",  "forge",  "garnet", "glade",  "grove",  "harbour", "heron",
    "island",  "ivy",    "jetty",  "kestrel", "lagoon", "lantern", "larch", "ledge",  "linden", "maple",  "marsh",  "meadow", "orchard",
    "osprey",  "otter",  "pebble", "pier",   "quarry", "reef",   "ridge",  "rowan",  "sparrow", "spruce", "summit", "thicket", "willow",
};

const char *names_make_up(struct arena *arena, const char *id, unsigned attempt) {
    char digits[9] = "";
    strncpy(digits, id, sizeof(digits) - 1);
    unsigned long seed = strtoul(digits, NULL, 16) + attempt * 7919UL;
    return arena_format(arena, "%s_%s", firsts[seed % ARRAY_LEN(firsts)], seconds[seed / ARRAY_LEN(firsts) % ARRAY_LEN(seconds)]);
}
