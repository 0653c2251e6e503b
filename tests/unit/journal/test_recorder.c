/* From events to pages: what is kept, who sees it, filters, cursors over both
 * classes, the sum over all threads, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "event_fixture.h"
#include "incident_fixture.h"
#include "model/kind.h"
#include "scratch.h"

enum { REACTORS = 2 };

static char scratch[64];
static const char *dir;
static struct journal *j;
static struct id account, stranger;
static int64_t now_ms;

static void open_it(uint64_t bytes)
{
    const struct journal_conf conf = { .reactors = REACTORS,
                                       .access_fd = -1,
                                       .sample = 1,
                                       .incidents_dir = dir,
                                       .incidents_bytes = bytes,
                                       .incidents_age_ms = 30 * 86400000ll };
    assert_int_equal(journal_new(&j, &conf), 0);
}

static int setup(void **state)
{
    (void)state;
    struct ulid u = ulid_of(1), v = ulid_of(2);
    dir = scratch_make(scratch);
    account = id_make(KIND_ACCOUNT, &u);
    stranger = id_make(KIND_ACCOUNT, &v);
    now_ms = clock_wall_ms();
    open_it(8 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    journal_free(&j);
    scratch_remove(scratch);
    return 0;
}

struct told {
    unsigned reactor;
    const char *code, *finding, *ip;
    enum detector_action action;
    bool enforced, stranger;
    int64_t later_ms;
};

static void tell(const struct told *t)
{
    struct event e = event_usual();
    struct findings f = { .n = 0 };
    struct event_more more = {
        .account_id = id_sv(t->stranger ? &stranger : &account),
        .now_ms = 1000000,
        .method = SV("GET"),
        .host = SV("api.example.com"),
        .path = SV("/v1"),
        .subject = SV(""),
        .owner = SV(""),
    };
    e.wall_ms = now_ms + t->later_ms;
    e.outcome = t->code[0] ? OUTCOME_UNAUTHORIZED : OUTCOME_PASSED;
    e.code = t->code;
    e.more = &more;
    if (t->ip) ip_parse(sv_cstr(t->ip), &e.client);
    if (t->finding) {
        findings_add(&f, (struct finding){ .code = t->finding,
                                           .action = t->action,
                                           .enforced = t->enforced,
                                           .evidence = SV("{\"a\":1}") });
        more.findings = &f;
    }
    journal_event(j, t->reactor, &e);
}

enum { SEEN_MAX = 2000 };
static struct seen {
    struct ulid id;
    char code[65];
    uint32_t count;
} seen[SEEN_MAX];
static unsigned seen_n;

static void see(void *ctx, const struct incident *i)
{
    (void)ctx;
    struct sv code =
        i->findings_n ? i->findings[0].code : i->text[INCIDENT_CODE];
    assert_true(seen_n < SEEN_MAX);
    seen[seen_n].id = i->id;
    seen[seen_n].count = i->count;
    memcpy(seen[seen_n].code, code.p, code.n);
    seen[seen_n++].code[code.n] = '\0';
}

static struct incident_filter of_account(const struct id *id)
{
    struct incident_filter f = { .action = -1,
                                 .enforced = -1,
                                 .end_ms = INT64_MAX };
    assert_int_equal(id_parse(KIND_ACCOUNT, id_sv(id), &f.account), 0);
    return f;
}

static struct incident_page newest(uint32_t limit)
{
    struct incident_page p = { .limit = limit };
    memset(&p.bound, 0xff, sizeof p.bound);
    return p;
}

static void read_it(const struct incident_filter *f, struct incident_page *p)
{
    seen_n = 0;
    assert_int_equal(journal_incidents(j, f, p, see, NULL), 0);
}

static const struct told some[] = {
    { .code = "missing_token" },
    { .reactor = 1,
      .code = "",
      .finding = "geo_blocked",
      .action = DETECTOR_MONITOR,
      .later_ms = 1 },
    { .code = "token_expired", .ip = "198.51.100.7", .later_ms = 2 },
    { .code = "missing_token", .stranger = true, .later_ms = 3 },
    { .code = "rule_blocked",
      .finding = "rule_blocked",
      .action = DETECTOR_BLOCK,
      .enforced = true,
      .later_ms = 4 },
    { .code = "",
      .finding = "waf_blocked",
      .action = DETECTOR_BLOCK,
      .later_ms = 5 },
};

static void tell_some(void)
{
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        tell(&some[i]);
        journal_incidents_record(j); /* in this order */
    }
}

static void expect(const char *const *codes)
{
    unsigned n = 0;
    for (; codes[n]; n++) {
        assert_true(n < seen_n);
        assert_string_equal(seen[n].code, codes[n]);
    }
    assert_int_equal(seen_n, n);
}

#define CODES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void what_simply_passed_is_kept_nowhere(void **state)
{
    (void)state;
    struct event e = event_usual();
    for (int i = 0; i < 1000; i++) journal_event(j, 0, &e);
    journal_incidents_record(j);
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(100);
    read_it(&f, &p);
    assert_int_equal(seen_n, 0);
    assert_false(p.has_more);
    assert_int_equal(access(dir, F_OK), -1);
}

static void an_account_sees_its_own_newest_first(void **state)
{
    (void)state;
    tell_some();
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(100);
    read_it(&f, &p);
    expect(CODES("waf_blocked", "rule_blocked", "token_expired", "geo_blocked",
                 "missing_token"));
    assert_false(p.has_more);
    assert_int_equal(p.dropped, 0);
    f = of_account(&stranger);
    p = newest(100);
    read_it(&f, &p);
    expect(CODES("missing_token"));
}

static void what_was_told_just_now_is_seen(void **state)
{
    (void)state;
    tell(&some[0]);
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(1);
    read_it(&f, &p);
    expect(CODES("missing_token"));
}

static void filters_choose(void **state)
{
    (void)state;
    struct ip ip;
    struct ulid app, none = ulid_of(9), token;
    tell_some();
    ip_parse(SV("198.51.100.7"), &ip);
    assert_int_equal(
        id_parse(KIND_APPLICATION, SV("app_01JD0000000000000000000001"), &app),
        0);
    memcpy(token.b, event_token_id, sizeof token.b);
    struct incident_filter any = of_account(&account), f;
    struct incident_page p;
#define ASK(change, ...)                \
    f = any, p = newest(100), (change); \
    read_it(&f, &p);                    \
    expect(CODES(__VA_ARGS__))
#define ASK_NONE(change)                \
    f = any, p = newest(100), (change); \
    read_it(&f, &p);                    \
    assert_int_equal(seen_n, 0)
    ASK(f.code = SV("token_expired"), "token_expired");
    ASK(f.code = SV("geo_blocked"), "geo_blocked");
    ASK(f.action = DETECTOR_BLOCK, "waf_blocked", "rule_blocked");
    ASK(f.enforced = 0, "waf_blocked", "geo_blocked");
    ASK(f.enforced = 1, "rule_blocked", "token_expired", "missing_token");
    ASK(f.client = &ip, "token_expired");
    ASK((f.start_ms = now_ms + 1, f.end_ms = now_ms + 4), "token_expired",
        "geo_blocked");
    ASK((f.application = &app, f.action = DETECTOR_MONITOR), "geo_blocked");
    ASK((f.token = &token, f.action = DETECTOR_MONITOR), "geo_blocked");
    ASK_NONE(f.application = &none);
    ASK_NONE(f.token = &none);
    ASK_NONE(f.code = SV("nothing"));
}

static void pages_of_any_size_show_each_once_in_both_directions(void **state)
{
    (void)state;
    tell_some();
    struct incident_filter f = of_account(&account);
    for (uint32_t limit = 1; limit <= 6; limit++) {
        struct incident_page p = newest(limit);
        struct ulid ids[8];
        unsigned n = 0;
        do {
            read_it(&f, &p);
            for (unsigned i = 0; i < seen_n; i++) ids[n++] = seen[i].id;
            p.bound = p.next;
        } while (p.has_more);
        assert_int_equal(n, 5);
        p = (struct incident_page){ .limit = limit,
                                    .newer = true,
                                    .bound = ids[4] };
        for (unsigned at = 3;; p.bound = p.next) {
            read_it(&f, &p);
            for (unsigned i = 0; i < seen_n; i++, at--)
                assert_int_equal(ulid_cmp(&seen[i].id, &ids[at]), 0);
            if (!p.has_more) {
                assert_int_equal(at, UINT32_MAX);
                break;
            }
        }
    }
}

static void one_is_got_by_its_id_by_its_account_alone(void **state)
{
    (void)state;
    tell_some();
    struct incident_filter f = of_account(&account);
    struct ulid other = of_account(&stranger).account, ids[8];
    struct incident_page p = newest(100);
    read_it(&f, &p);
    for (unsigned i = 0; i < 5; i++) ids[i] = seen[i].id;
    for (unsigned i = 0; i < 5; i++) {
        seen_n = 0;
        assert_int_equal(journal_incident(j, &f.account, &ids[i], see, NULL),
                         0);
        assert_int_equal(seen_n, 1);
        assert_int_equal(ulid_cmp(&seen[0].id, &ids[i]), 0);
        assert_int_not_equal(journal_incident(j, &other, &ids[i], see, NULL),
                             0);
    }
    ids[0].b[9] ^= 1; /* far from those of the same millisecond */
    assert_int_not_equal(journal_incident(j, &f.account, &ids[0], see, NULL),
                         0);
}

static void a_finding_without_an_exchange_is_kept_from_any_thread(void **state)
{
    (void)state;
    const struct finding odd = { .code = "anomaly_blocked",
                                 .action = DETECTOR_ALERT,
                                 .evidence = SV("{\"score\":9}") };
    struct journal_note n = { .wall_ms = now_ms,
                              .now_ms = 1,
                              .account_id = id_sv(&account),
                              .app_id = SV("app_01JD0000000000000000000001"),
                              .subject = SV("alice"),
                              .finding = &odd };
    journal_finding(j, 1, &n);
    journal_finding(j, JOURNAL_ELSEWHERE, &n);
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(100);
    f.action = DETECTOR_ALERT;
    read_it(&f, &p);
    expect(CODES("anomaly_blocked", "anomaly_blocked"));
}

static void a_restart_keeps_all_and_ids_go_on_rising(void **state)
{
    (void)state;
    tell_some();
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(100);
    read_it(&f, &p);
    struct ulid top = seen[0].id;
    journal_free(&j);
    open_it(8 << 20);
    tell(&some[0]);
    p = newest(100);
    read_it(&f, &p);
    assert_int_equal(seen_n, 6);
    assert_true(ulid_cmp(&seen[0].id, &top) > 0);
}

static void the_end_keeps_what_was_only_counted(void **state)
{
    (void)state;
    uint64_t n = 0;
    for (int i = 0; i < 500; i++) tell(&some[0]);
    journal_free(&j);
    open_it(8 << 20);
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(100);
    read_it(&f, &p);
    for (unsigned i = 0; i < seen_n; i++) n += seen[i].count;
    assert_int_equal(n, 500);
    assert_true(seen_n < 20);
}

static void a_file_where_the_folder_should_be_delays_nobody(void **state)
{
    (void)state;
    FILE *f = fopen(dir, "w");
    fclose(f);
    struct incident_filter ask = of_account(&account);
    struct incident_page p = newest(100);
    for (int i = 0; i < 100000; i++) tell(&some[i % 3]);
    journal_incidents_record(j);
    seen_n = 0;
    assert_int_not_equal(journal_incidents(j, &ask, &p, see, NULL), 0);
    unlink(dir);
    read_it(&ask, &p);
    assert_true(seen_n > 0);
}

/* Two reactors, the recorder, a reader: nothing lost, nothing twice. */
enum { ROUNDS = 20000 };

static void *reactor(void *arg)
{
    unsigned r = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct told t = some[i % 3];
        t.reactor = r;
        tell(&t);
        if (i % 100 == 0) journal_turn(j, r, 1000000 + (uint64_t)i);
    }
    return NULL;
}

static void what_waits_in_several_lanes_is_kept_by_its_time(void **state)
{
    (void)state;
    static const struct told mixed[] = {
        { .reactor = 1, .code = "first" },
        { .reactor = 0, .code = "second", .later_ms = 1 },
        { .reactor = 1, .code = "third", .later_ms = 2 },
        { .reactor = 0, .code = "fourth", .later_ms = 3 },
    };
    for (size_t i = 0; i < ARRAY_LEN(mixed); i++) tell(&mixed[i]);
    struct incident_filter f = of_account(&account);
    struct incident_page p = newest(100);
    read_it(&f, &p);
    expect(CODES("fourth", "third", "second", "first"));
}

static void threads_add_up(void **state)
{
    (void)state;
    pthread_t threads[REACTORS];
    struct incident_filter f = of_account(&account);
    struct incident_page p;
    uint64_t n = 0;
    assert_int_equal(journal_recorder_start(j), 0);
    for (uintptr_t r = 0; r < REACTORS; r++)
        assert_int_equal(pthread_create(&threads[r], NULL, reactor, (void *)r),
                         0);
    for (int i = 0; i < 50; i++) {
        p = newest(10);
        read_it(&f, &p);
    }
    for (int r = 0; r < REACTORS; r++) pthread_join(threads[r], NULL);
    journal_recorder_stop(j);
    p = newest(1000);
    do {
        read_it(&f, &p);
        for (unsigned i = 0; i < seen_n; i++) n += seen[i].count;
        p.bound = p.next;
    } while (p.has_more);
    assert_int_equal(n + p.dropped, (uint64_t)ROUNDS * REACTORS);
    assert_int_equal(p.dropped, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_simply_passed_is_kept_nowhere),
        T(an_account_sees_its_own_newest_first),
        T(what_was_told_just_now_is_seen),
        T(filters_choose),
        T(pages_of_any_size_show_each_once_in_both_directions),
        T(one_is_got_by_its_id_by_its_account_alone),
        T(a_finding_without_an_exchange_is_kept_from_any_thread),
        T(a_restart_keeps_all_and_ids_go_on_rising),
        T(the_end_keeps_what_was_only_counted),
        T(a_file_where_the_folder_should_be_delays_nobody),
        T(what_waits_in_several_lanes_is_kept_by_its_time),
        T(threads_add_up),
    };
    return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
