#include "journal/log_trail.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* False: it is not the file of before. */
static bool is_known(const struct log_trail *t, const struct stat *st)
{
    return t->dev == st->st_dev && t->ino == st->st_ino &&
           t->started <= st->st_size;
}

void log_trail_follow(struct log_trail *t, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return;
    if (!is_known(t, &st)) {
        *t = (struct log_trail){ st.st_dev, st.st_ino, st.st_size, st.st_size };
        return;
    }
    /* what was started a step ago is on the disk by now, or stays */
    int64_t end = t->started - LOG_TRAIL_KEPT;
    if (end - t->dropped >= LOG_TRAIL_STEP) {
        posix_fadvise(fd, t->dropped, end - t->dropped, POSIX_FADV_DONTNEED);
        t->dropped = end;
    }
    if (st.st_size - t->started < LOG_TRAIL_STEP) return;
    sync_file_range(fd, t->started, st.st_size - t->started,
                    SYNC_FILE_RANGE_WRITE);
    t->started = st.st_size;
}
