/* A folder of a test's own, removed at its end. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"

static inline int scratch_remove_one(const char *path, const struct stat *st,
                                     int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}
static inline void scratch_remove(const char *dir)
{
    nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
/* The name of a folder that is not there yet, in one that is. */
static inline const char *scratch_make(char out[64])
{
    static char events[96];
    strcpy(out, "/tmp/typeauth-unit-XXXXXX");
    ENSURE(mkdtemp(out));
    snprintf(events, sizeof events, "%s/events", out);
    return events;
}

#endif
