/* The root: match, find, publish, remove. A change swaps one cell's image
 * and, only if the domain changed, replaces two small index shards. */
#include "plan/plan.h"

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/mem.h"
#include "plan/host.h"
#include "plan/plan_int.h"

int plan_new(struct plan **out, unsigned reactors)
{
    ENSURE(reactors > 0 && reactors <= PLAN_REACTORS_MAX);
    struct plan *p = NEW(struct plan);
    p->reactors = reactors;
    origins_new(&p->origins);
    origin_table_new(&p->states);
    compiled_set_new(&p->compiled);
    waf_sets_new(&p->waf_sets, &(struct waf_sets_conf){ .max = 0 });
    *out = p;
    return 0;
}

void plan_waf_conf(struct plan *p, const struct waf_sets_conf *conf)
{
    waf_sets_free(&p->waf_sets);
    waf_sets_new(&p->waf_sets, conf);
}

static void cell_free(struct plan_cell *cell)
{
    plan_app_free(atomic_load(&cell->app));
    mem_free(cell);
}

void plan_free(struct plan **at)
{
    struct plan *p = *at;
    if (!p) return;
    epoch_reclaim();
    cell_index_fini(&p->hosts, NULL);
    cell_index_fini(&p->ids, cell_free);
    ENSURE(atomic_load(&p->images) == 0);
    compiled_set_free(&p->compiled);
    waf_sets_free(&p->waf_sets);
    origins_free(&p->origins);
    origin_table_free(&p->states);
    mem_free(p);
    *at = NULL;
}

/* --- readers --------------------------------------------------------------- */

static const struct plan_app *image_of(const struct plan_cell *cell)
{
    return cell ? atomic_load(&cell->app) : NULL;
}

static unsigned depth_bit(unsigned labels)
{
    return labels < 63 ? labels : 63;
}

static const struct plan_cell *match_wildcard(const struct plan *p,
                                              struct sv host)
{
    uint64_t depths =
        atomic_load_explicit(&p->wild_depths, memory_order_relaxed);
    if (!depths) return NULL;
    unsigned labels = host_labels(host);
    for (size_t i = 0; i < host.n; i++) { /* the longest suffix first */
        if (host.p[i] != '.') continue;
        labels--;
        if (!(depths >> depth_bit(labels) & 1)) continue;
        const struct plan_cell *cell =
            cell_index_find(&p->hosts, sv_from(host, i));
        if (cell) return cell;
    }
    return NULL;
}

const struct plan_app *plan_match(const struct plan *p, struct sv host)
{
    char text[HOST_KEY_MAX];
    struct sv key = { text, host_key(host, text) };
    if (key.n == 0) return NULL;
    const struct plan_cell *cell = cell_index_find(&p->hosts, key);
    return image_of(cell ? cell : match_wildcard(p, key));
}

const struct plan_app *plan_find(const struct plan *p, struct sv id)
{
    return image_of(cell_index_find(&p->ids, id));
}

struct balanced {
    void (*fn)(void *ctx, const struct plan_app *a);
    void *ctx;
};

static void balanced_one(void *ctx, struct plan_cell *cell)
{
    const struct balanced *to = ctx;
    const struct plan_app *a = image_of(cell);
    if (a && a->balance) to->fn(to->ctx, a);
}

void plan_balanced(const struct plan *p,
                   void (*fn)(void *ctx, const struct plan_app *a), void *ctx)
{
    struct balanced to = { fn, ctx };
    if (atomic_load(&p->balanced)) cell_index_each(&p->ids, balanced_one, &to);
}

/* --- the writer ------------------------------------------------------------ */

static void wild_count(struct plan *p, struct sv key, int by)
{
    if (key.n == 0 || key.p[0] != '.') return;
    unsigned bit = depth_bit(host_labels(sv_from(key, 1)));
    p->wild_n[bit] += (unsigned)by;
    uint64_t depths = atomic_load(&p->wild_depths), mask = UINT64_C(1) << bit;
    atomic_store(&p->wild_depths,
                 p->wild_n[bit] ? depths | mask : depths & ~mask);
}

static void host_add(struct plan *p, struct sv key, struct plan_cell *cell)
{
    if (key.n == 0) return;
    wild_count(p, key, 1);
    cell_index_put(&p->hosts, key, cell);
}

static void host_leave(struct plan *p, struct sv key, struct plan_cell *cell)
{
    if (key.n == 0) return;
    cell_index_remove(&p->hosts, key, cell);
    wild_count(p, key, -1);
}

static void image_retire(struct plan_app *a);

void plan_publish(struct plan *p, struct plan_app *a)
{
    ENSURE(a->owner == p);
    struct plan_cell *cell = cell_index_find(&p->ids, a->app.id);
    struct plan_app *old = NULL;
    if (cell) {
        old = atomic_exchange(&cell->app, a);
    } else {
        cell = NEW(struct plan_cell);
        atomic_store(&cell->app, a);
        cell_index_put(&p->ids, a->app.id, cell);
    }
    char new_text[HOST_KEY_MAX], old_text[HOST_KEY_MAX];
    struct sv new_key = { new_text, host_domain_key(a->app.domain, new_text) };
    struct sv old_key = { old_text, 0 };
    if (old) old_key.n = host_domain_key(old->app.domain, old_text);
    if (!old || !sv_eq(new_key, old_key)) {
        host_add(p, new_key, cell);
        host_leave(p, old_key, cell);
    } else if (new_key.n && cell_index_find(&p->hosts, new_key) != cell) {
        cell_index_put(&p->hosts, new_key, cell); /* another had the name */
    }
    if (old) image_retire(old);
}

void plan_remove(struct plan *p, struct sv app_id)
{
    struct plan_cell *cell = cell_index_find(&p->ids, app_id);
    if (!cell) return;
    struct plan_app *old = atomic_exchange(&cell->app, NULL);
    char text[HOST_KEY_MAX];
    struct sv key = { text, host_domain_key(old->app.domain, text) };
    host_leave(p, key, cell);
    cell_index_remove(&p->ids, app_id, cell);
    image_retire(old);
    epoch_retire(cell, mem_free, NULL);
}

static bool image_unheld(void *image)
{
    const struct plan_app *a = image;
    for (unsigned i = 0; i < a->owner->reactors; i++)
        if (atomic_load_explicit(&a->holds[i].n, memory_order_acquire))
            return false;
    return true;
}

static void image_retire(struct plan_app *a)
{
    epoch_retire(a, plan_app_free, image_unheld);
}

void plan_set_seq(struct plan *p, uint64_t seq)
{
    atomic_store(&p->seq, seq);
}

uint64_t plan_seq(const struct plan *p)
{
    return atomic_load(&p->seq);
}

size_t plan_waf_sets(const struct plan *p)
{
    return waf_sets_count(p->waf_sets);
}

size_t plan_forms(const struct plan *p)
{
    return compiled_count(p->compiled);
}

struct origin_table *plan_origin_table(const struct plan *p)
{
    return p->states;
}

void plan_forms_each(struct plan *p, compiled_fn *fn, void *ctx)
{
    compiled_each(p->compiled, fn, ctx);
}

void plan_forms_leaving(struct plan *p, compiled_fn *fn, void *ctx)
{
    compiled_set_leaving(p->compiled, fn, ctx);
}

uint64_t plan_images(const struct plan *p)
{
    return atomic_load(&p->images);
}
