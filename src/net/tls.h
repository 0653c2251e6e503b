/* TLS 1.2/1.3 as a connection filter on OpenSSL: own BIO over the borrowed
 * input and the connection's output block; SSL_MODE_RELEASE_BUFFERS. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "net/conn.h"

struct tls_server; /* certificates by name; immutable, reference-counted */
struct tls_client; /* trust store and client settings; one per process */

struct tls_cert_conf {
    const char *cert_file, *key_file; /* PEM, chain in cert_file */
    struct sv name; /* or "*.example.com"; "": those that it carries */
};
/* On failure `problem` gets a sentence that names the files at fault; one is
 * that two certificates serve one name. A name is matched exactly, else its
 * first label by a wildcard, else the first of `certs` serves. To reload, make a new server and
 * give that to tls_accept from then on; connections keep theirs. */
int tls_server_new(struct tls_server **out, const struct tls_cert_conf *certs,
                   size_t n, char problem[256]);
/* Before its first use: clients are asked for a certificate and need not have
 * one. ca_file NULL: any certificate will do, whose private key the client
 * holds: it counts for its digest alone. Else (PEM) one that these authorities
 * did not issue ends the handshake. */
int tls_server_ask(struct tls_server *s, const char *ca_file,
                   char problem[256]);
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_put(struct tls_server *s);
/* When the first of the certificates ends, milliseconds since 1970. */
int64_t tls_server_not_after_ms(const struct tls_server *s);

/* Trusts the system's store and the extra file (PEM), which may be NULL. */
int tls_client_new(struct tls_client **out, const char *extra_ca_file,
                   char problem[256]);
void tls_client_free(struct tls_client **c);

/* Install the filter, before any byte (tls_connect: or as conn_filter has it);
 * on_open is called when the handshake is done. A failed handshake ends in
 * on_closed(ERR_TLS), a peer that ends without close_notify in
 * on_closed(ERR_CLOSED) instead of on_eof. */
int tls_accept(struct conn *c, struct tls_server *s);
/* `name`: SNI and the name (or address) that the certificate must carry. */
int tls_connect(struct conn *c, struct tls_client *t, struct sv name,
                bool verify);

/* After on_open; views live as long as the connection. */
struct tls_info {
    struct sv sni;      /* as sent, lower case; empty: none */
    struct sv alpn;
    struct sv version;  /* "TLSv1.3" */
    struct sv cipher;
};
bool tls_info(const struct conn *c, struct tls_info *out); /* false: plain */
/* SHA-256 of the certificate that the client showed; false: none. */
enum { TLS_CERT_DIGEST_BYTES = 32 };
bool tls_client_cert(const struct conn *c,
                     uint8_t out[TLS_CERT_DIGEST_BYTES]);
/* Does the connection run on TLS (done or not)? */
bool tls_is(const struct conn *c);
/* Why TLS failed on this connection, for logs; NULL: it did not. Static. */
const char *tls_failure(const struct conn *c);
/* Is it that the peer's certificate has expired? */
bool tls_failure_is_expiry(const char *failure);
/* Of an outgoing connection: when TCP was connected (CLOCK_MONOTONIC), and when
 * the peer's certificate ends (ms since 1970); 0: not yet, or plain. */
uint64_t tls_connected_ns(const struct conn *c);
int64_t tls_peer_not_after_ms(const struct conn *c);

#endif
