/* Epoch-based reclamation in C11 atomics, which ThreadSanitizer follows. */
#include "base/epoch.h"

#include <pthread.h>

#include "base/ensure.h"
#include "base/mem.h"

struct retired {
    struct retired *next;
    void *obj;
    void (*free_fn)(void *);
    bool (*ready)(void *);
    uint64_t epoch;
};

_Atomic uint64_t epoch_global_ = 2;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct epoch_reader *readers;
static struct retired *waiting;

void epoch_join(struct epoch_reader *r)
{
    atomic_store(&r->seen, 0);
    pthread_mutex_lock(&lock);
    r->next = readers;
    readers = r;
    pthread_mutex_unlock(&lock);
}

void epoch_leave(struct epoch_reader *r)
{
    ENSURE(atomic_load(&r->seen) == 0);
    pthread_mutex_lock(&lock);
    for (struct epoch_reader **p = &readers; *p; p = &(*p)->next)
        if (*p == r) {
            *p = r->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

void epoch_retire(void *obj, void (*free_fn)(void *), bool (*ready)(void *))
{
    struct retired *w = NEW(struct retired);
    *w = (struct retired){ .obj = obj, .free_fn = free_fn, .ready = ready };
    pthread_mutex_lock(&lock);
    w->epoch = atomic_fetch_add(&epoch_global_, 1);
    w->next = waiting;
    waiting = w;
    pthread_mutex_unlock(&lock);
}

static uint64_t oldest_seen(void)
{
    uint64_t least = UINT64_MAX;
    for (struct epoch_reader *r = readers; r; r = r->next) {
        uint64_t seen = atomic_load(&r->seen);
        if (seen && seen < least) least = seen;
    }
    return least;
}

uint64_t epoch_reclaim(void)
{
    struct retired *due = NULL;
    uint64_t left = 0;
    pthread_mutex_lock(&lock);
    uint64_t least = waiting ? oldest_seen() : 0;
    for (struct retired **p = &waiting; *p;) {
        struct retired *w = *p;
        /* a reader that has seen a later epoch began its turn after the
         * unlinking and cannot hold the object */
        if (w->epoch < least && (!w->ready || w->ready(w->obj))) {
            *p = w->next;
            w->next = due;
            due = w;
        } else {
            p = &w->next;
            left++;
        }
    }
    pthread_mutex_unlock(&lock);
    while (due) {
        struct retired *w = due;
        due = w->next;
        w->free_fn(w->obj);
        mem_free(w);
    }
    return left;
}
