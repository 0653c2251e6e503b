/* A schema profile as traffic reads it (gateway.md §1, step 14): its document
 * compiled once (plan/compiled.h), shared by the images that name it. */
#ifndef PLAN_SCHEMA_H
#define PLAN_SCHEMA_H

#include <limits.h>

#include "codec/openapi.h"
#include "model/schema.h"
#include "plan/body.h"
#include "plan/compiled.h"

struct plan_coverage;

struct plan_schema {
    struct schema_profile profile;
    struct openapi *document;
    const uint64_t *only; /* a bit an operation that is protected; NULL: all */
    struct plan_body body;
    struct plan_coverage *coverage; /* which operations were seen */
    size_t bytes;         /* that the program takes */
};
/* Built of the record and the document beside it. ERR_INVALID: the document has
 * an error, or an endpoint of the profile is none of its operations. */
extern const struct compiled_type plan_schema_type;

/* Compiles and looks the profile's endpoints up, for the profile's creation as
 * well: *document is the caller's. ERR_INVALID with the report, or (*endpoint
 * not UINT32_MAX) an endpoint that the document does not have. */
int plan_schema_compile(const struct schema_profile *profile, struct sv text,
                        struct arena *a, struct openapi_report *report,
                        struct openapi **document, const uint64_t **only,
                        uint32_t *endpoint);
/* How many operations of the document are protected. */
unsigned plan_schema_protected(const struct openapi *document,
                               const uint64_t *only);

#endif
