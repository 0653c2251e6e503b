/* From ECMA-262's grammar (with the `u` flag, and the escapes of punctuation
 * that people write without it) to PCRE2's. Each construct is either written
 * in a form that both read alike, or refused. */
#include <stdio.h>

#include "base/err.h"
#include "base/ensure.h"
#include "codec/pattern_int.h"

/* WhiteSpace and LineTerminator of ECMA-262, for inside of a class */
#define SPACES                                                            \
    "\\x09-\\x0d\\x20\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}" \
    "\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define LINE_ENDS "\\n\\r\\x{2028}\\x{2029}"

enum { GROUPS_DEEP_MAX = 200, REPEAT_MAX = 65535 };

struct translation {
    struct sv in;
    size_t at;
    struct buf *out;
    struct pattern_why *why;
    int depth;
};

static int refuse(struct translation *t, const char *reason)
{
    t->why->at = t->at;
    snprintf(t->why->reason, sizeof t->why->reason, "%s", reason);
    return ERR_INVALID;
}

static int next(const struct translation *t, size_t ahead)
{
    return t->at + ahead < t->in.n ? (uint8_t)t->in.p[t->at + ahead] : -1;
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n hex digits at t->at, consumed; -1: there are none */
static int32_t hex_take(struct translation *t, int n)
{
    int32_t v = 0;
    for (int i = 0; i < n; i++) {
        int digit = hex_value(next(t, (size_t)i));
        if (digit < 0) return -1;
        v = v * 16 + digit;
    }
    t->at += (size_t)n;
    return v;
}

static int32_t braced_hex_take(struct translation *t)
{
    int32_t v = 0;
    size_t from = ++t->at;
    while (hex_value(next(t, 0)) >= 0 && v <= 0x10ffff)
        v = v * 16 + hex_value(next(t, 0)), t->at++;
    if (t->at == from || next(t, 0) != '}' || v > 0x10ffff) return -1;
    t->at++;
    return v;
}

/* Behind `\u`: four digits, two such as a surrogate pair, or braces. */
static int32_t unicode_take(struct translation *t)
{
    if (next(t, 0) == '{') return braced_hex_take(t);
    int32_t high = hex_take(t, 4);
    if (high < 0xd800 || high > 0xdbff)
        return high >= 0xdc00 && high <= 0xdfff ? -1 : high;
    if (next(t, 0) != '\\' || next(t, 1) != 'u') return -1;
    t->at += 2;
    int32_t low = hex_take(t, 4);
    if (low < 0xdc00 || low > 0xdfff) return -1;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static void put_code(struct translation *t, int32_t code)
{
    buf_printf(t->out, "\\x{%x}", (unsigned)code);
}

/* The long names of general categories that PCRE2 has only short. */
static const char *const categories[][2] = {
    { "Letter", "L" },
    { "Uppercase_Letter", "Lu" },
    { "Lowercase_Letter", "Ll" },
    { "Titlecase_Letter", "Lt" },
    { "Cased_Letter", "L&" },
    { "Modifier_Letter", "Lm" },
    { "Other_Letter", "Lo" },
    { "Mark", "M" },
    { "Combining_Mark", "M" },
    { "Nonspacing_Mark", "Mn" },
    { "Spacing_Mark", "Mc" },
    { "Enclosing_Mark", "Me" },
    { "Number", "N" },
    { "Decimal_Number", "Nd" },
    { "digit", "Nd" },
    { "Letter_Number", "Nl" },
    { "Other_Number", "No" },
    { "Symbol", "S" },
    { "Math_Symbol", "Sm" },
    { "Currency_Symbol", "Sc" },
    { "Modifier_Symbol", "Sk" },
    { "Other_Symbol", "So" },
    { "Punctuation", "P" },
    { "punct", "P" },
    { "Connector_Punctuation", "Pc" },
    { "Dash_Punctuation", "Pd" },
    { "Open_Punctuation", "Ps" },
    { "Close_Punctuation", "Pe" },
    { "Initial_Punctuation", "Pi" },
    { "Final_Punctuation", "Pf" },
    { "Other_Punctuation", "Po" },
    { "Separator", "Z" },
    { "Space_Separator", "Zs" },
    { "Line_Separator", "Zl" },
    { "Paragraph_Separator", "Zp" },
    { "Other", "C" },
    { "Control", "Cc" },
    { "cntrl", "Cc" },
    { "Format", "Cf" },
    { "Surrogate", "Cs" },
    { "Private_Use", "Co" },
    { "Unassigned", "Cn" },
    { "LC", "L&" },
};

/* Names that both know alike, beside categories of one or two letters. */
static bool property_is_plain(struct sv name)
{
    if (name.n == 0 || name.n > 40) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_') return false;
    }
    return true;
}

/* Behind `\p` or `\P` */
static int property(struct translation *t, char sign)
{
    if (next(t, 0) != '{') return refuse(t, "\\p needs a property in braces");
    struct sv rest, body = sv_from(t->in, t->at + 1);
    body = sv_cut(body, '}', &rest);
    if (!rest.p) return refuse(t, "a brace of \\p is not closed");
    struct sv value, name = sv_cut(body, '=', &value);
    bool script = false;
    if (value.p) {
        script = sv_eq(name, SV("Script")) || sv_eq(name, SV("sc"));
        if (!script && !sv_eq(name, SV("General_Category")) &&
            !sv_eq(name, SV("gc")))
            return refuse(t, "this Unicode property is not supported");
        name = value;
    }
    if (sv_eq(name, SV("Any"))) {
        buf_printf(t->out, "\\%c{Any}", sign);
        t->at += body.n + 2;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(categories); i++)
        if (!script && sv_eq(name, sv_cstr(categories[i][0])))
            name = sv_cstr(categories[i][1]);
    if (!sv_eq(name, SV("L&")) && !property_is_plain(name))
        return refuse(t, "this Unicode property is not supported");
    buf_printf(t->out, "\\%c{%.*s}", sign, SV_FMT(name));
    t->at += body.n + 2;
    return 0;
}

static const char *letter_escape(int c, bool in_class)
{
    switch (c) {
    case 'd': return "\\d";
    case 'D': return "\\D";
    case 'w': return "\\w";
    case 'W': return "\\W";
    case 't': return "\\t";
    case 'n': return "\\n";
    case 'r': return "\\r";
    case 'f': return "\\f";
    case 'v': return "\\x0b";
    case 's': return in_class ? SPACES : "[" SPACES "]";
    case 'S': return in_class ? NULL : "[^" SPACES "]";
    case 'b': return in_class ? "\\x08" : "\\b";
    case 'B': return in_class ? NULL : "\\B";
    default: return NULL;
    }
}

/* \1 and \k<name>: both engines, and an unset group matches nothing (an
 * option of the compiler). */
static int back_reference(struct translation *t, int c)
{
    if (c == 'k') {
        struct sv rest, name = sv_from(t->in, t->at + 1);
        if (next(t, 0) != '<') return refuse(t, "\\k needs a group's name");
        name = sv_cut(name, '>', &rest);
        if (!rest.p || !property_is_plain(name))
            return refuse(t, "\\k needs a group's name");
        buf_printf(t->out, "\\k<%.*s>", SV_FMT(name));
        t->at += name.n + 2;
        return 0;
    }
    buf_puts(t->out, "\\g{");
    buf_putc(t->out, (char)c);
    for (; next(t, 0) >= '0' && next(t, 0) <= '9'; t->at++)
        buf_putc(t->out, (char)next(t, 0));
    buf_putc(t->out, '}');
    return 0;
}

/* At a backslash. */
static int escape(struct translation *t, bool in_class)
{
    int c = next(t, 1);
    if (c < 0) return refuse(t, "it ends in a backslash");
    t->at += 2;
    const char *known = letter_escape(c, in_class);
    if (known) {
        buf_puts(t->out, known);
        return 0;
    }
    int32_t code;
    switch (c) {
    case 'S':
        /* [^\S] and unions with it cannot be written as one class */
        return refuse(t, "\\S inside of a class is not supported");
    case 'p':
    case 'P': return property(t, (char)c);
    case 'u': code = unicode_take(t); break;
    case 'x': code = hex_take(t, 2); break;
    case 'c':
        code = (next(t, 0) | 0x20) >= 'a' && (next(t, 0) | 0x20) <= 'z'
                   ? next(t, 0) % 32
                   : -1;
        t->at++;
        break;
    case '0': code = next(t, 0) >= '0' && next(t, 0) <= '9' ? -1 : 0; break;
    default:
        if (!in_class && (c == 'k' || (c >= '1' && c <= '9')))
            return back_reference(t, c);
        if (c >= 0x80 || (c >= '0' && c <= '9') ||
            ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_') {
            t->at -= 2;
            return refuse(t, "this escape is not ECMA-262");
        }
        code = c;
    }
    if (code < 0) return refuse(t, "a damaged escape");
    put_code(t, code);
    return 0;
}

static int class_take(struct translation *t)
{
    bool negated = next(t, 1) == '^';
    t->at += 1 + (size_t)negated;
    if (next(t, 0) == ']') { /* nothing, or everything */
        buf_puts(t->out, negated ? "[\\x{0}-\\x{10ffff}]" : "(?!)");
        t->at++;
        return 0;
    }
    /* \S alone is common, and another word for a class. */
    if (next(t, 0) == '\\' && next(t, 1) == 'S' && next(t, 2) == ']') {
        buf_puts(t->out, negated ? "[" SPACES "]" : "[^" SPACES "]");
        t->at += 3;
        return 0;
    }
    /* [\s\S] and [\S\s]: everything */
    if (next(t, 0) == '\\' && next(t, 2) == '\\' && next(t, 4) == ']' &&
        (next(t, 1) ^ next(t, 3)) == ('s' ^ 'S') &&
        (next(t, 1) | 0x20) == 's') {
        buf_puts(t->out, negated ? "(?!)" : "[\\x{0}-\\x{10ffff}]");
        t->at += 5;
        return 0;
    }
    buf_puts(t->out, negated ? "[^" : "[");
    while (next(t, 0) != ']') {
        int c = next(t, 0);
        if (c < 0) return refuse(t, "a class is not closed");
        if (c == '\\') {
            int rc = escape(t, true);
            if (rc != 0) return rc;
            continue;
        }
        if (c == '[' || c == '&' || c == '~') buf_putc(t->out, '\\');
        buf_putc(t->out, (char)c);
        t->at++;
    }
    buf_putc(t->out, ']');
    t->at++;
    return 0;
}

static int group_open(struct translation *t)
{
    static const char *const heads[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!" };
    if (++t->depth > GROUPS_DEEP_MAX) return refuse(t, "groups too deep");
    if (next(t, 1) != '?') {
        buf_putc(t->out, '(');
        t->at++;
        return 0;
    }
    struct sv rest = sv_from(t->in, t->at);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (sv_starts(rest, sv_cstr(heads[i]))) {
            buf_puts(t->out, heads[i]);
            t->at += strlen(heads[i]);
            return 0;
        }
    struct sv behind, name = sv_cut(sv_from(rest, 3), '>', &behind);
    if (next(t, 2) != '<' || !behind.p || !property_is_plain(name) ||
        name.n > 32)
        return refuse(t, "this kind of group is not ECMA-262");
    buf_printf(t->out, "(?<%.*s>", SV_FMT(name));
    t->at += name.n + 4;
    return 0;
}

static uint32_t count_take(struct translation *t, size_t *at)
{
    uint32_t v = 0;
    size_t from = *at;
    for (; next(t, *at) >= '0' && next(t, *at) <= '9'; ++*at)
        if (v <= REPEAT_MAX) v = v * 10 + (uint32_t)(next(t, *at) - '0');
    return *at == from ? UINT32_MAX : v;
}

/* At `{`: a quantifier, else the brace itself. */
static int brace(struct translation *t, bool repeats_something,
                 bool *quantifies)
{
    size_t at = 1;
    uint32_t low = count_take(t, &at), high = low;
    bool open_end = false;
    if (next(t, at) == ',') {
        at++;
        high = count_take(t, &at);
        open_end = high == UINT32_MAX;
    }
    *quantifies = low != UINT32_MAX && next(t, at) == '}';
    if (!*quantifies) {
        buf_puts(t->out, "\\{");
        t->at++;
        return 0;
    }
    if (!repeats_something) return refuse(t, "nothing to repeat");
    if (low > REPEAT_MAX || (!open_end && high > REPEAT_MAX))
        return refuse(t, "a repetition above 65535");
    if (!open_end && high < low)
        return refuse(t, "a repetition whose end is before its start");
    buf_put(t->out, sv_of(t->in.p + t->at, at + 1));
    t->at += at + 1;
    return 0;
}

/* Behind an atom or not: what the next character does with that. */
static int one(struct translation *t, bool *has_atom)
{
    int c = next(t, 0), rc = 0;
    bool quantifies = false, atom = true;
    switch (c) {
    case '\\':
        atom = next(t, 1) != 'b' && next(t, 1) != 'B';
        rc = escape(t, false);
        break;
    case '[': rc = class_take(t); break;
    case '(':
        rc = group_open(t);
        atom = false;
        break;
    case ')':
        if (t->depth-- == 0) return refuse(t, "a ) without its (");
        buf_putc(t->out, ')');
        t->at++;
        break;
    case '{': rc = brace(t, *has_atom, &quantifies); break;
    case '*':
    case '+':
    case '?':
        if (!*has_atom) return refuse(t, "nothing to repeat");
        buf_putc(t->out, (char)c);
        t->at++;
        quantifies = true;
        break;
    case '.':
        buf_puts(t->out, "[^" LINE_ENDS "]");
        t->at++;
        break;
    case '|':
    case '^':
    case '$':
        buf_putc(t->out, (char)c);
        t->at++;
        atom = false;
        break;
    case ']':
    case '}':
        buf_putc(t->out, '\\');
        buf_putc(t->out, (char)c);
        t->at++;
        break;
    default: buf_putc(t->out, (char)c); t->at++;
    }
    if (quantifies && next(t, 0) == '?') { /* lazy */
        buf_putc(t->out, '?');
        t->at++;
    }
    *has_atom = atom && !quantifies;
    return rc;
}

int pattern_translate(struct sv source, struct buf *out,
                      struct pattern_why *why)
{
    struct translation t = { .in = source, .out = out, .why = why };
    bool has_atom = false;
    int rc = 0;
    if (source.n > PATTERN_BYTES_MAX) return refuse(&t, "longer than 16 KiB");
    while (rc == 0 && t.at < source.n) rc = one(&t, &has_atom);
    if (rc == 0 && t.depth) rc = refuse(&t, "a ( is not closed");
    return rc == 0 && out->overflow ? ERR_NOMEM : rc;
}
