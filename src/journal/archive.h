/* The incidents of one class on the disk: segments, newest last, the oldest
 * removed when there are too many bytes or they are too old. All functions
 * under the caller's lock.
 *
 *   DATA/events/NAME.00000017.seg
 *
 * What was handed to the kernel outlives a killed process; a power failure may
 * take what the kernel had not written yet (half a minute as a rule). */
#ifndef JOURNAL_ARCHIVE_H
#define JOURNAL_ARCHIVE_H

#include "base/buf.h"
#include "journal/segment.h"

struct archive;

struct archive_conf {
    const char *dir;     /* made by the first write; copied */
    const char *name;    /* of the class, static */
    uint64_t bytes_max;  /* of all files */
    int64_t age_ms;
};

/* Reads the headers of what is there; ERR_IO. */
int archive_open(struct archive **out, const struct archive_conf *conf);
void archive_close(struct archive **a);
/* The newest id, of which all later ones must be above; reads one file. */
struct ulid archive_last(struct archive *a);
/* Frames and keeps an encoded incident for the next write; writes when that is
 * large. Failures: below. */
void archive_append(struct archive *a, struct sv incident);
/* Writes what is kept. What cannot be written is dropped and counted. */
void archive_write(struct archive *a);
/* Removes what is too old or too much. */
void archive_expire(struct archive *a, int64_t wall_ms);

struct archive_stats {
    uint64_t bytes, segments;
    uint64_t told;    /* requests told one by one, on the disk */
    uint64_t summed;  /* requests told in sums, on the disk */
    uint64_t lost;    /* requests that could not be written */
};
void archive_stats(const struct archive *a, struct archive_stats *out);

/* --- reading ------------------------------------------------------------------ */
enum walk_state { WALK_HAS, WALK_END, WALK_SPENT };

struct archive_walk {
    /* asked */
    struct ulid account;
    bool newer;          /* rising ids above `bound`, else falling below it */
    struct ulid bound;
    int64_t min_ms, max_ms; /* of at_ms, both inclusive */
    size_t budget;       /* bytes to be read; may be passed by one segment */
    /* found */
    enum walk_state state;
    struct incident now; /* WALK_HAS; views into `memory` */
    struct ulid seen;    /* all up to here (inclusive) has been looked at */
    /* own */
    struct archive *archive;
    size_t segment, block; /* index + 1 of the next when falling */
    bool in_segment, graced; /* graced: one block beyond the budget */
    int fd;
    uint32_t records_n, record;
    uint32_t at[SEGMENT_BLOCK_MAX / (SEGMENT_FRAME + INCIDENT_MIN) + 1];
    char memory[SEGMENT_BLOCK_MAX];
};
/* `w` has its asked part; go to the first with archive_walk_next. */
void archive_walk_begin(struct archive *a, struct archive_walk *w);
enum walk_state archive_walk_next(struct archive_walk *w);
void archive_walk_end(struct archive_walk *w);

#endif
