/* What TLS connections share: certificates by name, the trust store. Built
 * once, never changed; a reload makes a new one. */
#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

struct cert {
    SSL_CTX *ctx;
    char *name; /* lower case; "" = default */
};

struct tls_server {
    _Atomic unsigned refs;
    struct map by_name; /* of SSL_CTX, keys in certs */
    SSL_CTX *fallback;
    int64_t not_after_ms;
    size_t n;
    struct cert certs[];
};

struct tls_client {
    SSL_CTX *ctx;
};

static const char *last_reason(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return text ? text : "unknown";
}

/* --- settings of both sides ----------------------------------------------- */

static SSL_CTX *ctx_new(const SSL_METHOD *method)
{
    SSL_CTX *x = SSL_CTX_new(method);
    if (!x) return NULL;
    SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
    SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(x, SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* TLS 1.2: forward secrecy and authenticated encryption only */
    if (SSL_CTX_set_cipher_list(x, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1)
        return x;
    SSL_CTX_free(x);
    return NULL;
}

/* --- server --------------------------------------------------------------- */

static int choose_alpn(SSL *ssl, const unsigned char **out,
                       unsigned char *out_n, const unsigned char *in,
                       unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in,
                              in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *find_ctx(const struct tls_server *s, struct sv name)
{
    SSL_CTX *x = map_find(&s->by_name, name);
    size_t dot = sv_find(name, '.');
    char wild[256] = "*";
    if (x || dot == SIZE_MAX || dot == 0) return x;
    struct sv rest = sv_from(name, dot);
    memcpy(wild + 1, rest.p, rest.n);
    return map_find(&s->by_name, sv_of(wild, rest.n + 1));
}

static int choose_cert(SSL *ssl, int *alert, void *arg)
{
    struct tls_server *s = arg;
    struct tls *t = SSL_get_app_data(ssl);
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!asked || t->sni) return SSL_TLSEXT_ERR_OK;
    struct sv name = sv_cstr(asked);
    if (name.n == 0 || name.n > 253) return SSL_TLSEXT_ERR_ALERT_FATAL;
    t->sni = mem_dup_sv(name);
    for (char *p = t->sni; *p; p++) *p = ascii_lower(*p);
    SSL_CTX *x = find_ctx(s, sv_cstr(t->sni));
    if (x) SSL_set_SSL_CTX(ssl, x);
    return SSL_TLSEXT_ERR_OK;
}

static int64_t time_ms(const ASN1_TIME *time)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1) return 0;
    return civil_to_ms((struct civil){ .year = tm.tm_year + 1900,
                                       .month = tm.tm_mon + 1,
                                       .day = tm.tm_mday,
                                       .hour = tm.tm_hour,
                                       .minute = tm.tm_min,
                                       .second = tm.tm_sec });
}

static int cert_problem(char problem[256], const char *what, const char *file)
{
    snprintf(problem, 256, "%s %s: %s", what, file, last_reason());
    return ERR_INVALID;
}

static int load_cert(struct tls_server *s, struct cert *cert,
                     const struct tls_cert_conf *conf, char problem[256])
{
    static const unsigned char id[] = "typeauth";
    SSL_CTX *x = cert->ctx;
    if (SSL_CTX_use_certificate_chain_file(x, conf->cert_file) != 1)
        return cert_problem(problem, "certificate", conf->cert_file);
    if (SSL_CTX_use_PrivateKey_file(x, conf->key_file, SSL_FILETYPE_PEM) != 1)
        return cert_problem(problem, "private key", conf->key_file);
    if (SSL_CTX_check_private_key(x) != 1)
        return cert_problem(problem, "private key does not match",
                            conf->cert_file);
    SSL_CTX_set_alpn_select_cb(x, choose_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(x, choose_cert);
    SSL_CTX_set_tlsext_servername_arg(x, s);
    /* sessions live in tickets, not here; one a handshake is enough */
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(x, id, sizeof id - 1);
    SSL_CTX_set_num_tickets(x, 1);
    int64_t end = time_ms(X509_get0_notAfter(SSL_CTX_get0_certificate(x)));
    if (end < s->not_after_ms) s->not_after_ms = end;
    return 0;
}

static int add_cert(struct tls_server *s, const struct tls_cert_conf *conf,
                    char problem[256])
{
    struct cert *cert = &s->certs[s->n];
    *cert =
        (struct cert){ ctx_new(TLS_server_method()), mem_dup_sv(conf->name) };
    s->n++;
    if (!cert->ctx) return cert_problem(problem, "TLS", "context");
    for (char *p = cert->name; *p; p++) *p = ascii_lower(*p);
    int err = load_cert(s, cert, conf, problem);
    if (err < 0) return err;
    if (map_put(&s->by_name, sv_cstr(cert->name), cert->ctx)) {
        snprintf(problem, 256, "two certificates for the name \"%.100s\"",
                 cert->name);
        return ERR_INVALID;
    }
    return 0;
}

int tls_server_new(struct tls_server **out, const struct tls_cert_conf *certs,
                   size_t n, char problem[256])
{
    if (n == 0) {
        snprintf(problem, 256, "no certificate");
        return ERR_INVALID;
    }
    struct tls_server *s = mem_zalloc(sizeof *s + n * sizeof s->certs[0]);
    atomic_init(&s->refs, 1);
    s->not_after_ms = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        int err = add_cert(s, &certs[i], problem);
        if (err < 0) {
            tls_server_put(s);
            return err;
        }
    }
    s->fallback = map_find(&s->by_name, SV(""));
    if (!s->fallback) s->fallback = s->certs[0].ctx;
    *out = s;
    return 0;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void tls_server_put(struct tls_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1) return;
    for (size_t i = 0; i < s->n; i++) {
        SSL_CTX_free(s->certs[i].ctx);
        mem_free(s->certs[i].name);
    }
    map_fini(&s->by_name);
    mem_free(s);
}

int64_t tls_server_not_after_ms(const struct tls_server *s)
{
    return s->not_after_ms;
}

SSL_CTX *tls_server_default(const struct tls_server *s)
{
    return s->fallback;
}

/* --- client --------------------------------------------------------------- */

int tls_client_new(struct tls_client **out, const char *extra_ca_file,
                   char problem[256])
{
    static const unsigned char ours[] = "\x08http/1.1";
    SSL_CTX *x = ctx_new(TLS_client_method());
    if (!x) return cert_problem(problem, "TLS", "context");
    /* The directory of hashed names is asked for one authority at a time; the
     * bundle would be parsed whole, a megabyte that most servers never use. */
    SSL_CTX_set_default_verify_dir(x);
    if (getenv("SSL_CERT_FILE")) SSL_CTX_set_default_verify_file(x);
    if (extra_ca_file && SSL_CTX_load_verify_file(x, extra_ca_file) != 1) {
        SSL_CTX_free(x);
        return cert_problem(problem, "certificates", extra_ca_file);
    }
    ERR_clear_error();
    SSL_CTX_set_alpn_protos(x, ours, sizeof ours - 1);
    *out = NEW(struct tls_client);
    (*out)->ctx = x;
    return 0;
}

void tls_client_free(struct tls_client **t)
{
    if (!*t) return;
    SSL_CTX_free((*t)->ctx);
    mem_free(*t);
    *t = NULL;
}

SSL_CTX *tls_client_ctx(const struct tls_client *t)
{
    return t->ctx;
}
