/* One growing array; a container's length and span are known when it ends. */
#include "codec/json_flat.h"

#include "base/ensure.h"
#include "base/mem.h"

void json_flat_init(struct json_flat *f, size_t max, yyjson_val *first,
                    size_t first_n)
{
    *f = (struct json_flat){
        .max = max, .values = first, .first = first, .cap = first_n
    };
}

void json_flat_fini(struct json_flat *f)
{
    if (f->values && f->values != f->first) mem_free(f->values);
    *f = (struct json_flat){ 0 };
}

void json_flat_clear(struct json_flat *f)
{
    f->n = f->depth = 0;
    f->failed = false;
}

static bool room_for(struct json_flat *f, size_t n)
{
    if (f->failed || n > f->max - f->n) {
        f->failed = true;
        return false;
    }
    if (f->n + n <= f->cap) return true;
    size_t cap = f->cap ? f->cap * 2 : 64;
    if (cap < f->n + n) cap = f->n + n;
    bool owned = f->values && f->values != f->first;
    yyjson_val *grown =
        mem_realloc_try(owned ? f->values : NULL, cap * sizeof *grown);
    if (!grown) {
        f->failed = true;
        return false;
    }
    if (!owned && f->n) memcpy(grown, f->first, f->n * sizeof *grown);
    f->values = grown;
    f->cap = cap;
    return true;
}

/* Counts values directly in a container: two a member of an object. */
static void put(struct json_flat *f, uint64_t tag, const char *text)
{
    if (!room_for(f, 1)) return;
    f->values[f->n++] = (yyjson_val){ .tag = tag, .uni.str = text };
    if (f->depth) f->values[f->open[f->depth - 1]].uni.u64++;
}

void json_flat_open(struct json_flat *f, bool object)
{
    if (f->depth == JSON_FLAT_DEPTH_MAX) f->failed = true;
    put(f, object ? YYJSON_TYPE_OBJ : YYJSON_TYPE_ARR, NULL);
    if (!f->failed) f->open[f->depth++] = f->n - 1;
}

void json_flat_close(struct json_flat *f)
{
    if (f->failed) return;
    ENSURE(f->depth);
    yyjson_val *v = &f->values[f->open[--f->depth]];
    uint64_t n = v->uni.u64;
    if ((v->tag & YYJSON_TYPE_MASK) == YYJSON_TYPE_OBJ) n /= 2;
    v->tag |= n << YYJSON_TAG_BIT;
    v->uni.ofs = (size_t)((f->values + f->n) - v) * sizeof *v;
}

void json_flat_text(struct json_flat *f, struct sv s)
{
    put(f, ((uint64_t)s.n << YYJSON_TAG_BIT) | YYJSON_TYPE_STR, s.p ? s.p : "");
}

void json_flat_number(struct json_flat *f, struct sv s)
{
    put(f, ((uint64_t)s.n << YYJSON_TAG_BIT) | YYJSON_TYPE_RAW, s.p);
}

void json_flat_bool(struct json_flat *f, bool v)
{
    put(f, YYJSON_TYPE_BOOL | (v ? YYJSON_SUBTYPE_TRUE : YYJSON_SUBTYPE_FALSE),
        NULL);
}

void json_flat_null(struct json_flat *f)
{
    put(f, YYJSON_TYPE_NULL, NULL);
}

void json_flat_repeat(struct json_flat *f, size_t from, size_t to)
{
    if (!room_for(f, to - from)) return;
    memcpy(f->values + f->n, f->values + from, (to - from) * sizeof *f->values);
    f->n += to - from;
    if (f->depth) f->values[f->open[f->depth - 1]].uni.u64++;
}
