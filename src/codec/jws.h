/* Compact JWS (RFC 7515 section 7.1), strict: exactly three parts, one
 * spelling of each (codec/base64url.h), the header a strict JSON object, no
 * extension (`crit`, RFC 7797's `b64`) and no `none`. What a token says about
 * where its key is (jku, x5u, jwk, x5c) is never looked at.
 *
 * Which key: if the token has a kid, the keys with that kid; if no key has
 * it, those without any kid (PEM has none). Without kid, all. Of these the
 * ones for the token's alg, JWS_TRIES_MAX at most. A kid that other keys
 * contradict is KEY_UNKNOWN: a forger cannot make us try a whole set, and who
 * manages a remote set learns that it may be old. */
#ifndef CODEC_JWS_H
#define CODEC_JWS_H

#include "base/arena.h"
#include "codec/json.h"
#include "codec/jwk.h"

enum {
    JWS_BYTES_MAX = 16 * 1024,
    JWS_HEADER_BYTES_MAX = 8 * 1024,
    JWS_TRIES_MAX = 10, /* as many keys as a profile may hold inline */
    /* Room that jws_decode and claims_decode need at most. */
    JWS_ARENA_BYTES = 512 * 1024,
};

struct jws { /* views of the token or of the arena */
    enum jose_alg alg;
    struct sv kid;              /* p NULL: none */
    struct sv input;            /* what is signed */
    struct sv payload, signature;
    const yyjson_val *header;   /* NULL: as the memo had it */
};

/* The last good header, as it came: an issuer writes one text in front of all
 * its tokens, and what it says need not be read again. Zero: none yet. */
struct jws_memo {
    struct sv text, kid;
    enum jose_alg alg;
    char bytes[512];
};

/* JOSE_OK, or a verdict of form. No trust yet: the signature is not judged. */
enum jose_verdict jws_decode(struct sv token, struct arena *a,
                             struct jws *out);
/* The same; what it says of a header that is the memo's text is what it said
 * the last time. The kid may be a view of the memo. */
enum jose_verdict jws_decode_next(struct sv token, struct jws_memo *memo,
                                  struct arena *a, struct jws *out);

/* `algs`: the allow-list, bits 1 << enum jose_alg. *by (may be NULL): the key
 * that verified. For the lane see codec/jwk.h. */
enum jose_verdict jws_verify(const struct jws *token,
                             const struct jwk_set *keys, uint32_t algs,
                             unsigned lane, const struct jwk **by);

#endif
