/* Rules for texts that people and programs give us: what may stand in a
 * name, a slug, a prefix. Each rule carries the pattern that the published
 * API description shows, so that check and description are one fact. */
#ifndef CODEC_TEXT_H
#define CODEC_TEXT_H

#include "base/sv.h"

/* Well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms. */
bool utf8_is_valid(struct sv s);
/* Code points; s must be valid. */
size_t utf8_count(struct sv s);

struct text_rule {
    const char *pattern; /* ECMA-262 regular expression, or NULL */
    const char *says;    /* "may hold only letters, digits, _ and -" */
    bool (*ok)(struct sv s); /* s is valid UTF-8; length is another matter */
};

extern const struct text_rule
    text_plain,    /* no control characters (C0, DEL, C1) */
    text_lines,    /* as plain, but LF, CR and tab are allowed */
    text_slug,     /* [a-z0-9-] */
    text_word,     /* [A-Za-z0-9_-] */
    text_visible,  /* printable ASCII without space */
    text_cookie,   /* RFC 9110 token: header and cookie names */
    text_hex;      /* hex digits */

#endif
