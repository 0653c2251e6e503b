/* The access log: what a line holds, and that it never waits nor lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/ensure.h"
#include "event_fixture.h"
#include "journal/access_log.h"

static char line[LOG_LINE_MAX + 16];

static const char *line_of(const struct event *e)
{
    size_t n = access_log_line(line, e);
    assert_true(n > 0 && n <= LOG_LINE_MAX);
    assert_int_equal(line[n - 1], '\n');
    line[n - 1] = '\0';
    return line;
}

static void a_passed_exchange_is_one_short_line(void **state)
{
    (void)state;
    struct event e = event_usual();
    assert_string_equal(
        line_of(&e),
        "{\"t\":1732392665123,\"i\":\"01JDCW3T5Q8ZB4R9N6M0X7K2VE\","
        "\"d\":\"p\",\"s\":200,\"m\":\"GET\",\"h\":\"api.example.com\","
        "\"p\":\"/v1/users/42\",\"r\":\"192.0.2.9\","
        "\"a\":\"app_01JD0000000000000000000001\","
        "\"k\":\"tok_01JDD020G30G2GC1R81450P30D\","
        "\"bi\":231,\"bo\":1480,\"u\":812,\"uo\":640}");
    assert_true(strlen(line) < 280);
}

static void a_refusal_says_its_outcome_and_code(void **state)
{
    (void)state;
    struct event e = event_usual();
    e.outcome = OUTCOME_UNAUTHORIZED;
    e.code = "token_expired";
    e.status = 401;
    e.origin_us = 0;
    e.token_id = NULL;
    e.app_id = SV("");
    e.http_minor = 0;
    e.tls = true;
    e.door = 1;
    assert_string_equal(
        line_of(&e),
        "{\"t\":1732392665123,\"i\":\"01JDCW3T5Q8ZB4R9N6M0X7K2VE\","
        "\"d\":\"v\",\"s\":401,\"o\":\"unauthorized\","
        "\"c\":\"token_expired\",\"m\":\"GET\",\"h\":\"api.example.com\","
        "\"p\":\"/v1/users/42\",\"r\":\"192.0.2.9\",\"bi\":231,"
        "\"bo\":1480,\"u\":812,\"v\":0,\"x\":1}");
}

static struct sv *text_of(struct event *e, int which)
{
    struct sv *all[] = { &e->path, &e->host, &e->method, &e->request_id,
                         &e->app_id };
    return all[which];
}
static const char *const MEMBERS[] = { "p", "h", "m", "i", "a" };

/* Reads the line back; *out is valid until the document is freed. */
static yyjson_doc *read_line(const struct event *e, const char *member,
                             struct sv *out)
{
    const char *text = line_of(e);
    for (const char *c = text; *c; c++)
        assert_in_range((unsigned char)*c, 0x20, 0x7e);
    yyjson_doc *d = yyjson_read(text, strlen(text), 0);
    assert_non_null(d);
    yyjson_val *v = yyjson_obj_get(yyjson_doc_get_root(d), member);
    *out = sv_of(yyjson_get_str(v), yyjson_get_len(v));
    return d;
}

/* U+0000 to U+00FF as UTF-8, back to the bytes that were sent. */
static size_t bytes_of(struct sv utf8, unsigned char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < utf8.n; i++) {
        unsigned char c = (unsigned char)utf8.p[i];
        if (c >= 0xc2) {
            i++;
            c = (unsigned char)((c & 3) << 6 | (utf8.p[i] & 0x3f));
        }
        out[n++] = c;
    }
    return n;
}

static void byte_comes_back(int which, size_t n, size_t at, char c)
{
    char text[32];
    unsigned char back[64];
    memset(text, 'z', sizeof text);
    text[at] = c;
    struct event e = event_usual();
    *text_of(&e, which) = sv_of(text, n);
    struct sv got;
    yyjson_doc *d = read_line(&e, MEMBERS[which], &got);
    assert_int_equal(bytes_of(got, back), n);
    assert_memory_equal(back, text, n);
    yyjson_doc_free(d);
}

static void every_byte_from_outside_comes_back_from_the_json(void **state)
{
    (void)state;
    const size_t lengths[] = { 1, 3, 4, 7, 8, 9, 19 };
    for (size_t which = 0; which < ARRAY_LEN(MEMBERS); which++)
        for (unsigned c = 0; c < 256; c++)
            for (size_t l = 0; l < ARRAY_LEN(lengths); l++)
                for (size_t at = 0; at < lengths[l]; at++)
                    byte_comes_back((int)which, lengths[l], at, (char)c);
}

static void a_line_is_bounded_whatever_is_sent(void **state)
{
    (void)state;
    static char huge[20000];
    for (int c = 0; c < 256; c += 127) {
        memset(huge, c, sizeof huge);
        struct event e = event_usual();
        for (size_t i = 0; i < ARRAY_LEN(MEMBERS); i++)
            *text_of(&e, (int)i) = sv_of(huge, sizeof huge);
        e.outcome = OUTCOME_BAD_REQUEST;
        e.code = "body_too_large";
        e.bytes_in = e.bytes_out = UINT64_MAX;
        e.wall_ms = INT64_MAX;
        e.total_us = e.origin_us = UINT32_MAX;
        memset(&e.client, 0xfd, sizeof e.client);
        struct sv got;
        yyjson_doc *d = read_line(&e, "p", &got);
        assert_true(got.n > 300 && got.n <= 2048);
        yyjson_doc_free(d);
    }
}

/* --- files and pipes ----------------------------------------------------------- */

static struct journal *j;

static int temporary(char path[64])
{
    strcpy(path, "/tmp/typeauth-log-XXXXXX");
    int fd = mkostemp(path, O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void open_journal(int fd, unsigned sample)
{
    const struct journal_conf conf = { .reactors = 1,
                                       .access_fd = fd,
                                       .sample = sample };
    assert_int_equal(journal_new(&j, &conf), 0);
}

static size_t lines_in(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;
    char text[8192];
    while (fgets(text, sizeof text, f)) {
        yyjson_doc *d = yyjson_read(text, strlen(text), 0);
        assert_non_null(d);
        yyjson_doc_free(d);
        n++;
    }
    fclose(f);
    return n;
}

static uint64_t metric(const char *row)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    metrics_render(j, &out);
    buf_putc(&out, '\0');
    const char *at = strstr(out.p, row);
    assert_non_null(at);
    uint64_t v = strtoull(at + strlen(row), NULL, 10);
    buf_fini(&out);
    return v;
}
#define WRITTEN "typeauth_access_log_lines_total{state=\"written\"} "
#define DROPPED "typeauth_access_log_lines_total{state=\"dropped\"} "
#define SAMPLED "typeauth_access_log_lines_total{state=\"sampled_out\"} "

static void lines_are_written_when_a_second_old(void **state)
{
    (void)state;
    char path[64];
    open_journal(temporary(path), 1);
    struct event e = event_usual();
    assert_int_equal(journal_turn(j, 0, 5000), 0);
    journal_event(j, 0, &e);
    assert_int_equal(journal_turn(j, 0, 5000), 1000);
    assert_int_equal(journal_turn(j, 0, 5600), 400);
    assert_int_equal(lines_in(path), 0);
    assert_int_equal(journal_turn(j, 0, 6000), 0);
    assert_int_equal(lines_in(path), 1);
    assert_int_equal(metric(WRITTEN), 1);
    journal_event(j, 0, &e);
    journal_free(&j);
    assert_int_equal(lines_in(path), 2);
    unlink(path);
}

static void a_full_buffer_is_written_without_a_turn(void **state)
{
    (void)state;
    char path[64];
    open_journal(temporary(path), 1);
    struct event e = event_usual();
    for (int i = 0; i < 1000; i++) journal_event(j, 0, &e);
    assert_true(lines_in(path) > 700);
    journal_free(&j);
    assert_int_equal(lines_in(path), 1000);
    unlink(path);
}

static void one_in_n_of_the_passed_and_all_refusals_are_logged(void **state)
{
    (void)state;
    char path[64];
    open_journal(temporary(path), 10);
    struct event e = event_usual();
    for (int i = 0; i < 100; i++) journal_event(j, 0, &e);
    e.outcome = OUTCOME_LIMITED;
    for (int i = 0; i < 7; i++) journal_event(j, 0, &e);
    e.outcome = OUTCOME_PASSED; /* by onFault: open */
    e.code = "check_unavailable";
    for (int i = 0; i < 3; i++) journal_event(j, 0, &e);
    assert_int_equal(metric(SAMPLED), 90);
    assert_int_equal(metric("typeauth_unjudged_total{door=\"proxy\"} "), 3);
    journal_free(&j);
    assert_int_equal(lines_in(path), 20);
    unlink(path);
}

static void after_a_rotation_lines_go_to_the_new_file(void **state)
{
    (void)state;
    char first[64], second[64];
    open_journal(temporary(first), 1);
    struct event e = event_usual();
    journal_event(j, 0, &e);
    journal_turn(j, 0, 1000);
    journal_turn(j, 0, 2000);
    journal_access_fd(j, temporary(second));
    journal_event(j, 0, &e);
    journal_event(j, 0, &e);
    journal_free(&j);
    assert_int_equal(lines_in(first), 1);
    assert_int_equal(lines_in(second), 2);
    unlink(first);
    unlink(second);
}

static size_t read_pipe(int fd, size_t *lines)
{
    static char text[70000];
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n <= 0) return 0;
    assert_int_equal(text[n - 1], '\n'); /* whole lines only */
    for (ssize_t i = 0; i < n; i++) *lines += text[i] == '\n';
    return (size_t)n;
}

static void a_blocked_pipe_costs_lines_never_time(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    open_journal(ends[1], 1);
    struct event e = event_usual();
    size_t sent = 5000, lines = 0;
    for (size_t i = 0; i < sent; i++) journal_event(j, 0, &e);
    uint64_t dropped = metric(DROPPED);
    assert_true(dropped > 0 && dropped < sent);
    /* the reader wakes: what was kept comes whole, and new lines too */
    uint64_t now = 1000;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 50; i++, now += 1000) {
        journal_turn(j, 0, now);
        while (read_pipe(ends[0], &lines))
            ;
    }
    assert_int_equal(lines, sent - dropped);
    assert_int_equal(metric(WRITTEN), lines);
    journal_event(j, 0, &e);
    journal_turn(j, 0, now);
    journal_turn(j, 0, now + 1000);
    assert_true(read_pipe(ends[0], &lines) > 0);
    close(ends[0]);
    journal_free(&j);
}

static void what_a_dead_reader_leaves_at_the_end_is_counted(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    open_journal(ends[1], 1);
    struct event e = event_usual();
    size_t sent = 400, lines = 0; /* the pipe holds some, the buffer the rest */
    for (size_t i = 0; i < sent; i++) journal_event(j, 0, &e);
    uint64_t lost = journal_access_end(j, 50);
    assert_true(lost > 0 && lost < sent);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read_pipe(ends[0], &lines))
        ;
    assert_int_equal(lines + lost, sent);
    assert_int_equal(metric(DROPPED), lost);
    assert_int_equal(metric(WRITTEN), lines);
    assert_int_equal(read(ends[0], line, 1), 0); /* it was closed */
    assert_int_equal(journal_access_end(j, 50), 0);
    journal_free(&j);
    close(ends[0]);
}

static void *slow_reader(void *arg)
{
    size_t *lines = arg;
    int fd = (int)lines[1];
    while (read_pipe(fd, lines))
        ;
    return NULL;
}

static void at_the_end_a_reader_that_is_alive_is_waited_for(void **state)
{
    (void)state;
    int ends[2];
    pthread_t thread;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    open_journal(ends[1], 1);
    struct event e = event_usual();
    size_t lines[2] = { 0, (size_t)ends[0] };
    for (size_t i = 0; i < 200; i++) journal_event(j, 0, &e);
    assert_int_equal(pthread_create(&thread, NULL, slow_reader, lines), 0);
    assert_int_equal(journal_access_end(j, 60000), 0);
    pthread_join(thread, NULL);
    assert_int_equal(lines[0], 200);
    journal_free(&j);
    close(ends[0]);
}

static void a_full_disk_loses_lines_and_says_so(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    open_journal(fd, 1);
    struct event e = event_usual();
    journal_event(j, 0, &e);
    journal_event(j, 0, &e);
    journal_turn(j, 0, 1);
    assert_int_equal(journal_turn(j, 0, 1001), 0);
    assert_int_equal(metric(DROPPED), 2);
    assert_int_equal(metric("\ntypeauth_access_log_errors_total "), 1);
    journal_free(&j);
}

static void without_an_access_log_events_are_counted_all_the_same(void **state)
{
    (void)state;
    open_journal(-1, 1);
    struct event e = event_usual();
    journal_event(j, 0, &e);
    assert_int_equal(journal_turn(j, 0, 1), 0);
    assert_int_equal(
        metric("typeauth_exchanges_total{door=\"proxy\",outcome=\"passed\"} "),
        1);
    assert_int_equal(metric(WRITTEN), 0);
    journal_free(&j);
}

/* --- the thread ------------------------------------------------------------------ */

enum { MANY = 3000, PAGE_LINES = 700 /* at most one page's */ };

static void log_one(struct access_log *l, struct log_sink *s, uint64_t number)
{
    struct event e = event_usual();
    e.bytes_in = number;
    access_log_add(l, s, &e, 1);
}

/* Its lines' members "bi" are 1 to n. */
static void assert_in_order(const char *path, uint64_t n)
{
    FILE *f = fopen(path, "r");
    char text[8192];
    uint64_t next = 1;
    while (fgets(text, sizeof text, f)) {
        const char *at = strstr(text, "\"bi\":");
        assert_non_null(at);
        assert_int_equal(strtoull(at + 5, NULL, 10), next++);
    }
    fclose(f);
    assert_int_equal(next - 1, n);
}

/* A sink whose thread is stuck: pages are given, and nobody writes. */
static void stuck_open(struct log_sink *s, struct access_log *l, int fd)
{
    memset(l, 0, sizeof *l);
    memset(s, 0, sizeof *s);
    log_sink_init(s, fd);
    access_log_init(l);
    atomic_store(&s->has_thread, true);
}

static void stuck_close(struct log_sink *s, struct access_log *l)
{
    log_sink_set(s, -1);
    access_log_fini(l);
    log_sink_fini(s);
}

static void a_reactor_writes_nothing_until_both_pages_are_full(void **state)
{
    (void)state;
    struct log_sink s;
    struct access_log l;
    char path[64];
    stuck_open(&s, &l, temporary(path));
    uint64_t n = 0;
    while (n < PAGE_LINES && !atomic_load(&l.given)) log_one(&l, &s, ++n);
    assert_true(n > 100 && n < PAGE_LINES);
    for (uint64_t half = n; n < 2 * half - 4;) log_one(&l, &s, ++n);
    assert_int_equal(lines_in(path), 0);
    while (n < MANY) log_one(&l, &s, ++n); /* a file's lines are not dropped */
    assert_true(lines_in(path) > MANY - 2 * PAGE_LINES);
    assert_int_equal(access_log_end(&l, &s, 0), 0);
    assert_in_order(path, MANY);
    stuck_close(&s, &l);
    unlink(path);
}

static void what_a_stuck_stream_cannot_take_is_dropped(void **state)
{
    (void)state;
    struct log_sink s;
    struct access_log l;
    int ends[2];
    size_t lines = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    stuck_open(&s, &l, ends[1]);
    for (uint64_t n = 1; n <= MANY; n++) log_one(&l, &s, n);
    uint64_t dropped = atomic_load(&l.dropped);
    assert_true(dropped > 0 && dropped < MANY);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(ends[0], line, 1), -1);
    while (!access_log_write(&l, &s)) read_pipe(ends[0], &lines);
    access_log_turn(&l, &s, 1000); /* gives the second page */
    assert_int_equal(access_log_turn(&l, &s, 2000), 0);
    while (!access_log_write(&l, &s)) read_pipe(ends[0], &lines);
    while (read_pipe(ends[0], &lines)) {}
    assert_int_equal(lines + dropped, MANY);
    stuck_close(&s, &l);
    close(ends[0]);
}

/* Until so many lines are written, by the metric. */
static void wait_for_written(uint64_t n)
{
    while (metric(WRITTEN) < n) usleep(1000);
}

static void the_thread_writes_what_is_a_second_old(void **state)
{
    (void)state;
    char path[64];
    open_journal(temporary(path), 1);
    assert_int_equal(journal_log_start(j), 0);
    struct event e = event_usual();
    journal_event(j, 0, &e);
    assert_int_equal(journal_turn(j, 0, 5000), 1000);
    assert_int_equal(lines_in(path), 0);
    assert_int_equal(journal_turn(j, 0, 6000), 0);
    wait_for_written(1);
    assert_int_equal(lines_in(path), 1);
    journal_event(j, 0, &e); /* the last ones are written at the end */
    assert_int_equal(journal_access_end(j, 0), 0);
    assert_int_equal(lines_in(path), 2);
    journal_free(&j);
    unlink(path);
}

static void the_thread_keeps_the_order(void **state)
{
    (void)state;
    char path[64];
    open_journal(temporary(path), 1);
    assert_int_equal(journal_log_start(j), 0);
    struct event e = event_usual();
    for (e.bytes_in = 1; e.bytes_in <= 20000; e.bytes_in++)
        journal_event(j, 0, &e);
    assert_int_equal(journal_access_end(j, 0), 0);
    assert_in_order(path, 20000);
    assert_int_equal(metric(WRITTEN), 20000);
    assert_int_equal(metric(DROPPED), 0);
    journal_free(&j);
    unlink(path);
}

static void the_thread_goes_on_when_a_stream_has_room_again(void **state)
{
    (void)state;
    int ends[2];
    pthread_t reader;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    open_journal(ends[1], 1);
    assert_int_equal(journal_log_start(j), 0);
    struct event e = event_usual();
    size_t lines[2] = { 0, (size_t)ends[0] };
    for (int i = 0; i < MANY; i++) journal_event(j, 0, &e);
    uint64_t dropped = metric(DROPPED);
    assert_true(dropped > 0);
    assert_int_equal(pthread_create(&reader, NULL, slow_reader, lines), 0);
    journal_turn(j, 0, 1000);
    wait_for_written(200); /* what was given went without another turn */
    assert_int_equal(journal_access_end(j, 60000), 0);
    pthread_join(reader, NULL);
    assert_int_equal(lines[0] + dropped, MANY);
    journal_free(&j);
    close(ends[0]);
}

static void the_thread_ends_beside_a_dead_reader(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    open_journal(ends[1], 1);
    assert_int_equal(journal_log_start(j), 0);
    struct event e = event_usual();
    for (int i = 0; i < MANY; i++) journal_event(j, 0, &e);
    uint64_t before = metric(DROPPED), lost = journal_access_end(j, 50);
    assert_true(lost > 0);
    assert_int_equal(metric(WRITTEN) + before + lost, MANY);
    journal_free(&j);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passed_exchange_is_one_short_line),
        cmocka_unit_test(a_refusal_says_its_outcome_and_code),
        cmocka_unit_test(every_byte_from_outside_comes_back_from_the_json),
        cmocka_unit_test(a_line_is_bounded_whatever_is_sent),
        cmocka_unit_test(lines_are_written_when_a_second_old),
        cmocka_unit_test(a_full_buffer_is_written_without_a_turn),
        cmocka_unit_test(one_in_n_of_the_passed_and_all_refusals_are_logged),
        cmocka_unit_test(after_a_rotation_lines_go_to_the_new_file),
        cmocka_unit_test(a_blocked_pipe_costs_lines_never_time),
        cmocka_unit_test(what_a_dead_reader_leaves_at_the_end_is_counted),
        cmocka_unit_test(at_the_end_a_reader_that_is_alive_is_waited_for),
        cmocka_unit_test(a_full_disk_loses_lines_and_says_so),
        cmocka_unit_test(without_an_access_log_events_are_counted_all_the_same),
        cmocka_unit_test(a_reactor_writes_nothing_until_both_pages_are_full),
        cmocka_unit_test(what_a_stuck_stream_cannot_take_is_dropped),
        cmocka_unit_test(the_thread_writes_what_is_a_second_old),
        cmocka_unit_test(the_thread_keeps_the_order),
        cmocka_unit_test(the_thread_goes_on_when_a_stream_has_room_again),
        cmocka_unit_test(the_thread_ends_beside_a_dead_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
