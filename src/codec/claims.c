/* One table of the times, in the order in which they are judged. */
#include "codec/claims.h"

#include "base/ensure.h"
#include "base/err.h"

enum jose_verdict claims_decode(struct sv payload, struct arena *a,
                                const yyjson_val **out)
{
    yyjson_doc *doc;
    int rc = json_decode(payload, a, &doc, NULL);
    *out = NULL;
    if (rc == ERR_NOMEM) return JOSE_MEMORY;
    if (rc != 0 || !yyjson_is_obj(yyjson_doc_get_root(doc)))
        return JOSE_PAYLOAD_JSON;
    *out = yyjson_doc_get_root(doc);
    return JOSE_OK;
}

enum jose_verdict claims_check_times(const yyjson_val *claims,
                                     const struct claim_times *times)
{
    const double now = (double)times->now_s, skew = times->skew_s;
    const struct {
        const char *name;
        enum claim_use use;
        enum jose_verdict missing, form, refused;
        bool ends;
    } rows[] = {
        { "exp", times->exp, JOSE_EXP_MISSING, JOSE_EXP_FORM, JOSE_EXPIRED,
          true },
        { "nbf", times->nbf, JOSE_NBF_MISSING, JOSE_NBF_FORM, JOSE_NOT_ACTIVE,
          false },
        { "iat", times->iat, JOSE_IAT_MISSING, JOSE_IAT_FORM, JOSE_ISSUED_LATER,
          false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].use == CLAIM_IGNORED) continue;
        yyjson_val *claim = json_find(claims, rows[i].name);
        if (!claim && rows[i].use == CLAIM_IF_PRESENT) continue;
        if (!claim) return rows[i].missing;
        if (!yyjson_is_num(claim)) return rows[i].form;
        double at = yyjson_get_num(claim);
        if (rows[i].ends ? now >= at + skew : now + skew < at)
            return rows[i].refused;
    }
    return JOSE_OK;
}
