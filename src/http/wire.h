/* What both sides of HTTP/1 share: taking a body off the wire by its framing,
 * and putting one on it. */
#ifndef HTTP_WIRE_H
#define HTTP_WIRE_H

#include "codec/chunk.h"
#include "codec/http1.h"
#include "net/conn.h"

/* --- in ------------------------------------------------------------------- */
struct body_in {
    enum http_body kind;
    bool ended, in_trailers;
    uint64_t left; /* LENGTH */
    struct chunk_decoder chunk;
    size_t searched;
};

enum body_event {
    BODY_MORE, /* needs more bytes; what is left of *in must come again */
    BODY_DATA, /* *data is the front of *in, not yet taken: body_in_take() */
    BODY_END,  /* once; *trailers is filled (perhaps without a field) */
    BODY_BAD,  /* *why */
};

void body_in_init(struct body_in *b, enum http_body kind, uint64_t length);
/* Takes framing from the front of *in. NONE ends at once; CLOSE and TUNNEL
 * end only by body_in_eof. */
enum body_event body_in_next(struct body_in *b, struct sv *in, struct sv *data,
                             const struct http1_limits *limits,
                             struct http_head *trailers,
                             struct http1_refusal *why);
void body_in_take(struct body_in *b, struct sv *in, size_t n);
/* The peer ended its direction: was that a proper end of this body? */
bool body_in_eof(struct body_in *b);

/* --- out ------------------------------------------------------------------ */
struct body_out {
    enum http_body kind;
    uint64_t left; /* LENGTH */
};

enum { WIRE_COPY_MAX = 4096 }; /* longer runs go by reference if they can */

/* `from` as in http_stream_body. 0, ERR_NOMEM, ERR_PROTOCOL: beyond LENGTH. */
int body_out_write(struct body_out *b, struct conn *c, struct sv bytes,
                   struct conn *from);
/* Last chunk and trailers. ERR_PROTOCOL: before the end of LENGTH. */
int body_out_end(struct body_out *b, struct conn *c,
                 const struct http_field *trailers, size_t trailers_n);
/* A head as one piece. ERR_TOOBIG: no block holds it. */
int head_write(struct conn *c, struct sv start_line,
               const struct http_field *fields, size_t n, struct sv tail);

#endif
