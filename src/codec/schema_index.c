/* Names of schemas within the document ($id, $anchor, $dynamicAnchor) and
 * what references mean. */
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/percent.h"
#include "codec/schema_keywords_int.h"

enum { INDEX_DEPTH_MAX = 100 };

static struct sv anchor_key(struct schema_build *b, uint32_t resource,
                            struct sv name)
{
    return arena_printf(&b->arena, "%u#%.*s", resource, SV_FMT(name));
}

static int resource_add(struct schema_build *b, const yyjson_val *at,
                        struct sv id, uint32_t *resource)
{
    struct sv behind, uri = sv_cut(id, '#', &behind);
    if (behind.n)
        return schema_refuse(b, json_find(at, "$id"),
                             "$id must not have a fragment");
    uri = schema_uri_resolve(&b->arena, b->resources[*resource].uri, uri);
    if (!uri.p) return ERR_NOMEM;
    if (map_find(&b->by_uri, uri))
        return schema_refuse(b, json_find(at, "$id"),
                             "two schemas have this $id");
    struct schema_resource *slot = SCHEMA_PUSH(b, resources);
    if (!slot) return ERR_NOMEM;
    *slot = (struct schema_resource){ uri, at };
    *resource = b->resources_n - 1;
    map_put(&b->by_uri, uri, (void *)(uintptr_t)b->resources_n);
    return 0;
}

static bool name_is_plain(struct sv name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter =
            (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_';
        bool later = (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!letter && !(i && later)) return false;
    }
    return name.n > 0;
}

static int anchor_add(struct schema_build *b, const yyjson_val *at,
                      uint32_t resource, const char *keyword)
{
    const yyjson_val *value = json_find(at, keyword);
    struct sv name = json_text(value);
    if (!value) return 0;
    if (!name_is_plain(name))
        return schema_refuse(b, value, "%s must be a plain name", keyword);
    struct sv key = anchor_key(b, resource, name);
    if (!key.p) return ERR_NOMEM;
    const yyjson_val *old = map_put(&b->anchors, key, (void *)(uintptr_t)at);
    if (old && old != at)
        return schema_refuse(b, value, "two schemas have this anchor");
    if (keyword[1] != 'd') return 0;
    struct schema_anchor *anchor = SCHEMA_PUSH(b->program, anchors);
    if (!anchor) return ERR_NOMEM;
    *anchor = (struct schema_anchor){ arena_dup(&b->program->arena, name), at,
                                      resource, SCHEMA_NONE };
    return anchor->name.p ? 0 : ERR_NOMEM;
}

static int children_index(struct schema_build *b, const yyjson_val *value,
                          enum schema_shape shape, uint32_t resource, int depth)
{
    yyjson_val *val = unconst(value), *key, *item;
    size_t i, max;
    int rc = 0;
    if (shape == SHAPE_SCHEMA) return schema_index(b, val, resource, depth);
    if (shape == SHAPE_LIST) yyjson_arr_foreach(val, i, max, item)
        {
            if (rc == 0) rc = schema_index(b, item, resource, depth);
        }
    if (shape == SHAPE_MAP) yyjson_obj_foreach(val, i, max, key, item)
        {
            if (rc == 0) rc = schema_index(b, item, resource, depth);
        }
    return rc;
}

int schema_index(struct schema_build *b, const yyjson_val *at,
                 uint32_t resource, int depth)
{
    struct schema_mark *mark = &b->marks[at - b->root];
    yyjson_val *key, *value;
    size_t i, max;
    int rc = 0;
    if (mark->resource || !yyjson_is_obj(unconst(at))) return 0;
    if (depth > INDEX_DEPTH_MAX)
        return schema_refuse(b, at, "schemas lie too deep in each other");
    const yyjson_val *id = json_find(at, "$id");
    if (id && !yyjson_is_str(unconst(id)))
        return schema_refuse(b, id, "$id must be a text");
    if (id) rc = resource_add(b, at, json_text(id), &resource);
    mark->resource = resource + 1;
    if (rc == 0) rc = anchor_add(b, at, resource, "$anchor");
    if (rc == 0) rc = anchor_add(b, at, resource, "$dynamicAnchor");
    yyjson_obj_foreach(unconst(at), i, max, key, value)
    {
        unsigned k = schema_keyword_find(json_text(key), b->options.dialect);
        if (rc != 0 || k == KW_COUNT) continue;
        rc = children_index(b, value, schema_keywords[k].shape, resource,
                            depth + 1);
    }
    return rc;
}

static struct sv fragment_decode(struct arena *a, struct sv s)
{
    if (sv_find(s, '%') == SIZE_MAX) return s;
    char *p = arena_alloc(a, s.n);
    return sv_of(p, p ? percent_decode(p, s) : 0);
}

static const yyjson_val *fragment_find(struct schema_build *b,
                                       uint32_t resource, struct sv fragment,
                                       struct sv *anchor)
{
    const yyjson_val *root = b->resources[resource].root, *found;
    fragment = fragment_decode(&b->arena, fragment);
    if (!fragment.n || fragment.p[0] == '/')
        return json_place_find(root, fragment);
    struct sv key = anchor_key(b, resource, fragment);
    found = key.p ? map_find(&b->anchors, key) : NULL;
    if (found && sv_eq(json_text(json_find(found, "$dynamicAnchor")), fragment))
        *anchor = fragment;
    return found;
}

int schema_resolve(struct schema_build *b, const yyjson_val *from,
                   struct sv ref, const yyjson_val **out, struct sv *anchor_out)
{
    struct sv fragment, uri = sv_cut(ref, '#', &fragment);
    uint32_t base = b->marks[from - b->root].resource, resource;
    resource = base ? base - 1 : 0;
    *anchor_out = (struct sv){ NULL, 0 };
    *out = resource == 0 ? map_find(&b->pointers, ref) : NULL;
    if (*out) return 0;
    if (uri.n) {
        uri = schema_uri_resolve(&b->arena, b->resources[resource].uri, uri);
        if (!uri.p) return ERR_NOMEM;
        uintptr_t known = (uintptr_t)map_find(&b->by_uri, uri);
        if (!known)
            return schema_refuse(b, from,
                                 "'%.*s' is not in this document; references "
                                 "do not leave it",
                                 (int)(ref.n < 100 ? ref.n : 100), ref.p);
        resource = (uint32_t)(known - 1);
    }
    *out = fragment_find(b, resource, fragment, anchor_out);
    if (!*out)
        return schema_refuse(b, from, "nothing is at '%.*s'",
                             (int)(ref.n < 140 ? ref.n : 140), ref.p);
    if (base <= 1 && !uri.n && fragment.n && fragment.p[0] == '/')
        map_put(&b->pointers, ref, (void *)(uintptr_t)*out);
    if (b->options.dialect == SCHEMA_OPENAPI_30) return 0;
    return schema_index(b, *out, resource, 0);
}
