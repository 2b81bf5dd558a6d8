// What a template is made of once it is parsed. Private to template.h; all of it lives in the arena, but for the constants.
#ifndef COFFER_CLI_TEMPLATE_TREE_H
#define COFFER_CLI_TEMPLATE_TREE_H

#include "runtime/base/attr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;
struct err;

enum { TEMPLATE_MAX_DEPTH = 32, TEMPLATE_MAX_OPERANDS = 16, TEMPLATE_MAX_FIELDS = 32 };

enum template_operand_kind {
    TEMPLATE_DOT,      // what is at hand: the document, or the item of a range
    TEMPLATE_VARIABLE, // $name; $ alone is the document
    TEMPLATE_CONSTANT,
    TEMPLATE_CALL, // a function's name, in front of its arguments
    TEMPLATE_PIPE, // in parentheses
};

struct template_operand {
    enum template_operand_kind kind;
    const char *name;
    const json_t *constant;
    const struct template_pipe *pipe;
    const char *fields[TEMPLATE_MAX_FIELDS]; // .A.B behind it
    size_t field_count;
};

struct template_command {
    struct template_operand operands[TEMPLATE_MAX_OPERANDS];
    size_t count;
    struct template_command *next; // behind |
};

struct template_pipe {
    const char *text; // of the whole action, for messages
    const char *variables[2];
    size_t variable_count; // it is said what its value is to be called
    struct template_command *first;
};

enum template_node_kind { TEMPLATE_TEXT, TEMPLATE_VALUE, TEMPLATE_IF, TEMPLATE_WITH, TEMPLATE_RANGE };

struct template_node {
    enum template_node_kind kind;
    const char *text;
    struct template_pipe *pipe;
    struct template_node *body, *otherwise;
    struct template_node *next;
};

// *constants: a list that holds the template's own values; the caller drops it.
int template_parse(const char *text, struct arena *arena, json_t *constants, struct template_node **ret,
                   struct err *err) MUST_CHECK;

// "--format: {{TEXT}}: WHY". Returns -1.
int template_wrong(const char *text, const char *why, struct err *err);

// --- template_function.c ---

struct template_function {
    const char *name;
    size_t min, max; // arguments
    // A new reference; NULL with err filled.
    json_t *(*call)(const char *text, const json_t *const *args, size_t count, struct err *err);
};

// NULL: there is none of the name.
const struct template_function *template_function(const char *name);

// "json, index, ..."
void template_add_function_names(struct buf *buf);

bool template_is_true(const json_t *value);

// As Go prints it with %v.
void template_add_value(struct buf *buf, const json_t *value);

#endif
