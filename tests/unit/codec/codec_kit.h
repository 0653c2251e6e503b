/* What the tests of codecs share. */
#ifndef TESTS_CODEC_KIT_H
#define TESTS_CODEC_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/sv.h"

#define TEST(f) cmocka_unit_test(f)

/* An exact copy on the heap, so that a sanitizer sees a read beyond it. */
static inline struct sv exact(struct sv s)
{
    char *p = malloc(s.n ? s.n : 1);
    if (s.n) memcpy(p, s.p, s.n);
    return sv_of(p, s.n);
}

static inline void exact_free(struct sv s)
{
    free((void *)(uintptr_t)s.p);
}

#endif
