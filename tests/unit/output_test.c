#include "tests/unit/check.h"

#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

enum { COLUMN_ID, COLUMN_NAME, COLUMN_SIZE, COLUMN_LABELS };

static const struct table_column columns[] = {
    [COLUMN_ID] = {"ID", "IMAGE ID", TABLE_QUIET, .cut = 4},
    [COLUMN_NAME] = {"Name", "NAME"},
    [COLUMN_SIZE] = {"Size", "SIZE", TABLE_RIGHT},
    [COLUMN_LABELS] = {"Labels", "LABELS", TABLE_HIDDEN},
    {0},
};

static void fill(struct table *table) {
    table_row(table);
    table_set(table, COLUMN_ID, "0123456789");
    table_set(table, COLUMN_NAME, "web");
    table_set(table, COLUMN_SIZE, "%dMB", 7);
    table_row(table);
    table_set(table, COLUMN_ID, "abcdefghij");
    table_set(table, COLUMN_NAME,
              "gr\xc3\xbc\xc3\x9f"
              "e-\"\n\033[2J");
    table_set(table, COLUMN_SIZE, "120MB");
    table_set(table, COLUMN_LABELS, "a=b");
}

static void check_form(const struct list_options *options, bool colour, const char *expected, int line) {
    AUTO_TABLE struct table table = {.columns = columns};
    AUTO_BUF struct buf buf = {0};
    struct err err = {0};
    fill(&table);
    const char *found = table_format(&table, options, colour, &buf, &err) < 0 ? err.text : buf_string(&buf);
    if (strcmp(found, expected) != 0) {
        printf("# from line %d\n", line);
    }
    CHECK_STR(found, expected);
}

#define CHECK_FORM(options, colour, expected) check_form(&(struct list_options)options, colour, expected, __LINE__)
#define OPTIONS(...)                                                                                                               \
    { __VA_ARGS__ }

CASE(columns_are_aligned_and_safe_for_a_terminal) {
    CHECK_FORM(OPTIONS(0), false,
               "IMAGE ID   NAME                  SIZE\n"
               "0123       web                    7MB\n"
               "abcd       gr\xc3\xbc\xc3\x9f"
               "e-\"\\x0a\\x1b[2J   120MB\n");
    CHECK_FORM(OPTIONS(.format = "table", .whole = true), true,
               "\033[1mIMAGE ID     NAME                  SIZE\033[0m\n"
               "0123456789   web                    7MB\n"
               "abcdefghij   gr\xc3\xbc\xc3\x9f"
               "e-\"\\x0a\\x1b[2J   120MB\n");
}

CASE(other_forms_of_a_table) {
    CHECK_FORM(OPTIONS(.quiet = true), true, "0123\nabcd\n");
    CHECK_FORM(OPTIONS(.format = "json"), true,
               "{\"ID\":\"0123\",\"Name\":\"web\",\"Size\":\"7MB\",\"Labels\":\"\"}\n"
               "{\"ID\":\"abcd\",\"Name\":\"gr\xc3\xbc\xc3\x9f"
               "e-\\\"\\\\x0a\\\\x1b[2J\",\"Size\":\"120MB\",\"Labels\":\"a=b\"}\n");
    CHECK_FORM(OPTIONS(.format = "{{.ID}}\\t{{ .Size }}!"), false, "0123\t7MB!\nabcd\t120MB!\n");
    CHECK_FORM(OPTIONS(.format = "{{json .Labels}}", .quiet = true), false, "\"\"\n\"a=b\"\n");
    CHECK_FORM(OPTIONS(.format = "table {{.Size}}\\t{{.ID}}"), false, "SIZE    IMAGE ID\n7MB     0123\n120MB   abcd\n");
}

CASE(wrong_templates) {
    CHECK_FORM(OPTIONS(.format = "{{.Id}}"), false,
               "--format: expected one of .ID, .Name, .Size, .Labels between {{ and }}, found \".Id\"");
    CHECK_FORM(OPTIONS(.format = "{{}}"), false,
               "--format: expected one of .ID, .Name, .Size, .Labels between {{ and }}, found \"\"");
    CHECK_FORM(OPTIONS(.format = "a {{.ID"), false, "--format: expected }} behind \"{{.ID\"");
    AUTO_TABLE struct table empty = {.columns = columns};
    AUTO_BUF struct buf buf = {0};
    struct err err = {0};
    CHECK_INT(table_format(&empty, &(struct list_options){.format = "{{.No}}"}, false, &buf, &err), -1);
    CHECK_INT(table_format(&empty, &(struct list_options){0}, false, &buf, &err), 0);
    CHECK_STR(buf_string(&buf), "IMAGE ID   NAME   SIZE\n");
}

CASE(sizes_for_people) {
    static const struct {
        int64_t bytes;
        const char *size, *memory;
    } rows[] = {{0, "0B", "0B"},
                {999, "999B", "999B"},
                {1000, "1kB", "1000B"},
                {12345678, "12.3MB", "11.77MiB"},
                {999999, "1MB", "976.6KiB"},
                {536870912, "537MB", "512MiB"},
                {INT64_MAX, "9.22EB", "8EiB"}};
    char text[OUTPUT_HUMAN_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_STR(output_human_size(rows[i].bytes, text), rows[i].size);
        CHECK_STR(output_human_memory(rows[i].bytes, text), rows[i].memory);
    }
}

CASE(times_for_people) {
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {{-5, "Less than a second"}, {1, "1 second"},          {59, "59 seconds"},         {60, "About a minute"},
                {3599, "59 minutes"},       {7199, "About an hour"},  {86400, "24 hours"},        {3 * 86400, "3 days"},
                {20 * 86400, "2 weeks"},    {90 * 86400, "3 months"}, {1000 * 86400LL, "2 years"}};
    char text[OUTPUT_HUMAN_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_STR(output_human_duration(rows[i].seconds, text), rows[i].text);
    }
}

CASE(log_lines_as_runc_writes_them) {
    AUTO_BUF struct buf buf = {0};
    messages_format_json(&buf, LOG_LEVEL_ERROR, "mount \"/proc\":\n\x01", 1700000000);
    CHECK_STR(buf_string(&buf),
              "{\"level\":\"error\",\"msg\":\"mount \\\"/proc\\\":\\n\\u0001\",\"time\":\"2023-11-14T22:13:20Z\"}\n");
    buf_clear(&buf);
    messages_format_text(&buf, LOG_LEVEL_WARNING, "slow", 0);
    CHECK_STR(buf_string(&buf), "time=\"1970-01-01T00:00:00Z\" level=warning msg=\"slow\"\n");
}

CASE(json_is_utf8_without_control_characters) {
    AUTO_BUF struct buf buf = {0};
    output_add_json(&buf, "a\t\x7f\xff\xc3\xbc\xc2\x9b\xed\xa0\x80\xf0\x9f\x98\x80");
    CHECK_STR(buf_string(&buf), "\"a\\t\\u007f\xef\xbf\xbd\xc3\xbc\\u009b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\"");
}

CASE(progress_of_an_item) {
    AUTO_BUF struct buf buf = {0};
    progress_format(&buf, "layer 1a2b3c", 50000000, 100000000, 80);
    CHECK_STR(buf_string(&buf), "layer 1a2b3c             [==========>         ] 50MB/100MB");
    buf_clear(&buf);
    progress_format(&buf, "layer 1a2b3c", 7, 5, 80); // a total that was wrong
    CHECK_STR(buf_string(&buf), "layer 1a2b3c             [====================] 7B/5B");
    buf_clear(&buf);
    progress_format(&buf, "layer", 1234567, 0, 80);
    CHECK_STR(buf_string(&buf), "layer                    1.23MB");
    buf_clear(&buf);
    progress_format(&buf, "layer", 1, 2, 40);
    CHECK_STR(buf_string(&buf), "layer                    1B/2B");
}

CASE(progress_in_a_pipe_is_one_line_an_item) {
    int ends[2];
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    AUTO_FD int reader = ends[0], writer = ends[1];
    {
        AUTO_PROGRESS struct progress *progress = progress_create(writer);
        unsigned first = progress_add(progress, "one"), second = progress_add(progress, "two\n");
        progress_set(progress, first, 1, 2);
        progress_done(progress, second, "unpacked");
        progress_done(progress, first, "was there");
    }
    CHECK_INT(progress_add(NULL, "nothing"), 0);
    fd_close(&writer);
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err err = {0};
    CHECK_INT(fd_read_rest(reader, 1000, "pipe", &text, &size, &err), 0);
    CHECK_STR(text, "two\\x0a: unpacked\none: was there\n");
}

int main(void) {
    RUN(progress_of_an_item);
    RUN(progress_in_a_pipe_is_one_line_an_item);
    RUN(columns_are_aligned_and_safe_for_a_terminal);
    RUN(other_forms_of_a_table);
    RUN(wrong_templates);
    RUN(sizes_for_people);
    RUN(times_for_people);
    RUN(log_lines_as_runc_writes_them);
    RUN(json_is_utf8_without_control_characters);
    return check_done();
}
