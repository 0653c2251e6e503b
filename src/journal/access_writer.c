/* The thread that writes the access log: a disk that is slow, a journal of the
 * file system that is full, a page of the cache that must be made are its to
 * wait for, and no reactor's (decision 0080).
 *
 *   reactors ── give ──> semaphore ──> every lane's page ── no room ──> poll
 */
#include <errno.h>
#include <poll.h>

#include "base/err.h"
#include "journal/journal_int.h"

enum { ROOM_WAIT_MS = 100, STACK_BYTES = 64 << 10 };

/* False: a stream has no room for some of it. */
static bool write_given(struct journal *j)
{
    bool done = true;
    for (unsigned i = 0; i < j->reactors; i++)
        done &= access_log_write(&j->lanes[i].log, &j->sink);
    return done;
}

static void wait_for_room(struct log_sink *s)
{
    struct pollfd p = { .fd = atomic_load(&s->fd), .events = POLLOUT };
    poll(&p, 1, ROOM_WAIT_MS);
}

static void *log_main(void *arg)
{
    struct journal *j = arg;
    while (!atomic_load(&j->log.stop)) {
        if (sem_wait(&j->sink.given) != 0) continue; /* EINTR */
        while (!write_given(j) && !atomic_load(&j->log.stop))
            wait_for_room(&j->sink);
    }
    return NULL;
}

int journal_log_start(struct journal *j)
{
    pthread_attr_t small;
    if (j->log.started || atomic_load(&j->sink.fd) < 0) return 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    int err = pthread_create(&j->log.thread, &small, log_main, j);
    pthread_attr_destroy(&small);
    if (err) return err_from_errno(err);
    j->log.started = true;
    pthread_setname_np(j->log.thread, "access-log");
    atomic_store(&j->sink.has_thread, true);
    return 0;
}

void journal_log_stop(struct journal *j)
{
    if (!j->log.started) return;
    atomic_store(&j->sink.has_thread, false);
    atomic_store(&j->log.stop, true);
    sem_post(&j->sink.given);
    pthread_join(j->log.thread, NULL);
    j->log.started = false;
}
