#include "cli/commands/filter.h"

#include <string.h>

bool filter_has_choice(const char *choices, const char *value) {
    size_t length = strlen(value);
    for (; choices && *choices; choices = strchr(choices, ' ') + 1) {
        if (strncmp(choices, value, length) == 0 && choices[length] == ' ') {
            return true;
        }
    }
    return !choices;
}
