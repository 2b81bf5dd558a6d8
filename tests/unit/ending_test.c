#include "tests/unit/check.h"

#include "runtime/engine/ending.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/seccomp_log.h"

#include <signal.h>

static const char log_text[] =
    "<5>[ 3849.1] audit: type=1326 audit(1700000000.265:47): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=28282 comm=\"mkdir\" "
    "exe=\"/bin/busybox\" sig=31 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x80000000\n"
    "<6>[ 3849.2] br0: port 1 entered disabled state\n"
    "<5>[ 3849.3] audit: type=1326 audit(1700000005.265:48): auid=1 uid=0 gid=0 ses=1 pid=28282 comm=2070696431 "
    "exe=\"/bin/syscall=9\" sig=31 arch=c00000b7 syscall=34 compat=0 ip=0x47b567 code=0x80000000\n"
    "<5>[ 3849.4] audit: type=1326 audit(1700000006.265:49): auid=1 uid=0 gid=0 ses=1 pid=7 comm=\"x\" exe=\"/x\" sig=31 arch=c000003e "
    "syscall=99999 compat=0 ip=0x1 code=0x80000000\n"
    "<5>[ 3849.5] audit: type=1326 audit(1700000006.265:50): auid=1 uid=0 gid=0 ses=1 pid=8 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e "
    "syscall=83 compat=0 ip=0x1 code=0x7ffc0000\n"
    "<5>[ 3849.6] audit: type=1326 audit(17000";

CASE(the_newest_record_of_the_process_counts) {
    struct seccomp_kill found;
    CHECK(seccomp_log_parse(log_text, 28282, 1700000000, &found));
    CHECK_STR(found.name, "mkdirat"); // the second, of aarch64
    CHECK_INT(found.number, 34);
    CHECK(!seccomp_log_parse(log_text, 28282, 1700000006, &found)); // of one that had the number before
    CHECK(!seccomp_log_parse(log_text, 2828, 0, &found));
    CHECK(!seccomp_log_parse("", 28282, 0, &found));
}

CASE(a_number_without_a_name_is_told_as_such) {
    struct seccomp_kill found;
    CHECK(seccomp_log_parse(log_text, 7, 0, &found));
    CHECK_STR(found.name, "");
    CHECK_INT(found.number, 99999);
}

CASE(what_was_only_noted_has_killed_nobody) {
    struct seccomp_kill found;
    CHECK(!seccomp_log_parse(log_text, 8, 0, &found));
}

static void check_explained(const struct record *record, const char *sentence, const char *words) {
    char text[ENDING_TEXT_SIZE];
    CHECK_STR(ending_explain(record, text), sentence);
    CHECK_STR(ending_words(record, text), words);
}

CASE(ends_are_explained) {
    check_explained(&(struct record){.exit_code = 3}, "", "");
    check_explained(&(struct record){.exit_signal = SIGKILL, .exit_code = 137}, "", "");
    check_explained(&(struct record){.exit_signal = SIGKILL, .out_of_memory = true, .memory_limit_bytes = 4096},
                    "it was killed, as its memory limit of 4096 bytes was reached (--memory)", "out of memory");
    check_explained(&(struct record){.out_of_memory = true, .memory_limit_bytes = 4096},
                    "a process in it was killed, as its memory limit of 4096 bytes was reached (--memory)", "out of memory");
    check_explained(&(struct record){.exit_signal = SIGKILL, .out_of_memory = true},
                    "it was killed for its memory, though not by a limit of its own: the host, or a group above it, had none left",
                    "out of memory");
    check_explained(&(struct record){.exit_signal = SIGSYS, .system_call = 83, .system_call_name = "mkdir"},
                    "it was killed by its system call filter, for system call mkdir, number 83 (--security-opt seccomp)",
                    "system call mkdir denied");
    check_explained(&(struct record){.exit_signal = SIGSYS, .system_call = 999},
                    "it was killed by its system call filter, for system call number 999 (--security-opt seccomp)",
                    "system call denied");
    check_explained(&(struct record){.exit_signal = SIGSYS, .system_call = -1},
                    "it was killed by its system call filter; for which call is in the kernel's audit log, where one is kept",
                    "system call denied");
}

int main(void) {
    RUN(the_newest_record_of_the_process_counts);
    RUN(a_number_without_a_name_is_told_as_such);
    RUN(what_was_only_noted_has_killed_nobody);
    RUN(ends_are_explained);
    return check_done();
}
