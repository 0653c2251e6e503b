#include "live/hold.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "codec/digest.h"

struct holds {
    struct holds_conf conf;
    pthread_mutex_t lock;
    struct hold *queue; /* a ring; NULL until the first */
    unsigned at, n;
    struct holds_stats stats;
};

struct ulid hold_id(enum hold_detector detector, const uint64_t key[2],
                    int64_t from_s)
{
    struct ulid id;
    uint8_t hash[SHA256_BYTES], kind = (uint8_t)detector;
    uint64_t ms = (uint64_t)from_s * 1000;
    const struct sv parts[] = { sv_of(&kind, 1), sv_of(key, 2 * sizeof *key),
                                sv_of(&from_s, sizeof from_s) };
    sha256_parts(parts, 3, hash);
    for (int i = 0; i < 6; i++) id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(id.b + 6, hash, sizeof id.b - 6);
    return id;
}

void holds_new(struct holds **out, const struct holds_conf *conf)
{
    struct holds *h = NEW(struct holds);
    h->conf = *conf;
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
}

void holds_free(struct holds **at)
{
    struct holds *h = *at;
    if (!h) return;
    pthread_mutex_destroy(&h->lock);
    mem_free(h->queue);
    mem_free(h);
    *at = NULL;
}

bool holds_put(struct holds *h, const struct hold *hold)
{
    pthread_mutex_lock(&h->lock);
    bool room = h->n < HOLDS_QUEUE;
    if (!h->queue) h->queue = mem_alloc_try(HOLDS_QUEUE * sizeof *h->queue);
    room = room && h->queue;
    if (room) h->queue[(h->at + h->n++) % HOLDS_QUEUE] = *hold;
    if (room)
        h->stats.opened[hold->detector]++;
    else
        h->stats.lost++;
    pthread_mutex_unlock(&h->lock);
    if (room && h->conf.wake) h->conf.wake(h->conf.ctx);
    return room;
}

bool holds_take(struct holds *h, struct hold *out)
{
    pthread_mutex_lock(&h->lock);
    bool has = h->n > 0;
    if (has) {
        *out = h->queue[h->at];
        h->at = (h->at + 1) % HOLDS_QUEUE;
        h->n--;
    }
    pthread_mutex_unlock(&h->lock);
    return has;
}

void holds_stats(struct holds *h, struct holds_stats *out)
{
    pthread_mutex_lock(&h->lock);
    *out = h->stats;
    pthread_mutex_unlock(&h->lock);
}
