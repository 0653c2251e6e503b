/* The states of origins, so that they outlive a change of configuration: one
 * for each place and way of probing it, whoever names it, for as long as an
 * image names it or a request is under way. Beside them the retry budgets, one
 * an application. The prober takes its work from here.
 *
 *   control: hold ─> state ─> plan          reach: due ─> GET ─> origin_probed
 *
 * Any thread, under a short lock; states themselves are read without it. */
#ifndef LIVE_ORIGIN_TABLE_H
#define LIVE_ORIGIN_TABLE_H

#include "live/origin.h"

struct origin_table;

void origin_table_new(struct origin_table **out);
void origin_table_free(struct origin_table **t);
/* There is something to probe from now on. Any thread; short. */
void origin_table_on_due(struct origin_table *t, void (*wake)(void *ctx),
                         void *ctx);

struct origin_place {
    const struct origin_address *at;
    const struct probe_rules *probe; /* path "": none */
    bool verify;             /* its certificate */
    struct sv monitored;     /* id of the application whose monitor asks it:
                                its state is shared with no other; "" none */
};
/* Counted; equal places share a state. */
struct origin_state *origin_hold(struct origin_table *t,
                                 const struct origin_place *place);
void origin_drop(struct origin_table *t, struct origin_state *s);
struct retry_budget *retry_hold(struct origin_table *t, struct sv app_id);
void retry_drop(struct origin_table *t, struct retry_budget *b);

/* --- the prober (one thread) ------------------------------------------------------ */
enum { PROBE_URL_MAX = 2500 };
struct origin_due {
    struct origin_state *state; /* held until probe_done */
    char url[PROBE_URL_MAX];
    size_t url_n;
    struct probe_rules rules;   /* without path */
};
/* The next that is due, marked as under way; false: none, *next_ms says when
 * to ask again (UINT64_MAX: when woken). Each must be given back by
 * origin_probe_done, which judges the answer: status 0 is no answer. */
bool origin_due(struct origin_table *t, uint64_t now_ms, struct origin_due *out,
                uint64_t *next_ms);
void origin_probe_done(struct origin_table *t, const struct origin_due *due,
                       unsigned status, uint64_t now_ms);
/* States and budgets in the table: for tests and figures. */
unsigned origin_table_count(struct origin_table *t);

#endif
