/* A schema-validation profile (gateway.md §6). The OpenAPI document itself lies
 * beside the record (store_document_*, name "openapi"): in the record stands
 * its digest alone, so that a record can be read, listed and audited without
 * its 16 MiB. */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include "base/arena.h"
#include "model/security.h"

enum {
    SCHEMA_ENDPOINTS_MAX = 10000,  /* of any setting */
    SCHEMA_ENDPOINT_CHARS = 2100,  /* "DELETE /a/path" */
    SCHEMA_SAMPLE_MAX = 10000,
    SCHEMA_DIGEST_TEXT = 7 + 64,   /* "sha256:" and hex */
};
#define SCHEMA_DOCUMENT "openapi" /* its name beside the record */

/* What happens to a request that is not as the document says, or that the
 * document does not know. */
enum schema_rule { SCHEMA_RULE_BLOCK, SCHEMA_RULE_LOG, SCHEMA_RULE_ALLOW };

struct schema_profile {
    struct sv id, account_id, name;
    struct sv digest;           /* of the document: "sha256:…" */
    enum schema_rule rule;      /* BLOCK or LOG */
    enum schema_rule unknown;   /* of what no operation describes */
    const struct sv *endpoints; /* "METHOD /path" or "/path"; none: all */
    uint32_t endpoints_n;
    bool responses;             /* answers are judged, to be logged */
    uint32_t sample;            /* … one of so many */
    uint32_t inspect_bytes;
    bool over_blocks;           /* longer bodies are refused */
    enum fault_rule on_fault;   /* DEFAULT: closed where it blocks */
};
int schema_profile_decode(struct sv doc, struct arena *a,
                          struct schema_profile *out);

/* "GET /pets" -> "GET" and "/pets"; the method is "" when it names none. */
bool schema_endpoint_parse(struct sv text, struct sv *method, struct sv *path);

#endif
