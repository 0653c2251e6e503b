/* 1,024 sets of four; a new address takes the place of the one whose window
 * began longest ago. The set is chosen by a keyed hash. */
#include "admin/auth_limit.h"

#include "base/hash.h"
#include "base/mem.h"

enum { SETS = 1024, WAYS = 4 };

struct entry {
    struct ip ip;
    int64_t began_ms; /* 0: empty */
    uint32_t failures;
};
struct auth_limit {
    struct entry at[SETS][WAYS];
};

struct auth_limit *auth_limit_new(void)
{
    return NEW(struct auth_limit);
}

void auth_limit_free(struct auth_limit **t)
{
    mem_free(*t);
    *t = NULL;
}

static struct entry *entry_of(struct auth_limit *t, const struct ip *ip)
{
    struct entry *set = t->at[hash_sv(sv_of(ip->b, sizeof ip->b)) % SETS];
    struct entry *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].began_ms && ip_eq(&set[i].ip, ip)) return &set[i];
        if (set[i].began_ms < oldest->began_ms) oldest = &set[i];
    }
    *oldest = (struct entry){ .ip = *ip };
    return oldest;
}

unsigned auth_limit_fail(struct auth_limit *t, const struct ip *ip,
                         int64_t now_ms)
{
    struct ip key = *ip;
    if (!ip_is_v4(&key)) memset(key.b + 8, 0, 8);
    struct entry *e = entry_of(t, &key);
    int64_t end_ms = e->began_ms + AUTH_WINDOW_S * 1000;
    if (!e->began_ms || now_ms >= end_ms || now_ms < e->began_ms) {
        e->began_ms = now_ms;
        e->failures = 0;
        end_ms = now_ms + AUTH_WINDOW_S * 1000;
    }
    if (++e->failures <= AUTH_FAILURES_MAX) return 0;
    return (unsigned)((end_ms - now_ms + 999) / 1000);
}
