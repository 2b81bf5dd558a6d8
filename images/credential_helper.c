#include "images/credential_helper.h"

#include "images/credentials.h"
#include "images/credentials_state.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/secret.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = CREDENTIALS_MAX_SECRET + 4096, TIMEOUT_MS = 60 * 1000 };

// One run of a helper.
struct call {
    const struct credential_helper *helper;
    const char *verb;
    const char *input;
    size_t input_size;
    struct buf *output;
};

static int check_name(const char *name, struct err *err) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char room[QUOTE_SIZE];
    if (!*name || name[strspn(name, letters)]) {
        return err_set(err, ERR_INPUT, "the credential helper %s: expected a name of letters, digits and . _ -",
                       quote_text(name, room));
    }
    return 0;
}

// The program by the absolute folders of PATH: one in the working directory is nobody's wish.
static char *find_program(const struct credential_helper *helper) {
    for (const char *at = helper->options->search_path; at && *at; at += *at == ':') {
        size_t size = strcspn(at, ":");
        if (*at == '/') {
            AUTO_FREE char *path = mem_format("%.*s/docker-credential-%s", (int)size, at, helper->name);
            if (faccessat(AT_FDCWD, path, X_OK, 0) == 0) {
                char *found = path;
                path = NULL;
                return found;
            }
        }
        at += size;
    }
    return NULL;
}

static _Noreturn void become(const struct call *call, char *program, int input, int output, int failure) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0) {
        char *verb = mem_copy_string(call->verb);
        char *const args[] = {program, verb, NULL}, *const empty[] = {NULL};
        char **environment = NULL; // execve(2) leaves it alone; its type says otherwise
        memcpy(&environment, &call->helper->options->environment, sizeof(environment));
        sys_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
        execve(program, args, environment ? environment : empty);
    }
    int saved = errno;
    (void)!write(failure, &saved, sizeof(saved));
    _exit(127);
}

// Sends what it takes now; closes our end when all is sent, or when it has closed its own.
static void feed(int *input, struct call *call) {
    ssize_t sent = send(*input, call->input, call->input_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    call->input += sent > 0 ? sent : 0;
    call->input_size -= sent > 0 ? (size_t)sent : 0;
    if (sent < 0 || call->input_size == 0) {
        fd_close(input);
    }
}

// Takes what is there. False: it is more than will do.
static bool drain(int *output, struct buf *into) {
    for (;;) {
        // All room is taken at once: a buf that grows leaves copies behind.
        ssize_t got = read(*output, buf_reserve(into, OUTPUT_MAX + 1 - into->size), OUTPUT_MAX + 1 - into->size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            fd_close(output);
        }
        if (got <= 0) {
            return true;
        }
        into->size += (size_t)got;
        into->data[into->size] = '\0';
        if (into->size > OUTPUT_MAX) {
            return false;
        }
    }
}

// Until it has ended. A keychain's daemon that it has started may hold its output for ever; what came until its end counts.
static int attend(struct call *call, int pidfd, int *input, int *output, struct err *err) {
    int timeout_ms = call->helper->options->helper_timeout_ms > 0 ? call->helper->options->helper_timeout_ms : TIMEOUT_MS;
    int64_t end_ms = clock_now_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = end_ms - clock_now_ms();
        struct pollfd waits[] = {
            {.fd = pidfd, .events = POLLIN}, {.fd = *input, .events = POLLOUT}, {.fd = *output, .events = POLLIN}};
        int ready = left_ms > 0 ? poll(waits, ARRAY_LEN(waits), (int)left_ms) : 0;
        if (ready < 0 && errno != EINTR) {
            return err_sys(err, "wait for docker-credential-%s", call->helper->name);
        }
        if (ready == 0) {
            return err_set(err, ERR_SYSTEM, "docker-credential-%s %s did not end within %d ms and was killed", call->helper->name,
                           call->verb, timeout_ms);
        }
        if (ready < 0) {
            continue;
        }
        if (waits[1].revents) {
            feed(input, call);
        }
        if ((waits[2].revents || waits[0].revents) && *output >= 0 && !drain(output, call->output)) {
            return err_set(err, ERR_INPUT, "docker-credential-%s %s answers with more than %d bytes", call->helper->name,
                           call->verb, OUTPUT_MAX);
        }
        if (waits[0].revents) {
            return 0;
        }
    }
}

static int exit_code(const struct call *call, const siginfo_t *end, struct err *err) {
    if (end->si_code != CLD_EXITED) {
        return err_set(err, ERR_SYSTEM, "docker-credential-%s %s was killed by signal %d", call->helper->name, call->verb,
                       end->si_status);
    }
    return end->si_status;
}

// Its exit code, or -1.
static int run(struct call *call, struct err *err) {
    const char *name = call->helper->name;
    if (check_name(name, err) < 0) {
        return -1;
    }
    AUTO_FREE char *program = find_program(call->helper);
    if (!program) {
        return err_set(err, ERR_NOT_FOUND, "docker-credential-%s is in no folder of PATH", name);
    }
    int input[2], output[2], failure[2];
    // In place of a pipe: sending to one that has closed its input must not raise SIGPIPE in us.
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) < 0) {
        return err_sys(err, "docker-credential-%s: make a socket pair", name);
    }
    AUTO_FD int input_ours = input[0];
    AUTO_FD int input_theirs = input[1];
    if (pipe2(output, O_CLOEXEC) < 0) {
        return err_sys(err, "docker-credential-%s: make a pipe", name);
    }
    AUTO_FD int output_ours = output[0];
    AUTO_FD int output_theirs = output[1];
    if (pipe2(failure, O_CLOEXEC) < 0 || fcntl(output_ours, F_SETFL, O_NONBLOCK) < 0) {
        return err_sys(err, "docker-credential-%s: make a pipe", name);
    }
    AUTO_FD int failure_ours = failure[0];
    AUTO_FD int failure_theirs = failure[1];
    AUTO_FD int pidfd = -1;
    pid_t child = process_clone(0, -1, &pidfd);
    if (child < 0) {
        return err_sys(err, "start %s", program);
    }
    if (child == 0) {
        become(call, program, input_theirs, output_theirs, failure_theirs);
    }
    fd_close(&input_theirs);
    fd_close(&output_theirs);
    fd_close(&failure_theirs);
    int reason = 0;
    bool started = fd_read_full(failure_ours, &reason, sizeof(reason)) != sizeof(reason);
    int result = started ? attend(call, pidfd, &input_ours, &output_ours, err) : err_num(err, reason, "start %s", program);
    if (started && result < 0) {
        sys_pidfd_send_signal(pidfd, SIGKILL);
    }
    siginfo_t end;
    process_reap(pidfd, &end);
    return result < 0 ? -1 : exit_code(call, &end, err);
}

// What a helper that failed says: 0 if that is that it knows nothing, else -1.
static int judge(const struct call *call, int code, struct err *err) {
    char room[QUOTE_SIZE];
    char *said = call->output->size > 0 ? call->output->data : NULL;
    if (said && strstr(said, "credentials not found")) {
        return 0;
    }
    // It may have failed behind the answer, which then must not be shown.
    if (!said || strpbrk(said, "{\"")) {
        return err_set(err, ERR_SYSTEM, "docker-credential-%s %s ended with exit code %d", call->helper->name, call->verb, code);
    }
    said[strcspn(said, "\r\n")] = '\0';
    return err_set(err, ERR_SYSTEM, "docker-credential-%s %s ended with exit code %d and says %s", call->helper->name, call->verb,
                   code, quote_text(said, room));
}

struct answer {
    const char *server, *user, *secret;
};

static const struct json_row answer_rows[] = {
    ROW_STRING("ServerURL", struct answer, server, 0),
    ROW_STRING("Username", struct answer, user, JSON_NEEDED),
    ROW_STRING("Secret", struct answer, secret, JSON_NEEDED),
};
static const struct json_table answer_table = JSON_TABLE(struct answer, answer_rows);

static struct json_document output_of(const struct call *call, struct arena *arena) {
    return (struct json_document){
        .name = arena_format(arena, "answer of docker-credential-%s %s", call->helper->name, call->verb),
        .text = buf_string(call->output),
        .size = call->output->size,
    };
}

int credential_helper_get(const struct credential_helper *helper, const char *server, struct arena *arena, struct credential *ret,
                          struct err *err) {
    AUTO_SECRET struct buf output = {0};
    struct call call = {helper, "get", server, strlen(server), &output};
    struct answer answer = {0};
    int code = run(&call, err);
    if (code != 0) {
        return code < 0 ? -1 : judge(&call, code, err);
    }
    const struct json_document document = output_of(&call, arena);
    if (json_decode(&document, &answer_table, arena, &answer, err) < 0) {
        return credentials_hush(err);
    }
    if (!*answer.secret) {
        return 0;
    }
    *ret = strcmp(answer.user, "<token>") == 0 ? (struct credential){.identity_token = answer.secret}
                                               : (struct credential){.user = answer.user, .password = answer.secret};
    return 1;
}

int credential_helper_store(const struct credential_helper *helper, const char *server, const struct credential *credential,
                            struct err *err) {
    AUTO_SECRET struct buf output = {0};
    AUTO_SECRET struct buf input = {0};
    struct json_writer writer = {.buf = &input};
    buf_reserve(&input, 6 * CREDENTIALS_MAX_SECRET); // so that it does not grow and leave copies behind
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "ServerURL", server);
    json_write_string(&writer, "Username", credential->identity_token ? "<token>" : credential->user);
    json_write_string(&writer, "Secret", credential->identity_token ? credential->identity_token : credential->password);
    json_write_close(&writer, '}');
    struct call call = {helper, "store", input.data, input.size, &output};
    int code = run(&call, err);
    if (code > 0 && judge(&call, code, err) == 0) {
        return err_set(err, ERR_SYSTEM, "docker-credential-%s store ended with exit code %d", helper->name, code);
    }
    return code == 0 ? 0 : -1;
}

int credential_helper_erase(const struct credential_helper *helper, const char *server, struct err *err) {
    AUTO_SECRET struct buf output = {0};
    struct call call = {helper, "erase", server, strlen(server), &output};
    int code = run(&call, err);
    return code == 0 ? 1 : code < 0 ? -1 : judge(&call, code, err);
}

struct listed {
    struct text_pair *pairs;
    size_t pairs_count;
};

// The whole document is the object of pairs.
static int take_pairs(struct json_reader *reader, json_t *value, void *into) {
    struct listed *listed = into;
    const char *server;
    json_t *user;
    if (!json_is_object(value)) {
        return json_expected(reader, "an object", value);
    }
    if (json_object_size(value) > JSON_MAX_ITEMS) {
        return json_fail(reader, "has more than %d members", JSON_MAX_ITEMS);
    }
    listed->pairs = arena_array(json_arena(reader), json_object_size(value) + 1, sizeof(*listed->pairs));
    json_object_foreach(value, server, user) {
        struct text_pair *pair = &listed->pairs[listed->pairs_count++];
        pair->name = arena_copy_string(json_arena(reader), server);
        pair->value = arena_copy_string(json_arena(reader), json_is_string(user) ? json_string_value(user) : "");
    }
    return 0;
}

int credential_helper_list(const struct credential_helper *helper, struct arena *arena, struct text_pair **ret, size_t *ret_count,
                           struct err *err) {
    AUTO_SECRET struct buf output = {0};
    struct call call = {helper, "list", "", 0, &output};
    struct listed listed = {0};
    int code = run(&call, err);
    if (code != 0) {
        *ret_count = 0;
        return code < 0 ? -1 : judge(&call, code, err);
    }
    const struct json_document document = output_of(&call, arena);
    if (json_decode_custom(&document, take_pairs, arena, &listed, err) < 0) {
        return credentials_hush(err);
    }
    *ret = listed.pairs;
    *ret_count = listed.pairs_count;
    return 0;
}
