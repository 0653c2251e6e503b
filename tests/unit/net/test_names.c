/* Addresses, egress, workers, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/egress.h"
#include "netkit.h"

static struct addr addr(const char *text)
{
    struct addr a;
    if (addr_parse(sv_cstr(text), &a) < 0) fail_msg("%s", text);
    return a;
}

/* --- addresses ------------------------------------------------------------ */

static void addresses_survive_a_round_trip(void **state)
{
    static const char *const texts[] = {
        "1.2.3.4:80", "0.0.0.0:0", "255.255.255.255:65535",
        "[::]:1",     "[::1]:443", "[2001:db8::1]:8080",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct addr a = addr(texts[i]), b;
        struct sockaddr_storage sa;
        char text[ADDR_TEXT_MAX];
        size_t n = addr_format(&a, text);
        assert_true(sv_eq(sv_of(text, n), sv_cstr(texts[i])));
        addr_to_sockaddr(&a, &sa);
        assert_true(addr_from_sockaddr((struct sockaddr *)&sa, &b));
        assert_true(addr_eq(&a, &b));
    }
}

static void malformed_addresses_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:80 ",
        "[1.2.3.4]:80",
        "::1:80",
        "[::1:80",
        "::1]:80",
        "[::1]",
        "[::1]80",
        "localhost:80",
        "[fe80::1%eth0]:80",
        "1.2.3.4:000080",
    };
    struct addr a;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (addr_parse(sv_cstr(texts[i]), &a) != ERR_INVALID)
            fail_msg("accepted: %s", texts[i]);
}

static void other_address_families_are_not_ours(void **state)
{
    struct sockaddr sa = { .sa_family = AF_UNIX };
    struct addr a;
    (void)state;
    assert_false(addr_from_sockaddr(&sa, &a));
}

/* --- egress --------------------------------------------------------------- */

static void egress_judges_the_address_connected_to(void **state)
{
    static const struct {
        const char *to, *open, *pub; /* reasons; NULL allowed */
    } rows[] = {
        { "93.184.216.34:80", NULL, NULL },
        { "[2606:4700::1]:443", NULL, NULL },
        { "127.0.0.1:80", NULL, "loopback" },
        { "[::1]:80", NULL, "loopback" },
        { "10.1.2.3:80", NULL, "private" },
        { "172.16.0.1:80", NULL, "private" },
        { "172.32.0.1:80", NULL, NULL },
        { "192.168.1.1:80", NULL, "private" },
        { "100.64.0.1:80", NULL, "cgnat" },
        { "[fd12::1]:80", NULL, "ula" },
        { "192.0.2.1:80", NULL, "reserved" },
        { "169.254.1.1:80", "link-local", "link-local" },
        { "[fe80::1]:80", "link-local", "link-local" },
        { "169.254.169.254:80", "metadata", "metadata" },
        { "[fd00:ec2::254]:80", "metadata", "metadata" },
        { "0.0.0.0:80", "unspecified", "unspecified" },
        { "[::]:80", "unspecified", "unspecified" },
        { "224.0.0.1:80", "multicast", "multicast" },
        { "[ff02::1]:80", "multicast", "multicast" },
        { "255.255.255.255:80", "broadcast", "broadcast" },
        { "[64:ff9b::a9fe:a9fe]:80", "metadata", "metadata" },
        { "[64:ff9b::7f00:1]:80", NULL, "loopback" },
        { "[64:ff9b::5db8:d822]:80", NULL, NULL },
        { "[2002:a9fe:a9fe::1]:80", "metadata", "metadata" },
        { "[::127.0.0.1]:80", NULL, "reserved" },
        { "[::ffff:127.0.0.1]:80", NULL, "loopback" },
        { "[::ffff:169.254.169.254]:80", "metadata", "metadata" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr to = addr(rows[i].to);
        for (int pub = 0; pub < 2; pub++) {
            struct egress e = { .mode = pub ? EGRESS_PUBLIC : EGRESS_OPEN };
            const char *want = pub ? rows[i].pub : rows[i].open;
            const char *got = egress_refuses(&e, &to);
            if (!want != !got || (want && strcmp(want, got) != 0))
                fail_msg("%s: %s", rows[i].to, got ? got : "allowed");
        }
    }
}

static void egress_refuses_our_own_listeners(void **state)
{
    struct addr own[] = { addr("10.0.0.5:8080"), addr("0.0.0.0:9090"),
                          addr("[::]:7070") };
    struct ip machine[] = { addr("10.0.0.5:0").ip, addr("[2001:db8::5]:0").ip };
    struct egress e = {
        .own = own, .own_n = 3, .machine = machine, .machine_n = 2
    };
    static const struct {
        const char *to;
        bool refused;
    } rows[] = {
        { "10.0.0.5:8080", true },      { "10.0.0.5:8081", false },
        { "10.0.0.6:8080", false },     { "127.0.0.1:8080", false },
        { "127.0.0.1:9090", true },     { "127.9.9.9:9090", true },
        { "10.0.0.5:9090", true },      { "10.0.0.6:9090", false },
        { "[2001:db8::5]:7070", true }, { "[::1]:7070", true },
        { "10.0.0.5:7070", true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr to = addr(rows[i].to);
        if ((egress_refuses(&e, &to) != NULL) != rows[i].refused)
            fail_msg("%s", rows[i].to);
    }
}

static void the_machine_has_addresses(void **state)
{
    struct ip ips[64], loopback = kit_loopback(0).ip;
    size_t n = egress_machine_ips(ips, 64);
    bool found = n == 0;
    (void)state;
    for (size_t i = 0; i < n; i++) found |= ip_eq(&ips[i], &loopback);
    assert_true(found);
    assert_in_range(egress_machine_ips(ips, 1), 0, 1);
}

/* --- workers -------------------------------------------------------------- */

struct sum {
    struct job job;
    unsigned n, result;
    pthread_t ran_on, done_on;
};

static struct kit *worker_kit;
static unsigned jobs_done, jobs_wanted;

static void add_up(struct job *j)
{
    struct sum *s = CONTAINER_OF(j, struct sum, job);
    for (unsigned i = 1; i <= s->n; i++) s->result += i;
    s->ran_on = pthread_self();
}

static void note_done(struct job *j)
{
    CONTAINER_OF(j, struct sum, job)->done_on = pthread_self();
    if (++jobs_done == jobs_wanted) worker_kit->done = true;
}

static void jobs_run_elsewhere_and_come_back(void **state)
{
    struct kit k;
    struct workers *w;
    static struct sum s[50];
    memset(s, 0, sizeof s);
    (void)state;
    kit_init(&k, NULL);
    worker_kit = &k;
    jobs_done = 0;
    jobs_wanted = 50;
    assert_int_equal(workers_new(&w, 2, 64), 0);
    for (unsigned i = 0; i < 50; i++) {
        s[i].n = i;
        s[i].job =
            (struct job){ .reply_to = k.r, .run = add_up, .done = note_done };
        assert_int_equal(workers_submit(w, &s[i].job), 0);
    }
    kit_run_patient(&k);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(s[i].result, i * (i + 1) / 2);
        assert_false(pthread_equal(s[i].ran_on, pthread_self()));
        assert_true(pthread_equal(s[i].done_on, pthread_self()));
    }
    workers_free(&w);
    kit_fini(&k);
}

static void a_full_queue_refuses_and_what_is_queued_still_runs(void **state)
{
    struct kit k;
    struct workers *w;
    static struct sum s[3];
    memset(s, 0, sizeof s);
    (void)state;
    kit_init(&k, NULL);
    worker_kit = &k;
    jobs_done = 0;
    jobs_wanted = 99;
    assert_int_equal(workers_new(&w, 0, 2), 0); /* nobody takes */
    for (int i = 0; i < 3; i++) {
        s[i].job =
            (struct job){ .reply_to = k.r, .run = add_up, .done = note_done };
        assert_int_equal(workers_submit(w, &s[i].job), i < 2 ? 0 : ERR_LIMIT);
    }
    workers_free(&w);
    assert_int_equal(workers_new(&w, 1, 2), 0);
    assert_int_equal(workers_submit(w, &s[2].job), 0);
    workers_free(&w); /* runs it out */
    kit_fini(&k);     /* delivers it */
    assert_int_equal(jobs_done, 1);
}

/* --- names ---------------------------------------------------------------- */

struct asked {
    unsigned calls;
    int err;
    unsigned n;
    struct addr first;
    struct kit *kit;
};

static void note_answer(void *ctx, const struct dns_answer *a)
{
    struct asked *q = ctx;
    q->calls++;
    q->err = a->err;
    q->n = a->n;
    if (a->n) q->first = a->addrs[0];
    q->kit->done = true;
}

struct resolver {
    struct kit k;
    struct workers *w;
    struct dns *d;
    struct asked q;
};

static int set_up(void **state)
{
    struct resolver *r = NEW(struct resolver);
    kit_init(&r->k, NULL);
    assert_int_equal(workers_new(&r->w, 1, 4), 0);
    struct dns_conf conf = { .reactor = r->k.r,
                             .workers = r->w,
                             .fresh_ms = 1000,
                             .stale_ms = 60000,
                             .max_names = 2 };
    assert_int_equal(dns_new(&r->d, &conf), 0);
    r->q.kit = &r->k;
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct resolver *r = *state;
    dns_free(&r->d);
    workers_free(&r->w);
    kit_fini(&r->k);
    mem_free(r);
    return 0;
}

#ifdef TEST_HOOKS
static void stop_now(struct kit *k)
{
    k->done = true;
}
#endif

static void literal_addresses_answer_at_once(void **state)
{
    struct resolver *r = *state;
    dns_resolve(r->d, SV("192.0.2.7"), 80, note_answer, &r->q);
    assert_int_equal(r->q.calls, 1);
    assert_int_equal(r->q.err, 0);
    struct addr want = addr("192.0.2.7:80");
    assert_true(addr_eq(&r->q.first, &want));
    dns_resolve(r->d, SV("2001:db8::1"), 443, note_answer, &r->q);
    want = addr("[2001:db8::1]:443");
    assert_true(addr_eq(&r->q.first, &want));
}

static void what_is_no_name_is_refused_at_once(void **state)
{
    struct resolver *r = *state;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    struct sv bad[] = { SV(""), SV("a b"), SV("a\0b"), SV("\xc3\xa4.de"),
                        sv_of(longest, 254) };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r->q.calls = 0;
        dns_resolve(r->d, bad[i], 80, note_answer, &r->q);
        assert_int_equal(r->q.calls, 1);
        assert_int_equal(r->q.err, ERR_RESOLVE);
    }
}

static void a_name_is_resolved_then_known(void **state)
{
    struct resolver *r = *state;
    dns_resolve(r->d, SV("LocalHost"), 80, note_answer, &r->q);
    assert_int_equal(r->q.calls, 0);
    kit_run_patient(&r->k);
    assert_int_equal(r->q.err, 0);
    assert_int_equal(r->q.first.port, 80);
    assert_string_equal(ip_special(&r->q.first.ip), "loopback");
    dns_resolve(r->d, SV("localhost"), 81, note_answer, &r->q);
    assert_int_equal(r->q.calls, 2);
    assert_int_equal(r->q.first.port, 81);
}

static void whoever_waits_is_told_of_the_end(void **state)
{
    struct resolver *r = *state;
    dns_resolve(r->d, SV("localhost"), 80, note_answer, &r->q);
    dns_free(&r->d);
    assert_int_equal(r->q.calls, 1);
    assert_int_equal(r->q.err, ERR_SHUTDOWN);
}

#ifdef TEST_HOOKS
static char hosts_path[] = "/tmp/test-hosts-XXXXXX";

static void write_hosts(const char *text)
{
    FILE *f = fopen(hosts_path, "w");
    fputs(text, f);
    fclose(f);
}

static int set_up_hosts(void **state)
{
    int fd = mkstemp(hosts_path);
    if (fd < 0) return -1;
    close(fd);
    set_up(state);
    struct resolver *r = *state;
    struct dns_conf conf = { .reactor = r->k.r,
                             .workers = r->w,
                             .fresh_ms = 5000,
                             .stale_ms = 60000,
                             .max_names = 2,
                             .test_hosts_file = hosts_path };
    dns_free(&r->d);
    return dns_new(&r->d, &conf);
}

static int tear_down_hosts(void **state)
{
    unlink(hosts_path);
    memcpy(hosts_path + sizeof hosts_path - 7, "XXXXXX", 6);
    return tear_down(state);
}

/* Asks, waits if need be, says what came. */
static const char *ask(struct resolver *r, const char *name)
{
    static char text[IP_TEXT_MAX + 1];
    unsigned before = r->q.calls;
    r->k.done = false;
    dns_resolve(r->d, sv_cstr(name), 80, note_answer, &r->q);
    if (r->q.calls == before) kit_run_patient(&r->k);
    assert_int_equal(r->q.calls, before + 1);
    if (r->q.err) return err_text(r->q.err);
    text[ip_format(&r->q.first.ip, text)] = 0;
    return text;
}

static void wait_for_refresh(struct resolver *r)
{
    struct asked late = { .kit = &r->k };
    /* the queue is one worker's: what is asked behind comes behind */
    dns_resolve(r->d, SV("behind.test"), 80, note_answer, &late);
    if (!late.calls) kit_run_patient(&r->k);
    assert_int_equal(late.calls, 1);
}

static void families_take_turns(void **state)
{
    struct resolver *r = *state;
    write_hosts("a.test 10.0.0.1\na.test 10.0.0.2\na.test 2001:db8::1\n"
                "b.test 10.0.0.9\n");
    assert_string_equal(ask(r, "a.test"), "10.0.0.1");
    assert_int_equal(r->q.n, 3);
}

static void an_old_answer_serves_once_more_while_it_is_asked_anew(void **state)
{
    struct resolver *r = *state;
    write_hosts("a.test 10.0.0.1\n");
    assert_string_equal(ask(r, "a.test"), "10.0.0.1");
    write_hosts("a.test 10.0.0.2\n");
    assert_string_equal(ask(r, "a.test"), "10.0.0.1"); /* fresh */
    kit_forward_ms(&r->k, 6000);
    kit_run_busy(&r->k, stop_now);
    assert_string_equal(ask(r, "a.test"), "10.0.0.1"); /* old, asks */
    wait_for_refresh(r);
    assert_string_equal(ask(r, "a.test"), "10.0.0.2");
}

static void a_failing_resolver_is_survived_until_the_answer_is_stale(
    void **state)
{
    struct resolver *r = *state;
    write_hosts("a.test 10.0.0.1\n");
    assert_string_equal(ask(r, "a.test"), "10.0.0.1");
    write_hosts("");
    kit_forward_ms(&r->k, 30000);
    kit_run_busy(&r->k, stop_now);
    assert_string_equal(ask(r, "a.test"), "10.0.0.1");
    wait_for_refresh(r);
    assert_string_equal(ask(r, "a.test"), "10.0.0.1");
    kit_forward_ms(&r->k, 31000);
    kit_run_busy(&r->k, stop_now);
    assert_string_equal(ask(r, "a.test"), "name could not be resolved");
    /* the failure is remembered for a second */
    write_hosts("a.test 10.0.0.3\n");
    assert_string_equal(ask(r, "a.test"), "name could not be resolved");
    kit_forward_ms(&r->k, 1001);
    kit_run_busy(&r->k, stop_now);
    assert_string_equal(ask(r, "a.test"), "10.0.0.3");
}

static void the_longest_unused_name_makes_room(void **state)
{
    struct resolver *r = *state;
    write_hosts("a.test 10.0.0.1\nb.test 10.0.0.2\nc.test 10.0.0.3\n");
    assert_string_equal(ask(r, "a.test"), "10.0.0.1");
    kit_forward_ms(&r->k, 10);
    kit_run_busy(&r->k, stop_now);
    assert_string_equal(ask(r, "b.test"), "10.0.0.2");
    kit_forward_ms(&r->k, 10);
    kit_run_busy(&r->k, stop_now);
    assert_string_equal(ask(r, "c.test"), "10.0.0.3");
    write_hosts("");
    assert_string_equal(ask(r, "b.test"), "10.0.0.2"); /* kept */
    assert_string_equal(ask(r, "a.test"), "name could not be resolved");
}
#endif

int main(void)
{
#define H(f) cmocka_unit_test_setup_teardown(f, set_up_hosts, tear_down_hosts)
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_a_round_trip),
        cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(other_address_families_are_not_ours),
        cmocka_unit_test(egress_judges_the_address_connected_to),
        cmocka_unit_test(egress_refuses_our_own_listeners),
        cmocka_unit_test(the_machine_has_addresses),
        cmocka_unit_test(jobs_run_elsewhere_and_come_back),
        cmocka_unit_test(a_full_queue_refuses_and_what_is_queued_still_runs),
        T(literal_addresses_answer_at_once),
        T(what_is_no_name_is_refused_at_once),
        T(a_name_is_resolved_then_known),
        T(whoever_waits_is_told_of_the_end),
#ifdef TEST_HOOKS
        H(families_take_turns),
        H(an_old_answer_serves_once_more_while_it_is_asked_anew),
        H(a_failing_resolver_is_survived_until_the_answer_is_stale),
        H(the_longest_unused_name_makes_room),
#endif
    };
    return cmocka_run_group_tests_name("net/names", tests, NULL, NULL);
}
