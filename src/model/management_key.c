/* Management keys (api.md §1). `expires` leaves as expiresAt. */
#include "base/err.h"
#include "codec/rfc3339.h"
#include "model/fields_int.h"

static const char *const roles[] = { "verifier", "viewer", "editor",
                                     "admin",    "owner",  NULL };

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    { .name = "name",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED | SHAPE_NAME,
      .len_min = 1,
      .len_max = 100,
      .text = &text_plain,
      .about = "What it is for." },
    { .name = "role",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .options = roles,
      .about = "What it may do." },
    { .name = "expires",
      .types = SHAPE_INTEGER | SHAPE_STRING,
      .min = 1,
      .max = FIELD_LIFETIME_MAX,
      .len_min = 1,
      .len_max = 40,
      .text = &text_plain,
      .check = expires_check,
      .about = "Lifetime in seconds from now, or a time as in RFC 3339; one "
               "owner key stays without." },
    FIELD_TIME("expiresAt", "When it ends."),
    FIELDS_TIMES,
    { 0 },
};

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    (void)env;
    (void)why;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *ends = yyjson_mut_null(doc);
    int64_t ms;
    char text[RFC3339_TEXT];
    if (json_is_int((const yyjson_val *)shape_member(doc, "expires"), &ms)) {
        rfc3339_encode(text, ms);
        ends = yyjson_mut_strncpy(doc, text, sizeof text);
    } else if (!yyjson_mut_obj_get(input, "expires") &&
               json_find(present, "expiresAt")) {
        ends = yyjson_val_mut_copy(doc, json_find(present, "expiresAt"));
    }
    yyjson_mut_obj_remove_key(root, "expires");
    return shape_member_set(doc, "expiresAt", ends);
}

const struct shape shape_management_key = {
    .name = "ManagementKey",
    .kind = KIND_MANAGEMENT_KEY,
    .fields = fields,
    .rules = rules,
};
