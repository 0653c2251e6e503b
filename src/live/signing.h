/* The gateway's own keys: with them it signs what it asserts to origins, and
 * their public halves are what /.well-known/jwks.json shows. The control
 * thread puts whole images; a reactor signs with the image that it views.
 *
 *   next ──rotate──> now (signs) ──rotate──> old ──last assertion over──> gone
 *
 * All three are published: a key is known to whoever caches the set long
 * before it signs, and until nothing that it signed holds any more. */
#ifndef LIVE_SIGNING_H
#define LIVE_SIGNING_H

#include "codec/jws_sign.h"

struct signing;

enum signing_use { SIGNING_NEXT, SIGNING_NOW, SIGNING_OLD };
enum {
    SIGNING_KEYS_MAX = 16,
    SIGNING_CACHE_S = 300, /* how long the set may be cached */
};

struct signing_key {       /* wipe after use */
    enum jose_alg alg;     /* ES256 or EdDSA */
    enum signing_use use;  /* one NOW an algorithm */
    uint8_t seed[JWS_SEED_BYTES];
    int64_t made_ms, since_ms, until_ms; /* wall; OLD: published so long */
};

struct signing_image {     /* immutable, but for the signers' lanes */
    struct jws_signer *es256, *eddsa; /* NOW; NULL: none */
    struct sv jwks;        /* the public set, JSON */
    struct sv etag;        /* strong, with quotes */
};

/* lanes: as many reactors sign. */
void signing_new(struct signing **out, unsigned lanes);
void signing_free(struct signing **s); /* no reader is left; reclaims */
/* Control thread. Order is kept in the set. A failure of codec/jws_sign.h
 * leaves what was there. */
int signing_put(struct signing *s, const struct signing_key *keys, unsigned n);
/* Any epoch reader, until its turn ends. Never NULL. */
const struct signing_image *signing_view(const struct signing *s);
static inline struct jws_signer *signing_of(const struct signing_image *i,
                                            enum jose_alg alg)
{
    return alg == JOSE_ES256 ? i->es256 : i->eddsa;
}

#endif
