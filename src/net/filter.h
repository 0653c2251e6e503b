/* A filter stands between the kernel and a connection's user: TLS. Both sides
 * look the same; the connection keeps the queues, the filter turns bytes.
 *
 *   kernel -> on_raw -> filter_up -> on_bytes
 *   kernel <- filter_down <- on_plain <- conn_write, conn_send, conn_commit
 */
#ifndef NET_FILTER_H
#define NET_FILTER_H

#include "net/conn.h"

struct filter_ops {
    /* Once, before any byte, when the transport is connected. */
    void (*on_start)(struct conn *c, void *state);
    /* Raw bytes; borrowed until return. Returns how many were consumed: all,
     * unless filter_wants() has become false. Also called with no new bytes
     * when filter_wants() has become true again. */
    size_t (*on_raw)(struct conn *c, void *state, struct sv in);
    /* The transport ended. */
    void (*on_raw_eof)(struct conn *c, void *state);
    /* Turn plain bytes into filter_down; all of them, or an error. */
    int (*on_plain)(struct conn *c, void *state, struct sv plain);
    /* The user is done sending: closing words, if any, by filter_down. */
    void (*on_finish)(struct conn *c, void *state);
    void (*on_free)(void *state);
};

/* Takes `state` (on_free ends it). While nothing that came in is unread and
 * nothing that went out is queued: before any byte, or (STARTTLS) between two
 * callbacks. */
void conn_filter(struct conn *c, const struct filter_ops *ops, void *state);
void *filter_state(const struct conn *c, const struct filter_ops *ops);

/* For the filter's own callbacks only. */
bool filter_wants(const struct conn *c); /* the user is reading */
/* Room for plain input, to be followed by filter_up; NULL: no memory now, or
 * the user leaves a full block lying (the connection is then closed). */
char *filter_up_room(struct conn *c, size_t *room);
void filter_up(struct conn *c, size_t n);
void filter_up_eof(struct conn *c); /* on_eof, once */
bool filter_ended(const struct conn *c); /* filter_up_eof was called */
int filter_down(struct conn *c, struct sv raw);
void filter_opened(struct conn *c); /* handshake done: on_open */
void filter_counted(struct conn *c, bool resumed); /* a client's handshake */
/* Closes, but first gives the kernel what was said by filter_down (alerts). */
void filter_fail(struct conn *c, int err);

#endif
