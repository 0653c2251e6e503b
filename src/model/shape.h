/* The shape of a resource as data: one table a noun says what its fields are
 * called, may hold, default to, and who may edit them. The same table checks
 * creates and PATCHes, fills records, and yields the published schema
 * (admin walks it), so that the three cannot differ.
 *
 *   request text --json_decode--> input --shape_create/shape_patch-->
 *   canonical document (our names, defaults filled, read-only fields absent)
 *
 * Pure; any thread; all memory from the arena of the environment. */
#ifndef MODEL_SHAPE_H
#define MODEL_SHAPE_H

#include "codec/json.h"
#include "codec/text.h"
#include "model/kind.h"

/* What JSON a field takes (a set). `null` is no type: it clears, and on
 * create it is the same as absent. */
enum shape_type {
    SHAPE_STRING = 1,
    SHAPE_INTEGER = 2,  /* 1.0 and 1e2 count as integers */
    SHAPE_BOOLEAN = 4,
    SHAPE_FALSE = 8,    /* the constant false: "none" (tokens) */
    SHAPE_STRINGS = 16, /* array of strings */
    SHAPE_OBJECT = 32,  /* of `fields` */
    SHAPE_OBJECTS = 64, /* array of such */
    SHAPE_MAP = 128,    /* any object, at most len_max bytes as minified text */
    SHAPE_LIST = 256,   /* array of what the field's own check allows */
    SHAPE_NUMBER = 512, /* answers only: with a fraction */
};

enum shape_flag {
    SHAPE_REQUIRED = 1,
    SHAPE_READ_ONLY = 2,   /* ours: see shape_patch */
    SHAPE_SECRET = 4,      /* redact in the audit log */
    SHAPE_CREATE_ONLY = 8, /* PATCH with another value is refused */
    SHAPE_SEED = 16,       /* "" when unset, "" clears (api.md §2) */
    SHAPE_UNIQUE = 32,     /* items of an array differ */
    SHAPE_NAME = 64,       /* record.name: what ?name= finds */
    SHAPE_TAGS = 128,      /* record.tags: what ?tag= finds */
    SHAPE_KEY = 256,       /* record.unique: one of its kind in the account */
};

struct shape_field;
struct shape_env;
struct shape_problem;

/* After type and range: may refuse (ERR_INVALID with *why, whose field is
 * filled in by the caller) or replace *value by its canonical form. */
typedef int shape_check_fn(const struct shape_env *env, yyjson_mut_doc *doc,
                           yyjson_mut_val **value, struct shape_problem *why);

struct shape_field {
    const char *name;           /* canonical */
    const char *alias;          /* also accepted, or NULL */
    unsigned types, flags;
    int64_t min, max;           /* integers */
    uint32_t len_min, len_max;  /* code points of strings; items of arrays;
                                   bytes of maps */
    uint32_t item_max;          /* code points of an array's strings, >= 1;
                                   of a field that takes an array or one text
                                   or map: its code points or bytes */
    const struct text_rule *text;    /* of a string, or of each item */
    const char *const *options;      /* the strings allowed, NULL-ended */
    const char *const *hidden;       /* accepted besides, not published */
    const struct shape_field *fields; /* of objects; ends with name NULL */
    const char *fallback;       /* JSON text of the value when unset; NULL:
                                   null, or "" with SHAPE_SEED */
    const char *format;         /* OpenAPI: "date-time", "hostname" … */
    enum kind ref;              /* holds the id of such a record; with `text`:
                                   or a text by that rule */
    enum role role;             /* least role that may set it; 0: the
                                   endpoint's own role is enough */
    shape_check_fn *check;
    const char *about;          /* one sentence, for the published schema */
};

struct shape {
    const char *name;           /* of the schema: "Application" */
    enum kind kind;
    const struct shape_field *fields; /* ends with name NULL */
    bool sparse;                /* unset fields are absent, not null */
    /* Rules between fields, on the canonical document. `present`: NULL on
     * create; `input` holds what was asked, under canonical names. */
    int (*rules)(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why);
};

struct shape_env {
    struct arena *arena;
    int64_t now_ms;             /* wall clock: lifetimes become times */
    enum role role;             /* of the caller */
    bool insecure_key_urls;     /* http: is allowed where keys come from */
    /* Is there such a record in the caller's account? NULL: nothing is. */
    bool (*exists)(void *ctx, enum kind kind, struct sv id);
    void *ctx;
};

struct shape_problem {
    const char *code;   /* published error.code, static: unknown_field,
                           invalid_type, invalid_value, out_of_range,
                           required, read_only, duplicate_field, not_found
                           (a ref), not_permitted */
    char field[128];    /* "ratelimits[1].window", in the caller's spelling;
                           "" when it is the body itself */
    char message[256];  /* a sentence */
};

/* For checks and rules: sets code, message and, unless NULL, field; returns
 * ERR_INVALID. */
int shape_problem_set(struct shape_problem *why, const char *field,
                      const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Body of a create. 0 and *out, or ERR_INVALID (400), ERR_DENIED (403: a field
 * above the caller's role), ERR_NOMEM (arena over), with *why. */
int shape_create(const struct shape *shape, const struct shape_env *env,
                 yyjson_val *input, yyjson_mut_doc **out,
                 struct shape_problem *why);
/* RFC 7396 over `present`, which is the object as GET shows it. A read-only
 * field with its present value is ignored, with another refused. Only fields
 * that the patch names are checked; the others are copied. *out is the whole
 * canonical document, as from a create. */
int shape_patch(const struct shape *shape, const struct shape_env *env,
                yyjson_val *present, yyjson_val *input, yyjson_mut_doc **out,
                struct shape_problem *why);
/* Did the input name this field, by any of its names? */
bool shape_names(const struct shape *shape, yyjson_val *input,
                 const char *name);

/* The canonical document's member, as a value that rules may read. */
static inline yyjson_mut_val *shape_member(yyjson_mut_doc *doc,
                                           const char *name)
{
    return yyjson_mut_obj_get(yyjson_mut_doc_get_root(doc), name);
}
/* Replaces (or adds) a member. ERR_NOMEM. */
int shape_member_set(yyjson_mut_doc *doc, const char *name,
                     yyjson_mut_val *value);

const struct shape_field *shape_find(const struct shape_field *fields,
                                     struct sv name); /* aliases too, or NULL */

extern const struct shape shape_account, shape_application,
    shape_authentication, shape_tag, shape_management_key, shape_jwt, shape_jwk,
    shape_routing, shape_security, shape_abuse, shape_schema, shape_alert;
/* POST …/alert/{id}/rotate. */
extern const struct shape shape_alert_rotate;
/* POST …/applications/{id}/jwt/validation; sparse. */
extern const struct shape shape_jwt_rules;
/* PUT …/applications/{id}/monitor. */
extern const struct shape shape_monitor;
/* Tokens: canonical documents are sparse and hold own values only; `amount`,
 * `enabled` and `expires` (absolute, integer ms; false: never) are in them and
 * leave for their columns by token_row_fill (model/token.h). */
extern const struct shape shape_token_create, shape_token_patch,
    shape_token_import_item, shape_token_rotate;
/* {name}, {key, value} or {tags: […]}: POST …/tags on an object. Canonical:
 * {tags: […]}. */
extern const struct shape shape_tag_attach;

#endif
