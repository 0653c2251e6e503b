/* traceparent and tracestate; and the reader of /metrics, which must end and
 * stay inside whatever it is given. */
#include <stddef.h>
#include <stdint.h>

#include "base/ensure.h"
#include "codec/exposition.h"
#include "codec/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of((const char *)data, size);
    struct trace_context c;
    struct exposition e = { .rest = text };
    if (trace_parent_decode(text, &c) == 0) {
        char out[TRACE_PARENT_TEXT];
        struct trace_context again;
        trace_parent_encode(out, &c);
        ENSURE(trace_parent_decode(sv_of(out, sizeof out), &again) == 0);
        ENSURE(!memcmp(&c, &again, sizeof c));
    }
    trace_state_is_valid(text);
    while (exposition_next(&e)) {
        ENSURE(e.name.n && e.value.n);
        exposition_label(&e, SV("le"));
    }
    return 0;
}
