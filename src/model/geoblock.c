/* Geoblock and lists of networks: fields, defaults, typed values. */
#include "model/geoblock.h"

#include "base/err.h"
#include "model/doc_int.h"

enum { AREAS_MAX = 300, AREA_TEXT_MAX = 1000, NETWORK_TEXT_MAX = 50 };

static const char *const answers[] = { "allow", "block", NULL };

static bool network_ok(struct sv s)
{
    struct cidr ignored;
    return cidr_parse(s, &ignored) == 0;
}

static const struct text_rule text_network = {
    NULL,
    "must be an IP address or a network such as 192.0.2.0/24, without host "
    "bits",
    network_ok,
};

#define FIELD_LIST(called, least, most, item, rule, say)               \
    {                                                                  \
        .name = called, .types = SHAPE_STRINGS, .len_min = least,      \
        .len_max = most, .item_max = item, .text = &rule, .about = say \
    }
#define FIELD_AREAS(called, say) \
    FIELD_LIST(called, 1, AREAS_MAX, AREA_TEXT_MAX, text_area, say)
#define FIELD_NETWORKS(called, say) \
    FIELD_LIST(called, 0, IP_LIST_MAX, NETWORK_TEXT_MAX, text_network, say)

const struct shape_field geoblock_fields[] = {
    FIELD_AREAS("allow", "Areas that may call; all others are refused."),
    FIELD_AREAS("deny", "Areas that are refused; all others may call."),
    { .name = "unknown",
      .types = SHAPE_STRING,
      .options = answers,
      .about = "Addresses of no known country; default block with an "
               "allow-list, allow with a deny-list." },
    { 0 },
};

const struct shape_field ip_lists_fields[] = {
    FIELD_NETWORKS("allow", "Networks that may call."),
    FIELD_NETWORKS("deny", "Networks that are refused; of both lists the "
                           "longest prefix decides."),
    { .name = "other",
      .types = SHAPE_STRING,
      .options = answers,
      .about = "Addresses in neither list; default block with an allow-list "
               "alone, else allow." },
    { 0 },
};

int geoblock_check(const struct shape_env *env, yyjson_mut_doc *doc,
                   yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)doc;
    bool allow = yyjson_mut_obj_get(*value, "allow") != NULL;
    bool deny = yyjson_mut_obj_get(*value, "deny") != NULL;
    if (allow == deny)
        return shape_problem_set(why, NULL, "invalid_value",
                                 "must have either allow or deny");
    return 0;
}

/* --- typed --------------------------------------------------------------------- */

/* ERR_CORRUPT: neither of the two. */
static int answer_of(const yyjson_val *object, const char *name, bool unset,
                     bool *blocks)
{
    yyjson_val *v = json_find(object, name);
    *blocks =
        v && !yyjson_is_null(v) ? yyjson_equals_str(v, answers[1]) : unset;
    return !v || yyjson_is_null(v) || *blocks ||
                   yyjson_equals_str(v, answers[0])
               ? 0
               : ERR_CORRUPT;
}

static bool is_none(const yyjson_val *v)
{
    return !v || yyjson_is_null((yyjson_val *)(uintptr_t)v);
}

int geoblock_decode(const yyjson_val *v, struct geoblock *out)
{
    memset(out, 0, sizeof *out);
    if (is_none(v)) return 0;
    yyjson_val *allow = json_find(v, "allow"), *item;
    yyjson_val *list = allow ? allow : json_find(v, "deny");
    size_t i, max;
    if (!yyjson_is_arr(list)) return ERR_CORRUPT;
    yyjson_arr_foreach(
        list, i, max,
        item) if (area_set_add(&out->areas,
                               json_text(item))) return ERR_CORRUPT;
    out->on = true;
    out->allows = allow != NULL;
    return answer_of(v, "unknown", out->allows, &out->unknown_blocks);
}

int ip_lists_decode(const yyjson_val *v, struct arena *a, struct ip_lists *out)
{
    memset(out, 0, sizeof *out);
    if (is_none(v)) return 0;
    size_t allow_n = 0, deny_n = 0;
    int rc = cidrs_decode(json_find(v, "allow"), IP_LIST_MAX, a, &out->allow,
                          &allow_n);
    if (rc == 0)
        rc = cidrs_decode(json_find(v, "deny"), IP_LIST_MAX, a, &out->deny,
                          &deny_n);
    if (rc) return rc;
    out->allow_n = (uint32_t)allow_n;
    out->deny_n = (uint32_t)deny_n;
    return answer_of(v, "other", out->allow_n && !out->deny_n,
                     &out->other_blocks);
}
