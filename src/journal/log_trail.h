/* A log is written once and read, if at all, soon. What was written is brought
 * to the disk as it comes, not half a minute's worth at once by the kernel, and
 * all but the last LOG_TRAIL_KEPT bytes leave the page cache: they would push
 * out what others need, and each new page costs more than filling it (decision
 * 0078). One thread, which may wait for the disk. */
#ifndef JOURNAL_LOG_TRAIL_H
#define JOURNAL_LOG_TRAIL_H

#include <stdint.h>
#include <sys/types.h>

enum { LOG_TRAIL_KEPT = 16 << 20, LOG_TRAIL_STEP = 1 << 20 };

struct log_trail { /* zero it */
    dev_t dev;
    ino_t ino;                 /* of the file that the rest is of */
    int64_t started, dropped;  /* bytes: on their way to the disk, gone */
};
/* Now and then. Anything but a file, and a file that was put in the place of
 * another or cut short: nothing of what is there already is touched. */
void log_trail_follow(struct log_trail *t, int fd);

#endif
