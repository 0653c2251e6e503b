/* The server's certificates by name. Built once, never changed; a reload makes
 * a new one. A certificate without a given name serves the names it carries. */
#include "net/tls_int.h"

#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"

struct cert {
    SSL_CTX *ctx;
    char *file;
    char **names; /* lower case; none: the default, if it is the only one */
    size_t names_n;
};

struct tls_server {
    _Atomic unsigned refs;
    struct map by_name; /* of struct cert, keys in certs */
    int64_t not_after_ms;
    size_t n;
    struct cert certs[]; /* the first one is the default */
};

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

static const struct cert *find_cert(const struct tls_server *s, struct sv name)
{
    const struct cert *cert = map_find(&s->by_name, name);
    size_t dot = sv_find(name, '.');
    char wild[256] = "*";
    if (cert || dot == SIZE_MAX || dot == 0) return cert;
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
    const struct cert *cert = find_cert(s, sv_cstr(t->sni));
    if (cert) SSL_set_SSL_CTX(ssl, cert->ctx);
    return SSL_TLSEXT_ERR_OK;
}

int64_t tls_time_ms(const ASN1_TIME *time)
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

static int load_cert(struct tls_server *s, struct cert *cert,
                     const struct tls_cert_conf *conf, char problem[256])
{
    static const unsigned char id[] = "typeauth";
    SSL_CTX *x = cert->ctx;
    if (SSL_CTX_use_certificate_chain_file(x, conf->cert_file) != 1)
        return tls_problem(problem, "certificate", conf->cert_file);
    if (SSL_CTX_use_PrivateKey_file(x, conf->key_file, SSL_FILETYPE_PEM) != 1)
        return tls_problem(problem, "private key", conf->key_file);
    if (SSL_CTX_check_private_key(x) != 1)
        return tls_problem(problem, "private key does not match",
                           conf->cert_file);
    SSL_CTX_set_alpn_select_cb(x, choose_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(x, choose_cert);
    SSL_CTX_set_tlsext_servername_arg(x, s);
    /* sessions live in tickets, not here; one a handshake is enough */
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(x, id, sizeof id - 1);
    SSL_CTX_set_num_tickets(x, 1);
    tickets_use(x);
    int64_t end = tls_time_ms(X509_get0_notAfter(SSL_CTX_get0_certificate(x)));
    if (end < s->not_after_ms) s->not_after_ms = end;
    return 0;
}

/* --- names ---------------------------------------------------------------- */

static int add_name(struct tls_server *s, struct cert *cert, struct sv text,
                    char problem[256])
{
    char *name = mem_dup_sv(text);
    for (char *p = name; *p; p++) *p = ascii_lower(*p);
    struct cert *other = map_find(&s->by_name, sv_cstr(name));
    if (other && other != cert)
        snprintf(problem, 256,
                 "two certificates for \"%.60s\": %.80s and %.80s", name,
                 other->file, cert->file);
    if (other) {
        mem_free(name);
        return other == cert ? 0 : ERR_INVALID;
    }
    size_t n = cert->names_n++;
    cert->names = mem_realloc(cert->names, (n + 1) * sizeof *cert->names);
    cert->names[n] = name;
    map_put(&s->by_name, sv_cstr(name), cert);
    return 0;
}

/* Is it a name that a client may ask for: a '*' only as the whole first label
 * (RFC 9525 6.3)? */
static bool name_serves(struct sv name)
{
    struct sv rest = sv_starts(name, SV("*.")) ? sv_from(name, 2) : name;
    return rest.n > 0 && name.n <= 253 && !memchr(rest.p, 0, rest.n) &&
           !memchr(rest.p, '*', rest.n);
}

static int add_own_names(struct tls_server *s, struct cert *cert,
                         char problem[256])
{
    X509 *x = SSL_CTX_get0_certificate(cert->ctx);
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int err = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(all) && !err; i++) {
        int kind;
        const ASN1_STRING *text =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &kind);
        if (kind != GEN_DNS) continue;
        struct sv name = sv_of(ASN1_STRING_get0_data(text),
                               (size_t)ASN1_STRING_length(text));
        if (name_serves(name)) err = add_name(s, cert, name, problem);
    }
    GENERAL_NAMES_free(all);
    return err;
}

static int add_cert(struct tls_server *s, const struct tls_cert_conf *conf,
                    bool only, char problem[256])
{
    struct cert *cert = &s->certs[s->n];
    *cert = (struct cert){ .ctx = tls_ctx_new(TLS_server_method()),
                           .file = mem_strdup(conf->cert_file) };
    s->n++;
    if (!cert->ctx) return tls_problem(problem, "TLS", "context");
    int err = load_cert(s, cert, conf, problem);
    if (!err)
        err = conf->name.n ? add_name(s, cert, conf->name, problem)
                           : add_own_names(s, cert, problem);
    if (err || cert->names_n || only) return err;
    snprintf(problem, 256,
             "certificate %.150s has no DNS name in its subjectAltName: say "
             "for which name it is",
             cert->file);
    return ERR_INVALID;
}

/* --- all ------------------------------------------------------------------ */

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
        int err = add_cert(s, &certs[i], n == 1, problem);
        if (err < 0) {
            tls_server_put(s);
            return err;
        }
    }
    *out = s;
    return 0;
}

/* --- certificates of clients ---------------------------------------------- */

/* The handshake still demands a signature by the certificate's key: whoever
 * shows one holds it. Who issued it, and until when, says nothing here. */
static int take_any(int good, X509_STORE_CTX *c)
{
    (void)good;
    X509_STORE_CTX_set_error(c, X509_V_OK);
    return 1;
}

int tls_server_ask(struct tls_server *s, const char *ca_file, char problem[256])
{
    /* A session is resumed with the certificate of its beginning: not by
     * servers that were asked to trust other authorities. */
    unsigned char id[16] = "typeauth ask";
    if (ca_file) rand_bytes(id, sizeof id);
    for (size_t i = 0; i < s->n; i++) {
        SSL_CTX *x = s->certs[i].ctx;
        SSL_CTX_set_verify(x, SSL_VERIFY_PEER, ca_file ? NULL : take_any);
        SSL_CTX_set_session_id_context(x, id, sizeof id);
        if (!ca_file) continue;
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
        if (!names || SSL_CTX_load_verify_file(x, ca_file) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            return tls_problem(problem, "client authorities", ca_file);
        }
        SSL_CTX_set_client_CA_list(x, names);
    }
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
        struct cert *cert = &s->certs[i];
        for (size_t k = 0; k < cert->names_n; k++) mem_free(cert->names[k]);
        mem_free(cert->names);
        mem_free(cert->file);
        SSL_CTX_free(cert->ctx);
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
    return s->certs[0].ctx;
}
