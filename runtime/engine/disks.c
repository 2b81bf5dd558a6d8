#include "runtime/engine/disks.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/strv.h"
#include "runtime/engine/config.h"
#include "runtime/engine/request.h"
#include "specs/oci_config.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { WEIGHT_MIN = 10, WEIGHT_MAX = 1000 };

// A flag whose values are "DISK:NUMBER".
struct disk_flag {
    const char *name;
    const struct strv *words;
    const char *expected; // of the number
    int (*read)(const char *text, int64_t *ret);
    int64_t min, max;
};

static int read_disk(const struct disk_flag *flag, const char *word, struct arena *arena, struct oci_block_throttle *ret, struct err *err) {
    const char *colon = strrchr(word, ':');
    const char *path = colon ? arena_copy(arena, word, (size_t)(colon - word)) : "";
    struct stat status;
    int64_t number;
    if (path[0] != '/' || flag->read(colon + 1, &number) < 0 || number < flag->min || number > flag->max) {
        return err_set(err, ERR_INPUT, "%s: expected a disk of the host and %s, such as /dev/sda:%s, found \"%s\"", flag->name,
                       flag->expected, flag->read == quantity_bytes ? "10m" : "100", word);
    }
    if (stat(path, &status) < 0) {
        return err_sys(err, "%s: look at %s", flag->name, path);
    }
    if (!S_ISBLK(status.st_mode)) {
        return err_set(err, ERR_INPUT, "%s: %s is no disk, which is a block device", flag->name, path);
    }
    *ret = (struct oci_block_throttle){.major = major(status.st_rdev), .minor = minor(status.st_rdev), .rate = (uint64_t)number};
    return 0;
}

static int merge_weights(const struct run_request *run, struct arena *arena, struct oci_block_io *io, struct err *err) {
    const struct disk_flag flag = {
        .name = "--blkio-weight-device",
        .words = &run->blkio_weight_devices,
        .expected = "a weight from 10 to 1000",
        .read = quantity_int,
        .min = WEIGHT_MIN,
        .max = WEIGHT_MAX,
    };
    if (run->blkio_weight.set && run->blkio_weight.value != 0) { // docker takes 0 for what nobody said
        if (run->blkio_weight.value < WEIGHT_MIN) {
            return err_set(err, ERR_INPUT, "--blkio-weight: expected a whole number from %d to %d, found \"%lld\"", WEIGHT_MIN, WEIGHT_MAX,
                           (long long)run->blkio_weight.value);
        }
        io->weight = (struct opt_u32){true, (uint32_t)run->blkio_weight.value};
    }
    io->weight_devices = arena_array(arena, flag.words->count, sizeof(*io->weight_devices));
    for (size_t i = 0; i < flag.words->count; i++) {
        struct oci_block_throttle disk;
        if (read_disk(&flag, flag.words->items[i], arena, &disk, err) < 0) {
            return -1;
        }
        io->weight_devices[io->weight_devices_count++] = (struct oci_block_weight){
            .major = disk.major,
            .minor = disk.minor,
            .weight = {true, (uint32_t)disk.rate},
        };
    }
    return 0;
}

int disks_merge(const struct config_request *request, struct arena *arena, struct oci_block_io *io, struct err *err) {
    const struct run_request *run = request->run;
    static const char bytes[] = "bytes a second", operations[] = "a number a second";
    const struct disk_flag flags[OCI_THROTTLE_KIND_COUNT] = {
        [OCI_THROTTLE_READ_BPS] = {"--device-read-bps", &run->device_read_bps, bytes, quantity_bytes, 1, INT64_MAX},
        [OCI_THROTTLE_WRITE_BPS] = {"--device-write-bps", &run->device_write_bps, bytes, quantity_bytes, 1, INT64_MAX},
        [OCI_THROTTLE_READ_IOPS] = {"--device-read-iops", &run->device_read_iops, operations, quantity_int, 1, UINT32_MAX},
        [OCI_THROTTLE_WRITE_IOPS] = {"--device-write-iops", &run->device_write_iops, operations, quantity_int, 1, UINT32_MAX},
    };
    for (size_t i = 0; i < OCI_THROTTLE_KIND_COUNT; i++) {
        struct oci_throttle_list *list = &io->throttles[i];
        list->items = arena_array(arena, flags[i].words->count, sizeof(*list->items));
        for (size_t word = 0; word < flags[i].words->count; word++) {
            if (read_disk(&flags[i], flags[i].words->items[word], arena, &list->items[list->items_count++], err) < 0) {
                return -1;
            }
        }
    }
    return merge_weights(run, arena, io, err);
}
