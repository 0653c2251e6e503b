/* The interface's three calls, whatever the engine. */
#include "detect/waf.h"

static const struct waf_engine *engine_of(const struct waf_rules *rules)
{
    return ((const struct waf_base *)(const void *)rules)->engine;
}

int waf_rules_compile(const struct waf_engine *engine,
                      const struct waf_profile *profile, const char *dir,
                      struct waf_rules **out, struct waf_why *why)
{
    why->message[0] = '\0';
    *out = NULL;
    return engine->compile(profile, dir, out, why);
}

void waf_rules_free(struct waf_rules **rules)
{
    if (*rules) engine_of(*rules)->free(*rules);
    *rules = NULL;
}

int waf_judge(const struct waf_rules *rules, const struct waf_request *r,
              struct waf_verdict *out)
{
    memset(out, 0, sizeof *out);
    return engine_of(rules)->judge(rules, r, out);
}
