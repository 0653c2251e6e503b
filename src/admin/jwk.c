/* Key sets (api.md §5): records, and how the sets that are held fare. */
#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/jwt_keys.h"
#include "admin/nouns.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/rfc3339.h"

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    (void)before;
    return secrets_take(c, r, doc);
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc;
    return before ? change_profile(c, id_sv(&r->id))
                  : change_row(c, KIND_JWK, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_JWK, id_sv(&r->id));
}

/* --- status --------------------------------------------------------------------------- */

static void put_status(struct call *c, const struct keyset_status *s,
                       struct buf *out)
{
    int64_t now = clock_node_ms();
    char next[RFC3339_TEXT];
    buf_printf(out, "{\"inUse\":%s,\"keys\":%u,\"age\":",
               s->holders ? "true" : "false", s->keys);
    if (s->fetched_ms)
        buf_put_i64(out,
                    now > s->fetched_ms ? (now - s->fetched_ms) / 1000 : 0);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"nextFetch\":");
    if (s->next_ms && s->next_ms != INT64_MAX) {
        rfc3339_encode(next, c->now_ms + (s->next_ms - now));
        buf_printf(out, "\"%.*s\"", RFC3339_TEXT, next);
    } else {
        buf_puts(out, "null");
    }
    buf_puts(out, ",\"lastError\":");
    if (s->problem[0])
        json_put_text(out, sv_cstr(s->problem));
    else
        buf_puts(out, "null");
    buf_putc(out, '}');
}

/* A set that nobody uses is not held; how many keys it has is still known of
 * its own. */
static void show(struct call *c, const struct record *r, struct buf *out)
{
    struct keysets *k = c->admin->conf.keysets;
    struct keyset_status status = { .keys = 0 };
    struct keyset_source src;
    struct keyset_ref ref;
    record_show(r, out);
    if (out->overflow) return;
    if (key_set_source(c->admin, r, c->arena, &src) == 0 &&
        !(keysets_find(k, src.kind, src.text, &ref) &&
          keysets_status(k, ref, &status)) &&
        src.kind == KEYSET_INLINE)
        status.keys = (unsigned)yyjson_arr_size(
            json_find(call_parse(c, r->body), "keys"));
    out->n--;
    json_put_name(out, "status");
    put_status(c, &status, out);
    buf_putc(out, '}');
}

const struct noun noun_jwk = {
    .name = "jwk",
    .shape = &shape_jwk,
    .check = check,
    .stored = stored,
    .leaving = detach_or_refuse,
    .gone = gone,
    .unique_field = "name",
    .present = record_opened,
    .show = show,
};

/* What a GET answered may be written back although its status moves on. */
static bool status_drop(struct call *c)
{
    yyjson_mut_doc *doc = json_new(c->arena);
    yyjson_mut_val *input = yyjson_val_mut_copy(doc, c->input);
    yyjson_mut_obj_remove_key(input, "status");
    struct sv text = input ? json_encode(c->arena, input) : (struct sv){ 0 };
    c->input = text.p ? call_parse(c, text) : NULL;
    return c->input ? true : call_fail_store(c, ERR_NOMEM);
}

void jwk_create(struct call *c)
{
    noun_create(c, &noun_jwk);
}
void jwk_list(struct call *c)
{
    noun_list(c, &noun_jwk);
}
void jwk_get(struct call *c)
{
    noun_get(c, &noun_jwk);
}
void jwk_patch(struct call *c)
{
    struct record r = { .version = 0 };
    if (noun_find(c, &noun_jwk, &r) && status_drop(c) && keys_complete(c, &r))
        noun_patch(c, &noun_jwk);
}
void jwk_delete(struct call *c)
{
    noun_delete(c, &noun_jwk);
}
