/* The form of a token and the choice of its key; the cryptography is in
 * jws_signature.c. */
#include "codec/jws.h"

#include "base/err.h"
#include "codec/base64url.h"
#include "codec/jose_int.h"

/* Exactly two dots. */
static enum jose_verdict parts_cut(struct sv token, struct sv parts[3])
{
    struct sv rest = token;
    for (int i = 0; i < 3; i++) {
        if (!rest.p) return JOSE_PARTS;
        parts[i] = sv_cut(rest, '.', &rest);
    }
    if (!rest.p) return JOSE_OK;
    unsigned more = 1;
    for (size_t i = 0; i < rest.n; i++) more += rest.p[i] == '.';
    return more == 2 ? JOSE_ENCRYPTED : JOSE_PARTS;
}

static enum jose_verdict part_take(struct sv part, struct arena *a,
                                   enum jose_verdict bad, struct sv *out)
{
    int rc = base64url_take(a, part, out);
    return rc == 0 ? JOSE_OK : rc == ERR_NOMEM ? JOSE_MEMORY : bad;
}

static enum jose_verdict alg_take(const yyjson_val *header, struct jws *out)
{
    const yyjson_val *alg = json_find(header, "alg");
    if (!yyjson_is_str((yyjson_val *)(uintptr_t)alg)) return JOSE_ALG_MISSING;
    if (jose_alg_find(json_text(alg), &out->alg)) return JOSE_OK;
    return sv_eq_nocase(json_text(alg), SV("none")) ? JOSE_ALG_NONE
                                                    : JOSE_ALG_UNKNOWN;
}

static enum jose_verdict kid_take(const yyjson_val *header, struct jws *out)
{
    const yyjson_val *kid = json_find(header, "kid");
    if (!kid) return JOSE_OK;
    out->kid = json_text(kid);
    return out->kid.n && out->kid.n <= JWK_KID_BYTES_MAX ? JOSE_OK : JOSE_KID;
}

static enum jose_verdict header_take(struct sv text, struct arena *a,
                                     struct jws *out)
{
    yyjson_doc *doc;
    if (text.n > JWS_HEADER_BYTES_MAX) return JOSE_HEADER_LONG;
    int rc = json_decode(text, a, &doc, NULL);
    if (rc == ERR_NOMEM) return JOSE_MEMORY;
    if (rc != 0 || !yyjson_is_obj(yyjson_doc_get_root(doc)))
        return JOSE_HEADER_JSON;
    out->header = yyjson_doc_get_root(doc);
    enum jose_verdict v = alg_take(out->header, out);
    if (v != JOSE_OK) return v;
    /* We understand no extension, so any list of them has an unknown one (an
     * empty list is malformed). */
    if (json_find(out->header, "crit")) return JOSE_CRIT;
    if (json_find(out->header, "b64")) return JOSE_B64;
    return kid_take(out->header, out);
}

static bool memo_has(const struct jws_memo *m, struct sv part)
{
    return m && m->text.n && sv_eq(m->text, part);
}

static void memo_keep(struct jws_memo *m, struct sv part, const struct jws *jws)
{
    if (!m || part.n + jws->kid.n > sizeof m->bytes) return;
    memcpy(m->bytes, part.p, part.n);
    m->text = sv_of(m->bytes, part.n);
    m->kid = (struct sv){ NULL, 0 };
    m->alg = jws->alg;
    if (!jws->kid.p) return;
    memcpy(m->bytes + part.n, jws->kid.p, jws->kid.n);
    m->kid = sv_of(m->bytes + part.n, jws->kid.n);
}

enum jose_verdict jws_decode_next(struct sv token, struct jws_memo *memo,
                                  struct arena *a, struct jws *out)
{
    struct sv parts[3], header;
    *out = (struct jws){ 0 };
    if (token.n > JWS_BYTES_MAX) return JOSE_TOO_LONG;
    if (!token.p) token.p = "";
    enum jose_verdict v = parts_cut(token, parts);
    if (v != JOSE_OK) return v;
    const bool known = memo_has(memo, parts[0]);
    if (!known) v = part_take(parts[0], a, JOSE_HEADER_BASE64, &header);
    if (v == JOSE_OK)
        v = part_take(parts[1], a, JOSE_PAYLOAD_BASE64, &out->payload);
    if (v == JOSE_OK)
        v = part_take(parts[2], a, JOSE_SIGNATURE_BASE64, &out->signature);
    if (v == JOSE_OK && !known) v = header_take(header, a, out);
    out->input = sv_first(token, parts[0].n + 1 + parts[1].n);
    if (known) {
        out->alg = memo->alg;
        out->kid = memo->kid;
    } else if (v == JOSE_OK)
        memo_keep(memo, parts[0], out);
    return v;
}

enum jose_verdict jws_decode(struct sv token, struct arena *a, struct jws *out)
{
    return jws_decode_next(token, NULL, a, out);
}

/* Do any keys have the kid? */
static bool kid_is_known(const struct jwk_set *keys, struct sv kid)
{
    for (unsigned i = 0; i < keys->n; i++)
        if (keys->keys[i].kid.p && sv_eq(keys->keys[i].kid, kid)) return true;
    return false;
}

enum jose_verdict jws_verify(const struct jws *token,
                             const struct jwk_set *keys, uint32_t algs,
                             unsigned lane, const struct jwk **by)
{
    const uint32_t alg = 1u << token->alg;
    if (by) *by = NULL;
    if (!(algs & alg)) return JOSE_ALG_NOT_ALLOWED;
    bool known = token->kid.p && kid_is_known(keys, token->kid);
    enum jose_verdict v = token->kid.p ? JOSE_KEY_UNKNOWN : JOSE_KEY_ALG;
    unsigned tries = 0;
    for (unsigned i = 0; i < keys->n && tries < JWS_TRIES_MAX; i++) {
        const struct jwk *key = &keys->keys[i];
        if (known ? !key->kid.p || !sv_eq(key->kid, token->kid)
                  : token->kid.p && key->kid.p)
            continue;
        if (!(key->algs & alg)) {
            if (tries == 0) v = JOSE_KEY_ALG;
            continue;
        }
        tries++;
        v = jose_signature_check(key, token->alg, lane, token->input,
                                 token->signature);
        if (v == JOSE_OK && by) *by = key;
        if (v == JOSE_OK) break;
    }
    return v;
}
