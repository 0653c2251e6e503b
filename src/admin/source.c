/* Stored records as plan/ and live/ want them: used by each change and by
 * the start-up. */
#include "admin/publish_int.h"
#include "base/err.h"
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
static int auth_id_of(const struct record *app, struct arena *arena,
                      struct sv *out)
{
    yyjson_doc *doc;
    int err = json_decode(app->body, arena, &doc, NULL);
    if (err) return err == ERR_NOMEM ? err : ERR_CORRUPT;
    *out = json_text(json_find(yyjson_doc_get_root(doc), "auth_id"));
    return 0;
}

static int profile_read(struct admin *a, const struct record *app,
                        struct arena *arena, struct app_source *out)
{
    struct authentication auth;
    struct record profile;
    struct sv auth_id;
    int err = auth_id_of(app, arena, &auth_id);
    if (err || !auth_id.n) return err;
    err = store_record_get(a->conf.store, KIND_AUTHENTICATION,
                           id_sv(&app->account_id), auth_id, arena, &profile);
    if (err) return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    out->plan.authentication = profile.body;
    err = authentication_decode(profile.body, arena, &auth);
    if (err) return err;
    out->wants_quota = auth.quota_of_application;
    out->limits = auth.policy.limits_n;
    return 0;
}

int app_source_read(struct admin *a, const struct record *app,
                    struct arena *arena, struct app_source *out)
{
    *out = (struct app_source){
        .plan = { .application = app->body,
                  .authentication = SV(""),
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
