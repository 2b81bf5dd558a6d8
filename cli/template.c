#include "cli/template.h"

#include "cli/template_tree.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct variable {
    const char *name;
    const json_t *value;
    const struct variable *outer;
};

struct evaluation {
    const json_t *root;
    json_t *kept; // values that were made on the way; dropped at the end
    const struct variable *variables;
    struct arena *arena;
    bool lenient; // what is not there is null
    struct buf *buf;
    struct err *err;
};

static const json_t *keep(struct evaluation *evaluation, json_t *value) {
    json_array_append_new(evaluation->kept, value);
    return value;
}

// --- paths ---

static int unknown_name(const char *text, const char *name, const json_t *object, struct err *err) {
    if (!json_is_object(object)) {
        return template_wrong(text, "only objects have members", err);
    }
    AUTO_BUF struct buf names = {0};
    json_t *copy = json_copy((json_t *)(uintptr_t)object); // foreach wants it writable
    const char *known;
    json_t *member;
    json_object_foreach(copy, known, member) {
        buf_add_format(&names, "%s%s", names.size > 0 ? ", " : "", known);
    }
    json_decref(copy);
    return err_set(err, ERR_INPUT, "--format: {{%s}}: expected one of %s, found \"%s\"", text, buf_string(&names), name);
}

static const json_t *follow(struct evaluation *evaluation, const char *text, const struct template_operand *operand,
                            const json_t *value) {
    for (size_t i = 0; value && i < operand->field_count; i++) {
        const json_t *member = json_object_get(value, operand->fields[i]);
        if (!member && evaluation->lenient) {
            return json_null();
        }
        if (!member) {
            (void)unknown_name(text, operand->fields[i], value, evaluation->err);
        }
        value = member;
    }
    return value;
}

static const json_t *find_variable(struct evaluation *evaluation, const char *text, const char *name) {
    if (!*name) {
        return evaluation->root;
    }
    for (const struct variable *variable = evaluation->variables; variable; variable = variable->outer) {
        if (strcmp(variable->name, name) == 0) {
            return variable->value;
        }
    }
    (void)err_set(evaluation->err, ERR_INPUT, "--format: {{%s}}: nothing is called $%s", text, name);
    return NULL;
}

// --- pipes ---

static const json_t *evaluate_pipe(struct evaluation *evaluation, const struct template_pipe *pipe, const json_t *dot);

static const json_t *evaluate_operand(struct evaluation *evaluation, const char *text, const struct template_operand *operand,
                                      const json_t *dot) {
    switch (operand->kind) {
    case TEMPLATE_DOT:
        return follow(evaluation, text, operand, dot);
    case TEMPLATE_VARIABLE:
        return follow(evaluation, text, operand, find_variable(evaluation, text, operand->name));
    case TEMPLATE_PIPE:
        return follow(evaluation, text, operand, evaluate_pipe(evaluation, operand->pipe, dot));
    default:
        return operand->constant;
    }
}

static const json_t *call(struct evaluation *evaluation, const char *text, const char *name, const json_t **args, size_t count) {
    const struct template_function *function = template_function(name);
    if (count < function->min || count > function->max) {
        (void)err_set(evaluation->err, ERR_INPUT, "--format: {{%s}}: %s wants %zu value%s%s", text, name, function->min,
                      function->min == 1 ? "" : "s", function->max > function->min ? " or more" : "");
        return NULL;
    }
    args[count] = keep(evaluation, json_string(""));
    json_t *value = function->call(text, args, count, evaluation->err);
    return value ? keep(evaluation, value) : NULL;
}

// `before`: what stands in front of the |, the last argument then.
static const json_t *evaluate_command(struct evaluation *evaluation, const char *text, const struct template_command *command,
                                      const json_t *before, const json_t *dot) {
    const json_t *args[TEMPLATE_MAX_OPERANDS + 2];
    size_t count = 0;
    bool calls = command->operands[0].kind == TEMPLATE_CALL, outer = evaluation->lenient;
    const char *name = command->operands[0].name;
    if (!calls && (command->count > 1 || before)) {
        (void)template_wrong(text, "expected a function in front of several values", evaluation->err);
        return NULL;
    }
    evaluation->lenient = outer || (calls && (strcmp(name, "and") == 0 || strcmp(name, "or") == 0 || strcmp(name, "not") == 0));
    for (size_t i = calls ? 1 : 0; i < command->count; i++) {
        const struct template_operand *operand = &command->operands[i];
        args[count] = operand->kind == TEMPLATE_CALL ? call(evaluation, text, operand->name, args + count, 0)
                                                     : evaluate_operand(evaluation, text, operand, dot);
        if (!args[count++]) {
            return NULL;
        }
    }
    evaluation->lenient = outer;
    if (before) {
        args[count++] = before;
    }
    return calls ? call(evaluation, text, name, args, count) : args[0];
}

static const json_t *evaluate_pipe(struct evaluation *evaluation, const struct template_pipe *pipe, const json_t *dot) {
    const json_t *value = NULL;
    for (const struct template_command *command = pipe->first; command; command = command->next) {
        value = evaluate_command(evaluation, pipe->text, command, value, dot);
        if (!value) {
            return NULL;
        }
    }
    return value;
}

static void define(struct evaluation *evaluation, const char *name, const json_t *value) {
    struct variable *variable = arena_alloc(evaluation->arena, sizeof(*variable));
    *variable = (struct variable){.name = name, .value = value, .outer = evaluation->variables};
    evaluation->variables = variable;
}

// --- nodes ---

static int show(struct evaluation *evaluation, const struct template_node *node, const json_t *dot);

// With what its pipe calls its value: the last of two names is the item's.
static int show_item(struct evaluation *evaluation, const struct template_node *node, const json_t *key, const json_t *item) {
    const struct variable *outer = evaluation->variables;
    const struct template_pipe *pipe = node->pipe;
    if (pipe->variable_count == 2) {
        define(evaluation, pipe->variables[0], key);
    }
    if (pipe->variable_count > 0) {
        define(evaluation, pipe->variables[pipe->variable_count - 1], item);
    }
    int result = show(evaluation, node->body, item);
    evaluation->variables = outer;
    return result;
}

static int by_name(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static int range_object(struct evaluation *evaluation, const struct template_node *node, const json_t *object) {
    json_t *copy = json_copy((json_t *)(uintptr_t)object); // foreach wants it writable
    const char **names = arena_array(evaluation->arena, json_object_size(object) + 1, sizeof(*names)), *name;
    size_t count = 0;
    int result = 0;
    json_t *member;
    json_object_foreach(copy, name, member) {
        names[count++] = arena_copy_string(evaluation->arena, name);
    }
    json_decref(copy);
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count && result == 0; i++) {
        result = show_item(evaluation, node, keep(evaluation, json_string(names[i])), json_object_get(object, names[i]));
    }
    return result;
}

static int show_range(struct evaluation *evaluation, const struct template_node *node, const json_t *value, const json_t *dot) {
    int result = 0;
    if (!template_is_true(value)) {
        return show(evaluation, node->otherwise, dot);
    }
    if (json_is_object(value)) {
        return range_object(evaluation, node, value);
    }
    if (!json_is_array(value)) {
        return template_wrong(node->pipe->text, "expected a list or an object to go through", evaluation->err);
    }
    for (size_t i = 0; i < json_array_size(value) && result == 0; i++) {
        result = show_item(evaluation, node, keep(evaluation, json_integer((json_int_t)i)), json_array_get(value, i));
    }
    return result;
}

static int show_block(struct evaluation *evaluation, const struct template_node *node, const json_t *dot) {
    const struct variable *outer = evaluation->variables;
    evaluation->lenient = node->kind != TEMPLATE_RANGE;
    const json_t *value = evaluate_pipe(evaluation, node->pipe, dot);
    evaluation->lenient = false;
    if (!value) {
        return -1;
    }
    if (node->kind == TEMPLATE_RANGE) {
        return show_range(evaluation, node, value, dot);
    }
    if (node->pipe->variable_count > 0) {
        define(evaluation, node->pipe->variables[0], value);
    }
    int result = template_is_true(value) ? show(evaluation, node->body, node->kind == TEMPLATE_WITH ? value : dot)
                                         : show(evaluation, node->otherwise, dot);
    evaluation->variables = outer;
    return result;
}

static int show_value(struct evaluation *evaluation, const struct template_node *node, const json_t *dot) {
    const json_t *value = evaluate_pipe(evaluation, node->pipe, dot);
    if (!value) {
        return -1;
    }
    if (node->pipe->variable_count > 0) {
        define(evaluation, node->pipe->variables[0], value);
    } else {
        template_add_value(evaluation->buf, value);
    }
    return 0;
}

static int show(struct evaluation *evaluation, const struct template_node *node, const json_t *dot) {
    for (; node; node = node->next) {
        if (node->kind == TEMPLATE_TEXT) {
            buf_add_string(evaluation->buf, node->text);
        } else if ((node->kind == TEMPLATE_VALUE ? show_value : show_block)(evaluation, node, dot) < 0) {
            return -1;
        }
    }
    return 0;
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

int template_format(const char *template, const json_t *document, struct buf *buf, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO(drop_json) json_t *kept = json_array();
    struct evaluation evaluation = {.root = document, .kept = kept, .arena = &arena, .buf = buf, .err = err};
    struct template_node *first = NULL;
    if (template_parse(template, &arena, kept, &first, err) < 0 || show(&evaluation, first, document) < 0) {
        return -1;
    }
    buf_add_char(buf, '\n');
    return 0;
}
