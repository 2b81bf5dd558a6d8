// "did you mean": the nearest of many names to one that nobody knows. Allocates nothing; names that are too long are no match.
//
//     struct suggest suggest = {.given = "memroy"};
//     suggest_offer(&suggest, "memory"); ...      // one call a known name
//     if (suggest.best) ...
#ifndef COFFER_CLI_SUGGEST_H
#define COFFER_CLI_SUGGEST_H

enum {
    SUGGEST_SIZE = 48,        // longer names are not compared
    SUGGEST_MAX_DISTANCE = 2, // and never more than half of the name's letters
};

struct suggest {
    const char *given;
    const char *best; // borrowed from suggest_offer; NULL while nothing is near
    int distance;     // of best
};

void suggest_offer(struct suggest *suggest, const char *name);

// Letters to insert, delete, change, or swap with their neighbour to make one of the other (optimal string alignment, which is
// Damerau's and Levenshtein's distance without a second edit of the swapped pair).
int suggest_distance(const char *one, const char *other);

#endif
