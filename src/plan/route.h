/* A routing profile compiled: a tree over path segments, in which the rules
 * of a path lie where it ends. What a request costs grows with its own
 * segments, not with the number of rules (gateway.md §5).
 *
 *   /  ─┬─ "users" ─ {} ─┬─ (rules of /users/{id}, best first)
 *       │                └─ "posts" ─ (…)
 *       └─ * ─ (…)
 *
 * A path is matched as origins may read it: escapes decoded once, empty
 * segments skipped, a segment's ";parameters" ignored by literals. Nobody gets
 * around a rule by spelling; what is sent on is still what was sent. A path
 * with segments of dots, in any spelling, is refused: origins differ on it. */
#ifndef PLAN_ROUTE_H
#define PLAN_ROUTE_H

#include "base/buf.h"
#include "codec/http.h"
#include "model/routing.h"

struct route_table;

/* In the arena; `r` (in the same arena) is kept. ERR_NOMEM. */
int route_table_build(const struct routing *r, struct arena *a,
                      const struct route_table **out);

/* The rule of that id; NULL: there is none any more. */
const struct route_rule *route_table_rule(const struct route_table *t,
                                          uint32_t id);

struct route_match {
    const struct route_rule *rule;
    struct sv value[TEMPLATE_VARIABLES_MAX]; /* views of the head */
    uint16_t escaped; /* bits: values that still hold their escapes */
};

enum route_found { ROUTE_NONE, ROUTE_FOUND, ROUTE_REFUSED };
/* The one rule that the request is for. Pure, no allocation. */
enum route_found route_match(const struct route_table *t,
                             const struct http_head *h,
                             struct route_match *out);

/* --- targets: what variables are put into ------------------------------------
 * Each is written into `text`, *out is the view. No variable adds a segment,
 * a parameter, a field or a host: it is escaped, or ERR_INVALID. */
/* Path and query for the origin. `query`: the request's, as far as it is to
 * be forwarded; p NULL: none. `base`: the origin's path prefix. */
int route_target(const struct route_match *m, struct sv path, struct sv query,
                 struct sv base, struct buf *text, struct sv *out);
/* Host name without port; rule->host.n must not be 0. */
int route_host(const struct route_match *m, struct buf *text, struct sv *out);
struct sv route_field(const struct route_match *m, const struct template *t,
                      struct buf *text);

#endif
