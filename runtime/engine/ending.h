// ending: why a container was killed, where the kernel has done it and nobody else: said in one sentence.
#ifndef COFFER_ENGINE_ENDING_H
#define COFFER_ENGINE_ENDING_H

enum { ENDING_TEXT_SIZE = 256 };

struct record;

// Of the end that the record tells of: "it was killed, as ...". "" where nothing is to be explained. Returns the text.
const char *ending_explain(const struct record *record, char text[ENDING_TEXT_SIZE]);

// The same in two or three words, for lists: "out of memory".
const char *ending_words(const struct record *record, char text[ENDING_TEXT_SIZE]);

#endif
