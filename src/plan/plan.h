/* The immutable image of one application's configuration, and the index of
 * all by host name and by id, that traffic reads (design §3, Plan).
 *
 *   root ── 1,024 shards of host name -> cell ── plan_app (swapped whole)
 *        └─ 1,024 shards of id        -> cell ──┘
 *
 * A cell is an application's stable place; a change of its configuration
 * swaps the cell's image and touches nothing else; a change of its domain
 * replaces one small shard. Old images are retired by epoch and freed when no
 * exchange holds them. Writers: control thread. Readers: reactors, between
 * epoch marks; an exchange that is suspended holds its image. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdatomic.h>

#include "base/arena.h"
#include "model/application.h"
#include "model/authentication.h"
#include "plan/abuse.h"
#include "plan/balance.h"
#include "plan/body.h"
#include "plan/jwt.h"
#include "plan/route.h"
#include "plan/schema.h"
#include "plan/security.h"
#include "plan/waf.h"

/* The order of the checks, gateway.md §1: the one visible list. Later checks
 * take their line here; plan/build.c puts into an application's `steps` those
 * that it needs. */
#define PLAN_STEPS(X)                                                       \
    X(ENABLED)      /* 2   application enabled, not without authentication */ \
    X(PREFLIGHT)    /* 2   CORS: whether a script may ask */               \
    X(ROUTE)        /* 2a  the route: its variables, its scopes */          \
    X(FIREWALL)     /* 3   address lists, areas, rules without a token */   \
    X(GLOBAL_LIMIT) /* 4   the abuse profile's limit, by address or header */ \
    X(CREDENTIAL)   /* 5   find the credential, look the token up */        \
    X(TOKEN_STATE)  /* 6   enabled, revoked */                              \
    X(EXPIRY)       /* 7 */                                                 \
    X(JWT)          /* 5-7 of keyType jwt: signature, times, claims */      \
    X(BINDING)      /* 5   who sends the JWT holds its key */               \
    X(LIMITS)       /* 8+9 limits, refill and quota: one atomic take */     \
    X(SCOPES)       /* 10  scopes asked for */                              \
    X(ADDRESS)      /* 10  the token's IP allow-list */                     \
    X(TOKEN_RULES)  /* 10  rules that name fields of the token */           \
    X(TRAVEL)       /* 11  GeoSentry: could it have come here so fast? */   \
    X(ANOMALY)      /* 11  what stands of anomalies found before */         \
    X(BODY)         /* 11a the body, as far as a later step judges it */    \
    X(MAIL)         /* 12  disposable e-mail */                             \
    X(WAF)          /* 13  headers and body by the Core Rule Set */         \
    X(SCHEMA)       /* 14  the request by the OpenAPI document */           \
    X(ANSWER)       /* 15  the route's own answer */

enum plan_step {
#define X(name) STEP_##name,
    PLAN_STEPS(X)
#undef X
    STEP_COUNT
};

/* Who asks: a client that wants to pass, or a server that asks whether its
 * client's credential is good. One chain, but a question about a credential is
 * judged also where none is demanded of those who pass. */
enum door { DOOR_PROXY, DOOR_VERIFY, DOOR_COUNT };

struct plan_steps {
    uint8_t n, at[STEP_COUNT];
};

struct plan_origin {
    struct origin_address at;
    bool tls_verify;
    uint32_t id, generation; /* dense number for the pools; see origin.h */
    struct sv host_header;   /* what the origin sees as Host */
};

/* Profiles that images share (plan/compiled.h). */
enum plan_form { FORM_SECURITY, FORM_ABUSE, FORM_SCHEMA, FORM_COUNT };

enum { PLAN_REACTORS_MAX = 256 };

struct plan_app {
    struct application app;
    bool has_auth;
    struct authentication auth;
    bool limited;              /* a profile names a limit, quota or refill;
                                  a token's own show only in its exchange */
    bool checksum;             /* tokens carry our CRC: made-up ones are
                                  refused without a look-up */
    uint32_t quota_slot, quota_tag; /* remainingScope application; else
                                       UINT32_MAX */
    uint64_t scope, account_scope; /* ulid_low of its id and the account's */
    int64_t created_ms;        /* of the application, from its id */
    struct plan_origin origin;
    const struct plan_balance *balance; /* NULL: `origin`, as it is */
    const struct route_table *routes; /* NULL: no routing profile */
    struct plan_origin *route_origins; /* by the rule's index; id UINT32_MAX:
                                          the application's, or a request's */
    unsigned route_origins_n;
    bool routes_retry;         /* some have retries */
    struct plan_steps steps[DOOR_COUNT];
    const struct plan_security *security; /* NULL: no profile */
    const struct plan_abuse *abuse;       /* NULL: no profile */
    const struct plan_schema *schema;     /* NULL: no profile */
    bool tracked;              /* the abuse profile has GeoSentry or anomaly
                                  detection */
    struct compiled *forms[FORM_COUNT];   /* what holds them; or NULL */
    struct plan_body body[PLAN_BODY_COUNT]; /* what the checks want of one, by
                                  the bits of those that judge it */
    struct waf_set *waf;       /* NULL: no WAF, or (waf_may_miss) no rules */
    const struct plan_jwt *jwt; /* keyType jwt with a profile; else NULL */
    struct keyset_ref keysets[JWT_KEYSETS_MAX]; /* as in the source */
    unsigned keysets_n;
    uint64_t seq;              /* of the change that made it */
    uint64_t serial;           /* of this image: never comes again in this
                                  process, never 0 */
    struct plan *owner;
    struct arena arena;        /* holds all of the above */
    /* how many exchanges of each reactor hold this image; written by that
     * reactor only */
    struct plan_hold {
        _Alignas(64) _Atomic uint32_t n;
        uint32_t turn;         /* choices of an origin; of that reactor too */
    } *holds;
};

struct plan_cell {
    struct plan_app *_Atomic app; /* NULL: deleted */
};

struct plan; /* the root */

int plan_new(struct plan **out, unsigned reactors);
/* Before the first build; without it the defaults of waf_sets_conf hold. */
void plan_waf_conf(struct plan *p, const struct waf_sets_conf *conf);
/* When every reader has left and every exchange has dropped its image. */
void plan_free(struct plan **p);

/* --- readers ---------------------------------------------------------------- */
/* host: as sent, with port and trailing dot, any case; exact, then the longest
 * wildcard ("*.example.com" stands for one or more whole labels). NULL:
 * unknown. About 40 ns, no allocation. */
const struct plan_app *plan_match(const struct plan *p, struct sv host);
const struct plan_app *plan_find(const struct plan *p, struct sv id);
/* Those that choose among origins or judge them: for figures. Nothing is
 * walked when there is none. */
void plan_balanced(const struct plan *p,
                   void (*fn)(void *ctx, const struct plan_app *a), void *ctx);
/* Where a routed request goes: the rule's host, of which `host` is the name
 * that its variables made (route_host). The port and TLS are the
 * application's unless the rule says otherwise. Texts in `text`. */
int plan_route_origin(const struct plan_app *a, const struct route_match *m,
                      struct buf *text, struct plan_origin *out);
/* An exchange that outlives its loop turn holds its image in the turn that
 * found it, and drops it on the same reactor. */
static inline void plan_hold(const struct plan_app *a, unsigned reactor)
{
    _Atomic uint32_t *n = &a->holds[reactor].n;
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_release);
}
static inline void plan_drop(const struct plan_app *a, unsigned reactor)
{
    _Atomic uint32_t *n = &a->holds[reactor].n;
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) - 1,
                          memory_order_release);
}

/* --- the writer --------------------------------------------------------------- */
struct plan_source {           /* canonical documents; borrowed */
    struct sv application, authentication; /* authentication "" if none */
    struct sv routing;         /* "" if none */
    struct sv forms[FORM_COUNT]; /* security, abuse, schema; "" if none */
    struct sv openapi;         /* of the schema profile; not needed when the
                                  form is there (plan_form_is_there) */
    /* keyType jwt: the profile, without inline keys and secrets, and the rules
     * that hold in addition (POST …/jwt/validation); "" if none. A profile
     * that names a JWT profile which was detached has "" here: nobody passes
     * (no_authentication). */
    struct sv jwt, jwt_rules;
    struct sv introspection_secret; /* opened; "" none */
    struct keyset_ref keysets[JWT_KEYSETS_MAX]; /* held by the caller from
                                   before the build until the image is gone */
    unsigned keysets_n;
    uint32_t num;
    bool waf_may_miss;         /* at start: an image whose WAF has no rules is
                                  better than none; its check is a fault */
    bool imported;             /* has tokens of another form */
    uint32_t quota_slot, quota_tag;
    uint64_t seq;
};
struct plan_problem {
    char field[64];
    char message[192];
};
/* Builds without publishing: a plan that does not build rolls the
 * transaction back. ERR_INVALID, ERR_CORRUPT or ERR_TOOBIG, with `why`; of
 * waf_sets_hold ERR_NOTFOUND and ERR_LIMIT. Takes 0.3 s when it is the first
 * with these WAF rules. */
int plan_build(struct plan *p, const struct plan_source *src,
               struct plan_app **out, struct plan_problem *why);
void plan_discard(struct plan *p, struct plan_app **a);
/* Takes ownership; the next exchange sees it. */
void plan_publish(struct plan *p, struct plan_app *a);
void plan_remove(struct plan *p, struct sv app_id);
/* The change feed has been applied up to here (readyz). */
void plan_set_seq(struct plan *p, uint64_t seq);
uint64_t plan_seq(const struct plan *p);
/* Compiled profiles that some image holds. Control thread. */
size_t plan_forms(const struct plan *p);
/* Where the states of origins are: for whoever probes them. */
struct origin_table *plan_origin_table(const struct plan *p);
/* Sets of WAF rules that some image holds. Control thread. */
size_t plan_waf_sets(const struct plan *p);
bool plan_form_is_there(const struct plan *p, enum plan_form form,
                        struct sv doc);
/* Every compiled profile; and before one goes. Control thread. */
void plan_forms_each(struct plan *p, compiled_fn *fn, void *ctx);
void plan_forms_leaving(struct plan *p, compiled_fn *fn, void *ctx);
/* Images alive, with those that wait for their last exchange. Any thread. */
uint64_t plan_images(const struct plan *p);

#endif
