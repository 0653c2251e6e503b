/* The running program: everything that exists once, and one lane a reactor.
 * main/ is the only folder that knows all others; what is decided here is
 * only who is wired to whom and in which order things start and stop. */
#ifndef MAIN_SERVER_H
#define MAIN_SERVER_H

#include <pthread.h>

#include "admin/admin.h"
#include "admin/door.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "check/jwt.h"
#include "check/where.h"
#include "edge/edge.h"
#include "main/exports.h"
#include "main/mail_file.h"
#include "main/places.h"
#include "main/settings.h"
#include "reach/monitor_change.h"
#include "reach/reach.h"

/* Who listens. A row each: option, TLS, service (see listeners.c). */
enum listening { LISTEN_API, LISTEN_GATEWAY, LISTEN_GATEWAY_TLS,
                 LISTEN_VERIFY, LISTEN_OPS, LISTEN_COUNT };

enum { MACHINE_IPS_MAX = 256 };

struct server;

struct lane { /* one reactor and all that belongs to its thread */
    struct server *server;
    unsigned index;
    pthread_t thread;
    struct reactor *reactor;
    struct dns *dns;
    struct edge_reactor *edge;
    struct epoch_reader epoch;
    uint64_t long_turns_told; /* control thread */
    struct http_server *doors[LISTEN_COUNT];
};

struct server {
    struct settings set;
    int lock_fd;
    struct store *store;
    struct counters *counters;
    struct tokens *tokens;
    struct keysets *keysets;
    char *key_dir;               /* where fetched key sets are kept */
    struct reach *_Atomic reach; /* key sets may be held before it is there */
    struct reach *_Atomic monitor; /* the same of what monitors ask */
    struct monitors *monitors;   /* NULL: none (--monitors no) */
    struct workers *resolvers;   /* of names that monitors ask for */
    struct subjects *_Atomic subjects; /* the counters' thread asks for it */
    struct plan *plan;
    struct totals *totals;
    struct figures *figures; /* NULL: no analytics */
    struct journal *journal;
    struct signing *signing;
    struct replay *replay;
    struct introspections *introspections;
    struct detection *_Atomic detection; /* the counters' thread asks for it */
    struct hooks *hooks;
    struct alerts *alerts;
    struct exports exports;
    struct quota_watch *quotas;
    struct smtp_server mail_server; /* host "": none */
    char mail_password[256];
    char issuer[300];
    struct workers *workers;
    struct workers *judges; /* work of checks: the WAF */
    struct tls_client *tls_client;
    struct jwt_lane *jwt;
    struct places *places;
    struct place_lane *place_lanes;
    struct schema_lane *schema_lanes;
    struct mail_file *mail;
    struct visitors *_Atomic visitors; /* the same */
    struct check_env checks;
    struct edge *edge;
    struct admin *_Atomic admin; /* the counters' thread asks for it */
    struct control *_Atomic control; /* the detectors wake it */
    struct api_door *door, *ops_door;
    struct tls_server *_Atomic gateway_tls, *_Atomic api_tls;
    struct tls_server *told_tls[2]; /* whose ends were told; control thread */
    int64_t told_tls_ms;
    struct egress egress;
    struct listener **shared[LISTEN_COUNT]; /* arrays that listeners borrow */
    struct addr bound[LISTEN_COUNT]; /* port 0: not listening */
    struct addr own[LISTEN_COUNT];   /* the same, dense, for egress */
    struct ip machine[MACHINE_IPS_MAX];
    struct cidr trusted[SETTING_LIST_MAX];
    struct address_trust trust;
    struct lane *lanes;
    unsigned lanes_n;
    _Atomic bool stopping;
};

/* Opens the store, making account and owner key when there is none; the key
 * goes to DATA/owner.key. 0, or -1 after having said why. */
int server_store_open(struct store **out, const struct settings *set,
                      bool create);

void monitors_start(struct server *s);     /* before the store is read */
int monitor_open(struct server *s);        /* the thread that asks */
int server_state_open(struct server *s);   /* store, counters, tokens, plan */
void server_state_close(struct server *s);
int lanes_open(struct server *s);          /* reactors, listeners; no thread */
int lanes_start(struct server *s);
void lanes_stop(struct server *s);         /* drains, joins */
void lanes_close(struct server *s);

int listeners_open(struct server *s);
/* "listening api=… gateway=…" on standard output. */
void listeners_print(const struct server *s);
/* Certificates and access log anew (SIGHUP); the old ones stay on failure. */
void server_reload(struct server *s);
int server_tls_load(struct server *s);
int server_access_log(const struct server *s); /* descriptor, -1 none */
void lanes_metrics(void *server, struct buf *out);
void jwt_metrics(const struct server *s, struct buf *out);
void origin_metrics(const struct server *s, struct buf *out);
void schema_metrics(const struct server *s, struct buf *out);
void abuse_metrics(const struct server *s, struct buf *out);
void monitor_metrics(const struct server *s, struct buf *out);
/* Before the journal; its descriptor; the thread that pushes logs; its end,
 * after the reactors' and before reach's; after the journal. */
int exports_open(struct server *s);
int exports_log_fd(struct server *s);
int exports_start(struct server *s);
void exports_stop(struct server *s); /* control and reach still run */
void exports_end(struct server *s);  /* tells what was lost */
void exports_close(struct server *s);
void exports_tick(struct server *s);
void exports_metrics(struct server *s, struct buf *out);
/* For journal_conf: detections become alerts. */
void server_found(void *server, const struct incident *i);
void certificates_tick(struct server *s);
void turns_tick(struct server *s);
/* --smtp-*; 0, or -1 after having said why. */
int mail_server_read(struct server *s);
/* For monitors: a change of status becomes an alert. */
void server_monitor_changed(void *server, const struct monitor_change *c);
/* For control_conf; ctx is the server: data files, then admin_tick. */
unsigned server_tick(void *server);
/* For admin_conf; ctx is the server. */
unsigned server_data_files(void *server, struct data_file out[DATA_FILES_MAX]);

#endif
