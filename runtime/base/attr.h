// Compiler attributes used everywhere: clean-up by scope, and results that must be looked at.
#ifndef COFFER_BASE_ATTR_H
#define COFFER_BASE_ATTR_H

// The result tells whether the call failed; dropping it is a compile error in CI.
#define MUST_CHECK __attribute__((warn_unused_result))

// Runs fn(&variable) when the variable leaves its scope.
#define AUTO(fn) __attribute__((cleanup(fn)))

#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof(*(array)))

#endif
