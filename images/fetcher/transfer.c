#include "images/fetcher/transfer.h"

#include "images/partial_note.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_S = 30,
    STALL_S = 60, // without a byte
    BUFFER_BYTES = 256 << 10,
    TELL_EVERY_BYTES = 1 << 20,
};

#define CERTIFICATES "/etc/ssl/certs"
#define BUNDLE CERTIFICATES "/ca-certificates.crt"

// Waits where the caller does not listen: what must arrive is never thrown away.
static void send_packet(int socket, uint32_t kind, uint32_t id, const void *body, size_t size, int flags) {
    const struct fetch_packet head = {.kind = kind, .id = id};
    const struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)&head, .iov_len = sizeof(head)},
                                   {.iov_base = (void *)(uintptr_t)body, .iov_len = size}};
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = 2};
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | flags);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) {
        _exit(0); // nobody listens any more
    }
}

static void send_ending(int socket, uint32_t id, const struct fetch_ending *ending) {
    AUTO_BUF struct buf message = {0};
    wire_encode(&fetch_ending_record, ending, &message);
    send_packet(socket, FETCH_PACKET_END, id, message.data, message.size, 0);
}

void transfer_refuse(int socket, uint32_t id, const struct err *err) {
    send_ending(socket, id, &(struct fetch_ending){.failed = true, .text = err->text});
}

static void send_progress(const struct transfer *transfer, int flags) {
    const struct fetch_progress progress = {
        .received = transfer->received, .sent = transfer->sent, .keep_errnum = (uint64_t)transfer->keep_errnum};
    send_packet(transfer->socket, FETCH_PACKET_PROGRESS, transfer->id, &progress, sizeof(progress), flags);
}

void transfer_tell(struct transfer *transfer) {
    uint64_t bytes = transfer->received + transfer->sent;
    if (bytes - transfer->told_bytes < TELL_EVERY_BYTES) {
        return;
    }
    transfer->told_bytes = bytes;
    send_progress(transfer, MSG_DONTWAIT);
}

// --- the answer's head ---

static void tell_answer(struct transfer *transfer) {
    AUTO_BUF struct buf message = {0};
    AUTO_FREE const char **lines = mem_array(transfer->lines_count + 1, sizeof(*lines));
    const char *at = buf_string(&transfer->head);
    for (size_t i = 0; i < transfer->lines_count; i++) {
        lines[i] = at;
        at += strlen(at) + 1;
    }
    const struct fetch_head head = {.status = (uint32_t)transfer->status, .lines = lines, .lines_count = transfer->lines_count};
    wire_encode(&fetch_head_record, &head, &message);
    send_packet(transfer->socket, FETCH_PACKET_ANSWER, transfer->id, message.data, message.size, 0);
    transfer->told = true;
}

static int break_off(struct transfer *transfer, const char *why) {
    snprintf(transfer->failure, sizeof(transfer->failure), "%s", why);
    return -1;
}

static const char *find_line(const struct transfer *transfer, const char *name) {
    const char *at = buf_string(&transfer->head);
    size_t length = strlen(name);
    for (size_t i = 0; i < transfer->lines_count; i++, at += strlen(at) + 1) {
        if (strncmp(at, name, length) == 0 && at[length] == ':') {
            return at + length + 1 + strspn(at + length + 1, " ");
        }
    }
    return NULL;
}

// A part must begin where it was asked for; who sends all is heard from the beginning, and what is there already goes by.
static int check_range(struct transfer *transfer) {
    const uint64_t at = transfer->order.resume_at;
    unsigned long long first;
    if (transfer->status == 206) {
        const char *range = find_line(transfer, "content-range");
        if ((at == 0 && transfer->order.until == 0) || !range || sscanf(range, "bytes %llu-", &first) != 1 || first != at) {
            return break_off(transfer, "the server sends another part than was asked for (Content-Range)");
        }
        transfer->received = at;
    } else {
        transfer->skip = at;
        transfer->received = 0;
    }
    return 0;
}

static int end_of_head(struct transfer *transfer) {
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
    if (transfer->status < 200) {
        return 0; // a word in between; the answer is yet to come
    }
    if (transfer->status < 300 && check_range(transfer) < 0) {
        return -1;
    }
    transfer->to_out = transfer->out_fd >= 0 && transfer->status < 300;
    tell_answer(transfer);
    return 0;
}

// One line of the head; the first of each answer begins with "HTTP/", the last is empty.
static size_t take_head(char *data, size_t one, size_t count, void *context) {
    struct transfer *transfer = context;
    size_t size = one * count, length = size;
    while (length > 0 && (data[length - 1] == '\n' || data[length - 1] == '\r')) {
        length--;
    }
    if (transfer->told) {
        return size; // trailers
    }
    if (length > 5 && strncasecmp(data, "HTTP/", 5) == 0) {
        buf_clear(&transfer->head);
        transfer->lines_count = 0;
        return size;
    }
    if (length == 0) {
        return end_of_head(transfer) < 0 ? 0 : size;
    }
    if (transfer->head.size + length + 1 > FETCHER_MAX_HEADERS) {
        break_off(transfer, "the server sends more than 64 KiB of header lines");
        return 0;
    }
    // A blank in place of what controls: no address of a Location becomes another valid one by that.
    bool in_name = true;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)data[i];
        in_name = in_name && byte != ':';
        buf_add_char(&transfer->head, (char)(byte < 0x20 || byte == 0x7f ? ' ' : in_name ? tolower(byte) : byte));
    }
    buf_add_char(&transfer->head, '\0');
    transfer->lines_count++;
    return size;
}

// --- the answer's body ---

// Writes what it takes now. Returns the bytes taken, -1 when it takes none ever more.
static ssize_t write_some(int fd, const char *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(fd, data + done, size - done);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return errno == EAGAIN ? (ssize_t)done : -1;
        }
        done += (size_t)put;
    }
    return (ssize_t)done;
}

static int broken_out(struct transfer *transfer) {
    char text[200];
    transfer->failure_errnum = errno;
    snprintf(text, sizeof(text), "what was to take the bytes does not any more: %s", strerror(errno));
    return break_off(transfer, text);
}

static int give_out(struct transfer *transfer, const char *data, size_t size) {
    ssize_t done = write_some(transfer->out_fd, data, size);
    if (done < 0) {
        return broken_out(transfer);
    }
    if ((size_t)done < size) {
        buf_clear(&transfer->pending);
        buf_add(&transfer->pending, data + done, size - (size_t)done);
        transfer->pending_done = 0;
        transfer->out_full = true;
    }
    return 0;
}

// --- what is kept for another time ---

void transfer_keep(struct transfer *transfer, int give_fd) {
    fd_close(&transfer->keep_fd);
    transfer->keep_fd = give_fd;
    transfer->keep_begun = false;
}

// `at`: where in the body these bytes belong. A file with bytes in it ends right there: that is its owner's business.
static int try_keep(struct transfer *transfer, uint64_t at, const char *data, size_t size) {
    struct stat status;
    char note[PARTIAL_NOTE_SIZE + 1];
    if (!transfer->keep_begun && fstat(transfer->keep_fd, &status) < 0) {
        return -1;
    }
    if (!transfer->keep_begun && status.st_size == 0) {
        partial_note_format(at, note);
        if (fd_write_all(transfer->keep_fd, note, PARTIAL_NOTE_SIZE) < 0) {
            return -1;
        }
    }
    transfer->keep_begun = true;
    return fd_write_all(transfer->keep_fd, data, size);
}

// A full disk is no reason to break anything off.
static void keep(struct transfer *transfer, uint64_t at, const char *data, size_t size) {
    if (transfer->keep_fd >= 0 && size > 0 && try_keep(transfer, at, data, size) < 0) {
        transfer->keep_errnum = errno ? errno : EIO;
        fd_close(&transfer->keep_fd);
        send_progress(transfer, 0);
    }
}

static void give_memory(struct transfer *transfer, const char *data, size_t size) {
    enum { STEP = FETCHER_MAX_PACKET - 1024 };
    for (size_t at = 0; at < size; at += STEP) {
        send_packet(transfer->socket, FETCH_PACKET_DATA, transfer->id, data + at, size - at < STEP ? size - at : STEP, 0);
    }
}

// What a server says beside another status than success counts to nothing; a page of it is enough.
static size_t take_words(struct transfer *transfer, const char *data, size_t size) {
    size_t room = FETCHER_MAX_HEADERS - transfer->words;
    size_t taken = size < room ? size : room;
    give_memory(transfer, data, taken);
    transfer->words += taken;
    return size;
}

static size_t take_body(char *data, size_t one, size_t count, void *context) {
    struct transfer *transfer = context;
    size_t size = one * count, at = 0;
    bool is_part = transfer->status == 206 && transfer->order.until > 0;
    const uint64_t limit = is_part ? transfer->order.until : transfer->order.max_bytes;
    if (transfer->out_full) {
        return CURL_WRITEFUNC_PAUSE;
    }
    if (transfer->status >= 300) {
        return take_words(transfer, data, size);
    }
    if (transfer->received + size > limit) {
        char text[100];
        snprintf(text, sizeof(text), "the server sends more than %llu bytes", (unsigned long long)limit);
        break_off(transfer, text);
        return 0;
    }
    transfer->received += size;
    if (transfer->skip > 0) {
        at = transfer->skip < size ? (size_t)transfer->skip : size;
        transfer->skip -= at;
    }
    if (!transfer->to_out) {
        give_memory(transfer, data + at, size - at);
    } else {
        keep(transfer, transfer->received - (size - at), data + at, size - at);
        if (give_out(transfer, data + at, size - at) < 0) {
            return 0;
        }
    }
    return size;
}

// --- the request's body ---

static size_t give_body(char *data, size_t one, size_t count, void *context) {
    struct transfer *transfer = context;
    size_t size = one * count;
    if (transfer->body_fd < 0) {
        size_t left = transfer->order.body_size - (size_t)transfer->sent;
        size = size < left ? size : left;
        if (size > 0) {
            memcpy(data, (const char *)transfer->order.body + transfer->sent, size);
        }
        transfer->sent += size;
        return size;
    }
    if (size > transfer->order.body_length - transfer->sent) {
        size = (size_t)(transfer->order.body_length - transfer->sent);
    }
    ssize_t got;
    do {
        got = pread(transfer->body_fd, data, size, (off_t)(transfer->order.body_offset + transfer->sent));
    } while (got < 0 && errno == EINTR);
    if (got < 0 || (got == 0 && size > 0)) {
        break_off(transfer, got < 0 ? "what is sent cannot be read" : "what is sent became shorter meanwhile");
        return CURL_READFUNC_ABORT;
    }
    transfer->sent += (uint64_t)got;
    return (size_t)got;
}

static int seek_body(void *context, curl_off_t offset, int origin) {
    struct transfer *transfer = context;
    if (origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    transfer->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

// --- its life ---

// Whether certificates stand there by the hash of their subject, as openssl-rehash(1) leaves them: then only those that are needed
// are read, where the bundle of all takes 40 ms.
static bool is_hashed(const char *folder) {
    DIR *stream = opendir(folder);
    bool found = false;
    for (const struct dirent *entry; stream && !found && (entry = readdir(stream));) {
        found =
            strlen(entry->d_name) == 10 && strspn(entry->d_name, "0123456789abcdef") == 8 && strcmp(entry->d_name + 8, ".0") == 0;
    }
    if (stream) {
        closedir(stream);
    }
    return found;
}

static void add_bundle(struct buf *all) {
    char *system = NULL;
    size_t size = 0;
    struct err ignored;
    if (fd_read_file(AT_FDCWD, BUNDLE, 8 << 20, &system, &size, &ignored) == 0) {
        buf_add(all, system, size);
        buf_add_char(all, '\n');
        free(system);
    }
}

// The system's certificates and those of the order, since libcurl takes one set in place of the other.
static void trust(struct transfer *transfer) {
    AUTO_BUF struct buf all = {0};
    if (transfer->order.ca_alone) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH, NULL);
    } else if (is_hashed(CERTIFICATES)) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH, CERTIFICATES);
    } else if (transfer->order.ca_pem) {
        add_bundle(&all);
    }
    if (transfer->order.ca_pem) {
        buf_add_string(&all, transfer->order.ca_pem);
        struct curl_blob blob = {.data = all.data, .len = all.size, .flags = CURL_BLOB_COPY};
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO_BLOB, &blob);
    }
}

static void identify(struct transfer *transfer) {
    const struct fetch_order *order = &transfer->order;
    struct curl_blob cert = {.data = (void *)(uintptr_t)order->cert_pem, .len = strlen(order->cert_pem), .flags = CURL_BLOB_COPY};
    curl_easy_setopt(transfer->easy, CURLOPT_SSLCERTTYPE, "PEM");
    curl_easy_setopt(transfer->easy, CURLOPT_SSLCERT_BLOB, &cert);
    if (order->key_pem) {
        struct curl_blob key = {.data = (void *)(uintptr_t)order->key_pem, .len = strlen(order->key_pem), .flags = CURL_BLOB_COPY};
        curl_easy_setopt(transfer->easy, CURLOPT_SSLKEYTYPE, "PEM");
        curl_easy_setopt(transfer->easy, CURLOPT_SSLKEY_BLOB, &key);
    }
}

static void set_tls(struct transfer *transfer) {
    const struct fetch_order *order = &transfer->order;
    curl_easy_setopt(transfer->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (order->insecure) {
        curl_easy_setopt(transfer->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(transfer->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (strncmp(order->url, "https:", 6) == 0) {
        trust(transfer);
    }
    if (order->cert_pem) {
        identify(transfer);
    }
}

static void set_method(struct transfer *transfer) {
    const struct fetch_order *order = &transfer->order;
    bool has_body = transfer->body_fd >= 0 || order->body || strcmp(order->method, "PUT") == 0 ||
                    strcmp(order->method, "POST") == 0 || strcmp(order->method, "PATCH") == 0;
    if (strcmp(order->method, "HEAD") == 0) {
        curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
    } else if (has_body) {
        curl_off_t size = transfer->body_fd < 0 ? (curl_off_t)order->body_size : (curl_off_t)order->body_length;
        curl_easy_setopt(transfer->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(transfer->easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(transfer->easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(transfer->easy, CURLOPT_SEEKFUNCTION, seek_body);
        curl_easy_setopt(transfer->easy, CURLOPT_SEEKDATA, transfer);
        curl_easy_setopt(transfer->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_BYTES);
        curl_easy_setopt(transfer->easy, CURLOPT_INFILESIZE_LARGE, size);
    }
    curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, order->method);
}

static void set_lines(struct transfer *transfer) {
    char range[64];
    transfer->lines = curl_slist_append(transfer->lines, "Expect:");
    for (size_t i = 0; i < transfer->order.headers_count; i++) {
        if (transfer->order.headers[i] && !strpbrk(transfer->order.headers[i], "\r\n")) {
            transfer->lines = curl_slist_append(transfer->lines, transfer->order.headers[i]);
        }
    }
    if (transfer->order.until > 0) {
        snprintf(range, sizeof(range), "Range: bytes=%llu-%llu", (unsigned long long)transfer->order.resume_at,
                 (unsigned long long)transfer->order.until - 1);
        transfer->lines = curl_slist_append(transfer->lines, range);
    } else if (transfer->order.resume_at > 0) {
        snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)transfer->order.resume_at);
        transfer->lines = curl_slist_append(transfer->lines, range);
    }
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->lines);
}

static void set_options(struct transfer *transfer) {
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_URL, transfer->order.url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_words);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "coffer/" COFFER_VERSION);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    set_method(transfer);
    set_lines(transfer);
    set_tls(transfer);
}

static int read_order(struct transfer *transfer, int order_fd, struct err *err) {
    struct stat status;
    if (fstat(order_fd, &status) < 0 || status.st_size > FETCHER_MAX_REQUEST) {
        return err_set(err, ERR_INPUT, "the request is larger than %d bytes", FETCHER_MAX_REQUEST);
    }
    AUTO_FREE char *message = mem_alloc((size_t)status.st_size + 1);
    if (pread(order_fd, message, (size_t)status.st_size, 0) != status.st_size) {
        return err_sys(err, "read the request");
    }
    if (wire_decode(&fetch_order_record, message, (size_t)status.st_size, &transfer->arena, &transfer->order, err) < 0) {
        return -1;
    }
    return transfer->order.method && transfer->order.url ? 0 : err_set(err, ERR_INPUT, "the request says no method or address");
}

// A pipe is not waited for: other transfers go on meanwhile.
static void prepare_pipe(int fd) {
    if (fd >= 0 && lseek(fd, 0, SEEK_CUR) < 0) {
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
}

struct transfer *transfer_create(int socket, uint32_t id, int order_fd, int give_body_fd, int give_out_fd, struct err *err) {
    struct transfer *transfer = mem_alloc(sizeof(*transfer));
    *transfer = (struct transfer){.id = id, .socket = socket, .body_fd = give_body_fd, .out_fd = give_out_fd, .keep_fd = -1};
    prepare_pipe(give_out_fd);
    transfer->easy = curl_easy_init();
    if (!transfer->easy || read_order(transfer, order_fd, err) < 0) {
        if (!transfer->easy) {
            err_set(err, ERR_SYSTEM, "libcurl gives no handle");
        }
        transfer_destroy(transfer);
        return NULL;
    }
    transfer->received = transfer->order.resume_at;
    set_options(transfer);
    return transfer;
}

void transfer_destroy(struct transfer *transfer) {
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->lines);
    fd_close(&transfer->body_fd);
    fd_close(&transfer->out_fd);
    fd_close(&transfer->keep_fd);
    buf_finish(&transfer->head);
    buf_finish(&transfer->pending);
    arena_finish(&transfer->arena);
    free(transfer);
}

static void flush(struct transfer *transfer) {
    const char *from = transfer->pending.data + transfer->pending_done;
    ssize_t done = write_some(transfer->out_fd, from, transfer->pending.size - transfer->pending_done);
    if (done < 0) {
        broken_out(transfer);
        transfer->out_full = false;
        return;
    }
    transfer->pending_done += (size_t)done;
    transfer->out_full = transfer->pending_done < transfer->pending.size;
}

void transfer_go_on(struct transfer *transfer) {
    flush(transfer);
    if (!transfer->out_full) {
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    }
}

static bool is_transient(CURLcode code) {
    static const CURLcode codes[] = {
        CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING, CURLE_SEND_ERROR,
        CURLE_RECV_ERROR,      CURLE_HTTP2,        CURLE_HTTP2_STREAM,       CURLE_AGAIN,
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

bool transfer_finish(struct transfer *transfer) {
    const CURLcode code = transfer->code;
    if (transfer->out_full && !transfer->failure[0]) {
        flush(transfer);
        if (transfer->out_full) {
            return false;
        }
    }
    const char *words = transfer->failure[0]      ? transfer->failure
                        : transfer->curl_words[0] ? transfer->curl_words
                                                  : curl_easy_strerror(code);
    bool failed = code != CURLE_OK || transfer->failure[0];
    const struct fetch_ending ending = {
        .failed = failed,
        .transient = failed && !transfer->failure[0] && is_transient(code),
        .errnum = (uint32_t)transfer->failure_errnum,
        .text = failed ? words : NULL,
        .received = transfer->received,
        .sent = transfer->sent,
        .keep_errnum = (uint32_t)transfer->keep_errnum,
    };
    send_ending(transfer->socket, transfer->id, &ending);
    return true;
}
