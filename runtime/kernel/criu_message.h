// Messages of criu(8)'s RPC: protocol buffers (version 2), of which a handful of fields are written and fewer are read. A message is a
// run of fields, each a number, a kind and a value; fields that the reader does not know are passed over. Numbers and meanings are those
// of criu's own rpc.proto.
//
// Reading trusts nothing: every length is held against what is left, and text is cut to its room.
#ifndef COFFER_KERNEL_CRIU_MESSAGE_H
#define COFFER_KERNEL_CRIU_MESSAGE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum criu_type {
    CRIU_DUMP = 1,
    CRIU_RESTORE = 2,
    CRIU_PRE_DUMP = 4,
    CRIU_NOTIFY = 6,
};

// The fields of criu_opts.
enum criu_option {
    CRIU_IMAGES_DIR_FD = 1,
    CRIU_PID = 2,
    CRIU_LEAVE_RUNNING = 3,
    CRIU_EXT_UNIX_SK = 4,
    CRIU_TCP_ESTABLISHED = 5,
    CRIU_EVASIVE_DEVICES = 6,
    CRIU_SHELL_JOB = 7,
    CRIU_FILE_LOCKS = 8,
    CRIU_LOG_LEVEL = 9,
    CRIU_LOG_FILE = 10,
    CRIU_PAGE_SERVER = 11,
    CRIU_NOTIFY_SCRIPTS = 12,
    CRIU_ROOT = 13,
    CRIU_PARENT_IMAGE = 14,
    CRIU_TRACK_MEM = 15,
    CRIU_AUTO_DEDUP = 16,
    CRIU_WORK_DIR_FD = 17,
    CRIU_LINK_REMAP = 18,
    CRIU_EXT_MOUNT = 23,
    CRIU_MANAGE_CGROUPS = 24,
    CRIU_CGROUP_ROOT = 25,
    CRIU_RESTORE_SIBLING = 26,
    CRIU_INHERIT_FD = 27,
    CRIU_MANAGE_CGROUPS_MODE = 34,
    CRIU_EXTERNAL = 37,
    CRIU_EMPTY_NS = 38,
    CRIU_JOIN_NS = 39,
    CRIU_FREEZE_CGROUP = 44,
    CRIU_TCP_SKIP_IN_FLIGHT = 46,
    CRIU_LAZY_PAGES = 48,
    CRIU_STATUS_FD = 49,
    CRIU_ORPHAN_PTS_MASTER = 50,
    CRIU_CONFIG_FILE = 51,
    CRIU_TCP_CLOSE = 52,
    CRIU_LSM_PROFILE = 53,
    CRIU_LSM_MOUNT_CONTEXT = 63,
    CRIU_NETWORK_LOCK = 64,
};

// Append one field. Flags that are false are left out, as absent means the same.
void criu_put_number(struct buf *message, uint32_t field, uint64_t value);
void criu_put_flag(struct buf *message, uint32_t field, bool value);
void criu_put_string(struct buf *message, uint32_t field, const char *text);
void criu_put_message(struct buf *message, uint32_t field, const struct buf *inner);

// A message within, of two fields: ext_mount_map {key, val}, inherit_fd {key, fd}, join_namespace {ns, ns_file}, criu_page_server_info
// {address, port}, cgroup_root {-, path}.
void criu_put_pair(struct buf *options, enum criu_option option, const char *first, const char *second);
void criu_put_named_number(struct buf *options, enum criu_option option, const char *first, uint64_t second);

// A whole request; options NULL: an answer to a notification that says whether it was served.
void criu_put_request(struct buf *message, enum criu_type type, const struct buf *options, bool notify_success);

enum { CRIU_MESSAGE_MAX = 64 << 10, CRIU_SCRIPT_SIZE = 64, CRIU_TEXT_SIZE = 256 };

struct criu_reply {
    uint32_t type;
    bool success;
    int32_t pid; // of what was restored, or of what a notification is about; 0: none was told
    int32_t errnum;
    char script[CRIU_SCRIPT_SIZE]; // the notification's name; "" for none
    char text[CRIU_TEXT_SIZE];     // criu's own words on an error; "" for none
};

// ERR_CORRUPT for what is no reply.
int criu_reply_decode(const void *data, size_t size, struct criu_reply *ret, struct err *err) MUST_CHECK;

#endif
