/* Host names as clients and people write them, to the one form that we
 * compare: IDNA 2008 A-labels (RFC 5891, nontransitional), lower case,
 * without trailing dot. */
#ifndef CODEC_HOST_H
#define CODEC_HOST_H

#include "base/ip.h"

enum { HOST_TEXT_MAX = 253 };

enum host_kind { HOST_NAME, HOST_WILDCARD, HOST_IP };

struct host {
    enum host_kind kind;
    uint8_t n;
    char text[HOST_TEXT_MAX + 1]; /* with NUL; IPv6 without brackets,
                                     RFC 5952 */
    struct ip ip;                 /* HOST_IP */
};

/* A name, an address, "[v6]"; no port. Names: labels of 1-63 of letters,
 * digits and -, not at the ends; the last label not all digits (it would be
 * read as an address by some). "*.name" only if `wildcard`; the name behind
 * the star has two labels at least. ERR_INVALID. Allocates when the name is
 * not ASCII: for the control plane. */
int host_parse(struct sv text, bool wildcard, struct host *out);
/* "host", "host:port", "[v6]:port"; a bare v6 address is taken whole. *port
 * 0 if none. Splits only: no check of the host. ERR_INVALID: bad port. */
int host_split(struct sv text, struct sv *host, uint16_t *port);
/* Is `name` under `wildcard` ("*.example.com"), at any depth? Both in our
 * form. */
bool host_under(struct sv name, struct sv wildcard);

#endif
