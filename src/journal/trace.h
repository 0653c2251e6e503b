/* The trace of a decision: which checks a request met, what each said and how
 * long it took. Kept for what was refused and for a sample of the rest, the
 * newest of all accounts in a fixed piece of memory; a restart forgets them.
 *
 *   reactor: event with a trace ─> ring of its lane ─┐  (full: counted)
 *                                  traces_take ──────┴─> keep: the newest N
 *   readers: one by its request id; all from a number on (an exporter)
 *
 * Reactors never wait; readers hold a lock that only readers and the
 * background take. */
#ifndef JOURNAL_TRACE_H
#define JOURNAL_TRACE_H

#include "base/sv.h"
#include "codec/trace_context.h"
#include "codec/ulid.h"

struct journal;

enum {
    TRACE_STEPS_MAX = 32,
    TRACE_CODE_MAX = 48,
    TRACE_REQUEST_ID_MAX = 128,
    TRACE_METHOD_MAX = 16,
};

enum trace_verdict { TRACE_PASS, TRACE_DENY, TRACE_ANSWER,
                     TRACE_FAULT, /* could not judge; onFault let it pass */
                     TRACE_VERDICTS };
extern const struct sv trace_verdict_names[TRACE_VERDICTS];

struct trace_step {
    const char *name;            /* static: "credential" */
    uint32_t ns;                 /* on the reactor, waiting not included */
    uint8_t verdict;
};

struct trace {
    uint64_t number;             /* 1, 2 …: by the keep, in its order */
    int64_t at_ms;               /* wall clock, the request's beginning */
    struct ulid account, application, token;
    bool has_token;
    bool sampled;                /* of the rest, not refused */
    uint8_t door, outcome;       /* as in struct event */
    uint16_t status;
    uint8_t request_id_n, code_n, steps_n, method_n;
    /* W3C trace context, when spans are exported (else zeros): span_id is that
     * of the exchange, context.span_id of its parent, if it has one */
    bool has_parent;
    struct trace_context context;
    uint8_t span_id[SPAN_ID_BYTES];
    char method[TRACE_METHOD_MAX];
    uint32_t total_us;           /* first request byte to last answer byte */
    uint32_t origin_us;          /* to the origin's head; 0: not asked */
    char request_id[TRACE_REQUEST_ID_MAX];
    char code[TRACE_CODE_MAX];
    struct trace_step steps[TRACE_STEPS_MAX]; /* in the order of the chain;
                                    there is memory for steps_n */
};

/* What an event brings. Borrowed for the call. */
struct trace_run {
    struct sv account_id;        /* "acc_…" */
    bool sampled;
    uint8_t steps_n;
    const struct trace_step *steps;
    const struct trace_context *context; /* NULL: no spans are exported */
    const uint8_t *span_id;
    bool has_parent;
};

/* The id of the span that asks the origin: what the origin is told. */
static inline void trace_origin_span(const uint8_t span_id[SPAN_ID_BYTES],
                                     uint8_t out[SPAN_ID_BYTES])
{
    memcpy(out, span_id, SPAN_ID_BYTES);
    out[SPAN_ID_BYTES - 1] ^= 1;
}

/* --- any thread but a reactor's ------------------------------------------- */
typedef void trace_fn(void *ctx, const struct trace *t);
/* From the reactors into the keep: whoever reads does so first, the journal's
 * background now and then. */
void traces_take(struct journal *j);
/* The newest of that request id, if it is the account's: false if not. */
bool traces_find(struct journal *j, const struct ulid *account,
                 struct sv request_id, struct trace *out);
/* All whose number is above `after`, oldest first, at most `max`, under the
 * lock: fn copies what it needs. Returns how many; a number that leaps says
 * that the reader was too slow for the keep. */
unsigned traces_after(struct journal *j, uint64_t after, unsigned max,
                      trace_fn *fn, void *ctx);
struct traces_stats {
    uint64_t kept;               /* ever */
    uint64_t dropped;            /* by full rings */
};
void traces_stats(const struct journal *j, struct traces_stats *out);

#endif
