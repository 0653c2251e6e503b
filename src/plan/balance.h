/* Where a request goes among an application's origins. Pure but for the states
 * that it reads (live/origin.h); no allocation, no lock.
 *
 *   all ─ those whose header the request has, else those with a weight
 *       ─ without those tried already ─ without ejected and ill ones
 *       ─ one by weight, load or key ─ its breaker admits it, or the next
 *
 * Weights are followed by a golden-ratio sequence: the n-th request goes where
 * frac(n x 0.618…) falls on a line cut in parts by weight. Any run of requests
 * is shared out within a few of the exact shares, and the gaps between two of
 * the same origin take three lengths at most (Sos 1958): no bursts, no state
 * but n, and whoever is out leaves no hole (decision 0042). Keys go by
 * weighted rendezvous hashing (Thaler, Ravishankar 1998): an origin that leaves
 * moves its own keys and no other. */
#ifndef PLAN_BALANCE_H
#define PLAN_BALANCE_H

#include "codec/http.h"
#include "live/origin_table.h"

struct plan;
struct plan_app;
struct plan_origin;

struct plan_balance {
    const struct upstream *rules; /* of the application */
    struct plan_origin *origins;  /* the n that the rules name, or the one */
    struct origin_state **states;
    struct origin_place *places;  /* whose states these are */
    uint64_t *seeds;              /* of their places, for keys */
    unsigned n;                   /* 0: routes name all hosts */
    uint32_t weighted;            /* bits: has a weight */
    bool headers;                 /* some are asked for by a field */
    bool monitored;               /* the monitor says which are ill */
    bool retries;                 /* of the application or of a route */
    struct retry_budget *budget;  /* NULL: no retries */
};

/* NULL in *out: there is nothing to choose, judge or repeat. */
int plan_balance_build(struct plan *p, struct plan_app *a);
void plan_balance_drop(struct plan *p, struct plan_app *a);

struct balance_ask {
    const struct http_head *head;
    uint64_t turn;           /* the reactor's count of choices */
    uint64_t key;            /* who asks, hashed: balance_key */
    uint32_t tried;          /* bits: where it failed */
    uint64_t now_ms;
};
/* The index of an origin that has taken the request (origin_admit), with
 * *pass. -1: the breakers refuse it everywhere. */
int balance_take(const struct plan_balance *b, const struct balance_ask *ask,
                 struct origin_pass *pass);
uint64_t balance_key(struct sv who);

/* --- the three ways, alone: for balance_take and for tests ------------------------ */
struct balance_line {
    const uint16_t *weights;
    unsigned n;
    uint32_t among;          /* bits; not empty */
};
unsigned balance_by_weight(const struct balance_line *l, uint64_t turn);
unsigned balance_by_load(const struct balance_line *l, const uint32_t *pending,
                         uint64_t turn);
unsigned balance_by_key(const struct balance_line *l, const uint64_t *seeds,
                        uint64_t key);

#endif
