#include "plan/waf.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "plan/plan.h"

#define PACKAGE_DIR "/usr/share/modsecurity-crs/rules"

enum { THRESHOLD_NONE = 1000000 }; /* of the rules: the profile's is judged */

struct waf_sets {
    struct waf_sets_conf conf;
    struct waf_set *first;
    size_t n;
};

void waf_sets_new(struct waf_sets **out, const struct waf_sets_conf *conf)
{
    struct waf_sets *s = NEW(struct waf_sets);
    s->conf = *conf;
    if (!s->conf.engine) s->conf.engine = &waf_modsecurity;
    if (!s->conf.max) s->conf.max = WAF_SETS_MAX;
    *out = s;
}

void waf_sets_free(struct waf_sets **at)
{
    struct waf_sets *s = *at;
    if (!s) return;
    ENSURE(s->n == 0);
    mem_free(s);
    *at = NULL;
}

/* 0: there is no such directory, and compiling says so. */
static int64_t edition_ns(const struct waf_sets *s)
{
    struct stat st;
    if (stat(s->conf.dir ? s->conf.dir : PACKAGE_DIR, &st)) return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static bool is_same(const struct waf_set *set, const struct waf_profile *p,
                    int64_t edition)
{
    return set->edition_ns == edition && set->paranoia == p->paranoia &&
           set->exclusions_n == p->exclusions_n &&
           (!p->exclusions_n ||
            !memcmp(set->exclusions, p->exclusions,
                    p->exclusions_n * sizeof *p->exclusions));
}

static struct waf_set *set_find(const struct waf_sets *s,
                                const struct waf_profile *p, int64_t edition)
{
    for (struct waf_set *set = s->first; set; set = set->next)
        if (is_same(set, p, edition)) return set;
    return NULL;
}

static int refuse(struct plan_problem *why, int err, const char *message)
{
    snprintf(why->field, sizeof why->field, "waf");
    snprintf(why->message, sizeof why->message, "%.191s", message);
    return err;
}

static int set_new(struct waf_sets *s, const struct waf_profile *p,
                   int64_t edition, struct waf_set **out,
                   struct plan_problem *why)
{
    struct waf_profile widest = *p;
    struct waf_why said;
    widest.threshold = THRESHOLD_NONE;
    widest.inspect_bytes = INSPECT_BYTES_MAX;
    if (s->n == s->conf.max)
        return refuse(why, ERR_LIMIT,
                      "this server holds as many different sets of WAF rules "
                      "as it may; use the exclusions of another profile");
    struct waf_rules *rules;
    int err =
        waf_rules_compile(s->conf.engine, &widest, s->conf.dir, &rules, &said);
    /* a rule set that is not understood is not there either */
    if (err == ERR_INVALID) err = ERR_NOTFOUND;
    if (err) return refuse(why, err, said.message);
    size_t bytes = p->exclusions_n * sizeof *p->exclusions;
    struct waf_set *set = mem_zalloc(sizeof *set + bytes);
    set->rules = rules;
    set->of = s;
    set->edition_ns = edition;
    set->paranoia = p->paranoia;
    set->exclusions_n = p->exclusions_n;
    if (bytes) memcpy(set->exclusions, p->exclusions, bytes);
    *out = set;
    return 0;
}

int waf_sets_hold(struct waf_sets *s, const struct waf_profile *profile,
                  struct waf_set **out, struct plan_problem *why)
{
    int64_t edition = edition_ns(s);
    struct waf_set *set = set_find(s, profile, edition);
    if (!set) {
        int err = set_new(s, profile, edition, &set, why);
        if (err) return err;
        set->next = s->first;
        s->first = set;
        s->n++;
    }
    set->refs++;
    *out = set;
    return 0;
}

void waf_set_drop(struct waf_set *set)
{
    if (!set || --set->refs) return;
    struct waf_set **at = &set->of->first;
    while (*at != set) at = &(*at)->next;
    *at = set->next;
    set->of->n--;
    waf_rules_free(&set->rules);
    mem_free(set);
}

size_t waf_sets_count(const struct waf_sets *s)
{
    return s->n;
}
