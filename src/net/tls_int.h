/* Between the contexts (tls_ctx.c, tls_server.c, tls_ticket.c) and the filter
 * (tls.c). */
#ifndef NET_TLS_INT_H
#define NET_TLS_INT_H

#include <openssl/ssl.h>

#include "net/filter.h"
#include "net/tls.h"

struct tls { /* of one connection */
    struct conn *c;
    SSL *ssl;
    struct tls_server *server; /* a reference, or NULL */
    struct sv in;              /* raw bytes not yet taken by OpenSSL */
    char *sni;                 /* lower case, heap, NULL: none */
    const char *failure;       /* static */
    bool done;                 /* handshake */
    uint64_t connected_ns;     /* TCP; of a client */
    bool has_cert;             /* the client showed one: its digest */
    uint8_t cert[TLS_CERT_DIGEST_BYTES];
    bool raw_eof;
    bool no_memory;            /* filter_down said so */
};

/* A context with what both sides have in common; NULL: OpenSSL failed. */
SSL_CTX *tls_ctx_new(const SSL_METHOD *method);
/* "what file: OpenSSL's last reason"; returns ERR_INVALID. */
int tls_problem(char problem[256], const char *what, const char *file);
SSL_CTX *tls_server_default(const struct tls_server *s);
/* Milliseconds since 1970. */
int64_t tls_time_ms(const ASN1_TIME *time);
SSL_CTX *tls_client_ctx(const struct tls_client *t);

/* --- session tickets --------------------------------------------------------
 * What a client keeps to begin its next connection without certificate and
 * signature (RFC 5077, RFC 8446 4.6.1). The keys that seal them exist only in
 * memory and only for two periods: one in which they seal, one in which they
 * still open. Whoever takes the keys then cannot read what was said before. */
enum { TICKET_PERIOD_MS = 2 * 3600 * 1000 };

struct ticket_key {
    uint8_t name[16], aes[32], mac[32];
};
struct tickets {
    struct ticket_key now, before;
    int64_t made_ms; /* of `now`; 0: no key yet */
};
/* The key that seals at this time. */
const struct ticket_key *tickets_seal(struct tickets *t, int64_t now_ms);
/* The key of that name, *renew if it seals no longer; NULL: too old, or not
 * ours. */
const struct ticket_key *tickets_open(struct tickets *t, int64_t now_ms,
                                      const uint8_t name[16], bool *renew);
/* Tickets of this context are sealed by the process's keys, which survive a
 * reload of certificates. */
void tickets_use(SSL_CTX *x);

#endif
