#include "images/tree_attributes.h"

#include "images/layer_xattr.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

void tree_attributes_init(struct tree_attributes *attributes, enum tree_signs signs) {
    const size_t most_names = XATTR_LIST_MAX / 2 + 1; // each takes two bytes at least
    *attributes = (struct tree_attributes){
        .signs = signs,
        .list = mem_alloc(XATTR_LIST_MAX),
        .names = mem_array(most_names, sizeof(char *)),
        .items = mem_array(most_names, sizeof(struct tar_xattr)),
    };
}

void tree_attributes_finish(struct tree_attributes *attributes) {
    free(attributes->list);
    free(attributes->names);
    free(attributes->items);
    buf_finish(&attributes->values);
}

// What overlayfs keeps for itself. Data or names that only it can find together again are not in the tree.
static int look_at_signs(struct tree_attributes *attributes, const char *name, size_t list_size, struct err *err) {
    static const char *const prefixes[] = {[TREE_SIGNS_TRUSTED] = "trusted.overlay.", [TREE_SIGNS_USER] = "user.overlay."};
    static_assert(ARRAY_LEN(prefixes) == TREE_SIGNS_COUNT, "one for each");
    const char *prefix = prefixes[attributes->signs];
    for (const char *at = attributes->list; prefix && at < attributes->list + list_size; at += strlen(at) + 1) {
        const char *sign = strncmp(at, prefix, strlen(prefix)) == 0 ? at + strlen(prefix) : "";
        char value;
        if (strcmp(sign, "opaque") == 0) {
            attributes->is_opaque = lgetxattr(name, at, &value, 1) == 1 && value == 'y';
        } else if (strcmp(sign, "redirect") == 0 || strcmp(sign, "metacopy") == 0) {
            return err_set(
                err, ERR_UNSUPPORTED,
                "has only a reference to a lower layer (%s), expected a tree that was mounted without redirect_dir and metacopy",
                at);
        }
    }
    return 0;
}

// Values that cannot be read any more have been taken away meanwhile.
static int read_values(struct tree_attributes *attributes, const char *name, size_t names_count, struct err *err) {
    size_t kept = 0, at = 0;
    for (size_t i = 0; i < names_count; i++) {
        char *value = buf_reserve(&attributes->values, XATTR_SIZE_MAX);
        ssize_t size = lgetxattr(name, attributes->names[i], value, XATTR_SIZE_MAX);
        if (size < 0 && errno != ENODATA) {
            return err_sys(err, "read extended attribute %s", attributes->names[i]);
        }
        if (size >= 0) {
            attributes->values.size += (size_t)size;
            attributes->items[kept++] = (struct tar_xattr){.name = attributes->names[i], .size = (size_t)size};
        }
        if (attributes->values.size > TAR_PAX_MAX_BYTES) { // the writer says so, too, but memory has an end before
            return err_set(err, ERR_UNSUPPORTED, "its extended attributes are larger than %d bytes", TAR_PAX_MAX_BYTES);
        }
    }
    attributes->count = kept;
    for (size_t i = 0; i < kept; i++) { // only now do they stay where they are
        attributes->items[i].value = attributes->values.data + at;
        at += attributes->items[i].size;
    }
    return 0;
}

int tree_attributes_read(struct tree_attributes *attributes, const char *name, struct err *err) {
    attributes->count = 0;
    attributes->is_opaque = false;
    buf_clear(&attributes->values);
    ssize_t size = llistxattr(name, attributes->list, XATTR_LIST_MAX);
    if (size <= 0) {
        return size == 0 || errno == ENOTSUP ? 0 : err_sys(err, "list extended attributes");
    }
    if (look_at_signs(attributes, name, (size_t)size, err) < 0) {
        return -1;
    }
    uint64_t others = 0;
    size_t count = layer_xattr_select(attributes->list, (size_t)size, attributes->names, &others);
    return count > 0 ? read_values(attributes, name, count, err) : 0;
}
