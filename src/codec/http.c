/* Tables of the HTTP vocabulary: names, methods, statuses, byte classes. */
#include "codec/http.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "codec/http_int.h"

/* clang-format off */
const uint8_t http_class[256] = { /* bits: http_int.h */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 7, 0, 1, 7, 1, 7, 7, 6, 6, 7, 7, 6, 15, 15, 6,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 6, 6, 0, 6, 0, 4,
    6, 31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 4, 6, 7, 15,
    5, 31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 4, 7, 4, 7, 0,
};
/* clang-format on */

/* --- field names ---------------------------------------------------------- */

static const struct sv name_texts[] = { { "", 0 },
#define X(id, text) { text, sizeof(text) - 1 },
                                        HTTP_NAMES(X)
#undef X
};

/* A perfect look-up: length and three bytes give one candidate, which is then
 * compared. `fold` has 0x20 where the name has a letter: (c | fold) == text
 * holds for exactly the two cases of it. */
enum { NAME_MAX_BYTES = 32, SLOTS = 256 };
static struct name_entry {
    char text[NAME_MAX_BYTES], fold[NAME_MAX_BYTES];
    size_t n;
} names[HN_OURS];
static uint8_t slots[SLOTS];

static inline unsigned name_slot(const char *p, size_t n)
{
    unsigned first = p[0] | 0x20, mid = p[n / 2] | 0x20, last = p[n - 2] | 0x20;
    return ((unsigned)n * 50 + first * 47 + mid * 60 + last * 26) % SLOTS;
}

/* A new name that meets another's slot stops every test here: change the
 * factors of name_slot. */
__attribute__((constructor)) static void names_build(void)
{
    for (unsigned id = 1; id < HN_OURS; id++) {
        struct sv t = name_texts[id];
        ENSURE(t.n >= 2 && t.n <= NAME_MAX_BYTES);
        names[id].n = t.n;
        for (size_t i = 0; i < t.n; i++) {
            char c = ascii_lower(t.p[i]);
            names[id].text[i] = c;
            names[id].fold[i] = c >= 'a' && c <= 'z' ? 0x20 : 0;
        }
        unsigned slot = name_slot(t.p, t.n);
        ENSURE(slots[slot] == 0);
        slots[slot] = (uint8_t)id;
    }
}

/* Do n bytes of p at `at` fold to the entry's? For constant n only. */
static inline bool folds(const char *p, const struct name_entry *e, size_t at,
                         size_t n)
{
    uint64_t c = 0, fold = 0, text = 0;
    memcpy(&c, p + at, n);
    memcpy(&fold, e->fold + at, n);
    memcpy(&text, e->text + at, n);
    return (c | fold) == text;
}

/* Words from both ends that overlap: no loop, nothing read behind the name. */
static inline bool name_matches(const char *p, size_t n,
                                const struct name_entry *e)
{
    if (n != e->n) return false;
    if (n > 16 && !(folds(p, e, 8, 8) && folds(p, e, n - 16, 8))) return false;
    if (n >= 8) return folds(p, e, 0, 8) && folds(p, e, n - 8, 8);
    if (n >= 4) return folds(p, e, 0, 4) && folds(p, e, n - 4, 4);
    return folds(p, e, 0, 2) && folds(p, e, n - 2, 2);
}

static bool name_is_ours(struct sv name)
{
    static const struct sv prefix = { "x-typeauth-", 11 };
    char dashed[NAME_MAX_BYTES];
    size_t n = name.n < sizeof dashed ? name.n : sizeof dashed;
    for (size_t i = 0; i < n; i++)
        dashed[i] = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
    if (sv_starts(sv_of(dashed, n), prefix)) return true;
    if (name.n > n || !memchr(name.p, '_', n)) return false;
    switch (http_name_of(sv_of(dashed, n))) {
    case HN_X_REQUEST_ID:
    case HN_X_FORWARDED_FOR:
    case HN_X_FORWARDED_PROTO:
    case HN_X_FORWARDED_HOST:
    case HN_CONTENT_LENGTH:
    case HN_TRANSFER_ENCODING: return true;
    default: return false;
    }
}

/* Is it worth asking name_is_ours? */
static bool name_may_be_ours(struct sv name)
{
    char first = ascii_lower(name.p[0]);
    if (first != 'x' && first != 'c' && first != 't') return false;
    if (first == 'x' && name.n > 2 && ascii_lower(name.p[2]) == 't')
        return true;
    return memchr(name.p, '_', name.n) != NULL;
}

enum http_name http_name_of(struct sv name)
{
    if (name.n < 2) return HN_OTHER;
    unsigned id = slots[name_slot(name.p, name.n)];
    if (id && name_matches(name.p, name.n, &names[id]))
        return (enum http_name)id;
    return name_may_be_ours(name) && name_is_ours(name) ? HN_OURS : HN_OTHER;
}

bool http_name_is_framing(struct sv name)
{
    switch (http_name_of(name)) {
    case HN_HOST:
    case HN_CONNECTION:
    case HN_CONTENT_LENGTH:
    case HN_TRANSFER_ENCODING:
    case HN_TE:
    case HN_TRAILER:
    case HN_UPGRADE:
    case HN_EXPECT:
    case HN_KEEP_ALIVE:
    case HN_PROXY_CONNECTION: return true;
    default: return sv_eq_nocase(name, SV("HTTP2-Settings"));
    }
}

struct sv http_name_text(enum http_name id)
{
    return id < HN_OURS ? name_texts[id] : SV("");
}

const struct http_field *http_head_find_text(const struct http_head *h,
                                             struct sv name, unsigned *next)
{
    for (unsigned i = next ? *next : 0; i < h->fields_n; i++) {
        if (!sv_eq_nocase(h->fields[i].name, name)) continue;
        if (next) *next = i + 1;
        return &h->fields[i];
    }
    return NULL;
}

/* --- methods and statuses ------------------------------------------------- */

enum { SAFE = 1, IDEMPOTENT = 2 };
static const struct {
    struct sv text;
    unsigned traits;
} methods[] = {
    [HTTP_OTHER] = { { "", 0 }, 0 },
    [HTTP_GET] = { { "GET", 3 }, SAFE | IDEMPOTENT },
    [HTTP_HEAD] = { { "HEAD", 4 }, SAFE | IDEMPOTENT },
    [HTTP_POST] = { { "POST", 4 }, 0 },
    [HTTP_PUT] = { { "PUT", 3 }, IDEMPOTENT },
    [HTTP_DELETE] = { { "DELETE", 6 }, IDEMPOTENT },
    [HTTP_PATCH] = { { "PATCH", 5 }, 0 },
    [HTTP_OPTIONS] = { { "OPTIONS", 7 }, SAFE | IDEMPOTENT },
    [HTTP_CONNECT] = { { "CONNECT", 7 }, 0 },
    [HTTP_TRACE] = { { "TRACE", 5 }, SAFE | IDEMPOTENT },
};

enum http_method http_method_of(struct sv text)
{
    for (unsigned m = HTTP_GET; m < ARRAY_LEN(methods); m++)
        if (sv_eq(text, methods[m].text)) return (enum http_method)m;
    return HTTP_OTHER;
}

bool http_method_is_safe(enum http_method m)
{
    return methods[m].traits & SAFE;
}

bool http_method_is_idempotent(enum http_method m)
{
    return methods[m].traits & IDEMPOTENT;
}

static const struct {
    uint16_t status;
    struct sv text;
} statuses[] = {
/* RFC 9110 15, RFC 6585, RFC 8297; ascending */
#define S(n, t)              \
    {                        \
        n,                   \
        {                    \
            t, sizeof(t) - 1 \
        }                    \
    }
    S(100, "Continue"),
    S(101, "Switching Protocols"),
    S(103, "Early Hints"),
    S(200, "OK"),
    S(201, "Created"),
    S(202, "Accepted"),
    S(203, "Non-Authoritative Information"),
    S(204, "No Content"),
    S(205, "Reset Content"),
    S(206, "Partial Content"),
    S(207, "Multi-Status"),
    S(300, "Multiple Choices"),
    S(301, "Moved Permanently"),
    S(302, "Found"),
    S(303, "See Other"),
    S(304, "Not Modified"),
    S(307, "Temporary Redirect"),
    S(308, "Permanent Redirect"),
    S(400, "Bad Request"),
    S(401, "Unauthorized"),
    S(402, "Payment Required"),
    S(403, "Forbidden"),
    S(404, "Not Found"),
    S(405, "Method Not Allowed"),
    S(406, "Not Acceptable"),
    S(407, "Proxy Authentication Required"),
    S(408, "Request Timeout"),
    S(409, "Conflict"),
    S(410, "Gone"),
    S(411, "Length Required"),
    S(412, "Precondition Failed"),
    S(413, "Content Too Large"),
    S(414, "URI Too Long"),
    S(415, "Unsupported Media Type"),
    S(416, "Range Not Satisfiable"),
    S(417, "Expectation Failed"),
    S(421, "Misdirected Request"),
    S(422, "Unprocessable Content"),
    S(423, "Locked"),
    S(424, "Failed Dependency"),
    S(425, "Too Early"),
    S(426, "Upgrade Required"),
    S(428, "Precondition Required"),
    S(429, "Too Many Requests"),
    S(431, "Request Header Fields Too Large"),
    S(451, "Unavailable For Legal Reasons"),
    S(500, "Internal Server Error"),
    S(501, "Not Implemented"),
    S(502, "Bad Gateway"),
    S(503, "Service Unavailable"),
    S(504, "Gateway Timeout"),
    S(505, "HTTP Version Not Supported"),
    S(507, "Insufficient Storage"),
    S(511, "Network Authentication Required"),
#undef S
};

struct sv http_status_text(unsigned status)
{
    size_t low = 0, high = ARRAY_LEN(statuses);
    if (status == 200) return SV("OK");
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (statuses[mid].status == status) return statuses[mid].text;
        if (statuses[mid].status < status)
            low = mid + 1;
        else
            high = mid;
    }
    return SV("Unknown");
}

/* --- small grammars ------------------------------------------------------- */

bool http_is_token(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(http_class[(uint8_t)s.p[i]] & CLASS_TOKEN)) return false;
    return s.n > 0;
}

bool http_is_field_value(struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return sv_trim(s).n == s.n;
}

bool http_list_has(struct sv list, struct sv item)
{
    while (list.n) {
        struct sv part = sv_trim(sv_cut(list, ',', &list));
        if (sv_eq_nocase(part, item)) return true;
    }
    return false;
}

static void put_digits(char *out, unsigned v, unsigned digits)
{
    while (digits--) {
        out[digits] = (char)('0' + v % 10);
        v /= 10;
    }
}

void http_date(char out[29], int64_t wall_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil c = civil_from_ms(wall_ms);
    int64_t day = wall_ms / 86400000 - (wall_ms % 86400000 < 0);
    int64_t weekday = ((day + 4) % 7 + 7) % 7; /* 1970-01-01: Thursday */
    memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", 29);
    memcpy(out, days + 3 * weekday, 3);
    put_digits(out + 5, (unsigned)c.day, 2);
    memcpy(out + 8, months + 3 * (c.month - 1), 3);
    put_digits(out + 12, (unsigned)c.year, 4);
    put_digits(out + 17, (unsigned)c.hour, 2);
    put_digits(out + 20, (unsigned)c.minute, 2);
    put_digits(out + 23, (unsigned)c.second, 2);
}
