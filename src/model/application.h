/* An application as typed values: what plan/ compiles and admin/ decides on
 * (api.md §2). Decoded from its canonical JSON document; every text lies in
 * the arena given. */
#ifndef MODEL_APPLICATION_H
#define MODEL_APPLICATION_H

#include "base/arena.h"
#include "base/ip.h"
#include "codec/jose.h"
#include "model/cors.h"
#include "model/monitor.h"
#include "model/upstream.h"

enum { APPLICATION_NUM_MAX = (1 << 24) - 1 };

enum authenticate_mode { AUTHENTICATE_OPEN, AUTHENTICATE_KEY,
                         AUTHENTICATE_OFF };

/* What proves to the origin that a request came through the gateway: a JWS
 * signed by us in a field of each request. lifetime_s 0: none. */
struct origin_assertion {
    enum jose_alg alg;        /* JOSE_ES256, JOSE_EDDSA */
    uint32_t lifetime_s;      /* 5-300 */
    struct sv audience;       /* "" the application's id */
    struct sv header;         /* the field's name */
};
enum { ASSERTION_LIFETIME_MAX_S = 300 };

struct application {
    struct sv id, account_id, name, domain;
    uint32_t num;             /* small number, key of the token table */
    struct origin_address origin; /* originHostname, else the first of the
                                 upstream's */
    bool has_origin;
    bool enabled, is_public, detail;
    bool lost_auth;           /* had a profile, has none, is not public */
    struct sv auth_id;        /* "" none */
    uint64_t max_body_bytes;  /* 0: no limit */
    uint32_t connect_ms, first_byte_ms, idle_ms; /* 0: defaults */
    enum authenticate_mode authenticate;
    const struct cidr *authenticate_from; /* n == 0: anybody */
    uint16_t authenticate_from_n;
    struct origin_assertion assertion;
    const struct upstream *upstream; /* NULL: one plain origin, or none */
    const struct cors *cors;  /* NULL: not configured */
    const struct monitor *monitor; /* never NULL */
};
/* `doc`: canonical JSON text of the record. ERR_CORRUPT if it is not one. */
int application_decode(struct sv doc, struct arena *a,
                       struct application *out);

#endif
