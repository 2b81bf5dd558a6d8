// What our writer of tars writes, our reader, GNU tar and bsdtar read as it was meant; and it is the same every time.
#include "tests/unit/check.h"
#include "tests/unit/tree_compare.h"

#include "images/inflate.h"
#include "images/input.h"
#include "images/tar.h"
#include "images/tar_writer.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

static int add_to_buf(void *context, const void *data, size_t size, struct err *err) {
    (void)err;
    buf_add(context, data, size);
    return 0;
}

// A reader over a tar in memory.
struct stream {
    struct input input;
    struct inflate inflate;
    struct tar_reader tar;
    struct tar_entry entry;
    struct err err;
};

static void stream_init(struct stream *stream, const struct buf *tar) {
    *stream = (struct stream){0};
    input_init_memory(&stream->input, buf_string(tar), tar->size, DIGEST_NONE);
    inflate_init(&stream->inflate, &stream->input, &(struct inflate_options){0});
    tar_init(&stream->tar, &stream->inflate);
}

static void stream_finish(struct stream *stream) {
    tar_finish(&stream->tar);
    inflate_finish(&stream->inflate);
    input_finish(&stream->input);
}
#define AUTO_STREAM AUTO(stream_finish)

static int next(struct stream *stream) {
    return tar_next(&stream->tar, &stream->entry, &stream->err);
}

// Writes one entry without data and an end. Returns what the writer says.
static int write_one(struct buf *tar, const struct tar_entry *entry, struct err *err) {
    AUTO_TAR_WRITER struct tar_writer writer;
    const struct sink sink = {.write = add_to_buf, .context = tar};
    tar_writer_init(&writer, &sink);
    return tar_writer_entry(&writer, entry, err) < 0 ? -1 : tar_writer_end(&writer, err);
}

static bool same_entry(const struct tar_entry *found, const struct tar_entry *wanted) {
    size_t length = strlen(wanted->name);
    bool same = found->type == wanted->type && strncmp(found->name, wanted->name, length) == 0 &&
                strcmp(found->name + length, wanted->type == TAR_DIRECTORY && wanted->name[length - 1] != '/' ? "/" : "") == 0 &&
                strcmp(found->link, wanted->link ? wanted->link : "") == 0 && found->mode == wanted->mode &&
                found->uid == wanted->uid && found->gid == wanted->gid && found->major == wanted->major &&
                found->minor == wanted->minor && found->mtime.tv_sec == wanted->mtime.tv_sec &&
                found->mtime.tv_nsec == wanted->mtime.tv_nsec && found->xattr_count == wanted->xattr_count;
    for (size_t i = 0; same && i < wanted->xattr_count; i++) {
        const struct tar_xattr *a = &found->xattrs[i], *b = &wanted->xattrs[i];
        same = strcmp(a->name, b->name) == 0 && a->size == b->size && memcmp(a->value, b->value, a->size) == 0;
    }
    return same;
}

static bool comes_back(const struct tar_entry *entry) {
    AUTO_BUF struct buf tar = {0};
    AUTO_STREAM struct stream s = {0};
    struct err err = {0};
    if (write_one(&tar, entry, &err) < 0) {
        printf("# %s\n", err.text);
        return false;
    }
    stream_init(&s, &tar);
    bool same = next(&s) == 1 && same_entry(&s.entry, entry) && next(&s) == 0;
    if (!same) {
        printf("# %s: %s\n", entry->name, s.err.text);
    }
    return same && tar.size % TAR_BLOCK_SIZE == 0;
}

CASE(all_kinds_come_back) {
    const struct tar_entry entries[] = {
        {.type = TAR_FILE, .name = "empty", .mode = 0644},
        {.type = TAR_DIRECTORY, .name = "dir", .mode = 01777, .uid = 1, .gid = 2},
        {.type = TAR_DIRECTORY, .name = "dir/", .mode = 0755},
        {.type = TAR_DIRECTORY, .name = "./", .mode = 0755},
        {.type = TAR_SYMLINK, .name = "soft", .link = "../etc/motd", .mode = 0777},
        {.type = TAR_HARDLINK, .name = "hard", .link = "etc/motd", .mode = 0600},
        {.type = TAR_CHAR, .name = "null", .mode = 0666, .major = 1, .minor = 3},
        {.type = TAR_BLOCK, .name = "loop", .mode = 0660, .major = 259, .minor = 1048575},
        {.type = TAR_FIFO, .name = "fifo", .mode = 0600, .mtime = {.tv_sec = 1000000000}},
    };
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        CHECK(comes_back(&entries[i]));
    }
}

CASE(names_of_every_length_come_back) {
    char name[700];
    for (size_t length = 90; length < 600; length += length < 270 ? 1 : 37) {
        for (size_t every = 3; every < 400; every = every * 4 + 1) { // a slash every so many letters
            for (size_t i = 0; i < length; i++) {
                name[i] = i % every == every - 1 ? '/' : (char)('a' + i % 26);
            }
            name[length - 1] = 'x';
            name[length] = '\0';
            const struct tar_entry entries[] = {
                {.type = TAR_FILE, .name = name, .mode = 0644},
                {.type = TAR_DIRECTORY, .name = name, .mode = 0755},
                {.type = TAR_SYMLINK, .name = name, .link = name, .mode = 0777},
            };
            for (size_t k = 0; k < ARRAY_LEN(entries); k++) {
                CHECK(comes_back(&entries[k]));
            }
        }
    }
    const struct tar_entry bytes = {.type = TAR_FILE, .name = "not \xff\xfe UTF-8\n\t", .mode = 0644};
    CHECK(comes_back(&bytes));
}

CASE(numbers_at_the_bounds_come_back) {
    const uint32_t ids[] = {0, 2097151, 2097152, 4294967294u};
    const struct timespec times[] = {{.tv_sec = 8589934591}, {.tv_sec = 8589934592},         {.tv_sec = 5, .tv_nsec = 1},
                                     {.tv_sec = -1},         {.tv_sec = -1, .tv_nsec = 500}, {.tv_sec = -2, .tv_nsec = 750000000}};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        const struct tar_entry entry = {.type = TAR_FILE, .name = "f", .mode = 07777, .uid = ids[i], .gid = ids[i]};
        CHECK(comes_back(&entry));
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        const struct tar_entry entry = {.type = TAR_FILE, .name = "f", .mode = 0, .mtime = times[i]};
        CHECK(comes_back(&entry));
    }
}

CASE(extended_attributes_come_back) {
    const struct tar_xattr xattrs[] = {
        {.name = "user.note", .value = "hello", .size = 5},
        {.name = "security.capability", .value = "\1\0\0\2\n\0", .size = 6},
        {.name = "user.empty", .value = "", .size = 0},
    };
    const struct tar_entry entry = {.type = TAR_FILE, .name = "f", .mode = 0644, .xattrs = xattrs, .xattr_count = 3};
    CHECK(comes_back(&entry));
}

CASE(what_no_tar_can_hold_is_refused) {
    AUTO_BUF struct buf tar = {0};
    struct err err = {0};
    const struct tar_xattr odd = {.name = "user.a=b", .value = "x", .size = 1};
    struct tar_entry entry = {.type = TAR_FILE, .name = "f", .xattrs = &odd, .xattr_count = 1};
    CHECK_INT(write_one(&tar, &entry, &err), -1);
    CHECK_STR(err.text, "its extended attribute \"user.a=b\" has a name that no tar can hold");
    AUTO_FREE char *large = mem_alloc(TAR_PAX_MAX_BYTES);
    const struct tar_xattr much = {.name = "user.much", .value = large, .size = TAR_PAX_MAX_BYTES};
    entry.xattrs = &much;
    CHECK_INT(write_one(&tar, &entry, &err), -1);
    CHECK_STR(err.text, "its extended attributes are larger than 1048576 bytes");
    const struct tar_entry device = {.type = TAR_CHAR, .name = "d", .major = 2097152, .minor = 1};
    CHECK_INT(write_one(&tar, &device, &err), -1);
    CHECK_STR(err.text, "its device number 2097152:1 is larger than a tar can hold");
    CHECK_INT(tar.size, 0);
}

// Data in pieces of odd sizes, larger and smaller than the writer's buffer.
CASE(data_comes_back_and_is_the_same_every_time) {
    enum { SIZE = 1300001 };
    struct err err = {0};
    AUTO_BUF struct buf first = {0}, second = {0};
    struct buf *const tars[2] = {&first, &second};
    AUTO_FREE char *data = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (char)(i * 7919 >> 3);
    }
    for (int turn = 0; turn < 2; turn++) {
        AUTO_TAR_WRITER struct tar_writer writer;
        const struct sink sink = {.write = add_to_buf, .context = tars[turn]};
        const struct tar_entry entry = {.type = TAR_FILE, .name = "large", .mode = 0644, .size = SIZE};
        tar_writer_init(&writer, &sink);
        CHECK_INT(tar_writer_add_text(&writer, "small", "hello", 5, &err), 0);
        CHECK_INT(tar_writer_entry(&writer, &entry, &err), 0);
        for (size_t done = 0, step = turn ? 1 : 400000; done < SIZE; step = step * 3 + 1) {
            size_t piece = step < SIZE - done ? step : SIZE - done;
            CHECK_INT(tar_writer_data(&writer, data + done, piece, &err), 0);
            done += piece;
        }
        CHECK_INT(tar_writer_end(&writer, &err), 0);
        CHECK_INT(writer.bytes, tars[turn]->size);
    }
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    AUTO_STREAM struct stream s;
    struct tar_piece piece;
    size_t done = 0;
    stream_init(&s, &first);
    CHECK(next(&s) == 1 && next(&s) == 1);
    CHECK_INT(s.entry.size, SIZE);
    while (tar_data(&s.tar, &piece, &s.err) == 0 && piece.size > 0) {
        CHECK(piece.size <= SIZE - done && memcmp(piece.data, data + done, piece.size) == 0);
        done += piece.size;
    }
    CHECK_INT(done, SIZE);
    CHECK_INT(next(&s), 0);
}

// The header alone: nobody has eight gigabytes to spare.
CASE(large_sizes_come_back) {
    const uint64_t sizes[] = {8589934591, 8589934592, UINT64_C(1) << 45};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_BUF struct buf tar = {0};
        AUTO_TAR_WRITER struct tar_writer writer;
        struct err err = {0};
        const struct sink sink = {.write = add_to_buf, .context = &tar};
        const struct tar_entry entry = {.type = TAR_FILE, .name = "large", .mode = 0644, .size = sizes[i]};
        AUTO_FREE char *zeros = mem_alloc(1 << 20);
        tar_writer_init(&writer, &sink);
        CHECK(tar_writer_entry(&writer, &entry, &err) == 0 && tar_writer_data(&writer, zeros, 1 << 20, &err) == 0);
        AUTO_STREAM struct stream s;
        stream_init(&s, &tar);
        CHECK_INT(next(&s), 1);
        CHECK_INT(s.entry.size, sizes[i]);
    }
}

static void read_file(int fd, struct buf *ret) {
    struct err err = {0};
    char *data;
    size_t size;
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && fd_read_rest(fd, 64 << 20, "the tar", &data, &size, &err) == 0);
    buf_add(ret, data, size);
    free(data);
}

CASE(holes_come_back) {
    AUTO_BUF struct buf tar = {0};
    AUTO_TAR_WRITER struct tar_writer writer;
    AUTO_STREAM struct stream s = {0};
    struct tar_sparse sparse = {.real_size = 1ULL << 50};
    struct tar_piece piece;
    struct err err;
    const struct sink sink = {.write = add_to_buf, .context = &tar};
    const struct tar_entry entry = {.type = TAR_FILE, .name = "dir/sparse", .mode = 0640, .uid = 1};
    const struct tar_entry hole = {.type = TAR_FILE, .name = "hole", .mode = 0600};
    tar_writer_init(&writer, &sink);
    CHECK_INT(tar_sparse_add(&sparse, 4096, 3, &err), 0);
    CHECK_INT(tar_sparse_add(&sparse, 1ULL << 40, 600, &err), 0);
    char data[603];
    memset(data, 'x', sizeof(data));
    CHECK_INT(tar_writer_entry_sparse(&writer, &entry, &sparse, &err), 0);
    CHECK_INT(tar_writer_data(&writer, data, 3, &err), 0);
    CHECK_INT(tar_writer_data(&writer, data + 3, 600, &err), 0);
    sparse.count = 0;
    CHECK_INT(tar_writer_entry_sparse(&writer, &hole, &sparse, &err), 0);
    CHECK_INT(tar_writer_end(&writer, &err), 0);
    CHECK(tar.size < 8192 && tar.size % TAR_BLOCK_SIZE == 0);
    stream_init(&s, &tar);
    CHECK_INT(next(&s), 1);
    CHECK_STR(s.entry.name, "dir/sparse");
    CHECK(s.entry.sparse && s.entry.size == 1ULL << 50 && s.entry.mode == 0640 && s.entry.uid == 1);
    CHECK_INT(tar_data(&s.tar, &piece, &err), 0);
    CHECK(piece.offset == 4096 && piece.size == 3);
    CHECK_INT(tar_data(&s.tar, &piece, &err), 0);
    CHECK(piece.offset == 1ULL << 40 && piece.size > 0);
    CHECK_INT(next(&s), 1);
    CHECK_STR(s.entry.name, "hole");
    CHECK(s.entry.sparse && s.entry.size == 1ULL << 50);
    CHECK_INT(tar_data(&s.tar, &piece, &err), 0);
    CHECK_INT((int)piece.size, 0);
    CHECK_INT(next(&s), 0);
    tar_sparse_finish(&sparse);
    AUTO_FD int fd = memfd_create("tar", MFD_CLOEXEC);
    CHECK_INT(fd_write_all(fd, tar.data, tar.size), 0);
    AUTO_FREE char *list = mem_format("for tar in tar bsdtar; do $tar -tvf /proc/%d/fd/%d | grep -q ' %llu .*dir/sparse' || exit 1; done",
                                      getpid(), fd, 1ULL << 50);
    CHECK_INT(system(list), 0); // NOLINT: the tests' own words
}

CASE(a_size_may_come_last) {
    enum { SIZE = 700001 };
    struct err err = {0};
    AUTO_FD int fd = memfd_create("tar", MFD_CLOEXEC);
    AUTO_FREE char *data = mem_alloc(SIZE);
    const struct tar_entry entry = {.type = TAR_FILE, .name = "late", .mode = 0644};
    AUTO_TAR_WRITER struct tar_writer writer;
    CHECK(fd_write_all(fd, "in front", 8) == 0); // the archive need not begin where the file does
    tar_writer_init_fd(&writer, fd);
    CHECK(tar_writer_can_seek(&writer));
    CHECK_INT(tar_writer_add_text(&writer, "first", "hello", 5, &err), 0);
    CHECK_INT(tar_writer_begin_unsized(&writer, &entry, &err), 0);
    CHECK_INT(tar_writer_data(&writer, data, SIZE, &err), 0);
    CHECK_INT(tar_writer_end_unsized(&writer, &err), 0);
    CHECK_INT(tar_writer_add_text(&writer, "last", "bye", 3, &err), 0);
    CHECK_INT(tar_writer_end(&writer, &err), 0);
    AUTO_BUF struct buf whole = {0}, tar = {0};
    read_file(fd, &whole);
    buf_add(&tar, whole.data + 8, whole.size - 8);
    AUTO_STREAM struct stream s;
    stream_init(&s, &tar);
    CHECK(next(&s) == 1 && next(&s) == 1);
    CHECK_INT(s.entry.size, SIZE);
    CHECK_INT(next(&s), 1);
    CHECK_STR(s.entry.name, "last");
    CHECK_INT(next(&s), 0);

    int pipes[2];
    CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
    AUTO_TAR_WRITER struct tar_writer into_pipe;
    tar_writer_init_fd(&into_pipe, pipes[1]);
    CHECK(!tar_writer_can_seek(&into_pipe));
    AUTO_FD int appending = open("/tmp", O_TMPFILE | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    AUTO_TAR_WRITER struct tar_writer at_end;
    tar_writer_init_fd(&at_end, appending);
    CHECK(!tar_writer_can_seek(&at_end));
    close(pipes[0]);
    close(pipes[1]);
}

// Nine gigabytes that are a hole.
CASE(a_large_size_may_come_last) {
    const uint64_t hole = UINT64_C(9) << 30;
    struct err err = {0};
    AUTO_FD int fd = memfd_create("tar", MFD_CLOEXEC);
    const struct tar_entry entry = {.type = TAR_FILE, .name = "late", .mode = 0644};
    AUTO_TAR_WRITER struct tar_writer writer;
    tar_writer_init_fd(&writer, fd);
    CHECK_INT(tar_writer_begin_unsized(&writer, &entry, &err), 0);
    CHECK(lseek(fd, (off_t)hole, SEEK_CUR) > 0);
    writer.bytes += hole;
    CHECK_INT(tar_writer_data(&writer, "end", 3, &err), 0);
    CHECK_INT(tar_writer_end_unsized(&writer, &err), 0);
    CHECK_INT(tar_writer_end(&writer, &err), 0);
    char header[TAR_BLOCK_SIZE];
    CHECK_INT(pread(fd, header, sizeof(header), 0), TAR_BLOCK_SIZE);
    AUTO_BUF struct buf tar = {0};
    buf_add(&tar, header, sizeof(header));
    AUTO_STREAM struct stream s;
    stream_init(&s, &tar);
    CHECK_INT(next(&s), 1);
    CHECK_INT(s.entry.size, hole + 3);
    AUTO_FREE char *list = mem_format("for tar in tar bsdtar; do $tar -tvf /proc/%d/fd/%d | grep -q ' %llu ' || exit 1; done",
                                      getpid(), fd, (unsigned long long)hole + 3);
    CHECK_INT(system(list), 0); // NOLINT: the tests' own words
}

// --- a whole tree, against others ---

static char folder[] = "/tmp/coffer-tar-writer-XXXXXX";
static struct tar_writer tree_writer;
static char seen_path[PATH_MAX]; // of the one file with two names
static ino_t seen;

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    return remove(path);
}

// Runs a script in the folder.
static int run(const char *script) {
    AUTO_FREE char *command = mem_format("cd %s && { %s; } > log 2>&1", folder, script);
    return system(command); // NOLINT: the tests' own words
}

static size_t read_xattrs(const char *path, struct tar_xattr *xattrs, char *room, size_t room_size) {
    static char names[4096];
    size_t count = 0;
    ssize_t size = llistxattr(path, names, sizeof(names));
    for (const char *name = names; size > 0 && name < names + size && count < 8; name += strlen(name) + 1) {
        ssize_t length = lgetxattr(path, name, room, room_size);
        xattrs[count++] = (struct tar_xattr){.name = name, .value = room, .size = length < 0 ? 0 : (size_t)length};
        room += length < 0 ? 0 : length;
        room_size -= length < 0 ? 0 : (size_t)length;
    }
    return count;
}

static enum tar_type type_of(mode_t mode) {
    return S_ISDIR(mode)    ? TAR_DIRECTORY
           : S_ISLNK(mode)  ? TAR_SYMLINK
           : S_ISCHR(mode)  ? TAR_CHAR
           : S_ISBLK(mode)  ? TAR_BLOCK
           : S_ISFIFO(mode) ? TAR_FIFO
                            : TAR_FILE;
}

static int pack_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    char link[PATH_MAX] = "", values[4096];
    struct tar_xattr xattrs[8];
    struct err err = {0};
    (void)kind, (void)where;
    const char *name = path + strlen(folder) + strlen("/tree/");
    struct tar_entry entry = {
        .type = type_of(status->st_mode),
        .name = strlen(path) < strlen(folder) + strlen("/tree/") ? "." : name,
        .link = link,
        .mode = status->st_mode & 07777,
        .uid = status->st_uid,
        .gid = status->st_gid,
        .size = (uint64_t)status->st_size,
        .mtime = status->st_mtim,
        .major = major(status->st_rdev),
        .minor = minor(status->st_rdev),
        .xattrs = xattrs,
    };
    entry.xattr_count = read_xattrs(path, xattrs, values, sizeof(values));
    if (entry.type == TAR_SYMLINK && readlink(path, link, sizeof(link) - 1) < 0) {
        return -1;
    }
    if (entry.type == TAR_FILE && status->st_nlink > 1) {
        if (seen == status->st_ino) {
            entry.type = TAR_HARDLINK;
            snprintf(link, sizeof(link), "%s", seen_path);
        } else {
            seen = status->st_ino;
            snprintf(seen_path, sizeof(seen_path), "%s", entry.name);
        }
    }
    if (tar_writer_entry(&tree_writer, &entry, &err) < 0) {
        printf("# %s: %s\n", path, err.text);
        return -1;
    }
    AUTO_FD int fd = entry.type == TAR_FILE ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char data[65536];
    ssize_t got;
    while (fd >= 0 && (got = read(fd, data, sizeof(data))) > 0) {
        if (tar_writer_data(&tree_writer, data, (size_t)got, &err) < 0) {
            return -1;
        }
    }
    return 0;
}

static const char make_tree[] =
    "mkdir -p tree/usr/bin tree/etc tree/var/empty tree/deep && cd tree && "
    "printf hello > etc/motd && printf secret > etc/shadow && chmod 640 etc/shadow && chown 0:42 etc/shadow && "
    "head -c 3000000 /dev/urandom > usr/bin/large && chmod 4755 usr/bin/large && ln usr/bin/large usr/bin/hard && "
    "ln -s ../../etc/motd usr/bin/soft && ln -s /etc/motd abs && mkfifo fifo && mknod null c 1 3 && mknod loop b 7 200 && "
    "chmod 1777 var/empty && chmod 2755 var && chown 4000000:3000000 var && "
    "n=d; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do mkdir -p deep/$n; n=$n/directory-with-a-long-name-$i; done && "
    "printf x > deep/d/directory-with-a-long-name-1/file && printf x > $(printf '%0150d' 2) && "
    "ln -s $(printf '%0200d' 1) longlink && printf x > 'odd name \"quoted\"' && printf x > \"$(printf 'na\\303\\257ve')\" && "
    "touch -d '1969-12-31 23:59:58.25 UTC' old && touch -d '2001-02-03 04:05:06.789012345 UTC' etc/motd && "
    "setfattr -n user.note -v hello etc/motd && setfattr -n user.note -v below var/empty && setcap cap_net_raw+ep usr/bin/large";

static void against(const char *unpack) {
    AUTO_FREE char *left = mem_format("%s/tree", folder), *right = mem_format("%s/out", folder);
    unsigned things;
    CHECK_INT(run("rm -rf out && mkdir out"), 0);
    if (run(unpack) != 0) {
        printf("# cannot: %s (see %s/log)\n", unpack, folder);
        CHECK(false);
        return;
    }
    CHECK_INT(tree_differences(left, right, &things), 0);
    CHECK(things > 35);
}

CASE(gnu_tar_and_bsdtar_unpack_it) {
    struct err err = {0};
    if (geteuid() != 0) {
        SKIP("needs root, for owners and devices");
    }
    if (!mkdtemp(folder) || run(make_tree) != 0) {
        CHECK(false);
        return;
    }
    AUTO_FREE char *tree = mem_format("%s/tree", folder), *path = mem_format("%s/archive", folder);
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    tar_writer_init_fd(&tree_writer, fd);
    CHECK_INT(nftw(tree, pack_one, 64, FTW_PHYS), 0);
    CHECK_INT(tar_writer_end(&tree_writer, &err), 0);
    tar_writer_finish(&tree_writer);
    against("tar --delay-directory-restore --numeric-owner --xattrs --xattrs-include='*' -p -xf archive -C out");
    if (run("command -v bsdtar") == 0) {
        // It leaves the folder that it unpacks into as it is, and adds the fraction of a negative time.
        against("LC_ALL=C.UTF-8 bsdtar --numeric-owner -p -xf archive -C out && touch -r tree/old out/old && touch -r tree out");
    }
    nftw(folder, remove_one, 64, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    RUN(all_kinds_come_back);
    RUN(names_of_every_length_come_back);
    RUN(numbers_at_the_bounds_come_back);
    RUN(extended_attributes_come_back);
    RUN(what_no_tar_can_hold_is_refused);
    RUN(data_comes_back_and_is_the_same_every_time);
    RUN(large_sizes_come_back);
    RUN(holes_come_back);
    RUN(a_size_may_come_last);
    RUN(a_large_size_may_come_last);
    RUN(gnu_tar_and_bsdtar_unpack_it);
    return check_done();
}
