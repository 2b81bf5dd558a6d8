#include "cli/time_word.h"

#include "runtime/base/quantity.h"

#include <string.h>
#include <time.h>

int time_word_parse(const char *text, int64_t *ret_s) {
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    int64_t ms;
    if (text[strspn(text, "0123456789")] == '\0' && quantity_int(text, ret_s) == 0) {
        return 0;
    }
    if (quantity_duration_ms(text, &ms) == 0) {
        *ret_s = time(NULL) - ms / 1000;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);
        if (end && (*end == '\0' || strcmp(end, "Z") == 0)) {
            long east_s = parts.tm_gmtoff; // timegm sets it to 0
            *ret_s = timegm(&parts) - east_s;
            return 0;
        }
    }
    return -1;
}
