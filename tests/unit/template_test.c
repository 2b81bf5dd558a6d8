// Templates behind `inspect --format`: what Go makes of them, and what is said about those that are wrong.
#include "cli/template.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "tests/unit/check.h"

#include <stddef.h>

static const char document[] = "{\"Id\":\"x\",\"Size\":5,\"On\":true,\"None\":null,\"List\":[\"a\",\"b\"],\"Map\":{\"k\":\"v\",\"l\":{\"m\":1}},"
                               "\"Empty\":[],\"No\":false,\"Objects\":[{\"Port\":80},{\"Port\":81}]}";

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
    {"{{range .List}}<{{.}}>{{end}}", "<a><b>\n"},
    {"{{range $i, $item := .List}}{{$i}}={{$item}} {{$.Id}};{{end}}", "0=a x;1=b x;\n"},
    {"{{range $k, $v := .Map}}{{$k}}:{{$v}},{{end}}", "k:v,l:map[m:1],\n"},
    {"{{range .Empty}}x{{else}}none{{end}}", "none\n"},
    {"{{if .On}}up{{else}}down{{end}} {{if .No}}a{{else if .Id}}b{{end}}", "up b\n"},
    {"{{with .Map.l}}{{.m}}{{end}}{{with .Nothing.at.all}}x{{else}}-{{end}}", "1-\n"},
    {"{{(index .Objects 0).Port}} {{index (index .Objects 1) \"Port\"}}", "80 81\n"},
    {"{{index .Map \"nothing\"}}|", "|\n"},
    {"{{.Id | upper}} {{join .List \"-\"}} {{printf \"%s:%5d|%-3s|%q\" .Id .Size .Id .Id}}", "X a-b x:    5|x  |\"x\"\n"},
    {"{{if eq .Size 5}}five{{end}}{{if and (gt .Size 4) (not .No)}}!{{end}}{{if or .No .On}}?{{end}}", "five!?\n"},
    {"{{$s := .Size}}{{$s}}{{\"}}\"}}{{/* nothing */}}", "5}}\n"},
    {"a {{- .Id -}} b {{split \"p/q\" \"/\"}} {{title .Id}}", "axb [p q] X\n"},
    {"{{print .Id 1}}{{len (split \"a,b\" \",\")}} {{true}} {{nil}} {{-3}}", "x12 true <nil> -3\n"},
};

static const struct {
    const char *template, *message;
} wrong[] = {
    {"{{.Idd}}", "--format: {{.Idd}}: expected one of Id, Size, On, None, List, Map, Empty, No, Objects, found \"Idd\""},
    {"{{.Id.x}}", "--format: {{.Id.x}}: only objects have members"},
    {"{{.Id", "--format: expected }} behind \"{{.Id\""},
    {"{{}}", "--format: {{}}: is empty"},
    {"{{range .List}}", "--format: {{range .List}}: expected {{end}} behind it"},
    {"{{index .List 7}}", "--format: {{index .List 7}}: there is no such item"},
    {"{{json Id}}", "--format: {{json Id}}: expected a name that begins with a point, such as .Id"},
    {"{{a b c d e}}", "--format: {{a b c d e}}: expected .NAME or one of json, index, len, join, split, lower, upper, title, printf, print, "
                      "println, and, or, not, eq, ne, lt, le, gt, ge, found \"a\""},
    {"{{end}}", "--format: {{end}}: nothing is open that it could end"},
    {"{{if .On}}a{{else}}b", "--format: {{if .On}}: expected {{end}} behind it"},
    {"{{range .Id}}{{end}}", "--format: {{range .Id}}: expected a list or an object to go through"},
    {"{{.Id .Size}}", "--format: {{.Id .Size}}: expected a function in front of several values"},
    {"{{(.Id}}", "--format: {{(.Id}}: expected ) at the end of what ( begins"},
    {"{{.Id)}}", "--format: {{.Id)}}: expected no more behind it, found )"},
    {"{{$x}}", "--format: {{$x}}: nothing is called $x"},
    {"{{json}}", "--format: {{json}}: json wants 1 value"},
    {"{{\"a}}", "--format: expected }} behind \"{{\"a}}\""},
    {"{{printf \"%--2000000000s\" .Id}}", "--format: {{printf \"%--2000000000s\" .Id}}: printf: expected %s, %v, %d or %q, and a value for each"},
    {"{{printf \"%n\" 1}}", "--format: {{printf \"%n\" 1}}: printf: expected %s, %v, %d or %q, and a value for each"},
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
