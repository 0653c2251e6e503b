/* Applications for tests of plan/, check/ and edge/: builds and publishes an
 * image from the members of its two documents. */
#ifndef SUPPORT_PLAN_FIXTURE_H
#define SUPPORT_PLAN_FIXTURE_H

#include "plan/plan.h"

struct plan_fixture {
    const char *id;       /* NULL: "app_" and a ULID made of num */
    const char *domain;   /* NULL: none */
    const char *origin;   /* originHostname; NULL: none */
    const char *more;     /* further members of the application, or NULL */
    const char *auth;     /* members of the profile; NULL: none */
    const char *jwt;      /* keyType jwt: members of the JWT profile, or NULL */
    const char *jwt_rules; /* a whole document, or NULL */
    const char *forms[FORM_COUNT]; /* whole documents, or NULL */
    const char *openapi;  /* the document of the schema form, or NULL */
    const struct keyset_ref *keysets;
    unsigned keysets_n;
    uint32_t num;
    bool imported;
    uint32_t quota_slot, quota_tag;
    uint64_t seq;
};

int plan_fixture_build(struct plan *p, const struct plan_fixture *f,
                       struct plan_app **out, struct plan_problem *why);
/* Builds and publishes; fails the test otherwise. The image stays valid until
 * it is replaced and reclaimed; it may be changed before it is read. */
struct plan_app *plan_fixture_publish(struct plan *p,
                                      const struct plan_fixture *f);
/* The id given to application `num` when none is named; a static buffer. */
const char *plan_fixture_id(uint32_t num);

#endif
