// One more command in a container that runs, of the user's or one that checks its health. The low level's exec carries its own
// descriptors; ours are the command's.
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/container/exec.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/monitor_group.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/start.h"
#include "runtime/engine/stdio.h"
#include "runtime/engine/target.h"
#include "runtime/kernel/names.h"

#include <stdio.h>
#include <string.h>

// The low level keeps no configuration of what was made without a document: capabilities, filter and all are found as at the start.
static int describe(struct start *start, const struct engine *engine, const char *id, struct exec_options *ret, struct err *err) {
    struct oci_config *config;
    if (start_describe(start, engine, id, &config, err) < 0) {
        return -1;
    }
    *ret = (struct exec_options){
        .root = engine->oci_root,
        .id = start->record.id,
        .config = config,
        .named_user = start->record.user,
        .group_names = &start->request->group_add,
        .pipes = {-1, -1, -1},
    };
    return 0;
}

// As docker has it: "exec_start: sh -c true".
static void announce(const struct target *target, struct event_log *log, const struct engine_exec *exec, int status) {
    const struct event_log_container what = {.record = &target->record, .labels = &target->request.labels};
    AUTO_BUF struct buf action = {0};
    char code[16];
    if (status >= 0) {
        snprintf(code, sizeof(code), "%d", status);
        event_log_add_container(log, &target->home, &(struct event_log_container){what.record, what.labels, "exitCode", code}, "exec_die");
        return;
    }
    buf_add_string(&action, "exec_start:");
    for (size_t i = 0; i < exec->command_count && action.size < EVENT_MAX_LINE / 4; i++) {
        buf_add_format(&action, " %.1024s", exec->command[i]);
    }
    event_log_add_container(log, &target->home, &what, buf_string(&action));
}

int engine_exec(const struct engine *engine, const char *name, const struct engine_exec *exec, int *ret_status, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_STRV struct strv caps = {0};
    AUTO_STRV struct strv env = {0};
    if (exec->workdir && exec->workdir[0] != '/') {
        return err_set(err, ERR_INPUT, "--workdir: expected an absolute path, found \"%s\"", exec->workdir);
    }
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!target_runs(&target) || target_state(&target) == RECORD_RESTARTING) {
        return target_not_running(&target, "exec", name, err);
    }
    for (int i = 0; exec->privileged && name_of_capability(i); i++) {
        strv_add(&caps, name_of_capability(i));
    }
    if (exec->tty) {
        strv_add(&env, "TERM=xterm");
    }
    for (size_t i = 0; i < exec->env->count; i++) {
        strv_set_env(&env, exec->env->items[i]);
    }
    AUTO_START struct start start = START_NONE;
    struct exec_options options;
    if (describe(&start, engine, target.id, &options, err) < 0) {
        return err_in(err, "exec %s", name);
    }
    AUTO(stdio_finish) struct stdio stdio = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    if (!exec->tty && stdio_open(&stdio, exec->interactive, err) < 0) {
        return -1;
    }
    options.args = exec->command;
    options.arg_count = exec->command_count;
    options.cwd = exec->workdir;
    options.env = &env;
    options.named_user = exec->user ? exec->user : options.named_user;
    options.caps = &caps;
    options.terminal = exec->tty;
    options.detach = exec->detach;
    options.paused_advice = "coffer unpause first";
    options.give_stdio = exec->tty ? NULL : stdio.theirs;
    memcpy(options.pipes, stdio.ours, sizeof(options.pipes));
    AUTO_EVENT_LOG struct event_log log = EVENT_LOG_CLOSED;
    announce(&target, &log, exec, -1);
    monitor_group_follow(&target.home, resources_asked(&target.request));
    int result = container_exec(&options, ret_status, err);
    if (result == 0 && !exec->detach) {
        announce(&target, &log, exec, *ret_status);
    }
    if (options.give_stdio && options.pipes[0] >= 0) {
        stdio.ours[0] = -1; // taken, and closed at the end of our input
    }
    return result < 0 ? err_in(err, "exec %s", name) : 0;
}

int start_exec(void *context, const char *const *command, int stdio[3], struct exec_child *ret, struct err *err) {
    const struct start *own = context;
    AUTO_START struct start start = START_NONE;
    struct exec_options options;
    int status;
    if (describe(&start, own->engine, own->record.id, &options, err) < 0) {
        return -1;
    }
    options.args = command;
    while (command[options.arg_count]) {
        options.arg_count++;
    }
    options.detach = options.die_with_parent = true;
    options.give_stdio = stdio;
    options.ret_child = ret;
    return container_exec(&options, &status, err);
}
