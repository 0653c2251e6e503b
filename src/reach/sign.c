#include "reach/sign.h"

#include "base/buf.h"
#include "base/ensure.h"
#include "base/fmt.h"
#include "codec/digest.h"

struct sv sign_body(char text[SIGN_TEXT_MAX], int64_t wall_ms, struct sv body,
                    const struct sv *secrets, size_t secrets_n)
{
    uint8_t mac[SHA256_BYTES];
    char at[FMT_U64_MAX], hex[2 * SHA256_BYTES];
    const struct sv parts[] = {
        sv_of(at, fmt_u64(at, (uint64_t)wall_ms / 1000)), SV("."), body
    };
    struct buf b;
    ENSURE(secrets_n <= SIGN_SECRETS_MAX);
    buf_init_fixed(&b, text, SIGN_TEXT_MAX);
    buf_puts(&b, "t=");
    buf_put(&b, parts[0]);
    for (size_t i = 0; i < secrets_n; i++) {
        hmac_sha256(secrets[i], parts, ARRAY_LEN(parts), mac);
        fmt_hex(hex, mac, sizeof mac);
        buf_puts(&b, ",v1=");
        buf_put(&b, sv_of(hex, sizeof hex));
    }
    return buf_sv(&b);
}
