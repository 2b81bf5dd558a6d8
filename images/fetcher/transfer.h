// One transfer of the fetcher: a libcurl handle, where its bodies come from and go to, and what its caller is told of it.
#ifndef COFFER_IMAGES_FETCHER_TRANSFER_H
#define COFFER_IMAGES_FETCHER_TRANSFER_H

#include "images/fetch_message.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct transfer {
    struct transfer *next;
    uint32_t id;
    int socket; // borrowed
    CURL *easy;
    struct curl_slist *lines;
    struct arena arena;
    struct fetch_order order;
    int body_fd, out_fd; // -1: none
    int keep_fd;         // where what goes to out_fd is appended, too; -1: none
    bool keep_begun;     // it has its note
    int keep_errnum;     // why that ended

    // The answer.
    long status;
    struct buf head; // its lines, each with a NUL
    size_t lines_count;
    bool told; // the caller knows of it
    bool to_out;
    uint64_t skip;      // bytes to throw away, which are there already
    size_t words;       // bytes kept of what an unsuccessful answer says
    uint64_t received;  // with those
    struct buf pending; // bytes that out_fd did not yet take
    size_t pending_done;
    bool out_full; // paused until out_fd is ready
    CURLcode code; // by which libcurl has ended it
    uint64_t sent;
    uint64_t told_bytes; // of progress
    int failure_errnum;
    char failure[512]; // our own reason to break it off
    char curl_words[CURL_ERROR_SIZE];
};

// Takes the descriptors. NULL with err.
struct transfer *transfer_create(int socket, uint32_t id, int order_fd, int give_body_fd, int give_out_fd, struct err *err);
void transfer_destroy(struct transfer *transfer);

// From now on what goes to out_fd is kept there, too: a file that can be appended to.
void transfer_keep(struct transfer *transfer, int give_fd);

// out_fd takes bytes again.
void transfer_go_on(struct transfer *transfer);

// libcurl is done with it, as its code says. False: there are still bytes that out_fd does not take now; call it again when it
// does.
bool transfer_finish(struct transfer *transfer);

// Tells how far it is, if enough has happened.
void transfer_tell(struct transfer *transfer);

// One that could not even begin.
void transfer_refuse(int socket, uint32_t id, const struct err *err);

#endif
