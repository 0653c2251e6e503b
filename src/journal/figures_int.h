/* The insides of figures.c, figures_files.c, figures_roll.c and
 * figures_query.c. */
#ifndef JOURNAL_FIGURES_INT_H
#define JOURNAL_FIGURES_INT_H

#include <pthread.h>

#include "base/epoch.h"
#include "journal/figure_merge.h"
#include "journal/figures.h"
#include "journal/ring.h"

enum { FIGURES_PATH_MAX = 4096, FIGURES_NAME_MAX = 48 };

/* The files of one minute, hour or day: NAME.general, NAME.detail. */
struct figures_entry {
    int64_t start_s;
    uint64_t general, detail;    /* bytes; 0: there is none */
    bool dropped;                /* the detail was: for want of room, or into
                                    the day's */
    bool hourly;                 /* a day's detail: it is by its hours */
};
struct figures_list { /* rising start_s */
    struct figures_entry *at;
    uint32_t n, cap;
};

struct figures {
    struct figures_conf conf;
    char *dir;
    struct figures_lane {
        _Alignas(64) struct ring ring;
        _Atomic uint64_t dropped;
    } *lanes;
    /* --- the thread's --- */
    pthread_t thread;
    bool started, stop;
    pthread_mutex_t sleep_lock;
    pthread_cond_t wake;
    struct epoch_reader epoch;
    int64_t minute;              /* present, since 1970; 0: none yet */
    uint64_t table_n, parts_n;   /* samples of it: in memory, written out */
    uint64_t taken;              /* out of rings, ever */
    unsigned parts;              /* of it that were written out */
    bool failing;                /* the last write did; it was told */
    int64_t rolled;              /* minute after which files were looked at */
    bool in_merge;               /* rings are emptied, no minute is closed */
    struct figure_table facts, kinds, rows;
    _Atomic uint64_t counted, lost, memory, damaged;
    _Atomic int64_t until_s;
    /* --- the files: under the lock --- */
    /* Taken before the other: held for a whole question, and while a file is
     * replaced, emptied or removed, its entry with it. A question finds what it
     * chose. Nothing that waits for the disk is done under it. */
    pthread_mutex_t reading;
    pthread_mutex_t files_lock;
    struct figures_list lists[FIGURES_LEVELS];
    uint64_t bytes;
};

/* figures.c: empties the rings; called in the course of long work too. */
void figures_drain(struct figures *f);
/* What came of a write, and how many requests are missing for it: counted each
 * time, in the log once, until one is good again. */
void figures_tell(struct figures *f, int err, uint64_t lost);
/* figures_files.c */
void figures_scan(struct figures *f); /* what is on the disk */
/* "DIR/m-1764331200.general"; part 0: the file itself. */
void figures_path(const struct figures *f, int level, int64_t start_s,
                  unsigned part, const char *kind, char out[FIGURES_PATH_MAX]);
/* Merges what it names into the files of its level and start. */
struct figures_job {
    int level;
    int64_t start_s;
    unsigned part;               /* not 0: a part of the present minute */
    bool facts, rows;            /* the tables */
    bool parts;                  /* of the present minute, which go */
    bool itself;                 /* and what is there already */
    bool below;                  /* all of the level below in its span */
    bool whole;                  /* of a day: not by its hours */
};
int figures_write(struct figures *f, const struct figures_job *job);
/* What an hour is of its day. */
static inline uint8_t figures_piece(int64_t start_s)
{
    return (uint8_t)(1 + start_s % 86400 / 3600);
}
struct figures_entry *figures_find(struct figures *f, int level,
                                   int64_t start_s);
/* The first that does not begin before start_s. */
uint32_t figures_place(const struct figures_list *l, int64_t start_s);
/* In place of what is known of that start; takes the lock. */
void figures_entry_set(struct figures *f, int level,
                       const struct figures_entry *is);
extern const char *const figures_kinds[2]; /* of file names: general, detail */
/* figures_roll.c: hours and days that are over; then what is too old or too
 * much goes. */
void figures_roll(struct figures *f, int64_t now_s);

#endif
