#include "cli/options.h"

#include "cli/suggest.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"

#include <assert.h>
#include <string.h>

bool option_next(struct option_walk *walk) {
    for (;;) {
        const struct option_row *row = walk->next;
        switch (row ? row->kind : OPTION_KIND_NONE) {
        case OPTION_KIND_NONE:
            if (walk->depth == 0) {
                return false;
            }
            walk->depth--;
            walk->next = walk->outer[walk->depth].next;
            walk->base = walk->outer[walk->depth].base;
            break;
        case OPTION_KIND_GROUP:
            walk->group = row->name;
            walk->next++;
            break;
        case OPTION_KIND_ROWS:
            assert(walk->depth < OPTION_DEPTH);
            walk->outer[walk->depth].next = row + 1;
            walk->outer[walk->depth].base = walk->base;
            walk->depth++;
            walk->base += row->offset;
            walk->next = row->rows;
            break;
        default:
            walk->row = row;
            walk->offset = walk->base + row->offset;
            walk->next++;
            return true;
        }
    }
}

// An option as it was met: the row, and the way it was written, for messages.
struct met {
    const struct option_row *row;
    uint32_t offset;
    char shown[80]; // "--memory" or "-m"
};

static bool is_flag(const struct option_row *row) {
    return row->kind == OPTION_KIND_FLAG || row->kind == OPTION_KIND_OPT_FLAG;
}

// By name when that is not NULL, else by letter.
static bool find(const struct option_row *rows, const char *name, size_t length, char letter, struct met *met) {
    struct option_walk walk = {rows};
    while (option_next(&walk)) {
        const char *known = walk.row->name;
        if (name ? strncmp(known, name, length) == 0 && known[length] == '\0' : walk.row->letter == letter) {
            met->row = walk.row;
            met->offset = walk.offset;
            return true;
        }
    }
    return false;
}

static int unknown_long(const struct option_row *rows, const char *name, int length, struct err *err) {
    char given[SUGGEST_SIZE];
    struct suggest suggest = {.given = given};
    if ((size_t)length >= sizeof(given)) {
        return err_set(err, ERR_INPUT, "unknown flag --%.*s", length, name);
    }
    memcpy(given, name, (size_t)length);
    given[length] = '\0';
    struct option_walk walk = {rows};
    while (option_next(&walk)) {
        if (!walk.row->hidden) {
            suggest_offer(&suggest, walk.row->name);
        }
    }
    suggest_offer(&suggest, "help");
    if (suggest.best) {
        return err_set(err, ERR_INPUT, "unknown flag --%s; did you mean --%s?", given, suggest.best);
    }
    return err_set(err, ERR_INPUT, "unknown flag --%s", given);
}

static int set_flag(const struct met *met, bool *field, const char *value, struct err *err) {
    static const struct {
        const char *name;
        bool value;
    } names[] = {{"true", true}, {"false", false}, {"1", true},    {"0", false},     {"t", true},    {"f", false},
                 {"T", true},    {"F", false},     {"TRUE", true}, {"FALSE", false}, {"True", true}, {"False", false}};
    if (!value) {
        *field = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(value, names[i].name) == 0) {
            *field = names[i].value;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "%s: expected true or false, found \"%s\"", met->shown, value);
}

static int set_bytes(const struct met *met, struct opt_i64 *field, const char *value, struct err *err) {
    int64_t bytes;
    if (quantity_bytes(value, &bytes) < 0 || (bytes < 0 && met->row->min >= 0)) {
        return err_set(err, ERR_INPUT,
                       "%s: expected a number of bytes, perhaps with b, k, m or g behind it as in 512m%s, found \"%s\"", met->shown,
                       met->row->min < 0 ? ", or -1" : "", value);
    }
    *field = (struct opt_i64){.set = true, .value = bytes};
    return 0;
}

static int set_cpus(const struct met *met, struct opt_i64 *field, const char *value, struct err *err) {
    int64_t cpus;
    if (quantity_decimal(value, 9, &cpus) < 0) {
        return err_set(err, ERR_INPUT, "%s: expected a number of CPUs such as 1.5, found \"%s\"", met->shown, value);
    }
    *field = (struct opt_i64){.set = true, .value = cpus};
    return 0;
}

static int set_int(const struct met *met, struct opt_i64 *field, const char *value, struct err *err) {
    bool any = met->row->min == 0 && met->row->max == 0;
    int64_t min = met->row->min, max = any ? INT64_MAX : met->row->max, number;
    if (quantity_int(value, &number) < 0 || number < min || number > max) {
        if (max == INT64_MAX) {
            return err_set(err, ERR_INPUT, "%s: expected a whole number from %lld, found \"%s\"", met->shown, (long long)min,
                           value);
        }
        return err_set(err, ERR_INPUT, "%s: expected a whole number from %lld to %lld, found \"%s\"", met->shown, (long long)min,
                       (long long)max, value);
    }
    *field = (struct opt_i64){.set = true, .value = number};
    return 0;
}

static int set_duration(const struct met *met, struct opt_i64 *field, const char *value, struct err *err) {
    int64_t milliseconds;
    if (quantity_duration_ms(value, &milliseconds) < 0) {
        return err_set(err, ERR_INPUT, "%s: expected a length of time such as 90s or 1m30s, found \"%s\"", met->shown, value);
    }
    *field = (struct opt_i64){.set = true, .value = milliseconds};
    return 0;
}

static int set_choice(const struct met *met, int *field, const char *value, struct err *err) {
    assert(value);
    AUTO_BUF struct buf names = {0};
    for (int i = 0; met->row->choices[i]; i++) {
        if (strcmp(value, met->row->choices[i]) == 0) {
            *field = i;
            return 0;
        }
        buf_add_format(&names, "%s%s", i == 0 ? "" : met->row->choices[i + 1] ? ", " : " or ", met->row->choices[i]);
    }
    return err_set(err, ERR_INPUT, "%s: expected %s, found \"%s\"", met->shown, buf_string(&names), value);
}

// value is NULL only for flags.
static int set(const struct met *met, void *request, const char *value, struct err *err) {
    void *field = (char *)request + met->offset;
    switch (met->row->kind) {
    case OPTION_KIND_FLAG:
        return set_flag(met, field, value, err);
    case OPTION_KIND_OPT_FLAG:
        ((struct opt_bool *)field)->set = true;
        return set_flag(met, &((struct opt_bool *)field)->value, value, err);
    case OPTION_KIND_STRING:
        *(const char **)field = value;
        return 0;
    case OPTION_KIND_LIST:
        strv_add(field, value);
        return 0;
    case OPTION_KIND_BYTES:
        return set_bytes(met, field, value, err);
    case OPTION_KIND_CPUS:
        return set_cpus(met, field, value, err);
    case OPTION_KIND_INT:
        return set_int(met, field, value, err);
    case OPTION_KIND_DURATION:
        return set_duration(met, field, value, err);
    case OPTION_KIND_CHOICE:
        return set_choice(met, field, value, err);
    default:
        assert(!"a row of a kind that takes no value");
        return -1;
    }
}

// Where the parser stands: words[at] is the next one to read.
struct reader {
    const struct option_row *rows;
    void *request;
    struct option_words *words;
    int at;
};

// Gives the option its value: `attached` if that was written in the same word, else the next word, which may begin with a dash.
static int take(struct reader *reader, const struct met *met, const char *attached, struct err *err) {
    if (!attached && !is_flag(met->row)) {
        if (reader->at >= reader->words->count) {
            return err_set(err, ERR_INPUT, "%s: expected %s behind it, found nothing", met->shown, met->row->arg);
        }
        attached = reader->words->words[reader->at++];
    }
    return set(met, reader->request, attached, err);
}

static int read_long(struct reader *reader, const char *word, struct err *err) {
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    struct met met;
    if (!find(reader->rows, name, length, 0, &met)) {
        if (strcmp(name, "help") == 0 || strcmp(name, "usage") == 0) { // and as argp has it
            reader->words->help = true;
            return 0;
        }
        reader->words->unknown = word;
        return unknown_long(reader->rows, name, (int)length, err);
    }
    strcpy(met.shown, "--");
    strncat(met.shown, met.row->name, sizeof(met.shown) - 3);
    return take(reader, &met, name[length] == '=' ? name + length + 1 : NULL, err);
}

// One word of letters: flags one after the other, the last of them perhaps an option that has the rest as its value.
static int read_letters(struct reader *reader, const char *word, struct err *err) {
    for (const char *letter = word + 1; *letter; letter++) {
        struct met met;
        if (!find(reader->rows, NULL, 0, *letter, &met)) {
            if (*letter == 'h' || *letter == '?') {
                reader->words->help = true;
                return 0;
            }
            return word[2] ? err_set(err, ERR_INPUT, "unknown flag -%c in %s", *letter, word)
                           : err_set(err, ERR_INPUT, "unknown flag -%c", *letter);
        }
        met.shown[0] = '-';
        met.shown[1] = *letter;
        met.shown[2] = '\0';
        const char *rest = letter[1] ? letter + 1 : NULL;
        if (is_flag(met.row) && (!rest || rest[0] != '=')) {
            if (take(reader, &met, NULL, err) < 0) {
                return -1;
            }
            continue;
        }
        return take(reader, &met, rest && rest[0] == '=' ? rest + 1 : rest, err);
    }
    return 0;
}

int options_parse(const struct option_row *rows, void *request, struct option_words *words, struct err *err) {
    struct reader reader = {.rows = rows, .request = request, .words = words};
    int operands = 0; // moved to the front of the words as they are met: there is always room, they are never more than were read
    bool only_operands = false;
    while (reader.at < words->count) {
        char *word = words->words[reader.at++];
        bool option = word[0] == '-' && word[1] != '\0';
        if (only_operands || !option) {
            words->words[operands++] = word;
            only_operands = only_operands || words->options_first;
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if ((word[1] == '-' ? read_long : read_letters)(&reader, word, err) < 0) {
            return -1;
        } else if (words->help) {
            break;
        }
    }
    words->count = operands;
    words->words[operands] = NULL;
    return 0;
}

const struct option_row *option_named(const struct option_row *rows, const char *word) {
    struct met met;
    return strncmp(word, "--", 2) == 0 && find(rows, word + 2, strcspn(word + 2, "="), 0, &met) ? met.row : NULL;
}

void options_finish(const struct option_row *rows, void *request) {
    struct option_walk walk = {rows};
    while (option_next(&walk)) {
        if (walk.row->kind == OPTION_KIND_LIST) {
            void *field = (char *)request + walk.offset;
            strv_finish(field);
        }
    }
}
