/* Webhooks of challenges (decision 0050): what the control thread wants told,
 * and what was answered. Queues of a fixed size, copies, short locks; texts
 * that hold a secret are wiped when they are taken.
 *
 *   control: hooks_put ─> reach: hooks_take ─> POST ─> hooks_report
 *   control: hooks_verified <─────────────────────────────┘ */
#ifndef LIVE_HOOK_H
#define LIVE_HOOK_H

#include "base/buf.h"
#include "model/kind.h"

enum { HOOK_URL_MAX = 2048, HOOK_SECRET_MAX = 256, HOOK_BODY_MAX = 3072,
       HOOKS_QUEUE = 64 };

struct hook {
    struct id account_id;
    struct ulid id;          /* of the hold */
    uint16_t url_n, secret_n, body_n;
    char url[HOOK_URL_MAX], secret[HOOK_SECRET_MAX], body[HOOK_BODY_MAX];
};

struct hooks;
struct hooks_conf {
    void (*wake_reach)(void *ctx), (*wake_control)(void *ctx);
    void *ctx;
};
void hooks_new(struct hooks **out, const struct hooks_conf *conf);
void hooks_free(struct hooks **h);

bool hooks_put(struct hooks *h, const struct hook *hook); /* false: full */
bool hooks_take(struct hooks *h, struct hook *out);
enum hook_answer { HOOK_FAILED, HOOK_TAKEN, HOOK_VERIFIED };
void hooks_report(struct hooks *h, const struct hook *hook,
                  enum hook_answer answer);
/* The next one that was answered with {"verified": true}. */
bool hooks_verified(struct hooks *h, struct id *account_id, struct ulid *id);

void hooks_metrics(struct hooks *h, struct buf *out);

#endif
