/* What is known of an origin from the requests that went there: how many are
 * under way, whether it is ejected (passive health), whether probes found it
 * ill (active health), its circuit breaker. Shared by all reactors by atomics,
 * without locks; times are of the reactors' clock, given by the caller.
 *
 *   ejected:  fine ── failures in a row ──> ejected until t ── t ──> fine
 *                                           (each time twice as long)
 *   breaker:  CLOSED ── failures, ratio ──> OPEN until t
 *               ^                             │ t: first who asks
 *               └── probes did well ── HALF ──┘ one that fails: OPEN again
 *
 * Reports of requests that began before a state are counted for what they are
 * but change only the state that they find. */
#ifndef LIVE_ORIGIN_H
#define LIVE_ORIGIN_H

#include <stdatomic.h>

#include "model/upstream.h"

struct origin_state {
    _Alignas(64) _Atomic uint32_t pending; /* requests under way */
    _Atomic uint32_t failures;  /* in a row, as passive health counts */
    _Atomic uint64_t ejection;  /* until_ms 48 | times in a row 16 */
    _Atomic uint32_t tripping;  /* failures in a row, as the breaker counts */
    _Atomic uint32_t probed;    /* bit 31 ill | run of equal answers */
    _Atomic uint64_t breaker;   /* see origin.c */
    _Atomic uint64_t window;    /* number 24 | requests 20 | failures 20 */
    /* --- figures --- */
    _Alignas(64) _Atomic uint64_t ejections, opened, refused, probes,
        probe_failures;
    _Atomic uint64_t outcomes[ORIGIN_FINE]; /* failures by kind */
};

/* --- requests ------------------------------------------------------------------ */
enum breaker_answer { BREAKER_PASS, BREAKER_PROBE, BREAKER_REFUSED };
struct origin_pass {        /* what a request keeps of its admission */
    bool probe;
    uint8_t turn;           /* of the half-open time that it probes */
};
/* May a request go there? Takes a place if so: one of the three below must
 * follow. `r` NULL: no breaker. */
enum breaker_answer origin_admit(struct origin_state *s,
                                 const struct breaker_rules *r, uint64_t now_ms,
                                 struct origin_pass *out);
/* It was answered, or failed; it goes on to be under way (its body runs). */
void origin_report(struct origin_state *s, const struct passive_rules *passive,
                   const struct breaker_rules *breaker,
                   const struct origin_pass *pass, enum origin_outcome what,
                   uint64_t now_ms);
/* It ended without telling anything of the origin: the client left. */
void origin_unreported(struct origin_state *s, const struct origin_pass *pass);
/* It is no longer under way. */
void origin_leave(struct origin_state *s);

/* --- health ---------------------------------------------------------------------- */
/* A probe's answer: of the active check, of the health monitor. */
void origin_probed(struct origin_state *s, unsigned healthy, unsigned unhealthy,
                   bool good);
static inline bool origin_is_ill(const struct origin_state *s)
{
    return atomic_load_explicit(&s->probed, memory_order_relaxed) >> 31;
}
/* 0: not ejected. */
uint64_t origin_ejected_until(const struct origin_state *s, uint64_t now_ms);
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF };
enum breaker_state origin_breaker(const struct origin_state *s,
                                  uint64_t now_ms);
static inline uint32_t origin_pending(const struct origin_state *s)
{
    return atomic_load_explicit(&s->pending, memory_order_relaxed);
}

/* --- retries ----------------------------------------------------------------------
 * The budget of an application: retries may be a share of its requests of the
 * last ten seconds or so, and RETRIES_RESERVE beyond it, so that few requests
 * may be retried too. More would multiply an outage. */
enum { RETRIES_WINDOW_MS = 10000, RETRIES_RESERVE = 100 };
struct retry_budget {
    _Alignas(64) _Atomic uint64_t number; /* of the present window */
    _Atomic uint32_t requests[2], retries[2];
    _Atomic uint64_t made, refused;
};
void retry_request(struct retry_budget *b, uint64_t now_ms);
/* Takes one; false: it is spent. */
bool retry_take(struct retry_budget *b, unsigned percent, uint64_t now_ms);

#endif
