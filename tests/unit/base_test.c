#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

CASE(errors_read_outermost_act_first) {
    struct err err = {0};
    errno = ENOENT;
    CHECK_INT(err_sys(&err, "open %s", "/proc"), -1);
    CHECK_INT(err.errnum, ENOENT);
    CHECK_INT(err_in(&err, "start %s", "web"), -1);
    CHECK_STR(err.text, "start web: open /proc: No such file or directory");
    CHECK_INT(err.kind, ERR_SYSTEM);
    CHECK_INT(err.errnum, ENOENT);
}

CASE(a_long_error_keeps_its_beginning) {
    char word[2 * ERR_TEXT_SIZE];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    struct err err = {0};
    err_set(&err, ERR_INPUT, "%s", word);
    err_in(&err, "load image");
    CHECK_INT(strlen(err.text), ERR_TEXT_SIZE - 1);
    CHECK(strncmp(err.text, "load image: xxx", 15) == 0);
}

CASE(arena_memory_is_zeroed_aligned_and_large_if_asked) {
    AUTO_ARENA struct arena arena = {0};
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        unsigned char *memory = arena_alloc(&arena, size);
        CHECK_INT((uintptr_t)memory % 16, 0);
        CHECK_INT(memory[0] | memory[size - 1], 0);
        memset(memory, 0xff, size);
    }
    CHECK_STR(arena_format(&arena, "%s-%d", "a", 7), "a-7");
}

CASE(buf_grows_and_is_a_string) {
    AUTO_BUF struct buf buf = {0};
    CHECK_STR(buf_string(&buf), "");
    for (int i = 0; i < 1000; i++) {
        buf_add_format(&buf, "%d,", i % 10);
    }
    CHECK_INT(buf.size, 2000);
    CHECK_INT(strlen(buf_string(&buf)), 2000);
    buf_clear(&buf);
    CHECK_STR(buf_string(&buf), "");
}

CASE(strv_is_an_argument_vector) {
    AUTO_STRV struct strv list = {0};
    for (int i = 0; i < 100; i++) {
        strv_add_format(&list, "V%d=%d", i, i);
        CHECK(list.items[list.count] == NULL);
    }
    strv_set_env(&list, "V7=seven");
    strv_set_env(&list, "NEW=1");
    CHECK_STR(list.items[7], "V7=seven");
    CHECK_INT(list.count, 101);
    CHECK(strv_has(&list, "NEW=1"));
}

CASE(files_are_read_whole_and_bounded) {
    struct err err = {0};
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    CHECK_INT(fd_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &size, &err), 0);
    CHECK(size > 100 && strlen(text) == size);
    AUTO_FREE char *again = NULL;
    CHECK_INT(fd_read_file(AT_FDCWD, "/proc/self/status", 10, &again, &size, &err), -1);
    CHECK_STR(err.text, "/proc/self/status: is larger than 10 bytes");
}

CASE(a_taken_descriptor_is_not_closed) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    {
        AUTO_FD int owner = fd;
        CHECK_INT(fd_take(&owner), fd);
    }
    CHECK(fcntl(fd, F_GETFD) >= 0);
    fd_close(&fd);
    CHECK_INT(fd, -1);
}

int main(void) {
    RUN(errors_read_outermost_act_first);
    RUN(a_long_error_keeps_its_beginning);
    RUN(arena_memory_is_zeroed_aligned_and_large_if_asked);
    RUN(buf_grows_and_is_a_string);
    RUN(strv_is_an_argument_vector);
    RUN(files_are_read_whole_and_bounded);
    RUN(a_taken_descriptor_is_not_closed);
    return check_done();
}
