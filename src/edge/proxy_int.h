/* A proxied exchange: proxy.c judges it, upstream.c carries it.
 *
 *   on_request ─ match ─ chain ─┬─ DENY ──────────────> refused ─┐
 *                  ^            ├─ WAIT ─> suspended ─┐          │
 *                  └────────────┼─────────────────────┘          ├─> over
 *                               └─ PASS ─> called ─> answering ──┘
 *   BODY: taken in (intake.c), then the chain again.
 *   any state: client gone ─> over. Over is told by http/ (on_done, on_gone):
 *   there the one event is written and the memory goes back. */
#ifndef EDGE_PROXY_INT_H
#define EDGE_PROXY_INT_H

#include "edge/edge_int.h"
#include "net/tls.h"

/* The request's body while a check judges it (intake.c). */
enum proxy_intake { PROXY_STREAMING, PROXY_TAKING, PROXY_HOLDING, PROXY_GIVING };

/* What an application that chooses among origins, judges them or sends again
 * has besides (attempt.c). In the exchange's arena. */
struct attempt {
    const struct plan_balance *balance; /* NULL: not sent again any more */
    struct origin_state *state;  /* where it is under way; NULL: not judged */
    struct origin_pass pass;
    struct passive_rules passive;
    struct breaker_rules breaker;
    struct retry_rules retry;
    uint32_t tried;
    uint8_t index, left;         /* retries left */
    bool judged;                 /* the origin's state has been told */
    bool idempotent;             /* by the method that is sent */
    bool sent;                   /* a byte reached some origin */
    bool whole;                  /* the body is held, and given again */
    bool spent;                  /* a byte of the body is gone */
    bool waits_open;             /* the body is read when connected */
    struct timer timer;          /* before it goes to the same place again */
    struct proxy *proxy;
};

struct proxy {
    struct suspended suspended;
    struct watched watched;
    struct http_call *call;      /* NULL: not yet, or over */
    struct attempt *attempt;     /* NULL: one plain origin */
    struct timer continue_timer; /* the origin is silent about Expect */
    struct http_head *head;      /* a copy while suspended */
    const struct plan_app *held; /* the image while suspended */
    const struct route_edit *edit; /* of the answer, by the route; or NULL */
    const struct sv *edit_values;
    const struct cors_answer *cors; /* NULL: not configured */
    struct limits limits;
    char limit_name[LIMIT_NAME_MAX + 1];
    uint8_t certificate[TLS_CERT_DIGEST_BYTES];
    struct sv assertion_header;  /* in no trailer; "" none */
    struct sv subject;           /* of a JWT that is told of; "" */
    struct observed *observed;   /* the answer, judged beside; or NULL */
    uint64_t body_max, body_n;   /* of the request */
    struct held_body *held_body; /* taken in, `given` of it to the call */
    size_t given;
    struct http_head *held_trailers;
    enum proxy_intake intake;
    bool body_ended;             /* all of it is in held_body */
    uint32_t app_num;
    enum reason reason;          /* of our refusal or of a cut answer */
    bool detail, limited;
    bool tracked;                /* its detectors want to know its end */
    bool limits_kept;
    bool shows_times;            /* the client may see them: Server-Timing */
    bool problem;                /* refused without an application's reason */
    bool is_suspended;
    bool has_body;               /* the request's end is to be passed on */
    bool wants_continue;         /* reading waits for the origin's 100 */
    bool is_head;
    bool dpop;                   /* the profile binds by it */
    bool answered;               /* the head of an answer has left */
    bool tunnel, client_ended, origin_ended;
    bool by_jwt;                 /* `key` verified it: asked of long streams */
    uint8_t key[JWK_THUMBPRINT_BYTES];
    struct exchange x;
    struct visit v;              /* last: its text is not cleared */
};

/* proxy.c */
void proxy_refuse(struct proxy *p, enum reason reason, unsigned status);
/* A refusal that is no application's: 405, 431, 501. */
void proxy_problem(struct proxy *p, unsigned status);
void proxy_resume(struct suspended *s);
/* A copy of the head; its bytes stay to the end. False: no memory. */
bool proxy_keep_head(struct proxy *p, const struct http_head *head);
void proxy_later(struct proxy *p); /* resumed behind the running callback */
/* intake.c: VERDICT_BODY. The chain is run again when the body has come. */
void intake_start(struct proxy *p);
size_t intake_body(struct proxy *p, struct sv bytes);
void intake_end(struct proxy *p, const struct http_head *trailers);
/* What is held to the call, then the rest of the stream. */
void intake_give(struct proxy *p);
void intake_fini(struct proxy *p);
/* assertion.c: the field that proves to the origin that we let the request
 * pass, behind all others; nothing when the application asks for none. */
int assertion_add(struct proxy *p, const struct plan_origin *origin,
                  struct buf *text, struct forward *out);
/* observe.c: the answer, judged by a schema beside the stream. Each is harmless
 * when there is nothing to observe. */
void observe_begin(struct proxy *p); /* it passed; the image is still there */
void observe_head(struct proxy *p, const struct http_head *head);
void observe_body(struct proxy *p, struct sv bytes);
void observe_end(struct proxy *p);
void observe_fini(struct proxy *p);
/* route.c */
/* The origin of this request, and what its route changes of the answer, kept
 * for then. ERR_NOTFOUND: there is none; ERR_INVALID: no host for a variable. */
int route_origin(struct proxy *p, struct buf *text, struct plan_origin *out);
void route_answer(struct proxy *p);
/* attempt.c: all harmless without an attempt. */
/* False: no memory. Before the first call. */
bool attempt_begin(struct proxy *p, const struct http_head *head);
/* An origin among the application's own. ERR_LIMIT: none takes it. */
int attempt_choose(struct proxy *p, const struct http_head *head,
                   struct plan_origin *out);
/* The call ended by `what`, the origin's doing unless `ours`. True: it is
 * sent again, nothing else is to be done. */
bool attempt_failed(struct proxy *p, enum origin_outcome what, bool ours);
/* The answer's head is passed on, or a byte of the body went out. */
void attempt_settle(struct proxy *p);
void attempt_ended(struct proxy *p); /* no call is under way */
void attempt_over(struct proxy *p);  /* nor will be */
/* upstream.c */
void upstream_again(struct proxy *p);
void upstream_start(struct proxy *p, const struct http_head *head);
size_t upstream_body(struct proxy *p, struct sv bytes);
void upstream_end(struct proxy *p, const struct http_head *trailers);
void upstream_room(struct proxy *p);
void upstream_cancel(struct proxy *p); /* harmless if over */

#endif
