/* Numbers to text without printf: for the hot path. No terminating NUL. */
#ifndef BASE_FMT_H
#define BASE_FMT_H

#include <stddef.h>
#include <stdint.h>

enum { FMT_U64_MAX = 20 };

size_t fmt_u64(char *out, uint64_t v);            /* <= 20 bytes */
void fmt_hex(char *out, const void *bytes, size_t n); /* 2n bytes, lower case */

#endif
