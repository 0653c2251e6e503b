/* A text with {variables}, as routing profiles write them (gateway.md §5):
 * names of letters, digits and '_'. No other braces. Matching a text against
 * one yields the variables; writing one puts them in. */
#ifndef MODEL_TEMPLATE_H
#define MODEL_TEMPLATE_H

#include "base/arena.h"

enum { TEMPLATE_VARIABLES_MAX = 10, TEMPLATE_NAME_MAX = 50 };

/* The variables of one rule, in the order of their first use. */
struct template_names {
    unsigned n;
    struct sv at[TEMPLATE_VARIABLES_MAX];
};
/* Index of the name, or -1. */
int template_name_find(const struct template_names *names, struct sv name);

struct template_piece {
    struct sv text;   /* literal; "" when it is a variable */
    int8_t variable;  /* index into the names, or -1 */
};
struct template {
    unsigned n;
    const struct template_piece *pieces;
};

/* Defines: new names are added to *names (twice the same in a rule's pattern
 * is refused); else each must be there. ERR_INVALID with *why (static text),
 * ERR_NOMEM. Views of `text`. */
enum template_use { TEMPLATE_DEFINES, TEMPLATE_USES };
int template_parse(struct sv text, enum template_use use,
                   struct template_names *names, struct arena *a,
                   struct template *out, const char **why);

/* What a pattern can be: a literal, or one variable between two literals. */
struct template_affix {
    struct sv prefix, suffix; /* a literal is all prefix */
    int8_t variable;          /* -1: literal */
};
/* ERR_INVALID: two variables without anything to tell them apart. */
int template_affix(const struct template *t, struct template_affix *out);

#endif
