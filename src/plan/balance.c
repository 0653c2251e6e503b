/* The choice of an origin: see balance.h. */
#include "plan/balance.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/rand.h"
#include "plan/plan_int.h"

/* --- the three ways ------------------------------------------------------------------ */

/* Those by header alone have the weight 0, and share evenly when asked for. */
static uint64_t weight_of(const struct balance_line *l, unsigned i)
{
    return l->weights[i] ? l->weights[i] : 1;
}

#define EACH(i, l)                                                          \
    for (uint32_t left_ = (l)->among; left_; left_ &= left_ - 1)            \
        for (unsigned i = (unsigned)__builtin_ctz(left_), once_ = 1; once_; \
             once_ = 0)

unsigned balance_by_weight(const struct balance_line *l, uint64_t turn)
{
    uint64_t all = 0;
    EACH(i, l) all += weight_of(l, i);
    /* 2^64 / golden ratio; the high 48 bits are the fraction, and all weights
     * have 15 */
    uint64_t fraction = turn * 0x9e3779b97f4a7c15u >> 16;
    uint64_t at = fraction * all >> 48;
    EACH(i, l)
    {
        if (at < weight_of(l, i)) return i;
        at -= weight_of(l, i);
    }
    return (unsigned)__builtin_ctz(l->among);
}

/* The least (pending + 1) / weight; of equal ones by weight in turn. */
unsigned balance_by_load(const struct balance_line *l, const uint32_t *pending,
                         uint64_t turn)
{
    struct balance_line best = { l->weights, l->n, 0 };
    uint64_t load = 0, weight = 1;
    EACH(i, l)
    {
        uint64_t mine = pending[i] + 1u, w = weight_of(l, i);
        if (best.among && mine * weight > load * w) continue;
        if (!best.among || mine * weight < load * w) best.among = 0;
        best.among |= 1u << i;
        load = mine;
        weight = w;
    }
    return balance_by_weight(&best, turn);
}

static uint64_t mix(uint64_t seed, uint64_t key)
{
    struct rand_fast r = { seed ^ key };
    rand_fast_next(&r);
    r.s ^= key * 0xff51afd7ed558ccdu;
    return rand_fast_next(&r);
}

unsigned balance_by_key(const struct balance_line *l, const uint64_t *seeds,
                        uint64_t key)
{
    unsigned best = (unsigned)__builtin_ctz(l->among);
    double highest = -1;
    EACH(i, l)
    {
        double u = ((double)(mix(seeds[i], key) >> 11) + 0.5) * 0x1p-53;
        double score = (double)weight_of(l, i) / -log(u);
        if (score <= highest) continue;
        highest = score;
        best = i;
    }
    return best;
}

/* The same in each process: keys stay where they are after a restart. */
static const uint64_t key_of_keys[2] = { 0x7479706561757468u,
                                         0x62616c616e636572u };

uint64_t balance_key(struct sv who)
{
    return hash_sv_keyed(who, key_of_keys);
}

/* --- who may be chosen ----------------------------------------------------------------- */

static bool has_header(const struct http_head *h,
                       const struct upstream_origin *o)
{
    unsigned next = 0;
    const struct http_field *f;
    if (!o->header.n) return false;
    while ((f = http_head_find_text(h, o->header, &next)))
        if (!o->value.p || sv_eq(f->value, o->value)) return true;
    return false;
}

static uint32_t asked_for(const struct plan_balance *b,
                          const struct http_head *h)
{
    uint32_t found = 0;
    if (!b->headers) return 0;
    for (unsigned i = 0; i < b->n; i++)
        if (has_header(h, &b->rules->origins[i])) found |= 1u << i;
    return found;
}

static unsigned ends_first(uint32_t of, const uint64_t *until, unsigned n)
{
    uint64_t least = UINT64_MAX;
    unsigned first = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!(of >> i & 1) || until[i] >= least) continue;
        least = until[i];
        first = i;
    }
    return first;
}

/* Ejected ones, but no more than may be: those whose time ends first stay. */
static uint32_t ejected(const struct plan_balance *b, uint64_t now_ms)
{
    uint64_t until[UPSTREAM_ORIGINS_MAX] = { 0 };
    uint32_t out = 0;
    unsigned n = 0, most = b->n * b->rules->passive.ejected_max / 100;
    if (!b->rules->passive.failures) return 0;
    for (unsigned i = 0; i < b->n; i++) {
        until[i] = origin_ejected_until(b->states[i], now_ms);
        if (until[i]) out |= 1u << i, n++;
    }
    for (; n > most; n--) out &= ~(1u << ends_first(out, until, b->n));
    return out;
}

static uint32_t ill(const struct plan_balance *b)
{
    uint32_t out = 0;
    if (!b->rules->probe.path.n && !b->monitored) return 0;
    for (unsigned i = 0; i < b->n; i++)
        if (origin_is_ill(b->states[i])) out |= 1u << i;
    return out;
}

/* `of` without `not`, if anything is left of it. */
static uint32_t rather(uint32_t of, uint32_t not )
{
    return of & ~not ? of & ~not : of;
}

/* When all are out, all are in: an ill origin may serve, none cannot. */
static uint32_t candidates(const struct plan_balance *b,
                           const struct balance_ask *ask)
{
    uint32_t out = ejected(b, ask->now_ms) | ill(b);
    uint32_t asked = asked_for(b, ask->head);
    if (asked & ~out & ~ask->tried) return asked & ~out & ~ask->tried;
    return rather(rather(b->weighted, ask->tried), out);
}

static unsigned choose(const struct plan_balance *b, uint32_t among,
                       const struct balance_ask *ask)
{
    uint16_t weights[UPSTREAM_ORIGINS_MAX];
    uint32_t pending[UPSTREAM_ORIGINS_MAX];
    const struct balance_line line = { weights, b->n, among };
    if (!(among & (among - 1))) return (unsigned)__builtin_ctz(among);
    EACH(i, &line) weights[i] = b->rules->origins[i].weight;
    switch (b->rules->balancing) {
    case BALANCE_HASH: return balance_by_key(&line, b->seeds, ask->key);
    case BALANCE_LEAST:
        EACH(i, &line) pending[i] = origin_pending(b->states[i]);
        return balance_by_load(&line, pending, ask->turn);
    case BALANCE_WEIGHTED: break;
    }
    return balance_by_weight(&line, ask->turn);
}

int balance_take(const struct plan_balance *b, const struct balance_ask *ask,
                 struct origin_pass *pass)
{
    uint32_t among = candidates(b, ask);
    uint32_t others = b->weighted & ~among & ~ask->tried;
    while (among) {
        unsigned i = choose(b, among, ask);
        if (origin_admit(b->states[i], &b->rules->breaker, ask->now_ms, pass) !=
            BREAKER_REFUSED)
            return (int)i;
        among &= ~(1u << i);
        if (!among) among = others, others = 0;
    }
    return -1;
}

/* --- building ---------------------------------------------------------------------------- */

static const struct upstream plain = { .origins = NULL };

/* Several origins, no probes by rules of their own, and a monitor that asks
 * each of them. */
static bool is_monitored(const struct plan_app *a, const struct upstream *u)
{
    const struct monitor *m = a->app.monitor;
    if (!m->enabled || m->maintenance || u->n < 2 || u->probe.path.n)
        return false;
    for (unsigned i = 0; i < m->n; i++)
        if (monitor_is_path(m->endpoints[i].url)) return true;
    return false;
}

static bool routes_retry(const struct plan_app *a)
{
    return a->routes && a->routes_retry;
}

/* originHostname alone, or the list. */
static int origins_build(struct plan *p, struct plan_app *a,
                         struct plan_balance *b)
{
    const struct upstream *u = b->rules;
    for (unsigned i = 0; i < b->n; i++) {
        struct plan_origin *o = &b->origins[i];
        const struct upstream_origin *said = u->n ? &u->origins[i] : NULL;
        *o = said ? (struct plan_origin){ .at = said->at,
                                          .tls_verify = said->at.tls }
                  : a->origin;
        o->id = UINT32_MAX;
        if (said && plan_origin_name(o, &a->arena)) return ERR_NOMEM;
        plan_origin_hold(p, o);
        b->places[i] = (struct origin_place){
            .at = &o->at,
            .probe = &u->probe,
            .verify = o->tls_verify,
            .monitored = b->monitored ? a->app.id : SV(""),
        };
        b->states[i] = origin_hold(p->states, &b->places[i]);
        b->seeds[i] = balance_key(o->host_header) + o->at.tls +
                      balance_key(o->at.base) * 3;
        if (!said || said->weight) b->weighted |= 1u << i;
        if (said) b->headers |= said->header.n > 0;
    }
    return 0;
}

int plan_balance_build(struct plan *p, struct plan_app *a)
{
    const struct upstream *u = a->app.upstream;
    if (!u && !routes_retry(a)) return 0;
    struct plan_balance *b = ARENA_NEW(&a->arena, struct plan_balance);
    if (!b) return ERR_NOMEM;
    b->rules = u ? u : &plain;
    b->n = b->rules->n ? b->rules->n : a->app.has_origin;
    b->origins = ARENA_ARRAY(&a->arena, struct plan_origin, b->n + 1);
    b->states = ARENA_ARRAY(&a->arena, struct origin_state *, b->n + 1);
    b->seeds = ARENA_ARRAY(&a->arena, uint64_t, b->n + 1);
    b->places = ARENA_ARRAY(&a->arena, struct origin_place, b->n + 1);
    if (!b->origins || !b->states || !b->seeds || !b->places) return ERR_NOMEM;
    b->monitored = is_monitored(a, b->rules);
    for (unsigned i = 0; i < b->n; i++) b->origins[i].id = UINT32_MAX;
    a->balance = b;
    atomic_fetch_add(&p->balanced, 1);
    b->retries = b->rules->retry.attempts > 0 || routes_retry(a);
    if (b->retries) b->budget = retry_hold(p->states, a->app.id);
    return origins_build(p, a, b);
}

void plan_balance_drop(struct plan *p, struct plan_app *a)
{
    const struct plan_balance *b = a->balance;
    if (b) atomic_fetch_sub(&p->balanced, 1);
    for (unsigned i = 0; b && i < b->n; i++) {
        if (b->origins[i].id != UINT32_MAX)
            origins_drop(p->origins, b->origins[i].id);
        if (b->states[i]) origin_drop(p->states, b->states[i]);
    }
    if (b && b->budget) retry_drop(p->states, b->budget);
}
