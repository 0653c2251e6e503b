/* Stands in for model/'s decoders until they are there. */
#include <yyjson.h>

#include "base/err.h"
#include "model/application.h"
#include "model/authentication.h"

static struct sv text(yyjson_val *o, const char *name, struct arena *a)
{
    const char *s = yyjson_get_str(yyjson_obj_get(o, name));
    return arena_dup(a, sv_cstr(s ? s : ""));
}

__attribute__((weak)) int application_decode(struct sv doc, struct arena *a,
                                             struct application *out)
{
    yyjson_doc *d = yyjson_read(doc.p, doc.n, 0);
    if (!d) return ERR_CORRUPT;
    yyjson_val *o = yyjson_doc_get_root(d), *v;
    *out = (struct application){ .id = text(o, "id", a),
                                 .account_id = text(o, "account_id", a),
                                 .domain = text(o, "domain", a),
                                 .auth_id = text(o, "auth_id", a) };
    v = yyjson_obj_get(o, "enabled");
    out->enabled = !v || yyjson_get_bool(v);
    out->is_public = yyjson_get_bool(yyjson_obj_get(o, "public"));
    out->lost_auth = yyjson_get_bool(yyjson_obj_get(o, "lostAuth"));
    struct sv origin = text(o, "originHostname", a);
    if (origin.n) {
        out->has_origin = true;
        out->origin.tls = !sv_starts(origin, SV("http://"));
        size_t skip = sv_starts(origin, SV("http")) ?
                          (out->origin.tls ? 8 : 7) : 0;
        origin = sv_from(origin, skip);
        uint64_t port = out->origin.tls ? 443 : 80;
        size_t colon = sv_rfind(origin, ':');
        if (colon != SIZE_MAX)
            sv_to_u64(sv_from(origin, colon + 1), 65535, &port);
        out->origin.host = sv_first(origin, colon);
        out->origin.port = (uint16_t)port;
    }
    yyjson_doc_free(d);
    return 0;
}

__attribute__((weak)) int authentication_decode(struct sv doc, struct arena *a,
                                                struct authentication *out)
{
    yyjson_doc *d = yyjson_read(doc.p, doc.n, 0);
    if (!d) return ERR_CORRUPT;
    yyjson_val *o = yyjson_doc_get_root(d);
    *out = (struct authentication){ .id = text(o, "id", a) };
    if (sv_eq(text(o, "keyType", a), SV("jwt"))) out->key_type = KEY_JWT;
    yyjson_val *v = yyjson_obj_get(o, "remaining");
    if (v) out->policy.has_quota = true, out->policy.quota = yyjson_get_sint(v);
    out->quota_of_application =
        sv_eq(text(o, "remainingScope", a), SV("application"));
    out->fault_open = sv_eq(text(o, "onFault", a), SV("open"));
    yyjson_val *r = yyjson_obj_get(o, "ratelimit");
    if (r) {
        out->policy.has_limits = true;
        out->policy.limits_n = 1;
        out->policy.limits[0].limit =
            (uint32_t)yyjson_get_uint(yyjson_obj_get(r, "limit"));
        out->policy.limits[0].window_s =
            (uint32_t)yyjson_get_uint(yyjson_obj_get(r, "timeWindow"));
    }
    yyjson_doc_free(d);
    return 0;
}
