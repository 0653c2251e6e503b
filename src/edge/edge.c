/* The edge of a process and of a reactor: memory, waiting exchanges, the sweep
 * over running streams. */
#include "edge/edge.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/log.h"
#include "base/rand.h"
#include "edge/edge_int.h"
#include "edge/proxy_int.h"
#include "edge/verify_int.h"

enum {
    QUESTIONS_FIRST = 64 * 1024,         /* serves bodies of about 4 KiB */
    QUESTIONS_BUDGET = 48 * 1024 * 1024, /* a body of 1 MiB of "[" */
    RETRY_MS = 1,
    SWEEP_MS = 25, /* a slice of the running streams each time: all of them */
    SWEEP_SLICES = 32, /* in 0.8 s, and 100,000 without a long turn */
    WALL_FRESH_MS = 1000,
    BODIES_MAX = 64 << 20,
    WORK_LATE_MS = 1000,
};

static void or_default(uint32_t *v, uint32_t otherwise)
{
    if (*v == 0) *v = otherwise;
}

int edge_new(struct edge **out, const struct edge_conf *conf)
{
    struct edge *e = NEW(struct edge);
    e->conf = *conf;
    or_default(&e->conf.connect_ms, 5000);
    or_default(&e->conf.first_byte_ms, 60000);
    or_default(&e->conf.idle_ms, 300000);
    or_default(&e->conf.work_late_ms, WORK_LATE_MS);
    if (!e->conf.bodies_max) e->conf.bodies_max = BODIES_MAX;
    struct sv name = conf->name.n ? conf->name : SV("typeauth");
    if (name.n > VIA_MAX - 4 || !http_is_token(name)) {
        mem_free(e);
        return ERR_INVALID;
    }
    for (unsigned minor = 0; minor < 2; minor++) {
        char *text = e->via_text[minor];
        memcpy(text, minor ? "1.1 " : "1.0 ", 4);
        memcpy(text + 4, name.p, name.n);
        e->via[minor] = sv_of(text, 4 + name.n);
    }
    replies_new(&e->replies);
    *out = e;
    return 0;
}

void edge_free(struct edge **e)
{
    if (!*e) return;
    replies_free(&(*e)->replies);
    mem_free(*e);
    *e = NULL;
}

/* --- wall time of events ---------------------------------------------------- */

int64_t edge_wall_ms(struct edge_reactor *er)
{
    uint64_t now = reactor_now_ms(er->reactor);
    if (now - er->wall_read_ms >= WALL_FRESH_MS || !er->wall_read_ms) {
        er->wall_less_mono_ms = clock_wall_ms() - (int64_t)now;
        er->wall_read_ms = now;
    }
    return (int64_t)now + er->wall_less_mono_ms;
}

/* --- waiting ------------------------------------------------------------------ */

static void resume(struct timer *t)
{
    struct suspended *s = CONTAINER_OF(t, struct suspended, timer);
    if (s->job) work_late(s);
    s->resume(s);
}

void edge_suspend(struct edge_reactor *er, struct suspended *s,
                  uint32_t retry_ms)
{
    s->timer.fire = resume;
    timer_arm(er->reactor, &s->timer, retry_ms ? retry_ms : RETRY_MS);
}

void edge_suspend_shortly(struct edge_reactor *er, struct suspended *s)
{
    s->timer.fire = resume;
    timer_arm(er->reactor, &s->timer, 0);
}

void edge_unsuspend(struct edge_reactor *er, struct suspended *s)
{
    timer_cancel(er->reactor, &s->timer);
}

/* --- running streams ---------------------------------------------------------- */

/* One slice; the whole ring in under a second. No timer while nothing runs. */
static void sweep(struct timer *t)
{
    struct edge_reactor *er = CONTAINER_OF(t, struct edge_reactor, sweep_timer);
    if (er->streams_n == 0) return;
    timer_arm(er->reactor, &er->sweep_timer, SWEEP_MS);
    if (er->sweep_step++ % SWEEP_SLICES == 0) er->sweep_at = er->streams.next;
    unsigned slice = er->streams_n / SWEEP_SLICES + 1;
    while (slice-- > 0 && er->sweep_at != &er->streams) {
        struct watched *w = er->sweep_at;
        er->sweep_at = w->next;
        proxy_recheck(w);
    }
}

void edge_watch(struct edge_reactor *er, struct watched *w)
{
    /* behind the others: what is new has just been checked */
    w->next = &er->streams;
    w->prev = er->streams.prev;
    w->prev->next = w;
    er->streams.prev = w;
    if (er->streams_n++ == 0 && er->sweep_timer.at_ == 0) {
        er->sweep_step = 0;
        er->sweep_at = &er->streams;
        timer_arm(er->reactor, &er->sweep_timer, SWEEP_MS);
    }
}

void edge_unwatch(struct edge_reactor *er, struct watched *w)
{
    if (!w->next) return;
    if (er->sweep_at == w) er->sweep_at = w->next;
    w->prev->next = w->next;
    w->next->prev = w->prev;
    w->next = w->prev = NULL;
    er->streams_n--;
}

/* What it waits for happens at that turn's end. */
static void journal_due(struct timer *t)
{
    (void)t;
}

/* --- a reactor ------------------------------------------------------------------ */

static void id_init(struct edge_reactor *er)
{
    uint64_t prefix;
    rand_bytes(&prefix, sizeof prefix);
    rand_bytes(&er->id_key, sizeof er->id_key);
    fmt_hex(er->id_prefix, &prefix, sizeof prefix);
}

int edge_reactor_new(struct edge_reactor **out, struct edge *e,
                     struct reactor *r, struct dns *dns)
{
    struct edge_reactor *er = NEW(struct edge_reactor);
    struct http_pool_conf pool = {
        .reactor = r,
        .dns = dns,
        .tls = e->conf.tls,
        .egress = e->conf.egress,
        .reactors = e->conf.reactors,
    };
    int err = http_pool_new(&er->pool, &pool);
    if (err) {
        mem_free(er);
        return err;
    }
    er->edge = e;
    er->reactor = r;
    er->index = reactor_index(r);
    slab_init(&er->proxies, sizeof(struct proxy));
    slab_init(&er->verifies, sizeof(struct verify));
    slab_init(&er->visits, sizeof(struct visit));
    er->sweep_timer.fire = sweep;
    er->journal_timer.fire = journal_due;
    er->streams.next = er->streams.prev = er->sweep_at = &er->streams;
    er->questions_memory = mem_alloc(QUESTIONS_FIRST);
    arena_init(&er->questions, QUESTIONS_BUDGET, er->questions_memory,
               QUESTIONS_FIRST);
    id_init(er);
    *out = er;
    return 0;
}

void edge_reactor_free(struct edge_reactor **out)
{
    struct edge_reactor *er = *out;
    if (!er) return;
    ENSURE(er->streams_n == 0);
    timer_cancel(er->reactor, &er->sweep_timer);
    timer_cancel(er->reactor, &er->journal_timer);
    http_pool_free(&er->pool);
    slab_fini(&er->proxies);
    slab_fini(&er->verifies);
    slab_fini(&er->visits);
    arena_fini(&er->questions);
    mem_free(er->questions_memory);
    mem_free(er);
    *out = NULL;
}

void edge_turn(struct edge_reactor *er)
{
    uint32_t again_ms = journal_turn(er->edge->conf.journal, er->index,
                                     reactor_now_ms(er->reactor));
    if (again_ms && er->journal_timer.at_ == 0)
        timer_arm(er->reactor, &er->journal_timer, again_ms);
}

struct http_pool *edge_pool(struct edge_reactor *er)
{
    return er->pool;
}

const struct edge_stats *edge_stats(const struct edge_reactor *er)
{
    return &er->stats;
}
