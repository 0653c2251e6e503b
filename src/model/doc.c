/* Readers of stored documents. They were checked when they were written: what
 * does not fit is ERR_CORRUPT, never repaired. */
#include "model/doc_int.h"

#include "base/err.h"

int decode_begin(struct decode_scratch *s, struct sv doc,
                 const yyjson_val **root)
{
    enum { BUDGET = 1 << 20, BYTES_A_BYTE = 64 }; /* lists may be long */
    yyjson_doc *parsed = NULL;
    arena_init(&s->arena, BUDGET + doc.n * BYTES_A_BYTE, s->first,
               sizeof s->first);
    int rc = json_decode(doc, &s->arena, &parsed, NULL);
    *root = yyjson_doc_get_root(parsed);
    if (rc == 0 && yyjson_is_obj((yyjson_val *)(uintptr_t)*root)) return 0;
    return rc == ERR_NOMEM ? rc : ERR_CORRUPT;
}

int doc_decode(struct sv doc, struct arena *a, doc_decode_fn *decode, void *out,
               size_t n)
{
    struct decode_scratch scratch;
    const yyjson_val *root;
    memset(out, 0, n);
    int rc = decode_begin(&scratch, doc, &root);
    if (rc == 0) rc = decode(root, a, out);
    arena_fini(&scratch.arena);
    if (rc == ERR_INVALID) rc = ERR_CORRUPT;
    return a->overflow ? ERR_NOMEM : rc;
}

struct sv text_decode(const yyjson_val *object, const char *name,
                      struct arena *a)
{
    struct sv s = json_text(json_find(object, name));
    return s.n ? arena_dup(a, s) : SV("");
}

int identity_decode(const yyjson_val *root, struct arena *a, struct sv *id,
                    struct sv *account_id, struct sv *name)
{
    *id = text_decode(root, "id", a);
    *account_id = text_decode(root, "account_id", a);
    *name = text_decode(root, "name", a);
    return id->n && account_id->n && name->n ? 0 : ERR_CORRUPT;
}

bool bool_decode(const yyjson_val *object, const char *name, bool unset)
{
    yyjson_val *v = json_find(object, name);
    return yyjson_is_bool(v) ? yyjson_get_bool(v) : unset;
}

int64_t int_decode(const yyjson_val *object, const char *name, int64_t unset)
{
    int64_t n;
    return json_is_int(json_find(object, name), &n) ? n : unset;
}

uint32_t count_decode(const yyjson_val *object, const char *name, uint32_t max)
{
    int64_t n = int_decode(object, name, 0);
    return n > 0 && n <= max ? (uint32_t)n : 0;
}

int option_decode(const yyjson_val *object, const char *name,
                  const char *const *options)
{
    yyjson_val *v = json_find(object, name);
    if (!v || yyjson_is_null(v)) return 0;
    for (int i = 0; options[i]; i++)
        if (yyjson_equals_str(v, options[i])) return i;
    return -1;
}

int cidrs_decode(const yyjson_val *list, size_t max, struct arena *a,
                 const struct cidr **out, size_t *n)
{
    yyjson_val *v = (yyjson_val *)(uintptr_t)list, *item;
    size_t i, last, count = yyjson_arr_size(v);
    if (count > max) return ERR_CORRUPT;
    if (count == 0) return 0;
    struct cidr *nets = ARENA_ARRAY(a, struct cidr, count);
    if (!nets) return ERR_NOMEM;
    yyjson_arr_foreach(v, i, last, item)
    {
        if (cidr_parse(json_text(item), &nets[i])) return ERR_CORRUPT;
    }
    *out = nets;
    *n = count;
    return 0;
}
