// Where sentences go: errors and warnings to standard error or to the low level's --log file, never both silently.
//
// What a message names may come from an image or a peer, so control characters are made visible before a terminal sees them.
#ifndef COFFER_CLI_MESSAGES_H
#define COFFER_CLI_MESSAGES_H

#include "runtime/base/attr.h"
#include "runtime/base/log.h"

struct buf;
struct context;
struct err;

// Sets the sink of runtime/base/log.h as the context's global options say, and opens its log; once, further calls do nothing.
int messages_open(const struct context *context, struct err *err) MUST_CHECK;

// Prints an error, once, as the last thing the program does. `who` stands in front: "coffer", or "coffer run" for wrong usage.
void messages_error(const char *who, const char *text);

// One line as runc writes its log: {"level":"error","msg":"...","time":"..."}, or time="..." level=error msg="...". Times are in
// UTC.
void messages_format_json(struct buf *buf, enum log_level level, const char *text, long long now_s);
void messages_format_text(struct buf *buf, enum log_level level, const char *text, long long now_s);

// Adds text with control characters as \xNN, so that it is one line and no terminal obeys it. UTF-8 goes through.
void messages_add_visible(struct buf *buf, const char *text);

#endif
