/* The request as its client sent it, for checks that judge the request itself
 * (firewall, mail, WAF, schema): from the head (proxy), or from what telemetry
 * tells of it (verify). Made at most once a run of the chain. */
#ifndef CHECK_REQUEST_H
#define CHECK_REQUEST_H

#include "check/exchange.h"
#include "codec/expression.h"

/* Method, host, target, path, query, fields and address are filled; what is
 * not known is "". Views into the head, or into telemetry and the exchange's
 * arena. NULL: the arena is spent. */
struct expression_request *check_request(struct exchange *x);

/* Remembers what was found, for the event: `evidence` is a JSON object in the
 * exchange's arena, or "". Dropped (and counted) when there is no room. */
void check_found(struct exchange *x, const char *code,
                 enum detector_action action, bool enforced,
                 struct sv evidence);

#endif
