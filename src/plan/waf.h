/* The WAF's rules as images hold them. Compiling takes 0.3 s and 25 MiB, so
 * rules are shared by what changes them: paranoia and exclusions. Threshold
 * and length are the profile's, and are judged by who asks (check/waf.c).
 *
 *   profile ── same paranoia, exclusions, edition ──> struct waf_set ── images
 *
 * Made, held and dropped by the control thread; rules are immutable and read
 * by worker threads, whose exchanges hold the image. Nothing is loaded before
 * the first is held. The edition is the time of the rules' directory: whoever
 * holds anew after an upgrade of the package gets the new rules, and the old
 * ones go with their last image. */
#ifndef PLAN_WAF_H
#define PLAN_WAF_H

#include "detect/waf.h"

struct plan_problem;
struct waf_sets; /* one a plan */

struct waf_set {
    struct waf_rules *rules;
    struct waf_sets *of;
    struct waf_set *next;
    int64_t edition_ns;
    uint32_t refs;
    uint8_t paranoia;
    uint32_t exclusions_n;
    struct waf_exclusion exclusions[];
};

struct waf_sets_conf {
    const struct waf_engine *engine; /* NULL: waf_modsecurity */
    const char *dir;                 /* of the rules; NULL: the package's */
    unsigned max;                    /* sets at a time; 0: WAF_SETS_MAX */
};
enum { WAF_SETS_MAX = 32 };

void waf_sets_new(struct waf_sets **out, const struct waf_sets_conf *conf);
void waf_sets_free(struct waf_sets **s); /* all were dropped */
/* ERR_NOTFOUND: not installed, or of an edition that the engine does not
 * understand; ERR_LIMIT: as many as there may be; ERR_NOMEM; with *why. */
int waf_sets_hold(struct waf_sets *s, const struct waf_profile *profile,
                  struct waf_set **out, struct plan_problem *why);
void waf_set_drop(struct waf_set *set); /* NULL: nothing */
size_t waf_sets_count(const struct waf_sets *s);

#endif
