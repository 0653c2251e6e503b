/* The server's settings: one table, filled from defaults, then the
 * configuration file, then the command line; docs/settings.md is printed
 * from it (typeauth settings --markdown). */
#ifndef MAIN_SETTINGS_H
#define MAIN_SETTINGS_H

#include <stdio.h>

#include "base/arena.h"
#include "base/ip.h"
#include "net/addr.h"

enum { SETTING_LIST_MAX = 64 };

struct setting_list {
    const char *items[SETTING_LIST_MAX];
    unsigned n;
};

struct settings {
    const char *data, *config, *server_key, *base_domain, *api_name,
        *assertion_issuer;
    const char *api, *gateway, *gateway_tls, *verify, *ops;
    const char *otlp_endpoint, *otlp_headers_file, *otlp_service,
        *smtp_server, *smtp_tls, *smtp_user, *smtp_password_file, *smtp_from;
    struct setting_list certificates, api_certificate, trusted_proxies,
        places, otlp_resource;
    const char *ca_file, *client_certificates, *client_ca, *egress,
        *access_log, *log_level, *client_address;
    bool insecure_api, insecure_key_urls, origin_tls_verify, monitors, io_uring;
    int64_t workers, access_log_sample, drain_ms, head_timeout_ms,
        idle_timeout_ms, write_timeout_ms, body_min_rate, head_bytes, fields,
        block_pool_bytes, inspect_memory_bytes, judge_threads, judge_queue,
        judge_late_ms, tokens_max, subjects_max, visitors_max, tracked_max,
        jwt_cache_bytes, applications_max, schema_endpoints,
        assertion_key_days, dpop_proofs_max, connect_timeout_ms,
        events_bytes, events_days, analytics_bytes, analytics_days, traces,
        trace_sample, first_byte_timeout_ms, origin_idle_ms,
        origin_conns, dns_fresh_ms, dns_stale_ms, fetch_timeout_ms,
        otlp_interval;
    struct arena arena; /* texts of the file */
};

/* Defaults, then the file named by --config in argv (if any), then argv. A
 * false return has printed what is wrong and what to do. argv is borrowed. */
bool settings_read(struct settings *s, int argc, char **argv);
/* Only the file, strictly, for `typeauth check`. */
bool settings_check_file(const char *path);
void settings_fini(struct settings *s);
void settings_usage(FILE *to);    /* option lines for --help */
void settings_markdown(FILE *to); /* docs/settings.md */

/* One key of the file or one option, without dashes. NULL or the problem. */
const char *settings_set(struct settings *s, struct sv key, struct sv value);
/* Reads "key: value" and "key: [list]" documents (YAML); problems name the
 * line. */
bool config_file_read(struct settings *s, const char *path);

#endif
