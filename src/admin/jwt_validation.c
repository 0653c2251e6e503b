/* Rules on an application, which hold in addition to its JWT profile's: a
 * member of the application, written whole. */
#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "base/err.h"

#define FIELD "jwtValidation"

static void answer(struct call *c, const struct record *app,
                   const char *message)
{
    yyjson_val *body = call_parse(c, app->body);
    yyjson_val *value = json_find(body, FIELD);
    struct sv rules = value ? json_encode_val(c->arena, value) : SV("");
    if (!rules.n) {
        call_fail_store(c, ERR_CORRUPT);
        return;
    }
    answer_begin(c->a, 200, message);
    answer_put(c->a, rules);
    answer_end(c->a);
    call_set_etag(c, app->version);
}

static bool has_rules(struct call *c, const struct record *app)
{
    yyjson_val *rules = json_find(call_parse(c, app->body), FIELD);
    return yyjson_is_obj(rules) || call_not_found(c, "JWT validation");
}

/* rules NULL: none from now on. */
static bool write(struct call *c, const struct record *app,
                  yyjson_mut_val *rules, struct record *after)
{
    yyjson_mut_doc *doc = document_of(c, &noun_application, app);
    if (!doc) return false;
    int err = shape_member_set(doc, FIELD,
                               rules ? yyjson_mut_val_mut_copy(doc, rules)
                                     : yyjson_mut_null(doc));
    if (err) return call_fail_store(c, err);
    return noun_update(c, &noun_application, app, doc, after);
}

void jwt_validation_get(struct call *c)
{
    struct record app = { .version = 0 };
    if (noun_find(c, &noun_application, &app) && has_rules(c, &app))
        answer(c, &app, "");
}

void jwt_validation_put(struct call *c)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    struct record app = { .version = 0 }, after = { .version = 0 };
    yyjson_mut_doc *rules;
    if (!noun_find(c, &noun_application, &app) ||
        !call_if_match(c, app.version))
        return;
    int err = shape_create(&shape_jwt_rules, &env, c->input, &rules, &why);
    if (err)
        call_fail_shape(c, err, &why);
    else if (write(c, &app, yyjson_mut_doc_get_root(rules), &after))
        answer(c, &after, "Stored.");
}

void jwt_validation_delete(struct call *c)
{
    struct record app = { .version = 0 }, after = { .version = 0 };
    if (noun_find(c, &noun_application, &app) &&
        call_if_match(c, app.version) && has_rules(c, &app) &&
        write(c, &app, NULL, &after))
        answer_ok(c->a, 200, "Deleted.");
}
