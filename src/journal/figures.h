/* Analytics: what the requests of applications, accounts, tokens, owners and
 * tags came to, by minute, hour and day, on the disk (docs/analytics.md,
 * docs/decisions/0066).
 *
 *   reactor: a sample an exchange ─> ring of its lane     (full: counted)
 *   thread "figures", nice:
 *     rings ─> rows of the present minute, in memory
 *     minute over ─> its files ─> hour over ─> its files ─> the day's
 *     too old, too many ─> removed
 *   control thread: reads files, never what the thread has in memory
 *
 * A killed process loses at most what it had of the present minute. */
#ifndef JOURNAL_FIGURES_H
#define JOURNAL_FIGURES_H

#include "journal/figure.h"
#include "live/token.h"

struct figures;

enum { FIGURES_MINUTE, FIGURES_HOUR, FIGURES_DAY, FIGURES_LEVELS };
static const int64_t figures_span_s[FIGURES_LEVELS] = { 60, 3600, 86400 };

struct figures_conf {
    const char *dir;             /* made when needed; copied */
    unsigned lanes;
    const struct tokens *tokens; /* owners and tags of tokens; NULL: unknown */
    uint64_t bytes_max;          /* of all files; details go first */
    int64_t days;                /* hours and days are kept so long */
    int64_t (*wall_ms)(void);
};
void figures_new(struct figures **out, const struct figures_conf *conf);
void figures_free(struct figures **f); /* stopped; keeps what is counted */

/* --- reactors ------------------------------------------------------------- */
struct figure_sample {
    uint64_t app, account;       /* ulid_low of their ids */
    uint8_t token[16];           /* zeros: none */
    uint64_t bytes_in, bytes_out;
    uint32_t at_s, total_us;
    uint32_t token_slot, cost;
    uint32_t route;
    uint16_t status;
    char country[2];
    uint8_t outcome, door;
};
void figures_add(struct figures *f, unsigned lane,
                 const struct figure_sample *s);

/* --- the background ------------------------------------------------------- */
int figures_start(struct figures *f);
void figures_stop(struct figures *f); /* no reactor runs any more */
/* One round of it, where it does not run (tests). */
void figures_round(struct figures *f);

struct figures_stats {
    uint64_t dropped;            /* samples that found a full ring */
    uint64_t counted;            /* samples that are in files */
    uint64_t lost;               /* that could not be written */
    uint64_t bytes, files;       /* on the disk */
    uint64_t memory;             /* of rows, at the last minute's end */
    uint64_t damaged;            /* files or blocks passed over */
};
void figures_stats(const struct figures *f, struct figures_stats *out);

/* --- reading: one thread, beside the background --------------------------- */
struct figures_ask {
    int64_t from_s, to_s;        /* multiples of 60; from <= at < to */
    struct figure_key first;     /* all rows from here on … */
    unsigned words;              /* … that share so many words of it */
};
typedef void figures_fn(void *ctx, const struct figure_row *row);
/* Tells each row of the files that make up the time, the coarsest that fit.
 * False: some of it is not there any more, or damaged: what was told is too
 * little. */
bool figures_read(struct figures *f, const struct figures_ask *ask,
                  figures_fn *fn, void *ctx);
/* Up to when all minutes are in files. */
int64_t figures_until_s(const struct figures *f);

#endif
