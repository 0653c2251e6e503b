/* What JOSE code shares: the algorithms that we verify (RFC 7518 section 3,
 * RFC 8037, RFC 9864) and the verdicts about a token.
 *
 * A verdict has two names: the published code, which clients see, and a text
 * that says precisely what was wrong, for operators and the command line. */
#ifndef CODEC_JOSE_H
#define CODEC_JOSE_H

#include "base/sv.h"

enum jose_alg {
    JOSE_RS256, JOSE_RS384, JOSE_RS512,
    JOSE_PS256, JOSE_PS384, JOSE_PS512,
    JOSE_ES256, JOSE_ES384, JOSE_ES512,
    JOSE_HS256, JOSE_HS384, JOSE_HS512,
    JOSE_EDDSA,   /* either curve of RFC 8037: the key's */
    JOSE_ED25519, /* RFC 9864's names for the same, curve included */
    JOSE_ED448,
    JOSE_ALG_COUNT
};
enum { JOSE_ALGS_ALL = (1 << JOSE_ALG_COUNT) - 1 };

const char *jose_alg_name(enum jose_alg alg);
/* Exact spelling; false: none of ours. */
bool jose_alg_find(struct sv name, enum jose_alg *out);
/* Names separated by commas -> bits (1 << alg). ERR_INVALID: *unknown (may be
 * NULL) is the first that is none. */
int jose_algs_decode(struct sv list, uint32_t *out, struct sv *unknown);

#define JOSE_SIGNATURE "invalid_signature"
#define JOSE_CLAIM "invalid_claim"
#define JOSE_VERDICTS(X)                                                      \
    X(OK, "ok", "ok")                                                         \
    /* form: codec/jws.h, jws_decode */                                       \
    X(TOO_LONG, JOSE_SIGNATURE, "the token is longer than 16 KiB")            \
    X(PARTS, JOSE_SIGNATURE, "not three parts separated by two dots")         \
    X(ENCRYPTED, JOSE_SIGNATURE,                                              \
      "five parts: an encrypted token (JWE) is not accepted")                 \
    X(HEADER_BASE64, JOSE_SIGNATURE, "the header is not base64url")           \
    X(PAYLOAD_BASE64, JOSE_SIGNATURE, "the payload is not base64url")         \
    X(SIGNATURE_BASE64, JOSE_SIGNATURE, "the signature is not base64url")     \
    X(HEADER_LONG, JOSE_SIGNATURE, "the header is longer than 8 KiB")         \
    X(HEADER_JSON, JOSE_SIGNATURE,                                            \
      "the header is not a strict JSON object without duplicate members")     \
    X(ALG_MISSING, JOSE_SIGNATURE, "the header's alg is not a text")          \
    X(ALG_NONE, JOSE_SIGNATURE, "alg none: the token is not signed")          \
    X(ALG_UNKNOWN, JOSE_SIGNATURE, "the header's alg is not supported")       \
    X(CRIT, JOSE_SIGNATURE, "crit names an extension that is not supported")  \
    X(B64, JOSE_SIGNATURE, "b64: unencoded payloads are not supported")       \
    X(KID, JOSE_SIGNATURE, "the header's kid is not a text of 1-256 bytes")   \
    X(MEMORY, JOSE_SIGNATURE, "the token needs more memory than allowed")     \
    /* keys and signature: jws_verify */                                      \
    X(ALG_NOT_ALLOWED, JOSE_SIGNATURE, "the token's alg is not allowed")      \
    X(KEY_UNKNOWN, JOSE_SIGNATURE, "no key has the token's kid")              \
    X(KEY_ALG, JOSE_SIGNATURE, "no such key is for the token's alg")          \
    X(SIGNATURE_FORM, JOSE_SIGNATURE,                                         \
      "the signature's length or range does not fit alg and key")             \
    X(SIGNATURE_WRONG, JOSE_SIGNATURE, "the signature does not verify")       \
    X(FAULT, JOSE_SIGNATURE, "the cryptographic library failed")              \
    /* claims: codec/claims.h */                                              \
    X(PAYLOAD_JSON, JOSE_CLAIM,                                               \
      "the payload is not a strict JSON object without duplicate members")    \
    X(EXP_MISSING, "missing_claim", "exp is missing")                         \
    X(NBF_MISSING, "missing_claim", "nbf is missing")                         \
    X(IAT_MISSING, "missing_claim", "iat is missing")                         \
    X(EXP_FORM, JOSE_CLAIM, "exp is not a number of seconds")                 \
    X(NBF_FORM, JOSE_CLAIM, "nbf is not a number of seconds")                 \
    X(IAT_FORM, JOSE_CLAIM, "iat is not a number of seconds")                 \
    X(EXPIRED, "token_expired", "exp is past")                                \
    X(NOT_ACTIVE, "token_not_active", "nbf is in the future")                 \
    X(ISSUED_LATER, "token_not_active", "iat is in the future")

enum jose_verdict {
#define X(name, code, text) JOSE_##name,
    JOSE_VERDICTS(X)
#undef X
    JOSE_VERDICT_COUNT
};

const char *jose_verdict_code(enum jose_verdict v);
const char *jose_verdict_text(enum jose_verdict v);

#endif
