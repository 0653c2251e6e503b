/* Finding the credential. Whoever names the same place twice is refused, the
 * same value or not: the origin might read another one than we judged. */
#include "check/place.h"

struct sv place_without_scheme(struct sv text, struct sv scheme, bool *had)
{
    *had = sv_starts_nocase(text, scheme) &&
           (text.n == scheme.n || text.p[scheme.n] == ' ');
    if (!*had) return text;
    text = sv_from(text, scheme.n);
    while (text.n && text.p[0] == ' ') text = sv_from(text, 1);
    return text;
}

struct sv place_without_bearer(struct sv text, bool *had)
{
    return place_without_scheme(text, SV("bearer"), had);
}

static enum place_found field_find(const struct http_head *h, struct sv name,
                                   struct place_credential *out)
{
    unsigned next = 0;
    out->field = http_head_find_text(h, name, &next);
    if (!out->field) return FOUND_NONE;
    if (http_head_find_text(h, name, &next)) return FOUND_UNCLEAR;
    out->text = out->field->value;
    return out->text.n ? FOUND_ONE : FOUND_NONE;
}

static enum place_found scheme_find(const struct http_head *h, struct sv scheme,
                                    struct place_credential *out)
{
    bool had;
    if (!h->at[HN_AUTHORIZATION]) return FOUND_NONE;
    for (unsigned i = h->at[HN_AUTHORIZATION]; i < h->fields_n; i++)
        if (h->fields[i].id == HN_AUTHORIZATION) return FOUND_UNCLEAR;
    out->field = http_head_find(h, HN_AUTHORIZATION);
    out->text = place_without_scheme(out->field->value, scheme, &had);
    return had && out->text.n ? FOUND_ONE : FOUND_NONE;
}

/* --- query ------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of s from *i on, escape read (RFC 3986 2.1); -1: malformed. */
static int unescape(struct sv s, size_t *i)
{
    char c = s.p[(*i)++];
    if (c != '%') return (unsigned char)c;
    if (*i + 2 > s.n) return -1;
    int high = hex_value(s.p[*i]), low = hex_value(s.p[*i + 1]);
    *i += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* An escaped spelling of the name means the same to the origin. */
static bool is_named(struct sv escaped, struct sv name)
{
    size_t at = 0;
    for (size_t i = 0; i < escaped.n; at++) {
        int c = unescape(escaped, &i);
        if (at >= name.n || c != (unsigned char)name.p[at]) return false;
    }
    return at == name.n;
}

static enum place_found value_read(struct sv escaped, struct arena *a,
                                   struct sv *out)
{
    *out = escaped;
    if (sv_find(escaped, '%') == SIZE_MAX)
        return escaped.n ? FOUND_ONE : FOUND_NONE;
    char *text = arena_alloc(a, escaped.n);
    if (!text) return FOUND_NO_ROOM;
    size_t n = 0;
    for (size_t i = 0; i < escaped.n;) {
        int c = unescape(escaped, &i);
        if (c < 0) return FOUND_UNCLEAR;
        text[n++] = (char)c;
    }
    *out = sv_of(text, n);
    return FOUND_ONE;
}

static enum place_found query_find(const struct http_head *h, struct sv name,
                                   struct arena *a,
                                   struct place_credential *out)
{
    struct sv rest = h->query, value, found = { NULL, 0 };
    bool once = false;
    while (rest.p) {
        struct sv pair = sv_cut(rest, '&', &rest);
        if (!is_named(sv_cut(pair, '=', &value), name)) continue;
        if (once) return FOUND_UNCLEAR;
        once = true;
        found = value;
    }
    return once ? value_read(found, a, &out->text) : FOUND_NONE;
}

/* --- cookie (RFC 6265 4.2.1) -------------------------------------------------- */

static struct sv unquoted(struct sv v)
{
    bool quoted = v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"';
    return quoted ? sv_of(v.p + 1, v.n - 2) : v;
}

static enum place_found cookie_find(const struct http_head *h, struct sv name,
                                    struct place_credential *out)
{
    for (unsigned i = h->at[HN_COOKIE]; i && i <= h->fields_n; i++) {
        const struct http_field *field = &h->fields[i - 1];
        struct sv rest = field->value, value;
        if (field->id != HN_COOKIE) continue;
        while (rest.p) {
            struct sv pair = sv_cut(rest, ';', &rest);
            if (!sv_eq(sv_trim(sv_cut(pair, '=', &value)), name)) continue;
            if (out->field) return FOUND_UNCLEAR;
            out->field = field;
            out->text = unquoted(sv_trim(value));
        }
    }
    return out->field && out->text.n ? FOUND_ONE : FOUND_NONE;
}

enum place_found place_find_as(const struct http_head *head,
                               const struct authentication *auth,
                               struct sv scheme, struct arena *a,
                               struct place_credential *out)
{
    *out = (struct place_credential){ .field = NULL };
    switch (auth->place) {
    case PLACE_BEARER: return scheme_find(head, scheme, out);
    case PLACE_HEADER: return field_find(head, auth->place_name, out);
    case PLACE_QUERY: return query_find(head, auth->place_name, a, out);
    case PLACE_COOKIE: return cookie_find(head, auth->place_name, out);
    }
    return FOUND_NONE;
}

enum place_found place_find(const struct http_head *head,
                            const struct authentication *auth, struct arena *a,
                            struct place_credential *out)
{
    return place_find_as(head, auth, SV("bearer"), a, out);
}

bool place_has_another(const struct http_head *head,
                       const struct authentication *auth, struct arena *a,
                       struct sv found)
{
    static const struct authentication others[] = {
        { .place = PLACE_BEARER },
        { .place = PLACE_QUERY, .place_name = { "access_token", 12 } },
    };
    struct place_credential at;
    for (unsigned i = 0; i < 2; i++) {
        if (auth->place == others[i].place &&
            sv_eq(auth->place_name, others[i].place_name))
            continue;
        enum place_found other = place_find(head, &others[i], a, &at);
        if (other == FOUND_UNCLEAR || other == FOUND_NO_ROOM ||
            (other == FOUND_ONE && !sv_eq(at.text, found)))
            return true;
    }
    return false;
}
