// Classes of service, on a directory tree that stands for resctrl: the real one needs a processor that no machine of ours has, nor any
// emulator. What the kernel does by itself there (files that come with a directory, and go with it) is done by the tree's own make and
// remove; that a value is refused, and why, is tried by files that cannot be written to.
#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/kernel/rdt.h"
#include "runtime/kernel/rdt_report.h"
#include "runtime/kernel/tree.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(int dir_fd, const char *file, const char *text) {
    AUTO_FD int fd = openat(dir_fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
}

static bool is_there(int dir_fd, const char *path) {
    return faccessat(dir_fd, path, F_OK, 0) == 0;
}

// Compares the file's beginning: regular files keep what an earlier, longer write left.
static bool begins(int dir_fd, const char *file, const char *text) {
    AUTO_FREE char *found = NULL;
    size_t size;
    struct err err;
    return fd_read_file(dir_fd, file, 4096, &found, &size, &err) == 0 && strncmp(found, text, strlen(text)) == 0;
}

static int refuse_make; // an errno: the next make fails by it

static int make_group(int dir_fd, const char *name, mode_t mode) {
    if (refuse_make) {
        errno = refuse_make;
        refuse_make = 0;
        return -1;
    }
    if (mkdirat(dir_fd, name, mode) < 0) {
        return -1;
    }
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(fd, "tasks", "");
    put(fd, "schemata", "");
    return mkdirat(fd, "mon_groups", 0755);
}

static int remove_group(int dir_fd, const char *name, int flags) {
    struct err err;
    CHECK(flags == AT_REMOVEDIR);
    if (!is_there(dir_fd, name)) {
        errno = ENOENT;
        return -1;
    }
    return tree_remove(dir_fd, name, &err);
}

static char tree_path[] = "/tmp/coffer-rdt-XXXXXX";

static struct rdt_tree make_tree(void) {
    strcpy(tree_path + strlen(tree_path) - 6, "XXXXXX");
    CHECK(mkdtemp(tree_path));
    struct rdt_tree tree = {.fd = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .make = make_group, .remove = remove_group};
    put(tree.fd, "tasks", "1\n");
    put(tree.fd, "schemata", "    MB:0=100;1=100\n    L3:0=fff;1=fff\n");
    CHECK(mkdirat(tree.fd, "mon_groups", 0755) == 0 && mkdirat(tree.fd, "info", 0755) == 0);
    put(tree.fd, "info/last_cmd_status", "ok\n");
    return tree;
}

static void remove_tree(struct rdt_tree *tree) {
    struct err err;
    AUTO_FD int above = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rdt_close(tree);
    CHECK(tree_remove(above, strrchr(tree_path, '/') + 1, &err) == 0);
}

CASE(lines_of_schemata_are_compared_by_what_they_say) {
    CHECK(rdt_schema_equal("L3:0=ff;1=f", "L3:0=ff;1=f"));
    CHECK(rdt_schema_equal("    L3:0=0ff;1=00f\n", "L3:1=F;0=FF;"));
    CHECK(rdt_schema_equal("MB:0= 20;1= 70", "MB:0=20;1=70"));
    CHECK(!rdt_schema_equal("MB:0=10", "MB:0=0x10"));
    CHECK(!rdt_schema_equal("L3:0=ff;1=f", "L3:0=ff"));
    CHECK(!rdt_schema_equal("L3:0=ff;1=f", "L3:0=ff;1=1f"));
    CHECK(!rdt_schema_equal("L3:0=ff;1=f", "L2:0=ff;1=f"));
    CHECK(!rdt_schema_equal("L3CODE:0=f", "L3:0=f"));
    CHECK(!rdt_schema_equal("L3:0=f", "L3:0"));
    CHECK(!rdt_schema_equal("L3:0=f", "L3:=f"));
    CHECK(!rdt_schema_equal("", ""));
    CHECK(!rdt_schema_equal("L3", "L3"));
}

CASE(without_a_name_the_class_is_the_containers_own) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    const char *const further[] = {"L2:0=f", "L3:0=3"};
    const struct rdt_wish wish = {
        .container = "web", .l3_schema = "L3:0=f0\nMB:0=99", .bandwidth_schema = "MB:0=20", .schemata = further, .schemata_count = 2};
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) == 0);
    CHECK_STR(err.text, "");
    CHECK(group.made && group.own && !group.monitor_made);
    CHECK_STR(group.name, "web");
    CHECK(begins(tree.fd, "web/tasks", "4711"));
    CHECK(begins(tree.fd, "web/schemata", "L2:0=f\nL3:0=3\n")); // last
    CHECK(rdt_remove(&tree, &group, false, &err) == 0);
    CHECK(!is_there(tree.fd, "web"));
    CHECK(rdt_remove(&tree, &group, false, &err) == 0); // gone already
    remove_tree(&tree);
}

// A fifo shows each write by itself.
CASE(the_cache_is_written_before_the_bandwidth_each_in_one_call) {
    struct rdt_tree tree = make_tree();
    struct err err = {0};
    CHECK(make_group(tree.fd, "gold", 0755) == 0 && unlinkat(tree.fd, "gold/schemata", 0) == 0);
    CHECK(mkfifoat(tree.fd, "gold/schemata", 0600) == 0);
    AUTO_FD int reader = openat(tree.fd, "gold/schemata", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const struct rdt_group made = {.name = "gold"};
    CHECK(rdt_update(&tree, &made, "L3:0=f0\nMB:0=99", "MB:0=20", &err) == 0);
    char text[64] = "";
    CHECK(read(reader, text, sizeof(text) - 1) > 0);
    CHECK_STR(text, "L3:0=f0\nMB:0=20\n");
    memset(text, 0, sizeof(text));
    CHECK(rdt_update(&tree, &made, "L3:0=f0\nMB:0=99", NULL, &err) == 0 && read(reader, text, sizeof(text) - 1) > 0);
    CHECK_STR(text, "L3:0=f0\nMB:0=99\n"); // as it is, where there is no other for the bandwidth
    CHECK(rdt_update(&tree, &(struct rdt_group){.name = "none"}, "L3:0=f", NULL, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"none\": open it: No such file or directory");
    remove_tree(&tree);
}

CASE(a_name_alone_joins_what_is_there) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    const struct rdt_wish wish = {.container = "web", .class_name = "gold"};
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"gold\" does not exist; make it, or give schemata to make it with");
    CHECK(err.kind == ERR_NOT_FOUND && !is_there(tree.fd, "gold"));
    CHECK(make_group(tree.fd, "gold", 0755) == 0);
    put(tree.fd, "gold/schemata", "before");
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) == 0);
    CHECK(begins(tree.fd, "gold/tasks", "4711") && begins(tree.fd, "gold/schemata", "before"));
    CHECK(!group.made && rdt_remove(&tree, &group, true, &err) == 0 && is_there(tree.fd, "gold"));
    remove_tree(&tree);
}

CASE(a_slash_is_the_default_class) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    const struct rdt_wish wish = {.container = "web", .class_name = "/", .monitor = true};
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) == 0);
    CHECK_STR(group.name, "");
    CHECK(begins(tree.fd, "tasks", "4711") && begins(tree.fd, "mon_groups/web/tasks", "4711"));
    CHECK(rdt_remove(&tree, &group, true, &err) == 0);
    CHECK(!is_there(tree.fd, "mon_groups/web") && is_there(tree.fd, "tasks"));
    remove_tree(&tree);
}

CASE(a_named_class_is_made_with_its_schemata_and_stays) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    const struct rdt_wish wish = {.container = "web", .class_name = "gold", .l3_schema = "L3:0=f0;1=f"};
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) == 0);
    CHECK(group.made && !group.own && begins(tree.fd, "gold/schemata", "L3:0=f0;1=f\n"));
    CHECK(rdt_remove(&tree, &group, false, &err) == 0 && is_there(tree.fd, "gold")); // delete
    // The next container finds the same, or an error.
    const struct rdt_wish same = {.container = "web2", .class_name = "gold", .l3_schema = "L3:1=0f;0=0f0"};
    put(tree.fd, "gold/schemata", "    MB:0=100;1=100\n    L3:0=0f0;1=00f\n");
    CHECK(rdt_enter(&tree, &same, 4712, &group, &err) == 0 && !group.made);
    const struct rdt_wish other = {.container = "web3", .class_name = "gold", .l3_schema = "L3:0=ff;1=f"};
    put(tree.fd, "gold/schemata", "    MB:0=100;1=100\n    L3:0=0f0;1=00f\n");
    CHECK(rdt_enter(&tree, &other, 4713, &group, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"gold\" is there and has other schemata than intelRdt.l3CacheSchema; take another closID, or leave "
                        "the schemata out");
    const struct rdt_wish slow = {.container = "web3", .class_name = "gold", .bandwidth_schema = "MB:0=10;1=10"};
    CHECK(rdt_enter(&tree, &slow, 4713, &group, &err) < 0);
    CHECK(strstr(err.text, "intelRdt.memBwSchema"));
    CHECK(begins(tree.fd, "gold/tasks", "4712"));
    remove_tree(&tree);
}

CASE(a_failed_creation_takes_everything_back) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    const struct rdt_wish wish = {.container = "web", .class_name = "gold", .l3_schema = "L3:0=f0", .monitor = true};
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) == 0);
    CHECK(is_there(tree.fd, "gold/mon_groups/web"));
    CHECK(rdt_remove(&tree, &group, true, &err) == 0 && !is_there(tree.fd, "gold"));
    // And in the middle of it: there are no more monitoring groups to be had.
    CHECK(make_group(tree.fd, "gold", 0755) == 0);
    refuse_make = ENOSPC;
    put(tree.fd, "info/last_cmd_status", "Out of RMIDs\n");
    const struct rdt_wish joined = {.container = "web", .class_name = "gold", .monitor = true};
    CHECK(rdt_enter(&tree, &joined, 4711, &group, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"gold\": make a monitoring group: Out of RMIDs: No space left on device");
    CHECK(is_there(tree.fd, "gold") && begins(tree.fd, "gold/tasks", ""));
    refuse_make = ENOSPC;
    put(tree.fd, "info/last_cmd_status", "Out of CLOSIDs\n");
    CHECK(rdt_enter(&tree, &(struct rdt_wish){.container = "web"}, 4711, &group, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"web\": make it: Out of CLOSIDs: No space left on device");
    CHECK(!is_there(tree.fd, "web"));
    remove_tree(&tree);
}

CASE(a_container_is_monitored_by_a_group_of_its_own) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group, again;
    struct err err = {0};
    CHECK(make_group(tree.fd, "gold", 0755) == 0);
    const struct rdt_wish wish = {.container = "web", .class_name = "gold", .monitor = true};
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) == 0 && group.monitor_made);
    CHECK(begins(tree.fd, "gold/mon_groups/web/tasks", "4711"));
    CHECK(rdt_join(&tree, &group, 4799, &err) == 0); // exec
    CHECK(begins(tree.fd, "gold/mon_groups/web/tasks", "4799") && begins(tree.fd, "gold/tasks", "4799"));
    CHECK(rdt_enter(&tree, &wish, 4712, &again, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"gold\": make a monitoring group: File exists");
    CHECK(is_there(tree.fd, "gold/mon_groups/web"));
    CHECK(rdt_remove(&tree, &group, false, &err) == 0);
    CHECK(!is_there(tree.fd, "gold/mon_groups/web") && is_there(tree.fd, "gold"));
    CHECK(unlinkat(tree.fd, "gold/mon_groups", AT_REMOVEDIR) == 0);
    CHECK(rdt_enter(&tree, &wish, 4711, &group, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"gold\": intelRdt.enableMonitoring: open its mon_groups (does the processor monitor?): "
                        "No such file or directory");
    remove_tree(&tree);
}

CASE(what_was_there_before_is_never_removed) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    CHECK(make_group(tree.fd, "web", 0755) == 0);
    CHECK(rdt_enter(&tree, &(struct rdt_wish){.container = "web", .l3_schema = "L3:0=f"}, 4711, &group, &err) == 0);
    CHECK(!group.made && rdt_remove(&tree, &group, true, &err) == 0 && is_there(tree.fd, "web"));
    remove_tree(&tree);
}

CASE(a_group_is_found_again_by_its_record) {
    static const struct {
        struct rdt_group group;
        const char *record;
    } cases[] = {
        {{.name = "web", .made = true, .own = true}, "c-:web"},
        {{.name = "gold", .made = true}, "--:gold"},
        {{.name = "gold", .monitor = "web", .monitor_made = true}, "-m:gold"},
        {{.name = "", .monitor = "web", .monitor_made = true}, "-m:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF struct buf text = {0};
        struct rdt_group read;
        rdt_group_record(&cases[i].group, &text);
        CHECK_STR(buf_string(&text), cases[i].record);
        CHECK(rdt_group_of_record(cases[i].record, "web", &read) == 0);
        CHECK_STR(read.name, cases[i].group.name);
        CHECK_STR(read.monitor, cases[i].group.monitor);
        CHECK(read.made == (cases[i].group.made && cases[i].group.own) && read.monitor_made == cases[i].group.monitor_made);
    }
    struct rdt_group read;
    static const char *const wrong[] = {"", "x", "c-", "c-web", "x-:web", "c-:../web", "cm:..", "--:a/b"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CHECK(rdt_group_of_record(wrong[i], "web", &read) < 0);
    }
}

CASE(what_a_killed_maker_left_is_removed_when_it_is_empty) {
    struct rdt_tree tree = make_tree();
    struct rdt_group planned;
    struct err err = {0};
    rdt_group_planned(&(struct rdt_wish){.container = "web", .monitor = true}, &planned);
    CHECK(rdt_remove_empty(&tree, &planned, &err) == 0); // it had not come that far
    CHECK(make_group(tree.fd, "web", 0755) == 0);
    put(tree.fd, "web/tasks", "4711\n");
    CHECK(rdt_remove_empty(&tree, &planned, &err) == 0 && is_there(tree.fd, "web"));
    put(tree.fd, "web/tasks", "");
    CHECK(rdt_remove_empty(&tree, &planned, &err) == 0 && !is_there(tree.fd, "web"));
    // A class with a name is not the container's.
    rdt_group_planned(&(struct rdt_wish){.container = "web", .class_name = "gold"}, &planned);
    CHECK(make_group(tree.fd, "gold", 0755) == 0);
    CHECK(rdt_remove_empty(&tree, &planned, &err) == 0 && is_there(tree.fd, "gold"));
    remove_tree(&tree);
}

CASE(a_report_has_what_the_processor_can_tell) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    struct rdt_tree tree = make_tree();
    struct rdt_report report;
    const struct rdt_group group = {.name = "gold", .monitor = "web"};
    struct json_writer writer = {.buf = &text};
    CHECK(make_group(tree.fd, "gold", 0755) == 0);
    rdt_read_report(&tree, &group, &arena, &report);
    json_write_open(&writer, NULL, '{');
    intel_rdt_write_report(&report, &writer);
    json_write_close(&writer, '}');
    CHECK_STR(buf_string(&text), "{}");

    CHECK(mkdirat(tree.fd, "info/L3", 0755) == 0 && mkdirat(tree.fd, "info/MB", 0755) == 0 && mkdirat(tree.fd, "info/L3_MON", 0755) == 0);
    put(tree.fd, "info/L3/cbm_mask", "fffff\n");
    put(tree.fd, "info/L3/min_cbm_bits", "1\n");
    put(tree.fd, "info/L3/num_closids", "16\n");
    put(tree.fd, "info/MB/bandwidth_gran", "10\n");
    put(tree.fd, "info/MB/min_bandwidth", "10\n");
    put(tree.fd, "info/L3_MON/mon_features", "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n");
    put(tree.fd, "gold/schemata", "    MB:0=20;1=70\n    L3:0=7f0;1=1f\n");
    CHECK(make_group(tree.fd, "gold/mon_groups/web", 0755) == 0 && mkdirat(tree.fd, "gold/mon_groups/web/mon_data", 0755) == 0);
    static const char *const domains[] = {"mon_L3_01", "mon_L3_00"};
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        AUTO_FD int data = openat(tree.fd, "gold/mon_groups/web/mon_data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(mkdirat(data, domains[i], 0755) == 0);
        AUTO_FD int domain = openat(data, domains[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        put(domain, "llc_occupancy", i ? "4096\n" : "Unavailable\n");
        put(domain, "mbm_total_bytes", i ? "18446744073709551615\n" : "5\n");
        put(domain, "mbm_local_bytes", "3\n");
    }
    rdt_read_report(&tree, &group, &arena, &report);
    buf_clear(&text);
    writer = (struct json_writer){.buf = &text};
    json_write_open(&writer, NULL, '{');
    intel_rdt_write_report(&report, &writer);
    json_write_close(&writer, '}');
    CHECK_STR(buf_string(&text),
              "{\"l3_cache_info\":{\"cbm_mask\":\"fffff\",\"min_cbm_bits\":1,\"num_closids\":16},"
              "\"l3_cache_schema_root\":\"L3:0=fff;1=fff\",\"l3_cache_schema\":\"L3:0=7f0;1=1f\","
              "\"mem_bw_info\":{\"bandwidth_gran\":10,\"min_bandwidth\":10},"
              "\"mem_bw_schema_root\":\"MB:0=100;1=100\",\"mem_bw_schema\":\"MB:0=20;1=70\","
              "\"schemata\":[\"MB:0=20;1=70\",\"L3:0=7f0;1=1f\"],"
              "\"mbm_stats\":[{\"mbm_total_bytes\":18446744073709551615,\"mbm_local_bytes\":3},"
              "{\"mbm_total_bytes\":5,\"mbm_local_bytes\":3}],"
              "\"cmt_stats\":[{\"llc_occupancy\":4096},{\"llc_occupancy\":0}]}");
    remove_tree(&tree);
}

CASE(links_in_the_tree_are_not_followed) {
    struct rdt_tree tree = make_tree();
    struct rdt_group group;
    struct err err = {0};
    CHECK(symlinkat("/tmp", tree.fd, "web") == 0);
    CHECK(rdt_enter(&tree, &(struct rdt_wish){.container = "web"}, 4711, &group, &err) < 0);
    CHECK_STR(err.text, "resctrl group \"web\": open it: Not a directory");
    remove_tree(&tree);
}

CASE(without_the_file_system_the_error_says_how_to_have_it) {
    struct rdt_tree tree = {.fd = -1};
    struct err err = {0};
    if (rdt_open(&tree, &err) == 0) {
        rdt_close(&tree);
        SKIP("this host has one");
    }
    CHECK(err.kind == ERR_UNSUPPORTED);
    CHECK_STR(err.text, "no resctrl file system is mounted, so there are no classes of caches and memory bandwidth; where the processor "
                        "has them: mount -t resctrl resctrl /sys/fs/resctrl");
}

int main(void) {
    RUN(lines_of_schemata_are_compared_by_what_they_say);
    RUN(without_a_name_the_class_is_the_containers_own);
    RUN(the_cache_is_written_before_the_bandwidth_each_in_one_call);
    RUN(a_name_alone_joins_what_is_there);
    RUN(a_slash_is_the_default_class);
    RUN(a_named_class_is_made_with_its_schemata_and_stays);
    RUN(a_failed_creation_takes_everything_back);
    RUN(a_container_is_monitored_by_a_group_of_its_own);
    RUN(what_was_there_before_is_never_removed);
    RUN(a_group_is_found_again_by_its_record);
    RUN(what_a_killed_maker_left_is_removed_when_it_is_empty);
    RUN(a_report_has_what_the_processor_can_tell);
    RUN(links_in_the_tree_are_not_followed);
    RUN(without_the_file_system_the_error_says_how_to_have_it);
    return check_done();
}
