/* JWT profiles (api.md §5): a change acts on every application whose
 * authentication profile names the JWT profile. */
#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/jwt_keys.h"
#include "admin/nouns.h"
#include "base/err.h"

#include <stdio.h>

/* --- algorithms that no key can serve ------------------------------------------------ */

static struct sv text_of(yyjson_mut_val *v)
{
    return json_mut_text(v);
}

/* False: there are keys that only a fetch or the issuer knows. */
static bool algs_known(struct call *c, yyjson_mut_doc *doc, uint32_t *algs)
{
    struct keyset_source src;
    struct record r = { .version = 0 };
    struct sv jwk = text_of(shape_member(doc, "jwk"));
    size_t i, max;
    yyjson_mut_val *key;
    if (yyjson_mut_get_len(shape_member(doc, "discovery")) ||
        yyjson_mut_is_obj(shape_member(doc, "introspection")))
        return false;
    if (jwk.n) {
        if (store_record_get(c->admin->conf.store, KIND_JWK,
                             id_sv(&c->account_id), jwk, c->arena, &r) ||
            key_set_source(c->admin, &r, c->arena, &src) ||
            src.kind != KEYSET_INLINE)
            return false;
        jwt_key_algs(src.text, algs);
    }
    yyjson_mut_arr_foreach(shape_member(doc, "keys"), i, max, key)
    {
        jwt_key_algs(yyjson_mut_is_str(key) ? text_of(key)
                                            : json_encode(c->arena, key),
                     algs);
    }
    return true;
}

static bool algorithms_check(struct call *c, yyjson_mut_doc *doc)
{
    yyjson_mut_val *names = shape_member(doc, "algorithms"), *name;
    uint32_t algs = 0;
    enum jose_alg alg;
    size_t i, max;
    char field[32];
    if (!yyjson_mut_arr_size(names) || !algs_known(c, doc, &algs)) return true;
    yyjson_mut_arr_foreach(names, i, max, name)
    {
        if (jose_alg_find(text_of(name), &alg) && algs & 1u << alg) continue;
        snprintf(field, sizeof field, "algorithms[%zu]", i);
        return call_fail(c, 400, "invalid_value", field,
                         "No key of the profile can serve this algorithm.");
    }
    return true;
}

/* --- hooks ------------------------------------------------------------------------------ */

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    (void)before;
    return algorithms_check(c, doc) && secrets_take(c, r, doc);
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc;
    return before ? change_profile(c, id_sv(&r->id))
                  : change_row(c, KIND_JWT, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_JWT, id_sv(&r->id));
}

const struct noun noun_jwt = {
    .name = "jwt",
    .shape = &shape_jwt,
    .check = check,
    .stored = stored,
    .leaving = detach_or_refuse,
    .gone = gone,
    .unique_field = "name",
    .present = record_opened,
};

void jwt_create(struct call *c)
{
    noun_create(c, &noun_jwt);
}
void jwt_list(struct call *c)
{
    noun_list(c, &noun_jwt);
}
void jwt_get(struct call *c)
{
    noun_get(c, &noun_jwt);
}
void jwt_patch(struct call *c)
{
    struct record r = { .version = 0 };
    if (noun_find(c, &noun_jwt, &r) && keys_complete(c, &r))
        noun_patch(c, &noun_jwt);
}
void jwt_delete(struct call *c)
{
    noun_delete(c, &noun_jwt);
}
