#include "runtime/kernel/seccomp_log.h"

#include "runtime/base/attr.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/syscalls.h"

#include <linux/audit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LOG_BYTES = 64 << 10, // of its end
    READ_ALL = 3,         // SYSLOG_ACTION_READ_ALL, syslog(2)
    ATTEMPTS = 10,
    WAIT_MS = 10,
};

#ifndef AUDIT_ARCH_RISCV64
#define AUDIT_ARCH_RISCV64 (243 | 0xc0000000)
#endif

static const struct {
    uint32_t arch;
    enum syscall_architecture column;
} architectures[] = {
    {AUDIT_ARCH_X86_64, SYSCALL_X86_64},   {AUDIT_ARCH_I386, SYSCALL_I386},       {AUDIT_ARCH_AARCH64, SYSCALL_AARCH64},
    {AUDIT_ARCH_ARM, SYSCALL_ARM},         {AUDIT_ARCH_RISCV64, SYSCALL_RISCV64}, {AUDIT_ARCH_PPC64LE, SYSCALL_PPC64LE},
    {AUDIT_ARCH_S390X, SYSCALL_S390X},     {AUDIT_ARCH_S390, SYSCALL_S390},
};

static void name_call(uint32_t arch, int number, char name[32]) {
    enum { X32_BIT = 0x40000000 };
    name[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(architectures); i++) {
        if (architectures[i].arch != arch) {
            continue;
        }
        bool x32 = arch == AUDIT_ARCH_X86_64 && (number & X32_BIT) != 0;
        enum syscall_architecture column = x32 ? SYSCALL_X32 : architectures[i].column;
        for (const struct syscall_row *row = syscall_rows; row->name[0]; row++) {
            if (row->numbers[column] >= 0 && row->numbers[column] == (x32 ? number & ~X32_BIT : number)) {
                snprintf(name, 32, "%s", row->name);
                return;
            }
        }
    }
}

// What stands behind " NAME=". A name in a record that the process has chosen holds no space: the kernel writes such a one in hexadecimal.
static const char *field(const char *line, const char *name) {
    const char *found = strstr(line, name);
    return found ? found + strlen(name) : NULL;
}

// "... audit: type=1326 audit(1795764546.265:47): ... pid=28282 comm="mkdir" exe="/bin/busybox" sig=31 arch=c000003e syscall=83 ..."
static bool read_record(const char *line, pid_t pid, int64_t since_s, struct seccomp_kill *ret) {
    const char *moment = field(line, "audit: type=1326 audit(");
    const char *process = moment ? field(moment, " pid=") : NULL;
    const char *signal_number = process ? field(process, " sig=") : NULL;
    const char *arch = signal_number ? field(signal_number, " arch=") : NULL;
    const char *call = arch ? field(arch, " syscall=") : NULL;
    if (!call || strtoll(moment, NULL, 10) < since_s || strtol(process, NULL, 10) != pid || strtol(signal_number, NULL, 10) != 31) {
        return false;
    }
    ret->number = (int)strtol(call, NULL, 10);
    name_call((uint32_t)strtoul(arch, NULL, 16), ret->number, ret->name);
    return true;
}

bool seccomp_log_parse(const char *text, pid_t pid, int64_t since_s, struct seccomp_kill *ret) {
    AUTO_FREE char *copy = mem_copy_string(text);
    char *rest = copy;
    bool found = false;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        found = read_record(line, pid, since_s, ret) || found;
    }
    return found;
}

bool seccomp_log_find(pid_t pid, int64_t since_s, struct seccomp_kill *ret) {
    AUTO_FREE char *text = mem_alloc(LOG_BYTES + 1);
    for (int i = 0; i < ATTEMPTS; i++) {
        long size = syscall(SYS_syslog, READ_ALL, text, LOG_BYTES);
        if (size < 0) {
            return false;
        }
        text[size] = '\0';
        if (seccomp_log_parse(text, pid, since_s, ret)) {
            return true;
        }
        poll(NULL, 0, WAIT_MS);
    }
    return false;
}
