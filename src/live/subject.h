/* State by subject (design §3): who is counted without a record of his own.
 * A key of 128 bits leads to a counter line (live/counter.h), whatever kind of
 * subject it is made of: a JWT's subject, an address, a header's value.
 *
 *   subjects.map   header page | entries 32 bytes each | free_at 4 bytes each
 *   entry i        belongs to counter slot base + i
 *
 * A table of a fixed size, made when a plan first needs it. Who comes new
 * takes an empty place, else that of the one who is past all his windows with
 * an untouched quota and of those has been so for longest (among the 16 places
 * that his key may have); if there is none, the table is full for him.
 *
 * It lives in a mapped file beside the counters and outlives, as they do, a
 * killed process without loss and a power failure but for its last second.
 * The hash has a secret key kept in the file's header: names are not stored,
 * and nobody can aim at a place. */
#ifndef LIVE_SUBJECT_H
#define LIVE_SUBJECT_H

#include "live/counter.h"

struct subjects;
struct tokens;

enum subject_kind { SUBJECT_JWT = 1, SUBJECT_ADDRESS, SUBJECT_HEADER };
enum { SUBJECT_KEY_WORDS = 2, SUBJECTS_MIN = 1024, SUBJECTS_MAX = 1 << 24 };

struct subjects_conf {
    const char *dir;
    uint32_t max;            /* places of a table that is yet to be made */
    struct counters *counters;
    struct tokens *tokens;   /* gives the counter slots */
};

/* --- control thread ------------------------------------------------------------ */
/* Before the tokens are loaded, since it claims its slots: an existing table
 * is taken up, with its own size. Failing: `problem`. */
int subjects_open(struct subjects **out, const struct subjects_conf *conf,
                  char problem[256]);
void subjects_close(struct subjects **s);
/* Makes the table if there is none: before a plan is published that counts by
 * subject. ERR_FULL: disk, slots. */
int subjects_reserve(struct subjects *s);
/* Once a second, any one thread: what is new goes to the disk. */
void subjects_sync(struct subjects *s);

/* --- any thread ------------------------------------------------------------------ */
/* Of the parts, each of its own length. Works before the table is made. */
void subjects_key(const struct subjects *s, enum subject_kind kind,
                  const struct sv *parts, size_t n,
                  uint64_t key[SUBJECT_KEY_WORDS]);

/* Fetches towards the core what subjects_get and the take behind it read. */
void subjects_expect(const struct subjects *s,
                     const uint64_t key[SUBJECT_KEY_WORDS]);

struct subject {
    uint32_t slot, tag;      /* of its counter line */
    int64_t created_ms;      /* node clock: its first request */
};
/* WAIT: another core is at it. FULL: nobody can give way, or no table. */
enum subject_found { SUBJECT_FOUND, SUBJECT_WAIT, SUBJECT_FULL };
enum subject_found subjects_get(struct subjects *s,
                                const uint64_t key[SUBJECT_KEY_WORDS],
                                int64_t now_ms, struct subject *out);
/* After a take: until then (node clock, seconds) nobody gets its place. */
void subjects_keep(struct subjects *s, const struct subject *who,
                   uint32_t until_s);
/* When what was just taken will be as if it had never been: the longest
 * window is past, refills have made up for the quota. UINT32_MAX: never. */
uint32_t subject_free_s(const struct take_ask *ask,
                        const struct take_answer *taken);

struct subjects_stats {
    uint64_t places, used;   /* used: ever taken and not empty */
    uint64_t added, evicted, full;
};
void subjects_stats(const struct subjects *s, struct subjects_stats *out);

#endif
