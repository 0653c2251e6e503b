/* A compiled document's tables; for codec/openapi_*.c alone. */
#ifndef CODEC_OPENAPI_INT_H
#define CODEC_OPENAPI_INT_H

#include "base/map.h"
#include "codec/json_flat.h"
#include "codec/openapi.h"
#include "codec/yaml.h"

enum openapi_in { IN_PATH, IN_QUERY, IN_HEADER, IN_COOKIE, IN_COUNT };

enum openapi_style {
    STYLE_SIMPLE, STYLE_LABEL, STYLE_MATRIX, STYLE_FORM, STYLE_SPACE,
    STYLE_PIPE, STYLE_DEEP, STYLE_COUNT
};

/* Where a value is judged, and how text becomes one. */
struct openapi_value {
    uint32_t schema;    /* SCHEMA_NONE: anything */
    uint8_t style;
    bool explode, is_json; /* is_json: `content` of a JSON type */
};

struct openapi_parameter {
    struct sv name;
    struct sv prefix; /* "/query/name", escaped */
    struct openapi_value value;
    uint8_t in, variable; /* in path: the how manyth of the template */
    bool required, allow_empty;
};

enum openapi_body_kind { BODY_OPAQUE, BODY_JSON, BODY_FORM, BODY_MULTIPART,
                         BODY_TEXT };

/* One member's `encoding`. */
struct openapi_encoding {
    struct sv name;
    struct sv content_type; /* p NULL: by its schema */
    uint8_t style;
    bool explode;
};

struct openapi_media {
    struct sv type; /* lower case, "a/b", may hold "*" */
    uint8_t kind;
    uint32_t schema;
    struct openapi_encoding *encodings;
    unsigned encodings_n;
};

struct openapi_medias {
    struct openapi_media *at;
    unsigned n;
};

/* What an operation says of answers: a status, a class ("2XX": 2), or all
 * others (0). */
struct openapi_response {
    uint16_t status;
    struct openapi_medias medias;
};

struct openapi_operation {
    struct sv method, path, id;
    struct openapi_parameter *parameters;
    struct openapi_medias medias;
    struct openapi_response *responses;
    unsigned parameters_n, responses_n;
    bool has_body, body_required;
};

/* A segment of templates, below those before it:
 * literals by name, then those with variables, the most literal first. */
struct openapi_segment {
    struct sv text;        /* as in the template, variables in braces */
    unsigned literals;     /* literal characters of it */
    uint32_t first, next;  /* child with variables, sibling; 0: none */
    uint32_t *slots;       /* literal children, index by hash */
    uint32_t slots_n, slots_mask;
    uint32_t path;         /* + 1: the template that ends here */
};

enum { OPENAPI_METHODS = 8, VARIABLES_MAX = 16 };

struct openapi_path {
    struct sv text;
    uint32_t operations[OPENAPI_METHODS]; /* + 1, by openapi_method_of() */
};

struct openapi {
    struct arena arena;
    struct schema *schema;
    struct openapi_segment *segments; /* [0] is the root */
    struct openapi_path *paths;
    struct openapi_operation *operations;
    uint32_t segments_n, paths_n, operations_n;
    uint32_t segments_cap, paths_cap, operations_cap;
    struct sv bases[8]; /* paths of servers, without trailing '/' */
    unsigned bases_n;
};

int openapi_method_of(struct sv method); /* -1: none that documents have */

/* --- loading ------------------------------------------------------------------- */

struct openapi_loader {
    struct openapi *o;
    const yyjson_val *root;
    size_t values_n;
    const struct yaml_mark *marks; /* NULL: JSON */
    struct schema_build *build;
    struct openapi_report *report;
    struct map ids; /* operationId -> anything */
    bool is_30, answers;
};

void openapi_note(struct openapi_loader *l, bool is_error,
                  const yyjson_val *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Follows a Reference Object; NULL (noted) when it leads nowhere. */
const yyjson_val *openapi_deref(struct openapi_loader *l, const yyjson_val *v);
/* Compiles the schema; false: noted. */
bool openapi_schema(struct openapi_loader *l, const yyjson_val *at,
                    uint32_t *out);
void openapi_paths_load(struct openapi_loader *l, const yyjson_val *paths);
/* `key`: the path as this item writes it. */
void openapi_operation_load(struct openapi_loader *l, uint32_t path,
                            int method, const yyjson_val *key,
                            const yyjson_val *item,
                            const yyjson_val *operation);
void openapi_medias_load(struct openapi_loader *l, const yyjson_val *content,
                         struct openapi_medias *out);
void openapi_responses_load(struct openapi_loader *l,
                            struct openapi_operation *op,
                            const yyjson_val *responses);
/* Adds a template; index of the path, or -1 (noted). */
int64_t openapi_path_add(struct openapi_loader *l, const yyjson_val *key);
/* Which variable of the template has the name, from 0; -1: none. */
int openapi_template_find(struct sv path, struct sv name);
bool openapi_media_is_json(struct sv type);

/* --- judging ------------------------------------------------------------------- */

struct openapi_match {
    uint32_t path; /* + 1; 0: none */
    struct sv variables[VARIABLES_MAX]; /* as sent, in the path's order */
    unsigned n;
};

/* None, and no steps left in the judge: it cannot be told. */
void openapi_match(const struct openapi *o, struct sv path,
                   struct schema_judge *j, struct openapi_match *m);

struct openapi_pair {
    struct sv name, value; /* name decoded, value as sent; p NULL: no '=' */
};

/* One judgement. */
struct openapi_run {
    const struct openapi *o;
    const struct openapi_request *request;
    struct schema_judge *j;
    struct json_flat flat; /* values that are not JSON text */
    struct openapi_pair *query;
    unsigned query_n;
    bool query_read, bad, over;
};

/* Percent-decoded, in the arena when that changes it; '+' too if `plus`.
 * p NULL: not UTF-8, or no room. */
struct sv openapi_decode(struct openapi_run *run, struct sv s, bool plus);
/* name=value&…; *out NULL: too many, or no room. */
void openapi_pairs_read(struct openapi_run *run, struct sv text,
                        struct openapi_pair **out, unsigned *n);
/* Adds a text to run->flat as the value that the schema wants. */
void openapi_put_text(struct openapi_run *run, uint32_t schema, struct sv text);
/* Pairs as one object, by the schema and the encodings of a form. */
void openapi_put_form(struct openapi_run *run, uint32_t schema,
                      const struct openapi_pair *pairs, unsigned n,
                      const struct openapi_encoding *encodings,
                      unsigned encodings_n);
/* The members below `name[…]`: an object or an array. False: there is none. */
bool openapi_put_deep(struct openapi_run *run, uint32_t schema,
                      const struct openapi_pair *pairs, unsigned n,
                      struct sv name, bool plus);
void openapi_put_multipart(struct openapi_run *run,
                           const struct openapi_media *media,
                           struct sv boundary, struct sv body);
/* Judges what run->flat holds, or a value. */
void openapi_judge_flat(struct openapi_run *run, uint32_t schema,
                        struct sv prefix);
void openapi_judge_value(struct openapi_run *run, uint32_t schema,
                         struct sv prefix, const yyjson_val *v);
void openapi_parameters_judge(struct openapi_run *run,
                              const struct openapi_operation *op,
                              const struct openapi_match *m);
unsigned openapi_body_judge(struct openapi_run *run,
                            const struct openapi_operation *op);
/* The media for a type of content: the same, else the narrowest range; NULL:
 * none. `lower` holds the type in small letters. */
const struct openapi_media *openapi_media_find(const struct openapi_medias *of,
                                               struct sv field, char lower[256],
                                               struct sv *type);
/* The body as JSON by the schema. */
void openapi_judge_json(struct openapi_run *run, uint32_t schema,
                        struct sv body);
/* A violation of ours; makes the run bad. */
void openapi_fail(struct openapi_run *run, struct sv instance,
                  const char *keyword, const char *says);
/* First field of that name; p NULL: none. */
struct sv openapi_field(const struct openapi_run *run, struct sv name);

#endif
