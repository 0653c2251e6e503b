/* Rewriting of header fields between client and origin (gateway.md §3). Pure:
 * views in, views out; what has to be composed goes into `text`, a fixed
 * buffer of the caller that must outlive the use of the result.
 *
 * Order, request: hop-by-hop fields go, then everything that resembles a
 * field of ours, then the credential if it is to be hidden; then ours come,
 * so that nothing a client sends can remove or fake them. Framing, Connection
 * and 100-continue are written by http/, from the parsed head. */
#ifndef EDGE_FORWARD_H
#define EDGE_FORWARD_H

#include "base/buf.h"
#include "codec/http.h"
#include "edge/cors.h"
#include "http/address.h"
#include "model/authentication.h"
#include "plan/route.h"

enum {
    FORWARD_OURS_MAX = 17,
    FORWARD_FIELDS_MAX =
        HTTP_FIELDS_MAX + FORWARD_OURS_MAX + ROUTING_EDITS_MAX,
    /* bytes of `text` that always suffice for a head of 16 KiB */
    FORWARD_TEXT_MAX = 48 * 1024,
};

struct forward {
    size_t n;
    struct sv target; /* requests: what the origin is asked for */
    struct http_field fields[FORWARD_FIELDS_MAX]; /* [0, n) are set */
};

/* What the door knows of a request; all borrowed. */
struct forward_facts {
    const struct address *address;
    bool tls;
    struct sv request_id;
    struct sv via;       /* "1.1 name": appended */
    struct sv host, base; /* of the origin: Host, path prefix */
    struct sv app_id;
    struct sv token_id, owner, scopes, subject; /* "" none; encoded */
    const struct route_match *route; /* rewrites; NULL: nothing */
    /* The credential's place, to be removed; NULL: it stays. */
    const struct authentication *hide;
    struct sv traceparent; /* ours, in the place of the client's; "" none */
    bool keeps_state;    /* the client's tracestate goes with it */
    bool hide_proof;     /* DPoP goes with it */
    struct sv ours;      /* one more field that is ours; "" none */
};

/* Scheme and host as the client asked for them, by what a trusted peer says. */
void forward_said(const struct http_head *h, const struct address *from,
                  bool tls, struct sv *scheme, struct sv *host);

/* ERR_TOOBIG when `text` does not suffice; ERR_INVALID: the route's target
 * cannot carry a variable. */
int forward_request(const struct http_head *h, const struct forward_facts *f,
                    struct buf *text, struct forward *out);

struct forward_answer {
    struct sv request_id;
    const struct http_field *limits; /* RateLimit … of ours */
    size_t limits_n;
    bool limited;  /* then the origin's own such fields go */
    const struct route_edit *edit; /* the route's; NULL: none */
    const struct sv *values;       /* of edit->set, ready to be written */
    const struct cors_answer *cors; /* then the origin's own such fields go */
};
void forward_response(const struct http_head *h,
                      const struct forward_answer *a, struct forward *out);

/* Trailers, either way: framing, hop-by-hop and fields like ours go; so does
 * `ours` ("" none). */
size_t forward_trailers(const struct http_head *trailers, struct sv ours,
                        struct http_field out[HTTP_FIELDS_MAX]);

/* An X-Request-Id that may be kept: 1-128 of [A-Za-z0-9._-], once. "" if not. */
struct sv forward_request_id(const struct http_head *h);

/* The query without any parameter of that name; a view when unchanged. */
struct sv hide_parameter(struct sv query, struct sv name, struct buf *text);
/* A Cookie value without any cookie of that name; "" when none is left. */
struct sv hide_cookie(struct sv value, struct sv name, struct buf *text);

#endif
