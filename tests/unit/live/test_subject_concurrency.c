/* The table of subjects: who stays, who gives way, what outlives the process;
 * and many threads on few places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/rand.h"
#include "live/subject.h"
#include "live/token.h"
#include "scratch.h"

enum { PLACES = 1024, THREADS = 4, LIMIT = 50, FEW = 40, MANY = 20000 };

static struct {
    struct scratch scratch;
    struct counters *counters;
    struct tokens *tokens;
    struct subjects *subjects;
    int64_t now_ms;
} w;

static void open_all(void)
{
    char problem[256] = "";
    struct counters_conf counters = { .dir = w.scratch.path };
    assert_int_equal(counters_open(&w.counters, &counters, problem), 0);
    struct tokens_conf tokens = { .max = 1 << 18, .counters = w.counters };
    assert_int_equal(tokens_new(&w.tokens, &tokens), 0);
    struct subjects_conf conf = { w.scratch.path, PLACES, w.counters,
                                  w.tokens };
    if (subjects_open(&w.subjects, &conf, problem)) fail_msg("%s", problem);
}

static void close_all(void)
{
    subjects_close(&w.subjects);
    tokens_free(&w.tokens);
    counters_close(&w.counters);
}

static int setup(void **state)
{
    (void)state;
    scratch_make(&w.scratch);
    open_all();
    assert_int_equal(subjects_reserve(w.subjects), 0);
    w.now_ms = clock_node_ms();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_all();
    scratch_remove(&w.scratch);
    return 0;
}

static void key_of(unsigned i, uint64_t key[SUBJECT_KEY_WORDS])
{
    char name[32];
    int n = snprintf(name, sizeof name, "subject-%u", i);
    struct sv part = { name, (size_t)n };
    subjects_key(w.subjects, SUBJECT_JWT, &part, 1, key);
}

static enum subject_found get(unsigned i, struct subject *out)
{
    uint64_t key[SUBJECT_KEY_WORDS];
    key_of(i, key);
    return subjects_get(w.subjects, key, w.now_ms, out);
}

static struct take_ask ask_of(const struct subject *who)
{
    static const struct limit limit = { .limit = LIMIT, .window_s = 60 };
    return (struct take_ask){
        .slot = who->slot,
        .tag = who->tag,
        .quota_slot = UINT32_MAX,
        .terms = { .limits = &limit, .limits_n = 1 },
        .now_ms = w.now_ms,
        .cost = 1,
    };
}

static enum take take(unsigned i)
{
    struct subject who;
    struct take_answer answer;
    enum subject_found found;
    enum take took;
    do {
        while ((found = get(i, &who)) == SUBJECT_WAIT) {}
        if (found == SUBJECT_FULL) return TAKE_FAULT;
        struct take_ask ask = ask_of(&who);
        took = counters_take(w.counters, &ask, &answer);
        if (took == TAKE_TAKEN)
            subjects_keep(w.subjects, &who, subject_free_s(&ask, &answer));
    } while (took == TAKE_WAIT || took == TAKE_FAULT);
    return took;
}

static struct subjects_stats stats(void)
{
    struct subjects_stats s;
    subjects_stats(w.subjects, &s);
    return s;
}

/* --- keys ------------------------------------------------------------------------ */

static void no_two_lists_of_parts_share_a_key(void **state)
{
    (void)state;
    const struct sv lists[][3] = {
        { { "ab", 2 }, { "c", 1 }, { "", 0 } },
        { { "a", 1 }, { "bc", 2 }, { "", 0 } },
        { { "abc", 3 }, { "", 0 }, { "", 0 } },
        { { "", 0 }, { "abc", 3 }, { "", 0 } },
    };
    uint64_t keys[5][SUBJECT_KEY_WORDS];
    for (int i = 0; i < 4; i++)
        subjects_key(w.subjects, SUBJECT_JWT, lists[i], 3, keys[i]);
    subjects_key(w.subjects, SUBJECT_ADDRESS, lists[0], 3, keys[4]);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(keys[i], keys[k], sizeof keys[i]);
}

static void a_subject_has_one_line_and_its_name_is_not_kept(void **state)
{
    (void)state;
    struct subject a, again, b;
    char path[4096], text[1 << 16];
    assert_int_equal(get(1, &a), SUBJECT_FOUND);
    w.now_ms += 5000;
    assert_int_equal(get(1, &again), SUBJECT_FOUND);
    assert_int_equal(get(2, &b), SUBJECT_FOUND);
    assert_int_equal(a.slot, again.slot);
    assert_int_equal(a.created_ms, again.created_ms);
    assert_int_equal(a.created_ms, w.now_ms - 5000);
    assert_int_not_equal(a.slot, b.slot);
    snprintf(path, sizeof path, "%s/subjects.map", w.scratch.path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_null(memmem(text, n, "subject-1", 9));
}

/* --- who gives way ------------------------------------------------------------------ */

static void who_counts_stays_and_who_is_past_gives_way(void **state)
{
    (void)state;
    unsigned in = 0;
    for (unsigned i = 0; i < 2 * PLACES; i++) in += take(i) == TAKE_TAKEN;
    assert_true(in > PLACES * 9 / 10 && in <= PLACES);
    assert_true(stats().full > 0);
    assert_int_equal(stats().evicted, 0);
    assert_int_equal(stats().used, in);
    unsigned first = in;
    w.now_ms += 120000; /* all are past their minute */
    for (unsigned i = 2 * PLACES; i < 3 * PLACES; i++)
        assert_int_not_equal(take(i), TAKE_REFUSED);
    assert_true(stats().evicted > PLACES / 2);
    assert_true(stats().used <= PLACES && stats().used >= first);
}

static void the_longest_idle_goes_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES / 4; i++) take(i);
    w.now_ms += 100000;
    for (unsigned i = PLACES / 4; i < PLACES * 3 / 4; i++) take(i);
    w.now_ms += 100000; /* both are past, the first for longer */
    for (unsigned i = MANY; i < MANY + PLACES * 3 / 8; i++) take(i);
    uint64_t added = stats().added;
    unsigned younger = 0, older = 0;
    struct subject who;
    for (unsigned i = 0; i < PLACES / 4; i++) {
        uint64_t before = stats().added;
        get(i, &who);
        older += stats().added == before;
    }
    for (unsigned i = PLACES / 4; i < PLACES * 3 / 4; i++) {
        uint64_t before = stats().added;
        get(i, &who);
        younger += stats().added == before;
    }
    (void)added;
    assert_true(younger * (PLACES / 4) > older * (PLACES / 2));
}

static void how_long_a_place_is_kept(void **state)
{
    (void)state;
    struct refill daily = { .amount = 10, .interval_s = 86400 };
    struct limit minute = { .limit = 5, .window_s = 60 };
    struct limit bucket = { .limit = 10,
                            .window_s = 10,
                            .burst = 100,
                            .algorithm = LIMIT_TOKEN_BUCKET };
    const struct {
        const char *says;
        struct terms terms;
        int64_t remaining;
        uint32_t least_s, most_s;
    } rows[] = {
        { "a window", { .limits = &minute, .limits_n = 1 }, 0, 60, 75 },
        { "a bucket", { .limits = &bucket, .limits_n = 1 }, 0, 100, 110 },
        { "an untouched quota", { .has_quota = true, .quota = 5 }, 5, 0, 5 },
        { "a touched quota without refill",
          { .has_quota = true, .quota = 5 },
          4,
          UINT32_MAX,
          UINT32_MAX },
        { "a quota that is refilled",
          { .has_quota = true, .quota = 50, .refill = &daily },
          25,
          3 * 86400,
          5 * 86400 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct take_ask ask = { .terms = rows[i].terms,
                                .quota_slot = UINT32_MAX,
                                .now_ms = 1000 };
        struct take_answer answer = { .has_quota = rows[i].terms.has_quota,
                                      .quota_remaining = rows[i].remaining };
        uint32_t s = subject_free_s(&ask, &answer);
        if (s < rows[i].least_s || s > rows[i].most_s)
            fail_msg("%s: %u s", rows[i].says, s);
    }
}

/* --- over the process's end -------------------------------------------------------------- */

static void a_killed_process_loses_nobody(void **state)
{
    (void)state;
    close_all();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_all();
        for (unsigned i = 0; i < 30; i++)
            for (unsigned k = 0; k <= i; k++)
                if (take(i) != TAKE_TAKEN) _exit(1);
        _exit(7); /* nothing is closed */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    open_all();
    assert_int_equal(stats().used, 30);
    for (unsigned i = 0; i < 30; i++) {
        for (unsigned k = i + 1; k < LIMIT; k++)
            assert_int_equal(take(i), TAKE_TAKEN);
        assert_int_equal(take(i), TAKE_REFUSED);
    }
}

static void file_change(long at, const void *bytes, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/subjects.map", w.scratch.path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
    close(fd);
}

static void what_a_power_failure_tore_is_nobody(void **state)
{
    (void)state;
    struct subject who;
    assert_int_equal(get(1, &who), SUBJECT_FOUND);
    uint32_t slot = who.slot;
    assert_int_equal(get(2, &who), SUBJECT_FOUND);
    assert_int_equal(stats().used, 2);
    uint32_t base = UINT32_MAX;
    close_all();
    char path[4096];
    snprintf(path, sizeof path, "%s/subjects.map", w.scratch.path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 16, SEEK_SET);
    assert_int_equal(fread(&base, sizeof base, 1, f), 1);
    fclose(f);
    file_change(4096 + 32L * (slot - base) + 16, "torn", 4);
    open_all();
    assert_int_equal(stats().used, 1);
    assert_int_equal(get(1, &who), SUBJECT_FOUND);
}

static void a_file_that_is_none_of_ours_is_not_overwritten(void **state)
{
    (void)state;
    char problem[256];
    struct subjects *s;
    struct subjects_conf conf = { w.scratch.path, PLACES, w.counters,
                                  w.tokens };
    subjects_close(&w.subjects);
    file_change(0, "PRECIOUS", 8);
    assert_int_not_equal(subjects_open(&s, &conf, problem), 0);
    assert_non_null(strstr(problem, "subjects.map"));
    file_change(0, "TAsubj01", 8);
    tokens_free(&w.tokens);
    struct tokens_conf tokens = { .max = 1 << 18, .counters = w.counters };
    assert_int_equal(tokens_new(&w.tokens, &tokens), 0);
    conf.tokens = w.tokens;
    assert_int_equal(subjects_open(&w.subjects, &conf, problem), 0);
}

/* --- many threads ------------------------------------------------------------------------ */

static _Atomic unsigned admitted[FEW];

static void *hammer(void *arg)
{
    struct rand_fast r = { (uint64_t)(uintptr_t)arg * 977 + 3 };
    for (unsigned n = 0; n < 6000; n++) {
        uint64_t bits = rand_fast_next(&r);
        if (bits & 1) { /* strangers come and go */
            struct subject who;
            (void)get(1000 + (unsigned)(bits >> 8) % MANY, &who);
            continue;
        }
        unsigned i = (unsigned)(bits >> 8) % FEW;
        if (take(i) == TAKE_TAKEN) atomic_fetch_add(&admitted[i], 1);
    }
    return NULL;
}

static void threads_never_admit_more_than_a_subjects_limit(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    for (unsigned i = 0; i < FEW; i++) atomic_store(&admitted[i], 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    for (unsigned i = 0; i < FEW; i++)
        assert_int_equal(atomic_load(&admitted[i]), LIMIT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_two_lists_of_parts_share_a_key),
        T(a_subject_has_one_line_and_its_name_is_not_kept),
        T(who_counts_stays_and_who_is_past_gives_way),
        T(the_longest_idle_goes_first),
        T(how_long_a_place_is_kept),
        T(a_killed_process_loses_nobody),
        T(what_a_power_failure_tore_is_nobody),
        T(a_file_that_is_none_of_ours_is_not_overwritten),
        T(threads_never_admit_more_than_a_subjects_limit),
    };
    clock_node_start(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
