/* One table of the times, in the order in which they are judged. */
#include "codec/claims.h"

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

enum { BEGIN_BYTES = 3 };

static uint32_t begin_of(struct sv name)
{
    const uint8_t *p = (const uint8_t *)name.p;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* CLAIM_NAMES: none of ours. */
static enum claim_name name_find(struct sv name)
{
    if (name.n < BEGIN_BYTES) return CLAIM_NAMES;
    struct sv rest = sv_from(name, BEGIN_BYTES);
    switch (begin_of(name)) {
#define X(name, a, b, c, end)      \
    case a | (b) << 8 | (c) << 16: \
        return sv_eq(rest, SV(end)) ? CLAIM_##name : CLAIM_NAMES;
        CLAIM_NAMES_X(X)
#undef X
    default: return CLAIM_NAMES;
    }
}

void claims_find_named(const yyjson_val *claims, struct claims_named *out)
{
    size_t i, n;
    yyjson_val *key, *value, *object = (yyjson_val *)(uintptr_t)claims;
    *out = (struct claims_named){ 0 };
    yyjson_obj_foreach(object, i, n, key, value)
    {
        enum claim_name name = name_find(json_text(key));
        if (name < CLAIM_NAMES) out->at[name] = value;
    }
}

void claims_read_times(const struct claims_named *named,
                       struct claim_moments *out)
{
    *out = (struct claim_moments){ .present = 0 };
    for (unsigned i = 0; i < CLAIM_TIMES; i++) {
        yyjson_val *claim = named->at[i];
        if (!claim) continue;
        out->present |= (uint8_t)(1u << i);
        if (yyjson_is_num(claim))
            out->at_s[i] = yyjson_get_num(claim);
        else
            out->malformed |= (uint8_t)(1u << i);
    }
}

enum jose_verdict claims_judge_times(const struct claim_moments *moments,
                                     const struct claim_times *times)
{
    const double now = (double)times->now_s, skew = times->skew_s;
    const struct {
        enum claim_use use;
        enum jose_verdict missing, form, refused;
        bool ends;
    } rows[CLAIM_TIMES] = {
        [CLAIM_EXP] = { times->exp, JOSE_EXP_MISSING, JOSE_EXP_FORM,
                        JOSE_EXPIRED, true },
        [CLAIM_NBF] = { times->nbf, JOSE_NBF_MISSING, JOSE_NBF_FORM,
                        JOSE_NOT_ACTIVE, false },
        [CLAIM_IAT] = { times->iat, JOSE_IAT_MISSING, JOSE_IAT_FORM,
                        JOSE_ISSUED_LATER, false },
    };
    for (unsigned i = 0; i < CLAIM_TIMES; i++) {
        bool present = moments->present >> i & 1;
        if (rows[i].use == CLAIM_IGNORED) continue;
        if (!present && rows[i].use == CLAIM_IF_PRESENT) continue;
        if (!present) return rows[i].missing;
        if (moments->malformed >> i & 1) return rows[i].form;
        double at = moments->at_s[i];
        if (rows[i].ends ? now >= at + skew : now + skew < at)
            return rows[i].refused;
    }
    return JOSE_OK;
}

enum jose_verdict claims_check_times(const yyjson_val *claims,
                                     const struct claim_times *times)
{
    struct claims_named named;
    struct claim_moments moments;
    claims_find_named(claims, &named);
    claims_read_times(&named, &moments);
    return claims_judge_times(&moments, times);
}
