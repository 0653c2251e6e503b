/* A token as answers show it: own values under their names, what holds under
 * "effective" (api.md §3). */
#include "admin/token_int.h"

#include "base/clock.h"
#include "base/err.h"

enum { READ_TRIES = 1000, OBJECT_MAX_BYTES = 1 << 20 };

/* --- small writers --------------------------------------------- */

/* A member of the own values as it is stored, or null. */
static void put_own(struct call *c, struct buf *b, yyjson_val *own,
                    const char *name)
{
    yyjson_val *v = json_find(own, name);
    json_put_name(b, name);
    buf_put(b, v ? json_encode_val(c->arena, v) : SV("null"));
}

static void put_limit(struct buf *b, const struct limit *l)
{
    static const char *const algorithms[] = { "sliding", "fixed",
                                              "token_bucket" };
    buf_putc(b, '{');
    if (l->name[0]) json_put_member(b, "name", sv_cstr(l->name));
    json_put_u64(b, "limit", l->limit);
    json_put_u64(b, "timeWindow", l->window_s);
    json_put_member(b, "algorithm", sv_cstr(algorithms[l->algorithm % 3]));
    if (l->algorithm == LIMIT_TOKEN_BUCKET) {
        json_put_u64(b, "burst", l->burst);
    }
    json_put_member(b, "scope",
                    l->scope == LIMIT_CLUSTER ? SV("cluster") : SV("node"));
    buf_putc(b, '}');
}

static void put_refill(struct buf *b, const struct refill *r)
{
    json_put_name(b, "refill");
    if (!r) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"amount\":");
    buf_put_i64(b, r->amount);
    buf_puts(b, ",\"interval\":");
    if (r->interval_s)
        buf_put_u64(b, r->interval_s);
    else
        buf_puts(b, "\"monthly\"");
    buf_putc(b, '}');
}

/* --- what holds --------------------------------------------- */

void token_ask(const struct plan_app *app, const struct token_row *row,
               const struct token_own *own, struct take_ask *out)
{
    const struct policy *profile =
        app && app->has_auth ? &app->auth.policy : NULL;
    /* as check/limits.c decides it */
    bool shared = app && app->quota_slot != UINT32_MAX &&
                  !own->policy.has_quota && !own->policy.has_refill;
    *out = (struct take_ask){
        .slot = row->slot,
        .tag = ulid_tag(&row->id),
        .quota_slot = shared ? app->quota_slot : UINT32_MAX,
        .quota_tag = shared ? app->quota_tag : 0,
        .terms = policy_terms(profile, own->has_policy ? &own->policy : NULL),
        .created_ms = shared ? app->created_ms : ulid_ms(&row->id),
        .now_ms = clock_node_ms(),
        .cost = 1,
        .peek = true,
    };
}

int token_counters(struct call *c, const struct take_ask *ask,
                   struct counter_state *out)
{
    int err = ERR_AGAIN;
    for (int i = 0; i < READ_TRIES && err == ERR_AGAIN; i++)
        err = counters_read(c->admin->conf.counters, ask, out);
    return err;
}

int token_settle(struct call *c, const struct take_ask *ask)
{
    int err = ERR_AGAIN;
    for (int i = 0; i < READ_TRIES && err == ERR_AGAIN; i++)
        err = counters_settle(c->admin->conf.counters, ask);
    return err;
}

static void put_effective(struct buf *b, const struct terms *t,
                          const struct counter_state *now)
{
    json_put_name(b, "effective");
    buf_puts(b, "{\"ratelimits\":[");
    for (unsigned i = 0; i < t->limits_n; i++) {
        if (i) buf_putc(b, ',');
        put_limit(b, &t->limits[i]);
    }
    buf_putc(b, ']');
    json_put_name(b, "quota");
    if (t->has_quota)
        buf_put_i64(b, t->quota);
    else
        buf_puts(b, "null");
    json_put_name(b, "remaining");
    if (t->has_quota && now)
        buf_put_i64(b, now->quota_remaining);
    else
        buf_puts(b, "null");
    put_refill(b, t->refill);
    buf_putc(b, '}');
}

static void put_now(struct call *c, struct buf *b, const struct token_row *row)
{
    struct token_own own;
    struct take_ask ask;
    struct counter_state now;
    if (token_own_decode(row->body, c->arena, &own)) return;
    token_ask(token_app(c, row), row, &own, &ask);
    bool known = !row->revoked_ms && !token_counters(c, &ask, &now);
    put_effective(b, &ask.terms, known ? &now : NULL);
    json_put_time(b, "lastUsedAt", known ? now.last_used_s * 1000ll : 0);
}

/* --- the object --------------------------------------------- */

static void put_record(struct call *c, const struct token_row *row,
                       const struct fresh_secret *secret, struct buf *b)
{
    static const char *const owns[] = {
        "metadata", "remaining", "ratelimit",   "ratelimits",
        "refill",   "scopes",    "ipAllowlist",
    };
    struct id id = id_make(KIND_TOKEN, &row->id);
    yyjson_val *own = row->body.n ? call_parse(c, row->body) : NULL;
    yyjson_val *tags = json_find(own, "tags");
    struct sv name = json_text(json_find(own, "name"));
    struct sv owner = json_text(json_find(own, "owner"));
    buf_putc(b, '{');
    json_put_member(b, "id", id_sv(&id));
    json_put_member(b, "applicationId", id_sv(&row->app_id));
    if (secret) json_put_member(b, "token", sv_of(secret->text, secret->n));
    json_put_member(b, "prefix", sv_first(row->start, row->prefix_n));
    json_put_member(b, "start", row->start);
    json_put_name(b, "tags");
    buf_put(b, tags ? json_encode_val(c->arena, tags) : SV("[]"));
    if (name.n) json_put_member(b, "name", name);
    json_put_member(b, "owner", owner.p ? owner : SV(""));
    for (size_t i = 0; i < sizeof owns / sizeof *owns; i++)
        put_own(c, b, own, owns[i]);
    json_put_bool(b, "enabled", row->enabled);
    json_put_time(b, "expiresAt", row->expires_ms);
    if (row->revoked_ms) json_put_time(b, "revokedAt", row->revoked_ms);
}

static void put_end(struct buf *b, const struct token_row *row)
{
    json_put_time(b, "createdAt", ulid_ms(&row->id));
    json_put_time(b, "updatedAt", row->updated_ms);
    buf_putc(b, '}');
}

void token_show(struct call *c, const struct token_row *row,
                const struct fresh_secret *secret, struct buf *out)
{
    put_record(c, row, secret, out);
    put_now(c, out, row);
    put_end(out, row);
}

struct sv token_record_text(struct call *c, const struct token_row *row)
{
    struct buf b;
    buf_init(&b, OBJECT_MAX_BYTES);
    put_record(c, row, NULL, &b);
    put_end(&b, row);
    struct sv text = b.overflow ? SV("") : arena_dup(c->arena, buf_sv(&b));
    buf_fini(&b);
    return text;
}

void token_answer(struct call *c, const struct token_row *row,
                  const struct fresh_secret *secret, unsigned status,
                  const char *message)
{
    answer_begin(c->a, status, message);
    answer_next(c->a);
    token_show(c, row, secret, &c->a->body);
    answer_end(c->a);
    call_set_etag(c, row->version);
}
