/* Regular expressions that a stranger may write and a stranger's bytes meet:
 * matching is linear in the text whatever the pattern (docs/decisions/0027).
 * A pattern becomes an automaton once; matching allocates nothing, keeps no
 * state, and may run on any thread.
 *
 *   text -> tree -> program (regex_parse.c) -> table, one step a byte
 *                                           \-> or sets of states, when the
 *                                               table would be too large
 *
 * The language is the common part of RE2, Rust's regex and PCRE: literals,
 * `.` (all but \n), [sets] with ranges, ^negation and [:alpha:] names,
 * \d \D \w \W \s \S, \b \B, ^ $ \A \z (of the whole text), groups (?:…) and
 * (…), (?i) in front or of a group (?i:…), | * + ? {n} {n,} {n,m} and their
 * lazy forms, \n \r \t \f \v \a \e \xHH \x{HH}. Refused with the place:
 * back-references, look-around, possessive forms, \p{…}, anything unknown.
 * It works on bytes: a character beyond ASCII is its UTF-8 bytes in a row
 * and cannot stand in a set; (?i) folds ASCII alone. */
#ifndef CODEC_REGEX_H
#define CODEC_REGEX_H

#include "base/arena.h"

enum {
    REGEX_TEXT_MAX = 2048,   /* bytes of a pattern */
    REGEX_REPEAT_MAX = 1000, /* of {n,m} */
};

struct regex;

struct regex_error {
    size_t at;          /* byte of the pattern */
    const char *reason; /* static: "unclosed group" */
};

/* `fold`: the text is read as if in lower case. Lives in the arena, up to
 * 128 KiB. At most about 50 ms of work. ERR_INVALID with *why, ERR_NOMEM. */
int regex_compile(struct sv pattern, bool fold, struct arena *a,
                  const struct regex **out, struct regex_error *why);
/* Does it match anywhere in the text? */
bool regex_search(const struct regex *re, struct sv text);
/* Steps a byte: 1 for a table, else at most so many. */
unsigned regex_cost(const struct regex *re);

#endif
