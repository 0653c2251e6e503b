/* The vocabulary of HTTP messages, shared by all wire versions (RFC 9110):
 * what a scanner fills and an encoder writes. Pure values, no I/O. */
#ifndef CODEC_HTTP_H
#define CODEC_HTTP_H

#include "base/sv.h"

/* Methods that we must know apart; others are HTTP_OTHER with their text. */
enum http_method {
    HTTP_OTHER, HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE,
    HTTP_PATCH, HTTP_OPTIONS, HTTP_CONNECT, HTTP_TRACE,
};

/* Field names that some layer treats specially. http_name_of() finds them by
 * length and a perfect look-up; everything else is HN_OTHER. */
#define HTTP_NAMES(X)                                                        \
    X(HOST, "Host") X(CONNECTION, "Connection")                              \
    X(CONTENT_LENGTH, "Content-Length")                                      \
    X(TRANSFER_ENCODING, "Transfer-Encoding") X(TE, "TE")                    \
    X(TRAILER, "Trailer") X(UPGRADE, "Upgrade") X(EXPECT, "Expect")          \
    X(KEEP_ALIVE, "Keep-Alive") X(PROXY_CONNECTION, "Proxy-Connection")      \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate")                              \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization")                            \
    X(AUTHORIZATION, "Authorization") X(COOKIE, "Cookie")                    \
    X(SET_COOKIE, "Set-Cookie") X(CONTENT_TYPE, "Content-Type")              \
    X(CONTENT_ENCODING, "Content-Encoding") X(DATE, "Date")                  \
    X(SERVER, "Server") X(VIA, "Via") X(FORWARDED, "Forwarded")              \
    X(X_FORWARDED_FOR, "X-Forwarded-For")                                    \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto")                                \
    X(X_FORWARDED_HOST, "X-Forwarded-Host")                                  \
    X(X_REQUEST_ID, "X-Request-Id") X(USER_AGENT, "User-Agent")              \
    X(ORIGIN, "Origin") X(LOCATION, "Location") X(ACCEPT, "Accept")          \
    X(ACCESS_CONTROL_REQUEST_METHOD, "Access-Control-Request-Method")        \
    X(ACCESS_CONTROL_REQUEST_HEADERS, "Access-Control-Request-Headers")      \
    X(IF_MATCH, "If-Match") X(IF_NONE_MATCH, "If-None-Match")                \
    X(IDEMPOTENCY_KEY, "Idempotency-Key") X(RETRY_AFTER, "Retry-After")      \
    X(SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key") X(TRACEPARENT, "traceparent")  \
    X(RATELIMIT, "RateLimit") X(RATELIMIT_POLICY, "RateLimit-Policy")        \
    X(X_RATELIMIT_LIMIT, "X-RateLimit-Limit")                                \
    X(X_RATELIMIT_REMAINING, "X-RateLimit-Remaining")                        \
    X(X_RATELIMIT_RESET, "X-RateLimit-Reset")                                \
    X(WWW_AUTHENTICATE, "WWW-Authenticate") X(ALLOW, "Allow")                \
    X(CACHE_CONTROL, "Cache-Control") X(ETAG, "ETag")

enum http_name {
    HN_OTHER,
#define X(id, text) HN_##id,
    HTTP_NAMES(X)
#undef X
    /* Reading '_' as '-' it equals a field that we write towards origins
     * (X-Request-Id, X-Forwarded-*, framing) without being it, or it is any
     * X-Typeauth-*: never forwarded (gateway.md §3). The canonical names, in
     * any case, keep their own id. */
    HN_OURS,
    HN_COUNT
};

struct http_field {
    struct sv name, value; /* value trimmed of OWS */
    enum http_name id;
};

enum { HTTP_FIELDS_MAX = 100 };

enum http_body {
    HTTP_BODY_NONE,    /* none on the wire. Answers to HEAD and 304 may still
                          carry Content-Length: see at[] */
    HTTP_BODY_LENGTH,  /* content_length bytes (may be 0) */
    HTTP_BODY_CHUNKED, /* or any other framing of unknown length */
    HTTP_BODY_CLOSE,   /* responses: until the connection ends */
    HTTP_BODY_TUNNEL,  /* after 101: raw bytes both ways */
};

/* One message head. Views point into the input (or where a builder says). */
struct http_head {
    enum http_method method;
    struct sv method_text;
    struct sv target;    /* request target as sent */
    struct sv path;      /* origin form; "*" for OPTIONS *; of the absolute
                            form its path ("/" if empty). Begins with '/'
                            otherwise; '%' always stands before two digits,
                            never %00; not normalised */
    struct sv query;     /* behind '?', without it; has_query tells "" apart */
    bool has_query;
    struct sv host;      /* Host value: name and optional port */
    uint16_t status;     /* responses */
    uint8_t minor;       /* HTTP/1.minor */
    bool keep_alive;
    bool expect_continue;
    bool upgrade;        /* Connection: upgrade together with Upgrade, and not
                            to another HTTP (h2c would escape every check) */
    enum http_body body;
    uint64_t content_length;
    uint16_t fields_n;
    /* Scanners fill fields[0 .. fields_n) and clear nothing behind them.
     * index + 1 of the first field of that name, 0 = absent */
    uint8_t at[HN_COUNT];
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* What a copy needs: not the room behind the last field. */
static inline size_t http_head_bytes(const struct http_head *h)
{
    return offsetof(struct http_head, fields) +
           h->fields_n * sizeof h->fields[0];
}

/* First field of that name (not HN_OTHER) or NULL. */
static inline const struct http_field *
http_head_find(const struct http_head *h, enum http_name id)
{
    return h->at[id] ? &h->fields[h->at[id] - 1] : NULL;
}
/* First field of any name, ignoring case; *next (may be NULL) continues. */
const struct http_field *http_head_find_text(const struct http_head *h,
                                             struct sv name, unsigned *next);

enum http_name http_name_of(struct sv name);
/* Host, and what frames a message or belongs to one connection: never set from
 * outside (RFC 9110 7.6.1). */
bool http_name_is_framing(struct sv name);
struct sv http_name_text(enum http_name id);
enum http_method http_method_of(struct sv text);
bool http_method_is_safe(enum http_method m);       /* RFC 9110 9.2.1 */
bool http_method_is_idempotent(enum http_method m); /* RFC 9110 9.2.2 */
struct sv http_status_text(unsigned status);        /* "Not Found" */
bool http_is_token(struct sv s);                    /* RFC 9110 5.6.2 */
bool http_is_field_value(struct sv s);
/* Does a comma list (Connection, Accept …) hold `item`, ignoring case? */
bool http_list_has(struct sv list, struct sv item);
/* IMF-fixdate, 29 bytes. */
void http_date(char out[29], int64_t wall_ms);

#endif
