#include "tests/unit/check.h"

#include "images/fetch.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PART = 1000, WHOLE = 300 * 1000 };

// A server of our own making, since it must misbehave: one connection after the other, answered by the path.
static struct {
    pid_t pid;
    int port;
} server;

static void say(int fd, const char *text) {
    (void)!write(fd, text, strlen(text));
}

static void say_bytes(int fd, size_t from, size_t to) {
    char bytes[PART];
    for (size_t at = from; at < to; at += sizeof(bytes)) {
        memset(bytes, (int)('a' + at / PART % 26), sizeof(bytes));
        (void)!write(fd, bytes, to - at < sizeof(bytes) ? to - at : sizeof(bytes));
    }
}

static void answer(int fd, const char *request) {
    if (strstr(request, "GET /small ")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Odd:  a\x01"
                "b\r\n\r\nhello");
    } else if (strstr(request, "GET /cut ")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    } else if (strstr(request, "GET /part ") && strstr(request, "Range: bytes=100000-")) {
        say(fd, "HTTP/1.1 206 Partial\r\nContent-Length: 200000\r\nContent-Range: bytes 100000-299999/300000\r\n\r\n");
        say_bytes(fd, 100 * PART, WHOLE);
    } else if (strstr(request, "GET /other-part ")) {
        say(fd, "HTTP/1.1 206 Partial\r\nContent-Length: 4\r\nContent-Range: bytes 7-10/300000\r\n\r\nabcd");
    } else if (strstr(request, "GET /whole ")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        say_bytes(fd, 0, WHOLE);
    } else if (strstr(request, "GET /cut-late ")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n");
        say_bytes(fd, 0, WHOLE);
    } else if (strstr(request, "GET /endless-head ")) {
        say(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 2000; i++) {
            say(fd, "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
        }
        say(fd, "\r\n");
    } else if (strstr(request, "GET /moved ")) {
        say(fd, "HTTP/1.1 307 Moved\r\nLocation: /small\r\nContent-Length: 0\r\n\r\n");
    } else if (strstr(request, "PUT /echo ") && strstr(request, "Content-Length: 5")) {
        const char *body = strstr(request, "\r\n\r\n") + 4;
        say(fd, strncmp(body, "moved", 5) == 0 ? "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
                                               : "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    } else {
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    }
}

static _Noreturn void serve(int listener) {
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        char request[8192];
        size_t size = 0;
        int fd = accept(listener, NULL, NULL);
        request[0] = '\0';
        while (size < sizeof(request) - 1 &&
               !(strstr(request, "\r\n\r\n") && (strncmp(request, "PUT", 3) != 0 || strstr(request, "moved")))) {
            ssize_t got = read(fd, request + size, sizeof(request) - 1 - size);
            if (got <= 0) {
                break;
            }
            size += (size_t)got;
            request[size] = '\0';
        }
        answer(fd, request);
        close(fd);
    }
}

static void stop_server(void) {
    kill(server.pid, SIGKILL);
}

static void start_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (server.pid > 0) {
        return;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    server.port = ntohs(address.sin_port);
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        serve(listener);
    }
    close(listener);
    (void)atexit(stop_server);
}

static char *url(const char *path) {
    static char text[128];
    start_server();
    snprintf(text, sizeof(text), "http://127.0.0.1:%d%s", server.port, path);
    return text;
}

static struct fetch *get(struct fetcher *fetcher, struct fetch_request *request, bool *ret_transient, struct err *err) {
    struct fetch *fetch = NULL;
    *err = (struct err){0};
    request->method = request->method ? request->method : "GET";
    return fetch_run(fetcher, request, &fetch, ret_transient, err) < 0 ? NULL : fetch;
}

#define REQUEST(path)                                                                                                              \
    { .url = url(path), .body_fd = -1, .out_fd = -1 }
#define REQUEST_TO(path, fd, ...)                                                                                                  \
    { .url = url(path), .body_fd = -1, .out_fd = (fd), __VA_ARGS__ }

CASE(a_small_answer_comes_whole_and_without_control_characters) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    bool transient;
    struct fetch_request request = REQUEST("/small");
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0);
    AUTO_FETCH struct fetch *fetch = get(fetcher, &request, &transient, &err);
    CHECK(fetch);
    CHECK(fetch_answer(fetch)->status == 200);
    CHECK_STR(fetch_answer(fetch)->body, "hello");
    CHECK_STR(fetch_header(fetch_answer(fetch), "x-odd"), "a b");
    CHECK(!fetch_header(fetch_answer(fetch), "x-none"));
}

CASE(no_redirect_is_followed) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    bool transient;
    struct fetch_request request = REQUEST("/moved");
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0);
    AUTO_FETCH struct fetch *fetch = get(fetcher, &request, &transient, &err);
    CHECK(fetch && fetch_answer(fetch)->status == 307);
    CHECK_STR(fetch_header(fetch_answer(fetch), "location"), "/small");
}

CASE(what_is_cut_off_or_not_there_may_be_tried_again) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    bool transient = false;
    struct fetch_request cut = REQUEST("/cut");
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0);
    CHECK(!get(fetcher, &cut, &transient, &err));
    CHECK(transient);
    struct fetch_request nobody = {.url = "http://127.0.0.1:1/", .body_fd = -1, .out_fd = -1};
    CHECK(!get(fetcher, &nobody, &transient, &err));
    CHECK(transient);
    CHECK(strstr(err.text, "127.0.0.1 port 1"));
}

static void check_whole(int fd) {
    char byte;
    for (int at = 0; at < WHOLE; at += PART) {
        CHECK(pread(fd, &byte, 1, at) == 1 && byte == 'a' + at / PART % 26);
    }
    CHECK(lseek(fd, 0, SEEK_END) == WHOLE);
}

CASE(a_body_is_resumed_or_what_is_there_already_goes_by) {
    static const char *const paths[] = {"/part", "/whole"};
    struct err err = {0};
    for (int i = 0; i < 2; i++) {
        AUTO_FETCHER struct fetcher *fetcher = NULL;
        AUTO_FD int out = memfd_create("out", MFD_CLOEXEC);
        bool transient;
        CHECK(fetcher_create(NULL, &fetcher, &err) == 0);
        for (int at = 0; at < 100; at++) {
            char bytes[PART];
            memset(bytes, 'a' + at % 26, sizeof(bytes));
            CHECK(write(out, bytes, sizeof(bytes)) == sizeof(bytes));
        }
        struct fetch_request request = REQUEST_TO(paths[i], out, .resume_at = 100 * PART, .max_bytes = WHOLE);
        AUTO_FETCH struct fetch *fetch = get(fetcher, &request, &transient, &err);
        CHECK(fetch && fetch_bytes(fetch) == WHOLE);
        check_whole(out);
    }
}

CASE(too_much_and_something_else_are_refused_for_good) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    bool transient = true;
    AUTO_FD int out = memfd_create("out", MFD_CLOEXEC);
    struct fetch_request large = REQUEST_TO("/whole", out, .max_bytes = WHOLE - 1);
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0);
    CHECK(!get(fetcher, &large, &transient, &err) && !transient);
    CHECK_STR(err.text, "the server sends more than 299999 bytes");
    struct fetch_request other = REQUEST_TO("/other-part", out, .resume_at = 100, .max_bytes = WHOLE);
    CHECK(!get(fetcher, &other, &transient, &err) && !transient);
    CHECK_STR(err.text, "the server sends another part than was asked for (Content-Range)");
    struct fetch_request head = REQUEST("/endless-head");
    CHECK(!get(fetcher, &head, &transient, &err) && !transient);
    CHECK_STR(err.text, "the server sends more than 64 KiB of header lines");
}

CASE(a_slow_reader_makes_it_wait) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    int pipes[2];
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0 && pipe(pipes) == 0);
    AUTO_FD int from = pipes[0];
    struct fetch_request request = REQUEST_TO("/whole", pipes[1], .method = "GET", .max_bytes = WHOLE);
    AUTO_FETCH struct fetch *fetch = NULL;
    CHECK(fetch_start(fetcher, &request, &fetch, &err) == 0);
    close(pipes[1]);
    size_t total = 0;
    char bytes[777];
    for (ssize_t got; (got = read(from, bytes, sizeof(bytes))) > 0; total += (size_t)got) {
        CHECK(bytes[0] == (char)('a' + total / PART % 26));
    }
    CHECK(total == WHOLE);
}

// The end comes while the reader has not yet taken what stands before it.
CASE(what_is_cut_off_before_a_slow_reader_is_no_success) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    int pipes[2];
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0 && pipe(pipes) == 0);
    AUTO_FD int from = pipes[0];
    struct fetch_request request = REQUEST_TO("/cut-late", pipes[1], .method = "GET", .max_bytes = 2 * WHOLE);
    AUTO_FETCH struct fetch *fetch = NULL;
    CHECK(fetch_start(fetcher, &request, &fetch, &err) == 0);
    close(pipes[1]);
    size_t total = 0;
    char bytes[4096];
    for (ssize_t got; (got = read(from, bytes, sizeof(bytes))) > 0; total += (size_t)got) {
        usleep(2000);
    }
    CHECK(total == WHOLE);
    bool transient = false;
    for (int i = 0; i < 1000 && !fetch_ended(fetch); i++) {
        CHECK(fetcher_step(fetcher, &err) == 0);
        usleep(1000);
    }
    CHECK(fetch_result(fetch, &transient, &err) < 0 && transient);
    CHECK(fetch_bytes(fetch) == WHOLE);
}

CASE(a_body_is_sent) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    bool transient;
    AUTO_FD int body = memfd_create("body", MFD_CLOEXEC);
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0 && write(body, "unmoved", 7) == 7);
    struct fetch_request request = {
        .method = "PUT", .url = url("/echo"), .body_fd = body, .body_offset = 2, .body_length = 5, .out_fd = -1};
    AUTO_FETCH struct fetch *fetch = get(fetcher, &request, &transient, &err);
    CHECK(fetch && fetch_answer(fetch)->status == 201);
    CHECK(fetch_sent(fetch) == 5);
}

CASE(a_fetcher_that_is_killed_is_told) {
    AUTO_FETCHER struct fetcher *fetcher = NULL;
    struct err err = {0};
    char path[64], line[64] = "";
    start_server();
    CHECK(fetcher_create(NULL, &fetcher, &err) == 0);
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(read(fd, line, sizeof(line) - 1) > 0);
    int last = 0;
    for (char *at = strtok(line, " "); at; at = strtok(NULL, " ")) {
        last = atoi(at);
    }
    CHECK(last > 0 && last != server.pid && kill(last, SIGKILL) == 0);
    struct fetch_request request = REQUEST("/small");
    bool transient;
    CHECK(!get(fetcher, &request, &transient, &err));
    CHECK_STR(err.text, "the fetcher was killed by signal 9");
}

int main(void) {
    RUN(a_small_answer_comes_whole_and_without_control_characters);
    RUN(no_redirect_is_followed);
    RUN(what_is_cut_off_or_not_there_may_be_tried_again);
    RUN(a_body_is_resumed_or_what_is_there_already_goes_by);
    RUN(too_much_and_something_else_are_refused_for_good);
    RUN(a_slow_reader_makes_it_wait);
    RUN(what_is_cut_off_before_a_slow_reader_is_no_success);
    RUN(a_body_is_sent);
    RUN(a_fetcher_that_is_killed_is_told);
    return check_done();
}
