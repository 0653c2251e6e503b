#include "reach/discovery.h"

#include "codec/json.h"

enum { ARENA_MAX = 32 * DISCOVERY_BYTES_MAX };

size_t discovery_url(struct sv issuer, char out[URL_BYTES_MAX])
{
    static const struct sv tail = { "/.well-known/openid-configuration", 33 };
    struct url url;
    if (url_decode(issuer, &url) || sv_find(url.target, '?') != SIZE_MAX)
        return 0;
    if (issuer.p[issuer.n - 1] == '/') issuer.n--;
    if (issuer.n + tail.n > URL_BYTES_MAX) return 0;
    memcpy(out, issuer.p, issuer.n);
    memcpy(out + issuer.n, tail.p, tail.n);
    return issuer.n + tail.n;
}

static const char *read_root(const yyjson_val *root, struct sv issuer,
                             bool allow_plain, char out[URL_BYTES_MAX],
                             size_t *out_n)
{
    struct url url;
    struct sv said = json_text(json_find(root, "issuer"));
    struct sv keys = json_text(json_find(root, "jwks_uri"));
    if (!said.p) return "the issuer's description names no issuer";
    if (!sv_eq(said, issuer))
        return "the issuer's description is another issuer's";
    if (!keys.p || url_decode(keys, &url))
        return "the issuer's description has no usable jwks_uri";
    if (!url.tls && !allow_plain)
        return "the jwks_uri is plain HTTP, which is not allowed";
    memcpy(out, keys.p, keys.n); /* url_decode bounds it */
    *out_n = keys.n;
    return NULL;
}

const char *discovery_decode(struct sv text, struct sv issuer, bool allow_plain,
                             char out[URL_BYTES_MAX], size_t *out_n)
{
    struct arena a;
    yyjson_doc *doc;
    const char *why = "the issuer's description is not strict JSON";
    *out_n = 0;
    if (text.n > DISCOVERY_BYTES_MAX) return "the description is too long";
    arena_init(&a, ARENA_MAX, NULL, 0);
    if (json_decode(text, &a, &doc, NULL) == 0)
        why = read_root(yyjson_doc_get_root(doc), issuer, allow_plain, out,
                        out_n);
    arena_fini(&a);
    return why;
}
