/* Claims of a verified token (RFC 7519): the times. No clock here: the caller
 * says what time it is. */
#ifndef CODEC_CLAIMS_H
#define CODEC_CLAIMS_H

#include "base/arena.h"
#include "codec/jose.h"
#include "codec/json.h"

/* The payload as a strict JSON object in the arena, or JOSE_PAYLOAD_JSON,
 * JOSE_MEMORY. */
enum jose_verdict claims_decode(struct sv payload, struct arena *a,
                                const yyjson_val **out);

/* The claims that we know by name, found in one walk; NULL: not there. No two
 * of them begin with the same three letters. */
#define CLAIM_NAMES_X(X)                                                  \
    X(EXP, 'e', 'x', 'p', "") X(NBF, 'n', 'b', 'f', "")                   \
    X(IAT, 'i', 'a', 't', "") X(ISS, 'i', 's', 's', "")                   \
    X(SUB, 's', 'u', 'b', "") X(AUD, 'a', 'u', 'd', "")                   \
    X(CNF, 'c', 'n', 'f', "") X(SCP, 's', 'c', 'p', "")                   \
    X(SCOPE, 's', 'c', 'o', "pe") X(PERMISSIONS, 'p', 'e', 'r', "missions")
enum claim_name {
#define X(name, a, b, c, rest) CLAIM_##name,
    CLAIM_NAMES_X(X)
#undef X
    CLAIM_NAMES,
    CLAIM_TIMES = CLAIM_IAT + 1, /* the first three, as they are judged */
};
struct claims_named {
    yyjson_val *at[CLAIM_NAMES];
};
void claims_find_named(const yyjson_val *claims, struct claims_named *out);

enum claim_use { CLAIM_IF_PRESENT, CLAIM_REQUIRED, CLAIM_IGNORED };

struct claim_times {
    int64_t now_s;    /* Unix time */
    uint32_t skew_s;  /* how far clocks may differ */
    enum claim_use exp, nbf, iat;
};

/* exp: not reached (now < exp + skew); nbf and iat: not in the future (now +
 * skew >= it). They are JSON numbers, fractions allowed. */
enum jose_verdict claims_check_times(const yyjson_val *claims,
                                     const struct claim_times *times);

/* The same in two steps, for who keeps what a token says longer than the
 * token. */
struct claim_moments {
    double at_s[CLAIM_TIMES];
    uint8_t present, malformed; /* bits 1 << enum claim_name */
};
void claims_read_times(const struct claims_named *named,
                       struct claim_moments *out);
enum jose_verdict claims_judge_times(const struct claim_moments *moments,
                                     const struct claim_times *times);

#endif
