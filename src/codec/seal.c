/* AES-256-SIV over EVP. Two traps (hot-path §1.5): initialising the context
 * again without a key makes every message after the first fail, and setting
 * the key for each costs five times the message. So: keyed once, with the
 * "speed" parameter, which lets a context take many messages (INT_MAX: then
 * it is keyed anew). What a kept context does not put back is its S2V state:
 * associated data adds to it, therefore none is ever used, and a message
 * shorter than a block doubles it, therefore it is keyed anew after one. */
#include "codec/seal.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

struct half {
    EVP_CIPHER_CTX *context;
    int left; /* messages until it must be keyed anew */
};

enum { BLOCK = 16 };

struct sealer {
    EVP_CIPHER *algorithm;
    struct half closing, opening;
    uint8_t key[SEAL_KEY_BYTES];
};

static int half_key(struct sealer *s, struct half *h, int closing)
{
    unsigned speed = 1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_CIPHER_PARAM_SPEED, &speed),
        OSSL_PARAM_construct_end(),
    };
    h->left = INT_MAX - 1;
    if (!h->context && !(h->context = EVP_CIPHER_CTX_new())) return ERR_NOMEM;
    return EVP_CipherInit_ex2(h->context, s->algorithm, s->key, NULL, closing,
                              NULL) == 1 &&
                   EVP_CIPHER_CTX_set_params(h->context, params) == 1
               ? 0
               : ERR_CRYPTO;
}

/* The context for a message of n bytes, or NULL. */
static EVP_CIPHER_CTX *half_take(struct sealer *s, struct half *h, int closing,
                                 size_t n)
{
    if (h->left <= 0 && half_key(s, h, closing)) return NULL;
    h->left = n < BLOCK ? 0 : h->left - 1;
    return h->context;
}

int sealer_new(struct sealer **out, const uint8_t key[SEAL_KEY_BYTES])
{
    struct sealer *s = NEW(struct sealer);
    memcpy(s->key, key, sizeof s->key);
    s->algorithm = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    int rc = s->algorithm ? half_key(s, &s->closing, 1) : ERR_CRYPTO;
    if (rc == 0) rc = half_key(s, &s->opening, 0);
    if (rc) sealer_free(&s);
    *out = s;
    return rc;
}

void sealer_free(struct sealer **s)
{
    if (!*s) return;
    EVP_CIPHER_CTX_free((*s)->closing.context);
    EVP_CIPHER_CTX_free((*s)->opening.context);
    EVP_CIPHER_free((*s)->algorithm);
    mem_wipe((*s)->key, sizeof(*s)->key);
    mem_free(*s);
    *s = NULL;
}

int seal_close(struct sealer *s, struct sv plain, uint8_t *out)
{
    ENSURE(plain.n >= 1 && plain.n < 1u << 30);
    EVP_CIPHER_CTX *c = half_take(s, &s->closing, 1, plain.n);
    int n = 0;
    return c &&
                   EVP_EncryptUpdate(c, out + SEAL_TAG_BYTES, &n,
                                     (const uint8_t *)plain.p,
                                     (int)plain.n) == 1 &&
                   (size_t)n == plain.n &&
                   EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES,
                                       out) == 1
               ? 0
               : ERR_CRYPTO;
}

int seal_open(struct sealer *s, struct sv sealed, uint8_t *out)
{
    if (sealed.n <= SEAL_TAG_BYTES || sealed.n >= 1u << 30) return ERR_CORRUPT;
    size_t size = sealed.n - SEAL_TAG_BYTES;
    EVP_CIPHER_CTX *c = half_take(s, &s->opening, 0, size);
    if (!c) return ERR_CRYPTO;
    uint8_t tag[SEAL_TAG_BYTES];
    int n = 0;
    memcpy(tag, sealed.p, sizeof tag);
    if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
        EVP_DecryptUpdate(c, out, &n,
                          (const uint8_t *)sealed.p + SEAL_TAG_BYTES,
                          (int)size) == 1 &&
        (size_t)n == size)
        return 0;
    mem_wipe(out, size);
    return ERR_CORRUPT;
}
