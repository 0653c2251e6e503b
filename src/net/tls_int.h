/* Between the contexts (tls_ctx.c) and the filter (tls.c). */
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
    bool raw_eof;
    bool no_memory;            /* filter_down said so */
};

SSL_CTX *tls_server_default(const struct tls_server *s);
SSL_CTX *tls_client_ctx(const struct tls_client *t);

#endif
