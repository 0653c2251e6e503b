/* Tags (api.md §8): a key with an optional value, written "key:value". */
#include "base/err.h"
#include "model/fields_int.h"

enum { KEY_MIN = 3, KEY_MAX = 50, VALUE_MAX = 100 };

#define FIELD_KEY                                                          \
    {                                                                      \
        .name = "key", .types = SHAPE_STRING, .len_min = KEY_MIN,          \
        .len_max = KEY_MAX, .text = &text_word, .about = "Key of the tag." \
    }
#define FIELD_VALUE                                                  \
    {                                                                \
        .name = "value", .types = SHAPE_STRING, .flags = SHAPE_SEED, \
        .len_max = VALUE_MAX, .text = &text_plain,                   \
        .about = "Value of the tag, if it has one."                  \
    }
#define TAG_NAME(flag)                                                      \
    {                                                                       \
        .name = "name", .types = SHAPE_STRING, .flags = flag, .len_min = 1, \
        .len_max = KEY_MAX + 1 + VALUE_MAX, .text = &text_plain,            \
        .about = "Key, or key:value."                                       \
    }

static const struct shape_field fields[] = {
    FIELDS_IDENTITY, TAG_NAME(SHAPE_NAME | SHAPE_KEY),
    FIELD_KEY,       FIELD_VALUE,
    FIELDS_TIMES,    { 0 },
};

static const struct shape_field attach_fields[] = {
    TAG_NAME(0), FIELD_KEY, FIELD_VALUE, FIELD_TAGS(0, NULL), { 0 },
};

static struct sv text_of(yyjson_mut_val *v) /* "" when it has none */
{
    const char *text = yyjson_mut_get_str(v);
    return text ? sv_of(text, yyjson_mut_get_len(v)) : SV("");
}

/* "key" or "key:value" apart; refuses what {key, value} would refuse. */
static int name_split(struct sv name, struct sv *key, struct sv *value,
                      struct shape_problem *why)
{
    *key = sv_cut(name, ':', value);
    if (!value->p) *value = SV("");
    if (key->n < KEY_MIN || key->n > KEY_MAX || !text_word.ok(*key))
        return shape_problem_set(why, "name", "invalid_value",
                                 "its key must have %d to %d letters, digits, "
                                 "_ or -",
                                 KEY_MIN, KEY_MAX);
    if (utf8_count(*value) > VALUE_MAX)
        return shape_problem_set(why, "name", "out_of_range",
                                 "its value must have at most %d characters",
                                 VALUE_MAX);
    return 0;
}

/* From whichever form was asked for to all three members. */
static int name_rules(yyjson_mut_doc *doc, struct arena *a, bool by_name,
                      struct shape_problem *why)
{
    struct sv name = text_of(shape_member(doc, "name"));
    struct sv key = text_of(shape_member(doc, "key"));
    struct sv value = text_of(shape_member(doc, "value"));
    if (by_name) {
        int rc = name_split(name, &key, &value, why);
        if (rc) return rc;
    } else if (!key.n) {
        return value.n ? shape_problem_set(why, "key", "required",
                                           "is required with value")
                       : shape_problem_set(why, "name", "required",
                                           "is required, or key");
    }
    /* one spelling: "key:" is "key" */
    name = value.n ? arena_printf(a, "%.*s:%.*s", SV_FMT(key), SV_FMT(value))
                   : key;
    if (!name.p) return ERR_NOMEM;
    int rc =
        shape_member_set(doc, "name", yyjson_mut_strncpy(doc, name.p, name.n));
    if (rc == 0)
        rc =
            shape_member_set(doc, "key", yyjson_mut_strncpy(doc, key.p, key.n));
    if (rc == 0)
        rc = shape_member_set(doc, "value",
                              yyjson_mut_strncpy(doc, value.p, value.n));
    return rc;
}

static bool asks(yyjson_mut_val *input, const char *field, yyjson_val *present)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(input, field);
    return v && !sv_eq(text_of(v), json_text(json_find(present, field)));
}

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    bool by_name = asks(input, "name", present);
    bool by_key = asks(input, "key", present) || asks(input, "value", present);
    if (by_name && by_key)
        return shape_problem_set(why, "name", "invalid_value",
                                 "and key are two forms of the same: give one");
    return name_rules(doc, env->arena, by_name, why);
}

static int attach_rules(const struct shape_env *env, yyjson_mut_doc *doc,
                        yyjson_val *present, yyjson_mut_val *input,
                        struct shape_problem *why)
{
    bool many = shape_member(doc, "tags") != NULL;
    bool one = shape_member(doc, "name") || shape_member(doc, "key") ||
               shape_member(doc, "value");
    if (many && !one) return 0;
    if (many)
        return shape_problem_set(why, "tags", "invalid_value",
                                 "cannot be given with name or key");
    int rc = rules(env, doc, present, input, why);
    if (rc) return rc;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *tags = yyjson_mut_arr(doc);
    struct sv name = text_of(shape_member(doc, "name"));
    if (!tags || !yyjson_mut_arr_add_strncpy(doc, tags, name.p, name.n))
        return ERR_NOMEM;
    yyjson_mut_obj_clear(root);
    return shape_member_set(doc, "tags", tags);
}

const struct shape shape_tag = {
    .name = "Tag",
    .kind = KIND_TAG,
    .fields = fields,
    .rules = rules,
};

const struct shape shape_tag_attach = {
    .name = "TagAttachRequest",
    .kind = KIND_TAG,
    .fields = attach_fields,
    .sparse = true,
    .rules = attach_rules,
};
