// What is said to criu and understood of it, byte by byte as protocol buffers have it.
#include "tests/unit/check.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/kernel/criu_message.h"

#include <string.h>

static bool holds(const struct buf *buf, const char *bytes, size_t size) {
    return buf->size == size && memcmp(buf->data, bytes, size) == 0;
}

CASE(fields_are_written) {
    AUTO_BUF struct buf options = {0};
    criu_put_number(&options, CRIU_PID, 300);
    criu_put_flag(&options, CRIU_SHELL_JOB, true);
    criu_put_flag(&options, CRIU_FILE_LOCKS, false);
    criu_put_string(&options, CRIU_ROOT, "/r");
    CHECK(holds(&options, "\x10\xac\x02\x38\x01\x6a\x02/r", 9));
    buf_clear(&options);
    criu_put_number(&options, CRIU_MANAGE_CGROUPS_MODE, 0); // a number above 15 takes two bytes
    CHECK(holds(&options, "\x90\x02\x00", 3));
}

CASE(messages_within_are_written) {
    AUTO_BUF struct buf options = {0};
    criu_put_pair(&options, CRIU_EXT_MOUNT, "k", "v");
    CHECK(holds(&options, "\xba\x01\x06\x0a\x01k\x12\x01v", 9));
    buf_clear(&options);
    criu_put_pair(&options, CRIU_CGROUP_ROOT, NULL, "/c");
    CHECK(holds(&options, "\xca\x01\x04\x12\x02/c", 7));
    buf_clear(&options);
    criu_put_named_number(&options, CRIU_INHERIT_FD, "p", 1);
    CHECK(holds(&options, "\xda\x01\x05\x0a\x01p\x10\x01", 8));
}

CASE(requests_are_written) {
    AUTO_BUF struct buf options = {0};
    AUTO_BUF struct buf request = {0};
    criu_put_number(&options, CRIU_PID, 1);
    criu_put_request(&request, CRIU_DUMP, &options, false);
    CHECK(holds(&request, "\x08\x01\x12\x02\x10\x01", 6));
    buf_clear(&request);
    criu_put_request(&request, CRIU_NOTIFY, NULL, false);
    CHECK(holds(&request, "\x08\x06\x18\x00", 4));
    buf_clear(&request);
    criu_put_request(&request, CRIU_NOTIFY, NULL, true);
    CHECK(holds(&request, "\x08\x06\x18\x01", 4));
}

static int decode(const char *bytes, size_t size, struct criu_reply *reply, struct err *err) {
    return criu_reply_decode(bytes, size, reply, err);
}

CASE(replies_are_read) {
    struct criu_reply reply;
    struct err err = {0};
    CHECK(decode("\x08\x02\x10\x01\x22\x03\x08\xac\x02", 9, &reply, &err) == 0);
    CHECK(reply.type == CRIU_RESTORE && reply.success && reply.pid == 300 && reply.errnum == 0);
    CHECK(decode("\x08\x06\x10\x01\x2a\x06\x0a\x02ok\x10\x07", 12, &reply, &err) == 0);
    CHECK(reply.type == CRIU_NOTIFY && reply.pid == 7);
    CHECK_STR(reply.script, "ok");
    CHECK(decode("\x08\x01\x10\x00\x38\x0d\x4a\x03" "bad", 11, &reply, &err) == 0);
    CHECK(reply.type == CRIU_DUMP && !reply.success && reply.errnum == 13);
    CHECK_STR(reply.text, "bad");
}

CASE(unknown_fields_are_passed_over) {
    struct criu_reply reply;
    struct err err = {0};
    // A varint, eight bytes, four bytes and a run of bytes.
    CHECK(decode("\x08\x01\x10\x01\x78\x05\x79" "12345678" "\x7d" "1234" "\x7a\x02" "ab", 24, &reply, &err) == 0);
    CHECK(reply.type == CRIU_DUMP && reply.success);
}

CASE(a_failed_restore_has_no_process) {
    struct criu_reply reply;
    struct err err = {0};
    // -1, as criu says then
    CHECK(decode("\x08\x02\x10\x00\x22\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 17, &reply, &err) == 0);
    CHECK(!reply.success && reply.pid == -1);
    CHECK(decode("\x08\x02\x10\x01\x22\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 17, &reply, &err) < 0);
    CHECK_STR(err.text, "criu answered with the process id -1");
}

CASE(long_text_is_cut) {
    AUTO_BUF struct buf message = {0};
    char text[2 * CRIU_TEXT_SIZE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    criu_put_number(&message, 1, CRIU_DUMP);
    criu_put_string(&message, 9, text);
    struct criu_reply reply;
    struct err err = {0};
    CHECK(criu_reply_decode(message.data, message.size, &reply, &err) == 0);
    CHECK_INT(strlen(reply.text), CRIU_TEXT_SIZE - 1);
}

CASE(what_is_no_reply_is_refused) {
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"", 0},                                                 // no type
        {"\x10\x01", 2},                                         // the same
        {"\x08", 1},                                             // a number that is missing
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12}, // or too long
        {"\x08\x01\x22\x7f", 4},                                 // a run that is longer than what is left
        {"\x08\x01\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13},
        {"\x08\x01\x0b", 3},     // a kind that version 2 has no more
        {"\x08\x01\x79\x01", 4}, // eight bytes that are one
        {"\x08\x01\x2a\x02\x0a\x05", 6}, // inside a notification
        {"\x0a\x01\x01", 3},     // a type that is text
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct criu_reply reply;
        struct err err = {0};
        CHECK(decode(wrong[i].bytes, wrong[i].size, &reply, &err) < 0);
        CHECK(err.kind == ERR_CORRUPT);
        CHECK_STR(err.text, "criu answered with what is no reply");
    }
}

int main(void) {
    RUN(fields_are_written);
    RUN(messages_within_are_written);
    RUN(requests_are_written);
    RUN(replies_are_read);
    RUN(unknown_fields_are_passed_over);
    RUN(a_failed_restore_has_no_process);
    RUN(long_text_is_cut);
    RUN(what_is_no_reply_is_refused);
    return check_done();
}
