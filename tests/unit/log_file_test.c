#include "tests/unit/folder.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/log_file.h"
#include "runtime/engine/log_journal.h"
#include "runtime/engine/log_options.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct log_owner owner = {.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                       .name = "web",
                                       .image = "nginx:1",
                                       .image_id = "sha256:77"};

static struct log_options options;
static struct err err;
static int dir_fd = -1;

// An empty folder, and the log in it.
static struct log_file *open_log(void) {
    struct log_file *log = log_file_open(dir_fd, &options, &owner, NULL, &err);
    CHECK(log != NULL);
    return log;
}

static struct log_file *begin(enum log_driver driver) {
    const char *name = arena_format(&arena, "%s/%s", folder, "log");
    CHECK_INT(system(arena_format(&arena, "rm -rf %s && mkdir %s", name, name)), 0);
    fd_close(&dir_fd);
    dir_fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    options = (struct log_options){.driver = driver, .max_size_bytes = LOG_DEFAULT_SIZE_BYTES, .max_files = LOG_DEFAULT_FILES};
    return open_log();
}

static void put(struct log_file *log, enum log_stream stream, const char *text) {
    log_file_write(log, stream, text, strlen(text));
}

static const char *raw(const char *name) {
    char *text;
    size_t size;
    if (fd_read_file(dir_fd, name, 64 << 20, &text, &size, &err) < 0) {
        return "(none)";
    }
    const char *copy = arena_copy(&arena, text, size);
    free(text);
    return copy;
}

// The file with the times, which are checked, left out.
static const char *content(const char *name) {
    AUTO_BUF struct buf text = {0};
    for (const char *line = raw(name); *line;) {
        const char *end = strchrnul(line, '\n');
        int64_t time_ns = 0;
        size_t length = timestamp_parse(line, (size_t)(end - line), &time_ns);
        CHECK(length == 0 || (length == 30 && llabs(timestamp_now() - time_ns) < 60000000000));
        buf_add(&text, line + length, (size_t)(end - line) - length + (*end == '\n'));
        line = end + (*end == '\n');
    }
    return arena_copy_string(&arena, buf_string(&text));
}

static int lines_of(const char *name) {
    int lines = 0;
    for (const char *at = raw(name); (at = strchr(at, '\n')); at++) {
        lines++;
    }
    return lines;
}

static int64_t size_of(const char *name) {
    struct stat status;
    return fstatat(dir_fd, name, &status, 0) == 0 ? status.st_size : -1;
}

CASE(lines_are_lines_however_they_come) {
    static const char input[] = "one\n\ntwo words\r\n\xff\x01 three\n";
    const char *expected = " stdout F one\n stdout F \n stdout F two words\r\n stdout F \xff\x01 three\n";
    for (size_t step = 1; step < sizeof(input); step++) {
        struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
        for (size_t at = 0; at < sizeof(input) - 1; at += step) {
            size_t left = sizeof(input) - 1 - at;
            log_file_write(log, LOG_STDOUT, input + at, left < step ? left : step);
        }
        CHECK(!log_file_is_pending(log));
        log_file_destroy(log);
        CHECK_STR(content("ctr.log"), expected);
    }
}

CASE(streams_do_not_mix_and_prompts_are_written_when_the_pipe_is_dry) {
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    put(log, LOG_STDOUT, "begin ");
    put(log, LOG_STDERR, "error\n");
    put(log, LOG_STDOUT, "end\nlogin: ");
    CHECK_STR(content("ctr.log"), " stderr F error\n stdout F begin end\n");
    CHECK(log_file_is_pending(log));
    log_file_settle(log);
    CHECK(!log_file_is_pending(log));
    log_file_settle(log);
    CHECK_STR(content("ctr.log"), " stderr F error\n stdout F begin end\n stdout P login: \n");
    put(log, LOG_STDOUT, "\nlast");
    log_file_destroy(log);
    CHECK_STR(content("ctr.log"), " stderr F error\n stdout F begin end\n stdout P login: \n stdout F \n stdout P last\n");
}

static void fill(char *text, size_t size) {
    memset(text, 'x', size);
}

CASE(long_lines_come_in_pieces_of_16_kib) {
    static char text[3 * LOG_PIECE_BYTES];
    for (size_t extra = 0; extra < 2; extra++) {
        for (size_t step = 1000; step < 50000; step += 24000) {
            struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
            size_t size = 2 * LOG_PIECE_BYTES + extra;
            fill(text, size);
            text[size] = '\n';
            for (size_t at = 0; at <= size; at += step) {
                log_file_write(log, LOG_STDOUT, text + at, size + 1 - at < step ? size + 1 - at : step);
            }
            log_file_destroy(log);
            const char *line = raw("ctr.log");
            for (size_t piece = 0; piece < 2 + extra; piece++, line = strchr(line, '\n') + 1) {
                size_t length = (size_t)(strchr(line, '\n') - line);
                bool last = piece == 1 + extra;
                CHECK(line[38] == (last ? 'F' : 'P'));
                CHECK_INT(length, 40 + (piece < 2 ? LOG_PIECE_BYTES : extra));
            }
            CHECK_STR(line, "");
        }
    }
    // No letter is divided.
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    fill(text, LOG_PIECE_BYTES - 1);
    memcpy(text + LOG_PIECE_BYTES - 1, "\xe2\x82\xac\n", 4);
    log_file_write(log, LOG_STDERR, text, LOG_PIECE_BYTES + 3);
    log_file_destroy(log);
    CHECK(strstr(raw("ctr.log"), " stderr F \xe2\x82\xac\n") != NULL);
}

CASE(json_is_dockers) {
    struct log_file *log = begin(LOG_DRIVER_JSON_FILE);
    put(log, LOG_STDOUT, "a \"b\" \\ \t\x01\r\n");
    log_file_write(log, LOG_STDERR, "nul\0 bad\xff\xe2\x82 good\xe2\x82\xac\xf0\x9f\x98\x80", 23);
    log_file_destroy(log);
    char *at = memcpy(mem_copy_string(raw("ctr.log")), "{", 1);
    for (char *time = at; (time = strstr(time, "\"time\":\"")); time += 8) {
        int64_t time_ns;
        CHECK_INT(timestamp_parse(time + 8, 30, &time_ns), 30);
        memmove(time + 8, time + 38, strlen(time + 38) + 1);
    }
    CHECK_STR(
        at,
        "{\"log\":\"a \\\"b\\\" \\\\ \\t\\u0001\\r\\n\",\"stream\":\"stdout\",\"time\":\"\"}\n"
        "{\"log\":\"nul\\u0000 bad\\ufffd\\ufffd\\ufffd good\xe2\x82\xac\xf0\x9f\x98\x80\",\"stream\":\"stderr\",\"time\":\"\"}\n");
    free(at);
    log = begin(LOG_DRIVER_JSON_FILE);
    log_file_destroy(log);
    options.tag = "a\"{{.Name}}";
    log = open_log();
    put(log, LOG_STDOUT, "x\n");
    log_file_destroy(log);
    CHECK(strstr(raw("ctr.log"), "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"a\\\"web\"},\"time\":\"") != NULL);
}

CASE(nothing_is_kept_by_none) {
    struct log_file *log = begin(LOG_DRIVER_NONE);
    put(log, LOG_STDOUT, "x\ny");
    log_file_settle(log);
    CHECK(!log_file_is_pending(log));
    log_file_destroy(log);
    CHECK_INT(size_of("ctr.log"), -1);
}

CASE(files_give_way_to_the_next_whole) {
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    log_file_destroy(log);
    options.max_size_bytes = 4096;
    log = open_log();
    AUTO_BUF struct buf text = {0};
    for (int i = 0; i < 1000; i++) {
        buf_add_format(&text, "line %d\n", i);
    }
    log_file_write(log, LOG_STDOUT, text.data, text.size);
    log_file_destroy(log);
    CHECK_INT(size_of("ctr.log.3"), -1);
    int next = 999;
    for (int file = 0; file < 3; file++) {
        const char *name = file ? arena_format(&arena, "ctr.log.%d", file) : "ctr.log";
        CHECK(size_of(name) <= 4096 && (file == 0 || size_of(name) > 4000));
        int lines = lines_of(name);
        const char *expected = arena_format(&arena, " stdout F line %d\n", next - lines + 1);
        CHECK(strncmp(content(name), expected, strlen(expected)) == 0);
        expected = arena_format(&arena, "line %d\n", next);
        CHECK_STR(content(name) + strlen(content(name)) - strlen(expected), expected);
        next -= lines;
    }
    // One that is larger than a file is alone in its own.
    options.max_size_bytes = 50;
    options.max_files = 1;
    log = open_log();
    log_file_write(log, LOG_STDOUT, "a very long line it is, this one\nand a second one of this kind\n", 63);
    log_file_destroy(log);
    CHECK_STR(content("ctr.log"), " stdout F and a second one of this kind\n");
}

CASE(a_free_number_is_filled) {
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    log_file_destroy(log);
    options.max_size_bytes = 60;
    options.max_files = 5;
    log = open_log();
    put(log, LOG_STDOUT,
        "number one, which is long\nnumber two, which is long\nnumber three, which is long\nnumber four, which is long\n");
    CHECK_STR(content("ctr.log.3"), " stdout F number one, which is long\n");
    CHECK_INT(unlinkat(dir_fd, "ctr.log.2", 0), 0);
    put(log, LOG_STDOUT, "number five, which is long\n");
    CHECK_STR(content("ctr.log.3"), " stdout F number one, which is long\n");
    CHECK_STR(content("ctr.log.2"), " stdout F number three, which is long\n");
    CHECK_STR(content("ctr.log.1"), " stdout F number four, which is long\n");
    // Without its file it begins a new one, and one that was emptied is gone on with.
    CHECK_INT(unlinkat(dir_fd, "ctr.log", 0), 0);
    put(log, LOG_STDOUT, "number six, which is long\n");
    CHECK_STR(content("ctr.log"), " stdout F number six, which is long\n");
    int fd = openat(dir_fd, "ctr.log", O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
    put(log, LOG_STDOUT, "number seven, which is long\n");
    CHECK_STR(content("ctr.log"), " stdout F number seven, which is long\n");
    CHECK_STR(content("ctr.log.1"), " stdout F number four, which is long\n");
    log_file_destroy(log);
}

CASE(a_line_cut_off_by_a_crash_is_ended) {
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    log_file_destroy(log);
    int fd = openat(dir_fd, "ctr.log", O_WRONLY | O_CLOEXEC);
    CHECK_INT(write(fd, " stdout F cut", 13), 13);
    close(fd);
    log = open_log();
    put(log, LOG_STDOUT, "whole\n");
    log_file_destroy(log);
    CHECK_STR(content("ctr.log"), " stdout F cut\n stdout F whole\n");
}

// --- a disk that is full ---

// In a process of its own, for the limit and the mount are its whole's.
static int in_child(void (*body)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        check_state.case_failed = 0;
        body();
        fflush(stdout);
        _exit(check_state.case_failed ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void set_limit(rlim_t bytes) {
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void limited(void) {
    signal(SIGXFSZ, SIG_IGN);
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    set_limit(100); // two lines, and a part of the third
    put(log, LOG_STDOUT, "one\ntwo\nthree\nfour\n");
    CHECK_STR(content("ctr.log"), " stdout F one\n stdout F two\n");
    put(log, LOG_STDERR, "five\n");
    set_limit(RLIM_INFINITY);
    put(log, LOG_STDOUT, "six\n"); // too soon after the last attempt
    CHECK_STR(content("ctr.log"), " stdout F one\n stdout F two\n");
    usleep(1100000);
    put(log, LOG_STDOUT, "seven\n");
    const char *expected =
        " stdout F one\n stdout F two\n stderr F coffer: here the log lacks 4 lines (180 bytes): File too large\n"
        " stdout F seven\n";
    CHECK_STR(content("ctr.log"), expected);
    set_limit((rlim_t)size_of("ctr.log"));
    put(log, LOG_STDOUT, "eight\nnine");
    set_limit(RLIM_INFINITY);
    log_file_destroy(log); // there is no later
    CHECK_STR(content("ctr.log"),
              arena_format(&arena, "%s stderr F coffer: here the log lacks 1 line (46 bytes): File too large\n stdout P nine\n",
                           expected));
}

CASE(what_a_disk_does_not_take_is_dropped_and_counted) {
    CHECK_INT(in_child(limited), 0);
}

static bool no_mounts;

static void on_small_disk(void) {
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    log_file_destroy(log);
    const char *name = arena_format(&arena, "%s/log", folder);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", name, "tmpfs", 0, "size=64k") < 0) {
        _exit(77);
    }
    fd_close(&dir_fd);
    dir_fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    log = open_log();
    static char line[1000];
    fill(line, sizeof(line));
    line[999] = '\n';
    for (int i = 0; i < 200; i++) {
        log_file_write(log, LOG_STDOUT, line, sizeof(line));
    }
    CHECK_INT(size_of("ctr.log"), 63 * 1040);
    CHECK_INT(lines_of("ctr.log"), 63);
    CHECK_INT(ftruncate(openat(dir_fd, "ctr.log", O_WRONLY | O_CLOEXEC), 0), 0);
    log_file_destroy(log);
    CHECK_STR(content("ctr.log"), " stderr F coffer: here the log lacks 137 lines (142480 bytes): No space left on device\n");
}

CASE(a_full_disk_holds_whole_lines) {
    int code = in_child(on_small_disk);
    no_mounts = code == 77;
    if (no_mounts) {
        SKIP("needs root, to mount a small disk");
    }
    CHECK_INT(code, 0);
}

CASE(killed_at_any_moment_the_log_holds_whole_lines) {
    struct log_file *log = begin(LOG_DRIVER_K8S_FILE);
    log_file_destroy(log);
    options.max_size_bytes = 3000;
    for (int round = 0; round < 60; round++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            log = log_file_open(dir_fd, &options, &owner, NULL, &err);
            for (int i = 0; log; i++) {
                const char *line = "abcdefghijklmnopqrstuvwxyz\nABCDEFGHIJKLM";
                log_file_write(log, i % 2 ? LOG_STDOUT : LOG_STDERR, line, strlen(line));
            }
            _exit(1);
        }
        usleep(500 + (unsigned)round * 37 % 1500);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    log = open_log();
    put(log, LOG_STDOUT, "last\n");
    log_file_destroy(log);
    int files = 0;
    for (int number = 0; number < 4; number++) {
        const char *name = number ? arena_format(&arena, "ctr.log.%d", number) : "ctr.log";
        files += size_of(name) >= 0;
        CHECK(size_of(name) <= 3000);
        for (const char *line = size_of(name) > 0 ? raw(name) : ""; *line; line = strchr(line, '\n') + 1) {
            const char *text = line + 30;
            CHECK(strchr(line, '\n') && (strncmp(text, " std", 4) == 0 || *line == '\n'));
        }
    }
    CHECK(files == 3 || files == 2);
}

// --- the journal ---

static int journal_fd = -1;
static char journal_path[sizeof(((struct sockaddr_un *)0)->sun_path)];

static void open_journal(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(journal_path, sizeof(journal_path), "%s/journal", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", journal_path);
    unlink(journal_path);
    journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_INT(bind(journal_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static const char *message(void) {
    static char text[256 << 10];
    ssize_t size = recv(journal_fd, text, sizeof(text) - 1, 0);
    text[size < 0 ? 0 : size] = '\0';
    return text;
}

CASE(the_journal_gets_messages_with_their_fields) {
    open_journal();
    options = (struct log_options){.driver = LOG_DRIVER_JOURNALD};
    struct log_file *log = log_file_open(-1, &options, &owner, journal_path, &err);
    CHECK(log != NULL);
    put(log, LOG_STDOUT, "hello\n\nhalf");
    put(log, LOG_STDERR, "bad\n");
    CHECK_STR(message(), "PRIORITY=6\nSYSLOG_IDENTIFIER=web\nCONTAINER_ID=0123456789ab\nCONTAINER_ID_FULL="
                         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nCONTAINER_NAME=web\nCONTAINER_TAG=web\n"
                         "IMAGE_NAME=nginx:1\nMESSAGE=hello\n");
    CHECK(strstr(message(), "PRIORITY=3\n") != NULL);
    log_file_destroy(log);
    CHECK(strstr(message(), "MESSAGE=half\nCONTAINER_PARTIAL_MESSAGE=true\n") != NULL);
    CHECK_STR(message(), "");
    options.tag = "{{.ImageName}}!";
    log = log_file_open(-1, &options, &owner, journal_path, &err);
    put(log, LOG_STDOUT, "x\n");
    CHECK(strstr(message(), "SYSLOG_IDENTIFIER=nginx:1!\n") != NULL);
    log_file_destroy(log);
    close(journal_fd);
    unlink(journal_path);
    CHECK(log_file_open(-1, &options, &owner, journal_path, &err) == NULL);
    CHECK_STR(err.text,
              arena_format(&arena, "log driver journald: reach the journal at %s: No such file or directory", journal_path));
}

CASE(a_stuck_or_restarted_journal_holds_nobody_up) {
    open_journal();
    options = (struct log_options){.driver = LOG_DRIVER_JOURNALD};
    struct log_file *log = log_file_open(-1, &options, &owner, journal_path, &err);
    AUTO_BUF struct buf text = {0};
    for (int i = 0; i < 5000; i++) {
        buf_add_format(&text, "line %d\n", i);
    }
    int64_t before = timestamp_now();
    log_file_write(log, LOG_STDOUT, text.data, text.size);
    log_file_write(log, LOG_STDOUT, text.data, text.size);
    CHECK(timestamp_now() - before < 1000000000);
    int taken = 0;
    for (const char *one = message(); *one; one = message()) {
        CHECK(strstr(one, arena_format(&arena, "MESSAGE=line %d\n", taken)) != NULL);
        taken++;
    }
    CHECK(taken > 0 && taken < 5000);
    put(log, LOG_STDOUT, "again\n");
    CHECK(strstr(message(), arena_format(&arena, "MESSAGE=coffer: here the log lacks %d lines: the journal did not take more\n",
                                         10000 - taken)) != NULL);
    CHECK(strstr(message(), "MESSAGE=again\n") != NULL);
    close(journal_fd);
    put(log, LOG_STDOUT, "gone\n");
    open_journal();
    put(log, LOG_STDOUT, "back\n");
    CHECK(strstr(message(), "MESSAGE=coffer: here the log lacks 1 line: ") != NULL);
    CHECK(strstr(message(), "MESSAGE=back\n") != NULL);
    log_file_destroy(log);
    close(journal_fd);
}

CASE(a_message_that_is_too_large_for_the_socket_goes_as_a_file) {
    enum { SMALL_BUFFER_BYTES = 1 }; // the kernel makes the least of it that there is
    struct log_journal journal;
    open_journal();
    CHECK_INT(log_journal_open(&journal, journal_path, &owner, "tag", &err), 0);
    const int small = SMALL_BUFFER_BYTES;
    CHECK_INT(setsockopt(journal.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    static char text[LOG_PIECE_BYTES];
    fill(text, sizeof(text));
    const struct log_piece piece = {.ends = true, .first = "", .second = text, .second_size = sizeof(text)};
    log_journal_add(&journal, &piece);
    log_journal_flush(&journal);
    CHECK_INT(journal.lost, 0);
    char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
    CHECK_INT(recvmsg(journal_fd, &message, MSG_CMSG_CLOEXEC), 0);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    AUTO_FD int fd = -1;
    if (header) {
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    }
    AUTO_FREE char *sent = mem_alloc(2 * sizeof(text));
    CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
    ssize_t size = fd_read_full(fd, sent, 2 * sizeof(text) - 1);
    CHECK(size > (ssize_t)sizeof(text) && strncmp(sent, "PRIORITY=6\n", 11) == 0 && sent[size - 1] == '\n' &&
          memcmp(sent + size - 1 - sizeof(text), text, sizeof(text)) == 0);
    CHECK(write(fd, "x", 1) < 0);
    log_journal_finish(&journal);
    close(journal_fd);
}

CASE(what_cannot_be_logged_to_is_said) {
    log_file_destroy(begin(LOG_DRIVER_K8S_FILE));
    options.path = "/no/such/folder/x.log";
    CHECK(log_file_open(dir_fd, &options, &owner, NULL, &err) == NULL);
    CHECK_STR(err.text, "open /no/such/folder/, the folder of the log: No such file or directory");
    options.path = "/dev/null";
    CHECK(log_file_open(dir_fd, &options, &owner, NULL, &err) == NULL);
    CHECK_STR(err.text, "the log null: expected a regular file");
    const char *link = path("link");
    CHECK_INT(symlink("/dev/null", link), 0);
    options.path = link;
    CHECK(log_file_open(dir_fd, &options, &owner, NULL, &err) == NULL);
    CHECK_STR(err.text, "open the log link: Too many levels of symbolic links");
    options.path = path("own.log");
    struct log_file *log = open_log();
    put(log, LOG_STDOUT, "x\n");
    log_file_destroy(log);
    CHECK_INT(access(options.path, F_OK), 0);
    options.path = NULL;
}

// log_file_test FOLDER DRIVER STDERR [OPTION=VALUE...]: does what a monitor does, for tests/cli/logs.bats: standard input is the
// container's standard output, the pipe STDERR, which may be /dev/null, its standard error.
static int log_what_comes(char **argv) {
    static char data[64 << 10];
    AUTO_STRV struct strv list = {0};
    for (char **option = argv + 4; *option; option++) {
        strv_add(&list, *option);
    }
    dir_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_LOG_FILE struct log_file *log =
        log_options_parse(&arena, argv[2], &list, &options, &err) == 0 ? log_file_open(dir_fd, &options, &owner, NULL, &err) : NULL;
    if (!log) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    AUTO_FD int second = open(argv[3], O_RDONLY | O_CLOEXEC);
    struct pollfd inputs[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = second, .events = POLLIN}};
    while (inputs[0].fd >= 0 || inputs[1].fd >= 0) {
        if (poll(inputs, 2, log_file_is_pending(log) ? LOG_SETTLE_MS : -1) == 0) {
            log_file_settle(log);
        }
        for (unsigned i = 0; i < 2; i++) {
            if (inputs[i].fd < 0 || !inputs[i].revents) {
                continue;
            }
            ssize_t got = read(inputs[i].fd, data, sizeof(data));
            if (got > 0) {
                log_file_write(log, i == 0 ? LOG_STDOUT : LOG_STDERR, data, (size_t)got);
            } else {
                inputs[i].fd = -1;
            }
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 3) {
        return log_what_comes(argv);
    }
    if (!mkdtemp(folder)) {
        return 1;
    }
    RUN(lines_are_lines_however_they_come);
    RUN(streams_do_not_mix_and_prompts_are_written_when_the_pipe_is_dry);
    RUN(long_lines_come_in_pieces_of_16_kib);
    RUN(json_is_dockers);
    RUN(nothing_is_kept_by_none);
    RUN(files_give_way_to_the_next_whole);
    RUN(a_free_number_is_filled);
    RUN(a_line_cut_off_by_a_crash_is_ended);
    RUN(what_a_disk_does_not_take_is_dropped_and_counted);
    RUN(a_full_disk_holds_whole_lines);
    RUN(killed_at_any_moment_the_log_holds_whole_lines);
    RUN(the_journal_gets_messages_with_their_fields);
    RUN(a_stuck_or_restarted_journal_holds_nobody_up);
    RUN(a_message_that_is_too_large_for_the_socket_goes_as_a_file);
    RUN(what_cannot_be_logged_to_is_said);
    fd_close(&dir_fd);
    CHECK_INT(system(arena_format(&arena, "rm -rf %s", folder)), 0);
    arena_finish(&arena);
    buf_finish(&warnings);
    return check_done();
}
