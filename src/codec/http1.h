/* HTTP/1.x message heads (RFC 9112), strict: anything on which two parsers
 * could disagree is refused, never repaired (gateway.md §3). Stateless:
 * incomplete input costs one search for the end; the head is parsed once.
 * Oracle in the tests: llhttp; what we accept it accepts alike. */
#ifndef CODEC_HTTP1_H
#define CODEC_HTTP1_H

#include "base/buf.h"
#include "codec/http.h"

struct http1_limits {
    uint32_t head_bytes;   /* default and maximum BLOCK_BYTES (16384) */
    uint32_t target_bytes; /* default 8192 */
    uint16_t fields;       /* default 64, <= HTTP_FIELDS_MAX */
};

/* Why a message was refused; both static. status is what a server answers. */
struct http1_refusal {
    uint16_t status;    /* 400 413 414 431 501 505 */
    const char *reason; /* "space before colon", for logs and detailed answers */
};

/* Returns the head's length, 0 when incomplete, ERR_PROTOCOL with *why.
 * *searched remembers how far the end was looked for: 0 for a new message
 * (a completed scan sets it back), and the same bytes come again, with more
 * behind them. Leading CRLF (at most one) before a request is skipped and
 * counted. CONNECT is always refused (501): *out could not say its target. */
int http1_request_scan(struct sv in, size_t *searched,
                       const struct http1_limits *limits,
                       struct http_head *out, struct http1_refusal *why);
/* The answer's framing depends on the request's method (HEAD, CONNECT). */
int http1_response_scan(struct sv in, size_t *searched,
                        const struct http1_limits *limits,
                        enum http_method asked, struct http_head *out,
                        struct http1_refusal *why);
/* Trailer section after the last chunk; only fields[] and at[] are filled.
 * Framing, routing and authentication fields are refused (RFC 9110 6.5.1). */
int http1_trailers_scan(struct sv in, size_t *searched,
                        const struct http1_limits *limits,
                        struct http_head *out, struct http1_refusal *why);

/* "name" or "[::1]", with or without ":port"; no user, no zone, no escapes. */
bool http1_host_is_valid(struct sv host);

/* Encoding into memory of the caller: the size is asked first. The fields are
 * written as given; framing (Content-Length, Transfer-Encoding, Connection)
 * is the caller's `tail`, already in wire form ("A: b\r\n" …) or empty. */
size_t http1_head_size(struct sv start_line, const struct http_field *f,
                       size_t n, struct sv tail);
size_t http1_head_encode(char *out, struct sv start_line,
                         const struct http_field *f, size_t n, struct sv tail);

#endif
