/* Management keys (api.md §1): the secret is in the answer to its creation
 * and nowhere else; an account that has an owner keeps one. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/rfc3339.h"
#include "model/token.h"

struct fresh { /* call.user while a key is created */
    char text[TOKEN_SECRET_MAX];
    size_t n;
};

static bool row_of(struct call *c, const struct record *r,
                   struct management_key *out)
{
    yyjson_val *body = call_parse(c, r->body);
    struct sv ends = json_text(json_find(body, "expiresAt"));
    *out = (struct management_key){ .id = r->id, .account_id = r->account_id };
    if (!role_parse(json_text(json_find(body, "role")), &out->role) ||
        (ends.n && rfc3339_decode(ends, &out->expires_ms)))
        return call_fail_store(c, ERR_CORRUPT);
    return true;
}

/* In place of a key that never expires another one must stay that does not
 * either: else the account would lose its last owner later, unasked. */
static bool owner_is_left(struct call *c, const struct management_key *was)
{
    uint64_t n = 0;
    if (was->role != ROLE_OWNER) return true;
    int err =
        store_key_count(c->admin->conf.store, id_sv(&c->account_id), ROLE_OWNER,
                        was->expires_ms ? c->now_ms : INT64_MAX, &n);
    if (err) return call_fail_store(c, err);
    if (n) return true;
    return call_fail(c, 409, "last_owner_key", NULL,
                     "An account keeps at least one owner key without an end.");
}

static bool insert(struct call *c, struct management_key *k)
{
    struct fresh *f = ARENA_NEW(c->arena, struct fresh);
    if (!f) return call_fail_store(c, ERR_NOMEM);
    f->n = token_secret_make(f->text, SV(MANAGEMENT_KEY_PREFIX),
                             MANAGEMENT_KEY_BYTES);
    sha256(sv_of(f->text, f->n), k->digest);
    int err = store_key_insert(c->admin->conf.store, k);
    mem_wipe(k->digest, sizeof k->digest);
    c->user = f;
    return err ? call_fail_store(c, err) : true;
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    struct management_key k, was;
    (void)doc;
    if (!row_of(c, r, &k)) return false;
    if (!before) {
        if (!insert(c, &k)) return false;
    } else {
        int err = store_key_update(c->admin->conf.store, id_sv(&k.id), k.role,
                                   k.expires_ms);
        if (err) return call_fail_store(c, err);
        if (!row_of(c, before, &was) || !owner_is_left(c, &was)) return false;
    }
    return change_row(c, KIND_MANAGEMENT_KEY, id_sv(&r->id)) && change_keys(c);
}

static bool gone(struct call *c, const struct record *r)
{
    struct management_key k;
    if (!row_of(c, r, &k) || !owner_is_left(c, &k)) return false;
    return change_row(c, KIND_MANAGEMENT_KEY, id_sv(&r->id)) && change_keys(c);
}

static void show(struct call *c, const struct record *r, struct buf *out)
{
    struct fresh *f = c->user;
    record_show(r, out);
    if (!f || out->overflow) return;
    out->n--;
    json_put_name(out, "key");
    json_put_text(out, sv_of(f->text, f->n));
    buf_putc(out, '}');
}

const struct noun noun_management_key = {
    .name = "management-key",
    .shape = &shape_management_key,
    .stored = stored,
    .gone = gone,
    .unique_field = "name",
    .show = show,
};

void management_key_create(struct call *c)
{
    noun_create(c, &noun_management_key);
    struct fresh *f = c->user;
    if (f) mem_wipe(f, sizeof *f);
}
void management_key_list(struct call *c)
{
    noun_list(c, &noun_management_key);
}
void management_key_get(struct call *c)
{
    noun_get(c, &noun_management_key);
}
void management_key_patch(struct call *c)
{
    noun_patch(c, &noun_management_key);
}
void management_key_delete(struct call *c)
{
    noun_delete(c, &noun_management_key);
}
