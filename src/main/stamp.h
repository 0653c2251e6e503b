/* What changes when a file is renamed over: to see it without reading it. */
#ifndef MAIN_STAMP_H
#define MAIN_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

struct stamp { /* all zeros: not there */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* Brings *s to now; true: it is another than before. */
bool stamp_look(struct stamp *s, const char *path);
static inline bool stamp_is_there(const struct stamp *s)
{
    return s->inode != 0;
}

#endif
