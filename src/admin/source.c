/* Stored records as plan/ and live/ want them: used by each change and by
 * the start-up. */
#include "admin/publish_int.h"
#include "base/err.h"
#include "base/log.h"
#include "live/visitor.h"
#include "model/authentication.h"

#include <stdio.h>

enum { META_NAME_MAX = 64 };

static void quota_name(char out[META_NAME_MAX], struct sv app_id)
{
    snprintf(out, META_NAME_MAX, "quota_slot.%.*s", SV_FMT(app_id));
}

int app_quota_save(struct admin *a, struct sv app_id, uint32_t slot)
{
    char name[META_NAME_MAX], text[16];
    quota_name(name, app_id);
    int n = snprintf(text, sizeof text, "%u", slot);
    return store_meta_set(a->conf.store, name, sv_of(text, (size_t)n));
}

static int quota_read(struct admin *a, struct sv app_id, struct arena *arena,
                      struct app_source *out)
{
    char name[META_NAME_MAX];
    struct sv text;
    uint64_t slot;
    quota_name(name, app_id);
    int err = store_meta_get(a->conf.store, name, arena, &text);
    if (err == ERR_NOTFOUND || (!err && !text.n)) return 0;
    if (err) return err;
    if (!sv_to_u64(text, UINT32_MAX - 1, &slot)) return ERR_CORRUPT;
    out->plan.quota_slot = (uint32_t)slot;
    out->has_quota = true;
    return 0;
}

int app_quota_drop(struct admin *a, struct sv app_id, struct arena *arena,
                   uint32_t *slot)
{
    struct app_source src = { .has_quota = false };
    char name[META_NAME_MAX];
    int err = quota_read(a, app_id, arena, &src);
    if (err || !src.has_quota) return err;
    *slot = src.plan.quota_slot;
    quota_name(name, app_id);
    return store_meta_set(a->conf.store, name, SV(""));
}

uint32_t app_tag(struct sv app_id)
{
    struct ulid u;
    return id_parse(KIND_APPLICATION, app_id, &u) ? 0 : ulid_tag(&u);
}

/* Reads do not fill record.refs. */
static int body_of(struct sv body, struct arena *arena, yyjson_val **out)
{
    yyjson_doc *doc;
    int err = json_decode(body, arena, &doc, NULL);
    if (err) return err == ERR_NOMEM ? err : ERR_CORRUPT;
    *out = yyjson_doc_get_root(doc);
    return 0;
}

/* keyType jwt. A JWT profile that was detached leaves it without, and so does
 * one whose key set was: nobody can verify, and that is no passing fault which
 * onFault may open. */
static int jwt_read(struct admin *a, const struct record *app,
                    yyjson_val *app_body, const struct record *profile,
                    struct arena *arena, struct app_source *out)
{
    yyjson_val *body, *rules = json_find(app_body, "jwtValidation");
    int err = body_of(profile->body, arena, &body);
    if (err) return err;
    struct sv jwt_id = json_text(json_find(body, "jwt_id"));
    if (!jwt_id.n) return 0;
    err = jwt_source_read(a, id_sv(&app->account_id), jwt_id, arena, &out->jwt);
    if (err) return err;
    if (!out->jwt.sets_n && !out->jwt.secret.n) return 0;
    out->plan.jwt = out->jwt.profile;
    out->plan.introspection_secret = out->jwt.secret;
    if (yyjson_is_obj(rules))
        out->plan.jwt_rules = json_encode_val(arena, rules);
    return out->plan.jwt_rules.p ? 0 : ERR_NOMEM;
}

/* The document of the profile that `field` names; "" when it names none. */
static int attached_read(struct admin *a, const struct record *app,
                         const yyjson_val *body, const char *field,
                         enum kind kind, struct arena *arena, struct sv *out)
{
    struct record profile;
    struct sv id = json_text(json_find(body, field));
    if (!id.n) return 0;
    int err = store_record_get(a->conf.store, kind, id_sv(&app->account_id), id,
                               arena, &profile);
    if (err) return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    *out = profile.body;
    return 0;
}

/* Profiles that stand on the application alone. */
static const struct {
    const char *field;
    enum kind kind;
} attached[FORM_COUNT] = {
    [FORM_SECURITY] = { "security_id", KIND_SECURITY },
    [FORM_ABUSE] = { "abuse_id", KIND_ABUSE },
    [FORM_SCHEMA] = { "schema_id", KIND_SCHEMA },
};

/* The document beside a schema profile, if it is to be compiled. */
static int document_read(struct admin *a, const yyjson_val *body,
                         struct arena *arena, struct app_source *out)
{
    struct sv id = json_text(json_find(body, attached[FORM_SCHEMA].field));
    struct sv profile = out->plan.forms[FORM_SCHEMA];
    if (!id.n || plan_form_is_there(a->conf.plan, FORM_SCHEMA, profile))
        return 0;
    int err = store_document_get(a->conf.store, id, SCHEMA_DOCUMENT, arena,
                                 &out->plan.openapi);
    return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
}

static int forms_read(struct admin *a, const struct record *app,
                      const yyjson_val *body, struct arena *arena,
                      struct app_source *out)
{
    int err = 0;
    for (int i = 0; !err && i < FORM_COUNT; i++)
        err = attached_read(a, app, body, attached[i].field, attached[i].kind,
                            arena, &out->plan.forms[i]);
    return err ? err : document_read(a, body, arena, out);
}

static int profile_read(struct admin *a, const struct record *app,
                        struct arena *arena, struct app_source *out)
{
    struct authentication auth;
    struct record profile;
    yyjson_val *body;
    int err = body_of(app->body, arena, &body);
    if (!err)
        err = attached_read(a, app, body, "routing_id", KIND_ROUTING, arena,
                            &out->plan.routing);
    if (!err) err = forms_read(a, app, body, arena, out);
    if (err) return err;
    struct sv auth_id = json_text(json_find(body, "auth_id"));
    if (!auth_id.n) return 0;
    err = store_record_get(a->conf.store, KIND_AUTHENTICATION,
                           id_sv(&app->account_id), auth_id, arena, &profile);
    if (err) return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    out->plan.authentication = profile.body;
    err = authentication_decode(profile.body, arena, &auth);
    if (err) return err;
    out->wants_quota = auth.quota_of_application;
    out->limits = auth.policy.limits_n;
    return auth.key_type == KEY_JWT
               ? jwt_read(a, app, body, &profile, arena, out)
               : 0;
}

int app_source_read(struct admin *a, const struct record *app,
                    struct arena *arena, struct app_source *out)
{
    *out = (struct app_source){
        .plan = { .application = app->body,
                  .authentication = SV(""),
                  .routing = SV(""),
                  .jwt = SV(""),
                  .jwt_rules = SV(""),
                  .introspection_secret = SV(""),
                  .num = app->num,
                  .quota_slot = QUOTA_NONE,
                  .quota_tag = app_tag(id_sv(&app->id)) },
    };
    int err = profile_read(a, app, arena, out);
    if (!err) err = quota_read(a, id_sv(&app->id), arena, out);
    if (!err)
        err =
            store_token_imported(a->conf.store, app->num, &out->plan.imported);
    return err;
}

/* --- images and the key sets that they hold ------------------------------ */

/* What its requests and the abuse profile are counted in. */
static int room_make(struct admin *a, const struct plan_app *image)
{
    const struct plan_abuse *abuse = image->abuse;
    struct ulid app;
    if (a->conf.totals && !id_parse(KIND_APPLICATION, image->app.id, &app)) {
        int err = totals_reserve(a->conf.totals, image->app.num, &app);
        if (err) return err;
    }
    if (abuse && abuse->counts_tokens)
        return counters_reserve_global(a->conf.counters);
    if (abuse && abuse->counts_visitors && a->conf.visitors)
        return visitors_reserve(a->conf.visitors);
    return 0;
}

int app_image_build(struct admin *a, struct app_source *src,
                    struct plan_app **out, struct plan_problem *why)
{
    struct jwk_why key;
    *why = (struct plan_problem){ .field = "" };
    int err = keysets_hold_all(a, &src->jwt, &src->plan, &key);
    if (err == ERR_INVALID) {
        snprintf(why->field, sizeof why->field, "keys");
        snprintf(why->message, sizeof why->message, "%s", key.reason);
    }
    if (err) return err == ERR_FULL ? ERR_LIMIT : err;
    err = plan_build(a->conf.plan, &src->plan, out, why);
    if (err) keysets_drop_all(a, src->plan.keysets, src->plan.keysets_n);
    if (!err && (err = room_make(a, *out))) app_image_drop(a, out);
    return err;
}

void app_image_drop(struct admin *a, struct plan_app **image)
{
    keysets_drop_all(a, (*image)->keysets, (*image)->keysets_n);
    plan_discard(a->conf.plan, image);
}

struct held {
    struct keyset_ref refs[JWT_KEYSETS_MAX];
    unsigned n;
};

static struct held held_by(struct admin *a, struct sv app_id)
{
    const struct plan_app *image = plan_find(a->conf.plan, app_id);
    struct held h = { .n = image ? image->keysets_n : 0 };
    if (image) memcpy(h.refs, image->keysets, sizeof h.refs);
    return h;
}

void app_image_publish(struct admin *a, struct plan_app *image)
{
    struct held before = held_by(a, image->app.id);
    plan_publish(a->conf.plan, image);
    monitor_publish(a, image);
    keysets_drop_all(a, before.refs, before.n);
}

void app_image_remove(struct admin *a, struct sv app_id)
{
    struct held before = held_by(a, app_id);
    plan_remove(a->conf.plan, app_id);
    if (a->conf.monitors) monitors_remove(a->conf.monitors, app_id);
    keysets_drop_all(a, before.refs, before.n);
}

/* --- tokens ----------------------------------------------------------- */

int token_record_fill(struct token_record *r, const struct token_row *row,
                      struct token_own *own, struct arena *arena)
{
    int err = token_own_decode(row->body, arena, own);
    if (err) return err;
    *r = (struct token_record){
        .slot = row->slot,
        .app = row->app,
        .state = (uint8_t)((row->enabled ? TOKEN_ENABLED : 0) |
                           (row->revoked_ms ? TOKEN_REVOKED : 0)),
        .expires_ms = row->expires_ms,
        .own = own->has_policy ? &own->policy : NULL,
        .name = own->name,
        .owner = own->owner,
        .metadata = own->metadata,
        .scopes = own->scopes,
        .scopes_n = own->scopes_n,
        .tags = own->tags,
        .tags_n = own->tags_n,
        .allow = own->allow,
        .allow_n = own->allow_n,
        .has_allow = own->has_allow,
    };
    memcpy(r->id, row->id.b, sizeof r->id);
    memcpy(r->digest, row->digest, sizeof r->digest);
    return 0;
}

int app_image(struct admin *a, struct sv account_id, struct sv app_id,
              struct arena *arena, struct app_source *src,
              struct plan_app **image, struct plan_problem *why)
{
    struct record app;
    int err = store_record_get(a->conf.store, KIND_APPLICATION, account_id,
                               app_id, arena, &app);
    if (!err) err = app_source_read(a, &app, arena, src);
    if (!err && src->limits > 1)
        err = counters_reserve_limits(a->conf.counters, src->limits);
    if (err) return err;
    src->plan.seq = plan_seq(a->conf.plan);
    src->plan.waf_may_miss = true;
    err = app_image_build(a, src, image, why);
    if (!err && why->message[0])
        log_error("admin", "application %.*s: its WAF judges nothing: %s",
                  SV_FMT(app_id), why->message);
    return err;
}

int token_hot_fill(struct token_record *r, const struct token_hot *t,
                   struct token_own *own, struct arena *arena)
{
    struct token_row row = {
        .id = t->id,
        .slot = t->slot,
        .app = t->app,
        .enabled = t->enabled,
        .revoked_ms = t->revoked,
        .expires_ms = t->expires_ms,
        .body = t->body,
    };
    memcpy(row.digest, t->digest, sizeof row.digest);
    return token_record_fill(r, &row, own, arena);
}
