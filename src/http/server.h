/* The server side: exchanges on client connections, independent of the wire
 * version. A service (edge, admin) is a table of functions; HTTP/1.1 stands
 * below it today and HTTP/2 joins without changing it.
 *
 *            on_request
 *   idle ───────────────> open ──(body: on_body…)──> on_end
 *    ^                      │ reply: head, body…, end (any time, also before
 *    └── on_done ───────────┘        the request's end)
 *    any state: on_gone (client went away; last call)
 *
 * One exchange at a time on an HTTP/1 connection; pipelined requests wait in
 * the unread rest of the block. Everything on the reactor's thread. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "codec/http1.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/tls.h"

struct http_stream;

/* What a service says about a refused request. */
struct http_refused {
    struct buf body;   /* JSON */
    struct buf fields; /* in wire form: "X-Request-Id: …\r\n" */
};

struct http_service {
    /* `head` and what it points to are borrowed until the return of this
     * call, unless http_stream_keep is called in it. The exchange must be
     * answered sooner or later, or closed. */
    void (*on_request)(struct http_stream *s, const struct http_head *head);
    /* Body bytes; returns how many were taken; less than given means
     * back-pressure until http_stream_read(s, true). Tunnels: raw bytes. */
    size_t (*on_body)(struct http_stream *s, struct sv bytes);
    /* Request complete, also when it had no body; trailers NULL or with
     * fields, borrowed. Not called when the answer had ended before. Tunnels:
     * the client has ended its direction. */
    void (*on_end)(struct http_stream *s, const struct http_head *trailers);
    void (*on_room)(struct http_stream *s); /* queued <= CONN_LOW again */
    /* The answer has ended and at most CONN_LOW of it are left to send: last
     * call, never from inside http_stream_end. What is left of the request is
     * dropped by us (up to 64 KiB, else the connection ends). */
    void (*on_done)(struct http_stream *s);
    /* Client gone, broke the protocol, or too slow: last call. err: CLOSED
     * PROTOCOL TIMEOUT TOOBIG SHUTDOWN, or the one given to abort. Never from
     * inside a call of the service on this stream. */
    void (*on_gone)(struct http_stream *s, int err);
    /* A request that is malformed, too large or too slow, and not answered
     * yet: fill *out; the connection closes after the answer. NULL:
     * a bare answer. `s` NULL: it never became an exchange, this is the place
     * that counts and logs it. Else on_gone follows for that exchange. Asked
     * of the service in conf, or the one that the exchange was handed to. */
    void (*on_refusal)(void *ctx, const struct conn *c, struct http_stream *s,
                       const struct http1_refusal *why,
                       struct http_refused *out);
};

struct http_server_conf {
    struct http1_limits limits;
    uint32_t head_timeout_ms;   /* whole head, from its first byte; 10 s */
    uint32_t idle_timeout_ms;   /* keep-alive; 75 s */
    uint32_t body_min_rate;     /* bytes a second over 10 s windows; 240 */
    uint32_t write_timeout_ms;  /* peer takes nothing; 60 s */
    uint32_t requests_max;      /* a connection; 0 = no limit */
    const struct http_service *service;
    void *ctx;                  /* http_stream_ctx */
    struct tls_server *_Atomic *tls; /* NULL: plain. Read at each accept. */
}; /* 0 in a limit or time: the default named beside it */

struct http_server; /* one listener on one reactor */
int http_server_open(struct reactor *r, const struct addr *at, int inherited_fd,
                     const struct http_server_conf *conf,
                     struct http_server **out);
struct listener *http_server_listener(struct http_server *s);
/* After the reactor's run has returned, before reactor_free. */
void http_server_free(struct http_server **s);

/* --- an exchange ---------------------------------------------------------- */
void *http_stream_ctx(const struct http_stream *s);        /* conf's */
void http_stream_set_user(struct http_stream *s, void *user);
void *http_stream_user(const struct http_stream *s);
/* Hands the exchange to another service: only inside on_request. */
void http_stream_dispatch(struct http_stream *s, const struct http_service *to,
                          void *ctx, const struct http_head *head);
struct reactor *http_stream_reactor(const struct http_stream *s);
struct conn *http_stream_conn(const struct http_stream *s);
bool http_stream_is_tls(const struct http_stream *s);
/* Keeps the memory behind the head until the exchange ends (no copy of bytes;
 * struct http_head itself must be copied by the caller). */
void http_stream_keep(struct http_stream *s);

/* Back-pressure on the request's body. A stream starts with reading off when
 * on_request returns without having called http_stream_read(s, true). An
 * answer that begins before the body was ever wanted says Connection: close
 * if the body is long, or held back by Expect. */
void http_stream_read(struct http_stream *s, bool on);
/* Announce that the body is wanted: writes 100 Continue if the client waits
 * for it and nothing was answered yet. http_stream_read(true) implies it: a
 * proxy that relays the origin's 100 turns reading on when that has come. */
void http_stream_continue(struct http_stream *s);
/* How large a chunked or announced body may become: beyond it 413 by
 * on_refusal unless the answer has begun, then on_gone ERR_TOOBIG. In
 * on_request an announced length above it is refused at the return, before
 * any on_body. 0 = no limit. */
void http_stream_body_max(struct http_stream *s, uint64_t bytes);

/* The answer. `fields` without framing and connection fields: those are
 * written here. body LENGTH/CHUNKED/NONE (Content-Length: 0); HTTP/1.0 clients
 * get CLOSE instead of chunked; HEAD and 204/304 send no body bytes whatever
 * comes: there LENGTH says the length of the body that is not sent, NONE says
 * nothing. An interim status (1xx but 101) may come any number of times
 * before; 1.0 clients do not see it. 101: TUNNEL, `fields` with Upgrade. */
struct http_reply {
    unsigned status;
    const struct http_field *fields;
    size_t fields_n;
    enum http_body body;
    uint64_t content_length;
    bool close;             /* end the connection after this exchange */
    bool add_date;          /* own answers; a proxy passes the origin's */
};
/* ERR_TOOBIG: the head does not fit a block; nothing was written. Any other
 * failure of these three ends the connection, on_gone follows. */
int http_stream_head(struct http_stream *s, const struct http_reply *reply);
/* Queue body bytes. `from` (may be NULL): the connection in whose on_bytes we
 * are and into whose block `bytes` points; long runs then go by reference. */
int http_stream_body(struct http_stream *s, struct sv bytes,
                     struct conn *from);
/* End of the answer. trailers (may be NULL) only go with chunked. */
void http_stream_end(struct http_stream *s, const struct http_field *trailers,
                     size_t trailers_n);
/* Head + body + end in one call; body and content_length of `reply` are set
 * from `body`. */
void http_stream_answer(struct http_stream *s, const struct http_reply *reply,
                        struct sv body);
/* The answer cannot be completed: the connection is cut so that the client
 * notices; on_gone follows with err, after the running callback. */
void http_stream_abort(struct http_stream *s, int err);
size_t http_stream_queued(const struct http_stream *s);

struct http_stream_info { /* for the event; any time */
    uint64_t bytes_in, bytes_out;  /* of this exchange, heads included */
    uint64_t body_in, body_out;
    unsigned status;               /* 0: none yet */
    bool head_sent;
    uint8_t minor;
};
void http_stream_info(const struct http_stream *s, struct http_stream_info *o);

#endif
