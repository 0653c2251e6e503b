/* Reading questions: see question.h. */
#include "edge/question.h"

#include "base/ensure.h"
#include "base/err.h"
#include "codec/base64url.h"
#include "http/address.h"

enum { NEAR_MS = 5 * 60 * 1000 };

static int refuse(struct question_problem *why, const char *field,
                  const char *text)
{
    *why = (struct question_problem){ field, text };
    return ERR_INVALID;
}

int questions_open(struct questions *qs, struct sv body, bool batch,
                   struct arena *a, struct question_problem *why)
{
    yyjson_doc *doc;
    struct json_why json;
    *qs = (struct questions){ 0 };
    if (body.n == 0) return refuse(why, "", "the body is empty");
    if (body.n > QUESTION_BODY_MAX)
        return refuse(why, "", "the body is larger than 1 MiB");
    int err = json_decode(body, a, &doc, &json);
    if (err == ERR_INVALID) return refuse(why, "", json.reason);
    if (err) return err;
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!batch) {
        if (!yyjson_is_obj(root))
            return refuse(why, "", "the body is not an object");
        qs->only = root;
        qs->n = 1;
        return 0;
    }
    qs->list = yyjson_is_obj(root) ? yyjson_obj_get(root, "questions") : root;
    if (!yyjson_is_arr(qs->list))
        return refuse(why, "questions", "a batch is a list of questions");
    qs->n = yyjson_arr_size(qs->list);
    if (qs->n > QUESTION_BATCH_MAX)
        return refuse(why, "questions", "a batch has at most 100 questions");
    return 0;
}

/* --- a question ------------------------------------------------------------ */

/* Each reader takes one member; kind readers cannot fail. */
typedef int member_fn(yyjson_val *v, struct question *q, int64_t now_ms,
                      struct question_problem *why);

struct member {
    struct sv name;
    member_fn *read;
    bool needed;
};

static int read_token(yyjson_val *v, struct question *q, int64_t now_ms,
                      struct question_problem *why)
{
    (void)now_ms;
    if (!yyjson_is_str(v)) return refuse(why, "token", "token is not a string");
    q->token = json_text(v);
    if (sv_starts_nocase(q->token, SV("Bearer ")) ||
        sv_eq_nocase(q->token, SV("Bearer")))
        q->token = sv_trim(sv_from(q->token, 6));
    return 0;
}

static int read_app_id(yyjson_val *v, struct question *q, int64_t now_ms,
                       struct question_problem *why)
{
    (void)now_ms;
    if (!yyjson_is_str(v)) return refuse(why, "appID", "appID is not a string");
    q->app_id = json_text(v);
    return 0;
}

static int read_cost(yyjson_val *v, struct question *q, int64_t now_ms,
                     struct question_problem *why)
{
    (void)now_ms;
    if (yyjson_is_null(v)) return 0;
    uint64_t cost = yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
    if (cost < 1 || cost > QUESTION_COST_MAX)
        return refuse(why, "cost", "cost is not an integer of 1 to 1000000");
    q->cost = (uint32_t)cost;
    return 0;
}

static int read_peek(yyjson_val *v, struct question *q, int64_t now_ms,
                     struct question_problem *why)
{
    (void)now_ms;
    if (yyjson_is_null(v)) return 0;
    if (!yyjson_is_bool(v))
        return refuse(why, "peek", "peek is not true or false");
    q->peek = yyjson_get_bool(v);
    return 0;
}

static int read_scopes(yyjson_val *v, struct question *q, int64_t now_ms,
                       struct question_problem *why)
{
    (void)now_ms;
    if (yyjson_is_null(v)) return 0;
    if (!yyjson_is_arr(v) || yyjson_arr_size(v) > QUESTION_SCOPES_MAX)
        return refuse(why, "scopes", "scopes is not a list of up to 64");
    size_t i, n;
    yyjson_val *scope;
    yyjson_arr_foreach(v, i, n, scope)
    {
        if (!yyjson_is_str(scope))
            return refuse(why, "scopes", "a scope is not a string");
        q->scopes[i] = json_text(scope);
    }
    q->scopes_n = (unsigned)yyjson_arr_size(v);
    return 0;
}

static int read_ipaddress(yyjson_val *v, struct question *q, int64_t now_ms,
                          struct question_problem *why)
{
    (void)now_ms, (void)why;
    q->has_client = yyjson_is_str(v) && address_read(json_text(v), &q->client);
    return 0;
}

static int read_timestamp(yyjson_val *v, struct question *q, int64_t now_ms,
                          struct question_problem *why)
{
    (void)why;
    double at = yyjson_get_num(v); /* 0 if it is no number */
    if (at > (double)(now_ms - NEAR_MS) && at < (double)(now_ms + NEAR_MS))
        q->at_ms = (int64_t)at;
    return 0;
}

static int read_headers(yyjson_val *v, struct question *q, int64_t now_ms,
                        struct question_problem *why)
{
    (void)now_ms, (void)why;
    q->headers = yyjson_is_obj(v) ? v : NULL;
    return 0;
}

static int read_method(yyjson_val *v, struct question *q, int64_t now_ms,
                       struct question_problem *why)
{
    (void)now_ms, (void)why;
    q->method = json_text(v);
    return 0;
}

static int read_url(yyjson_val *v, struct question *q, int64_t now_ms,
                    struct question_problem *why)
{
    (void)now_ms, (void)why;
    q->url = json_text(v);
    return 0;
}

/* base64url of the SHA-256 of the certificate, as cnf holds it (RFC 8705). */
static int read_certificate(yyjson_val *v, struct question *q, int64_t now_ms,
                            struct question_problem *why)
{
    (void)now_ms, (void)why;
    struct sv text = json_text(v);
    q->has_certificate =
        base64url_decoded_bytes(text.n) == sizeof q->certificate &&
        base64url_decode(text, q->certificate) == 0;
    return 0;
}

static int read_members(yyjson_val *object, const struct member *members,
                        size_t members_n, struct question *q, int64_t now_ms,
                        struct question_problem *why)
{
    unsigned seen = 0;
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, n, key, value)
    {
        struct sv name = json_text(key);
        size_t m = 0;
        while (m < members_n && !sv_eq(members[m].name, name)) m++;
        if (m == members_n) continue;
        seen |= 1u << m;
        int err = members[m].read(value, q, now_ms, why);
        if (err) return err;
    }
    for (size_t m = 0; m < members_n; m++)
        if (members[m].needed && !(seen & 1u << m))
            return refuse(why, members[m].name.p, "a member is missing");
    return 0;
}

static const struct member telemetry_members[] = {
    { { "ipaddress", 9 }, read_ipaddress, false },
    { { "timestamp", 9 }, read_timestamp, false },
    { { "headers", 7 }, read_headers, false },
    { { "method", 6 }, read_method, false },
    { { "url", 3 }, read_url, false },
    { { "certificate", 11 }, read_certificate, false },
};

static int read_telemetry(yyjson_val *v, struct question *q, int64_t now_ms,
                          struct question_problem *why)
{
    if (yyjson_is_null(v)) return 0;
    if (!yyjson_is_obj(v))
        return refuse(why, "telemetry", "telemetry is not an object");
    return read_members(v, telemetry_members, ARRAY_LEN(telemetry_members), q,
                        now_ms, why);
}

static const struct member question_members[] = {
    { { "token", 5 }, read_token, true },
    { { "appID", 5 }, read_app_id, true },
    { { "telemetry", 9 }, read_telemetry, false },
    { { "cost", 4 }, read_cost, false },
    { { "scopes", 6 }, read_scopes, false },
    { { "peek", 4 }, read_peek, false },
};

static void question_clear(struct question *out, int64_t now_ms)
{
    out->token = out->app_id = (struct sv){ 0 };
    out->has_client = out->peek = false;
    out->headers = NULL;
    out->method = out->url = SV("");
    out->has_certificate = false;
    out->at_ms = now_ms;
    out->cost = 1;
    out->scopes_n = 0;
}

int questions_get(const struct questions *qs, size_t i, int64_t now_ms,
                  struct question *out, struct question_problem *why)
{
    yyjson_val *v = qs->list ? yyjson_arr_get(qs->list, i) : qs->only;
    if (!yyjson_is_obj(v)) return refuse(why, "", "a question is an object");
    question_clear(out, now_ms);
    return read_members(v, question_members, 6, out, now_ms, why);
}

int question_telemetry(yyjson_val *v, int64_t now_ms, struct question *out,
                       struct question_problem *why)
{
    question_clear(out, now_ms);
    return read_telemetry(v, out, now_ms, why);
}
