/* DPoP proofs: no input breaks the judge; a normalised URL is its own
 * normal form; and what holds names method, URL and access token rightly. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/base64url.h"
#include "codec/dpop.h"
#include "codec/json.h"
#include "codec/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static void url_is_stable(struct sv text)
{
    static char first[8192], second[8192];
    struct buf a, b;
    buf_init_fixed(&a, first, sizeof first);
    buf_init_fixed(&b, second, sizeof second);
    if (!dpop_url_put(text, &a)) return;
    must(dpop_url_put(buf_sv(&a), &b));
    must(sv_eq(buf_sv(&a), buf_sv(&b)));
}

/* The key of RFC 9449's example, whose proofs a fuzzer cannot sign: what it
 * bends is everything before the signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t jkt[JWK_THUMBPRINT_BYTES];
    struct arena a;
    struct dpop_proof proof;
    must(!base64url_decode(SV("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
                           jkt));
    struct dpop_ask ask = {
        .method = SV("GET"),
        .url = SV("https://resource.example.org/protectedresource"),
        .access_token = SV("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        .jkt = jkt,
        .now_s = 1562262618,
    };
    arena_init(&a, DPOP_ARENA_BYTES, NULL, 0);
    enum dpop_verdict v = dpop_judge(sv_of(data, size), &ask, &a, &proof);
    must(v < DPOP_VERDICT_COUNT && v != DPOP_MEMORY);
    must(v != DPOP_OK || proof.until_s > ask.now_s);
    arena_fini(&a);
    url_is_stable(sv_of(data, size));
    return 0;
}
