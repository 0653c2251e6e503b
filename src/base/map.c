/* Linear probing at a load of at most 3/4; removal shifts back. */
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

void map_fini(struct map *m)
{
    mem_free(m->entries);
    *m = (struct map){ 0 };
}

static size_t home_of(const struct map *m, struct sv key)
{
    return (size_t)hash_sv(key) & (m->cap - 1);
}

static struct map_entry *slot_of(const struct map *m, struct sv key)
{
    size_t i = home_of(m, key);
    while (m->entries[i].key.p && !sv_eq(m->entries[i].key, key))
        i = (i + 1) & (m->cap - 1);
    return &m->entries[i];
}

void *map_find(const struct map *m, struct sv key)
{
    return m->n ? slot_of(m, key)->value : NULL;
}

static void map_grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : 16;
    m->entries = mem_zalloc(m->cap * sizeof *m->entries);
    for (size_t i = 0; i < old.cap; i++)
        if (old.entries[i].key.p)
            *slot_of(m, old.entries[i].key) = old.entries[i];
    mem_free(old.entries);
}

void *map_put(struct map *m, struct sv key, void *value)
{
    if (key.p == NULL) key.p = "";
    if ((m->n + 1) * 4 > m->cap * 3) map_grow(m);
    struct map_entry *e = slot_of(m, key);
    void *old = e->value;
    if (!e->key.p) m->n++;
    *e = (struct map_entry){ key, value };
    return old;
}

void *map_remove(struct map *m, struct sv key)
{
    if (!m->n) return NULL;
    struct map_entry *e = slot_of(m, key);
    if (!e->key.p) return NULL;
    void *old = e->value;
    size_t hole = (size_t)(e - m->entries);
    for (size_t i = (hole + 1) & (m->cap - 1); m->entries[i].key.p;
         i = (i + 1) & (m->cap - 1)) {
        size_t home = home_of(m, m->entries[i].key);
        /* move only what may live at the hole: home not in (hole, i] */
        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->entries[hole] = m->entries[i];
            hole = i;
        }
    }
    m->entries[hole] = (struct map_entry){ { NULL, 0 }, NULL };
    m->n--;
    return old;
}

bool map_next(const struct map *m, size_t *at, struct map_entry *out)
{
    while (*at < m->cap) {
        struct map_entry *e = &m->entries[(*at)++];
        if (!e->key.p) continue;
        *out = *e;
        return true;
    }
    return false;
}
