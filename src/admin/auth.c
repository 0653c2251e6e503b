#include "admin/auth.h"

#include "admin/admin_int.h"
#include "base/err.h"

static bool bearer(struct sv field, struct sv *secret)
{
    if (!sv_starts_nocase(field, SV("Bearer "))) return false;
    *secret = sv_trim(sv_from(field, 7));
    return secret->n > 0;
}

bool admin_caller(const struct admin *a, struct sv authorization,
                  int64_t wall_ms, struct caller *out)
{
    struct management_key key;
    struct sv secret;
    if (!bearer(authorization, &secret) ||
        !key_ring_find(a->keys, secret, wall_ms, &key))
        return false;
    *out = (struct caller){ key.id, key.account_id, key.role };
    return true;
}

bool auth_caller(struct call *c)
{
    if (admin_caller(c->admin, c->q->authorization, c->now_ms, &c->who))
        return true;
    if (!c->q->authorization.n)
        return call_fail(c, 401, "missing_key", NULL,
                         "A management key is needed: "
                         "Authorization: Bearer <key>.");
    unsigned wait_s =
        auth_limit_fail(c->admin->failures, &c->q->peer, c->now_ms);
    if (!wait_s)
        return call_fail(c, 401, "invalid_key", NULL,
                         "The management key is unknown or expired.");
    call_fail(c, 429, "too_many_failures", NULL,
              "Too many bad management keys from this address.");
    c->a->retry_after_s = wait_s;
    return false;
}

static bool account_set(struct call *c, struct sv id)
{
    struct record account;
    if (id_parse(KIND_ACCOUNT, id, NULL)) return call_not_found(c, "account");
    memcpy(c->account_id.text, id.p, id.n);
    c->account_id.text[id.n] = 0;
    if (c->who.role != ROLE_ROOT) return true;
    int err = store_record_get(c->admin->conf.store, KIND_ACCOUNT, SV(""), id,
                               c->arena, &account);
    if (err == ERR_NOTFOUND) return call_not_found(c, "account");
    return err ? call_fail_store(c, err) : true;
}

/* The published paths without an account: it is the key's. */
static bool account_of_key(struct call *c)
{
    struct sv asked = query_find(&c->query, SV("account_id"));
    if (c->who.role != ROLE_ROOT) {
        if (asked.p && !sv_eq(asked, id_sv(&c->who.account_id)))
            return call_not_found(c, "account");
        c->account_id = c->who.account_id;
        return true;
    }
    if (!asked.p)
        return call_fail(c, 400, "required", "account_id",
                         "A root key must say ?account_id=.");
    return account_set(c, asked);
}

bool auth_account(struct call *c)
{
    const struct endpoint *e = c->route.endpoint;
    if (e->flags & EP_SERVER) return true;
    if (c->route.also) return account_of_key(c);
    if (c->who.role != ROLE_ROOT &&
        !sv_eq(c->route.account_id, id_sv(&c->who.account_id)))
        return call_not_found(c, "account");
    return account_set(c, c->route.account_id);
}

bool auth_role(struct call *c)
{
    if (c->who.role >= c->route.endpoint->role) return true;
    return call_fail(c, 403, "forbidden", NULL,
                     "The management key's role does not permit this.");
}
