#include "admin/publish.h"

#include "admin/assertion.h"
#include "admin/background.h"
#include "admin/call.h"
#include "admin/publish_int.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "live/subject.h"

enum what {
    IMAGE,
    IMAGE_GONE,
    KEYS,
    TOKEN_PUT,
    TOKEN_ROTATE,
    TOKEN_REVOKE,
    COUNTER,
};
enum { PROFILE_NAMED_BY_MAX = 4096 };

struct change {
    enum what what;
    struct change *next;
    /* IMAGE, IMAGE_GONE */
    struct id app_id;
    struct plan_app *image; /* built by changes_prepare */
    uint32_t quota_slot;
    /* TOKEN_* */
    const struct token_row *row;
    uint32_t alias_slot;
    int64_t grace_ends_ms;
    const uint32_t *ended;
    unsigned ended_n;
    /* COUNTER */
    enum counter_change counter;
    uint32_t slot, tag;
    int64_t n;
};

/* --- said by handlers --------------------------------------------- */

void changes_init(struct changes *x)
{
    *x = (struct changes){ .seq = 0 };
}

static struct change *change_new(struct call *c, enum what what)
{
    struct changes *x = &c->changes;
    struct change *n = ARENA_NEW(c->arena, struct change);
    if (!n) {
        call_fail_store(c, ERR_NOMEM);
        return NULL;
    }
    if (!x->last) x->last = &x->first;
    n->what = what;
    *x->last = n;
    x->last = &n->next;
    return n;
}

bool change_row(struct call *c, enum kind kind, struct sv id)
{
    struct changes *x = &c->changes;
    int err = store_change_append(c->admin->conf.store, kind, id, &x->seq);
    if (!x->first_seq) x->first_seq = x->seq;
    return err ? call_fail_store(c, err) : true;
}

static struct id id_of(struct sv text)
{
    struct id id = { "" };
    ENSURE(text.n <= ID_TEXT_MAX);
    memcpy(id.text, text.p, text.n);
    return id;
}

bool change_application(struct call *c, struct sv app_id)
{
    for (struct change *n = c->changes.first; n; n = n->next)
        if (n->what == IMAGE && sv_eq(id_sv(&n->app_id), app_id)) return true;
    struct change *n = change_new(c, IMAGE);
    if (!n) return false;
    n->app_id = id_of(app_id);
    return change_row(c, KIND_APPLICATION, app_id);
}

/* An application names an authentication profile, that a JWT profile, that a
 * key set. */
bool change_profile(struct call *c, struct sv id)
{
    struct sv *ids = ARENA_ARRAY(c->arena, struct sv, PROFILE_NAMED_BY_MAX);
    unsigned n = 0;
    int err = ids ? store_referrers(c->admin->conf.store, id, c->arena, ids,
                                    PROFILE_NAMED_BY_MAX, &n)
                  : ERR_NOMEM;
    if (err) return call_fail_store(c, err);
    if (n == PROFILE_NAMED_BY_MAX)
        return call_fail(c, 409, "too_many_applications", NULL,
                         "The profile is attached to too many applications "
                         "to be changed at once.");
    for (unsigned i = 0; i < n; i++)
        if (!(id_kind(ids[i]) == KIND_APPLICATION
                  ? change_application(c, ids[i])
                  : change_profile(c, ids[i])))
            return false;
    return change_row(c, id_kind(id), id);
}

bool change_application_gone(struct call *c, struct sv app_id)
{
    struct change *n = change_new(c, IMAGE_GONE);
    if (!n) return false;
    n->app_id = id_of(app_id);
    n->quota_slot = QUOTA_NONE;
    int err = app_quota_drop(c->admin, app_id, c->arena, &n->quota_slot);
    if (err) return call_fail_store(c, err);
    return change_row(c, KIND_APPLICATION, app_id);
}

bool change_keys(struct call *c)
{
    return change_new(c, KEYS) != NULL;
}

static bool slot_remember(struct changes *x, uint32_t slot)
{
    if (x->slots_n == x->slots_cap) {
        size_t cap = x->slots_cap ? x->slots_cap * 2 : 16;
        x->slots = mem_realloc(x->slots, cap * sizeof *x->slots);
        x->slots_cap = cap;
    }
    x->slots[x->slots_n++] = slot;
    return true;
}

uint32_t change_slot(struct call *c, uint32_t tag)
{
    struct admin *a = c->admin;
    uint32_t slot = tokens_slot_take(a->conf.tokens);
    if (slot == UINT32_MAX) {
        call_fail(c, 503, "tokens_full", NULL,
                  "This server holds as many tokens as it may.");
        return slot;
    }
    slot_remember(&c->changes, slot);
    int err = counters_slot_init(a->conf.counters, slot, tag);
    if (!err) return slot;
    call_fail_store(c, err);
    return UINT32_MAX;
}

static bool token_change(struct call *c, enum what what,
                         const struct token_row *row, struct change **out)
{
    *out = change_new(c, what);
    if (!*out) return false;
    (*out)->row = row;
    struct id id = id_make(KIND_TOKEN, &row->id);
    return change_row(c, KIND_TOKEN, id_sv(&id));
}

bool change_token_put(struct call *c, const struct token_row *row)
{
    struct change *n;
    return token_change(c, TOKEN_PUT, row, &n);
}

bool change_token_rotate(struct call *c, const struct token_row *row,
                         uint32_t alias_slot, int64_t grace_ends_ms,
                         const uint32_t *ended, unsigned ended_n)
{
    struct change *n;
    if (!token_change(c, TOKEN_ROTATE, row, &n)) return false;
    n->alias_slot = alias_slot;
    n->grace_ends_ms = grace_ends_ms;
    n->ended = ended;
    n->ended_n = ended_n;
    return true;
}

bool change_token_revoke(struct call *c, const struct token_row *row)
{
    struct change *n;
    return token_change(c, TOKEN_REVOKE, row, &n);
}

bool change_counter(struct call *c, enum counter_change what, uint32_t slot,
                    uint32_t tag, int64_t n)
{
    struct change *x = change_new(c, COUNTER);
    if (!x) return false;
    x->counter = what;
    x->slot = slot;
    x->tag = tag;
    x->n = n;
    return true;
}

/* --- before the commit --------------------------------------------- */

static bool quota_make(struct call *c, struct change *n, struct app_source *src)
{
    n->quota_slot = change_slot(c, src->plan.quota_tag);
    if (n->quota_slot == UINT32_MAX) return false;
    int err = app_quota_save(c->admin, id_sv(&n->app_id), n->quota_slot);
    if (err) return call_fail_store(c, err);
    src->plan.quota_slot = n->quota_slot;
    return true;
}

static bool image_build_in(struct call *c, struct change *n,
                           struct arena *scratch)
{
    struct admin *a = c->admin;
    struct app_source src;
    struct plan_problem why;
    struct record app;
    int err =
        store_record_get(a->conf.store, KIND_APPLICATION, id_sv(&c->account_id),
                         id_sv(&n->app_id), scratch, &app);
    if (!err) err = app_source_read(a, &app, scratch, &src);
    if (err) return call_fail_store(c, err);
    if (src.limits > 1 &&
        (err = counters_reserve_limits(a->conf.counters, src.limits)))
        return call_fail_store(c, err);
    if (src.wants_quota && !src.has_quota && !quota_make(c, n, &src))
        return false;
    src.plan.seq = c->changes.seq;
    err = app_image_build(a, &src, &n->image, &why);
    if (err == ERR_INVALID)
        return call_fail(c, 400, "invalid_value", why.field, why.message);
    if (err == ERR_NOTFOUND)
        return call_fail(c, 409, "waf_unavailable", why.field, why.message);
    if (err == ERR_LIMIT && why.message[0])
        return call_fail(c, 503, "waf_rules_full", why.field, why.message);
    if (err == ERR_LIMIT)
        return call_fail(c, 503, "key_sets_full", NULL,
                         "This server holds as many key sets as it may.");
    bool counts = !err && n->image->jwt && n->image->jwt->needs_subject;
    if (counts && a->conf.subjects) err = subjects_reserve(a->conf.subjects);
    if (err) return call_fail_store(c, err);
    const struct origin_assertion *asserts = &n->image->app.assertion;
    return !asserts->lifetime_s || assertion_ensure(c, asserts->alg);
}

/* A profile may be large, and many applications may name it: each is read into
 * memory of its own. */
static bool image_build(struct call *c, struct change *n)
{
    struct arena scratch;
    arena_init(&scratch, CALL_ARENA_BYTES, NULL, 0);
    bool built = image_build_in(c, n, &scratch);
    arena_fini(&scratch);
    return built;
}

bool changes_prepare(struct call *c)
{
    for (struct change *n = c->changes.first; n; n = n->next)
        if (n->what == IMAGE && !image_build(c, n)) return false;
    return true;
}

/* --- after it --------------------------------------------- */

static void image_publish(struct admin *a, struct change *n)
{
    app_image_publish(a, n->image);
    n->image = NULL;
}

static void image_remove(struct admin *a, const struct change *n)
{
    app_image_remove(a, id_sv(&n->app_id));
    background_purge(a->background);
    if (n->quota_slot != QUOTA_NONE)
        tokens_slot_give(a->conf.tokens, n->quota_slot);
}

static int token_put(struct admin *a, const struct token_row *row,
                     struct arena *arena)
{
    struct token_record r;
    struct token_own own;
    int err = token_record_fill(&r, row, &own, arena);
    return err ? err : tokens_put(a->conf.tokens, &r);
}

static int token_rotate(struct admin *a, const struct change *n)
{
    for (unsigned i = 0; i < n->ended_n; i++)
        tokens_revoke(a->conf.tokens, n->ended[i]);
    return tokens_rotate(a->conf.tokens, n->row->slot, n->row->digest,
                         n->alias_slot, n->grace_ends_ms);
}

static int counter_apply(struct admin *a, const struct change *n)
{
    struct counters *k = a->conf.counters;
    switch (n->counter) {
    case COUNTER_ADD: return counters_add(k, n->slot, n->tag, n->n);
    case COUNTER_SET_USED: return counters_set_used(k, n->slot, n->tag, n->n);
    case COUNTER_RESET: return counters_reset(k, n->slot, n->tag);
    }
    return 0;
}

static bool is_of_token(enum what what)
{
    return what == TOKEN_PUT || what == TOKEN_ROTATE || what == TOKEN_REVOKE;
}

static int change_apply(struct call *c, struct change *n)
{
    struct admin *a = c->admin;
    int fault = is_of_token(n->what) && a->conf.publish_fault
                    ? a->conf.publish_fault(a->conf.ctx)
                    : 0;
    if (fault) return fault;
    switch (n->what) {
    case IMAGE: image_publish(a, n); return 0;
    case IMAGE_GONE: image_remove(a, n); return 0;
    case KEYS: return key_ring_load(a->keys, a->conf.store);
    case TOKEN_PUT: return token_put(a, n->row, c->arena);
    case TOKEN_ROTATE: return token_rotate(a, n);
    case TOKEN_REVOKE: tokens_revoke(a->conf.tokens, n->row->slot); return 0;
    case COUNTER: return counter_apply(a, n);
    }
    return 0;
}

static void changes_forget(struct changes *x)
{
    mem_free(x->slots);
    x->slots = NULL;
    x->slots_n = x->slots_cap = 0;
    if (x->assertion) mem_wipe(x->assertion, sizeof *x->assertion);
    x->assertion = NULL;
    x->first = NULL;
    x->last = NULL;
}

/* A token's change may build on one that is not in force yet: then it is put
 * in force by repair.c, out of the store, behind that one. */
int changes_apply(struct call *c)
{
    struct changes *x = &c->changes;
    struct admin *a = c->admin;
    bool diverged = atomic_load(&a->diverged);
    int first_err = 0;
    if (x->seq) atomic_store(&c->admin->committed, x->seq);
    /* first: an image may need them */
    if (x->assertion) first_err = assertion_apply(c->admin, x->assertion);
    for (struct change *n = x->first; n; n = n->next) {
        if (diverged && is_of_token(n->what)) continue;
        int err = change_apply(c, n);
        if (!err) continue;
        log_error("admin", "a committed change was not published: %s",
                  err_text(err));
        if (n->what != COUNTER) /* that one says so in its answer, no more */
            repair_ask(a, x->first_seq - 1);
        else if (!first_err)
            first_err = err;
    }
    if (atomic_load(&a->diverged)) {
        int err = repair_run(a, x->first_seq - 1);
        if (!first_err) first_err = err;
    } else if (x->seq) {
        plan_set_seq(a->conf.plan, x->seq);
    }
    changes_forget(x);
    return first_err;
}

void changes_undo(struct call *c)
{
    struct changes *x = &c->changes;
    for (struct change *n = x->first; n; n = n->next)
        if (n->image) app_image_drop(c->admin, &n->image);
    for (size_t i = 0; i < x->slots_n; i++)
        tokens_slot_give(c->admin->conf.tokens, x->slots[i]);
    changes_forget(x);
}
