#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/live.h"
#include "runtime/engine/monitor_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    DRAIN_MS = 2000, // for pipes that a process outside the container keeps open
    DRAIN_BYTES = 512 * MONITOR_READ_BYTES,
};

static const char *const output_names[] = {NULL, "stdout", "stderr"};

static int open_output(struct monitor *monitor, int number, int ret_stdio[3], struct err *err) {
    const struct monitor_request *request = monitor->request;
    monitor->ours[number] = live_make_pipe(request->home, request->dir->id, output_names[number], &ret_stdio[number], err);
    return monitor->ours[number] < 0 ? -1 : 0;
}

static int open_input(struct monitor *monitor, int ret_stdio[3], struct err *err) {
    int pipes[2];
    if (!monitor->request->interactive) {
        ret_stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return ret_stdio[0] < 0 ? err_sys(err, "open /dev/null") : 0;
    }
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for the container's input");
    }
    ret_stdio[0] = pipes[0];
    monitor->ours[0] = pipes[1];
    return fcntl(pipes[1], F_SETFL, O_NONBLOCK) < 0 ? err_sys(err, "open the container's input") : 0;
}

int monitor_open_streams(struct monitor *monitor, int ret_stdio[3], struct err *err) {
    memset(ret_stdio, -1, 3 * sizeof(*ret_stdio));
    if (monitor->request->tty) {
        return 0; // init makes the terminal
    }
    return open_input(monitor, ret_stdio, err) < 0 || open_output(monitor, 1, ret_stdio, err) < 0 ||
                   open_output(monitor, 2, ret_stdio, err) < 0
               ? -1
               : 0;
}

// What came from one that had a terminal went with the monitor that had its other end, and so did the way to its input.
void monitor_reopen_streams(struct monitor *monitor) {
    const struct monitor_request *request = monitor->request;
    for (int i = 1; i < 3 && !request->tty; i++) {
        monitor->ours[i] = live_open_pipe(request->home, request->dir->id, output_names[i]);
    }
}

void monitor_take_console(struct monitor *monitor) {
    int console = supervised_console(monitor->container);
    if (console >= 0) {
        monitor->ours[1] = fcntl(console, F_DUPFD_CLOEXEC, 3);
        (void)fcntl(console, F_SETFL, O_NONBLOCK);
    }
}

void monitor_close_streams(struct monitor *monitor) {
    for (int i = 0; i < 3; i++) {
        fd_close(&monitor->ours[i]);
    }
    buf_clear(&monitor->input);
    monitor->input_ends = false;
}

static int *input_of(struct monitor *monitor) {
    return &monitor->ours[monitor->request->tty ? 1 : 0];
}

size_t monitor_poll_streams(struct monitor *monitor, struct pollfd *polls) {
    bool held = monitor_is_held(monitor);
    for (int i = 1; i < 3; i++) {
        polls[i - 1] = (struct pollfd){.fd = held ? -1 : monitor->ours[i], .events = POLLIN};
    }
    bool wanted = monitor->input.size > 0 || monitor->input_ends;
    polls[2] = (struct pollfd){.fd = wanted ? *input_of(monitor) : -1, .events = POLLOUT};
    return 3;
}

// False: there is nothing now, or no more at all.
static bool read_output(struct monitor *monitor, int number) {
    char room[MONITOR_READ_BYTES];
    ssize_t got = read(monitor->ours[number], room, sizeof(room));
    if (got > 0) {
        log_file_write(monitor->log, number == STDERR_FILENO ? LOG_STDERR : LOG_STDOUT, room, (size_t)got);
        monitor_tell_output(monitor, number, room, (size_t)got);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) { // a terminal's end is EIO
        fd_close(&monitor->ours[number]);
    }
    return false;
}

// A terminal's end of input is the character that its line discipline takes for it.
static void end_input(struct monitor *monitor) {
    static const char end_of_transmission = 4;
    if (!monitor->request->tty) {
        fd_close(&monitor->ours[0]);
    } else if (write(monitor->ours[1], &end_of_transmission, 1) < 0) {
        return; // it reads nothing, so that it does not wait for an end either
    }
    monitor->input_ends = false;
}

static void write_input(struct monitor *monitor) {
    struct buf *input = &monitor->input;
    ssize_t written = input->size > 0 ? write(*input_of(monitor), input->data, input->size) : 0;
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        written = (ssize_t)input->size; // nobody reads it
    }
    if (written > 0) {
        memmove(input->data, input->data + written, input->size - (size_t)written);
        input->size -= (size_t)written;
    }
    if (input->size == 0 && monitor->input_ends) {
        end_input(monitor);
    }
}

void monitor_step_streams(struct monitor *monitor, const struct pollfd *polls, size_t count) {
    (void)count;
    for (int i = 1; i < 3; i++) {
        if (polls[i - 1].revents && monitor->ours[i] >= 0) {
            (void)read_output(monitor, i);
        }
    }
    if (polls[2].revents && *input_of(monitor) >= 0) {
        write_input(monitor);
    }
}

void monitor_drain(struct monitor *monitor) {
    int64_t until_ms = clock_now_ms() + DRAIN_MS;
    size_t left = DRAIN_BYTES;
    for (int i = 1; i < 3; i++) {
        // What is there now is all there will be, but for a stranger's that has the pipe.
        while (monitor->ours[i] >= 0 && left > 0) {
            int64_t left_ms = until_ms - clock_now_ms();
            struct pollfd poll_fd = {.fd = monitor->ours[i], .events = POLLIN};
            if (read_output(monitor, i)) {
                left -= MONITOR_READ_BYTES;
            } else if (monitor->ours[i] < 0 || poll(&poll_fd, 1, left_ms < 0 ? 0 : (int)left_ms) <= 0) {
                break;
            }
        }
    }
}
