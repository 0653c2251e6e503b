/* What geography and anomaly detection cost a request, piece by piece, on one
 * thread:
 *
 *   micro_signals [location files …]
 *
 * Nanoseconds, best of nine rounds. Without files, places come from a file
 * made here of 50,000 networks. "hot" asks for 256 addresses or subjects in
 * turn, "spread" for 65,536. Not a test: figures drift by a third. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "detect/anomaly.h"
#include "detect/area.h"
#include "detect/network.h"
#include "detect/travel.h"
#include "mmdb_writer.h"

enum { ROUNDS = 9, N = 200000, HOT = 256, SPREAD = 65536, LISTED = 100000 };

static struct ip addresses[SPREAD];
static const struct network *few, *many;
static struct place_data *places;
static struct place_cache *cache;
static struct geoblock geoblock;
static struct travel travel;
static struct travel_state *travellers;
static struct anomaly anomaly;
static struct watched {
    struct anomaly_state state;
    struct anomaly_learnt learnt;
} * subjects, application;
static int64_t now_ms = 1732492800000;
static uint64_t seed = 1;
static uint64_t sink;

static uint32_t any(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}

static double best(const char *what, void (*run)(uint32_t i))
{
    uint64_t least = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        for (uint32_t i = 0; i < N; i++) run(i);
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    printf("%-48s %7.1f ns\n", what, (double)least / N);
    return (double)least / N;
}

/* --- pieces ------------------------------------------------------------------ */

static void network_few(uint32_t i)
{
    sink += network_find(few, &addresses[i * 7919 % SPREAD]).side;
}

static void network_many(uint32_t i)
{
    sink += network_find(many, &addresses[i * 7919 % SPREAD]).side;
}

static void place_uncached(uint32_t i)
{
    struct place p;
    sink += place_data_find(places, &addresses[i * 7919 % SPREAD], &p);
}

static void place_hot(uint32_t i)
{
    struct place p;
    sink += place_cache_find(cache, places, &addresses[i % HOT], &p);
}

static void place_spread(uint32_t i)
{
    struct place p;
    sink += place_cache_find(cache, places, &addresses[i * 7919 % SPREAD], &p);
}

static void block_by_area(uint32_t i)
{
    sink += area_judge(&geoblock, (uint16_t)(1 + i % 600));
}

static void stay(uint32_t i)
{
    struct place p = { .country = 158,
                       .latitude = 51.5F,
                       .longitude = -0.1F,
                       .radius_km = 20,
                       .asn = 64500,
                       .has_point = true };
    struct travel_sample s = { &p, now_ms += 10, now_ms };
    sink += travel_judge(&travel, &travel_networks_known,
                         &travellers[i * 7919 % SPREAD], &s)
                .action;
}

static void move(uint32_t i)
{
    struct place p = { .country = 158,
                       .latitude = 51.5F + (float)(i % 3) * 0.9F,
                       .longitude = -0.1F,
                       .radius_km = 20,
                       .asn = 64500,
                       .has_point = true };
    struct travel_sample s = { &p, now_ms += 10, now_ms };
    sink += travel_judge(&travel, &travel_networks_known, &travellers[0], &s)
                .action;
}

static void add_to(struct watched *w, enum anomaly_scope scope)
{
    struct anomaly_finding found[ANOMALY_PATTERNS];
    uint32_t r = any();
    struct anomaly_sample s = {
        .at_ms = now_ms,
        .endpoint = (uint64_t)(r % 12) << 60,
        .bytes = 500 + r % 1000,
        .response_us = 20000 + r % 40000,
        .failed = r % 100 == 0,
    };
    now_ms += 1; /* 1,000 a second: a window is 60,000 requests */
    sink += anomaly_add(&anomaly, scope, &w->state, &w->learnt, &s, found);
}

static void count_application(uint32_t i)
{
    (void)i;
    add_to(&application, ANOMALY_APPLICATION);
}

static void count_hot(uint32_t i)
{
    add_to(&subjects[i % HOT], ANOMALY_SUBJECT);
}

static void count_spread(uint32_t i)
{
    add_to(&subjects[i * 7919 % SPREAD], ANOMALY_SUBJECT);
}

/* Five windows end with each request. */
static void close_windows(uint32_t i)
{
    (void)i;
    now_ms += 61000;
    for (int k = 0; k < 11; k++) add_to(&application, ANOMALY_APPLICATION);
}

static void ask_standing(uint32_t i)
{
    sink += anomaly_standing(&anomaly, &subjects[i * 7919 % SPREAD].state,
                             now_ms, NULL);
}

/* All that a request of a subject pays. */
static void whole_request(uint32_t i)
{
    uint32_t who = i * 7919 % SPREAD;
    struct place p;
    bool known = place_cache_find(cache, places, &addresses[who], &p);
    sink += network_find(many, &addresses[who]).side;
    sink += area_judge(&geoblock, p.country);
    struct travel_sample s = { known ? &p : NULL, now_ms, now_ms };
    sink += travel_judge(&travel, &travel_networks_known, &travellers[who], &s)
                .action;
    sink += anomaly_standing(&anomaly, &subjects[who].state, now_ms, NULL);
    add_to(&subjects[who], ANOMALY_SUBJECT);
    add_to(&application, ANOMALY_APPLICATION);
}

/* --- set-up -------------------------------------------------------------------- */

static struct place_data *made_file(void)
{
    struct mmdb_writer w;
    struct buf bytes;
    struct place_data *out;
    struct place_why why;
    char path[64], network[32];
    const char *paths[] = { path };
    mmdb_init(&w, MMDB_FLAT, 28, false);
    for (int i = 0; i < 50000; i++) {
        struct mmdb_place p = { "GB",  true, 51.5 + i % 100 * 0.01, -0.1, 20,
                                64500, 0 };
        uint32_t r = any();
        snprintf(network, sizeof network, "%u.%u.%u.0/24", r >> 24,
                 r >> 16 & 255, r >> 8 & 255);
        mmdb_add(&w, network, &p);
    }
    buf_init(&bytes, 64 << 20);
    mmdb_encode(&w, &bytes);
    mmdb_file(&bytes, path);
    ENSURE(place_data_open(paths, 1, &out, &why) == 0);
    unlink(path);
    buf_fini(&bytes);
    mmdb_fini(&w);
    return out;
}

static void lists(struct arena *a)
{
    static struct cidr list[LISTED];
    struct network_why why;
    for (uint32_t i = 0; i < LISTED; i++) {
        list[i] = (struct cidr){ .bits = (uint8_t)(i & 1 ? 128 : 120) };
        list[i].ip.b[10] = list[i].ip.b[11] = 0xff;
        uint32_t r = any();
        memcpy(list[i].ip.b + 12, &r, 4);
        if (list[i].bits == 120) list[i].ip.b[15] = 0;
    }
    uint64_t from = clock_mono_ns();
    ENSURE(network_build(a, list, 10000, list + 10000, LISTED - 10000, &many,
                         &why) == 0);
    printf("%-48s %7.1f ms\n", "build a list of 100,000",
           (double)(clock_mono_ns() - from) / 1e6);
    ENSURE(network_build(a, list, 5, list + 5, 5, &few, &why) == 0);
}

static void config(struct arena *a)
{
    yyjson_doc *doc;
    ENSURE(json_decode(SV("{\"a\":{\"allow\":[\"US\",\"EU\",\"GB\"]},"
                          "\"b\":\"STANDARD\",\"c\":\"STANDARD\"}"),
                       a, &doc, NULL) == 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    ENSURE(geoblock_decode(json_find(root, "a"), &geoblock) == 0);
    ENSURE(travel_decode(json_find(root, "b"), a, &travel) == 0);
    ENSURE(anomaly_decode(json_find(root, "c"), &anomaly) == 0);
}

int main(int argc, char **argv)
{
    struct arena a;
    struct place_why why;
    arena_init(&a, 256 << 20, NULL, 0);
    lists(&a);
    config(&a);
    for (int i = 0; i < SPREAD; i++) {
        uint32_t r = any();
        addresses[i].b[10] = addresses[i].b[11] = 0xff;
        memcpy(addresses[i].b + 12, &r, 4);
    }
    if (argc > 1)
        ENSURE(place_data_open((const char *const *)argv + 1, (size_t)argc - 1,
                               &places, &why) == 0);
    else
        places = made_file();
    ENSURE(place_cache_new(&cache) == 0);
    travellers = mem_zalloc(SPREAD * sizeof *travellers);
    subjects = mem_zalloc(SPREAD * sizeof *subjects);

    best("list of 10", network_few);
    double sum = best("list of 100,000", network_many);
    best("place, spread", place_uncached);
    best("place, hot, through the cache", place_hot);
    sum += best("place, spread, through the cache", place_spread);
    sum += best("area", block_by_area);
    sum += best("travel, nobody moved, spread", stay);
    best("travel, moved", move);
    sum += best("anomaly: what stands, spread", ask_standing);
    sum += best("anomaly: count, application", count_application);
    best("anomaly: count, subject, hot", count_hot);
    sum += best("anomaly: count, subject, spread", count_spread);
    best("anomaly: 11 requests and five windows' ends", close_windows);
    printf("%-48s %7.1f ns\n", "sum of those a request meets", sum);
    best("all of them in one, all spread", whole_request);
    place_cache_free(&cache);
    place_data_free(&places);
    mem_free(travellers);
    mem_free(subjects);
    arena_fini(&a);
    return sink == 42;
}
