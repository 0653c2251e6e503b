/* The table. Order settles which row a path belongs to when two would fit:
 * literal words before variables. */
#include "admin/endpoint.h"

#include "admin/documents.h"
#include "admin/nouns.h"
#include "base/ensure.h"

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
      .body = &shape_account, .answer = &answer_account, .handle = account_create,
      .tag = "Account", .summary = "Create an account" },
    { .method = HTTP_GET, .path = "/accounts", .role = ROLE_ROOT,
      .flags = EP_LIST | EP_FILTER | EP_SERVER, .status = 200,
      .answer = &answer_account, .handle = account_list, .tag = "Account",
      .summary = "List accounts" },
    { .method = HTTP_GET, .path = "/accounts/{id}", .role = ROLE_ROOT,
      .flags = EP_SERVER, .status = 200, .answer = &answer_account,
      .handle = account_get, .tag = "Account", .summary = "Get an account" },
    { .method = HTTP_PATCH, .path = "/accounts/{id}", .role = ROLE_ROOT,
      .flags = EP_WRITE | EP_PATCH | EP_SERVER, .status = 200,
      .body = &shape_account, .answer = &answer_account, .handle = account_patch,
      .tag = "Account", .summary = "Change an account" },
    { .method = HTTP_DELETE, .path = "/accounts/{id}", .role = ROLE_ROOT,
      .flags = EP_WRITE | EP_SERVER, .status = 200, .handle = account_delete,
      .tag = "Account", .summary = "Delete an empty account" },

    /* applications */
    { CREATE, .path = APPS "/create", .role = ROLE_ADMIN,
      .body = &shape_application, .answer = &answer_application,
      .handle = application_create, .tag = "Application",
      .summary = "Create an application" },
    { LIST, .path = APPS, .also = "/api/v1/applications",
      .role = ROLE_VIEWER, .answer = &answer_application,
      .handle = application_list, .tag = "Application",
      .summary = "List applications" },
    { GET, .path = APPS "/{id}", .also = "/api/v1/applications/{id}",
      .role = ROLE_VIEWER, .answer = &answer_application,
      .handle = application_get, .tag = "Application",
      .summary = "Get an application" },
    { PATCH, .path = APPS "/{id}", .also = "/api/v1/applications/{id}",
      .role = ROLE_EDITOR, .body = &shape_application,
      .answer = &answer_application, .handle = application_patch,
      .tag = "Application", .summary = "Change an application" },
    { DELETE, .path = APPS "/{id}", .also = "/api/v1/applications/{id}",
      .role = ROLE_ADMIN, .handle = application_delete, .tag = "Application",
      .summary = "Delete an application with its tokens" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = APPS "/{id}/tags", .also = "/api/v1/applications/{id}/tags",
      .role = ROLE_EDITOR, .body = &shape_tag_attach,
      .answer = &answer_application, .handle = application_tag,
      .tag = "Application", .summary = "Add tags to an application" },

    { GET, .path = APPS "/{id}/origins",
      .also = "/api/v1/applications/{id}/origins", .role = ROLE_VIEWER,
      .answer = &answer_origin_state, .handle = application_origins,
      .tag = "Application",
      .summary = "Health of an application's origins" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = APPS "/{application_id}/jwt/validation",
      .also = "/api/v1/applications/{application_id}/jwt/validation",
      .role = ROLE_ADMIN, .body = &shape_jwt_rules,
      .body_name = "JwtValidationRequest", .answer = &answer_jwt_validation,
      .handle = jwt_validation_put, .tag = "JWT",
      .summary = "Store rules for an application's JWTs" },
    { GET, .path = APPS "/{application_id}/jwt/validation",
      .also = "/api/v1/applications/{application_id}/jwt/validation",
      .role = ROLE_VIEWER, .answer = &answer_jwt_validation,
      .handle = jwt_validation_get, .tag = "JWT",
      .summary = "Get the rules for an application's JWTs" },
    { DELETE, .path = APPS "/{application_id}/jwt/validation",
      .also = "/api/v1/applications/{application_id}/jwt/validation",
      .role = ROLE_ADMIN, .handle = jwt_validation_delete, .tag = "JWT",
      .summary = "Delete the rules for an application's JWTs" },

    /* monitors */
    { GET, .path = MONITORS "/status", .also = MONITORS_ALSO "/status",
      .role = ROLE_VIEWER, .answer = &answer_monitor_status,
      .handle = monitor_status_get, .tag = "Monitor",
      .summary = "How an application's origin is, and was for a day" },
    { GET, .path = MONITORS "/history", .also = MONITORS_ALSO "/history",
      .role = ROLE_VIEWER, .body = &shape_period, .params = period_params,
      .answer = &answer_monitor_history, .handle = monitor_history_get,
      .tag = "Monitor", .summary = "Up to 30 days of a monitor" },
    { GET, .path = MONITORS, .also = MONITORS_ALSO, .role = ROLE_VIEWER,
      .answer = &answer_monitor, .handle = monitor_get, .tag = "Monitor",
      .summary = "Get an application's monitor" },
    { .method = HTTP_PUT, .status = 200, .flags = EP_WRITE, .path = MONITORS,
      .also = MONITORS_ALSO, .role = ROLE_ADMIN, .body = &shape_monitor,
      .body_name = "MonitorRequest", .answer = &answer_monitor,
      .handle = monitor_put, .tag = "Monitor",
      .summary = "Set an application's monitor, whole" },

    /* tokens */
    { CREATE, .path = TOKENS "/create/{application_id}", .role = ROLE_EDITOR,
      .body = &shape_token_create, .body_name = "CreateTokenRequest",
      .answer = &answer_token, .answer_name = "ApplicationResponse",
      .handle = token_create, .tag = "Token", .summary = "Create a new Token",
      .done = "Application created successfully" },
    { .method = HTTP_POST, .path = TOKENS "/import/{application_id}",
      .role = ROLE_ADMIN, .flags = EP_WRITE | EP_IDEMPOTENT | EP_IMPORT,
      .status = 201, .body = &shape_import, .answer = &answer_token,
      .handle = token_import, .tag = "Token",
      .summary = "Import hashes of existing tokens" },
    { LIST, .path = TOKENS, .also = "/api/v1/keys", .role = ROLE_VIEWER,
      .answer = &answer_token, .params = token_params, .handle = token_list,
      .tag = "Token", .summary = "List tokens" },
    { GET, .path = TOKENS "/{id}", .also = "/api/v1/keys/{id}",
      .role = ROLE_VIEWER, .answer = &answer_token, .params = revoked_params,
      .handle = token_get, .tag = "Token", .summary = "Get a token" },
    { PATCH, .path = TOKENS "/{id}", .also = "/api/v1/keys/{id}",
      .role = ROLE_EDITOR, .body = &shape_token_patch, .answer = &answer_token,
      .handle = token_patch, .tag = "Token", .summary = "Change a token",
      .body_name = "PatchTokenRequest" },
    { DELETE, .path = TOKENS "/{id}", .also = "/api/v1/keys/{id}",
      .role = ROLE_EDITOR, .handle = token_delete, .tag = "Token",
      .summary = "Revoke a token" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = TOKENS "/{id}/tags", .also = "/api/v1/keys/{id}/tags",
      .role = ROLE_EDITOR, .body = &shape_tag_attach, .answer = &answer_token,
      .handle = token_tag, .tag = "Token",
      .summary = "Add tags to a token" },
    { DO, .path = TOKENS "/{id}/rotate", .role = ROLE_EDITOR,
      .body = &shape_token_rotate, .body_name = "RotateTokenRequest",
      .answer = &answer_token, .handle = token_rotate, .tag = "Token",
      .summary = "Give a token a new secret" },
    { GET, .path = TOKENS "/{id}/usage", .role = ROLE_VIEWER, .answer = &answer_use,
      .params = usage_params, .handle = token_usage, .tag = "Token",
      .summary = "A token's outcomes by day" },
    { GET, .path = TOKENS "/{id}/counters", .role = ROLE_VIEWER,
      .answer = &answer_use, .handle = token_counters_get, .tag = "Token",
      .summary = "Read a token's counters" },
    { DELETE, .path = TOKENS "/{id}/counters", .role = ROLE_ADMIN,
      .answer = &answer_use, .handle = token_counters_reset, .tag = "Token",
      .summary = "Reset a token's counters" },

    /* authentication profiles */
    { CREATE, .path = AUTHS "/create", .role = ROLE_ADMIN,
      .body = &shape_authentication, .answer = &answer_authentication,
      .handle = authentication_create, .tag = "Authentication",
      .summary = "Create an authentication profile" },
    { LIST, .path = AUTHS, .role = ROLE_VIEWER, .answer = &answer_authentication,
      .handle = authentication_list, .tag = "Authentication",
      .summary = "List authentication profiles" },
    { GET, .path = AUTHS "/{id}", .role = ROLE_VIEWER,
      .answer = &answer_authentication, .handle = authentication_get,
      .tag = "Authentication", .summary = "Get an authentication profile" },
    { PATCH, .path = AUTHS "/{id}", .role = ROLE_ADMIN,
      .body = &shape_authentication, .answer = &answer_authentication,
      .handle = authentication_patch, .tag = "Authentication",
      .summary = "Change an authentication profile" },
    { DELETE, .path = AUTHS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = authentication_delete,
      .tag = "Authentication",
      .summary = "Delete an authentication profile" },

    /* JWT profiles */
    { CREATE, .path = JWTS "/create", .role = ROLE_ADMIN, .body = &shape_jwt,
      .answer = &answer_jwt, .handle = jwt_create, .tag = "JWT",
      .summary = "Create a JWT profile" },
    { LIST, .path = JWTS, .role = ROLE_VIEWER, .answer = &answer_jwt,
      .handle = jwt_list, .tag = "JWT", .summary = "List JWT profiles" },
    { GET, .path = JWTS "/{id}", .role = ROLE_VIEWER, .answer = &answer_jwt,
      .handle = jwt_get, .tag = "JWT", .summary = "Get a JWT profile" },
    { PATCH, .path = JWTS "/{id}", .role = ROLE_ADMIN, .body = &shape_jwt,
      .answer = &answer_jwt, .handle = jwt_patch, .tag = "JWT",
      .summary = "Change a JWT profile" },
    { DELETE, .path = JWTS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = jwt_delete, .tag = "JWT",
      .summary = "Delete a JWT profile" },

    /* key sets */
    { CREATE, .path = JWKS "/create", .role = ROLE_ADMIN, .body = &shape_jwk,
      .answer = &answer_jwk, .handle = jwk_create, .tag = "JWT",
      .summary = "Create a key set" },
    { LIST, .path = JWKS, .role = ROLE_VIEWER, .answer = &answer_jwk,
      .handle = jwk_list, .tag = "JWT",
      .summary = "List key sets with their status" },
    { GET, .path = JWKS "/{id}", .role = ROLE_VIEWER, .answer = &answer_jwk,
      .handle = jwk_get, .tag = "JWT",
      .summary = "Get a key set with its status" },
    { PATCH, .path = JWKS "/{id}", .role = ROLE_ADMIN, .body = &shape_jwk,
      .answer = &answer_jwk, .handle = jwk_patch, .tag = "JWT",
      .summary = "Change a key set" },
    { DELETE, .path = JWKS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = jwk_delete, .tag = "JWT",
      .summary = "Delete a key set" },

    /* routing profiles */
    { CREATE, .path = ROUTES "/create", .role = ROLE_ADMIN,
      .body = &shape_routing, .answer = &answer_routing, .handle = routing_create,
      .tag = "Routing", .summary = "Create a routing profile" },
    { CREATE, .path = ROUTES "/{application_id}/routing-profiles",
      .role = ROLE_ADMIN, .body = &shape_routing, .answer = &answer_routing,
      .handle = routing_create_attached, .tag = "Routing",
      .summary = "Create a routing profile and attach it" },
    { LIST, .path = ROUTES, .role = ROLE_VIEWER, .answer = &answer_routing,
      .handle = routing_list, .tag = "Routing",
      .summary = "List routing profiles" },
    { GET, .path = ROUTES "/{id}", .role = ROLE_VIEWER, .answer = &answer_routing,
      .handle = routing_get, .tag = "Routing",
      .summary = "Get a routing profile" },
    { PATCH, .path = ROUTES "/{id}", .role = ROLE_ADMIN,
      .body = &shape_routing, .answer = &answer_routing, .handle = routing_patch,
      .tag = "Routing", .summary = "Change a routing profile" },
    { DELETE, .path = ROUTES "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = routing_delete, .tag = "Routing",
      .summary = "Delete a routing profile" },

    /* security profiles */
    { SWITCH, .path = SECURES "/waf/{application_id}", .role = ROLE_ADMIN,
      .params = status_params, .answer = &answer_security,
      .handle = security_switch_waf, .tag = "Security",
      .summary = "Switch an application's WAF" },
    { SWITCH, .path = SECURES "/geoblock/{application_id}",
      .role = ROLE_ADMIN, .params = area_params, .answer = &answer_security,
      .handle = security_switch_geoblock, .tag = "Security",
      .summary = "Set the areas that may call an application" },
    { CREATE | EP_IMPORT, .path = SECURES "/create", .role = ROLE_ADMIN,
      .body = &shape_security, .answer = &answer_security, .handle = security_create,
      .tag = "Security", .summary = "Create a security profile" },
    { LIST, .path = SECURES, .role = ROLE_VIEWER, .answer = &answer_security,
      .handle = security_list, .tag = "Security", .summary = "List security profiles" },
    { GET, .path = SECURES "/{id}", .role = ROLE_VIEWER, .answer = &answer_security,
      .handle = security_get, .tag = "Security", .summary = "Get a security profile" },
    { PATCH | EP_IMPORT, .path = SECURES "/{id}", .role = ROLE_ADMIN,
      .body = &shape_security, .answer = &answer_security, .handle = security_patch,
      .tag = "Security", .summary = "Change a security profile" },
    { DELETE, .path = SECURES "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = security_delete, .tag = "Security",
      .summary = "Delete a security profile" },

    /* abuse profiles */
    { CREATE, .path = ABUSES "/create", .role = ROLE_ADMIN,
      .body = &shape_abuse, .answer = &answer_abuse, .handle = abuse_create,
      .tag = "Abuse", .summary = "Create an abuse profile" },
    { LIST, .path = ABUSES, .role = ROLE_VIEWER, .answer = &answer_abuse,
      .handle = abuse_list, .tag = "Abuse", .summary = "List abuse profiles" },
    { GET, .path = ABUSES "/{id}", .role = ROLE_VIEWER, .answer = &answer_abuse,
      .handle = abuse_get, .tag = "Abuse", .summary = "Get an abuse profile" },
    { PATCH, .path = ABUSES "/{id}", .role = ROLE_ADMIN,
      .body = &shape_abuse, .answer = &answer_abuse, .handle = abuse_patch,
      .tag = "Abuse", .summary = "Change an abuse profile" },
    { DELETE, .path = ABUSES "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = abuse_delete, .tag = "Abuse",
      .summary = "Delete an abuse profile" },

    /* data files */
    { GET, .path = ACC "data", .also = "/api/v1/data", .role = ROLE_VIEWER,
      .answer = &answer_data_file, .handle = data_list, .tag = "Data",
      .summary = "Files of data: editions in force, licences" },

    /* what detectors hold and know */
    { .method = HTTP_GET, .path = CHALLENGES, .role = ROLE_VIEWER,
      .flags = EP_LIST, .status = 200, .answer = &answer_challenge,
      .params = challenge_params, .handle = challenge_list,
      .tag = "Challenge", .summary = "List challenges and blocks that hold" },
    { GET, .path = CHALLENGES "/{id}", .role = ROLE_VIEWER,
      .answer = &answer_challenge, .handle = challenge_get, .tag = "Challenge",
      .summary = "Get a challenge" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = CHALLENGES "/{id}/verify|clear", .role = ROLE_EDITOR,
      .answer = &answer_challenge, .handle = challenge_verify, .tag = "Challenge",
      .summary = "It was the rightful caller; a block needs the role admin" },
    { .method = HTTP_POST, .status = 200, .flags = EP_WRITE,
      .path = CHALLENGES "/{id}/deny", .role = ROLE_EDITOR,
      .answer = &answer_challenge, .handle = challenge_deny, .tag = "Challenge",
      .summary = "It was not: block at once" },
    { GET, .path = TOKENS "/{id}/detection", .role = ROLE_VIEWER,
      .answer = &answer_detection, .handle = detection_get, .tag = "Challenge",
      .summary = "What detectors know of a token" },
    { DELETE, .path = TOKENS "/{id}/detection", .role = ROLE_ADMIN,
      .answer = &answer_detection, .handle = detection_forget, .tag = "Challenge",
      .summary = "Forget it, and let go of the token" },
    { GET, .path = APPS "/{application_id}/detection", .role = ROLE_VIEWER,
      .params = subject_params, .answer = &answer_detection,
      .handle = detection_application_get, .tag = "Challenge",
      .summary = "What detectors know of an application, or hold of a subject" },
    { DELETE, .path = APPS "/{application_id}/detection", .role = ROLE_ADMIN,
      .params = subject_params, .answer = &answer_detection,
      .handle = detection_application_forget, .tag = "Challenge",
      .summary = "Forget it, or let go of the subject" },

    /* schema profiles */
    { .method = HTTP_POST, .path = SCHEMAS "/create", .role = ROLE_ADMIN,
      .flags = EP_WRITE | EP_IDEMPOTENT | EP_DOCUMENT, .status = 201,
      .body = &shape_schema, .answer = &answer_schema_whole,
      .handle = schema_create, .tag = "Schema",
      .summary = "Create a schema-validation profile" },
    { LIST, .path = SCHEMAS, .role = ROLE_VIEWER, .answer = &answer_schema,
      .handle = schema_list, .tag = "Schema",
      .summary = "List schema profiles, without their documents" },
    { GET, .path = SCHEMAS "/{id}", .role = ROLE_VIEWER,
      .answer = &answer_schema_whole, .handle = schema_get, .tag = "Schema",
      .summary = "Get a schema profile with its document" },
    { .method = HTTP_PATCH, .path = SCHEMAS "/{id}", .role = ROLE_ADMIN,
      .flags = EP_WRITE | EP_PATCH | EP_DOCUMENT, .status = 200,
      .body = &shape_schema, .answer = &answer_schema_whole, .handle = schema_patch,
      .tag = "Schema", .summary = "Change a schema profile" },
    { DELETE, .path = SCHEMAS "/{id}", .role = ROLE_ADMIN,
      .params = detach_params, .handle = schema_delete, .tag = "Schema",
      .summary = "Delete a schema profile" },
    { GET, .path = SCHEMAS "/{id}/coverage", .role = ROLE_VIEWER,
      .answer = &answer_coverage, .handle = schema_coverage, .tag = "Schema",
      .summary = "Which operations were seen, which never" },

    /* tags */
    { CREATE, .path = TAGS "/create", .also = "/tags", .role = ROLE_EDITOR,
      .body = &shape_tag, .answer = &answer_tag, .handle = tag_create, .tag = "Tag",
      .summary = "Create a tag" },
    { LIST, .path = TAGS, .also = "/tags", .role = ROLE_VIEWER,
      .answer = &answer_tag, .handle = tag_list, .tag = "Tag",
      .summary = "List tags with their usage" },
    { GET, .path = TAGS "/{id}", .role = ROLE_VIEWER, .answer = &answer_tag,
      .handle = tag_get, .tag = "Tag", .summary = "Get a tag" },
    { PATCH, .path = TAGS "/{id}", .role = ROLE_EDITOR, .body = &shape_tag,
      .answer = &answer_tag, .handle = tag_patch, .tag = "Tag",
      .summary = "Change a tag" },
    { DELETE, .path = TAGS "/{id}", .role = ROLE_EDITOR, .handle = tag_delete,
      .tag = "Tag", .summary = "Delete a tag" },

    /* management keys */
    { CREATE, .path = KEYS "/create", .role = ROLE_OWNER,
      .body = &shape_management_key, .answer = &answer_management_key,
      .handle = management_key_create, .tag = "Management key",
      .summary = "Create a management key" },
    { LIST, .path = KEYS, .role = ROLE_VIEWER, .answer = &answer_management_key,
      .handle = management_key_list, .tag = "Management key",
      .summary = "List management keys" },
    { GET, .path = KEYS "/{id}", .role = ROLE_VIEWER,
      .answer = &answer_management_key, .handle = management_key_get,
      .tag = "Management key", .summary = "Get a management key" },
    { PATCH, .path = KEYS "/{id}", .role = ROLE_OWNER,
      .body = &shape_management_key, .answer = &answer_management_key,
      .handle = management_key_patch, .tag = "Management key",
      .summary = "Change a management key" },
    { DELETE, .path = KEYS "/{id}", .role = ROLE_OWNER,
      .handle = management_key_delete, .tag = "Management key",
      .summary = "Delete a management key" },

    /* audit */
    { .method = HTTP_GET, .path = ACC "audit", .role = ROLE_ADMIN,
      .flags = EP_LIST, .status = 200, .answer = &answer_audit,
      .params = audit_params, .handle = audit_list, .tag = "Audit",
      .summary = "Who changed what, when, from where" },

    /* events */
    { .method = HTTP_GET, .path = ACC "events", .status = 200,
      .flags = EP_LIST | EP_EVENTS,
      .role = ROLE_VIEWER, .answer = &answer_event, .params = event_params,
      .handle = event_list, .tag = "Event",
      .summary = "Refusals and findings with their evidence" },
    { GET, .path = ACC "events/{id}", .role = ROLE_VIEWER, .answer = &answer_event,
      .handle = event_get, .tag = "Event", .summary = "Get an event" },
    { LIST, .path = ACC "analytics", .role = ROLE_VIEWER,
      .answer = &answer_analytics, .params = analytics_params,
      .handle = analytics_list, .tag = "Analytics",
      .summary = "What requests came to, by time and by what they were" },
    { GET, .path = APPS "/{id}/totals", .role = ROLE_VIEWER,
      .answer = &answer_totals, .handle = application_totals, .tag = "Analytics",
      .summary = "An application's requests, bytes and cost since ever" },
    { GET, .path = ACC "traces/{request_id}", .role = ROLE_VIEWER,
      .answer = &answer_trace, .handle = trace_get, .tag = "Event",
      .summary = "Get the trace of a decision" },

    /* alerts */
    { CREATE, .path = ALERTS "/create", .role = ROLE_EDITOR,
      .body = &shape_alert, .answer = &answer_alert, .handle = alert_create,
      .tag = "Alert", .summary = "Create an alert; its secret is shown once" },
    { LIST, .path = ALERTS, .role = ROLE_VIEWER, .answer = &answer_alert,
      .handle = alert_list, .tag = "Alert", .summary = "List alerts" },
    { GET, .path = ALERTS "/{id}", .role = ROLE_VIEWER, .answer = &answer_alert,
      .handle = alert_get, .tag = "Alert", .summary = "Get an alert" },
    { PATCH, .path = ALERTS "/{id}", .role = ROLE_EDITOR,
      .body = &shape_alert, .answer = &answer_alert, .handle = alert_patch,
      .tag = "Alert", .summary = "Change an alert" },
    { DELETE, .path = ALERTS "/{id}", .role = ROLE_EDITOR,
      .handle = alert_delete, .tag = "Alert", .summary = "Delete an alert" },
    { .method = HTTP_POST, .path = ALERTS "/{id}/rotate", .status = 200,
      .flags = EP_WRITE, .role = ROLE_EDITOR, .body = &shape_alert_rotate,
      .answer = &answer_alert, .handle = alert_rotate, .tag = "Alert",
      .summary = "Another secret; the old one signs as well for a while" },
    { .method = HTTP_POST, .path = ALERTS "/{id}/test", .status = 200,
      .role = ROLE_EDITOR, .answer = &answer_delivery, .handle = alert_test,
      .tag = "Alert", .summary = "Send a message now and say what came of it" },
    { .method = HTTP_GET, .path = ALERTS "/{id}/dead-letters",
      .flags = EP_LIST, .status = 200, .role = ROLE_VIEWER, .answer = &answer_letter,
      .handle = alert_letter_list, .tag = "Alert",
      .summary = "List messages that were given up" },
    { .method = HTTP_POST, .path = ALERTS "/{id}/dead-letters/{delivery_id}/resend",
      .flags = EP_WRITE, .status = 200, .role = ROLE_EDITOR, .answer = &answer_letter,
      .handle = alert_letter_resend, .tag = "Alert",
      .summary = "Send one again" },
    { DELETE, .path = ALERTS "/{id}/dead-letters/{delivery_id}",
      .role = ROLE_EDITOR, .handle = alert_letter_delete, .tag = "Alert",
      .summary = "Forget one" },

    /* verification: described here, served by edge/ */
    { .method = HTTP_POST, .path = "/authenticate",
      .flags = EP_DOC | EP_OPEN | EP_LOOSE, .status = 200,
      .body = &shape_question, .answer = &answer_verdict, .tag = "Verification",
      .summary = "Is this credential good?" },
    { .method = HTTP_POST, .path = "/authenticate/batch",
      .flags = EP_DOC | EP_OPEN | EP_LOOSE, .status = 200,
      .body = &shape_batch, .answer = &answer_verdict, .tag = "Verification",
      .summary = "Up to 100 questions at once" },

    /* keys of the assertions to origins */
    { .method = HTTP_GET, .path = "/assertion-keys", .role = ROLE_ROOT,
      .flags = EP_SERVER, .status = 200, .answer = &answer_assertion_key,
      .handle = assertion_key_list, .tag = "Assertion key",
      .summary = "List the keys that sign assertions" },
    { .method = HTTP_POST, .path = "/assertion-keys/rotate",
      .role = ROLE_ROOT, .flags = EP_WRITE | EP_SERVER, .status = 200,
      .answer = &answer_assertion_key, .handle = assertion_key_rotate,
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
