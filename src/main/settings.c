/* Every setting is a row: name, kind, place, bounds, default, help. */
#include "main/settings.h"

#include <stddef.h>
#include <string.h>

#include "base/ensure.h"

enum kind { TEXT, BOOL, NUMBER, LIST };

struct row {
    const char *name;
    enum kind kind;
    size_t at;
    int64_t min, max;
    const char *fallback, *value_name, *help;
};

#define AT(field) offsetof(struct settings, field)
#define T(name, field, fallback, value, help)              \
    {                                                      \
        name, TEXT, AT(field), 0, 0, fallback, value, help \
    }
#define B(name, field, fallback, help)                    \
    {                                                     \
        name, BOOL, AT(field), 0, 0, fallback, NULL, help \
    }
#define N(name, field, min, max, fallback, value, help)          \
    {                                                            \
        name, NUMBER, AT(field), min, max, fallback, value, help \
    }
#define L(name, field, value, help)                    \
    {                                                  \
        name, LIST, AT(field), 0, 0, NULL, value, help \
    }

static const struct row rows[] = {
    T("data", data, NULL, "DIR",
      "where everything is kept; made with mode 0700 when absent"),
    T("config", config, NULL, "FILE",
      "settings by these names, as YAML; the command line wins"),
    T("api", api, "127.0.0.1:8080", "ADDR:PORT",
      "management API, /authenticate and dashboard; port 0 picks a free one"),
    T("gateway", gateway, "0.0.0.0:8000", "ADDR:PORT",
      "the gateway, plain HTTP; 'off' for none"),
    T("gateway-tls", gateway_tls, "off", "ADDR:PORT",
      "the gateway, HTTPS; needs a certificate"),
    T("verify", verify, "off", "ADDR:PORT",
      "only /authenticate, /authenticate/batch and /healthz"),
    T("ops", ops, "off", "ADDR:PORT",
      "/metrics, /healthz and /readyz; off: on the API's listener"),
    L("certificate", certificates, "CERT,KEY[,NAME]",
      "PEM files of the HTTPS gateway, may be repeated; without NAME for the "
      "DNS names in its subjectAltName; the first one is also the default. "
      "Read again on SIGHUP"),
    T("client-certificates", client_certificates, "off", "off|ask",
      "ask: clients of the HTTPS gateway may show a certificate, which tokens "
      "may be bound to"),
    T("client-ca", client_ca, NULL, "FILE",
      "authorities (PEM) that must have issued such a certificate; none: any "
      "will do, it counts as the holder of its key"),
    L("api-certificate", api_certificate, "CERT,KEY",
      "PEM files: the API is served over HTTPS"),
    B("insecure-api", insecure_api, "no",
      "allow the API on other than loopback addresses without TLS"),
    B("insecure-key-urls", insecure_key_urls, "no",
      "allow key sets, OpenID issuers, introspection and webhooks (challenges, "
      "alerts) over plain HTTP"),
    L("trusted-proxies", trusted_proxies, "CIDR",
      "peers whose X-Forwarded-*, Forwarded and X-Request-Id are believed; "
      "may be repeated"),
    T("client-address", client_address, "X-Forwarded-For",
      "X-Forwarded-For|Forwarded",
      "the one field in which trusted proxies tell the client's address; they "
      "must write it or pass it on, the other one is not read"),
    L("places", places, "FILE",
      "location data in MaxMind's format, up to four that answer as one; "
      "default: those that `typeauth data update` puts in DATA. Picked up "
      "when they are renamed over"),
    T("base-domain", base_domain, "typeauth.localhost", "NAME",
      "made-up application domains lie under it"),
    T("api-name", api_name, "api.typeauth.localhost", "NAME",
      "the API's own host name: no application may take it"),
    T("assertion-issuer", assertion_issuer, NULL, "TEXT",
      "iss of the assertions to origins; default https:// and the API's own "
      "host name"),
    N("assertion-key-days", assertion_key_days, 0, 3650, "90", "DAYS",
      "age at which a key that signs assertions is rotated; 0: never"),
    T("server-key", server_key, NULL, "FILE",
      "the key that seals secrets; default DATA/server.key"),
    N("workers", workers, 0, 256, "0", "N",
      "reactor threads; 0: as many as this process may use cores"),
    B("io-uring", io_uring, "yes",
      "read and write for several connections in one system call, where the "
      "kernel allows it (Linux 6.1); no: a call each"),
    T("access-log", access_log, "access.log", "FILE",
      "one JSON line a request, in DATA unless absolute; '-' is standard "
      "output, 'off' none; or pushed: syslog:/dev/log, syslog+udp://HOST, "
      "syslog+tcp://HOST, http(s)://URL. A file is opened again on SIGHUP"),
    N("access-log-sample", access_log_sample, 1, 1000000, "1", "N",
      "log one in N requests that passed; refusals are always logged"),
    N("events-bytes", events_bytes, 1048576, 68719476736, "268435456", "BYTES",
      "ceiling of the events in DATA/events; the oldest go first, refusals and "
      "findings each have half"),
    N("events-days", events_days, 0, 3650, "30", "DAYS",
      "events older than this go; 0: none are kept"),
    N("analytics-days", analytics_days, 0, 3650, "30", "DAYS",
      "hours and days of analytics are kept so long, in DATA/analytics; 0: no "
      "analytics, only each application's totals"),
    N("analytics-bytes", analytics_bytes, 16777216, 17592186044416,
      "4294967296", "BYTES",
      "ceiling of their files; the oldest details (single tokens, owners, "
      "tags) of minutes and hours go first"),
    N("traces", traces, 0, 1000000, "2000", "N",
      "traces of decisions that are kept in memory, at most 900 bytes each: "
      "of refusals, and of a sample of the rest; 0: none, and checks are not "
      "timed"),
    N("trace-sample", trace_sample, 0, 1000000000, "1000", "N",
      "a trace of one in N requests that passed; 0: of none"),
    T("otlp-endpoint", otlp_endpoint, NULL, "URL",
      "OpenTelemetry collector (OTLP over HTTP, JSON) that gets metrics and "
      "traces; /v1/metrics and /v1/traces are added"),
    T("otlp-headers-file", otlp_headers_file, NULL, "FILE",
      "lines of \"Name: value\" that are sent to it, and with pushed logs"),
    N("otlp-interval", otlp_interval, 1, 3600, "60", "SECONDS",
      "between two exports of metrics"),
    T("otlp-service", otlp_service, "typeauth", "NAME", "service.name"),
    L("otlp-resource", otlp_resource, "NAME=VALUE",
      "further attributes of the resource, may be repeated"),
    T("smtp-server", smtp_server, NULL, "HOST[:PORT]",
      "mail server that alerts are sent by; its port is 587, with implicit TLS "
      "465"),
    T("smtp-tls", smtp_tls, "starttls", "starttls|implicit|off",
      "off: no password is sent then"),
    T("smtp-user", smtp_user, NULL, "NAME", "user of the mail server"),
    T("smtp-password-file", smtp_password_file, NULL, "FILE",
      "its password, the file's first line"),
    T("smtp-from", smtp_from, NULL, "ADDRESS", "whom alerts come from"),
    T("log-level", log_level, "info", "LEVEL",
      "least level of the program's own log: debug, info, warn, error"),
    T("egress", egress, "open", "open|public",
      "public: origins on loopback, private, CGNAT and ULA addresses are "
      "refused as well"),
    T("ca-file", ca_file, NULL, "FILE",
      "further certificate authorities for HTTPS origins, PEM"),
    B("origin-tls-verify", origin_tls_verify, "yes",
      "verify the certificates of HTTPS origins"),
    B("monitors", monitors, "yes",
      "ask the origins of applications how they are; no: neither asked nor "
      "recorded here"),
    N("connect-timeout-ms", connect_timeout_ms, 10, 600000, "5000", "MS",
      "to an origin, resolution and TLS included; applications may say less "
      "or more"),
    N("first-byte-timeout-ms", first_byte_timeout_ms, 10, 3600000, "60000",
      "MS", "until an origin begins its answer"),
    N("origin-idle-timeout-ms", origin_idle_ms, 100, 3600000, "60000", "MS",
      "between bytes of an origin's answer"),
    N("origin-connections", origin_conns, 1, 65535, "1024", "N",
      "at once to one origin, over all workers"),
    N("dns-fresh-ms", dns_fresh_ms, 100, 86400000, "30000", "MS",
      "age at which a resolved name is asked anew"),
    N("dns-stale-ms", dns_stale_ms, 0, 604800000, "3600000", "MS",
      "how long the last answer serves when resolution fails"),
    N("fetch-timeout-ms", fetch_timeout_ms, 100, 60000, "5000", "MS",
      "to fetch a key set or an issuer's description, all in all"),
    N("head-timeout-ms", head_timeout_ms, 100, 600000, "10000", "MS",
      "for a whole request head, from its first byte"),
    N("idle-timeout-ms", idle_timeout_ms, 100, 3600000, "75000", "MS",
      "between requests on a client's connection"),
    N("write-timeout-ms", write_timeout_ms, 100, 3600000, "60000", "MS",
      "a client that takes no bytes for so long is dropped"),
    N("body-min-rate", body_min_rate, 0, 1000000000, "240", "BYTES/S",
      "slowest request body, over 10 s; 0: any"),
    N("head-bytes", head_bytes, 1024, 16384, "16384", "BYTES",
      "largest message head"),
    N("fields", fields, 16, 100, "64", "N", "most header fields a message"),
    N("block-pool-bytes", block_pool_bytes, 1048576, 68719476736, "67108864",
      "BYTES", "ceiling of all I/O buffers, shared by the workers"),
    N("inspect-memory-bytes", inspect_memory_bytes, 1048576, 68719476736,
      "67108864", "BYTES",
      "request bodies held at a time to be judged (WAF, schema, mail); what "
      "finds no room is not judged: 503 where a profile blocks"),
    N("judge-threads", judge_threads, 0, 256, "0", "N",
      "threads that judge requests where that takes long (WAF, large bodies by "
      "a schema), made when first needed; 0: half of the CPUs"),
    N("judge-queue", judge_queue, 1, 65536, "256", "N",
      "requests that wait for such a thread; more are not judged (onFault)"),
    N("judge-late-ms", judge_late_ms, 1, 60000, "1000", "MS",
      "a request that is not judged by then counts as not judged"),
    N("tokens-max", tokens_max, 1024, 67108864, "67108864", "N",
      "address space is reserved for so many tokens"),
    N("subjects-max", subjects_max, 1024, 16777216, "65536", "N",
      "callers without a token record that can be counted at a time (subjects "
      "of JWTs), 100 bytes each; made when first needed, then of that size"),
    N("tracked-max", tracked_max, 1024, 16777216, "65536", "N",
      "tokens and subjects of JWTs that GeoSentry and anomaly detection each "
      "remember at a time: 88 and 216 bytes (1240 when it is learnt from), "
      "taken as they come. The longest idle give way"),
    N("visitors-max", visitors_max, 1024, 67108864, "1048576", "N",
      "addresses and header values that abuse profiles count at a time, 41 "
      "bytes each; made when first needed, touched as they come. Who finds no "
      "place is counted together with his network"),
    N("dpop-proofs-max", dpop_proofs_max, 1024, 268435456, "1048576", "N",
      "DPoP proofs remembered at a time, 8 bytes each: each for about a "
      "minute. More are refused with 503"),
    N("jwt-cache-bytes", jwt_cache_bytes, 0, 17179869184, "16777216", "BYTES",
      "verified JWTs that are remembered, shared by the workers; taken as "
      "tokens come. 0: each is verified every time"),
    N("applications-max", applications_max, 1, 1000000, "50", "N",
      "applications an account"),
    N("schema-endpoints", schema_endpoints, 1, 10000, "1000", "N",
      "operations that one schema profile protects; a document with more needs "
      "`endpoints`"),
    N("drain-ms", drain_ms, 0, 3600000, "30000", "MS",
      "requests in flight have so long to end after SIGTERM"),
};

static const struct row *row_find(struct sv key)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (sv_eq(sv_cstr(rows[i].name), key)) return &rows[i];
    return NULL;
}

static const char *parse_bool(struct sv v, bool *out)
{
    static const char *const yes[] = { "yes", "true", "on", "1", "" };
    static const char *const no[] = { "no", "false", "off", "0" };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (sv_eq(v, sv_cstr(yes[i]))) return *out = true, NULL;
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (sv_eq(v, sv_cstr(no[i]))) return *out = false, NULL;
    return "takes yes or no";
}

static const char *list_add(struct settings *s, struct setting_list *l,
                            struct sv v)
{
    if (l->n == SETTING_LIST_MAX) return "has too many entries (64 at most)";
    l->items[l->n++] = arena_cstr(&s->arena, v);
    return NULL;
}

const char *settings_set(struct settings *s, struct sv key, struct sv value)
{
    const struct row *r = row_find(key);
    if (!r) return "is not a setting; `typeauth serve --help` lists them";
    void *at = (char *)s + r->at;
    uint64_t n;
    switch (r->kind) {
    case TEXT:
        if (value.n == 0) return "takes a value";
        *(const char **)at = arena_cstr(&s->arena, value);
        return NULL;
    case BOOL: return parse_bool(value, at);
    case LIST: return list_add(s, at, value);
    case NUMBER:
        if (!sv_to_u64(value, (uint64_t)r->max, &n) || (int64_t)n < r->min)
            return arena_printf(&s->arena, "takes a number from %lld to %lld",
                                (long long)r->min, (long long)r->max)
                .p;
        *(int64_t *)at = (int64_t)n;
        return NULL;
    }
    return NULL;
}

static void settings_init(struct settings *s)
{
    *s = (struct settings){ 0 };
    arena_init(&s->arena, 1 << 20, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].fallback)
            ENSURE(!settings_set(s, sv_cstr(rows[i].name),
                                 sv_cstr(rows[i].fallback)));
}

void settings_fini(struct settings *s)
{
    arena_fini(&s->arena);
}

static bool option_fails(const char *option, const char *why)
{
    fprintf(stderr, "typeauth: %s %s\n", option, why);
    return false;
}

/* --name VALUE, --name=VALUE; a yes/no option may stand alone. */
static bool options_read(struct settings *s, int argc, char **argv,
                         bool config_only)
{
    for (int i = 0; i < argc; i++) {
        struct sv arg = sv_cstr(argv[i]), value;
        if (!sv_starts(arg, SV("--")))
            return option_fails(argv[i], "is not an option");
        struct sv key = sv_cut(sv_from(arg, 2), '=', &value);
        const struct row *r = row_find(key);
        if (!r)
            return option_fails(argv[i], "is not an option; "
                                         "`typeauth serve --help` lists them");
        if (!value.p) {
            bool has = i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0;
            if (!has && r->kind != BOOL)
                return option_fails(argv[i], "takes a value");
            value = has ? sv_cstr(argv[++i]) : SV("yes");
        }
        if (config_only != (r->at == AT(config))) continue;
        const char *why = settings_set(s, key, value);
        if (why) return option_fails(r->name, why);
    }
    return true;
}

bool settings_read(struct settings *s, int argc, char **argv)
{
    settings_init(s);
    if (!options_read(s, argc, argv, true)) return false;
    if (s->config && !config_file_read(s, s->config)) return false;
    /* a list of the command line replaces the file's */
    for (int i = 0; i < argc; i++) {
        struct sv rest, key = sv_cut(sv_cstr(argv[i]), '=', &rest);
        bool option = sv_starts(key, SV("--"));
        const struct row *r = option ? row_find(sv_from(key, 2)) : NULL;
        if (r && r->kind == LIST)
            ((struct setting_list *)(void *)((char *)s + r->at))->n = 0;
    }
    return options_read(s, argc, argv, false);
}

bool settings_check_file(const char *path)
{
    struct settings s;
    settings_init(&s);
    bool ok = config_file_read(&s, path);
    settings_fini(&s);
    return ok;
}

void settings_usage(FILE *to)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", r->name,
                 r->value_name ? " " : "", r->value_name ? r->value_name : "");
        fprintf(to, "  %-34s %s%s%s%s\n", left, r->help,
                r->fallback ? " [" : "", r->fallback ? r->fallback : "",
                r->fallback ? "]" : "");
    }
}

void settings_markdown(FILE *to)
{
    fprintf(to,
            "# Settings\n\n"
            "Printed by `typeauth settings --markdown`. Each is an option of\n"
            "`typeauth serve` (`--name VALUE`) and a key of the file given "
            "with\n`--config` (YAML, `name: value`).\n\n"
            "| setting | value | default | what it does |\n"
            "| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        char value[64] = "yes or no";
        if (r->kind == NUMBER)
            snprintf(value, sizeof value, "%s, %lld to %lld", r->value_name,
                     (long long)r->min, (long long)r->max);
        else if (r->value_name)
            snprintf(value, sizeof value, "%s", r->value_name);
        for (char *p = value; *p; p++)
            if (*p == '|') *p = '/';
        fprintf(to, "| `%s` | %s | %s%s%s | %s |\n", r->name, value,
                r->fallback ? "`" : "", r->fallback ? r->fallback : "",
                r->fallback ? "`" : "", r->help);
    }
}
