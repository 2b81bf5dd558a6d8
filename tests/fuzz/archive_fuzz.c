// The archives that images come in: where their members lie. Each member found must lie within the file, and names must be clean.
#include "images/archive.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "tests/fuzz/tar_mend.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct archive_member *member, size_t size) {
    if (member->size > size || member->offset > size - member->size || member->name[0] == '/' || strncmp(member->name, "../", 3) == 0 ||
        strstr(member->name, "/../")) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_FD int fd = memfd_create("fuzz", MFD_CLOEXEC);
    AUTO_FREE uint8_t *copy = mem_resize(NULL, size + 1, 1);
    memcpy(copy, data, size);
    mend_checksums(copy, size);
    struct archive archive;
    struct err err = {0};
    if (fd < 0 || fd_write_all(fd, copy, size) < 0) {
        abort();
    }
    if (archive_init(&archive, fd, &err) < 0) {
        return 0;
    }
    for (size_t i = 0; i < archive.count; i++) {
        const struct archive_member *found = archive_find(&archive, archive.members[i].name);
        if (found) {
            judge(found, size);
        }
    }
    archive_finish(&archive);
    return 0;
}
