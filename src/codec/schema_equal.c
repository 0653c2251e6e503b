/* Equality of JSON values, numbers by value, and arrays without repetition:
 * few items are compared each with each, many through a table of hashes that
 * outsiders cannot aim at. */
#include "base/hash.h"
#include "codec/schema_run_int.h"

enum { FEW_ITEMS = 12 };

static bool objects_equal(struct schema_run *r, const yyjson_val *a,
                          const yyjson_val *b)
{
    yyjson_val *key, *value;
    yyjson_obj_iter it = yyjson_obj_iter_with(unconst_val(b));
    size_t i, max, n = yyjson_obj_size(unconst_val(a));
    yyjson_obj_foreach(unconst_val(a), i, max, key, value)
    {
        struct sv name = json_text(key);
        /* goes on from the last one found: cheap in the same order */
        const yyjson_val *same = yyjson_obj_iter_getn(&it, name.p, name.n);
        if (!same || !run_spend(r, 1 + n / 64) || !schema_equal(r, value, same))
            return false;
    }
    return true;
}

static bool arrays_equal(struct schema_run *r, const yyjson_val *a,
                         const yyjson_val *b)
{
    yyjson_val *item, *other = yyjson_arr_get_first(unconst_val(b));
    size_t i, max;
    yyjson_arr_foreach(unconst_val(a), i, max, item)
    {
        if (!schema_equal(r, item, other)) return false;
        other = unsafe_yyjson_get_next(other);
    }
    return true;
}

bool schema_equal(struct schema_run *r, const yyjson_val *a,
                  const yyjson_val *b)
{
    if (decimal_is_number(a) || decimal_is_number(b)) {
        struct decimal x, y;
        return decimal_of(a, &x) && decimal_of(b, &y) &&
               decimal_cmp(&x, &y) == 0;
    }
    yyjson_type type = yyjson_get_type(unconst_val(a));
    if (type != yyjson_get_type(unconst_val(b))) return false;
    if (type == YYJSON_TYPE_BOOL)
        return yyjson_is_true(unconst_val(a)) == yyjson_is_true(unconst_val(b));
    if (type == YYJSON_TYPE_STR) return sv_eq(json_text(a), json_text(b));
    if (type == YYJSON_TYPE_NULL) return true;
    if (unsafe_yyjson_get_len(unconst_val(a)) !=
            unsafe_yyjson_get_len(unconst_val(b)) ||
        !run_spend(r, 1))
        return false;
    return type == YYJSON_TYPE_OBJ ? objects_equal(r, a, b)
                                   : arrays_equal(r, a, b);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t value_hash(struct schema_run *r, const yyjson_val *v)
{
    yyjson_type type = yyjson_get_type(unconst_val(v));
    yyjson_val *key, *item;
    size_t i, max;
    uint64_t h = 0;
    if (!run_spend(r, 1)) return 0;
    if (decimal_is_number(v)) {
        struct decimal d;
        return decimal_of(v, &d) ? decimal_hash(&d) : 0;
    }
    if (type == YYJSON_TYPE_STR) return hash_sv(json_text(v));
    if (type == YYJSON_TYPE_BOOL) return yyjson_is_true(unconst_val(v)) + 1u;
    if (type == YYJSON_TYPE_ARR)
        yyjson_arr_foreach(unconst_val(v), i, max, item)
        {
            h = mix(h, value_hash(r, item));
        }
    if (type == YYJSON_TYPE_OBJ) /* in any order */
        yyjson_obj_foreach(unconst_val(v), i, max, key, item)
        {
            h += mix(hash_sv(json_text(key)), value_hash(r, item));
        }
    return mix(h, type);
}

struct seen {
    uint64_t hash;
    const yyjson_val *item; /* NULL: free */
    size_t index;
};

static bool many_are_unique(struct schema_run *r, const yyjson_val *array,
                            size_t *one, size_t *other)
{
    size_t n = yyjson_arr_size(unconst_val(array)), slots = 32, i, max;
    yyjson_val *item;
    while (slots < 2 * n) slots *= 2;
    struct seen *table = run_spend(r, slots / 16)
                             ? ARENA_ARRAY(r->j->arena, struct seen, slots)
                             : NULL;
    if (!table) {
        r->over = true;
        return false;
    }
    yyjson_arr_foreach(unconst_val(array), i, max, item)
    {
        uint64_t hash = value_hash(r, item);
        size_t at = mix(hash, 0) & (slots - 1);
        for (; table[at].item; at = (at + 1) & (slots - 1)) {
            if (!run_spend(r, 1)) return false;
            if (table[at].hash != hash ||
                !schema_equal(r, table[at].item, item))
                continue;
            *one = table[at].index;
            *other = i;
            return false;
        }
        if (r->over) return false;
        table[at] = (struct seen){ hash, item, i };
    }
    return true;
}

bool schema_is_unique(struct schema_run *r, const yyjson_val *array,
                      size_t *one, size_t *other)
{
    size_t n = yyjson_arr_size(unconst_val(array)), i, max;
    yyjson_val *item, *items[FEW_ITEMS];
    if (n > FEW_ITEMS) return many_are_unique(r, array, one, other);
    yyjson_arr_foreach(unconst_val(array), i, max, item)
    {
        items[i] = item;
        for (size_t k = 0; k < i; k++) {
            if (!schema_equal(r, items[k], item)) {
                if (!run_spend(r, 1)) return false;
                continue;
            }
            *one = k;
            *other = i;
            return false;
        }
    }
    return true;
}
