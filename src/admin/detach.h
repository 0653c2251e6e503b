/* The end of a record that others name (api.md §1): refused with their names,
 * or, with ?detach=true, taken out of them first. */
#ifndef ADMIN_DETACH_H
#define ADMIN_DETACH_H

#include "admin/noun.h"

/* For struct noun's `leaving`. */
bool detach_or_refuse(struct call *c, const struct record *r);
/* The fields of a record that PATCH may set, as a canonical document to
 * change and give to noun_update. NULL: 500 is set. */
yyjson_mut_doc *document_of(struct call *c, const struct noun *n,
                            const struct record *r);

#endif
