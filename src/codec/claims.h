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
enum claim_time { CLAIM_EXP, CLAIM_NBF, CLAIM_IAT, CLAIM_TIMES };
struct claim_moments {
    double at_s[CLAIM_TIMES];
    uint8_t present, malformed; /* bits 1 << enum claim_time */
};
void claims_read_times(const yyjson_val *claims, struct claim_moments *out);
enum jose_verdict claims_judge_times(const struct claim_moments *moments,
                                     const struct claim_times *times);
extern const char *const claim_time_names[CLAIM_TIMES];

#endif
