#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/control.h"

#include <sys/socket.h>

CASE(last_words_are_heard_behind_what_was_not) {
    int pair[2];
    char room[CONTROL_MAX_BYTES];
    struct control_message message;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK_INT(control_send(pair[0], &(struct control_message){.kind = CONTROL_RESIZE, .value = 80, .extra = 25}), 0);
    CHECK_INT(control_send(pair[1], &(struct control_message){.kind = CONTROL_ENDED, .value = 7, .size = 3, .bytes = "why"}), 0);
    fd_close(&pair[1]);
    CHECK_INT(control_receive(pair[0], room, &message), 1);
    CHECK_INT(message.kind, CONTROL_ENDED);
    CHECK_INT(message.value, 7);
    CHECK_INT(message.size, 3);
    CHECK(memcmp(message.bytes, "why", 3) == 0);
    CHECK_INT(control_receive(pair[0], room, &message), 0);
    fd_close(&pair[0]);
}

CASE(what_is_no_message_ends_it) {
    int pair[2];
    char room[CONTROL_MAX_BYTES];
    struct control_message message;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(send(pair[1], "x", 1, 0) == 1);
    CHECK_INT(control_receive(pair[0], room, &message), -1);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

int main(void) {
    RUN(last_words_are_heard_behind_what_was_not);
    RUN(what_is_no_message_ends_it);
    return check_done();
}
