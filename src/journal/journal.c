/* One event an exchange, spread over what is counted and what is told. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/journal_int.h"

int journal_new(struct journal **out, const struct journal_conf *conf)
{
    ENSURE(conf->reactors > 0);
    struct journal *j =
        mem_aligned(64, sizeof *j + conf->reactors * sizeof j->lanes[0]);
    j->reactors = conf->reactors;
    j->sample = conf->sample;
    pthread_mutex_init(&j->owners_lock, NULL);
    log_sink_init(&j->sink, conf->access_fd);
    for (unsigned i = 0; i < j->reactors; i++) {
        access_log_init(&j->lanes[i].log);
        use_init(&j->lanes[i].use);
        sieve_init(&j->lanes[i].sieve);
        trace_lane_init(&j->lanes[i].trace);
    }
    sieve_init(&j->elsewhere);
    pthread_mutex_init(&j->elsewhere_lock, NULL);
    pthread_mutex_init(&j->traces.lock, NULL);
    j->traces.max = conf->traces_max;
    j->totals = conf->totals;
    j->figures = conf->figures;
    if (conf->incidents_dir) recorder_new(&j->recorder, j, conf);
    *out = j;
    return 0;
}

uint64_t journal_access_end(struct journal *j, unsigned wait_ms)
{
    uint64_t end_ns = clock_mono_ns() + wait_ms * 1000000ull, lost = 0;
    journal_log_stop(j);
    for (unsigned i = 0; i < j->reactors; i++)
        lost += access_log_end(&j->lanes[i].log, &j->sink, end_ns);
    log_sink_set(&j->sink, -1);
    if (lost)
        log_warn("journal", "access log: %llu lines were lost at the end",
                 (unsigned long long)lost);
    return lost;
}

void journal_free(struct journal **at)
{
    struct journal *j = *at;
    if (!j) return;
    journal_access_end(j, 0);
    journal_recorder_stop(j);
    recorder_free(&j->recorder);
    for (unsigned i = 0; i < j->reactors; i++) {
        access_log_fini(&j->lanes[i].log);
        use_fini(&j->lanes[i].use);
        sieve_fini(&j->lanes[i].sieve);
        trace_lane_fini(&j->lanes[i].trace);
    }
    sieve_fini(&j->elsewhere);
    pthread_mutex_destroy(&j->elsewhere_lock);
    trace_keep_fini(&j->traces);
    pthread_mutex_destroy(&j->owners_lock);
    log_sink_fini(&j->sink);
    mem_free(j);
    *at = NULL;
}

/* Passed and limited ride in the token's own counter line. */
static bool is_use(const struct event *e)
{
    return e->token_id && e->outcome != OUTCOME_PASSED &&
           e->outcome != OUTCOME_LIMITED;
}

_Static_assert((int)OUTCOME_COUNT <= (int)TOTALS_OUTCOMES &&
                   OUTCOME_COUNT <= 16,
               "outcomes have room in totals and in facts");

static void sum_up(struct totals *t, unsigned r, const struct event *e)
{
    const struct totals_event one = { .num = e->counted.app_num,
                                      .door = e->door,
                                      .outcome = (uint8_t)e->outcome,
                                      .bytes_in = e->bytes_in,
                                      .bytes_out = e->bytes_out,
                                      .cost = e->counted.cost };
    totals_add(t, r, &one);
}

static void sample(struct figures *f, unsigned r, const struct event *e)
{
    struct figure_sample s = { .app = e->counted.app,
                               .account = e->counted.account,
                               .bytes_in = e->bytes_in,
                               .bytes_out = e->bytes_out,
                               .at_s = e->end_s,
                               .total_us = e->total_us,
                               .token_slot = e->token_slot,
                               .cost = e->counted.cost,
                               .route = e->counted.route,
                               .status = (uint16_t)e->status,
                               .country = { e->counted.country[0],
                                            e->counted.country[1] },
                               .outcome = (uint8_t)e->outcome,
                               .door = e->door };
    if (e->token_id)
        memcpy(s.token, e->token_id, sizeof s.token);
    else
        s.token_slot = UINT32_MAX;
    figures_add(f, r, &s);
}

void journal_event(struct journal *j, unsigned r, const struct event *e)
{
    ENSURE(r < j->reactors && e->door < EVENT_DOORS &&
           e->outcome < OUTCOME_COUNT);
    struct lane *l = &j->lanes[r];
    unsigned class_of = e->status / 100 < STATUS_CLASSES ? e->status / 100 : 0;
    counter_add(&l->exchanges[e->door][e->outcome], 1);
    counter_add(&l->statuses[e->door][class_of], 1);
    counter_add(&l->bytes_in[e->door], e->bytes_in);
    counter_add(&l->bytes_out[e->door], e->bytes_out);
    histogram_add(&l->total[e->door], e->total_us);
    if (e->origin_us) histogram_add(&l->origin, e->origin_us);
    if (is_use(e)) use_add(&l->use, e);
    if (e->outcome == OUTCOME_PASSED && e->code[0])
        counter_add(&l->unjudged[e->door], 1);
    access_log_add(&l->log, &j->sink, e, j->sample);
    if (e->more && j->recorder) journal_incident_of(j, r, e);
    if (j->totals && e->door < TOTALS_DOORS) sum_up(j->totals, r, e);
    if (j->figures && e->counted.app) sample(j->figures, r, e);
    if (e->trace && j->traces.max) trace_add(&l->trace, e);
}

uint32_t journal_turn(struct journal *j, unsigned r, uint64_t now_ms)
{
    struct lane *l = &j->lanes[r];
    uint32_t log_ms = access_log_turn(&l->log, &j->sink, now_ms);
    if (!sieve_turn(&l->sieve, now_ms / 1000)) return log_ms;
    uint32_t sum_ms = 1000 - (uint32_t)(now_ms % 1000);
    return log_ms && log_ms < sum_ms ? log_ms : sum_ms;
}

void journal_access_fd(struct journal *j, int fd)
{
    log_sink_set(&j->sink, fd);
}

void journal_use_drain(struct journal *j, journal_use_fn *fn, void *ctx)
{
    for (unsigned i = 0; i < j->reactors; i++)
        use_drain(&j->lanes[i].use, fn, ctx);
}
