/* Security and abuse profiles: what is taken, what it becomes, and what is
 * refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "model/abuse.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 32 << 20, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

static int create(const struct shape *shape, const char *text, struct sv *out,
                  struct shape_problem *why)
{
    struct shape_env env = { .arena = &a, .role = ROLE_OWNER };
    yyjson_doc *input;
    yyjson_mut_doc *doc = NULL;
    memset(why, 0, sizeof *why);
    assert_int_equal(json_decode(sv_cstr(text), &a, &input, NULL), 0);
    int rc = shape_create(shape, &env, yyjson_doc_get_root(input), &doc, why);
    if (rc == 0) *out = json_encode(&a, yyjson_mut_doc_get_root(doc));
    return rc;
}

static const struct refused {
    const struct shape *shape;
    const char *text, *field, *message;
} refused[] = {
    { &shape_security, "{}", "name", "required" },
    { &shape_security, "{\"name\":\"n\",\"wav\":{}}", "wav", "known field" },
    { &shape_security, "{\"name\":\"n\",\"waf\":{\"mode\":\"on\"}}", "waf.mode",
      "off, detect, block" },
    { &shape_security, "{\"name\":\"n\",\"waf\":{\"paranoia\":5}}",
      "waf.paranoia", "between 1 and 4" },
    { &shape_security, "{\"name\":\"n\",\"waf\":{\"exclusions\":[1,\"x\"]}}",
      "waf.exclusions[1]", "rule id" },
    { &shape_security, "{\"name\":\"n\",\"waf\":{\"exclusions\":[\"9-8\"]}}",
      "waf.exclusions[0]", "rule id" },
    { &shape_security, "{\"name\":\"n\",\"geoblock\":{}}", "geoblock",
      "either allow or deny" },
    { &shape_security, "{\"name\":\"n\",\"geoblock\":{\"allow\":[\"QQQQ\"]}}",
      "geoblock.allow[0]", "" },
    { &shape_security, "{\"name\":\"n\",\"ip\":{\"deny\":[\"10.0.0.1/8\"]}}",
      "ip.deny[0]", "host bits" },
    { &shape_security,
      "{\"name\":\"n\",\"rules\":[{\"name\":\"r\",\"action\":\"block\","
      "\"expression\":\"path eq \\\"a\\\" or\\n  paht eq \\\"b\\\"\"}]}",
      "rules[0].expression", "line 2, column 3: no field \"paht\"" },
    { &shape_security,
      "{\"name\":\"n\",\"rules\":[{\"name\":\"r\",\"action\":\"stop\","
      "\"expression\":\"asn eq 1\"}]}",
      "rules[0].action", "block, log, allow, skip" },
    { &shape_security,
      "{\"name\":\"n\",\"rules\":[{\"name\":\"r\",\"action\":\"log\","
      "\"expression\":\"asn eq 1\"},{\"name\":\"r\",\"action\":\"log\","
      "\"expression\":\"asn eq 2\"}]}",
      "rules[1].name", "twice" },
    { &shape_abuse, "{\"name\":\"n\",\"blocklist\":[\"a.com\",\"a b\"]}",
      "blocklist[1]", "domain" },
    { &shape_abuse, "{\"name\":\"n\",\"exceptions\":[\"192.0.2.1\"]}",
      "exceptions[0]", "domain" },
    { &shape_abuse,
      "{\"name\":\"n\",\"ratelimit\":{\"requests\":\"2m\",\"interval\":1}}",
      "ratelimit.requests", "between 1 and 1000000" },
    { &shape_abuse,
      "{\"name\":\"n\",\"ratelimit\":{\"requests\":\"1g\",\"interval\":1}}",
      "ratelimit.requests", "\"10k\"" },
    { &shape_abuse,
      "{\"name\":\"n\",\"ratelimit\":{\"requests\":1,\"interval\":\"2d\"}}",
      "ratelimit.interval", "between 1 and 86400" },
    { &shape_abuse,
      "{\"name\":\"n\",\"ratelimit\":{\"requests\":1,\"interval\":\"5w\"}}",
      "ratelimit.interval", "\"10m\"" },
    { &shape_abuse, "{\"name\":\"n\",\"scope\":\"user\"}", "scope",
      "header:<name>" },
    { &shape_abuse, "{\"name\":\"n\",\"scope\":\"header:a b\"}", "scope",
      "header:<name>" },
    { &shape_abuse,
      "{\"name\":\"n\",\"checkPropertyName\":\"e\",\"checkLocations\":["
      "\"cookie\""
      ",\"path\"]}",
      "checkLocations[1]", "header, cookie" },
    { &shape_abuse, "{\"name\":\"n\",\"checkLocations\":\"cookie\"}",
      "checkPropertyName", "required" },
    { &shape_abuse, "{\"name\":\"n\",\"checkPropertyName\":\"e\"}",
      "checkLocations", "required" },
};

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const struct refused *r = &refused[i];
        struct shape_problem why;
        struct sv out;
        int rc = create(r->shape, r->text, &out, &why);
        if (rc != ERR_INVALID || strcmp(why.field, r->field) != 0 ||
            !strstr(why.message, r->message))
            fail_msg("%s: %d %s: %s", r->text, rc, why.field, why.message);
    }
}

static void a_security_profile_becomes_typed(void **state)
{
    (void)state;
    struct shape_problem why;
    struct security s;
    struct sv doc;
    if (create(&shape_security,
               "{\"name\":\"edge\",\"waf\":{\"mode\":\"detect\",\"paranoia\":2,"
               "\"exclusions\":[942100,\"920000-920999\"]},"
               "\"geoblock\":{\"allow\":[\"US,EU\"]},"
               "\"ip\":{\"deny\":[\"192.0.2.0/24\",\"2001:db8::/32\"]},"
               "\"rules\":[{\"name\":\"admin\",\"action\":\"block\","
               "\"expression\":\"path starts_with \\\"/admin\\\"\"},"
               "{\"name\":\"mine\",\"action\":\"skip\","
               "\"expression\":\"token.owner eq \\\"me\\\"\"}]}",
               &doc, &why))
        fail_msg("%s: %s", why.field, why.message);
    assert_int_equal(security_decode(doc, &a, &s), 0);
    assert_true(sv_eq(s.name, SV("edge")));
    assert_int_equal(s.waf.mode, WAF_DETECT);
    assert_int_equal(s.waf.paranoia, 2);
    assert_int_equal(s.waf.threshold, 5);
    assert_int_equal(s.waf.inspect_bytes, INSPECT_BYTES_DEFAULT);
    assert_false(s.waf.over_blocks);
    assert_int_equal(s.waf.exclusions_n, 2);
    assert_int_equal(s.waf.exclusions[0].to, 942100);
    assert_int_equal(s.waf.exclusions[1].to, 920999);
    assert_true(s.geoblock.on && s.geoblock.allows);
    assert_int_equal(s.ip.deny_n, 2);
    assert_int_equal(s.rules_n, 2);
    assert_int_equal(s.rules[1].action, RULE_SKIP);
    assert_true(expression_names_token(s.rules[1].expression));
    assert_int_equal(s.on_fault, FAULT_DEFAULT);

    assert_int_equal(create(&shape_security, "{\"name\":\"n\"}", &doc, &why),
                     0);
    assert_int_equal(security_decode(doc, &a, &s), 0);
    assert_int_equal(s.waf.mode, WAF_OFF);
    assert_int_equal(s.rules_n, 0);
    assert_int_equal(security_decode(SV("[]"), &a, &s), ERR_CORRUPT);
}

static void an_abuse_profile_becomes_typed(void **state)
{
    (void)state;
    struct shape_problem why;
    struct abuse p;
    struct sv doc;
    if (create(&shape_abuse,
               "{\"name\":\"fraud\",\"blocklist\":[\"@B\xc3\xbc"
               "cher.example.\"],\"exceptions\":[\"good.example\"],"
               "\"ratelimit\":{\"requests\":\"1m\",\"interval\":\"10m\"},"
               "\"scope\":\"header:X-User\",\"checkLocations\":\"cookie\","
               "\"checkPropertyName\":\"email\",\"geoSentry\":\"STANDARD\","
               "\"onFault\":\"closed\"}",
               &doc, &why))
        fail_msg("%s: %s", why.field, why.message);
    assert_int_equal(abuse_decode(doc, &a, &p), 0);
    assert_true(sv_eq(p.blocklist[0], SV("xn--bcher-kva.example")));
    assert_int_equal(p.exceptions_n, 1);
    assert_true(p.has_limit);
    assert_int_equal(p.limit, 1000000);
    assert_int_equal(p.window_s, 600);
    assert_int_equal(p.scope, ABUSE_BY_HEADER);
    assert_true(sv_eq(p.scope_header, SV("X-User")));
    assert_int_equal(p.locations, 2);
    assert_int_equal(p.on_fault, FAULT_CLOSED);
    /* what was made canonical is taken again */
    struct sv again;
    assert_int_equal(create(&shape_abuse, doc.p, &again, &why), 0);
    assert_true(sv_eq(doc, again));
}

static void units_are_those_of_the_published_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t requests, interval; /* -1: refused */
    } rows[] = {
        { "1m", 1000000, 60 }, { "10m", 10000000, 600 },  { "10k", 10000, -1 },
        { "500", 500, 500 },   { "1h", -1, 3600 },        { "1d", -1, 86400 },
        { "30s", -1, 30 },     { " 2 M ", 2000000, 120 }, { "", -1, -1 },
        { "m", -1, -1 },       { "1.5m", -1, -1 },        { "-1", -1, -1 },
        { "1mm", -1, -1 },     { "99999999999", -1, -1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t n = -1, s = -1;
        abuse_requests_parse(sv_cstr(rows[i].text), &n);
        abuse_interval_parse(sv_cstr(rows[i].text), &s);
        if (n != rows[i].requests || s != rows[i].interval)
            fail_msg("%s: %lld, %lld", rows[i].text, (long long)n,
                     (long long)s);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_is_wrong_is_named_with_its_place),
        CASE(a_security_profile_becomes_typed),
        CASE(an_abuse_profile_becomes_typed),
        CASE(units_are_those_of_the_published_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
