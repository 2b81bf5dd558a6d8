// Theory of operation. The decompressor hands out buffers whose size is a multiple of a block, so a header never lies across two of
// them; only extension bodies (long names, pax records) are copied, into bounded buffers of the reader's own. A member is put
// together from its extensions in one place, finish_entry(), in the order of POSIX: pax records over GNU's long names over the
// header. Nothing here touches the file system, and no name is judged: that is the unpacker's (images/unpack_path.h).
#include "images/tar.h"

#include "images/inflate.h"
#include "images/tar_field.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BODILESS_PIECE = 256 << 10 };
enum { MAX_LONG_NAME = 64 << 10 }; // beyond PATH_MAX by far, so that the unpacker can say what is wrong

static const char *const type_names[] = {
    [TAR_FILE] = "a file",
    [TAR_HARDLINK] = "a hard link",
    [TAR_SYMLINK] = "a symbolic link",
    [TAR_CHAR] = "a character device",
    [TAR_BLOCK] = "a block device",
    [TAR_DIRECTORY] = "a directory",
    [TAR_FIFO] = "a fifo",
};
static_assert(ARRAY_LEN(type_names) == TAR_TYPE_COUNT, "a type without a name");

const char *tar_type_name(enum tar_type type) {
    return type < TAR_TYPE_COUNT ? type_names[type] : "unknown";
}

void tar_init(struct tar_reader *tar, struct inflate *inflate) {
    *tar = (struct tar_reader){.inflate = inflate};
}

void tar_finish(struct tar_reader *tar) {
    buf_finish(&tar->name);
    buf_finish(&tar->link);
    buf_finish(&tar->long_name);
    buf_finish(&tar->long_link);
    buf_finish(&tar->global);
    tar_pax_finish(&tar->pax);
    tar_sparse_finish(&tar->sparse);
    *tar = (struct tar_reader){0};
}

// Makes sure that there are bytes; `have` stays 0 at the end of the stream.
static int fill(struct tar_reader *tar, struct err *err) {
    return tar->have > 0 ? 0 : inflate_next(tar->inflate, &tar->at, &tar->have, err);
}

static void advance(struct tar_reader *tar, size_t size) {
    tar->at += size;
    tar->have -= size;
    tar->position += size;
}

static void take(struct tar_reader *tar, size_t size) {
    if (tar->seen) {
        tar->seen(tar->seen_context, tar->at, size);
    }
    advance(tar, size);
}

static int cut_off(const struct tar_reader *tar, struct err *err) {
    return err_set(err, ERR_CORRUPT, "tar ends at byte %llu in the middle of a member",
                   (unsigned long long)tar->position + tar->have);
}

// The next whole block; *ret_block is NULL at the end of the stream.
static int next_block(struct tar_reader *tar, const void **ret_block, struct err *err) {
    if (fill(tar, err) < 0) {
        return -1;
    }
    if (tar->have == 0) {
        *ret_block = NULL;
        return 0;
    }
    if (tar->have < TAR_BLOCK_SIZE) {
        return cut_off(tar, err);
    }
    *ret_block = tar->at;
    take(tar, TAR_BLOCK_SIZE);
    return 0;
}

static int skip(struct tar_reader *tar, uint64_t size, struct err *err) {
    while (size > 0) {
        if (fill(tar, err) < 0) {
            return -1;
        }
        if (tar->have == 0) {
            return cut_off(tar, err);
        }
        size_t step = size < tar->have ? (size_t)size : tar->have;
        take(tar, step);
        size -= step;
    }
    return 0;
}

// Appends an extension's body to `to`.
static int read_body(struct tar_reader *tar, uint64_t size, size_t max_bytes, struct buf *to, struct err *err) {
    if (size > max_bytes || to->size + size > max_bytes) {
        return err_set(err, ERR_INPUT, "tar header at byte %llu: an extension of more than %zu bytes",
                       (unsigned long long)(tar->position - TAR_BLOCK_SIZE), max_bytes);
    }
    uint64_t padding = -size & (TAR_BLOCK_SIZE - 1);
    while (size > 0) {
        if (fill(tar, err) < 0) {
            return -1;
        }
        if (tar->have == 0) {
            return cut_off(tar, err);
        }
        size_t step = size < tar->have ? (size_t)size : tar->have;
        buf_add(to, tar->at, step);
        take(tar, step);
        size -= step;
    }
    return skip(tar, padding, err);
}

// Behind the end marker: nothing that counts, but all of it belongs to the digests.
static int drain(struct tar_reader *tar, struct err *err) {
    do {
        take(tar, tar->have);
        if (fill(tar, err) < 0) {
            return -1;
        }
    } while (tar->have > 0);
    return 0;
}

static int end_of_archive(struct tar_reader *tar, struct err *err) {
    const void *block = NULL;
    if (next_block(tar, &block, err) < 0) {
        return -1;
    }
    if (block && !tar_block_is_zero(block)) {
        return err_set(err, ERR_CORRUPT, "tar header at byte %llu: a single block of zeros stands before it",
                       (unsigned long long)(tar->position - TAR_BLOCK_SIZE));
    }
    return drain(tar, err);
}

static void set_text(struct buf *to, const char *field, size_t size) {
    buf_clear(to);
    buf_add(to, field, strnlen(field, size));
}

static void set_header_name(struct tar_reader *tar, const struct tar_header *header) {
    enum tar_dialect dialect = tar_header_dialect(header);
    size_t prefix_size = dialect == TAR_USTAR ? sizeof(header->prefix) : dialect == TAR_STAR ? sizeof(header->star.prefix) : 0;
    buf_clear(&tar->name);
    if (prefix_size > 0 && header->prefix[0] != '\0') {
        buf_add(&tar->name, header->prefix, strnlen(header->prefix, prefix_size));
        buf_add_char(&tar->name, '/');
    }
    buf_add(&tar->name, header->name, strnlen(header->name, sizeof(header->name)));
}

// An extension that is complete in itself. Returns 1 when the header was one, 0 when it is a member's own.
static int read_extension(struct tar_reader *tar, const struct tar_header *header, struct err *err) {
    uint64_t at = tar->position - TAR_BLOCK_SIZE, size;
    if (!header->type || !strchr("xXgLK", header->type)) {
        return 0;
    }
    if (tar_field_unsigned(header->size, sizeof(header->size), &size) < 0) {
        return err_set(err, ERR_INPUT, "tar header at byte %llu: its size is not a number", (unsigned long long)at);
    }
    int result = -1;
    switch (header->type) {
    case 'g':
        result = read_body(tar, size, TAR_PAX_MAX_GLOBAL_BYTES, &tar->global, err);
        break;
    case 'L':
        buf_clear(&tar->long_name);
        result = read_body(tar, size, MAX_LONG_NAME, &tar->long_name, err);
        break;
    case 'K':
        buf_clear(&tar->long_link);
        result = read_body(tar, size, MAX_LONG_NAME, &tar->long_link, err);
        break;
    default: // 'x', and 'X' of Solaris
        if (tar->pax.records.size == 0) {
            buf_add(&tar->pax.records, buf_string(&tar->global), tar->global.size);
        }
        result = read_body(tar, size, TAR_PAX_MAX_BYTES, &tar->pax.records, err);
        break;
    }
    return result < 0 ? -1 : 1;
}

static int set_type(const struct tar_header *header, const char *name, uint64_t size, struct tar_entry *entry, struct err *err) {
    size_t length = strlen(name);
    switch (header->type) {
    case '\0':
    case '0':
    case '7': // contiguous
        // Archives from before POSIX have no type for directories.
        entry->type = length > 0 && name[length - 1] == '/' && size == 0 ? TAR_DIRECTORY : TAR_FILE;
        return 0;
    case 'S':
        entry->type = TAR_FILE;
        return 0;
    case '1':
        entry->type = TAR_HARDLINK;
        return 0;
    case '2':
        entry->type = TAR_SYMLINK;
        return 0;
    case '3':
        entry->type = TAR_CHAR;
        return 0;
    case '4':
        entry->type = TAR_BLOCK;
        return 0;
    case '5':
        entry->type = TAR_DIRECTORY;
        return 0;
    case '6':
        entry->type = TAR_FIFO;
        return 0;
    default:
        return err_set(err, ERR_INPUT, "has the unknown type 0x%02x", (unsigned char)header->type);
    }
}

static int set_id(const char *what, const char field[8], bool has_pax, uint64_t pax, uint32_t *ret_id, struct err *err) {
    uint64_t id = pax;
    if (!has_pax && tar_field_unsigned(field, 8, &id) < 0) {
        return err_set(err, ERR_INPUT, "its %s is not a number from 0 on", what);
    }
    if (id >= UINT32_MAX) { // the last one means "leave it" to chown(2)
        return err_set(err, ERR_INPUT, "its %s %llu is beyond 4294967294", what, (unsigned long long)id);
    }
    *ret_id = (uint32_t)id;
    return 0;
}

static int set_numbers(const struct tar_reader *tar, const struct tar_header *header, struct tar_entry *entry, struct err *err) {
    const struct tar_pax *pax = &tar->pax;
    uint64_t mode;
    int64_t mtime = 0;
    if (tar_field_unsigned(header->mode, sizeof(header->mode), &mode) < 0) {
        return err_set(err, ERR_INPUT, "its mode is not a number");
    }
    entry->mode = mode & 07777;
    if (set_id("user id", header->uid, pax->has_uid, pax->uid, &entry->uid, err) < 0 ||
        set_id("group id", header->gid, pax->has_gid, pax->gid, &entry->gid, err) < 0) {
        return -1;
    }
    if (!pax->has_mtime && tar_field_number(header->mtime, sizeof(header->mtime), &mtime) < 0) {
        return err_set(err, ERR_INPUT, "its time is not a number");
    }
    entry->mtime = pax->has_mtime ? pax->mtime : (struct timespec){.tv_sec = mtime};
    entry->atime = pax->has_atime ? pax->atime : entry->mtime;
    if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK) {
        uint64_t major, minor;
        if (tar_field_unsigned(header->major, sizeof(header->major), &major) < 0 || major > 0xfff ||
            tar_field_unsigned(header->minor, sizeof(header->minor), &minor) < 0 || minor > 0xfffff) {
            return err_set(err, ERR_INPUT, "its device numbers are not below 4096 and 1048576"); // Linux has 12 and 20 bits
        }
        entry->major = (uint32_t)major;
        entry->minor = (uint32_t)minor;
    }
    return 0;
}

static int add_gnu_segments(struct tar_reader *tar, const struct tar_gnu_sparse *rows, size_t count, struct err *err) {
    for (size_t i = 0; i < count && rows[i].size[0] != '\0'; i++) {
        uint64_t offset, size;
        if (tar_field_unsigned(rows[i].offset, sizeof(rows[i].offset), &offset) < 0 ||
            tar_field_unsigned(rows[i].size, sizeof(rows[i].size), &size) < 0) {
            return err_set(err, ERR_INPUT, "its sparse map has something that is not a number");
        }
        if (tar_sparse_add(&tar->sparse, offset, size, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_gnu_map(struct tar_reader *tar, const struct tar_header *header, struct err *err) {
    tar_sparse_clear(&tar->sparse);
    tar->sparse.in_use = true;
    if (tar_header_dialect(header) != TAR_GNU) {
        return err_set(err, ERR_INPUT, "is a sparse file of a form other than GNU's");
    }
    if (tar_field_unsigned(header->gnu.real_size, sizeof(header->gnu.real_size), &tar->sparse.real_size) < 0) {
        return err_set(err, ERR_INPUT, "its size is not a number");
    }
    if (add_gnu_segments(tar, header->gnu.sparse, ARRAY_LEN(header->gnu.sparse), err) < 0) {
        return -1;
    }
    bool more = header->gnu.is_extended != 0;
    while (more) {
        const void *block = NULL;
        if (next_block(tar, &block, err) < 0) {
            return -1;
        }
        if (!block) {
            return cut_off(tar, err);
        }
        const struct tar_gnu_sparse_block *map = block;
        if (add_gnu_segments(tar, map->sparse, ARRAY_LEN(map->sparse), err) < 0) {
            return -1;
        }
        more = map->is_extended != 0;
    }
    return 0;
}

// One number of a 1.0 map, which stands in the data as lines of decimal digits.
static int read_map_number(struct tar_reader *tar, uint64_t *ret_number, struct err *err) {
    char digits[20];
    size_t count = 0;
    for (;;) {
        if (tar->data_left == 0) {
            return err_set(err, ERR_INPUT, "its sparse map does not end");
        }
        if (fill(tar, err) < 0) {
            return -1;
        }
        if (tar->have == 0) {
            return cut_off(tar, err);
        }
        char byte = (char)*tar->at;
        take(tar, 1);
        tar->data_left--;
        if (byte == '\n') {
            break;
        }
        if (count == sizeof(digits)) {
            return err_set(err, ERR_INPUT, "its sparse map has something that is not a number");
        }
        digits[count++] = byte;
    }
    if (tar_decimal(digits, count, ret_number) < 0) {
        return err_set(err, ERR_INPUT, "its sparse map has something that is not a number");
    }
    return 0;
}

static int read_data_map(struct tar_reader *tar, struct err *err) {
    uint64_t before = tar->data_left, count = 0;
    tar->sparse.count = 0;
    if (read_map_number(tar, &count, err) < 0) {
        return -1;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = 0, size = 0;
        if (read_map_number(tar, &offset, err) < 0 || read_map_number(tar, &size, err) < 0 ||
            tar_sparse_add(&tar->sparse, offset, size, err) < 0) {
            return -1;
        }
    }
    uint64_t padding = -(before - tar->data_left) & (TAR_BLOCK_SIZE - 1);
    if (padding > tar->data_left) {
        return err_set(err, ERR_INPUT, "its sparse map does not end");
    }
    tar->data_left -= padding;
    return skip(tar, padding, err);
}

// The member's data: how much of it the archive holds, and where it belongs.
static int set_data(struct tar_reader *tar, const struct tar_header *header, uint64_t stored, struct tar_entry *entry,
                    struct err *err) {
    struct tar_pax *pax = &tar->pax;
    if (entry->type != TAR_FILE) {
        return 0; // whatever size they state, these have no data
    }
    tar->data_left = stored;
    tar->padding = -stored & (TAR_BLOCK_SIZE - 1);
    if (header->type == 'S') {
        if (read_gnu_map(tar, header, err) < 0) {
            return -1;
        }
    } else if (pax->sparse_major == 1 && pax->sparse_minor == 0 && pax->has_sparse_size) {
        tar->sparse.in_use = true;
        tar->sparse.real_size = pax->sparse_size;
        if (read_data_map(tar, err) < 0) {
            return -1;
        }
    } else if (pax->has_sparse_map && pax->has_sparse_size && pax->sparse_major == 0) {
        tar->sparse.in_use = true;
        tar->sparse.real_size = pax->sparse_size;
    } else if (pax->sparse_major != 0 || pax->has_sparse_map) {
        return err_set(err, ERR_INPUT, "is a sparse file of an unknown form %llu.%llu", (unsigned long long)pax->sparse_major,
                       (unsigned long long)pax->sparse_minor);
    }
    entry->sparse = tar->sparse.in_use;
    entry->size = tar->sparse.in_use ? tar->sparse.real_size : stored;
    return tar->sparse.in_use ? tar_sparse_check(&tar->sparse, tar->data_left, err) : 0;
}

static void set_names(struct tar_reader *tar, const struct tar_header *header, struct tar_entry *entry) {
    set_header_name(tar, header);
    set_text(&tar->link, header->link, sizeof(header->link));
    entry->name = tar->long_name.size > 0 ? tar->long_name.data : buf_string(&tar->name);
    entry->link = tar->long_link.size > 0 ? tar->long_link.data : buf_string(&tar->link);
}

static int finish_entry(struct tar_reader *tar, const struct tar_header *header, struct tar_entry *entry, struct err *err) {
    struct tar_pax *pax = &tar->pax;
    if (pax->records.size == 0 && tar->global.size > 0) {
        buf_add(&pax->records, tar->global.data, tar->global.size);
    }
    if (tar_pax_decode(pax, &tar->sparse, err) < 0) {
        return -1;
    }
    entry->name = pax->sparse_name ? pax->sparse_name : pax->path ? pax->path : entry->name;
    entry->link = pax->link ? pax->link : entry->link;
    uint64_t stored = pax->size;
    if (!pax->has_size && tar_field_unsigned(header->size, sizeof(header->size), &stored) < 0) {
        return err_set(err, ERR_INPUT, "its size is not a number from 0 on");
    }
    if (set_type(header, entry->name, stored, entry, err) < 0 || set_numbers(tar, header, entry, err) < 0) {
        return -1;
    }
    if (entry->type != TAR_HARDLINK && entry->type != TAR_SYMLINK) {
        entry->link = "";
    }
    entry->xattrs = pax->xattrs;
    entry->xattr_count = pax->xattr_count;
    return set_data(tar, header, stored, entry, err);
}

static int next_header(struct tar_reader *tar, const struct tar_header **ret_header, struct err *err) {
    const void *block = NULL;
    if (next_block(tar, &block, err) < 0) {
        return -1;
    }
    *ret_header = block;
    if (block && !tar_block_is_zero(block) && !tar_header_checksum_agrees(block)) {
        return err_set(err, ERR_CORRUPT, "tar header at byte %llu: wrong checksum",
                       (unsigned long long)(tar->position - TAR_BLOCK_SIZE));
    }
    return 0;
}

static void forget_member(struct tar_reader *tar) {
    buf_clear(&tar->long_name);
    buf_clear(&tar->long_link);
    tar_pax_clear(&tar->pax);
    tar_sparse_clear(&tar->sparse);
    tar->data_left = 0;
    tar->padding = 0;
    tar->data_done = 0;
}

// The rest of the member before. Some writers (umoci's insert) end behind the last member's data, without its padding, and other
// readers take that for the end. Returns 0 for that.
static int leave_member(struct tar_reader *tar, struct err *err) {
    if (skip(tar, tar->data_left, err) < 0) {
        return -1;
    }
    uint32_t padding = tar->padding;
    while (padding > 0) {
        if (fill(tar, err) < 0) {
            return -1;
        }
        if (tar->have == 0) {
            return 0;
        }
        size_t step = padding < tar->have ? padding : tar->have;
        take(tar, step);
        padding -= (uint32_t)step;
    }
    return 1;
}

int tar_next(struct tar_reader *tar, struct tar_entry *ret_entry, struct err *err) {
    int more = leave_member(tar, err);
    forget_member(tar);
    if (more <= 0) {
        return more;
    }
    for (;;) {
        const struct tar_header *header;
        if (next_header(tar, &header, err) < 0) {
            return -1;
        }
        bool pending = tar->pax.records.size > 0 || tar->long_name.size > 0 || tar->long_link.size > 0;
        if (!header || tar_block_is_zero(header)) {
            if (pending) {
                return err_set(err, ERR_CORRUPT, "tar ends behind an extended header that belongs to nothing");
            }
            return header ? end_of_archive(tar, err) : 0;
        }
        int extension = header->type == 'V' ? 1 : read_extension(tar, header, err); // V: the label of a volume
        if (extension < 0) {
            return -1;
        }
        if (extension == 0) {
            // The header lies in the decompressor's buffer, which a sparse map may turn over.
            struct tar_header copy = *header;
            struct tar_entry entry = {0};
            set_names(tar, &copy, &entry);
            if (finish_entry(tar, &copy, &entry, err) < 0) {
                char quoted[QUOTE_SIZE];
                return err_in(err, "entry %s", quote_text(entry.name, quoted));
            }
            *ret_entry = entry;
            return 1;
        }
    }
}

// The zeros that stand for a body's last, torn block in a tar without bodies.
static int pass_filler(struct tar_reader *tar, struct err *err) {
    static const uint8_t zeros[TAR_BLOCK_SIZE];
    size_t size = tar->data_done & (TAR_BLOCK_SIZE - 1);
    if (!tar->bodiless) {
        if (tar->seen && size > 0) {
            tar->seen(tar->seen_context, zeros, size);
        }
        return 0;
    }
    while (size > 0) {
        if (fill(tar, err) < 0) {
            return -1;
        }
        if (tar->have == 0) {
            return cut_off(tar, err);
        }
        size_t step = size < tar->have ? size : tar->have;
        advance(tar, step);
        size -= step;
    }
    return 0;
}

int tar_data(struct tar_reader *tar, struct tar_piece *ret_piece, struct err *err) {
    *ret_piece = (struct tar_piece){0};
    if (tar->data_left == 0) {
        return 0;
    }
    if (!tar->bodiless && fill(tar, err) < 0) {
        return -1;
    }
    size_t have = tar->bodiless ? BODILESS_PIECE : tar->have;
    if (have == 0) {
        return cut_off(tar, err);
    }
    size_t size = tar->data_left < have ? (size_t)tar->data_left : have;
    uint64_t offset = tar->data_done;
    if (tar->sparse.in_use) {
        size = tar_sparse_place(&tar->sparse, size, &offset);
    }
    *ret_piece = (struct tar_piece){.data = tar->bodiless ? NULL : tar->at, .size = size, .offset = offset};
    if (!tar->bodiless) {
        advance(tar, size);
    }
    tar->data_left -= size;
    tar->data_done += size;
    return tar->data_left == 0 ? pass_filler(tar, err) : 0;
}
