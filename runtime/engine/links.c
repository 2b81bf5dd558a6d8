#include "runtime/engine/links.h"

#include "runtime/base/dir.h"

#include <string.h>
#include <unistd.h>

static const char hex[] = "0123456789abcdef";
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { TRIPLES = (RECORD_ID_SIZE - 1) / 3, TEXT_LENGTH = 2 * TRIPLES + 1 };
_Static_assert(3 * TRIPLES + 1 == RECORD_ID_SIZE - 1, "one digit is left over, which stands for itself");

static unsigned value_of(const char *alphabet, char letter) {
    const char *at = letter ? strchr(alphabet, letter) : NULL;
    return at ? (unsigned)(at - alphabet) : 0;
}

static void pack(const char *container, char text[TEXT_LENGTH + 1]) {
    for (unsigned i = 0; i < TRIPLES; i++) {
        const char *digits = container + 3 * i;
        unsigned bits = value_of(hex, digits[0]) << 8 | value_of(hex, digits[1]) << 4 | value_of(hex, digits[2]);
        text[2 * i] = letters[bits >> 6];
        text[2 * i + 1] = letters[bits & 63];
    }
    text[TEXT_LENGTH - 1] = container[RECORD_ID_SIZE - 2];
    text[TEXT_LENGTH] = '\0';
}

static void unpack(const char *text, char container[RECORD_ID_SIZE]) {
    for (unsigned i = 0; i < TRIPLES; i++) {
        unsigned bits = value_of(letters, text[2 * i]) << 6 | value_of(letters, text[2 * i + 1]);
        container[3 * i] = hex[bits >> 8];
        container[3 * i + 1] = hex[bits >> 4 & 15];
        container[3 * i + 2] = hex[bits & 15];
    }
    container[RECORD_ID_SIZE - 2] = hex[value_of(hex, text[TEXT_LENGTH - 1])];
    container[RECORD_ID_SIZE - 1] = '\0';
}

int links_make(int dir_fd, const char *name, const char *container) {
    char text[TEXT_LENGTH + 1];
    pack(container, text);
    return symlinkat(text, dir_fd, name);
}

bool links_read(int dir_fd, const char *name, char ret_container[RECORD_ID_SIZE]) {
    char text[TEXT_LENGTH + 1];
    if (readlinkat(dir_fd, name, text, sizeof(text)) != TEXT_LENGTH) {
        return false;
    }
    unpack(text, ret_container);
    return true;
}

void links_release(int dir_fd, const char *name, const char *container) {
    char owner[RECORD_ID_SIZE];
    if (links_read(dir_fd, name, owner) && strcmp(owner, container) == 0) {
        unlinkat(dir_fd, name, 0);
    }
}

void links_remove(int dir_fd, const char *container) {
    AUTO_DIR DIR *stream = dir_stream(dir_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        links_release(dir_fd, entry->d_name, container);
    }
}
