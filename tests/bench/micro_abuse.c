/* What an abuse profile costs a request: global limit by address and mail
 * address in a header, on one thread.
 *
 *   micro_abuse mail.list     (of `typeauth data update`)
 *
 * Nanoseconds, best of nine rounds, a chain of nothing else; "nothing" is what
 * the loop itself costs. Not a test. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "check/exchange.h"
#include "codec/http1.h"
#include "detect/mail_list.h"

enum { ROUNDS = 9, N = 200000 };

static struct plan *plan;
static struct check_env env;
static struct http_head head;
static struct mail_root list;
static const struct plan_app *app;

/* Faster than life: else one address would reach the highest limit. */
static int64_t quick_node_ms(void)
{
    return clock_node_ms() * 32;
}

static void best(const char *what, uint32_t addresses)
{
    static _Alignas(16) char first[1024];
    uint64_t least = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < N; i++) {
            uint32_t who = (uint32_t)((uint64_t)i * 2654435761u) % addresses;
            struct arena a;
            struct exchange x = { .env = &env,
                                  .door = DOOR_PROXY,
                                  .arena = &a,
                                  .head = &head,
                                  .plan = app,
                                  .has_client = true };
            x.client.b[10] = x.client.b[11] = 0xff;
            memcpy(x.client.b + 12, &who, 4);
            arena_init(&a, 0, first, sizeof first);
            if (chain_run(&x) != VERDICT_PASS) {
                fprintf(stderr, "%s\n", reason_rows[x.reason].code);
                exit(1);
            }
        }
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    printf("%-44s %7.1f ns\n", what, (double)least / N);
}

static void publish(const char *abuse)
{
    static uint32_t num;
    char text[512];
    int n = snprintf(text, sizeof text,
                     "{\"id\":\"app_01JD%022u\",\"account_id\":"
                     "\"acc_01JD0000000000000000000000\",\"name\":\"a\","
                     "\"public\":true,\"originHostname\":\"10.0.0.1:80\"%s}",
                     ++num,
                     abuse[0] ? ",\"abuse_id\":"
                                "\"abuse_01JD0000000000000000000000\""
                              : "");
    const struct plan_source src = { .application = { text, (size_t)n },
                                     .forms[FORM_ABUSE] = sv_cstr(abuse),
                                     .num = num };
    struct plan_app *a;
    struct plan_problem why;
    if (plan_build(plan, &src, &a, &why)) {
        fprintf(stderr, "%s: %s\n", why.field, why.message);
        exit(1);
    }
    plan_publish(plan, a);
    app = a;
}

#define LIMIT "\"ratelimit\":{\"requests\":1000000,\"interval\":1}"
#define MAIL "\"checkLocations\":[\"header\"],\"checkPropertyName\":\"x-email\""
#define PROFILE(members) \
    "{\"id\":\"abuse_01JD0000000000000000000000\",\"name\":\"a\"," members "}"

int main(int argc, char **argv)
{
    static const char text[] = "GET /v1/users/42 HTTP/1.1\r\nHost: a\r\n"
                               "User-Agent: bench\r\nAccept: */*\r\n"
                               "X-Email: ann@mail.example.com\r\n\r\n";
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    struct epoch_reader reader;
    size_t searched = 0;
    if (argc != 2 || mail_root_load(&list, argv[1])) {
        fprintf(stderr, "usage: micro_abuse mail.list\n");
        return 2;
    }
    clock_node_start(0);
    epoch_join(&reader);
    epoch_wake(&reader);
    ENSURE(http1_request_scan(sv_cstr(text), &searched, &limits, &head, &why) >
           0);
    ENSURE(plan_new(&plan, 1) == 0);
    env = (struct check_env){ .plan = plan,
                              .wall_ms = clock_wall_ms,
                              .node_ms = quick_node_ms,
                              .mail = &list };
    visitors_new(&env.visitors, 1 << 20);
    ENSURE(visitors_reserve(env.visitors) == 0);
    publish("");
    best("nothing", 1);
    publish(PROFILE(LIMIT));
    best("global limit, one address", 1);
    best("global limit, 100,000 addresses", 100000);
    publish(PROFILE(MAIL));
    best("mail in a header", 1);
    publish(PROFILE(LIMIT "," MAIL));
    best("both, 100,000 addresses", 100000);
    epoch_sleep(&reader);
    epoch_leave(&reader);
    return 0;
}
