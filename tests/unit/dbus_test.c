// D-Bus: messages by their bytes, and a client against a bus of our own making that says the wrong things.
#include "tests/unit/check.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/dbus.h"
#include "runtime/kernel/systemd.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// --- messages ---

// A call of ours as the specification wants it, little end first: 'l', type 1, no flags, version 1, body of 6 bytes, serial 1, fields.
static const unsigned char call_bytes[] =
    "l\1\0\1\6\0\0\0\1\0\0\0\x37\0\0\0"
    "\1\1o\0\2\0\0\0/a\0\0\0\0\0\0"
    "\3\1s\0\4\0\0\0Ping\0\0\0\0"
    "\6\1s\0\3\0\0\0x.y\0\0\0\0\0"
    "\10\1g\0\1s\0\0" // the last field ends behind its NUL; then up to 8
    "\1\0\0\0k";

CASE(a_call_has_these_bytes) {
    AUTO_BUF struct buf body = {0};
    AUTO_BUF struct buf message = {0};
    const struct dbus_header header = {
        .type = DBUS_CALL, .serial = 1, .destination = "x.y", .path = "/a", .member = "Ping", .signature = "s"};
    dbus_put_string(&body, "k");
    dbus_encode(&header, &body, &message);
    struct dbus_message found;
    struct err err = {0};
    CHECK(dbus_decode(message.data, message.size, &found, &err) == 0);
    CHECK_INT(found.type, DBUS_CALL);
    CHECK_INT(found.serial, 1);
    CHECK_STR(found.path, "/a");
    CHECK_STR(found.member, "Ping");
    CHECK_STR(found.signature, "s");
    CHECK_INT(found.size - found.body, 6);
    CHECK_INT(message.size, sizeof(call_bytes));
    CHECK(message.size == sizeof(call_bytes) && memcmp(message.data, call_bytes, sizeof(call_bytes)) == 0);
    struct dbus_reader reader = dbus_read(&found);
    const char *text;
    CHECK(dbus_read_string(&reader, &text, &err) == 0);
    CHECK_STR(text, "k");
    CHECK(dbus_read_string(&reader, &text, &err) < 0);
    CHECK_STR(err.text, "the bus sent a message of signature \"s\", expected a text");
}

static void hex(const struct buf *from, struct buf *to) {
    buf_clear(to);
    for (size_t i = 0; i < from->size; i++) {
        buf_add_format(to, "%s%02x", i && i % 4 == 0 ? " " : "", (unsigned char)from->data[i]);
    }
}

CASE(properties_have_these_bytes) {
    AUTO_BUF struct buf body = {0};
    AUTO_BUF struct buf text = {0};
    static const uint32_t pids[] = {258};
    static const char *const names[] = {"a", "b"};
    static const struct systemd_device devices[] = {{.path = "d", .value = 5, .access = "r"}};
    const struct systemd_property properties[] = {
        {.name = "B", .type = "b", .number = 1},
        {.name = "T", .type = "t", .number = UINT64_MAX},
        {.name = "P", .type = "au", .items = pids, .count = 1},
    };
    systemd_put_properties(&body, properties, ARRAY_LEN(properties));
    hex(&body, &text);
    CHECK_STR(buf_string(&text), "3c000000 00000000 "                   // length of the array, and up to 8
                                 "01000000 42000162 00000000 01000000 " // "B", "b", true
                                 "01000000 54000174 00000000 00000000 ffffffff ffffffff "
                                 "01000000 50000261 75000000 04000000 02010000");
    const struct systemd_property lists[] = {
        {.name = "S", .type = "as", .items = names, .count = 2},
        {.name = "D", .type = "a(st)", .items = devices, .count = 1},
        {.name = "A", .type = "a(ss)", .items = devices, .count = 1},
        {.name = "E", .type = "a(ss)"},
        {.name = "Y", .type = "ay", .items = "\1\2", .count = 2},
        {.name = "I", .type = "i", .number = (uint64_t)-2},
    };
    struct dbus_header header = {.type = DBUS_SIGNAL, .serial = 3, .path = "/", .interface = "a.b", .member = "C", .signature = "a(sv)"};
    AUTO_BUF struct buf message = {0};
    struct dbus_message found;
    struct err err = {0};
    buf_clear(&body);
    systemd_put_properties(&body, lists, ARRAY_LEN(lists));
    dbus_encode(&header, &body, &message);
    CHECK(dbus_decode(message.data, message.size, &found, &err) == 0);
    header.signature = "a(sv)a(sa(sv))";
    dbus_array_end(&body, dbus_array_begin(&body, 8));
    buf_clear(&message);
    dbus_encode(&header, &body, &message);
    CHECK(dbus_decode(message.data, message.size, &found, &err) == 0);
}

static const char *decode_error(const void *bytes, size_t size, struct err *err) {
    struct dbus_message found;
    *err = (struct err){0};
    return dbus_decode(bytes, size, &found, err) < 0 ? err->text : "fine";
}

static void make_signal(struct buf *message, const char *signature, const struct buf *body) {
    const struct dbus_header header = {
        .type = DBUS_SIGNAL, .serial = 7, .path = "/a", .interface = "a.b", .member = "C", .signature = signature};
    buf_clear(message);
    dbus_encode(&header, body, message);
}

CASE(every_cut_and_every_changed_byte_is_survived) {
    AUTO_BUF struct buf body = {0};
    AUTO_BUF struct buf message = {0};
    struct err err;
    dbus_put_u32(&body, 5);
    dbus_put_string(&body, "/job/1");
    dbus_put_string(&body, "unit");
    dbus_put_string(&body, "done");
    make_signal(&message, "uoss", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), "fine");
    for (size_t size = 0; size < message.size; size++) {
        char *copy = malloc(size + 1); // so that a sanitiser sees a read behind it
        memcpy(copy, message.data, size);
        CHECK(strcmp(decode_error(copy, size, &err), "fine") != 0);
        free(copy);
    }
    for (size_t at = 0; at < message.size; at++) {
        for (int value = 0; value < 256; value++) {
            char *copy = malloc(message.size);
            memcpy(copy, message.data, message.size);
            copy[at] = (char)value;
            struct dbus_message found;
            if (dbus_decode(copy, message.size, &found, &err) == 0) {
                struct dbus_reader reader = dbus_read(&found);
                const char *text;
                uint32_t number;
                CHECK(dbus_read_u32(&reader, &number, &err) < 0 || dbus_read_string(&reader, &text, &err) < 0 || strlen(text) < 10);
            }
            free(copy);
        }
    }
}

CASE(bodies_are_checked_against_their_signature) {
    AUTO_BUF struct buf body = {0};
    AUTO_BUF struct buf message = {0};
    struct err err;
    static const char wrong[] = "the bus sent a message with a body that is not as its signature says";
    static const char behind[] = "the bus sent a message with bytes behind its body";
    dbus_put_u32(&body, 2);
    make_signal(&message, "b", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), wrong);
    make_signal(&message, "u", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), "fine");
    CHECK_INT(err.kind, ERR_NONE);
    make_signal(&message, "", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), behind);
    make_signal(&message, "uu", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), wrong);
    CHECK_INT(err.kind, ERR_CORRUPT);
    make_signal(&message, "a", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), "the bus sent a message with a damaged header");
    make_signal(&message, "()", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), "the bus sent a message with a damaged header");
    // A text with a NUL in it.
    buf_clear(&body);
    dbus_put_u32(&body, 3);
    buf_add(&body, "a\0b", 4);
    make_signal(&message, "s", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), wrong);
    // An array that is longer than what there is, and padding that is not zero.
    buf_clear(&body);
    dbus_put_u32(&body, 400);
    make_signal(&message, "as", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), wrong);
    buf_clear(&body);
    buf_add(&body, "x\1\0\0\5\0\0\0", 8);
    make_signal(&message, "yu", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), wrong);
}

CASE(depth_is_bounded) {
    AUTO_BUF struct buf body = {0};
    AUTO_BUF struct buf message = {0};
    struct err err;
    for (int i = 0; i < 30; i++) {
        dbus_put_signature(&body, "v");
    }
    dbus_put_signature(&body, "y");
    dbus_put_byte(&body, 1);
    make_signal(&message, "v", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), "fine");
    buf_clear(&body);
    for (int i = 0; i < 100000; i++) {
        dbus_put_signature(&body, "v");
    }
    make_signal(&message, "v", &body);
    CHECK_STR(decode_error(message.data, message.size, &err), "the bus sent a message with a body that is not as its signature says");
}

CASE(sizes_are_bounded) {
    struct err err = {0};
    size_t size;
    unsigned char head[DBUS_HEAD_BYTES] = "l\2\0\1\0\0\0\0\1\0\0\0\5\0\0";
    CHECK(dbus_message_size(head, &size, &err) == 0);
    CHECK_INT(size, 24);
    head[6] = 0x10;
    CHECK(dbus_message_size(head, &size, &err) < 0);
    CHECK_STR(err.text, "the bus sent a message with more bytes than are taken");
    head[6] = 0;
    memset(head + 12, 0xff, 4);
    CHECK(dbus_message_size(head, &size, &err) < 0);
    head[0] = 'x';
    CHECK(dbus_message_size(head, &size, &err) < 0);
    CHECK_STR(err.text, "the bus sent a message with an unknown byte order or version");
}

// --- a bus of our own ---

struct script {
    const char *welcome; // what is said to the authentication
    const struct buf *answers;
    size_t piece; // bytes a write
};

// In the child: takes all lines of the authentication, says its part and waits until the client has gone.
static _Noreturn void play(int listener, const struct script *script) {
    int peer = accept(listener, NULL, NULL);
    char room[4096];
    ssize_t got = recv(peer, room, sizeof(room), 0);
    static const char begin[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\nl\1"; // and the first message behind it
    if (got < (ssize_t)sizeof(begin) || memcmp(room, begin, sizeof(begin) - 1) != 0) {
        _exit(2);
    }
    AUTO_BUF struct buf all = {0};
    buf_add_string(&all, script->welcome);
    if (script->answers) {
        buf_add(&all, script->answers->data, script->answers->size);
    }
    for (size_t at = 0; at < all.size; at += script->piece) {
        size_t size = all.size - at < script->piece ? all.size - at : script->piece;
        if (send(peer, all.data + at, size, MSG_NOSIGNAL) < 0) {
            _exit(0);
        }
        usleep(script->piece < 64 ? 50 : 0);
    }
    shutdown(peer, SHUT_WR);
    while (recv(peer, room, sizeof(room), 0) > 0) {
    }
    _exit(0);
}

static pid_t start_bus(const struct script *script, char address[64]) {
    static int number;
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    int length = snprintf(place.sun_path + 1, sizeof(place.sun_path) - 1, "coffer-dbus-test-%d-%d", (int)getpid(), number++);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (bind(listener, (const struct sockaddr *)&place, size) < 0 || listen(listener, 1) < 0) {
        abort();
    }
    snprintf(address, 64, "unix:abstract=%.40s,guid=00", place.sun_path + 1);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(5);
        play(listener, script);
    }
    close(listener);
    return pid;
}

static void end_bus(pid_t pid) {
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
}

static void add_answer(struct buf *to, enum dbus_type type, uint32_t serial, const char *error, const char *text) {
    AUTO_BUF struct buf body = {0};
    const struct dbus_header header = {
        .type = type, .serial = 9, .reply_serial = serial, .error = error, .signature = text ? "s" : NULL};
    if (text) {
        dbus_put_string(&body, text);
    }
    dbus_encode(&header, &body, to);
}

static void add_job_removed(struct buf *to, const char *job, const char *result) {
    AUTO_BUF struct buf body = {0};
    const struct dbus_header header = {
        .type = DBUS_SIGNAL,
        .serial = 9,
        .path = "/org/freedesktop/systemd1",
        .interface = "org.freedesktop.systemd1.Manager",
        .member = "JobRemoved",
        .signature = "uoss",
    };
    dbus_put_u32(&body, 1);
    dbus_put_string(&body, job);
    dbus_put_string(&body, "a.scope");
    dbus_put_string(&body, result);
    dbus_encode(&header, &body, to);
}

static void add_job(struct buf *to, uint32_t serial, const char *job) {
    AUTO_BUF struct buf body = {0};
    const struct dbus_header header = {.type = DBUS_RETURN, .serial = 9, .reply_serial = serial, .signature = "o"};
    dbus_put_string(&body, job);
    dbus_encode(&header, &body, to);
}

static const char welcome[] = "DATA\r\nOK 1234\r\n";

// Starts a unit on a bus that gives these answers; Hello is message 1, AddMatch 2, StartTransientUnit 3. "" when all went well.
static const char *start_on(const char *lines, const struct buf *answers, size_t piece, struct err *err) {
    char address[64];
    const struct script script = {.welcome = lines, .answers = answers, .piece = piece};
    const struct systemd_property properties[] = {{.name = "MemoryMax", .type = "t", .number = 1, .optional = true},
                                                  {.name = "CPUWeight", .type = "t", .optional = true, .since_252 = true}};
    pid_t pid = start_bus(&script, address);
    struct dbus bus = {.fd = -1};
    *err = (struct err){0};
    int result = systemd_connect(address, &bus, err);
    if (result == 0) {
        result = systemd_start(&bus, "a.scope", properties, ARRAY_LEN(properties), err);
    }
    dbus_finish(&bus);
    end_bus(pid);
    return result < 0 ? err->text : "";
}

CASE(a_unit_is_started_however_the_bytes_come) {
    for (size_t piece = 1; piece < 5000; piece = piece * 7 + 1) {
        AUTO_BUF struct buf answers = {0};
        struct err err;
        add_answer(&answers, DBUS_RETURN, 1, NULL, ":1.5");
        add_job_removed(&answers, "/other", "done"); // before there is an answer to our call
        add_answer(&answers, DBUS_RETURN, 2, NULL, NULL);
        add_job_removed(&answers, "/job/7", "done"); // ours: held
        add_job(&answers, 3, "/job/7");
        CHECK_STR(start_on(welcome, &answers, piece, &err), "");
    }
}

CASE(a_job_that_fails_is_told) {
    AUTO_BUF struct buf answers = {0};
    struct err err;
    add_answer(&answers, DBUS_RETURN, 1, NULL, ":1.5");
    add_job(&answers, 3, "/job/7");
    add_job_removed(&answers, "/job/8", "done");
    add_job_removed(&answers, "/job/7", "failed");
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "systemd ended the job of unit a.scope with \"failed\", expected \"done\"");
}

CASE(what_systemd_does_not_know_is_left_out) {
    AUTO_BUF struct buf answers = {0};
    struct err err;
    add_answer(&answers, DBUS_ERROR, 3, "org.freedesktop.DBus.Error.PropertyReadOnly",
               "Cannot set property MemoryMax, or unknown property.");
    add_answer(&answers, DBUS_ERROR, 4, "org.freedesktop.DBus.Error.InvalidArgs", "Value specified in CPUWeight is out of range");
    add_job(&answers, 5, "/job/7");
    add_job_removed(&answers, "/job/7", "done");
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "");
    buf_clear(&answers);
    add_answer(&answers, DBUS_ERROR, 3, "org.freedesktop.DBus.Error.PropertyReadOnly", "Cannot set property Foo, or unknown property.");
    CHECK_STR(start_on(welcome, &answers, 4096, &err),
              "make unit a.scope: systemd says: Cannot set property Foo, or unknown property.");
}

CASE(a_failed_unit_is_forgotten_once) {
    AUTO_BUF struct buf answers = {0};
    struct err err;
    static const char exists[] = "org.freedesktop.systemd1.UnitExists";
    add_answer(&answers, DBUS_ERROR, 3, exists, "Unit a.scope already exists.");
    add_answer(&answers, DBUS_RETURN, 4, NULL, NULL); // ResetFailedUnit
    add_job(&answers, 5, "/job/7");
    add_job_removed(&answers, "/job/7", "done");
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "");
    buf_clear(&answers);
    add_answer(&answers, DBUS_ERROR, 3, exists, "Unit a.scope already exists.");
    add_answer(&answers, DBUS_RETURN, 4, NULL, NULL);
    add_answer(&answers, DBUS_ERROR, 5, exists, "Unit a.scope already exists.");
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "make unit a.scope: there is one of this name (systemctl status a.scope); stop it, or "
                                                       "give another name in linux.cgroupsPath");
    CHECK_INT(err.kind, ERR_EXISTS);
}

CASE(refusals_and_nonsense) {
    AUTO_BUF struct buf answers = {0};
    struct err err;
    CHECK_STR(start_on("REJECTED EXTERNAL\r\n", NULL, 4096, &err), "the bus does not let this user in");
    CHECK_STR(start_on("ERROR\r\n", NULL, 1, &err), "the bus does not let this user in");
    CHECK_STR(start_on("DATA\r\nDATA\r\nDATA\r\nDATA\r\nDATA\r\n", NULL, 4096, &err), "the bus does not let this user in");
    CHECK_STR(start_on("OK", NULL, 4096, &err), "the bus closed the connection");
    CHECK_STR(start_on(welcome, NULL, 4096, &err), "the bus closed the connection");
    for (int i = 0; i < 1000; i++) {
        buf_add_string(&answers, "x");
    }
    CHECK_STR(start_on("", &answers, 4096, &err), "the bus sent a line without an end");
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "the bus sent a message with an unknown byte order or version");
    buf_clear(&answers);
    add_answer(&answers, DBUS_ERROR, 2, "org.freedesktop.DBus.Error.LimitsExceeded", "too many matches");
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "the bus refuses: too many matches");
    buf_clear(&answers);
    add_answer(&answers, DBUS_ERROR, 3, "org.freedesktop.DBus.Error.ServiceUnknown", "no such name");
    CHECK_STR(start_on(welcome, &answers, 4096, &err),
              "make unit a.scope: no systemd answers on the bus; take --cgroup-manager cgroupfs");
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    buf_clear(&answers);
    add_answer(&answers, DBUS_ERROR, 3, "org.freedesktop.DBus.Error.AccessDenied", NULL);
    CHECK_STR(start_on(welcome, &answers, 4096, &err),
              "make unit a.scope: systemd does not let this user: org.freedesktop.DBus.Error.AccessDenied");
    buf_clear(&answers);
    while (answers.size < 300000) {
        add_job_removed(&answers, "/job/1", "done");
    }
    CHECK_STR(start_on(welcome, &answers, 4096, &err), "the bus sends more signals than are taken");
}

CASE(addresses) {
    struct dbus bus = {.fd = -1};
    struct err err = {0};
    static const char *const wrong[] = {"", "tcp:host=a,port=1", "unix:", "unix:path=", "unix:path=%zz", "unix:path=%00", "unix:tmpdir=/tmp"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CHECK(dbus_connect(wrong[i], &bus, &err) < 0);
        CHECK_INT(err.kind, ERR_INPUT);
    }
    CHECK(dbus_connect("tcp:a=b;unix:path=/nonexistent%2fx,guid=1;unix:abstract=coffer-nobody-listens", &bus, &err) < 0);
    CHECK_INT(err.kind, ERR_NOT_FOUND);
    CHECK(systemd_connect("unix:path=/nonexistent", &bus, &err) < 0);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    CHECK_STR(err.text, "no systemd to ask for a cgroup (take --cgroup-manager cgroupfs where it does not run): connect to the bus at "
                        "unix:path=/nonexistent: No such file or directory");
    char longest[400] = "unix:path=/";
    memset(longest + 11, 'a', sizeof(longest) - 12);
    longest[sizeof(longest) - 1] = '\0';
    CHECK(dbus_connect(longest, &bus, &err) < 0);
    CHECK_INT(err.kind, ERR_INPUT);
}

// A bus daemon is something that speaks the protocol and was not written by us.
static pid_t start_daemon(const char *directory, char address[64]) {
    char config[128];
    snprintf(config, sizeof(config), "%s/bus.conf", directory);
    snprintf(address, 64, "unix:path=%s/bus", directory);
    FILE *file = fopen(config, "we");
    if (!file) {
        abort();
    }
    fprintf(file, "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                  "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>", address);
    fclose(file);
    int ready[2];
    if (pipe(ready) < 0) {
        abort();
    }
    pid_t pid = fork();
    if (pid == 0) {
        char option[160], number[32];
        snprintf(option, sizeof(option), "--config-file=%s", config);
        snprintf(number, sizeof(number), "--print-address=%d", ready[1]);
        alarm(60);
        close(STDERR_FILENO);
        execlp("dbus-daemon", "dbus-daemon", "--nofork", option, number, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    char byte;
    bool up = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (!up) {
        waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}

CASE(a_real_bus) {
    char directory[] = "/tmp/coffer-dbus.XXXXXX", address[64], path[96];
    if (!mkdtemp(directory)) {
        abort();
    }
    pid_t pid = start_daemon(directory, address);
    if (pid > 0) {
        AUTO_DBUS struct dbus bus = {.fd = -1};
        AUTO_BUF struct buf body = {0};
        struct err err = {0};
        struct dbus_message answer;
        const struct dbus_header call = {.destination = "org.freedesktop.DBus",
                                         .path = "/org/freedesktop/DBus",
                                         .interface = "org.freedesktop.DBus",
                                         .member = "NameHasOwner",
                                         .signature = "s"};
        struct dbus_header unknown = call;
        unknown.member = "Nonsense";
        dbus_put_string(&body, "org.freedesktop.DBus");
        CHECK(systemd_connect(address, &bus, &err) == 0);
        CHECK_INT(dbus_call(&bus, &call, &body, &answer, &err), 0);
        CHECK_STR(answer.signature, "b");
        CHECK_STR(answer.sender, "org.freedesktop.DBus");
        CHECK_INT(dbus_call(&bus, &unknown, &body, &answer, &err), 1);
        CHECK_STR(answer.error, "org.freedesktop.DBus.Error.UnknownMethod");
        const struct systemd_property none[] = {{.name = "Delegate", .type = "b", .number = 1}};
        CHECK(systemd_start(&bus, "a.scope", none, 1, &err) < 0);
        CHECK_STR(err.text, "make unit a.scope: no systemd answers on the bus; take --cgroup-manager cgroupfs");
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
        CHECK(dbus_call(&bus, &call, &body, &answer, &err) < 0);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, i ? "bus.conf" : "bus");
        unlink(path);
    }
    rmdir(directory);
    if (pid < 0) {
        SKIP("needs dbus-daemon");
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(a_call_has_these_bytes);
    RUN(properties_have_these_bytes);
    RUN(every_cut_and_every_changed_byte_is_survived);
    RUN(bodies_are_checked_against_their_signature);
    RUN(depth_is_bounded);
    RUN(sizes_are_bounded);
    RUN(a_unit_is_started_however_the_bytes_come);
    RUN(a_job_that_fails_is_told);
    RUN(what_systemd_does_not_know_is_left_out);
    RUN(a_failed_unit_is_forgotten_once);
    RUN(refusals_and_nonsense);
    RUN(addresses);
    RUN(a_real_bus);
    return check_done();
}
