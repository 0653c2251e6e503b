/* Key sets, the control thread's side: who holds which source, and what the
 * API and /metrics see of it. Changes are rare and go through the one lock. */
#include "base/metric.h"
#include "live/keyset_int.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/url.h"

int keysets_new(struct keysets **out, const struct keysets_conf *conf)
{
    struct keysets *k = NEW(struct keysets);
    k->conf = *conf;
    if (!k->conf.max) k->conf.max = KEYSETS_MAX;
    k->sets = mem_zalloc(k->conf.max * sizeof *k->sets);
    pthread_mutex_init(&k->lock, NULL);
    rand_fast_init(&k->rand);
    *out = k;
    return 0;
}

static void set_free(struct set *s)
{
    struct image *image = atomic_load(&s->image);
    if (image) image_free(image);
    left_clear(s);
    mem_free(s->left);
    mem_free(atomic_load(&s->kids));
    mem_free(s->name);
    mem_free(s);
}

void keysets_free(struct keysets **kp)
{
    struct keysets *k = *kp;
    if (!k) return;
    epoch_reclaim();
    for (unsigned i = 0; i < k->n; i++) set_free(atomic_load(&k->sets[i]));
    map_fini(&k->by_name);
    pthread_mutex_destroy(&k->lock);
    mem_free(k->sets);
    mem_free(k);
    *kp = NULL;
}

struct set *set_at(const struct keysets *k, uint32_t number)
{
    return number < k->conf.max ? atomic_load(&k->sets[number]) : NULL;
}

static struct keyset_ref ref_of(const struct set *s)
{
    return (struct keyset_ref){ s->number, atomic_load(&s->generation) };
}

/* --- names -------------------------------------------------------------------
 * A source as one text: its kind, then what it is. Of inline keys, which may
 * be secrets, only the digest is kept. */
struct name {
    char digest[1 + SHA256_BYTES], *heap;
    struct sv text;
};

static void name_make(struct name *n, enum keyset_kind kind, struct sv text)
{
    n->heap = NULL;
    if (kind == KEYSET_INLINE) {
        n->digest[0] = 'i';
        sha256(text, (uint8_t *)n->digest + 1);
        n->text = sv_of(n->digest, sizeof n->digest);
        return;
    }
    n->heap = mem_alloc(text.n + 1);
    n->heap[0] = kind == KEYSET_URL ? 'u' : 'd';
    if (text.n) memcpy(n->heap + 1, text.p, text.n);
    n->text = sv_of(n->heap, text.n + 1);
}

static struct set *set_by_name(struct keysets *k, const struct name *n)
{
    return map_find(&k->by_name, n->text);
}

/* --- hold ---------------------------------------------------------------------- */
static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static struct keyset_source with_defaults(const struct keyset_source *src)
{
    struct keyset_source s = *src;
    if (!s.max_stale_s) s.max_stale_s = KEYSET_STALE_S;
    if (!s.rotation_grace_s) s.rotation_grace_s = KEYSET_GRACE_S;
    if (s.rotation_grace_s == KEYSET_NO_GRACE) s.rotation_grace_s = 0;
    return s;
}

/* cache_s 0 stays: then the answer may allow more than the default. */
static void times_join(struct keyset_source *to, const struct keyset_source *of)
{
    struct keyset_source s = with_defaults(of);
    if (s.cache_s && to->cache_s)
        to->cache_s = shorter(to->cache_s, s.cache_s);
    else
        to->cache_s += s.cache_s;
    to->rotation_grace_s = shorter(to->rotation_grace_s, s.rotation_grace_s);
    to->max_stale_s = shorter(to->max_stale_s, s.max_stale_s);
}

/* NULL: there is none left. */
static struct set *set_fresh(struct keysets *k)
{
    for (unsigned i = 0; k->idle_n && i < k->n; i++) {
        struct set *s = atomic_load(&k->sets[i]);
        if (s->name) continue;
        k->idle_n--;
        return s;
    }
    if (k->n == k->conf.max) return NULL;
    struct set *s = NEW(struct set);
    atomic_store(&s->generation, 1);
    s->number = k->n;
    atomic_store(&k->sets[k->n++], s);
    return s;
}

static void host_label(struct set *s)
{
    struct url url;
    s->host[0] = '\0';
    if (!set_is_remote(s) || url_decode(s->source.text, &url)) return;
    snprintf(s->host, sizeof s->host, "%.63s", url.host.text);
}

static void set_name(struct keysets *k, struct set *s,
                     const struct keyset_source *src, struct name *n)
{
    s->name = n->heap ? n->heap : mem_dup_sv(n->text);
    n->heap = NULL;
    map_put(&k->by_name, sv_of(s->name, n->text.n), s);
    s->source = with_defaults(src);
    s->source.text =
        src->kind == KEYSET_INLINE ? SV("") : sv_of(s->name + 1, src->text.n);
    host_label(s);
}

static void counts_clear(struct set *s)
{
    atomic_store(&s->pending, PENDING_NONE);
    atomic_store(&s->early_ms, 0);
    atomic_store(&s->fetched_ms, 0);
    atomic_store(&s->swapped_ms, 0);
    s->next_ms = 0; /* due at once */
    s->failed_n = 0;
    s->fetches = s->failures = s->early = 0;
    s->problem[0] = '\0';
}

/* A reactor may still hold a reference to what the number was before. */
static void kids_clear(struct set *s)
{
    struct kids *kids = atomic_load(&s->kids);
    if (!kids && set_is_remote(s)) atomic_store(&s->kids, NEW(struct kids));
    for (int i = 0; kids && i < KIDS_BUCKETS * KIDS_WAYS; i++)
        atomic_store(&kids->at[i / KIDS_WAYS][i % KIDS_WAYS], 0);
}

/* Takes `keys` (of inline sources). */
static int set_hold(struct keysets *k, const struct keyset_source *src,
                    struct name *n, struct jwk_set **keys,
                    struct keyset_ref *out)
{
    struct set *s = set_fresh(k);
    if (!s) return ERR_FULL;
    counts_clear(s);
    set_name(k, s, src, n);
    s->holders = 1;
    kids_clear(s);
    if (*keys) image_publish(k, s, held_new(*keys), INT64_MAX, 0);
    *keys = NULL;
    *out = ref_of(s);
    return 0;
}

static bool hold_present(struct keysets *k, const struct keyset_source *src,
                         const struct name *n, struct keyset_ref *out)
{
    struct set *s = set_by_name(k, n);
    if (!s) return false;
    s->holders++;
    times_join(&s->source, src);
    *out = ref_of(s);
    return true;
}

int keysets_hold(struct keysets *k, const struct keyset_source *src,
                 struct keyset_ref *out, struct jwk_why *why)
{
    struct name n;
    struct jwk_set *keys = NULL;
    struct jwk_why ignored;
    name_make(&n, src->kind, src->text);
    *out = (struct keyset_ref){ 0 };
    pthread_mutex_lock(&k->lock);
    bool present = hold_present(k, src, &n, out);
    pthread_mutex_unlock(&k->lock);
    int err = 0;
    bool remote = src->kind != KEYSET_INLINE;
    if (!present && !remote)
        err = jwk_set_decode(src->text, k->conf.lanes, &keys,
                             why ? why : &ignored);
    if (!present && !err) {
        pthread_mutex_lock(&k->lock);
        err = set_hold(k, src, &n, &keys, out);
        pthread_mutex_unlock(&k->lock);
        if (!err && remote && k->conf.wake) k->conf.wake(k->conf.ctx);
    }
    if (keys) jwk_set_free(&keys);
    mem_free(n.heap);
    return err == ERR_TOOBIG ? ERR_INVALID : err;
}

/* --- drop ----------------------------------------------------------------------- */
void set_release(struct keysets *k, struct set *s)
{
    k->idle_n++;
    mem_free(s->name);
    s->name = NULL; /* says that it is idle */
    s->source = (struct keyset_source){ 0 };
}

static size_t name_bytes(const struct set *s)
{
    return set_is_remote(s) ? s->source.text.n + 1 : 1 + SHA256_BYTES;
}

void keysets_drop(struct keysets *k, struct keyset_ref ref)
{
    struct set *s = set_at(k, ref.number);
    if (!ref.generation || !s) return;
    pthread_mutex_lock(&k->lock);
    uint32_t generation = atomic_load(&s->generation);
    if (generation == ref.generation && s->holders && --s->holders == 0) {
        map_remove(&k->by_name, sv_of(s->name, name_bytes(s)));
        generation++;
        atomic_store(&s->generation, generation ? generation : 1);
        image_withdraw(s);
        left_clear(s);
        if (!s->fetching) set_release(k, s); /* else when that is reported */
    }
    pthread_mutex_unlock(&k->lock);
    epoch_reclaim();
}

/* --- questions -------------------------------------------------------------------- */
bool keysets_status(const struct keysets *k, struct keyset_ref ref,
                    struct keyset_status *out)
{
    struct keysets *m = (struct keysets *)(uintptr_t)k;
    struct set *s = set_at(k, ref.number);
    *out = (struct keyset_status){ 0 };
    if (!ref.generation || !s) return false;
    pthread_mutex_lock(&m->lock);
    bool known = atomic_load(&s->generation) == ref.generation && s->holders;
    if (known) {
        /* it cannot be retired while the lock is held */
        const struct image *image = atomic_load(&s->image);
        out->keys = image ? image->view.now->n : 0;
        out->skipped = image ? image->view.now->n_skipped : 0;
        out->holders = s->holders;
        out->fetched_ms = atomic_load(&s->fetched_ms);
        out->next_ms = set_is_remote(s) ? s->next_ms : 0;
        out->fetches = s->fetches;
        out->failures = s->failures;
        out->early = s->early;
        memcpy(out->problem, s->problem, sizeof out->problem);
    }
    pthread_mutex_unlock(&m->lock);
    return known;
}

bool keysets_find(const struct keysets *k, enum keyset_kind kind,
                  struct sv text, struct keyset_ref *out)
{
    struct keysets *m = (struct keysets *)(uintptr_t)k;
    struct name n;
    name_make(&n, kind, text);
    pthread_mutex_lock(&m->lock);
    struct set *s = set_by_name(m, &n);
    if (s) *out = ref_of(s);
    pthread_mutex_unlock(&m->lock);
    mem_free(n.heap);
    return s != NULL;
}

/* --- metrics ------------------------------------------------------------------------ */
enum { METRIC_SETS_MAX = 256 };

static uint64_t keys_of(const struct set *s, int64_t node_ms)
{
    (void)node_ms;
    const struct image *image = atomic_load(&s->image);
    return image ? image->view.now->n : 0;
}

static uint64_t age_of(const struct set *s, int64_t node_ms)
{
    int64_t at = atomic_load(&s->fetched_ms);
    return at && node_ms > at ? (uint64_t)(node_ms - at) / 1000 : 0;
}

static uint64_t fetches_of(const struct set *s, int64_t node_ms)
{
    (void)node_ms;
    return s->fetches;
}

static uint64_t failures_of(const struct set *s, int64_t node_ms)
{
    (void)node_ms;
    return s->failures;
}

static uint64_t early_of(const struct set *s, int64_t node_ms)
{
    (void)node_ms;
    return s->early;
}

static const struct {
    const char *name, *type, *help;
    uint64_t (*value)(const struct set *s, int64_t node_ms);
} rows[] = {
    { "typeauth_keyset_keys", "gauge", "Usable keys of a remote set", keys_of },
    { "typeauth_keyset_age_seconds", "gauge",
      "Since the last good fetch of a remote set; 0: never", age_of },
    { "typeauth_keyset_fetches_total", "counter",
      "Good fetches of a remote set", fetches_of },
    { "typeauth_keyset_failures_total", "counter",
      "Failed fetches of a remote set", failures_of },
    { "typeauth_keyset_early_total", "counter",
      "Fetches of a remote set because of an unknown kid", early_of },
};

void keysets_metrics(const struct keysets *k, int64_t node_ms, struct buf *out)
{
    struct keysets *m = (struct keysets *)(uintptr_t)k;
    pthread_mutex_lock(&m->lock);
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        metric_head(out, rows[r].name, rows[r].type, rows[r].help);
        unsigned shown = 0;
        for (unsigned i = 0; i < m->n && shown < METRIC_SETS_MAX; i++) {
            const struct set *s = atomic_load(&m->sets[i]);
            if (!s->holders || !set_is_remote(s)) continue;
            shown++;
            buf_printf(out, "%s{set=\"%u\",host=\"%s\"} %llu\n", rows[r].name,
                       i, s->host,
                       (unsigned long long)rows[r].value(s, node_ms));
        }
    }
    pthread_mutex_unlock(&m->lock);
}
