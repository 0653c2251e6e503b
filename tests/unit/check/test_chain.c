/* Every check through both doors: one driver, rows of data. A row arranges a
 * world that would pass, and says what comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/hash.h"
#include "check/exchange.h"
#include "codec/base62.h"
#include "codec/http1.h"
#include "fake_live.h"
#include "plan_fixture.h"

struct world {
    struct plan *plan;
    struct plan_fixture fixture;
    struct plan_app *app;
    struct check_env env;
    struct exchange x;
    struct http_head head;
    struct arena arena;
    char secret[64], request[512];
    struct token_cold cold;
    struct policy own;
    struct sv scopes[2], held[2];
    struct cidr allow;
};

struct row {
    const char *says;
    void (*arrange)(struct world *w); /* before the image is built */
    void (*change)(struct world *w);  /* after the first run (WAIT) */
    enum verdict verdict;
    enum reason reason;
    /* what has happened to the counters */
    unsigned takes, refunds;
    bool not_taken;
    unsigned faults;
    const char *only; /* "proxy" or "verify"; NULL: both */
};

static void secret_make(struct world *w, const char *body)
{
    size_t n = strlen(body);
    memcpy(w->secret, body, n);
    base62_encode_u32(w->secret + n, crc32_ieee(0, body, n));
    w->secret[n + BASE62_U32_TEXT] = '\0';
}

/* --- worlds ------------------------------------------------------------------ */

static void nothing(struct world *w)
{
    (void)w;
}
static void app_disabled(struct world *w)
{
    w->fixture.more = ",\"enabled\":false";
}
static void app_lost_auth(struct world *w)
{
    w->fixture.auth = NULL;
    w->fixture.more = ",\"public\":false";
}
static void app_public(struct world *w)
{
    w->fixture.auth = NULL;
    w->fixture.more = ",\"public\":true";
}
static void app_public_unknown_token(struct world *w)
{
    app_public(w);
    live.secret = NULL;
}
static void no_credential(struct world *w)
{
    w->secret[0] = '\0';
}
static void unknown_token(struct world *w)
{
    (void)w;
    live.secret = NULL;
}
static void other_app(struct world *w)
{
    (void)w;
    live.token.app = 2;
}
static void made_up(struct world *w)
{
    live.secret = "k_abcdefghijklmnop000000";
    strcpy(w->secret, live.secret);
}
static void imported(struct world *w)
{
    made_up(w);
    w->fixture.imported = true;
}
static void too_short(struct world *w)
{
    strcpy(w->secret, "000000"); /* the CRC of nothing */
    live.secret = w->secret;
}
static void disabled(struct world *w)
{
    (void)w;
    live.token.state = 0;
}
static void revoked(struct world *w)
{
    (void)w;
    live.token.state = TOKEN_ENABLED | TOKEN_REVOKED;
}
static void revoked_disabled(struct world *w)
{
    (void)w;
    live.token.state = TOKEN_REVOKED;
}
static void expires_now(struct world *w)
{
    (void)w;
    live.token.expires_ms = live.wall_ms;
}
static void expires_later(struct world *w)
{
    (void)w;
    live.token.expires_ms = live.wall_ms + 1;
}
static void disabled_expired(struct world *w)
{
    disabled(w);
    expires_now(w);
}
static void expired_over_limit(struct world *w);
static void script(enum take a, enum take b)
{
    live.take[0] = a;
    live.take[1] = b;
    live.take_n = 2;
}
static void over_limit(struct world *w)
{
    (void)w;
    script(TAKE_REFUSED, TAKE_REFUSED);
    live.answer = (struct take_answer){
        .refused_by = 0, .has_limit = true, .limit = 5, .retry_after_s = 3
    };
}
static void expired_over_limit(struct world *w)
{
    expires_now(w);
    over_limit(w);
}
static void over_quota(struct world *w)
{
    over_limit(w);
    live.answer.refused_by = TAKE_BY_QUOTA;
}
static void contended_once(struct world *w)
{
    (void)w;
    script(TAKE_WAIT, TAKE_TAKEN);
}
static void contended(struct world *w)
{
    (void)w;
    script(TAKE_WAIT, TAKE_WAIT);
}
static void fault(struct world *w)
{
    (void)w;
    script(TAKE_FAULT, TAKE_FAULT);
}
static void open_profile(struct world *w)
{
    w->fixture.auth = "\"onFault\":\"open\"";
}
static void fault_open(struct world *w)
{
    fault(w);
    open_profile(w);
}
static void contended_open(struct world *w)
{
    contended(w);
    open_profile(w);
}
static void peeking(struct world *w)
{
    w->x.peek = true;
}
static void asks_scopes(struct world *w)
{
    w->scopes[0] = SV("read");
    w->scopes[1] = SV("write");
    w->x.scopes = w->scopes;
    w->x.scopes_n = 2;
}
static void holds_scopes(struct world *w)
{
    asks_scopes(w);
    w->held[0] = SV("write");
    w->held[1] = SV("read");
    w->cold.scopes = w->held;
    w->cold.scopes_n = 2;
    live.token.cold = &w->cold;
}
static void lacks_a_scope(struct world *w)
{
    holds_scopes(w);
    w->cold.scopes_n = 1;
}
static void lacks_a_scope_peeking(struct world *w)
{
    lacks_a_scope(w);
    peeking(w);
}
static void allows(struct world *w, const char *cidr)
{
    assert_int_equal(cidr_parse(sv_cstr(cidr), &w->allow), 0);
    w->cold.allow = &w->allow;
    w->cold.allow_n = 1;
    w->cold.has_allow = true;
    live.token.cold = &w->cold;
}
static void allowed_address(struct world *w)
{
    allows(w, "192.0.2.0/24");
}
static void other_address(struct world *w)
{
    allows(w, "198.51.100.0/24");
}
static void no_address(struct world *w)
{
    allows(w, "0.0.0.0/0");
    w->x.has_client = false;
}
static void empty_list(struct world *w)
{
    allowed_address(w);
    w->cold.allow_n = 0;
}
static void contended_then_scopes(struct world *w)
{
    contended_once(w);
    lacks_a_scope(w);
}

/* while it waits */
static void is_revoked(struct world *w)
{
    (void)w;
    live.token.state |= TOKEN_REVOKED;
}
static void is_expired(struct world *w)
{
    live.token.expires_ms = live.wall_ms + 5;
    live.wall_ms += 5;
    (void)w;
}
static void has_new_owner(struct world *w)
{
    (void)w;
    live.view_gone = true;
}

#define P VERDICT_PASS, REASON_NONE
#define D(why) VERDICT_DENY, REASON_##why
static const struct row ROWS[] = {
    { "a good token passes and is taken", nothing, NULL, P, .takes = 1,
      .refunds = 0 },
    /* enabled */
    { "a disabled application refuses before it looks at the token",
      app_disabled, NULL, D(APPLICATION_DISABLED), .not_taken = true },
    { "an application that lost its authentication refuses everybody",
      app_lost_auth, NULL, D(NO_AUTHENTICATION), .not_taken = true },
    { "a public application lets everybody pass unjudged",
      app_public_unknown_token, NULL, P, .not_taken = true, .only = "proxy" },
    { "a question about a token of a public application is judged", app_public,
      NULL, P, .takes = 1, .only = "verify" },
    { "an unknown token is not good because its application is public",
      app_public_unknown_token, NULL, D(INVALID_TOKEN), .not_taken = true,
      .only = "verify" },
    /* credential */
    { "no token is refused as missing", no_credential, NULL, D(MISSING_TOKEN),
      .not_taken = true },
    { "an unknown token is refused", unknown_token, NULL, D(INVALID_TOKEN),
      .not_taken = true },
    { "another application's token is refused like an unknown one", other_app,
      NULL, D(INVALID_TOKEN), .not_taken = true },
    { "a made-up token is refused by its checksum", made_up, NULL,
      D(INVALID_TOKEN), .not_taken = true },
    { "an application with imported tokens has no checksum", imported, NULL, P,
      .takes = 1 },
    { "a checksum of nothing is no token", too_short, NULL, D(INVALID_TOKEN),
      .not_taken = true },
    /* token_state */
    { "a disabled token is refused", disabled, NULL, D(TOKEN_DISABLED),
      .not_taken = true },
    { "a revoked token is refused", revoked, NULL, D(TOKEN_REVOKED),
      .not_taken = true },
    { "a revoked token is called revoked even if it was disabled",
      revoked_disabled, NULL, D(TOKEN_REVOKED), .not_taken = true },
    /* expiry */
    { "a token is expired from the moment it names", expires_now, NULL,
      D(TOKEN_EXPIRED), .not_taken = true },
    { "a token is good until the moment it names", expires_later, NULL, P,
      .takes = 1 },
    { "a disabled and expired token is called disabled", disabled_expired, NULL,
      D(TOKEN_DISABLED), .not_taken = true },
    { "an expired token over its limit is called expired and takes nothing",
      expired_over_limit, NULL, D(TOKEN_EXPIRED), .not_taken = true },
    /* limits */
    { "a limit that is reached refuses and takes nothing", over_limit, NULL,
      D(RATE_LIMITED), .takes = 1, .not_taken = true },
    { "a quota that is used up refuses and takes nothing", over_quota, NULL,
      D(QUOTA_EXHAUSTED), .takes = 1, .not_taken = true },
    { "a contended line waits and then passes", contended_once, nothing, P,
      .takes = 2 },
    { "a token revoked during the wait is refused", contended_once, is_revoked,
      D(TOKEN_REVOKED), .takes = 1, .not_taken = true },
    { "a token that expires during the wait is refused", contended_once,
      is_expired, D(TOKEN_EXPIRED), .takes = 1, .not_taken = true },
    { "a slot with a new owner after the wait is refused", contended_once,
      has_new_owner, D(INVALID_TOKEN), .takes = 1, .not_taken = true },
    { "a line contended for too long is a fault, closed by default", contended,
      nothing, D(CHECK_UNAVAILABLE), .takes = WAITS_MAX + 1,
      .not_taken = true },
    { "a line contended for too long passes an open profile, counted",
      contended_open, nothing, P, .takes = WAITS_MAX + 1, .not_taken = true,
      .faults = 1 },
    { "a fault of the counters is closed by default", fault, NULL,
      D(CHECK_UNAVAILABLE), .takes = 1, .not_taken = true },
    { "a fault of the counters passes an open profile, counted", fault_open,
      NULL, P, .takes = 1, .not_taken = true, .faults = 1 },
    { "a peek is judged and takes nothing", peeking, NULL, P, .takes = 1,
      .not_taken = true },
    /* scopes */
    { "held scopes pass in any order", holds_scopes, NULL, P, .takes = 1 },
    { "a scope that is lacking refuses and gives the quota back", lacks_a_scope,
      NULL, D(INSUFFICIENT_SCOPE), .takes = 1, .refunds = 1,
      .not_taken = true },
    { "a token without scopes holds none", asks_scopes, NULL,
      D(INSUFFICIENT_SCOPE), .takes = 1, .refunds = 1, .not_taken = true },
    { "a refused peek gives nothing back", lacks_a_scope_peeking, NULL,
      D(INSUFFICIENT_SCOPE), .takes = 1, .refunds = 0, .not_taken = true },
    { "a refusal after a wait gives the quota back once", contended_then_scopes,
      nothing, D(INSUFFICIENT_SCOPE), .takes = 2, .refunds = 1,
      .not_taken = true },
    /* address */
    { "an address on the token's list passes", allowed_address, NULL, P,
      .takes = 1 },
    { "another address is refused and the quota given back", other_address,
      NULL, D(IP_NOT_ALLOWED), .takes = 1, .refunds = 1, .not_taken = true },
    { "an unknown address is on no list", no_address, NULL, D(IP_NOT_ALLOWED),
      .takes = 1, .refunds = 1, .not_taken = true },
    { "an empty list refuses everybody", empty_list, NULL, D(IP_NOT_ALLOWED),
      .takes = 1, .refunds = 1, .not_taken = true },
};

/* --- the driver -------------------------------------------------------------- */

static void world_init(struct world *w)
{
    live = (struct fake_live){
        .token = { .slot = 7,
                   .tag = 70,
                   .app = 1,
                   .state = TOKEN_ENABLED,
                   .created_ms = 1000 },
        .wall_ms = 1700000000000,
        .node_ms = 5000,
    };
    *w = (struct world){ .fixture = { .num = 1, .auth = "" } };
    w->env =
        (struct check_env){ .wall_ms = fake_wall_ms, .node_ms = fake_node_ms };
    plan_new(&w->plan, 1);
    arena_init(&w->arena, 4096, NULL, 0);
    secret_make(w, "k_abcdefghijklmnop");
    live.secret = w->secret;
    w->x.has_client = true;
    assert_int_equal(ip_parse(SV("192.0.2.9"), &w->x.client), 0);
}

static void world_open(struct world *w, enum door door)
{
    w->app = plan_fixture_publish(w->plan, &w->fixture);
    w->x.env = &w->env;
    w->x.plan = w->app;
    w->x.arena = &w->arena;
    w->x.door = door;
    if (door == DOOR_VERIFY) {
        w->x.credential = sv_cstr(w->secret);
        return;
    }
    snprintf(w->request, sizeof w->request,
             "GET / HTTP/1.1\r\nHost: a\r\n%s%s%s\r\n",
             w->secret[0] ? "Authorization: Bearer " : "", w->secret,
             w->secret[0] ? "\r\n" : "");
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    assert_true(http1_request_scan(sv_cstr(w->request), &searched, &limits,
                                   &w->head, &why) > 0);
    w->x.head = &w->head;
}

static void world_fini(struct world *w)
{
    arena_fini(&w->arena);
    epoch_reclaim();
    plan_free(&w->plan);
}

static void run_row(const struct row *row, enum door door)
{
    struct world w;
    world_init(&w);
    row->arrange(&w);
    world_open(&w, door);
    enum verdict v = chain_run(&w.x);
    assert_int_equal(v == VERDICT_WAIT, row->change != NULL);
    if (v == VERDICT_WAIT) row->change(&w);
    for (int turns = 0; v == VERDICT_WAIT && turns <= 2 * WAITS_MAX; turns++)
        v = chain_run(&w.x);
    assert_int_equal(v, row->verdict);
    assert_string_equal(reason_rows[w.x.reason].code,
                        reason_rows[row->reason].code);
    assert_int_equal(live.takes, row->takes);
    assert_int_equal(live.refunds, row->refunds);
    assert_int_equal(w.x.taken, !row->not_taken);
    assert_int_equal(w.x.faults, row->faults);
    assert_string_equal(exchange_code(&w.x, w.x.reason),
                        row->faults ? "check_unavailable"
                                    : reason_rows[row->reason].code);
    world_fini(&w);
}

struct run {
    const struct row *row;
    enum door door;
    char name[120];
};

static void row_holds(void **state)
{
    const struct run *r = *state;
    run_row(r->row, r->door);
}

/* --- what a row cannot say ---------------------------------------------------- */

static void a_made_up_token_costs_no_look_up(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    made_up(&w);
    world_open(&w, DOOR_VERIFY);
    chain_run(&w.x);
    assert_int_equal(live.finds, 0);
    world_fini(&w);
}

static void each_changed_character_of_a_token_is_refused_without_look_up(
    void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, DOOR_VERIFY);
    for (size_t i = 0; i < strlen(w.secret); i++)
        for (int bit = 0; bit < 8; bit++) {
            w.secret[i] = (char)(w.secret[i] ^ 1 << bit);
            struct exchange x = w.x;
            assert_int_equal(chain_run(&x), VERDICT_DENY);
            assert_int_equal(x.reason, REASON_INVALID_TOKEN);
            w.secret[i] = (char)(w.secret[i] ^ 1 << bit);
        }
    for (size_t n = 1; n < strlen(w.secret); n++) {
        struct exchange x = w.x;
        x.credential.n = n;
        assert_int_equal(chain_run(&x), VERDICT_DENY);
    }
    assert_int_equal(live.finds, 0);
    world_fini(&w);
}

static void the_verify_door_reads_a_token_behind_bearer(void **state)
{
    (void)state;
    const struct {
        const char *before;
        enum reason reason;
    } rows[] = {
        { "Bearer ", REASON_NONE },         { "bearer ", REASON_NONE },
        { "BEARER   ", REASON_NONE },       { "Bearer", REASON_INVALID_TOKEN },
        { "Basic ", REASON_INVALID_TOKEN },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        char text[128];
        world_init(&w);
        world_open(&w, DOOR_VERIFY);
        snprintf(text, sizeof text, "%s%s", rows[i].before, w.secret);
        w.x.credential = sv_cstr(text);
        chain_run(&w.x);
        assert_int_equal(w.x.reason, rows[i].reason);
        world_fini(&w);
    }
    struct world w;
    world_init(&w);
    world_open(&w, DOOR_VERIFY);
    w.x.credential = SV("Bearer ");
    chain_run(&w.x);
    assert_int_equal(w.x.reason, REASON_MISSING_TOKEN);
    world_fini(&w);
}

static void a_token_longer_than_any_is_refused(void **state)
{
    (void)state;
    struct world w;
    static char text[5000];
    world_init(&w);
    w.fixture.imported = true;
    world_open(&w, DOOR_VERIFY);
    memset(text, 'a', sizeof text);
    w.x.credential = sv_of(text, 4097);
    assert_int_equal(chain_run(&w.x), VERDICT_DENY);
    assert_int_equal(live.finds, 0);
    w.x = (struct exchange){ .env = &w.env,
                             .plan = w.app,
                             .door = DOOR_VERIFY,
                             .credential = { text, 4096 } };
    assert_int_equal(chain_run(&w.x), VERDICT_DENY);
    assert_int_equal(live.finds, 1);
    world_fini(&w);
}

static void a_take_asks_for_what_holds_for_the_token(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.fixture.auth = "\"remaining\":100,\"ratelimit\":{\"limit\":5,"
                     "\"timeWindow\":60}";
    w.x.cost = 3;
    live.answer = (struct take_answer){ .has_limit = true, .nearest = 0 };
    world_open(&w, DOOR_PROXY);
    assert_int_equal(chain_run(&w.x), VERDICT_PASS);
    assert_int_equal(live.asked.slot, 7);
    assert_int_equal(live.asked.tag, 70);
    assert_int_equal(live.asked.quota_slot, UINT32_MAX);
    assert_int_equal(live.asked.cost, 3);
    assert_int_equal(live.asked.created_ms, 1000);
    assert_int_equal(live.asked.now_ms, 5000);
    assert_int_equal(live.asked.terms.quota, 100);
    assert_int_equal(live.asked.terms.limits[0].limit, 5);
    assert_int_equal(w.x.nearest.window_s, 60);
    world_fini(&w);
}

static void shared_quota(struct world *w, bool own_quota, bool own_refill)
{
    world_init(w);
    w->fixture.auth = "\"remaining\":100,\"remainingScope\":\"application\"";
    w->fixture.quota_slot = 3;
    w->fixture.quota_tag = 33;
    w->fixture.id = "app_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    w->own.has_quota = own_quota;
    w->own.has_refill = own_refill;
    live.token.own = &w->own;
    world_open(w, DOOR_PROXY);
    assert_int_equal(chain_run(&w->x), VERDICT_PASS);
    world_fini(w);
}

static void a_quota_of_the_application_is_taken_from_its_own_line(void **state)
{
    (void)state;
    struct world w;
    shared_quota(&w, false, false);
    assert_int_equal(live.asked.quota_slot, 3);
    assert_int_equal(live.asked.quota_tag, 33);
    assert_int_equal(live.asked.created_ms, 1469922850259);
    shared_quota(&w, true, false);
    assert_int_equal(live.asked.quota_slot, UINT32_MAX);
    assert_int_equal(live.asked.created_ms, 1000);
    shared_quota(&w, false, true);
    assert_int_equal(live.asked.quota_slot, UINT32_MAX);
}

static void an_origin_that_was_not_reached_gives_the_quota_back_once(
    void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, DOOR_PROXY);
    assert_int_equal(chain_run(&w.x), VERDICT_PASS);
    chain_refund(&w.x);
    chain_refund(&w.x);
    assert_int_equal(live.refunds, 1);
    assert_int_equal(live.refunded.slot, 7);
    assert_int_equal(live.refunded.cost, 1);
    assert_null(live.refunded.terms.limits);
    world_fini(&w);
}

static void every_reason_has_its_published_words(void **state)
{
    (void)state;
    for (int i = 1; i < REASON_COUNT; i++) {
        assert_true(reason_rows[i].code && reason_rows[i].code[0]);
        assert_true(reason_rows[i].text && reason_rows[i].text[0]);
    }
}

int main(void)
{
    static struct run runs[2 * ARRAY_LEN(ROWS)];
    struct CMUnitTest tests[2 * ARRAY_LEN(ROWS)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        for (int door = 0; door < DOOR_COUNT; door++) {
            const char *called = door == DOOR_PROXY ? "proxy" : "verify";
            if (ROWS[i].only && strcmp(ROWS[i].only, called)) continue;
            struct run *r = &runs[n];
            r->row = &ROWS[i];
            r->door = (enum door)door;
            snprintf(r->name, sizeof r->name, "%s (%s)", ROWS[i].says, called);
            tests[n++] =
                (struct CMUnitTest){ r->name, row_holds, NULL, NULL, r };
        }
    const struct CMUnitTest more[] = {
        cmocka_unit_test(a_made_up_token_costs_no_look_up),
        cmocka_unit_test(
            each_changed_character_of_a_token_is_refused_without_look_up),
        cmocka_unit_test(the_verify_door_reads_a_token_behind_bearer),
        cmocka_unit_test(a_token_longer_than_any_is_refused),
        cmocka_unit_test(a_take_asks_for_what_holds_for_the_token),
        cmocka_unit_test(a_quota_of_the_application_is_taken_from_its_own_line),
        cmocka_unit_test(
            an_origin_that_was_not_reached_gives_the_quota_back_once),
        cmocka_unit_test(every_reason_has_its_published_words),
    };
    struct CMUnitTest all[ARRAY_LEN(tests) + ARRAY_LEN(more)];
    memcpy(all, tests, n * sizeof tests[0]);
    memcpy(all + n, more, sizeof more);
    return _cmocka_run_group_tests("checks", all, n + ARRAY_LEN(more), NULL,
                                   NULL);
}
