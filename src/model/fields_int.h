/* Fields that several nouns share, as initialisers of one table row. */
#ifndef MODEL_FIELDS_INT_H
#define MODEL_FIELDS_INT_H

#include "model/doc_int.h"
#include "model/shape.h"

#define FIELD_READ_ONLY(text, type, say) \
    { .name = text, .types = type, .flags = SHAPE_READ_ONLY, .about = say }
#define FIELD_TIME(text, say)                                         \
    { .name = text, .types = SHAPE_STRING, .flags = SHAPE_READ_ONLY,  \
      .format = "date-time", .about = say }
#define FIELDS_IDENTITY                                              \
    FIELD_READ_ONLY("id", SHAPE_STRING, "Id."),                      \
    FIELD_READ_ONLY("account_id", SHAPE_STRING, "Id of the account.")
#define FIELD_NAME                                                       \
    { .name = "name", .types = SHAPE_STRING,                             \
      .flags = SHAPE_REQUIRED | SHAPE_NAME, .len_min = 1, .len_max = 100, \
      .text = &text_plain, .about = "Name." }
#define FIELDS_TIMES                                  \
    FIELD_TIME("createdAt", "When it was created."),  \
    FIELD_TIME("updatedAt", "When it was last changed.")
#define FIELD_TAGS(least_role, unset)                                     \
    { .name = "tags", .types = SHAPE_STRINGS,                             \
      .flags = SHAPE_UNIQUE | SHAPE_TAGS, .len_max = 5, .item_max = 100,  \
      .text = &text_plain, .fallback = unset, .role = least_role,         \
      .about = "Labels: \"production\" or \"environment:production\"." }

/* "Name: value" or "Name": a condition on a header field (routing.c). */
extern const struct text_rule text_condition;
/* inspectBytes of what judges bodies. */
#define FIELD_INSPECT_BYTES                                      \
    { .name = "inspectBytes", .types = SHAPE_INTEGER, .min = 1024, \
      .max = INSPECT_BYTES_MAX, .fallback = "131072",             \
      .about = "So much of a body is judged." }

/* "must be whole numbers a JavaScript client can hold" */
enum { FIELD_LIFETIME_MAX = 999999999 };
#define FIELD_INT_MAX 9007199254740991

/* Rows of ratelimit, ratelimits[] and refill (policy.json.c). */
extern const struct shape_field limit_fields[], policy_limit_fields[],
    refill_fields[];

/* Rows of the rules object, in a profile and alone (jwt_rules.c). */
extern const struct shape_field jwt_rule_fields[];
/* Where keys are fetched: https, or http if the server allows it (key_set.c).
 * For a field that may also hold an id: others than URLs pass. */
extern const struct text_rule text_url;
int key_url_check(const struct shape_env *env, yyjson_mut_doc *doc,
                  yyjson_mut_val **value, struct shape_problem *why);
/* keys[] of a profile: JWK objects and PEM texts. */
int inline_keys_check(const struct shape_env *env, yyjson_mut_doc *doc,
                      yyjson_mut_val **value, struct shape_problem *why);
/* Of the rules object; `prefix` stands in front of each claim's path. Fills
 * all but kid_required; unset times are `unset`. */
struct jwt_rules;
struct jwt_prefix {
    struct sv at[4];
    uint8_t n;
};
int rules_decode(const yyjson_val *rules, const struct jwt_prefix *prefix,
                 int unset, struct arena *a, struct jwt_rules *out);

/* connect, firstByte, idle (application.c). */
extern const struct shape_field timeout_fields[];

/* Parts of an application (upstream.c, cors.c), and what holds between their
 * fields: on the canonical application, on the canonical object or NULL. */
extern const struct shape_field upstream_origin_fields[], balancing_fields[],
    health_fields[], breaker_fields[], retry_fields[], cors_fields[],
    monitor_fields[];
int origin_address_check(const struct shape_env *env, yyjson_mut_doc *doc,
                         yyjson_mut_val **value, struct shape_problem *why);
int upstream_rules(const struct shape_env *env, yyjson_mut_doc *doc,
                   struct shape_problem *why);
int cors_rules(yyjson_mut_val *cors, struct shape_problem *why);

/* Between fields: ratelimit and ratelimits exclude each other; names of
 * limits differ. On the canonical document. */
int policy_rules(yyjson_mut_doc *doc, struct shape_problem *why);

/* `expires`: seconds from now below 10^9, or RFC 3339; becomes absolute ms. */
int expires_check(const struct shape_env *env, yyjson_mut_doc *doc,
                  yyjson_mut_val **value, struct shape_problem *why);

#endif
