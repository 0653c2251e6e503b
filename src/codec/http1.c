/* The strict scanner of HTTP/1.x heads. One pass from the front, no state
 * between calls but how far the end was searched:
 *
 *   start line -> fields (name looked up, value checked) -> framing decided
 *
 * What a head means for framing is collected in struct scan while its fields
 * pass and judged once at the end. Runs out of bytes: 0, nothing is kept. */
#include "codec/http1.h"

#include "base/err.h"
#include "codec/http_int.h"

enum { METHOD_MAX = 32 };

struct scan {
    const char *p, *end;
    struct http_head *h;
    const struct http1_limits *limits;
    struct http1_refusal *why;
    struct sv authority;    /* of an absolute-form target */
    uint64_t forbidden;     /* names refused, as bits */
    bool close, keep_alive; /* options of Connection */
    bool upgrade_asked, upgrade_named, upgrade_http;
    bool unknown_coding, bad_length;
    uint8_t lengths, codings;
    bool request;
    enum http_method asked; /* by the request of this response */
};

#define BIT(id) (1ull << (id))
_Static_assert(HN_COUNT <= 64, "names are kept as bits of a word");

static int refuse_as(struct scan *s, unsigned status, const char *reason)
{
    *s->why = (struct http1_refusal){ (uint16_t)status, reason };
    return ERR_PROTOCOL;
}

static int refuse(struct scan *s, const char *reason)
{
    return refuse_as(s, s->request ? 400 : 502, reason);
}

/* An empty line somewhere behind *searched, also one of bare LFs (so that
 * these are refused and not waited for). */
static bool head_has_end(struct sv in, size_t *searched)
{
    size_t at = *searched > 2 ? *searched - 3 : 0;
    const char *end = in.p + in.n;
    for (const char *p = in.p + at; p < end; p++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p) break;
        if (end - p >= 2 && p[1] == '\n') return true;
        if (end - p >= 3 && p[1] == '\r' && p[2] == '\n') return true;
    }
    *searched = in.n;
    return false;
}

/* --- pieces of heads ------------------------------------------------------ */

/* 1: CRLF taken, 0: more bytes needed. */
static inline int scan_crlf(struct scan *s)
{
    if (s->end - s->p >= 2 && s->p[0] == '\r' && s->p[1] == '\n') {
        s->p += 2;
        return 1;
    }
    if (s->p == s->end) return 0;
    if (*s->p == '\n') return refuse(s, "bare LF");
    if (*s->p != '\r')
        return refuse(s, "control character or text behind a line");
    return s->p + 1 == s->end ? 0 : refuse(s, "bare CR");
}

static int scan_version(struct scan *s)
{
    static const char shape[] = "HTTP/0.0"; /* 0: any digit */
    if (s->end - s->p >= 8 && memcmp(s->p, "HTTP/1.", 7) == 0 &&
        (s->p[7] == '1' || s->p[7] == '0')) {
        s->h->minor = (uint8_t)(s->p[7] - '0');
        s->p += 8;
        return 1;
    }
    for (int i = 0; i < 8; i++) {
        if (s->p + i == s->end) return 0;
        char c = s->p[i];
        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
            return refuse(s, "malformed HTTP version");
    }
    return refuse_as(s, s->request ? 505 : 502, "HTTP version not supported");
}

/* Content-Length: digits only, below 10^18 (RFC 9112 6.3 refuses lists). */
static bool length_parse(struct sv v, uint64_t *out)
{
    return v.n <= 18 && sv_to_u64(v, UINT64_MAX, out);
}

static void scan_upgrade(struct scan *s, struct sv list)
{
    s->upgrade_named = list.n > 0;
    while (list.n) {
        struct sv item = sv_trim(sv_cut(list, ',', &list));
        if (sv_starts_nocase(item, SV("h2")) ||
            sv_starts_nocase(item, SV("HTTP")))
            s->upgrade_http = true;
    }
}

/* Names whose values matter to every message's meaning. */
static const uint64_t meaningful =
    BIT(HN_HOST) | BIT(HN_CONTENT_LENGTH) | BIT(HN_TRANSFER_ENCODING) |
    BIT(HN_CONNECTION) | BIT(HN_UPGRADE) | BIT(HN_EXPECT);

/* A tab behind a value that frames the message: OWS to RFC 9110 5.6.3, part
 * of the value to other parsers, so it is refused. The head ends in CR LF
 * behind every value. */
static bool ends_in_tab(struct sv value)
{
    const char *p = value.p + value.n;
    if (value.n == 0) return false;
    while (*p == ' ') p++;
    return *p == '\t';
}

static int scan_meaning(struct scan *s, enum http_name id, struct sv value)
{
    struct http_head *h = s->h;
    switch (id) {
    case HN_CONTENT_LENGTH:
        s->bad_length |=
            !length_parse(value, &h->content_length) || ends_in_tab(value);
        s->lengths++;
        break;
    case HN_TRANSFER_ENCODING:
        s->unknown_coding |=
            !sv_eq_nocase(value, SV("chunked")) || ends_in_tab(value);
        s->codings++;
        break;
    case HN_CONNECTION:
        s->close |= http_list_has(value, SV("close"));
        s->keep_alive |= http_list_has(value, SV("keep-alive"));
        s->upgrade_asked |= http_list_has(value, SV("upgrade"));
        break;
    case HN_UPGRADE: scan_upgrade(s, value); break;
    case HN_HOST:
        if (!s->request) break;
        if (h->host.p) return refuse(s, "repeated Host");
        if (!http1_host_is_valid(value)) return refuse(s, "malformed Host");
        h->host = value;
        break;
    case HN_EXPECT:
        if (!s->request) break;
        if (!sv_eq_nocase(value, SV("100-continue")))
            return refuse_as(s, 417, "unknown expectation");
        h->expect_continue = true;
        break;
    default: break;
    }
    return 1;
}

static int scan_field(struct scan *s)
{
    struct http_head *h = s->h;
    const char *colon = find_colon(s->p, s->end);
    if (colon == s->end && !memchr(s->p, '\n', (size_t)(s->end - s->p)))
        return 0;
    struct sv name = sv_of(s->p, (size_t)(colon - s->p));
    enum http_name id = http_name_of(name);
    if ((id == HN_OTHER || id == HN_OURS) && !http_is_token(name)) {
        if (*s->p == ' ' || *s->p == '\t') return refuse(s, "folded line");
        return refuse(s, "malformed field name");
    }
    const char *value = colon + 1, *last = value_end(value, s->end);
    if (last == s->end) return 0;
    s->p = last;
    while (value < last && (*value == ' ' || *value == '\t')) value++;
    while (last > value && (last[-1] == ' ' || last[-1] == '\t')) last--;
    int r = scan_crlf(s);
    if (r <= 0) return r;
    if (h->fields_n >= s->limits->fields)
        return refuse_as(s, s->request ? 431 : 502, "too many fields");
    struct http_field *f = &h->fields[h->fields_n++];
    f->name = name;
    f->value = sv_of(value, (size_t)(last - value));
    f->id = id;
    if (id == HN_OTHER) return 1;
    if (!h->at[id]) h->at[id] = (uint8_t)h->fields_n;
    if (s->forbidden & BIT(id)) return refuse(s, "field not allowed here");
    return meaningful & BIT(id) ? scan_meaning(s, id, f->value) : 1;
}

/* All fields and the empty line. */
static int scan_fields(struct scan *s)
{
    for (;;) {
        if (s->p == s->end) return 0;
        if (*s->p == '\r' || *s->p == '\n') return scan_crlf(s);
        int r = scan_field(s);
        if (r <= 0) return r;
    }
}

typedef int scan_fn(struct scan *s);

/* Parses at once what came in one piece; what did not is parsed when its end
 * has been found, so that slow senders cost one pass more, not one a byte. A
 * head of one line end (no trailers) may have come in two pieces. */
static int scan_head(struct sv in, size_t *searched, struct scan *s,
                     scan_fn *parse)
{
    struct sv head = sv_first(in, s->limits->head_bytes);
    if (*searched < 2 || head_has_end(head, searched)) {
        memset(s->h, 0, offsetof(struct http_head, fields));
        s->p = head.p;
        s->end = head.p + head.n;
        int r = parse(s);
        if (r != 0) {
            *searched = 0;
            return r < 0 ? r : (int)(s->p - head.p);
        }
    }
    *searched = head.n;
    if (head.n < s->limits->head_bytes) return 0;
    if (!s->request) return refuse(s, "head too large");
    if (sv_find(sv_from(head, 2), '\n') == SIZE_MAX)
        return refuse_as(s, 414, "target too long");
    return refuse_as(s, 431, "head too large");
}

/* Content-Length and Transfer-Encoding, RFC 9112 6.1-6.3: what leaves room
 * for two readings is refused also where the RFC allows to repair it. */
static int scan_framing(struct scan *s)
{
    struct http_head *h = s->h;
    if (s->bad_length) return refuse(s, "malformed Content-Length");
    if (s->lengths > 1) return refuse(s, "repeated Content-Length");
    if (s->codings > 1) return refuse(s, "repeated Transfer-Encoding");
    if (s->codings && s->lengths)
        return refuse(s, "Content-Length with Transfer-Encoding");
    if (s->codings && h->minor == 0)
        return refuse(s, "Transfer-Encoding in HTTP/1.0");
    if (s->unknown_coding)
        return refuse_as(s, s->request ? 501 : 502, "unknown transfer coding");
    h->body = s->codings   ? HTTP_BODY_CHUNKED
              : s->lengths ? HTTP_BODY_LENGTH
                           : HTTP_BODY_NONE;
    h->keep_alive = !s->close && (h->minor == 1 || s->keep_alive);
    h->upgrade = s->upgrade_asked && s->upgrade_named && !s->upgrade_http &&
                 h->minor == 1;
    return 1;
}

/* --- requests ------------------------------------------------------------- */

static int scan_request_line(struct scan *s)
{
    struct http_head *h = s->h;
    const char *p = s->p;
    while (p < s->end && in_class(*p, CLASS_TOKEN)) p++;
    h->method_text = sv_of(s->p, (size_t)(p - s->p));
    if (h->method_text.n > METHOD_MAX)
        return refuse_as(s, 501, "method too long");
    if (p == s->end) return 0;
    if (p == s->p || *p != ' ') return refuse(s, "malformed request line");
    h->method = http_method_of(h->method_text);
    if (h->method == HTTP_CONNECT)
        return refuse_as(s, 501, "CONNECT is not served");
    const char *from = ++p;
    while (p < s->end && (uint8_t)*p > ' ') p++;
    h->target = sv_of(from, (size_t)(p - from));
    if (h->target.n > s->limits->target_bytes)
        return refuse_as(s, 414, "target too long");
    if (p == s->end) return 0;
    if (*p != ' ' || p == from) return refuse(s, "malformed request line");
    s->p = p + 1;
    if (!http_target_split(h, &s->authority))
        return refuse(s, "malformed target");
    int r = scan_version(s);
    return r > 0 ? scan_crlf(s) : r;
}

static int request_parse(struct scan *s)
{
    struct http_head *h = s->h;
    int r = s->p < s->end && *s->p == '\r' ? scan_crlf(s) : 1;
    if (r > 0) r = scan_request_line(s);
    if (r > 0) r = scan_fields(s);
    if (r > 0) r = scan_framing(s);
    if (r <= 0) return r;
    if (h->minor == 1 && !h->host.p) return refuse(s, "no Host");
    if (s->authority.p && (!http1_host_is_valid(s->authority) ||
                           (h->host.p && !sv_eq_nocase(s->authority, h->host))))
        return refuse(s, "absolute form unlike Host");
    if (!h->host.p) h->host = s->authority;
    if (h->minor == 0) h->expect_continue = false; /* RFC 9110 10.1.1 */
    if (h->upgrade && (h->body == HTTP_BODY_CHUNKED || h->content_length))
        return refuse(s, "Upgrade with a body");
    return 1;
}

int http1_request_scan(struct sv in, size_t *searched,
                       const struct http1_limits *limits, struct http_head *out,
                       struct http1_refusal *why)
{
    struct scan s = { .h = out, .limits = limits, .why = why, .request = true };
    return scan_head(in, searched, &s, request_parse);
}

/* --- responses ------------------------------------------------------------ */

static int response_parse(struct scan *s)
{
    struct http_head *h = s->h;
    enum http_method asked = s->asked;
    int r = scan_version(s);
    if (r <= 0) return r;
    if (s->end - s->p < 5) return 0;
    for (int i = 1; i <= 3; i++) {
        if (s->p[0] != ' ' || s->p[i] < '0' || s->p[i] > '9')
            return refuse(s, "malformed status");
        h->status = (uint16_t)(h->status * 10 + (s->p[i] - '0'));
    }
    if (h->status < 100 || h->status > 599 ||
        (s->p[4] != ' ' && s->p[4] != '\r'))
        return refuse(s, "malformed status");
    s->p = value_end(s->p + 4, s->end);
    r = scan_crlf(s);
    if (r > 0) r = scan_fields(s);
    if (r > 0) r = scan_framing(s);
    if (r <= 0) return r;
    bool never = h->status < 200 || h->status == 204;
    if (never && (h->body == HTTP_BODY_CHUNKED || h->content_length))
        return refuse(s, "a body where none can be"); /* RFC 9110 6.4.1 */
    if (h->status == 101)
        h->body = HTTP_BODY_TUNNEL;
    else if (never || h->status == 304 || asked == HTTP_HEAD)
        h->body = HTTP_BODY_NONE;
    else if (h->body == HTTP_BODY_NONE)
        h->body = HTTP_BODY_CLOSE;
    if (h->body == HTTP_BODY_CLOSE) h->keep_alive = false;
    return 1;
}

int http1_response_scan(struct sv in, size_t *searched,
                        const struct http1_limits *limits,
                        enum http_method asked, struct http_head *out,
                        struct http1_refusal *why)
{
    struct scan s = { .h = out, .limits = limits, .why = why, .asked = asked };
    return scan_head(in, searched, &s, response_parse);
}

/* --- trailers ------------------------------------------------------------- */

/* What must not come after the content, RFC 9110 6.5.1: framing, routing,
 * modifiers, authentication, and what says how to read the content. */
static const uint64_t no_trailers =
    BIT(HN_CONTENT_LENGTH) | BIT(HN_TRANSFER_ENCODING) | BIT(HN_HOST) |
    BIT(HN_CONNECTION) | BIT(HN_TE) | BIT(HN_TRAILER) | BIT(HN_UPGRADE) |
    BIT(HN_EXPECT) | BIT(HN_KEEP_ALIVE) | BIT(HN_PROXY_CONNECTION) |
    BIT(HN_PROXY_AUTHENTICATE) | BIT(HN_PROXY_AUTHORIZATION) |
    BIT(HN_AUTHORIZATION) | BIT(HN_COOKIE) | BIT(HN_SET_COOKIE) |
    BIT(HN_WWW_AUTHENTICATE) | BIT(HN_CONTENT_TYPE) | BIT(HN_CONTENT_ENCODING) |
    BIT(HN_IF_MATCH) | BIT(HN_IF_NONE_MATCH) | BIT(HN_CACHE_CONTROL);

int http1_trailers_scan(struct sv in, size_t *searched,
                        const struct http1_limits *limits,
                        struct http_head *out, struct http1_refusal *why)
{
    struct scan s = { .h = out,
                      .limits = limits,
                      .why = why,
                      .request = true,
                      .forbidden = no_trailers };
    return scan_head(in, searched, &s, scan_fields);
}
