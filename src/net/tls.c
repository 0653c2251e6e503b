/* The TLS filter. OpenSSL reads from the slice that the connection lends and
 * writes into its output block, through a BIO of our own: no memory BIO, no
 * system call by OpenSSL, no buffer while idle.
 *
 *   on_raw: slice -> BIO -> SSL_read -> the reactor's plain block -> on_bytes
 *   on_plain: SSL_write -> BIO -> filter_down
 */
#include "net/tls_int.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

/* --- BIO ------------------------------------------------------------------ */

static int bio_read(BIO *b, char *out, size_t n, size_t *done)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    *done = n < t->in.n ? n : t->in.n;
    if (*done) {
        memcpy(out, t->in.p, *done);
        t->in = sv_from(t->in, *done);
        return 1;
    }
    if (!t->raw_eof) BIO_set_retry_read(b);
    return 0;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *done)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    t->no_memory = filter_down(t->c, sv_of(p, n)) < 0;
    *done = t->no_memory ? 0 : n;
    return !t->no_memory;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
    (void)n;
    (void)p;
    if (what == BIO_CTRL_EOF) return ((struct tls *)BIO_get_data(b))->raw_eof;
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void bio_method_init(void)
{
    int type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
    bio_method = BIO_meth_new(type, "connection");
    ENSURE(bio_method && BIO_meth_set_read_ex(bio_method, bio_read) &&
           BIO_meth_set_write_ex(bio_method, bio_write) &&
           BIO_meth_set_ctrl(bio_method, bio_ctrl));
}

/* --- failure -------------------------------------------------------------- */

static void fail(struct tls *t, int err)
{
    unsigned long e = ERR_peek_last_error();
    long verdict = SSL_get_verify_result(t->ssl);
    if (!t->failure) {
        if (!t->done && verdict != X509_V_OK)
            t->failure = X509_verify_cert_error_string(verdict);
        else if (e && ERR_reason_error_string(e))
            t->failure = ERR_reason_error_string(e);
        else
            t->failure = "the peer ended the handshake";
    }
    ERR_clear_error();
    filter_fail(t->c, t->no_memory ? ERR_NOMEM : err);
}

/* --- filter --------------------------------------------------------------- */

/* Also of a resumed session, whose ticket holds it. */
static void note_cert(struct tls *t)
{
    X509 *x = SSL_get0_peer_certificate(t->ssl);
    unsigned n = sizeof t->cert;
    t->has_cert = x && X509_digest(x, EVP_sha256(), t->cert, &n) == 1;
}

static void handshake(struct tls *t)
{
    ERR_clear_error();
    int n = SSL_do_handshake(t->ssl);
    if (n == 1) {
        t->done = true;
        if (t->server) note_cert(t);
        if (t->server) filter_counted(t->c, SSL_session_reused(t->ssl));
        filter_opened(t->c);
    } else if (SSL_get_error(t->ssl, n) != SSL_ERROR_WANT_READ) {
        fail(t, ERR_TLS);
    }
}

static void on_start(struct conn *c, void *state)
{
    struct tls *t = state;
    (void)c;
    if (!t->server) t->connected_ns = clock_mono_ns();
    handshake(t);
}

/* One record after the other while the user reads. */
static void pump(struct tls *t)
{
    while ((t->in.n || SSL_has_pending(t->ssl)) && filter_wants(t->c)) {
        size_t room, n;
        char *p = filter_up_room(t->c, &room);
        if (!p) return;
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, p, room, &n) == 1) {
            filter_up(t->c, n);
            continue;
        }
        switch (SSL_get_error(t->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            if (!t->in.n) return;
            break;
        case SSL_ERROR_ZERO_RETURN: filter_up_eof(t->c); return;
        default: fail(t, ERR_TLS); return;
        }
    }
}

static size_t on_raw(struct conn *c, void *state, struct sv in)
{
    struct tls *t = state;
    t->in = in;
    if (!t->done) handshake(t);
    if (t->done) pump(t);
    size_t left = t->in.n;
    t->in = (struct sv){ 0 };
    /* after close_notify nothing more is of interest */
    return filter_ended(c) ? in.n : in.n - left;
}

static void on_raw_eof(struct conn *c, void *state)
{
    struct tls *t = state;
    t->raw_eof = true;
    if (filter_ended(c)) return;
    if (!t->done) t->failure = "the peer ended the handshake";
    filter_fail(c, ERR_CLOSED);
}

static int on_plain(struct conn *c, void *state, struct sv plain)
{
    struct tls *t = state;
    size_t n;
    (void)c;
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, plain.p, plain.n, &n) == 1 && n == plain.n)
        return 0;
    ERR_clear_error();
    return t->no_memory ? ERR_NOMEM : ERR_TLS;
}

static void on_finish(struct conn *c, void *state)
{
    struct tls *t = state;
    (void)c;
    ERR_clear_error();
    if (t->done && !t->failure) SSL_shutdown(t->ssl);
    ERR_clear_error();
}

static void on_free(void *state)
{
    struct tls *t = state;
    SSL_free(t->ssl);
    if (t->server) tls_server_put(t->server);
    mem_free(t->sni);
    mem_free(t);
}

static const struct filter_ops OPS = {
    .on_start = on_start,
    .on_raw = on_raw,
    .on_raw_eof = on_raw_eof,
    .on_plain = on_plain,
    .on_finish = on_finish,
    .on_free = on_free,
};

/* --- installing ----------------------------------------------------------- */

static struct tls *tls_new(struct conn *c, SSL_CTX *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, bio_method_init);
    SSL *ssl = SSL_new(ctx);
    BIO *bio = ssl ? BIO_new(bio_method) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    struct tls *t = NEW(struct tls);
    t->c = c;
    t->ssl = ssl;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, t);
    return t;
}

int tls_accept(struct conn *c, struct tls_server *s)
{
    struct tls *t = tls_new(c, tls_server_default(s));
    if (!t) return ERR_NOMEM;
    t->server = tls_server_ref(s);
    SSL_set_accept_state(t->ssl);
    conn_filter(c, &OPS, t);
    return 0;
}

static bool set_peer_name(SSL *ssl, const char *name, bool verify)
{
    struct ip ip;
    bool literal = ip_parse(sv_cstr(name), &ip) == 0;
    if (!literal && SSL_set_tlsext_host_name(ssl, name) != 1) return false;
    SSL_set_verify(ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!verify) return true;
    if (literal)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1;
}

int tls_connect(struct conn *c, struct tls_client *client, struct sv name,
                bool verify)
{
    if (name.n == 0 || name.n > 253 || memchr(name.p, 0, name.n))
        return ERR_INVALID;
    struct tls *t = tls_new(c, tls_client_ctx(client));
    if (!t) return ERR_NOMEM;
    t->sni = mem_dup_sv(name);
    if (!set_peer_name(t->ssl, t->sni, verify)) {
        on_free(t);
        return ERR_INVALID;
    }
    SSL_set_connect_state(t->ssl);
    conn_filter(c, &OPS, t);
    return 0;
}

/* --- questions ------------------------------------------------------------ */

bool tls_is(const struct conn *c)
{
    return filter_state(c, &OPS) != NULL;
}

bool tls_info(const struct conn *c, struct tls_info *out)
{
    const struct tls *t = filter_state(c, &OPS);
    const unsigned char *alpn;
    unsigned alpn_n;
    if (!t || !t->done) return false;
    SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_n);
    *out = (struct tls_info){
        .sni = t->sni ? sv_cstr(t->sni) : SV(""),
        .alpn = sv_of(alpn, alpn_n),
        .version = sv_cstr(SSL_get_version(t->ssl)),
        .cipher = sv_cstr(SSL_get_cipher_name(t->ssl)),
    };
    return true;
}

bool tls_client_cert(const struct conn *c, uint8_t out[TLS_CERT_DIGEST_BYTES])
{
    const struct tls *t = filter_state(c, &OPS);
    if (!t || !t->done || !t->has_cert) return false;
    memcpy(out, t->cert, sizeof t->cert);
    return true;
}

bool tls_failure_is_expiry(const char *failure)
{
    return failure ==
           X509_verify_cert_error_string(X509_V_ERR_CERT_HAS_EXPIRED);
}

uint64_t tls_connected_ns(const struct conn *c)
{
    const struct tls *t = filter_state(c, &OPS);
    return t ? t->connected_ns : 0;
}

int64_t tls_peer_not_after_ms(const struct conn *c)
{
    const struct tls *t = filter_state(c, &OPS);
    X509 *x = t ? SSL_get0_peer_certificate(t->ssl) : NULL;
    return x ? tls_time_ms(X509_get0_notAfter(x)) : 0;
}

const char *tls_failure(const struct conn *c)
{
    const struct tls *t = filter_state(c, &OPS);
    return t ? t->failure : NULL;
}
