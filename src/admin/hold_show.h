/* What the endpoints of challenges and of detection share. */
#ifndef ADMIN_HOLD_SHOW_H
#define ADMIN_HOLD_SHOW_H

#include "admin/call.h"

/* The object of an answer. */
void hold_show(const struct hold *h, const char *status, int64_t updated_ms,
               struct buf *out);
/* Those that hold now; false after a failure. f->now_ms is set here. */
bool holds_page(struct call *c, const struct store_hold_filter *f,
                const struct store_page *page, struct store_holds *out);
/* A token (app_id "") or an application (token NULL) goes: so does, when that is
 * committed, what is held of it. Sets c->finish; false after a failure. */
bool holds_leave(struct call *c, const struct ulid *token, struct sv app_id);

#endif
