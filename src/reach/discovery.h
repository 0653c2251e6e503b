/* OpenID discovery (OpenID Connect Discovery 1.0, section 4): from an issuer
 * to the URL of its keys. Pure. */
#ifndef REACH_DISCOVERY_H
#define REACH_DISCOVERY_H

#include "codec/url.h"

enum { DISCOVERY_BYTES_MAX = 64 * 1024 };

/* Where the issuer describes itself: ISSUER/.well-known/openid-configuration.
 * Returns its length, no NUL; 0: no URL, too long, or with a query. */
size_t discovery_url(struct sv issuer, char out[URL_BYTES_MAX]);

/* The description's jwks_uri. NULL, or what is wrong: its issuer must be
 * exactly the one asked for, and the URL https unless `allow_plain`. */
const char *discovery_decode(struct sv text, struct sv issuer,
                             bool allow_plain, char out[URL_BYTES_MAX],
                             size_t *out_n);

#endif
