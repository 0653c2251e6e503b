/* What the firewall costs a request that passes it, on one thread: the chain of
 * a public application whose profile has nothing, lists, areas, rules, all.
 *
 *   micro_firewall [location files …]
 *
 * Nanoseconds, best of nine rounds, over 65,536 clients in turn ("spread") or
 * 256 ("hot"). Without files, places come from a file made here of 50,000
 * networks. Not a test: figures drift by a third. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "check/where.h"
#include "codec/http1.h"
#include "mmdb_writer.h"
#include "plan/plan.h"

enum { ROUNDS = 9, N = 200000, HOT = 256, SPREAD = 65536, LISTED = 100000 };

static const char request[] =
    "GET /v1/orders/1234567?page=2&limit=50&sort=created HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
    "Accept: application/json\r\n"
    "Accept-Language: de-DE,de;q=0.8,en-US;q=0.5,en;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "X-Request-Source: web\r\n\r\n";

static const char *const rules[] = {
    "ip.src in {203.0.113.0/24 192.0.2.1} and path contains \"/admin\"",
    "method in {\"PUT\" \"DELETE\"} and not country in {\"DE\" \"FR\"}",
    "user_agent matches \"(?i)sqlmap|nikto|masscan\"",
    "headers[\"x-bot\"] eq \"1\"",
    "cookies[\"session\"] eq \"stolen\"",
    "args[\"sort\"] contains \"union\"",
    "path starts_with \"/.git\"",
    "host eq \"internal.example.com\"",
    "asn in {64500 64501 64502}",
    "len(query) gt 2000",
};

static void put_rules(struct buf *b)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        buf_printf(b, "%s{\"name\":\"r%zu\",\"action\":\"block\",",
                   i ? "," : "", i);
        buf_puts(b, "\"expression\":");
        json_put_text(b, sv_cstr(rules[i]));
        buf_putc(b, '}');
    }
}

static struct ip clients[SPREAD];
static struct place_root places;
static struct plan *plan;
static struct check_env env;
static struct http_head head;
static char memory[16 << 10];
static uint64_t seed = 1;

static uint32_t any(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}

static int64_t still(void)
{
    return 1700000000000;
}

/* --- profiles ---------------------------------------------------------------- */

static void put_list(struct buf *b, unsigned n)
{
    buf_puts(b, "\"ip\":{\"deny\":[");
    for (unsigned i = 0; i < n; i++)
        buf_printf(b, "%s\"%u.%u.%u.0/24\"", i ? "," : "", 11 + (i >> 16) * 2,
                   i >> 8 & 255, i & 255);
    buf_puts(b, "]}");
}

/* The chain of an application with this profile; "": without one. */
static const struct plan_app *app_of(struct sv profile)
{
    static uint32_t num;
    char application[256];
    struct plan_app *app;
    struct plan_problem why;
    int n = snprintf(application, sizeof application,
                     "{\"id\":\"app_01JD0000000000%012u\",\"account_id\":"
                     "\"acc_01JD0000000000000000000000\",\"name\":\"a\","
                     "\"public\":true}",
                     ++num);
    struct plan_source src = {
        .application = sv_of(application, (size_t)n),
        .authentication = SV(""),
        .jwt = SV(""),
        .jwt_rules = SV(""),
        .forms = { [FORM_SECURITY] = profile, [FORM_ABUSE] = SV("") },
        .num = num,
    };
    ENSURE(plan_build(plan, &src, &app, &why) == 0);
    plan_publish(plan, app);
    return app;
}

static const struct plan_app *app_with(unsigned networks, bool areas,
                                       bool has_rules)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    buf_puts(&b, "{\"id\":\"sec_01JD0000000000000000000000\",\"name\":\"s\"");
    if (networks) buf_putc(&b, ','), put_list(&b, networks);
    if (areas) buf_puts(&b, ",\"geoblock\":{\"deny\":[\"RU\",\"KP\"]}");
    if (has_rules) {
        buf_puts(&b, ",\"rules\":[");
        put_rules(&b);
        buf_putc(&b, ']');
    }
    buf_putc(&b, '}');
    const struct plan_app *app = app_of(buf_sv(&b));
    buf_fini(&b);
    return app;
}

/* --- measuring --------------------------------------------------------------- */

static void ask(const struct plan_app *app, const struct ip *client)
{
    struct exchange x = { .env = &env, .plan = app, .head = &head };
    struct arena arena;
    arena_init(&arena, sizeof memory, memory, sizeof memory);
    x.arena = &arena;
    x.client = *client;
    x.has_client = true;
    ENSURE(chain_run(&x) == VERDICT_PASS);
    arena_fini(&arena);
}

static double best(const struct plan_app *app, uint32_t of)
{
    uint64_t least = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < N; i++) ask(app, &clients[i * 7919 % of]);
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    return (double)least / N;
}

static void row(const char *what, const struct plan_app *app)
{
    printf("%-40s %7.1f hot %7.1f spread\n", what, best(app, HOT),
           best(app, SPREAD));
}

static void places_make(void)
{
    static const char *const countries[] = { "DE", "US", "FR", "IN" };
    char path[64], network[32];
    const char *paths[] = { path };
    struct mmdb_writer w;
    struct buf bytes;
    struct place_data *data;
    struct place_why why;
    mmdb_init(&w, MMDB_FLAT, 28, true);
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(network, sizeof network, "%u.%u.0.0/16", 1 + i % 223, i / 223);
        mmdb_add(&w, network,
                 &(struct mmdb_place){ .country = countries[i & 3],
                                       .asn = 1000 + i });
    }
    buf_init(&bytes, 64 << 20);
    mmdb_encode(&w, &bytes);
    mmdb_file(&bytes, path);
    ENSURE(place_data_open(paths, 1, &data, &why) == 0);
    place_root_swap(&places, data);
    unlink(path);
    buf_fini(&bytes);
    mmdb_fini(&w);
}

static void world_make(int argc, char **argv)
{
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal refusal;
    size_t searched = 0;
    struct place_data *data;
    struct place_why why;
    for (uint32_t i = 0; i < SPREAD; i++) {
        uint32_t a = any();
        memset(clients[i].b, 0, 10);
        clients[i].b[10] = clients[i].b[11] = 0xff;
        clients[i].b[12] = (uint8_t)(12 + a % 100 / 2 * 2); /* in no list */
        memcpy(clients[i].b + 13, &a, 3);
    }
    ENSURE(http1_request_scan(sv_of(request, sizeof request - 1), &searched,
                              &limits, &head, &refusal) > 0);
    if (argc > 1) {
        ENSURE(place_data_open((const char *const *)argv + 1, (size_t)argc - 1,
                               &data, &why) == 0);
        place_root_swap(&places, data);
    } else {
        places_make();
    }
    plan_new(&plan, 1);
    env = (struct check_env){ .plan = plan,
                              .wall_ms = still,
                              .node_ms = still,
                              .places = &places,
                              .place_lanes = place_lanes_new(1) };
}

int main(int argc, char **argv)
{
    world_make(argc, argv);
    row("no profile", app_of(SV("")));
    row("a profile with nothing in it", app_with(0, false, false));
    row("10 networks", app_with(10, false, false));
    row("100,000 networks", app_with(LISTED, false, false));
    row("geoblock", app_with(0, true, false));
    row("ten rules", app_with(0, false, true));
    row("100,000 networks, geoblock, ten rules", app_with(LISTED, true, true));
    return 0;
}
