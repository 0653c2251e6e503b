/* Walking down by pointer, and down to a value by its index. */
#include "codec/json_place.h"

#include "codec/json.h"

static bool step_is(struct sv name, struct sv step)
{
    size_t at = 0;
    for (size_t i = 0; i < step.n; i++, at++) {
        char c = step.p[i];
        if (c == '~' && i + 1 < step.n && (step.p[i + 1] | 1) == '1')
            c = step.p[++i] == '0' ? '~' : '/';
        if (at >= name.n || name.p[at] != c) return false;
    }
    return at == name.n;
}

static const yyjson_val *child(const yyjson_val *v, struct sv step)
{
    yyjson_val *val = (yyjson_val *)(uintptr_t)v, *key, *member;
    size_t i, max;
    uint64_t index;
    if (yyjson_is_arr(val))
        return sv_to_u64(step, SIZE_MAX, &index) &&
                       (step.n == 1 || step.p[0] != '0')
                   ? yyjson_arr_get(val, (size_t)index)
                   : NULL;
    if (!yyjson_is_obj(val)) return NULL;
    yyjson_obj_foreach(val, i, max, key, member)
    {
        if (step_is(json_text(key), step)) return member;
    }
    return NULL;
}

const yyjson_val *json_place_find(const yyjson_val *root, struct sv pointer)
{
    if (pointer.n && pointer.p[0] != '/') return NULL;
    while (root && pointer.n) {
        struct sv rest, step = sv_cut(sv_from(pointer, 1), '/', &rest);
        root = child(root, step);
        pointer = sv_from(pointer, 1 + step.n);
    }
    return root;
}

void json_place_put_step(struct buf *b, struct sv name)
{
    buf_putc(b, '/');
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '~' || name.p[i] == '/')
            buf_puts(b, name.p[i] == '~' ? "~0" : "~1");
        else
            buf_putc(b, name.p[i]);
}

void json_place_put(struct buf *b, const yyjson_val *root, const yyjson_val *v)
{
    while (root < v && v < json_place_next(root)) {
        bool object = unsafe_yyjson_is_obj((yyjson_val *)(uintptr_t)root);
        const yyjson_val *at = root + 1, *key = NULL;
        size_t index = 0;
        for (;; index++) {
            key = at;
            if (object) at = json_place_next(at);
            if (v < json_place_next(at)) break;
            at = json_place_next(at);
        }
        if (object)
            json_place_put_step(b, json_text(key));
        else
            buf_printf(b, "/%zu", index);
        if (v == key && object) return; /* the key itself: its member */
        root = at;
    }
}
