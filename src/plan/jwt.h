/* What an application demands of a JWT (api.md §5), compiled: the profile and
 * the rules that were stored on the application, which hold in addition. */
#ifndef PLAN_JWT_H
#define PLAN_JWT_H

#include "model/authentication.h"
#include "model/jwt.h"

enum { PLAN_JWT_TIMES = 2, PLAN_JWT_RULES = 4 * JWT_RULES_MAX };

struct plan_jwt {
    struct jwt_profile profile; /* issuers, audiences, binding … */
    struct sv introspection_authorization; /* how we are known there; secret:
                                   wiped with the image */
    uint32_t algorithms;        /* the profile's, else all: a key allows only
                                   its own in any case */
    bool kid_required;
    struct claim_times times[PLAN_JWT_TIMES]; /* each must hold */
    unsigned times_n;
    /* First those that depend on the token alone, then the DYNAMIC ones,
     * which are judged anew at each request. */
    const struct jwt_rule *rules;
    unsigned fixed_n, dynamic_n;
    /* Who is counted: this claim (a path, split at dots unless it is a URL, or
     * a member of just this name); n 0: iss and sub. */
    struct sv identity_name, identity_path[JWT_PATH_MAX];
    unsigned identity_n;
    bool needs_subject;         /* something is counted by subject */
};

struct plan_jwt_source {
    struct sv profile, rules;   /* documents; rules "" if none */
    const struct authentication *auth;
    bool limited;
    bool counts_tokens; /* the abuse profile's limit counts subjects */
    struct sv introspection_secret;
};
/* In the arena. What jwt_profile_decode and jwt_rules_decode refuse. */
int plan_jwt_build(const struct plan_jwt_source *src, struct arena *a,
                   const struct plan_jwt **out);

#endif
