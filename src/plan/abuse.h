/* An abuse profile as traffic reads it (gateway.md §1, steps 4, 11 and 12):
 * compiled once (plan/compiled.h), shared by the images that name it. */
#ifndef PLAN_ABUSE_H
#define PLAN_ABUSE_H

#include "detect/mail.h"
#include "model/abuse.h"
#include "model/policy.h"
#include "plan/body.h"
#include "plan/compiled.h"

struct plan_abuse {
    struct abuse profile;
    struct limit limit;    /* of the profile, named "global" */
    uint64_t scope;        /* a number of what is counted, for live/visitor.h */
    bool counts_visitors;  /* a limit by address or header */
    bool counts_tokens;    /* a limit by token: one more of its limits */
    const struct mail_set *blocklist, *exceptions; /* NULL: none */
    unsigned mail_in_head; /* locations of the mail check but the body */
    struct plan_body body; /* of the mail check */
};
extern const struct compiled_type plan_abuse_type;

#endif
