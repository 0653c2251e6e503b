/* A routing profile as typed values (gateway.md §5): which requests a rule is
 * for, and what becomes of them. Decoded from its canonical document; texts in
 * the arena. What is stored was checked by the same functions, so that a plan
 * that names a profile builds. */
#ifndef MODEL_ROUTING_H
#define MODEL_ROUTING_H

#include "model/template.h"

enum {
    ROUTING_RULES_MAX = 50,
    ROUTING_PATH_MAX = 2048,
    ROUTING_CONDITIONS_MAX = 10, /* header conditions, query conditions */
    ROUTING_EDITS_MAX = 20,      /* fields set, fields removed, a direction */
    ROUTING_SCOPES_MAX = 20,
    ROUTING_BODY_MAX = 65536,    /* of an own answer */
};

enum segment_kind { SEGMENT_TEXT, SEGMENT_VARIABLE, SEGMENT_REST };
struct route_segment {
    enum segment_kind kind;      /* REST: "*", the last one */
    struct template_affix match; /* literals are decoded octets */
};
/* A header or query parameter that must be there. */
struct route_condition {
    struct sv name;              /* headers: any case */
    bool has_value;              /* else it is enough that it is there */
    struct template_affix value;
};
struct route_set {
    struct sv name;
    struct template value;
};
struct route_edit {              /* remove, then set */
    const struct route_set *set;
    const struct sv *remove;
    uint8_t set_n, remove_n;
};

struct route_rule {
    uint8_t index;               /* in the profile */
    struct template_names names;
    struct sv method;            /* "": any */
    struct sv public_path;       /* as written, with its query */
    uint32_t id;                 /* of method and path; not 0; stays when the
                                    rule moves in its profile */
    const struct route_segment *segments;
    uint16_t segments_n;
    const struct route_condition *query, *headers;
    uint8_t query_n, headers_n;
    bool answers;                /* here, instead of the origin */
    uint16_t code;
    struct sv body, content_type;
    bool has_path;               /* target_path; else the path stays */
    struct template path;
    const struct route_set *params; /* target_path's query */
    uint8_t params_n;
    struct template host;        /* n 0: the application's origin */
    uint16_t port;               /* 0: the origin's */
    struct sv target_method;     /* "": stays */
    struct route_edit request, response;
    const struct sv *scopes;
    uint8_t scopes_n;
    uint32_t connect_ms, timeout_ms, idle_ms; /* 0: the application's;
                                    timeout_ms: for the answer's head */
    bool has_retries;
    uint8_t retries;             /* instead of the application's */
};

struct routing {
    struct sv id, account_id, name;
    unsigned n;
    const struct route_rule *rules;
};
int routing_decode(struct sv doc, struct arena *a, struct routing *out);

/* One rule out of its canonical object. ERR_INVALID: *field ("public_path")
 * and *why (both static) say what cannot be; ERR_NOMEM. */
struct yyjson_val;
int route_rule_decode(const struct yyjson_val *v, struct arena *a,
                      struct route_rule *out, const char **field,
                      const char **why);

#endif
