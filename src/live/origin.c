/* The state machines of an origin: see origin.h. Each is one word, changed by
 * compare and exchange: who loses a race looks again at what the winner made.
 *
 *   breaker: state 2 | turn 8 | probes under way 7 | probes done 7 | until 40
 */
#include "live/origin.h"

enum { TIMES_MAX = 31, COUNT_MAX = (1 << 20) - 1 };

static uint64_t load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static bool swap(_Atomic uint64_t *p, uint64_t *was, uint64_t is)
{
    return atomic_compare_exchange_weak_explicit(
        p, was, is, memory_order_relaxed, memory_order_relaxed);
}

static void count(_Atomic uint64_t *p)
{
    atomic_fetch_add_explicit(p, 1, memory_order_relaxed);
}

/* A line that all reactors read is written only if it changes. */
static void clear(_Atomic uint32_t *p)
{
    if (atomic_load_explicit(p, memory_order_relaxed))
        atomic_store_explicit(p, 0, memory_order_relaxed);
}

static uint32_t add(_Atomic uint32_t *p)
{
    return atomic_fetch_add_explicit(p, 1, memory_order_relaxed) + 1;
}

/* --- passive health --------------------------------------------------------------- */

uint64_t origin_ejected_until(const struct origin_state *s, uint64_t now_ms)
{
    uint64_t until = load(&s->ejection) >> 16;
    return until > now_ms ? until : 0;
}

/* Who was back for as long as the longest ejection begins anew. */
static void eject(struct origin_state *s, const struct passive_rules *r,
                  uint64_t now_ms)
{
    uint64_t was = load(&s->ejection), is;
    do {
        uint64_t until = was >> 16, times = was & 0xffff;
        if (until > now_ms) return;
        if (now_ms - until > r->eject_max_ms) times = 0;
        uint64_t ms = (uint64_t)r->eject_ms << times;
        if (ms > r->eject_max_ms) ms = r->eject_max_ms;
        if (times < TIMES_MAX) times++;
        is = (now_ms + ms) << 16 | times;
    } while (!swap(&s->ejection, &was, is));
    count(&s->ejections);
    clear(&s->failures);
}

static void judge_passive(struct origin_state *s, const struct passive_rules *r,
                          bool failed, uint64_t now_ms)
{
    if (!failed)
        clear(&s->failures);
    else if (add(&s->failures) >= r->failures)
        eject(s, r, now_ms);
}

/* --- active health ------------------------------------------------------------------ */

/* One writer: who probes. */
void origin_probed(struct origin_state *s, unsigned healthy, unsigned unhealthy,
                   bool good)
{
    uint32_t was = atomic_load_explicit(&s->probed, memory_order_relaxed);
    bool ill = was >> 31;
    uint32_t run = was & 0xffff;
    run = good == ill ? run + 1 : 0; /* answers that would change it */
    if (run >= (ill ? healthy : unhealthy)) ill = !ill, run = 0;
    atomic_store_explicit(&s->probed, (uint32_t)ill << 31 | run,
                          memory_order_relaxed);
    count(&s->probes);
    if (!good) count(&s->probe_failures);
}

/* --- the breaker ---------------------------------------------------------------------- */

struct breaker {
    enum breaker_state state;
    uint8_t turn;
    unsigned probing, done;
    uint64_t until_ms;
};

static struct breaker unpack(uint64_t w)
{
    return (struct breaker){ .state = (enum breaker_state)(w >> 62),
                             .turn = (uint8_t)(w >> 54),
                             .probing = w >> 47 & 0x7f,
                             .done = w >> 40 & 0x7f,
                             .until_ms = w & 0xffffffffff };
}

static uint64_t pack(const struct breaker *b)
{
    return (uint64_t)b->state << 62 | (uint64_t)b->turn << 54 |
           (uint64_t)b->probing << 47 | (uint64_t)b->done << 40 |
           (b->until_ms & 0xffffffffff);
}

enum breaker_state origin_breaker(const struct origin_state *s, uint64_t now_ms)
{
    struct breaker b = unpack(load(&s->breaker));
    return b.state == BREAKER_OPEN && now_ms >= b.until_ms ? BREAKER_HALF
                                                           : b.state;
}

static enum breaker_answer breaker_ask(struct origin_state *s,
                                       const struct breaker_rules *r,
                                       uint64_t now_ms, struct origin_pass *out)
{
    uint64_t was = load(&s->breaker), is;
    do {
        struct breaker b = unpack(was);
        if (b.state == BREAKER_CLOSED) return BREAKER_PASS;
        if (b.state == BREAKER_OPEN) {
            if (now_ms < b.until_ms) return BREAKER_REFUSED;
            b = (struct breaker){ .state = BREAKER_HALF,
                                  .turn = (uint8_t)(b.turn + 1) };
        }
        if (b.probing + b.done >= r->probes) return BREAKER_REFUSED;
        b.probing++;
        *out = (struct origin_pass){ true, b.turn };
        is = pack(&b);
    } while (!swap(&s->breaker, &was, is));
    return BREAKER_PROBE;
}

static void breaker_open(struct origin_state *s, const struct breaker_rules *r,
                         enum breaker_state from, uint64_t now_ms)
{
    uint64_t was = load(&s->breaker), is;
    do {
        struct breaker b = unpack(was);
        if (b.state != from) return;
        b = (struct breaker){ .state = BREAKER_OPEN,
                              .turn = b.turn,
                              .until_ms = now_ms + r->open_ms };
        is = pack(&b);
    } while (!swap(&s->breaker, &was, is));
    count(&s->opened);
    clear(&s->tripping);
    atomic_store_explicit(&s->window, 0, memory_order_relaxed);
}

/* The probe is over; did_well: it counts towards closing. */
static void probe_over(struct origin_state *s, const struct breaker_rules *r,
                       const struct origin_pass *pass, bool did_well)
{
    uint64_t was = load(&s->breaker), is;
    do {
        struct breaker b = unpack(was);
        if (b.state != BREAKER_HALF || b.turn != pass->turn || !b.probing)
            return;
        b.probing--;
        if (did_well && ++b.done >= r->probes)
            b = (struct breaker){ .state = BREAKER_CLOSED, .turn = b.turn };
        is = pack(&b);
    } while (!swap(&s->breaker, &was, is));
    if (unpack(is).state == BREAKER_CLOSED)
        atomic_store_explicit(&s->window, 0, memory_order_relaxed);
}

/* Requests and failures of the present window; true: too many failed. */
static bool window_add(struct origin_state *s, const struct breaker_rules *r,
                       bool failed, uint64_t now_ms)
{
    uint64_t number = now_ms / r->window_ms & 0xffffff;
    uint64_t was = load(&s->window), all, bad;
    do {
        bool same = was >> 40 == number;
        all = same ? was >> 20 & COUNT_MAX : 0;
        bad = same ? was & COUNT_MAX : 0;
        if (all == COUNT_MAX) all /= 2, bad /= 2;
        all++;
        bad += failed;
    } while (!swap(&s->window, &was, number << 40 | all << 20 | bad));
    return failed && all >= r->least && bad * 100 >= all * r->ratio;
}

static void judge_breaker(struct origin_state *s, const struct breaker_rules *r,
                          const struct origin_pass *pass, bool failed,
                          uint64_t now_ms)
{
    bool trips = r->ratio && window_add(s, r, failed, now_ms);
    if (pass->probe) {
        bool of_now = unpack(load(&s->breaker)).turn == pass->turn;
        if (failed && of_now)
            breaker_open(s, r, BREAKER_HALF, now_ms);
        else if (!failed)
            probe_over(s, r, pass, true);
        return;
    }
    if (!failed)
        clear(&s->tripping);
    else if (r->failures)
        trips |= add(&s->tripping) >= r->failures;
    if (trips) breaker_open(s, r, BREAKER_CLOSED, now_ms);
}

/* --- requests --------------------------------------------------------------------------- */

enum breaker_answer origin_admit(struct origin_state *s,
                                 const struct breaker_rules *r, uint64_t now_ms,
                                 struct origin_pass *out)
{
    enum breaker_answer answer = BREAKER_PASS;
    *out = (struct origin_pass){ .probe = false };
    uint32_t pending =
        atomic_fetch_add_explicit(&s->pending, 1, memory_order_relaxed);
    if (r && r->pending_max && pending >= r->pending_max)
        answer = BREAKER_REFUSED;
    else if (r && (r->failures || r->ratio))
        answer = breaker_ask(s, r, now_ms, out);
    if (answer != BREAKER_REFUSED) return answer;
    origin_leave(s);
    count(&s->refused);
    return answer;
}

void origin_report(struct origin_state *s, const struct passive_rules *passive,
                   const struct breaker_rules *breaker,
                   const struct origin_pass *pass, enum origin_outcome what,
                   uint64_t now_ms)
{
    if (what < ORIGIN_FINE) count(&s->outcomes[what]);
    if (passive->failures)
        judge_passive(s, passive, outcome_in(passive->on, what), now_ms);
    if (breaker->failures || breaker->ratio)
        judge_breaker(s, breaker, pass, outcome_in(breaker->on, what), now_ms);
}

void origin_unreported(struct origin_state *s, const struct origin_pass *pass)
{
    static const struct breaker_rules none;
    if (pass->probe) probe_over(s, &none, pass, false);
}

void origin_leave(struct origin_state *s)
{
    atomic_fetch_sub_explicit(&s->pending, 1, memory_order_release);
}

/* --- retries ------------------------------------------------------------------------------ */

/* Two windows in turn. Who comes first into a new one clears it; a request
 * that is counted in the same moment may be lost to it: no harm. */
static unsigned roll(struct retry_budget *b, uint64_t now_ms)
{
    uint64_t number = now_ms / RETRIES_WINDOW_MS, was = load(&b->number);
    unsigned at = number & 1;
    if (was == number ||
        !atomic_compare_exchange_strong(&b->number, &was, number))
        return at;
    atomic_store_explicit(&b->requests[at], 0, memory_order_relaxed);
    atomic_store_explicit(&b->retries[at], 0, memory_order_relaxed);
    if (was + 1 == number) return at;
    atomic_store_explicit(&b->requests[!at], 0, memory_order_relaxed);
    atomic_store_explicit(&b->retries[!at], 0, memory_order_relaxed);
    return at;
}

void retry_request(struct retry_budget *b, uint64_t now_ms)
{
    add(&b->requests[roll(b, now_ms)]);
}

static uint64_t sum(const _Atomic uint32_t n[2])
{
    return (uint64_t)atomic_load_explicit(&n[0], memory_order_relaxed) +
           atomic_load_explicit(&n[1], memory_order_relaxed);
}

bool retry_take(struct retry_budget *b, unsigned percent, uint64_t now_ms)
{
    unsigned at = roll(b, now_ms);
    uint64_t most = RETRIES_RESERVE + sum(b->requests) * percent / 100;
    add(&b->retries[at]); /* first: of two at the edge at most one passes */
    if (sum(b->retries) <= most) {
        count(&b->made);
        return true;
    }
    atomic_fetch_sub_explicit(&b->retries[at], 1, memory_order_relaxed);
    count(&b->refused);
    return false;
}
