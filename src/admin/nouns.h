/* Handlers, one line an endpoint, in the files of their nouns. */
#ifndef ADMIN_NOUNS_H
#define ADMIN_NOUNS_H

#include "admin/noun.h"

extern const struct noun noun_account, noun_application, noun_authentication,
    noun_tag, noun_management_key, noun_jwt, noun_jwk,
    noun_routing, noun_security, noun_abuse, noun_schema, noun_alert;

typedef void handler(struct call *c);

handler account_create, account_list, account_get, account_patch,
    account_delete;
handler application_create, application_list, application_get,
    application_patch, application_delete, application_origins, application_tag;
handler authentication_create, authentication_list, authentication_get,
    authentication_patch, authentication_delete;
handler token_create, token_list, token_get, token_patch, token_delete,
    token_tag, token_rotate, token_import, token_usage, token_counters_get,
    token_counters_reset;
handler routing_create, routing_create_attached, routing_list, routing_get,
    routing_patch, routing_delete;
handler security_create, security_list, security_get, security_patch,
    security_delete, security_switch_waf, security_switch_geoblock;
handler data_list;
handler abuse_create, abuse_list, abuse_get, abuse_patch, abuse_delete;
handler schema_create, schema_list, schema_get, schema_patch, schema_delete,
    schema_coverage;
handler jwt_create, jwt_list, jwt_get, jwt_patch, jwt_delete;
handler jwk_create, jwk_list, jwk_get, jwk_patch, jwk_delete;
handler jwt_validation_put, jwt_validation_get, jwt_validation_delete;
handler tag_create, tag_list, tag_get, tag_patch, tag_delete;
handler management_key_create, management_key_list, management_key_get,
    management_key_patch, management_key_delete;
handler assertion_key_list, assertion_key_rotate;
handler monitor_put, monitor_get, monitor_status_get, monitor_history_get;
handler audit_list;
handler challenge_list, challenge_get, challenge_verify, challenge_deny;
handler detection_get, detection_forget, detection_application_get,
    detection_application_forget;
handler event_list, event_get;
handler trace_get;
handler alert_create, alert_list, alert_get, alert_patch, alert_delete,
    alert_rotate, alert_test, alert_letter_list, alert_letter_resend,
    alert_letter_delete;
handler analytics_list, application_totals;
handler server_openapi, server_health, server_ready, server_metrics;

/* Is there an application, and which image has it? NULL after a 404. */
const struct plan_app *application_find(struct call *c, struct sv id);
/* The tags of `present` with those that {name}, {key, value} or {tags} of the
 * body adds, as a patch {"tags": […]}; NULL after a 400. */
yyjson_val *tags_patch(struct call *c, yyjson_val *present);

#endif
