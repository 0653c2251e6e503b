/* What server.c (connections, requests) and stream.c (answers) share. */
#ifndef HTTP_SERVER_INT_H
#define HTTP_SERVER_INT_H

#include "http/server.h"
#include "http/slab.h"
#include "http/wire.h"

/* A client connection. Between exchanges this is all there is of it. */
struct client {
    struct http_server *server;
    struct conn *conn;
    struct http_stream *stream; /* the open exchange or NULL */
    size_t searched;            /* of an incomplete head */
    uint32_t requests;
    bool head_begun;  /* an incomplete head lies in the rest */
    bool in_bytes;    /* client_bytes is on the stack */
    bool read_off;    /* conn_read(false) was said */
    bool eof;         /* no further request can come */
};
_Static_assert(sizeof(struct client) <= 128, "an idle connection is small");

enum answer { ANSWER_NONE, ANSWER_OPEN, ANSWER_ENDED };

struct http_stream {
    struct client *client; /* NULL: gone, only on_gone is left to say */
    const struct http_service *service;
    void *ctx, *user;
    struct block *kept;
    struct http_stream *next_ended; /* in the server's list */
    struct body_in in;
    struct body_out out;
    uint64_t bytes_in, bytes_out, body_in, body_out, body_max;
    uint64_t tick_in, tick_out; /* as they were at the last tick */
    uint32_t window_ms, stalled_ms, quiet_ms;
    uint16_t status;
    uint8_t minor;
    uint8_t answer;         /* enum answer */
    bool head_method;       /* HEAD: no body bytes go out */
    bool keep_alive;
    bool reading;           /* the service wants the body now */
    bool wanted;            /* … has wanted it at some time */
    bool paused;            /* … but not all the time of this window */
    bool waits_continue;    /* the client waits for 100 */
    bool too_big, in_request;
    bool detached;          /* service has had its last call; dropping */
    bool in_ended_list;
};

struct http_server {
    struct http_server_conf conf;
    struct reactor *reactor;
    struct listener *listener;
    struct slab clients, streams;
    struct http_stream *ended; /* to be completed outside the service */
    struct timer ended_timer;
    struct sv head_bytes;      /* of the request in on_request */
    uint64_t date_s;           /* loop second of `date` */
    char date[37];             /* "Date: …\r\n" */
    struct http_head head;     /* the one being served: callbacks of one
                                  reactor do not overlap */
};

enum {
    TICK_MS = 10000,        /* of minimum rates and stalled writes */
    DROP_MAX = 64 * 1024,   /* request body read and thrown away */
};

/* server.c */
uint32_t server_tick_ms(const struct http_server *s);
void client_read(struct client *c, bool on);
void stream_ended(struct http_stream *s); /* answer complete: on_done later */
struct sv server_date(struct http_server *s);
/* stream.c */
void stream_refuse(struct client *c, struct http_stream *s,
                   const struct http1_refusal *why);

#endif
