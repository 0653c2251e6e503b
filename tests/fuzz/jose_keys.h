/* What must hold of every set of keys that was taken. */
#ifndef FUZZ_JOSE_KEYS_H
#define FUZZ_JOSE_KEYS_H

#include <stdlib.h>

#include "codec/jws.h"

static inline void keys_must_hold(struct sv text)
{
    struct jwk_set *set;
    struct jwk_why why;
    int rc = jwk_set_decode(text, 1, &set, &why);
    if ((rc == 0) != (set != NULL) || (rc != 0 && !why.reason)) abort();
    if (rc != 0) return;
    if (set->n == 0 || set->n + set->n_skipped > JWK_SET_KEYS_MAX) abort();
    for (unsigned i = 0; i < set->n; i++) {
        const struct jwk *key = &set->keys[i];
        if (!key->algs || key->algs & ~(uint32_t)JOSE_ALGS_ALL) abort();
        if (key->kid.p && key->kid.n > JWK_KID_BYTES_MAX) abort();
        static const char zeros[1024];
        for (enum jose_alg alg = 0; alg < JOSE_ALG_COUNT; alg++)
            for (size_t n = 32; n <= 1024; n += n / 2) {
                struct jws t = { .alg = alg, .input = SV("a.b"),
                                 .signature = sv_of(zeros, n) };
                if (jws_verify(&t, set, JOSE_ALGS_ALL, 0, NULL) == JOSE_OK)
                    abort();
            }
    }
    jwk_set_free(&set);
}

#endif
