#include "runtime/kernel/mountinfo.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 64 << 20, POINT_FIELD = 4 };

void mountinfo_unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

// A line: ID PARENT MAJOR:MINOR ROOT MOUNT_POINT OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS
static char *point_of_type(char *line, const char *type) {
    char *tail = strstr(line, " - ");
    size_t length = strlen(type);
    if (!tail || strncmp(tail + 3, type, length) != 0 || tail[3 + length] != ' ') {
        return NULL;
    }
    char *state = NULL, *field = strtok_r(line, " ", &state);
    for (int i = 0; field && i < POINT_FIELD; i++) {
        field = strtok_r(NULL, " ", &state);
    }
    return field;
}

int mountinfo_find_type(const char *type, char **ret, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MAX_BYTES, &text, &size, err) < 0) {
        return -1;
    }
    *ret = NULL;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line && !*ret; line = strtok_r(NULL, "\n", &state)) {
        char *point = point_of_type(line, type);
        if (point) {
            mountinfo_unescape(point);
            *ret = mem_copy_string(point);
        }
    }
    return 0;
}

uint64_t mountinfo_parent(const char *text, uint64_t id) {
    for (const char *line = text; *line;) {
        char *end;
        if (strtoull(line, &end, 10) == id) {
            return strtoull(end, NULL, 10);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return 0;
}

char *mountinfo_point(const char *text, uint64_t id) {
    const char *line = text;
    while (*line && strtoull(line, NULL, 10) != id) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    for (int i = 0; i < POINT_FIELD && *line; i++) {
        line += strcspn(line, " \n");
        line += *line == ' ';
    }
    if (!*line) {
        return NULL;
    }
    char *point = mem_format("%.*s", (int)strcspn(line, " \n"), line);
    mountinfo_unescape(point);
    return point;
}
