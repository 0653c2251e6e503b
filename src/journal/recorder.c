/* The recorder's rounds and its thread. */
#include "journal/recorder.h"

#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/journal_int.h"

enum {
    ROUND_MS = 500,
    EXPIRE_MS = 60000,
    LOCK_WAIT_MS = 1000,
    STACK_BYTES = 128 << 10
};

void recorder_new(struct recorder **out, struct journal *j,
                  const struct journal_conf *conf)
{
    struct recorder *r = NEW(struct recorder);
    pthread_condattr_t by;
    pthread_condattr_init(&by);
    pthread_condattr_setclock(&by, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &by);
    pthread_condattr_destroy(&by);
    pthread_mutex_init(&r->lock, NULL);
    r->journal = j;
    r->dir = mem_strdup(conf->incidents_dir);
    r->bytes_max = conf->incidents_bytes;
    r->age_ms = conf->incidents_age_ms;
    r->found = conf->found;
    r->found_ctx = conf->found_ctx;
    *out = r;
}

void recorder_free(struct recorder **at)
{
    struct recorder *r = *at;
    if (!r) return;
    for (int i = 0; i < SIEVE_CLASSES; i++) archive_close(&r->archives[i]);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    mem_free(r->dir);
    mem_free(r);
    *at = NULL;
}

/* --- a round: under the lock ---------------------------------------------------- */

static const char *const class_names[SIEVE_CLASSES] = {
    [SIEVE_REFUSALS] = "refusals",
    [SIEVE_FINDINGS] = "findings",
};

static bool archives_open(struct recorder *r)
{
    for (int i = 0; i < SIEVE_CLASSES; i++) {
        struct archive_conf conf = { .dir = r->dir,
                                     .name = class_names[i],
                                     .bytes_max = r->bytes_max / SIEVE_CLASSES,
                                     .age_ms = r->age_ms };
        if (r->archives[i]) continue;
        int err = archive_open(&r->archives[i], &conf);
        if (err && !r->failing)
            log_error("journal", "events in %s: %s", r->dir, err_text(err));
        r->failing = err != 0;
        if (err) return false;
        struct ulid last = archive_last(r->archives[i]);
        if (ulid_cmp(&last, &r->last) > 0) r->last = last;
    }
    return true;
}

/* The oldest that waits, of all lanes: ids rise as time does, but for what
 * comes while we look. NULL: none waits. */
static struct sieve *oldest_of(struct journal *j)
{
    struct sieve *oldest = NULL;
    int64_t at_ms = 0;
    for (unsigned i = 0; i <= j->reactors; i++) {
        struct sieve *s = i < j->reactors ? &j->lanes[i].sieve : &j->elsewhere;
        struct sv first = ring_peek(&s->ring);
        if (!first.p || (oldest && incident_at_ms(first.p) >= at_ms)) continue;
        oldest = s;
        at_ms = incident_at_ms(first.p);
    }
    return oldest;
}

static void tell(const struct recorder *r, struct sv bytes)
{
    struct incident i;
    if (r->found && incident_findings(bytes.p) &&
        incident_decode(bytes, &i) == 0)
        r->found(r->found_ctx, &i);
}

static void take_all(struct recorder *r, int64_t wall_ms)
{
    struct ulid id;
    for (struct sieve *s; (s = oldest_of(r->journal)) != NULL;) {
        struct sv i = ring_peek(&s->ring);
        ulid_next(&r->last, wall_ms, &id);
        incident_set_id((char *)(uintptr_t)i.p, &id);
        archive_append(r->archives[sieve_class_of(incident_findings(i.p))], i);
        tell(r, i);
        ring_pop(&s->ring);
    }
}

static void publish(struct recorder *r)
{
    uint64_t told = 0, summed = 0, lost = 0, bytes = 0;
    for (int i = 0; i < SIEVE_CLASSES; i++) {
        struct archive_stats st;
        archive_stats(r->archives[i], &st);
        told += st.told;
        summed += st.summed;
        lost += st.lost;
        bytes += st.bytes;
    }
    atomic_store(&r->told, told);
    atomic_store(&r->summed, summed);
    atomic_store(&r->lost, lost);
    atomic_store(&r->bytes, bytes);
}

/* Nothing was ever told, by this process or one before: a server that is not
 * attacked takes no memory here. */
static bool is_idle(const struct recorder *r)
{
    return !r->archives[0] && !oldest_of(r->journal) &&
           access(r->dir, F_OK) != 0;
}

static void round_of(struct recorder *r)
{
    struct journal *j = r->journal;
    int64_t wall_ms = clock_wall_ms();
    pthread_mutex_lock(&j->elsewhere_lock);
    sieve_turn(&j->elsewhere, clock_mono_ns() / 1000000000);
    pthread_mutex_unlock(&j->elsewhere_lock);
    if (is_idle(r)) return;
    if (!archives_open(r)) return; /* the rings fill up, sieves count */
    take_all(r, wall_ms);
    bool expires =
        wall_ms - r->expired_ms >= EXPIRE_MS || wall_ms < r->expired_ms;
    for (int i = 0; i < SIEVE_CLASSES; i++) {
        archive_write(r->archives[i]);
        if (expires) archive_expire(r->archives[i], wall_ms);
    }
    if (expires) r->expired_ms = wall_ms;
    publish(r);
}

void journal_incidents_record(struct journal *j)
{
    struct recorder *r = j->recorder;
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    round_of(r);
    pthread_mutex_unlock(&r->lock);
}

bool recorder_lock(struct recorder *r)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOCK_WAIT_MS / 1000;
    if (pthread_mutex_timedlock(&r->lock, &until)) return false;
    round_of(r);
    return true;
}

void recorder_unlock(struct recorder *r)
{
    pthread_mutex_unlock(&r->lock);
}

uint64_t recorder_dropped(const struct recorder *r)
{
    const struct journal *j = r->journal;
    uint64_t n = atomic_load(&r->lost) + counter_read(&j->elsewhere.dropped);
    for (unsigned i = 0; i < j->reactors; i++)
        n += counter_read(&j->lanes[i].sieve.dropped);
    return n;
}

/* --- the thread ------------------------------------------------------------------- */

static void log_follow(struct recorder *r)
{
    int fd = log_sink_dup(&r->journal->sink);
    if (fd < 0) return;
    log_trail_follow(&r->trail, fd);
    close(fd);
}

static void *recorder_main(void *arg)
{
    struct recorder *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        struct timespec until;
        round_of(r);
        traces_take(r->journal);
        pthread_mutex_unlock(&r->lock); /* nobody waits for a disk */
        log_follow(r);
        pthread_mutex_lock(&r->lock);
        if (r->stop) break;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += ROUND_MS * 1000000l;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&r->wake, &r->lock, &until);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int journal_recorder_start(struct journal *j)
{
    struct recorder *r = j->recorder;
    pthread_attr_t small;
    if (!r || r->started) return 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    int err = pthread_create(&r->thread, &small, recorder_main, r);
    pthread_attr_destroy(&small);
    if (err) return err_from_errno(err);
    r->started = true;
    pthread_setname_np(r->thread, "events");
    return 0;
}

/* No reactor runs any more: their sieves are ours. */
void journal_recorder_stop(struct journal *j)
{
    struct recorder *r = j->recorder;
    if (!r) return;
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        r->started = false;
    }
    journal_incidents_record(j);
    for (unsigned i = 0; i < j->reactors; i++) sieve_flush(&j->lanes[i].sieve);
    sieve_flush(&j->elsewhere);
    journal_incidents_record(j);
}
