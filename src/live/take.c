/* The step: all limits, the refill and the quota of one request, taken
 * together or not at all (gateway.md §4, hot-path §2.2).
 *
 * A step works on copies and writes only when everything passes, so a refusal
 * leaves the rings alone. Writing back, killed between any two stores, leaves
 * the line counting at least what was answered:
 *
 *   last (time)              time never goes back
 *   each limit: clear, head, add    what is cleared has left by that time
 *   refills, refill code     a refill may be lost, never doubled
 *   used                     one store: quota last
 *   passed, unlock
 */
#include "base/ensure.h"
#include "base/err.h"
#include "live/counter_int.h"

enum {                               /* `refills` counts intervals of … */
       CODE_TRUSTED = 0,             /* as restored: go on from there */
       CODE_WEEK = WINDOW_MAX_S + 1, /* smaller: that many seconds */
       CODE_MONTH,
       CODE_NONE,
       CODE_OTHER,
};

struct quota {
    int64_t used;
    uint32_t refills, code, generation;
};

struct step {
    struct counters *c;
    const struct take_ask *ask;
    struct counter *line, *qline; /* qline == line: the token's own quota */
    uint32_t word, qword;         /* lock words as held */
    struct gauge_now t;
    struct gauge gauge[TERMS_LIMITS_MAX];
    uint32_t room[TERMS_LIMITS_MAX]; /* what each limit admits now */
    struct quota quota;
};

/* --- reading ----------------------------------------------------------------- */
static uint64_t last_word(int64_t ms, uint32_t code, uint32_t generation)
{
    return (uint64_t)ms << LAST_MS_SHIFT | (uint64_t)code << LAST_CODE_SHIFT |
           (generation & LAST_GENERATION_MASK);
}

static int64_t last_ms(uint64_t word)
{
    return (int64_t)(word >> LAST_MS_SHIFT);
}

static bool in_line(const struct step *s, unsigned i)
{
    return i == 0 && s->ask->terms.limits_n;
}

/* Of a limit that is not in the line. */
static struct column *column_of(const struct step *s, unsigned i)
{
    unsigned k = i < s->ask->terms.limits_n ? i - 1 : COLUMN_GLOBAL;
    struct column *at =
        atomic_load_explicit(&s->c->columns[k], memory_order_acquire);
    return at ? at + s->ask->slot : NULL;
}

/* The limit's state, brought to now; empty when it is of another window or
 * algorithm. */
static void gauge_read(struct step *s, unsigned i)
{
    enum { LONG_AGO_MS = INT32_MIN };
    const struct limit *l = terms_limit(&s->ask->terms, i);
    const struct column *col = in_line(s, i) ? NULL : column_of(s, i);
    const _Atomic uint64_t *lane = col ? col->lane : s->line->lane;
    uint32_t shape = col ? LOAD(col->shape) : line_shape(s->word);
    struct gauge *g = &s->gauge[i];
    struct gauge_now t = s->t;
    if (shape == limit_shape(l)) {
        g->head = LOAD(*(col ? &col->head : &s->line->head));
        for (int k = 0; k < GAUGE_WORDS; k++) g->lane[k] = LOAD(lane[k]);
    } else {
        *g = (struct gauge){ .head = 0 };
        t.last_ms = LONG_AGO_MS;
    }
    limit_ops[l->algorithm].turn(g, l, t);
    s->room[i] = limit_ops[l->algorithm].room(g, l);
}

static uint32_t refill_code(const struct refill *r)
{
    enum { WEEK_S = 604800 };
    if (!r) return CODE_NONE;
    if (r->interval_s == 0) return CODE_MONTH;
    if (r->interval_s <= WINDOW_MAX_S) return r->interval_s;
    return r->interval_s == WEEK_S ? CODE_WEEK : CODE_OTHER;
}

/* used - n * amount of a positive used, not below 0. */
static bool quota_refill(struct quota *q, uint32_t n, int64_t amount)
{
    int64_t all;
    if (q->used <= 0) return false;
    if (__builtin_mul_overflow((int64_t)n, amount, &all) || all >= q->used) {
        q->used = 0;
        return true;
    }
    q->used -= all;
    return false;
}

/* A refill that is due is added before the quota is judged. A changed interval
 * counts from now: what the old one gave stays given. */
static struct quota quota_turn(const struct step *s, uint64_t last)
{
    const struct refill *r = s->ask->terms.refill;
    struct quota q = { .used = LOAD(s->qline->used),
                       .refills = LOAD(s->qline->refills),
                       .code = last >> LAST_CODE_SHIFT & LAST_CODE_MASK,
                       .generation = last & LAST_GENERATION_MASK };
    uint32_t code = refill_code(r);
    if (r) {
        uint32_t due = refill_count(r, s->ask->created_ms, s->t.now_ms);
        bool goes_on = q.code == code || q.code == CODE_TRUSTED;
        if (goes_on && due > q.refills &&
            quota_refill(&q, due - q.refills, r->amount))
            q.generation++;
        q.refills = due;
    }
    q.code = code;
    return q;
}

static int64_t quota_left(const struct step *s)
{
    int64_t left;
    if (__builtin_sub_overflow(s->ask->terms.quota, s->quota.used, &left))
        return INT64_MAX;
    return left > 0 ? left : 0;
}

/* --- locking ------------------------------------------------------------------- */
/* Two lines are locked in slot order, so that no two steps wait for each
 * other. */
static bool step_lock(struct step *s, unsigned spins)
{
    const struct take_ask *a = s->ask;
    s->qword = 0;
    if (s->qline == s->line) return line_lock(s->c, s->line, spins, &s->word);
    bool own_first = a->slot < a->quota_slot;
    struct counter *first = own_first ? s->line : s->qline;
    struct counter *second = own_first ? s->qline : s->line;
    uint32_t *first_word = own_first ? &s->word : &s->qword;
    uint32_t *second_word = own_first ? &s->qword : &s->word;
    if (!line_lock(s->c, first, spins, first_word)) return false;
    if (line_lock(s->c, second, spins, second_word)) return true;
    line_unlock(first, *first_word);
    return false;
}

static void step_unlock(struct step *s)
{
    if (s->qline != s->line) line_unlock(s->qline, s->qword);
    line_unlock(s->line, s->word);
}

static bool slot_known(const struct counters *c, uint32_t slot)
{
    return slot < atomic_load_explicit(&c->slots, memory_order_acquire);
}

/* False: FAULT: no such slot, or a column that nobody reserved. */
static bool step_init(struct step *s, struct counters *c,
                      const struct take_ask *ask)
{
    s->c = c;
    s->ask = ask;
    if (!slot_known(c, ask->slot)) return false;
    s->line = s->qline = &c->lines[ask->slot];
    if (ask->quota_slot != UINT32_MAX && ask->quota_slot != ask->slot) {
        if (!slot_known(c, ask->quota_slot)) return false;
        s->qline = &c->lines[ask->quota_slot];
    }
    ENSURE(ask->terms.limits_n <= POLICY_LIMITS_MAX);
    ENSURE(ask->cost - 1 < LIMIT_MAX);
    for (unsigned i = 0; i < terms_limits(&ask->terms); i++) {
        const struct limit *l = terms_limit(&ask->terms, i);
        ENSURE(l->limit - 1 < LIMIT_MAX && l->burst <= LIMIT_MAX &&
               l->window_s - 1 < WINDOW_MAX_S &&
               l->algorithm <= LIMIT_TOKEN_BUCKET);
        if (in_line(s, i)) continue;
        struct column *col = column_of(s, i);
        if (!col) return false;
        __builtin_prefetch(col, 1);
    }
    return true;
}

/* Under the locks: everything brought to now, on copies. False: the line has
 * another owner. */
static bool step_read(struct step *s)
{
    const struct take_ask *a = s->ask;
    if (LOAD(s->line->tag) != a->tag) return false;
    if (s->qline != s->line && LOAD(s->qline->tag) != a->quota_tag)
        return false;
    uint64_t last = LOAD(s->line->last), quota_last = last;
    s->t.last_ms = s->t.now_ms = last_ms(last);
    if (s->qline != s->line) {
        quota_last = LOAD(s->qline->last);
        if (s->t.now_ms < last_ms(quota_last))
            s->t.now_ms = last_ms(quota_last);
    }
    if (s->t.now_ms < a->now_ms) s->t.now_ms = a->now_ms;
    for (unsigned i = 0; i < terms_limits(&a->terms); i++) gauge_read(s, i);
    if (a->terms.has_quota) s->quota = quota_turn(s, quota_last);
    return true;
}

/* --- writing ------------------------------------------------------------------- */
static void lanes_write(_Atomic uint64_t lane[GAUGE_WORDS],
                        const struct gauge *g)
{
    for (int k = GAUGE_WORDS - 1; k >= 0; k--)
        if (LOAD(lane[k]) != g->lane[k]) STORE(lane[k], g->lane[k]);
}

static void line_gauge_write(struct step *s, const struct limit *l,
                             struct gauge *g)
{
    uint32_t shape = limit_shape(l);
    lanes_write(s->line->lane, g);
    if (line_shape(s->word) != shape) {
        s->word = (s->word & (((uint32_t)1 << LINE_SHAPE_SHIFT) - 1)) |
                  shape << LINE_SHAPE_SHIFT;
        STORE(s->line->lock, s->word);
    }
    STORE(s->line->head, g->head);
    limit_ops[l->algorithm].add(g, s->ask->cost);
    lanes_write(s->line->lane, g);
}

static void column_gauge_write(struct step *s, unsigned i,
                               const struct limit *l, struct gauge *g)
{
    struct column *col = column_of(s, i);
    lanes_write(col->lane, g);
    STORE(col->shape, limit_shape(l));
    STORE(col->head, g->head);
    limit_ops[l->algorithm].add(g, s->ask->cost);
    lanes_write(col->lane, g);
}

static void quota_write(struct step *s, int64_t last, uint32_t cost)
{
    struct counter *l = s->qline;
    if (LOAD(l->refills) != s->quota.refills)
        STORE(l->refills, s->quota.refills);
    STORE(l->last, last_word(last, s->quota.code, s->quota.generation));
    s->quota.used += cost;
    STORE(l->used, s->quota.used);
}

static void time_write(struct counter *l, int64_t now_ms)
{
    uint64_t below = ((uint64_t)1 << LAST_MS_SHIFT) - 1;
    STORE(l->last, (uint64_t)now_ms << LAST_MS_SHIFT | (LOAD(l->last) & below));
}

static void step_write(struct step *s)
{
    const struct terms *terms = &s->ask->terms;
    time_write(s->line, s->t.now_ms);
    if (s->qline != s->line) {
        time_write(s->qline, s->t.now_ms);
        s->qword = line_list(s->c, s->ask->quota_slot, s->qword);
    }
    s->t.last_ms = s->t.now_ms;
    for (unsigned i = 0; i < terms_limits(terms); i++) {
        const struct limit *l = terms_limit(terms, i);
        if (in_line(s, i))
            line_gauge_write(s, l, &s->gauge[0]);
        else
            column_gauge_write(s, i, l, &s->gauge[i]);
        s->room[i] -= s->ask->cost; /* exact: what is left is room */
    }
    if (terms->has_quota) quota_write(s, s->t.now_ms, s->ask->cost);
    STORE(s->line->passed, LOAD(s->line->passed) + 1);
    s->word = line_list(s->c, s->ask->slot, s->word);
}

/* --- judging -------------------------------------------------------------------- */
static uint8_t step_judge(const struct step *s)
{
    const struct terms *terms = &s->ask->terms;
    for (unsigned i = 0; i < terms_limits(terms); i++)
        if (s->room[i] < s->ask->cost) return (uint8_t)i;
    if (!terms->has_quota) return TAKE_BY_NONE;
    int64_t after;
    if (__builtin_add_overflow(s->quota.used, (int64_t)s->ask->cost, &after) ||
        after > terms->quota)
        return TAKE_BY_QUOTA;
    return TAKE_BY_NONE;
}

/* Seconds from the caller's now, which a clock that went back may put before
 * the line's. */
static struct limit_told limit_answer(const struct step *s, unsigned i)
{
    const struct limit_asked asked = { s->ask->now_ms, s->ask->cost,
                                       s->room[i] };
    return limit_tell(terms_limit(&s->ask->terms, i), &s->gauge[i], s->t,
                      &asked);
}

/* 0: no refill will ever be enough. */
static uint32_t quota_retry_s(const struct step *s)
{
    const struct terms *terms = &s->ask->terms;
    const struct refill *r = terms->refill;
    int64_t cost = s->ask->cost, over;
    if (!r || r->amount < 1 || cost > terms->quota) return 0;
    if (__builtin_sub_overflow(s->quota.used, terms->quota - cost, &over) ||
        over < 1)
        return 0;
    int64_t n = (over - 1) / r->amount + 1;
    if (n > UINT32_MAX - (int64_t)s->quota.refills) return UINT32_MAX;
    return whole_s(
        refill_at_ms(r, s->ask->created_ms, s->quota.refills + (uint32_t)n) -
        s->ask->now_ms);
}

static void step_answer(const struct step *s, uint8_t refused_by,
                        struct take_answer *out)
{
    const struct terms *terms = &s->ask->terms;
    const unsigned n = terms_limits(terms);
    *out = (struct take_answer){ .refused_by = refused_by,
                                 .has_limit = n > 0,
                                 .has_quota = terms->has_quota };
    if (refused_by < n) {
        out->nearest = refused_by;
    } else {
        for (unsigned i = 1; i < n; i++)
            if (s->room[i] < s->room[out->nearest]) out->nearest = (uint8_t)i;
    }
    if (out->has_limit) {
        struct limit_told told = limit_answer(s, out->nearest);
        out->limit = told.limit;
        out->remaining = told.remaining;
        out->reset_s = told.reset_s;
    }
    if (out->has_quota) {
        out->quota_remaining = quota_left(s);
        out->refund_shape = s->quota.generation & LAST_GENERATION_MASK;
    }
    if (refused_by == TAKE_BY_QUOTA)
        out->retry_after_s = quota_retry_s(s);
    else if (refused_by < n && s->ask->cost <= out->limit)
        out->retry_after_s = out->reset_s;
}

/* --- the contract --------------------------------------------------------------- */
enum take counters_take(struct counters *c, const struct take_ask *ask,
                        struct take_answer *out)
{
    struct step s;
    if (!step_init(&s, c, ask)) return TAKE_FAULT;
    if (!step_lock(&s, SPINS_TAKE)) return TAKE_WAIT;
    if (!step_read(&s)) {
        step_unlock(&s);
        return TAKE_FAULT;
    }
    uint8_t refused_by = step_judge(&s);
    if (!ask->peek && refused_by == TAKE_BY_NONE) {
        step_write(&s);
    } else if (!ask->peek) {
        STORE(s.line->limited, LOAD(s.line->limited) + 1);
        s.word = line_list(c, ask->slot, s.word);
    }
    step_unlock(&s);
    step_answer(&s, refused_by, out);
    return refused_by == TAKE_BY_NONE ? TAKE_TAKEN : TAKE_REFUSED;
}

void counters_refund(struct counters *c, const struct take_ask *ask,
                     const struct take_answer *taken)
{
    bool shared = ask->quota_slot != UINT32_MAX;
    uint32_t slot = shared ? ask->quota_slot : ask->slot, word;
    uint32_t tag = shared ? ask->quota_tag : ask->tag;
    if (!taken->has_quota || ask->peek || !slot_known(c, slot)) return;
    struct counter *l = &c->lines[slot];
    if (!line_lock(c, l, SPINS_PATIENT, &word)) return;
    if (LOAD(l->tag) == tag &&
        (LOAD(l->last) & LAST_GENERATION_MASK) == taken->refund_shape) {
        STORE(l->used, LOAD(l->used) - ask->cost);
        word = line_list(c, slot, word);
    }
    line_unlock(l, word);
}

int counters_settle(struct counters *c, const struct take_ask *ask)
{
    struct step s;
    if (!step_init(&s, c, ask)) return ERR_NOTFOUND;
    if (!step_lock(&s, SPINS_PATIENT)) return ERR_AGAIN;
    bool ours = step_read(&s);
    if (ours && ask->terms.has_quota)
        quota_write(&s, last_ms(LOAD(s.qline->last)), 0);
    step_unlock(&s);
    return ours ? 0 : ERR_NOTFOUND;
}

int counters_read(struct counters *c, const struct take_ask *ask,
                  struct counter_state *out)
{
    struct step s;
    if (!step_init(&s, c, ask)) return ERR_NOTFOUND;
    if (!step_lock(&s, SPINS_PATIENT)) return ERR_AGAIN;
    bool ours = step_read(&s);
    step_unlock(&s);
    if (!ours) return ERR_NOTFOUND;
    *out = (struct counter_state){
        .used = ask->terms.has_quota ? s.quota.used : LOAD(s.qline->used),
        .refills = LOAD(s.qline->refills),
        .last_used_s = (uint32_t)(s.t.last_ms / 1000),
        .passed = LOAD(s.line->passed),
        .limited = LOAD(s.line->limited),
        .limits_n = ask->terms.limits_n,
        .has_quota = ask->terms.has_quota,
    };
    if (out->has_quota) out->quota_remaining = quota_left(&s);
    for (unsigned i = 0; i < out->limits_n; i++) {
        struct limit_told told = limit_answer(&s, i);
        out->limits[i].limit = told.limit;
        out->limits[i].remaining = told.remaining;
        out->limits[i].reset_s = told.reset_s;
        out->limits[i].used = told.limit - told.remaining;
    }
    return 0;
}
