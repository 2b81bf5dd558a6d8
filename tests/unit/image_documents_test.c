// Manifests, indexes, configurations and platforms: what is read from them, and what is refused in which words.
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "specs/image_config.h"
#include "specs/image_manifest.h"
#include "specs/json.h"
#include "specs/json_write.h"
#include "tests/unit/check.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DESCRIPTOR(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:1\",\"size\":7}"

static struct json_document document(const char *text) {
    return (struct json_document){.name = "m.json", .text = text, .size = strlen(text)};
}

static int decode(struct arena *arena, const char *text, const char *type, struct image_manifest *ret, struct err *err) {
    const struct json_document json = document(text);
    return image_manifest_decode(&json, type, arena, ret, err);
}

CASE(a_manifest) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct image_manifest manifest;
    enum image_layer_kind kind;
    CHECK(decode(&arena,
                 "{\"schemaVersion\":2,\"config\":" DESCRIPTOR("c") ",\"layers\":[" DESCRIPTOR(
                     "application/vnd.oci.image.layer.v1.tar+gzip") "," DESCRIPTOR("x") "],\"annotations\":{\"a\":\"b\"}}",
                 OCI_MANIFEST, &manifest, &err) == 0);
    CHECK_INT(manifest.kind, IMAGE_MANIFEST);
    CHECK_INT(manifest.layers_count, 2);
    CHECK_INT(manifest.layers[0].size, 7);
    CHECK_STR(manifest.config.digest, "sha256:1");
    CHECK(image_media_type_is_layer(manifest.layers[0].media_type, &kind));
    CHECK_INT(kind, IMAGE_LAYER_GZIP);
    CHECK(!image_media_type_is_layer(manifest.layers[1].media_type, &kind));
    CHECK_STR(image_annotation(manifest.annotations, manifest.annotations_count, "a"), "b");
    CHECK(!image_annotation(manifest.annotations, manifest.annotations_count, "b"));
}

CASE(an_index) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct image_manifest index;
    CHECK(decode(&arena,
                 "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":["
                 "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"sha256:1\",\"size\":7,"
                 "\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}}," DESCRIPTOR(OCI_MANIFEST) "]}",
                 OCI_INDEX, &index, &err) == 0);
    CHECK_INT(index.kind, IMAGE_INDEX);
    CHECK_INT(index.manifests_count, 2);
    CHECK(image_descriptor_is_attestation(&index.manifests[0]));
    CHECK(!image_descriptor_is_attestation(&index.manifests[1]));
    CHECK(decode(&arena, "{\"schemaVersion\":2,\"manifests\":[]}", NULL, &index, &err) == 0);
    CHECK_INT(index.manifests_count, 0);
}

static const struct {
    const char *text, *type, *message;
} wrong_manifests[] = {
    {"[]", NULL, "m.json: expected an object, found an array"},
    {"{\"schemaVersion\":1,\"config\":" DESCRIPTOR("c") ",\"layers\":[]}", NULL, "m.json: schemaVersion: expected 2, found 1"},
    {"{\"schemaVersion\":2,\"config\":" DESCRIPTOR("c") ",\"layers\":[],\"manifests\":[]}", NULL,
     "m.json: has both layers and manifests, so two readers would see two images"},
    {"{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}", NULL,
     "m.json: has both layers and manifests, so two readers would see two images"},
    {"{\"schemaVersion\":2}", NULL, "m.json: has neither config and layers, of an image, nor manifests, of an index"},
    {"{\"schemaVersion\":2,\"config\":" DESCRIPTOR("c") "}", NULL, "m.json: layers: expected an array of objects, found nothing"},
    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"config\":" DESCRIPTOR("c") ",\"layers\":[]}", NULL,
     "m.json: mediaType is \"" OCI_INDEX "\", but the document is an image's manifest"},
    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[]}", OCI_MANIFEST,
     "m.json: mediaType: expected \"" OCI_MANIFEST "\", found \"" OCI_INDEX "\""},
    {"{\"schemaVersion\":2,\"mediaType\":\"text/html\",\"manifests\":[]}", NULL,
     "m.json: mediaType: expected one of an index or manifest, found \"text/html\""},
    {"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"b\",\"size\":-1}]}", NULL,
     "m.json: manifests[0].size: expected a size in bytes, found -1"},
    {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"b\",\"size\":1}]}", NULL,
     "m.json: manifests[0].mediaType: expected a string, found nothing"},
    {"{\"schemaVersion\":2,\"schemaVersion\":2,\"manifests\":[]}", NULL,
     "m.json: line 1, column 34: duplicate object key near '\"schemaVersion\"'"},
};

CASE(wrong_manifests_are_refused) {
    for (size_t i = 0; i < ARRAY_LEN(wrong_manifests); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct image_manifest manifest;
        CHECK(decode(&arena, wrong_manifests[i].text, wrong_manifests[i].type, &manifest, &err) < 0);
        CHECK_STR(err.text, wrong_manifests[i].message);
    }
}

CASE(archives_of_docker_save) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct image_archive_item *items;
    size_t count;
    struct json_document json = document("[{\"Config\":\"a.json\",\"RepoTags\":null,\"Layers\":[\"x/layer.tar\"]},{\"Config\":\"b\"}]");
    CHECK(image_archive_decode(&json, &arena, &items, &count, &err) == 0);
    CHECK_INT(count, 2);
    CHECK_STR(items[0].layers[0], "x/layer.tar");
    CHECK_INT(items[1].layers_count, 0);
    json = document("[{\"Config\":\"a.json\",\"Layers\":[\"x\",2]}]");
    CHECK(image_archive_decode(&json, &arena, &items, &count, &err) < 0);
    CHECK_STR(err.text, "m.json: [0].Layers[1]: expected a string, found a number");
    json = document("{}");
    CHECK(image_archive_decode(&json, &arena, &items, &count, &err) < 0);
    CHECK_STR(err.text, "m.json: expected an array of objects, found an object");
}

static const char config_text[] =
    "{\"created\":\"2001-02-03T04:05:06Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"unknown\":{\"x\":[1]},"
    "\"config\":{\"User\":\"1000:2\",\"ExposedPorts\":{\"80/tcp\":{}},\"Env\":[\"A=b\"],\"Entrypoint\":[\"/e\"],\"Cmd\":null,"
    "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000000,\"Retries\":3},\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/w\","
    "\"Labels\":{\"l\":\"m\"},\"StopSignal\":\"SIGINT\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:1\"]},"
    "\"history\":[{\"created_by\":\"RUN x\",\"empty_layer\":true}]}";

CASE(a_configuration_survives_writing_and_reading) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    struct err err = {0};
    struct image_config config = {0};
    struct json_document json = document(config_text);
    for (int i = 0; i < 2; i++) {
        CHECK(image_config_decode(&json, &arena, &config, &err) == 0);
        CHECK_STR(config.os, "linux");
        CHECK_STR(config.settings.exposed_ports[0], "80/tcp");
        CHECK_STR(config.settings.env[0], "A=b");
        CHECK_INT(config.settings.cmd_count, 0);
        CHECK_INT(config.settings.healthcheck->interval_ns, 5000000000);
        CHECK_STR(config.settings.labels[0].value, "m");
        CHECK_STR(config.diff_ids[0], "sha256:1");
        CHECK(config.history[0].empty_layer);
        buf_clear(&text);
        struct json_writer writer = {.buf = &text};
        image_config_write(&config, &writer, NULL);
        json = document(buf_string(&text));
    }
}

static const struct {
    const char *text, *message;
} wrong_configs[] = {
    {"{}", "m.json: rootfs: expected an object, found nothing"},
    {"{\"rootfs\":{\"diff_ids\":[]}}", "m.json: rootfs.type: expected a value, found nothing"},
    {"{\"rootfs\":{\"type\":\"layers+base\"}}", "m.json: rootfs.type: expected \"layers\", found \"layers+base\""},
    {"{\"rootfs\":{\"type\":\"layers\"},\"config\":{\"Env\":[\"A=b\",\"B\"]}}",
     "m.json: config.Env[1]: expected NAME=VALUE, found \"B\""},
    {"{\"rootfs\":{\"type\":\"layers\"},\"config\":{\"Env\":[\"=b\"]}}", "m.json: config.Env[0]: expected NAME=VALUE, found \"=b\""},
    {"{\"rootfs\":{\"type\":\"layers\"},\"config\":{\"Cmd\":\"sh\"}}", "m.json: config.Cmd: expected an array of strings, found a string"},
    {"{\"rootfs\":{\"type\":\"layers\"},\"config\":{\"Healthcheck\":{\"Test\":[1]}}}",
     "m.json: config.Healthcheck.Test[0]: expected a string, found a number"},
};

CASE(wrong_configurations_are_refused) {
    for (size_t i = 0; i < ARRAY_LEN(wrong_configs); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct image_config config;
        const struct json_document json = document(wrong_configs[i].text);
        CHECK(image_config_decode(&json, &arena, &config, &err) < 0);
        CHECK_STR(err.text, wrong_configs[i].message);
    }
}

static unsigned rank(const char *has, const char *wants) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct image_platform one, other;
    CHECK(image_platform_parse(&arena, has, &one, &err) == 0);
    CHECK(image_platform_parse(&arena, wants, &other, &err) == 0);
    return image_platform_rank(&one, &other);
}

CASE(platforms) {
    CHECK(rank("linux/amd64", "linux/amd64") > 0);
    CHECK(rank("linux/x86_64", "amd64") > 0);
    CHECK(rank("linux/amd64/v3", "linux/amd64") == 0);
    CHECK(rank("linux/amd64", "linux/amd64/v3") > 0);
    CHECK(rank("windows/amd64", "linux/amd64") == 0);
    CHECK(rank("linux/arm64", "linux/amd64") == 0);
    CHECK(rank("linux/arm64", "linux/arm64/v8") > 0);
    CHECK(rank("linux/arm/v7", "linux/arm/v7") > rank("linux/arm/v6", "linux/arm/v7"));
    CHECK(rank("linux/arm/v6", "linux/arm/v7") > rank("linux/arm/v5", "linux/arm/v7"));
    CHECK(rank("linux/arm/v8", "linux/arm/v7") == 0);
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct image_platform platform;
    CHECK(image_platform_parse(&arena, "linux//v8", &platform, &err) < 0);
    CHECK_STR(err.text, "platform \"linux//v8\": expected OS/ARCHITECTURE[/VARIANT]");
    CHECK(image_platform_parse(&arena, "a/b/c/d", &platform, &err) < 0);
    CHECK(image_platform_parse(&arena, "", &platform, &err) < 0);
}

int main(void) {
    RUN(a_manifest);
    RUN(an_index);
    RUN(wrong_manifests_are_refused);
    RUN(archives_of_docker_save);
    RUN(a_configuration_survives_writing_and_reading);
    RUN(wrong_configurations_are_refused);
    RUN(platforms);
    return check_done();
}
