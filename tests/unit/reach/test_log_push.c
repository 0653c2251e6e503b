/* Lines of the access log on their way out: syslog by datagrams, HTTP by
 * batches; and what a stop does with those that are still in the pipe: each is
 * sent or counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "httpkit.h"
#include "reach/log_push.h"
#include "reach/reach.h"
#include "scratch.h"

enum { LINES = 2000 };

static char scratch[64], path[96], to[128];
static struct pusher *pusher;
static struct log_push *push;
static struct egress egress;
static struct reach *reach;
static int pipe_fd;

static int64_t wall(void)
{
    return 1700000000000;
}

static void wake_reach(void *ctx)
{
    (void)ctx;
    if (reach) reach_wake(reach);
}

static int setup(void **state)
{
    (void)state;
    scratch_make(scratch);
    snprintf(path, sizeof path, "%s/log", scratch);
    snprintf(to, sizeof to, "syslog:%s", path);
    egress = (struct egress){ .mode = EGRESS_OPEN };
    return 0;
}

static void open_push(void)
{
    struct pusher_conf conf = { .timeout_ms = 5000, .wake = wake_reach };
    if (to[0] == 'h') conf.places[PUSH_LOGS].url = to;
    pusher_new(&pusher, &conf);
    const struct log_push_conf logs = {
        .to = to, .pusher = pusher, .egress = &egress, .wall_ms = wall
    };
    assert_int_equal(log_push_new(&push, &logs, &pipe_fd), 0);
}

static int teardown(void **state)
{
    (void)state;
    log_push_free(&push);
    pusher_free(&pusher);
    scratch_remove(scratch);
    return 0;
}

static int receiver(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(at.sun_path, path, strlen(path) + 1);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    struct timeval patience = { .tv_sec = 20 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void lines_write(unsigned from, unsigned n)
{
    char line[32];
    for (unsigned i = from; i < from + n; i++) {
        int bytes = snprintf(line, sizeof line, "{\"n\":%u}\n", i);
        assert_int_equal(write(pipe_fd, line, (size_t)bytes), bytes);
    }
}

static void expect_line(int fd, unsigned n)
{
    char got[1024], end[32];
    ssize_t bytes = recv(fd, got, sizeof got - 1, 0);
    assert_true(bytes > 0);
    got[bytes] = 0;
    snprintf(end, sizeof end, " access - {\"n\":%u}", n);
    assert_int_equal(strncmp(got, "<134>1 2023-11-14T22:13:20.000Z ", 32), 0);
    assert_string_equal(strstr(got, " access - "), end);
}

static uint64_t metric(const char *row)
{
    static char text[4096];
    struct buf out;
    buf_init_fixed(&out, text, sizeof text - 1);
    pusher_metrics(pusher, &out);
    log_push_metrics(push, &out);
    text[out.n] = 0;
    const char *at = strstr(text, row);
    assert_non_null(at);
    return strtoull(at + strlen(row), NULL, 10);
}
#define SENT "\ntypeauth_log_push_lines_total "
#define DROPPED "\ntypeauth_push_dropped_total{signal=\"logs\"} "
#define TAKEN "\ntypeauth_push_items_total{signal=\"logs\"} "

static void a_line_is_a_datagram_and_waits_for_a_new_receiver(void **state)
{
    (void)state;
    int fd = receiver();
    open_push();
    assert_int_equal(log_push_start(push), 0);
    lines_write(0, 10);
    for (unsigned i = 0; i < 10; i++) expect_line(fd, i);
    close(fd);
    lines_write(10, 10);
    fd = receiver();
    for (unsigned i = 10; i < 20; i++) expect_line(fd, i);
    close(pipe_fd);
    log_push_stop(push);
    assert_int_equal(metric(SENT), 20);
    assert_int_equal(metric(DROPPED), 0);
    close(fd);
}

static void *drain(void *arg)
{
    for (unsigned i = 0; i < LINES; i++) expect_line(*(int *)arg, i);
    return NULL;
}

static void what_is_in_the_pipe_at_a_stop_is_sent(void **state)
{
    (void)state;
    pthread_t thread;
    int fd = receiver();
    open_push();
    lines_write(0, LINES);
    close(pipe_fd);
    assert_int_equal(pthread_create(&thread, NULL, drain, &fd), 0);
    assert_int_equal(log_push_start(push), 0);
    log_push_stop(push);
    pthread_join(thread, NULL);
    assert_int_equal(metric(SENT), LINES);
    assert_int_equal(metric(DROPPED), 0);
    close(fd);
}

static void without_a_receiver_a_stop_counts_what_was_lost(void **state)
{
    (void)state;
    open_push();
    assert_int_equal(log_push_start(push), 0);
    lines_write(0, LINES);
    close(pipe_fd);
    uint64_t began = clock_mono_ns();
    log_push_stop(push);
    assert_true(clock_mono_ns() - began < 1000000000);
    assert_int_equal(metric(SENT), 0);
    assert_int_equal(metric(DROPPED), LINES);
    log_push_stop(push); /* not twice */
    assert_int_equal(metric(DROPPED), LINES);
}

static void one_that_hangs_delays_a_stop_for_so_long_only(void **state)
{
    (void)state;
    int fd = receiver();
    open_push();
    lines_write(0, LINES); /* its queue holds some ten */
    close(pipe_fd);
    assert_int_equal(log_push_start(push), 0);
    uint64_t began = clock_mono_ns();
    log_push_stop(push);
    assert_true(clock_mono_ns() - began <
                (LOG_PUSH_STOP_MS + 1000) * 1000000ull);
    assert_true(metric(SENT) > 0);
    assert_int_equal(metric(SENT) + metric(DROPPED), LINES);
    close(fd);
}

/* --- by HTTP ---------------------------------------------------------------- */

static struct workers *workers;
static int listener;
static const char *says; /* NULL: never answers */
static _Atomic unsigned got;

static void *serve(void *arg)
{
    static char text[LOG_PUSH_BATCH_BYTES + 4096];
    (void)arg;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        size_t n = 0;
        for (ssize_t r; (r = read(fd, text + n, sizeof text - 1 - n)) > 0;) {
            n += (size_t)r;
            text[n] = 0;
            const char *body = strstr(text, "\r\n\r\n");
            const char *length = strcasestr(text, "content-length: ");
            if (!body || !says) continue;
            body += 4;
            if (n - (size_t)(body - text) < strtoul(length + 16, NULL, 10))
                continue;
            for (; *body; body++) got += *body == '\n';
            assert_int_equal(write(fd, says, strlen(says)), strlen(says));
            n = 0;
        }
        close(fd);
    }
    return NULL;
}

static void open_http(pthread_t *thread)
{
    struct addr at;
    listener = origin_listen(&at);
    assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
    snprintf(to, sizeof to, "http://127.0.0.1:%u/logs", at.port);
    open_push();
    got = 0;
    assert_int_equal(workers_new(&workers, 1, 8), 0);
    const struct reach_conf conf = { .name = "reach",
                                     .pusher = pusher,
                                     .workers = workers,
                                     .egress = &egress,
                                     .node_ms = wall,
                                     .wall_ms = wall,
                                     .timeout_ms = 5000,
                                     .dns_fresh_ms = 1000,
                                     .dns_stale_ms = 1000 };
    assert_int_equal(reach_new(&reach, &conf), 0);
    assert_int_equal(reach_start(reach), 0);
    assert_int_equal(pthread_create(thread, NULL, serve, NULL), 0);
}

static void close_http(pthread_t thread)
{
    reach_stop(reach);
    workers_free(&workers);
    reach_free(&reach);
    pusher_stop(pusher);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

static void lines_in_the_pipe_go_by_http_before_the_stop(void **state)
{
    (void)state;
    pthread_t thread;
    says = "HTTP/1.1 204 \r\n\r\n";
    open_http(&thread);
    lines_write(0, LINES);
    assert_int_equal(log_push_start(push), 0);
    lines_write(LINES, LINES);
    close(pipe_fd);
    log_push_stop(push);
    close_http(thread);
    assert_int_equal(got, 2 * LINES);
    assert_int_equal(metric(TAKEN), 2 * LINES);
    assert_int_equal(metric(DROPPED), 0);
}

static void what_a_dead_collector_did_not_take_is_counted(void **state)
{
    (void)state;
    pthread_t thread;
    says = NULL;
    open_http(&thread);
    lines_write(0, LINES);
    assert_int_equal(log_push_start(push), 0);
    while (pusher_is_free(pusher, PUSH_LOGS)) sched_yield(); /* under way */
    lines_write(LINES, LINES);
    close(pipe_fd);
    log_push_stop(push);
    close_http(thread);
    assert_int_equal(metric(TAKEN), 0);
    assert_int_equal(metric(DROPPED), 2 * LINES);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_line_is_a_datagram_and_waits_for_a_new_receiver),
        T(what_is_in_the_pipe_at_a_stop_is_sent),
        T(without_a_receiver_a_stop_counts_what_was_lost),
        T(one_that_hangs_delays_a_stop_for_so_long_only),
        T(lines_in_the_pipe_go_by_http_before_the_stop),
        T(what_a_dead_collector_did_not_take_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
