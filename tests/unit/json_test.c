#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/json.h"

#include <stdlib.h>

static const struct json_name colour_names[] = {{"blue", 4}, {"green", 2}, {"red", 1}, {NULL, 0}};

struct leaf {
    const char *name;
    uint32_t size;
};

static const struct json_row leaf_rows[] = {
    ROW_U32("size", struct leaf, size, JSON_NEEDED),
};
static const struct json_table leaf_table = JSON_TABLE(struct leaf, leaf_rows);

struct tree {
    const char *label;
    bool evergreen;
    int32_t height;
    uint64_t rings;
    int64_t sap;
    struct opt_i64 age;
    struct opt_bool alive;
    uint32_t colour;
    uint32_t mix;
    const char **tags;
    size_t tags_count;
    uint32_t *seeds;
    size_t seeds_count;
    uint32_t *palette;
    size_t palette_count;
    struct text_pair *notes;
    size_t notes_count;
    const char **ports;
    size_t ports_count;
    struct leaf first;
    struct leaf *last;
    struct leaf *leaves;
    size_t leaves_count;
    struct leaf *named;
    size_t named_count;
};

static const struct json_row tree_rows[] = {
    ROW_STRING("label", struct tree, label, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_BOOL("evergreen", struct tree, evergreen, 0),
    ROW_I32("height", struct tree, height, 0),
    ROW_U64("rings", struct tree, rings, 0),
    ROW_I64("sap", struct tree, sap, 0),
    ROW_OPT_I64("age", struct tree, age, 0),
    ROW_OPT_BOOL("alive", struct tree, alive, 0),
    ROW_ENUM("colour", struct tree, colour, colour_names, 0),
    ROW_MASK("mix", struct tree, mix, colour_names, 0),
    ROW_STRINGS("tags", struct tree, tags, 0),
    ROW_U32S("seeds", struct tree, seeds, 0),
    ROW_ENUMS("palette", struct tree, palette, colour_names, 0),
    ROW_PAIRS("notes", struct tree, notes, 0),
    ROW_KEYS("ports", struct tree, ports, 0),
    ROW_OBJECT("first", struct tree, first, struct leaf, leaf_table, 0),
    ROW_POINTER("last", struct tree, last, struct leaf, leaf_table, 0),
    ROW_LIST("leaves", struct tree, leaves, struct leaf, leaf_table, 0),
    ROW_BY_NAME("named", struct tree, named, struct leaf, leaf_table, 0),
};
static const struct json_table tree_table = JSON_TABLE(struct tree, tree_rows);

static int decode_sized(struct arena *arena, const char *text, size_t size, struct tree *tree, struct err *err) {
    const struct json_document document = {.name = "tree.json", .text = text, .size = size};
    memset(tree, 0, sizeof(*tree));
    return json_decode(&document, &tree_table, arena, tree, err);
}

// What decoding says; "" when it likes the text.
static const char *complaint(const char *text) {
    static struct err err;
    AUTO_ARENA struct arena arena = {0};
    struct tree tree;
    err = (struct err){0};
    int result = decode_sized(&arena, text, strlen(text), &tree, &err);
    if (result < 0) {
        CHECK_INT(err.kind, ERR_INPUT);
    }
    return err.text;
}

CASE(every_kind_is_decoded) {
    AUTO_ARENA struct arena arena = {0};
    struct tree tree;
    struct err err = {0};
    const char text[] =
        "{\"label\":\"oak\",\"evergreen\":true,\"height\":-3,\"rings\":18446744073709551615,\"sap\":-9223372036854775808,"
        "\"age\":0,\"alive\":false,\"colour\":\"green\",\"mix\":[\"red\",\"blue\"],\"tags\":[\"a\",\"b\"],"
        "\"seeds\":[1,4294967295],\"palette\":[\"red\",\"green\"],\"notes\":{\"k\":\"v\",\"k2\":\"\"},"
        "\"ports\":{\"80/tcp\":{},\"53/udp\":null},\"first\":{\"size\":1},\"last\":{\"size\":2},"
        "\"leaves\":[{\"size\":3},{\"size\":4}],\"named\":{\"x\":{\"size\":5}},\"unknown\":[[{}]]}";
    CHECK_INT(decode_sized(&arena, text, sizeof(text) - 1, &tree, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_STR(tree.label, "oak");
    CHECK(tree.evergreen && tree.height == -3 && tree.rings == UINT64_MAX && tree.sap == INT64_MIN);
    CHECK(tree.age.set && tree.age.value == 0 && tree.alive.set && !tree.alive.value);
    CHECK(tree.colour == 2 && tree.mix == 5);
    CHECK(tree.tags_count == 2 && strcmp(tree.tags[1], "b") == 0 && tree.tags[2] == NULL);
    CHECK(tree.seeds_count == 2 && tree.seeds[1] == UINT32_MAX);
    CHECK(tree.palette_count == 2 && tree.palette[0] == 1 && tree.palette[1] == 2);
    CHECK(tree.notes_count == 2 && strcmp(tree.notes[0].name, "k") == 0 && strcmp(tree.notes[0].value, "v") == 0);
    CHECK(tree.ports_count == 2 && strcmp(tree.ports[0], "80/tcp") == 0);
    CHECK(tree.first.size == 1 && tree.last->size == 2 && tree.leaves_count == 2 && tree.leaves[1].size == 4);
    CHECK(tree.named_count == 1 && strcmp(tree.named[0].name, "x") == 0 && tree.named[0].size == 5);
}

CASE(absent_and_null_are_the_same) {
    AUTO_ARENA struct arena arena = {0};
    struct tree tree;
    struct err err = {0};
    const char text[] = "{\"label\":\"x\",\"tags\":null,\"age\":null,\"last\":null}";
    CHECK_INT(decode_sized(&arena, text, sizeof(text) - 1, &tree, &err), 0);
    CHECK(!tree.tags && tree.tags_count == 0 && !tree.age.set && !tree.last);
    CHECK_STR(complaint("{\"label\":null}"), "tree.json: label: expected a string, found nothing");
}

CASE(messages_name_the_way_and_the_type) {
    CHECK_STR(complaint("[]"), "tree.json: expected an object, found an array");
    CHECK_STR(complaint("{}"), "tree.json: label: expected a string, found nothing");
    CHECK_STR(complaint("{\"label\":\"\"}"), "tree.json: label: must not be empty");
    CHECK_STR(complaint("{\"label\":5}"), "tree.json: label: expected a string, found a number");
    CHECK_STR(complaint("{\"label\":18446744073709551615}"), "tree.json: label: expected a string, found a number");
    CHECK_STR(complaint("{\"label\":\"x\",\"tags\":7}"), "tree.json: tags: expected an array of strings, found a number");
    CHECK_STR(complaint("{\"label\":\"x\",\"tags\":[\"a\",{}]}"), "tree.json: tags[1]: expected a string, found an object");
    CHECK_STR(complaint("{\"label\":\"x\",\"evergreen\":\"yes\"}"), "tree.json: evergreen: expected true or false, found a string");
    CHECK_STR(complaint("{\"label\":\"x\",\"leaves\":[{\"size\":1},{}]}"),
              "tree.json: leaves[1].size: expected an integer, found nothing");
    CHECK_STR(complaint("{\"label\":\"x\",\"leaves\":[{\"size\":true}]}"),
              "tree.json: leaves[0].size: expected an integer, found true");
    CHECK_STR(complaint("{\"label\":\"x\",\"leaves\":{}}"), "tree.json: leaves: expected an array of objects, found an object");
    CHECK_STR(complaint("{\"label\":\"x\",\"named\":{\"a.b\\n\":[]}}"),
              "tree.json: named[\"a.b\\x0a\"]: expected an object, found an array");
    CHECK_STR(complaint("{\"label\":\"x\",\"notes\":{\"a\":1}}"), "tree.json: notes.a: expected a string, found a number");
    CHECK_STR(complaint("{\"label\":\"x\",\"colour\":\"pink\"}"),
              "tree.json: colour: expected one of blue, green, red, found \"pink\"");
    CHECK_STR(complaint("{\"label\":\"x\",\"mix\":[\"red\",3]}"), "tree.json: mix[1]: expected one of blue, green, red, found 3");
}

CASE(integers_keep_their_range) {
    CHECK_STR(complaint("{\"label\":\"x\",\"height\":2147483648}"),
              "tree.json: height: expected an integer from -2147483648 to 2147483647, found 2147483648");
    CHECK_STR(complaint("{\"label\":\"x\",\"rings\":-1}"),
              "tree.json: rings: expected an integer from 0 to 18446744073709551615, found -1");
    CHECK_STR(complaint("{\"label\":\"x\",\"sap\":9223372036854775808}"),
              "tree.json: sap: expected an integer from -9223372036854775808 to 9223372036854775807, found 9223372036854775808");
    CHECK_STR(complaint("{\"label\":\"x\",\"height\":1.5}"), "tree.json: height: expected an integer, found a fraction");
    CHECK_STR(complaint("{\"label\":\"x\",\"seeds\":[4294967296]}"),
              "tree.json: seeds[0]: expected an integer from 0 to 4294967295, found 4294967296");
    CHECK_STR(complaint("{\"label\":\"x\",\"rings\":18446744073709551616}"),
              "tree.json: line 1, column 41: too big integer near '18446744073709551616'");
    CHECK_STR(complaint("{\"label\":\"x\",\"note\":1.18446744073709551615e-1}"), "");
}

CASE(syntax_errors_name_line_and_column) {
    CHECK_STR(complaint("{\n  \"label\": ]\n}"), "tree.json: line 2, column 12: unexpected token near ']'");
    CHECK_STR(complaint("{\"rings\":18446744073709551615 ]"), "tree.json: line 1, column 31: '}' expected near ']'");
    CHECK_STR(complaint("{\"label\":\"a\",\"label\":\"b\"}"),
              "tree.json: line 1, column 20: duplicate object key near '\"label\"'");
    CHECK_STR(complaint("{\"label\":\"a\\u0000b\"}"), "tree.json: line 1, column 12: a string holds \\u0000");
    CHECK_STR(complaint("{\"a\x1b[2J\":1}"), "tree.json: line 1, column 3: control character 0x1b near '\"a'");
    CHECK_STR(complaint("{\x1b[2J}"), "tree.json: line 1, column 2: string or '}' expected near '?'");
    CHECK_STR(complaint("{} x"), "tree.json: line 1, column 4: end of file expected near 'x'");
    CHECK_STR(complaint(""), "tree.json: is empty; expected JSON");
    CHECK_STR(complaint(" \t\r\n"), "tree.json: holds nothing but white space; expected JSON");
    CHECK_STR(complaint("\xef\xbb\xbf{}"),
              "tree.json: begins with a byte order mark (EF BB BF), which JSON has not; remove these three bytes");
}

CASE(documents_are_bounded) {
    char deep[128] = "{\"label\":\"x\",\"a\":";
    size_t start = strlen(deep);
    for (int i = 0; i < 31; i++) {
        deep[start + (size_t)i] = '[';
        deep[start + 31 + (size_t)i] = ']';
    }
    strcpy(deep + start + 62, "}");
    CHECK_STR(complaint(deep), "");
    memmove(deep + start + 1, deep + start, 80);
    CHECK_STR(complaint(deep), "tree.json: line 1, column 49: objects and arrays are nested more than 32 deep");

    struct err err = {0};
    AUTO_ARENA struct arena arena = {0};
    struct tree tree = {0};
    const struct json_document large = {.name = "tree.json", .text = "{}      ", .size = 8, .max_bytes = 7};
    CHECK_INT(json_decode(&large, &tree_table, &arena, &tree, &err), -1);
    CHECK_STR(err.text, "tree.json: is larger than 7 bytes");

    enum { ITEMS = JSON_MAX_ITEMS + 1 };
    char *text = malloc(64 + 2 * ITEMS);
    size_t size = (size_t)sprintf(text, "{\"label\":\"x\",\"seeds\":[0");
    for (int i = 1; i < ITEMS; i++) {
        text[size++] = ',';
        text[size++] = '0';
    }
    size += (size_t)sprintf(text + size, "]}");
    CHECK_INT(decode_sized(&arena, text, size, &tree, &err), -1);
    CHECK_STR(err.text, "tree.json: seeds: expected at most 32768 items, found 32769");
    free(text);

    enum { VALUES = JSON_MAX_VALUES + 1 };
    text = malloc(3 * VALUES);
    size = 0;
    for (int i = 0; i < VALUES; i++) {
        text[size++] = i == 0 ? '[' : ',';
        text[size++] = '0';
    }
    text[size++] = ']';
    CHECK_INT(decode_sized(&arena, text, size, &tree, &err), -1);
    CHECK_STR(err.text, "tree.json: line 1, column 131073: the document has more than 65536 values");
    free(text);
}

int main(void) {
    RUN(every_kind_is_decoded);
    RUN(absent_and_null_are_the_same);
    RUN(messages_name_the_way_and_the_type);
    RUN(integers_keep_their_range);
    RUN(syntax_errors_name_line_and_column);
    RUN(documents_are_bounded);
    return check_done();
}
