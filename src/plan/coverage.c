#include "plan/coverage.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "plan/plan.h"

struct count {
    _Atomic uint32_t n, last_s; /* written by its reactor alone */
};

struct miss {
    int64_t last_ms;
    uint16_t n;
    char shape[COVERAGE_SHAPE_MAX];
};

struct lane {
    _Alignas(64) _Atomic uint32_t head; /* reactor: misses put in */
    _Atomic uint64_t lost;
    _Alignas(64) _Atomic uint32_t tail; /* control: misses taken out */
    uint64_t lost_taken;
    uint32_t *taken; /* control: of each count */
    struct miss ring[COVERAGE_RING];
    struct count counts[];
};

struct plan_coverage {
    unsigned operations;
    struct lane *_Atomic lanes[PLAN_REACTORS_MAX]; /* at the first request */
};

struct plan_coverage *plan_coverage_new(unsigned operations)
{
    struct plan_coverage *c = NEW(struct plan_coverage);
    c->operations = operations;
    return c;
}

void plan_coverage_free(struct plan_coverage **at)
{
    struct plan_coverage *c = *at;
    if (!c) return;
    for (unsigned i = 0; i < PLAN_REACTORS_MAX; i++) {
        struct lane *l = atomic_load(&c->lanes[i]);
        if (l) mem_free(l->taken);
        mem_free(l);
    }
    mem_free(c);
    *at = NULL;
}

static struct lane *lane_of(struct plan_coverage *c, unsigned r)
{
    struct lane *l = atomic_load_explicit(&c->lanes[r], memory_order_relaxed);
    if (l) return l;
    size_t n = sizeof *l + c->operations * sizeof *l->counts;
    l = mem_aligned(64, (n + 63) / 64 * 64);
    memset(l, 0, n);
    atomic_store_explicit(&c->lanes[r], l, memory_order_release);
    return l;
}

void plan_coverage_hit(struct plan_coverage *c, unsigned r, unsigned operation,
                       int64_t wall_ms)
{
    struct count *count = &lane_of(c, r)->counts[operation];
    uint32_t n = atomic_load_explicit(&count->n, memory_order_relaxed);
    atomic_store_explicit(&count->last_s, (uint32_t)(wall_ms / 1000),
                          memory_order_relaxed);
    atomic_store_explicit(&count->n, n + 1, memory_order_release);
}

/* --- shapes --------------------------------------------------------------------- */

/* A number, or something longer that has a digit in it, or longer still. */
static bool is_value(struct sv segment)
{
    enum { MIXED = 8, LONG = 32 };
    size_t digits = 0;
    for (size_t i = 0; i < segment.n; i++)
        digits += segment.p[i] >= '0' && segment.p[i] <= '9';
    return (digits && digits == segment.n) || (digits && segment.n >= MIXED) ||
           segment.n >= LONG;
}

static void put(char *out, size_t *n, struct sv s)
{
    for (size_t i = 0; i < s.n && *n < COVERAGE_SHAPE_MAX; i++) {
        char ch = s.p[i];
        out[(*n)++] = ch > ' ' && ch < 0x7f && ch != '"' ? ch : '?';
    }
}

size_t plan_coverage_shape(struct sv method, struct sv path,
                           char out[COVERAGE_SHAPE_MAX])
{
    size_t n = 0;
    struct sv rest = path;
    put(out, &n, sv_first(method, 16));
    if (n < COVERAGE_SHAPE_MAX) out[n++] = ' ';
    for (bool first = true; rest.p; first = false) {
        struct sv one = sv_cut(rest, '/', &rest);
        if (!first) put(out, &n, SV("/"));
        put(out, &n, is_value(one) ? SV("{}") : one);
    }
    return n;
}

void plan_coverage_missed(struct plan_coverage *c, unsigned r, struct sv method,
                          struct sv path, int64_t wall_ms)
{
    struct lane *l = lane_of(c, r);
    uint32_t head = atomic_load_explicit(&l->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&l->tail, memory_order_acquire) ==
        COVERAGE_RING) {
        uint64_t lost = atomic_load_explicit(&l->lost, memory_order_relaxed);
        atomic_store_explicit(&l->lost, lost + 1, memory_order_relaxed);
        return;
    }
    struct miss *m = &l->ring[head % COVERAGE_RING];
    m->n = (uint16_t)plan_coverage_shape(method, path, m->shape);
    m->last_ms = wall_ms;
    atomic_store_explicit(&l->head, head + 1, memory_order_release);
}

/* --- taking --------------------------------------------------------------------- */

static void take_counts(struct plan_coverage *c, struct lane *l,
                        const struct plan_coverage_fns *fns, void *ctx)
{
    if (!l->taken) l->taken = mem_zalloc(c->operations * sizeof *l->taken + 1);
    for (unsigned i = 0; i < c->operations; i++) {
        uint32_t n =
            atomic_load_explicit(&l->counts[i].n, memory_order_acquire);
        uint32_t last =
            atomic_load_explicit(&l->counts[i].last_s, memory_order_relaxed);
        if (n == l->taken[i]) continue;
        fns->hit(ctx, i, n - l->taken[i], (int64_t)last * 1000);
        l->taken[i] = n;
    }
}

static void take_misses(struct lane *l, const struct plan_coverage_fns *fns,
                        void *ctx)
{
    uint32_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&l->head, memory_order_acquire);
    for (; tail != head; tail++) {
        const struct miss *m = &l->ring[tail % COVERAGE_RING];
        fns->missed(ctx, sv_of(m->shape, m->n), m->last_ms);
    }
    atomic_store_explicit(&l->tail, tail, memory_order_release);
    uint64_t lost = atomic_load_explicit(&l->lost, memory_order_relaxed);
    if (lost != l->lost_taken) fns->lost(ctx, lost - l->lost_taken);
    l->lost_taken = lost;
}

void plan_coverage_take(struct plan_coverage *c,
                        const struct plan_coverage_fns *fns, void *ctx)
{
    for (unsigned i = 0; i < PLAN_REACTORS_MAX; i++) {
        struct lane *l =
            atomic_load_explicit(&c->lanes[i], memory_order_acquire);
        if (!l) continue;
        take_counts(c, l, fns, ctx);
        take_misses(l, fns, ctx);
    }
}
