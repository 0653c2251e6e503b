/* Pools of threads: those that are there from the start, and those that come
 * with the work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "net/worker.h"
#include "netkit.h"

enum { JOBS = 6, THREADS = 2 };

static struct kit kit;
static struct task {
    struct job job;
    int nice;
    bool done;
} tasks[JOBS];
static _Atomic unsigned running, most;
static _Atomic bool open_;

static bool is_worker(const char *task)
{
    char path[64], name[16] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", task);
    FILE *f = fopen(path, "r");
    if (f && !fgets(name, sizeof name, f)) name[0] = '\0';
    if (f) fclose(f);
    return !strcmp(name, "worker\n");
}

/* By their name: a sanitizer has threads of its own. */
static unsigned threads_now(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) n += is_worker(e->d_name);
    if (d) closedir(d);
    return n;
}

static void run(struct job *j)
{
    struct task *t = CONTAINER_OF(j, struct task, job);
    unsigned now = ++running;
    if (now > most) most = now;
    while (!open_) usleep(1000);
    t->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    running--;
}

static void done(struct job *j)
{
    CONTAINER_OF(j, struct task, job)->done = true;
}

static void until_done(struct kit *k)
{
    unsigned n = 0;
    for (size_t i = 0; i < JOBS; i++) n += tasks[i].done;
    kit_forward_ms(k, 1);
    if (n == JOBS) k->done = true;
}

static int submit(struct workers *w, size_t i)
{
    tasks[i] =
        (struct task){ .job = { .reply_to = kit.r, .run = run, .done = done } };
    return workers_submit(w, &tasks[i].job);
}

static void threads_come_with_the_work_and_stand_behind_others(void **state)
{
    (void)state;
    struct workers *w;
    struct task over = { .job = {
                             .reply_to = kit.r, .run = run, .done = done } };
    int nice_here = getpriority(PRIO_PROCESS, 0);
    kit_init(&kit, NULL);
    unsigned before = threads_now();
    workers_new_background(&w, THREADS, JOBS - THREADS, 5);
    assert_int_equal(threads_now(), before);
    assert_int_equal(submit(w, 0), 0);
    assert_int_equal(threads_now(), before + 1);
    while (running < 1) usleep(1000);
    for (size_t i = 1; i < THREADS; i++) assert_int_equal(submit(w, i), 0);
    while (running < THREADS) usleep(1000);
    for (size_t i = THREADS; i < JOBS; i++) assert_int_equal(submit(w, i), 0);
    assert_int_equal(threads_now(), before + THREADS);
    assert_int_equal(workers_queued(w), JOBS - THREADS);
    assert_int_equal(workers_submit(w, &over.job), ERR_LIMIT);
    open_ = true;
    kit_run(&kit, until_done);
    assert_int_equal(most, THREADS);
    assert_int_equal(workers_queued(w), 0);
    int expected = nice_here + 5 > 19 ? 19 : nice_here + 5;
    for (size_t i = 0; i < JOBS; i++) assert_int_equal(tasks[i].nice, expected);
    workers_free(&w);
    kit_fini(&kit);
}

static void a_pool_that_was_never_used_ends(void **state)
{
    (void)state;
    struct workers *w;
    workers_new_background(&w, THREADS, 1, 5);
    workers_free(&w);
    assert_null(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_come_with_the_work_and_stand_behind_others),
        cmocka_unit_test(a_pool_that_was_never_used_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
