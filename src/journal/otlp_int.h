/* For otlp*.c only. */
#ifndef JOURNAL_OTLP_INT_H
#define JOURNAL_OTLP_INT_H

#include "journal/otlp.h"

/* {"key":…,"value":{"stringValue":…}}, with a comma behind another one. */
void otlp_text(struct buf *b, struct sv name, struct sv value);
void otlp_time(struct buf *b, const char *name, int64_t ns);
/* {"resourceX":[{"resource":…,"scopeX":[{"scope":… */
void otlp_begin(const struct otlp_resource *r, const char *kind,
                struct buf *out);

#endif
