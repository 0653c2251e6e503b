/* Texts with variables: cut at the braces. */
#include "model/template.h"

#include "base/err.h"

int template_name_find(const struct template_names *names, struct sv name)
{
    for (unsigned i = 0; i < names->n; i++)
        if (sv_eq(names->at[i], name)) return (int)i;
    return -1;
}

static bool name_ok(struct sv name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i], low = ascii_lower(c);
        if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'z') && c != '_')
            return false;
    }
    return name.n > 0 && name.n <= TEMPLATE_NAME_MAX;
}

static int name_index(struct sv name, enum template_use use,
                      struct template_names *names, const char **why)
{
    int i = template_name_find(names, name);
    *why = "names a variable of 1-50 letters, digits and _ only";
    if (!name_ok(name)) return ERR_INVALID;
    if (use == TEMPLATE_USES) {
        *why = "names a variable that the rule's own pattern lacks";
        return i < 0 ? ERR_INVALID : i;
    }
    *why = "names a variable twice";
    if (i >= 0) return ERR_INVALID;
    *why = "has more than 10 variables in a rule";
    if (names->n == TEMPLATE_VARIABLES_MAX) return ERR_INVALID;
    names->at[names->n] = name;
    return (int)names->n++;
}

static size_t pieces_most(struct sv text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++) n += 2u * (text.p[i] == '{');
    return n;
}

int template_parse(struct sv text, enum template_use use,
                   struct template_names *names, struct arena *a,
                   struct template *out, const char **why)
{
    struct template_piece *pieces =
        ARENA_ARRAY(a, struct template_piece, pieces_most(text));
    unsigned n = 0;
    if (!pieces) return ERR_NOMEM;
    while (text.n) {
        size_t open = sv_find(text, '{'), close;
        struct sv literal = sv_first(text, open);
        *why = "has a brace without its other";
        if (sv_find(literal, '}') != SIZE_MAX) return ERR_INVALID;
        if (literal.n) pieces[n++] = (struct template_piece){ literal, -1 };
        if (open == SIZE_MAX) break;
        text = sv_from(text, open + 1);
        close = sv_find(text, '}');
        if (close == SIZE_MAX) return ERR_INVALID;
        int i = name_index(sv_first(text, close), use, names, why);
        if (i < 0) return i;
        pieces[n++] = (struct template_piece){ SV(""), (int8_t)i };
        text = sv_from(text, close + 1);
    }
    *out = (struct template){ n, pieces };
    *why = NULL;
    return 0;
}

int template_affix(const struct template *t, struct template_affix *out)
{
    *out = (struct template_affix){ SV(""), SV(""), -1 };
    for (unsigned i = 0; i < t->n; i++) {
        const struct template_piece *p = &t->pieces[i];
        if (p->variable < 0 && out->variable < 0)
            out->prefix = p->text;
        else if (p->variable < 0)
            out->suffix = p->text;
        else if (out->variable >= 0)
            return ERR_INVALID;
        else
            out->variable = p->variable;
    }
    return 0;
}
