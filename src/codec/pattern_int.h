/* Between the translator and the searcher of patterns. */
#ifndef CODEC_PATTERN_INT_H
#define CODEC_PATTERN_INT_H

#include "base/buf.h"
#include "codec/pattern.h"

/* ECMA-262 to PCRE2 (UTF, without UCP). ERR_INVALID with *why. */
int pattern_translate(struct sv source, struct buf *out,
                      struct pattern_why *why);

#endif
