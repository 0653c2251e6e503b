/* A record at rest: what every noun but tokens is to the store. Its body is
 * the canonical document (model/shape.h) with "id" and "account_id" in
 * front, self-contained: plan/ decodes it, GET shows it with the times. */
#ifndef MODEL_RECORD_H
#define MODEL_RECORD_H

#include "model/shape.h"

enum { RECORD_TAGS_MAX = 8, RECORD_REFS_MAX = 8 };

struct record_ref {
    const char *field; /* "auth_id" */
    struct sv id;      /* of the record it names */
};

struct record {
    enum kind kind;
    struct id id, account_id; /* account_id "" for accounts and root keys */
    struct sv body;           /* JSON text */
    int64_t created_ms, updated_ms;
    uint64_t version;         /* 1, 2, 3 …: the ETag */
    struct sv name;           /* for ?name= */
    struct sv unique;         /* unique in (kind, account); "" none */
    struct sv tags[RECORD_TAGS_MAX];
    struct record_ref refs[RECORD_REFS_MAX];
    uint8_t tags_n, refs_n;
    uint32_t num;             /* applications: small number (24 bits) given by
                                 the store; accounts: theirs; else 0 */
};

/* Takes the canonical document: puts id and account_id in front, writes the
 * body, and fills name, unique, tags and refs by the shape. Everything else in
 * *r is the caller's before the call (kind, id, account_id). ERR_NOMEM. */
int record_fill(struct record *r, const struct shape *shape,
                yyjson_mut_doc *doc, struct arena *a);
/* The object of an answer: the body and createdAt, updatedAt. */
void record_show(const struct record *r, struct buf *out);
/* As record_show, secrets replaced by "[redacted]": for the audit log. */
void record_show_redacted(const struct record *r, const struct shape *shape,
                          struct arena *a, struct buf *out);
/* Strong: "\"17\"" is version 17; tokens use it too. */
enum { ETAG_TEXT_MAX = 22 };
size_t etag_encode(char out[ETAG_TEXT_MAX], uint64_t version);
/* If-Match: a list of ETags or "*". Weak ones never match (RFC 9110 13.1.1). */
bool etag_matches(struct sv if_match, uint64_t version);

#endif
