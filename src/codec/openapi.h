/* OpenAPI 3.0 and 3.1: a document is checked and compiled once; requests are
 * judged by it without looking at the document again, by any number of
 * threads. Judging reads and writes only what it is given: no I/O, no clock
 * of its own.
 *
 * A path is matched as sent, segment by segment, percent-decoded; with the
 * path of one of `servers` in front, or without. Of two templates that fit,
 * the one with the earlier literal wins. HEAD without an operation of its own
 * is judged as GET. Query parameters, headers and cookies that the document
 * does not know pass. */
#ifndef CODEC_OPENAPI_H
#define CODEC_OPENAPI_H

#include "base/buf.h"
#include "codec/http.h"
#include "codec/schema.h"

enum {
    OPENAPI_BYTES_MAX = 16 << 20,
    OPENAPI_NOTES_MAX = 200,
    OPENAPI_PAIRS_MAX = 1000, /* of a query or form; parts of a multipart */
};

struct openapi_note {
    bool is_error; /* else a warning */
    struct sv place; /* JSON Pointer */
    uint32_t line, column; /* 0: not known (JSON) */
    struct sv says;
};

/* What was found in a document; texts in the arena. */
struct openapi_report {
    struct arena *arena;
    struct openapi_note *notes;
    unsigned n, errors;
    bool more;
};

struct openapi_options {
    bool jit;
    bool answers; /* responses are compiled too, for openapi_judge_answer */
};

struct openapi;

/* JSON (a text whose first character is '{') or YAML. ERR_INVALID when the
 * report has an error; else warnings at most. */
int openapi_load(struct sv text, const struct openapi_options *options,
                 struct openapi **out, struct openapi_report *report);
void openapi_free(struct openapi **o);

unsigned openapi_operations(const struct openapi *o);
/* Method, template and operationId (may be empty) of an operation. */
void openapi_operation_name(const struct openapi *o, unsigned operation,
                            struct sv *method, struct sv *path, struct sv *id);
bool openapi_operation_has_body(const struct openapi *o, unsigned operation);
/* The next operation from *at on (begin with 0) of that template, as the
 * document writes it, and method ("": any). UINT_MAX: no further one. */
unsigned openapi_operation_find(const struct openapi *o, struct sv method,
                                struct sv path, unsigned *at);
/* The methods of a judged request's path: "GET, POST". */
void openapi_allow(const struct openapi *o, unsigned path, struct buf *out);
/* Memory that the document's program takes, without its patterns. */
size_t openapi_bytes(const struct openapi *o);

/* --- judging ------------------------------------------------------------------ */

struct openapi_request {
    struct sv method;
    struct sv path;  /* without the query, as sent */
    struct sv query; /* behind '?', as sent; p NULL: none */
    const struct http_field *fields;
    unsigned fields_n;
    struct sv body;
    bool has_body; /* also an empty one that has a length */
    bool unseen;   /* the body is not known: its type alone is judged */
    const uint64_t *only; /* a bit an operation: others are passed by; NULL:
                             all are judged */
};

enum openapi_verdict {
    OPENAPI_OK,      /* as the document says */
    OPENAPI_BLOCK,   /* not so: status, violations */
    OPENAPI_UNKNOWN, /* no such operation: status 404, or 405 */
    OPENAPI_PASSED,  /* not one of `only` */
};

struct openapi_judgement {
    enum openapi_verdict verdict;
    unsigned status;    /* 200, 400, 404, 405, 415 */
    unsigned operation; /* UINT_MAX: none */
    unsigned path;      /* for openapi_allow; UINT_MAX: no such path */
    bool over;          /* refused for what it would cost to judge */
};

/* `j` as for schema_judge(), its way is set to request. The instances of
 * violations begin with /path/NAME, /query/NAME, /header/NAME, /cookie/NAME
 * or /body. */
struct openapi_judgement openapi_judge(const struct openapi *o,
                                       const struct openapi_request *r,
                                       struct schema_judge *j);

/* Would it judge the body of such a request: of an operation of `only` (NULL:
 * of any) that has one? True when finding it would take too long. */
bool openapi_wants_body(const struct openapi *o, struct sv method,
                        struct sv path, const uint64_t *only);

struct openapi_answer {
    unsigned operation, status;
    struct sv type; /* Content-Type; p NULL: none */
    struct sv body;
};
/* Does it take the body to judge this answer: is it JSON by a schema? */
bool openapi_answer_is_judged(const struct openapi *o, unsigned operation,
                              unsigned status, struct sv type);
/* OK, or BLOCK with violations below /body; a status or type that the document
 * does not name is one. Loaded with `answers`. */
struct openapi_judgement openapi_judge_answer(const struct openapi *o,
                                              const struct openapi_answer *r,
                                              struct schema_judge *j);

#endif
