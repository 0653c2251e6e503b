/* Taking the mail address out of a request. */
#include "detect/mail_property.h"

#include "base/err.h"
#include "codec/json.h"

static void text_add(struct mail_texts *out, struct sv text)
{
    if (!text.n) return;
    if (out->n == MAIL_TEXTS_MAX)
        out->over = true;
    else
        out->text[out->n++] = text;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at *i, %XX undone; *i moves on. */
static char decode_one(struct sv s, size_t *i, bool plus)
{
    char c = s.p[(*i)++];
    if (c == '+' && plus) return ' ';
    if (c != '%' || s.n - *i < 2 || hex_value(s.p[*i]) < 0 ||
        hex_value(s.p[*i + 1]) < 0)
        return c;
    c = (char)(hex_value(s.p[*i]) * 16 + hex_value(s.p[*i + 1]));
    *i += 2;
    return c;
}

static size_t decode_to(char *to, struct sv s, bool plus)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) to[n++] = decode_one(s, &i, plus);
    return n;
}

static void decoded_add(struct mail_texts *out, struct sv s, bool plus,
                        struct arena *a)
{
    if (!s.n || out->n == MAIL_TEXTS_MAX ||
        (!memchr(s.p, '%', s.n) && !(plus && memchr(s.p, '+', s.n)))) {
        text_add(out, s);
        return;
    }
    char *to = arena_alloc(a, s.n);
    if (to)
        text_add(out, sv_of(to, decode_to(to, s, plus)));
    else
        out->over = true;
}

static void cookies_add(struct sv name, struct sv cookies, struct arena *a,
                        struct mail_texts *out)
{
    while (cookies.n > 0) {
        struct sv value, pair = sv_cut(cookies, ';', &cookies);
        if (!sv_eq(sv_trim(sv_cut(pair, '=', &value)), name)) continue;
        if (value.p) decoded_add(out, sv_trim(value), false, a);
    }
}

/* As it stands, or decoded. Without memory: whoever could spend it by many
 * names would hide the one that counts. */
static bool name_is(struct sv coded, struct sv name)
{
    size_t at = 0, i = 0;
    if (sv_eq(coded, name)) return true;
    while (i < coded.n && at < name.n &&
           decode_one(coded, &i, true) == name.p[at])
        at++;
    return i == coded.n && at == name.n;
}

static void pairs_add(struct sv name, struct sv pairs, struct arena *a,
                      struct mail_texts *out)
{
    while (pairs.n > 0) {
        struct sv value, pair = sv_cut(pairs, '&', &pairs);
        if (name_is(sv_cut(pair, '=', &value), name) && value.p)
            decoded_add(out, value, true, a);
    }
}

void mail_find_head(unsigned locations, struct sv name,
                    const struct http_field *fields, unsigned fields_n,
                    struct sv query, struct arena *a, struct mail_texts *out)
{
    for (unsigned i = 0; i < fields_n; i++) {
        const struct http_field *f = &fields[i];
        if (locations & MAIL_IN_HEADER && sv_eq_nocase(f->name, name))
            decoded_add(out, f->value, false, a);
        if (locations & MAIL_IN_COOKIE && sv_eq_nocase(f->name, SV("cookie")))
            cookies_add(name, f->value, a, out);
    }
    if (locations & MAIL_IN_QUERY) pairs_add(name, query, a, out);
}

/* --- bodies -------------------------------------------------------------------- */

static void value_add(const yyjson_val *v, struct mail_texts *out)
{
    yyjson_val *any = (yyjson_val *)(uintptr_t)v, *item;
    size_t i, max;
    text_add(out, json_text(v));
    if (!yyjson_is_arr(any)) return;
    yyjson_arr_foreach(any, i, max, item)
    {
        if (out->over) break;
        text_add(out, json_text(item));
    }
}

static int json_find_texts(struct sv name, struct sv body, struct arena *a,
                           struct mail_texts *out)
{
    yyjson_doc *doc = NULL;
    int rc = json_decode(body, a, &doc, NULL);
    if (rc == ERR_NOMEM) out->over = true;
    if (rc) return rc == ERR_NOMEM ? 0 : rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *v = sv_starts(name, SV("/"))
                        ? yyjson_ptr_getn(root, name.p, name.n)
                        : yyjson_obj_getn(root, name.p, name.n);
    value_add(v, out);
    return 0;
}

int mail_find_body(struct sv name, struct sv content_type, struct sv body,
                   struct arena *a, struct mail_texts *out)
{
    struct sv rest, type = sv_trim(sv_cut(content_type, ';', &rest));
    if (!body.n) return 0;
    if (sv_eq_nocase(type, SV("application/json")) ||
        (type.n > 5 && sv_eq_nocase(sv_from(type, type.n - 5), SV("+json"))))
        return json_find_texts(name, body, a, out);
    if (sv_eq_nocase(type, SV("application/x-www-form-urlencoded")))
        pairs_add(sv_from(name, sv_starts(name, SV("/"))), body, a, out);
    return 0;
}
