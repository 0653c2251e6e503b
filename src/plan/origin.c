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
    uint32_t visited[ORIGINS_VISITED_MAX], visits; /* ids; a ring */
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

enum { KEY_TEXT_MAX = 320 };

static void key_text(const struct origin_key *k, char out[KEY_TEXT_MAX])
{
    int n = snprintf(out, KEY_TEXT_MAX, "%c%c%u %.*s", k->tls ? 's' : 'p',
                     k->tls_verify ? 'v' : '-', k->port, SV_FMT(k->host));
    ENSURE(n > 0 && n < KEY_TEXT_MAX); /* build.c bounds the host */
}

/* by_key holds id + 1, so that no value is NULL. */
static struct origin *find(struct origins *o, const char *key,
                           struct origin_ref *ref)
{
    uintptr_t known = (uintptr_t)map_find(&o->by_key, sv_cstr(key));
    if (!known) return NULL;
    struct origin *e = o->by_id[known - 1];
    *ref = (struct origin_ref){ (uint32_t)(known - 1), e->generation };
    return e;
}

static struct origin *add(struct origins *o, const char *key,
                          struct origin_ref *ref)
{
    uint32_t id = id_take(o);
    struct origin *e = o->by_id[id];
    e->key = mem_strdup(key);
    e->generation++;
    map_put(&o->by_key, sv_cstr(e->key), (void *)((uintptr_t)id + 1));
    *ref = (struct origin_ref){ id, e->generation };
    return e;
}

struct origin_ref origins_hold(struct origins *o, const struct origin_key *k)
{
    char key[KEY_TEXT_MAX];
    struct origin_ref ref;
    key_text(k, key);
    pthread_mutex_lock(&o->lock);
    struct origin *e = find(o, key, &ref);
    if (!e) e = add(o, key, &ref);
    e->refs++;
    pthread_mutex_unlock(&o->lock);
    return ref;
}

static void drop(struct origins *o, uint32_t id)
{
    ENSURE(id < o->n && o->by_id[id]->refs > 0);
    struct origin *e = o->by_id[id];
    if (--e->refs) return;
    map_remove(&o->by_key, sv_cstr(e->key));
    mem_free(e->key);
    e->key = NULL;
    e->next_free = o->free_head;
    o->free_head = id;
}

void origins_drop(struct origins *o, uint32_t id)
{
    pthread_mutex_lock(&o->lock);
    drop(o, id);
    pthread_mutex_unlock(&o->lock);
}

struct origin_ref origins_visit(struct origins *o, const struct origin_key *k)
{
    char key[KEY_TEXT_MAX];
    struct origin_ref ref;
    key_text(k, key);
    pthread_mutex_lock(&o->lock);
    if (!find(o, key, &ref)) {
        uint32_t *place = &o->visited[o->visits % ORIGINS_VISITED_MAX];
        if (o->visits++ >= ORIGINS_VISITED_MAX) drop(o, *place);
        add(o, key, &ref)->refs++;
        *place = ref.id;
    }
    pthread_mutex_unlock(&o->lock);
    return ref;
}

uint32_t origins_count(struct origins *o)
{
    pthread_mutex_lock(&o->lock);
    uint32_t n = o->n;
    pthread_mutex_unlock(&o->lock);
    return n;
}
