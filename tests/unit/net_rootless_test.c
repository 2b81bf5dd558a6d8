// The network of an ordinary user: the words for pasta, and pasta itself where it is installed.
#include "tests/unit/net_lab.h"

#include "runtime/base/arena.h"
#include "runtime/net/rootless.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static const char program[] = "/usr/bin/pasta";

static const char *joined(struct arena *arena, char *const *words) {
    const char *text = "";
    for (size_t i = 0; words[i]; i++) {
        text = arena_format(arena, "%s%s%s", text, i ? " " : "", words[i]);
    }
    return text;
}

static struct rootless_request lab_request(void) {
    return (struct rootless_request){
        .program = program,
        .name = "eth0",
        .ipv4 = {{lab_address("10.202.0.2"), 24}, lab_address("10.202.0.1")},
        .kept_fd = -1,
    };
}

CASE(nothing_is_left_to_be_guessed) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    char *const *words;
    const struct firewall_port ports[] = {
        {.protocol = IPPROTO_TCP, .host_port = 8080, .target_port = 80},
        {.protocol = IPPROTO_TCP, .host = lab_address("127.0.0.1"), .host_port = 8000, .target_port = 9000, .count = 10},
        {.protocol = IPPROTO_UDP, .host = lab_address("::1"), .host_port = 53, .target_port = 53},
        {.protocol = IPPROTO_SCTP, .host_port = 1, .target_port = 1},
    };
    struct rootless_request request = lab_request();
    request.target = 12;
    request.netns = "/run/x/netns";
    request.interface = "lo";
    CHECK_INT(rootless_arguments(&arena, &request, 5, &words, &err), 0);
    CHECK_STR(joined(&arena, words),
              "/usr/bin/pasta --quiet --config-net --no-map-gw -I eth0 -P /proc/self/fd/5 -T none -U none --userns /proc/12/ns/user "
              "--netns /run/x/netns -a 10.202.0.2 -g 10.202.0.1 -n 24 --ns-mac-addr 02:cf:0a:ca:00:02 -M 02:cf:0a:ca:00:01 -4 -i lo "
              "-t none -u none");
    request.netns = request.interface = NULL;
    request.ipv6 = (struct rootless_plane){{lab_address("fd00::2"), 64}, lab_address("fd00::1")};
    request.forward_names = true;
    request.ports = ports;
    request.port_count = 3;
    CHECK_INT(rootless_arguments(&arena, &request, 5, &words, &err), 0);
    CHECK_STR(joined(&arena, words),
              "/usr/bin/pasta --quiet --config-net --no-map-gw -I eth0 -P /proc/self/fd/5 -T none -U none --userns /proc/12/ns/user "
              "--netns /proc/12/ns/net -a 10.202.0.2 -g 10.202.0.1 -a fd00::2 -g fd00::1 -n 24 --ns-mac-addr 02:cf:0a:ca:00:02 "
              "-M 02:cf:0a:ca:00:01 --dns-forward 10.202.0.1 -t 8080:80 -t 127.0.0.1/8000-8009:9000-9009 -u ::1/53:53");
    request.bare = true;
    CHECK_INT(rootless_arguments(&arena, &request, 5, &words, &err), 0);
    CHECK(strncmp(joined(&arena, words), "/usr/bin/pasta --quiet --no-map-gw -I eth0 ", 43) == 0);
    request.port_count = 4;
    CHECK_INT(rootless_arguments(&arena, &request, 5, &words, &err), -1);
    CHECK_STR(err.text, "publish port 1: without root only tcp and udp can be published");
}

CASE(a_missing_program_is_told) {
    struct err err = {0};
    pid_t pid;
    int pidfd;
    struct rootless_request request = lab_request();
    request.program = "/nonexistent/pasta";
    request.target = getpid();
    CHECK_INT(rootless_start(&request, &pid, &pidfd, &err), -1);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    CHECK_STR(err.text, "make a network without root: /nonexistent/pasta is missing; install the package passt");
}

// An ordinary user for whom the device of tunnels is open, as it is on most hosts.
static bool become_user(void) {
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/dev/net", "tmpfs", 0, "mode=755") == 0 && mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) == 0 &&
           chmod("/dev/net/tun", 0666) == 0 && setgid(65534) == 0 && setuid(65534) == 0 &&
           prctl(PR_SET_DUMPABLE, 1) == 0; // others of that user may look at who was root before
}

// The process in the user's namespaces. It says when it is there, and ends with who made it.
static pid_t make_target(void) {
    int ready[2];
    char byte;
    if (pipe(ready) < 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        // Without IPv6, of whose making the kernel sends frames, the namespace is silent until it is asked.
        int made = unshare(CLONE_NEWUSER | CLONE_NEWNET);
        AUTO_FD int setting = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
        (void)!write(setting, "1", 1);
        if (made == 0 && prctl(PR_SET_DUMPABLE, 1) == 0 && write(ready[1], "x", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        return -1;
    }
    close(ready[0]);
    return pid;
}

enum { NO_USER = 2, NO_NAMESPACES = 3, NO_PASTA = 4, NOT_SERVED = 5 };

struct processes {
    pid_t pasta, target;
};

// What the server answers with is what it was asked. It is ended from outside.
static int answer_all(int server) {
    char byte;
    while (lab_ready(server, POLLIN, 20000)) {
        AUTO_FD int client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0 || read(client, &byte, 1) != 1 || write(client, &byte, 1) != 1) {
            continue;
        }
    }
    return NOT_SERVED;
}

// As the user: pasta for a namespace, and a server in it. Who they are is told when it listens: pasta refuses what it cannot carry.
static int serve(int report) {
    struct err err = {0};
    const struct firewall_port port = {.protocol = IPPROTO_TCP, .host_port = 8080, .target_port = 80};
    struct rootless_request request = lab_request();
    request.ports = &port;
    request.port_count = 1;
    struct processes made;
    char path[64];
    int pidfd = -1;
    if (!become_user()) {
        return NO_USER;
    }
    request.target = made.target = make_target();
    if (request.target < 0) {
        return NO_NAMESPACES;
    }
    if (rootless_start(&request, &made.pasta, &pidfd, &err) < 0) {
        fprintf(stderr, "# %s\n", err.text);
        kill(request.target, SIGKILL);
        return NO_PASTA;
    }
    snprintf(path, sizeof(path), "/proc/%d/ns/user", request.target);
    AUTO_FD int user = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", request.target);
    AUTO_FD int net = open(path, O_RDONLY | O_CLOEXEC);
    bool inside = setns(user, CLONE_NEWUSER) == 0 && setns(net, CLONE_NEWNET) == 0;
    AUTO_FD int server = inside ? lab_serve(-1, SOCK_STREAM, "0.0.0.0", 80) : -1;
    return write(report, &made, sizeof(made)) == (ssize_t)sizeof(made) && server >= 0 ? answer_all(server) : NOT_SERVED;
}

// The first attempt has to do: pasta takes connections whether or not it can carry them.
static bool ask(void) {
    char byte = 'x';
    AUTO_FD int client = lab_connect(-1, SOCK_STREAM, "192.0.2.2", 8080, LAB_WAIT_MS);
    return client >= 0 && write(client, &byte, 1) == 1 && lab_ready(client, POLLIN, LAB_WAIT_MS) && read(client, &byte, 1) == 1;
}

// Returns whether it was answered; *ret_status is how the server ended.
static bool serve_and_ask(int host, int *ret_status) {
    int report[2];
    struct processes made;
    bool answered = false;
    CHECK_INT(pipe2(report, O_CLOEXEC), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(setns(host, CLONE_NEWNET) == 0 ? serve(report[1]) : NO_USER);
    }
    close(report[1]);
    if (read(report[0], &made, sizeof(made)) == (ssize_t)sizeof(made)) {
        answered = ask();
        kill(made.pasta, SIGKILL);
        kill(made.target, SIGKILL);
        kill(child, SIGKILL);
        // Its ports are free when it is gone, who is no child of ours.
        for (int i = 0; i < 500 && kill(made.pasta, 0) == 0; i++) {
            usleep(10000);
        }
    }
    waitpid(child, ret_status, 0);
    close(report[0]);
    return answered;
}

CASE(an_ordinary_user_has_a_network) {
    const char *reason = NULL;
    if (!lab_enter(&reason)) {
        SKIP(reason);
    }
    if (access(program, X_OK) < 0 || access("/dev/net/tun", F_OK) < 0) {
        SKIP("needs pasta(1) and /dev/net/tun");
    }
    int status = -1;
    CHECK(lab_bridge("lan", "192.0.2.1", "2001:db8::1") > 0);
    // The user's host: it has a default route, which pasta wants to see.
    AUTO_FD int host = lab_host(&(struct lab_host){"lan", "lan0", "192.0.2.2", "2001:db8::2", "192.0.2.1", "2001:db8::1"});
    bool answered = serve_and_ask(host, &status);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == NO_USER || WEXITSTATUS(status) == NO_NAMESPACES)) {
        SKIP("this machine gives an ordinary user no namespaces");
    }
    CHECK(answered && WIFSIGNALED(status));
}

int main(void) {
    RUN(nothing_is_left_to_be_guessed);
    RUN(a_missing_program_is_told);
    RUN(an_ordinary_user_has_a_network);
    return check_done();
}
