#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/request.h"
#include "runtime/engine/volume.h"
#include "runtime/engine/volume_ids.h"
#include "runtime/kernel/userns.h"
#include "specs/oci_config.h"

static struct arena arena;
static struct err err;
static struct volume volume;
static const struct volume_place place = {.cwd = "/cwd", .home = "/home/u"};

static const char *joined(void) {
    const char *text = "";
    for (size_t i = 0; i < volume.options_count; i++) {
        text = arena_format(&arena, "%s%s%s", text, i ? "," : "", volume.options[i]);
    }
    return text;
}

static int parse_short(const char *text) {
    return volume_parse_short(&arena, text, &place, &volume, &err);
}

static int parse_long(const char *text) {
    return volume_parse_long(&arena, text, &place, &volume, &err);
}

#define SHORT_FAILS(words, message)                                                                                                \
    do {                                                                                                                           \
        CHECK_INT(parse_short(words), -1);                                                                                         \
        CHECK_STR(err.text, message);                                                                                              \
    } while (0)

#define LONG_FAILS(words, message)                                                                                                 \
    do {                                                                                                                           \
        CHECK_INT(parse_long(words), -1);                                                                                          \
        CHECK_STR(err.text, message);                                                                                              \
    } while (0)

CASE(short_form_is_dockers) {
    CHECK_INT(parse_short("/a:/b"), 0);
    CHECK_INT(volume.kind, VOLUME_BIND);
    CHECK_STR(volume.source, "/a");
    CHECK_STR(volume.target, "/b");
    CHECK_STR(joined(), "rbind,rprivate");
    CHECK(volume.make_source);
    CHECK_INT(parse_short("./d:/b:ro,rslave,z"), 0);
    CHECK_STR(volume.source, "/cwd/./d");
    CHECK_STR(joined(), "rslave,rbind,rro");
    CHECK_INT(parse_short("~:/b"), 0);
    CHECK_STR(volume.source, "/home/u");
    CHECK_INT(parse_short("~/x:/b"), 0);
    CHECK_STR(volume.source, "/home/u/x");
    CHECK_INT(parse_short("..:/b"), 0);
    CHECK_STR(volume.source, "/cwd/..");
}

CASE(a_source_without_a_slash_is_a_volume) {
    CHECK_INT(parse_short("data:/b:ro,nocopy"), 0);
    CHECK_INT(volume.kind, VOLUME_NAMED);
    CHECK_STR(volume.source, "data");
    CHECK_STR(joined(), "rbind,rprivate,rro");
    CHECK(volume.no_copy && volume.read_only && !volume.anonymous && !volume.make_source);
    CHECK_INT(parse_short("/b"), 0);
    CHECK_INT(volume.kind, VOLUME_NAMED);
    CHECK(volume.anonymous && !volume.source);
    CHECK_STR(volume.target, "/b");
    CHECK_INT(volume_parse_image(&arena, "/data/", &volume, &err), 0);
    CHECK(volume.anonymous && !volume.source);
    CHECK_STR(volume.target, "/data");
}

CASE(targets_are_cleaned) {
    static const char *const pairs[][2] = {
        {"/a:/b/", "/b"}, {"/a://b//c", "/b/c"}, {"/a:/b/./c", "/b/c"}, {"/a:/b/../c", "/c"}, {"/a:/../../c", "/c"}, {"/a:/..b/.c", "/..b/.c"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        CHECK_INT(parse_short(pairs[i][0]), 0);
        CHECK_STR(volume.target, pairs[i][1]);
    }
}

CASE(short_form_says_what_is_wrong) {
    SHORT_FAILS("/a:b", "\"/a:b\": expected an absolute path in the container, found \"b\"");
    SHORT_FAILS("/a:/", "\"/a:/\": nothing can be mounted on the container's root");
    SHORT_FAILS("/a:/b/..", "\"/a:/b/..\": nothing can be mounted on the container's root");
    SHORT_FAILS("/", "\"/\": nothing can be mounted on the container's root");
    SHORT_FAILS(":/b", "\":/b\": expected [SOURCE:]TARGET[:OPTIONS]");
    SHORT_FAILS("", "\"\": expected [SOURCE:]TARGET[:OPTIONS]");
    SHORT_FAILS("data", "\"data\": expected an absolute path in the container, found \"data\"");
    SHORT_FAILS("/a:/b:rx", "\"/a:/b:rx\": unknown option \"rx\"; expected ro, rw, nocopy, U, idmap[=MAP], nosuid, nodev, noexec, "
                            "[r]private, [r]shared or [r]slave");
    SHORT_FAILS("a/b:/c", "\"a/b:/c\": the name of a volume has no slash; write the path as ./a/b");
    SHORT_FAILS("x:/c", "\"x:/c\": volume name \"x\": expected 2 to 128 letters, digits, _ . or -, a letter or digit in front");
    SHORT_FAILS("~who:/c", "\"~who:/c\": the shell has left ~ as it is; write the path of that user's home");
    const struct volume_place homeless = {.cwd = "/cwd"};
    CHECK_INT(volume_parse_short(&arena, "~/x:/c", &homeless, &volume, &err), -1);
    CHECK_STR(err.text, "\"~/x:/c\": HOME is not set, so ~ is no place; write the path");
}

CASE(options_about_owners_are_podmans) {
    CHECK_INT(parse_short("/a:/b:U,ro"), 0);
    CHECK(volume.swaps_owner && volume.read_only);
    CHECK_STR(joined(), "rbind,rprivate,rro");
    CHECK_INT(parse_short("data:/b:idmap=uids=0-1000-1;gids=0-1000-1"), 0);
    CHECK_STR(joined(), "idmap=uids=0-1000-1;gids=0-1000-1,rbind,rprivate");
    CHECK_INT(parse_short("/a:/b:ridmap"), 0);
    CHECK_STR(joined(), "ridmap,rbind,rprivate");
    SHORT_FAILS("/a:/b:idmaps", "\"/a:/b:idmaps\": unknown option \"idmaps\"; expected ro, rw, nocopy, U, idmap[=MAP], nosuid, nodev, noexec, "
                                "[r]private, [r]shared or [r]slave");
    CHECK_INT(parse_long("type=bind,src=/a,dst=/b,U=true"), 0);
    CHECK(volume.swaps_owner);
    CHECK_INT(parse_long("type=bind,src=/a,dst=/b,chown"), 0);
    CHECK(volume.swaps_owner);
    CHECK_INT(parse_long("src=data,dst=/b,U=false,idmap"), 0);
    CHECK(!volume.swaps_owner);
    CHECK_STR(joined(), "idmap,rbind,rprivate");
    LONG_FAILS("type=tmpfs,dst=/b,U", "\"type=tmpfs,dst=/b,U\": field \"U\" is of types bind and volume, and this is type tmpfs");
    LONG_FAILS("type=image,src=tiny,dst=/b,idmap",
               "\"type=image,src=tiny,dst=/b,idmap\": field \"idmap\" is of types bind and volume, and this is type image");
}

static const char *swapped(uint32_t owner, uint32_t user, uint32_t first, uint32_t size) {
    const struct id_range range = {.inside = 0, .outside = first, .count = size};
    struct oci_id_mapping maps[VOLUME_IDS_RANGES];
    const char *text = "";
    size_t count = volume_ids_swap(owner, user, &range, maps);
    for (size_t i = 0; i < count; i++) {
        text = arena_format(&arena, "%s%s%u-%u-%u", text, i ? " " : "", maps[i].container_id, maps[i].host_id, maps[i].size);
    }
    return text;
}

CASE(owner_and_user_change_places) {
    CHECK_STR(swapped(1000, 0, 0, UINT32_MAX), "0-1000-1 1-1-999 1000-0-1 1001-1001-4294966294");
    CHECK_STR(swapped(0, 1000, 0, UINT32_MAX), "0-1000-1 1-1-999 1000-0-1 1001-1001-4294966294");
    CHECK_STR(swapped(1000, 1001, 0, UINT32_MAX), "0-0-1000 1000-1001-1 1001-1000-1 1002-1002-4294966293");
    CHECK_STR(swapped(7, 7, 0, UINT32_MAX), "0-0-4294967295");
    CHECK_STR(swapped(0, 65535, 100000, 65536), "0-165535-1 1-100001-65534 65535-100000-1");
    CHECK_STR(swapped(7, 7, 100000, 65536), "0-100000-65536");
    // Of an owner that the container has no id for, only he is seen as the user, whose own files are nobody's then.
    CHECK_STR(swapped(100000, 5, 200000, 65536), "0-200000-5 6-200006-65530 100000-200005-1");
    CHECK_STR(swapped(100000, 0, 200000, 65536), "1-200001-65535 100000-200000-1");
    CHECK_STR(swapped(100000, 65535, 200000, 65536), "0-200000-65535 100000-265535-1");
}

CASE(long_form_is_dockers) {
    CHECK_INT(parse_long("type=bind,src=/a,dst=/b,readonly"), 0);
    CHECK_STR(joined(), "rbind,rprivate,rro");
    CHECK(!volume.make_source);
    CHECK_INT(parse_long("type=bind,source=./x,destination=/b,ro=false,bind-propagation=rshared"), 0);
    CHECK_STR(volume.source, "/cwd/./x");
    CHECK_STR(joined(), "rshared,rbind");
    CHECK_INT(parse_long("type=bind,src=/a,dst=/b,bind-nonrecursive,readonly"), 0);
    CHECK_STR(joined(), "bind,rprivate,ro");
    CHECK_INT(parse_long("type=bind,src=/a,dst=/b,bind-recursive=writable,readonly"), 0);
    CHECK_STR(joined(), "rbind,rprivate,ro");
    CHECK_INT(parse_long("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770"), 0);
    CHECK_STR(joined(), "nosuid,nodev,noexec,size=1048576,mode=1770");
    CHECK_INT(parse_long("source=data,target=/t,volume-nocopy"), 0);
    CHECK_INT(volume.kind, VOLUME_NAMED);
    CHECK_STR(volume.source, "data");
    CHECK(volume.no_copy && !volume.anonymous);
    CHECK_INT(parse_long("type=volume,target=/t"), 0);
    CHECK(volume.anonymous && !volume.source);
    CHECK_INT(parse_long("type=volume,source=,target=/t"), 0);
    CHECK(volume.anonymous && !volume.source);
}

CASE(long_form_has_quotes) {
    CHECK_INT(parse_long("type=bind,\"source=/a,b\",target=/c"), 0);
    CHECK_STR(volume.source, "/a,b");
    CHECK_INT(parse_long("\"type=bind\",\"source=/a\"\"b\",\"target=/c,d\""), 0);
    CHECK_STR(volume.source, "/a\"b");
    CHECK_STR(volume.target, "/c,d");
    LONG_FAILS("type=bind,\"source=/a", "\"type=bind,\"source=/a\": expected a quote at the end of the field, and a comma or nothing behind it");
    LONG_FAILS("\"type=bind\"x,source=/a", "\"\"type=bind\"x,source=/a\": expected a quote at the end of the field, and a comma or nothing behind it");
}

CASE(long_form_says_what_is_wrong) {
    LONG_FAILS("type=bind,target=/b", "\"type=bind,target=/b\": a bind mount needs a source");
    LONG_FAILS("type=bind,target=/b,src=data", "\"type=bind,target=/b,src=data\": expected a path as source, such as ./data");
    LONG_FAILS("type=bind,sorce=/b", "\"type=bind,sorce=/b\": unknown field \"sorce\"; expected type, source, target, readonly, "
                                     "bind-propagation, bind-recursive, bind-nonrecursive, U, idmap, volume-nocopy, volume-subpath, volume-opt, "
                                     "volume-label, image-subpath, tmpfs-size or tmpfs-mode");
    LONG_FAILS("bind,src=/a,target=/b", "\"bind,src=/a,target=/b\": expected type=bind, found \"bind\"");
    LONG_FAILS("type=bind,src=/a", "\"type=bind,src=/a\": expected target=PATH, where it is to be in the container");
    LONG_FAILS("type=bind,target=/a,target=/b", "\"type=bind,target=/a,target=/b\": field \"target\" is there twice");
    LONG_FAILS("type=bind,source=/a,target", "\"type=bind,source=/a,target\": field \"target\" needs a value");
    LONG_FAILS("type=bind,source=/a,target=/b,tmpfs-size=1m",
               "\"type=bind,source=/a,target=/b,tmpfs-size=1m\": field \"tmpfs-size\" is of type tmpfs, and this is type bind");
    LONG_FAILS("source=data,target=/b,bind-propagation=slave",
               "\"source=data,target=/b,bind-propagation=slave\": field \"bind-propagation\" is of type bind, and this is type volume");
    LONG_FAILS("type=bind,source=/a,target=/b,readonly=maybe",
               "\"type=bind,source=/a,target=/b,readonly=maybe\": field \"readonly\": expected true or false, found \"maybe\"");
    LONG_FAILS("type=bind,source=/a,target=/b,bind-propagation=nosuid",
               "\"type=bind,source=/a,target=/b,bind-propagation=nosuid\": bind-propagation: expected [r]private, [r]shared or [r]slave, "
               "found \"nosuid\"");
    LONG_FAILS("type=bind,source=/a,target=/b,bind-recursive=readonly",
               "\"type=bind,source=/a,target=/b,bind-recursive=readonly\": bind-recursive=readonly needs the field readonly");
    LONG_FAILS("type=tmpfs,target=/b,tmpfs-size=big",
               "\"type=tmpfs,target=/b,tmpfs-size=big\": tmpfs-size: expected a number of bytes such as 64m, found \"big\"");
    LONG_FAILS("type=tmpfs,target=/b,tmpfs-mode=89",
               "\"type=tmpfs,target=/b,tmpfs-mode=89\": tmpfs-mode: expected octal digits such as 1770, found \"89\"");
    LONG_FAILS("type=tmpfs,target=/b,source=x", "\"type=tmpfs,target=/b,source=x\": a tmpfs has no source");
    LONG_FAILS("source=data,target=/b,volume-driver=nfs",
               "\"source=data,target=/b,volume-driver=nfs\": volume-driver nfs: there are no drivers of volumes but local");
    LONG_FAILS("source=data,target=/b,volume-subpath=/x",
               "\"source=data,target=/b,volume-subpath=/x\": volume-subpath: expected a path without / in front, found \"/x\"");
    LONG_FAILS("type=tmpfs,target=/b,tmpfs-mode=-1",
               "\"type=tmpfs,target=/b,tmpfs-mode=-1\": tmpfs-mode: expected octal digits such as 1770, found \"-1\"");
    LONG_FAILS("source=data,target=/b,volume-opt=o=bind",
               "\"source=data,target=/b,volume-opt=o=bind\": --opt: expected type=none, o=bind and device=DIRECTORY, an absolute path, all "
               "three");
    LONG_FAILS("type=bind,source=/a,target=/b,volume-opt=o=bind",
               "\"type=bind,source=/a,target=/b,volume-opt=o=bind\": field \"volume-opt\" is of type volume, and this is type bind");
    LONG_FAILS("source=data,target=/b,volume-label", "\"source=data,target=/b,volume-label\": field \"volume-label\" needs a value");
}

CASE(tmpfs_form) {
    CHECK_INT(volume_parse_tmpfs(&arena, "/run:size=8m,exec", &volume, &err), 0);
    CHECK_STR(joined(), "nosuid,nodev,noexec,size=8m,exec");
    CHECK_INT(volume_parse_tmpfs(&arena, "run", &volume, &err), -1);
}

CASE(a_list_is_sorted_by_depth_and_survives_its_document) {
    AUTO_STRV struct strv volumes = {0};
    AUTO_STRV struct strv tmpfs = {0};
    struct run_request request = {.cwd = "/cwd"};
    struct mount_list list = {0}, again = {0};
    strv_add(&volumes, "data:/a/b/c:ro");
    strv_add(&volumes, "/host:/x/y");
    strv_add(&volumes, "/a");
    strv_add(&tmpfs, "/a/b");
    request.volumes = volumes;
    request.tmpfs = tmpfs;
    CHECK_INT(mount_list_parse(&request, &arena, &list, &err), 0);
    CHECK_INT(list.items_count, 4);
    list.items[0].source = "name";
    CHECK_INT(mount_list_read(mount_list_write(&list, &arena), &arena, &again, &err), 0);
    CHECK_INT(again.items_count, 4);
    static const char *const targets[] = {"/a", "/x/y", "/a/b", "/a/b/c"};
    for (size_t i = 0; i < 4; i++) {
        CHECK_STR(again.items[i].target, targets[i]);
    }
    CHECK(again.items[0].anonymous && again.items[3].read_only && again.items[1].make_source);
    CHECK_INT(again.items[2].kind, VOLUME_TMPFS);
    volume = again.items[3];
    CHECK_STR(joined(), "rbind,rprivate,rro");
    strv_add(&volumes, "/other:/a/");
    request.volumes = volumes;
    CHECK_INT(mount_list_parse(&request, &arena, &list, &err), -1);
    CHECK_STR(err.text, "--volume: \"/other:/a/\": something is mounted at /a already; leave out one of them");
}

int main(void) {
    RUN(short_form_is_dockers);
    RUN(a_source_without_a_slash_is_a_volume);
    RUN(targets_are_cleaned);
    RUN(short_form_says_what_is_wrong);
    RUN(long_form_is_dockers);
    RUN(long_form_has_quotes);
    RUN(long_form_says_what_is_wrong);
    RUN(options_about_owners_are_podmans);
    RUN(owner_and_user_change_places);
    RUN(tmpfs_form);
    RUN(a_list_is_sorted_by_depth_and_survives_its_document);
    arena_finish(&arena);
    return check_done();
}
