// Put in front of every source by `make analyze`: an analyser that looks at one file at a time must be told that the makers of errors
// always return -1, or it follows every failure as if it were a success.
#include "runtime/base/err.h"

#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)
#define err_num(...) (err_num(__VA_ARGS__), -1)
#define err_in(...) (err_in(__VA_ARGS__), -1)
