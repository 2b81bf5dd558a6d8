// What the parts of the monitor share. Private to it.
#ifndef COFFER_ENGINE_MONITOR_STATE_H
#define COFFER_ENGINE_MONITOR_STATE_H

#include "runtime/base/buf.h"
#include "runtime/engine/control.h"
#include "runtime/engine/health.h"
#include "runtime/engine/health_probe.h"
#include "runtime/engine/log_file.h"
#include "runtime/engine/monitor.h"

#include <poll.h>
#include <stdint.h>

enum {
    MONITOR_MAX_CLIENTS = 64,
    MONITOR_MAX_POLLS = MONITOR_MAX_CLIENTS + 10,
    MONITOR_READ_BYTES = 16 << 10, // at once, of what the container writes
    MONITOR_KEPT_BYTES = 256 << 10 // of output, for an attached command that does not read
};

struct monitor_client {
    int fd;
    unsigned attached; // enum control_attach
    bool waits;        // for the end
    bool waits_for_check;
    bool waits_for_health;
    size_t owed;       // bytes of input that it has not been told to be TAKEN
    struct buf kept;   // messages not sent yet, each with its head
};

struct monitor {
    const struct monitor_request *request;
    struct restart_policy restart; // as it is by now
    struct supervised *container;
    struct log_file *log;
    int ours[3];      // our ends of its pipes; the console for all three where there is a terminal
    struct buf input; // for the container, not taken yet
    bool input_ends;  // behind that
    int listen_fd, signals_fd;
    struct monitor_client clients[MONITOR_MAX_CLIENTS];
    size_t client_count;
    int64_t kill_at_ms; // 0: never
    int64_t started_ms;
    int64_t delay_ms, restart_at_ms; // 0: none yet; it is not waited for
    int64_t trim_at_ms;              // 0: there is nothing to give back
    bool ending;                     // and not restarted
    char system_call_name[32];       // the record's
    bool restart_wanted;             // whatever the policy says
    struct health health;
    struct health_probe probe; // the check that runs
};

// --- monitor_stream.c: the container's standard descriptors ---

// Pipes or a terminal for the next start; *ret_stdio are the container's ends.
int monitor_open_streams(struct monitor *monitor, int ret_stdio[3], struct err *err) MUST_CHECK;
// Those of a container that another monitor has started.
void monitor_reopen_streams(struct monitor *monitor);
void monitor_take_console(struct monitor *monitor);
void monitor_close_streams(struct monitor *monitor);
size_t monitor_poll_streams(struct monitor *monitor, struct pollfd *polls);
void monitor_step_streams(struct monitor *monitor, const struct pollfd *polls, size_t count);

// What the container has left in its pipes when it has ended: all is taken, and kept for who is attached.
void monitor_drain(struct monitor *monitor);

// --- monitor_client.c: the commands ---

void monitor_add_client(struct monitor *monitor, int fd);
size_t monitor_poll_clients(struct monitor *monitor, struct pollfd *polls);
void monitor_step_clients(struct monitor *monitor, const struct pollfd *polls, size_t count);

// What they have said so far and nobody has heard yet.
void monitor_hear_clients(struct monitor *monitor);

// Lets them send more input where there is room for it.
void monitor_acknowledge_input(struct monitor *monitor);

// To one that is there, and to all that are attached with output or wait.
void monitor_tell(struct monitor *monitor, struct monitor_client *client, const struct control_message *message);
void monitor_tell_output(struct monitor *monitor, int stream, const void *data, size_t size);
void monitor_tell_ended(struct monitor *monitor, int status, bool is_restarted);

// The end of a check, to who has asked for it, and that it is healthy, to who waits for that.
void monitor_tell_checked(struct monitor *monitor, int exit_code);

// Whether an attached command holds the container's output up.
bool monitor_is_held(const struct monitor *monitor);

// Sends what is kept, waiting for those that read, for a bounded time.
void monitor_flush_clients(struct monitor *monitor);
void monitor_close_clients(struct monitor *monitor);

// --- monitor_health.c: whether it does what it is there for ---

void monitor_health_begin(struct monitor *monitor); // the container has started
void monitor_health_end(struct monitor *monitor);   // it has ended
struct pollfd monitor_poll_health(const struct monitor *monitor);
void monitor_step_health(struct monitor *monitor, const struct pollfd *poll_fd);

// A check out of turn, or the one that runs: monitor_tell_checked() follows.
int monitor_check_now(struct monitor *monitor, struct err *err) MUST_CHECK;

// --- monitor_trim.c: its own memory ---

void monitor_trim_later(struct monitor *monitor, bool has_started);
void monitor_trim_when_due(struct monitor *monitor);

// --- monitor.c: what clients ask for, and checks lead to ---

// Writes a line to the container's log, in its standard error.
void monitor_note(struct monitor *monitor, const char *format, ...) PRINTF_LIKE(2, 3);

// Ends it to start it again.
void monitor_restart(struct monitor *monitor);

void monitor_signal(struct monitor *monitor, int signal);
void monitor_stop(struct monitor *monitor, int64_t timeout_ms, int signal);
int monitor_kill(struct monitor *monitor, int signal, struct err *err) MUST_CHECK;
int monitor_rename(struct monitor *monitor, const char *name, struct err *err) MUST_CHECK;

#endif
