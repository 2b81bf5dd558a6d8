// checkpoint_image: the folders of a checkpoint, what stands in them beside criu's own files, and the options of criu that a checkpoint
// and a restore have in common. Internal to the room.
#ifndef COFFER_CONTAINER_CHECKPOINT_IMAGE_H
#define COFFER_CONTAINER_CHECKPOINT_IMAGE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

struct arena;
struct buf;
struct checkpoint_options;
struct criu_reply;
struct err;
struct oci_config;

struct checkpoint_image {
    int images;
    int work; // -1: the same
    const char *log; // the log's name, in the work folder
};
#define CHECKPOINT_IMAGE_NONE {.images = -1, .work = -1}

// Names in a checkpoint, the same as in those of other runtimes, of namespaces that were joined.
#define CHECKPOINT_NETWORK_KEY "extRootNetNS"
#define CHECKPOINT_PID_KEY "extRootPidNS"

void checkpoint_image_finish(struct checkpoint_image *image);
#define AUTO_CHECKPOINT_IMAGE AUTO(checkpoint_image_finish)

// Opens the folders; makes them where `make`, and the work folder in any case.
int checkpoint_image_open(const struct checkpoint_options *checkpoint, bool make, const char *log, struct checkpoint_image *ret,
                          struct err *err) MUST_CHECK;

// Appends what both ask of criu.
void checkpoint_image_options(const struct checkpoint_image *image, const struct checkpoint_options *checkpoint,
                              const struct oci_config *config, struct buf *options);

// The error that a reply tells of; then, with the end of criu's log behind it. Both return -1.
int checkpoint_image_failed(const struct criu_reply *reply, struct err *err);
int checkpoint_image_explain(const struct checkpoint_image *image, const struct checkpoint_options *checkpoint, struct err *err);

// checkpoint_descriptors.c: a container's standard descriptors, each by the name that criu has for what it is: "pipe:[4711]",
// "file[18:4]"; "" for what needs none. The names are kept in the image folder, in a file that other runtimes read and write too.
enum { CHECKPOINT_DESCRIPTORS = 3 };
int checkpoint_descriptors_name(pid_t pid, struct arena *arena, struct buf *options, const char *names[CHECKPOINT_DESCRIPTORS],
                                struct err *err) MUST_CHECK;
int checkpoint_descriptors_write(const struct checkpoint_image *image, const char *const names[CHECKPOINT_DESCRIPTORS],
                                 struct err *err) MUST_CHECK;
int checkpoint_descriptors_read(const struct checkpoint_image *image, struct arena *arena, const char *names[CHECKPOINT_DESCRIPTORS],
                                struct err *err) MUST_CHECK;

// Whether the container's process is to end with whoever is its parent, as that of a `run` in the foreground does: the kernel keeps that
// with the process, and criu brings it back.
int checkpoint_attached_write(const struct checkpoint_image *image, bool attached, struct err *err) MUST_CHECK;
bool checkpoint_attached_read(const struct checkpoint_image *image);

// checkpoint_mounts.c: what the container has of the host by bind mounts: named in a checkpoint by the places in its configuration, bound
// to their sources by a restore. Before that the places themselves are made where a root file system lacks them.
int checkpoint_mounts_name(pid_t pid, const struct oci_config *config, struct buf *options, struct err *err) MUST_CHECK;
int checkpoint_mounts_bind(const struct oci_config *config, const char *bundle, const char *notify, struct buf *options,
                           struct err *err) MUST_CHECK;
int checkpoint_mounts_prepare(const struct oci_config *config, const char *bundle, const char *rootfs, struct err *err) MUST_CHECK;

#endif
