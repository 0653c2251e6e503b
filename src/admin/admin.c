#include "admin/admin.h"

#include "admin/admin_int.h"
#include "admin/background.h"
#include "admin/coverage.h"
#include "admin/openapi.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

enum { TEXTS_BYTES = 64 * 1024 };

static int conf_copy(struct admin *a, const struct admin_conf *conf)
{
    struct arena *texts = &a->texts;
    arena_init(texts, TEXTS_BYTES, NULL, 0);
    struct sv *names = ARENA_ARRAY(texts, struct sv, conf->api_names_n + 1);
    a->conf = *conf;
    a->conf.base_domain = arena_dup(texts, conf->base_domain);
    a->conf.version = arena_dup(texts, conf->version);
    for (size_t i = 0; names && i < conf->api_names_n; i++)
        names[i] = arena_dup(texts, conf->api_names[i]);
    a->conf.api_names = names;
    return texts->overflow ? ERR_NOMEM : 0;
}

int admin_new(struct admin **out, const struct admin_conf *conf)
{
    struct admin *a = NEW(struct admin);
    int err = conf_copy(a, conf);
    a->keys = key_ring_new();
    a->failures = auth_limit_new();
    a->background = background_new();
    a->coverage = coverage_new(a);
    alerting_new(&a->alerting, a);
    buf_init(&a->openapi, OPENAPI_MAX_BYTES);
    openapi_write(conf->version, &a->openapi);
    *out = a;
    return err || a->openapi.overflow ? ERR_NOMEM : 0;
}

void admin_free(struct admin **ap)
{
    struct admin *a = *ap;
    if (!a) return;
    background_settle(a);
    key_ring_free(&a->keys);
    auth_limit_free(&a->failures);
    background_free(&a->background);
    coverage_free(&a->coverage);
    alerting_free(&a->alerting);
    buf_fini(&a->openapi);
    arena_fini(&a->texts);
    mem_wipe(&a->assertion, sizeof a->assertion);
    mem_free(a);
    *ap = NULL;
}

void admin_release(struct admin *a)
{
    alerting_release(a->alerting);
}

static bool unready(char why[128], const char *text)
{
    snprintf(why, 128, "%s", text);
    return false;
}

bool admin_ready(void *ctx, char why[128])
{
    const struct admin *a = ctx;
    int fault = atomic_load(&a->store_fault);
    why[0] = 0;
    if (!atomic_load(&a->loaded)) return unready(why, "starting");
    if (fault) {
        snprintf(why, 128, "the store is not available: %s", err_text(fault));
        return false;
    }
    if (atomic_load(&a->diverged))
        return unready(why, "a committed change could not be put in force");
    if (plan_seq(a->conf.plan) < atomic_load(&a->committed))
        return unready(why, "changes are being put in force");
    return !a->conf.fault || !a->conf.fault(a->conf.ctx, why);
}

void admin_checkpoint(void *ctx, uint32_t slot, uint32_t tag, int64_t used,
                      uint32_t refills, uint32_t last_used_s)
{
    struct admin *a = ctx;
    background_checkpoint(a->background,
                          &(struct token_use){ .slot = slot,
                                               .tag = tag,
                                               .used = used,
                                               .refills = refills,
                                               .last_used_s = last_used_s });
}
