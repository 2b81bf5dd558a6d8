// A growing list of strings that it owns, with a NULL behind the last one, as execve(2) wants it. Zeroed is empty.
#ifndef COFFER_BASE_STRV_H
#define COFFER_BASE_STRV_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct strv {
    char **items; // NULL while empty
    size_t count;
};

void strv_finish(struct strv *list);
#define AUTO_STRV AUTO(strv_finish)

void strv_add(struct strv *list, const char *text); // copies
void strv_add_format(struct strv *list, const char *format, ...) PRINTF_LIKE(2, 3);
void strv_give(struct strv *list, char *give_text); // takes a malloc'd string
bool strv_has(const struct strv *list, const char *text);

// Sets or replaces NAME=VALUE by its name. `assignment` must hold a '='.
void strv_set_env(struct strv *list, const char *assignment);

#endif
