/* Names to addresses: one cache a reactor, look-ups by the worker pool.
 *
 *   absent -> asked -> known --fresh_ms--> known and asked -> known ...
 *                        `--stale_ms without success--> absent
 */
#include "net/dns.h"

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

enum {
    NAME_MAX_BYTES = 253,
    ADDRS_MAX = 16,
    RETRY_MS = 1000, /* after a failure */
};

struct lookup {
    struct job job;
    struct dns *dns; /* NULL: nobody waits any more */
    struct name *name;
    char host[NAME_MAX_BYTES + 1];
    const char *hosts_file;
    struct addr addrs[ADDRS_MAX];
    unsigned n;
};

struct waiter {
    struct waiter *next;
    dns_fn *fn;
    void *ctx;
    uint16_t port;
};

struct name {
    char host[NAME_MAX_BYTES + 1];
    struct addr addrs[ADDRS_MAX];
    unsigned n; /* 0: nothing known */
    uint64_t known_ms, used_ms, ask_after_ms;
    struct lookup *asked; /* NULL: not being asked */
    struct waiter *waiters;
};

struct dns {
    struct dns_conf conf;
    struct map names;
};

/* --- on a worker ---------------------------------------------------------- */

/* The resolver's order, families taking turns: when one family is broken the
 * second try is the other. */
static void interleave(struct lookup *l, const struct addr *from, unsigned n)
{
    bool taken[ADDRS_MAX] = { false };
    bool v4 = n && ip_is_v4(&from[0].ip);
    while (l->n < n) {
        unsigned pick = n;
        for (unsigned i = 0; i < n; i++) {
            if (taken[i]) continue;
            if (pick == n) pick = i;
            if (ip_is_v4(&from[i].ip) == v4) {
                pick = i;
                break;
            }
        }
        taken[pick] = true;
        l->addrs[l->n++] = from[pick];
        v4 = !v4;
    }
}

static bool knows(const struct addr *list, unsigned n, const struct addr *a)
{
    for (unsigned i = 0; i < n; i++)
        if (addr_eq(&list[i], a)) return true;
    return false;
}

static void ask_resolver(struct lookup *l)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_ADDRCONFIG },
                    *list;
    struct addr found[ADDRS_MAX];
    unsigned n = 0;
    if (getaddrinfo(l->host, NULL, &hints, &list) != 0) return;
    for (struct addrinfo *i = list; i && n < ADDRS_MAX; i = i->ai_next)
        if (addr_from_sockaddr(i->ai_addr, &found[n]) &&
            !knows(found, n, &found[n]))
            n++;
    freeaddrinfo(list);
    interleave(l, found, n);
}

#ifdef TEST_HOOKS
static void ask_hosts_file(struct lookup *l)
{
    struct addr found[ADDRS_MAX];
    char name[256], text[64];
    unsigned n = 0;
    FILE *f = fopen(l->hosts_file, "re");
    while (f && n < ADDRS_MAX && fscanf(f, "%255s %63s", name, text) == 2) {
        found[n].port = 0;
        if (sv_eq_nocase(sv_cstr(name), sv_cstr(l->host)) &&
            ip_parse(sv_cstr(text), &found[n].ip) == 0)
            n++;
    }
    if (f) fclose(f);
    interleave(l, found, n);
}
#endif

static void run(struct job *j)
{
    struct lookup *l = CONTAINER_OF(j, struct lookup, job);
#ifdef TEST_HOOKS
    if (l->hosts_file) {
        ask_hosts_file(l);
        return;
    }
#endif
    ask_resolver(l);
}

/* --- on the reactor ------------------------------------------------------- */

static void answer(const struct name *m, uint16_t port, dns_fn *fn, void *ctx,
                   int err)
{
    struct addr addrs[ADDRS_MAX];
    for (unsigned i = 0; i < m->n; i++) {
        addrs[i] = m->addrs[i];
        addrs[i].port = port;
    }
    struct dns_answer a = { addrs, err ? 0 : m->n, err };
    fn(ctx, &a);
}

/* The waiters are taken off first: a callback may ask again. */
static void answer_waiters(const struct name *m, int err)
{
    struct name copy = *m;
    struct waiter *w = m->waiters;
    while (w) {
        struct waiter *next = w->next;
        answer(&copy, w->port, w->fn, w->ctx, err);
        mem_free(w);
        w = next;
    }
}

static void done(struct job *j)
{
    struct lookup *l = CONTAINER_OF(j, struct lookup, job);
    struct name *m = l->name;
    if (l->dns) {
        uint64_t now = reactor_now_ms(l->dns->conf.reactor);
        m->asked = NULL;
        if (l->n) {
            memcpy(m->addrs, l->addrs, sizeof m->addrs);
            m->n = l->n;
            m->known_ms = now;
            m->ask_after_ms = now + l->dns->conf.fresh_ms;
        } else {
            m->ask_after_ms = now + RETRY_MS;
            if (now - m->known_ms > l->dns->conf.stale_ms) m->n = 0;
        }
        struct name copy = *m;
        m->waiters = NULL;
        answer_waiters(&copy, copy.n ? 0 : ERR_RESOLVE);
    }
    mem_free(l);
}

static int ask(struct dns *d, struct name *m)
{
    if (m->asked) return 0;
    struct lookup *l = NEW(struct lookup);
    l->job =
        (struct job){ .reply_to = d->conf.reactor, .run = run, .done = done };
    l->dns = d;
    l->name = m;
    memcpy(l->host, m->host, sizeof l->host);
#ifdef TEST_HOOKS
    l->hosts_file = d->conf.test_hosts_file;
#endif
    int err = workers_submit(d->conf.workers, &l->job);
    if (err < 0)
        mem_free(l);
    else
        m->asked = l;
    return err;
}

static void evict_one(struct dns *d)
{
    struct map_entry e;
    struct name *oldest = NULL;
    for (size_t at = 0; map_next(&d->names, &at, &e);) {
        struct name *m = e.value;
        if (!m->asked && (!oldest || m->used_ms < oldest->used_ms)) oldest = m;
    }
    if (!oldest) return;
    map_remove(&d->names, sv_cstr(oldest->host));
    mem_free(oldest);
}

static bool usable(struct sv host)
{
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] <= ' ' || host.p[i] >= 0x7f) return false;
    return host.n > 0 && host.n <= NAME_MAX_BYTES;
}

/* NULL: the cache is full of names that are just being asked. */
static struct name *name_of(struct dns *d, struct sv host)
{
    char lower[NAME_MAX_BYTES];
    for (size_t i = 0; i < host.n; i++) lower[i] = ascii_lower(host.p[i]);
    struct name *m = map_find(&d->names, sv_of(lower, host.n));
    if (m) return m;
    if (d->names.n >= d->conf.max_names) evict_one(d);
    if (d->names.n >= d->conf.max_names) return NULL;
    m = NEW(struct name);
    memcpy(m->host, lower, host.n);
    map_put(&d->names, sv_cstr(m->host), m);
    return m;
}

void dns_resolve(struct dns *d, struct sv host, uint16_t port, dns_fn *fn,
                 void *ctx)
{
    struct name literal = { .n = 1 };
    if (ip_parse(host, &literal.addrs[0].ip) == 0) {
        answer(&literal, port, fn, ctx, 0);
        return;
    }
    struct name *m = usable(host) ? name_of(d, host) : NULL;
    if (!m) {
        answer(&literal, port, fn, ctx, ERR_RESOLVE);
        return;
    }
    uint64_t now = reactor_now_ms(d->conf.reactor);
    bool due = now >= m->ask_after_ms;
    m->used_ms = now;
    if (m->n && now - m->known_ms > d->conf.stale_ms) m->n = 0;
    int err = due ? ask(d, m) : 0;
    if (m->n || err || !m->asked) { /* known, or failed a moment ago */
        answer(m, port, fn, ctx, m->n ? 0 : ERR_RESOLVE);
        return;
    }
    struct waiter *w = NEW(struct waiter);
    *w = (struct waiter){ m->waiters, fn, ctx, port };
    m->waiters = w;
}

int dns_new(struct dns **out, const struct dns_conf *conf)
{
    if (!conf->max_names || conf->stale_ms < conf->fresh_ms) return ERR_INVALID;
    struct dns *d = NEW(struct dns);
    d->conf = *conf;
    *out = d;
    return 0;
}

void dns_free(struct dns **dp)
{
    struct dns *d = *dp;
    struct map_entry e;
    if (!d) return;
    for (size_t at = 0; map_next(&d->names, &at, &e);) {
        struct name *m = e.value;
        if (m->asked) m->asked->dns = NULL;
        answer_waiters(m, ERR_SHUTDOWN);
        mem_free(m);
    }
    map_fini(&d->names);
    mem_free(d);
    *dp = NULL;
}
