/* JWK and JWK Set as JSON, and the set that both forms fill. */
#include "codec/jwk.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/base64url.h"
#include "codec/jose_int.h"
#include "codec/json.h"

enum {
    ARENA_MAX = 32 * JWK_TEXT_BYTES_MAX, /* yyjson grows by half, 16 a value */
    FIRST_MIN = 4096,
    FIRST_TIMES = 8,
};

static const struct {
    const char *name;
    enum jose_kty kty;
} kinds[] = {
    { "RSA", JOSE_KTY_RSA },
    { "EC", JOSE_KTY_EC },
    { "oct", JOSE_KTY_OCT },
    { "OKP", JOSE_KTY_OKP },
};

static const struct {
    const char *name;
    enum jose_kty kty;
    size_t at;
} numbers[] = {
    { "n", JOSE_KTY_RSA, offsetof(struct jwk_parts, n) },
    { "e", JOSE_KTY_RSA, offsetof(struct jwk_parts, e) },
    { "x", JOSE_KTY_EC, offsetof(struct jwk_parts, x) },
    { "y", JOSE_KTY_EC, offsetof(struct jwk_parts, y) },
    { "k", JOSE_KTY_OCT, offsetof(struct jwk_parts, k) },
    { "x", JOSE_KTY_OKP, offsetof(struct jwk_parts, x) },
};

static const char *kind_decode(const yyjson_val *key, struct jwk_parts *out)
{
    struct sv kty = json_text(json_find(key, "kty"));
    size_t i = 0;
    while (i < ARRAY_LEN(kinds) && !sv_eq(kty, sv_cstr(kinds[i].name))) i++;
    if (i == ARRAY_LEN(kinds)) return "kty is not RSA, EC, OKP or oct";
    out->kty = kinds[i].kty;
    if (out->kty != JOSE_KTY_EC && out->kty != JOSE_KTY_OKP) return NULL;
    struct sv crv = json_text(json_find(key, "crv"));
    for (enum jose_curve c = 1; c < JOSE_CURVE_COUNT; c++)
        if (jose_curve_row(c)->kty == out->kty &&
            sv_eq(crv, sv_cstr(jose_curve_row(c)->name)))
            out->curve = c;
    return out->curve ? NULL : "crv is not a supported curve for signatures";
}

static const char *numbers_decode(const yyjson_val *key, struct arena *a,
                                  struct jwk_parts *out)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (numbers[i].kty != out->kty) continue;
        struct sv text = json_text(json_find(key, numbers[i].name));
        struct sv *to = (void *)((char *)out + numbers[i].at);
        if (text.n == 0) return "a member that its kty needs is missing";
        if (base64url_take(a, text, to) != 0)
            return "a number is not base64url";
    }
    return NULL;
}

static bool lists_verify(const yyjson_val *ops)
{
    size_t i, max;
    yyjson_val *op;
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)ops, i, max,
                       op) if (sv_eq(json_text(op), SV("verify"))) return true;
    return false;
}

/* What the key says that it is for: kid, alg, use, key_ops. */
static const char *purpose_decode(const yyjson_val *key, struct jwk_parts *out)
{
    const yyjson_val *kid = json_find(key, "kid"), *alg, *use, *ops;
    if (kid) {
        out->kid = json_text(kid);
        if (out->kid.n == 0 || out->kid.n > JWK_KID_BYTES_MAX)
            return "kid is not a text of 1-256 bytes";
    }
    enum jose_alg only;
    if ((alg = json_find(key, "alg"))) {
        if (!jose_alg_find(json_text(alg), &only))
            return "alg is not a supported one for signatures";
        out->algs = 1u << only;
    }
    if ((use = json_find(key, "use")) && !sv_eq(json_text(use), SV("sig")))
        return "use is not sig";
    if ((ops = json_find(key, "key_ops")) && !lists_verify(ops))
        return "key_ops does not list verify";
    return NULL;
}

const char *jwk_parts_decode(const yyjson_val *key, struct arena *a,
                             struct jwk_parts *out)
{
    *out = (struct jwk_parts){ .algs = JOSE_ALGS_ALL };
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)key)) return "not an object";
    const char *reason = kind_decode(key, out);
    if (!reason) reason = numbers_decode(key, a, out);
    if (!reason) reason = purpose_decode(key, out);
    out->is_private = out->kty != JOSE_KTY_OCT && json_find(key, "d");
    return reason;
}

/* --- the set ------------------------------------------------------------- */
struct filling {
    struct jwk_set *set;
    unsigned lanes, at;
};

/* A key that cannot be used is noted; ERR_TOOBIG above the maximum. */
static int set_add(void *ctx, const struct jwk_parts *parts, const char *reason)
{
    struct filling *f = ctx;
    struct jwk_set *set = f->set;
    if (f->at == JWK_SET_KEYS_MAX) return ERR_TOOBIG;
    if (!reason && jwk_make(parts, f->lanes, &set->keys[set->n], &reason) == 0)
        set->n++;
    else
        set->skipped[set->n_skipped++] = (struct jwk_skip){ f->at, reason };
    f->at++;
    return 0;
}

static int json_fill(struct sv text, struct arena *a, struct filling *f,
                     struct jwk_why *why)
{
    yyjson_doc *doc;
    struct jwk_parts parts;
    int rc = json_decode(text, a, &doc, NULL);
    why->reason = "not strict JSON";
    if (rc != 0) return rc;
    const yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *list = json_find(root, "keys"), *key;
    if (!list) return set_add(f, &parts, jwk_parts_decode(root, a, &parts));
    why->reason = "keys is not an array";
    if (!yyjson_is_arr(list)) return ERR_INVALID;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, key)
    {
        if (rc == 0) rc = set_add(f, &parts, jwk_parts_decode(key, a, &parts));
    }
    return rc;
}

static int set_fill(struct sv text, struct filling *f, struct jwk_why *why)
{
    /* A secret's text and bytes stay in memory that is wiped. */
    const size_t first_n = FIRST_MIN + FIRST_TIMES * text.n;
    char *first = mem_alloc(first_n);
    struct arena a;
    arena_init(&a, ARENA_MAX, first, first_n);
    size_t blank = 0;
    while (blank < text.n && strchr(" \t\r\n", text.p[blank]) && text.p[blank])
        blank++;
    int rc = blank < text.n && text.p[blank] == '{'
                 ? json_fill(text, &a, f, why)
                 : jwk_pem_each(text, &a, set_add, f);
    arena_fini(&a);
    mem_wipe(first, first_n);
    mem_free(first);
    if (rc == ERR_TOOBIG) why->reason = "more than 100 keys";
    if (rc != 0 || f->set->n) return rc;
    why->reason = "neither a JWK, a JWK set nor a PEM block";
    if (f->at) {
        why->reason = f->set->skipped[0].reason;
        why->index = f->set->skipped[0].index;
    }
    return ERR_INVALID;
}

int jwk_set_decode(struct sv text, unsigned lanes, struct jwk_set **out,
                   struct jwk_why *why)
{
    *out = NULL;
    *why = (struct jwk_why){ .reason = "longer than 256 KiB" };
    if (text.n > JWK_TEXT_BYTES_MAX) return ERR_TOOBIG;
    struct jwk_set *set = NEW(struct jwk_set);
    set->keys = mem_zalloc(JWK_SET_KEYS_MAX * sizeof *set->keys);
    set->skipped = mem_zalloc(JWK_SET_KEYS_MAX * sizeof *set->skipped);
    struct filling f = { .set = set, .lanes = lanes };
    int rc = set_fill(text, &f, why);
    if (rc == 0)
        *out = set;
    else
        jwk_set_free(&set);
    return rc;
}

void jwk_set_free(struct jwk_set **set)
{
    if (!*set) return;
    for (unsigned i = 0; i < (*set)->n; i++) jwk_drop(&(*set)->keys[i]);
    mem_free((*set)->keys);
    mem_free((*set)->skipped);
    mem_free(*set);
    *set = NULL;
}
