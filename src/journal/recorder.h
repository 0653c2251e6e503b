/* The background of incidents: takes them from the reactors' rings, gives them
 * their ids and keeps them in two archives, refusals and findings, each with
 * half of the room, so that the frequent do not push out the rare.
 *
 * One lock over the rings' reading ends and the archives: the thread's rounds,
 * and readers, who make a round first so that they see all. Reactors never
 * take it. */
#ifndef JOURNAL_RECORDER_H
#define JOURNAL_RECORDER_H

#include <pthread.h>

#include "journal/archive.h"
#include "journal/journal.h"
#include "journal/log_trail.h"
#include "journal/sieve.h"

struct recorder {
    struct journal *journal;
    char *dir;
    uint64_t bytes_max;
    int64_t age_ms;
    void (*found)(void *ctx, const struct incident *i);
    void *found_ctx;
    pthread_t thread;
    bool started, stop, failing;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct archive *archives[SIEVE_CLASSES]; /* opened by the first round */
    struct ulid last;
    int64_t expired_ms;
    struct log_trail trail; /* of the access log; the thread's own */
    _Atomic uint64_t told, summed, lost, bytes; /* as of the last round */
};

void recorder_new(struct recorder **out, struct journal *j,
                  const struct journal_conf *conf);
void recorder_free(struct recorder **r);
/* Requests that no incident tells of: dropped by sieves, lost by archives. */
uint64_t recorder_dropped(const struct recorder *r);
/* False: it is stuck. With the lock held all that was told is in the
 * archives. */
bool recorder_lock(struct recorder *r);
void recorder_unlock(struct recorder *r);

#endif
