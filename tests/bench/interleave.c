// interleave [OPTION...] CONTENDER...: times programs against each other in one interleaved run, and prints one table.
//
//   CONTENDER      NAME | COMMAND | BEFORE | PIDS | NETWORK, the last three optional. COMMAND is split at blanks and executed without a
//                  shell, % in it stands for the number of the run; BEFORE is a shell line that runs before it, unmeasured; PIDS are
//                  servers that do part of its work: the CPU time they use meanwhile is added, and their peak memory counted;
//                  NETWORK is the file of a network namespace, in which COMMAND and BEFORE are run.
//   --runs N       measured rounds (50)                --warmups N   rounds before, thrown away (3)
//   --ours NAME    the contender that the others are compared with; --floor NAME: likewise
//   --title TEXT   stands above the table              --json FILE   also write all figures there
//   --settle MS    how long what a run leaves behind is waited for (3000): 0 where it shall live on
//
// Each round runs every contender once, in an order drawn anew: what one leaves behind for the kernel to clear up does not always
// slow the same neighbour. Figures of separate runs cannot be compared: the machine has changed in between.
//
// time    from before the spawn to the exit of COMMAND (CLOCK_MONOTONIC).
// CPU     user and system time of COMMAND and all that it started, also what it left behind: we adopt orphans and wait for them
//         (up to --settle, outside the measured time).
// peak    the resident set of the largest single process among those. The kernel counts ours until COMMAND is executed, so this
//         program is linked statically, to be smaller than anything that it measures.
//
// A contender whose very first run fails is left out, with a line that says why. Exit code 1: one failed later.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CONTENDERS_MAX = 16,
    ARGUMENTS_MAX = 62,
    SERVERS_MAX = 4,
    RUN_TIMEOUT_MS = 300 * 1000,
};

struct sample {
    double wall_ms, cpu_ms;
    long peak_kb;
};

struct contender {
    char *name, *before;
    char *arguments[ARGUMENTS_MAX + 1];
    pid_t servers[SERVERS_MAX];
    size_t n_servers;
    int network_fd; // -1: ours
    struct sample *samples;
    bool skipped;
};

static struct {
    struct contender contenders[CONTENDERS_MAX];
    size_t n_contenders;
    size_t runs, warmups, settle_ms;
    const char *ours, *floor, *title, *json;
    int home_fd;   // our own network namespace
    int stderr_fd; // what the contender at hand says; a memfd, emptied before each run
    unsigned run_number;
} bench = {.runs = 50, .warmups = 3, .settle_ms = 3000, .home_fd = -1, .title = "bench"};

extern char **environ;

static _Noreturn void die(const char *what, const char *which) {
    fprintf(stderr, "interleave: %s %s: %s\n", what, which,
            errno ? strerror(errno) : "expected something else (see the head of its source)");
    exit(2);
}

static double now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

// The contenders, from the command line.

static char *trim(char *text) {
    while (*text == ' ' || *text == '\n') {
        text++;
    }
    for (size_t length = strlen(text); length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\n'); length--) {
        text[length - 1] = '\0';
    }
    return text;
}

static void parse_contender(char *text) {
    if (bench.n_contenders == CONTENDERS_MAX) {
        die("too many contenders:", text);
    }
    struct contender *contender = &bench.contenders[bench.n_contenders++];
    char *command = NULL, *pids = NULL, *network = NULL;
    char **fields[] = {&contender->name, &command, &contender->before, &pids, &network};
    char *rest = text;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && rest; i++) {
        *fields[i] = trim(strsep(&rest, "|"));
    }
    size_t n = 0;
    char *word, *save = NULL;
    for (word = command ? strtok_r(command, " \n", &save) : NULL; word; word = strtok_r(NULL, " \n", &save)) {
        if (n == ARGUMENTS_MAX) {
            die("too many arguments of", contender->name);
        }
        contender->arguments[n++] = word;
    }
    if (n == 0) {
        die("no command of", contender->name);
    }
    for (word = pids ? strtok_r(pids, " ", &save) : NULL; word && contender->n_servers < SERVERS_MAX;
         word = strtok_r(NULL, " ", &save)) {
        contender->servers[contender->n_servers++] = (pid_t)atoi(word);
    }
    contender->network_fd = network && *network ? open(network, O_RDONLY | O_CLOEXEC) : -1;
    if (network && *network && contender->network_fd < 0) {
        die("cannot open network namespace", network);
    }
}

static void parse_arguments(char **argv) {
    const struct {
        const char *name;
        size_t *number;
        const char **text;
    } options[] = {
        {"--runs", &bench.runs, NULL},   {"--warmups", &bench.warmups, NULL}, {"--ours", NULL, &bench.ours},
        {"--floor", NULL, &bench.floor}, {"--title", NULL, &bench.title},     {"--json", NULL, &bench.json},
        {"--settle", &bench.settle_ms, NULL},
    };
    for (argv++; *argv; argv++) {
        if (strncmp(*argv, "--", 2) != 0) {
            parse_contender(*argv);
            continue;
        }
        size_t i = 0;
        while (i < sizeof(options) / sizeof(options[0]) && strcmp(options[i].name, *argv) != 0) {
            i++;
        }
        if (i == sizeof(options) / sizeof(options[0]) || !argv[1]) {
            die("option", *argv);
        }
        argv++;
        if (options[i].text) {
            *options[i].text = *argv;
        } else {
            *options[i].number = strtoul(*argv, NULL, 10);
        }
    }
    if (bench.n_contenders == 0 || bench.runs == 0) {
        die("contenders or runs", "missing");
    }
    for (size_t i = 0; i < bench.n_contenders; i++) {
        bench.contenders[i].samples = calloc(bench.runs, sizeof(struct sample));
        if (!bench.contenders[i].samples) {
            die("memory", bench.contenders[i].name);
        }
    }
}

// One run.

// CPU time of a server and of its children that ended, from proc(5)'s stat; its peak from status. A server that is gone has none.
static void read_server(pid_t pid, double *ret_cpu_ms, long *ret_peak_kb) {
    char path[64], text[4096];
    *ret_cpu_ms = 0;
    *ret_peak_kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file) {
        size_t length = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[length] = '\0';
        const char *after_name = strrchr(text, ')');
        unsigned long user, system;
        long children_user, children_system;
        if (after_name && sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &user, &system,
                                 &children_user, &children_system) == 4) {
            *ret_cpu_ms =
                (double)(user + system + (unsigned long)(children_user + children_system)) * 1e3 / (double)sysconf(_SC_CLK_TCK);
        }
    }
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    while (file && fgets(text, sizeof(text), file)) {
        if (sscanf(text, "VmHWM: %ld", ret_peak_kb) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

static double servers_cpu_ms(const struct contender *contender, struct sample *sample) {
    double sum = 0;
    for (size_t i = 0; i < contender->n_servers; i++) {
        double cpu_ms;
        long peak_kb;
        read_server(contender->servers[i], &cpu_ms, &peak_kb);
        sum += cpu_ms;
        sample->peak_kb = peak_kb > sample->peak_kb ? peak_kb : sample->peak_kb;
    }
    return sum;
}

static void count_usage(struct sample *sample, const struct rusage *usage) {
    sample->cpu_ms += (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 +
                      (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e3;
    sample->peak_kb = usage->ru_maxrss > sample->peak_kb ? usage->ru_maxrss : sample->peak_kb;
}

static void adopt_orphans(struct sample *sample) {
    for (size_t waited_ms = 0; waited_ms < bench.settle_ms;) {
        struct rusage usage;
        pid_t pid = wait4(-1, NULL, WNOHANG, &usage);
        if (pid < 0) {
            return;
        }
        if (pid > 0) {
            count_usage(sample, &usage);
            continue;
        }
        sleep_ms(1);
        waited_ms++;
    }
}

// The run's number in place of %.
static void fill_arguments(const struct contender *contender, char **ret_arguments, char *text, size_t size) {
    size_t used = 0, i;
    for (i = 0; contender->arguments[i]; i++) {
        ret_arguments[i] = text + used;
        for (const char *from = contender->arguments[i]; *from; from++) {
            if (used + 16 > size) {
                die("command too long of", contender->name);
            }
            if (*from == '%') {
                used += (size_t)snprintf(text + used, size - used, "%u", bench.run_number);
            } else {
                text[used++] = *from;
            }
        }
        text[used++] = '\0';
    }
    ret_arguments[i] = NULL;
}

// The status of wait(2), or -1 if the program could not be started.
static int spawn_and_wait(char **arguments, posix_spawn_file_actions_t *actions, struct sample *sample) {
    pid_t pid;
    struct rusage usage = {0};
    int status = 0;
    double start_ms = now_ms();
    int error = posix_spawnp(&pid, arguments[0], actions, NULL, arguments, environ);
    if (error) {
        dprintf(bench.stderr_fd, "%s: %s\n", arguments[0], strerror(error));
        return -1;
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd exited = {.fd = pidfd, .events = POLLIN};
    if (poll(&exited, 1, RUN_TIMEOUT_MS) == 0) {
        dprintf(bench.stderr_fd, "no end within %d s\n", RUN_TIMEOUT_MS / 1000);
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    }
    wait4(pid, &status, 0, &usage);
    sample->wall_ms = now_ms() - start_ms;
    close(pidfd);
    count_usage(sample, &usage);
    return status;
}

static void enter(int network_fd) {
    if (network_fd >= 0 && setns(network_fd, CLONE_NEWNET) < 0) {
        die("cannot enter", "a network namespace");
    }
}

static bool run_within(const struct contender *contender, struct sample *ret_sample) {
    char *arguments[ARGUMENTS_MAX + 1], text[8192];
    struct sample sample = {0}, ignored = {0};
    bench.run_number++;
    if (ftruncate(bench.stderr_fd, 0) < 0 || lseek(bench.stderr_fd, 0, SEEK_SET) < 0) {
        die("memfd of", contender->name);
    }
    if (contender->before && *contender->before && system(contender->before) != 0) {
        dprintf(bench.stderr_fd, "failed: %s\n", contender->before);
        return false;
    }
    fill_arguments(contender, arguments, text, sizeof(text));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, bench.stderr_fd, STDERR_FILENO);
    double servers_before_ms = servers_cpu_ms(contender, &ignored);
    int status = spawn_and_wait(arguments, &actions, &sample);
    posix_spawn_file_actions_destroy(&actions);
    adopt_orphans(&sample);
    sample.cpu_ms += servers_cpu_ms(contender, &sample) - servers_before_ms;
    *ret_sample = sample;
    if (status > 0) {
        dprintf(bench.stderr_fd, WIFEXITED(status) ? "exit code %d\n" : "ended by signal %d\n",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    return status == 0;
}

static bool run_once(const struct contender *contender, struct sample *ret_sample) {
    enter(contender->network_fd);
    bool result = run_within(contender, ret_sample);
    enter(contender->network_fd >= 0 ? bench.home_fd : -1);
    return result;
}

// The first line that the last run wrote, or our own remark on it.
static const char *complaint(void) {
    static char text[512];
    ssize_t length = pread(bench.stderr_fd, text, sizeof(text) - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

// All rounds.

static unsigned draw(unsigned below) {
    static uint32_t state = 2463534242u; // xorshift32, always from the same seed: a bench can be repeated
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

static void draw_order(size_t *ret_order) {
    for (size_t i = 0; i < bench.n_contenders; i++) {
        size_t j = draw((unsigned)i + 1);
        ret_order[i] = ret_order[j];
        ret_order[j] = i;
    }
}

static bool run_all(void) {
    size_t order[CONTENDERS_MAX];
    struct sample ignored;
    for (size_t i = 0; i < bench.n_contenders; i++) {
        struct contender *contender = &bench.contenders[i];
        contender->skipped = !run_once(contender, &ignored);
        if (contender->skipped) {
            printf("%s: left out: %s\n", contender->name, complaint());
        }
    }
    for (size_t round = 0; round < bench.warmups + bench.runs; round++) {
        draw_order(order);
        for (size_t i = 0; i < bench.n_contenders; i++) {
            struct contender *contender = &bench.contenders[order[i]];
            struct sample *sample = round < bench.warmups ? &ignored : &contender->samples[round - bench.warmups];
            if (!contender->skipped && !run_once(contender, sample)) {
                printf("%s: failed in round %zu: %s\n", contender->name, round + 1, complaint());
                return false;
            }
        }
    }
    return true;
}

// The table.

struct summary {
    double min_ms, median_ms, cpu_ms, peak_mb;
};

static int compare_wall(const void *left, const void *right) {
    const struct sample *a = left, *b = right;
    return (a->wall_ms > b->wall_ms) - (a->wall_ms < b->wall_ms);
}

static int compare_cpu(const void *left, const void *right) {
    const struct sample *a = left, *b = right;
    return (a->cpu_ms > b->cpu_ms) - (a->cpu_ms < b->cpu_ms);
}

static struct summary summarize(struct contender *contender) {
    struct summary summary = {0};
    size_t middle = bench.runs / 2;
    qsort(contender->samples, bench.runs, sizeof(struct sample), compare_cpu);
    summary.cpu_ms = contender->samples[middle].cpu_ms;
    qsort(contender->samples, bench.runs, sizeof(struct sample), compare_wall);
    summary.min_ms = contender->samples[0].wall_ms;
    summary.median_ms = contender->samples[middle].wall_ms;
    for (size_t i = 0; i < bench.runs; i++) {
        double peak_mb = (double)contender->samples[i].peak_kb / 1024;
        summary.peak_mb = peak_mb > summary.peak_mb ? peak_mb : summary.peak_mb;
    }
    return summary;
}

static size_t find(const char *name) {
    size_t i = 0;
    while (i < bench.n_contenders && (!name || bench.contenders[i].skipped || strcmp(bench.contenders[i].name, name) != 0)) {
        i++;
    }
    return i;
}

static void print_ratio(const struct summary *summary, const struct summary *other) {
    if (other) {
        printf("  %7.2f %7.2f", summary->min_ms / other->min_ms, summary->median_ms / other->median_ms);
    } else {
        printf("  %7s %7s", "-", "-");
    }
}

static void print_table(const struct summary *summaries) {
    size_t ours = find(bench.ours), floor = find(bench.floor);
    printf("\n%s: %zu runs each, interleaved\n", bench.title, bench.runs);
    printf("%-20s %9s %9s  %15s  %15s  %9s %9s\n", "", "min", "median", "times ours", "times floor", "CPU", "peak");
    printf("%-20s %9s %9s  %7s %7s  %7s %7s  %9s %9s\n", "", "ms", "ms", "min", "median", "min", "median", "ms", "MB");
    for (size_t i = 0; i < bench.n_contenders; i++) {
        if (bench.contenders[i].skipped) {
            continue;
        }
        printf("%-20s %9.2f %9.2f", bench.contenders[i].name, summaries[i].min_ms, summaries[i].median_ms);
        print_ratio(&summaries[i], ours < bench.n_contenders ? &summaries[ours] : NULL);
        print_ratio(&summaries[i], floor < bench.n_contenders ? &summaries[floor] : NULL);
        printf("  %9.2f %9.2f\n", summaries[i].cpu_ms, summaries[i].peak_mb);
    }
}

static void write_json(const struct summary *summaries) {
    FILE *file = fopen(bench.json, "we");
    if (!file) {
        die("cannot write", bench.json);
    }
    fprintf(file, "{\"title\": \"%s\", \"runs\": %zu, \"contenders\": [", bench.title, bench.runs);
    const char *separator = "\n";
    for (size_t i = 0; i < bench.n_contenders; i++) {
        const struct contender *contender = &bench.contenders[i];
        if (contender->skipped) {
            continue;
        }
        fprintf(file,
                "%s  {\"name\": \"%s\", \"min_ms\": %.4f, \"median_ms\": %.4f, \"cpu_ms\": %.4f, \"peak_mb\": %.3f, \"wall_ms\": [",
                separator, contender->name, summaries[i].min_ms, summaries[i].median_ms, summaries[i].cpu_ms, summaries[i].peak_mb);
        for (size_t run = 0; run < bench.runs; run++) {
            fprintf(file, "%s%.4f", run ? ", " : "", contender->samples[run].wall_ms);
        }
        fprintf(file, "]}");
        separator = ",\n";
    }
    fprintf(file, "\n]}\n");
    if (fclose(file) != 0) {
        die("cannot write", bench.json);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    errno = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    parse_arguments(argv);
    bench.home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bench.stderr_fd = memfd_create("stderr", MFD_CLOEXEC);
    if (bench.home_fd < 0 || bench.stderr_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
        die("cannot begin", bench.title);
    }
    if (!run_all()) {
        return 1;
    }
    struct summary summaries[CONTENDERS_MAX] = {0};
    for (size_t i = 0; i < bench.n_contenders; i++) {
        if (!bench.contenders[i].skipped) {
            summaries[i] = summarize(&bench.contenders[i]);
        }
    }
    print_table(summaries);
    if (bench.json) {
        write_json(summaries);
    }
    return 0;
}
