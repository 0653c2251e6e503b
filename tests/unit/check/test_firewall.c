/* Steps 3 and 10 through both doors: one driver, rows of data. Client
 * 192.0.2.9 (in the data: DE, AS 64500) asks GET /v1/x?a=1 of host "a" with a
 * good token, unless the row says otherwise. */
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
#include "check/where.h"
#include "codec/base62.h"
#include "codec/http1.h"
#include "fake_live.h"
#include "mmdb_writer.h"
#include "plan_fixture.h"

struct row {
    const char *says;
    const char *security; /* members of the profile */
    const char *client;   /* NULL: 192.0.2.9; "": unknown */
    const char *header;   /* one more line, or NULL */
    const char *code;     /* "": passes */
    const char *found;    /* "code!evidence", '!' enforced and '?' not; all
                             findings, one after the other; NULL: none */
    bool no_data, no_token, is_public, skips_waf;
    const char *only; /* "proxy" or "verify"; NULL: both */
};

#define RULES(list) "\"rules\":[" list "]"
#define RULE(name, action, text)                                              \
    "{\"name\":\"" name "\",\"action\":\"" action "\",\"expression\":\"" text \
    "\"}"
#define DENY_10 "\"ip\":{\"deny\":[\"10.0.0.0/8\",\"192.0.2.0/24\"]}"
#define ALLOW_192 "\"ip\":{\"allow\":[\"192.0.2.0/24\"]}"
#define GEO(list, area) "\"geoblock\":{\"" list "\":[\"" area "\"]}"
#define OPEN ",\"onFault\":\"open\""
#define CLOSED ",\"onFault\":\"closed\""
#define DE "\"country\":\"DE\",\"asn\":64500}"

static const struct row rows[] = {
    { "a profile that says nothing lets pass", "" },
    /* lists */
    { "an address on the list that is denied", DENY_10, .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"192.0.2.0/24\"}" },
    { "an address that is on no denied list passes", DENY_10, "203.0.113.1" },
    { "the longest prefix wins, here the one that allows",
      "\"ip\":{\"deny\":[\"192.0.2.0/24\"],\"allow\":[\"192.0.2.9/32\"]}" },
    { "the same network in both lists is denied",
      "\"ip\":{\"deny\":[\"192.0.2.9\"],\"allow\":[\"192.0.2.9\"]}",
      .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"192.0.2.9/32\"}" },
    { "a list of allowed networks alone refuses all others", ALLOW_192,
      "203.0.113.1", .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":null}" },
    { "an allowed address passes", ALLOW_192 },
    { "other: block without lists refuses everybody",
      "\"ip\":{\"other\":\"block\"}", .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":null}" },
    { "IPv6 is judged by its own networks", "\"ip\":{\"deny\":[\"::/0\"]}",
      "2001:db8::1", .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"::/0\"}" },
    { "all of IPv6 holds no IPv4", "\"ip\":{\"deny\":[\"::/0\"]}" },
    { "an unknown address is on no denied list", DENY_10, "" },
    { "an unknown address is on no list of allowed ones", ALLOW_192, "",
      .code = "ip_blocked", .found = "ip_blocked!{\"network\":null}" },
    { "an address list refuses before a token is looked at", DENY_10,
      .no_token = true, .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"192.0.2.0/24\"}" },
    { "a public application has its firewall as well", DENY_10,
      .is_public = true, .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"192.0.2.0/24\"}" },
    { "X-Forwarded-For is a field like any other", ALLOW_192, "203.0.113.1",
      "X-Forwarded-For: 192.0.2.9", .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":null}" },
    /* areas */
    { "an area that is denied", GEO("deny", "DE"), .code = "geo_blocked",
      .found = "geo_blocked!{" DE },
    { "an area that is not denied passes", GEO("deny", "FR") },
    { "an area that is allowed passes", GEO("allow", "EU") },
    { "an allow-list refuses all other areas", GEO("allow", "US,IN"),
      .code = "geo_blocked", .found = "geo_blocked!{" DE },
    { "an address that the data do not have, by an allow-list",
      GEO("allow", "DE"), "198.51.100.1", .code = "geo_blocked",
      .found = "geo_blocked!{\"country\":\"\",\"asn\":0}" },
    { "an address that the data do not have, by a deny-list", GEO("deny", "DE"),
      "198.51.100.1" },
    { "an unknown address is of no country: an allow-list refuses it",
      GEO("allow", "DE"), "", .code = "geo_blocked",
      .found = "geo_blocked!{\"country\":\"\",\"asn\":0}" },
    { "an unknown address is of no country: a deny-list lets it pass",
      GEO("deny", "DE"), "" },
    { "an unknown address is so without data as well", GEO("allow", "DE"), "",
      .no_data = true, .code = "geo_blocked",
      .found = "geo_blocked!{\"country\":\"\",\"asn\":0}" },
    { "without data areas are passed over and told", GEO("allow", "US"),
      .no_data = true, .found = "check_unavailable?{\"check\":\"geoblock\"}" },
    { "without data an open profile passes areas over", GEO("allow", "US") OPEN,
      .no_data = true, .found = "check_unavailable?{\"check\":\"geoblock\"}" },
    { "without data a closed profile refuses", GEO("allow", "DE") CLOSED,
      .no_data = true, .code = "check_unavailable",
      .found = "check_unavailable!{\"check\":\"geoblock\"}" },
    { "address lists come before areas", DENY_10 "," GEO("deny", "DE"),
      .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"192.0.2.0/24\"}" },
    /* rules */
    { "a rule that holds blocks",
      RULES(RULE("r", "block", "path eq \\\"/v1/x\\\"")),
      .code = "rule_blocked", .found = "rule_blocked!{\"rule\":\"r\"}" },
    { "a rule that does not hold passes",
      RULES(RULE("r", "block", "method eq \\\"PUT\\\"")) },
    { "a rule may ask for the host, the query and the address",
      RULES(RULE("r", "block",
                 "host eq \\\"a\\\" and args[\\\"a\\\"] eq \\\"1\\\" and ip in "
                 "{192.0.2.0/24}")),
      .code = "rule_blocked", .found = "rule_blocked!{\"rule\":\"r\"}" },
    { "a rule may ask for a field, in any case",
      RULES(RULE("r", "block", "headers[\\\"x-bot\\\"] eq \\\"1\\\"")), NULL,
      "X-Bot: 1", .code = "rule_blocked",
      .found = "rule_blocked!{\"rule\":\"r\"}" },
    { "log notes and goes on with the next rule",
      RULES(RULE("see", "log", "path contains \\\"x\\\"") "," RULE(
          "no", "block", "path contains \\\"v1\\\"")),
      .code = "rule_blocked",
      .found =
          "rule_blocked?{\"rule\":\"see\"}rule_blocked!{\"rule\":\"no\"}" },
    { "log alone lets pass",
      RULES(RULE("see", "log", "path contains \\\"x\\\"")),
      .found = "rule_blocked?{\"rule\":\"see\"}" },
    { "allow ends the rules",
      RULES(RULE("in", "allow", "ip eq 192.0.2.9") "," RULE(
          "no", "block", "path contains \\\"x\\\"")) },
    { "allow does not lift an address list",
      DENY_10 "," RULES(RULE("in", "allow", "ip eq 192.0.2.9")),
      .code = "ip_blocked",
      .found = "ip_blocked!{\"network\":\"192.0.2.0/24\"}" },
    { "skip ends the rules and leaves the WAF out",
      RULES(RULE("in", "skip", "ip eq 192.0.2.9") "," RULE(
          "no", "block", "path contains \\\"x\\\"")),
      .skips_waf = true },
    { "a name with quotes is JSON in the evidence",
      RULES(RULE("a\\\"b", "block", "path contains \\\"x\\\"")),
      .code = "rule_blocked", .found = "rule_blocked!{\"rule\":\"a\\\"b\"}" },
    { "a rule knows the client's country and network",
      RULES(RULE("r", "block", "country eq \\\"DE\\\" and asn eq 64500")),
      .code = "rule_blocked", .found = "rule_blocked!{\"rule\":\"r\"," DE },
    { "without data a rule that names a place is passed over, not judged",
      RULES(RULE("r", "block", "not country in {\\\"DE\\\"}")), .no_data = true,
      .found = "check_unavailable?{\"check\":\"rules\"}" },
    { "without data the other rules still hold",
      RULES(RULE("r", "block", "asn eq 64500") "," RULE(
          "s", "block", "path contains \\\"x\\\"")),
      .no_data = true, .code = "rule_blocked",
      .found = "rule_blocked!{\"rule\":\"s\"}" },
    { "without data a closed profile refuses for such a rule",
      RULES(RULE("r", "block", "asn eq 1")) CLOSED, .no_data = true,
      .code = "check_unavailable",
      .found = "check_unavailable!{\"check\":\"rules\"}" },
    { "without data a rule that allowed before is what holds",
      RULES(RULE("in", "allow", "ip eq 192.0.2.9") "," RULE("r", "block",
                                                            "asn eq 1")) CLOSED,
      .no_data = true },
    { "an unknown address is in no network and no country",
      RULES(RULE("r", "block",
                 "ip in {0.0.0.0/0 ::/0} or country ne \\\"\\\" or asn gt 0")),
      "" },
    { "a rule may refuse who has no country",
      RULES(RULE("r", "block", "country eq \\\"\\\"")), "",
      .code = "rule_blocked",
      .found = "rule_blocked!{\"rule\":\"r\",\"country\":\"\",\"asn\":0}" },
    /* rules with a token */
    { "a rule may ask for the token",
      RULES(RULE(
          "t", "block",
          "token.owner eq \\\"o1\\\" and token.scopes eq \\\"trial\\\" and "
          "token.tags eq \\\"eu\\\" and token.name eq \\\"n1\\\" and "
          "token.subject eq \\\"\\\" and token.id starts_with \\\"tok_0\\\"")),
      .code = "rule_blocked", .found = "rule_blocked!{\"rule\":\"t\"}" },
    { "a rule that asks for a token that has other scopes",
      RULES(RULE("t", "block", "token.scopes eq \\\"write\\\"")) },
    { "allow of an early rule ends those with a token",
      RULES(RULE("t", "block", "token.owner eq \\\"o1\\\"") "," RULE(
          "in", "allow", "ip eq 192.0.2.9")) },
    { "a bad token is refused before rules that name it",
      RULES(RULE("t", "block", "token.owner eq \\\"\\\"")), .no_token = true,
      .code = "missing_token" },
    { "a rule with a token may name a place",
      RULES(RULE("t", "block", "token.owner eq \\\"o1\\\" and asn eq 64500")),
      .code = "rule_blocked", .found = "rule_blocked!{\"rule\":\"t\"," DE },
    { "a rule with a token sees none where none is asked for",
      RULES(RULE("t", "block", "token.id eq \\\"\\\"")), .is_public = true,
      .only = "proxy", .code = "rule_blocked",
      .found = "rule_blocked!{\"rule\":\"t\"}" },
};

/* --- the world --------------------------------------------------------------- */

static struct {
    struct place_root root;
    struct plan *plan;
    struct check_env env;
    struct exchange x;
    struct http_head head;
    struct arena arena;
    struct token_cold cold;
    struct sv scopes[2], tags[1];
    char secret[64], request[1024];
    yyjson_doc *telemetry;
} w;

static void data_write(void)
{
    char path[64];
    const char *paths[] = { path };
    struct mmdb_writer m;
    struct buf bytes;
    struct place_data *data;
    struct place_why why;
    mmdb_init(&m, MMDB_FLAT, 28, true);
    mmdb_add(&m, "192.0.2.0/24",
             &(struct mmdb_place){ .country = "DE", .asn = 64500 });
    buf_init(&bytes, 1 << 20);
    mmdb_encode(&m, &bytes);
    mmdb_file(&bytes, path);
    assert_int_equal(place_data_open(paths, 1, &data, &why), 0);
    place_root_swap(&w.root, data);
    unlink(path);
    buf_fini(&bytes);
    mmdb_fini(&m);
}

static void token_make(const struct row *row)
{
    size_t n = strlen(strcpy(w.secret, "k_abcdefghijklmnop"));
    base62_encode_u32(w.secret + n, crc32_ieee(0, w.secret, n));
    w.secret[n + BASE62_U32_TEXT] = '\0';
    w.scopes[0] = SV("read");
    w.scopes[1] = SV("trial");
    w.tags[0] = SV("eu");
    w.cold = (struct token_cold){ .name = SV("n1"),
                                  .owner = SV("o1"),
                                  .scopes = w.scopes,
                                  .scopes_n = 2,
                                  .tags = w.tags,
                                  .tags_n = 1 };
    live = (struct fake_live){
        .token = { .slot = 7,
                   .tag = 70,
                   .app = 1,
                   .state = TOKEN_ENABLED,
                   .cold = &w.cold },
        .wall_ms = 1700000000000,
        .node_ms = 5000,
        .secret = w.secret,
    };
    if (row->no_token) w.secret[0] = '\0';
}

static void ask_proxy(const struct row *row)
{
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    snprintf(w.request, sizeof w.request,
             "GET /v1/x?a=1 HTTP/1.1\r\nHost: a\r\n%s%s%s%s%s\r\n",
             w.secret[0] ? "Authorization: Bearer " : "", w.secret,
             w.secret[0] ? "\r\n" : "", row->header ? row->header : "",
             row->header ? "\r\n" : "");
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
    w.telemetry = yyjson_read(w.request, (size_t)n, 0);
    assert_non_null(w.telemetry);
    w.x.headers = yyjson_doc_get_root(w.telemetry);
    w.x.credential = sv_cstr(w.secret);
    w.x.method = SV("GET");
    w.x.url = SV("https://A:443/v1/x?a=1#f");
}

/* The profile of these members, as stored. */
static const char *profile(const char *members)
{
    static char text[8192];
    if (!members) return NULL;
    snprintf(text, sizeof text,
             "{\"id\":\"sec_01JD0000000000000000000000\",\"name\":\"f\"%s%s}",
             members[0] ? "," : "", members);
    return text;
}

static void world_begin(const struct row *row, enum door door)
{
    struct plan_fixture f = { .num = 1,
                              .auth = row->is_public ? NULL : "",
                              .forms = { [FORM_SECURITY] =
                                             profile(row->security) } };
    memset(&w, 0, sizeof w);
    if (!row->no_data) data_write();
    token_make(row);
    plan_new(&w.plan, 1);
    w.env = (struct check_env){ .wall_ms = fake_wall_ms,
                                .node_ms = fake_node_ms,
                                .places = &w.root,
                                .place_lanes = place_lanes_new(1) };
    arena_init(&w.arena, 64 << 10, NULL, 0);
    w.x.env = &w.env;
    w.x.plan = plan_fixture_publish(w.plan, &f);
    w.x.arena = &w.arena;
    w.x.door = door;
    const char *client = row->client ? row->client : "192.0.2.9";
    w.x.has_client = !ip_parse(sv_cstr(client), &w.x.client);
    (door == DOOR_PROXY ? ask_proxy : ask_verify)(row);
}

static void world_end(void)
{
    arena_fini(&w.arena);
    place_lanes_free(&w.env.place_lanes, 1);
    place_root_swap(&w.root, NULL);
    yyjson_doc_free(w.telemetry);
    plan_free(&w.plan);
    while (epoch_reclaim())
        ;
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
    char found[1024];
    if (row->only && strcmp(row->only, doors[door]) != 0) return;
    print_message("# %s, %s\n", row->says, doors[door]);
    world_begin(row, door);
    enum verdict v = chain_run(&w.x);
    const char *code = row->code ? row->code : "";
    assert_string_equal(exchange_code(&w.x, w.x.reason), code);
    assert_int_equal(v, code[0] ? VERDICT_DENY : VERDICT_PASS);
    findings_text(found, sizeof found);
    assert_string_equal(found, row->found ? row->found : "");
    assert_int_equal(w.x.skips_waf, row->skips_waf);
    assert_int_equal(w.x.faults, 0);
    assert_true(w.env.place_lanes->lookups <= 1);
    world_end();
}

static void every_row_through_both_doors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        judge_row(&rows[i], DOOR_PROXY);
        /* the verify door asks about tokens of public applications too */
        judge_row(&rows[i], DOOR_VERIFY);
    }
}

static bool has_step(const struct plan_app *a, enum door door,
                     enum plan_step step)
{
    for (unsigned i = 0; i < a->steps[door].n; i++)
        if (a->steps[door].at[i] == step) return true;
    return false;
}

static void what_a_profile_does_not_have_is_no_step(void **state)
{
    static const struct {
        const char *security;
        bool early, late;
    } cases[] = {
        { NULL, false, false },
        { "", false, false },
        { "\"ip\":{\"allow\":[],\"deny\":[],\"other\":\"allow\"}", false,
          false },
        { DENY_10, true, false },
        { GEO("deny", "DE"), true, false },
        { RULES(RULE("r", "log", "path eq \\\"/\\\"")), true, false },
        { RULES(RULE("t", "log", "token.id eq \\\"\\\"")), false, true },
        { DENY_10 "," RULES(RULE("t", "log", "token.id eq \\\"\\\"")), true,
          true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int shut = 0; shut < 2; shut++) {
            struct plan_fixture f = {
                .num = 1,
                .auth = "",
                .forms = { [FORM_SECURITY] = profile(cases[i].security) },
                .more = shut ? ",\"enabled\":false" : NULL
            };
            plan_new(&w.plan, 1);
            const struct plan_app *a = plan_fixture_publish(w.plan, &f);
            for (int door = 0; door < DOOR_COUNT; door++) {
                assert_int_equal(has_step(a, door, STEP_FIREWALL),
                                 cases[i].early && !shut);
                assert_int_equal(has_step(a, door, STEP_TOKEN_RULES),
                                 cases[i].late && !shut);
            }
            plan_free(&w.plan);
        }
}

/* The firewall is made once, and so are its findings, whatever waits behind
 * it. */
static void a_wait_behind_the_firewall_keeps_what_was_found(void **state)
{
    const struct row row = {
        .security =
            RULES(RULE("see", "log", "path contains \\\"x\\\"") "," RULE(
                "in", "skip",
                "ip eq 192.0.2.9") "," RULE("t", "block",
                                            "token.owner eq \\\"o1\\\"")),
    };
    char found[1024];
    (void)state;
    world_begin(&row, DOOR_PROXY);
    live.take[0] = TAKE_WAIT;
    live.take[1] = TAKE_TAKEN;
    live.take_n = 2;
    assert_int_equal(chain_run(&w.x), VERDICT_WAIT);
    assert_int_equal(chain_run(&w.x), VERDICT_PASS);
    findings_text(found, sizeof found);
    assert_string_equal(found, "rule_blocked?{\"rule\":\"see\"}");
    assert_true(w.x.skips_waf);
    world_end();
}

/* Steps 3 and 10 of a spent arena: closed, unless the profile says open. */
static void a_request_that_cannot_be_seen_is_a_fault(void **state)
{
    static const struct {
        const char *security;
        enum verdict verdict;
    } cases[] = {
        { RULES(RULE("r", "block", "path eq \\\"/none\\\"")), VERDICT_DENY },
        { RULES(RULE("r", "block", "path eq \\\"/none\\\"")) OPEN,
          VERDICT_PASS },
        { RULES(RULE("t", "block", "token.id eq \\\"\\\"")), VERDICT_DENY },
        { RULES(RULE("t", "block", "token.id eq \\\"\\\"")) OPEN,
          VERDICT_PASS },
        { DENY_10, VERDICT_DENY }, /* needs no memory */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct row row = { .security = cases[i].security };
        world_begin(&row, DOOR_PROXY);
        w.arena.budget = 0;
        assert_int_equal(chain_run(&w.x), cases[i].verdict);
        world_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_through_both_doors),
        cmocka_unit_test(what_a_profile_does_not_have_is_no_step),
        cmocka_unit_test(a_wait_behind_the_firewall_keeps_what_was_found),
        cmocka_unit_test(a_request_that_cannot_be_seen_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
