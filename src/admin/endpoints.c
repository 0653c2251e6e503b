/* The table. Order settles which row a path belongs to when two would fit:
 * literal words before variables. */
#include "admin/endpoint.h"

#include "admin/nouns.h"
#include "base/ensure.h"

/* --- what answers hold --------------------------------------------- */

#define OURS(text, type, say)                                               \
    {                                                                       \
        .name = text, .types = type, .flags = SHAPE_READ_ONLY, .about = say \
    }
#define LIST_OF(text, what, say)                                        \
    {                                                                   \
        .name = text, .types = SHAPE_OBJECTS, .flags = SHAPE_READ_ONLY, \
        .fields = what, .about = say                                    \
    }
#define TIME(text, say)                                                \
    {                                                                  \
        .name = text, .types = SHAPE_STRING, .flags = SHAPE_READ_ONLY, \
        .format = "date-time", .about = say                            \
    }

static const struct shape_field token_more[] = {
    OURS("id", SHAPE_STRING, "Id."),
    OURS("applicationId", SHAPE_STRING, "Its application."),
    OURS("token", SHAPE_STRING, "The secret: only when it was just made."),
    OURS("prefix", SHAPE_STRING, "What it begins with."),
    OURS("start", SHAPE_STRING, "Prefix and first four characters."),
    TIME("expiresAt", "When it ends."),
    TIME("revokedAt", "When it was revoked."),
    TIME("lastUsedAt", "When it was last used."),
    OURS("effective", SHAPE_MAP, "What holds: own values over the profile's."),
    TIME("createdAt", "When it was created."),
    TIME("updatedAt", "When it was last changed."),
    { 0 },
};
static const struct shape_field use_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the token."),
    OURS("passed", SHAPE_INTEGER, "Requests let through."),
    OURS("limited", SHAPE_INTEGER, "Requests refused by a limit or quota."),
    TIME("lastUsedAt", "When it was last used."),
    OURS("used", SHAPE_INTEGER, "Quota used."),
    OURS("remaining", SHAPE_INTEGER, "What remains of the quota."),
    OURS("figures", SHAPE_MAP,
         "Of the days: requests, bytes_in, bytes_out, cost, p50_us, p95_us, "
         "p99_us."),
    { 0 },
};
static const struct shape_field key_more[] = {
    OURS("key", SHAPE_STRING, "The secret: only when it was just made."),
    { 0 },
};
static const struct shape_field tag_more[] = {
    OURS("usage", SHAPE_MAP, "Applications and tokens that bear it."),
    { 0 },
};
static const struct shape_field audit_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the entry."),
    OURS("key_id", SHAPE_STRING, "Management key that did it."),
    OURS("action", SHAPE_STRING, "What: \"token.create\"."),
    OURS("object_id", SHAPE_STRING, "To what."),
    OURS("from", SHAPE_STRING, "Address it came from."),
    OURS("before", SHAPE_MAP, "The object before, without secrets."),
    OURS("after", SHAPE_MAP, "The object after."),
    TIME("createdAt", "When."),
    TIME("updatedAt", "The same."),
    { 0 },
};
static const struct shape_field challenge_fields[] = {
    OURS("id", SHAPE_STRING, "Id."),
    OURS("status", SHAPE_STRING, "open; verified or denied when just decided."),
    OURS("detector", SHAPE_STRING, "geoSentry or anomalyDetection."),
    OURS("action", SHAPE_STRING, "challenge or block."),
    OURS("denied", SHAPE_BOOLEAN, "Blocked by hand."),
    OURS("application_id", SHAPE_STRING, "Where."),
    OURS("token_id", SHAPE_STRING, "Who; empty: a subject."),
    OURS("subject", SHAPE_STRING, "Subject of JWTs; empty: a token."),
    OURS("evidence", SHAPE_MAP, "Why."),
    TIME("expiresAt", "When it ends by itself; null: when it is cleared."),
    TIME("createdAt", "When it was opened."),
    TIME("updatedAt", "When it was decided."),
    { 0 },
};
static const struct shape_field pattern_fields[] = {
    OURS("pattern", SHAPE_STRING, "requestVolume, errorRate …"),
    OURS("stands", SHAPE_STRING, "allow, monitor, alert, challenge, block."),
    TIME("until", "When that ends; null: nothing stands."),
    OURS("learntFrom", SHAPE_INTEGER, "Windows behind the baseline."),
    OURS("requests", SHAPE_INTEGER, "In the present window."),
    { 0 },
};
static const struct shape_field detection_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the token or application."),
    OURS("subject", SHAPE_STRING, "The subject that was asked for."),
    OURS("places", SHAPE_LIST,
         "Places that GeoSentry keeps of a token: latitude, longitude, "
         "radiusKm, country, verified, at."),
    LIST_OF("patterns", pattern_fields,
            "What is learnt and stands of each pattern."),
    LIST_OF("held", challenge_fields, "Open challenges and blocks."),
    { 0 },
};
static const struct shape_field finding_fields[] = {
    OURS("code", SHAPE_STRING, "What: \"geo_blocked\"."),
    OURS("action", SHAPE_STRING,
         "allow, monitor, alert, challenge or block: what it asks for."),
    OURS("enforced", SHAPE_BOOLEAN, "And that this was done."),
    OURS("evidence", SHAPE_MAP, "Why."),
    { 0 },
};
static const struct shape_field event_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the event."),
    OURS("application_id", SHAPE_STRING, "Whose request it was."),
    OURS("token_id", SHAPE_STRING, "Token of the request, if one was known."),
    OURS("subject", SHAPE_STRING, "Subject of its JWT, or of a finding."),
    OURS("owner", SHAPE_STRING, "Owner of the token."),
    OURS("door", SHAPE_STRING, "proxy or verify."),
    OURS("outcome", SHAPE_STRING, "How the request ended: \"limited\"."),
    OURS("code", SHAPE_STRING, "Why it was refused: \"rate_limited\"."),
    OURS("enforced", SHAPE_BOOLEAN, "Refused, or only observed?"),
    OURS("ip", SHAPE_STRING, "Client's address."),
    OURS("request_id", SHAPE_STRING, "Id of the request."),
    OURS("method", SHAPE_STRING, "Method."),
    OURS("host", SHAPE_STRING, "Host as asked for."),
    OURS("path", SHAPE_STRING, "Path without query."),
    OURS("status", SHAPE_INTEGER, "Status of the answer."),
    OURS("count", SHAPE_INTEGER, "Requests that it stands for."),
    TIME("since", "Of several: the first."),
    OURS("cut", SHAPE_BOOLEAN, "A text or evidence was too long."),
    { .name = "findings",
      .types = SHAPE_OBJECTS,
      .flags = SHAPE_READ_ONLY,
      .fields = finding_fields,
      .about = "What checks found." },
    OURS("findings_lost", SHAPE_INTEGER, "Findings beyond those shown."),
    TIME("createdAt", "When; of several: the last."),
    TIME("updatedAt", "The same."),
    { 0 },
};
static const struct shape_field analytics_fields[] = {
    OURS("id", SHAPE_STRING, "Number of the row, for paging."),
    TIME("start", "From when on."),
    TIME("end", "Until before when."),
    OURS("group", SHAPE_STRING, "What group_by asks for; \"\": none, unknown."),
    OURS("requests", SHAPE_INTEGER, "Requests that ended in this time."),
    OURS("bytes_in", SHAPE_INTEGER, "Bytes of requests, heads included."),
    OURS("bytes_out", SHAPE_INTEGER, "Bytes of answers."),
    OURS("cost", SHAPE_INTEGER, "What they asked for of quotas."),
    OURS("outcomes", SHAPE_MAP, "Requests by outcome."),
    OURS("latency", SHAPE_MAP, "p50_us, p95_us, p99_us, within 3.2 %."),
    OURS("incomplete", SHAPE_BOOLEAN, "Something of it is gone or damaged."),
    { 0 },
};
static const struct shape_field totals_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the application."),
    OURS("requests", SHAPE_INTEGER, "Requests that ended, ever."),
    OURS("bytes_in", SHAPE_INTEGER, "Bytes of requests, heads included."),
    OURS("bytes_out", SHAPE_INTEGER, "Bytes of answers."),
    OURS("cost", SHAPE_INTEGER, "What they asked for of quotas."),
    OURS("outcomes", SHAPE_MAP, "Requests by outcome."),
    { 0 },
};
static const struct shape_field trace_check_fields[] = {
    OURS("check", SHAPE_STRING, "Name of the check: \"credential\"."),
    OURS("verdict", SHAPE_STRING,
         "pass, deny, answer; fault: not judged, and passed by onFault."),
    OURS("us", SHAPE_NUMBER, "Microseconds it took, waiting not included."),
    { 0 },
};
static const struct shape_field trace_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the request."),
    OURS("application_id", SHAPE_STRING, "Whose request it was."),
    OURS("token_id", SHAPE_STRING, "Its token, if one was known."),
    OURS("door", SHAPE_STRING, "proxy or verify."),
    OURS("outcome", SHAPE_STRING, "How the request ended: \"limited\"."),
    OURS("code", SHAPE_STRING, "Why it was refused: \"rate_limited\"."),
    OURS("status", SHAPE_INTEGER, "Status of the answer."),
    OURS("sampled", SHAPE_BOOLEAN, "Not refused, but one of the sample."),
    LIST_OF("checks", trace_check_fields, "Every check that was made."),
    OURS("checks_us", SHAPE_NUMBER, "All of them."),
    OURS("origin_us", SHAPE_INTEGER, "Until the origin's answer began."),
    OURS("total_us", SHAPE_INTEGER, "From first byte to last."),
    TIME("createdAt", "When the request began."),
    TIME("updatedAt", "The same."),
    { 0 },
};
static const struct shape_field assertion_key_fields[] = {
    OURS("id", SHAPE_STRING, "Its kid: the RFC 7638 thumbprint."),
    OURS("algorithm", SHAPE_STRING, "ES256 or EdDSA."),
    OURS("use", SHAPE_STRING, "next, now or old; only now signs."),
    TIME("usedSince", "When it began to sign."),
    TIME("publishedUntil", "An old one: when it leaves the key set."),
    TIME("createdAt", "When it was made."),
    TIME("updatedAt", "When its use changed."),
    { 0 },
};
static const char *const health_words[] = { "healthy", "ejected", "ill",
                                            "unwatched", NULL };
static const char *const breaker_words[] = { "closed", "open", "half_open",
                                             NULL };
static const struct shape_field origin_state_fields[] = {
    OURS("name", SHAPE_STRING, "Its name, or origin-1 … by its place."),
    OURS("address", SHAPE_STRING, "Where it is, as a URL."),
    OURS("weight", SHAPE_INTEGER, "Its share of the requests."),
    { .name = "health",
      .types = SHAPE_STRING,
      .flags = SHAPE_READ_ONLY,
      .options = health_words,
      .about = "ejected: by its failures; ill: by probes; unwatched: the "
               "application has one origin and no rules for it." },
    TIME("ejectedUntil", "When it gets requests again."),
    { .name = "breaker",
      .types = SHAPE_STRING,
      .flags = SHAPE_READ_ONLY,
      .options = breaker_words,
      .about = "Its circuit breaker." },
    OURS("pending", SHAPE_INTEGER, "Requests under way."),
    OURS("ejections", SHAPE_INTEGER, "Times that it was ejected."),
    OURS("opened", SHAPE_INTEGER, "Times that its breaker opened."),
    OURS("refused", SHAPE_INTEGER,
         "Requests that breaker or ceiling kept from it."),
    OURS("probes", SHAPE_INTEGER, "Probes sent."),
    OURS("probeFailures", SHAPE_INTEGER, "Of these, not answered well."),
    OURS("failures", SHAPE_MAP, "Requests that it failed, by how."),
    { 0 },
};
#define MONITOR_IDENTITY                                        \
    OURS("id", SHAPE_STRING, "Id of the monitor."),             \
        OURS("application_id", SHAPE_STRING, "What it is of."), \
        TIME("createdAt", "When its application was created."), \
        TIME("updatedAt", "When that was last changed.")
#define MONITOR_SUMS                                                           \
    TIME("start", "Counted from …"), TIME("end", "… to."),                     \
        OURS("uptime", SHAPE_NUMBER, "Percent of the checks that were good."), \
        OURS("checks", SHAPE_INTEGER, "Checks, without those maintained."),    \
        OURS("failures", SHAPE_INTEGER, "Of these, not good."),                \
        OURS("degraded", SHAPE_INTEGER,                                        \
             "Good, but slow or with a certificate that ends soon."),          \
        OURS("maintained", SHAPE_INTEGER, "Checks during maintenance."),       \
        OURS("response_time", SHAPE_MAP,                                       \
             "average, minimum, maximum, p95, p99 in milliseconds."),          \
        OURS("dns_time", SHAPE_NUMBER, "Average, in milliseconds."),           \
        OURS("connect_time", SHAPE_NUMBER, "Average, in milliseconds."),       \
        OURS("tls_time", SHAPE_NUMBER, "Average, in milliseconds."),           \
        OURS("first_byte_time", SHAPE_NUMBER, "Average, in milliseconds."),    \
        OURS("status_codes", SHAPE_MAP, "Answers by their status.")

static const struct shape_field monitor_more[] = { MONITOR_IDENTITY, { 0 } };
static const struct shape_field monitor_incident_fields[] = {
    TIME("start", "The first of the failures."),
    TIME("end", "The first of the successes; null: it goes on."),
    OURS("duration", SHAPE_INTEGER, "Seconds, up to now if it goes on."),
    OURS("cause", SHAPE_STRING,
         "dns, connect, timeout, tls, certificate_expired, protocol, "
         "egress_denied, status_code or body."),
    OURS("status_code", SHAPE_INTEGER, "Of the answer; null: none came."),
    OURS("url", SHAPE_STRING, "What was asked, without its query."),
    { 0 },
};
static const char *const monitor_words[] = { "UNKNOWN",     "HEALTHY",
                                             "DEGRADED",    "DOWN",
                                             "MAINTENANCE", NULL };
#define MONITOR_STATUS(say)                                                \
    {                                                                      \
        .name = "status", .types = SHAPE_STRING, .flags = SHAPE_READ_ONLY, \
        .options = monitor_words, .about = say                             \
    }
static const struct shape_field monitor_endpoint_fields[] = {
    OURS("url", SHAPE_STRING, "What is asked."),
    OURS("method", SHAPE_STRING, "By which method."),
    MONITOR_STATUS("How it is."),
    OURS("cause", SHAPE_STRING, "Why it is not HEALTHY."),
    TIME("since", "Since when it is so."),
    TIME("checkedAt", "When it was last asked."),
    OURS("status_code", SHAPE_INTEGER, "Of the last answer."),
    OURS("last", SHAPE_MAP,
         "total, dns, connect, tls, first_byte of that check, milliseconds."),
    TIME("certificate_expires_at", "When its certificate ends."),
    { 0 },
};
static const struct shape_field monitor_status_fields[] = {
    MONITOR_IDENTITY,
    OURS("enabled", SHAPE_BOOLEAN, "Is anything asked?"),
    MONITOR_STATUS("Of all endpoints: DOWN when all are, HEALTHY when all are; "
                   "UNKNOWN before the first check."),
    TIME("checkedAt", "When something was last asked."),
    TIME("certificate_expires_at", "The first end of a certificate."),
    LIST_OF("endpoints", monitor_endpoint_fields,
            "Each endpoint, at each origin where it is asked."),
    MONITOR_SUMS,
    LIST_OF("incidents", monitor_incident_fields, "Newest first."),
    { 0 },
};
static const struct shape_field monitor_part_fields[] = { MONITOR_SUMS, { 0 } };
static const struct shape_field monitor_history_fields[] = {
    MONITOR_IDENTITY,
    MONITOR_SUMS,
    OURS("granularity", SHAPE_STRING, "hour, or day beyond three days."),
    LIST_OF("intervals", monitor_part_fields,
            "The same for each hour or day with checks, oldest first."),
    LIST_OF("incidents", monitor_incident_fields, "Newest first."),
    { 0 },
};

static const struct shape_field data_fields[] = {
    OURS("id", SHAPE_STRING, "Name of the file."),
    OURS("kind", SHAPE_STRING, "What it knows: places or mail."),
    OURS("type", SHAPE_STRING, "As the file calls itself."),
    OURS("inForce", SHAPE_BOOLEAN, "Is an edition of it in force?"),
    TIME("builtAt", "When the edition in force was made; of mail, its file."),
    OURS("licence", SHAPE_STRING, "Its licence, where we know it."),
    OURS("attribution", SHAPE_STRING,
         "To be shown where results of it are shown."),
    OURS("url", SHAPE_STRING, "Whom the attribution names."),
    OURS("problem", SHAPE_STRING,
         "Why it, or its newest edition, is not in force."),
    { 0 },
};
static const struct shape_field verdict_fields[] = {
    OURS("valid", SHAPE_BOOLEAN, "May the request pass?"),
    OURS("code", SHAPE_STRING, "Why not."),
    OURS("enabled", SHAPE_BOOLEAN, "Is the token enabled?"),
    OURS("remaining", SHAPE_INTEGER, "What remains of the quota."),
    OURS("ratelimit", SHAPE_MAP, "limit, remaining, reset."),
    TIME("expiresAt", "When the token ends."),
    { 0 },
};

static const struct shape_field alert_more[] = {
    OURS("secret", SHAPE_STRING,
         "Signs its messages: only when it was just made."),
    { 0 },
};
static const struct shape_field delivery_fields[] = {
    OURS("delivered", SHAPE_BOOLEAN, "Did the receiver take it?"),
    OURS("status", SHAPE_INTEGER, "Status of its answer; 0: none came."),
    OURS("milliseconds", SHAPE_INTEGER, "How long it took."),
    OURS("problem", SHAPE_STRING, "Why it was not delivered."),
    { 0 },
};
static const struct shape_field letter_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the message."),
    OURS("alert_id", SHAPE_STRING, "Whom it was meant for."),
    OURS("attempts", SHAPE_INTEGER, "Times that it was tried."),
    OURS("problem", SHAPE_STRING, "Why the last one failed."),
    OURS("message", SHAPE_MAP, "The message, as it is posted."),
    TIME("createdAt", "When it was made."),
    TIME("updatedAt", "When it was given up."),
    { 0 },
};

static const struct shape_field coverage_fields[] = {
    OURS("id", SHAPE_STRING, "Id of the profile."),
    TIME("since", "Counted since."),
    OURS("operations", SHAPE_LIST,
         "Each with method, path, operationId, protected, count, lastSeen."),
    OURS("seen", SHAPE_INTEGER, "Operations that were asked for."),
    OURS("never", SHAPE_INTEGER, "Operations that were not."),
    OURS("unknown", SHAPE_LIST,
         "What hit no operation, the most frequent first: method, path (values "
         "as {}), count, lastSeen."),
    OURS("unknownOthers", SHAPE_INTEGER,
         "Further requests that hit none and were not looked at."),
    { 0 },
};

static const char *const not_shown[] = { "amount", "expires", NULL };
static const char *const expires[] = { "expires", NULL };
static const char *const openapi[] = { "openapi", NULL };

static const struct answer_type
    routing = { "Routing", &shape_routing, NULL, NULL },
    security = { "Security", &shape_security, NULL, NULL },
    abuse = { "Abuse", &shape_abuse, NULL, NULL },
    alert = { "Alert", &shape_alert, alert_more, NULL },
    delivery = { "AlertTest", NULL, delivery_fields, NULL },
    letter = { "DeadLetter", NULL, letter_fields, NULL },
    schema = { "Schema", &shape_schema, NULL, openapi },
    schema_whole = { "SchemaWithDocument", &shape_schema, NULL, NULL },
    coverage = { "SchemaCoverage", NULL, coverage_fields, NULL },
    jwt = { "JwtProfile", &shape_jwt, NULL, NULL },
    jwk = { "KeySet", &shape_jwk, NULL, NULL },
    jwt_validation = { "JwtValidation", &shape_jwt_rules, NULL, NULL },
    monitor = { "Monitor", &shape_monitor, monitor_more, NULL },
    monitor_status = { "MonitorStatus", NULL, monitor_status_fields, NULL },
    monitor_history = { "MonitorHistory", NULL, monitor_history_fields, NULL },
    account = { "Account", &shape_account, NULL, NULL },
    application = { "ApplicationDetails", &shape_application, NULL, NULL },
    authentication = { "Authentication", &shape_authentication, NULL, NULL },
    token = { "Token", &shape_token_create, token_more, not_shown },
    use = { "TokenUse", NULL, use_fields, NULL },
    tag = { "Tag", &shape_tag, tag_more, NULL },
    management_key = { "ManagementKey", &shape_management_key, key_more,
                       expires },
    challenge = { "Challenge", NULL, challenge_fields, NULL },
    detection = { "Detection", NULL, detection_fields, NULL },
    audit = { "AuditEntry", NULL, audit_fields, NULL },
    event = { "Event", NULL, event_fields, NULL },
    trace = { "Trace", NULL, trace_fields, NULL },
    analytics = { "Analytics", NULL, analytics_fields, NULL },
    totals = { "Totals", NULL, totals_fields, NULL },
    assertion_key = { "AssertionKey", NULL, assertion_key_fields, NULL },
    origin_state = { "OriginState", NULL, origin_state_fields, NULL },
    data_file = { "DataFile", NULL, data_fields, NULL },
    verdict = { "Verdict", NULL, verdict_fields, NULL };

/* --- bodies that no noun's shape describes --------------------------------------------- */

static const struct shape_field telemetry_fields[] = {
    OURS("url", SHAPE_STRING, "Absolute or path only."),
    OURS("method", SHAPE_STRING, "Method of the request."),
    OURS("headers", SHAPE_MAP, "Header fields; values strings or arrays."),
    OURS("certificate", SHAPE_STRING,
         "SHA-256 of the client's certificate, base64url (x5t#S256)."),
    OURS("ipaddress", SHAPE_STRING, "Of the client; \"\" when unknown."),
    OURS("timestamp", SHAPE_INTEGER, "Milliseconds since 1970."),
    { 0 },
};
static const struct shape_field question_fields[] = {
    { .name = "token",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .about = "The credential." },
    { .name = "appID",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .about = "Id of the application." },
    { .name = "telemetry",
      .types = SHAPE_OBJECT,
      .fields = telemetry_fields,
      .about = "The request that it came with." },
    { .name = "cost",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 1000000,
      .fallback = "1",
      .about = "How much it takes." },
    { .name = "scopes",
      .types = SHAPE_STRINGS,
      .about = "Scopes that must all be held." },
    { .name = "peek",
      .types = SHAPE_BOOLEAN,
      .fallback = "false",
      .about = "Check without taking." },
    { 0 },
};
static const struct shape shape_question = { .name = "AuthenticateRequest",
                                             .fields = question_fields };
static const struct shape_field batch_fields[] = {
    { .name = "questions",
      .types = SHAPE_OBJECTS,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = 100,
      .fields = question_fields,
      .about = "Each is judged alone." },
    { 0 },
};
static const struct shape shape_batch = { .name = "AuthenticateBatchRequest",
                                          .fields = batch_fields };
static const struct shape_field import_fields[] = {
    { .name = "tokens",
      .types = SHAPE_OBJECTS,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = 10000, /* items: shape_token_import_item */
      .about = "Hashes with the optional fields of a token." },
    { 0 },
};
static const struct shape shape_import = { .name = "ImportTokensRequest",
                                           .fields = import_fields };

static const struct shape_field period_fields[] = {
    { .name = "start_date",
      .types = SHAPE_STRING,
      .len_max = 40,
      .about = "A time or a day; absent: 30 days ago." },
    { .name = "end_date",
      .types = SHAPE_STRING,
      .len_max = 40,
      .about = "A time or a day, inclusive; absent: now." },
    { 0 },
};
static const struct shape shape_period = { .name = "MonitorHistoryRequest",
                                           .fields = period_fields };

/* --- rows --------------------------------------------- */

static const char *const token_params[] = { "applicationId", "owner", "enabled",
                                            NULL };
static const char *const revoked_params[] = { "revoked", NULL };
static const char *const period_params[] = { "start_date", "end_date", NULL };
static const char *const usage_params[] = { "start", "end", NULL };
static const char *const detach_params[] = { "detach", NULL };
static const char *const status_params[] = { "status", NULL };
static const char *const area_params[] = { "area", NULL };
static const char *const challenge_params[] = { "application_id", "token_id",
                                                "subject", NULL };
static const char *const subject_params[] = { "subject", NULL };
static const char *const audit_params[] = { "object_id", NULL };
static const char *const event_params[] = {
    "application_id", "token_id", "code", "action", "enforced", "ip",
    "start",          "end",      NULL
};

static const char *const analytics_params[] = {
    "application_id", "token_id", "owner",  "start", "end",
    "granularity",    "group_by", "format", NULL
};

/* clang-format off */
#define CREATE .method = HTTP_POST, .status = 201, \
               .flags = EP_WRITE | EP_IDEMPOTENT
#define LIST   .method = HTTP_GET, .status = 200, .flags = EP_LIST | EP_FILTER
#define GET    .method = HTTP_GET, .status = 200
#define PATCH  .method = HTTP_PATCH, .status = 200, .flags = EP_WRITE | EP_PATCH
#define DELETE .method = HTTP_DELETE, .status = 200, .flags = EP_WRITE
#define SWITCH .method = HTTP_PATCH, .status = 200, .flags = EP_WRITE
#define DO     .method = HTTP_POST, .status = 200, \
               .flags = EP_WRITE | EP_IDEMPOTENT

#define ACC    "/{account_id}/"
#define APPS   ACC "applications|application"
#define TOKENS ACC "token|keys|tokens"
#define AUTHS  ACC "authentication"
#define JWTS   ACC "jwt"
#define JWKS   ACC "jwk"
#define ROUTES ACC "routing"
#define SECURES ACC "security|firewall"
#define ABUSES ACC "abuse"
#define SCHEMAS ACC "schema"
#define TAGS   ACC "tag|tags"
#define ALERTS ACC "alert|alerts"
#define CHALLENGES ACC "challenge|challenges"
#define KEYS   ACC "management-key"
#define MONITORS ACC "monitor/{application_id}"
#define MONITORS_ALSO "/api/v1/applications/{application_id}/monitor"

const struct endpoint endpoints[] = {
    /* accounts */
    { .method = HTTP_POST, .path = "/accounts/create", .role = ROLE_ROOT,
      .flags = EP_WRITE | EP_IDEMPOTENT | EP_SERVER, .status = 201,
      .body = &shape_account, .answer = &account, .handle = account_create,
      .tag = "Account", .summary = "Create an account" },
    { .method = HTTP_GET, .path = "/accounts", .role = ROLE_ROOT,
      .flags = EP_LIST | EP_FILTER | EP_SERVER, .status = 200,
      .answer = &account, .handle = account_list, .tag = "Account",
      .summary = "List accounts" },
    { .method = HTTP_GET, .path = "/accounts/{id}", .role = ROLE_ROOT,
      .flags = EP_SERVER, .status = 200, .answer = &account,
      .handle = account_get, .tag = "Account", .summary = "Get an account" },
    { .method = HTTP_PATCH, .path = "/accounts/{id}", .role = ROLE_ROOT,
      .flags = EP_WRITE | EP_PATCH | EP_SERVER, .status = 200,
      .body = &shape_account, .answer = &account, .handle = account_patch,
      .tag = "Account", .summary = "Change an account" },
    { .method = HTTP_DELETE, .path = "/accounts/{id}", .role = ROLE_ROOT,
      .flags = EP_WRITE | EP_SERVER, .status = 200, .handle = account_delete,
      .tag = "Account", .summary = "Delete an empty account" },

    /* applications */
    { CREATE, .path = APPS "/create", .role = ROLE_ADMIN,
      .body = &shape_application, .answer = &application,
      .handle = application_create, .tag = "Application",
      .summary = "Create an application" },
    { LIST, .path = APPS, .also = "/api/v1/applications",
      .role = ROLE_VIEWER, .answer = &application,
      .handle = application_list, .tag = "Application",
      .summary = "List applications" },
    { GET, .path = APPS "/{id}", .also = "/api/v1/applications/{id}",
      .role = ROLE_VIEWER, .answer = &application,
      .handle = application_get, .tag = "Application",
      .summary = "Get an application" },
    { PATCH, .path = APPS "/{id}", .also = "/api/v1/applications/{id}",
      .role = ROLE_EDITOR, .body = &shape_application,
      .answer = &application, .handle = application_patch,
      .tag = "Application", .summary = "Change an application" },
    { DELETE, .path = APPS "/{id}", .also = "/api/v1/applications/{id}",
      .role = ROLE_ADMIN, .handle = application_delete, .tag = "Application",
      .summary = "Delete an application with its tokens" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = APPS "/{id}/tags", .also = "/api/v1/applications/{id}/tags",
      .role = ROLE_EDITOR, .body = &shape_tag_attach,
      .answer = &application, .handle = application_tag,
      .tag = "Application", .summary = "Add tags to an application" },

    { GET, .path = APPS "/{id}/origins",
      .also = "/api/v1/applications/{id}/origins", .role = ROLE_VIEWER,
      .answer = &origin_state, .handle = application_origins,
      .tag = "Application",
      .summary = "Health of an application's origins" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = APPS "/{application_id}/jwt/validation",
      .also = "/api/v1/applications/{application_id}/jwt/validation",
      .role = ROLE_ADMIN, .body = &shape_jwt_rules,
      .body_name = "JwtValidationRequest", .answer = &jwt_validation,
      .handle = jwt_validation_put, .tag = "JWT",
      .summary = "Store rules for an application's JWTs" },
    { GET, .path = APPS "/{application_id}/jwt/validation",
      .also = "/api/v1/applications/{application_id}/jwt/validation",
      .role = ROLE_VIEWER, .answer = &jwt_validation,
      .handle = jwt_validation_get, .tag = "JWT",
      .summary = "Get the rules for an application's JWTs" },
    { DELETE, .path = APPS "/{application_id}/jwt/validation",
      .also = "/api/v1/applications/{application_id}/jwt/validation",
      .role = ROLE_ADMIN, .handle = jwt_validation_delete, .tag = "JWT",
      .summary = "Delete the rules for an application's JWTs" },

    /* monitors */
    { GET, .path = MONITORS "/status", .also = MONITORS_ALSO "/status",
      .role = ROLE_VIEWER, .answer = &monitor_status,
      .handle = monitor_status_get, .tag = "Monitor",
      .summary = "How an application's origin is, and was for a day" },
    { GET, .path = MONITORS "/history", .also = MONITORS_ALSO "/history",
      .role = ROLE_VIEWER, .body = &shape_period, .params = period_params,
      .answer = &monitor_history, .handle = monitor_history_get,
      .tag = "Monitor", .summary = "Up to 30 days of a monitor" },
    { GET, .path = MONITORS, .also = MONITORS_ALSO, .role = ROLE_VIEWER,
      .answer = &monitor, .handle = monitor_get, .tag = "Monitor",
      .summary = "Get an application's monitor" },
    { .method = HTTP_PUT, .status = 200, .flags = EP_WRITE, .path = MONITORS,
      .also = MONITORS_ALSO, .role = ROLE_ADMIN, .body = &shape_monitor,
      .body_name = "MonitorRequest", .answer = &monitor,
      .handle = monitor_put, .tag = "Monitor",
      .summary = "Set an application's monitor, whole" },

    /* tokens */
    { CREATE, .path = TOKENS "/create/{application_id}", .role = ROLE_EDITOR,
      .body = &shape_token_create, .body_name = "CreateTokenRequest",
      .answer = &token, .answer_name = "ApplicationResponse",
      .handle = token_create, .tag = "Token", .summary = "Create a new Token",
      .done = "Application created successfully" },
    { .method = HTTP_POST, .path = TOKENS "/import/{application_id}",
      .role = ROLE_ADMIN, .flags = EP_WRITE | EP_IDEMPOTENT | EP_IMPORT,
      .status = 201, .body = &shape_import, .answer = &token,
      .handle = token_import, .tag = "Token",
      .summary = "Import hashes of existing tokens" },
    { LIST, .path = TOKENS, .also = "/api/v1/keys", .role = ROLE_VIEWER,
      .answer = &token, .params = token_params, .handle = token_list,
      .tag = "Token", .summary = "List tokens" },
    { GET, .path = TOKENS "/{id}", .also = "/api/v1/keys/{id}",
      .role = ROLE_VIEWER, .answer = &token, .params = revoked_params,
      .handle = token_get, .tag = "Token", .summary = "Get a token" },
    { PATCH, .path = TOKENS "/{id}", .also = "/api/v1/keys/{id}",
      .role = ROLE_EDITOR, .body = &shape_token_patch, .answer = &token,
      .handle = token_patch, .tag = "Token", .summary = "Change a token",
      .body_name = "PatchTokenRequest" },
    { DELETE, .path = TOKENS "/{id}", .also = "/api/v1/keys/{id}",
      .role = ROLE_EDITOR, .handle = token_delete, .tag = "Token",
      .summary = "Revoke a token" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = TOKENS "/{id}/tags", .also = "/api/v1/keys/{id}/tags",
      .role = ROLE_EDITOR, .body = &shape_tag_attach, .answer = &token,
      .handle = token_tag, .tag = "Token",
      .summary = "Add tags to a token" },
    { DO, .path = TOKENS "/{id}/rotate", .role = ROLE_EDITOR,
      .body = &shape_token_rotate, .body_name = "RotateTokenRequest",
      .answer = &token, .handle = token_rotate, .tag = "Token",
      .summary = "Give a token a new secret" },
    { GET, .path = TOKENS "/{id}/usage", .role = ROLE_VIEWER, .answer = &use,
      .params = usage_params, .handle = token_usage, .tag = "Token",
      .summary = "A token's outcomes by day" },
    { GET, .path = TOKENS "/{id}/counters", .role = ROLE_VIEWER,
      .answer = &use, .handle = token_counters_get, .tag = "Token",
      .summary = "Read a token's counters" },
    { DELETE, .path = TOKENS "/{id}/counters", .role = ROLE_ADMIN,
      .answer = &use, .handle = token_counters_reset, .tag = "Token",
      .summary = "Reset a token's counters" },

    /* authentication profiles */
    { CREATE, .path = AUTHS "/create", .role = ROLE_ADMIN,
      .body = &shape_authentication, .answer = &authentication,
      .handle = authentication_create, .tag = "Authentication",
      .summary = "Create an authentication profile" },
    { LIST, .path = AUTHS, .role = ROLE_VIEWER, .answer = &authentication,
      .handle = authentication_list, .tag = "Authentication",
      .summary = "List authentication profiles" },
    { GET, .path = AUTHS "/{id}", .role = ROLE_VIEWER,
      .answer = &authentication, .handle = authentication_get,
      .tag = "Authentication", .summary = "Get an authentication profile" },
    { PATCH, .path = AUTHS "/{id}", .role = ROLE_ADMIN,
      .body = &shape_authentication, .answer = &authentication,
      .handle = authentication_patch, .tag = "Authentication",
      .summary = "Change an authentication profile" },
    { DELETE, .path = AUTHS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = authentication_delete,
      .tag = "Authentication",
      .summary = "Delete an authentication profile" },

    /* JWT profiles */
    { CREATE, .path = JWTS "/create", .role = ROLE_ADMIN, .body = &shape_jwt,
      .answer = &jwt, .handle = jwt_create, .tag = "JWT",
      .summary = "Create a JWT profile" },
    { LIST, .path = JWTS, .role = ROLE_VIEWER, .answer = &jwt,
      .handle = jwt_list, .tag = "JWT", .summary = "List JWT profiles" },
    { GET, .path = JWTS "/{id}", .role = ROLE_VIEWER, .answer = &jwt,
      .handle = jwt_get, .tag = "JWT", .summary = "Get a JWT profile" },
    { PATCH, .path = JWTS "/{id}", .role = ROLE_ADMIN, .body = &shape_jwt,
      .answer = &jwt, .handle = jwt_patch, .tag = "JWT",
      .summary = "Change a JWT profile" },
    { DELETE, .path = JWTS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = jwt_delete, .tag = "JWT",
      .summary = "Delete a JWT profile" },

    /* key sets */
    { CREATE, .path = JWKS "/create", .role = ROLE_ADMIN, .body = &shape_jwk,
      .answer = &jwk, .handle = jwk_create, .tag = "JWT",
      .summary = "Create a key set" },
    { LIST, .path = JWKS, .role = ROLE_VIEWER, .answer = &jwk,
      .handle = jwk_list, .tag = "JWT",
      .summary = "List key sets with their status" },
    { GET, .path = JWKS "/{id}", .role = ROLE_VIEWER, .answer = &jwk,
      .handle = jwk_get, .tag = "JWT",
      .summary = "Get a key set with its status" },
    { PATCH, .path = JWKS "/{id}", .role = ROLE_ADMIN, .body = &shape_jwk,
      .answer = &jwk, .handle = jwk_patch, .tag = "JWT",
      .summary = "Change a key set" },
    { DELETE, .path = JWKS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = jwk_delete, .tag = "JWT",
      .summary = "Delete a key set" },

    /* routing profiles */
    { CREATE, .path = ROUTES "/create", .role = ROLE_ADMIN,
      .body = &shape_routing, .answer = &routing, .handle = routing_create,
      .tag = "Routing", .summary = "Create a routing profile" },
    { CREATE, .path = ROUTES "/{application_id}/routing-profiles",
      .role = ROLE_ADMIN, .body = &shape_routing, .answer = &routing,
      .handle = routing_create_attached, .tag = "Routing",
      .summary = "Create a routing profile and attach it" },
    { LIST, .path = ROUTES, .role = ROLE_VIEWER, .answer = &routing,
      .handle = routing_list, .tag = "Routing",
      .summary = "List routing profiles" },
    { GET, .path = ROUTES "/{id}", .role = ROLE_VIEWER, .answer = &routing,
      .handle = routing_get, .tag = "Routing",
      .summary = "Get a routing profile" },
    { PATCH, .path = ROUTES "/{id}", .role = ROLE_ADMIN,
      .body = &shape_routing, .answer = &routing, .handle = routing_patch,
      .tag = "Routing", .summary = "Change a routing profile" },
    { DELETE, .path = ROUTES "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = routing_delete, .tag = "Routing",
      .summary = "Delete a routing profile" },

    /* security profiles */
    { SWITCH, .path = SECURES "/waf/{application_id}", .role = ROLE_ADMIN,
      .params = status_params, .answer = &security,
      .handle = security_switch_waf, .tag = "Security",
      .summary = "Switch an application's WAF" },
    { SWITCH, .path = SECURES "/geoblock/{application_id}",
      .role = ROLE_ADMIN, .params = area_params, .answer = &security,
      .handle = security_switch_geoblock, .tag = "Security",
      .summary = "Set the areas that may call an application" },
    { CREATE | EP_IMPORT, .path = SECURES "/create", .role = ROLE_ADMIN,
      .body = &shape_security, .answer = &security, .handle = security_create,
      .tag = "Security", .summary = "Create a security profile" },
    { LIST, .path = SECURES, .role = ROLE_VIEWER, .answer = &security,
      .handle = security_list, .tag = "Security", .summary = "List security profiles" },
    { GET, .path = SECURES "/{id}", .role = ROLE_VIEWER, .answer = &security,
      .handle = security_get, .tag = "Security", .summary = "Get a security profile" },
    { PATCH | EP_IMPORT, .path = SECURES "/{id}", .role = ROLE_ADMIN,
      .body = &shape_security, .answer = &security, .handle = security_patch,
      .tag = "Security", .summary = "Change a security profile" },
    { DELETE, .path = SECURES "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = security_delete, .tag = "Security",
      .summary = "Delete a security profile" },

    /* abuse profiles */
    { CREATE, .path = ABUSES "/create", .role = ROLE_ADMIN,
      .body = &shape_abuse, .answer = &abuse, .handle = abuse_create,
      .tag = "Abuse", .summary = "Create an abuse profile" },
    { LIST, .path = ABUSES, .role = ROLE_VIEWER, .answer = &abuse,
      .handle = abuse_list, .tag = "Abuse", .summary = "List abuse profiles" },
    { GET, .path = ABUSES "/{id}", .role = ROLE_VIEWER, .answer = &abuse,
      .handle = abuse_get, .tag = "Abuse", .summary = "Get an abuse profile" },
    { PATCH, .path = ABUSES "/{id}", .role = ROLE_ADMIN,
      .body = &shape_abuse, .answer = &abuse, .handle = abuse_patch,
      .tag = "Abuse", .summary = "Change an abuse profile" },
    { DELETE, .path = ABUSES "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = abuse_delete, .tag = "Abuse",
      .summary = "Delete an abuse profile" },

    /* data files */
    { GET, .path = ACC "data", .also = "/api/v1/data", .role = ROLE_VIEWER,
      .answer = &data_file, .handle = data_list, .tag = "Data",
      .summary = "Files of data: editions in force, licences" },

    /* what detectors hold and know */
    { .method = HTTP_GET, .path = CHALLENGES, .role = ROLE_VIEWER,
      .flags = EP_LIST, .status = 200, .answer = &challenge,
      .params = challenge_params, .handle = challenge_list,
      .tag = "Challenge", .summary = "List challenges and blocks that hold" },
    { GET, .path = CHALLENGES "/{id}", .role = ROLE_VIEWER,
      .answer = &challenge, .handle = challenge_get, .tag = "Challenge",
      .summary = "Get a challenge" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = CHALLENGES "/{id}/verify|clear", .role = ROLE_EDITOR,
      .answer = &challenge, .handle = challenge_verify, .tag = "Challenge",
      .summary = "It was the rightful caller; a block needs the role admin" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = CHALLENGES "/{id}/deny", .role = ROLE_EDITOR,
      .answer = &challenge, .handle = challenge_deny, .tag = "Challenge",
      .summary = "It was not: block at once" },
    { GET, .path = TOKENS "/{id}/detection", .role = ROLE_VIEWER,
      .answer = &detection, .handle = detection_get, .tag = "Challenge",
      .summary = "What detectors know of a token" },
    { DELETE, .path = TOKENS "/{id}/detection", .role = ROLE_ADMIN,
      .answer = &detection, .handle = detection_forget, .tag = "Challenge",
      .summary = "Forget it, and let go of the token" },
    { GET, .path = APPS "/{application_id}/detection", .role = ROLE_VIEWER,
      .params = subject_params, .answer = &detection,
      .handle = detection_application_get, .tag = "Challenge",
      .summary = "What detectors know of an application, or hold of a subject" },
    { DELETE, .path = APPS "/{application_id}/detection", .role = ROLE_ADMIN,
      .params = subject_params, .answer = &detection,
      .handle = detection_application_forget, .tag = "Challenge",
      .summary = "Forget it, or let go of the subject" },

    /* schema profiles */
    { .method = HTTP_POST, .path = SCHEMAS "/create", .role = ROLE_ADMIN,
      .flags = EP_WRITE | EP_IDEMPOTENT | EP_DOCUMENT, .status = 201,
      .body = &shape_schema, .answer = &schema_whole,
      .handle = schema_create, .tag = "Schema",
      .summary = "Create a schema-validation profile" },
    { LIST, .path = SCHEMAS, .role = ROLE_VIEWER, .answer = &schema,
      .handle = schema_list, .tag = "Schema",
      .summary = "List schema profiles, without their documents" },
    { GET, .path = SCHEMAS "/{id}", .role = ROLE_VIEWER,
      .answer = &schema_whole, .handle = schema_get, .tag = "Schema",
      .summary = "Get a schema profile with its document" },
    { .method = HTTP_PATCH, .path = SCHEMAS "/{id}", .role = ROLE_ADMIN,
      .flags = EP_WRITE | EP_PATCH | EP_DOCUMENT, .status = 200,
      .body = &shape_schema, .answer = &schema_whole, .handle = schema_patch,
      .tag = "Schema", .summary = "Change a schema profile" },
    { DELETE, .path = SCHEMAS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = schema_delete, .tag = "Schema",
      .summary = "Delete a schema profile" },
    { GET, .path = SCHEMAS "/{id}/coverage", .role = ROLE_VIEWER,
      .answer = &coverage, .handle = schema_coverage, .tag = "Schema",
      .summary = "Which operations were seen, which never" },

    /* tags */
    { CREATE, .path = TAGS "/create", .also = "/tags", .role = ROLE_EDITOR,
      .body = &shape_tag, .answer = &tag, .handle = tag_create, .tag = "Tag",
      .summary = "Create a tag" },
    { LIST, .path = TAGS, .also = "/tags", .role = ROLE_VIEWER,
      .answer = &tag, .handle = tag_list, .tag = "Tag",
      .summary = "List tags with their usage" },
    { GET, .path = TAGS "/{id}", .role = ROLE_VIEWER, .answer = &tag,
      .handle = tag_get, .tag = "Tag", .summary = "Get a tag" },
    { PATCH, .path = TAGS "/{id}", .role = ROLE_EDITOR, .body = &shape_tag,
      .answer = &tag, .handle = tag_patch, .tag = "Tag",
      .summary = "Change a tag" },
    { DELETE, .path = TAGS "/{id}", .role = ROLE_EDITOR, .handle = tag_delete,
      .tag = "Tag", .summary = "Delete a tag" },

    /* management keys */
    { CREATE, .path = KEYS "/create", .role = ROLE_OWNER,
      .body = &shape_management_key, .answer = &management_key,
      .handle = management_key_create, .tag = "Management key",
      .summary = "Create a management key" },
    { LIST, .path = KEYS, .role = ROLE_VIEWER, .answer = &management_key,
      .handle = management_key_list, .tag = "Management key",
      .summary = "List management keys" },
    { GET, .path = KEYS "/{id}", .role = ROLE_VIEWER,
      .answer = &management_key, .handle = management_key_get,
      .tag = "Management key", .summary = "Get a management key" },
    { PATCH, .path = KEYS "/{id}", .role = ROLE_OWNER,
      .body = &shape_management_key, .answer = &management_key,
      .handle = management_key_patch, .tag = "Management key",
      .summary = "Change a management key" },
    { DELETE, .path = KEYS "/{id}", .role = ROLE_OWNER,
      .handle = management_key_delete, .tag = "Management key",
      .summary = "Delete a management key" },

    /* audit */
    { .method = HTTP_GET, .path = ACC "audit", .role = ROLE_ADMIN,
      .flags = EP_LIST, .status = 200, .answer = &audit,
      .params = audit_params, .handle = audit_list, .tag = "Audit",
      .summary = "Who changed what, when, from where" },

    /* events */
    { .method = HTTP_GET, .path = ACC "events", .status = 200,
      .flags = EP_LIST | EP_EVENTS,
      .role = ROLE_VIEWER, .answer = &event, .params = event_params,
      .handle = event_list, .tag = "Event",
      .summary = "Refusals and findings with their evidence" },
    { GET, .path = ACC "events/{id}", .role = ROLE_VIEWER, .answer = &event,
      .handle = event_get, .tag = "Event", .summary = "Get an event" },
    { LIST, .path = ACC "analytics", .role = ROLE_VIEWER,
      .answer = &analytics, .params = analytics_params,
      .handle = analytics_list, .tag = "Analytics",
      .summary = "What requests came to, by time and by what they were" },
    { GET, .path = APPS "/{id}/totals", .role = ROLE_VIEWER,
      .answer = &totals, .handle = application_totals, .tag = "Analytics",
      .summary = "An application's requests, bytes and cost since ever" },
    { GET, .path = ACC "traces/{request_id}", .role = ROLE_VIEWER,
      .answer = &trace, .handle = trace_get, .tag = "Event",
      .summary = "Get the trace of a decision" },

    /* alerts */
    { CREATE, .path = ALERTS "/create", .role = ROLE_EDITOR,
      .body = &shape_alert, .answer = &alert, .handle = alert_create,
      .tag = "Alert", .summary = "Create an alert; its secret is shown once" },
    { LIST, .path = ALERTS, .role = ROLE_VIEWER, .answer = &alert,
      .handle = alert_list, .tag = "Alert", .summary = "List alerts" },
    { GET, .path = ALERTS "/{id}", .role = ROLE_VIEWER, .answer = &alert,
      .handle = alert_get, .tag = "Alert", .summary = "Get an alert" },
    { PATCH, .path = ALERTS "/{id}", .role = ROLE_EDITOR,
      .body = &shape_alert, .answer = &alert, .handle = alert_patch,
      .tag = "Alert", .summary = "Change an alert" },
    { DELETE, .path = ALERTS "/{id}", .role = ROLE_EDITOR,
      .handle = alert_delete, .tag = "Alert", .summary = "Delete an alert" },
    { .method = HTTP_POST, .path = ALERTS "/{id}/rotate", .status = 200,
      .flags = EP_WRITE, .role = ROLE_EDITOR, .body = &shape_alert_rotate,
      .answer = &alert, .handle = alert_rotate, .tag = "Alert",
      .summary = "Another secret; the old one signs as well for a while" },
    { .method = HTTP_POST, .path = ALERTS "/{id}/test", .status = 200,
      .role = ROLE_EDITOR, .answer = &delivery, .handle = alert_test,
      .tag = "Alert", .summary = "Send a message now and say what came of it" },
    { .method = HTTP_GET, .path = ALERTS "/{id}/dead-letters",
      .flags = EP_LIST, .status = 200, .role = ROLE_VIEWER, .answer = &letter,
      .handle = alert_letter_list, .tag = "Alert",
      .summary = "List messages that were given up" },
    { .method = HTTP_POST, .path = ALERTS "/{id}/dead-letters/{delivery_id}/resend",
      .flags = EP_WRITE, .status = 200, .role = ROLE_EDITOR, .answer = &letter,
      .handle = alert_letter_resend, .tag = "Alert",
      .summary = "Send one again" },
    { DELETE, .path = ALERTS "/{id}/dead-letters/{delivery_id}",
      .role = ROLE_EDITOR, .handle = alert_letter_delete, .tag = "Alert",
      .summary = "Forget one" },

    /* verification: described here, served by edge/ */
    { .method = HTTP_POST, .path = "/authenticate",
      .flags = EP_DOC | EP_OPEN | EP_LOOSE, .status = 200,
      .body = &shape_question, .answer = &verdict, .tag = "Verification",
      .summary = "Is this credential good?" },
    { .method = HTTP_POST, .path = "/authenticate/batch",
      .flags = EP_DOC | EP_OPEN | EP_LOOSE, .status = 200,
      .body = &shape_batch, .answer = &verdict, .tag = "Verification",
      .summary = "Up to 100 questions at once" },

    /* keys of the assertions to origins */
    { .method = HTTP_GET, .path = "/assertion-keys", .role = ROLE_ROOT,
      .flags = EP_SERVER, .status = 200, .answer = &assertion_key,
      .handle = assertion_key_list, .tag = "Assertion key",
      .summary = "List the keys that sign assertions" },
    { .method = HTTP_POST, .path = "/assertion-keys/rotate",
      .role = ROLE_ROOT, .flags = EP_WRITE | EP_SERVER, .status = 200,
      .answer = &assertion_key, .handle = assertion_key_rotate,
      .tag = "Assertion key", .summary = "Sign with the next key" },
    { .method = HTTP_GET, .path = "/.well-known/jwks.json",
      .flags = EP_DOC | EP_OPEN | EP_PLAIN, .status = 200,
      .tag = "Assertion key",
      .summary = "Public keys of the assertions, as a JWK Set" },

    /* the server */
    { .method = HTTP_GET, .path = "/openapi.json",
      .flags = EP_OPEN | EP_PLAIN, .status = 200, .handle = server_openapi,
      .tag = "Server", .summary = "This description" },
    { .method = HTTP_GET, .path = "/healthz", .flags = EP_OPEN,
      .status = 200, .handle = server_health, .tag = "Server",
      .summary = "The process lives" },
    { .method = HTTP_GET, .path = "/readyz",
      .flags = EP_OPS | EP_SERVER, .status = 200, .handle = server_ready,
      .role = ROLE_VIEWER, .tag = "Server",
      .summary = "Traffic may come; 503 when not" },
    { .method = HTTP_GET, .path = "/metrics",
      .flags = EP_OPS | EP_SERVER | EP_PLAIN, .status = 200,
      .handle = server_metrics, .role = ROLE_VIEWER, .tag = "Server",
      .summary = "Figures for Prometheus" },
};
/* clang-format on */

const size_t endpoints_n = ARRAY_LEN(endpoints);
