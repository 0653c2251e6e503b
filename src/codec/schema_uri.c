/* References to absolute URIs, by RFC 3986 §5.2, without the fragment. */
#include "codec/schema_int.h"

struct uri {
    struct sv scheme, authority, path, query; /* p NULL: absent */
};

static bool is_scheme(struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        bool letter = c >= 'a' && c <= 'z';
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && !(i && later)) return false;
    }
    return s.n > 0;
}

static struct uri uri_split(struct sv s)
{
    struct uri u = { .query = { NULL, 0 } };
    struct sv rest, head = sv_cut(s, ':', &rest);
    if (rest.p && is_scheme(head)) {
        u.scheme = head;
        s = rest;
    }
    size_t question = sv_find(s, '?');
    if (question != SIZE_MAX) {
        u.query = sv_from(s, question + 1);
        s = sv_first(s, question);
    }
    if (sv_starts(s, SV("//"))) {
        s = sv_from(s, 2);
        size_t slash = sv_find(s, '/');
        u.authority = sv_first(s, slash);
        s = sv_from(s, u.authority.n);
    }
    u.path = s;
    return u;
}

/* §5.2.4, in place: never longer than what it reads. */
static size_t dots_remove(char *p, size_t n)
{
    size_t to = 0, at = 0;
    while (at < n) {
        struct sv in = sv_of(p + at, n - at);
        if (sv_starts(in, SV("/../")) || sv_eq(in, SV("/.."))) {
            at += in.n > 3 ? 3 : 2;
            if (in.n == 3) p[at] = '/';
            while (to && p[--to] != '/') {}
        } else if (sv_starts(in, SV("/./"))) {
            at += 2;
        } else if (sv_eq(in, SV("/."))) {
            p[++at] = '/';
        } else {
            do p[to++] = p[at++];
            while (at < n && p[at] != '/');
        }
    }
    return to;
}

static struct sv path_merge(struct arena *a, const struct uri *base,
                            struct sv ref)
{
    size_t slash = sv_rfind(base->path, '/');
    if (base->authority.p && !base->path.n)
        return arena_printf(a, "/%.*s", SV_FMT(ref));
    struct sv dir = sv_first(base->path, slash == SIZE_MAX ? 0 : slash + 1);
    return arena_printf(a, "%.*s%.*s", SV_FMT(dir), SV_FMT(ref));
}

struct sv schema_uri_resolve(struct arena *a, struct sv base, struct sv ref)
{
    struct uri b = uri_split(base), r = uri_split(ref), t = r;
    if (!ref.n) return base.p ? base : SV("");
    if (!r.scheme.p) {
        t.scheme = b.scheme;
        if (!r.authority.p) {
            t.authority = b.authority;
            if (!r.path.n) {
                t.path = b.path;
                if (!r.query.p) t.query = b.query;
            } else if (r.path.p[0] != '/') {
                t.path = path_merge(a, &b, r.path);
            }
        }
    }
    struct sv path = arena_dup(a, t.path);
    if (!path.p) return path;
    if (path.n && path.p[0] == '/')
        path.n = dots_remove((char *)(uintptr_t)path.p, path.n);
    return arena_printf(a, "%.*s%s%s%.*s%.*s%s%.*s", SV_FMT(t.scheme),
                        t.scheme.p ? ":" : "", t.authority.p ? "//" : "",
                        SV_FMT(t.authority), SV_FMT(path), t.query.p ? "?" : "",
                        SV_FMT(t.query));
}
