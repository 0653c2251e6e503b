#include "codec/exposition.h"

struct sv exposition_label(const struct exposition *e, struct sv name)
{
    for (unsigned i = 0; i < e->labels_n; i++)
        if (sv_eq(e->labels[i].name, name)) return e->labels[i].value;
    return (struct sv){ NULL, 0 };
}

/* "# HELP name text", "# TYPE name type" */
static void comment(struct exposition *e, struct sv line)
{
    struct sv rest, text;
    sv_cut(line, ' ', &rest);
    struct sv word = sv_cut(rest, ' ', &rest);
    struct sv name = sv_cut(rest, ' ', &text);
    if (!text.p) text = SV("");
    if (sv_eq(word, SV("HELP"))) {
        e->metric = name;
        e->help = text;
        e->type = SV("");
    } else if (sv_eq(word, SV("TYPE"))) {
        if (!sv_eq(e->metric, name)) e->help = SV("");
        e->metric = name;
        e->type = text;
    }
}

/* Position of the closing quote of a value that begins at `at`. */
static size_t value_end(struct sv s, size_t at)
{
    while (at < s.n && s.p[at] != '"') at += s.p[at] == '\\' ? 2 : 1;
    return at;
}

/* name="value",… up to the brace; false: malformed, or too many. */
static bool labels(struct exposition *e, struct sv s, struct sv *rest)
{
    size_t at = 0;
    e->labels_n = 0;
    while (at < s.n && s.p[at] != '}') {
        size_t start = at;
        while (at < s.n && s.p[at] != '=') at++;
        size_t end = at + 2 <= s.n ? value_end(s, at + 2) : s.n;
        if (end >= s.n || s.p[at + 1] != '"' ||
            e->labels_n == EXPOSITION_LABELS_MAX)
            return false;
        e->labels[e->labels_n++] = (struct exposition_label){
            sv_of(s.p + start, at - start),
            sv_of(s.p + at + 2, end - at - 2),
        };
        at = end + 1;
        if (at < s.n && s.p[at] == ',') at++;
    }
    *rest = at < s.n ? sv_from(s, at + 1) : SV("");
    return at < s.n;
}

static bool sample(struct exposition *e, struct sv line)
{
    size_t brace = sv_find(line, '{'), space = sv_find(line, ' ');
    struct sv rest;
    e->labels_n = 0;
    if (brace < space) {
        e->name = sv_first(line, brace);
        if (!labels(e, sv_from(line, brace + 1), &rest)) return false;
    } else if (space != SIZE_MAX) {
        e->name = sv_first(line, space);
        rest = sv_from(line, space);
    } else {
        return false;
    }
    e->value = sv_cut(sv_trim(rest), ' ', &rest);
    return e->name.n && e->value.n && sv_starts(e->name, e->metric);
}

bool exposition_next(struct exposition *e)
{
    while (e->rest.n) {
        struct sv rest, line = sv_cut(e->rest, '\n', &rest);
        e->rest = rest.p ? rest : SV("");
        if (sv_starts(line, SV("#")))
            comment(e, line);
        else if (line.n && sample(e, line))
            return true;
    }
    return false;
}
