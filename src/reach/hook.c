/* A delivery: post ─┬─ 2xx ──────────────────────────────> reported
 *                   └─ failed ─ pause ─ post … (3 times) ─> reported */
#include "reach/hook.h"

#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "reach/sign.h"

enum {
    ANSWER_MAX = 4096,
    DOCUMENT_BYTES = 64 * 1024,
    ATTEMPTS = 3,
    FIRST_PAUSE_MS = 1000, /* then four times as long */
    DELIVERIES_MAX = 32,   /* at once; more wait in the queue */
};

struct delivery {
    struct hook_poster *p;
    struct delivery *next, **prev;
    struct timer again;
    struct hook hook; /* wiped */
    unsigned attempts;
};

struct hook_poster {
    struct hook_poster_conf conf;
    struct delivery *all;
    unsigned n;
};

void hook_poster_new(struct hook_poster **out,
                     const struct hook_poster_conf *conf)
{
    *out = NEW(struct hook_poster);
    (*out)->conf = *conf;
}

static void delivery_free(struct delivery *d)
{
    *d->prev = d->next;
    if (d->next) d->next->prev = d->prev;
    d->p->n--;
    mem_wipe(&d->hook, sizeof d->hook);
    mem_free(d);
}

void hook_poster_free(struct hook_poster **at)
{
    if (!*at) return;
    while ((*at)->all) delivery_free((*at)->all);
    mem_free(*at);
    *at = NULL;
}

/* --- the answer ----------------------------------------------------------------------- */

static bool says_verified(struct sv body)
{
    struct arena a;
    yyjson_doc *doc;
    bool verified = false;
    arena_init(&a, DOCUMENT_BYTES, NULL, 0);
    if (body.n && json_decode(body, &a, &doc, NULL) == 0)
        verified =
            yyjson_is_true(json_find(yyjson_doc_get_root(doc), "verified"));
    arena_fini(&a);
    return verified;
}

static void post(struct delivery *d);

static void on_again(struct timer *t)
{
    post(CONTAINER_OF(t, struct delivery, again));
}

static void failed(struct delivery *d, const struct fetch_answer *f)
{
    struct hook_poster *p = d->p;
    if (d->attempts < ATTEMPTS) {
        d->again.fire = on_again;
        timer_arm(p->conf.reactor, &d->again,
                  (uint64_t)FIRST_PAUSE_MS << (2 * (d->attempts - 1)));
        return;
    }
    if (f->err)
        log_warn("reach", "challenge webhook: %s", f->problem);
    else
        log_warn("reach", "challenge webhook: HTTP %u", f->status);
    hooks_report(p->conf.table, &d->hook, HOOK_FAILED);
    delivery_free(d);
}

static void on_answer(void *ctx, const struct fetch_answer *f)
{
    struct delivery *d = ctx;
    struct hook_poster *p = d->p;
    if (f->err || f->status < 200 || f->status > 299) {
        failed(d, f);
    } else {
        hooks_report(p->conf.table, &d->hook,
                     says_verified(f->body) ? HOOK_VERIFIED : HOOK_TAKEN);
        delivery_free(d);
    }
    hook_poster_run(p);
}

/* --- the request ------------------------------------------------------------------------ */

static void post(struct delivery *d)
{
    const struct hook_poster *p = d->p;
    char text[SIGN_TEXT_MAX];
    const struct sv secret = { d->hook.secret, d->hook.secret_n };
    const struct sv body = { d->hook.body, d->hook.body_n };
    const struct http_field fields[] = {
        { SV("Content-Type"), SV("application/json; charset=utf-8"),
          HN_CONTENT_TYPE },
        { SV("X-Typeauth-Signature"),
          sign_body(text, p->conf.wall_ms(), body, &secret, 1), HN_OTHER },
    };
    d->attempts++;
    const struct fetch_request req = {
        .url = sv_of(d->hook.url, d->hook.url_n),
        .allow_plain = p->conf.allow_plain,
        .body = body,
        .fields = fields,
        .fields_n = ARRAY_LEN(fields),
        .answer_max = ANSWER_MAX,
        .timeout_ms = p->conf.timeout_ms,
        .done = on_answer,
        .ctx = d,
    };
    fetch_start(p->conf.fetcher, &req);
}

void hook_poster_run(struct hook_poster *p)
{
    while (p->n < DELIVERIES_MAX) {
        struct delivery *d = NEW(struct delivery);
        if (!hooks_take(p->conf.table, &d->hook)) {
            mem_free(d);
            return;
        }
        d->p = p;
        d->next = p->all;
        d->prev = &p->all;
        if (p->all) p->all->prev = &d->next;
        p->all = d;
        p->n++;
        post(d);
    }
}
