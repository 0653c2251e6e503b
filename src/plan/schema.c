#include "plan/schema.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "plan/coverage.h"
#include "plan/plan.h"

enum { SCHEMA_BUDGET_BYTES = 16 << 20, REPORT_BYTES_MAX = 64 << 20 };

/* --- which operations are protected -------------------------------------------- */

static bool endpoint_mark(const struct openapi *o, struct sv text,
                          uint64_t *only)
{
    struct sv method, path;
    unsigned at = 0, operation;
    bool found = false;
    if (!schema_endpoint_parse(text, &method, &path)) return false;
    while ((operation = openapi_operation_find(o, method, path, &at)) !=
           UINT_MAX) {
        only[operation / 64] |= UINT64_C(1) << operation % 64;
        found = true;
    }
    return found;
}

static int endpoints_mark(const struct schema_profile *p,
                          const struct openapi *o, struct arena *a,
                          const uint64_t **out, uint32_t *endpoint)
{
    *out = NULL;
    if (!p->endpoints_n) return 0;
    uint64_t *only = ARENA_ARRAY(a, uint64_t, openapi_operations(o) / 64 + 1);
    if (!only) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->endpoints_n; i++) {
        if (endpoint_mark(o, p->endpoints[i], only)) continue;
        *endpoint = i;
        return ERR_INVALID;
    }
    *out = only;
    return 0;
}

unsigned plan_schema_protected(const struct openapi *o, const uint64_t *only)
{
    unsigned n = 0, all = openapi_operations(o);
    if (!only) return all;
    for (unsigned i = 0; i <= all / 64; i++)
        n += (unsigned)__builtin_popcountll(only[i]);
    return n;
}

int plan_schema_compile(const struct schema_profile *p, struct sv text,
                        struct arena *a, struct openapi_report *report,
                        struct openapi **document, const uint64_t **only,
                        uint32_t *endpoint)
{
    const struct openapi_options options = { .jit = true,
                                             .answers = p->responses };
    *endpoint = UINT32_MAX;
    int err = openapi_load(text, &options, document, report);
    if (err) return err;
    err = endpoints_mark(p, *document, a, only, endpoint);
    if (err) openapi_free(document);
    return err;
}

/* --- the form ------------------------------------------------------------------- */

static bool wants_bodies(const struct plan_schema *s)
{
    for (unsigned i = 0; i < openapi_operations(s->document); i++)
        if ((!s->only || s->only[i / 64] >> i % 64 & 1) &&
            openapi_operation_has_body(s->document, i))
            return true;
    return false;
}

static void body_wish(struct plan_schema *s)
{
    if (!wants_bodies(s)) return;
    bool blocks = s->profile.rule == SCHEMA_RULE_BLOCK;
    s->body = (struct plan_body){
        .inspect_bytes = s->profile.inspect_bytes,
        .over_blocks = s->profile.over_blocks,
        .blocks = blocks,
        .closed = blocks ? s->profile.on_fault != FAULT_OPEN
                         : s->profile.on_fault == FAULT_CLOSED,
    };
}

/* The document was judged when it was stored: what is said here is for those
 * who look why an application does not load. */
static void say(struct plan_problem *why, const struct openapi_report *report)
{
    snprintf(why->field, sizeof why->field, "openapi");
    snprintf(why->message, sizeof why->message, "%.*s: %.*s",
             SV_FMT(report->n ? report->notes[0].place : SV("")),
             SV_FMT(report->n ? report->notes[0].says : SV("")));
}

static int schema_build(struct sv doc, struct sv text, struct arena *a,
                        const void **value, struct plan_problem *why)
{
    struct plan_schema *s = ARENA_NEW(a, struct plan_schema);
    uint32_t endpoint;
    if (!s) return ERR_NOMEM;
    int err = schema_profile_decode(doc, a, &s->profile);
    if (err) return err;
    struct arena notes;
    arena_init(&notes, REPORT_BYTES_MAX, NULL, 0);
    struct openapi_report report = { .arena = &notes };
    err = plan_schema_compile(&s->profile, text, a, &report, &s->document,
                              &s->only, &endpoint);
    if (err == ERR_INVALID) say(why, &report);
    arena_fini(&notes);
    if (err) return err;
    body_wish(s);
    s->bytes = openapi_bytes(s->document);
    s->coverage = plan_coverage_new(openapi_operations(s->document));
    *value = s;
    return 0;
}

static void schema_fini(const void *value)
{
    struct plan_schema *s = (void *)(uintptr_t)value;
    plan_coverage_free(&s->coverage);
    openapi_free(&s->document);
}

const struct compiled_type plan_schema_type = {
    .name = "schema",
    .budget = SCHEMA_BUDGET_BYTES,
    .build_beside = schema_build,
    .fini = schema_fini,
};
