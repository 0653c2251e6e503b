/* /metrics: the figures of reactors, pools and counters, summed over lanes.
 * A row each; no label of these can grow with tokens, addresses or
 * applications. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/metric.h"
#include "main/server.h"

enum from { REACTOR, POOL, COUNTERS, EDGE };

static const struct row {
    const char *name, *type, *help;
    enum from from;
    size_t at;
} rows[] = {
#define R(field) REACTOR, offsetof(struct reactor_stats, field)
#define P(field) POOL, offsetof(struct http_pool_stats, field)
#define E(field) EDGE, offsetof(struct edge_stats, field)
#define C(field) COUNTERS, offsetof(struct counters_stats, field)
    { "typeauth_connections", "gauge", "Open connections, clients and origins",
      R(conns) },
    { "typeauth_accepts_total", "counter", "Connections accepted", R(accepts) },
    { "typeauth_accept_errors_total", "counter",
      "Accepts that failed, for want of descriptors most often",
      R(accept_errors) },
    { "typeauth_handed_over_total", "counter",
      "Fresh connections given to a less loaded worker", R(handed_over) },
    { "typeauth_socket_received_bytes_total", "counter",
      "Bytes read from clients and origins", R(bytes_in) },
    { "typeauth_socket_sent_bytes_total", "counter",
      "Bytes written to clients and origins", R(bytes_out) },
    { "typeauth_io_batches_total", "counter",
      "System calls (io_uring) that read or wrote for several connections",
      R(batches) },
    { "typeauth_io_blocks", "gauge", "I/O blocks of 16 KiB in use",
      R(blocks_used) },
    { "typeauth_io_blocks_refused_total", "counter",
      "Times that the block pool was at its ceiling", R(blocks_refused) },
    { "typeauth_tls_handshakes_total", "counter",
      "TLS handshakes of clients that succeeded", R(handshakes) },
    { "typeauth_tls_handshakes_resumed_total", "counter",
      "TLS handshakes of clients that began with a ticket",
      R(handshakes_resumed) },
    { "typeauth_stalled_dropped_total", "counter",
      "Connections dropped because their peers stalled while I/O blocks were "
      "scarce",
      R(stalled_dropped) },
    { "typeauth_long_turns_total", "counter",
      "Turns of workers of more than 2 ms in their own CPU time",
      R(long_turns.n) },
    { "typeauth_deadlines_total", "counter", "Deadlines that ran out",
      R(deadlines_hit) },
    { "typeauth_origin_connects_total", "counter",
      "Connections to origins begun", P(connects) },
    { "typeauth_origin_connect_failures_total", "counter",
      "Connections to origins that failed", P(connect_failures) },
    { "typeauth_origin_reused_total", "counter",
      "Requests sent on a pooled connection", P(reused) },
    { "typeauth_origin_stale_retries_total", "counter",
      "Requests sent again because a pooled connection was gone",
      P(stale_retries) },
    { "typeauth_origin_waiting", "gauge",
      "Requests that wait for an origin connection", P(waiting) },
    { "typeauth_origin_connections_idle", "gauge",
      "Idle connections to origins", P(idle) },
    { "typeauth_origin_connections_active", "gauge",
      "Connections to origins in use", P(active) },
    { "typeauth_assertions_total", "counter",
      "Requests forwarded with a signed assertion", E(asserted) },
    { "typeauth_assertion_failures_total", "counter",
      "Requests refused because no assertion could be signed",
      E(assert_failures) },
    { "typeauth_origin_retries_total", "counter",
      "Requests sent again by rule, to another origin if there is one",
      E(retries) },
    { "typeauth_origin_retries_refused_total", "counter",
      "Requests not sent again because the retry budget was spent",
      E(retries_refused) },
    { "typeauth_origins_refused_total", "counter",
      "Requests refused because no origin's breaker let them pass",
      E(breaker_refused) },
    { "typeauth_counters_log_bytes_total", "counter",
      "Bytes written to counters.log", C(log_bytes) },
    { "typeauth_counters_log_records_total", "counter",
      "Counter images written to counters.log", C(log_records) },
    { "typeauth_counters_log_errors_total", "counter",
      "Writes to counters.log that failed", C(log_errors) },
    { "typeauth_counters_checkpoints_total", "counter",
      "Checkpoints of the counters", C(checkpoints) },
    { "typeauth_counters_contended_total", "counter",
      "Takes that had to wait for another core", C(contended) },
};

static uint64_t read_at(const void *base, size_t at)
{
    const _Atomic uint64_t *p = (const void *)((const char *)base + at);
    return atomic_load_explicit(p, memory_order_relaxed);
}

static uint64_t row_value(const struct server *s, const struct row *r)
{
    uint64_t sum = 0;
    if (r->from == COUNTERS) return read_at(counters_stats(s->counters), r->at);
    for (unsigned i = 0; i < s->lanes_n; i++) {
        struct lane *l = &s->lanes[i];
        const void *base =
            r->from == REACTOR ? (const void *)reactor_stats(l->reactor)
            : r->from == EDGE
                ? (const void *)edge_stats(l->edge)
                : (const void *)http_pool_stats(edge_pool(l->edge));
        sum += read_at(base, r->at);
    }
    return sum;
}

static uint64_t longest_turn_us(const struct server *s)
{
    uint64_t longest = 0, now_ns = clock_mono_ns();
    for (unsigned i = 0; i < s->lanes_n; i++) {
        const struct reactor_stats *stats = reactor_stats(s->lanes[i].reactor);
        uint64_t ns = longest_ns(&stats->turns_cpu, now_ns);
        if (ns > longest) longest = ns;
    }
    return longest / 1000;
}

static void place_metrics(const struct server *s, struct buf *out)
{
    uint64_t lookups = 0, blind = 0;
    for (unsigned i = 0; i < s->lanes_n; i++) {
        lookups += read_at(&s->place_lanes[i].lookups, 0);
        blind += read_at(&s->place_lanes[i].blind, 0);
    }
    places_metrics(s->places, clock_wall_ms() / 1000, out);
    metric_head(out, "typeauth_place_lookups_total", "counter",
                "Requests whose client's place was asked for");
    metric_row(out, "typeauth_place_lookups_total", "", lookups);
    metric_head(out, "typeauth_place_lookups_blind_total", "counter",
                "Of these, while there were no location data");
    metric_row(out, "typeauth_place_lookups_blind_total", "", blind);
}

/* What checks let threads judge (edge/work.c), by check. */
static const struct work_row {
    const char *name, *help;
    size_t at; /* in struct work_stats */
    bool is_time;
} work_rows[] = {
#define W(field) offsetof(struct work_stats, field)
    { "typeauth_judged_total", "Requests judged by a thread", W(done), false },
    { "typeauth_judge_queue_full_total",
      "Requests not judged because the queue was full", W(refused), false },
    { "typeauth_judge_late_total", "Requests not judged in time", W(late),
      false },
    { "typeauth_judge_waited_seconds_total",
      "Time that judged requests waited for a thread", W(waited_us), true },
    { "typeauth_judge_seconds_total", "Time in which threads judged requests",
      W(ran_us), true },
#undef W
};

static uint64_t work_sum(const struct server *s, unsigned kind, size_t at)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->lanes_n; i++)
        sum += read_at(&edge_stats(s->lanes[i].edge)->works[kind], at);
    return sum;
}

static void work_metrics(const struct server *s, struct buf *out)
{
    static const char *const labels[WORK_KINDS] = {
        [WORK_OF_WAF] = "check=\"waf\"",
        [WORK_OF_SCHEMA] = "check=\"schema\"",
    };
    metric_head(out, "typeauth_judge_queued", "gauge",
                "Requests that wait for a thread that judges");
    metric_row(out, "typeauth_judge_queued", "", workers_queued(s->judges));
    for (size_t i = 0; i < ARRAY_LEN(work_rows); i++) {
        const struct work_row *r = &work_rows[i];
        metric_head(out, r->name, "counter", r->help);
        for (unsigned kind = 0; kind < WORK_KINDS; kind++)
            (r->is_time ? metric_row_us : metric_row)(
                out, r->name, labels[kind], work_sum(s, kind, r->at));
    }
}

void lanes_metrics(void *server, struct buf *out)
{
    const struct server *s = server;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metric_head(out, rows[i].name, rows[i].type, rows[i].help);
        metric_row(out, rows[i].name, "", row_value(s, &rows[i]));
    }
    keysets_metrics(s->keysets, clock_node_ms(), out);
    introspections_metrics(s->introspections, out);
    jwt_metrics(s, out);
    detection_metrics(s->detection, out);
    hooks_metrics(s->hooks, out);
    alerts_metrics(s->alerts, out);
    quota_watch_metrics(s->quotas, out);
    exports_metrics(server, out);
    place_metrics(s, out);
    origin_metrics(s, out);
    work_metrics(s, out);
    schema_metrics(s, out);
    abuse_metrics(s, out);
    monitor_metrics(s, out);
    struct tokens_stats tokens;
    tokens_stats(s->tokens, &tokens);
    metric_head(out, "typeauth_tokens", "gauge", "Tokens in memory");
    metric_row(out, "typeauth_tokens", "", tokens.live);
    metric_head(out, "typeauth_token_bytes", "gauge",
                "Memory of the token table, by part");
    metric_row(out, "typeauth_token_bytes", "part=\"records\"",
               tokens.record_bytes);
    metric_row(out, "typeauth_token_bytes", "part=\"index\"",
               tokens.index_bytes);
    metric_row(out, "typeauth_token_bytes", "part=\"attributes\"",
               tokens.cold_bytes);
    metric_head(out, "typeauth_longest_turn_seconds", "gauge",
                "Longest turn of a worker in its own CPU time, of this minute "
                "and the one before");
    metric_row_us(out, "typeauth_longest_turn_seconds", "", longest_turn_us(s));
    metric_head(out, "typeauth_counters_log_lag_seconds", "gauge",
                "Age of the last sync that held every count");
    metric_row_us(
        out, "typeauth_counters_log_lag_seconds", "",
        1000 * atomic_load_explicit(&counters_stats(s->counters)->log_lag_ms,
                                    memory_order_relaxed));
}
