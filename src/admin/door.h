/* The management API's HTTP side: takes a request in on its reactor, mails it
 * to the control thread, sends the answer that comes back (design §2). All
 * limits that concern bytes are kept here: 413 and 503 are answered before
 * the control thread hears of a request. */
#ifndef ADMIN_DOOR_H
#define ADMIN_DOOR_H

#include "admin/control.h"
#include "admin/request.h"
#include "http/address.h"
#include "http/server.h"
#include "journal/journal.h"

struct door_conf {
    struct control *control;
    /* Control thread: fills the answer, which is initialised and never NULL;
     * what the request points to lives until the return. */
    void (*serve)(void *ctx, const struct request *q, struct answer *a);
    /* Any thread: how long the body of this request may be. */
    size_t (*body_max)(void *ctx, enum http_method m, struct sv path);
    /* Any thread: may traffic come? Fills `why` (empty when ready). */
    bool (*ready)(void *ctx, char why[128]);
    void *ctx;
    struct journal *journal;     /* one event an exchange; NULL: none */
    bool ops_open;               /* loopback: /metrics and /readyz are free */
    struct address_trust trust;  /* who tells the client's address */
    size_t bodies_max_bytes;     /* all requests in flight; 0: 64 MiB */
};

struct api_door;

/* One a listener (they may differ in ops_open); shared by all reactors. */
int door_new(struct api_door **out, const struct door_conf *conf);
/* After the reactors have stopped. */
void door_free(struct api_door **d);
/* For http_stream_dispatch, with the door as its ctx. */
const struct http_service *door_service(void);
/* http_service.on_refusal of a service that fronts this door: the envelope
 * for a request that could not become an exchange. */
void door_refusal(const struct http1_refusal *why, struct http_refused *out);

#endif
