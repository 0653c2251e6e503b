/* What answers hold, and requests whose body is no noun's (model/…): for the
 * table of endpoints, and through it for /openapi.json. */
#ifndef ADMIN_DOCUMENTS_H
#define ADMIN_DOCUMENTS_H

#include "admin/endpoint.h"

extern const struct answer_type
    answer_routing, answer_security, answer_abuse, answer_alert,
    answer_delivery, answer_letter, answer_schema, answer_schema_whole,
    answer_coverage, answer_jwt, answer_jwk, answer_jwt_validation,
    answer_monitor, answer_monitor_status, answer_monitor_history,
    answer_account, answer_application, answer_authentication, answer_token,
    answer_use, answer_tag, answer_management_key, answer_challenge,
    answer_detection, answer_audit, answer_event, answer_trace,
    answer_analytics, answer_totals, answer_assertion_key,
    answer_origin_state, answer_data_file, answer_verdict;

extern const struct shape shape_question, shape_batch, shape_import, shape_period;

#endif
