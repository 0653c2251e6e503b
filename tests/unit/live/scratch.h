/* A folder of a test's own, removed with all that is in it; in memory where
 * there is such a place, so that thousands of syncs cost nothing. */
#ifndef TESTS_LIVE_SCRATCH_H
#define TESTS_LIVE_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct scratch {
    char path[200];
};

static inline void scratch_make(struct scratch *s)
{
    snprintf(s->path, sizeof s->path, "/dev/shm/typeauth-live-XXXXXX");
    if (mkdtemp(s->path)) return;
    snprintf(s->path, sizeof s->path, "/tmp/typeauth-live-XXXXXX");
    if (!mkdtemp(s->path)) abort();
}

static inline void scratch_empty(const struct scratch *s)
{
    DIR *d = opendir(s->path);
    char path[512];
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", s->path, e->d_name);
        unlink(path);
    }
    closedir(d);
}

static inline void scratch_remove(const struct scratch *s)
{
    scratch_empty(s);
    rmdir(s->path);
}

#endif
