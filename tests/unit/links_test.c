// Links to containers' ids: what is written short is read whole, and only its owner's is removed.
#include "runtime/engine/links.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int folder_fd;

// An id of 64 digits from a number.
static const char *id_of(unsigned number, char id[RECORD_ID_SIZE]) {
    for (unsigned i = 0; i < RECORD_ID_SIZE - 1; i++) {
        number = number * 1103515245u + 12345u;
        id[i] = "0123456789abcdef"[number >> 16 & 15];
    }
    id[RECORD_ID_SIZE - 1] = '\0';
    return id;
}

CASE(whole_again_and_short) {
    for (unsigned i = 0; i < 1000; i++) {
        char id[RECORD_ID_SIZE], found[RECORD_ID_SIZE], text[PATH_MAX];
        CHECK_INT(links_make(folder_fd, "name", id_of(i, id)), 0);
        CHECK(links_read(folder_fd, "name", found));
        CHECK_STR(found, id);
        CHECK(readlinkat(folder_fd, "name", text, sizeof(text)) < 60);
        links_release(folder_fd, "name", id);
        CHECK(!links_read(folder_fd, "name", found));
    }
}

CASE(taken_is_taken) {
    char one[RECORD_ID_SIZE], other[RECORD_ID_SIZE], found[RECORD_ID_SIZE];
    CHECK_INT(links_make(folder_fd, "name", id_of(1, one)), 0);
    CHECK_INT(links_make(folder_fd, "name", id_of(2, other)), -1);
    CHECK_INT(errno, EEXIST);
    links_release(folder_fd, "name", other);
    CHECK(links_read(folder_fd, "name", found));
    CHECK_INT(links_make(folder_fd, "second", other), 0);
    CHECK_INT(links_make(folder_fd, "third", one), 0);
    links_remove(folder_fd, one);
    CHECK(!links_read(folder_fd, "name", found));
    CHECK(!links_read(folder_fd, "third", found));
    CHECK(links_read(folder_fd, "second", found));
    links_remove(folder_fd, other);
}

CASE(what_is_no_link_of_ours_is_nobodys) {
    char found[RECORD_ID_SIZE];
    CHECK_INT(symlinkat("short", folder_fd, "name"), 0);
    CHECK(!links_read(folder_fd, "name", found));
    CHECK_INT(unlinkat(folder_fd, "name", 0), 0);
    CHECK_INT(symlinkat("../../../../../../../../../etc/passwd.......", folder_fd, "name"), 0);
    CHECK(!links_read(folder_fd, "name", found));
    CHECK_INT(unlinkat(folder_fd, "name", 0), 0);
    // Of the right length it is an id in any case, and nothing that leads elsewhere.
    CHECK_INT(symlinkat("../../../../../../../../../../../etc/passwd", folder_fd, "name"), 0);
    CHECK(links_read(folder_fd, "name", found));
    CHECK_INT(strspn(found, "0123456789abcdef"), RECORD_ID_SIZE - 1);
    CHECK_INT(unlinkat(folder_fd, "name", 0), 0);
}

int main(void) {
    char folder[] = "/tmp/coffer-unit-test.XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RUN(whole_again_and_short);
    RUN(taken_is_taken);
    RUN(what_is_no_link_of_ours_is_nobodys);
    close(folder_fd);
    CHECK_INT(rmdir(folder), 0);
    return check_done();
}
