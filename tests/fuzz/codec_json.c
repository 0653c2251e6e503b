/* JSON: no input breaks the reader, and what is accepted is written to
 * something that is accepted and writes the same. */
#include <stdlib.h>

#include "codec/json.h"
#include "codec/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of(data, size);
    struct arena a;
    arena_init(&a, 1 << 20, NULL, 0);
    struct json_why why;
    yyjson_doc *doc, *again;
    if (json_decode(text, &a, &doc, &why) == 0) {
        int64_t number;
        json_is_int(yyjson_doc_get_root(doc), &number);
        struct sv once = json_encode_val(&a, yyjson_doc_get_root(doc));
        if (once.p) {
            must(!json_decode(once, &a, &again, &why));
            struct sv twice = json_encode_val(&a, yyjson_doc_get_root(again));
            must(!twice.p || sv_eq(once, twice));
        }
    }
    if (utf8_is_valid(text) && size < 4096) {
        struct buf b;
        buf_init(&b, 1 << 16);
        json_put_text(&b, text);
        must(!b.overflow);
        must(!json_decode(sv_of(b.p, b.n), &a, &doc, &why));
        must(sv_eq(json_text(yyjson_doc_get_root(doc)), text));
        buf_fini(&b);
    }
    arena_fini(&a);
    return 0;
}
