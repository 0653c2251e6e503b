/* Bodies of creates and patches: whatever is asked, the canonical document is
 * accepted again as a patch of itself, decodes, and is never changed by that. */
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "model/application.h"
#include "model/authentication.h"
#include "model/jwt.h"
#include "model/record.h"
#include "model/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct shape *const shapes[] = {
    &shape_account,
    &shape_application,
    &shape_authentication,
    &shape_tag,
    &shape_tag_attach,
    &shape_management_key,
    &shape_token_create,
    &shape_token_import_item,
    &shape_token_patch,
    &shape_token_rotate,
    &shape_jwt,
    &shape_jwk,
    &shape_jwt_rules,
};

static void must(bool holds)
{
    if (!holds) abort();
}

static bool exists(void *ctx, enum kind kind, struct sv id)
{
    (void)ctx;
    (void)id;
    return kind == KIND_AUTHENTICATION || kind == KIND_JWK;
}

static void decode(const struct shape *shape, yyjson_mut_doc *doc,
                   struct arena *a)
{
    struct record r = { .kind = shape->kind,
                        .id = { "x_1" },
                        .account_id = { "acc_1" } };
    struct token_row row = { 0 };
    struct token_own own;
    struct application app;
    struct authentication auth;
    struct jwt_profile jwt;
    struct jwt_rules rules;
    struct key_set set;
    if (shape->kind == KIND_TOKEN) {
        if (yyjson_mut_is_obj(shape_member(doc, "remaining"))) return;
        must(!token_row_fill(&row, doc, a));
        must(!token_own_decode(row.body, a, &own));
        return;
    }
    if (shape == &shape_jwt_rules) {
        struct sv text = json_encode(a, yyjson_mut_doc_get_root(doc));
        must(!text.p || !jwt_rules_decode(text, a, &rules));
        return;
    }
    must(!record_fill(&r, shape, doc, a));
    if (shape == &shape_jwt) must(!jwt_profile_decode(r.body, a, &jwt));
    if (shape == &shape_jwk) must(!key_set_decode(r.body, a, &set));
    if (shape == &shape_application) must(!application_decode(r.body, a, &app));
    if (shape == &shape_authentication)
        must(!authentication_decode(r.body, a, &auth));
}

/* A body read by GET may be written back and changes nothing. */
static void again(const struct shape *shape, const struct shape_env *env,
                  struct sv once, struct arena *a)
{
    struct shape_problem why;
    yyjson_doc *present;
    yyjson_mut_doc *doc;
    must(!json_decode(once, a, &present, NULL));
    yyjson_val *root = yyjson_doc_get_root(present);
    must(!shape_patch(shape, env, root, root, &doc, &why));
    must(sv_eq(once, json_encode(a, yyjson_mut_doc_get_root(doc))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct shape_problem why;
    yyjson_doc *input;
    yyjson_mut_doc *doc;
    if (!size) return 0;
    const struct shape *shape = shapes[data[0] % ARRAY_LEN(shapes)];
    arena_init(&a, 8 << 20, NULL, 0);
    struct shape_env env = { .arena = &a,
                             .now_ms = 1700000000000,
                             .role = ROLE_OWNER,
                             .exists = exists };
    if (json_decode(sv_of(data + 1, size - 1), &a, &input, NULL) == 0) {
        int rc =
            shape_create(shape, &env, yyjson_doc_get_root(input), &doc, &why);
        must(rc == 0 || rc == ERR_INVALID || rc == ERR_NOMEM);
        must(rc != ERR_INVALID || (why.code[0] && why.message[0]));
        struct sv once = { 0 };
        if (rc == 0) once = json_encode(&a, yyjson_mut_doc_get_root(doc));
        /* of those whose members are all stored as they are */
        if (once.p && (shape == &shape_application || shape == &shape_account ||
                       shape == &shape_authentication || shape == &shape_tag ||
                       shape == &shape_jwt || shape == &shape_jwk))
            again(shape, &env, once, &a);
        if (rc == 0) decode(shape, doc, &a);
    }
    arena_fini(&a);
    return 0;
}
