/* YAML: no input breaks the reader, and what it makes is what JSON's own
 * reader makes of its text. */
#include <stdlib.h>

#include "base/err.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct yaml_doc doc;
    struct yaml_why why = { .reason = "" };
    if (size > 1 << 16) return 0;
    arena_init(&a, 64 << 20, NULL, 0);
    int rc = yaml_decode(sv_of(data, size), &a, &doc, &why);
    must(rc != ERR_INVALID || why.reason[0]);
    if (rc == 0) {
        yyjson_doc *again;
        struct sv once = json_encode_val(&a, doc.root);
        must(json_place_span(doc.root) == doc.values_n);
        if (once.p) {
            must(json_decode_exact(once, &a, &again, NULL) == 0);
            must(yyjson_doc_get_val_count(again) == doc.values_n);
            struct sv twice = json_encode_val(&a, yyjson_doc_get_root(again));
            must(!twice.p || sv_eq(once, twice));
        }
    }
    arena_fini(&a);
    return 0;
}
