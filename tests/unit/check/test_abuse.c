/* Steps 4 and 12 through both doors: one driver, rows of data. Client
 * 192.0.2.9 asks GET /v1/x?a=1 of host "a" with a good token, unless the row
 * says otherwise; the list knows mailinator.com and allows good.mailinator.com.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/hash.h"
#include "base/mem.h"
#include "check/exchange.h"
#include "codec/base62.h"
#include "codec/http1.h"
#include "detect/mail_list.h"
#include "fake_live.h"
#include "plan_fixture.h"

struct row {
    const char *says;
    const char *abuse;  /* members of the profile */
    const char *header; /* one more line, or NULL */
    const char *query;  /* NULL: a=1 */
    const char *code;   /* of the last of `times`; "" or NULL: passes. Those
                           before it pass */
    const char *found;  /* by the last: "code!evidence", '!' enforced and '?'
                           not; NULL: none */
    unsigned times;     /* 0: once */
    const char *client; /* NULL: 192.0.2.9; "": unknown */
    const char *type, *body; /* proxy */
    bool over, no_list, no_table, is_public, no_token;
    const char *only; /* "proxy" or "verify"; NULL: both */
};

#define LIMIT(n, scope)                                   \
    "\"ratelimit\":{\"requests\":" n ",\"interval\":60}," \
    "\"scope\":\"" scope "\""
#define MAIL(where, name) \
    "\"checkLocations\":" where ",\"checkPropertyName\":\"" name "\""
#define IN_HEADER MAIL("[\"header\"]", "X-Email")
#define IN_BODY MAIL("[\"body\"]", "/user/email")
#define OPEN ",\"onFault\":\"open\""
#define CLOSED ",\"onFault\":\"closed\""
#define TRASH "mailinator.com"
#define BY_LIST "disposable_email!{\"domain\":\"" TRASH "\",\"by\":\"list\"}"
#define BY_BLOCKLIST(domain) \
    "disposable_email!{\"domain\":\"" domain "\",\"by\":\"blocklist\"}"
#define BY_NUMBER "disposable_email!{\"by\":\"number of addresses\"}"
#define NO_LIST "check_unavailable?{\"check\":\"disposableEmail\"}"
#define FOUR(x) x x x x
#define JSON .type = "application/json", .only = "proxy"
#define FORM .type = "application/x-www-form-urlencoded", .only = "proxy"

static const struct row rows[] = {
    { "a profile that says nothing lets pass", "", .times = 1 },
    /* the limit by address */
    { "what the limit allows passes", LIMIT("3", "ip"), .times = 3 },
    { "one more is refused", LIMIT("3", "ip"), .times = 4,
      .code = "global_rate_limited" },
    { "addresses come before tokens", LIMIT("3", "ip"), .times = 4,
      .no_token = true, .code = "global_rate_limited" },
    { "a public application is limited as well", LIMIT("3", "ip"), .times = 4,
      .is_public = true, .code = "global_rate_limited" },
    { "an unknown address is counted with nobody", LIMIT("3", "ip"), .times = 5,
      .client = "" },
    { "X-Forwarded-For is a field like any other", LIMIT("3", "ip"),
      "X-Forwarded-For: 203.0.113.1", .times = 4,
      .code = "global_rate_limited" },
    { "without a table the limit is closed", LIMIT("3", "ip"), .no_table = true,
      .code = "check_unavailable",
      .found = "check_unavailable!{\"check\":\"globalRateLimit\"}" },
    { "without a table an open profile lets pass, told", LIMIT("3", "ip") OPEN,
      .no_table = true,
      .found = "check_unavailable?{\"check\":\"globalRateLimit\"}" },
    /* by header */
    { "one header value is counted together", LIMIT("3", "header:X-User"),
      "x-user: ann", .times = 4, .code = "global_rate_limited" },
    { "without the header the address is counted", LIMIT("3", "header:X-User"),
      .times = 4, .code = "global_rate_limited" },
    { "an empty header is none", LIMIT("3", "header:X-User"),
      "X-User: ", .times = 4, .code = "global_rate_limited" },
    { "a header given twice is no name: the address is counted",
      LIMIT("3", "header:X-User"), "X-User: a\r\nX-User: b", .times = 4,
      .code = "global_rate_limited", .only = "proxy" },
    { "a value is counted without an address", LIMIT("3", "header:X-User"),
      "X-User: ann", .times = 4, .client = "", .code = "global_rate_limited" },
    { "nobody is counted without value and address",
      LIMIT("3", "header:X-User"), .times = 5, .client = "" },
    /* mail in the head */
    { "an address of the list is refused", IN_HEADER, "X-Email: a@" TRASH,
      .code = "disposable_email", .found = BY_LIST },
    { "a sub-domain of the list is refused", IN_HEADER,
      "x-email: A <a@x.MAILINATOR.com.>", .code = "disposable_email",
      .found = BY_LIST },
    { "a provider that no list may refuse passes", IN_HEADER,
      .header = "X-Email: a@good." TRASH },
    { "another address passes", IN_HEADER, .header = "X-Email: a@example.com" },
    { "no address passes", IN_HEADER, .times = 1 },
    { "no address passes without a list", IN_HEADER, .no_list = true },
    { "what is no address passes without a list", IN_HEADER, "X-Email: nobody",
      .no_list = true },
    { "the list is not asked at other places", IN_HEADER,
      .header = "X-Mail: a@" TRASH },
    { "each address of a field counts", IN_HEADER,
      "X-Email: a@example.com, b@" TRASH, .code = "disposable_email",
      .found = BY_LIST },
    { "each field counts", IN_HEADER,
      "X-Email: a@example.com\r\nX-Email: b@" TRASH, .code = "disposable_email",
      .found = BY_LIST, .only = "proxy" },
    { "more addresses than are looked at are refused", IN_HEADER,
      "X-Email: " FOUR(FOUR("a@b.example,")) "a@c.example",
      .code = "disposable_email", .found = BY_NUMBER },
    { "as many as are looked at pass", IN_HEADER,
      .header = "X-Email: " FOUR(FOUR("a@b.example,")) },
    { "a cookie", MAIL("[\"cookie\"]", "mail"), "Cookie: a=b; mail=x%40" TRASH,
      .code = "disposable_email", .found = BY_LIST },
    { "another cookie passes", MAIL("[\"cookie\"]", "mail"),
      .header = "Cookie: email=x%40" TRASH },
    { "a parameter", MAIL("[\"query\"]", "mail"), NULL, "b=1&mail=x%40" TRASH,
      .code = "disposable_email", .found = BY_LIST },
    { "a parameter whose name is written in hex", MAIL("[\"query\"]", "mail"),
      NULL, "%6dail=x@" TRASH, .code = "disposable_email", .found = BY_LIST },
    { "more parameters than are looked at are refused",
      MAIL("[\"query\"]", "m"), NULL, FOUR(FOUR("m=a@b.example&")) "m=a@" TRASH,
      .code = "disposable_email", .found = BY_NUMBER },
    { "all places are looked at", MAIL("[\"header\",\"query\"]", "mail"),
      "Mail: a@example.com", "mail=x@" TRASH, .code = "disposable_email",
      .found = BY_LIST },
    /* the application's own lists */
    { "the blocklist, sub-domains included",
      IN_HEADER ",\"blocklist\":[\"bad.example\"]", "X-Email: a@x.bad.example",
      .code = "disposable_email", .found = BY_BLOCKLIST("bad.example") },
    { "exceptions win over the list",
      IN_HEADER ",\"exceptions\":[\"" TRASH "\"]",
      .header = "X-Email: a@x." TRASH },
    { "exceptions win over the blocklist",
      IN_HEADER ",\"blocklist\":[\"bad.example\"],"
                "\"exceptions\":[\"x.bad.example\"]",
      .header = "X-Email: a@x.bad.example" },
    { "an exception is not for its parent",
      IN_HEADER ",\"blocklist\":[\"bad.example\"],"
                "\"exceptions\":[\"x.bad.example\"]",
      "X-Email: a@bad.example", .code = "disposable_email",
      .found = BY_BLOCKLIST("bad.example") },
    { "a public application is looked at as well", IN_HEADER,
      "X-Email: a@" TRASH, .is_public = true, .code = "disposable_email",
      .found = BY_LIST },
    /* without a list */
    { "without a list an address passes, told", IN_HEADER, "X-Email: a@" TRASH,
      .no_list = true, .found = NO_LIST },
    { "without a list a closed profile refuses", IN_HEADER CLOSED,
      "X-Email: a@" TRASH, .no_list = true, .code = "check_unavailable",
      .found = "check_unavailable!{\"check\":\"disposableEmail\"}" },
    { "without a list the blocklist holds",
      IN_HEADER CLOSED ",\"blocklist\":[\"bad.example\"]",
      "X-Email: a@bad.example", .no_list = true, .code = "disposable_email",
      .found = BY_BLOCKLIST("bad.example") },
    { "without a list exceptions hold",
      IN_HEADER CLOSED ",\"exceptions\":[\"good.example\"]",
      "X-Email: a@good.example", .no_list = true },
    /* the body */
    { "a member of a JSON body", IN_BODY, JSON, .code = "disposable_email",
      .body = "{\"user\":{\"email\":\"a@" TRASH "\"}}", .found = BY_LIST },
    { "a list of strings in it", IN_BODY, .type = "application/a+json; x=y",
      .only = "proxy", .code = "disposable_email",
      .body = "{\"user\":{\"email\":[\"a@b.example\",\"a@" TRASH "\"]}}",
      .found = BY_LIST },
    { "a name without a slash is of the outermost object",
      MAIL("[\"body\"]", "email"), JSON, .code = "disposable_email",
      .body = "{\"email\":\"a@" TRASH "\"}", .found = BY_LIST },
    { "another member passes", IN_BODY, JSON,
      .body = "{\"email\":\"a@" TRASH "\"}" },
    { "JSON that is none is refused", IN_BODY OPEN, JSON,
      .body = "{\"user\":", .code = "bad_request" },
    { "a member given twice is refused: origins may read the other",
      IN_BODY OPEN, JSON, .code = "bad_request",
      .body =
          "{\"user\":{\"email\":\"a@b.example\",\"email\":\"a@" TRASH "\"}}" },
    { "JSON that was cut off is the step BODY's to judge", IN_BODY, JSON,
      .over = true, .body = "{\"user\":", .found = "body_too_large?" },
    { "a field of a form", MAIL("[\"body\"]", "email"), FORM,
      .code = "disposable_email", .body = "a=1&email=x%40" TRASH,
      .found = BY_LIST },
    { "other content holds nothing", IN_BODY, .type = "text/plain",
      .only = "proxy", .body = "{\"user\":{\"email\":\"a@" TRASH "\"}}" },
    { "no body passes", IN_BODY, .times = 1 },
    { "head and body are both looked at",
      MAIL("[\"body\",\"header\"]", "email"), "Email: a@b.example", JSON,
      .code = "disposable_email", .body = "{\"email\":\"a@" TRASH "\"}",
      .found = BY_LIST },
    { "without a list a body passes, told", IN_BODY, JSON, .no_list = true,
      .body = "{\"user\":{\"email\":\"a@" TRASH "\"}}", .found = NO_LIST },
    /* both */
    { "the limit comes first", LIMIT("1", "ip") "," IN_HEADER, .times = 2,
      .code = "global_rate_limited" },
};

/* --- the world --------------------------------------------------------------- */

static struct mail_root list;

static struct {
    struct plan *plan;
    struct check_env env;
    struct exchange x;
    struct http_head head;
    struct arena arena;
    char secret[64], request[2048], url[512];
    yyjson_doc *telemetry;
} w;

static int list_write(void **state)
{
    (void)state;
    static const char *const domains[] = { TRASH, "good." TRASH };
    static const uint64_t key[2] = { 1, 2 };
    char path[] = "/tmp/typeauth-mail-XXXXXX";
    struct mail_build *b = mail_build_new();
    struct buf bytes;
    int fd = mkstemp(path);
    assert_int_equal(mail_build_add(b, sv_cstr(domains[0]), 1), 0);
    assert_int_equal(mail_build_add(b, sv_cstr(domains[1]), MAIL_ALLOWED), 0);
    buf_init(&bytes, MAIL_LIST_BYTES_MAX);
    assert_int_equal(mail_build_encode(b, key, SV("{}"), &bytes, NULL), 0);
    mail_build_free(&b);
    assert_true(write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    close(fd);
    buf_fini(&bytes);
    assert_int_equal(mail_root_load(&list, path), 0);
    return unlink(path);
}

static int list_drop(void **state)
{
    (void)state;
    mail_root_drop(&list);
    while (epoch_reclaim())
        ;
    return 0;
}

static void token_make(bool none)
{
    size_t n = strlen(strcpy(w.secret, "k_abcdefghijklmnop"));
    base62_encode_u32(w.secret + n, crc32_ieee(0, w.secret, n));
    w.secret[n + BASE62_U32_TEXT] = '\0';
    live = (struct fake_live){
        .token = { .slot = 7, .tag = 70, .app = 1, .state = TOKEN_ENABLED },
        .wall_ms = 1700000000000,
        .node_ms = 1700000000000,
        .secret = w.secret,
    };
    if (none) w.secret[0] = '\0';
}

static void ask_proxy(const struct row *row)
{
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    char body[128] = "";
    if (row->type)
        snprintf(body, sizeof body,
                 "Content-Type: %s\r\nContent-Length: %zu\r\n", row->type,
                 strlen(row->body));
    snprintf(w.request, sizeof w.request,
             "POST /v1/x?%s HTTP/1.1\r\nHost: a\r\n%s%s%s%s%s%s\r\n",
             row->query ? row->query : "a=1",
             w.secret[0] ? "Authorization: Bearer " : "", w.secret,
             w.secret[0] ? "\r\n" : "", row->header ? row->header : "",
             row->header ? "\r\n" : "", body);
    assert_true(http1_request_scan(sv_cstr(w.request), &searched, &limits,
                                   &w.head, &why) > 0);
    w.x.head = &w.head;
}

static void ask_verify(const struct row *row)
{
    struct sv value,
        name = sv_cut(sv_cstr(row->header ? row->header : ""), ':', &value);
    int n = snprintf(w.request, sizeof w.request, "{\"%.*s\":[\"%.*s\"]}",
                     SV_FMT(name), SV_FMT(value));
    yyjson_doc_free(w.telemetry);
    w.telemetry = yyjson_read(w.request, (size_t)n, 0);
    assert_non_null(w.telemetry);
    snprintf(w.url, sizeof w.url, "https://A:443/v1/x?%s#f",
             row->query ? row->query : "a=1");
    w.x.headers = yyjson_doc_get_root(w.telemetry);
    w.x.credential = sv_cstr(w.secret);
    w.x.method = SV("POST");
    w.x.url = sv_cstr(w.url);
}

/* The profile of these members, as stored. */
static const char *profile(const char *members)
{
    static char text[8192];
    snprintf(text, sizeof text,
             "{\"id\":\"abuse_01JD0000000000000000000000\",\"name\":\"f\"%s%s}",
             members[0] ? "," : "", members);
    return text;
}

static void world_begin(const struct row *row)
{
    struct plan_fixture f = { .num = 1,
                              .auth = row->is_public ? NULL : "",
                              .forms = { [FORM_ABUSE] = profile(row->abuse) } };
    memset(&w, 0, sizeof w);
    token_make(row->no_token);
    plan_new(&w.plan, 1);
    w.env = (struct check_env){ .wall_ms = fake_wall_ms,
                                .node_ms = fake_node_ms,
                                .mail = row->no_list ? NULL : &list };
    visitors_new(&w.env.visitors, 1024);
    if (!row->no_table) assert_int_equal(visitors_reserve(w.env.visitors), 0);
    arena_init(&w.arena, 64 << 10, NULL, 0);
    plan_fixture_publish(w.plan, &f);
}

static void world_ask(const struct row *row, enum door door)
{
    const char *client = row->client ? row->client : "192.0.2.9";
    arena_reset(&w.arena);
    w.x = (struct exchange){ .env = &w.env,
                             .plan =
                                 plan_find(w.plan, sv_cstr(plan_fixture_id(1))),
                             .arena = &w.arena,
                             .door = door };
    w.x.has_client = !ip_parse(sv_cstr(client), &w.x.client);
    (door == DOOR_PROXY ? ask_proxy : ask_verify)(row);
    if (!row->body) return;
    w.x.intake = INTAKE_DONE;
    w.x.body = sv_cstr(row->body);
    w.x.body_over = row->over;
}

static void world_end(void)
{
    arena_fini(&w.arena);
    visitors_free(&w.env.visitors);
    yyjson_doc_free(w.telemetry);
    plan_free(&w.plan);
}

/* --- the driver -------------------------------------------------------------- */

static void findings_text(char *out, size_t max)
{
    const struct findings *f = w.x.findings;
    out[0] = '\0';
    for (unsigned i = 0; f && i < f->n; i++) {
        size_t n = strlen(out);
        const struct finding *one = &f->at[i];
        assert_int_equal(one->action,
                         one->enforced ? DETECTOR_BLOCK : DETECTOR_MONITOR);
        snprintf(out + n, max - n, "%s%c%.*s", one->code,
                 one->enforced ? '!' : '?', SV_FMT(one->evidence));
    }
}

static void judge_row(const struct row *row, enum door door)
{
    static const char *const doors[] = { "proxy", "verify" };
    const char *code = row->code ? row->code : "";
    char found[1024];
    if (row->only && strcmp(row->only, doors[door]) != 0) return;
    print_message("# %s, %s\n", row->says, doors[door]);
    world_begin(row);
    for (unsigned left = row->times ? row->times : 1; left > 0; left--) {
        world_ask(row, door);
        enum verdict v = chain_run(&w.x);
        if (left > 1 && row->no_token) {
            assert_int_equal(w.x.reason, REASON_MISSING_TOKEN);
            continue;
        }
        assert_string_equal(exchange_code(&w.x, w.x.reason),
                            left > 1 ? "" : code);
        assert_int_equal(v, left > 1 || !code[0] ? VERDICT_PASS : VERDICT_DENY);
    }
    findings_text(found, sizeof found);
    assert_string_equal(found, row->found ? row->found : "");
    world_end();
}

static void every_row_through_both_doors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int door = 0; door < DOOR_COUNT; door++)
            judge_row(&rows[i], (enum door)door);
}

/* --- what a row cannot say ------------------------------------------------------ */

static const struct row BY_IP = { .abuse = LIMIT("3", "ip") };

static enum verdict ask(const struct row *row, enum door door)
{
    world_ask(row, door);
    return chain_run(&w.x);
}

static void what_is_not_asked_for_is_no_step(void **state)
{
    static const struct {
        const char *abuse;
        bool limit, mail, mail_verify;
    } cases[] = {
        { "", false, false, false },
        { LIMIT("3", "ip"), true, false, false },
        { LIMIT("3", "header:X"), true, false, false },
        { LIMIT("3", "token"), false, false, false },
        { IN_HEADER, false, true, true },
        { IN_BODY, false, true, false },
        { "\"blocklist\":[\"bad.example\"]", false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct row row = { .abuse = cases[i].abuse };
        world_begin(&row);
        const struct plan_app *a =
            plan_find(w.plan, sv_cstr(plan_fixture_id(1)));
        for (int door = 0; door < DOOR_COUNT; door++) {
            unsigned limit = 0, mail = 0;
            for (unsigned k = 0; k < a->steps[door].n; k++) {
                limit += a->steps[door].at[k] == STEP_GLOBAL_LIMIT;
                mail += a->steps[door].at[k] == STEP_MAIL;
            }
            assert_int_equal(limit, cases[i].limit);
            assert_int_equal(mail, door == DOOR_PROXY ? cases[i].mail
                                                      : cases[i].mail_verify);
        }
        world_end();
    }
}

static void the_limit_by_token_joins_the_step_of_the_token(void **state)
{
    static const struct row row = { .abuse = LIMIT("1000", "token") };
    (void)state;
    for (int door = 0; door < DOOR_COUNT; door++) {
        world_begin(&row);
        live.answer = (struct take_answer){ .has_limit = true, .remaining = 9 };
        assert_int_equal(ask(&row, (enum door)door), VERDICT_PASS);
        assert_int_equal(live.asked.terms.limits_n, 0);
        assert_non_null(live.asked.terms.global);
        assert_int_equal(live.asked.terms.global->limit, 1000);
        assert_string_equal(w.x.nearest.name, "global");
        live.take[0] = TAKE_REFUSED, live.take_n = 1, live.takes = 0;
        assert_int_equal(ask(&row, (enum door)door), VERDICT_DENY);
        assert_int_equal(w.x.reason, REASON_GLOBAL_RATE_LIMITED);
        live.answer.refused_by = TAKE_BY_QUOTA;
        assert_int_equal(ask(&row, (enum door)door), VERDICT_DENY);
        assert_int_equal(w.x.reason, REASON_QUOTA_EXHAUSTED);
        world_end();
    }
}

static void the_nearest_limit_is_told(void **state)
{
    (void)state;
    world_begin(&BY_IP);
    live.answer = (struct take_answer){ .has_limit = true,
                                        .limit = 9,
                                        .remaining = 2,
                                        .has_quota = true,
                                        .quota_remaining = 5 };
    assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_PASS); /* 2 and 2 */
    assert_int_equal(w.x.take.limit, 9);
    assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_PASS); /* 2 and 1 */
    assert_true(w.x.judged_limits);
    assert_int_equal(w.x.take.limit, 3);
    assert_int_equal(w.x.take.remaining, 1);
    assert_int_equal(w.x.take.quota_remaining, 5);
    assert_string_equal(w.x.nearest.name, "global");
    assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_PASS);
    assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_DENY);
    assert_int_equal(w.x.take.remaining, 0);
    assert_true(w.x.take.retry_after_s > 0 && w.x.take.retry_after_s <= 68);
    assert_int_equal(live.takes, 3);
    world_end();
}

static void what_a_limit_behind_it_refuses_is_not_counted(void **state)
{
    static const enum reason reasons[] = { REASON_RATE_LIMITED,
                                           REASON_QUOTA_EXHAUSTED };
    (void)state;
    for (int by = 0; by < 2; by++) {
        /* the token's limit, which is first in the terms */
        struct plan_fixture f = {
            .num = 1,
            .auth = "\"ratelimit\":{\"limit\":5,\"timeWindow\":60}",
            .forms = { [FORM_ABUSE] = profile(BY_IP.abuse) }
        };
        world_begin(&BY_IP);
        plan_fixture_publish(w.plan, &f);
        live.answer =
            (struct take_answer){ .refused_by = by ? TAKE_BY_QUOTA : 0,
                                  .has_limit = true };
        live.take[0] = TAKE_REFUSED, live.take_n = 1;
        for (int i = 0; i < 10; i++) {
            assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_DENY);
            assert_int_equal(w.x.reason, reasons[by]);
        }
        live.take_n = 0;
        for (int i = 0; i < 3; i++)
            assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_PASS);
        assert_int_equal(ask(&BY_IP, DOOR_PROXY), VERDICT_DENY);
        world_end();
        while (epoch_reclaim())
            ;
    }
}

static void a_refused_address_costs_no_quota_but_counts(void **state)
{
    static const struct row row = { "", LIMIT("3", "ip") "," IN_HEADER,
                                    .header = "X-Email: a@" TRASH };
    (void)state;
    world_begin(&row);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(&row, DOOR_PROXY), VERDICT_DENY);
        assert_int_equal(w.x.reason, REASON_DISPOSABLE_EMAIL);
    }
    assert_int_equal(live.refunds, 3);
    assert_int_equal(ask(&row, DOOR_PROXY), VERDICT_DENY);
    assert_int_equal(w.x.reason, REASON_GLOBAL_RATE_LIMITED);
    assert_int_equal(live.refunds, 3);
    world_end();
}

static void a_request_that_waits_is_counted_once(void **state)
{
    (void)state;
    for (int door = 0; door < DOOR_COUNT; door++) {
        world_begin(&BY_IP);
        live.take[0] = TAKE_WAIT, live.take[1] = TAKE_TAKEN, live.take_n = 2;
        assert_int_equal(ask(&BY_IP, (enum door)door), VERDICT_WAIT);
        assert_int_equal(chain_run(&w.x), VERDICT_PASS);
        assert_int_equal(w.x.take.remaining, 2);
        world_end();
    }
}

static void a_peek_counts_nothing(void **state)
{
    (void)state;
    world_begin(&BY_IP);
    for (int i = 0; i < 5; i++) {
        world_ask(&BY_IP, DOOR_VERIFY);
        w.x.peek = true;
        assert_int_equal(chain_run(&w.x), VERDICT_PASS);
        assert_int_equal(w.x.take.remaining, 3);
    }
    world_ask(&BY_IP, DOOR_VERIFY);
    w.x.cost = 4;
    assert_int_equal(chain_run(&w.x), VERDICT_DENY);
    world_end();
}

static void who_finds_no_place_is_told_with_his_network(void **state)
{
    static const struct row one = { .abuse = LIMIT("1", "ip") };
    char client[32], found[256];
    struct row row = one;
    unsigned told = 0;
    (void)state;
    world_begin(&one);
    row.client = client;
    for (int i = 0; i < 4096; i++) {
        snprintf(client, sizeof client, "10.1.%d.%d", i >> 8, i & 255);
        ask(&row, DOOR_PROXY);
        if (!w.x.findings) continue;
        const struct finding *f = &w.x.findings->at[0];
        snprintf(found, sizeof found, "{\"countedWith\":\"10.1.%d.0/24\"}",
                 i >> 8);
        assert_true(sv_eq(f->evidence, sv_cstr(found)));
        assert_string_equal(f->code, "global_rate_limited");
        assert_int_equal(f->enforced, w.x.reason == REASON_GLOBAL_RATE_LIMITED);
        told++;
    }
    assert_true(told > 1000);
    world_end();
}

/* Deep, wide, long: judged within bounds of time and memory. */
static void hostile_bodies_are_judged_within_bounds(void **state)
{
    static char deep[100000], wide[100000];
    const struct row row = { "", IN_BODY, JSON, .body = deep };
    (void)state;
    memset(deep, '[', sizeof deep - 1);
    memset(wide, '1', sizeof wide - 1);
    wide[0] = '[', wide[sizeof wide - 2] = ']';
    for (size_t i = 2; i < sizeof wide - 2; i += 2) wide[i] = ',';
    world_begin(&row);
    for (size_t n = 1; n < sizeof deep; n += n / 9 + 1) {
        world_ask(&row, DOOR_PROXY);
        w.x.body = sv_of(deep, n);
        assert_int_equal(chain_run(&w.x), VERDICT_DENY);
        assert_int_equal(w.x.reason, REASON_BAD_BODY);
    }
    world_ask(&row, DOOR_PROXY);
    w.x.body = sv_cstr(wide);
    assert_int_equal(chain_run(&w.x), VERDICT_PASS);
    assert_null(w.x.findings);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_through_both_doors),
        cmocka_unit_test(what_is_not_asked_for_is_no_step),
        cmocka_unit_test(the_limit_by_token_joins_the_step_of_the_token),
        cmocka_unit_test(the_nearest_limit_is_told),
        cmocka_unit_test(what_a_limit_behind_it_refuses_is_not_counted),
        cmocka_unit_test(a_refused_address_costs_no_quota_but_counts),
        cmocka_unit_test(a_request_that_waits_is_counted_once),
        cmocka_unit_test(a_peek_counts_nothing),
        cmocka_unit_test(who_finds_no_place_is_told_with_his_network),
        cmocka_unit_test(hostile_bodies_are_judged_within_bounds),
    };
    return cmocka_run_group_tests(tests, list_write, list_drop);
}
