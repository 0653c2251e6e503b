/* Schema profiles: the field table of gateway.md §6, and the typed form. */
#include "model/schema.h"

#include "base/ensure.h"
#include "base/err.h"
#include "model/fields_int.h"

static const char *const rules_of[] = { "block", "log", NULL };
static const char *const unknowns[] = { "block", "log", "allow", NULL };
static const char *const answers[] = { "off", "log", NULL };
static const char *const overs[] = { "block", "pass", NULL };
static const char *const faults[] = { "closed", "open", NULL };

bool schema_endpoint_parse(struct sv text, struct sv *method, struct sv *path)
{
    size_t blank = sv_find(text, ' ');
    *method = blank == SIZE_MAX ? SV("") : sv_first(text, blank);
    *path = blank == SIZE_MAX ? text : sv_from(text, blank + 1);
    for (size_t i = 0; i < method->n; i++)
        if (method->p[i] < 'A' || method->p[i] > 'Z') return false;
    return path->n && path->p[0] == '/' && (blank == SIZE_MAX || method->n);
}

static bool endpoint_ok(struct sv s)
{
    struct sv method, path;
    return schema_endpoint_parse(s, &method, &path) && text_plain.ok(s);
}

static const struct text_rule text_endpoint = {
    NULL,
    "must be \"/path\" or \"METHOD /path\", as in the document",
    endpoint_ok,
};

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "rule",
      .types = SHAPE_STRING,
      .options = rules_of,
      .fallback = "\"block\"",
      .about = "Requests that are not as the document says are refused, or "
               "only logged." },
    { .name = "openapi",
      .types = SHAPE_STRING | SHAPE_MAP,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = 16 << 20,
      .about = "The OpenAPI document, 3.0 or 3.1: an object, or a text of JSON "
               "or YAML. Lists do not show it." },
    { .name = "endpoints",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_max = SCHEMA_ENDPOINTS_MAX,
      .item_max = SCHEMA_ENDPOINT_CHARS,
      .text = &text_endpoint,
      .fallback = "[]",
      .about = "What is protected: \"/path\" or \"METHOD /path\" of the "
               "document; none: all of it." },
    { .name = "unknownEndpoints",
      .types = SHAPE_STRING,
      .options = unknowns,
      .fallback = "\"log\"",
      .about = "Requests that no operation of the document describes." },
    { .name = "responses",
      .types = SHAPE_STRING,
      .options = answers,
      .fallback = "\"off\"",
      .about = "Are the origin's answers judged, to be logged?" },
    { .name = "responseSample",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = SCHEMA_SAMPLE_MAX,
      .fallback = "10",
      .about = "One answer of so many is judged." },
    FIELD_INSPECT_BYTES,
    { .name = "overLimit",
      .types = SHAPE_STRING,
      .options = overs,
      .about = "Longer bodies; default block with rule block, else pass." },
    { .name = "onFault",
      .types = SHAPE_STRING,
      .options = faults,
      .about = "What happens while a request cannot be judged; default closed "
               "with rule block, else open." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

const struct shape shape_schema = {
    .name = "Schema",
    .kind = KIND_SCHEMA,
    .fields = fields,
};

/* --- the typed form ------------------------------------------------------------------ */

static int endpoints_decode(yyjson_val *list, struct arena *a,
                            struct schema_profile *out)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *item;
    if (n > SCHEMA_ENDPOINTS_MAX) return ERR_CORRUPT;
    struct sv *to = ARENA_ARRAY(a, struct sv, n + 1);
    if (!to) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        to[i] = arena_dup(a, json_text(item));
    }
    out->endpoints = to;
    out->endpoints_n = (uint32_t)n;
    return 0;
}

static int decode(const yyjson_val *root, struct arena *a, void *to)
{
    struct schema_profile *out = to;
    int rule = option_decode(root, "rule", rules_of);
    int unknown = json_find(root, "unknownEndpoints")
                      ? option_decode(root, "unknownEndpoints", unknowns)
                      : SCHEMA_RULE_LOG;
    int answer = option_decode(root, "responses", answers);
    bool said = yyjson_is_str(json_find(root, "overLimit"));
    int over = said ? option_decode(root, "overLimit", overs) : rule;
    bool fault_said = yyjson_is_str(json_find(root, "onFault"));
    int fault = option_decode(root, "onFault", faults);
    if (rule < 0 || unknown < 0 || answer < 0 || over < 0 || fault < 0)
        return ERR_CORRUPT;
    out->rule = (enum schema_rule)rule;
    out->unknown = (enum schema_rule)unknown;
    out->responses = answer == 1;
    out->over_blocks = over == 0;
    out->on_fault =
        fault_said ? (enum fault_rule)(FAULT_CLOSED + fault) : FAULT_DEFAULT;
    out->sample = count_decode(root, "responseSample", SCHEMA_SAMPLE_MAX);
    out->inspect_bytes = count_decode(root, "inspectBytes", INSPECT_BYTES_MAX);
    if (!out->sample) out->sample = 10;
    if (!out->inspect_bytes) out->inspect_bytes = INSPECT_BYTES_DEFAULT;
    out->digest = text_decode(root, "openapi", a);
    int rc = identity_decode(root, a, &out->id, &out->account_id, &out->name);
    return rc ? rc : endpoints_decode(json_find(root, "endpoints"), a, out);
}

int schema_profile_decode(struct sv doc, struct arena *a,
                          struct schema_profile *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
