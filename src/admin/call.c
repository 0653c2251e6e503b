/* The few things that every handler says and asks. */
#include "admin/call.h"

#include "admin/admin_int.h"
#include "base/err.h"
#include "codec/rfc3339.h"
#include "base/log.h"

#include <stdio.h>

/* --- failures --------------------------------------------- */

bool call_fail(struct call *c, unsigned status, const char *code,
               const char *field, const char *message)
{
    answer_fail(c->a, status, code, field, message);
    return false;
}

bool call_not_found(struct call *c, const char *what)
{
    char message[96];
    snprintf(message, sizeof message, "There is no such %s.", what);
    return call_fail(c, 404, "not_found", NULL, message);
}

bool call_fail_store(struct call *c, int err)
{
    switch (err) {
    case ERR_NOTFOUND:
        return call_fail(c, 404, "not_found", NULL, "There is no such thing.");
    case ERR_CONFLICT:
        return call_fail(c, 409, "conflict", NULL,
                         "The object changed meanwhile; read it again.");
    case ERR_NOMEM:
        return call_fail(c, 500, "too_much", NULL,
                         "The request needs more memory than it may take.");
    case ERR_AGAIN:
    case ERR_IO:
    case ERR_FULL:
        log_error("admin", "store: %s", err_text(err));
        atomic_store(&c->admin->store_fault, err);
        call_fail(c, 503, "store_unavailable", NULL,
                  err == ERR_FULL ? "There is no space left."
                                  : "The store is not available.");
        c->a->retry_after_s = 1;
        return false;
    default:
        log_error("admin", "store: %s", err_text(err));
        return call_fail(c, 500, "internal", NULL, "Something went wrong.");
    }
}

bool call_fail_shape(struct call *c, int err, const struct shape_problem *why)
{
    if (err == ERR_INVALID)
        return call_fail(c, 400, why->code, why->field, why->message);
    if (err == ERR_DENIED)
        return call_fail(c, 403, "forbidden", why->field, why->message);
    return call_fail_store(c, err);
}

/* --- shapes --------------------------------------------- */

static bool exists(void *ctx, enum kind kind, struct sv id)
{
    struct call *c = ctx;
    struct record r;
    return store_record_get(c->admin->conf.store, kind, id_sv(&c->account_id),
                            id, c->arena, &r) == 0;
}

struct shape_env call_shape_env(struct call *c)
{
    return (struct shape_env){ .arena = c->arena,
                               .now_ms = c->now_ms,
                               .role = c->who.role,
                               .insecure_key_urls =
                                   c->admin->conf.insecure_key_urls,
                               .exists = exists,
                               .ctx = c };
}

yyjson_val *call_parse(struct call *c, struct sv text)
{
    yyjson_doc *doc;
    if (json_decode(text, c->arena, &doc, NULL)) return NULL;
    return yyjson_doc_get_root(doc);
}

/* --- ETags --------------------------------------------- */

bool call_if_match(struct call *c, uint64_t version)
{
    struct sv asked = c->q->if_match;
    if (!asked.n || etag_matches(asked, version)) return true;
    return call_fail(c, 412, "precondition_failed", "If-Match",
                     "The object has changed since you read it.");
}

void call_set_etag(struct call *c, uint64_t version)
{
    size_t n = etag_encode(c->a->etag, version);
    c->a->etag[n] = 0;
}

/* --- lists --------------------------------------------- */

static bool cursor(struct call *c, enum kind kind, const char *name,
                   struct sv *out)
{
    struct sv id = query_find(&c->query, sv_cstr(name));
    *out = id.p ? id : SV("");
    if (!id.p || !id_parse(kind, id, NULL)) return true;
    return call_fail(c, 400, "invalid_value", name,
                     "The cursor is not an id of this list.");
}

bool call_page(struct call *c, enum kind kind, struct store_page *out)
{
    struct sv limit = query_find(&c->query, SV("limit"));
    uint64_t n = 100;
    if (limit.p && (!sv_to_u64(limit, 1000, &n) || !n))
        return call_fail(c, 400, "out_of_range", "limit",
                         "limit must be an integer from 1 to 1000.");
    out->limit = (uint32_t)n;
    if (!cursor(c, kind, "starting_after", &out->after) ||
        !cursor(c, kind, "ending_before", &out->before))
        return false;
    if (!out->after.n || !out->before.n) return true;
    return call_fail(c, 400, "invalid_value", "ending_before",
                     "starting_after and ending_before exclude each other.");
}

static bool tag_filter(struct call *c, struct sv tag, struct store_filter *out)
{
    if (out->tag.p)
        return call_fail(c, 400, "invalid_value", "tag",
                         "A list can be filtered by one tag only.");
    out->tag = tag;
    return true;
}

/* "tags[key]": the key; p NULL: another name. */
static struct sv tag_key(struct sv name)
{
    if (!sv_starts(name, SV("tags[")) || !sv_ends(name, SV("]")))
        return (struct sv){ NULL, 0 };
    return sv_of(name.p + 5, name.n - 6);
}

bool call_filter(struct call *c, struct store_filter *out)
{
    *out = STORE_FILTER_ANY;
    for (size_t i = 0; i < c->query.n; i++) {
        const struct query_pair *p = &c->query.pairs[i];
        struct sv key = tag_key(p->name);
        if (sv_eq(p->name, SV("name"))) out->name = p->value;
        if (sv_eq(p->name, SV("tag")) && !tag_filter(c, p->value, out))
            return false;
        if (!key.p) continue;
        struct sv tag = p->value.n ? arena_printf(c->arena, "%.*s:%.*s",
                                                  SV_FMT(key), SV_FMT(p->value))
                                   : key;
        if (!tag_filter(c, tag, out)) return false;
    }
    return true;
}

bool call_flag(struct call *c, struct sv name, bool fallback, bool *out)
{
    char field[32];
    struct sv v = query_find(&c->query, name);
    *out = v.p ? sv_eq(v, SV("true")) || sv_eq(v, SV("1")) : fallback;
    if (!v.p || *out || sv_eq(v, SV("false")) || sv_eq(v, SV("0"))) return true;
    snprintf(field, sizeof field, "%.*s", SV_FMT(name));
    return call_fail(c, 400, "invalid_value", field,
                     "It must be true or false.");
}

/* --- audit --------------------------------------------- */

bool call_audit(struct call *c, const char *noun, const char *verb,
                struct sv object_id, struct sv before, struct sv after)
{
    char from[IP_TEXT_MAX];
    struct store *s = c->admin->conf.store;
    struct audit_entry e = {
        .id = store_ulid(s, c->now_ms),
        .account_id = id_sv(&c->account_id),
        .key_id = id_sv(&c->who.key_id),
        .at_ms = c->now_ms,
        .action = arena_printf(c->arena, "%s.%s", noun, verb),
        .object_id = object_id,
        .from = sv_of(from, ip_format(&c->q->peer, from)),
        .before = before,
        .after = after,
    };
    int err = e.action.p ? store_audit_append(s, &e) : ERR_NOMEM;
    return err ? call_fail_store(c, err) : true;
}

enum { DAY_TEXT = 10, DAY_MS = 86400000 };

bool call_time(struct call *c, const char *field, struct sv text, bool whole,
               int64_t *out)
{
    char full[RFC3339_TEXT];
    bool day = text.n == DAY_TEXT;
    if (!text.p) return true;
    if (day) {
        memcpy(full, text.p, DAY_TEXT);
        memcpy(full + DAY_TEXT, "T00:00:00Z", 10);
        text = sv_of(full, DAY_TEXT + 10);
    }
    if (rfc3339_decode(text, out))
        return call_fail(c, 400, "invalid_value", field,
                         "It must be a time as in 2026-01-31T12:00:00Z, or a "
                         "day.");
    if (day && whole) *out += DAY_MS - 1;
    return true;
}
