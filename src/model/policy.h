/* Limits, quota and refill as the data plane reads them (api.md §4,
 * gateway.md §4). Immutable once built. */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include "base/sv.h"

enum {
    POLICY_LIMITS_MAX = 4,
    LIMIT_NAME_MAX = 50,
    LIMIT_MAX = 1000000,    /* a limit, a burst, a cost */
    WINDOW_MAX_S = 86400,
};

enum limit_algorithm { LIMIT_SLIDING, LIMIT_FIXED, LIMIT_TOKEN_BUCKET };
enum limit_scope { LIMIT_NODE, LIMIT_CLUSTER };

struct limit {
    uint32_t limit;    /* 1-LIMIT_MAX */
    uint32_t window_s; /* 1-WINDOW_MAX_S */
    uint32_t burst;    /* token_bucket only, <= LIMIT_MAX; 0 = limit */
    uint8_t algorithm, scope;
    char name[LIMIT_NAME_MAX + 1]; /* "" for the plain `ratelimit` */
};

struct refill {
    int64_t amount;      /* >= 1 */
    uint32_t interval_s; /* 1-WINDOW_MAX_S, or a week; 0 = monthly: same day
                            and time UTC, else the month's last day */
};

/* What one source (profile, or a token's own fields) says. A part whose
 * `has_` is false is not said; `has_` with n == 0 / unlimited says "none". */
struct policy {
    bool has_limits, has_quota, has_refill;
    uint8_t limits_n;
    bool quota_none, refill_none;
    struct limit limits[POLICY_LIMITS_MAX];
    int64_t quota;
    struct refill refill;
};

/* What holds: the token's own parts over the profile's (either may be NULL).
 * A refill without a quota makes its amount the quota (gateway.md §4). */
struct terms {
    const struct limit *limits;
    uint8_t limits_n;
    bool has_quota;
    int64_t quota;
    const struct refill *refill; /* NULL: none */
    const struct limit *global;  /* one more limit, behind the others: of the
                                    application's abuse profile; or NULL */
};
enum { TERMS_LIMITS_MAX = POLICY_LIMITS_MAX + 1 };
static inline unsigned terms_limits(const struct terms *t)
{
    return t->limits_n + (t->global != NULL);
}
static inline const struct limit *terms_limit(const struct terms *t, unsigned i)
{
    return i < t->limits_n ? &t->limits[i] : t->global;
}
static inline struct terms policy_terms(const struct policy *profile,
                                        const struct policy *own)
{
    struct terms t = { 0 };
    const struct policy *l = own && own->has_limits ? own : profile;
    const struct policy *q = own && own->has_quota ? own : profile;
    const struct policy *r = own && own->has_refill ? own : profile;
    if (l && l->has_limits) t.limits = l->limits, t.limits_n = l->limits_n;
    if (r && r->has_refill && !r->refill_none) t.refill = &r->refill;
    if (q && q->has_quota) {
        t.has_quota = !q->quota_none;
        t.quota = q->quota;
    } else if (t.refill) {
        t.has_quota = true;
        t.quota = t.refill->amount;
    }
    return t;
}

/* By meaning: a part that is not said does not matter. */
bool policy_equal(const struct policy *a, const struct policy *b);
uint64_t policy_hash(const struct policy *p);

/* How many refills have been due from `created_ms` until `now_ms`, both ends
 * included; 0 before the first. Saturates. */
uint32_t refill_count(const struct refill *r, int64_t created_ms,
                      int64_t now_ms);
/* When the n-th refill (1 = the first) is due. */
int64_t refill_at_ms(const struct refill *r, int64_t created_ms, uint32_t n);

#endif
