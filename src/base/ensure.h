/* A broken promise between our own functions stops the program, also in
 * release builds. Never for anything that came from outside. */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

_Noreturn void ensure_failed(const char *what, const char *file, int line);

#define ENSURE(cond) \
    (__builtin_expect(!!(cond), 1) ? (void)0 : \
        ensure_failed(#cond, __FILE__, __LINE__))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
