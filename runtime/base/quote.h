// Foreign text made fit for a message: names out of archives and documents may hold control characters that would move the cursor
// of the terminal they are printed on, and may be very long.
#ifndef COFFER_BASE_QUOTE_H
#define COFFER_BASE_QUOTE_H

enum { QUOTE_SIZE = 256 };

// The text in double quotes, with control characters, double quotes and backslashes as \xNN, and with "..." in place of the middle
// when it does not fit. Bytes above 0x7f stay: names are UTF-8. Returns room.
const char *quote_text(const char *text, char room[QUOTE_SIZE]);

#endif
