// What a partial file begins with: where in the blob the bytes behind it belong. Written by the fetcher, which knows, and read
// again as what it is, a stranger's word: a note that lies leads to another digest, and that to all of the blob anew.
#ifndef COFFER_IMAGES_PARTIAL_NOTE_H
#define COFFER_IMAGES_PARTIAL_NOTE_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum { PARTIAL_NOTE_SIZE = 34 };

// "coffer partial 1 00000000003d0900\n", and a NUL.
void partial_note_format(uint64_t from, char note[PARTIAL_NOTE_SIZE + 1]);

// -1: these bytes do not begin with a note.
int partial_note_parse(const char *bytes, size_t size, uint64_t *ret_from) MUST_CHECK;

#endif
