// Documents of ours: the default configuration and the state, written and read back.
#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/json.h"
#include "specs/json_write.h"
#include "specs/oci_config.h"
#include "specs/oci_default.h"
#include "specs/oci_state.h"

#include <linux/sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

CASE(strings_are_escaped) {
    AUTO_BUF struct buf text = {0};
    json_add_quoted(&text, "a\"\\\n\x01\x7f\xc3\xa4\xff\xe2\x82");
    CHECK_STR(text.data, "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    buf_clear(&text);
    json_add_quoted(&text, "\xed\xa0\x80\xf0\x9f\x98\x80\xc0\xaf");
    CHECK_STR(text.data, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"");
}

CASE(documents_are_indented_or_not) {
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text, .indent = "\t"};
    json_write_open(&writer, NULL, '{');
    json_write_u64(&writer, "n", UINT64_MAX);
    json_write_open(&writer, "list", '[');
    json_write_bool(&writer, NULL, false);
    json_write_close(&writer, ']');
    json_write_open(&writer, "empty", '{');
    json_write_close(&writer, '}');
    json_write_close(&writer, '}');
    CHECK_STR(text.data, "{\n\t\"n\": 18446744073709551615,\n\t\"list\": [\n\t\tfalse\n\t],\n\t\"empty\": {}\n}\n");
}

static struct oci_config *decode_default(const struct oci_default *wish, struct arena *arena) {
    AUTO_BUF struct buf text = {0};
    struct err err = {0};
    oci_config_default_text(wish, &text);
    const struct json_document document = {.name = "config.json", .text = text.data, .size = text.size};
    struct oci_config *config = NULL;
    int result = oci_config_decode(&document, arena, &config, &err);
    CHECK_STR(err.text, "");
    return result < 0 ? NULL : config;
}

CASE(the_default_configuration_decodes) {
    AUTO_ARENA struct arena arena = {0};
    struct oci_config *config = decode_default(&(struct oci_default){0}, &arena);
    CHECK(config && config->mounts_count == 7 && config->os.namespaces_count == 6 && config->os.masked_paths_count == 10);
    CHECK(config->process->capabilities->bounding == (1 << 5 | 1 << 10 | 1 << 29) && config->process->capabilities->ambient == 0);
    config = decode_default(&(struct oci_default){.rootless = true, .uid = 1000, .gid = 100}, &arena);
    CHECK(config && config->os.uid_mappings[0].host_id == 1000 && config->os.gid_mappings[0].host_id == 100);
    CHECK(!oci_config_namespace(config, CLONE_NEWNET) && oci_config_namespace(config, CLONE_NEWUSER));
}

// What differs on purpose: the name and version, no ambient capabilities (a set-uid program's child would keep them), and the
// cgroup namespace, which runc adds on cgroup v2 only.
CASE(the_default_configuration_means_what_runc_s_means) {
    if (system("command -v runc jq >/dev/null 2>&1") != 0) {
        SKIP("runc and jq are not installed");
    }
    char folder[] = "/tmp/coffer-unit-XXXXXX";
    if (!mkdtemp(folder)) {
        SKIP("no temporary folder");
    }
    static const char *const options[] = {"", "--rootless"};
    for (int i = 0; i < 2; i++) {
        AUTO_BUF struct buf text = {0};
        oci_config_default_text(&(struct oci_default){.rootless = i == 1, .uid = geteuid(), .gid = getegid()}, &text);
        AUTO_FREE char *ours = mem_format("%s/ours.json", folder);
        FILE *file = fopen(ours, "we");
        fputs(text.data, file);
        fclose(file);
        AUTO_FREE char *command = mem_format(
            "cd %s && rm -f config.json && runc spec %s && for f in config.json ours.json; do jq -S 'del(.ociVersion, .hostname, "
            ".process.capabilities.ambient) | .linux.namespaces |= (map(select(.type != \"cgroup\")) | sort)' $f >$f.sorted; done "
            "&& "
            "diff config.json.sorted ours.json.sorted",
            folder, options[i]);
        CHECK_INT(system(command), 0);
    }
    AUTO_FREE char *clean = mem_format("rm -f %s/*.json %s/*.sorted && rmdir %s", folder, folder, folder);
    CHECK_INT(system(clean), 0);
}

CASE(states_are_written_and_read) {
    AUTO_BUF struct buf text = {0};
    struct text_pair notes[] = {{"k", "v"}};
    const struct oci_state state = {.oci_version = "1.3.0",
                                    .id = "c1",
                                    .status = OCI_STATUS_RUNNING,
                                    .pid = 7,
                                    .bundle = "/b",
                                    .annotations = notes,
                                    .annotations_count = 1,
                                    .created = "2024-01-01T00:00:00Z",
                                    .owner = ""};
    oci_state_write(&state, false, &text);
    CHECK_STR(text.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"c1\",\"pid\":7,\"status\":\"running\",\"bundle\":\"/b\","
                         "\"created\":\"2024-01-01T00:00:00Z\",\"annotations\":{\"k\":\"v\"},\"owner\":\"\"}");
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_state again = {0};
    struct json_document document = {.name = "state", .text = text.data, .size = text.size};
    CHECK_INT(oci_state_decode(&document, &arena, &again, &err), 0);
    CHECK(again.status == OCI_STATUS_RUNNING && again.pid == 7 && again.annotations_count == 1 && !again.rootfs);
    document.text = "{\"ociVersion\":\"1\",\"id\":\"a\",\"bundle\":\"/\",\"status\":\"gone\"}";
    document.size = strlen(document.text);
    CHECK_INT(oci_state_decode(&document, &arena, &again, &err), -1);
    CHECK_STR(err.text, "state: status: expected one of created, creating, paused, running, stopped, found \"gone\"");
    document.text = "{]";
    document.size = 2;
    CHECK_INT(oci_state_decode(&document, &arena, &again, &err), -1);
    CHECK_STR(err.text, "state: line 1, column 2: string or '}' expected near ']'");
}

// A start decodes one configuration, so this is part of every start: under 100 us on any machine we know.
CASE(decoding_is_quick) {
    AUTO_BUF struct buf text = {0};
    oci_config_default_text(&(struct oci_default){0}, &text);
    const struct json_document document = {.name = "config.json", .text = text.data, .size = text.size};
    double best_us = 1e9;
    for (int i = 0; i < 200; i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct oci_config *config = NULL;
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        int result = oci_config_decode(&document, &arena, &config, &err);
        clock_gettime(CLOCK_MONOTONIC, &end);
        CHECK_INT(result, 0);
        double us = (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
        best_us = us < best_us ? us : best_us;
    }
    printf("# default configuration, %zu bytes: %.1f us\n", text.size, best_us);
#ifndef __SANITIZE_ADDRESS__
    CHECK(best_us < 100);
#endif
}

int main(void) {
    RUN(strings_are_escaped);
    RUN(documents_are_indented_or_not);
    RUN(the_default_configuration_decodes);
    RUN(the_default_configuration_means_what_runc_s_means);
    RUN(states_are_written_and_read);
    RUN(decoding_is_quick);
    return check_done();
}
