/* Regular expressions as JSON Schema writes them: ECMA-262 with its `u`
 * flag, searched for anywhere in the text. They are translated to PCRE2;
 * what cannot be translated exactly is refused, never approximated. A search
 * is bounded by the steps given, so that a pattern that doubles its work
 * with each byte ends as LIMIT and not as a stalled thread. */
#ifndef CODEC_PATTERN_H
#define CODEC_PATTERN_H

#include "base/sv.h"

enum {
    PATTERN_BYTES_MAX = 16384, /* of the source */
    PATTERN_HEAP_BYTES_MAX = 4 << 20, /* of one search */
    PATTERN_DEPTH_MAX = 20000,
};

struct pattern;      /* compiled; immutable, shared by threads */
struct pattern_room; /* what one search needs; one a thread */

struct pattern_why {
    size_t at; /* byte of the source */
    char reason[96];
};

enum pattern_verdict { PATTERN_NO, PATTERN_YES, PATTERN_LIMIT };

/* `jit`: machine code where the system allows it; else interpreted. Source
 * is valid UTF-8. ERR_INVALID with *why, ERR_NOMEM. */
int pattern_new(struct sv source, bool jit, struct pattern **out,
                struct pattern_why *why);
void pattern_free(struct pattern **p);

struct pattern_room *pattern_room_new(void);
void pattern_room_free(struct pattern_room **r);

/* Text is valid UTF-8. `steps` bounds the search's backtracking. Allocates
 * nothing with machine code; an interpreted search keeps its memory in the
 * room. */
enum pattern_verdict pattern_find(const struct pattern *p,
                                  struct pattern_room *room, struct sv text,
                                  uint32_t steps);

#endif
