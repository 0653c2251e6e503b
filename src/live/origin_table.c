/* Entries by a text key; those with a probe also in a ring of their own. An
 * entry goes when nobody holds it and no request is under way: one that was
 * dropped with requests under way is looked at again at the next drop. */
#include "live/origin_table.h"

#include <pthread.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/mem.h"

enum { KEY_MAX = PROBE_URL_MAX + 64 };

struct entry {
    struct origin_state state;  /* first: found from it */
    struct retry_budget budget; /* of an entry for an application */
    char *key;
    uint32_t refs;
    bool probing;
    uint64_t due_ms;
    struct probe_rules probe;
    char *url;                  /* NULL: not probed */
    struct entry *next, **prev; /* among all */
};

struct origin_table {
    pthread_mutex_t lock;
    struct map by_key;
    struct entry *all;
    unsigned n, probed, idle; /* idle: of refs 0 */
    void (*wake)(void *ctx);
    void *ctx;
};

void origin_table_new(struct origin_table **out)
{
    struct origin_table *t = NEW(struct origin_table);
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
}

static void entry_free(struct origin_table *t, struct entry *e)
{
    map_remove(&t->by_key, sv_cstr(e->key));
    *e->prev = e->next;
    if (e->next) e->next->prev = e->prev;
    t->n--;
    t->probed -= e->url != NULL;
    mem_free(e->key);
    mem_free(e->url);
    mem_free(e);
}

void origin_table_free(struct origin_table **tp)
{
    struct origin_table *t = *tp;
    if (!t) return;
    while (t->all) entry_free(t, t->all);
    map_fini(&t->by_key);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
    *tp = NULL;
}

void origin_table_on_due(struct origin_table *t, void (*wake)(void *ctx),
                         void *ctx)
{
    pthread_mutex_lock(&t->lock);
    t->wake = wake;
    t->ctx = ctx;
    pthread_mutex_unlock(&t->lock);
}

/* --- entries ------------------------------------------------------------------------ */

static struct entry *entry_hold(struct origin_table *t, const char *key,
                                bool *made)
{
    struct entry *e = map_find(&t->by_key, sv_cstr(key));
    *made = e == NULL;
    if (*made) {
        e = mem_aligned(64, sizeof *e);
        e->key = mem_strdup(key);
        map_put(&t->by_key, sv_cstr(e->key), e);
        e->next = t->all;
        e->prev = &t->all;
        if (t->all) t->all->prev = &e->next;
        t->all = e;
        t->n++;
    } else if (e->refs == 0) {
        t->idle--;
    }
    e->refs++;
    return e;
}

/* Nobody names it; the last of its requests may still be under way. */
static void entry_drop(struct origin_table *t, struct entry *e)
{
    ENSURE(e->refs > 0);
    if (--e->refs == 0) t->idle++;
    for (struct entry *x = t->all, *next; x && t->idle; x = next) {
        next = x->next;
        if (x->refs || x->probing ||
            atomic_load_explicit(&x->state.pending, memory_order_acquire))
            continue;
        t->idle--;
        entry_free(t, x);
    }
}

static struct sv url_of(const struct origin_place *p, char *out)
{
    struct buf b;
    const struct origin_address *at = p->at;
    bool literal = sv_find(at->host, ':') != SIZE_MAX;
    buf_init_fixed(&b, out, PROBE_URL_MAX);
    buf_printf(&b, "http%s://%s%.*s%s:%u%.*s%.*s", at->tls ? "s" : "",
               literal ? "[" : "", SV_FMT(at->host), literal ? "]" : "",
               at->port, SV_FMT(at->base), SV_FMT(p->probe->path));
    return b.overflow ? SV("") : buf_sv(&b);
}

struct origin_state *origin_hold(struct origin_table *t,
                                 const struct origin_place *place)
{
    char url[PROBE_URL_MAX], key[KEY_MAX];
    const struct probe_rules *r = place->probe;
    struct sv text = url_of(place, url);
    bool probed = r->path.n > 0 && text.n > 0, made;
    if (probed)
        snprintf(key, sizeof key, "o%d %u %u %u %u %u %.*s", place->verify,
                 r->interval_ms, r->timeout_ms, r->status, r->healthy,
                 r->unhealthy, SV_FMT(text));
    else
        snprintf(key, sizeof key, "o%d%.*s %.*s", place->verify,
                 SV_FMT(place->monitored), SV_FMT(text));
    pthread_mutex_lock(&t->lock);
    struct entry *e = entry_hold(t, key, &made);
    if (made && probed) {
        e->url = mem_alloc(text.n + 1);
        memcpy(e->url, text.p, text.n);
        e->url[text.n] = '\0';
        e->probe = *r;
        e->probe.path = SV("");
        t->probed++;
    }
    if (made && probed && t->wake) t->wake(t->ctx);
    pthread_mutex_unlock(&t->lock);
    return &e->state;
}

void origin_drop(struct origin_table *t, struct origin_state *s)
{
    pthread_mutex_lock(&t->lock);
    entry_drop(t, (struct entry *)s);
    pthread_mutex_unlock(&t->lock);
}

struct retry_budget *retry_hold(struct origin_table *t, struct sv app_id)
{
    char key[128];
    bool made;
    snprintf(key, sizeof key, "a%.*s", SV_FMT(app_id));
    pthread_mutex_lock(&t->lock);
    struct entry *e = entry_hold(t, key, &made);
    pthread_mutex_unlock(&t->lock);
    return &e->budget;
}

void retry_drop(struct origin_table *t, struct retry_budget *b)
{
    pthread_mutex_lock(&t->lock);
    entry_drop(t, CONTAINER_OF(b, struct entry, budget));
    pthread_mutex_unlock(&t->lock);
}

unsigned origin_table_count(struct origin_table *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->n;
    pthread_mutex_unlock(&t->lock);
    return n;
}

/* --- the prober ---------------------------------------------------------------------- */

static void give(struct entry *e, struct origin_due *out)
{
    e->probing = true;
    out->state = &e->state;
    out->rules = e->probe;
    out->url_n = strlen(e->url);
    memcpy(out->url, e->url, out->url_n + 1);
}

bool origin_due(struct origin_table *t, uint64_t now_ms, struct origin_due *out,
                uint64_t *next_ms)
{
    bool found = false;
    *next_ms = UINT64_MAX;
    pthread_mutex_lock(&t->lock);
    for (struct entry *e = t->probed ? t->all : NULL; e && !found;
         e = e->next) {
        if (!e->url || e->probing || !e->refs) continue;
        found = e->due_ms <= now_ms;
        if (found)
            give(e, out);
        else if (e->due_ms < *next_ms)
            *next_ms = e->due_ms;
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}

void origin_probe_done(struct origin_table *t, const struct origin_due *due,
                       unsigned status, uint64_t now_ms)
{
    const struct probe_rules *r = &due->rules;
    struct entry *e = (struct entry *)due->state;
    bool good = r->status ? status == r->status : status && status < 400;
    origin_probed(due->state, r->healthy, r->unhealthy, good);
    pthread_mutex_lock(&t->lock);
    e->probing = false;
    e->due_ms = now_ms + r->interval_ms;
    pthread_mutex_unlock(&t->lock);
}
