// HTTP by a process of its own: the fetcher, a program with libcurl that is started from a sealed memfd (images/fetcher), without
// privileges and without a way to write or start anything. It parses TLS, HTTP and the names' resolution; what comes home is a
// status, header lines and bytes. It follows no redirect, knows no credentials but the header lines it is given, and retries
// nothing: images/registry.c decides all that.
//
// Transfers run side by side. The body of a 2xx answer goes to `out_fd`, where there is one, as fast as that takes it; else it
// stays in memory.
#ifndef COFFER_IMAGES_FETCH_H
#define COFFER_IMAGES_FETCH_H

#include "runtime/base/attr.h"
#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct fetcher;
struct fetch; // one transfer

enum { FETCH_MAX_BODY = 8 << 20 }; // of an answer kept in memory, in bytes

struct fetch_tls {
    const char *ca_pem;             // certificates trusted beside the system's; NULL: none
    bool ca_alone;                  // in place of the system's
    const char *cert_pem, *key_pem; // the client's; NULL: none
    bool insecure;                  // certificates are not verified
};

struct fetch_request {
    const char *method;         // "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"
    const char *url;            // http:// or https://, no user information
    const char *const *headers; // "Name: value"
    size_t headers_count;
    const struct fetch_tls *tls; // NULL: the system's certificates

    const void *body; // in memory; NULL: none
    size_t body_size;
    int body_fd; // a window of a file; borrowed until fetch_start() returns; -1: none
    uint64_t body_offset, body_length;

    int out_fd;         // for the body of a 2xx answer, borrowed until fetch_start() returns; a pipe or a file; -1: memory
    uint64_t resume_at; // body bytes that are there already: asked for by Range; thrown away if the server sends all (200)
    uint64_t until;     // only the bytes before this one are wanted, if the server can do so (206); 0: all
    uint64_t max_bytes; // of the whole body, with what is there already; more is an error; 0: FETCH_MAX_BODY

    bool keeps; // what goes to out_fd is appended to `keep_fd`, too, as fetch_keep() has it
    int keep_fd;
};

struct fetch_answer {
    int status;                // 200, 404
    struct text_pair *headers; // names in lower case; values trimmed, without control characters; at most 64 KiB in all
    size_t headers_count;
    const char *body; // NUL-terminated; NULL until the end, and where it went to out_fd
    size_t body_size;
};

// environment: "NAME=VALUE" of HTTP_PROXY and its like, NULL-terminated; may be NULL.
int fetcher_create(const char *const *environment, struct fetcher **ret_fetcher, struct err *err) MUST_CHECK;
void fetcher_destroy(struct fetcher *fetcher); // ends all transfers; NULL is fine
void fetcher_cleanup(struct fetcher **fetcher);
#define AUTO_FETCHER AUTO(fetcher_cleanup)

int fetcher_fd(const struct fetcher *fetcher);                         // for poll(2): readable when there is news
int fetcher_step(struct fetcher *fetcher, struct err *err) MUST_CHECK; // takes in the news, without waiting; -1: it has died

int fetch_start(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret_fetch, struct err *err) MUST_CHECK;
// From now on what goes to out_fd is appended to this file, too; one that is empty begins with a note of where that is
// (images/partial_note.h). It is only kept for another time: that it cannot be is no failure, and told by fetch_keep_errnum().
// keep_fd is borrowed.
void fetch_keep(struct fetch *fetch, int keep_fd);
int fetch_keep_errnum(const struct fetch *fetch); // 0: as far as is known, all is kept

void fetch_end(struct fetch *fetch); // also of one under way, which is broken off; NULL is fine
void fetch_cleanup(struct fetch **fetch);
#define AUTO_FETCH AUTO(fetch_cleanup)

bool fetch_ended(const struct fetch *fetch);                        // with or without success
uint64_t fetch_bytes(const struct fetch *fetch);                    // of the answer's body so far, resume_at included
uint64_t fetch_sent(const struct fetch *fetch);                     // of the request's body so far
const struct fetch_answer *fetch_answer(const struct fetch *fetch); // NULL until its header lines have come

// The result of one that has ended: 0 when all of an answer came, whatever its status; else -1 with err ("connect to host x:
// refused"). *ret_transient: trying again may help (no connection, cut off, timed out). May be NULL.
int fetch_result(const struct fetch *fetch, bool *ret_transient, struct err *err) MUST_CHECK;

// Starts it, waits for its end.
int fetch_run(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret_fetch, bool *ret_transient,
              struct err *err) MUST_CHECK;

const char *fetch_header(const struct fetch_answer *answer, const char *name); // the first, name in lower case; NULL: none

#endif
