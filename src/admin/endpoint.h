/* The one table of endpoints: what is routed, who may call it, what it takes
 * and answers, and so what /openapi.json says. */
#ifndef ADMIN_ENDPOINT_H
#define ADMIN_ENDPOINT_H

#include "codec/http.h"
#include "model/shape.h"

struct call;

enum endpoint_flag {
    EP_WRITE = 1,    /* runs in a transaction; commits when it answers 2xx */
    EP_IDEMPOTENT = 2, /* honours Idempotency-Key */
    EP_PATCH = 4,    /* the body is a merge patch of `body` */
    EP_LIST = 8,     /* limit, starting_after, ending_before; has_more */
    EP_FILTER = 16,  /* name, tag, tags[…] */
    EP_OPEN = 32,    /* no key needed */
    EP_OPS = 64,     /* no key needed on an ops listener */
    EP_SERVER = 128, /* of the server, not of an account */
    EP_IMPORT = 256, /* larger body: 16 MiB */
    EP_PLAIN = 512, /* no envelope */
    EP_DOC = 1024,   /* described here, served by another folder */
    EP_DOCUMENT = 4096, /* a still larger body: 32 MiB */
    EP_LOOSE = 2048, /* unknown fields of the body are ignored */
    EP_EVENTS = 8192, /* beside has_more: next, dropped */
};

/* A schema of /openapi.json made of the fields of a shape, or its own. */
struct answer_type {
    const char *name;              /* "Application": the object in data */
    const struct shape *shape;     /* or NULL */
    const struct shape_field *more; /* further fields; NULL or ended by NULL */
    const char *const *without;    /* the shape's that answers lack; or NULL */
};

struct endpoint {
    enum http_method method;
    /* "a|b" in a segment: both are accepted, the first is the published one;
     * {account_id} first: the account; further {…}: call.vars in order. */
    const char *path;
    const char *also;              /* without account: "/api/v1/…", or NULL */
    enum role role;                /* least role */
    unsigned flags;
    unsigned status;               /* of success: 200, 201 */
    const struct shape *body;      /* NULL: none */
    const char *body_name;         /* its schema's name */
    const struct answer_type *answer; /* of each object in data; NULL: none */
    const char *answer_name;       /* the envelope's schema; NULL: made up */
    const char *const *params;     /* further query parameters, NULL-ended */
    void (*handle)(struct call *c);
    const char *tag, *summary;
    const char *done;              /* description of the success; NULL: ours */
};

extern const struct endpoint endpoints[];
extern const size_t endpoints_n;

enum { VARS_MAX = 2, ALLOW_TEXT_MAX = 64 };

struct route {
    const struct endpoint *endpoint; /* NULL: 404, or 405 if allow is set */
    bool also;                       /* by the path without account */
    struct sv account_id;            /* as in the path; "" none */
    struct sv vars[VARS_MAX];
    char allow[ALLOW_TEXT_MAX];
};
/* HEAD is routed as GET. */
void route_find(enum http_method m, struct sv path, struct route *out);

#endif
