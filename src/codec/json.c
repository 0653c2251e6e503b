/* yyjson reads without recursion; the second walk below looks for what it
 * lets through. */
#include "codec/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "codec/rfc3339.h"

static void *arena_malloc(void *ctx, size_t n)
{
    return arena_alloc(ctx, n);
}

static void *arena_realloc(void *ctx, void *old, size_t old_n, size_t n)
{
    void *p = arena_alloc(ctx, n);
    if (p && old) memcpy(p, old, old_n < n ? old_n : n);
    return p;
}

static void arena_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

yyjson_alc json_alc(struct arena *a)
{
    return (yyjson_alc){ arena_malloc, arena_realloc, arena_free, a };
}

struct walk {
    struct arena *arena;
    struct json_why *why;
};

static int refuse(struct walk *w, const char *reason, struct sv member)
{
    *w->why = (struct json_why){ .reason = reason, .member = member };
    return ERR_INVALID;
}

static int by_name(const void *a, const void *b)
{
    return sv_cmp(*(const struct sv *)a, *(const struct sv *)b);
}

enum { FEW_MEMBERS = 64 };

static bool is_among_first(yyjson_val *object, size_t n, struct sv name)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        if (i == n) break;
        if (sv_eq(json_text(key), name)) return true;
    }
    return false;
}

/* A name is compared with those before it only if one of them may be it. */
static int few_members_check(struct walk *w, yyjson_val *object)
{
    uint64_t seen[4] = { 0 };
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        struct sv name = json_text(key);
        unsigned mark = (unsigned)(hash_ends(name) >> 56); /* of 256 */
        uint64_t bit = UINT64_C(1) << mark % 64;
        if (seen[mark / 64] & bit && is_among_first(object, i, name))
            return refuse(w, "duplicate member", name);
        seen[mark / 64] |= bit;
    }
    return 0;
}

/* Many members are sorted. */
static int members_check(struct walk *w, yyjson_val *object)
{
    size_t n = yyjson_obj_size(object), i, max;
    if (n <= FEW_MEMBERS) return n > 1 ? few_members_check(w, object) : 0;
    struct sv *names = ARENA_ARRAY(w->arena, struct sv, n);
    if (!names) return ERR_NOMEM;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        names[i] = json_text(key);
    }
    qsort(names, n, sizeof *names, by_name);
    for (i = 1; i < n; i++)
        if (sv_eq(names[i], names[i - 1]))
            return refuse(w, "duplicate member", names[i]);
    return 0;
}

/* Values lie in one array, a container before what is in it. */
static int values_check(struct walk *w, yyjson_val *root)
{
    const yyjson_val *ends[JSON_DEPTH_MAX], *end = unsafe_yyjson_get_next(root);
    int depth = 0, rc = 0;
    for (yyjson_val *v = root; rc == 0 && v < end; v++) {
        if (!unsafe_yyjson_is_ctn(v)) continue;
        while (depth && v >= ends[depth - 1]) depth--;
        if (depth == JSON_DEPTH_MAX)
            return refuse(w, "more than 64 levels", (struct sv){ 0 });
        ends[depth++] = unsafe_yyjson_get_next(v);
        if (unsafe_yyjson_is_obj(v)) rc = members_check(w, v);
    }
    return rc;
}

static int decode(struct sv text, yyjson_read_flag flags, struct arena *a,
                  yyjson_doc **out, struct json_why *why)
{
    struct json_why ignored;
    struct walk w = { a, why ? why : &ignored };
    yyjson_alc alc = json_alc(a);
    yyjson_read_err bad = { 0 };
    *w.why = (struct json_why){ 0 };
    *out = NULL;
    /* Without YYJSON_READ_INSITU the input is not written to. */
    yyjson_doc *doc = yyjson_read_opts(
        (char *)(uintptr_t)(text.p ? text.p : ""), text.n, flags, &alc, &bad);
    if (!doc && bad.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return ERR_NOMEM;
    if (!doc) {
        w.why->reason = bad.msg;
        w.why->at = bad.pos;
        return ERR_INVALID;
    }
    int rc = values_check(&w, yyjson_doc_get_root(doc));
    if (rc == 0) *out = doc;
    return rc;
}

int json_decode(struct sv text, struct arena *a, yyjson_doc **out,
                struct json_why *why)
{
    return decode(text, 0, a, out, why);
}

int json_decode_exact(struct sv text, struct arena *a, yyjson_doc **out,
                      struct json_why *why)
{
    return decode(text, YYJSON_READ_NUMBER_AS_RAW, a, out, why);
}

struct sv json_encode(struct arena *a, const yyjson_mut_val *v)
{
    yyjson_alc alc = json_alc(a);
    size_t n = 0;
    char *p = yyjson_mut_val_write_opts((yyjson_mut_val *)(uintptr_t)v, 0, &alc,
                                        &n, NULL);
    return sv_of(p, p ? n : 0);
}

struct sv json_encode_val(struct arena *a, const yyjson_val *v)
{
    yyjson_alc alc = json_alc(a);
    size_t n = 0;
    char *p =
        yyjson_val_write_opts((yyjson_val *)(uintptr_t)v, 0, &alc, &n, NULL);
    return sv_of(p, p ? n : 0);
}

bool json_is_int(const yyjson_val *v, int64_t *out)
{
    yyjson_val *val = (yyjson_val *)(uintptr_t)v;
    if (yyjson_is_uint(val)) {
        uint64_t u = yyjson_get_uint(val);
        *out = (int64_t)u;
        return u <= INT64_MAX;
    }
    if (yyjson_is_sint(val)) {
        *out = yyjson_get_sint(val);
        return true;
    }
    double d = yyjson_is_real(val) ? yyjson_get_real(val) : NAN;
    if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0) || d != trunc(d))
        return false;
    *out = (int64_t)d;
    return true;
}

void json_put_text(struct buf *b, struct sv s)
{
    buf_putc(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buf_put(b, sv_of(s.p + from, i - from));
        from = i + 1;
        if (c >= 0x20)
            buf_printf(b, "\\%c", c);
        else
            buf_printf(b, "\\u%04x", c);
    }
    buf_put(b, sv_from(s, from));
    buf_putc(b, '"');
}

void json_put_name(struct buf *b, const char *name)
{
    char last = b->n ? b->p[b->n - 1] : '{';
    if (last != '{' && last != '[') buf_putc(b, ',');
    buf_putc(b, '"');
    buf_puts(b, name);
    buf_puts(b, "\":");
}

void json_put_member(struct buf *b, const char *name, struct sv text)
{
    json_put_name(b, name);
    json_put_text(b, text);
}

void json_put_u64(struct buf *b, const char *name, uint64_t n)
{
    json_put_name(b, name);
    buf_put_u64(b, n);
}

void json_put_bool(struct buf *b, const char *name, bool v)
{
    json_put_name(b, name);
    buf_puts(b, v ? "true" : "false");
}

void json_put_null(struct buf *b, const char *name)
{
    json_put_name(b, name);
    buf_puts(b, "null");
}

void json_put_time(struct buf *b, const char *name, int64_t wall_ms)
{
    char at[RFC3339_TEXT];
    if (!wall_ms) {
        json_put_null(b, name);
        return;
    }
    rfc3339_encode(at, wall_ms);
    json_put_member(b, name, sv_of(at, sizeof at));
}
