/* One request on its way through the control plane: what a handler sees, and
 * the few things that every handler says. */
#ifndef ADMIN_CALL_H
#define ADMIN_CALL_H

#include "admin/admin.h"
#include "admin/endpoint.h"
#include "admin/envelope.h"
#include "admin/publish.h"
#include "admin/query.h"

struct call {
    struct admin *admin;
    const struct request *q;
    struct answer *a;
    struct route route;
    struct arena *arena;      /* until the answer is made */
    struct query query;
    struct caller who;
    struct id account_id;     /* acted on; "" on the server's own endpoints */
    yyjson_val *input;        /* the body; NULL: none */
    int64_t now_ms;           /* wall */
    struct changes changes;   /* what is to happen on commit */
    /* A write's second half, when its answer shows what publishing did; not
     * together with EP_IDEMPOTENT. */
    void (*finish)(struct call *c);
    void *user;               /* the handler's, for finish */
};

/* --- failures: each sets the answer and returns false --------------------- */
bool call_fail(struct call *c, unsigned status, const char *code,
               const char *field, const char *message);
bool call_not_found(struct call *c, const char *what);
/* A negative result of the store that the caller has no better word for. */
bool call_fail_store(struct call *c, int err);
/* Of shape_create and shape_patch. */
bool call_fail_shape(struct call *c, int err, const struct shape_problem *why);

/* --- what several nouns need ------------------------------------------------ */
struct shape_env call_shape_env(struct call *c);
/* If-Match against the version: false after a 412. */
bool call_if_match(struct call *c, uint64_t version);
void call_set_etag(struct call *c, uint64_t version);
/* limit, starting_after, ending_before: false after a 400. */
bool call_page(struct call *c, enum kind kind, struct store_page *out);
/* name, tag, tags[key]: false after a 400. */
bool call_filter(struct call *c, struct store_filter *out);
/* A query parameter that is "true" or "false"; absent: `fallback`. */
bool call_flag(struct call *c, struct sv name, bool fallback, bool *out);
/* A time, or a day: its beginning, or with `whole` its last millisecond. p
 * NULL: *out stays. False after a 400. */
bool call_time(struct call *c, const char *field, struct sv text, bool whole,
               int64_t *out);
/* Audit entry of the open transaction; before and after are JSON or "". */
bool call_audit(struct call *c, const char *noun, const char *verb,
                struct sv object_id, struct sv before, struct sv after);
/* The body as JSON text that stays in the arena. */
yyjson_val *call_parse(struct call *c, struct sv text);

#endif
