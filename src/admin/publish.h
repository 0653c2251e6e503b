/* From a committed change to traffic (design §2). A handler says inside its
 * transaction what its change touches; before the commit the images of those
 * applications are built (one that does not build rolls all back), after it
 * they are swapped in, tokens and counters set, and the feed's number is
 * marked as applied. */
#ifndef ADMIN_PUBLISH_H
#define ADMIN_PUBLISH_H

#include "live/token.h"
#include "model/token_row.h"
#include "plan/plan.h"

struct assertion_keys;
struct call;
struct change;

struct changes {
    struct change *first, **last; /* in the order they were said */
    uint64_t first_seq, seq;      /* its rows of the feed; 0: none */
    uint32_t *slots;              /* taken for this change: given back */
    size_t slots_n, slots_cap;    /* on rollback */
    struct assertion_keys *assertion; /* as they will be; NULL: unchanged */
};

/* --- said inside the transaction; false: the answer is a failure ----------- */
/* Row in the feed. */
bool change_row(struct call *c, enum kind kind, struct sv id);
/* The application's image is to be built anew (once, whatever is said), or
 * with a profile or key set: those of all that name it, over other profiles
 * too. */
bool change_application(struct call *c, struct sv app_id);
bool change_profile(struct call *c, struct sv id);
bool change_application_gone(struct call *c, struct sv app_id);
bool change_keys(struct call *c);
/* A free slot with its counter line made; UINT32_MAX after a 503. */
uint32_t change_slot(struct call *c, uint32_t tag);
/* `row` and what it points to live in the call's arena. */
bool change_token_put(struct call *c, const struct token_row *row);
bool change_token_rotate(struct call *c, const struct token_row *row,
                         uint32_t alias_slot, int64_t grace_ends_ms,
                         const uint32_t *ended, unsigned ended_n);
bool change_token_revoke(struct call *c, const struct token_row *row);
enum counter_change { COUNTER_ADD, COUNTER_SET_USED, COUNTER_RESET };
bool change_counter(struct call *c, enum counter_change what, uint32_t slot,
                    uint32_t tag, int64_t n);

/* --- dispatch only ----------------------------------------------------------- */
void changes_init(struct changes *x);
bool changes_prepare(struct call *c); /* before the commit */
int changes_apply(struct call *c);    /* after it */
void changes_undo(struct call *c);    /* after a rollback */

#endif
