/* What a target has to be told of one kind: so that an outage is one message
 * (docs/decisions/0070). Pure; the clock is a parameter; one thread.
 *
 *   the first goes at once ─> for group_ms all else is collected ─> one
 *   message of all that is new, if anything is ─> …
 *
 * An item is a thing that happens: it is new when it happened again, opened,
 * or was resolved after it was told as open. What opens and is resolved
 * between two messages is told once, as resolved. */
#ifndef LIVE_ALERT_GROUP_H
#define LIVE_ALERT_GROUP_H

#include "live/alert.h"

enum { ALERT_ITEMS_MAX = 100, /* more are counted, not named */
       ALERT_LISTED_MAX = 20 /* of them in a message */ };

struct alert_item {
    struct id app_id;
    enum alert_state state, told; /* told: as of the last message */
    uint32_t untold;              /* times since then */
    int64_t first_ms, last_ms;    /* of those; when nothing is new: of all */
    char key[ALERT_KEY_MAX], title[ALERT_TITLE_MAX];
    char details[ALERT_DETAILS_MAX];
};

struct alert_group {
    struct alert_item *items;
    uint32_t n, cap;
    uint32_t others;  /* times of what had no room, since the last message */
    int64_t until_ms; /* no message before */
};
void alert_group_fini(struct alert_group *g);

/* The item if it stands otherwise now (open or resolved): to be kept over a
 * restart; else NULL. */
const struct alert_item *alert_group_add(struct alert_group *g,
                                         const struct alert_occurrence *o);
/* As it was kept. */
void alert_group_load(struct alert_group *g, const struct alert_item *i);

bool alert_group_is_due(const struct alert_group *g, int64_t now_ms,
                        int64_t group_ms);
bool alert_item_is_new(const struct alert_item *i);
/* The message's "title" and "items", and how many are not listed. */
void alert_group_title(const struct alert_group *g, struct buf *out);
void alert_group_show(const struct alert_group *g, struct buf *out);
/* All is told. `kept` hears of each item that stood open or does: it is kept
 * as it is now, or gone (state NONE). */
typedef void alert_kept_fn(void *ctx, const struct alert_item *i);
void alert_group_told(struct alert_group *g, int64_t now_ms, int64_t group_ms,
                      alert_kept_fn *kept, void *ctx);

#endif
