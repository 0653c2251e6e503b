#include "reach/key_set.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/freshness.h"
#include "reach/discovery.h"
#include "reach/key_file.h"

enum {
    PULLS_MAX = 64, /* at once */
    ETAG_BYTES_MAX = 256,
    DISCOVERED_MS = 3600000, /* how long a jwks_uri is believed */
    /* The node clock goes on in suspension, the reactor's does not. */
    LOOK_AGAIN_MS = 60000,
#ifdef TEST_HOOKS
    LOOK_AGAIN_TEST_MS = 20, /* and tests move it */
#else
    LOOK_AGAIN_TEST_MS = LOOK_AGAIN_MS,
#endif
};

/* What is remembered of a set from fetch to fetch. */
struct memo {
    uint32_t generation; /* of its reference; another one: forgotten */
    bool read, failing;
    bool looked;                  /* for what is kept of it */
    uint8_t digest[SHA256_BYTES]; /* of the text last read */
    char etag[ETAG_BYTES_MAX];
    size_t etag_n;
    char keys_url[URL_BYTES_MAX]; /* discovered */
    size_t keys_url_n;
    int64_t believed_until_ms;
};

/* One fetch of one set. */
struct pull {
    struct key_sets *m;
    struct pull *next; /* waits to be read */
    struct keyset_due due;
    struct memo *memo;
    struct fetch *fetch;
    struct key_file file; /* where it is kept, if `kept` */
    bool kept, sweeps;
    /* what was fetched, and reading it */
    struct job job;
    char *text;
    size_t text_n;
    uint8_t digest[SHA256_BYTES];
    char etag[ETAG_BYTES_MAX];
    size_t etag_n;
    uint32_t fresh_s;
    int64_t age_ms; /* of what was kept */
    struct jwk_set *keys;
    struct jwk_why why;
    int err;
};

struct key_sets {
    struct key_sets_conf conf;
    struct timer timer;
    struct memo **memos; /* by number */
    unsigned memos_n;
    struct pull *pulls[PULLS_MAX];
    unsigned pulls_n;
    struct pull *reading, *to_read, **to_read_end;
    bool closed, swept;
};

static void pull_next(struct key_sets *m);
static void fetch_keys(struct pull *p);

/* --- memory ---------------------------------------------------------------------- */
static struct memo *memo_of(struct key_sets *m, struct keyset_ref ref)
{
    while (m->memos_n <= ref.number) {
        unsigned n = m->memos_n ? m->memos_n * 2 : 16;
        m->memos = mem_realloc(m->memos, n * sizeof(struct memo *));
        while (m->memos_n < n) m->memos[m->memos_n++] = NULL;
    }
    struct memo **memo = &m->memos[ref.number];
    if (!*memo) *memo = NEW(struct memo);
    if ((*memo)->generation != ref.generation)
        **memo = (struct memo){ .generation = ref.generation };
    return *memo;
}

/* --- the end of a pull --------------------------------------------------------------- */
static void pull_free(struct pull *p)
{
    struct key_sets *m = p->m;
    for (unsigned i = 0; i < m->pulls_n; i++)
        if (m->pulls[i] == p) m->pulls[i] = m->pulls[--m->pulls_n];
    if (p->keys) jwk_set_free(&p->keys);
    if (p->text) mem_wipe(p->text, p->text_n); /* symmetric keys */
    mem_free(p->text);
    mem_free(p);
}

static void host_of(const struct pull *p, char out[HOST_TEXT_MAX + 1])
{
    struct url url;
    bool ok = url_decode(p->due.source.text, &url) == 0;
    snprintf(out, HOST_TEXT_MAX + 1, "%s", ok ? url.host.text : "?");
}

/* Said once, not at each attempt. */
static void tell(struct pull *p, const char *problem)
{
    char host[HOST_TEXT_MAX + 1];
    if (!problem == !p->memo->failing || reactor_stopping(p->m->conf.reactor))
        return;
    p->memo->failing = problem != NULL;
    host_of(p, host);
    if (problem)
        log_warn("keys", "key set %u of %s: %s", p->due.ref.number, host,
                 problem);
    else
        log_info("keys", "key set %u of %s: read again", p->due.ref.number,
                 host);
}

static void pull_fails(struct pull *p, const char *problem)
{
    struct key_sets *m = p->m;
    p->memo->believed_until_ms = 0; /* the issuer is asked anew */
    tell(p, problem);
    keysets_failed(m->conf.sets, p->due.ref, problem, m->conf.node_ms());
    pull_free(p);
    pull_next(m);
}

static void pull_same(struct pull *p)
{
    struct key_sets *m = p->m;
    tell(p, NULL);
    if (p->kept) key_file_confirm(&p->file, m->conf.wall_ms());
    keysets_same(m->conf.sets, p->due.ref, p->fresh_s, m->conf.node_ms());
    pull_free(p);
    pull_next(m);
}

static void pull_good(struct pull *p)
{
    struct key_sets *m = p->m;
    struct memo *memo = p->memo;
    memo->read = true;
    memcpy(memo->digest, p->digest, sizeof memo->digest);
    memcpy(memo->etag, p->etag, p->etag_n);
    memo->etag_n = p->etag_n;
    tell(p, NULL);
    keysets_put(m->conf.sets, p->due.ref, p->keys, p->fresh_s,
                m->conf.node_ms());
    p->keys = NULL;
    pull_free(p);
    pull_next(m);
}

/* --- reading -------------------------------------------------------------------------- */
static void read_next(struct key_sets *m);

static void read_run(struct job *j)
{
    struct pull *p = CONTAINER_OF(j, struct pull, job);
    struct sv text = sv_of(p->text, p->text_n);
    p->err = jwk_set_decode(text, p->m->conf.lanes, &p->keys, &p->why);
    if (p->err || !p->kept) return;
    int err = key_file_save(&p->file, text, p->keys, p->m->conf.wall_ms());
    if (err)
        log_warn("keys", "key set %u is not kept over a restart: %s",
                 p->due.ref.number, err_text(err));
}

static void read_done(struct job *j)
{
    struct pull *p = CONTAINER_OF(j, struct pull, job);
    struct key_sets *m = p->m;
    char problem[128];
    m->reading = NULL;
    if (m->closed) return; /* key_sets_free has it */
    read_next(m);
    if (p->err == 0) {
        pull_good(p);
        return;
    }
    if (p->why.index)
        snprintf(problem, sizeof problem, "no usable keys: key %u: %s",
                 p->why.index + 1, p->why.reason);
    else
        snprintf(problem, sizeof problem, "no usable keys: %s", p->why.reason);
    pull_fails(p, problem);
}

static void read_next(struct key_sets *m)
{
    struct pull *p = m->to_read;
    if (m->reading || !p) return;
    m->to_read = p->next;
    if (!m->to_read) m->to_read_end = &m->to_read;
    p->job = (struct job){ .reply_to = m->conf.reactor,
                           .run = read_run,
                           .done = read_done };
    m->reading = p;
    if (workers_submit(m->conf.workers, &p->job) == 0) return;
    m->reading = NULL;
    pull_fails(p, "no worker was free to read the keys");
    read_next(m);
}

static void read_later(struct pull *p)
{
    struct key_sets *m = p->m;
    p->next = NULL;
    *m->to_read_end = p;
    m->to_read_end = &p->next;
    read_next(m);
}

/* --- answers ---------------------------------------------------------------------------- */

/* Many serve keys as plain text or bytes; what says that it is a page is none,
 * whatever it holds. */
static bool type_ok(const struct http_head *head)
{
    static const char *const good[] = {
        "application/json",
        "application/jwk-set+json",
        "text/plain",
        "application/octet-stream",
        "application/x-pem-file",
        "application/pem-certificate-chain",
    };
    struct sv rest;
    const struct http_field *f = http_head_find(head, HN_CONTENT_TYPE);
    if (!f) return true;
    struct sv type = sv_trim(sv_cut(f->value, ';', &rest));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (sv_eq_nocase(type, sv_cstr(good[i]))) return true;
    return type.n > 5 && sv_eq_nocase(sv_from(type, type.n - 5), SV("+json"));
}

/* NULL: 200 with something to read. */
static const char *answer_problem(const struct fetch_answer *a, char text[96])
{
    const struct http_field *coding =
        http_head_find(a->head, HN_CONTENT_ENCODING);
    if (a->err) return a->problem;
    if (a->status >= 300 && a->status < 400)
        snprintf(text, 96, "HTTP %u: redirects are not followed", a->status);
    else if (a->status != 200)
        snprintf(text, 96, "HTTP %u", a->status);
    else if (!type_ok(a->head))
        snprintf(text, 96, "the answer's Content-Type is not JSON");
    else if (coding && !sv_eq_nocase(coding->value, SV("identity")))
        snprintf(text, 96, "the answer is compressed");
    else
        return NULL;
    return text;
}

static void etag_keep(struct pull *p, const struct http_head *head)
{
    const struct http_field *f = http_head_find(head, HN_ETAG);
    p->etag_n = f && f->value.n <= ETAG_BYTES_MAX ? f->value.n : 0;
    if (p->etag_n) memcpy(p->etag, f->value.p, p->etag_n);
}

static void on_keys(void *ctx, const struct fetch_answer *a)
{
    struct pull *p = ctx;
    char text[96];
    p->fetch = NULL;
    if (!a->err) p->fresh_s = freshness_s(a->head);
    if (!a->err && a->status == 304 && p->memo->etag_n) {
        pull_same(p);
        return;
    }
    const char *problem = answer_problem(a, text);
    if (problem) {
        pull_fails(p, problem);
        return;
    }
    sha256(a->body, p->digest);
    if (p->memo->read &&
        !memcmp(p->digest, p->memo->digest, sizeof p->digest)) {
        pull_same(p);
        return;
    }
    etag_keep(p, a->head);
    p->text = mem_dup_sv(a->body);
    p->text_n = a->body.n;
    read_later(p);
}

/* What was read at another URL is no more known. */
static void keys_url_set(struct memo *memo, struct sv url, int64_t until_ms)
{
    if (!sv_eq(url, sv_of(memo->keys_url, memo->keys_url_n))) {
        memo->read = false;
        memo->etag_n = 0;
    }
    memcpy(memo->keys_url, url.p, url.n);
    memo->keys_url_n = url.n;
    memo->believed_until_ms = until_ms;
}

static void on_description(void *ctx, const struct fetch_answer *a)
{
    struct pull *p = ctx;
    const struct key_sets_conf *conf = &p->m->conf;
    char text[96], url[URL_BYTES_MAX], said[160];
    size_t n;
    p->fetch = NULL;
    const char *problem = answer_problem(a, text);
    if (!problem)
        problem = discovery_decode(a->body, p->due.source.text,
                                   conf->allow_plain, url, &n);
    if (problem) {
        snprintf(said, sizeof said, "discovery: %s", problem);
        pull_fails(p, said);
        return;
    }
    keys_url_set(p->memo, sv_of(url, n), conf->node_ms() + DISCOVERED_MS);
    fetch_keys(p);
}

/* --- questions ------------------------------------------------------------------------------ */
static void fetch(struct pull *p, struct sv url, struct sv accept,
                  size_t answer_max,
                  void (*done)(void *ctx, const struct fetch_answer *a))
{
    const struct memo *memo = p->memo;
    struct http_field fields[] = {
        { SV("Accept"), accept, HN_ACCEPT },
        { SV("Accept-Encoding"), SV("identity"), HN_OTHER },
        { SV("If-None-Match"), sv_of(memo->etag, memo->etag_n),
          HN_IF_NONE_MATCH },
    };
    bool conditional = done == on_keys && memo->etag_n;
    struct fetch_request req = {
        .url = url,
        .allow_plain = p->m->conf.allow_plain,
        .fields = fields,
        .fields_n = conditional ? 3 : 2,
        .answer_max = answer_max,
        .timeout_ms = p->m->conf.timeout_ms,
        .done = done,
        .ctx = p,
    };
    p->fetch = fetch_start(p->m->conf.fetcher, &req);
}

static void fetch_keys(struct pull *p)
{
    bool found = p->due.source.kind == KEYSET_DISCOVERY;
    fetch(p,
          found ? sv_of(p->memo->keys_url, p->memo->keys_url_n)
                : p->due.source.text,
          SV("application/jwk-set+json, application/json"), JWK_TEXT_BYTES_MAX,
          on_keys);
}

static void pull_ask(struct pull *p)
{
    char url[URL_BYTES_MAX];
    if (p->due.source.kind == KEYSET_URL ||
        p->m->conf.node_ms() < p->memo->believed_until_ms) {
        fetch_keys(p);
        return;
    }
    /* no URL: that is the fetch's to say */
    size_t n = discovery_url(p->due.source.text, url);
    fetch(p, sv_of(url, n), SV("application/json"), DISCOVERY_BYTES_MAX,
          on_description);
}

/* --- what an earlier process fetched ----------------------------------------------------- */
static void restore_run(struct job *j)
{
    struct pull *p = CONTAINER_OF(j, struct pull, job);
    const struct key_sets_conf *conf = &p->m->conf;
    int64_t confirmed_ms;
    char *text;
    size_t n;
    if (p->sweeps) key_files_sweep(conf->dir, conf->wall_ms());
    p->err = key_file_load(&p->file, &text, &n, &confirmed_ms);
    if (p->err) return;
    p->age_ms = conf->wall_ms() - confirmed_ms;
    p->err = jwk_set_decode(sv_of(text, n), conf->lanes, &p->keys, &p->why);
    mem_free(text);
}

static void restore_done(struct job *j)
{
    struct pull *p = CONTAINER_OF(j, struct pull, job);
    struct key_sets *m = p->m;
    if (m->closed) return; /* key_sets_free has it */
    if (p->keys)
        keysets_restore(m->conf.sets, p->due.ref, p->keys, p->age_ms,
                        m->conf.node_ms());
    p->keys = NULL;
    p->err = 0;
    pull_ask(p);
}

/* False: there is nothing to look for, or nobody free to look. */
static bool restore(struct pull *p)
{
    struct key_sets *m = p->m;
    if (!p->kept || p->memo->looked) return false;
    p->sweeps = !m->swept;
    p->job = (struct job){ .reply_to = m->conf.reactor,
                           .run = restore_run,
                           .done = restore_done };
    if (workers_submit(m->conf.workers, &p->job)) return false;
    p->memo->looked = m->swept = true;
    return true;
}

static void pull_start(struct key_sets *m, const struct keyset_due *due)
{
    struct pull *p = NEW(struct pull);
    p->m = m;
    p->due = *due;
    p->memo = memo_of(m, due->ref);
    p->kept = m->conf.dir && !key_file_of(&p->file, m->conf.dir, &due->source,
                                          m->conf.allow_plain);
    m->pulls[m->pulls_n++] = p;
    if (!restore(p)) pull_ask(p);
}

/* --- the manager ------------------------------------------------------------------------------ */
static void pull_next(struct key_sets *m)
{
    timer_arm(m->conf.reactor, &m->timer, 0);
}

void key_sets_run(struct key_sets *m)
{
    struct keyset_due due;
    int64_t next_ms = INT64_MAX, now = m->conf.node_ms();
    if (m->closed || reactor_stopping(m->conf.reactor)) return;
    while (m->pulls_n < PULLS_MAX &&
           keysets_due(m->conf.sets, now, &due, &next_ms))
        pull_start(m, &due);
    int64_t in = next_ms == INT64_MAX ? INT64_MAX : next_ms - now;
    if (in < 1) in = 1;
    if (in > LOOK_AGAIN_MS) in = LOOK_AGAIN_MS;
    if (in > LOOK_AGAIN_TEST_MS) in = LOOK_AGAIN_TEST_MS;
    if (m->pulls_n < PULLS_MAX) /* else when one of them ends */
        timer_arm(m->conf.reactor, &m->timer, (uint64_t)in);
}

static void on_timer(struct timer *t)
{
    key_sets_run(CONTAINER_OF(t, struct key_sets, timer));
}

int key_sets_new(struct key_sets **out, const struct key_sets_conf *conf)
{
    struct key_sets *m = NEW(struct key_sets);
    m->conf = *conf;
    m->timer.fire = on_timer;
    m->to_read_end = &m->to_read;
    *out = m;
    return 0;
}

void key_sets_close(struct key_sets *m)
{
    m->closed = true;
    timer_cancel(m->conf.reactor, &m->timer);
    for (unsigned i = 0; i < m->pulls_n; i++) {
        if (m->pulls[i]->fetch) fetch_cancel(m->pulls[i]->fetch);
        m->pulls[i]->fetch = NULL;
    }
}

void key_sets_free(struct key_sets **mp)
{
    struct key_sets *m = *mp;
    if (!m) return;
    while (m->pulls_n) pull_free(m->pulls[0]);
    for (unsigned i = 0; i < m->memos_n; i++) mem_free(m->memos[i]);
    mem_free(m->memos);
    mem_free(m);
    *mp = NULL;
}
