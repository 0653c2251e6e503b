/* Certificates for tests of TLS: made in a directory of their own. */
#ifndef TLS_KIT_H
#define TLS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/test-tls-XXXXXX";

struct issued {
    X509 *cert;
    EVP_PKEY *key;
    char cert_file[64], key_file[64];
};

static inline void extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static inline void issue(struct issued *i, const char *name, const char *alt,
                  const struct issued *by)
{
    static long serial = 1;
    X509 *x = X509_new();
    i->key = EVP_EC_gen("P-256");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(by ? by->cert : x));
    X509_set_pubkey(x, i->key);
    if (alt)
        extend(x, NID_subject_alt_name, alt);
    else
        extend(x, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(x, by ? by->key : i->key, EVP_sha256()) > 0);
    i->cert = x;
    snprintf(i->cert_file, sizeof i->cert_file, "%s/%s.crt", dir, name);
    snprintf(i->key_file, sizeof i->key_file, "%s/%s.key", dir, name);
    FILE *f = fopen(i->cert_file, "w");
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(i->key_file, "w");
    PEM_write_PrivateKey(f, i->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static inline void issued_remove(struct issued *i)
{
    unlink(i->cert_file);
    unlink(i->key_file);
    X509_free(i->cert);
    EVP_PKEY_free(i->key);
}

#endif
