#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/volume.h"

static const char *joined(struct arena *arena, const struct volume *volume) {
    const char *text = "";
    for (size_t i = 0; i < volume->option_count; i++) {
        text = arena_format(arena, "%s%s%s", text, i ? "," : "", volume->options[i]);
    }
    return text;
}

CASE(short_form_is_dockers) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct volume volume;
    CHECK_INT(volume_parse_short(&arena, "/a:/b", "/cwd", &volume, &err), 0);
    CHECK_STR(volume.source, "/a");
    CHECK_STR(volume.target, "/b");
    CHECK_STR(joined(&arena, &volume), "rbind,rprivate");
    CHECK(volume.make_source);
    CHECK_INT(volume_parse_short(&arena, "./d:/b:ro,rslave,z", "/cwd", &volume, &err), 0);
    CHECK_STR(volume.source, "/cwd/./d");
    CHECK_STR(joined(&arena, &volume), "rslave,rbind,rro");
}

CASE(short_form_says_what_is_wrong) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct volume volume;
    CHECK_INT(volume_parse_short(&arena, "/a:b", "/", &volume, &err), -1);
    CHECK_STR(err.text, "\"/a:b\": expected an absolute path in the container, found \"b\"");
    CHECK_INT(volume_parse_short(&arena, "/a:/", "/", &volume, &err), -1);
    CHECK_STR(err.text, "\"/a:/\": nothing can be mounted on the container's root");
    CHECK_INT(volume_parse_short(&arena, "/a:/b:rx", "/", &volume, &err), -1);
    CHECK(strstr(err.text, "unknown option \"rx\"") != NULL);
    CHECK_INT(volume_parse_short(&arena, "data:/b", "/", &volume, &err), -1);
    CHECK(strstr(err.text, "named volumes are not supported") != NULL);
}

CASE(long_form_is_dockers) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct volume volume;
    CHECK_INT(volume_parse_long(&arena, "type=bind,src=/a,dst=/b,readonly", "/", &volume, &err), 0);
    CHECK_STR(joined(&arena, &volume), "rbind,rprivate,rro");
    CHECK(!volume.make_source);
    CHECK_INT(volume_parse_long(&arena, "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770", "/", &volume, &err), 0);
    CHECK_STR(joined(&arena, &volume), "nosuid,nodev,noexec,size=1m,mode=1770");
    CHECK_INT(volume_parse_long(&arena, "type=bind,target=/b", "/", &volume, &err), -1);
    CHECK_STR(err.text, "\"type=bind,target=/b\": a bind mount needs a source");
    CHECK_INT(volume_parse_long(&arena, "type=bind,sorce=/b", "/", &volume, &err), -1);
    CHECK(strstr(err.text, "unknown field \"sorce\"") != NULL);
}

CASE(tmpfs_form) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct volume volume;
    CHECK_INT(volume_parse_tmpfs(&arena, "/run:size=8m,exec", &volume, &err), 0);
    CHECK_STR(joined(&arena, &volume), "nosuid,nodev,noexec,size=8m,exec");
    CHECK_INT(volume_parse_tmpfs(&arena, "run", &volume, &err), -1);
}

int main(void) {
    RUN(short_form_is_dockers);
    RUN(short_form_says_what_is_wrong);
    RUN(long_form_is_dockers);
    RUN(tmpfs_form);
    return check_done();
}
