#include "live/hook.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/metric.h"

struct verified {
    struct id account_id;
    struct ulid id;
};

struct hooks {
    struct hooks_conf conf;
    pthread_mutex_t lock;
    struct hook *queue; /* a ring; NULL until the first */
    unsigned at, n;
    struct verified verified[HOOKS_QUEUE]; /* a ring */
    unsigned verified_at, verified_n;
    uint64_t answers[3], dropped;
};

void hooks_new(struct hooks **out, const struct hooks_conf *conf)
{
    struct hooks *h = NEW(struct hooks);
    h->conf = *conf;
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
}

void hooks_free(struct hooks **at)
{
    struct hooks *h = *at;
    if (!h) return;
    pthread_mutex_destroy(&h->lock);
    if (h->queue) mem_wipe(h->queue, HOOKS_QUEUE * sizeof *h->queue);
    mem_free(h->queue);
    mem_free(h);
    *at = NULL;
}

bool hooks_put(struct hooks *h, const struct hook *hook)
{
    pthread_mutex_lock(&h->lock);
    if (!h->queue) h->queue = mem_alloc_try(HOOKS_QUEUE * sizeof *h->queue);
    bool room = h->queue && h->n < HOOKS_QUEUE;
    if (room)
        h->queue[(h->at + h->n++) % HOOKS_QUEUE] = *hook;
    else
        h->dropped++;
    pthread_mutex_unlock(&h->lock);
    if (room && h->conf.wake_reach) h->conf.wake_reach(h->conf.ctx);
    return room;
}

bool hooks_take(struct hooks *h, struct hook *out)
{
    pthread_mutex_lock(&h->lock);
    bool has = h->n > 0;
    if (has) {
        struct hook *first = &h->queue[h->at];
        *out = *first;
        mem_wipe(first, sizeof *first);
        h->at = (h->at + 1) % HOOKS_QUEUE;
        h->n--;
    }
    pthread_mutex_unlock(&h->lock);
    return has;
}

void hooks_report(struct hooks *h, const struct hook *hook,
                  enum hook_answer answer)
{
    pthread_mutex_lock(&h->lock);
    bool tells = answer == HOOK_VERIFIED && h->verified_n < HOOKS_QUEUE;
    h->answers[answer]++;
    if (tells) {
        unsigned end = (h->verified_at + h->verified_n++) % HOOKS_QUEUE;
        h->verified[end] = (struct verified){ hook->account_id, hook->id };
    }
    pthread_mutex_unlock(&h->lock);
    if (tells && h->conf.wake_control) h->conf.wake_control(h->conf.ctx);
}

bool hooks_verified(struct hooks *h, struct id *account_id, struct ulid *id)
{
    pthread_mutex_lock(&h->lock);
    bool has = h->verified_n > 0;
    if (has) {
        *account_id = h->verified[h->verified_at].account_id;
        *id = h->verified[h->verified_at].id;
        h->verified_at = (h->verified_at + 1) % HOOKS_QUEUE;
        h->verified_n--;
    }
    pthread_mutex_unlock(&h->lock);
    return has;
}

void hooks_metrics(struct hooks *h, struct buf *out)
{
    static const char *const names[] = { "failed", "taken", "verified",
                                         "dropped" };
    const char *name = "typeauth_challenge_webhooks_total";
    pthread_mutex_lock(&h->lock);
    uint64_t values[] = { h->answers[HOOK_FAILED], h->answers[HOOK_TAKEN],
                          h->answers[HOOK_VERIFIED], h->dropped };
    pthread_mutex_unlock(&h->lock);
    metric_head(out, name, "counter",
                "Webhooks of challenges, by what came of them");
    for (int i = 0; i < 4; i++)
        metric_row_of(out, name, "outcome", names[i], values[i]);
}
