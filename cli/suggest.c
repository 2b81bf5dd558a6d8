#include "cli/suggest.h"

#include <stdbool.h>
#include <string.h>

static int least(int a, int b) {
    return a < b ? a : b;
}

int suggest_distance(const char *one, const char *other) {
    int rows = (int)strlen(one), columns = (int)strlen(other);
    if (rows >= SUGGEST_SIZE || columns >= SUGGEST_SIZE) {
        return SUGGEST_SIZE;
    }
    // Three lines of the usual matrix are enough: a swap looks two lines back.
    int lines[3][SUGGEST_SIZE];
    for (int j = 0; j <= columns; j++) {
        lines[0][j] = j;
    }
    for (int i = 1; i <= rows; i++) {
        int *line = lines[i % 3], *above = lines[(i + 2) % 3], *two_above = lines[(i + 1) % 3];
        line[0] = i;
        for (int j = 1; j <= columns; j++) {
            line[j] = least(above[j - 1] + (one[i - 1] != other[j - 1]), least(above[j], line[j - 1]) + 1);
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1]) {
                line[j] = least(line[j], two_above[j - 2] + 1);
            }
        }
    }
    return lines[rows % 3][columns];
}

void suggest_offer(struct suggest *suggest, const char *name) {
    int distance = suggest_distance(suggest->given, name);
    int length = (int)strlen(name);
    // The beginning of a name is near too, but a slip of the finger is nearer.
    size_t given = strlen(suggest->given);
    bool begins = given >= 3 && strncmp(name, suggest->given, given) == 0;
    if (distance > SUGGEST_MAX_DISTANCE && begins) {
        distance = SUGGEST_MAX_DISTANCE;
    }
    bool near = distance <= SUGGEST_MAX_DISTANCE && distance * 2 <= length && (begins || (size_t)distance * 2 <= given);
    if (near && (!suggest->best || distance < suggest->distance)) {
        suggest->best = name;
        suggest->distance = distance;
    }
}
