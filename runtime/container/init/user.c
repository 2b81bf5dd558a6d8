// The user of the process by name. The files are the container's, so they are read by init, inside, with the container's rights:
// the host never parses them (CVE-2019-14271, CVE-2024-9676). They are data of a stranger all the same: bounded, never trusted.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 1 << 20, FIELDS_MAX = 8, GROUPS_MAX = 256 };

struct user {
    bool found;
    char name[256];
    uint32_t uid, gid;
    const char *home;
};

// A number of 32 bits, all of the text, not -1: that is no id (CVE-2026-30892: "1000x" is a name, not 1000).
static bool parse_id(const char *text, uint32_t *ret_id) {
    if (*text < '0' || *text > '9' || strlen(text) > 10) {
        return false;
    }
    char *end;
    unsigned long long id = strtoull(text, &end, 10);
    if (*end != '\0' || id >= UINT32_MAX) {
        return false;
    }
    *ret_id = (uint32_t)id;
    return true;
}

// The whole file, NULL when it is missing, no plain file or too large.
static char *read_database(struct arena *arena, const char *path) {
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAX_BYTES) {
        return NULL;
    }
    char *text = arena_alloc(arena, (size_t)status.st_size + 1);
    ssize_t size = fd_read_full(fd, text, (size_t)status.st_size);
    return size < 0 ? NULL : text;
}

// Cuts the next line into its fields at the colons. Returns how many there are, 0 at the end.
static size_t next_entry(char **text, char *fields[FIELDS_MAX]) {
    if (!*text || !**text) {
        return 0;
    }
    char *line = *text;
    size_t length = strcspn(line, "\n");
    *text = line[length] ? line + length + 1 : line + length;
    line[length] = '\0';
    size_t count = 0;
    for (char *field = strsep(&line, ":"); field && count < FIELDS_MAX; field = strsep(&line, ":")) {
        fields[count++] = field;
    }
    return count;
}

static void find_user(struct arena *arena, const char *wanted, struct user *user) {
    char *text = read_database(arena, "/etc/passwd"), *fields[FIELDS_MAX];
    uint32_t number, wanted_id = 0;
    bool by_id = parse_id(wanted, &wanted_id);
    for (size_t count = next_entry(&text, fields); count > 0; count = next_entry(&text, fields)) {
        uint32_t gid;
        if (count < 6 || !parse_id(fields[2], &number) || !parse_id(fields[3], &gid)) {
            continue;
        }
        if (strcmp(fields[0], wanted) == 0 || (by_id && number == wanted_id)) {
            *user = (struct user){.found = true, .uid = number, .gid = gid, .home = fields[5]};
            snprintf(user->name, sizeof(user->name), "%s", fields[0]);
            return;
        }
    }
}

static bool find_group(struct arena *arena, const char *wanted, uint32_t *ret_gid) {
    char *text = read_database(arena, "/etc/group"), *fields[FIELDS_MAX];
    for (size_t count = next_entry(&text, fields); count > 0; count = next_entry(&text, fields)) {
        if (count >= 3 && strcmp(fields[0], wanted) == 0 && parse_id(fields[2], ret_gid)) {
            return true;
        }
    }
    return false;
}

static bool is_member(char *members, const char *name) {
    for (char *member = strsep(&members, ","); member; member = strsep(&members, ",")) {
        if (*member && strcmp(member, name) == 0) {
            return true;
        }
    }
    return false;
}

// Those of the plan, with room for GROUPS_MAX.
static uint32_t *own_groups(struct init *init, size_t *ret_count) {
    const struct plan_process *process = &init->plan->process;
    size_t count = process->groups_size / sizeof(uint32_t);
    uint32_t *groups = arena_array(init->arena, GROUPS_MAX, sizeof(*groups));
    *ret_count = count > GROUPS_MAX ? GROUPS_MAX : count;
    if (*ret_count > 0) {
        memcpy(groups, process->groups_bytes, *ret_count * sizeof(*groups));
    }
    return groups;
}

// Those that were asked for by name or number, added to those of the plan.
static int add_named(struct init *init, struct err *err) {
    struct plan_process *process = &init->plan->process;
    size_t count;
    uint32_t *groups = own_groups(init, &count);
    for (size_t i = 0; i < process->group_name_count && count < GROUPS_MAX; i++) {
        const char *name = process->group_names[i];
        if (!parse_id(name, &groups[count]) && !find_group(init->arena, name, &groups[count])) {
            return err_set(err, ERR_INPUT, "group \"%s\" is not in the container's /etc/group", name);
        }
        count++;
    }
    process->groups_bytes = groups;
    process->groups_size = count * sizeof(*groups);
    return 0;
}

// The groups that list the user, added to those of the plan.
static void add_memberships(struct init *init, const char *name) {
    struct plan_process *process = &init->plan->process;
    char *text = read_database(init->arena, "/etc/group"), *fields[FIELDS_MAX];
    size_t count;
    uint32_t *groups = own_groups(init, &count);
    for (size_t found = next_entry(&text, fields); found > 0 && count < GROUPS_MAX; found = next_entry(&text, fields)) {
        uint32_t gid;
        if (found >= 4 && parse_id(fields[2], &gid) && is_member(fields[3], name)) {
            groups[count++] = gid;
        }
    }
    process->groups_bytes = groups;
    process->groups_size = count * sizeof(*groups);
}

static bool has_home(const struct plan_process *process) {
    for (size_t i = 0; i < process->env_count; i++) {
        if (strncmp(process->env[i], "HOME=", 5) == 0) {
            return true;
        }
    }
    return false;
}

// HOME comes from the container's passwd unless the image or the user has set it. Kubernetes and others count on a runtime for that.
static void set_home(struct init *init, const char *home) {
    struct plan_process *process = &init->plan->process;
    if (has_home(process)) {
        return;
    }
    const char **env = arena_array(init->arena, process->env_count + 2, sizeof(*env));
    if (process->env_count > 0) {
        memcpy(env, process->env, process->env_count * sizeof(*env));
    }
    env[process->env_count++] = arena_format(init->arena, "HOME=%s", home && *home ? home : "/");
    process->env = env;
}

int init_resolve_user(struct init *init, struct err *err) {
    struct plan_process *process = &init->plan->process;
    if (!process->user) {
        struct user found = {0};
        if (!has_home(process)) {
            find_user(init->arena, arena_format(init->arena, "%u", process->uid), &found);
            set_home(init, found.home);
        }
        return 0;
    }
    char *spec = arena_copy_string(init->arena, *process->user ? process->user : "0");
    char *group = strchr(spec, ':');
    if (group) {
        *group++ = '\0';
    }
    struct user user = {0};
    find_user(init->arena, spec, &user);
    if (!user.found && !parse_id(spec, &user.uid)) {
        return err_set(err, ERR_INPUT, "user \"%s\" is not in the container's /etc/passwd", spec);
    }
    process->uid = user.uid;
    process->gid = user.gid;
    if (group && *group && !parse_id(group, &process->gid) && !find_group(init->arena, group, &process->gid)) {
        return err_set(err, ERR_INPUT, "group \"%s\" is not in the container's /etc/group", group);
    }
    if (process->group_name_count > 0 && add_named(init, err) < 0) {
        return -1;
    }
    if (user.found && !group && process->set_groups) {
        add_memberships(init, user.name);
    }
    set_home(init, user.home);
    return 0;
}
