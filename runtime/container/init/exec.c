#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *search_path(const struct plan_process *process) {
    for (size_t i = 0; i < process->env_count; i++) {
        if (strncmp(process->env[i], "PATH=", 5) == 0) {
            return process->env[i] + 5;
        }
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

// 0: it can be executed; otherwise errno's value.
static int try_program(const char *path) {
    struct stat status;
    if (stat(path, &status) < 0) {
        return errno;
    }
    if (S_ISDIR(status.st_mode)) {
        return EISDIR;
    }
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

// In the words of runc's errors, all small, for engines that look for them.
static void refuse_execution(const char *name, int reason, struct err *err) {
    const char *why = reason == EACCES ? "permission denied" : reason == ENOEXEC ? "exec format error" : strerror(reason);
    err_set(err, ERR_NOT_EXECUTABLE, "command \"%s\" cannot be executed: %s", name, why);
    err->errnum = reason;
}

// Engines tell 127 and 126 by words in the message: "executable file not found" and "no such file or directory" for what is missing,
// "permission denied" for what cannot be executed (podman 4, dockerd 20.10, whose own words are runc's).
static int not_found(const char *name, int reason, struct err *err) {
    if (reason == ENOENT || reason == ENOTDIR) {
        return err_set(err, ERR_NO_COMMAND,
                       strchr(name, '/') ? "command \"%s\": no such file or directory in the container"
                                         : "command \"%s\": executable file not found in $PATH of the container",
                       name);
    }
    if (reason == EISDIR) {
        return err_set(err, ERR_NOT_EXECUTABLE, "command \"%s\" is a directory: permission denied", name);
    }
    refuse_execution(name, reason, err);
    return -1;
}

// A relative command is relative to the working directory, so that comes first; it is made where the caller wants that.
static int try_directory(const struct plan_process *process, struct err *err) {
    if (chdir(process->cwd) == 0 || errno == EACCES) {
        return 0; // the user of the process may be allowed what init is not: tried again before exec
    }
    if (errno == ENOENT && process->make_cwd) {
        AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        AUTO_FD int made = root_make_dir(root, process->cwd, 0755, err);
        return made < 0 || fchdir(made) < 0 ? err_sys(err, "make working directory %s", process->cwd) : 0;
    }
    return err_sys(err, "change to working directory %s", process->cwd);
}

// Whether the kernel's own word on the command comes early enough: nothing waits or runs before it is executed, nothing denies to look
// then why that failed, and no working directory must be there to say what is meant.
static bool exec_can_tell(const struct init_plan *plan) {
    const struct plan_process *process = &plan->process;
    bool directory_is_there = !process->make_cwd || strcmp(process->cwd, "/") == 0;
    return process->args[0][0] == '/' && directory_is_there && !process->reaper && process->seccomp_size == 0 && !plan->wait_for_start &&
           plan->start_hook_count == 0;
}

int init_find_program(struct init *init, char *ret_path, size_t size, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    const char *name = process->args[0];
    if (exec_can_tell(init->plan) && (size_t)snprintf(ret_path, size, "%s", name) < size) {
        return 0;
    }
    if (try_directory(process, err) < 0) {
        return -1;
    }
    if (strchr(name, '/')) {
        int reason = try_program(name);
        if (reason != 0 || (size_t)snprintf(ret_path, size, "%s", name) >= size) {
            return not_found(name, reason ? reason : ENAMETOOLONG, err);
        }
        return 0;
    }
    int reason = ENOENT;
    for (const char *at = search_path(process); *name; at++) {
        size_t length = strcspn(at, ":");
        // An empty element means the working directory, as execvp(3) has it.
        int written = snprintf(ret_path, size, "%.*s%s%s", (int)length, at, length ? "/" : "./", name);
        int found = (size_t)written >= size ? ENAMETOOLONG : try_program(ret_path);
        if (found == 0) {
            return 0;
        }
        if (found != ENOENT && found != ENOTDIR) {
            reason = found;
        }
        at += length;
        if (!*at) {
            break;
        }
    }
    return not_found(name, reason, err);
}

// A working directory that a leaked descriptor or a moved mount has carried outside the root shows as "(unreachable)"
// (CVE-2024-21626). The kernel says so in getcwd(2).
int init_enter_directory(const struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    char where[PATH_MAX];
    if (chdir(process->cwd) < 0) {
        return err_sys(err, "change to working directory %s", process->cwd);
    }
    if (syscall(SYS_getcwd, where, sizeof(where)) < 0) {
        return err_sys(err, "find working directory %s", process->cwd);
    }
    if (where[0] != '/') {
        return err_set(err, ERR_STATE, "working directory %s lies outside the container's root", process->cwd);
    }
    return 0;
}

// Which process is to listen is known here alone (sd_listen_fds(3)).
static void tell_listener(const struct plan_process *process, char *text, size_t size) {
    for (size_t i = 0; i < process->env_count; i++) {
        if (strncmp(process->env[i], "LISTEN_PID=", 11) == 0) {
            snprintf(text, size, "LISTEN_PID=%d", (int)getpid());
            process->env[i] = text;
        }
    }
}

int init_exec(struct init *init, const char *path, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    char listener[32];
    if (process->listen_pid) {
        tell_listener(process, listener, sizeof(listener));
    }
    char **args, **env; // execve(2) leaves them alone; its type says otherwise
    memcpy(&args, &process->args, sizeof(args));
    memcpy(&env, &process->env, sizeof(env));
    execve(path, args, env);
    int reason = errno, found = try_program(path);
    if (found != 0) {
        return not_found(process->args[0], found, err);
    }
    if (reason == ENOENT) {
        // The file is there; what is missing is its interpreter.
        return err_set(err, ERR_NO_COMMAND, "command \"%s\": its interpreter or dynamic loader is missing in the container: no such file or "
                       "directory", process->args[0]);
    }
    refuse_execution(process->args[0], reason, err);
    return -1;
}
