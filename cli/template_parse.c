#include "cli/template_tree.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/json.h"

#include <stdlib.h>
#include <string.h>

int template_wrong(const char *text, const char *why, struct err *err) {
    return err_set(err, ERR_INPUT, "--format: {{%s}}: %s", text, why);
}

struct parser {
    struct arena *arena;
    json_t *constants;
    const char *rest;   // of the template
    const char *action; // the one at hand, whole
    const char *at;     // in it
    bool trims;         // what follows the action loses its blanks
    unsigned depth;
    struct err *err;
};

static int wrong(const struct parser *parser, const char *why) {
    return template_wrong(parser->action, why, parser->err);
}

static const char blanks[] = " \t\r\n";

static void skip_blanks(struct parser *parser) {
    parser->at += strspn(parser->at, blanks);
}

// A sign, or a word with an end behind it.
static bool take(struct parser *parser, const char *word) {
    size_t length = strlen(word);
    skip_blanks(parser);
    if (strncmp(parser->at, word, length) != 0) {
        return false;
    }
    if (strspn(word, "|()=:,") < length && parser->at[length] && !strchr(" \t\r\n(\"`", parser->at[length])) {
        return false;
    }
    parser->at += length;
    return true;
}

static const char *take_name(struct parser *parser, const char *stops) {
    size_t length = strcspn(parser->at, stops);
    const char *name = arena_format(parser->arena, "%.*s", (int)length, parser->at);
    parser->at += length;
    return name;
}

// --- what stands between {{ and }} ---

static int parse_pipe(struct parser *parser, struct template_pipe **ret);

static int take_fields(struct parser *parser, struct template_operand *operand) {
    while (parser->at[0] == '.') {
        parser->at++;
        const char *name = take_name(parser, " \t\r\n.|()\"`,");
        if (!*name) {
            return operand->kind == TEMPLATE_DOT && operand->field_count == 0 ? 0
                                                                              : wrong(parser, "expected a name behind the point");
        }
        if (operand->field_count == TEMPLATE_MAX_FIELDS) {
            return wrong(parser, "has too many names in one path");
        }
        operand->fields[operand->field_count++] = name;
    }
    return 0;
}

static int take_constant(struct parser *parser, struct template_operand *operand, json_t *value) {
    operand->kind = TEMPLATE_CONSTANT;
    operand->constant = value;
    return !value || json_array_append_new(parser->constants, value) < 0 ? wrong(parser, "has a text that is none") : 0;
}

// "as in JSON", or `as it is`.
static int take_text(struct parser *parser, struct template_operand *operand) {
    const char *begin = parser->at, quote = *begin;
    size_t length = 1;
    while (begin[length] && begin[length] != quote) {
        length += quote == '"' && begin[length] == '\\' && begin[length + 1] ? 2 : 1;
    }
    if (!begin[length]) {
        return wrong(parser, "expected a quote at the end of the text");
    }
    parser->at += length + 1;
    return take_constant(parser, operand,
                         quote == '"' ? json_loadb(begin, length + 1, JSON_DECODE_ANY, NULL) : json_stringn(begin + 1, length - 1));
}

static int take_word(struct parser *parser, struct template_operand *operand) {
    const char *word = take_name(parser, " \t\r\n|()\"`,");
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0 || strcmp(word, "nil") == 0) {
        return take_constant(parser, operand, *word == 't' ? json_true() : *word == 'f' ? json_false() : json_null());
    }
    if (strspn(word + (*word == '-'), "0123456789") == strlen(word + (*word == '-')) && strlen(word) > (size_t)(*word == '-')) {
        return take_constant(parser, operand, json_integer(strtoll(word, NULL, 10)));
    }
    operand->kind = TEMPLATE_CALL;
    operand->name = word;
    return 0;
}

static int parse_operand(struct parser *parser, struct template_operand *operand) {
    struct template_pipe *pipe;
    switch (parser->at[0]) {
    case '"':
    case '`':
        return take_text(parser, operand);
    case '.':
        operand->kind = TEMPLATE_DOT;
        return take_fields(parser, operand);
    case '$':
        parser->at++;
        operand->kind = TEMPLATE_VARIABLE;
        operand->name = take_name(parser, " \t\r\n.|()\"`,:=");
        return take_fields(parser, operand);
    case '(':
        parser->at++;
        if (parse_pipe(parser, &pipe) < 0) {
            return -1;
        }
        operand->kind = TEMPLATE_PIPE;
        operand->pipe = pipe;
        return take(parser, ")") ? take_fields(parser, operand) : wrong(parser, "expected ) at the end of what ( begins");
    default:
        return take_word(parser, operand);
    }
}

static int check_call(const struct parser *parser, const struct template_command *command) {
    AUTO_BUF struct buf names = {0};
    for (size_t i = 0; i < command->count; i++) {
        const struct template_operand *operand = &command->operands[i];
        if (operand->kind != TEMPLATE_CALL || template_function(operand->name)) {
            continue;
        }
        if (i > 0) {
            return wrong(parser, "expected a name that begins with a point, such as .Id");
        }
        template_add_function_names(&names);
        return err_set(parser->err, ERR_INPUT, "--format: {{%s}}: expected .NAME or one of %s, found \"%s\"", parser->action,
                       buf_string(&names), operand->name);
    }
    return 0;
}

static int parse_command(struct parser *parser, struct template_command **ret) {
    struct template_command *command = arena_alloc(parser->arena, sizeof(struct template_command));
    for (skip_blanks(parser); *parser->at && !strchr("|)", *parser->at); skip_blanks(parser)) {
        if (command->count == TEMPLATE_MAX_OPERANDS) {
            return wrong(parser, "has too many words");
        }
        if (parse_operand(parser, &command->operands[command->count++]) < 0) {
            return -1;
        }
    }
    *ret = command;
    return command->count == 0 ? wrong(parser, "is empty") : check_call(parser, command);
}

// "$a :=" or "$a, $b :=" in front.
static void take_variables(struct parser *parser, struct template_pipe *pipe) {
    const char *begin = parser->at;
    do {
        skip_blanks(parser);
        if (*parser->at != '$') {
            break;
        }
        parser->at++;
        pipe->variables[pipe->variable_count++] = take_name(parser, " \t\r\n.|()\"`,:=");
    } while (pipe->variable_count < 2 && take(parser, ","));
    if (!take(parser, ":=")) {
        parser->at = begin;
        pipe->variable_count = 0;
    }
}

static int parse_pipe(struct parser *parser, struct template_pipe **ret) {
    struct template_pipe *pipe = arena_alloc(parser->arena, sizeof(struct template_pipe));
    struct template_command **tail = &pipe->first;
    pipe->text = parser->action;
    if (++parser->depth > TEMPLATE_MAX_DEPTH) {
        return wrong(parser, "is too deep");
    }
    take_variables(parser, pipe);
    do {
        if (parse_command(parser, tail) < 0) {
            return -1;
        }
        tail = &(*tail)->next;
    } while (take(parser, "|"));
    parser->depth--;
    *ret = pipe;
    return 0;
}

// --- the whole ---

// Behind {{: to its }}, which may stand in a text, too. "-" at either end takes the blanks there away.
static int take_action(struct parser *parser) {
    const char *begin = parser->rest, *at = begin;
    for (char quote = '\0'; *at && (quote || strncmp(at, "}}", 2) != 0); at++) {
        if (quote) {
            bool escaped = quote == '"' && at[0] == '\\' && at[1];
            quote = !escaped && *at == quote ? '\0' : quote;
            at += escaped;
        } else if (*at == '"' || *at == '`') {
            quote = *at;
        }
    }
    if (!*at) {
        return err_set(parser->err, ERR_INPUT, "--format: expected }} behind \"{{%s\"", begin);
    }
    parser->rest = at + 2;
    if (begin[0] == '-' && begin[1] && strchr(blanks, begin[1])) {
        begin++;
    }
    parser->trims = at > begin + 1 && at[-1] == '-' && strchr(blanks, at[-2]);
    parser->action = parser->at = arena_format(parser->arena, "%.*s", (int)(at - begin - parser->trims), begin);
    return 0;
}

// The text up to the next action, with \n and \t as a shell's quotes leave them.
static const char *take_plain(struct parser *parser) {
    AUTO_BUF struct buf text = {0};
    if (parser->trims) {
        parser->rest += strspn(parser->rest, blanks);
        parser->trims = false;
    }
    while (*parser->rest && strncmp(parser->rest, "{{", 2) != 0) {
        bool escape = parser->rest[0] == '\\' && (parser->rest[1] == 'n' || parser->rest[1] == 't');
        buf_add_char(&text, escape ? (parser->rest[1] == 'n' ? '\n' : '\t') : *parser->rest);
        parser->rest += escape ? 2 : 1;
    }
    if (strncmp(parser->rest, "{{-", 3) == 0 && strchr(blanks, parser->rest[3])) {
        while (text.size > 0 && strchr(blanks, text.data[text.size - 1])) {
            text.size--;
        }
    }
    return arena_copy(parser->arena, text.data ? text.data : "", text.size);
}

enum ending { ENDS_TEMPLATE, ENDS_BLOCK, ENDS_ELSE, ENDS_ELSE_IF };

static int parse_list(struct parser *parser, struct template_node **ret, enum ending *ret_ending);

// An if, with or range whose word has been read: its condition, what it is about, and what otherwise.
static int parse_block(struct parser *parser, struct template_node *node) {
    const char *opening = parser->action;
    enum ending ending;
    if (parse_pipe(parser, &node->pipe) < 0 || parse_list(parser, &node->body, &ending) < 0) {
        return -1;
    }
    if (ending == ENDS_ELSE_IF) {
        node->otherwise = arena_alloc(parser->arena, sizeof(struct template_node));
        node->otherwise->kind = TEMPLATE_IF;
        if (++parser->depth > TEMPLATE_MAX_DEPTH) {
            return wrong(parser, "is too deep");
        }
        int result = parse_block(parser, node->otherwise);
        parser->depth--;
        return result;
    }
    if (ending == ENDS_ELSE && parse_list(parser, &node->otherwise, &ending) < 0) {
        return -1;
    }
    return ending == ENDS_BLOCK ? 0 : template_wrong(opening, "expected {{end}} behind it", parser->err);
}

static int parse_node(struct parser *parser, struct template_node *node) {
    static const struct {
        const char *word;
        enum template_node_kind kind;
    } blocks[] = {{"if", TEMPLATE_IF}, {"with", TEMPLATE_WITH}, {"range", TEMPLATE_RANGE}};
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        if (take(parser, blocks[i].word)) {
            node->kind = blocks[i].kind;
            if (++parser->depth > TEMPLATE_MAX_DEPTH) {
                return wrong(parser, "is too deep");
            }
            int result = parse_block(parser, node);
            parser->depth--;
            return result;
        }
    }
    node->kind = TEMPLATE_VALUE;
    if (parse_pipe(parser, &node->pipe) < 0) {
        return -1;
    }
    skip_blanks(parser);
    return *parser->at ? wrong(parser, "expected no more behind it, found )") : 0;
}

static bool is_ending(struct parser *parser, enum ending *ret) {
    if (take(parser, "end")) {
        *ret = ENDS_BLOCK;
        return true;
    }
    if (!take(parser, "else")) {
        return false;
    }
    *ret = take(parser, "if") ? ENDS_ELSE_IF : ENDS_ELSE;
    return true;
}

// The nodes up to the end of the block they are in.
static int parse_list(struct parser *parser, struct template_node **ret, enum ending *ret_ending) {
    struct template_node **tail = ret;
    *ret_ending = ENDS_TEMPLATE;
    while (*parser->rest) {
        struct template_node *text = arena_alloc(parser->arena, sizeof(struct template_node));
        text->text = take_plain(parser);
        *tail = text;
        tail = &text->next;
        if (!*parser->rest) {
            break;
        }
        parser->rest += 2;
        if (take_action(parser) < 0) {
            return -1;
        }
        skip_blanks(parser);
        if (strncmp(parser->at, "/*", 2) == 0) {
            continue;
        }
        if (is_ending(parser, ret_ending)) {
            return 0;
        }
        struct template_node *node = arena_alloc(parser->arena, sizeof(struct template_node));
        if (parse_node(parser, node) < 0) {
            return -1;
        }
        *tail = node;
        tail = &node->next;
    }
    return 0;
}

int template_parse(const char *text, struct arena *arena, json_t *constants, struct template_node **ret, struct err *err) {
    struct parser parser = {.arena = arena, .constants = constants, .rest = text, .err = err};
    enum ending ending;
    if (parse_list(&parser, ret, &ending) < 0) {
        return -1;
    }
    return ending == ENDS_TEMPLATE ? 0 : wrong(&parser, "nothing is open that it could end");
}
