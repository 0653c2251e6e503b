/* Expression text to program: recursive descent without a token list, since
 * what stands behind an operator depends on the type before it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/expression_int.h"
#include "codec/text.h"

enum {
    STEPS_MAX = 4 * EXPRESSION_TESTS_MAX,
    VALUES_MAX = EXPRESSION_TEXT_MAX / 2,
    NO_JUMP = UINT16_MAX,
};

struct parser {
    struct sv text;
    size_t at;
    unsigned depth, cost;
    struct arena *arena;
    struct expression_error *why;
    bool token, place;
    unsigned tests_n, steps_n;
    struct expression_test test[EXPRESSION_TESTS_MAX];
    struct expression_step step[STEPS_MAX];
    unsigned values_n; /* of the set that is being read */
    union {
        struct sv texts[VALUES_MAX];
        struct number_range numbers[VALUES_MAX];
        struct ip_range ips[VALUES_MAX];
    } values;
};

/* --- words -------------------------------------------------------------------- */

static __attribute__((format(printf, 3, 4))) int refuse_at(struct parser *p,
                                                           size_t at,
                                                           const char *fmt, ...)
{
    struct expression_error *why = p->why;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why->message, sizeof why->message, fmt, ap);
    va_end(ap);
    why->at = at;
    why->line = why->column = 1;
    for (size_t i = 0; i < at && i < p->text.n; i++) {
        bool feed = p->text.p[i] == '\n';
        why->line += feed;
        why->column = feed ? 1 : why->column + 1;
    }
    return ERR_INVALID;
}

static void skip(struct parser *p)
{
    while (p->at < p->text.n && strchr(" \t\r\n", p->text.p[p->at]) &&
           p->text.p[p->at])
        p->at++;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') ||
           (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_' ||
           c == '.';
}

static struct sv word_at(const struct parser *p, size_t at)
{
    size_t end = at;
    while (end < p->text.n && is_word(p->text.p[end])) end++;
    return sv_of(p->text.p + at, end - at);
}

/* The word here, or one character, or the end: for messages. */
static int refuse_found(struct parser *p, const char *expected)
{
    skip(p);
    struct sv found = sv_first(word_at(p, p->at), 24);
    if (p->at >= p->text.n)
        return refuse_at(p, p->at, "expected %s, found the end", expected);
    if (!found.n) found = sv_of(p->text.p + p->at, 1);
    if ((unsigned char)found.p[0] < ' ' || (unsigned char)found.p[0] > '~')
        return refuse_at(p, p->at, "expected %s, found byte 0x%02x", expected,
                         (unsigned)(unsigned char)found.p[0]);
    return refuse_at(p, p->at, "expected %s, found \"%.*s\"", expected,
                     SV_FMT(found));
}

static bool eat(struct parser *p, const char *mark)
{
    skip(p);
    struct sv s = sv_cstr(mark), rest = sv_from(p->text, p->at);
    if (!sv_starts(rest, s)) return false;
    p->at += s.n;
    return true;
}

static bool eat_word(struct parser *p, const char *word)
{
    skip(p);
    if (!sv_eq(word_at(p, p->at), sv_cstr(word))) return false;
    p->at += strlen(word);
    return true;
}

/* --- literals ------------------------------------------------------------------ */

static int escape(struct parser *p, size_t at, char *out)
{
    char c = p->at < p->text.n ? p->text.p[p->at++] : '\0';
    switch (c) {
    case '"':
    case '\\': *out = c; return 0;
    case 'n': *out = '\n'; return 0;
    case 'r': *out = '\r'; return 0;
    case 't': *out = '\t'; return 0;
    case 'x': {
        char *end, hex[3] = "";
        memcpy(hex, p->text.p + p->at, p->text.n - p->at >= 2 ? 2 : 0);
        unsigned long v = strtoul(hex, &end, 16);
        if (end != hex + 2 || hex[0] == '+' || hex[0] == '-') break;
        p->at += 2;
        *out = (char)v;
        return 0;
    }
    default: break;
    }
    return refuse_at(p, at,
                     "unknown escape; \\\" \\\\ \\n \\r \\t \\xHH are "
                     "known, r\"…\" has none");
}

/* In a pattern, the backslashes are the pattern's, but for \". */
static int quoted(struct parser *p, size_t open, bool pattern, struct sv *out)
{
    char *to = arena_alloc(p->arena, p->text.n - p->at + 1);
    size_t n = 0;
    if (!to) return ERR_NOMEM;
    for (;;) {
        if (p->at >= p->text.n) return refuse_at(p, open, "unclosed text");
        size_t at = p->at;
        char c = p->text.p[p->at++];
        bool keep = pattern && p->at < p->text.n && p->text.p[p->at] != '"';
        if (c == '"') break;
        if (c == '\\' && keep) {
            to[n++] = c;
            c = p->text.p[p->at++];
        } else if (c == '\\') {
            int rc = escape(p, at, &c);
            if (rc) return rc;
        }
        to[n++] = c;
    }
    *out = sv_of(to, n);
    return 0;
}

/* r"…", r#"…"#, behind the r. */
static int raw(struct parser *p, size_t open, struct sv *out)
{
    size_t hashes = 0, start;
    while (p->at < p->text.n && p->text.p[p->at] == '#') hashes++, p->at++;
    if (p->at >= p->text.n || p->text.p[p->at] != '"' || hashes > 16)
        return refuse_at(p, open, "expected a text in quotes");
    start = ++p->at;
    for (; p->at < p->text.n; p->at++) {
        struct sv rest = sv_from(p->text, p->at);
        size_t n = 1;
        if (rest.p[0] != '"') continue;
        while (n < rest.n && n <= hashes && rest.p[n] == '#') n++;
        if (n != hashes + 1) continue;
        *out = arena_dup(p->arena, sv_of(p->text.p + start, p->at - start));
        p->at += n;
        return out->p ? 0 : ERR_NOMEM;
    }
    return refuse_at(p, open, "unclosed text");
}

static int text_literal(struct parser *p, bool pattern, struct sv *out)
{
    skip(p);
    size_t open = p->at;
    struct sv rest = sv_from(p->text, p->at);
    if (sv_starts(rest, SV("\""))) {
        p->at++;
        return quoted(p, open, pattern, out);
    }
    if (sv_starts(rest, SV("r\"")) || sv_starts(rest, SV("r#"))) {
        p->at++;
        return raw(p, open, out);
    }
    return refuse_found(p, "a text in quotes");
}

static int number_literal(struct parser *p, int64_t *out)
{
    uint64_t v;
    skip(p);
    size_t end = p->at;
    while (end < p->text.n && p->text.p[end] >= '0' && p->text.p[end] <= '9')
        end++;
    struct sv digits = sv_of(p->text.p + p->at, end - p->at);
    if (!sv_to_u64(digits, INT64_MAX, &v) ||
        (end < p->text.n && is_word(p->text.p[end]) && p->text.p[end] != '.'))
        return refuse_found(p, "a number");
    p->at = end;
    *out = (int64_t)v;
    return 0;
}

static bool dots(const struct parser *p)
{
    return sv_starts(sv_from(p->text, p->at), SV(".."));
}

static int number_range(struct parser *p, struct number_range *out)
{
    int rc = number_literal(p, &out->from);
    out->to = out->from;
    if (rc || !dots(p)) return rc;
    size_t at = p->at;
    p->at += 2;
    rc = number_literal(p, &out->to);
    if (rc == 0 && out->to < out->from)
        rc = refuse_at(p, at, "the range ends before it begins");
    return rc;
}

static void cidr_range(const struct cidr *c, struct ip_range *out)
{
    out->from = out->to = c->ip;
    for (unsigned bit = c->bits; bit < 128; bit++)
        out->to.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

/* An address, a network, or two addresses with .. between. */
static int ip_range(struct parser *p, struct ip_range *out)
{
    struct cidr from, to;
    skip(p);
    size_t start = p->at, end = start;
    while (end < p->text.n && p->text.p[end] &&
           strchr("0123456789abcdefABCDEF:./", p->text.p[end]))
        end++;
    struct sv all = sv_of(p->text.p + start, end - start);
    const char *two = memmem(all.p, all.n, "..", 2);
    size_t n = two ? (size_t)(two - all.p) : all.n;
    if (!all.n || cidr_parse(sv_first(all, n), &from))
        return refuse_found(p, "an address or network (host bits zero)");
    cidr_range(&from, out);
    p->at = end;
    if (!two) return 0;
    if (cidr_parse(sv_from(all, n + 2), &to) || to.bits != 128 ||
        from.bits != 128 || ip_is_v4(&from.ip) != ip_is_v4(&to.ip) ||
        memcmp(from.ip.b, to.ip.b, sizeof to.ip.b) > 0)
        return refuse_at(p, start, "not a range of addresses");
    out->to = to.ip;
    return 0;
}

/* --- operands ------------------------------------------------------------------ */

static int text_value(struct parser *p, const struct expression_test *t,
                      bool nocase, struct sv *out)
{
    skip(p);
    size_t at = p->at;
    int rc = text_literal(p, false, out);
    for (size_t i = 0; rc == 0 && t->lower && i < out->n; i++) {
        char *c = (char *)(uintptr_t)&out->p[i]; /* ours, in the arena */
        if (*c != ascii_lower(*c) && !nocase)
            return refuse_at(p, at, "lower() never holds an upper-case letter");
        *c = ascii_lower(*c);
    }
    return rc;
}

/* Where byte n of a quoted pattern stands in the source: \" is two there. */
static size_t pattern_place(const struct parser *p, size_t open, size_t n)
{
    bool is_raw = p->text.p[open] == 'r';
    size_t at = open + is_raw;
    while (at < p->text.n && p->text.p[at] == '#') at++;
    at++;
    for (; n > 0 && at < p->text.n; n--, at++)
        if (!is_raw && p->text.p[at] == '\\' && at + 1 < p->text.n &&
            p->text.p[at + 1] == '"')
            at++;
    return at;
}

static int pattern_compile(struct parser *p, struct expression_test *t,
                           struct sv pattern, size_t open, size_t skipped)
{
    struct regex_error bad;
    int rc = regex_compile(pattern, t->lower, p->arena, &t->regex, &bad);
    if (rc == ERR_INVALID)
        return refuse_at(
            p, pattern_place(p, open, bad.at > skipped ? bad.at - skipped : 0),
            "in the pattern: %s", bad.reason);
    if (rc) return rc;
    if (regex_cost(t->regex) > 1) p->cost += regex_cost(t->regex);
    if (p->cost > EXPRESSION_COST_MAX)
        return refuse_at(p, open,
                         "this pattern makes the expression too "
                         "costly: fewer or shorter repeats");
    return 0;
}

static int pattern_value(struct parser *p, struct expression_test *t,
                         bool nocase)
{
    struct sv pattern = SV("");
    skip(p);
    size_t open = p->at;
    int rc = text_literal(p, true, &pattern);
    if (rc) return rc;
    size_t skipped = 0;
    if (nocase) {
        pattern = arena_printf(p->arena, "(?i)%.*s", SV_FMT(pattern));
        skipped = 4;
        t->lower = false;
    }
    return pattern.p ? pattern_compile(p, t, pattern, open, skipped)
                     : ERR_NOMEM;
}

/* `contains` of folded values is a pattern too, so that it stays linear. */
static int contains_value(struct parser *p, struct expression_test *t,
                          bool nocase)
{
    size_t open = p->at;
    int rc = text_value(p, t, nocase, &t->text);
    if (rc || !t->lower || !t->text.n) return rc;
    char *escaped = arena_alloc(p->arena, 4 * t->text.n + 1);
    if (!escaped) return ERR_NOMEM;
    for (size_t i = 0; i < t->text.n; i++)
        snprintf(escaped + 4 * i, 5, "\\x%02x", (unsigned char)t->text.p[i]);
    return pattern_compile(p, t, sv_of(escaped, 4 * t->text.n), open, SIZE_MAX);
}

/* --- sets ---------------------------------------------------------------------- */

static int text_order(const void *a, const void *b)
{
    return sv_cmp(*(const struct sv *)a, *(const struct sv *)b);
}

static int number_order(const void *a, const void *b)
{
    const struct number_range *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static int ip_order(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return memcmp(x->from.b, y->from.b, sizeof x->from.b);
}

static void *keep(struct parser *p, const void *values, size_t size)
{
    void *to = arena_alloc(p->arena, size ? size : 1);
    if (to && size) memcpy(to, values, size);
    return to;
}

/* Sorted; ranges that overlap become one. */
static int set_keep(struct parser *p, struct expression_test *t)
{
    unsigned n = p->values_n, k = 0;
    if (t->type == TYPE_TEXT) {
        struct sv *v = p->values.texts;
        qsort(v, n, sizeof *v, text_order);
        t->set_n = n;
        t->texts = keep(p, v, n * sizeof *v);
        return t->texts ? 0 : ERR_NOMEM;
    }
    if (t->type == TYPE_NUMBER) {
        struct number_range *v = p->values.numbers;
        qsort(v, n, sizeof *v, number_order);
        for (unsigned i = 1; i < n; i++)
            if (v[i].from > v[k].to)
                v[++k] = v[i];
            else if (v[i].to > v[k].to)
                v[k].to = v[i].to;
        t->set_n = k + 1;
        t->numbers = keep(p, v, t->set_n * sizeof *v);
        return t->numbers ? 0 : ERR_NOMEM;
    }
    struct ip_range *v = p->values.ips;
    qsort(v, n, sizeof *v, ip_order);
    for (unsigned i = 1; i < n; i++)
        if (memcmp(v[i].from.b, v[k].to.b, 16) > 0)
            v[++k] = v[i];
        else if (memcmp(v[i].to.b, v[k].to.b, 16) > 0)
            v[k].to = v[i].to;
    t->set_n = k + 1;
    t->ips = keep(p, v, t->set_n * sizeof *v);
    return t->ips ? 0 : ERR_NOMEM;
}

/* An IPv6 network never holds IPv4 addresses, though their place is inside of
 * ::/0: what lies around ::ffff:0:0/96 becomes two ranges. */
static void ip_range_split(struct parser *p)
{
    static const struct ip below = {
        { [10] = 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff }
    };
    static const struct ip above = { { [9] = 1 } };
    struct ip_range *last = &p->values.ips[p->values_n - 1];
    if (ip_is_v4(&last->from) || memcmp(last->from.b, below.b, 16) > 0 ||
        memcmp(last->to.b, above.b, 16) < 0)
        return;
    last[1] = (struct ip_range){ .from = above, .to = last->to };
    last->to = below;
    p->values_n++;
}

static int value_read(struct parser *p, struct expression_test *t, bool nocase)
{
    unsigned i = p->values_n;
    if (i + 1 >= VALUES_MAX) /* room for two */
        return refuse_at(p, p->at, "more than %d values", VALUES_MAX - 2);
    int rc = t->type == TYPE_TEXT
                 ? text_value(p, t, nocase, &p->values.texts[i])
             : t->type == TYPE_NUMBER ? number_range(p, &p->values.numbers[i])
                                      : ip_range(p, &p->values.ips[i]);
    p->values_n += rc == 0;
    if (rc == 0 && t->type == TYPE_ADDRESS) ip_range_split(p);
    return rc;
}

static int set_value(struct parser *p, struct expression_test *t, bool nocase)
{
    if (!eat(p, "{")) return refuse_found(p, "{ and the values");
    p->values_n = 0;
    t->is_set = true;
    do {
        int rc = value_read(p, t, nocase);
        if (rc) return rc;
        eat(p, ",");
    } while (!eat(p, "}"));
    return set_keep(p, t);
}

static int single_value(struct parser *p, struct expression_test *t,
                        bool nocase)
{
    p->values_n = 0;
    if (t->type == TYPE_TEXT) return text_value(p, t, nocase, &t->text);
    int rc = value_read(p, t, nocase);
    return rc ? rc : set_keep(p, t);
}

/* --- one test ------------------------------------------------------------------- */

static const struct operator
{
    const char *text;
    uint8_t op;
    uint8_t types; /* bits of enum expression_type */
}
operators[] = {
    { "eq", OP_EQ, 7 },
    { "==", OP_EQ, 7 },
    { "ne", OP_NE, 7 },
    { "!=", OP_NE, 7 },
    { "le", OP_LE, 2 },
    { "<=", OP_LE, 2 },
    { "lt", OP_LT, 2 },
    { "<", OP_LT, 2 },
    { "ge", OP_GE, 2 },
    { ">=", OP_GE, 2 },
    { "gt", OP_GT, 2 },
    { ">", OP_GT, 2 },
    { "contains", OP_CONTAINS, 1 },
    { "matches", OP_MATCHES, 1 },
    { "~", OP_MATCHES, 1 },
    { "starts_with", OP_STARTS, 1 },
    { "ends_with", OP_ENDS, 1 },
    { "in", OP_IN, 7 },
    { "not", OP_NOT_IN, 7 },
};

static int operator_read(struct parser *p, struct expression_test *t)
{
    static const char *const type_names[] = { "a text", "a number",
                                              "an address" };
    skip(p);
    size_t at = p->at;
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        const struct operator* o = & operators[i];
        bool found =
            is_word(o->text[0]) ? eat_word(p, o->text) : eat(p, o->text);
        if (!found) continue;
        if (o->op == OP_NOT_IN && !eat_word(p, "in"))
            return refuse_found(p, "in");
        if (!(o->types & 1 << t->type))
            return refuse_at(p, at, "%s does not compare %s", o->text,
                             type_names[t->type]);
        t->op = o->op;
        return 0;
    }
    return refuse_found(
        p, t->type == TYPE_TEXT     ? "eq, ne, contains, matches, starts_with, "
                                      "ends_with or in"
           : t->type == TYPE_NUMBER ? "eq, ne, lt, le, gt, ge or in"
                                    : "eq, ne or in");
}

/* ["name"], also [*] behind it, which says what holds anyway. */
static int key_read(struct parser *p, const struct expression_field *f,
                    struct expression_test *t)
{
    if (f->key) t->key = sv_cstr(f->key);
    if (f->keyed) {
        if (!eat(p, "[")) return refuse_found(p, "[\"name\"]");
        int rc = text_literal(p, false, &t->key);
        if (rc) return rc;
        if (!eat(p, "]")) return refuse_found(p, "]");
    }
    if (f->list && eat(p, "[")) {
        if (!eat(p, "*") || !eat(p, "]")) return refuse_found(p, "[*]");
    }
    return 0;
}

static int field_read(struct parser *p, struct expression_test *t, bool *nocase)
{
    skip(p);
    struct sv name = word_at(p, p->at);
    const struct expression_field *f = expression_field_find(name);
    if (!f && name.n && p->at + name.n < p->text.n &&
        p->text.p[p->at + name.n] == '(')
        return refuse_at(p, p->at,
                         "no function \"%.*s\"; lower, url_decode, "
                         "len, starts_with and ends_with are known",
                         SV_FMT(sv_first(name, 24)));
    if (!f && name.n && !(name.p[0] >= '0' && name.p[0] <= '9'))
        return refuse_at(p, p->at, "no field \"%.*s\"",
                         SV_FMT(sv_first(name, 60)));
    if (!f) return refuse_found(p, "a field");
    p->at += name.n;
    t->field = (uint8_t)f->id;
    t->type = (uint8_t)f->type;
    t->lower |= f->nocase;
    *nocase = f->nocase;
    p->token |= f->token;
    p->place |= f->id == FIELD_COUNTRY || f->id == FIELD_ASN;
    return key_read(p, f, t);
}

static bool eat_function(struct parser *p, const char *name)
{
    size_t before = p->at;
    if (eat_word(p, name) && eat(p, "(")) return true;
    p->at = before;
    return false;
}

/* lower(url_decode(field)) and so on; what is outermost stands first. */
static int value_of_field(struct parser *p, struct expression_test *t,
                          bool *nocase)
{
    unsigned open = 0;
    skip(p);
    size_t at = p->at;
    bool len = eat_function(p, "len");
    open += len;
    for (;; open++) {
        if (eat_function(p, "lower"))
            t->lower = true;
        else if (eat_function(p, "url_decode"))
            t->decode = true;
        else
            break;
        if (open > EXPRESSION_DEPTH_MAX)
            return refuse_at(p, at, "functions are nested too deeply");
    }
    int rc = field_read(p, t, nocase);
    if (rc) return rc;
    if (open && t->type != TYPE_TEXT)
        return refuse_at(p, at, "this function takes a text");
    for (; open > 0; open--)
        if (!eat(p, ")")) return refuse_found(p, ")");
    if (len) {
        t->len = true;
        t->lower = *nocase = false;
        t->type = TYPE_NUMBER;
    }
    return 0;
}

static int operand(struct parser *p, struct expression_test *t, bool nocase)
{
    switch ((enum expression_op)t->op) {
    case OP_IN:
    case OP_NOT_IN: return set_value(p, t, nocase);
    case OP_MATCHES: return pattern_value(p, t, nocase);
    case OP_CONTAINS: return contains_value(p, t, nocase);
    default: return single_value(p, t, nocase);
    }
}

/* starts_with(field, "text") */
static int function_test(struct parser *p, struct expression_test *t,
                         enum expression_op op)
{
    bool nocase = false;
    skip(p);
    size_t at = p->at;
    int rc = value_of_field(p, t, &nocase);
    if (rc) return rc;
    if (t->type != TYPE_TEXT)
        return refuse_at(p, at, "this function takes a text");
    t->op = (uint8_t)op;
    if (!eat(p, ",")) return refuse_found(p, ",");
    rc = text_value(p, t, nocase, &t->text);
    if (rc == 0 && !eat(p, ")")) rc = refuse_found(p, ")");
    return rc;
}

static int emit(struct parser *p, enum expression_code code, unsigned arg)
{
    if (p->steps_n == STEPS_MAX)
        return refuse_at(p, p->at, "the expression is too long");
    p->step[p->steps_n++] =
        (struct expression_step){ .code = (uint8_t)code, .arg = (uint16_t)arg };
    return 0;
}

static int test(struct parser *p)
{
    skip(p);
    if (p->tests_n == EXPRESSION_TESTS_MAX)
        return refuse_at(p, p->at, "more than %d comparisons",
                         EXPRESSION_TESTS_MAX);
    struct expression_test *t = &p->test[p->tests_n];
    bool nocase = false;
    int rc;
    memset(t, 0, sizeof *t);
    if (eat_function(p, "starts_with")) {
        rc = function_test(p, t, OP_STARTS);
    } else if (eat_function(p, "ends_with")) {
        rc = function_test(p, t, OP_ENDS);
    } else {
        rc = value_of_field(p, t, &nocase);
        if (rc == 0) rc = operator_read(p, t);
        if (rc == 0) rc = operand(p, t, nocase);
    }
    return rc ? rc : emit(p, CODE_TEST, p->tests_n++);
}

/* --- the grammar ----------------------------------------------------------------- */

static int either(struct parser *p);

static int group(struct parser *p, size_t open)
{
    if (++p->depth > EXPRESSION_DEPTH_MAX)
        return refuse_at(p, open, "nested more than %d deep",
                         EXPRESSION_DEPTH_MAX);
    int rc = either(p);
    if (rc) return rc;
    if (!eat(p, ")")) return refuse_found(p, "and, or, or )");
    p->depth--;
    return 0;
}

static bool eat_not(struct parser *p)
{
    if (eat_word(p, "not")) return true;
    skip(p);
    struct sv rest = sv_from(p->text, p->at);
    return !sv_starts(rest, SV("!=")) && eat(p, "!");
}

static int unary(struct parser *p)
{
    bool negated = false;
    while (eat_not(p)) negated = !negated;
    skip(p);
    size_t open = p->at;
    /* any(x[*] eq "y") says what holds of texts anyway. */
    int rc = eat(p, "(") || eat_function(p, "any") ? group(p, open) : test(p);
    return rc == 0 && negated ? emit(p, CODE_NOT, 0) : rc;
}

/* Operands of one operator: the jumps behind each are chained by their arg
 * until the end is known. */
static int chain(struct parser *p, const char *word, const char *mark,
                 enum expression_code code, int (*part)(struct parser *p))
{
    unsigned last = NO_JUMP;
    int rc = part(p);
    while (rc == 0 && (eat_word(p, word) || eat(p, mark))) {
        rc = emit(p, code, last);
        last = p->steps_n - 1;
        if (rc == 0) rc = part(p);
    }
    while (rc == 0 && last != NO_JUMP) {
        unsigned before = p->step[last].arg;
        p->step[last].arg = (uint16_t)p->steps_n;
        last = before;
    }
    return rc;
}

static int both(struct parser *p)
{
    return chain(p, "and", "&&", CODE_JUMP_IF_FALSE, unary);
}

static int either(struct parser *p)
{
    return chain(p, "or", "||", CODE_JUMP_IF_TRUE, both);
}

static int finish(struct parser *p, const struct expression **out)
{
    struct expression *e = ARENA_NEW(p->arena, struct expression);
    if (!e) return ERR_NOMEM;
    e->steps_n = p->steps_n;
    e->tests_n = p->tests_n;
    e->token = p->token;
    e->place = p->place;
    e->step = keep(p, p->step, p->steps_n * sizeof *p->step);
    e->test = keep(p, p->test, p->tests_n * sizeof *p->test);
    if (!e->step || !e->test) return ERR_NOMEM;
    *out = e;
    return 0;
}

int expression_compile(struct sv text, struct arena *a,
                       const struct expression **out,
                       struct expression_error *why)
{
    struct parser *p = mem_alloc(sizeof *p);
    p->text = sv_first(text, EXPRESSION_TEXT_MAX);
    p->at = 0;
    p->depth = p->cost = p->tests_n = p->steps_n = 0;
    p->arena = a;
    p->why = why;
    p->token = p->place = false;
    *out = NULL;
    int rc;
    if (text.n > EXPRESSION_TEXT_MAX)
        rc = refuse_at(p, EXPRESSION_TEXT_MAX, "longer than %d bytes",
                       EXPRESSION_TEXT_MAX);
    else if (!utf8_is_valid(text))
        rc = refuse_at(p, 0, "not valid UTF-8");
    else
        rc = either(p);
    skip(p);
    if (rc == 0 && p->at < p->text.n)
        rc = refuse_found(p, "and, or, or the end");
    if (rc == 0) rc = finish(p, out);
    mem_free(p);
    return rc;
}
