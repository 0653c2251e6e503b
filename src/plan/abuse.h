/* An abuse profile as traffic reads it (gateway.md §1, steps 4, 11 and 12):
 * compiled once (plan/compiled.h), shared by the images that name it. */
#ifndef PLAN_ABUSE_H
#define PLAN_ABUSE_H

#include "detect/mail.h"
#include "model/abuse.h"
#include "plan/body.h"
#include "plan/compiled.h"

struct plan_abuse {
    struct abuse profile;
    const struct mail_set *blocklist, *exceptions; /* NULL: none */
    struct plan_body body; /* of the mail check */
};
extern const struct compiled_type plan_abuse_type;

#endif
