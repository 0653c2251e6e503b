/* The registry of origins: text key -> entry, entries by id, free ids on a
 * list through their entries. */
#include "plan/origin.h"

#include <pthread.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/mem.h"

struct origin {
    char *key; /* NULL: the id is free */
    uint32_t refs, generation, next_free;
};

static const uint32_t NO_ID = UINT32_MAX;

struct origins {
    pthread_mutex_t lock;
    struct map by_key;
    struct origin **by_id;
    uint32_t n, cap, free_head;
};

void origins_new(struct origins **out)
{
    struct origins *o = NEW(struct origins);
    pthread_mutex_init(&o->lock, NULL);
    o->free_head = NO_ID;
    *out = o;
}

void origins_free(struct origins **at)
{
    struct origins *o = *at;
    if (!o) return;
    for (uint32_t i = 0; i < o->n; i++) {
        mem_free(o->by_id[i]->key);
        mem_free(o->by_id[i]);
    }
    mem_free(o->by_id);
    map_fini(&o->by_key);
    pthread_mutex_destroy(&o->lock);
    mem_free(o);
    *at = NULL;
}

static uint32_t id_take(struct origins *o)
{
    if (o->free_head != NO_ID) {
        uint32_t id = o->free_head;
        o->free_head = o->by_id[id]->next_free;
        return id;
    }
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        o->by_id = mem_realloc(o->by_id, o->cap * sizeof(struct origin *));
    }
    o->by_id[o->n] = NEW(struct origin);
    return o->n++;
}

static char *key_text(const struct origin_key *k)
{
    char text[320];
    int n = snprintf(text, sizeof text, "%c%c%u %.*s", k->tls ? 's' : 'p',
                     k->tls_verify ? 'v' : '-', k->port, SV_FMT(k->host));
    ENSURE(n > 0 && (size_t)n < sizeof text); /* build.c bounds the host */
    return mem_strdup(text);
}

/* by_key holds id + 1, so that no value is NULL. */
struct origin_ref origins_hold(struct origins *o, const struct origin_key *k)
{
    char *text = key_text(k);
    pthread_mutex_lock(&o->lock);
    uintptr_t known = (uintptr_t)map_find(&o->by_key, sv_cstr(text));
    uint32_t id = known ? (uint32_t)(known - 1) : id_take(o);
    struct origin *e = o->by_id[id];
    if (!known) {
        e->key = text;
        text = NULL;
        e->generation++;
        map_put(&o->by_key, sv_cstr(e->key), (void *)((uintptr_t)id + 1));
    }
    e->refs++;
    struct origin_ref ref = { id, e->generation };
    pthread_mutex_unlock(&o->lock);
    mem_free(text);
    return ref;
}

void origins_drop(struct origins *o, uint32_t id)
{
    pthread_mutex_lock(&o->lock);
    ENSURE(id < o->n && o->by_id[id]->refs > 0);
    struct origin *e = o->by_id[id];
    if (--e->refs == 0) {
        map_remove(&o->by_key, sv_cstr(e->key));
        mem_free(e->key);
        e->key = NULL;
        e->next_free = o->free_head;
        o->free_head = id;
    }
    pthread_mutex_unlock(&o->lock);
}

uint32_t origins_count(struct origins *o)
{
    pthread_mutex_lock(&o->lock);
    uint32_t n = o->n;
    pthread_mutex_unlock(&o->lock);
    return n;
}
