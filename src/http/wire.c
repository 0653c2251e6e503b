/* Bodies by their framing, on connections of either side. */
#include "http/wire.h"

#include "base/ensure.h"
#include "base/err.h"

void body_in_init(struct body_in *b, enum http_body kind, uint64_t length)
{
    *b = (struct body_in){ .kind = kind, .left = length };
}

static enum body_event end(struct body_in *b)
{
    b->ended = true;
    return BODY_END;
}

static enum body_event trailers_next(struct body_in *b, struct sv *in,
                                     const struct http1_limits *limits,
                                     struct http_head *trailers,
                                     struct http1_refusal *why)
{
    int n = http1_trailers_scan(*in, &b->searched, limits, trailers, why);
    if (n < 0) return BODY_BAD;
    if (n == 0) return BODY_MORE;
    *in = sv_from(*in, (size_t)n);
    return end(b);
}

static enum body_event chunked_next(struct body_in *b, struct sv *in,
                                    struct sv *data,
                                    const struct http1_limits *limits,
                                    struct http_head *trailers,
                                    struct http1_refusal *why)
{
    if (b->in_trailers) return trailers_next(b, in, limits, trailers, why);
    switch (chunk_decode(&b->chunk, in, data)) {
    case CHUNK_MORE: return BODY_MORE;
    case CHUNK_DATA: return BODY_DATA;
    case CHUNK_LAST:
        b->in_trailers = true;
        return trailers_next(b, in, limits, trailers, why);
    default: break;
    }
    *why = (struct http1_refusal){ 400, "malformed chunk" };
    return BODY_BAD;
}

enum body_event body_in_next(struct body_in *b, struct sv *in, struct sv *data,
                             const struct http1_limits *limits,
                             struct http_head *trailers,
                             struct http1_refusal *why)
{
    ENSURE(!b->ended);
    switch (b->kind) {
    case HTTP_BODY_CHUNKED:
        return chunked_next(b, in, data, limits, trailers, why);
    case HTTP_BODY_LENGTH:
        *data = sv_first(*in, b->left < in->n ? (size_t)b->left : in->n);
        if (b->left) return in->n ? BODY_DATA : BODY_MORE;
        break;
    case HTTP_BODY_CLOSE:
    case HTTP_BODY_TUNNEL: *data = *in; return in->n ? BODY_DATA : BODY_MORE;
    case HTTP_BODY_NONE: break;
    }
    trailers->fields_n = 0;
    return end(b);
}

void body_in_take(struct body_in *b, struct sv *in, size_t n)
{
    if (n == 0) return;
    if (b->kind == HTTP_BODY_CHUNKED) chunk_take(&b->chunk, n);
    if (b->kind == HTTP_BODY_LENGTH) b->left -= n;
    *in = sv_from(*in, n);
}

bool body_in_eof(struct body_in *b)
{
    if (b->ended) return true;
    b->ended = true;
    return b->kind == HTTP_BODY_CLOSE || b->kind == HTTP_BODY_TUNNEL;
}

/* --- out ------------------------------------------------------------------ */

static int put_bytes(struct conn *c, struct sv bytes, struct conn *from)
{
    if (!from || bytes.n <= WIRE_COPY_MAX) return conn_write(c, bytes);
    struct block *b = conn_keep(from, bytes);
    int err = conn_send(c, b, bytes);
    block_put(b);
    return err;
}

static int put_chunk(struct conn *c, struct sv bytes, struct conn *from)
{
    char head[CHUNK_HEAD_MAX];
    size_t n = chunk_head(head, bytes.n);
    if (bytes.n > WIRE_COPY_MAX) {
        int err = conn_write(c, sv_of(head, n));
        if (!err) err = put_bytes(c, bytes, from);
        return err ? err : conn_write(c, SV("\r\n"));
    }
    char *p = conn_reserve(c, n + bytes.n + 2);
    if (!p) return ERR_NOMEM;
    memcpy(p, head, n);
    memcpy(p + n, bytes.p, bytes.n);
    memcpy(p + n + bytes.n, "\r\n", 2);
    conn_commit(c, n + bytes.n + 2);
    return 0;
}

int body_out_write(struct body_out *b, struct conn *c, struct sv bytes,
                   struct conn *from)
{
    if (bytes.n == 0 || b->kind == HTTP_BODY_NONE) return 0;
    if (b->kind == HTTP_BODY_CHUNKED) return put_chunk(c, bytes, from);
    if (b->kind == HTTP_BODY_LENGTH) {
        if (bytes.n > b->left) return ERR_PROTOCOL;
        b->left -= bytes.n;
    }
    return put_bytes(c, bytes, from);
}

int body_out_end(struct body_out *b, struct conn *c,
                 const struct http_field *trailers, size_t trailers_n)
{
    if (b->kind == HTTP_BODY_LENGTH && b->left) return ERR_PROTOCOL;
    if (b->kind != HTTP_BODY_CHUNKED) return 0;
    return head_write(c, SV("0"), trailers, trailers_n, SV(""));
}

int head_write(struct conn *c, struct sv start_line,
               const struct http_field *fields, size_t n, struct sv tail)
{
    size_t size = http1_head_size(start_line, fields, n, tail);
    if (size > BLOCK_BYTES) return ERR_TOOBIG;
    char *p = conn_reserve(c, size);
    if (!p) return ERR_NOMEM;
    conn_commit(c, http1_head_encode(p, start_line, fields, n, tail));
    return 0;
}
