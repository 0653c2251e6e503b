/* What schemas and routes cost a request, by the chain of a public application,
 * on one thread:
 *
 *   micro_schema SCHEMA BODY [REQUESTS]
 *
 * SCHEMA is a JSON schema that the request's body is judged by, BODY the body;
 * tests/bench/schema.mjs makes both, and measures others with the same. A line
 * a figure: name, tab, nanoseconds (best of nine rounds). REQUESTS: of a round,
 * instead of 100,000; few for tools that count instructions:
 *
 *   valgrind --tool=callgrind --toggle-collect=judged_body micro_schema … 1000
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/mem.h"
#include "check/schema.h"
#include "codec/http1.h"

#define GET_TEXT                                                 \
    "GET /api%u/v1/users/42 HTTP/1.1\r\nHost: a.example.com\r\n" \
    "User-Agent: bench\r\nAccept: */*\r\n\r\n"

enum { ROUNDS = 9, APPS = 100, RULES = 50 };

static struct plan *plan;
static struct check_env env;
static struct http_head post, get[APPS], same[APPS]; /* same: as get[0] */
static struct sv body;
static unsigned stopped;
static uint32_t requests = 100000;
static const struct plan_app *none, *judged, *apps[APPS], *singles[APPS],
    *one_rule, *no_rule;

static void head_make(struct http_head *out, const char *fmt, unsigned n)
{
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    char *text = mem_zalloc(1024);
    int len = snprintf(text, 1024, fmt, n);
    ENSURE(http1_request_scan(sv_of(text, (size_t)len), &searched, &limits, out,
                              &why) > 0);
}

static void ask(const struct plan_app *app, const struct http_head *head,
                struct sv bytes)
{
    static _Alignas(16) char first[8192];
    struct arena a;
    struct exchange x = { .env = &env,
                          .arena = &a,
                          .plan = app,
                          .head = head,
                          .body = bytes,
                          .has_body = bytes.n > 0,
                          .intake = INTAKE_DONE };
    arena_init(&a, 0, first, sizeof first);
    enum verdict v = chain_run(&x);
    if (v == VERDICT_PASS) return;
    /* this thread was stopped for a millisecond: a worker's, in the gateway */
    check_work_end(&x);
    if (v == VERDICT_WORK && stopped++ < requests / 100) return;
    fprintf(stderr, "refused: %d %.*s\n", v, SV_FMT(x.violations));
    exit(1);
}

static void unjudged_body(uint32_t i)
{
    (void)i;
    ask(none, &post, body);
}
static void judged_body(uint32_t i)
{
    (void)i;
    ask(judged, &post, body);
}
static void without_rule(uint32_t i)
{
    (void)i;
    ask(no_rule, &get[0], SV(""));
}
static void with_one_rule(uint32_t i)
{
    (void)i;
    ask(one_rule, &get[0], SV(""));
}
static void apps_of_one_rule(uint32_t i)
{
    i = i * 37 % APPS;
    ask(singles[i], &same[i], SV(""));
}
static void with_all_rules(uint32_t i)
{
    i = i * 37 % APPS;
    ask(apps[i], &get[i], SV(""));
}

static void best(const char *what, void (*run)(uint32_t i))
{
    uint64_t least = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < requests; i++) run(i);
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    printf("%s\t%.1f\n", what, (double)least / requests);
}

/* --- the world ------------------------------------------------------------- */

static struct sv file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ENSURE(fd >= 0 && fstat(fd, &st) == 0);
    char *text = mem_alloc((size_t)st.st_size + 1);
    ENSURE(read(fd, text, (size_t)st.st_size) == st.st_size);
    close(fd);
    return sv_of(text, (size_t)st.st_size);
}

static const struct plan_app *publish(unsigned num, struct sv routing,
                                      struct sv openapi)
{
    char app[512];
    int n = snprintf(app, sizeof app,
                     "{\"id\":\"app_01JD%022u\",\"account_id\":"
                     "\"acc_01JD0000000000000000000000\",\"name\":\"a\","
                     "\"public\":true,\"domain\":\"app%u.example.com\","
                     "\"originHostname\":\"10.0.0.1:80\"}",
                     num, num);
    struct plan_source src = { .application = { app, (size_t)n },
                               .routing = routing,
                               .openapi = openapi,
                               .quota_slot = UINT32_MAX,
                               .num = num };
    if (openapi.n)
        src.forms[FORM_SCHEMA] =
            SV("{\"id\":\"schema_1\",\"account_id\":\"acc_1\",\"name\":\"s\"}");
    struct plan_app *image;
    struct plan_problem why;
    if (plan_build(plan, &src, &image, &why)) {
        fprintf(stderr, "%s: %s\n", why.field, why.message);
        exit(1);
    }
    plan_publish(plan, image);
    return image;
}

/* Rule i of n: two variables each; the first is the one that is asked for. */
static struct sv rules(unsigned n)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"id\":\"route_1\",\"account_id\":\"acc_1\",\"name\":\"r\","
                 "\"endpoints\":[");
    for (unsigned i = 0; i < n; i++)
        buf_printf(&b,
                   "%s{\"public_path\":\"/api%u/{version}/users/{user_id}\","
                   "\"target_path\":\"/{version}/users/{user_id}/details\"}",
                   i ? "," : "", i);
    buf_puts(&b, "]}");
    return buf_sv(&b);
}

static void world_open(const char *schema)
{
    struct buf doc;
    struct sv text = file(schema), many = rules(RULES), one = rules(1);
    buf_init(&doc, 1 << 20);
    buf_printf(&doc,
               "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"t\",\"version\":"
               "\"1\"},\"paths\":{\"/things\":{\"post\":{\"requestBody\":{"
               "\"required\":true,\"content\":{\"application/json\":{"
               "\"schema\":%.*s}}}}}}}",
               SV_FMT(text));
    clock_node_start(0);
    ENSURE(plan_new(&plan, 1) == 0);
    env.plan = plan;
    env.wall_ms = clock_wall_ms;
    env.node_ms = clock_node_ms;
    env.schema_lanes = schema_lanes_new(1);
    none = publish(1000, SV(""), SV(""));
    judged = publish(1001, SV(""), buf_sv(&doc));
    no_rule = publish(1002, SV(""), SV(""));
    one_rule = publish(1003, one, SV(""));
    for (unsigned i = 0; i < APPS; i++) {
        apps[i] = publish(i + 1, many, SV(""));
        singles[i] = publish(i + 2001, one, SV(""));
        head_make(&get[i], GET_TEXT, i ? i * 7 % RULES : 0);
        head_make(&same[i], GET_TEXT, 0);
    }
    char fmt[256];
    snprintf(fmt, sizeof fmt,
             "POST /things HTTP/1.1\r\nHost: a.example.com\r\nContent-Type: "
             "application/json\r\nContent-Length: %zu%%.0u\r\n\r\n",
             body.n);
    head_make(&post, fmt, 0);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: micro_schema SCHEMA BODY [REQUESTS]\n");
        return 2;
    }
    if (argc == 4) requests = (uint32_t)strtoul(argv[3], NULL, 10);
    body = file(argv[2]);
    world_open(argv[1]);
    struct epoch_reader reader;
    epoch_join(&reader);
    epoch_wake(&reader);
    best("unjudged", unjudged_body);
    best("judged", judged_body);
    best("no-rule", without_rule);
    best("one-rule", with_one_rule);
    best("single-rules", apps_of_one_rule);
    best("all-rules", with_all_rules);
    return 0;
}
