/* What TLS connections share on both sides: versions, ciphers, modes; and the
 * client's trust store. */
#include "net/tls_int.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

struct tls_client {
    SSL_CTX *ctx;
};

int tls_problem(char problem[256], const char *what, const char *file)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    snprintf(problem, 256, "%s %s: %s", what, file, text ? text : "unknown");
    return ERR_INVALID;
}

SSL_CTX *tls_ctx_new(const SSL_METHOD *method)
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

/* --- client --------------------------------------------------------------- */

int tls_client_new(struct tls_client **out, const char *extra_ca_file,
                   char problem[256])
{
    static const unsigned char ours[] = "\x08http/1.1";
    SSL_CTX *x = tls_ctx_new(TLS_client_method());
    if (!x) return tls_problem(problem, "TLS", "context");
    /* The directory of hashed names is asked for one authority at a time; the
     * bundle would be parsed whole, a megabyte that most servers never use. */
    SSL_CTX_set_default_verify_dir(x);
    if (getenv("SSL_CERT_FILE")) SSL_CTX_set_default_verify_file(x);
    if (extra_ca_file && SSL_CTX_load_verify_file(x, extra_ca_file) != 1) {
        SSL_CTX_free(x);
        return tls_problem(problem, "certificates", extra_ca_file);
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
