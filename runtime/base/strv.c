#include "runtime/base/strv.h"

#include "runtime/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strv_finish(struct strv *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct strv){0};
}

void strv_give(struct strv *list, char *give_text) {
    // The room is a power of two and follows from the count: grow when count + 1 (with the NULL) reaches it.
    size_t needed = list->count + 2;
    if (!list->items || (needed & (needed - 1)) == 0) {
        list->items = mem_resize(list->items, needed * 2, sizeof(*list->items));
    }
    list->items[list->count++] = give_text;
    list->items[list->count] = NULL;
}

void strv_add(struct strv *list, const char *text) {
    strv_give(list, mem_copy_string(text));
}

void strv_add_format(struct strv *list, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    strv_give(list, length < 0 ? mem_copy_string("") : text);
}

bool strv_has(const struct strv *list, const char *text) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void strv_set_env(struct strv *list, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    assert(equals);
    size_t name_size = (size_t)(equals - assignment) + 1;
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], assignment, name_size) == 0) {
            free(list->items[i]);
            list->items[i] = mem_copy_string(assignment);
            return;
        }
    }
    strv_add(list, assignment);
}
