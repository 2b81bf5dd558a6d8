#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/toml.h"

#include <stdlib.h>

static struct arena arena;

static const struct toml_table *parse(const char *text) {
    struct toml_table *root = NULL;
    struct err err = {0};
    if (toml_parse("x.conf", text, strlen(text), &arena, &root, &err) < 0) {
        printf("# %s\n", err.text);
    }
    return root;
}

// What parsing says; "" when it likes the text.
static const char *complaint(const char *text) {
    static struct err err;
    struct toml_table *root;
    err = (struct err){0};
    if (toml_parse("x.conf", text, strlen(text), &arena, &root, &err) < 0) {
        CHECK_INT(err.kind, ERR_INPUT);
    }
    return err.text;
}

CASE(values_of_every_kind) {
    const struct toml_table *root = parse("# a comment\n"
                                          "name = \"a\\tb \\u00e9 \\\"\" # behind\r\n"
                                          "path = 'C:\\x'\n"
                                          "yes = true\nno=false\n"
                                          "count = -12\nmore = +7\n"
                                          "list = [ \"one\", # first\n 'two',\n]\n"
                                          "none = []\n"
                                          "\"quoted key\" = \"q\"\n");
    CHECK(root != NULL);
    if (!root) {
        return;
    }
    CHECK_STR(toml_find(root, "name")->string, "a\tb \xc3\xa9 \"");
    CHECK_INT(toml_find(root, "name")->line, 2);
    CHECK_STR(toml_find(root, "path")->string, "C:\\x");
    CHECK(toml_find(root, "yes")->kind == TOML_BOOL && toml_find(root, "yes")->boolean);
    CHECK(toml_find(root, "no")->kind == TOML_BOOL && !toml_find(root, "no")->boolean);
    CHECK_INT(toml_find(root, "count")->integer, -12);
    CHECK_INT(toml_find(root, "more")->integer, 7);
    const struct toml_value *list = toml_find(root, "list");
    CHECK(list->kind == TOML_STRINGS && list->count == 2 && !list->strings[2]);
    CHECK_STR(list->strings[0], "one");
    CHECK_STR(list->strings[1], "two");
    CHECK_INT(toml_find(root, "none")->count, 0);
    CHECK_STR(toml_find(root, "quoted key")->string, "q");
    CHECK_INT(toml_find(root, "quoted key")->line, 12);
    CHECK(!toml_find(root, "nothing"));
}

CASE(tables_and_arrays_of_them) {
    const struct toml_table *root = parse("[[registry]]\nlocation = 'a'\n"
                                          "[[registry.mirror]]\nlocation = 'a1'\n[[registry.mirror]]\nlocation = 'a2'\n"
                                          "[[registry]]\nlocation = 'b'\n"
                                          "[ one . \"two\" ]\nx = 'deep'\n[one]\ny = 1\nz.w = 'dotted'\n");
    CHECK(root != NULL);
    if (!root) {
        return;
    }
    const struct toml_value *list = toml_find(root, "registry");
    CHECK(list->kind == TOML_TABLES && list->count == 2);
    const struct toml_table *first = list->table, *second = first->next;
    CHECK_INT(second->line, 7);
    CHECK_STR(toml_find(second, "location")->string, "b");
    CHECK(!toml_find(second, "mirror"));
    const struct toml_value *mirrors = toml_find(first, "mirror");
    CHECK_INT(mirrors->count, 2);
    CHECK_STR(toml_find(mirrors->table->next, "location")->string, "a2");
    const struct toml_table *one = toml_find(root, "one")->table;
    CHECK_STR(toml_find(toml_find(one, "two")->table, "x")->string, "deep");
    CHECK_STR(toml_find(toml_find(one, "z")->table, "w")->string, "dotted");
}

CASE(nothing_is_a_document) {
    CHECK(parse("") && !parse("")->values);
    CHECK(parse("\n# only this") && !parse("  \t\r\n")->values);
}

CASE(what_is_wrong_is_named_with_its_line) {
    CHECK_STR(complaint("a = 1\n\nlocation =\n"),
              "x.conf: line 3: expected a value behind \"location =\", found the end of the line");
    CHECK_STR(complaint("a = 1\nlocation"), "x.conf: line 2: expected = behind the key \"location\", found the end of the file");
    CHECK_STR(complaint("= 1"), "x.conf: line 1: expected a key, found \"=\"");
    CHECK_STR(complaint("a = 'b' c"), "x.conf: line 1: expected the end of the line behind the value, found \"c\"");
    CHECK_STR(complaint("[a] b"), "x.conf: line 1: expected the end of the line behind the table's name, found \"b\"");
    CHECK_STR(complaint("[a\n"), "x.conf: line 1: expected ] behind the table's name, found the end of the line");
    CHECK_STR(complaint("[[a]\n"), "x.conf: line 1: expected ]] behind the table's name, found \"]\"");
    CHECK_STR(complaint("[]\n"), "x.conf: line 1: expected a key, found \"]\"");
    CHECK_STR(complaint("a = \"b\n"), "x.conf: line 1: a string does not end on its line; expected \"");
    CHECK_STR(complaint("a = 'b"), "x.conf: line 1: a string does not end on its line; expected '");
    CHECK_STR(complaint("a = \"\\x\""), "x.conf: line 1: a string holds an escape that is not known; expected one of "
                                        "\\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
    CHECK_STR(complaint("a = \"\\e\""), "x.conf: line 1: a string holds an escape that is not known; expected one of "
                                        "\\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
    CHECK_STR(complaint("a = \"\\u12\""), "x.conf: line 1: expected 4 hexadecimal digits behind \\u in a string");
    CHECK_STR(complaint("a = \"\\U0011000\""), "x.conf: line 1: expected 8 hexadecimal digits behind \\U in a string");
    CHECK_STR(complaint("a = \"\\u0000\""), "x.conf: line 1: a string holds the escape of U+0000, which is no character");
    CHECK_STR(complaint("a = \"\\ud800\""), "x.conf: line 1: a string holds the escape of U+D800, which is no character");
    CHECK_STR(complaint("a = \"\x1b\""), "x.conf: line 1: a string holds the control character 0x1b");
    CHECK_STR(complaint("# \x1b"), "x.conf: line 1: a comment holds the control character 0x1b");
    CHECK_STR(complaint("a = [ 'b'\n 'c' ]"), "x.conf: line 2: expected , or ] in an array, found \"'c'\"");
    CHECK_STR(complaint("a = [ 1 ]"), "x.conf: line 1: expected a string or ] in an array, found \"1\"");
    CHECK_STR(complaint("a = [ 'b',\n\n"), "x.conf: line 3: expected a string or ] in an array, found the end of the file");
}

CASE(what_is_not_read_is_refused_by_name) {
    CHECK_STR(complaint("a = \"\"\"b\"\"\""), "x.conf: line 1: strings over several lines are not read; write it on one line");
    CHECK_STR(complaint("a = '''b'''"), "x.conf: line 1: strings over several lines are not read; write it on one line");
    CHECK_STR(complaint("a = { b = 1 }"), "x.conf: line 1: inline tables are not read; write a table of its own for \"a\"");
    CHECK_STR(complaint("a = 1.5"),
              "x.conf: line 1: expected a string in quotes, true, false, a whole number or an array of strings as "
              "value of \"a\", found \"1.5\"");
    CHECK_STR(complaint("a = 2026-11-26"),
              "x.conf: line 1: expected a string in quotes, true, false, a whole number or an array of "
              "strings as value of \"a\", found \"2026-11-26\"");
    CHECK_STR(complaint("a = yes"),
              "x.conf: line 1: expected a string in quotes, true, false, a whole number or an array of strings as "
              "value of \"a\", found \"yes\"");
    CHECK_STR(complaint("a = +-5"),
              "x.conf: line 1: expected a string in quotes, true, false, a whole number or an array of strings as "
              "value of \"a\", found \"+-5\"");
}

CASE(nothing_is_said_twice) {
    CHECK_STR(complaint("a = 1\na = 2"), "x.conf: line 2: \"a\" is there already, as a number, since line 1");
    CHECK_STR(complaint("[a]\n[a]"), "x.conf: line 2: \"a\" is there already, as a table, since line 1");
    CHECK_STR(complaint("[a]\n[[a]]"), "x.conf: line 2: \"a\" is there already, as a table, since line 1");
    CHECK_STR(complaint("[[a]]\n[a]"), "x.conf: line 2: \"a\" is there already, as an array of tables, since line 1");
    CHECK_STR(complaint("a = 'x'\n[a.b]"), "x.conf: line 2: \"a\" is there already, as a string, since line 1");
    CHECK_STR(complaint("a = ['x']\n[[a]]"), "x.conf: line 2: \"a\" is there already, as an array of strings, since line 1");
    CHECK_STR(complaint("a.b = 1\n[a]"), "x.conf: line 2: \"a\" is there already, as a table, since line 1");
    CHECK_STR(complaint("a = true\na.b = 1"), "x.conf: line 2: \"a\" is there already, as true or false, since line 1");
}

CASE(size_depth_and_count_are_bounded) {
    struct err err = {0};
    struct toml_table *root;
    char *text = malloc(TOML_MAX_BYTES + 1);
    memset(text, '\n', TOML_MAX_BYTES + 1);
    CHECK(toml_parse("x.conf", text, TOML_MAX_BYTES, &arena, &root, &err) == 0);
    CHECK(toml_parse("x.conf", text, TOML_MAX_BYTES + 1, &arena, &root, &err) < 0);
    CHECK_STR(err.text, "x.conf: is larger than 1048576 bytes");
    size_t size = 0;
    for (int i = 0; i <= TOML_MAX_VALUES; i++) {
        size += (size_t)sprintf(text + size, "[[a]]\n");
    }
    CHECK(toml_parse("x.conf", text, size, &arena, &root, &err) < 0);
    CHECK_STR(err.text, "x.conf: line 8193: the document has more than 8192 values");
    free(text);
    CHECK_STR(complaint("a.b.c.d.e.f.g.h = 1"), "");
    CHECK_STR(complaint("a.b.c.d.e.f.g.h.i = 1"), "x.conf: line 1: a key has more than 8 names");
}

int main(void) {
    RUN(values_of_every_kind);
    RUN(tables_and_arrays_of_them);
    RUN(nothing_is_a_document);
    RUN(what_is_wrong_is_named_with_its_line);
    RUN(what_is_not_read_is_refused_by_name);
    RUN(nothing_is_said_twice);
    RUN(size_depth_and_count_are_bounded);
    arena_finish(&arena);
    return check_done();
}
