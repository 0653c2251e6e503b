/* Step 14: the request, as the client sent it, by the OpenAPI document of the
 * application's schema profile.
 *
 *   short ── judged in this turn ──┬─ in its budget ──────────> verdict
 *                                  └─ over it ─┐
 *   long body ────────────────────────────────-┴─> worker ────> verdict
 *
 * The turn's budget is a millisecond, a worker's 50 of CPU and 32 MiB: what is
 * over that too is refused as if it were wrong. The verify door has no body:
 * its telemetry's method, path, query and headers are judged. */
#include "check/schema.h"

#include "base/clock.h"
#include "base/mem.h"
#include "check/check.h"
#include "check/request.h"
#include "plan/coverage.h"

struct schema_lane *schema_lane_of(const struct exchange *x)
{
    struct schema_lane *l = &x->env->schema_lanes[x->reactor];
    if (!l->scratch) l->scratch = mem_alloc(SCHEMA_SCRATCH_BYTES);
    if (!l->room) l->room = pattern_room_new();
    return l;
}

void schema_count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* --- the verdict ---------------------------------------------------------------- */

enum schema_outcome schema_outcome_of(const struct openapi_judgement *j)
{
    if (j->over) return SCHEMA_OUTCOME_OVER;
    switch (j->verdict) {
    case OPENAPI_OK: return SCHEMA_OUTCOME_OK;
    case OPENAPI_PASSED: return SCHEMA_OUTCOME_PASSED;
    case OPENAPI_UNKNOWN: return SCHEMA_OUTCOME_UNKNOWN;
    case OPENAPI_BLOCK: break;
    }
    return SCHEMA_OUTCOME_VIOLATION;
}

static void cover(const struct exchange *x, const struct openapi_judgement *j)
{
    struct plan_coverage *c = x->plan->schema->coverage;
    const struct expression_request *r = x->request;
    if (x->peek) return;
    if (j->operation != UINT_MAX)
        plan_coverage_hit(c, x->reactor, j->operation, x->wall_ms);
    else if (j->verdict == OPENAPI_UNKNOWN)
        plan_coverage_missed(c, x->reactor, r->method, r->path, x->wall_ms);
}

/* What the profile wants done about it. */
static enum schema_rule rule_for(const struct schema_profile *p,
                                 const struct openapi_judgement *j)
{
    if (j->verdict == OPENAPI_OK || j->verdict == OPENAPI_PASSED)
        return SCHEMA_RULE_ALLOW;
    if (j->verdict != OPENAPI_UNKNOWN) return p->rule;
    return p->rule == SCHEMA_RULE_LOG && p->unknown == SCHEMA_RULE_BLOCK
               ? SCHEMA_RULE_LOG
               : p->unknown;
}

static struct sv allow_text(const struct exchange *x, unsigned path)
{
    enum { METHODS_TEXT = 80 };
    char *text = arena_alloc(x->arena, METHODS_TEXT);
    struct buf out;
    if (!text) return SV("");
    buf_init_fixed(&out, text, METHODS_TEXT);
    openapi_allow(x->plan->schema->document, path, &out);
    return buf_sv(&out);
}

static enum verdict conclude(struct exchange *x, const struct schema_said *said)
{
    const struct openapi_judgement *j = &said->j;
    enum schema_rule rule = rule_for(&x->plan->schema->profile, j);
    schema_count(&schema_lane_of(x)->stats.requests[schema_outcome_of(j)]);
    cover(x, j);
    if (j->operation != UINT_MAX) x->operation = j->operation + 1;
    if (rule == SCHEMA_RULE_ALLOW) return VERDICT_PASS;
    bool blocks = rule == SCHEMA_RULE_BLOCK;
    check_found(x, reason_rows[REASON_SCHEMA_VIOLATION].code,
                blocks ? DETECTOR_BLOCK : DETECTOR_MONITOR, blocks,
                arena_dup(x->arena, said->evidence));
    if (!blocks) return VERDICT_PASS;
    x->violations = arena_dup(x->arena, said->violations);
    x->refused_by = j->status == 404 ? 400 : (uint16_t)j->status;
    if (j->status == 405 && j->path != UINT_MAX)
        x->allow = allow_text(x, j->path);
    return check_deny(x, REASON_SCHEMA_VIOLATION);
}

static enum verdict fault(struct exchange *x)
{
    const struct schema_profile *p = &x->plan->schema->profile;
    return check_fault(x, p->on_fault, p->rule == SCHEMA_RULE_BLOCK, "schema");
}

/* --- whose body it is ----------------------------------------------------------- */

bool schema_wants_body(struct exchange *x)
{
    const struct plan_schema *s = x->plan->schema;
    if (!s || !s->body.inspect_bytes) return true;
    const struct expression_request *r = check_request(x);
    return !r || openapi_wants_body(s->document, r->method, r->path, s->only);
}

/* --- judging in this turn ------------------------------------------------------- */

struct schema_judge schema_turn(struct schema_lane *l, struct arena *work)
{
    arena_init(work, SCHEMA_TURN_ARENA_BYTES, l->scratch, SCHEMA_SCRATCH_BYTES);
    return (struct schema_judge){ .arena = work,
                                  .room = l->room,
                                  .steps = SCHEMA_TURN_STEPS,
                                  .now_ns = clock_mono_ns,
                                  .until_ns = clock_mono_ns() + SCHEMA_TURN_NS,
                                  .violations_max = SCHEMA_VIOLATIONS_MAX };
}

static struct openapi_request request_of(const struct exchange *x,
                                         const struct expression_request *r)
{
    bool known = x->head && !x->body_over && !x->body_encoded &&
                 x->intake != INTAKE_FAILED;
    return (struct openapi_request){
        .method = r->method.n ? r->method : SV("GET"),
        .path = r->path,
        .query = r->query,
        .fields = r->fields,
        .fields_n = r->fields_n,
        .body = known && x->has_body ? x->body : SV(""),
        .has_body = known && x->has_body,
        .unseen = !known,
        .only = x->plan->schema->only,
    };
}

/* False: it takes more than a turn may. */
static bool judge_now(struct exchange *x, const struct openapi_request *r,
                      enum verdict *out)
{
    const struct plan_schema *s = x->plan->schema;
    struct arena work;
    struct schema_judge j = schema_turn(schema_lane_of(x), &work);
    struct schema_said said = { .j = openapi_judge(s->document, r, &j) };
    bool judged = !said.j.over;
    if (judged) {
        schema_say(s, &said.j, &j, &work, &said);
        *out = conclude(x, &said);
    }
    arena_fini(&work);
    return judged;
}

/* --- judging on a worker -------------------------------------------------------- */

struct schema_work {
    struct check_work base;
    const struct plan_schema *schema; /* of the image, which the door holds */
    struct openapi_request request;
    struct arena arena; /* of the judgement and what it says */
    struct schema_said said;
    struct http_field fields[]; /* then their texts */
};

static void work_run(struct check_work *base)
{
    struct schema_work *w = (struct schema_work *)base;
    struct schema_judge j = { .arena = &w->arena,
                              .room = pattern_room_new(),
                              .steps = SCHEMA_STEPS_DEFAULT,
                              .now_ns = clock_thread_cpu_ns,
                              .until_ns =
                                  clock_thread_cpu_ns() + SCHEMA_WORK_NS,
                              .violations_max = SCHEMA_VIOLATIONS_MAX };
    w->said.j = openapi_judge(w->schema->document, &w->request, &j);
    /* what it says is beside the 32 MiB that it may cost */
    w->arena.budget += 4 * SCHEMA_SAYS_MAX;
    schema_say(w->schema, &w->said.j, &j, &w->arena, &w->said);
    pattern_room_free(&j.room);
}

static void work_free(struct check_work *base)
{
    struct schema_work *w = (struct schema_work *)base;
    arena_fini(&w->arena);
    mem_free(w);
}

static size_t texts_size(const struct openapi_request *r)
{
    size_t n = r->method.n + r->path.n + r->query.n;
    for (unsigned i = 0; i < r->fields_n; i++)
        n += r->fields[i].name.n + r->fields[i].value.n;
    return n;
}

static struct sv put(char **at, struct sv text)
{
    struct sv copy = sv_of(*at, text.n);
    if (text.n) memcpy(*at, text.p, text.n);
    *at += text.n;
    return text.p ? copy : text;
}

/* The head is copied, since the client may go meanwhile; the body stays where
 * it lies, and the door keeps it as long as the work. */
static struct check_work *work_new(const struct exchange *x,
                                   const struct openapi_request *r)
{
    size_t fields = r->fields_n * sizeof(struct http_field);
    struct schema_work *w = mem_alloc(sizeof *w + fields + texts_size(r));
    char *at = (char *)w->fields + fields;
    *w = (struct schema_work){ .base = { work_run, work_free, WORK_OF_SCHEMA },
                               .schema = x->plan->schema,
                               .request = *r };
    arena_init(&w->arena, SCHEMA_ARENA_BYTES_MAX, NULL, 0);
    w->request.method = put(&at, r->method);
    w->request.path = put(&at, r->path);
    w->request.query = put(&at, r->query);
    w->request.fields = w->fields;
    for (unsigned i = 0; i < r->fields_n; i++)
        w->fields[i] = (struct http_field){ put(&at, r->fields[i].name),
                                            put(&at, r->fields[i].value),
                                            r->fields[i].id };
    return &w->base;
}

/* --- the step ------------------------------------------------------------------- */

static enum verdict judge(struct exchange *x)
{
    const struct expression_request *r = check_request(x);
    enum verdict v;
    if (!r) return fault(x);
    /* a question whose telemetry tells of no request */
    if (!r->path.n) return VERDICT_PASS;
    struct openapi_request request = request_of(x, r);
    if (request.body.n <= SCHEMA_TURN_BYTES && judge_now(x, &request, &v))
        return v;
    x->work = work_new(x, &request);
    schema_count(&schema_lane_of(x)->stats.worked);
    return VERDICT_WORK;
}

enum verdict check_schema(struct exchange *x)
{
    enum verdict v;
    switch (x->worked) {
    case WORK_UNASKED: return judge(x);
    case WORK_FAILED: x->worked = WORK_UNASKED; return fault(x);
    case WORK_DONE: break;
    }
    if (!check_request(x))
        v = fault(x);
    else
        v = conclude(x, &((const struct schema_work *)x->work)->said);
    check_work_end(x);
    return v;
}
