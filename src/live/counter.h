/* Counters: rate limits, quota, refill and use of one token (or of one
 * application's shared quota) in one 64-byte line of a file mapped shared
 * (design §3, hot-path §1.1, §2). Slot numbers come from the token table: one
 * number, all arrays.
 *
 * Threads: take, refund and read from any thread; all else from the control
 * thread. take and refund do not block: a contended line answers WAIT. */
#ifndef LIVE_COUNTER_H
#define LIVE_COUNTER_H

#include "model/policy.h"

struct counters;

struct counters_conf {
    const char *dir;       /* counters.map, columns.N.map, counters.N.log */
    bool durable;          /* false: no log (a power failure loses all) */
    uint32_t log_every_ms; /* what a power failure may cost; 0: 1,000 */
    /* At each checkpoint, on the log's thread, for slots touched since the
     * last one: so that a backup of the database alone restores quotas. */
    void (*on_checkpoint)(void *ctx, uint32_t slot, uint32_t tag,
                          int64_t used, uint32_t refills, uint32_t last_used_s);
    /* On the same thread, after each second's work: who has files of his own
     * beside the counters. */
    void (*on_second)(void *ctx);
    void *ctx;
};

int counters_open(struct counters **out, const struct counters_conf *conf,
                  char problem[256]);
void counters_close(struct counters **c); /* marks the file clean */
/* Node-clock high-water mark, persisted by the log's thread (clock.h). */
int64_t counters_high_water_ms(const struct counters *c);

/* --- slots (control thread) ---------------------------------------------- */
/* Grows the files by posix_fallocate: ERR_FULL is answered, never SIGBUS. */
int counters_reserve(struct counters *c, uint32_t slots);
/* Before a policy with so many limits is published: files for the second and
 * further ones. Without them a take with such terms answers FAULT. */
int counters_reserve_limits(struct counters *c, unsigned limits);
/* The same for terms.global. */
int counters_reserve_global(struct counters *c);
/* A line for a new owner: cleared, tagged. */
int counters_slot_init(struct counters *c, uint32_t slot, uint32_t tag);
/* The same from any thread; ERR_AGAIN: contended, nothing happened. */
int counters_slot_clear(struct counters *c, uint32_t slot, uint32_t tag);
/* From the store's row, when the file did not know the slot. Both need the
 * slot reserved; the log follows within a second. */
int counters_slot_restore(struct counters *c, uint32_t slot, uint32_t tag,
                          int64_t used, uint32_t refills);
bool counters_slot_has(const struct counters *c, uint32_t slot, uint32_t tag);

/* --- the step ------------------------------------------------------------- */
/* WAIT: another thread holds the line; ask again in the next turn. FAULT: the
 * line has another owner, or no such slot or column is reserved. */
enum take { TAKE_TAKEN, TAKE_REFUSED, TAKE_WAIT, TAKE_FAULT };

struct take_ask {
    uint32_t slot, tag;
    /* Another line that holds the quota (remainingScope: application), or
     * UINT32_MAX: the token's own. Both are locked, in slot order. */
    uint32_t quota_slot, quota_tag;
    struct terms terms;
    int64_t created_ms;  /* base of refill intervals of the quota's owner */
    int64_t now_ms;      /* clock_node_ms(), read fresh; a line's time does
                            not go back: an earlier one counts as its last */
    uint32_t cost;       /* 1-LIMIT_MAX */
    bool peek;           /* judge, take nothing */
};

enum { TAKE_BY_QUOTA = 255, TAKE_BY_NONE = 254 };

struct take_answer {
    uint8_t refused_by;        /* index of terms_limit(), or TAKE_BY_* */
    bool has_limit, has_quota;
    /* The limit nearest to refusing (the refusing one if refused): the most
     * that it admits at once (token_bucket: burst), what it would admit now,
     * whole seconds from now_ms until that has grown, and to the cost asked
     * (0: nothing is counted). */
    uint8_t nearest;
    uint32_t limit, remaining, reset_s;
    uint32_t retry_after_s;    /* 0: never (cost above the limit or quota,
                                  quota without refill), or not refused */
    int64_t quota_remaining;   /* >= 0 */
    uint32_t refund_shape;     /* give back to counters_refund */
};

enum take counters_take(struct counters *c, const struct take_ask *ask,
                        struct take_answer *out);
/* Quota only; nothing happens when the line has another owner by now, or the
 * quota was set, reset or refilled to nothing used since. */
void counters_refund(struct counters *c, const struct take_ask *ask,
                     const struct take_answer *taken);

/* --- by the API ------------------------------------------------------------ */
struct counter_state {
    int64_t used, quota_remaining;
    uint32_t refills;
    uint32_t last_used_s; /* last admitted request, node clock; 0: never */
    uint32_t passed, limited; /* since creation, mod 2^32 */
    struct { uint32_t limit, used, remaining, reset_s; }
        limits[POLICY_LIMITS_MAX];
    uint8_t limits_n;
    bool has_quota;
};
/* As of ask->now_ms; writes nothing. ERR_AGAIN: contended; ERR_NOTFOUND:
 * another owner's. */
int counters_read(struct counters *c, const struct take_ask *ask,
                  struct counter_state *out);
/* On disk (log synced) before the return. ERR_FULL: nothing was changed;
 * ERR_UNSURE: changed, but the disk did not say that it has it. Limits and
 * used to nothing: */
int counters_reset(struct counters *c, uint32_t slot, uint32_t tag);
/* Writes the refills that are due by ask->now_ms: before a top-up, which they
 * must not swallow. ERR_AGAIN: contended; ERR_NOTFOUND: another owner's. */
int counters_settle(struct counters *c, const struct take_ask *ask);
/* used -= n; may go negative (a top-up). */
int counters_add(struct counters *c, uint32_t slot, uint32_t tag, int64_t n);
int counters_set_used(struct counters *c, uint32_t slot, uint32_t tag,
                      int64_t used);

struct counters_stats {
    _Atomic uint64_t log_bytes, log_records, log_errors, checkpoints;
    _Atomic uint64_t log_lag_ms; /* age of the last sync that held all */
    _Atomic uint64_t adopted, contended;
};
struct counters_stats *counters_stats(struct counters *c);

#endif
