#include "tests/unit/check.h"

#include "runtime/kernel/names.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>

CASE(every_capability_is_found_by_its_name) {
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        CHECK(name_of_capability(i) != NULL);
        CHECK_INT(name_capability(name_of_capability(i)), i);
        CHECK_INT(name_capability(name_of_capability(i) + 4), i);
    }
    CHECK_INT(name_capability("net_admin"), CAP_NET_ADMIN);
    CHECK_INT(name_capability("CAP_"), -1);
    CHECK_INT(name_capability(""), -1);
    CHECK_INT(name_capability("ALL"), -1);
    CHECK_INT(name_capability("CAP_CAP_KILL"), -1);
    CHECK(name_of_capability(-1) == NULL);
    CHECK(name_of_capability(CAP_LAST_CAP + 1) == NULL);
}

CASE(every_rlimit_is_found_by_its_name) {
    for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
        CHECK(name_of_rlimit(i) != NULL);
        CHECK_INT(name_rlimit(name_of_rlimit(i)), i);
    }
    CHECK_INT(name_rlimit("nofile"), RLIMIT_NOFILE);
    CHECK_INT(name_rlimit("RLIMIT_"), -1);
    CHECK(name_of_rlimit(RLIM_NLIMITS) == NULL);
}

CASE(every_signal_is_found_by_name_and_number) {
    char room[SIGNAL_NAME_SIZE];
    for (int i = 1; i <= SIGNAL_MAX; i++) {
        const char *name = name_of_signal(i, room);
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        CHECK_INT(name_signal(number), i);
        if (i == 32 || i == 33) {
            CHECK(name == NULL); // the C library's own
            continue;
        }
        CHECK(name != NULL);
        CHECK_INT(name_signal(name), i);
        CHECK_INT(name_signal(name + 3), i);
    }
    CHECK_STR(name_of_signal(SIGTERM, room), "SIGTERM");
    CHECK_STR(name_of_signal(37, room), "SIGRTMIN+3");
    CHECK(name_of_signal(0, room) == NULL);
    CHECK(name_of_signal(65, room) == NULL);
}

CASE(signals_are_written_in_many_ways) {
    static const struct {
        const char *name;
        int signal;
    } rows[] = {
        {"term", SIGTERM},  {"SigKill", SIGKILL}, {"IOT", SIGABRT},    {"SIGCLD", SIGCHLD}, {"poll", SIGIO},  {"RTMIN", 34},
        {"RTMIN+30", 64},   {"SIGRTMIN+3", 37},   {"rtmax", 64},       {"SIGRTMAX-30", 34}, {"RTMIN+31", -1}, {"RTMAX+1", -1},
        {"RTMIN-1", -1},    {"RTMIN+", -1},       {"RTMIN+1x", -1},    {"0", -1},           {"65", -1},       {"015", -1},
        {"-9", -1},         {"+9", -1},           {" 9", -1},          {"9 ", -1},          {"", -1},         {"SIG", -1},
        {"SIGSIGTERM", -1}, {"RTMIN +1", -1},     {"99999999999", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int found = name_signal(rows[i].name);
        if (found != rows[i].signal) {
            printf("# signal \"%s\"\n", rows[i].name);
        }
        CHECK_INT(found, rows[i].signal);
    }
}

int main(void) {
    RUN(every_capability_is_found_by_its_name);
    RUN(every_rlimit_is_found_by_its_name);
    RUN(every_signal_is_found_by_name_and_number);
    RUN(signals_are_written_in_many_ways);
    return check_done();
}
