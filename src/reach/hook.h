/* Posts the webhooks of challenges (live/hook.h): JSON, signed, up to three
 * times with pauses. On the reach reactor, by its fetcher, so under the egress
 * policy; redirects are not followed.
 *
 *   X-Typeauth-Signature: reach/sign.h
 *
 * 2xx is taken; with {"verified": true} the challenge is passed. */
#ifndef REACH_HOOK_H
#define REACH_HOOK_H

#include "live/hook.h"
#include "reach/fetch.h"

struct hook_poster;

struct hook_poster_conf {
    struct hooks *table;
    struct fetcher *fetcher;
    struct reactor *reactor;
    int64_t (*wall_ms)(void);
    bool allow_plain;    /* http: URLs too */
    uint32_t timeout_ms; /* of an attempt */
};
void hook_poster_new(struct hook_poster **out,
                     const struct hook_poster_conf *conf);
void hook_poster_run(struct hook_poster *p); /* begins what is wanted */
/* After the fetcher was freed: no callback comes any more. */
void hook_poster_free(struct hook_poster **p);

#endif
