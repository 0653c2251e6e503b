/* Two parts of a security profile that are pure values (detectors.md §1):
 *
 *   geoblock  {allow: [area…]} or {deny: [area…]}, unknown: allow|block
 *   ip        {allow: [CIDR…], deny: [CIDR…], other: allow|block}
 *
 * The field tables are for the row of the profile's own table; the decoders
 * take the canonical value. What is not said (docs/decisions/0025): an
 * allow-list refuses what it does not name, so `unknown` is block with an
 * allow-list and allow with a deny-list; `other`, for addresses in neither
 * list, is block if there is an allow-list alone, else allow. Neither is stored
 * unless it was said: a patch that puts one kind of list in the place of the
 * other has that one's default. */
#ifndef MODEL_GEOBLOCK_H
#define MODEL_GEOBLOCK_H

#include "base/arena.h"
#include "base/ip.h"
#include "model/area.h"
#include "model/shape.h"

enum { IP_LIST_MAX = 100000 };

struct geoblock {
    bool on;             /* there is a list */
    bool allows;         /* `areas` may pass; else they may not */
    bool unknown_blocks;
    struct area_set areas;
};

struct ip_lists {
    const struct cidr *allow, *deny; /* in the arena */
    uint32_t allow_n, deny_n;
    bool other_blocks;
};

/* Row: .types = SHAPE_OBJECT, .fields = geoblock_fields,
 * .check = geoblock_check (one list). */
extern const struct shape_field geoblock_fields[], ip_lists_fields[];
int geoblock_check(const struct shape_env *env, yyjson_mut_doc *doc,
                   yyjson_mut_val **value, struct shape_problem *why);

/* v may be NULL or null: off, empty. ERR_CORRUPT, ERR_NOMEM. */
int geoblock_decode(const yyjson_val *v, struct geoblock *out);
int ip_lists_decode(const yyjson_val *v, struct arena *a,
                    struct ip_lists *out);

#endif
