#include "tests/unit/check.h"

#include "cli/options.h"
#include "cli/suggest.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"

#include <stdint.h>

struct limits {
    struct opt_i64 memory, swap, cpus, pids;
};

struct request {
    bool interactive, terminal, remove;
    struct opt_bool init;
    const char *name;
    struct strv env;
    struct limits limits;
    struct opt_i64 wait;
    int pull;
};

static const char *const pulls[] = {"always", "missing", "never", NULL};

static const struct option_row limit_rows[] = {
    OPTION_BYTES("memory", 'm', "BYTES", struct limits, memory, "Memory"),
    OPTION_BYTES("memory-swap", 0, "BYTES", struct limits, swap, "Memory and swap", .min = -1),
    OPTION_CPUS("cpus", 0, "NUMBER", struct limits, cpus, "Processors"),
    OPTION_INT("pids-limit", 0, "NUMBER", -1, 4194304, struct limits, pids, "Processes"),
    {0},
};

static const struct option_row rows[] = {
    OPTION_FLAG("interactive", 'i', struct request, interactive, "Keep input open"),
    OPTION_FLAG("tty", 't', struct request, terminal, "Make a terminal"),
    OPTION_FLAG("rm", 0, struct request, remove, "Remove afterwards"),
    OPTION_OPT_FLAG("init", 0, struct request, init, "Run an init"),
    OPTION_STRING("name", 0, "NAME", struct request, name, "Name"),
    OPTION_LIST("env", 'e', "NAME[=VALUE]", struct request, env, "Environment"),
    OPTION_GROUP("Limits"),
    OPTION_ROWS(limit_rows, struct request, limits, struct limits),
    OPTION_GROUP("Other"),
    OPTION_DURATION("wait", 0, "TIME", struct request, wait, "Wait so long"),
    OPTION_CHOICE("pull", 0, "WHEN", pulls, struct request, pull, "When to pull"),
    {0},
};

enum { MOST_WORDS = 32 };

// A command line, parsed; the words are split at blanks, with _ for an empty word.
struct parsed {
    char text[256];
    char *list[MOST_WORDS];
    struct option_words words;
    struct request request;
    struct err err;
    int result;
};

static void parse(struct parsed *parsed, const char *text, bool options_first) {
    *parsed = (struct parsed){.words = {.words = parsed->list, .options_first = options_first}};
    snprintf(parsed->text, sizeof(parsed->text), "%s", text);
    for (char *word = strtok(parsed->text, " "); word; word = strtok(NULL, " ")) {
        parsed->list[parsed->words.count++] = strcmp(word, "_") == 0 ? word + 1 : word;
    }
    parsed->result = options_parse(rows, &parsed->request, &parsed->words, &parsed->err);
}

static void finish(struct parsed *parsed) {
    options_finish(rows, &parsed->request);
}

#define AUTO_PARSED AUTO(finish)

CASE(all_ways_to_write_an_option) {
    AUTO_PARSED struct parsed p;
    parse(&p, "-it --name web -e A=1 -eB=2 -e=C=3 --env D=4 --env=E=5 -m512m --cpus 1.5 --pids-limit -1 one --rm two", false);
    CHECK_INT(p.result, 0);
    CHECK(p.request.interactive && p.request.terminal && p.request.remove);
    CHECK_STR(p.request.name, "web");
    CHECK_INT(p.request.env.count, 5);
    CHECK_STR(p.request.env.items[1], "B=2");
    CHECK_STR(p.request.env.items[2], "C=3");
    CHECK_STR(p.request.env.items[4], "E=5");
    CHECK_INT(p.request.limits.memory.value, 512 << 20);
    CHECK_INT(p.request.limits.cpus.value, 1500000000);
    CHECK(p.request.limits.pids.set && p.request.limits.pids.value == -1);
    CHECK(!p.request.limits.swap.set && !p.request.init.set);
    CHECK_INT(p.words.count, 2);
    CHECK_STR(p.list[0], "one");
    CHECK_STR(p.list[1], "two");
    CHECK(p.list[2] == NULL);
}

CASE(flags_take_a_value_only_behind_an_equals_sign) {
    AUTO_PARSED struct parsed p;
    parse(&p, "--rm=false -i=true -t=0 --init=f -- --rm", false);
    CHECK_INT(p.result, 0);
    CHECK(!p.request.remove && p.request.interactive && !p.request.terminal);
    CHECK(p.request.init.set && !p.request.init.value);
    CHECK_STR(p.list[0], "--rm");
}

CASE(the_first_operand_ends_the_options_of_run) {
    AUTO_PARSED struct parsed p;
    parse(&p, "-i image ls -l --rm -- x", true);
    CHECK_INT(p.result, 0);
    CHECK(p.request.interactive && !p.request.remove);
    CHECK_INT(p.words.count, 6);
    CHECK_STR(p.list[0], "image");
    CHECK_STR(p.list[2], "-l");
    CHECK_STR(p.list[4], "--");
}

CASE(two_dashes_end_the_options) {
    AUTO_PARSED struct parsed p;
    parse(&p, "-i -- -t -- x", false);
    CHECK_INT(p.words.count, 3);
    CHECK_STR(p.list[0], "-t");
    CHECK_STR(p.list[1], "--");
    AUTO_PARSED struct parsed one;
    parse(&one, "- --name -- -", false); // a lone dash is an operand; an option takes whatever comes next
    CHECK_INT(one.result, 0);
    CHECK_STR(one.request.name, "--");
    CHECK_INT(one.words.count, 2);
}

CASE(help_stops_the_reading) {
    AUTO_PARSED struct parsed p;
    parse(&p, "--help --nonsense", true);
    CHECK(p.result == 0 && p.words.help);
    AUTO_PARSED struct parsed letter;
    parse(&letter, "-ih", true);
    CHECK(letter.result == 0 && letter.words.help);
    AUTO_PARSED struct parsed behind;
    parse(&behind, "image --help", true);
    CHECK(behind.result == 0 && !behind.words.help && behind.words.count == 2);
}

CASE(what_is_wrong_is_said_in_one_sentence) {
    static const struct {
        const char *words, *message;
    } wrong[] = {
        {"--memroy 5", "unknown flag --memroy; did you mean --memory?"},
        {"--mem=5", "unknown flag --mem; did you mean --memory?"},
        {"--xyzzy", "unknown flag --xyzzy"},
        {"--", NULL},
        {"-z", "unknown flag -z"},
        {"-itz", "unknown flag -z in -itz"},
        {"--name", "--name: expected NAME behind it, found nothing"},
        {"-ie", "-e: expected NAME[=VALUE] behind it, found nothing"},
        {"--memory 5q", "--memory: expected a number of bytes, perhaps with b, k, m or g behind it as in 512m, found \"5q\""},
        {"-m -1", "-m: expected a number of bytes, perhaps with b, k, m or g behind it as in 512m, found \"-1\""},
        {"--memory-swap x",
         "--memory-swap: expected a number of bytes, perhaps with b, k, m or g behind it as in 512m, or -1, found \"x\""},
        {"--memory _", "--memory: expected a number of bytes, perhaps with b, k, m or g behind it as in 512m, found \"\""},
        {"--cpus=-1", "--cpus: expected a number of CPUs such as 1.5, found \"-1\""},
        {"--pids-limit 4194305", "--pids-limit: expected a whole number from -1 to 4194304, found \"4194305\""},
        {"--pids-limit 1x", "--pids-limit: expected a whole number from -1 to 4194304, found \"1x\""},
        {"--rm=maybe", "--rm: expected true or false, found \"maybe\""},
        {"-t=", "-t: expected true or false, found \"\""},
        {"--pull alwys", "--pull: expected always, missing or never, found \"alwys\""},
        {"--wait 5", "--wait: expected a length of time such as 90s or 1m30s, found \"5\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_PARSED struct parsed p;
        parse(&p, wrong[i].words, false);
        if (wrong[i].message) {
            CHECK_INT(p.result, -1);
            CHECK_INT(p.err.kind, ERR_INPUT);
            CHECK_STR(p.err.text, wrong[i].message);
        } else {
            CHECK_INT(p.result, 0);
        }
    }
}

CASE(long_words_do_no_harm) {
    static char word[5000] = "--";
    memset(word + 2, 'm', sizeof(word) - 3);
    struct request request = {0};
    char *list[] = {word, NULL};
    struct option_words words = {.words = list, .count = 1};
    struct err err = {0};
    CHECK_INT(options_parse(rows, &request, &words, &err), -1);
    CHECK(strncmp(err.text, "unknown flag --mmmm", 19) == 0);
}

CASE(the_walk_knows_groups_and_offsets) {
    struct option_walk walk = {rows};
    int count = 0;
    while (option_next(&walk)) {
        if (strcmp(walk.row->name, "cpus") == 0) {
            CHECK_STR(walk.group, "Limits");
            CHECK_INT(walk.offset, offsetof(struct request, limits.cpus));
        } else if (strcmp(walk.row->name, "pull") == 0) {
            CHECK_STR(walk.group, "Other");
        } else if (strcmp(walk.row->name, "rm") == 0) {
            CHECK(walk.group == NULL);
        }
        count++;
    }
    CHECK_INT(count, 12);
}

CASE(distances) {
    CHECK_INT(suggest_distance("memroy", "memory"), 1);
    CHECK_INT(suggest_distance("", "abc"), 3);
    CHECK_INT(suggest_distance("kitten", "sitting"), 3);
    CHECK_INT(suggest_distance("same", "same"), 0);
    CHECK_INT(suggest_distance("ca", "abc"), 3); // a swapped pair is not edited again
}

CASE(suggestions) {
    struct suggest near = {.given = "imgae"};
    suggest_offer(&near, "images");
    suggest_offer(&near, "image");
    suggest_offer(&near, "inspect");
    CHECK_STR(near.best, "image");
    struct suggest nothing = {.given = "xy"};
    suggest_offer(&nothing, "ps");
    suggest_offer(&nothing, "rm");
    CHECK(nothing.best == NULL);
    struct suggest few = {.given = "foo"};
    suggest_offer(&few, "root"); // more than half of what was given is not near
    CHECK(few.best == NULL);
}

CASE(quantities) {
    static const struct {
        const char *text;
        int64_t bytes; // -2: none
    } sizes[] = {{"0", 0},           {"512", 512},
                 {"64k", 65536},     {"1.5g", 1610612736},
                 {"2 MiB", 2 << 20}, {"1GB", 1 << 30},
                 {"1t", 1LL << 40},  {"-1", -1},
                 {"-2", -2},         {"", -2},
                 {"k", -2},          {"1.m", -2},
                 {"1e3", -2},        {"9999999999g", -2},
                 {"0x10", -2},       {"1  k", -2},
                 {"8192p", -2},      {"8191p", 8191LL << 50}};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        int64_t bytes = -2;
        CHECK_INT(quantity_bytes(sizes[i].text, &bytes), sizes[i].bytes == -2 ? -1 : 0);
        CHECK_INT(bytes, sizes[i].bytes);
    }
    int64_t value = 7;
    CHECK(quantity_decimal("0.000000001", 9, &value) == 0 && value == 1);
    CHECK(quantity_decimal("0.0000000001", 9, &value) == -1);
    CHECK(quantity_decimal("1e1", 9, &value) == -1);
    CHECK(quantity_decimal("99999999999", 9, &value) == -1 && value == 1);
    CHECK(quantity_duration_ms("1h30m1.5s250ms", &value) == 0 && value == 5401750);
    CHECK(quantity_duration_ms("0", &value) == 0 && value == 0);
    CHECK(quantity_duration_ms("5", &value) == -1 && quantity_duration_ms("5x", &value) == -1 &&
          quantity_duration_ms("", &value) == -1);
    CHECK(quantity_int("-9223372036854775808", &value) == 0 && value == INT64_MIN);
    CHECK(quantity_int("9223372036854775808", &value) == -1 && quantity_int("+1", &value) == -1 &&
          quantity_int(" 1", &value) == -1);
}

int main(void) {
    RUN(all_ways_to_write_an_option);
    RUN(flags_take_a_value_only_behind_an_equals_sign);
    RUN(the_first_operand_ends_the_options_of_run);
    RUN(two_dashes_end_the_options);
    RUN(help_stops_the_reading);
    RUN(what_is_wrong_is_said_in_one_sentence);
    RUN(long_words_do_no_harm);
    RUN(the_walk_knows_groups_and_offsets);
    RUN(distances);
    RUN(suggestions);
    RUN(quantities);
    return check_done();
}
