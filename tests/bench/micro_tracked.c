/* What steps TRAVEL and ANOMALY and the counting behind the answer cost a
 * request: the checks themselves, over the tables, on one thread and then on
 * two that share an application.
 *
 *   micro_tracked
 *
 * Nanoseconds of CPU time, best of nine rounds; 65,536 tokens in turn ("spread")
 * or 256 ("hot"). Not a test: figures drift by a third. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check/check.h"
#include "check/tracked.h"
#include "check/where.h"
#include "mmdb_writer.h"

enum { ROUNDS = 9, N = 200000, HOT = 256, SPREAD = 65536, THREADS = 2 };

static struct place_root places;
static struct check_env env;
static struct plan_app app;
static _Atomic int64_t now_ms = 1790000000000;

static int64_t node_ms(void)
{
    return now_ms;
}

static void begin(struct exchange *x, unsigned reactor, uint32_t who)
{
    x->env = &env;
    x->plan = &app;
    x->reactor = reactor;
    x->wall_ms = now_ms;
    x->has_token = x->has_client = true;
    memcpy(x->token.id, &who, sizeof who);
    ip_parse(who % 2 ? SV("192.0.2.7") : SV("192.0.2.8"), &x->client);
    x->place_state = 0;
    x->reason = REASON_NONE;
    x->challenge.text[0] = '\0';
}

static void travel(struct exchange *x)
{
    ENSURE(check_travel(x) == VERDICT_PASS);
}

static void anomaly(struct exchange *x)
{
    ENSURE(check_anomaly(x) == VERDICT_PASS);
}

static void answered(struct exchange *x)
{
    const struct anomaly_sample s = { .at_ms = now_ms,
                                      .endpoint = (uint64_t)x->who[0] << 56,
                                      .bytes = 300,
                                      .response_us = 2000 };
    check_mark(x);
    check_answered(x, &app, &s);
}

static void nothing(struct exchange *x)
{
    check_who(x);
}

static double run(void (*step)(struct exchange *x), uint32_t among,
                  unsigned reactor)
{
    char memory[4096];
    struct arena arena;
    struct exchange x = { .method = SV("GET"), .url = SV("/a/path?x=1") };
    uint64_t least = UINT64_MAX;
    arena_init(&arena, 1 << 20, memory, sizeof memory);
    x.arena = &arena;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < N; i++) {
            begin(&x, reactor, i * 7919 % among);
            step(&x);
        }
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
        x.findings = NULL;
        arena_reset(&arena);
        now_ms += 20000;
    }
    return (double)least / N;
}

static void *beside(void *arg)
{
    double *ns = arg;
    *ns = run(answered, SPREAD, 1);
    return NULL;
}

static void together(void)
{
    pthread_t other;
    double ns[THREADS];
    pthread_create(&other, NULL, beside, &ns[1]);
    ns[0] = run(answered, SPREAD, 0);
    pthread_join(other, NULL);
    printf("%-48s %7.1f ns\n", "counting, two cores on one application",
           (ns[0] + ns[1]) / THREADS);
}

static void show(const char *what, void (*step)(struct exchange *x))
{
    double base = run(nothing, SPREAD, 0);
    double hot = run(step, HOT, 0), spread = run(step, SPREAD, 0);
    printf("%-48s %7.1f ns hot %7.1f ns spread\n", what, hot - base,
           spread - base);
}

static void set_up(struct arena *a)
{
    static const char doc[] =
        "{\"id\":\"abuse_01M852V1HJX1J0S2KCZPRS5W5B\",\"account_id\":\"a\","
        "\"name\":\"a\",\"geoSentry\":\"STANDARD\",\"anomalyDetection\":"
        "\"STANDARD\"}";
    const struct detection_conf conf = {
        .subjects = SPREAD,
        .travel_bytes = sizeof(struct travel_state),
        .anomaly_bytes = sizeof(struct anomaly_state),
        .learnt_bytes = sizeof(struct anomaly_learnt),
    };
    char path[64];
    const char *paths[] = { path };
    struct mmdb_writer m;
    struct buf bytes;
    struct place_data *data;
    struct place_why why;
    struct plan_problem problem;
    const void *abuse;
    mmdb_init(&m, MMDB_FLAT, 24, false);
    mmdb_add(&m, "192.0.2.0/24",
             &(struct mmdb_place){ "GB", true, 51.5, -0.1, 20, 0, false });
    buf_init(&bytes, 1 << 20);
    mmdb_encode(&m, &bytes);
    mmdb_file(&bytes, path);
    ENSURE(place_data_open(paths, 1, &data, &why) == 0);
    unlink(path);
    buf_fini(&bytes);
    mmdb_fini(&m);
    place_root_swap(&places, data);
    ENSURE(plan_abuse_type.build(sv_cstr(doc), a, &abuse, &problem) == 0);
    app.abuse = abuse;
    app.tracked = true;
    app.app.id = SV("app_01M852V1HJX1J0S2KCZPRS5W5B");
    env = (struct check_env){ .wall_ms = node_ms,
                              .node_ms = node_ms,
                              .places = &places,
                              .place_lanes = place_lanes_new(THREADS) };
    detection_new(&env.detection, &conf);
}

int main(void)
{
    struct arena arena;
    arena_init(&arena, 1 << 20, NULL, 0);
    set_up(&arena);
    run(answered, SPREAD, 0); /* everybody is known */
    show("step TRAVEL, nobody moved", travel);
    show("step ANOMALY", anomaly);
    show("counting, subject and application", answered);
    together();
    detection_free(&env.detection);
    place_lanes_free(&env.place_lanes, THREADS);
    return 0;
}
