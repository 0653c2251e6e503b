/* Counters: rate limits, quota, refill and use of one token (or of one
 * application's shared quota) in one 64-byte line of a file mapped shared
 * (design §3, hot-path §1.1, §2). Slot numbers are handed out here for the
 * token table as well: one number, all arrays.
 *
 * Threads: take, refund and peek from any thread; slot_*, open and close from
 * the control thread. Nothing here blocks; a contended line answers WAIT. */
#ifndef LIVE_COUNTER_H
#define LIVE_COUNTER_H

#include "model/policy.h"

struct counters;

struct counters_conf {
    const char *dir;       /* counters.map, counters.log, columns.map in it */
    bool durable;          /* false: no log (tests of speed) */
    /* At each checkpoint, on the log's thread, for slots touched since the
     * last one: so that a backup of the database alone restores quotas. */
    void (*on_checkpoint)(void *ctx, uint32_t slot, uint32_t tag,
                          int64_t used, uint32_t refills, uint32_t last_used_s);
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
/* A line for a new owner: cleared, tagged. */
int counters_slot_init(struct counters *c, uint32_t slot, uint32_t tag);
/* From the store's row, when the file did not know the slot. */
int counters_slot_restore(struct counters *c, uint32_t slot, uint32_t tag,
                          int64_t used, uint32_t refills);
bool counters_slot_has(const struct counters *c, uint32_t slot, uint32_t tag);

/* --- the step ------------------------------------------------------------- */
enum take { TAKE_TAKEN, TAKE_REFUSED, TAKE_WAIT, TAKE_FAULT };

struct take_ask {
    uint32_t slot, tag;
    /* Another line that holds the quota (remainingScope: application), or
     * UINT32_MAX: the token's own. Both are locked, in slot order. */
    uint32_t quota_slot, quota_tag;
    struct terms terms;
    int64_t created_ms;  /* base of refill intervals of the quota's owner */
    int64_t now_ms;      /* clock_node_ms(), read fresh */
    uint32_t cost;
    bool peek;           /* judge, take nothing */
};

enum { TAKE_BY_QUOTA = 255, TAKE_BY_NONE = 254 };

struct take_answer {
    uint8_t refused_by;        /* index into terms.limits, or TAKE_BY_* */
    bool has_limit, has_quota;
    /* The limit nearest to refusing (the refusing one if refused). */
    uint8_t nearest;
    uint32_t limit, remaining, reset_s;
    uint32_t retry_after_s;    /* 0: never (quota without refill), or taken */
    int64_t quota_remaining;   /* >= 0 */
    uint32_t refund_shape;     /* give back to counters_refund */
};

enum take counters_take(struct counters *c, const struct take_ask *ask,
                        struct take_answer *out);
/* Quota only; nothing happens when the line has another owner by now. */
void counters_refund(struct counters *c, const struct take_ask *ask,
                     const struct take_answer *taken);

/* --- by the API; on disk (log synced) before the return ------------------ */
struct counter_state {
    int64_t used, quota_remaining;
    uint32_t refills, last_used_s, passed, limited;
    struct { uint32_t limit, used, remaining, reset_s; }
        limits[POLICY_LIMITS_MAX];
    uint8_t limits_n;
    bool has_quota;
};
int counters_read(struct counters *c, const struct take_ask *ask,
                  struct counter_state *out); /* ERR_AGAIN: contended */
int counters_reset(struct counters *c, uint32_t slot, uint32_t tag);
/* used -= n; may go negative (a top-up). */
int counters_add(struct counters *c, uint32_t slot, uint32_t tag, int64_t n);
int counters_set_used(struct counters *c, uint32_t slot, uint32_t tag,
                      int64_t used);

struct counters_stats {
    _Atomic uint64_t log_bytes, log_records, log_errors, checkpoints;
    _Atomic uint64_t log_lag_ms, adopted, contended;
};
struct counters_stats *counters_stats(struct counters *c);
/* A reactor that takes must call this once a turn: hands its list of lines
 * dirtied in this second to the log's thread without waiting. */
void counters_turn(struct counters *c, unsigned reactor_index);

#endif
