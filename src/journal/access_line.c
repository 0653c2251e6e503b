/* An event as a line of JSON. Hot: one pass over each text, eight bytes at a
 * time, no printf; texts that need no escape (nearly all) are copied as they
 * are checked. */
#include "base/fmt.h"
#include "codec/ulid.h"
#include "journal/access_log.h"
#include "journal/names.h"

/* Bytes of each text after escaping; with all else below LOG_LINE_MAX. */
enum { PATH_MAX_OUT = 2048, HOST_MAX_OUT = 512, WORD_MAX_OUT = 256 };

#define ONES UINT64_C(0x0101010101010101)
#define HIGH (UINT64_C(0x80) * ONES)

static inline uint64_t has_zero(uint64_t w)
{
    return (w - ONES) & ~w & HIGH;
}

/* Some byte is a control character, a quote, a backslash or above '~'. */
static inline bool must_escape(uint64_t w)
{
    uint64_t control = (w - 0x20 * ONES) & ~w & HIGH;
    return (control | has_zero(w ^ '"' * ONES) | has_zero(w ^ '\\' * ONES) |
            has_zero(w ^ 0x7f * ONES) | (w & HIGH)) != 0;
}

static char *put_escaped(char *p, struct sv s, const char *end)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (end - p < 6) break;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            *p++ = (char)c;
            continue;
        }
        memcpy(p, "\\u00", 4);
        p[4] = digit[c >> 4];
        p[5] = digit[c & 15];
        p += 6;
    }
    return p;
}

/* Below eight bytes: two overlapping words, or bytes. */
static inline char *put_short(char *p, struct sv s, const char *end)
{
    uint64_t w = '0' * ONES;
    if (s.n >= 4) {
        uint32_t first, last;
        memcpy(&first, s.p, 4);
        memcpy(&last, s.p + s.n - 4, 4);
        w = (uint64_t)last << 32 | first;
        memcpy(p, &first, 4);
        memcpy(p + s.n - 4, &last, 4);
    } else {
        char *bytes = (char *)&w;
        for (size_t i = 0; i < s.n; i++) p[i] = bytes[i] = s.p[i];
    }
    return must_escape(w) ? put_escaped(p, s, end) : p + s.n;
}

static inline char *put_text(char *p, struct sv s, size_t max)
{
    const char *end = p + max;
    uint64_t w;
    if (s.n > max) return put_escaped(p, s, end);
    if (s.n < 8) return put_short(p, s, end);
    for (size_t i = 0; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        if (must_escape(w)) return put_escaped(p + i, sv_from(s, i), end);
        memcpy(p + i, &w, 8);
    }
    size_t tail = s.n - 8; /* overlaps what was put already */
    memcpy(&w, s.p + tail, 8);
    if (must_escape(w)) return put_escaped(p + tail, sv_from(s, tail), end);
    memcpy(p + tail, &w, 8);
    return p + s.n;
}

static inline char *put_sv(char *p, struct sv s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

#define PUT(p, literal) \
    (memcpy((p), (literal), sizeof(literal) - 1), (p) + sizeof(literal) - 1)

/* Sizes and times are mostly of one to four digits. */
static inline char *put_number(char *p, uint64_t v)
{
    if (v >= 10000) return p + fmt_u64(p, v);
    uint32_t n = (uint32_t)v;
    if (n >= 1000) *p++ = (char)('0' + n / 1000);
    if (n >= 100) *p++ = (char)('0' + n / 100 % 10);
    if (n >= 10) *p++ = (char)('0' + n / 10 % 10);
    *p++ = (char)('0' + n % 10);
    return p;
}

static char *put_ids(char *p, const struct event *e)
{
    if (e->app_id.n) {
        p = PUT(p, ",\"a\":\"");
        p = put_text(p, e->app_id, WORD_MAX_OUT);
        *p++ = '"';
    }
    if (e->token_id) {
        p = PUT(p, ",\"k\":\"tok_");
        ulid_encode(p, (const struct ulid *)(const void *)e->token_id);
        p += ULID_TEXT;
        *p++ = '"';
    }
    return p;
}

static char *put_outcome(char *p, const struct event *e)
{
    struct sv code = sv_cstr(e->code);
    if (e->outcome != OUTCOME_PASSED) {
        p = PUT(p, ",\"o\":\"");
        p = put_sv(p, outcome_names[e->outcome]);
        *p++ = '"';
    }
    if (code.n) {
        p = PUT(p, ",\"c\":\"");
        p = put_text(p, code, WORD_MAX_OUT);
        *p++ = '"';
    }
    return p;
}

size_t access_log_line(char *out, const struct event *e)
{
    char *p = PUT(out, "{\"t\":");
    p = put_number(p, (uint64_t)e->wall_ms);
    p = PUT(p, ",\"i\":\"");
    p = put_text(p, e->request_id, WORD_MAX_OUT);
    p = PUT(p, "\",\"d\":\"");
    *p++ = event_door_names[e->door].p[0];
    p = PUT(p, "\",\"s\":");
    p = put_number(p, e->status);
    if (e->outcome != OUTCOME_PASSED || e->code[0]) p = put_outcome(p, e);
    p = PUT(p, ",\"m\":\"");
    p = put_text(p, e->method, WORD_MAX_OUT);
    p = PUT(p, "\",\"h\":\"");
    p = put_text(p, e->host, HOST_MAX_OUT);
    p = PUT(p, "\",\"p\":\"");
    p = put_text(p, e->path, PATH_MAX_OUT);
    p = PUT(p, "\",\"r\":\"");
    p += ip_format(&e->client, p);
    *p++ = '"';
    p = put_ids(p, e);
    p = PUT(p, ",\"bi\":");
    p = put_number(p, e->bytes_in);
    p = PUT(p, ",\"bo\":");
    p = put_number(p, e->bytes_out);
    p = PUT(p, ",\"u\":");
    p = put_number(p, e->total_us);
    if (e->origin_us) {
        p = PUT(p, ",\"uo\":");
        p = put_number(p, e->origin_us);
    }
    if (e->http_minor != 1) p = PUT(p, ",\"v\":0");
    if (e->tls) p = PUT(p, ",\"x\":1");
    p = PUT(p, "}\n");
    return (size_t)(p - out);
}
