#include "admin/hold_hook.h"

#include <stdio.h>

#include "admin/admin_int.h"
#include "admin/hold.h"
#include "admin/hold_show.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "plan/abuse.h"

enum { SECRET_BYTES = 16 * 1024 };

/* --- sending ------------------------------------------------------------------------ */

static bool text_put(struct sv s, char *to, size_t max, uint16_t *n)
{
    if (!s.n || s.n > max) return false;
    memcpy(to, s.p, s.n);
    *n = (uint16_t)s.n;
    return true;
}

static bool secret_put(struct admin *a, struct sv profile_id, struct hook *out)
{
    char memory[SECRET_BYTES];
    struct arena arena;
    struct sv text;
    yyjson_doc *doc;
    char id[ID_TEXT_MAX + 1];
    snprintf(id, sizeof id, "%.*s", SV_FMT(profile_id));
    arena_init(&arena, sizeof memory, memory, sizeof memory);
    bool has =
        store_sealed_get(a->conf.store, id, &arena, &text) == 0 &&
        json_decode(text, &arena, &doc, NULL) == 0 &&
        text_put(json_text(json_find(yyjson_doc_get_root(doc), "secret")),
                 out->secret, sizeof out->secret, &out->secret_n);
    arena_fini(&arena);
    mem_wipe(memory, sizeof memory);
    return has;
}

static bool body_put(const struct hold *h, struct hook *out)
{
    struct buf b;
    buf_init_fixed(&b, out->body, sizeof out->body);
    buf_puts(&b, "{\"type\":\"challenge.opened\",\"data\":");
    hold_show(h, "open", h->opened_ms, &b);
    buf_putc(&b, '}');
    out->body_n = (uint16_t)b.n;
    return !b.overflow;
}

void hold_hook_send(struct admin *a, const struct hold *h)
{
    static struct hook hook; /* control thread only; wiped */
    const struct plan_app *app = plan_find(a->conf.plan, id_sv(&h->app_id));
    if (!a->conf.hooks || h->action != DETECTOR_CHALLENGE || !app ||
        !app->abuse)
        return;
    const struct abuse *profile = &app->abuse->profile;
    hook.account_id = h->account_id;
    hook.id = h->id;
    if (text_put(profile->webhook, hook.url, sizeof hook.url, &hook.url_n) &&
        secret_put(a, profile->id, &hook) && body_put(h, &hook))
        hooks_put(a->conf.hooks, &hook);
    mem_wipe(&hook, sizeof hook);
}

/* --- answers --------------------------------------------------------------------------- */

static int audit(struct admin *a, const struct hold *h, int64_t now_ms)
{
    struct id id = id_make(KIND_CHALLENGE, &h->id);
    const struct audit_entry e = {
        .id = store_ulid(a->conf.store, now_ms),
        .account_id = id_sv(&h->account_id),
        .key_id = SV(""),
        .at_ms = now_ms,
        .action = SV("challenge.verify"),
        .object_id = id_sv(&id),
        .from = SV("webhook"),
        .before = SV(""),
        .after = SV(""),
    };
    return store_audit_append(a->conf.store, &e);
}

/* Only a challenge: what has been denied meanwhile is an administrator's. */
static void pass(struct admin *a, struct sv account_id, const struct ulid *id)
{
    struct hold h;
    struct store *s = a->conf.store;
    int64_t now_ms = clock_wall_ms();
    int err = store_begin(s);
    if (!err) err = store_hold_get(s, account_id, id, &h);
    bool passes = !err && h.action == DETECTOR_CHALLENGE;
    if (passes) err = store_hold_delete(s, id);
    if (passes && !err) err = audit(a, &h, now_ms);
    if (passes && !err) err = store_commit(s);
    store_rollback(s); /* without an open one: nothing */
    if (passes && !err) hold_clear(a, &h, now_ms);
    if (err && err != ERR_NOTFOUND)
        log_error("admin", "challenge: %s", err_text(err));
}

void hold_hook_read(struct admin *a)
{
    struct id account_id;
    struct ulid id;
    if (!a->conf.hooks) return;
    while (hooks_verified(a->conf.hooks, &account_id, &id))
        pass(a, id_sv(&account_id), &id);
}
