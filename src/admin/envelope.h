/* The envelope of every answer (api.md §1):
 * {"success", "message", "data": […], "has_more"?, "error": {code, field}?} */
#ifndef ADMIN_ENVELOPE_H
#define ADMIN_ENVELOPE_H

#include "admin/request.h"

/* Replaces whatever the answer held. field NULL or "": none. */
void answer_fail(struct answer *a, unsigned status, const char *code,
                 const char *field, const char *message);
/* As answer_fail, with data: `objects` is JSON, comma separated. */
void answer_fail_with(struct answer *a, unsigned status, const char *code,
                      const char *field, const char *message,
                      struct sv objects);
/* data: [] */
void answer_ok(struct answer *a, unsigned status, const char *message);

/* Step by step: begin, any number of objects, end. */
void answer_begin(struct answer *a, unsigned status, const char *message);
/* A comma if needed; then the caller writes one JSON object to a->body. */
void answer_next(struct answer *a);
void answer_put(struct answer *a, struct sv object);
void answer_end(struct answer *a);
void answer_end_list(struct answer *a, bool has_more);

#endif
