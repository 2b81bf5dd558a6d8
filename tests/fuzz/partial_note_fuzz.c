// The note in front of a partial file: what is taken is written again as it was.
#include "images/partial_note.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char note[PARTIAL_NOTE_SIZE + 1];
    uint64_t from;
    if (partial_note_parse((const char *)data, size, &from) == 0) {
        partial_note_format(from, note);
        if (size < PARTIAL_NOTE_SIZE || memcmp(note, data, PARTIAL_NOTE_SIZE) != 0) {
            abort();
        }
    }
    return 0;
}
