/* W3C Trace Context (Recommendation, 2021): traceparent and tracestate. Strict:
 * what is malformed is nobody's trace, and is replaced by whoever reads it. */
#ifndef CODEC_TRACE_CONTEXT_H
#define CODEC_TRACE_CONTEXT_H

#include "base/sv.h"

enum { TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8, TRACE_PARENT_TEXT = 55,
       TRACE_STATE_MAX = 512, /* bytes, of all fields together */
       TRACE_SAMPLED = 1 };

struct trace_context {
    uint8_t trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
    uint8_t flags; /* TRACE_SAMPLED or 0 */
};

/* §3.2, version 00, and what later versions promise to keep of it.
 * ERR_INVALID. */
int trace_parent_decode(struct sv text, struct trace_context *out);
void trace_parent_encode(char out[TRACE_PARENT_TEXT],
                         const struct trace_context *c);
/* §3.3: at most 32 members, each key once. */
bool trace_state_is_valid(struct sv text);

#endif
