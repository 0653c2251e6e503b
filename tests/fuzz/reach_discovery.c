/* Issuers' descriptions and URLs: what is taken is a URL, the asked issuer's,
 * and https unless plain HTTP is allowed. */
#include <stdlib.h>

#include "reach/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of(data, size);
    char url[URL_BYTES_MAX];
    size_t n;
    struct url u;
    for (int plain = 0; plain < 2; plain++) {
        const char *why =
            discovery_decode(text, SV("https://i.example"), plain, url, &n);
        must((why == NULL) == (n > 0));
        must(n == 0 || !url_decode(sv_of(url, n), &u));
        must(n == 0 || plain || u.tls);
    }
    n = discovery_url(text, url);
    must(n == 0 || !url_decode(sv_of(url, n), &u));
    if (url_decode(text, &u)) return 0;
    must(u.port && u.host.n && u.target.n <= size);
    must(u.target.n == 0 || u.target.p[0] == '/' || u.target.p[0] == '?');
    for (size_t i = 0; i < u.target.n; i++)
        must(u.target.p[i] > ' ' && u.target.p[i] < 0x7f);
    return 0;
}
