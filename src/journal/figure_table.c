/* Growing rows: see figure_table.h. */
#include "journal/figure_table.h"

#include <stdlib.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/pages.h"
#include "base/rand.h"

enum { FIRST_ROWS = 256, FIRST_NODES = 64, FIRST_SKETCHES = 8 };

struct figure_node { /* a cache line */
    uint32_t next;
    uint16_t n, spare;
    struct figure_count pairs[FIGURE_NODE_PAIRS];
};
_Static_assert(sizeof(struct figure_node) == 64, "a cache line");
_Static_assert(sizeof(struct figure_cell) == 128, "two cache lines");

static void *table_of(size_t n, size_t size)
{
    void *p = pages_alloc(n * size);
    ENSURE(p);
    pages_expect(p, n * size);
    return p;
}

static void rows_new(struct figure_table *t, uint32_t cap)
{
    t->cells = table_of(cap, sizeof *t->cells);
    t->places = table_of(cap, sizeof *t->places);
    t->cap = cap;
}

static void rows_free(struct figure_cell *cells, struct figure_place *places,
                      uint32_t cap)
{
    pages_free(cells, cap * sizeof *cells);
    pages_free(places, cap * sizeof *places);
}

void figure_table_init(struct figure_table *t,
                       const struct figure_table_conf *conf)
{
    ENSURE(conf->rows >= FIRST_ROWS && !(conf->rows & (conf->rows - 1)));
    *t = (struct figure_table){ .max = conf->rows,
                                .nodes_max = conf->nodes,
                                .sketches_max = conf->sketches };
    rand_bytes(&t->seed, sizeof t->seed);
    t->seed |= 1;
    buf_init(&t->texts, conf->text_bytes);
    rows_new(t, FIRST_ROWS);
}

void figure_table_fini(struct figure_table *t)
{
    rows_free(t->cells, t->places, t->cap);
    mem_free(t->nodes);
    mem_free(t->sketches);
    buf_fini(&t->texts);
}

void figure_table_clear(struct figure_table *t)
{
    const struct figure_table_conf conf = { .rows = t->max,
                                            .nodes = t->nodes_max,
                                            .sketches = t->sketches_max,
                                            .text_bytes = t->texts.max };
    figure_table_fini(t);
    figure_table_init(t, &conf);
}

/* Room for what one event or row may bring. */
bool figure_table_is_full(const struct figure_table *t)
{
    return (uint64_t)t->n + 1 > (uint64_t)t->max * 7 / 8 ||
           t->nodes_n + SKETCH_BUCKETS / FIGURE_NODE_PAIRS + 2 > t->nodes_max ||
           t->texts.n + FIGURE_TEXT_MAX > t->texts.max;
}

size_t figure_table_bytes(const struct figure_table *t)
{
    return t->cap * (sizeof *t->cells + sizeof *t->places) +
           t->nodes_cap * sizeof *t->nodes +
           t->sketches_cap * sizeof *t->sketches + t->texts.cap;
}

/* --- rows ----------------------------------------------------------------- */

uint32_t figure_table_hash(const struct figure_table *t,
                           const struct figure_key *k)
{
    uint64_t h = (k->w[0] ^ t->seed) * 0x9e3779b97f4a7c15u;
    h ^= (k->w[3] + t->seed) * 0xc2b2ae3d27d4eb4fu;
    h ^= (k->w[2] ^ k->w[1] << 56) * 0x165667b19e3779f9u;
    h = (h ^ h >> 29 ^ k->w[4] * 0xd6e8feb86659fd93u) * t->seed;
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

static bool is_same(const struct figure_key *a, const struct figure_key *b)
{
    return a->w[3] == b->w[3] && a->w[4] == b->w[4] && a->w[0] == b->w[0] &&
           a->w[1] == b->w[1] && a->w[2] == b->w[2];
}

/* The place of the row of that key (NULL: the first of that hash), or the free
 * one where it belongs. */
static struct figure_place *find(const struct figure_table *t, uint32_t hash,
                                 const struct figure_key *key)
{
    uint32_t at = hash & (t->cap - 1);
    for (;; at = (at + 1) & (t->cap - 1)) {
        struct figure_place *p = &t->places[at];
        if (!p->cell) return p;
        if (p->hash != hash) continue;
        if (!key || is_same(&t->cells[p->cell - 1].key, key)) return p;
    }
}

static void place_again(struct figure_table *t, struct figure_place p)
{
    uint32_t at = p.hash & (t->cap - 1);
    while (t->places[at].cell) at = (at + 1) & (t->cap - 1);
    t->places[at] = p;
}

static void grow(struct figure_table *t)
{
    struct figure_cell *cells = t->cells;
    struct figure_place *places = t->places;
    uint32_t cap = t->cap;
    rows_new(t, cap * 2);
    memcpy(t->cells, cells, t->n * sizeof *cells);
    for (uint32_t i = 0; i < cap; i++)
        if (places[i].cell) place_again(t, places[i]);
    rows_free(cells, places, cap);
}

struct figure_cell *figure_table_get(struct figure_table *t,
                                     const struct figure_key *key)
{
    uint32_t hash = figure_table_hash(t, key);
    struct figure_place *p = find(t, hash, key);
    if (p->cell) return &t->cells[p->cell - 1];
    if (t->n + 1 > t->cap / 8 * 7 && t->cap < t->max) {
        grow(t);
        p = find(t, hash, key);
    }
    ENSURE(t->n + 1 < t->cap);
    struct figure_cell *c = &t->cells[t->n++];
    *p = (struct figure_place){ hash, t->n };
    c->key = *key;
    c->slot = UINT32_MAX;
    return c;
}

void figure_table_near_place(const struct figure_table *t, uint32_t hash)
{
    __builtin_prefetch(&t->places[hash & (t->cap - 1)]);
}

void figure_table_near_row(const struct figure_table *t, uint32_t hash)
{
    const struct figure_place *p = find(t, hash, NULL);
    const char *c = (const char *)&t->cells[p->cell ? p->cell - 1 : t->n];
    __builtin_prefetch(c, 1);
    __builtin_prefetch(c + 64, 1);
}

/* --- times ---------------------------------------------------------------- */

static uint32_t room_for(void **at, uint32_t n, uint32_t *cap, uint32_t first,
                         uint32_t max, size_t size)
{
    if (n == *cap) {
        uint32_t more = *cap ? *cap * 2 : first;
        *cap = more < max ? more : max;
        *at = mem_realloc(*at, *cap * size);
    }
    ENSURE(n < *cap);
    return n;
}

static void count_into(struct figure_total *into, struct figure_count p)
{
    into->times[p.bucket] += p.n;
    if (!into->to || p.bucket < into->from) into->from = p.bucket;
    if (p.bucket >= into->to) into->to = p.bucket + 1u;
}

static void to_sketch(const struct figure_table *t, const struct figure_cell *c,
                      struct figure_total *into)
{
    for (unsigned i = 0; i < c->pairs_n; i++) count_into(into, c->pairs[i]);
    for (uint32_t at = c->further; at; at = t->nodes[at - 1].next)
        for (unsigned i = 0; i < t->nodes[at - 1].n; i++)
            count_into(into, t->nodes[at - 1].pairs[i]);
}

/* A second node is not made while there are sketches. */
static bool promote(struct figure_table *t, struct figure_cell *c)
{
    if (t->sketches_n == t->sketches_max) return false;
    void *memory = t->sketches;
    uint32_t at =
        room_for(&memory, t->sketches_n, &t->sketches_cap, FIRST_SKETCHES,
                 t->sketches_max, sizeof *t->sketches);
    t->sketches = memory;
    t->sketches_n++;
    memset(&t->sketches[at], 0, sizeof t->sketches[at]);
    to_sketch(t, c, &t->sketches[at]);
    t->sketches[at].from = 0; /* of the next ones nobody keeps book */
    t->sketches[at].to = SKETCH_BUCKETS;
    c->is_sketch = true;
    c->further = at + 1;
    c->pairs_n = 0;
    return true;
}

static struct figure_node *node_add(struct figure_table *t,
                                    struct figure_cell *c)
{
    void *memory = t->nodes;
    uint32_t at = room_for(&memory, t->nodes_n, &t->nodes_cap, FIRST_NODES,
                           t->nodes_max, sizeof *t->nodes);
    t->nodes = memory;
    t->nodes_n++;
    t->nodes[at] = (struct figure_node){ .next = c->further };
    c->further = at + 1;
    return &t->nodes[at];
}

static bool add_to(struct figure_count *pairs, unsigned n, uint32_t bucket,
                   uint64_t by)
{
    for (unsigned i = 0; i < n; i++) {
        if (pairs[i].bucket != bucket || pairs[i].n + by > UINT16_MAX) continue;
        pairs[i].n = (uint16_t)(pairs[i].n + by);
        return true;
    }
    return false;
}

void figure_table_time(struct figure_table *t, struct figure_cell *c,
                       uint32_t bucket, uint64_t n)
{
    if (c->is_sketch) {
        t->sketches[c->further - 1].times[bucket] += n;
        return;
    }
    if (add_to(c->pairs, c->pairs_n, bucket, n)) return;
    if (n <= UINT16_MAX && c->pairs_n < FIGURE_CELL_PAIRS) {
        c->pairs[c->pairs_n++] =
            (struct figure_count){ (uint16_t)bucket, (uint16_t)n };
        return;
    }
    for (uint32_t at = c->further; at; at = t->nodes[at - 1].next)
        if (add_to(t->nodes[at - 1].pairs, t->nodes[at - 1].n, bucket, n))
            return;
    struct figure_node *node = c->further ? &t->nodes[c->further - 1] : NULL;
    bool fits = node && node->n < FIGURE_NODE_PAIRS && n <= UINT16_MAX;
    if (!fits && (node || n > UINT16_MAX) && promote(t, c)) {
        t->sketches[c->further - 1].times[bucket] += n;
        return;
    }
    while (n) { /* as a rule once */
        uint64_t part = n < UINT16_MAX ? n : UINT16_MAX;
        if (!node || node->n == FIGURE_NODE_PAIRS) node = node_add(t, c);
        node->pairs[node->n++] =
            (struct figure_count){ (uint16_t)bucket, (uint16_t)part };
        n -= part;
    }
}

/* --- as rows -------------------------------------------------------------- */

void figure_table_name(struct figure_table *t, const struct figure_key *key,
                       struct sv text)
{
    struct figure_cell *c = figure_table_get(t, key);
    if (c->text_n) return;
    if (text.n > FIGURE_TEXT_MAX) text = sv_first(text, FIGURE_TEXT_MAX);
    c->sum[0] = t->texts.n;
    c->text_n = (uint8_t)text.n;
    buf_put(&t->texts, text);
}

void figure_table_row(const struct figure_table *t, const struct figure_cell *c,
                      struct figure_total *scratch, struct figure_row *out)
{
    out->key = c->key;
    out->piece = 0;
    out->pairs_n = 0;
    out->text = SV("");
    if (c->text_n) {
        memset(out->sum, 0, sizeof out->sum);
        out->text = sv_of(t->texts.p + c->sum[0], c->text_n);
        return;
    }
    if (c->is_sketch) {
        figure_total_row(&t->sketches[c->further - 1], out);
    } else if (c->further || c->pairs_n > 1) {
        to_sketch(t, c, scratch);
        figure_total_row(scratch, out);
        figure_total_clear(scratch);
    } else if (c->pairs_n) {
        out->pairs[0] =
            (struct figure_pair){ c->pairs[0].bucket, c->pairs[0].n };
        out->pairs_n = 1;
    }
    memcpy(out->sum, c->sum, sizeof out->sum);
}

void figure_table_add(struct figure_table *t, const struct figure_key *key,
                      const struct figure_row *from)
{
    struct figure_cell *c = figure_table_get(t, key);
    for (int i = 0; i < FIGURE_SUMS; i++) c->sum[i] += from->sum[i];
    for (uint32_t i = 0; i < from->pairs_n; i++)
        figure_table_time(t, c, from->pairs[i].bucket, from->pairs[i].n);
}

static int by_key(const void *a, const void *b, void *ctx)
{
    const struct figure_table *t = ctx;
    return figure_key_cmp(&t->cells[*(const uint32_t *)a].key,
                          &t->cells[*(const uint32_t *)b].key);
}

uint32_t *figure_table_order(const struct figure_table *t)
{
    uint32_t *out = mem_alloc((t->n + 1) * sizeof *out), n = 0;
    for (; n < t->n; n++) out[n] = n;
    qsort_r(out, n, sizeof *out, by_key, (void *)(uintptr_t)t);
    return out;
}
