/* One lane a reactor: its thread, its names, its pools, its listeners. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/process.h"
#include "main/server.h"

enum { JUDGES_NICE = 10 };

static void on_turn(void *ctx)
{
    struct lane *l = ctx;
    edge_turn(l->edge);
    epoch_turn(&l->epoch);
}

static void on_sleep(void *ctx)
{
    struct lane *l = ctx;
    epoch_sleep(&l->epoch);
}

static void on_wake(void *ctx)
{
    struct lane *l = ctx;
    epoch_wake(&l->epoch);
}

static int lane_open(struct server *s, unsigned index)
{
    struct lane *l = &s->lanes[index];
    const struct settings *set = &s->set;
    *l = (struct lane){ .server = s, .index = index };
    struct reactor_conf reactor = {
        .index = index,
        .blocks_bytes = (size_t)set->block_pool_bytes / s->lanes_n,
        .max_conns = (process_descriptors() - 64) / s->lanes_n,
        .single_calls = !set->io_uring,
        .on_turn = on_turn,
        .on_sleep = on_sleep,
        .on_wake = on_wake,
        .ctx = l,
    };
    int err = reactor_new(&l->reactor, &reactor);
    struct dns_conf dns = {
        .reactor = l->reactor,
        .workers = s->workers,
        .fresh_ms = (uint32_t)set->dns_fresh_ms,
        .stale_ms = (uint32_t)set->dns_stale_ms,
        .max_names = 4096,
#ifdef TEST_HOOKS
        .test_hosts_file = getenv("TYPEAUTH_TEST_HOSTS"),
#endif
    };
    if (!err) err = dns_new(&l->dns, &dns);
    if (!err) err = edge_reactor_new(&l->edge, s->edge, l->reactor, l->dns);
    epoch_join(&l->epoch);
    if (err) fprintf(stderr, "typeauth: worker: %s\n", err_text(err));
    return err;
}

static bool is_of_account(void *ctx, struct sv secret, struct sv account_id)
{
    struct server *s = ctx;
    char text[600];
    struct caller who;
    int n = snprintf(text, sizeof text, "Bearer %.*s", SV_FMT(secret));
    if (n < 0 || (size_t)n >= sizeof text) return false;
    bool known = admin_caller(s->admin, sv_of(text, (size_t)n),
                              s->checks.wall_ms(), &who) &&
                 sv_eq(id_sv(&who.account_id), account_id);
    mem_wipe(text, sizeof text);
    return known;
}

static int shared_open(struct server *s)
{
    char problem[256] = "";
    const struct settings *set = &s->set;
    if (set->assertion_issuer)
        snprintf(s->issuer, sizeof s->issuer, "%s", set->assertion_issuer);
    else
        snprintf(s->issuer, sizeof s->issuer, "https://%s", set->api_name);
    if (workers_new(&s->workers, 4, 1024)) return -1;
    /* half of the cores at most, behind all that serves: a flood of requests
     * for the WAF slows down itself */
    unsigned judges = set->judge_threads ? (unsigned)set->judge_threads
                                         : (process_cpus() + 1) / 2;
    workers_new_background(&s->judges, judges, (unsigned)set->judge_queue,
                           JUDGES_NICE);
    if (tls_client_new(&s->tls_client, set->ca_file, problem)) {
        fprintf(stderr, "typeauth: --ca-file: %s\n", problem);
        return -1;
    }
    struct edge_conf edge = {
        .checks = &s->checks,
        .journal = s->journal,
        .workers = s->workers,
        .judges = s->judges,
        .work_late_ms = (uint32_t)set->judge_late_ms,
        .tls = s->tls_client,
        .egress = &s->egress,
        .trust = s->trust,
        .keys = { is_of_account, s },
        .connect_ms = (uint32_t)set->connect_timeout_ms,
        .first_byte_ms = (uint32_t)set->first_byte_timeout_ms,
        .idle_ms = (uint32_t)set->origin_idle_ms,
        .origin_conns = (uint32_t)set->origin_conns,
        .bodies_max = (size_t)set->inspect_memory_bytes,
        .signing = s->signing,
        .issuer = sv_cstr(s->issuer),
        .origins_unverified = !set->origin_tls_verify,
        .traces = set->traces > 0,
        .trace_sample = (uint32_t)set->trace_sample,
        .spans = pusher_has(s->exports.pusher, PUSH_TRACES),
        .reactors = s->lanes_n,
    };
    metrics_add(s->journal, lanes_metrics, s);
    return edge_new(&s->edge, &edge);
}

static int reach_open(struct server *s)
{
    const struct settings *set = &s->set;
    const char *key_dir = data_path(set->data, "keysets");
    if (mkdir(key_dir, 0700) && errno != EEXIST) {
        fprintf(stderr, "typeauth: %s: %s\n", key_dir, strerror(errno));
        return -1;
    }
    s->key_dir = mem_dup_sv(sv_cstr(key_dir));
    struct reach_conf conf = {
        .name = "reach",
        .introspections = s->introspections,
        .hooks = s->hooks,
        .alerts = s->alerts,
        .pusher = s->exports.pusher,
        .mail_server = s->mail_server.host.n ? &s->mail_server : NULL,
        .sets = s->keysets,
        .workers = s->workers,
        .tls = s->tls_client,
        .egress = &s->egress,
        .node_ms = clock_node_ms,
        .wall_ms = clock_wall_ms,
        .key_dir = s->key_dir,
        .allow_plain = set->insecure_key_urls,
        .timeout_ms = (uint32_t)set->fetch_timeout_ms,
        .lanes = s->lanes_n,
        .dns_fresh_ms = (uint32_t)set->dns_fresh_ms,
        .dns_stale_ms = (uint32_t)set->dns_stale_ms,
#ifdef TEST_HOOKS
        .test_hosts_file = getenv("TYPEAUTH_TEST_HOSTS"),
#endif
    };
    struct reach *r;
    int err = reach_new(&r, &conf);
    s->reach = r;
    if (err) fprintf(stderr, "typeauth: reach: %s\n", err_text(err));
    return err;
}

static int doors_open(struct server *s)
{
    struct control_conf control = { .queue_max = 1024,
                                    .tick = server_tick,
                                    .ctx = s };
    struct control *started;
    if (control_start(&started, &control)) return -1;
    s->control = started;
    struct door_conf door = {
        .control = s->control,
        .serve = admin_serve,
        .body_max = admin_body_max,
        .ready = admin_ready,
        .ctx = s->admin,
        .journal = s->journal,
        .trust = s->trust,
        .ops_open = sv_starts(sv_cstr(s->set.api), SV("127.")) ||
                    sv_starts(sv_cstr(s->set.api), SV("[::1]")),
    };
    if (door_new(&s->door, &door)) return -1;
    door.ops_open = sv_starts(sv_cstr(s->set.ops), SV("127.")) ||
                    sv_starts(sv_cstr(s->set.ops), SV("[::1]"));
    return door_new(&s->ops_door, &door);
}

int lanes_open(struct server *s)
{
    if (server_tls_load(s) || shared_open(s)) return -1;
    s->lanes = mem_aligned(64, s->lanes_n * sizeof *s->lanes);
    for (unsigned i = 0; i < s->lanes_n; i++)
        if (lane_open(s, i)) return -1;
    if (reach_open(s) || monitor_open(s) || doors_open(s)) return -1;
    return listeners_open(s);
}

static void *lane_main(void *arg)
{
    struct lane *l = arg;
    epoch_wake(&l->epoch);
    reactor_run(l->reactor);
    epoch_sleep(&l->epoch);
    return NULL;
}

int lanes_start(struct server *s)
{
    if (journal_log_start(s->journal)) return -1;
    for (unsigned i = 0; i < s->lanes_n; i++) {
        struct lane *l = &s->lanes[i];
        if (pthread_create(&l->thread, NULL, lane_main, l)) return -1;
        pthread_setname_np(l->thread, "reactor"); /* as top -H shows it */
    }
    if (journal_recorder_start(s->journal) || figures_start(s->figures) ||
        exports_start(s))
        return -1;
    return reach_start(s->reach) ? -1 : reach_start(s->monitor);
}

void lanes_stop(struct server *s)
{
    for (unsigned i = 0; i < s->lanes_n; i++)
        reactor_stop(s->lanes[i].reactor, (unsigned)s->set.drain_ms);
    for (unsigned i = 0; i < s->lanes_n; i++)
        pthread_join(s->lanes[i].thread, NULL);
    reach_stop(s->monitor);
    exports_stop(s);      /* the last lines of the log go by reach */
    reach_stop(s->reach); /* requests that drained may have waited for it */
}

static void lane_close(struct lane *l)
{
    for (unsigned i = 0; i < LISTEN_COUNT; i++)
        if (l->doors[i]) http_server_free(&l->doors[i]);
    if (l->dns) dns_free(&l->dns); /* before the pools that ask it */
    if (l->edge) edge_reactor_free(&l->edge);
    if (l->reactor) reactor_free(&l->reactor);
    epoch_leave(&l->epoch);
}

void lanes_close(struct server *s)
{
    /* the control thread mails answers to reactors: it ends first */
    struct control *control = s->control;
    s->control = NULL; /* no reactor is left that would wake it */
    if (control) control_stop(&control);
    if (s->admin) admin_release(s->admin); /* calls that wait for receivers */
    if (s->workers) workers_free(&s->workers);
    if (s->judges) workers_free(&s->judges);
    if (s->resolvers) workers_free(&s->resolvers);
    struct reach *reach = s->reach, *monitor = s->monitor;
    s->reach = s->monitor = NULL; /* nobody is left who would wake them */
    reach_free(&reach);
    reach_free(&monitor);
    mem_free(s->key_dir);
    for (unsigned i = 0; s->lanes && i < s->lanes_n; i++)
        if (s->lanes[i].server) lane_close(&s->lanes[i]);
    for (unsigned i = 0; i < LISTEN_COUNT; i++) mem_free(s->shared[i]);
    if (s->door) door_free(&s->door);
    if (s->ops_door) door_free(&s->ops_door);
    if (s->edge) edge_free(&s->edge);
    if (s->tls_client) tls_client_free(&s->tls_client);
    if (s->gateway_tls) tls_server_put(s->gateway_tls);
    if (s->api_tls) tls_server_put(s->api_tls);
    mem_free(s->lanes);
    s->lanes = NULL;
}
