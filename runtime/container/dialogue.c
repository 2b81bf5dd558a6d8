#include "runtime/container/dialogue.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/handover.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/tty.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// What fits into a socket's buffer while nobody reads: net.core.wmem_default is 208 KiB, and less is hardly ever set.
enum { PLAN_USUAL_BYTES = 8192, PLAN_OFFER_BYTES = 32 << 10 };

static int take_error(const struct channel_message *message, struct err *err) {
    if (message->size != sizeof(*err)) {
        return err_set(err, ERR_STATE, "init failed and sent an error of %zu bytes", message->size);
    }
    memcpy(err, message->body, sizeof(*err));
    err->text[sizeof(err->text) - 1] = '\0';
    if (err->kind <= ERR_NONE || err->kind >= ERR_KIND_COUNT) {
        err->kind = ERR_SYSTEM;
    }
    return -1;
}

static int send_plan(int channel, const struct container_plan *plan, size_t max_bytes, struct err *err) {
    char room[PLAN_USUAL_BYTES];
    AUTO_BUF struct buf message = BUF_IN(room);
    wire_encode(&init_plan_record, &plan->init, &message);
    if (message.size > max_bytes) {
        return 0;
    }
    return channel_send(channel, CHANNEL_PLAN, message.data, message.size, plan->fds, plan->fd_count, err) < 0 ? -1 : 1;
}

int dialogue_offer_plan(int channel, const struct container_plan *plan, struct err *err) {
    return send_plan(channel, plan, PLAN_OFFER_BYTES, err);
}

int dialogue_send_plan(int channel, const struct container_plan *plan, struct err *err) {
    if (send_plan(channel, plan, SIZE_MAX, err) < 0) {
        dialogue_last_words(channel, err);
        return -1;
    }
    return 0;
}

void dialogue_last_words(int channel, struct err *err) {
    struct channel_message message;
    struct err ignored;
    bool more = err->errnum == EPIPE;
    while (more && channel_receive(channel, &message, &ignored) == 0) {
        more = message.type != CHANNEL_END && message.type != CHANNEL_ERROR;
        if (message.type == CHANNEL_ERROR) {
            take_error(&message, err);
        }
        channel_message_finish(&message);
    }
}

static int take_console(const struct dialogue *dialogue, struct channel_message *message, struct err *err) {
    if (message->fd_count != 1) {
        return err_set(err, ERR_STATE, "init did not send the terminal");
    }
    if (dialogue->console_socket) {
        return handover_send("--console-socket", dialogue->console_socket, "/dev/ptmx", message->fds[0], err);
    }
    fd_close(dialogue->console);
    *dialogue->console = fd_take(&message->fds[0]);
    tty_copy_size(STDOUT_FILENO, *dialogue->console); // before the command can ask for it
    return 0;
}

static int answer_namespaces(const struct dialogue *dialogue, struct err *err) {
    if (dialogue->namespaces_made && dialogue->namespaces_made(dialogue->context, err) < 0) {
        return -1;
    }
    if (channel_send(dialogue->channel, CHANNEL_GO, NULL, 0, NULL, 0, err) < 0) {
        dialogue_last_words(dialogue->channel, err);
        return -1;
    }
    return 0;
}

int dialogue_serve(const struct dialogue *dialogue, bool *ret_ended, struct err *err) {
    for (;;) {
        struct channel_message message;
        if (channel_receive(dialogue->channel, &message, err) < 0) {
            return -1;
        }
        int result = 0;
        switch (message.type) {
        case CHANNEL_TERMINAL:
            result = take_console(dialogue, &message, err);
            break;
        case CHANNEL_NAMESPACES:
            result = answer_namespaces(dialogue, err);
            break;
        case CHANNEL_LISTENER:
            result = dialogue->listener_comes ? dialogue->listener_comes(dialogue->context, &message, err)
                                              : err_set(err, ERR_STATE, "init sent a listener that was not asked for");
            break;
        case CHANNEL_WARNING:
            log_warn("%s", message.body);
            break;
        case CHANNEL_ERROR:
            result = take_error(&message, err);
            break;
        case CHANNEL_READY:
        case CHANNEL_END:
            *ret_ended = message.type == CHANNEL_END;
            channel_message_finish(&message);
            return 0;
        default:
            result = err_set(err, ERR_STATE, "init sent a message of type %d", (int)message.type);
            break;
        }
        channel_message_finish(&message);
        if (result < 0) {
            return -1;
        }
    }
}
