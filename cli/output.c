#include "cli/output.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int output_write(const struct buf *buf, struct err *err) {
    return fd_write_all(STDOUT_FILENO, buf->data, buf->size) < 0 ? err_sys(err, "write to standard output") : 0;
}

// The code point of a sequence that quote_hidden() knows: of one to three bytes.
static unsigned code_point(const char *text, size_t length) {
    const unsigned char *at = (const unsigned char *)text;
    return length == 1   ? at[0]
           : length == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                         : (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
}

int output_write_json(const struct buf *buf, struct err *err) {
    AUTO_BUF struct buf shown = {0};
    if (!isatty(STDOUT_FILENO)) {
        return output_write(buf, err);
    }
    for (size_t i = 0; i < buf->size;) {
        size_t length = strchr("\"\\\n\t", buf->data[i]) ? 0 : quote_hidden(buf->data + i);
        if (length > 0) {
            buf_add_format(&shown, "\\u%04x", code_point(buf->data + i, length));
        } else {
            buf_add_char(&shown, buf->data[i]);
        }
        i += length > 0 ? length : 1;
    }
    return output_write(&shown, err);
}

bool output_has_colour(int fd) {
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(no_colour && no_colour[0]) && terminal && strcmp(terminal, "dumb") != 0 && isatty(fd);
}

int output_width(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// The length of the UTF-8 sequence at text, 0 if there is none: RFC 3629, no overlong forms, no surrogates.
static unsigned utf8_length(const unsigned char *text) {
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (text[0] < forms[i].first_min || text[0] > forms[i].first_max) {
            continue;
        }
        for (unsigned at = 1; at < forms[i].length; at++) {
            unsigned char least = at == 1 ? forms[i].second_min : 0x80, most = at == 1 ? forms[i].second_max : 0xbf;
            if (text[at] < least || text[at] > most) {
                return 0;
            }
        }
        return forms[i].length;
    }
    return 0;
}

void output_add_json(struct buf *buf, const char *text) {
    static const unsigned char escapes[][2] = {{'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\t', 't'}, {'\r', 'r'}};
    buf_add_char(buf, '"');
    for (const unsigned char *byte = (const unsigned char *)text; *byte;) {
        size_t i = 0;
        while (i < ARRAY_LEN(escapes) && escapes[i][0] != *byte) {
            i++;
        }
        unsigned length = utf8_length(byte);
        if (i < ARRAY_LEN(escapes)) {
            buf_add_char(buf, '\\');
            buf_add_char(buf, (char)escapes[i][1]);
        } else if (*byte < 0x20 || *byte == 0x7f || (byte[0] == 0xc2 && length == 2 && byte[1] < 0xa0)) {
            buf_add_format(buf, "\\u%04x", length == 2 ? byte[1] : *byte);
        } else if (length == 0) {
            buf_add_string(buf, "\xef\xbf\xbd");
        } else {
            buf_add(buf, byte, length);
        }
        byte += length ? length : 1;
    }
    buf_add_char(buf, '"');
}

static const char *human_number(double number, int digits, const char *const *units, double step, char text[OUTPUT_HUMAN_SIZE]) {
    // A number that rounds up to the next step is shown in its unit: 1MB, not 1e+03kB.
    double limit = digits == 3 ? step - 0.5 : step;
    while (number >= limit && units[1]) {
        number /= step;
        units++;
    }
    snprintf(text, OUTPUT_HUMAN_SIZE, "%.*g%s", number >= 1000 ? digits + 1 : digits, number, *units);
    return text;
}

const char *output_human_size(int64_t bytes, char text[OUTPUT_HUMAN_SIZE]) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};
    return human_number((double)bytes, 3, units, 1000, text);
}

const char *output_human_memory(int64_t bytes, char text[OUTPUT_HUMAN_SIZE]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};
    return human_number((double)bytes, 4, units, 1024, text);
}

const char *output_human_duration(int64_t seconds, char text[OUTPUT_HUMAN_SIZE]) {
    enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, WEEK = 7 * DAY, MONTH = 30 * DAY, YEAR = 365 * DAY };
    // From the longest time each row is for; a row without a unit is words alone.
    static const struct {
        int64_t below, unit;
        const char *words;
    } rows[] = {
        {1, 0, "Less than a second"},      {2, 0, "1 second"},         {MINUTE, 1, "seconds"},
        {2 * MINUTE, 0, "About a minute"}, {HOUR, MINUTE, "minutes"},  {2 * HOUR, 0, "About an hour"},
        {2 * DAY, HOUR, "hours"},          {2 * WEEK, DAY, "days"},    {2 * MONTH, WEEK, "weeks"},
        {2 * YEAR, MONTH, "months"},       {INT64_MAX, YEAR, "years"},
    };
    size_t i = 0;
    while (seconds >= rows[i].below && i + 1 < ARRAY_LEN(rows)) {
        i++;
    }
    if (rows[i].unit) {
        snprintf(text, OUTPUT_HUMAN_SIZE, "%lld %s", (long long)(seconds / rows[i].unit), rows[i].words);
    } else {
        snprintf(text, OUTPUT_HUMAN_SIZE, "%s", rows[i].words);
    }
    return text;
}
