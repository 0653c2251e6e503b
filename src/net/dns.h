/* Host names to addresses without blocking a reactor: getaddrinfo on the
 * worker pool, one cache a reactor, refreshed in the background (an answer
 * older than `fresh_ms` is served once more while it is asked anew; kept
 * through failures up to `stale_ms`). Literal addresses answer at once. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "net/addr.h"
#include "net/worker.h"

struct dns;

struct dns_answer {
    const struct addr *addrs; /* port as asked; IPv6 and IPv4 interleaved */
    unsigned n;
    int err; /* 0, ERR_RESOLVE, or ERR_SHUTDOWN (dns_free); then n == 0 */
};

/* Called exactly once, possibly before dns_resolve returns. The answer is
 * borrowed until the callback returns. */
typedef void dns_fn(void *ctx, const struct dns_answer *a);

struct dns_conf {
    struct reactor *reactor;
    struct workers *workers;
    uint32_t fresh_ms, stale_ms, max_names;
#ifdef TEST_HOOKS
    /* "name address" a line, read anew at each resolution; NULL: real. */
    const char *test_hosts_file;
#endif
};

int dns_new(struct dns **out, const struct dns_conf *conf);
/* Answers who still waits. No dns_resolve from within those answers. */
void dns_free(struct dns **d);
/* `host`: a name or a literal address, without brackets. A failure is
 * remembered for a second. */
void dns_resolve(struct dns *d, struct sv host, uint16_t port, dns_fn *fn,
                 void *ctx);

#endif
