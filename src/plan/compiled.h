/* Profiles compiled once and shared by every image that names them: a list of
 * 100,000 networks, the rules of a firewall, a schema. A change of an
 * application that keeps its profile finds the compiled form again; a changed
 * profile is another document, and so another form.
 *
 *   document ── equal bytes, same type ──> struct compiled ── refs ── images
 *
 * Built, held and dropped by the control thread; what a form holds is
 * immutable and read by every reactor. */
#ifndef PLAN_COMPILED_H
#define PLAN_COMPILED_H

#include "base/arena.h"

struct compiled_set; /* one a plan */
struct plan_problem;

struct compiled_type {
    const char *name;
    size_t budget; /* bytes of its arena */
    /* *value lies in the arena. ERR_CORRUPT, ERR_INVALID with *why, ERR_NOMEM
     * (too large). On failure nothing outside of the arena is left. */
    int (*build)(struct sv doc, struct arena *a, const void **value,
                 struct plan_problem *why);
    /* Instead of it: with the long text that lies beside the document, which
     * names it by its digest. */
    int (*build_beside)(struct sv doc, struct sv text, struct arena *a,
                        const void **value, struct plan_problem *why);
    void (*fini)(const void *value); /* what lies outside; may be NULL */
};

struct compiled {
    const void *value;
    const struct compiled_type *type;
    uint32_t refs;
    struct compiled_set *set;
    struct sv key;
    struct arena arena; /* holds all of it */
};

void compiled_set_new(struct compiled_set **out);
void compiled_set_free(struct compiled_set **s); /* all were dropped */
/* Told of each form before it goes; NULL: nobody. */
typedef void compiled_fn(void *ctx, const struct compiled_type *type,
                         const void *value);
void compiled_set_leaving(struct compiled_set *s, compiled_fn *fn, void *ctx);
void compiled_each(struct compiled_set *s, compiled_fn *fn, void *ctx);
/* Is it there already, so that no text beside it is needed? */
bool compiled_is_there(const struct compiled_set *s,
                       const struct compiled_type *type, struct sv doc);
/* Held once more; compiled_drop ends it. As build fails. `text`: what lies
 * beside, for types that want it. */
int compiled_hold(struct compiled_set *s, const struct compiled_type *type,
                  struct sv doc, struct sv text, struct compiled **out,
                  struct plan_problem *why);
void compiled_drop(struct compiled *c); /* NULL: nothing */
size_t compiled_count(const struct compiled_set *s);

#endif
