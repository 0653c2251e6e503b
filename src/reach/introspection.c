/* One POST a question: see introspection.h. An answer is one only if it is a
 * strict JSON object that says whether the token is active; whatever else comes
 * is a failure, and no token's fault. */
#include "reach/introspection.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"

enum { BODY_MAX = 64 * 1024, DOCUMENT_BYTES = 512 * 1024 };

struct question {
    struct introspector *m;
    struct question *next, **prev;
    struct introspection_due due;
    bool again;
};

struct introspector {
    struct introspector_conf conf;
    struct question *all;
    bool failing; /* said once, not for each token */
};

void introspector_new(struct introspector **out,
                      const struct introspector_conf *conf)
{
    *out = NEW(struct introspector);
    (*out)->conf = *conf;
}

static void question_free(struct question *q)
{
    *q->prev = q->next;
    if (q->next) q->next->prev = q->prev;
    mem_free(q);
}

void introspector_free(struct introspector **m)
{
    if (!*m) return;
    while ((*m)->all) question_free((*m)->all);
    mem_free(*m);
    *m = NULL;
}

/* --- answers ---------------------------------------------------------------------- */

/* NULL: *active says. */
static const char *answer_read(const struct fetch_answer *f, bool *active,
                               char said[64])
{
    yyjson_doc *doc;
    struct arena a;
    if (f->err) return f->problem;
    if (f->status != 200) {
        snprintf(said, 64, "HTTP %u", f->status);
        return said;
    }
    arena_init(&a, DOCUMENT_BYTES, NULL, 0);
    const char *problem = "the answer is not a JSON object with active";
    if (json_decode(f->body, &a, &doc, NULL) == 0) {
        yyjson_val *v = json_find(yyjson_doc_get_root(doc), "active");
        if (yyjson_is_bool(v)) {
            *active = yyjson_get_bool(v);
            problem = NULL;
        }
    }
    arena_fini(&a);
    return problem;
}

static void tell(struct introspector *m, const char *problem)
{
    if (!problem == !m->failing) return;
    m->failing = problem != NULL;
    if (problem)
        log_warn("reach", "introspection: %s", problem);
    else
        log_info("reach", "introspection: answered again");
}

static void post(struct question *q);

static void on_answer(void *ctx, const struct fetch_answer *f)
{
    struct question *q = ctx;
    struct introspector *m = q->m;
    bool active = false;
    char said[64];
    if (f->err == ERR_CLOSED && !q->again) {
        q->again = true; /* a kept connection may have ended just then */
        post(q);
        return;
    }
    const char *problem = answer_read(f, &active, said);
    struct sv text = problem ? (struct sv){ 0 } : f->body;
    tell(m, problem);
    introspections_report(m->conf.table, q->due.ticket, active, text,
                          m->conf.node_ms());
    question_free(q);
    introspector_run(m);
}

/* --- questions ----------------------------------------------------------------------- */

static void put_form(struct buf *b, struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i],
                      low = (unsigned char)(c | 0x20);
        bool plain = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            buf_putc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

/* Asking twice does no harm: it changes nothing there. */
static void post(struct question *q)
{
    const struct introspector *m = q->m;
    const struct http_field fields[] = {
        { SV("Authorization"), q->due.authorization, HN_AUTHORIZATION },
        { SV("Content-Type"), SV("application/x-www-form-urlencoded"),
          HN_CONTENT_TYPE },
        { SV("Accept"), SV("application/json"), HN_ACCEPT },
    };
    struct buf body;
    buf_init(&body, BODY_MAX);
    buf_puts(&body, "token_type_hint=access_token&token=");
    put_form(&body, q->due.token);
    struct fetch_request req = {
        .url = q->due.url,
        .allow_plain = m->conf.allow_plain,
        .body = buf_sv(&body),
        .fields = fields,
        .fields_n = sizeof fields / sizeof *fields,
        .answer_max = INTROSPECTION_ANSWER_MAX,
        .timeout_ms = m->conf.timeout_ms,
        .done = on_answer,
        .ctx = q,
    };
    fetch_start(m->conf.fetcher, &req);
    if (body.p) mem_wipe(body.p, body.n);
    buf_fini(&body);
}

static void begin(struct introspector *m, const struct introspection_due *due)
{
    struct question *q = NEW(struct question);
    *q = (struct question){ .m = m, .due = *due, .next = m->all };
    q->prev = &m->all;
    if (m->all) m->all->prev = &q->next;
    m->all = q;
    post(q);
}

void introspector_run(struct introspector *m)
{
    struct introspection_due due;
    while (introspections_take(m->conf.table, &due)) begin(m, &due);
}
