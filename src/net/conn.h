/* A connection: bytes both ways, back-pressure, deadlines, filters. TCP today;
 * TLS is a filter in between that looks the same above and below.
 *
 * Lifetime: created by a listener, conn_connect or conn_adopt; on_closed is
 * the last call, exactly once, also after conn_close; the object is freed at
 * the end of that turn. Callbacks are never re-entered for one connection. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/addr.h"
#include "net/reactor.h"

struct conn;
struct block; /* reference-counted, BLOCK_BYTES, of one reactor */

enum deadline { /* which wait ran out */
    DEADLINE_NONE,
    DEADLINE_CONNECT,
    DEADLINE_HANDSHAKE,
    DEADLINE_HEAD,       /* request head, absolute from its first byte */
    DEADLINE_BODY,       /* minimum rate */
    DEADLINE_FIRST_BYTE, /* of a response */
    DEADLINE_IDLE,
    DEADLINE_WRITE,      /* peer does not take our bytes */
    DEADLINE_LINGER,
};

struct conn_ops {
    /* Outgoing: connected. TLS: handshake done. Optional. Plain connections
     * that were accepted or adopted are open from the start: no call. */
    void (*on_open)(struct conn *c);
    /* `in` is borrowed until return. Returns how much was consumed; the rest
     * is offered again together with later bytes (or when conn_read(true) is
     * called), so "0" means "not enough yet". A rest never exceeds
     * BLOCK_BYTES: a full block that is not consumed at all closes the
     * connection with ERR_TOOBIG. */
    size_t (*on_bytes)(struct conn *c, struct sv in);
    void (*on_room)(struct conn *c);   /* conn_queued fell to <= CONN_LOW */
    /* Peer ended its direction; what was not consumed stays so. Without this
     * op the connection is closed with 0. */
    void (*on_eof)(struct conn *c);
    /* Without this op: closed with ERR_TIMEOUT. */
    void (*on_timeout)(struct conn *c, enum deadline which);
    void (*on_drain)(struct conn *c);  /* graceful stop was asked; optional */
    void (*on_closed)(struct conn *c, int err); /* 0 or ERR_*; optional */
};

enum {
    CONN_HIGH = 64 * 1024, /* stop reading the source of this sink */
    CONN_LOW = 16 * 1024,  /* go on */
};

/* Non-blocking connect; on_open or on_closed follows, never before return.
 * Fails only for want of a slot or descriptor (ERR_LIMIT) or a bad address
 * family; a refusal by the peer arrives as on_closed. Output may be queued at
 * once. Give it a DEADLINE_CONNECT. */
int conn_connect(struct reactor *r, const struct addr *to,
                 const struct conn_ops *ops, void *ctx, struct conn **out);
/* Takes a connected descriptor (socketpair in tests, handed over); on failure
 * it stays the caller's. */
int conn_adopt(struct reactor *r, int fd, const struct conn_ops *ops,
               void *ctx, struct conn **out);
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx);

void *conn_ctx(const struct conn *c);
struct reactor *conn_reactor(const struct conn *c);
const struct addr *conn_peer(const struct conn *c);
/* Valid until the next conn_local on this reactor. */
const struct addr *conn_local(const struct conn *c);
bool conn_closing(const struct conn *c);
/* How many bytes have come in and gone out in all, as on the wire. */
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);

/* Back-pressure on the source; no system call. Turning it on offers what is
 * kept from the ready list, not from inside this call. */
void conn_read(struct conn *c, bool on);

/* Becomes owner of a reference to the block under a slice given to on_bytes (no
 * copy): the bytes stay until block_put. Only inside that on_bytes. */
struct block *conn_keep(struct conn *c, struct sv in);
void block_put(struct block *b);
struct block *block_ref(struct block *b);

/* Output. conn_reserve gives n <= BLOCK_BYTES contiguous bytes of the output
 * block to build in place (NULL: pool empty, caller closes), conn_commit says
 * how many were used: no other output on this reactor in between; a
 * reservation that is not committed is void. conn_send queues bytes that lie
 * in `b` by reference (a reference of its own is taken); short ones it copies
 * behind what is queued. conn_write copies; any length. Output to a
 * connection that is closing or finishing is dropped. ERR_NOMEM: pool empty. */
char *conn_reserve(struct conn *c, size_t n);
void conn_commit(struct conn *c, size_t n);
int conn_send(struct conn *c, struct block *b, struct sv bytes);
int conn_write(struct conn *c, struct sv bytes);
size_t conn_queued(const struct conn *c); /* not yet taken by the kernel */
/* Writes out now what was queued outside of any callback (before the run);
 * inside callbacks it does nothing, their return does. */
void conn_flush(struct conn *c);

/* One deadline at a time: the earliest applicable one (resolution 100 ms,
 * never early). DEADLINE_NONE or ms 0 clears; a deadline that was hit is
 * cleared before on_timeout, CONNECT and HANDSHAKE before on_open. */
void conn_deadline(struct conn *c, enum deadline which, uint32_t ms);

/* FIN after the queue, then lingering close: input is read and dropped until
 * the peer ends too, at most 5 s without progress while the queue leaves and
 * 5 s after it. No callback but on_closed follows. */
void conn_finish(struct conn *c);
/* Half-close: FIN after the queue, input goes on; later output is dropped. */
void conn_end(struct conn *c);
void conn_close(struct conn *c);  /* now; queue dropped; on_closed gets 0 */
void conn_abort(struct conn *c, int err); /* now, with RST when possible */

#endif
