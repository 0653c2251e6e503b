/* Absolute http and https URLs that we call ourselves: key sets, issuers,
 * introspection, webhooks. Strict: no user, no fragment, only ASCII outside
 * the host, '%' only before two digits. */
#ifndef CODEC_URL_H
#define CODEC_URL_H

#include "codec/host.h"

enum { URL_BYTES_MAX = 2048 };

struct url {
    bool tls;
    uint16_t port;     /* as given or the scheme's */
    bool port_given;   /* and not the scheme's */
    struct host host;
    struct sv target;  /* path and query as given; empty: "/" is meant. Begins
                          with '/' or '?' */
};

/* ERR_INVALID. Views into `text`. Allocates when the host is not ASCII. */
int url_decode(struct sv text, struct url *out);

#endif
