// The files of a log, which may have been damaged, cut or written by others. However they look, reading ends; the last lines are
// the last of all lines; and what is written of a record can be read as the same record.
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/log_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char folder[] = "/tmp/coffer-log-fuzz.XXXXXX";
static int dir_fd;

static void remove_folder(void) {
    unlinkat(dir_fd, "ctr.log", 0);
    unlinkat(dir_fd, "ctr.log.1", 0);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    if (!mkdtemp(folder) || (dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        abort();
    }
    atexit(remove_folder);
    return 0;
}

static void write_file(const char *name, const uint8_t *data, size_t size) {
    AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, data, size) < 0) {
        abort();
    }
}

// What was read, as text in which each record is told from the next.
struct seen {
    struct buf text;
    size_t records;
};

static void check_again(const struct log_record *record) {
    AUTO_BUF struct buf line = {0}, scratch = {0};
    char time[TIMESTAMP_SIZE];
    struct log_record again;
    const struct log_piece piece = {.time = timestamp_format(record->time_ns, time),
                                    .stream = record->stream,
                                    .ends = record->ends,
                                    .second = record->text,
                                    .second_size = record->size,
                                    .first = ""};
    // A JSON string may hold newlines within, which no piece of ours does.
    if (!memchr(record->text, '\n', record->size)) {
        log_record_add_text(&line, &piece);
        if (!log_record_parse(line.data, line.size - 1, &scratch, &again) || again.size != record->size ||
            memcmp(again.text, record->text, again.size) != 0 || again.stream != record->stream || again.ends != record->ends) {
            abort();
        }
    }
    buf_clear(&line);
    log_record_add_json(&line, &piece, "");
    if (!log_record_parse(line.data, line.size - 1, &scratch, &again) || again.stream != record->stream ||
        again.ends != record->ends || again.size < record->size) {
        abort(); // U+FFFD is no shorter than what it stands for
    }
}

static int see(void *context, const struct log_record *record, struct err *err) {
    struct seen *seen = context;
    (void)err;
    check_again(record);
    buf_add_format(&seen->text, "%lld %d%d %zu ", (long long)record->time_ns, record->stream, record->ends, record->size);
    buf_add(&seen->text, record->text, record->size);
    seen->records++;
    return 0;
}

static void read_all(const struct log_read_request *request, struct seen *seen) {
    struct err err = {0};
    AUTO_LOG_READER struct log_reader *reader = log_reader_open(dir_fd, NULL, request, &err);
    if (!reader) {
        abort();
    }
    for (int reads = 0, more = 1; more > 0; reads++) {
        more = log_reader_read(reader, see, seen, &err);
        if (more < 0 || reads > 1000) {
            abort();
        }
    }
}

// The first byte: how many lines; the second: where the older file ends.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1 << 20) {
        return 0;
    }
    size_t older = (size - 2) * data[1] / 255;
    write_file("ctr.log.1", data + 2, older);
    write_file("ctr.log", data + 2 + older, size - 2 - older);
    struct log_read_request request = {.tail = LOG_TAIL_ALL, .since_ns = INT64_MIN, .until_ns = INT64_MAX};
    struct seen all = {0}, last = {0};
    read_all(&request, &all);
    request.tail = data[0];
    read_all(&request, &last);
    if (last.text.size > all.text.size || (last.records < data[0] && last.records != all.records) ||
        (last.text.size > 0 && memcmp(all.text.data + all.text.size - last.text.size, last.text.data, last.text.size) != 0)) {
        abort();
    }
    buf_finish(&all.text);
    buf_finish(&last.text);
    return 0;
}
