/* What the answers of a monitor are made of. */
#ifndef ADMIN_MONITOR_SHOW_H
#define ADMIN_MONITOR_SHOW_H

#include "admin/call.h"
#include "reach/monitor.h"

/* start, end, uptime … status_codes: members of an open object. */
void monitor_show_sum(struct buf *b, const struct uptime_sum *s,
                      int64_t start_ms, int64_t end_ms);
/* "endpoints", "certificate_expires_at", "checkedAt". */
void monitor_show_targets(struct buf *b, const struct monitor_status *s);
/* "incidents", sorted here. */
void monitor_show_incidents(struct buf *b, struct uptime_incident *list,
                            unsigned n, int64_t now_ms);

#endif
