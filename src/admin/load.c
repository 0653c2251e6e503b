/* Start-up: what the store holds becomes what traffic reads. Images first
 * (they name the slots of shared quotas), then tokens in the order of their
 * slots, their aliases, the shared quotas, and the management keys. */
#include "admin/background.h"
#include "admin/hold.h"
#include "admin/publish_int.h"
#include "base/err.h"
#include "base/mem.h"
#include "live/subject.h"

#include <stdio.h>

enum { ROW_ARENA_BYTES = 1 << 20, APP_ARENA_BYTES = 64 << 20 };

struct app_name {
    struct id id, account_id;
};
struct quota {
    uint32_t slot;
    struct id app_id;
};
struct load {
    struct admin *a;
    char *problem; /* 256 bytes */
    struct app_name *apps;
    size_t apps_n, apps_cap;
    struct quota *quotas;
    size_t quotas_n, quotas_cap;
    struct token_hot *aliases; /* without bodies */
    size_t aliases_n, aliases_cap;
    uint32_t assertion_algs;
    bool counts_subjects; /* some application counts by JWT subject */
    struct arena arena;   /* of one row */
};

static int failed(struct load *l, int err, const char *what, const char *id)
{
    snprintf(l->problem, 256, "%s %s: %s", what, id, err_text(err));
    return err;
}

/* --- applications --------------------------------------------- */

static int app_collect(void *ctx, const struct record *r)
{
    struct load *l = ctx;
    if (l->apps_n == l->apps_cap) {
        l->apps_cap = l->apps_cap ? l->apps_cap * 2 : 64;
        l->apps = mem_realloc(l->apps, l->apps_cap * sizeof *l->apps);
    }
    l->apps[l->apps_n++] = (struct app_name){ r->id, r->account_id };
    return 0;
}

static void quota_add(struct load *l, const struct id *app, uint32_t slot)
{
    if (l->quotas_n == l->quotas_cap) {
        l->quotas_cap = l->quotas_cap ? l->quotas_cap * 2 : 16;
        l->quotas = mem_realloc(l->quotas, l->quotas_cap * sizeof *l->quotas);
    }
    l->quotas[l->quotas_n++] = (struct quota){ slot, *app };
}

static int app_load(struct load *l, const struct app_name *name,
                    struct arena *arena)
{
    struct admin *a = l->a;
    struct app_source src;
    struct plan_problem why = { .field = "" };
    struct plan_app *image;
    int err = app_image(a, id_sv(&name->account_id), id_sv(&name->id), arena,
                        &src, &image, &why);
    if (err) return failed(l, err, "application", name->id.text);
    if (src.has_quota) quota_add(l, &name->id, src.plan.quota_slot);
    if (image->app.assertion.lifetime_s)
        l->assertion_algs |= 1u << image->app.assertion.alg;
    l->counts_subjects |= image->jwt && image->jwt->needs_subject;
    app_image_publish(a, image);
    return 0;
}

static int apps_load(struct load *l)
{
    struct store *s = l->a->conf.store;
    struct arena arena;
    int err = store_record_each(s, KIND_APPLICATION, app_collect, l);
    if (err) return failed(l, err, "applications", "");
    for (size_t i = 0; i < l->apps_n && !err; i++) {
        arena_init(&arena, APP_ARENA_BYTES, NULL, 0);
        err = app_load(l, &l->apps[i], &arena);
        arena_fini(&arena);
    }
    return err;
}

/* --- tokens --------------------------------------------- */

static int counter_load(struct admin *a, uint32_t slot, uint32_t tag,
                        int64_t used, uint32_t refills)
{
    struct counters *k = a->conf.counters;
    if (counters_slot_has(k, slot, tag)) return 0;
    return counters_slot_restore(k, slot, tag, used, refills);
}

static int primary_load(struct load *l, const struct token_hot *t)
{
    struct token_record r;
    struct token_own own;
    if (t->body.n) arena_reset(&l->arena);
    int err = token_hot_fill(&r, t, &own, &l->arena);
    if (!err) err = tokens_load(l->a->conf.tokens, &r);
    if (err) return err;
    return counter_load(l->a, t->slot, ulid_tag(&t->id), t->used, t->refills);
}

/* An alias waits until its primary is there. */
static int token_load(void *ctx, const struct token_hot *t)
{
    struct load *l = ctx;
    if (t->primary == UINT32_MAX) return primary_load(l, t);
    if (l->aliases_n == l->aliases_cap) {
        l->aliases_cap = l->aliases_cap ? l->aliases_cap * 2 : 64;
        l->aliases =
            mem_realloc(l->aliases, l->aliases_cap * sizeof *l->aliases);
    }
    l->aliases[l->aliases_n++] = *t;
    return 0;
}

static int aliases_load(struct load *l)
{
    int err = 0;
    for (size_t i = 0; i < l->aliases_n && !err; i++) {
        const struct token_hot *t = &l->aliases[i];
        err = tokens_alias_load(l->a->conf.tokens, t->slot, t->app, t->digest,
                                t->primary, t->expires_ms);
    }
    return err;
}

static int quotas_load(struct load *l)
{
    int err = 0;
    for (size_t i = 0; i < l->quotas_n && !err; i++) {
        const struct quota *q = &l->quotas[i];
        err = tokens_slot_claim(l->a->conf.tokens, q->slot);
        if (!err)
            err = counter_load(l->a, q->slot, app_tag(id_sv(&q->app_id)), 0, 0);
    }
    return err;
}

static int tokens_load_all(struct load *l)
{
    int err = store_token_load(l->a->conf.store, token_load, l);
    if (!err) err = aliases_load(l);
    if (!err) err = quotas_load(l);
    if (!err) tokens_loaded(l->a->conf.tokens);
    return err ? failed(l, err, "tokens", "") : 0;
}

/* --- all --------------------------------------------- */

int admin_load(struct admin *a, char problem[256])
{
    struct load l = { .a = a, .problem = problem };
    uint64_t seq = 0;
    problem[0] = 0;
    int err = store_change_last(a->conf.store, &seq);
    if (err) failed(&l, err, "change feed", "");
    arena_init(&l.arena, ROW_ARENA_BYTES, NULL, 0);
    if (!err) err = apps_load(&l);
    if (!err) err = tokens_load_all(&l);
    /* behind the tokens: it takes slots that no token has */
    if (!err && l.counts_subjects && a->conf.subjects &&
        (err = subjects_reserve(a->conf.subjects)))
        failed(&l, err, "subjects", "");
    if (!err && (err = key_ring_load(a->keys, a->conf.store)))
        failed(&l, err, "management keys", "");
    if (!err && (err = assertion_load(a, l.assertion_algs)))
        failed(&l, err, "assertion keys", "");
    if (!err && (err = holds_load(a))) failed(&l, err, "holds", "");
    if (!err && (err = alerting_load(a->alerting)))
        failed(&l, err, "alerts", "");
    arena_fini(&l.arena);
    mem_free(l.apps);
    mem_free(l.quotas);
    mem_free(l.aliases);
    if (err) return err;
    plan_set_seq(a->conf.plan, seq);
    atomic_store(&a->committed, seq);
    background_feed(a->background, seq);
    atomic_store(&a->loaded, true);
    return 0;
}
