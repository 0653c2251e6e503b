/* What nouns have in common that applications name: a change acts on every
 * application that names the profile; one that is named cannot just go. */
#ifndef ADMIN_PROFILE_H
#define ADMIN_PROFILE_H

#include "admin/noun.h"

/* Hooks of struct noun; `leaving` is detach_or_refuse (admin/detach.h). */
bool profile_stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                    const struct record *before);
bool profile_gone(struct call *c, const struct record *r);

/* Are there location data? Else to enable what needs them is the 409 that
 * profile_needs_places sets; `field` says what it is. */
bool profile_has_places(const struct call *c);
bool profile_needs_places(struct call *c, const char *field);

/* Names `r` in `field` of the application `app_id`, in this transaction; false
 * when a failure was set. */
bool profile_attach(struct call *c, const struct record *r, const char *field,
                    struct sv app_id);

#endif
