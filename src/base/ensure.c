/* Last words of a program that found itself broken. */
#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ensure_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "typeauth: broken promise: %s (%s:%d)\n", what, file, line);
    abort();
}
