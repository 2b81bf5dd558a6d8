// Templates behind `inspect --format`: what Go makes of them, and what is said about those that are wrong.
#include "cli/template.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "tests/unit/check.h"

#include <stddef.h>

static const char document[] = "{\"Id\":\"x\",\"Size\":5,\"On\":true,\"None\":null,\"List\":[\"a\",\"b\"],\"Map\":{\"k\":\"v\",\"l\":{\"m\":1}}}";

static const struct {
    const char *template, *result;
} sound[] = {
    {"{{.Id}}", "x\n"},
    {"{{ .Id }} {{.Size}}b {{.On}} {{.None}}", "x 5b true <nil>\n"},
    {"a\\tb\\n{{.List}}", "a\tb\n[a b]\n"},
    {"{{.Map}} {{.Map.l.m}}", "map[k:v l:map[m:1]] 1\n"},
    {"{{json .Map}} {{json .List}} {{json .Id}}", "{\"k\":\"v\",\"l\":{\"m\":1}} [\"a\",\"b\"] \"x\"\n"},
    {"{{index .List 1}} {{index .Map \"k\"}} {{len .List}} {{len .Map}}", "b v 2 2\n"},
    {"plain", "plain\n"},
};

static const struct {
    const char *template, *message;
} wrong[] = {
    {"{{.Idd}}", "--format: {{.Idd}}: expected one of Id, Size, On, None, List, Map, found \"Idd\""},
    {"{{.Id.x}}", "--format: {{.Id.x}}: only objects have members"},
    {"{{.Id", "--format: expected }} behind \"{{.Id\""},
    {"{{}}", "--format: {{}}: is empty"},
    {"{{range .List}}", "--format: {{range .List}}: expected .NAME, json .NAME, index .NAME KEY or len .NAME"},
    {"{{index .List 7}}", "--format: {{index .List 7}}: there is no such item"},
    {"{{json Id}}", "--format: {{json Id}}: expected a name that begins with a point, such as .Id"},
    {"{{a b c d e}}", "--format: {{a b c d e}}: has too many words"},
};

CASE(sound_templates) {
    json_t *root = json_loads(document, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(sound); i++) {
        AUTO_BUF struct buf buf = {0};
        struct err err = {0};
        CHECK(template_format(sound[i].template, root, &buf, &err) == 0);
        CHECK_STR(buf_string(&buf), sound[i].result);
    }
    json_decref(root);
}

CASE(wrong_templates) {
    json_t *root = json_loads(document, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_BUF struct buf buf = {0};
        struct err err = {0};
        CHECK(template_format(wrong[i].template, root, &buf, &err) < 0);
        CHECK_STR(err.text, wrong[i].message);
    }
    json_decref(root);
}

int main(void) {
    RUN(sound_templates);
    RUN(wrong_templates);
    return check_done();
}
