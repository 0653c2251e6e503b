/* A WAF of one word: what holds "evil" in its target, a field or its body is
 * refused, rule 942100, score 5; "odd" scores 3, rule 920100. It can be absent,
 * can fail, and can be held up in the middle of a judgement. Its judge runs on
 * a worker thread. Included by one file of a test. */
#ifndef SUPPORT_FAKE_WAF_H
#define SUPPORT_FAKE_WAF_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "detect/waf.h"

static struct fake_waf_state {
    _Atomic bool missing, fails; /* not installed; cannot judge */
    _Atomic unsigned compiled, alive, judged, begun;
    _Atomic bool partial, has_host; /* of the last request */
    _Atomic uint32_t body_n;
} fake_waf_state;

static pthread_mutex_t fake_waf_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fake_waf_opened = PTHREAD_COND_INITIALIZER;
static bool fake_waf_shut; /* a judgement waits while it is */

static inline void fake_waf_gate(bool shut)
{
    pthread_mutex_lock(&fake_waf_lock);
    fake_waf_shut = shut;
    pthread_cond_broadcast(&fake_waf_opened);
    pthread_mutex_unlock(&fake_waf_lock);
}

static inline void fake_waf_reset(void)
{
    memset(&fake_waf_state, 0, sizeof fake_waf_state);
    fake_waf_gate(false);
}

extern const struct waf_engine fake_waf;

static int fake_waf_compile(const struct waf_profile *profile, const char *dir,
                            struct waf_rules **out, struct waf_why *why)
{
    (void)profile, (void)dir;
    if (fake_waf_state.missing) {
        snprintf(why->message, sizeof why->message, "apt install fake");
        return ERR_NOTFOUND;
    }
    struct waf_base *base = NEW(struct waf_base);
    base->engine = &fake_waf;
    *out = (struct waf_rules *)(void *)base;
    fake_waf_state.compiled++;
    fake_waf_state.alive++;
    return 0;
}

static void fake_waf_free(struct waf_rules *rules)
{
    fake_waf_state.alive--;
    mem_free(rules);
}

static bool fake_waf_holds(const struct waf_request *r, const char *word)
{
    size_t n = strlen(word);
    bool found = (r->uri.n && memmem(r->uri.p, r->uri.n, word, n)) ||
                 (r->body.n && memmem(r->body.p, r->body.n, word, n));
    for (unsigned i = 0; i < r->fields_n; i++)
        found = found || (r->fields[i].value.n &&
                          memmem(r->fields[i].value.p, r->fields[i].value.n,
                                 word, n));
    return found;
}

static int fake_waf_judge(const struct waf_rules *rules,
                          const struct waf_request *r, struct waf_verdict *out)
{
    (void)rules;
    fake_waf_state.begun++;
    pthread_mutex_lock(&fake_waf_lock);
    while (fake_waf_shut) pthread_cond_wait(&fake_waf_opened, &fake_waf_lock);
    pthread_mutex_unlock(&fake_waf_lock);
    fake_waf_state.partial = r->partial;
    fake_waf_state.body_n = (uint32_t)r->body.n;
    fake_waf_state.has_host = false;
    for (unsigned i = 0; i < r->fields_n; i++)
        if (r->fields[i].id == HN_HOST) fake_waf_state.has_host = true;
    if (fake_waf_holds(r, "odd")) {
        out->score += 3;
        out->matches[out->matches_n++] = 920100;
    }
    if (fake_waf_holds(r, "evil")) {
        out->score += 5;
        out->matches[out->matches_n++] = 942100;
    }
    fake_waf_state.judged++;
    return fake_waf_state.fails ? ERR_NOMEM : 0;
}

const struct waf_engine fake_waf = { .name = "fake",
                                     .compile = fake_waf_compile,
                                     .free = fake_waf_free,
                                     .judge = fake_waf_judge };

#endif
