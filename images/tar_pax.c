#include "images/tar_pax.h"

#include "images/tar_field.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <stdlib.h>
#include <string.h>

struct record {
    char *key; // both with a NUL behind them
    char *value;
    size_t size; // of the value
};

void tar_pax_finish(struct tar_pax *pax) {
    buf_finish(&pax->records);
    free(pax->xattrs);
    *pax = (struct tar_pax){0};
}

void tar_pax_clear(struct tar_pax *pax) {
    struct buf records = pax->records;
    struct tar_xattr *xattrs = pax->xattrs;
    if (records.size == 0) {
        return;
    }
    buf_clear(&records);
    *pax = (struct tar_pax){.records = records, .xattrs = xattrs};
}

static int set_path(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    (void)err;
    pax->path = record->size > 0 ? record->value : NULL; // an empty value takes back what a global header set
    return 0;
}

static int set_link(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    (void)err;
    pax->link = record->size > 0 ? record->value : NULL;
    return 0;
}

static int set_number(const struct record *record, bool *ret_has, uint64_t *ret_number, struct err *err) {
    if (record->size == 0) {
        *ret_has = false;
        return 0;
    }
    if (tar_decimal(record->value, record->size, ret_number) < 0) {
        char quoted[QUOTE_SIZE];
        return err_set(err, ERR_INPUT, "pax record %s: expected a decimal number, found %s", record->key,
                       quote_text(record->value, quoted));
    }
    *ret_has = true;
    return 0;
}

static int set_time(const struct record *record, bool *ret_has, struct timespec *ret_time, struct err *err) {
    if (record->size == 0) {
        *ret_has = false;
        return 0;
    }
    if (tar_decimal_time(record->value, record->size, ret_time) < 0) {
        char quoted[QUOTE_SIZE];
        return err_set(err, ERR_INPUT, "pax record %s: expected seconds, found %s", record->key, quote_text(record->value, quoted));
    }
    *ret_has = true;
    return 0;
}

static int set_size(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    return set_number(record, &pax->has_size, &pax->size, err);
}

static int set_uid(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    return set_number(record, &pax->has_uid, &pax->uid, err);
}

static int set_gid(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    return set_number(record, &pax->has_gid, &pax->gid, err);
}

static int set_mtime(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    return set_time(record, &pax->has_mtime, &pax->mtime, err);
}

static int set_atime(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    return set_time(record, &pax->has_atime, &pax->atime, err);
}

static int set_sparse_name(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    (void)err;
    pax->sparse_name = record->size > 0 ? record->value : NULL;
    return 0;
}

static int set_sparse_size(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    return set_number(record, &pax->has_sparse_size, &pax->sparse_size, err);
}

static int set_sparse_major(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    bool set;
    return set_number(record, &set, &pax->sparse_major, err);
}

static int set_sparse_minor(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)sparse;
    bool set;
    return set_number(record, &set, &pax->sparse_minor, err);
}

// Format 0.0: pairs of records. The offset opens a segment, the size completes it.
static int add_sparse_offset(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    uint64_t offset;
    pax->has_sparse_map = true;
    if (tar_decimal(record->value, record->size, &offset) < 0) {
        return err_set(err, ERR_INPUT, "pax record %s: expected a decimal number", record->key);
    }
    return tar_sparse_add(sparse, offset, 0, err);
}

static int add_sparse_size(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    (void)pax;
    uint64_t size;
    if (sparse->count == 0 || tar_decimal(record->value, record->size, &size) < 0) {
        return err_set(err, ERR_INPUT, "pax record %s: expected a decimal number behind an offset", record->key);
    }
    sparse->segments[sparse->count - 1].size = size;
    return 0;
}

// Format 0.1: "offset,size,offset,size,...".
static int set_sparse_map(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    pax->has_sparse_map = true;
    sparse->count = 0;
    const char *at = record->value, *end = record->value + record->size;
    while (at < end) {
        uint64_t pair[2];
        for (int i = 0; i < 2; i++) {
            const char *comma = memchr(at, ',', (size_t)(end - at));
            const char *stop = comma ? comma : end;
            if (tar_decimal(at, (size_t)(stop - at), &pair[i]) < 0) {
                return err_set(err, ERR_INPUT, "pax record %s: expected pairs of decimal numbers", record->key);
            }
            at = comma ? comma + 1 : end;
        }
        if (tar_sparse_add(sparse, pair[0], pair[1], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_xattr(struct tar_pax *pax, const char *name, const char *value, size_t size, struct err *err) {
    if (*name == '\0') {
        return err_set(err, ERR_INPUT, "has an extended attribute without a name");
    }
    if (!pax->xattrs) {
        pax->xattrs = mem_array(TAR_MAX_XATTRS, sizeof(*pax->xattrs));
    }
    size_t i = 0;
    while (i < pax->xattr_count && strcmp(pax->xattrs[i].name, name) != 0) {
        i++;
    }
    if (i == TAR_MAX_XATTRS) {
        return err_set(err, ERR_INPUT, "has more than %d extended attributes", TAR_MAX_XATTRS);
    }
    pax->xattrs[i] = (struct tar_xattr){.name = name, .value = value, .size = size};
    pax->xattr_count += i == pax->xattr_count ? 1 : 0;
    return 0;
}

static int hex_value(char digit) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)((at - digits) & 15) : -1;
}

// libarchive writes the name with %XX and the value in base64; both are decoded where they stand, which never makes them longer.
static int decode_percent(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '%') {
            int high = hex_value(from[1]), low = high < 0 ? -1 : hex_value(from[2]);
            if (low < 0 || (high == 0 && low == 0)) {
                return -1;
            }
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return 0;
}

static int decode_base64(char *text, size_t *size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;
    unsigned bits = 0, count = 0;
    for (size_t i = 0; i < *size && text[i] != '='; i++) {
        const char *at = text[i] ? strchr(digits, text[i]) : NULL;
        if (!at) {
            return -1;
        }
        bits = bits << 6 | (unsigned)(at - digits);
        count += 6;
        if (count >= 8) {
            count -= 8;
            text[used++] = (char)(bits >> count);
        }
    }
    text[used] = '\0';
    *size = used;
    return 0;
}

static int set_libarchive_xattr(struct tar_pax *pax, const struct record *record, struct err *err) {
    char *name = record->key + strlen("LIBARCHIVE.xattr.");
    size_t size = record->size;
    if (decode_percent(name) < 0 || decode_base64(record->value, &size) < 0) {
        return err_set(err, ERR_INPUT, "pax record LIBARCHIVE.xattr: expected a %%-encoded name and a base64 value");
    }
    return add_xattr(pax, name, record->value, size, err);
}

// Whatever is not here says nothing to us: comments, names of users, checksums, creation times.
static const struct {
    const char *key;
    int (*apply)(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err);
} keys[] = {
    {"path", set_path},
    {"linkpath", set_link},
    {"size", set_size},
    {"uid", set_uid},
    {"gid", set_gid},
    {"mtime", set_mtime},
    {"atime", set_atime},
    {"GNU.sparse.name", set_sparse_name},
    {"GNU.sparse.size", set_sparse_size},
    {"GNU.sparse.realsize", set_sparse_size},
    {"GNU.sparse.major", set_sparse_major},
    {"GNU.sparse.minor", set_sparse_minor},
    {"GNU.sparse.offset", add_sparse_offset},
    {"GNU.sparse.numbytes", add_sparse_size},
    {"GNU.sparse.map", set_sparse_map},
};

static int apply(struct tar_pax *pax, struct tar_sparse *sparse, const struct record *record, struct err *err) {
    static const char schily[] = "SCHILY.xattr.", libarchive[] = "LIBARCHIVE.xattr.";
    if (strncmp(record->key, schily, sizeof(schily) - 1) == 0) {
        return add_xattr(pax, record->key + sizeof(schily) - 1, record->value, record->size, err);
    }
    // Everything else is text, and a NUL in it would make it mean another thing to a C program than to its author.
    if (memchr(record->value, '\0', record->size)) {
        return err_set(err, ERR_INPUT, "pax record %s: has a NUL in its value", record->key);
    }
    if (strncmp(record->key, libarchive, sizeof(libarchive) - 1) == 0) {
        return set_libarchive_xattr(pax, record, err);
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(record->key, keys[i].key) == 0) {
            return keys[i].apply(pax, sparse, record, err);
        }
    }
    return 0;
}

// "LENGTH KEY=VALUE\n", LENGTH counting all of it. Returns its length, 0 when it is malformed.
static size_t split_record(char *at, size_t left, struct record *ret_record) {
    size_t digits = 0, length = 0;
    while (digits < left && digits < 8 && at[digits] >= '0' && at[digits] <= '9') {
        length = 10 * length + (size_t)(at[digits] - '0');
        digits++;
    }
    if (digits == 0 || digits >= left || at[digits] != ' ' || length > left || length < digits + 3 || at[length - 1] != '\n') {
        return 0;
    }
    char *key = at + digits + 1, *end = at + length - 1;
    char *equals = memchr(key, '=', (size_t)(end - key));
    if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key))) {
        return 0;
    }
    *equals = '\0';
    *end = '\0';
    *ret_record = (struct record){.key = key, .value = equals + 1, .size = (size_t)(end - equals - 1)};
    return length;
}

int tar_pax_decode(struct tar_pax *pax, struct tar_sparse *sparse, struct err *err) {
    char *at = pax->records.data;
    size_t left = pax->records.size;
    while (left > 0) {
        struct record record;
        size_t length = split_record(at, left, &record);
        if (length == 0) {
            return err_set(err, ERR_INPUT, "has a malformed pax record, expected \"LENGTH KEY=VALUE\"");
        }
        if (apply(pax, sparse, &record, err) < 0) {
            return -1;
        }
        at += length;
        left -= length;
    }
    return 0;
}
