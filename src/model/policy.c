/* What two policies have in common, and the calendar of refills. */
#include "model/policy.h"

#include "base/clock.h"

static bool limit_equal(const struct limit *a, const struct limit *b)
{
    return a->limit == b->limit && a->window_s == b->window_s &&
           a->burst == b->burst && a->algorithm == b->algorithm &&
           a->scope == b->scope && strcmp(a->name, b->name) == 0;
}

static bool limits_equal(const struct policy *a, const struct policy *b)
{
    if (a->limits_n != b->limits_n) return false;
    for (unsigned i = 0; i < a->limits_n; i++)
        if (!limit_equal(&a->limits[i], &b->limits[i])) return false;
    return true;
}

bool policy_equal(const struct policy *a, const struct policy *b)
{
    if (a->has_limits != b->has_limits || a->has_quota != b->has_quota ||
        a->has_refill != b->has_refill)
        return false;
    if (a->has_limits && !limits_equal(a, b)) return false;
    if (a->has_quota && (a->quota_none != b->quota_none ||
                         (!a->quota_none && a->quota != b->quota)))
        return false;
    return !a->has_refill ||
           (a->refill_none == b->refill_none &&
            (a->refill_none || (a->refill.amount == b->refill.amount &&
                                a->refill.interval_s == b->refill.interval_s)));
}

/* The writer's tables only, of values that an account's own editor chooses:
 * a plain mixer is enough. */
static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

uint64_t policy_hash(const struct policy *p)
{
    uint64_t h = mix(1, p->has_limits | p->has_quota << 1 | p->has_refill << 2);
    for (unsigned i = 0; p->has_limits && i < p->limits_n; i++) {
        const struct limit *l = &p->limits[i];
        h = mix(h, (uint64_t)l->limit << 32 | l->window_s);
        h = mix(h, (uint64_t)l->burst << 16 | l->algorithm << 8 | l->scope);
        for (const char *c = l->name; *c; c++) h = mix(h, (unsigned char)*c);
    }
    if (p->has_quota)
        h = mix(h, p->quota_none ? UINT64_MAX : (uint64_t)p->quota);
    if (p->has_refill && !p->refill_none)
        h = mix(mix(h, (uint64_t)p->refill.amount), p->refill.interval_s);
    return mix(h, p->has_limits ? p->limits_n : 0);
}

static int64_t month_later(int64_t from_ms, uint32_t months)
{
    struct civil c = civil_from_ms(from_ms);
    int64_t month = (int64_t)c.year * 12 + c.month - 1 + months;
    c.year = (int)(month / 12);
    c.month = (int)(month % 12) + 1;
    int last = civil_days_in_month(c.year, c.month);
    if (c.day > last) c.day = last;
    return civil_to_ms(c);
}

int64_t refill_at_ms(const struct refill *r, int64_t created_ms, uint32_t n)
{
    enum { CENTURIES = 12 * 10000 }; /* far beyond any clock of ours */
    if (r->interval_s) return created_ms + (int64_t)r->interval_s * 1000 * n;
    return month_later(created_ms, n < CENTURIES ? n : CENTURIES);
}

uint32_t refill_count(const struct refill *r, int64_t created_ms,
                      int64_t now_ms)
{
    if (now_ms <= created_ms) return 0;
    if (r->interval_s) {
        int64_t n = (now_ms - created_ms) / ((int64_t)r->interval_s * 1000);
        return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    }
    struct civil from = civil_from_ms(created_ms), to = civil_from_ms(now_ms);
    int months = (to.year - from.year) * 12 + to.month - from.month;
    if (months > 0 && month_later(created_ms, (uint32_t)months) > now_ms)
        months--;
    return (uint32_t)months;
}
