#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/ending.h"
#include "runtime/engine/monitor_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { FLUSH_MS = 5000 };

void monitor_add_client(struct monitor *monitor, int fd) {
    if (monitor->client_count == MONITOR_MAX_CLIENTS) {
        fd_close(&fd);
        return;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    monitor->clients[monitor->client_count++] = (struct monitor_client){.fd = fd};
}

static void drop(struct monitor *monitor, size_t index) {
    struct monitor_client *client = &monitor->clients[index];
    fd_close(&client->fd);
    buf_finish(&client->kept);
    monitor->clients[index] = monitor->clients[--monitor->client_count];
}

void monitor_close_clients(struct monitor *monitor) {
    while (monitor->client_count > 0) {
        drop(monitor, monitor->client_count - 1);
    }
}

// --- to them ---

// Messages are kept as the struct and the bytes behind it.
static void keep(struct monitor_client *client, const struct control_message *message) {
    buf_add(&client->kept, message, sizeof(*message));
    buf_add(&client->kept, message->bytes ? message->bytes : "", message->size);
}

static bool is_too_slow(const struct monitor_client *client) {
    return client->kept.size > MONITOR_KEPT_BYTES && !(client->attached & CONTROL_ATTACH_HOLDS);
}

// Returns false when it is gone, or too slow.
static bool send_kept(struct monitor_client *client) {
    size_t at = 0;
    bool alive = true;
    while (alive && at < client->kept.size) {
        struct control_message message;
        memcpy(&message, client->kept.data + at, sizeof(message));
        message.bytes = client->kept.data + at + sizeof(message);
        if (control_send(client->fd, &message) < 0) {
            alive = errno == EAGAIN;
            break;
        }
        at += sizeof(message) + message.size;
    }
    if (at > 0) {
        memmove(client->kept.data, client->kept.data + at, client->kept.size - at);
        client->kept.size -= at;
    }
    return alive && !is_too_slow(client);
}

static bool offer(struct monitor_client *client, const struct control_message *message) {
    if (client->kept.size == 0 && control_send(client->fd, message) == 0) {
        return true;
    }
    if (client->kept.size == 0 && errno != EAGAIN) {
        return false;
    }
    keep(client, message);
    return !is_too_slow(client);
}

void monitor_tell(struct monitor *monitor, struct monitor_client *client, const struct control_message *message) {
    if (!offer(client, message)) {
        drop(monitor, (size_t)(client - monitor->clients));
    }
}

void monitor_tell_output(struct monitor *monitor, int stream, const void *data, size_t size) {
    const struct control_message message = {.kind = CONTROL_OUTPUT, .value = stream, .size = (uint32_t)size, .bytes = data};
    for (size_t i = monitor->client_count; i-- > 0;) {
        if (monitor->clients[i].attached & CONTROL_ATTACH_OUTPUT) {
            monitor_tell(monitor, &monitor->clients[i], &message);
        }
    }
}

void monitor_tell_ended(struct monitor *monitor, int status, bool is_restarted) {
    char why[ENDING_TEXT_SIZE];
    ending_explain(monitor->request->record, why);
    const struct control_message message = {
        .kind = CONTROL_ENDED, .value = status, .extra = is_restarted, .size = (uint32_t)strlen(why), .bytes = why};
    for (size_t i = monitor->client_count; i-- > 0;) {
        struct monitor_client *client = &monitor->clients[i];
        bool waits = client->waits || (!is_restarted && (client->waits_for_check || client->waits_for_health));
        if (waits || (client->attached & CONTROL_ATTACH_OUTPUT)) {
            client->waits = client->waits_for_check = client->waits_for_health = false;
            client->attached &= CONTROL_ATTACH_HOLDS; // it gets what is kept for it, however slowly
            monitor_tell(monitor, client, &message);
        }
    }
}

void monitor_tell_checked(struct monitor *monitor, int exit_code) {
    const struct control_message message = {.kind = CONTROL_DONE, .value = exit_code, .extra = monitor->health.status};
    bool is_healthy = monitor->health.status == HEALTH_HEALTHY;
    for (size_t i = monitor->client_count; i-- > 0;) {
        struct monitor_client *client = &monitor->clients[i];
        if (client->waits_for_check || (client->waits_for_health && is_healthy)) {
            client->waits_for_check = client->waits_for_health = false;
            monitor_tell(monitor, client, &message);
        }
    }
}

bool monitor_is_held(const struct monitor *monitor) {
    static const unsigned holding = CONTROL_ATTACH_HOLDS | CONTROL_ATTACH_OUTPUT;
    for (size_t i = 0; i < monitor->client_count; i++) {
        if (monitor->clients[i].kept.size > 0 && (monitor->clients[i].attached & holding) == holding) {
            return true;
        }
    }
    return false;
}

void monitor_flush_clients(struct monitor *monitor) {
    int64_t until_ms = clock_now_ms() + FLUSH_MS;
    for (size_t i = monitor->client_count; i-- > 0;) {
        struct monitor_client *client = &monitor->clients[i];
        bool alive = true;
        while (alive && client->kept.size > 0) {
            int64_t left_ms = until_ms - clock_now_ms();
            struct pollfd poll_fd = {.fd = client->fd, .events = POLLOUT};
            // The command that has started it gets all, however slow it is.
            int timeout_ms = client->attached & CONTROL_ATTACH_HOLDS ? -1 : left_ms > 0 ? (int)left_ms : 0;
            alive = poll(&poll_fd, 1, timeout_ms) > 0 && !(poll_fd.revents & (POLLERR | POLLHUP)) && send_kept(client);
        }
        if (!alive) {
            drop(monitor, i);
        }
    }
}

// --- from them ---

static void take_attach(struct monitor *monitor, struct monitor_client *client, unsigned flags) {
    client->attached = flags;
    if (!monitor->container) {
        client->attached &= ~(unsigned)CONTROL_ATTACH_INPUT;
    }
}

static void take_size(const struct monitor *monitor, const struct control_message *message) {
    const struct winsize size = {.ws_col = (unsigned short)message->value, .ws_row = (unsigned short)message->extra};
    if (monitor->request->tty && monitor->ours[1] >= 0) {
        (void)ioctl(monitor->ours[1], TIOCSWINSZ, &size);
    }
}

// False: it sends more than it may.
static bool take_input(struct monitor *monitor, struct monitor_client *client, const struct control_message *message) {
    bool taken = (client->attached & CONTROL_ATTACH_INPUT) && monitor->ours[monitor->request->tty ? 1 : 0] >= 0;
    client->owed += message->size;
    if (taken) {
        buf_add(&monitor->input, message->bytes, message->size);
    }
    return client->owed <= CONTROL_MAX_INPUT;
}

void monitor_acknowledge_input(struct monitor *monitor) {
    for (size_t i = monitor->client_count; i-- > 0 && monitor->input.size <= CONTROL_MAX_BYTES;) {
        struct monitor_client *client = &monitor->clients[i];
        const struct control_message message = {.kind = CONTROL_TAKEN, .value = (int64_t)client->owed};
        if (client->owed > 0) {
            client->owed = 0;
            monitor_tell(monitor, client, &message);
        }
    }
}

static void answer(struct monitor *monitor, struct monitor_client *client, int result, const struct err *err) {
    const struct control_message done = {.kind = CONTROL_DONE};
    const struct control_message failed = {.kind = CONTROL_FAILED, .size = sizeof(*err), .bytes = err};
    monitor_tell(monitor, client, result < 0 ? &failed : &done);
}

static void take_kill(struct monitor *monitor, struct monitor_client *client, int signal) {
    struct err err = {0};
    int result = monitor_kill(monitor, signal, &err);
    answer(monitor, client, result, &err);
}

static void take_rename(struct monitor *monitor, struct monitor_client *client, const struct control_message *message) {
    struct err err = {0};
    char name[256];
    size_t size = message->size < sizeof(name) - 1 ? message->size : sizeof(name) - 1;
    memcpy(name, message->bytes, size);
    name[size] = '\0';
    int result = monitor_rename(monitor, name, &err);
    answer(monitor, client, result, &err);
}

static void take_check(struct monitor *monitor, struct monitor_client *client) {
    struct err err = {0};
    client->waits_for_check = true;
    if (monitor_check_now(monitor, &err) < 0) {
        client->waits_for_check = false;
        answer(monitor, client, -1, &err);
    }
}

static void take_wait(struct monitor *monitor, struct monitor_client *client, int64_t what) {
    struct err err = {0};
    if (what != CONTROL_WAIT_HEALTHY) {
        client->waits = true;
    } else if (monitor->request->health->kind == HEALTH_CHECK_NONE) {
        err_set(&err, ERR_STATE, "it has no health check; see --health-cmd of \"coffer run\"");
        answer(monitor, client, -1, &err);
    } else if (monitor->health.status == HEALTH_HEALTHY && monitor->container) {
        answer(monitor, client, 0, &err);
    } else {
        client->waits_for_health = true;
    }
}

static void take_networks(struct monitor *monitor, struct monitor_client *client, const struct control_message *message) {
    const struct monitor_container *container = &monitor->request->container;
    struct err err = {0};
    AUTO_FREE char *text = mem_format("%.*s", (int)message->size, (const char *)message->bytes);
    int result = container->change_networks(container->context, message->kind, text, monitor->container, &err);
    answer(monitor, client, result, &err);
}

static void take_limits(struct monitor *monitor, struct monitor_client *client, const struct control_message *message) {
    const struct monitor_container *container = &monitor->request->container;
    struct err err = {0};
    AUTO_FREE char *text = mem_format("%.*s", (int)message->size, (const char *)message->bytes);
    int result = container->change_limits(container->context, text, monitor->container, &monitor->restart, &err);
    answer(monitor, client, result, &err);
}

static bool take_message(struct monitor *monitor, struct monitor_client *client, const struct control_message *message) {
    struct err none = {0};
    switch (message->kind) {
    case CONTROL_ATTACH:
        take_attach(monitor, client, (unsigned)message->value);
        break;
    case CONTROL_INPUT:
        return take_input(monitor, client, message);
    case CONTROL_INPUT_END:
        monitor->input_ends = monitor->input_ends || (client->attached & CONTROL_ATTACH_ENDS);
        break;
    case CONTROL_RESIZE:
        take_size(monitor, message);
        break;
    case CONTROL_SIGNAL:
        monitor_signal(monitor, (int)message->value);
        break;
    case CONTROL_KILL:
        take_kill(monitor, client, (int)message->value);
        break;
    case CONTROL_LOOK:
        if (!monitor->container && !monitor->request->record->restarting) {
            return false;
        }
        answer(monitor, client, 0, &none);
        break;
    case CONTROL_STOP:
        client->waits = true;
        monitor_stop(monitor, message->value, (int)message->extra);
        break;
    case CONTROL_WAIT:
        take_wait(monitor, client, message->value);
        break;
    case CONTROL_CHECK:
        take_check(monitor, client);
        break;
    case CONTROL_RENAME:
        take_rename(monitor, client, message);
        break;
    case CONTROL_UPDATE:
        take_limits(monitor, client, message);
        break;
    case CONTROL_CONNECT:
    case CONTROL_DISCONNECT:
    case CONTROL_RELOAD:
        take_networks(monitor, client, message);
        break;
    default:
        return false;
    }
    return true;
}

// Whether there may be more. Its place may be another one's, or nobody's, when this returns false.
static bool hear(struct monitor *monitor, size_t index) {
    char room[CONTROL_MAX_BYTES];
    struct control_message message;
    int fd = monitor->clients[index].fd;
    int got = control_receive(fd, room, &message);
    if (got < 0 && errno == EAGAIN) {
        return false;
    }
    if (got <= 0 || !take_message(monitor, &monitor->clients[index], &message)) {
        drop(monitor, index);
        return false;
    }
    return index < monitor->client_count && monitor->clients[index].fd == fd; // an answer may have found it gone
}

void monitor_hear_clients(struct monitor *monitor) {
    for (size_t i = monitor->client_count; i-- > 0;) {
        while (hear(monitor, i)) {
        }
    }
}

size_t monitor_poll_clients(struct monitor *monitor, struct pollfd *polls) {
    for (size_t i = 0; i < monitor->client_count; i++) {
        const struct monitor_client *client = &monitor->clients[i];
        polls[i] = (struct pollfd){.fd = client->fd, .events = (short)(POLLIN | (client->kept.size > 0 ? POLLOUT : 0))};
    }
    return monitor->client_count;
}

void monitor_step_clients(struct monitor *monitor, const struct pollfd *polls, size_t count) {
    // From the end: who is dropped is replaced by the last one, which has had its turn or came later.
    for (size_t i = count; i-- > 0;) {
        short events = polls[i].revents;
        if (i >= monitor->client_count || monitor->clients[i].fd != polls[i].fd || events == 0) {
            continue;
        }
        if ((events & POLLOUT) && !send_kept(&monitor->clients[i])) {
            drop(monitor, i);
        } else if (events & (POLLIN | POLLHUP | POLLERR)) {
            (void)hear(monitor, i);
        }
    }
}
