/* Answers by a document: what an operation says of a status, its types of
 * content, and JSON bodies by their schema. What no browser or client would
 * read as JSON is not judged. */
#include <limits.h>

#include "codec/json.h"
#include "codec/openapi_int.h"

/* --- loading --------------------------------------------------------------------- */

/* "200", "2XX", "default". False: none of these. */
static bool status_read(struct sv text, uint16_t *out)
{
    uint64_t n;
    *out = 0;
    if (sv_eq(text, SV("default"))) return true;
    if (text.n != 3) return false;
    bool is_class = sv_eq_nocase(sv_from(text, 1), SV("xx"));
    if (is_class) text = sv_first(text, 1);
    if (!sv_to_u64(text, is_class ? 5 : 599, &n)) return false;
    *out = (uint16_t)n;
    return n >= (is_class ? 1 : 100);
}

void openapi_responses_load(struct openapi_loader *l,
                            struct openapi_operation *op,
                            const yyjson_val *responses)
{
    yyjson_val *key, *v, *all = (yyjson_val *)(uintptr_t)responses;
    size_t i, max, most = yyjson_obj_size(all);
    if (!most) return;
    op->responses = ARENA_ARRAY(&l->o->arena, struct openapi_response, most);
    yyjson_obj_foreach(all, i, max, key, v)
    {
        struct openapi_response r = { .status = 0 };
        if (sv_starts(json_text(key), SV("x-"))) continue;
        if (!op->responses) return;
        if (!status_read(json_text(key), &r.status)) {
            openapi_note(l, false, key, "is no status of an answer");
            continue;
        }
        const yyjson_val *at = openapi_deref(l, v);
        if (!at) continue;
        openapi_medias_load(l, json_find(at, "content"), &r.medias);
        op->responses[op->responses_n++] = r;
    }
}

/* --- judging --------------------------------------------------------------------- */

/* The status, else its class, else what holds for all others. */
static const struct openapi_response *response_of(
    const struct openapi_operation *op, unsigned status)
{
    const struct openapi_response *found = NULL;
    for (unsigned i = 0; i < op->responses_n; i++) {
        const struct openapi_response *r = &op->responses[i];
        if (r->status == status) return r;
        if (r->status == status / 100 || (!r->status && !found)) found = r;
    }
    return found;
}

static bool is_judged(const struct openapi_media *m, struct sv type)
{
    return m->schema != SCHEMA_NONE &&
           (m->kind == BODY_JSON ||
            (m->kind == BODY_OPAQUE && openapi_media_is_json(type)));
}

bool openapi_answer_is_judged(const struct openapi *o, unsigned operation,
                              unsigned status, struct sv type)
{
    char lower[256];
    struct sv plain;
    const struct openapi_response *r =
        response_of(&o->operations[operation], status);
    const struct openapi_media *m =
        r ? openapi_media_find(&r->medias, type, lower, &plain) : NULL;
    return m && is_judged(m, plain);
}

static bool may_lack_body(unsigned status)
{
    return status == 204 || status == 304 || status < 200;
}

static void judge(struct openapi_run *run, const struct openapi_operation *op,
                  const struct openapi_answer *a)
{
    char lower[256];
    struct sv type;
    const struct openapi_response *r = response_of(op, a->status);
    if (!r) {
        openapi_fail(run, SV("/status"), "responses",
                     "the document names no such status");
        return;
    }
    if (!r->medias.n || may_lack_body(a->status)) return;
    const struct openapi_media *m =
        openapi_media_find(&r->medias, a->type, lower, &type);
    if (!m)
        openapi_fail(run, SV("/header/Content-Type"), "content",
                     a->type.p ? "the document names no such type of content"
                               : "is missing");
    else if (is_judged(m, type))
        openapi_judge_json(run, m->schema, a->body);
}

struct openapi_judgement openapi_judge_answer(const struct openapi *o,
                                              const struct openapi_answer *a,
                                              struct schema_judge *j)
{
    struct openapi_request none = { .unseen = true };
    struct openapi_run run = { .o = o, .request = &none, .j = j };
    const struct openapi_operation *op = &o->operations[a->operation];
    j->way = SCHEMA_RESPONSE;
    if (op->responses_n) judge(&run, op, a);
    return (struct openapi_judgement){
        .verdict = run.bad || run.over ? OPENAPI_BLOCK : OPENAPI_OK,
        .status = a->status,
        .operation = a->operation,
        .path = UINT_MAX,
        .over = run.over,
    };
}
