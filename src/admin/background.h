/* Housekeeping of the control thread, in small pieces between requests. */
#ifndef ADMIN_BACKGROUND_H
#define ADMIN_BACKGROUND_H

#include "admin/admin.h"

struct background;

struct background *background_new(void);
void background_free(struct background **b);
/* What the last requests left is saved: nothing serves any more. */
void background_settle(struct admin *a);
/* Rows of the feed up to here are in force. */
void background_feed(struct background *b, uint64_t seq);
/* There are tokens to purge: begin at the next tick. */
void background_purge(struct background *b);
/* Any thread. */
void background_checkpoint(struct background *b, const struct token_use *use);

#endif
