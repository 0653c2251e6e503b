/* The table behind introspection.h: sets of eight entries. What waits or is
 * being asked stays; of the others the one whose time ends first gives way.
 *
 *   FREE ─ask─> WAITING ─take─> ASKED ─report─> KNOWN | FAILED ─time─> FREE
 */
#include "live/introspection.h"

#include <pthread.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/metric.h"

enum { WAYS = 8, ENTRIES_DEFAULT = 2048 };

enum state { FREE, WAITING, ASKED, KNOWN, FAILED };

struct entry {
    uint8_t key[INTROSPECTION_KEY_BYTES];
    enum state state;
    bool active;
    int64_t until_ms;
    uint32_t cache_ms;
    char *request; /* WAITING, ASKED: the three texts; wiped */
    size_t request_n;
    struct sv url, authorization, token;
    char *text; /* KNOWN */
    size_t text_n;
};

struct introspections {
    struct introspections_conf conf;
    pthread_mutex_t lock;
    struct entry *at;
    uint32_t n;
    uint32_t queue[INTROSPECTION_FLIGHT_MAX]; /* WAITING, a ring */
    unsigned queue_at, queue_n, asked_n;
    uint64_t asks, inactive, failures;
};

void introspections_new(struct introspections **out,
                        const struct introspections_conf *conf)
{
    struct introspections *t = NEW(struct introspections);
    uint32_t entries = conf->entries ? conf->entries : ENTRIES_DEFAULT;
    t->conf = *conf;
    t->n = WAYS;
    while (t->n < entries) t->n *= 2;
    t->at = mem_zalloc(t->n * sizeof *t->at);
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
}

static void request_drop(struct entry *e)
{
    if (e->request) mem_wipe(e->request, e->request_n);
    mem_free(e->request);
    e->request = NULL;
}

static void entry_clear(struct entry *e)
{
    request_drop(e);
    if (e->text) mem_wipe(e->text, e->text_n);
    mem_free(e->text);
    *e = (struct entry){ .state = FREE };
}

void introspections_free(struct introspections **at)
{
    struct introspections *t = *at;
    if (!t) return;
    for (uint32_t i = 0; i < t->n; i++) entry_clear(&t->at[i]);
    pthread_mutex_destroy(&t->lock);
    mem_free(t->at);
    mem_free(t);
    *at = NULL;
}

/* --- finding ---------------------------------------------------------------------- */

static bool is_over(const struct entry *e, int64_t node_ms)
{
    return (e->state == KNOWN || e->state == FAILED) && e->until_ms <= node_ms;
}

static struct entry *set_of(struct introspections *t, const uint8_t *key)
{
    uint32_t hash;
    memcpy(&hash, key, sizeof hash);
    return &t->at[hash % (t->n / WAYS) * WAYS];
}

/* The key's, or one that may be its; NULL: all are being asked. */
static struct entry *entry_find(struct introspections *t, const uint8_t *key,
                                int64_t node_ms)
{
    struct entry *set = set_of(t, key), *best = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (is_over(e, node_ms)) entry_clear(e);
        if (e->state != FREE && memcmp(e->key, key, sizeof e->key) == 0)
            return e;
    }
    for (unsigned i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (e->state == FREE) return e;
        if (e->state == WAITING || e->state == ASKED) continue;
        if (!best || e->until_ms < best->until_ms) best = e;
    }
    if (best) entry_clear(best);
    return best;
}

/* --- asking ------------------------------------------------------------------------- */

static struct sv put(char **to, struct sv s)
{
    struct sv copy = { *to, s.n };
    memcpy(*to, s.p, s.n);
    *to += s.n;
    return copy;
}

/* False: no room, now. */
static bool entry_begin(struct introspections *t, struct entry *e,
                        const struct introspection_ask *ask)
{
    if (t->queue_n + t->asked_n >= INTROSPECTION_FLIGHT_MAX) return false;
    size_t n = ask->url.n + ask->authorization.n + ask->token.n;
    char *to = mem_alloc_try(n ? n : 1);
    if (!to) return false;
    memcpy(e->key, ask->key, sizeof e->key);
    e->request = to;
    e->request_n = n;
    e->url = put(&to, ask->url);
    e->authorization = put(&to, ask->authorization);
    e->token = put(&to, ask->token);
    e->cache_ms = ask->cache_s * 1000;
    e->state = WAITING;
    unsigned end = (t->queue_at + t->queue_n++) % INTROSPECTION_FLIGHT_MAX;
    t->queue[end] = (uint32_t)(e - t->at);
    t->asks++;
    return true;
}

static enum introspection known(const struct entry *e, struct arena *a,
                                struct introspection_known *out)
{
    *out = (struct introspection_known){
        .active = e->active,
        .text = arena_dup(a, sv_of(e->text, e->text_n)),
        .until_ms = e->until_ms,
    };
    return out->text.p ? INTROSPECTION_KNOWN : INTROSPECTION_FAILED;
}

enum introspection introspections_ask(struct introspections *t,
                                      const struct introspection_ask *ask,
                                      int64_t node_ms, struct arena *a,
                                      struct introspection_known *out)
{
    enum introspection answer = INTROSPECTION_WAIT;
    bool begun = false;
    pthread_mutex_lock(&t->lock);
    struct entry *e = entry_find(t, ask->key, node_ms);
    if (e && e->state == FREE)
        begun = entry_begin(t, e, ask);
    else if (e && e->state == KNOWN)
        answer = known(e, a, out);
    else if (e && e->state == FAILED)
        answer = INTROSPECTION_FAILED;
    pthread_mutex_unlock(&t->lock);
    if (begun && t->conf.wake) t->conf.wake(t->conf.ctx);
    return answer;
}

/* --- the issuer's side ---------------------------------------------------------------- */

bool introspections_take(struct introspections *t,
                         struct introspection_due *out)
{
    pthread_mutex_lock(&t->lock);
    bool has = t->queue_n > 0;
    if (has) {
        uint32_t ticket = t->queue[t->queue_at];
        struct entry *e = &t->at[ticket];
        t->queue_at = (t->queue_at + 1) % INTROSPECTION_FLIGHT_MAX;
        t->queue_n--;
        t->asked_n++;
        e->state = ASKED;
        *out = (struct introspection_due){ .ticket = ticket,
                                           .url = e->url,
                                           .authorization = e->authorization,
                                           .token = e->token };
    }
    pthread_mutex_unlock(&t->lock);
    return has;
}

static int64_t life_ms(const struct entry *e)
{
    int64_t ms = e->cache_ms;
    if (e->state == FAILED) return INTROSPECTION_FAILED_MS;
    if (!e->active && ms > INTROSPECTION_INACTIVE_MS)
        ms = INTROSPECTION_INACTIVE_MS;
    return ms > INTROSPECTION_LEAST_MS ? ms : INTROSPECTION_LEAST_MS;
}

void introspections_report(struct introspections *t, uint32_t ticket,
                           bool active, struct sv text, int64_t node_ms)
{
    char *copy = text.p && text.n <= INTROSPECTION_ANSWER_MAX
                     ? mem_alloc_try(text.n + 1)
                     : NULL;
    if (copy) memcpy(copy, text.p, text.n);
    pthread_mutex_lock(&t->lock);
    ENSURE(ticket < t->n && t->at[ticket].state == ASKED);
    struct entry *e = &t->at[ticket];
    t->asked_n--;
    request_drop(e);
    e->state = copy ? KNOWN : FAILED;
    e->active = active;
    e->text = copy;
    e->text_n = copy ? text.n : 0;
    e->until_ms = node_ms + life_ms(e);
    t->failures += !copy;
    t->inactive += copy && !active;
    pthread_mutex_unlock(&t->lock);
}

/* --- figures ------------------------------------------------------------------------------ */

void introspections_metrics(struct introspections *t, struct buf *out)
{
    pthread_mutex_lock(&t->lock);
    uint64_t asks = t->asks, inactive = t->inactive, failures = t->failures;
    unsigned flight = t->queue_n + t->asked_n;
    pthread_mutex_unlock(&t->lock);
    metric_one(out, "typeauth_introspections_total", "counter",
               "Questions to issuers about tokens", asks);
    metric_one(out, "typeauth_introspections_inactive_total", "counter",
               "Answers that a token does not hold", inactive);
    metric_one(out, "typeauth_introspection_failures_total", "counter",
               "Questions that no issuer answered", failures);
    metric_one(out, "typeauth_introspections_waiting", "gauge",
               "Questions that wait or are being asked", flight);
}
