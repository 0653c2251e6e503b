/* plan/route.c, route_target.c: tests/vectors/routing.json is the table; a
 * group has a profile's rules and requests, each with the rule that it must
 * get and what becomes of its target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/http1.h"
#include "model/shape.h"
#include "plan/route.h"

static const struct http1_limits LIMITS = { 16384, 8192, 64 };

struct group {
    struct arena arena;
    struct routing routing;
    const struct route_table *table;
};

/* "<text*n>" in the table is the text n times. */
static struct sv expand(struct sv text, struct arena *a)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    while (text.n) {
        struct sv rest, one;
        buf_put(&out, sv_cut(text, '<', &rest));
        if (!rest.p) break;
        one = sv_cut(rest, '>', &text);
        uint64_t n = 0;
        size_t star = sv_rfind(one, '*');
        ENSURE(sv_to_u64(sv_from(one, star + 1), 1 << 20, &n));
        while (n--) buf_put(&out, sv_first(one, star));
    }
    struct sv kept = arena_dup(a, buf_sv(&out));
    buf_fini(&out);
    return kept;
}

static void group_init(struct group *g, const yyjson_val *endpoints)
{
    arena_init(&g->arena, 8 << 20, NULL, 0);
    struct buf doc;
    struct sv text = expand(json_encode_val(&g->arena, endpoints), &g->arena);
    buf_init(&doc, 1 << 20);
    buf_printf(&doc,
               "{\"id\":\"route_x\",\"account_id\":\"acc_x\","
               "\"name\":\"n\",\"endpoints\":%.*s}",
               SV_FMT(text));
    assert_int_equal(routing_decode(buf_sv(&doc), &g->arena, &g->routing), 0);
    assert_int_equal(route_table_build(&g->routing, &g->arena, &g->table), 0);
    buf_fini(&doc);
}

static int head_read(const yyjson_val *c, struct arena *a,
                     struct http_head *out)
{
    struct buf text;
    struct http1_refusal why;
    yyjson_val *item;
    size_t i, max, searched = 0;
    struct sv method = json_text(json_find(c, "method"));
    struct sv target = expand(json_text(json_find(c, "target")), a);
    buf_init(&text, 1 << 16);
    if (!method.n) method = SV("GET");
    buf_put(&text, method);
    buf_putc(&text, ' ');
    buf_put(&text, target);
    buf_puts(&text, " HTTP/1.1\r\nHost: a.test\r\n");
    yyjson_arr_foreach(json_find(c, "headers"), i, max, item)
        buf_printf(&text, "%.*s\r\n", SV_FMT(expand(json_text(item), a)));
    buf_puts(&text, "\r\n");
    struct sv kept = arena_dup(a, buf_sv(&text));
    buf_fini(&text);
    return http1_request_scan(kept, &searched, &LIMITS, out, &why);
}

static void judge_target(const yyjson_val *c, const struct http_head *head,
                         const struct route_match *m, struct arena *a)
{
    char memory[8192];
    struct buf text;
    struct sv got, query = head->has_query ? head->query : (struct sv){ 0 };
    if (head->has_query && !query.p) query = SV("");
    buf_init_fixed(&text, memory, sizeof memory);
    int rc = route_target(m, head->path, query, SV(""), &text, &got);
    if (yyjson_is_true(json_find(c, "bad"))) {
        assert_int_equal(rc, ERR_INVALID);
        return;
    }
    if (yyjson_is_true(json_find(c, "too_big"))) {
        assert_int_equal(rc, ERR_TOOBIG);
        return;
    }
    assert_int_equal(rc, 0);
    struct sv want = expand(json_text(json_find(c, "out")), a);
    if (want.n && !sv_eq(want, got))
        fail_msg("%.*s became %.*s, not %.*s", SV_FMT(head->target),
                 SV_FMT(got), SV_FMT(want));
}

static void judge_host(const yyjson_val *c, const struct route_match *m)
{
    char memory[1024];
    struct buf text;
    struct sv got;
    yyjson_val *want = json_find(c, "host");
    if (!want) return;
    buf_init_fixed(&text, memory, sizeof memory);
    int rc = route_host(m, &text, &got);
    assert_int_equal(rc, yyjson_is_null(want) ? ERR_INVALID : 0);
    if (rc == 0) assert_true(sv_eq(got, json_text(want)));
    int64_t port = 0;
    json_is_int(json_find(c, "port"), &port);
    assert_int_equal(m->rule->port, port);
}

static void judge(struct group *g, const yyjson_val *c)
{
    struct http_head head;
    struct route_match m;
    int64_t rule = -1;
    int n = head_read(c, &g->arena, &head);
    assert_int_equal(n < 0, yyjson_is_true(json_find(c, "bad_head")));
    if (n < 0) return;
    enum route_found found = route_match(g->table, &head, &m);
    json_is_int(json_find(c, "rule"), &rule);
    bool refused = yyjson_is_true(json_find(c, "refused"));
    if (found != (refused    ? ROUTE_REFUSED
                  : rule < 0 ? ROUTE_NONE
                             : ROUTE_FOUND))
        fail_msg("%.*s: found %d", SV_FMT(head.target), found);
    if (found != ROUTE_FOUND) return;
    if (m.rule->index != rule)
        fail_msg("%.*s: rule %u, not %d", SV_FMT(head.target), m.rule->index,
                 (int)rule);
    judge_target(c, &head, &m, &g->arena);
    judge_host(c, &m);
}

static void every_case_of_the_table_gets_its_rule_and_target(void **state)
{
    (void)state;
    struct arena a;
    yyjson_read_err err;
    arena_init(&a, 4 << 20, NULL, 0);
    yyjson_doc *doc = yyjson_read_file(
        TEST_SOURCE_ROOT "/tests/vectors/routing.json", 0, NULL, &err);
    assert_non_null(doc);
    size_t i, max, k, cases, judged = 0;
    yyjson_val *group, *c;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, max, group)
    {
        struct group g;
        group_init(&g, json_find(group, "endpoints"));
        yyjson_arr_foreach(json_find(group, "cases"), k, cases, c)
        {
            judge(&g, c);
            judged++;
        }
        arena_fini(&g.arena);
    }
    assert_in_range(judged, 160, 9999);
    yyjson_doc_free(doc);
    arena_fini(&a);
}

static const struct {
    const char *rule, *field;
} WRONG[] = {
    { "{\"public_path\":\"x\"}", "public_path" },
    { "{\"public_path\":\"/a/../b\"}", "public_path" },
    { "{\"public_path\":\"/*/b\"}", "public_path" },
    { "{\"public_path\":\"/{a}{b}\"}", "public_path" },
    { "{\"public_path\":\"/{a}/{a}\"}", "public_path" },
    { "{\"public_path\":\"/{a\"}", "public_path" },
    { "{\"public_path\":\"/a}\"}", "public_path" },
    { "{\"public_path\":\"/{}\"}", "public_path" },
    { "{\"public_path\":\"/{a-b}\"}", "public_path" },
    { "{\"public_path\":\"/a b\"}", "public_path" },
    { "{\"public_path\":\"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}\"}",
      "public_path" },
    { "{\"public_path\":\"/\",\"target_path\":\"/{a}\"}", "target_path" },
    { "{\"public_path\":\"/\",\"target_path\":\"a\"}", "target_path" },
    { "{\"public_path\":\"/\",\"target_path\":\"/%2e%2e/a\"}", "target_path" },
    { "{\"public_path\":\"/{a}\",\"target_path\":\"/?{a}=1\"}", "target_path" },
    { "{\"public_path\":\"/{a}\",\"target_path\":\"/%2{a}\"}", "target_path" },
    { "{\"public_path\":\"/{a}\",\"target_path\":\"/%{a}\"}", "target_path" },
    { "{\"public_path\":\"/{a}\",\"target_path\":\"/?b=%2{a}\"}",
      "target_path" },
    { "{\"public_path\":\"/\",\"target_path\":\"/100%\"}", "target_path" },
    { "{\"public_path\":\"/{a}\",\"target_hostname\":\"{a}.com\"}",
      "target_hostname" },
    { "{\"public_path\":\"/{a}\",\"target_hostname\":\"x{a}.b.com\"}",
      "target_hostname" },
    { "{\"public_path\":\"/{a}\",\"target_hostname\":\"b.{a}.com\"}",
      "target_hostname" },
    { "{\"public_path\":\"/\",\"target_hostname\":\"http://a.com\"}",
      "target_hostname" },
    { "{\"public_path\":\"/\",\"target_headers\":{\"request\":{\"set\":"
      "{\"Host\":\"x\"}}}}",
      "target_headers" },
    { "{\"public_path\":\"/\",\"target_headers\":{\"request\":{\"set\":"
      "{\"X-Typeauth-Owner\":\"x\"}}}}",
      "target_headers" },
    { "{\"public_path\":\"/\",\"target_headers\":{\"response\":{\"set\":"
      "{\"A\":\"x\\ny\"}}}}",
      "target_headers" },
};

static void a_rule_that_cannot_be_names_its_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        struct arena a;
        struct route_rule rule;
        const char *field = "none", *why = NULL;
        yyjson_doc *doc;
        arena_init(&a, 1 << 20, NULL, 0);
        assert_int_equal(json_decode(sv_cstr(WRONG[i].rule), &a, &doc, NULL),
                         0);
        int rc = route_rule_decode(yyjson_doc_get_root(doc), &a, &rule, &field,
                                   &why);
        if (rc != ERR_INVALID || strcmp(field, WRONG[i].field))
            fail_msg("%s: %d %s", WRONG[i].rule, rc, field);
        assert_non_null(why);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_table_gets_its_rule_and_target),
        cmocka_unit_test(a_rule_that_cannot_be_names_its_field),
    };
    return cmocka_run_group_tests_name("plan/route", tests, NULL, NULL);
}
