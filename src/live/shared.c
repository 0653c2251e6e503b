/* Shared immutable objects by number (see shared_int.h). */
#include "live/shared_int.h"

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"

static struct shared *_Atomic *cell(struct shared_pool *p, uint32_t number)
{
    return (struct shared * _Atomic *)(void *)p->at.base + number;
}

int shared_init(struct shared_pool *p, const struct shared_kind *kind,
                void *ctx, uint32_t max)
{
    *p = (struct shared_pool){ .kind = kind, .ctx = ctx, .next_number = 1 };
    return region_init(&p->at, ((size_t)max + 1) * sizeof(struct shared *));
}

void shared_fini(struct shared_pool *p)
{
    ENSURE(p->waiting == 0);
    for (uint32_t i = 0; i < p->buckets; i++)
        for (struct shared *s = p->bucket[i], *next; s; s = next) {
            next = s->next;
            p->kind->free(s, p->ctx);
        }
    mem_free(p->bucket);
    mem_free(p->free_numbers);
    region_fini(&p->at);
    *p = (struct shared_pool){ 0 };
}

static void buckets_grow(struct shared_pool *p)
{
    uint32_t buckets = p->buckets ? p->buckets * 2 : 64;
    struct shared **bucket = mem_zalloc(buckets * sizeof(struct shared *));
    for (uint32_t i = 0; i < p->buckets; i++)
        for (struct shared *s = p->bucket[i], *next; s; s = next) {
            next = s->next;
            s->next = bucket[s->hash & (buckets - 1)];
            bucket[s->hash & (buckets - 1)] = s;
        }
    mem_free(p->bucket);
    p->bucket = bucket;
    p->buckets = buckets;
}

static int number_take(struct shared_pool *p, uint32_t *number)
{
    if (p->free_n) {
        *number = p->free_numbers[--p->free_n];
        return 0;
    }
    int err = region_grow(&p->at, ((size_t)p->next_number + 1) *
                                      sizeof(struct shared *));
    if (!err) *number = p->next_number++;
    return err;
}

static void number_give(struct shared_pool *p, uint32_t number)
{
    if (p->free_n == p->free_cap) {
        p->free_cap = p->free_cap ? p->free_cap * 2 : 64;
        p->free_numbers =
            mem_realloc(p->free_numbers, p->free_cap * sizeof(uint32_t));
    }
    p->free_numbers[p->free_n++] = number;
}

int shared_put(struct shared_pool *p, struct shared *s, uint32_t *number)
{
    for (struct shared *at = p->buckets ? p->bucket[s->hash & (p->buckets - 1)]
                                        : NULL;
         at; at = at->next)
        if (at->hash == s->hash && p->kind->equal(at, s, p->ctx)) {
            p->kind->free(s, p->ctx);
            at->refs++;
            *number = at->number;
            return 0;
        }
    int err = number_take(p, &s->number);
    if (err) {
        p->kind->free(s, p->ctx);
        return ERR_FULL;
    }
    if (p->n >= p->buckets) buckets_grow(p);
    s->pool = p;
    s->refs = 1;
    s->next = p->bucket[s->hash & (p->buckets - 1)];
    p->bucket[s->hash & (p->buckets - 1)] = s;
    p->n++;
    p->bytes += s->bytes;
    atomic_store(cell(p, s->number), s);
    *number = s->number;
    return 0;
}

static void free_retired(void *obj)
{
    struct shared *s = obj;
    struct shared_pool *p = s->pool;
    p->waiting--;
    number_give(p, s->number);
    p->kind->free(s, p->ctx);
}

void shared_drop(struct shared_pool *p, uint32_t number)
{
    if (!number) return;
    struct shared *s = atomic_load(cell(p, number));
    if (--s->refs) return;
    struct shared **from = &p->bucket[s->hash & (p->buckets - 1)];
    while (*from != s) from = &(*from)->next;
    *from = s->next;
    p->n--;
    p->bytes -= s->bytes;
    p->waiting++;
    /* its cell still names it, for those who have read the number */
    epoch_retire(s, free_retired, NULL);
}
