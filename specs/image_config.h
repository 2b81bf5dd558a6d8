// An image's configuration: what it is for, what to run in it, and which layers it is made of.
// (OCI image-spec v1.1, config.md; docker's image-spec v1.2 for Healthcheck, OnBuild and Shell.)
//
// Only decoded and checked here; strings and lists live in the arena. Foreign bytes: the document's size is bounded by json.h.
#ifndef COFFER_SPECS_IMAGE_CONFIG_H
#define COFFER_SPECS_IMAGE_CONFIG_H

#include "runtime/base/attr.h"
#include "specs/values.h"

struct arena;
struct err;
struct json_document;
struct json_reader;
struct json_writer;
struct json_t;

struct image_healthcheck {
    const char **test; // "NONE", or "CMD" or "CMD-SHELL" and what behind it
    size_t test_count;
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; // 0: not said
    int32_t retries;
};

// How to run it: the member "config", which may be missing as a whole.
struct image_settings {
    const char *user;           // NULL or "" is root
    const char **exposed_ports; // "80/tcp"
    size_t exposed_ports_count;
    const char **env; // NAME=VALUE
    size_t env_count;
    const char **entrypoint;
    size_t entrypoint_count;
    const char **cmd;
    size_t cmd_count;
    const char **volumes; // paths in the image
    size_t volumes_count;
    const char *working_dir;
    struct text_pair *labels;
    size_t labels_count;
    const char *stop_signal;
    struct image_healthcheck *healthcheck; // NULL: none
    const char **shell;                    // docker
    size_t shell_count;
    const char **on_build; // docker
    size_t on_build_count;
};

struct image_history {
    const char *created; // RFC 3339
    const char *created_by;
    const char *author;
    const char *comment;
    bool empty_layer;
};

struct image_config {
    const char *created; // RFC 3339; NULL: not said
    const char *author;
    const char *architecture; // Go's names: amd64, arm64
    const char *variant;
    const char *os;
    const char *os_version;
    struct image_settings settings;
    const char **diff_ids; // of the layers, the lowest first: digests that nobody has checked yet
    size_t diff_ids_count;
    struct image_history *history;
    size_t history_count;
};

// ERR_INPUT names the document and the field; kinds of image that are not made of layers (rootfs.type) are refused.
int image_config_decode(const struct json_document *document, struct arena *arena, struct image_config *ret,
                        struct err *err) MUST_CHECK;

// The same for one that is a member of another document: for rows of kind CUSTOM.
int image_config_take(struct json_reader *reader, struct json_t *value, struct image_config *ret) MUST_CHECK;

// Writes a configuration as a document of its own (name NULL) or as a member.
void image_config_write(const struct image_config *config, struct json_writer *writer, const char *name);

// Its health check, as the member "Healthcheck".
void image_healthcheck_write(const struct image_healthcheck *check, struct json_writer *writer);

// Only its settings, with the names of the specification.
void image_settings_write(const struct image_settings *settings, struct json_writer *writer, const char *name);

#endif
