/* What outlives a request: opened in the order in which it depends on each
 * other, filled from the store, closed in reverse. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "check/schema.h"
#include "check/tracked.h"
#include "main/data.h"
#include "main/process.h"
#include "main/server.h"

static int fails(const char *what, const char *why)
{
    fprintf(stderr, "typeauth: %s: %s\n", what, why);
    return -1;
}

static int owner_key_write(const char *dir, const char *secret)
{
    const char *path = data_path(dir, "owner.key");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fails(path, strerror(errno));
    size_t n = strlen(secret);
    bool good = write(fd, secret, n) == (ssize_t)n && write(fd, "\n", 1) == 1 &&
                fsync(fd) == 0;
    close(fd);
    return good ? 0 : fails(path, "could not be written");
}

int server_store_open(struct store **out, const struct settings *set,
                      bool create)
{
    char problem[256] = "";
    struct store_conf conf = { .dir = set->data,
                               .server_key = set->server_key,
                               .create = create };
    bool has = false;
    int err = store_open(out, &conf, problem);
    if (err) return fails(set->data, problem[0] ? problem : err_text(err));
    err = store_has_account(*out, &has);
    if (!err && !has && create) {
        struct store_owner owner;
        err = store_account_init(*out, SV("default"), SV("default"),
                                 clock_wall_ms(), &owner);
        if (!err && owner_key_write(set->data, owner.secret)) err = ERR_IO;
        mem_wipe(&owner, sizeof owner);
    }
    if (!err) return 0;
    store_close(out);
    return fails(set->data, err_text(err));
}

int server_access_log(const struct server *s)
{
    const char *to = s->set.access_log;
    if (log_push_is(to)) return -1;
    if (!strcmp(to, "off")) return -1;
    if (!strcmp(to, "-")) return dup(STDOUT_FILENO);
    const char *path = data_path(s->set.data, to);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) log_error("journal", "%s: %s", path, strerror(errno));
    return fd;
}

/* On the counters' thread, which starts before the admin. */
static void on_checkpoint(void *ctx, uint32_t slot, uint32_t tag, int64_t used,
                          uint32_t refills, uint32_t last_used_s)
{
    struct server *s = ctx;
    struct admin *a = s->admin;
    if (a) admin_checkpoint(a, slot, tag, used, refills, last_used_s);
}

/* What is held before the thread is there is due when it starts. */
static void wake_reach(void *ctx)
{
    struct server *s = ctx;
    struct reach *r = s->reach;
    if (r) reach_wake(r);
}

static void on_second(void *ctx)
{
    struct server *s = ctx;
    struct subjects *subjects = s->subjects;
    if (subjects) subjects_sync(subjects);
    struct visitors *visitors = s->visitors;
    if (visitors) visitors_settle(visitors);
    struct detection *detection = s->detection;
    if (detection) detection_settle(detection);
}

static int subjects_start(struct server *s)
{
    char problem[256];
    struct subjects *subjects;
    struct subjects_conf conf = { .dir = s->set.data,
                                  .max = (uint32_t)s->set.subjects_max,
                                  .counters = s->counters,
                                  .tokens = s->tokens };
    if (subjects_open(&subjects, &conf, problem))
        return fails("subjects", problem);
    s->subjects = subjects;
    return 0;
}

/* What is held waits for the control thread to write it. */
static void wake_control(void *ctx)
{
    struct server *s = ctx;
    struct control *c = s->control;
    if (c) control_wake(c);
}

static void detection_start(struct server *s)
{
    const struct detection_conf conf = {
        .subjects = (uint32_t)s->set.tracked_max,
        .travel_bytes = sizeof(struct travel_state),
        .anomaly_bytes = sizeof(struct anomaly_state),
        .learnt_bytes = sizeof(struct anomaly_learnt),
        .holds = { wake_control, s },
    };
    struct detection *detection;
    detection_new(&detection, &conf);
    s->detection = detection;
    const struct hooks_conf hooks = { wake_reach, wake_control, s };
    hooks_new(&s->hooks, &hooks);
    const struct alerts_conf alerts = { wake_reach, wake_control, s };
    alerts_new(&s->alerts, &alerts);
    quota_watch_new(&s->quotas);
}

static int live_open(struct server *s)
{
    char problem[256] = "";
    struct counters_conf counters = { .dir = s->set.data,
                                      .durable = true,
                                      .on_checkpoint = on_checkpoint,
                                      .on_second = on_second,
                                      .ctx = s };
    struct tokens_conf tokens = { .max = (uint32_t)s->set.tokens_max,
                                  .dir = s->set.data };
    if (counters_open(&s->counters, &counters, problem))
        return fails("counters", problem);
    clock_node_start(counters_high_water_ms(s->counters));
    tokens.counters = s->counters;
    if (tokens_new(&s->tokens, &tokens)) return fails("tokens", "no memory");
    if (subjects_start(s)) return -1;
    detection_start(s);
    struct visitors *visitors;
    visitors_new(&visitors, (uint32_t)s->set.visitors_max);
    s->visitors = visitors;
    struct keysets_conf keys = { .lanes = s->lanes_n,
                                 .wake = wake_reach,
                                 .ctx = s };
    return keysets_new(&s->keysets, &keys);
}

#ifdef TEST_HOOKS
/* While the named file is there, changes of tokens do not get in force. */
static int publish_fault(void *ctx)
{
    const char *path = getenv("TYPEAUTH_TEST_PUBLISH_FAULT");
    (void)ctx;
    return path && access(path, F_OK) == 0 ? ERR_IO : 0;
}
#endif

static int data_open(struct server *s)
{
    const struct places_conf places = { .dir = s->set.data,
                                        .files = s->set.places.items,
                                        .files_n = s->set.places.n };
    if (places_open(&s->places, &places))
        return fails("--places", "names more than four files");
    s->place_lanes = place_lanes_new(s->lanes_n);
    s->schema_lanes = schema_lanes_new(s->lanes_n);
    mail_file_open(&s->mail, data_path(s->set.data, DATA_MAIL_FILE));
    return 0;
}

static int counts_open(struct server *s)
{
    char problem[256] = "";
    if (totals_open(&s->totals, data_path(s->set.data, "totals"), s->lanes_n,
                    problem))
        return fails("totals", problem);
    if (!s->set.analytics_days) return 0;
    const struct figures_conf figures = {
        .dir = data_path(s->set.data, "analytics"),
        .lanes = s->lanes_n,
        .tokens = s->tokens,
        .bytes_max = (uint64_t)s->set.analytics_bytes,
        .days = s->set.analytics_days,
        .wall_ms = clock_wall_ms,
    };
    figures_new(&s->figures, &figures);
    return 0;
}

int server_state_open(struct server *s)
{
    char problem[256] = "";
    if (server_store_open(&s->store, &s->set, true)) return -1;
    if (live_open(s) || data_open(s)) return -1;
    if (counts_open(s)) return -1;
    if (plan_new(&s->plan, s->lanes_n)) return fails("plan", "no memory");
    monitors_start(s);
    if (exports_open(s) || mail_server_read(s)) return -1;
    struct journal_conf journal = {
        .reactors = s->lanes_n,
        .access_fd = s->exports.log ? exports_log_fd(s) : server_access_log(s),
        .sample = (unsigned)s->set.access_log_sample,
        .totals = s->totals,
        .figures = s->figures,
        .traces_max = (unsigned)s->set.traces,
        .incidents_bytes = (uint64_t)s->set.events_bytes,
        .incidents_age_ms = s->set.events_days * 86400000ll,
        .found = server_found,
        .found_ctx = s,
    };
    if (s->set.events_days) /* data_path has one place for its text */
        journal.incidents_dir = data_path(s->set.data, "events");
    if (journal_new(&s->journal, &journal)) return fails("journal", "failed");
    signing_new(&s->signing, s->lanes_n);
    struct sv api_name = sv_cstr(s->set.api_name);
    struct admin_conf admin = {
        .store = s->store,
        .tokens = s->tokens,
        .counters = s->counters,
        .subjects = s->subjects,
        .detection = s->detection,
        .visitors = s->visitors,
        .mail = mail_file_root(s->mail),
        .hooks = s->hooks,
        .alerts = s->alerts,
        .quotas = s->quotas,
        .sends_mail = s->mail_server.host.n > 0,
        .plan = s->plan,
        .keysets = s->keysets,
        .monitors = s->monitors,
        .insecure_key_urls = s->set.insecure_key_urls,
        .journal = s->journal,
        .totals = s->totals,
        .figures = s->figures,
        .base_domain = sv_cstr(s->set.base_domain),
        .api_names = &api_name,
        .api_names_n = 1,
        .applications_max = (unsigned)s->set.applications_max,
        .schema_endpoints_max = (unsigned)s->set.schema_endpoints,
        .signing = s->signing,
        .assertion_key_days = (unsigned)s->set.assertion_key_days,
        .version = SV(TYPEAUTH_VERSION),
        .places = places_root(s->places),
        .data_files = server_data_files,
        .ctx = s,
    };
#ifdef TEST_HOOKS
    admin.publish_fault = publish_fault;
#endif
    struct admin *a;
    if (admin_new(&a, &admin)) return fails("admin", "failed");
    s->admin = a;
    if (admin_load(a, problem)) return fails(s->set.data, problem);
    malloc_trim(0); /* once: what loading and the growing index left */
    const struct jwt_check_conf jwt = { .reactors = s->lanes_n,
                                        .cache_bytes =
                                            (size_t)s->set.jwt_cache_bytes };
    s->jwt = jwt_lanes_new(&jwt);
    introspections_new(&s->introspections, &(struct introspections_conf){
                                               .wake = wake_reach, .ctx = s });
    s->replay = replay_new((uint32_t)s->set.dpop_proofs_max);
    s->checks = (struct check_env){ .tokens = s->tokens,
                                    .counters = s->counters,
                                    .plan = s->plan,
                                    .wall_ms = clock_wall_ms,
                                    .node_ms = clock_node_ms,
                                    .keysets = s->keysets,
                                    .subjects = s->subjects,
                                    .jwt = s->jwt,
                                    .replay = s->replay,
                                    .introspections = s->introspections,
                                    .detection = s->detection,
                                    .places = places_root(s->places),
                                    .place_lanes = s->place_lanes,
                                    .schema_lanes = s->schema_lanes,
                                    .visitors = s->visitors,
                                    .mail = mail_file_root(s->mail),
                                    .quotas = s->quotas };
    return 0;
}

unsigned server_tick(void *ctx)
{
    struct server *s = ctx;
    places_tick(s->places, clock_mono_ns());
    mail_file_tick(s->mail, clock_mono_ns());
    certificates_tick(s);
    exports_tick(s);
    turns_tick(s);
    return admin_tick(s->admin);
}

void server_state_close(struct server *s)
{
    struct admin *a = s->admin;
    if (s->counters) counters_close(&s->counters); /* its thread asks admin */
    s->admin = NULL;
    if (a) admin_free(&a);
    exports_end(s);
    if (s->journal) journal_free(&s->journal);
    exports_close(s);
    figures_free(&s->figures);
    totals_close(&s->totals);
    monitors_free(&s->monitors); /* holds states of the plan's origins */
    if (s->plan) plan_free(&s->plan);
    struct subjects *subjects = s->subjects;
    s->subjects = NULL;
    if (subjects) subjects_close(&subjects);
    if (s->jwt) jwt_lanes_free(&s->jwt, s->lanes_n);
    place_lanes_free(&s->place_lanes, s->lanes_n);
    schema_lanes_free(&s->schema_lanes, s->lanes_n);
    places_close(&s->places);
    mail_file_close(&s->mail);
    struct visitors *visitors = s->visitors;
    s->visitors = NULL;
    if (visitors) visitors_free(&visitors);
    replay_free(&s->replay);
    introspections_free(&s->introspections);
    struct detection *detection = s->detection;
    s->detection = NULL;
    if (detection) detection_free(&detection);
    hooks_free(&s->hooks);
    alerts_free(&s->alerts);
    quota_watch_free(&s->quotas);
    mem_wipe(s->mail_password, sizeof s->mail_password);
    if (s->tokens) tokens_free(&s->tokens);
    if (s->signing) signing_free(&s->signing);
    if (s->store) store_close(&s->store);
    while (epoch_reclaim()) /* no reader is left */
        ;
    if (s->keysets) keysets_free(&s->keysets);
}
