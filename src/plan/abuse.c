#include "plan/abuse.h"

#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "detect/mail_property.h"
#include "plan/plan.h"

enum { ABUSE_BUDGET_BYTES = 16 << 20, HEADER_NAME_MAX = 110 };

static int set_build(const char *field, const struct sv *domains, uint32_t n,
                     struct arena *a, const struct mail_set **out,
                     struct plan_problem *why)
{
    size_t bad = 0;
    int err = n ? mail_set_make(domains, n, a, out, &bad) : 0;
    if (err == ERR_INVALID) {
        snprintf(why->field, sizeof why->field, "%s[%zu]", field, bad);
        snprintf(why->message, sizeof why->message, "is not a domain");
    }
    return err;
}

/* Names of fields are one in any case. */
static uint64_t scope_number(const struct abuse *p)
{
    char lower[HEADER_NAME_MAX];
    struct sv name = sv_first(p->scope_header, sizeof lower);
    for (size_t i = 0; i < name.n; i++) lower[i] = ascii_lower(name.p[i]);
    return p->scope == ABUSE_BY_HEADER ? hash_sv(sv_of(lower, name.n)) : 0;
}

static void limit_build(struct plan_abuse *s)
{
    const struct abuse *p = &s->profile;
    if (!p->has_limit) return;
    s->limit = (struct limit){ .limit = p->limit,
                               .window_s = p->window_s,
                               .algorithm = LIMIT_SLIDING,
                               .name = "global" };
    s->scope = scope_number(p);
    s->counts_tokens = p->scope == ABUSE_BY_TOKEN;
    s->counts_visitors = !s->counts_tokens;
}

static void mail_build(struct plan_abuse *s)
{
    const struct abuse *p = &s->profile;
    if (p->property.n) s->mail_in_head = p->locations & ~(unsigned)MAIL_IN_BODY;
}

/* A body that the mail check cannot read is a fault of it: onFault says what
 * becomes of the request, and open is the default. */
static void body_wish(struct plan_abuse *s)
{
    const struct abuse *p = &s->profile;
    bool closed = p->on_fault == FAULT_CLOSED;
    if (!p->property.n || !(p->locations & MAIL_IN_BODY)) return;
    s->body = (struct plan_body){ .inspect_bytes = INSPECT_BYTES_DEFAULT,
                                  .over_blocks = closed,
                                  .blocks = closed,
                                  .closed = closed };
}

/* Anomaly profile Regional is STANDARD with GeoSentry's region: who is outside
 * is refused, also where GeoSentry judges no journeys. */
static void region_join(struct abuse *p)
{
    struct travel *t = &p->travel;
    if (!p->anomaly.enabled || p->anomaly.profile != ANOMALY_REGIONAL ||
        !t->has_region)
        return;
    t->region_action = DETECTOR_BLOCK;
    if (t->enabled) return;
    t->enabled = true;
    t->max_speed_kmh = UINT32_MAX; /* nobody is faster */
    t->hours.on = false;
}

static int abuse_build(struct sv doc, struct arena *a, const void **value,
                       struct plan_problem *why)
{
    struct plan_abuse *s = ARENA_NEW(a, struct plan_abuse);
    if (!s) return ERR_NOMEM;
    const struct abuse *p = &s->profile;
    int err = abuse_decode(doc, a, &s->profile);
    if (!err)
        err = set_build("blocklist", p->blocklist, p->blocklist_n, a,
                        &s->blocklist, why);
    if (!err)
        err = set_build("exceptions", p->exceptions, p->exceptions_n, a,
                        &s->exceptions, why);
    if (!err) {
        limit_build(s);
        mail_build(s);
        body_wish(s);
        region_join(&s->profile);
    }
    *value = s;
    return err;
}

const struct compiled_type plan_abuse_type = {
    .name = "abuse",
    .budget = ABUSE_BUDGET_BYTES,
    .build = abuse_build,
};
