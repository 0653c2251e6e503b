/* Listening sockets, one a reactor and address (SO_REUSEPORT), or inherited
 * descriptors (binary upgrade, LISTEN_FDS). */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/conn.h"

struct listener;

struct listener_conf {
    struct addr addr;      /* port 0: any free one; ask listener_addr. "::"
                              listens on IPv4 too, other IPv6 never does */
    int inherited_fd;      /* -1: open one */
    int backlog;           /* 0: 4096 */
    /* An accepted connection; set ops (and a filter) before returning.
     * Optional when ops are given here. */
    void (*on_accept)(struct conn *c, void *ctx);
    void *ctx;
    const struct conn_ops *ops; /* first ops, ctx as above */
};

int listener_open(struct reactor *r, const struct listener_conf *conf,
                  struct listener **out);
void listener_addr(const struct listener *l, struct addr *out);
/* Accepts what waits, then closes. Also done by reactor_stop. The object lives
 * until reactor_free. */
void listener_close(struct listener *l);
/* Reactors that share an address hand fresh descriptors over when one's load
 * exceeds a random other's by 12 % and 4 (design §3). Call once, before run;
 * the array is borrowed until the reactors are freed, which must not begin
 * before all of them have returned from reactor_run. */
void listener_share(struct listener *const *all, unsigned n);

#endif
