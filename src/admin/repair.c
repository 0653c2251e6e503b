/* A change that was committed and could not be put in force: the disk had no
 * room for a long metadata, memory was short. The store is the truth, and what
 * the feed names since the first such row is put in force out of it, again and
 * again, until all of it is; until then /readyz is red. What is right already
 * is left as it is, so that every step may be made any number of times. */
#include "admin/background.h"
#include "admin/publish_int.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"

enum {
    ITEMS_BYTES = 64 << 20, /* an import names 10,000 tokens */
    ITEM_BYTES = 16 << 20,
    ROWS_MAX = 64, /* a token and its aliases */
};

struct item {
    struct item *next;
    enum kind kind;
    struct id id;
    uint64_t seq; /* the newest row that names it */
};

struct repair {
    struct admin *a;
    struct arena items;
    struct map by_id;
    struct item *first, **last;
    struct arena arena; /* of one item */
};

void repair_ask(struct admin *a, uint64_t seq)
{
    if (atomic_exchange(&a->diverged, true)) return;
    a->diverged_above = seq;
}

static int item_add(void *ctx, uint64_t seq, enum kind kind, struct sv id)
{
    struct repair *r = ctx;
    struct item *item = map_find(&r->by_id, id);
    if (!item) {
        if (id.n > ID_TEXT_MAX) return ERR_CORRUPT;
        if (!(item = ARENA_NEW(&r->items, struct item))) return ERR_NOMEM;
        *item = (struct item){ .kind = kind };
        memcpy(item->id.text, id.p, id.n);
        map_put(&r->by_id, id_sv(&item->id), item);
        *r->last = item;
        r->last = &item->next;
    }
    item->seq = seq;
    return 0;
}

/* --- applications ----------------------------------------------------------- */

struct owner {
    struct sv app_id;
    struct id account_id;
};

static int owner_find(void *ctx, const struct record *r)
{
    struct owner *o = ctx;
    if (!sv_eq(id_sv(&r->id), o->app_id)) return 0;
    o->account_id = r->account_id;
    return 1;
}

static int app_again(struct repair *r, struct sv id)
{
    struct admin *a = r->a;
    struct owner o = { .app_id = id };
    struct app_source src;
    struct plan_problem why;
    struct plan_app *image;
    int found =
        store_record_each(a->conf.store, KIND_APPLICATION, owner_find, &o);
    if (found < 0) return found;
    if (!found) {
        app_image_remove(a, id);
        background_purge(a->background);
        return 0;
    }
    int err =
        app_image(a, id_sv(&o.account_id), id, &r->arena, &src, &image, &why);
    if (!err) app_image_publish(a, image);
    return err;
}

/* --- tokens ------------------------------------------------------------------- */

/* Does this secret still open the token itself, not as an alias of it? */
static bool is_primary(const struct tokens *t, const struct token_hot *token,
                       const uint8_t digest[32], int64_t now_ms)
{
    struct token_view v;
    return tokens_find(t, token->app, digest, now_ms, &v) &&
           v.slot == token->slot && !(v.state & TOKEN_ALIAS);
}

/* The token has a secret here that is an alias's by now: a rotation. */
static int rotate_again(struct tokens *t, const struct token_hot *token,
                        const struct token_hot *alias, unsigned n,
                        int64_t now_ms)
{
    if (!tokens_has(t, token->slot) ||
        is_primary(t, token, token->digest, now_ms))
        return 0;
    for (unsigned i = 0; i < n; i++)
        if (is_primary(t, token, alias[i].digest, now_ms))
            return tokens_rotate(t, token->slot, token->digest, alias[i].slot,
                                 alias[i].expires_ms);
    return 0; /* tokens_put says what is wrong */
}

static int alias_again(struct tokens *t, const struct token_hot *token,
                       const struct token_hot *alias, int64_t now_ms)
{
    int err = 0;
    if (!tokens_has(t, alias->slot))
        err = tokens_alias_put(t, alias->slot, alias->app, alias->digest,
                               token->slot, alias->expires_ms);
    if (!err && alias->expires_ms <= now_ms) tokens_revoke(t, alias->slot);
    return err;
}

static int token_again(struct repair *r, struct sv id)
{
    struct tokens *t = r->a->conf.tokens;
    struct token_hot rows[ROWS_MAX];
    struct token_record record;
    struct token_own own;
    struct ulid ulid;
    unsigned n;
    int64_t now_ms = clock_wall_ms();
    if (id_parse(KIND_TOKEN, id, &ulid)) return ERR_CORRUPT;
    int err =
        store_token_hot(r->a->conf.store, &ulid, &r->arena, rows, ROWS_MAX, &n);
    if (err == ERR_NOTFOUND) return 0; /* purged: with its slots */
    if (!err && r->a->conf.publish_fault)
        err = r->a->conf.publish_fault(r->a->conf.ctx);
    if (!err) err = rotate_again(t, rows, rows + 1, n - 1, now_ms);
    if (!err) err = token_hot_fill(&record, rows, &own, &r->arena);
    if (!err) err = tokens_put(t, &record);
    for (unsigned i = 1; i < n && !err; i++)
        err = alias_again(t, rows, &rows[i], now_ms);
    return err;
}

/* --- all ------------------------------------------------------------------------ */

static int item_again(struct repair *r, const struct item *item)
{
    switch (item->kind) {
    case KIND_APPLICATION: return app_again(r, id_sv(&item->id));
    case KIND_TOKEN: return token_again(r, id_sv(&item->id));
    case KIND_ACCOUNT:
    case KIND_MANAGEMENT_KEY:
        return key_ring_load(r->a->keys, r->a->conf.store);
    default: return 0; /* acts through its applications */
    }
}

static int items_again(struct repair *r, uint64_t own_above, int *own_err)
{
    int first_err = 0;
    for (struct item *i = r->first; i; i = i->next) {
        arena_init(&r->arena, ITEM_BYTES, NULL, 0);
        int err = item_again(r, i);
        arena_fini(&r->arena);
        if (err && !first_err) first_err = err;
        if (err && i->seq > own_above) *own_err = err;
    }
    return first_err;
}

int repair_run(struct admin *a, uint64_t own_above)
{
    struct repair r = { .a = a };
    int own_err = 0;
    r.last = &r.first;
    arena_init(&r.items, ITEMS_BYTES, NULL, 0);
    int err = store_change_each(a->conf.store, a->diverged_above, item_add, &r);
    own_err = err;
    if (!err) err = items_again(&r, own_above, &own_err);
    map_fini(&r.by_id);
    arena_fini(&r.items);
    if (!err) {
        log_info("admin", "what was committed is in force again");
        plan_set_seq(a->conf.plan, atomic_load(&a->committed));
        atomic_store(&a->diverged, false);
    }
    return own_err;
}
