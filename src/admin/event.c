/* An account's events: refusals, findings, faults with their evidence
 * (api.md §9), as journal/ keeps them. docs/events.md says what they hold. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "base/err.h"
#include "codec/text.h"
#include "journal/names.h"

static const char *const actions[] = DETECTOR_ACTIONS;

/* --- an event as JSON ---------------------------------------------------------- */

/* What came from outside need not be UTF-8: then each odd byte is U+00XX. */
static void put_bytes(struct buf *b, const char *name, struct sv s)
{
    if (!s.n) return;
    json_put_name(b, name);
    if (utf8_is_valid(s)) {
        json_put_text(b, s);
        return;
    }
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            buf_printf(b, "\\u00%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

/* Evidence is shown as the check wrote it, if it is an object. */
static void put_finding(struct buf *b, const struct incident_finding *f,
                        struct arena *a)
{
    yyjson_doc *doc;
    buf_puts(b, b->p[b->n - 1] == '[' ? "{" : ",{");
    put_bytes(b, "code", f->code);
    json_put_member(b, "action", sv_cstr(actions[f->action]));
    json_put_bool(b, "enforced", f->enforced);
    json_put_name(b, "evidence");
    if (f->evidence.n && !json_decode(f->evidence, a, &doc, NULL) &&
        yyjson_is_obj(yyjson_doc_get_root(doc)))
        buf_put(b, f->evidence);
    else
        buf_puts(b, "{}");
    buf_putc(b, '}');
}

static void put_request(struct buf *b, const struct incident *i)
{
    static const char *const names[INCIDENT_TEXTS] = {
        [INCIDENT_CODE] = "code",     [INCIDENT_REQUEST_ID] = "request_id",
        [INCIDENT_METHOD] = "method", [INCIDENT_HOST] = "host",
        [INCIDENT_PATH] = "path",     [INCIDENT_SUBJECT] = "subject",
        [INCIDENT_OWNER] = "owner",
    };
    char ip[IP_TEXT_MAX];
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++)
        put_bytes(b, names[k], i->text[k]);
    if (i->has_client)
        json_put_member(b, "ip", sv_of(ip, ip_format(&i->client, ip)));
    if (i->status) json_put_u64(b, "status", i->status);
}

static void show(struct buf *b, const struct incident *i, struct arena *a)
{
    buf_putc(b, '{');
    json_put_id(b, "id", KIND_EVENT, &i->id);
    json_put_id(b, "application_id", KIND_APPLICATION, &i->application);
    if (i->has_token) json_put_id(b, "token_id", KIND_TOKEN, &i->token);
    json_put_member(b, "door", event_door_names[i->door]);
    json_put_member(b, "outcome", outcome_names[i->outcome]);
    json_put_bool(b, "enforced", incident_is_enforced(i));
    put_request(b, i);
    json_put_u64(b, "count", i->count);
    if (i->is_sum) json_put_time(b, "since", i->since_ms);
    if (i->cut) json_put_bool(b, "cut", true);
    json_put_name(b, "findings");
    buf_putc(b, '[');
    for (unsigned k = 0; k < i->findings_n; k++)
        put_finding(b, &i->findings[k], a);
    buf_putc(b, ']');
    if (i->findings_lost) json_put_u64(b, "findings_lost", i->findings_lost);
    json_put_time(b, "createdAt", i->at_ms);
    json_put_time(b, "updatedAt", i->at_ms);
    buf_putc(b, '}');
}

/* --- what is asked for ------------------------------------------------------------- */

static bool id_param(struct call *c, const char *name, enum kind kind,
                     struct ulid *at, const struct ulid **out)
{
    struct sv text = query_find(&c->query, sv_cstr(name));
    *out = NULL;
    if (!text.p) return true;
    if (id_parse(kind, text, at))
        return call_fail(c, 400, "invalid_value", name,
                         "It is not such an id.");
    *out = at;
    return true;
}

static bool time_param(struct call *c, const char *name, int64_t *out)
{
    return call_time(c, name, query_find(&c->query, sv_cstr(name)), false, out);
}

static bool action_param(struct call *c, int *out)
{
    struct sv text = query_find(&c->query, SV("action"));
    *out = -1;
    if (!text.p) return true;
    for (int i = 0; actions[i]; i++)
        if (sv_eq(text, sv_cstr(actions[i]))) return *out = i, true;
    return call_fail(c, 400, "invalid_value", "action",
                     "It must be allow, monitor, alert, challenge or block.");
}

static bool enforced_param(struct call *c, int *out)
{
    bool v;
    if (!call_flag(c, SV("enforced"), false, &v)) return false;
    *out = query_find(&c->query, SV("enforced")).p ? v : -1;
    return true;
}

static bool ip_param(struct call *c, struct ip *at, const struct ip **out)
{
    struct sv text = query_find(&c->query, SV("ip"));
    *out = NULL;
    if (!text.p) return true;
    if (ip_parse(text, at))
        return call_fail(c, 400, "invalid_value", "ip",
                         "It is not an IP address.");
    *out = at;
    return true;
}

struct asked {
    struct incident_filter filter;
    struct incident_page page;
    struct ulid application, token;
    struct ip ip;
};

static bool page_param(struct call *c, struct incident_page *out)
{
    struct store_page page;
    if (!call_page(c, KIND_EVENT, &page)) return false;
    memset(&out->bound, 0xff, sizeof out->bound);
    out->limit = page.limit;
    out->newer = page.before.n > 0;
    struct sv cursor = out->newer ? page.before : page.after;
    if (cursor.n) id_parse(KIND_EVENT, cursor, &out->bound);
    return true;
}

static bool asked_of(struct call *c, struct asked *out)
{
    struct incident_filter *f = &out->filter;
    *out = (struct asked){ .filter.end_ms = INT64_MAX };
    f->code = query_find(&c->query, SV("code"));
    return !id_parse(KIND_ACCOUNT, id_sv(&c->account_id), &f->account) &&
           page_param(c, &out->page) &&
           id_param(c, "application_id", KIND_APPLICATION, &out->application,
                    &f->application) &&
           id_param(c, "token_id", KIND_TOKEN, &out->token, &f->token) &&
           action_param(c, &f->action) && enforced_param(c, &f->enforced) &&
           ip_param(c, &out->ip, &f->client) &&
           time_param(c, "start", &f->start_ms) &&
           time_param(c, "end", &f->end_ms);
}

/* --- handlers ------------------------------------------------------------------------ */

struct shown {
    struct call *c;
    struct sv *rows; /* in the order of the walk */
    uint32_t n;
    struct buf one;
};

static void collect(void *ctx, const struct incident *i)
{
    struct shown *s = ctx;
    buf_clear(&s->one);
    show(&s->one, i, s->c->arena);
    s->rows[s->n++] = arena_dup(s->c->arena, buf_sv(&s->one));
}

static void fail(struct call *c, int err)
{
    if (err == ERR_NOTFOUND)
        call_not_found(c, "event");
    else
        call_fail(c, 503, "unavailable", "",
                  "Events cannot be read now; try again.");
}

static void put_page(struct call *c, const struct incident_page *page)
{
    struct buf *b = &c->a->body;
    answer_end_list(c->a, page->has_more);
    b->n--; /* the envelope goes on */
    if (page->has_more) json_put_id(b, "next", KIND_EVENT, &page->next);
    json_put_u64(b, "dropped", page->dropped);
    buf_putc(b, '}');
}

void event_list(struct call *c)
{
    struct asked asked;
    struct shown s = { .c = c };
    if (!asked_of(c, &asked)) return;
    s.rows = ARENA_ARRAY(c->arena, struct sv, asked.page.limit);
    if (!s.rows) {
        call_fail_store(c, ERR_NOMEM);
        return;
    }
    buf_init(&s.one, 1 << 20);
    int err = c->admin->conf.journal
                  ? journal_incidents(c->admin->conf.journal, &asked.filter,
                                      &asked.page, collect, &s)
                  : ERR_NOTFOUND;
    buf_fini(&s.one);
    if (err && err != ERR_NOTFOUND) { /* none are kept: an empty list */
        fail(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    for (uint32_t i = 0; i < s.n; i++)
        answer_put(c->a, s.rows[asked.page.newer ? s.n - 1 - i : i]);
    put_page(c, &asked.page);
}

void event_get(struct call *c)
{
    struct ulid account, id;
    struct sv row;
    struct shown s = { .c = c, .rows = &row };
    struct journal *j = c->admin->conf.journal;
    if (id_parse(KIND_EVENT, c->route.vars[0], &id) ||
        id_parse(KIND_ACCOUNT, id_sv(&c->account_id), &account) || !j) {
        call_not_found(c, "event");
        return;
    }
    buf_init(&s.one, 1 << 20);
    int err = journal_incident(j, &account, &id, collect, &s);
    buf_fini(&s.one);
    if (err) {
        fail(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    answer_put(c->a, row);
    answer_end(c->a);
}
