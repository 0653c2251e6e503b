/* What requests and answers hold. See documents.h. */
#include "admin/documents.h"

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

const struct answer_type
    answer_routing = { "Routing", &shape_routing, NULL, NULL },
    answer_security = { "Security", &shape_security, NULL, NULL },
    answer_abuse = { "Abuse", &shape_abuse, NULL, NULL },
    answer_alert = { "Alert", &shape_alert, alert_more, NULL },
    answer_delivery = { "AlertTest", NULL, delivery_fields, NULL },
    answer_letter = { "DeadLetter", NULL, letter_fields, NULL },
    answer_schema = { "Schema", &shape_schema, NULL, openapi },
    answer_schema_whole = { "SchemaWithDocument", &shape_schema, NULL, NULL },
    answer_coverage = { "SchemaCoverage", NULL, coverage_fields, NULL },
    answer_jwt = { "JwtProfile", &shape_jwt, NULL, NULL },
    answer_jwk = { "KeySet", &shape_jwk, NULL, NULL },
    answer_jwt_validation = { "JwtValidation", &shape_jwt_rules, NULL, NULL },
    answer_monitor = { "Monitor", &shape_monitor, monitor_more, NULL },
    answer_monitor_status = { "MonitorStatus", NULL, monitor_status_fields,
                              NULL },
    answer_monitor_history = { "MonitorHistory", NULL, monitor_history_fields,
                               NULL },
    answer_account = { "Account", &shape_account, NULL, NULL },
    answer_application = { "ApplicationDetails", &shape_application, NULL,
                           NULL },
    answer_authentication = { "Authentication", &shape_authentication, NULL,
                              NULL },
    answer_token = { "Token", &shape_token_create, token_more, not_shown },
    answer_use = { "TokenUse", NULL, use_fields, NULL },
    answer_tag = { "Tag", &shape_tag, tag_more, NULL },
    answer_management_key = { "ManagementKey", &shape_management_key, key_more,
                              expires },
    answer_challenge = { "Challenge", NULL, challenge_fields, NULL },
    answer_detection = { "Detection", NULL, detection_fields, NULL },
    answer_audit = { "AuditEntry", NULL, audit_fields, NULL },
    answer_event = { "Event", NULL, event_fields, NULL },
    answer_trace = { "Trace", NULL, trace_fields, NULL },
    answer_analytics = { "Analytics", NULL, analytics_fields, NULL },
    answer_totals = { "Totals", NULL, totals_fields, NULL },
    answer_assertion_key = { "AssertionKey", NULL, assertion_key_fields, NULL },
    answer_origin_state = { "OriginState", NULL, origin_state_fields, NULL },
    answer_data_file = { "DataFile", NULL, data_fields, NULL },
    answer_verdict = { "Verdict", NULL, verdict_fields, NULL };

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
const struct shape shape_question = { .name = "AuthenticateRequest",
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
const struct shape shape_batch = { .name = "AuthenticateBatchRequest",
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
const struct shape shape_import = { .name = "ImportTokensRequest",
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
const struct shape shape_period = { .name = "MonitorHistoryRequest",
                                    .fields = period_fields };
