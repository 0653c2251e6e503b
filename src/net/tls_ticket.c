/* Keys of session tickets: see tls_int.h. A handshake costs a hundred
 * microseconds and more: the lock around the keys is not felt. */
#include "net/tls_int.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/rand.h"

static void rotate(struct tickets *t, int64_t now_ms)
{
    int64_t age_ms = now_ms - t->made_ms;
    if (t->made_ms && age_ms >= 0 && age_ms < TICKET_PERIOD_MS) return;
    if (t->made_ms && age_ms >= 0 && age_ms < 2 * TICKET_PERIOD_MS)
        t->before = t->now;
    else
        rand_bytes(&t->before, sizeof t->before); /* opens nothing */
    rand_bytes(&t->now, sizeof t->now);
    t->made_ms = now_ms;
}

const struct ticket_key *tickets_seal(struct tickets *t, int64_t now_ms)
{
    rotate(t, now_ms);
    return &t->now;
}

const struct ticket_key *tickets_open(struct tickets *t, int64_t now_ms,
                                      const uint8_t name[16], bool *renew)
{
    rotate(t, now_ms);
    *renew = memcmp(name, t->now.name, sizeof t->now.name) != 0;
    if (!*renew) return &t->now;
    bool known = memcmp(name, t->before.name, sizeof t->before.name) == 0;
    return known ? &t->before : NULL;
}

/* --- for OpenSSL ------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    struct tickets keys;
    EVP_CIPHER *aes;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void fetch_cipher(void)
{
    process.aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    ENSURE(process.aes);
}

static bool key_set(const struct ticket_key *key, const unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(
            OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, process.aes, NULL, key->aes, iv, seal) ==
               1;
}

/* 0: a full handshake, 1: sealed or opened, 2: opened, give a new one. */
static int ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
                      EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    struct ticket_key copy;
    bool renew = false;
    (void)ssl;
    int64_t now_ms = clock_node_ms();
    pthread_mutex_lock(&process.lock);
    const struct ticket_key *key =
        seal ? tickets_seal(&process.keys, now_ms)
             : tickets_open(&process.keys, now_ms, name, &renew);
    if (key) copy = *key;
    pthread_mutex_unlock(&process.lock);
    if (!key) return 0;
    if (seal) {
        memcpy(name, copy.name, sizeof copy.name);
        rand_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(process.aes));
    }
    bool ok = key_set(&copy, iv, cipher, mac, seal);
    mem_wipe(&copy, sizeof copy);
    return !ok ? -1 : renew ? 2 : 1;
}

void tickets_use(SSL_CTX *x)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_cipher);
    SSL_CTX_set_timeout(x, TICKET_PERIOD_MS / 1000);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(x, ticket_key);
}
