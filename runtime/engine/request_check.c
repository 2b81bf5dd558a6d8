#include "runtime/engine/request_check.h"

#include "runtime/base/err.h"
#include "runtime/engine/etc.h"
#include "runtime/engine/joined.h"
#include "runtime/engine/request.h"
#include "runtime/engine/restart_policy.h"
#include "runtime/kernel/names.h"

#include <string.h>
#include <unistd.h>

static bool is_host(const char *mode) {
    return mode && strcmp(mode, "host") == 0;
}

struct mode {
    const char *flag, *mode;
    bool needs_users;       // to be the host's
    const char *others;     // beside private and host
    bool joins;             // container:NAME, too
};

static int check_mode(const struct mode *mode, bool user_namespace, struct err *err) {
    const char *word = mode->mode ? mode->mode : "";
    size_t length = strlen(word);
    const char *other = length > 0 ? strstr(mode->others, word) : NULL;
    bool known = !*word || is_host(word) || strcmp(word, "private") == 0 || (mode->joins && joined_container(word)) ||
                 (other && (other[length] == '\0' || other[length] == ','));
    if (!known) {
        return err_set(err, ERR_INPUT, "%s: expected private%s%s%s or host, found \"%s\"", mode->flag, *mode->others ? ", " : "",
                       mode->others, mode->joins ? ", container:NAME" : "", word);
    }
    // Who has user ids of his own may see none of the host's processes, nor what they share.
    if (is_host(word) && mode->needs_users && user_namespace) {
        return err_set(err, ERR_INPUT, "%s host: not with user ids of its own; add --userns host%s", mode->flag,
                       geteuid() == 0 ? "" : ", as root");
    }
    return 0;
}

static int check_sharing(const struct run_request *request, bool user_namespace, struct err *err) {
    const struct mode modes[] = {
        {"--pid", request->pid, true, "", true},
        {"--ipc", request->ipc, true, "shareable, none", true},
        {"--uts", request->uts, false, "", false},
        {"--cgroupns", request->cgroupns, false, "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (check_mode(&modes[i], user_namespace, err) < 0) {
            return -1;
        }
    }
    if (joined_container(request->ipc) && request->shm_size_bytes.set) {
        return err_set(err, ERR_INPUT, "--shm-size: /dev/shm is that of the container of --ipc; give the size to that one");
    }
    if (is_host(request->uts) && (request->hostname || request->domainname)) {
        return err_set(err, ERR_INPUT, "--%s and --uts host exclude each other", request->hostname ? "hostname" : "domainname");
    }
    return 0;
}

static int check_userns(const struct run_request *request, struct err *err) {
    const char *userns = request->userns;
    if (!userns || !*userns || is_host(userns) || strcmp(userns, "auto") == 0 || strcmp(userns, "private") == 0 || joined_container(userns)) {
        return 0;
    }
    if (strncmp(userns, "keep-id", 7) == 0) {
        return err_set(err, ERR_UNSUPPORTED, "--userns keep-id: an image's files cannot be shown to other ids without root; leave it out: "
                                             "what the container's root writes to volumes is yours");
    }
    return err_set(err, ERR_INPUT, "--userns: expected auto, container:NAME or host, found \"%s\"", userns);
}

int request_check(const struct run_request *request, bool user_namespace, struct err *err) {
    struct restart_policy restart;
    if (check_userns(request, err) < 0) {
        return -1;
    }
    if (request->stop_signal && name_signal(request->stop_signal) <= 0) {
        return err_set(err, ERR_INPUT, "--stop-signal: expected a name such as TERM or a number, found \"%s\"", request->stop_signal);
    }
    if (restart_policy_parse(request->restart, &restart, err) < 0) {
        return -1;
    }
    if (request->remove && restart.kind != RESTART_NO) {
        return err_set(err, ERR_INPUT, "--rm and --restart exclude each other: what is removed when it has ended is not started again");
    }
    return check_sharing(request, user_namespace, err) < 0 ? -1 : etc_check(request, err);
}
