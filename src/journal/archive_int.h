/* The archive's insides, for archive*.c only. */
#ifndef JOURNAL_ARCHIVE_INT_H
#define JOURNAL_ARCHIVE_INT_H

#include "journal/archive.h"

struct archive {
    struct archive_conf conf;
    uint32_t segment_bytes;
    struct segment *segments; /* rising */
    size_t n, cap;
    int fd;                   /* of the last, which is written to; or -1 */
    bool failing;
    struct buf pending;       /* incidents, each behind room for its frame */
    uint64_t told, summed, lost;
};

/* Read-only; -1 when it is gone. */
int archive_segment_fd(const struct archive *a, const struct segment *s);

#endif
