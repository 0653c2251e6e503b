/* A request by a document: which operation, then its parameters and body. */
#include <limits.h>

#include "codec/openapi_int.h"
#include "codec/percent.h"

enum {
    REQUEST_VALUES_MAX = 1 << 18,
    FIRST_VALUES = 64,
    FIND_STEPS = 10000, /* segments looked at */
};

/* A segment that an origin may resolve would be judged as something that it
 * then is not. */
static bool path_has_dots(struct sv path)
{
    while (path.p)
        if (percent_has_dots(sv_cut(path, '/', &path))) return true;
    return false;
}

static uint32_t operation_of(const struct openapi *o, uint32_t path,
                             struct sv method)
{
    int m = openapi_method_of(method);
    const uint32_t *operations = o->paths[path - 1].operations;
    if (m < 0) return 0;
    if (!operations[m] && sv_eq(method, SV("HEAD")))
        m = openapi_method_of(SV("GET"));
    return operations[m];
}

static struct openapi_judgement unknown(unsigned status)
{
    return (struct openapi_judgement){ OPENAPI_UNKNOWN, status, UINT_MAX,
                                       UINT_MAX, false };
}

static bool is_wanted(const uint64_t *only, uint32_t operation)
{
    return !only || only[operation / 64] >> operation % 64 & 1;
}

bool openapi_wants_body(const struct openapi *o, struct sv method,
                        struct sv path, const uint64_t *only)
{
    struct schema_judge j = { .steps = FIND_STEPS };
    struct openapi_match match;
    openapi_match(o, path, &j, &match);
    if (!match.path) return j.steps == 0;
    uint32_t operation = operation_of(o, match.path, method);
    return operation && is_wanted(only, operation - 1) &&
           o->operations[operation - 1].has_body;
}

struct openapi_judgement openapi_judge(const struct openapi *o,
                                       const struct openapi_request *r,
                                       struct schema_judge *j)
{
    struct openapi_run run = { .o = o, .request = r, .j = j };
    struct openapi_match match;
    j->way = SCHEMA_REQUEST;
    if (path_has_dots(r->path)) {
        openapi_fail(&run, SV("/path"), "path", "has segments of dots");
        return (struct openapi_judgement){ OPENAPI_BLOCK, 400, UINT_MAX,
                                           UINT_MAX, false };
    }
    openapi_match(o, r->path, j, &match);
    if (!match.path && !j->steps)
        return (struct openapi_judgement){ OPENAPI_BLOCK, 400, UINT_MAX,
                                           UINT_MAX, true };
    if (!match.path) return unknown(404);
    uint32_t operation = operation_of(o, match.path, r->method);
    if (!operation) {
        struct openapi_judgement none = unknown(405);
        none.path = match.path - 1;
        return none;
    }
    if (!is_wanted(r->only, operation - 1))
        return (struct openapi_judgement){ OPENAPI_PASSED, 200, operation - 1,
                                           match.path - 1, false };
    const struct openapi_operation *op = &o->operations[operation - 1];
    yyjson_val first[FIRST_VALUES];
    json_flat_init(&run.flat, REQUEST_VALUES_MAX, first, FIRST_VALUES);
    openapi_parameters_judge(&run, op, &match);
    unsigned status = run.over ? 400 : openapi_body_judge(&run, op);
    json_flat_fini(&run.flat);
    bool good = !run.bad && !run.over;
    return (struct openapi_judgement){
        .verdict = good ? OPENAPI_OK : OPENAPI_BLOCK,
        .status = good            ? 200
                  : status == 415 ? 415
                                  : 400,
        .operation = operation - 1,
        .path = match.path - 1,
        .over = run.over,
    };
}
