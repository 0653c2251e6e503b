/* Quotas that are nearly spent, from the reactors to the control thread: a take
 * that carried the use of a quota over a whole percent above half of it. A ring
 * of a fixed size with many writers and one reader (Vyukov's bounded queue), no
 * lock; what has no room is dropped and counted. While nobody wants to know, a
 * take pays for one load. */
#ifndef LIVE_QUOTA_WATCH_H
#define LIVE_QUOTA_WATCH_H

#include <stdatomic.h>

#include "base/buf.h"
#include "model/kind.h"

enum { QUOTA_WATCH_PERCENT = 50 /* nothing is told below */ };

struct quota_crossing {
    struct id account_id, app_id;
    struct ulid token;
    bool has_token;     /* else it is the application's, shared or a subject's */
    uint8_t from, to;   /* percent used, before and after */
};

struct quota_watch;
void quota_watch_new(struct quota_watch **out);
void quota_watch_free(struct quota_watch **w);

/* --- reactors ----------------------------------------------------------------- */
bool quota_watch_wanted(const struct quota_watch *w);
/* What a take of `cost` that left `remaining` crossed; false: nothing. Pure. */
bool quota_crossed(int64_t quota, int64_t remaining, int64_t cost,
                   uint8_t *from, uint8_t *to);
void quota_watch_put(struct quota_watch *w, const struct quota_crossing *c);

/* --- the control thread ------------------------------------------------------- */
void quota_watch_want(struct quota_watch *w, bool wanted);
bool quota_watch_take(struct quota_watch *w, struct quota_crossing *out);
void quota_watch_metrics(const struct quota_watch *w, struct buf *out);

#endif
