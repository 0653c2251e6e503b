/* Path -> row of the table. Some sixty rows are walked in order; management is
 * rare, and the order settles what is more specific. */
#include "admin/endpoint.h"

#include <stdio.h>

/* Words of our own in second places: never an id, so that a wrong method on
 * …/create is a 405 and not a missing object. */
static const char *const words[] = { "create", "import" };

static bool is_word(struct sv segment)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (sv_eq(segment, sv_cstr(words[i]))) return true;
    return false;
}

static bool literal_matches(struct sv pattern, struct sv segment)
{
    while (pattern.p) {
        struct sv one = sv_cut(pattern, '|', &pattern);
        if (sv_eq(one, segment)) return true;
    }
    return false;
}

static bool path_matches(const char *template, struct sv path,
                         struct route *out)
{
    struct sv want = sv_from(sv_cstr(template), 1), have = path;
    size_t vars = 0;
    if (!sv_starts(have, SV("/"))) return false;
    have = sv_from(have, 1);
    while (want.p && have.p) {
        struct sv pattern = sv_cut(want, '/', &want);
        struct sv segment = sv_cut(have, '/', &have);
        if (pattern.p[0] != '{') {
            if (!literal_matches(pattern, segment)) return false;
        } else if (sv_eq(pattern, SV("{account_id}"))) {
            if (id_parse(KIND_ACCOUNT, segment, NULL)) return false;
            out->account_id = segment;
        } else {
            if (!segment.n || is_word(segment)) return false;
            out->vars[vars++] = segment;
        }
    }
    return !want.p && !have.p;
}

static const char *method_text(enum http_method m)
{
    switch (m) {
    case HTTP_GET: return "GET, HEAD";
    case HTTP_POST: return "POST";
    case HTTP_PUT: return "PUT";
    case HTTP_PATCH: return "PATCH";
    case HTTP_DELETE: return "DELETE";
    default: return "";
    }
}

static void allow_add(char allow[ALLOW_TEXT_MAX], enum http_method m)
{
    size_t n = strlen(allow);
    if (strstr(allow, method_text(m))) return;
    snprintf(allow + n, ALLOW_TEXT_MAX - n, "%s%s", n ? ", " : "",
             method_text(m));
}

void route_find(enum http_method m, struct sv path, struct route *out)
{
    char allow[ALLOW_TEXT_MAX] = "";
    if (m == HTTP_HEAD) m = HTTP_GET;
    for (size_t i = 0; i < endpoints_n; i++) {
        const struct endpoint *e = &endpoints[i];
        if (e->flags & EP_DOC) continue;
        *out = (struct route){ .account_id = SV("") };
        bool hit = path_matches(e->path, path, out);
        if (!hit && e->also) {
            *out = (struct route){ .account_id = SV(""), .also = true };
            hit = path_matches(e->also, path, out);
        }
        if (!hit) continue;
        if (e->method == m) {
            out->endpoint = e;
            return;
        }
        allow_add(allow, e->method);
    }
    *out = (struct route){ .account_id = SV("") };
    memcpy(out->allow, allow, sizeof allow);
}
