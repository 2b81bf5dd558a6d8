// Foreign text made fit for a message: names out of archives and documents may hold control characters that would move the cursor
// of the terminal they are printed on, and may be very long.
#ifndef COFFER_BASE_QUOTE_H
#define COFFER_BASE_QUOTE_H

#include <stddef.h>

enum { QUOTE_SIZE = 256 };

// The text in double quotes, with control characters, double quotes and backslashes as \xNN, and with "..." in place of the middle
// when it does not fit. Bytes above 0x7f stay: names are UTF-8. Returns room.
const char *quote_text(const char *text, char room[QUOTE_SIZE]);

// Bytes of the character at text that must not be shown as it is (controls, those that turn the direction of writing, and the double
// quotes and backslashes of quote_text()); 0: it may be.
size_t quote_hidden(const char *text);

#endif
