#include "runtime/engine/ending.h"

#include "runtime/engine/record.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

static const char *explain_memory(const struct record *record, char text[ENDING_TEXT_SIZE]) {
    const char *who = record->exit_signal == SIGKILL ? "it" : "a process in it";
    if (record->memory_limit_bytes > 0) {
        snprintf(text, ENDING_TEXT_SIZE, "%s was killed, as its memory limit of %" PRId64 " bytes was reached (--memory)", who,
                 record->memory_limit_bytes);
    } else {
        snprintf(text, ENDING_TEXT_SIZE, "%s was killed for its memory, though not by a limit of its own: the host, or a group above it, had none left",
                 who);
    }
    return text;
}

const char *ending_explain(const struct record *record, char text[ENDING_TEXT_SIZE]) {
    text[0] = '\0';
    if (record->out_of_memory) {
        return explain_memory(record, text);
    }
    if (record->exit_signal != SIGSYS) {
        return text;
    }
    if (record->system_call < 0) {
        snprintf(text, ENDING_TEXT_SIZE, "it was killed by its system call filter; for which call is in the kernel's audit log, where one is kept");
    } else {
        const char *name = record->system_call_name;
        snprintf(text, ENDING_TEXT_SIZE, "it was killed by its system call filter, for system call %s%snumber %d (--security-opt seccomp)",
                 name ? name : "", name && *name ? ", " : "", record->system_call);
    }
    return text;
}

const char *ending_words(const struct record *record, char text[ENDING_TEXT_SIZE]) {
    text[0] = '\0';
    if (record->out_of_memory) {
        snprintf(text, ENDING_TEXT_SIZE, "out of memory");
    } else if (record->exit_signal == SIGSYS && record->system_call_name && *record->system_call_name) {
        snprintf(text, ENDING_TEXT_SIZE, "system call %s denied", record->system_call_name);
    } else if (record->exit_signal == SIGSYS) {
        snprintf(text, ENDING_TEXT_SIZE, "system call denied");
    }
    return text;
}
