/* A header field of the request that is judged, for what a rule compares with
 * it: of the request itself, or as telemetry tells of it (api.md §10). */
#include "check/check.h"

static bool head_once(const struct http_head *h, struct sv name,
                      struct sv *value)
{
    unsigned next = 0;
    const struct http_field *field = http_head_find_text(h, name, &next);
    if (!field || http_head_find_text(h, name, &next)) return false;
    *value = field->value;
    return true;
}

/* Values are strings, or arrays of strings: each is one field. */
static bool telemetry_once(const yyjson_val *headers, struct sv name,
                           struct sv *value)
{
    yyjson_val *key, *v, *member, *found = NULL;
    size_t i, n, k, m, times = 0;
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)headers, i, n, key, v)
    {
        if (!sv_eq_nocase(json_text(key), name)) continue;
        if (!yyjson_is_arr(v)) {
            found = v;
            times++;
            continue;
        }
        yyjson_arr_foreach(v, k, m, member)
        {
            found = member;
            times++;
        }
    }
    if (times != 1 || !yyjson_is_str(found)) return false;
    *value = sv_trim(json_text(found));
    return true;
}

bool check_header_once(const struct exchange *x, struct sv name,
                       struct sv *value)
{
    if (x->head) return head_once(x->head, name, value);
    return x->headers && telemetry_once(x->headers, name, value);
}
