/* A gateway in one thread: real reactor, HTTP, plan, tokens and counters; an
 * origin that answers by script and keeps what it saw; events in an array. */
#ifndef DOORS_KIT_H
#define DOORS_KIT_H

#include "../live/scratch.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "check/jwt.h"
#include "check/schema.h"
#include "codec/digest.h"
#include "edge/edge.h"
#include "heads.h"
#include "fake_waf.h"
#include "netkit.h"
#include "plan_fixture.h"

enum { EVENTS_MAX = 256 };

struct kept_event {
    enum outcome outcome;
    char code[64], app[40], path[64], method[16], id[140];
    unsigned status, door;
    bool has_token;
    struct ip client;
    uint64_t bytes_in, bytes_out;
    int64_t wall_ms;
};
static struct kept_event events[EVENTS_MAX];
static unsigned events_n;

static void keep_text(char *out, size_t max, struct sv s)
{
    snprintf(out, max, "%.*s", SV_FMT(s));
}

void journal_event(struct journal *j, unsigned r, const struct event *e)
{
    struct kept_event *k = &events[events_n++ % EVENTS_MAX];
    (void)j;
    assert_int_equal(r, 0);
    memset(k, 0, sizeof *k);
    k->outcome = e->outcome;
    keep_text(k->code, sizeof k->code, sv_cstr(e->code));
    keep_text(k->app, sizeof k->app, e->app_id);
    keep_text(k->path, sizeof k->path, e->path);
    keep_text(k->method, sizeof k->method, e->method);
    keep_text(k->id, sizeof k->id, e->request_id);
    k->status = e->status;
    k->door = e->door;
    k->has_token = e->token_id != NULL;
    k->client = e->client;
    k->bytes_in = e->bytes_in;
    k->bytes_out = e->bytes_out;
    k->wall_ms = e->wall_ms;
}

uint32_t journal_turn(struct journal *j, unsigned r, uint64_t now_ms)
{
    (void)j, (void)r, (void)now_ms;
    return 0;
}

/* --- the origin ------------------------------------------------------------------- */

struct origin {
    struct listener *listener;
    struct addr at;
    struct buf seen;    /* all that it was sent, on any connection */
    size_t from;        /* what lies before has been answered */
    const char *until;  /* when this has come … */
    const char *reply;  /* … it says this; NULL: nothing */
    size_t reply_n;     /* 0: strlen */
    bool closes;        /* and closes */
    bool echoes;        /* after the reply: everything comes back */
    unsigned conns, closed;
    struct conn *last;
};

static size_t origin_bytes(struct conn *c, struct sv in)
{
    struct origin *o = conn_ctx(c);
    bool echo = o->echoes && o->from > 0;
    buf_put(&o->seen, in);
    o->last = c;
    if (echo) {
        conn_write(c, in);
        return in.n;
    }
    char *p = memmem(o->seen.p + o->from, o->seen.n - o->from, o->until,
                     strlen(o->until));
    if (!p) return in.n;
    o->from = o->seen.n;
    if (o->reply)
        conn_write(c, sv_of(o->reply, o->reply_n ? o->reply_n
                                                 : strlen(o->reply)));
    if (o->closes) conn_finish(c);
    return in.n;
}

static void origin_closed(struct conn *c, int err)
{
    struct origin *o = conn_ctx(c);
    (void)err;
    o->closed++;
    if (o->last == c) o->last = NULL;
}

static void origin_eof(struct conn *c)
{
    conn_finish(c);
}

static const struct conn_ops origin_ops = {
    .on_bytes = origin_bytes, .on_eof = origin_eof,
    .on_closed = origin_closed,
};

static void origin_accept(struct conn *c, void *ctx)
{
    ((struct origin *)ctx)->conns++;
    conn_set_ops(c, &origin_ops, ctx);
}

/* --- the house -------------------------------------------------------------------- */

struct house {
    struct kit kit;
    struct scratch scratch;
    struct plan *plan;
    struct tokens *tokens;
    struct counters *counters;
    struct keysets *keysets;
    struct subjects *subjects;
    struct jwt_lane *jwt;
    struct schema_lane *schemas;
    struct workers *workers, *judges;
    struct dns *dns;
    struct egress egress;
    struct check_env checks;
    struct edge *edge;
    struct edge_reactor *er;
    struct http_server *gateway, *verify;
    struct origin origin;
    struct log_of client;
    struct cidr trusted;
    char origin_url[64];
    uint32_t waits; /* takes that answer WAIT first */
    bool (*until)(struct house *h);
};
static struct house house;
static size_t house_bodies_max; /* of the edge; 0: its default */
static bool house_no_judges;    /* no worker takes the checks' work */
static const char *management_key = "mk_secret";
static char account_asked[64];

static bool key_is_of_account(void *ctx, struct sv secret, struct sv account)
{
    (void)ctx;
    keep_text(account_asked, sizeof account_asked, account);
    return sv_eq(secret, sv_cstr(management_key));
}

static struct http_server *house_open(const struct http_service *service)
{
    struct addr any = kit_loopback(0);
    struct http_server_conf conf = { .service = service, .ctx = house.er };
    struct http_server *s;
    assert_int_equal(http_server_open(house.kit.r, &any, -1, &conf, &s), 0);
    return s;
}

static void origin_open(struct origin *o)
{
    struct listener_conf conf = { .addr = kit_loopback(0), .inherited_fd = -1,
                                  .on_accept = origin_accept, .ctx = o,
                                  .ops = &origin_ops };
    *o = (struct origin){ .until = "\r\n\r\n" };
    buf_init(&o->seen, 64 << 20);
    assert_int_equal(listener_open(house.kit.r, &conf, &o->listener), 0);
    listener_addr(o->listener, &o->at);
    o->reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
}

static int house_setup(void **state)
{
    (void)state;
    struct house *h = &house;
    char problem[256];
    memset(h, 0, sizeof *h);
    events_n = 0;
    kit_init(&h->kit, NULL);
    scratch_make(&h->scratch);
    struct counters_conf counters = { .dir = h->scratch.path };
    assert_int_equal(counters_open(&h->counters, &counters, problem), 0);
    struct tokens_conf tokens = { .max = 4096, .dir = h->scratch.path,
                                  .counters = h->counters };
    assert_int_equal(tokens_new(&h->tokens, &tokens), 0);
    assert_int_equal(plan_new(&h->plan, 1), 0);
    fake_waf_reset();
    plan_waf_conf(h->plan, &(struct waf_sets_conf){ .engine = &fake_waf });
    assert_int_equal(workers_new(&h->workers, 1, 16), 0);
    workers_new_background(&h->judges, 1, 2, 1);
    struct dns_conf dns = { .reactor = h->kit.r, .workers = h->workers,
                            .fresh_ms = 1000, .stale_ms = 1000,
                            .max_names = 16 };
    assert_int_equal(dns_new(&h->dns, &dns), 0);
    struct keysets_conf keys = { .lanes = 1 };
    assert_int_equal(keysets_new(&h->keysets, &keys), 0);
    struct subjects_conf subjects = { .dir = h->scratch.path, .max = 1024,
                                      .counters = h->counters,
                                      .tokens = h->tokens };
    assert_int_equal(subjects_open(&h->subjects, &subjects, problem), 0);
    struct jwt_check_conf jwt = { .reactors = 1, .cache_bytes = 1 << 20 };
    h->jwt = jwt_lanes_new(&jwt);
    h->schemas = schema_lanes_new(1);
    h->checks = (struct check_env){ .tokens = h->tokens,
                                    .counters = h->counters,
                                    .plan = h->plan,
                                    .wall_ms = clock_wall_ms,
                                    .node_ms = clock_node_ms,
                                    .keysets = h->keysets,
                                    .subjects = h->subjects,
                                    .jwt = h->jwt,
                                    .schema_lanes = h->schemas };
    assert_int_equal(cidr_parse(SV("127.0.0.1"), &h->trusted), 0);
    struct edge_conf conf = { .checks = &h->checks, .workers = h->workers,
                              .judges = house_no_judges ? NULL : h->judges,
                              .egress = &h->egress, .name = SV("gw"),
                              .keys = { key_is_of_account, NULL },
                              .bodies_max = house_bodies_max,
                              .reactors = 1 };
    conf.trust.peers = &h->trusted; /* a test says how many of it */
    assert_int_equal(edge_new(&h->edge, &conf), 0);
    assert_int_equal(edge_reactor_new(&h->er, h->edge, h->kit.r, h->dns), 0);
    h->gateway = house_open(&edge_proxy_service);
    h->verify = house_open(&edge_verify_service);
    origin_open(&h->origin);
    snprintf(h->origin_url, sizeof h->origin_url, "http://127.0.0.1:%u",
             h->origin.at.port);
    return 0;
}

static bool nothing_left(struct house *h)
{
    (void)h;
    return false;
}

static void house_step(struct kit *k)
{
    edge_turn(house.er);
    kit_forward_ms(k, 1);
    if (house.until && house.until(&house)) k->done = true;
}

static int house_teardown(void **state)
{
    (void)state;
    struct house *h = &house;
    h->until = nothing_left;
    reactor_stop(h->kit.r, 10);
    kit_run(&h->kit, house_step);
    http_server_free(&h->gateway);
    http_server_free(&h->verify);
    workers_free(&h->workers);
    workers_free(&h->judges);
    dns_free(&h->dns);
    edge_reactor_free(&h->er);
    edge_free(&h->edge);
    kit_fini(&h->kit);
    plan_free(&h->plan);
    jwt_lanes_free(&h->jwt, 1);
    schema_lanes_free(&h->schemas, 1);
    keysets_free(&h->keysets);
    subjects_close(&h->subjects);
    tokens_free(&h->tokens);
    counters_close(&h->counters);
    buf_fini(&h->origin.seen);
    scratch_remove(&h->scratch);
    return 0;
}

/* --- applications and tokens ------------------------------------------------------- */

/* Application 1 at a.test, in front of the origin. */
static inline const struct plan_app *house_app(const char *auth, const char *more)
{
    struct plan_fixture f = { .domain = "a.test", .origin = house.origin_url,
                              .more = more, .auth = auth, .num = 1,
                              .imported = true };
    f.quota_slot = UINT32_MAX;
    return plan_fixture_publish(house.plan, &f);
}

static inline struct token_record house_record(const char *secret)
{
    struct token_record r = { .app = 1, .state = TOKEN_ENABLED };
    sha256(sv_cstr(secret), r.digest);
    memcpy(r.id, r.digest + 16, sizeof r.id);
    r.id[0] = 1;
    r.slot = tokens_slot_take(house.tokens);
    assert_true(r.slot != UINT32_MAX);
    return r;
}

static uint32_t tag_of(const struct token_record *r)
{
    return (uint32_t)r->id[12] << 24 | (uint32_t)r->id[13] << 16 |
           (uint32_t)r->id[14] << 8 | r->id[15];
}

static inline void house_put(const struct token_record *r)
{
    assert_int_equal(tokens_put(house.tokens, r), 0);
    counters_slot_init(house.counters, r->slot, tag_of(r));
}

static inline uint32_t house_token(const char *secret)
{
    struct token_record r = house_record(secret);
    house_put(&r);
    return r.slot;
}

/* --- asking ------------------------------------------------------------------------ */

static bool client_is_over(struct house *h)
{
    return h->client.closed > 0;
}

static int turns_until;
static inline bool some_turns(struct house *h)
{
    (void)h;
    return turns_until-- <= 0;
}

static void house_run(bool (*until)(struct house *h))
{
    house.until = until;
    kit_run(&house.kit, house_step);
}

static void house_dial(struct http_server *door)
{
    struct addr at;
    listener_addr(http_server_listener(door), &at);
    log_init(&house.client, &house.kit);
    house.client.finish_at_eof = true;
    assert_int_equal(conn_connect(house.kit.r, &at, &LOG_OPS, &house.client,
                                  &house.client.c), 0);
}

static void house_send(struct sv bytes)
{
    assert_int_equal(conn_write(house.client.c, bytes), 0);
    conn_flush(house.client.c);
}

static inline const char *client_text(void)
{
    buf_putc(&house.client.in, '\0');
    house.client.in.n--;
    return house.client.in.p;
}

/* Sends, reads to the end. The text is freed by the next. */
static const char *house_ask(struct http_server *door, const char *text)
{
    static struct buf kept;
    house_dial(door);
    house_send(sv_cstr(text));
    house_run(client_is_over);
    buf_fini(&kept);
    kept = house.client.in;
    buf_putc(&kept, '\0');
    return kept.p;
}

static inline const char *house_post(const char *path, const char *fields,
                              const char *body)
{
    static char text[1 << 16];
    snprintf(text, sizeof text,
             "POST %s HTTP/1.1\r\nHost: v.test\r\nConnection: close\r\n%s"
             "Content-Length: %zu\r\n\r\n%s",
             path, fields, strlen(body), body);
    return house_ask(house.verify, text);
}

static inline const char *origin_text(void)
{
    buf_putc(&house.origin.seen, '\0');
    house.origin.seen.n--;
    return house.origin.seen.p;
}

static void must_hold(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fprintf(stderr, "# misses '%s' in:\n# %s\n", part, text);
        fail();
    }
}

static void must_lack(const char *text, const char *part)
{
    if (strstr(text, part)) {
        fprintf(stderr, "# has '%s' in:\n# %s\n", part, text);
        fail();
    }
}

/* The one event since the last look. */
static const struct kept_event *the_event(enum outcome outcome,
                                          const char *code, unsigned status)
{
    assert_int_equal(events_n, 1);
    events_n = 0;
    assert_string_equal(events[0].code, code);
    assert_int_equal(events[0].outcome, outcome);
    assert_int_equal(events[0].status, status);
    return &events[0];
}

#endif
