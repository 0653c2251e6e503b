/* OpenSSL's SHA256_Init, _Update and _Final: documented, deprecated in favour
 * of EVP, and half its price for what is hashed here, tokens and keys of a few
 * hundred bytes (docs/decisions/0040). HMAC is built from them: a state is
 * plain memory, so that a key's two states can be kept and copied. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "codec/digest.h"

#include <openssl/sha.h>

#include "base/ensure.h"
#include "base/mem.h"

enum { BLOCK = 64 };

static void add(SHA256_CTX *c, const struct sv *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].n) SHA256_Update(c, parts[i].p, parts[i].n);
}

void sha256_parts(const struct sv *parts, size_t n, uint8_t out[SHA256_BYTES])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    add(&c, parts, n);
    SHA256_Final(out, &c);
}

void sha256(struct sv bytes, uint8_t out[SHA256_BYTES])
{
    sha256_parts(&bytes, 1, out);
}

/* --- HMAC ----------------------------------------------------------------- */

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct hmac_key *)0)->inner),
               "a state fits");

static void state_begin(uint64_t state[14], const uint8_t pad[BLOCK])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, pad, BLOCK);
    memcpy(state, &c, sizeof c);
    mem_wipe(&c, sizeof c);
}

void hmac_key_init(struct hmac_key *k, struct sv key)
{
    uint8_t pad[BLOCK] = { 0 };
    if (key.n > BLOCK)
        sha256(key, pad);
    else if (key.n)
        memcpy(pad, key.p, key.n);
    for (int i = 0; i < BLOCK; i++) pad[i] ^= 0x36;
    state_begin(k->inner, pad);
    for (int i = 0; i < BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
    state_begin(k->outer, pad);
    mem_wipe(pad, sizeof pad);
}

void hmac_key_run(const struct hmac_key *k, const struct sv *parts, size_t n,
                  uint8_t out[SHA256_BYTES])
{
    uint8_t inner[SHA256_BYTES];
    SHA256_CTX c;
    memcpy(&c, k->inner, sizeof c);
    add(&c, parts, n);
    SHA256_Final(inner, &c);
    memcpy(&c, k->outer, sizeof c);
    SHA256_Update(&c, inner, sizeof inner);
    SHA256_Final(out, &c);
    mem_wipe(inner, sizeof inner);
}

void hmac_sha256(struct sv key, const struct sv *parts, size_t n,
                 uint8_t out[SHA256_BYTES])
{
    struct hmac_key k;
    hmac_key_init(&k, key);
    hmac_key_run(&k, parts, n, out);
    mem_wipe(&k, sizeof k);
}

void hkdf_sha256(struct sv key, struct sv salt, struct sv info, void *out,
                 size_t n)
{
    ENSURE(n <= HKDF_BYTES_MAX);
    uint8_t prk[SHA256_BYTES], t[SHA256_BYTES];
    hmac_sha256(salt, &key, 1, prk);
    uint8_t counter = 0;
    for (size_t at = 0; at < n; at += SHA256_BYTES) {
        counter++;
        struct sv parts[3] = { sv_of(t, at ? sizeof t : 0), info,
                               sv_of(&counter, 1) };
        hmac_sha256(sv_of(prk, sizeof prk), parts, 3, t);
        memcpy((char *)out + at, t,
               n - at < SHA256_BYTES ? n - at : SHA256_BYTES);
    }
    mem_wipe(prk, sizeof prk);
    mem_wipe(t, sizeof t);
}
