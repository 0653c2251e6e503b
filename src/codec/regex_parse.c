/* Pattern text to program, by a tree of at most as many nodes as the pattern
 * has bytes. Repeats are written out, so that a program's length is the cost
 * of one step; what grows beyond the program is refused. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/regex_int.h"

enum {
    DEPTH_MAX = 40,
    NODES_MAX = 2 * REGEX_TEXT_MAX + 8,
    WRITES_MAX = 16 * REGEX_PROGRAM_MAX, /* repeats of nothing cost, too */
};

enum node_kind {
    NODE_EMPTY,
    NODE_SET,    /* a: number of the set */
    NODE_ASSERT, /* a: the operation */
    NODE_THEN,   /* a, then b */
    NODE_OR,     /* a or b */
    NODE_REPEAT, /* a, from min to max times */
};

struct node {
    uint8_t kind;
    uint16_t a, b;
    int16_t min, max; /* max -1: any number */
};

struct parser {
    struct sv text;
    size_t at;
    unsigned depth, nodes_n, writes;
    bool fold;
    struct regex_program *out;
    struct regex_error *why;
    struct node node[NODES_MAX];
};

static int refuse_at(struct parser *p, size_t at, const char *reason)
{
    *p->why = (struct regex_error){ .at = at, .reason = reason };
    return ERR_INVALID;
}

static int refuse(struct parser *p, const char *reason)
{
    return refuse_at(p, p->at, reason);
}

static bool more(const struct parser *p)
{
    return p->at < p->text.n;
}

static char peek(const struct parser *p)
{
    return more(p) ? p->text.p[p->at] : '\0';
}

static bool eat(struct parser *p, const char *literal)
{
    struct sv s = sv_cstr(literal);
    if (!sv_starts(sv_from(p->text, p->at), s)) return false;
    p->at += s.n;
    return true;
}

static int node_new(struct parser *p, struct node n, uint16_t *out)
{
    if (p->nodes_n == NODES_MAX) return refuse(p, "the pattern is too long");
    p->node[p->nodes_n] = n;
    *out = (uint16_t)p->nodes_n++;
    return 0;
}

static int join(struct parser *p, enum node_kind kind, uint16_t a, uint16_t b,
                uint16_t *out)
{
    return node_new(p, (struct node){ .kind = (uint8_t)kind, .a = a, .b = b },
                    out);
}

/* --- sets -------------------------------------------------------------------- */

static void set_add(struct regex_set *s, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to; c++) s->w[c >> 6] |= 1ull << (c & 63);
}

static void set_invert(struct regex_set *s)
{
    for (int i = 0; i < 4; i++) s->w[i] = ~s->w[i];
}

static void set_join(struct regex_set *s, const struct regex_set *other)
{
    for (int i = 0; i < 4; i++) s->w[i] |= other->w[i];
}

static void set_fold(struct regex_set *s)
{
    for (unsigned c = 'a'; c <= 'z'; c++) {
        unsigned upper = c - 'a' + 'A';
        if (regex_set_has(s, c)) set_add(s, upper, upper);
        if (regex_set_has(s, upper)) set_add(s, c, c);
    }
}

static const struct named {
    const char *name;
    uint8_t range[10]; /* pairs, ended by two zeros */
} names[] = {
    { "alpha", { 'a', 'z', 'A', 'Z' } },
    { "digit", { '0', '9' } },
    { "alnum", { 'a', 'z', 'A', 'Z', '0', '9' } },
    { "word", { 'a', 'z', 'A', 'Z', '0', '9', '_', '_' } },
    { "lower", { 'a', 'z' } },
    { "upper", { 'A', 'Z' } },
    { "space", { '\t', '\r', ' ', ' ' } },
    { "blank", { '\t', '\t', ' ', ' ' } },
    { "punct", { '!', '/', ':', '@', '[', '`', '{', '~' } },
    { "xdigit", { '0', '9', 'a', 'f', 'A', 'F' } },
    { "cntrl", { 1, 31, 127, 127 } },
    { "print", { ' ', '~' } },
    { "graph", { '!', '~' } },
};

static struct regex_set set_named(const struct named *n)
{
    struct regex_set s = { { 0 } };
    for (size_t i = 0; i + 1 < sizeof n->range && n->range[i + 1]; i += 2)
        set_add(&s, n->range[i], n->range[i + 1]);
    return s;
}

static const struct named *named_find(struct sv name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (sv_eq(name, sv_cstr(names[i].name))) return &names[i];
    return NULL;
}

/* \d and its kind, also inside of brackets. */
static bool set_of_letter(char c, struct regex_set *out)
{
    const char *name = NULL;
    switch (ascii_lower(c)) {
    case 'd': name = "digit"; break;
    case 'w': name = "word"; break;
    case 's': name = "space"; break;
    default: return false;
    }
    *out = set_named(named_find(sv_cstr(name)));
    if (c < 'a') set_invert(out);
    return true;
}

static int set_node(struct parser *p, struct regex_set *s, uint16_t *out)
{
    struct regex_program *prog = p->out;
    unsigned i = 0;
    if (p->fold) set_fold(s);
    while (i < prog->sets_n && memcmp(&prog->set[i], s, sizeof *s) != 0) i++;
    if (i == REGEX_SETS_MAX) return refuse(p, "too many different sets");
    if (i == prog->sets_n) prog->set[prog->sets_n++] = *s;
    return node_new(p, (struct node){ .kind = NODE_SET, .a = (uint16_t)i },
                    out);
}

static int byte_node(struct parser *p, unsigned char c, uint16_t *out)
{
    struct regex_set s = { { 0 } };
    set_add(&s, c, c);
    return set_node(p, &s, out);
}

/* --- escapes ------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_byte(struct parser *p, unsigned char *out)
{
    bool braces = eat(p, "{");
    unsigned v = 0, n = 0;
    while (n < 2 && more(p) && hex_digit(peek(p)) >= 0) {
        v = v * 16 + (unsigned)hex_digit(p->text.p[p->at++]);
        n++;
    }
    if (n == 0 || (!braces && n < 2))
        return refuse(p, "expected two hexadecimal digits");
    if (braces && !eat(p, "}"))
        return refuse(p, "expected } after two hexadecimal digits");
    if (braces && v > 127)
        return refuse(p, "only ASCII may be written as \\x{…}");
    *out = (unsigned char)v;
    return 0;
}

/* Behind the backslash: one byte. */
static int escaped_byte(struct parser *p, unsigned char *out)
{
    static const char from[] = "nrtfvae", to[] = "\n\r\t\f\v\a\x1b";
    if (!more(p)) return refuse(p, "a backslash ends the pattern");
    char c = p->text.p[p->at++];
    const char *special = strchr(from, c);
    if (c && special) {
        *out = (unsigned char)to[special - from];
        return 0;
    }
    if (c == 'x') return hex_byte(p, out);
    p->at--;
    if (c >= '0' && c <= '9')
        return refuse(p, "back-references are not supported");
    if (c == 'p' || c == 'P')
        return refuse(p, "Unicode classes are not supported");
    if (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z')
        return refuse(p, "unknown escape");
    if ((unsigned char)c >= 0x80 || (unsigned char)c < ' ')
        return refuse(p, "needs no backslash");
    p->at++;
    *out = (unsigned char)c;
    return 0;
}

static int escape(struct parser *p, uint16_t *out)
{
    static const struct {
        char letter;
        uint8_t op;
    } asserts[] = { { 'b', REGEX_WORD },
                    { 'B', REGEX_NOT_WORD },
                    { 'A', REGEX_BEGIN },
                    { 'z', REGEX_END } };
    struct regex_set s;
    unsigned char c;
    for (size_t i = 0; more(p) && i < ARRAY_LEN(asserts); i++) {
        if (peek(p) != asserts[i].letter) continue;
        p->at++;
        if (i < 2) p->out->has_words = true;
        return node_new(
            p, (struct node){ .kind = NODE_ASSERT, .a = asserts[i].op }, out);
    }
    if (more(p) && set_of_letter(peek(p), &s)) {
        p->at++;
        return set_node(p, &s, out);
    }
    int rc = escaped_byte(p, &c);
    return rc ? rc : byte_node(p, c, out);
}

/* --- [sets] ------------------------------------------------------------------- */

/* One byte of a set, or a whole class (*is_class). */
static int set_item(struct parser *p, struct regex_set *s, unsigned char *byte,
                    bool *is_class)
{
    *is_class = false;
    if (eat(p, "[:")) {
        struct sv rest, name = sv_cut(sv_from(p->text, p->at), ':', &rest);
        bool inverted = name.n && name.p[0] == '^';
        const struct named *found = named_find(sv_from(name, inverted));
        if (!found || !sv_starts(rest, SV("]")))
            return refuse(p, "unknown class; as in [:alpha:]");
        struct regex_set of = set_named(found);
        if (inverted) set_invert(&of);
        set_join(s, &of);
        p->at += name.n + 2;
        *is_class = true;
        return 0;
    }
    if (!more(p)) return refuse(p, "unclosed set");
    unsigned char c = (unsigned char)p->text.p[p->at];
    if (c >= 0x80) return refuse(p, "only ASCII may stand in a set");
    p->at++;
    *byte = c;
    if (c != '\\') return 0;
    struct regex_set of;
    if (more(p) && set_of_letter(peek(p), &of)) {
        p->at++;
        set_join(s, &of);
        *is_class = true;
        return 0;
    }
    return escaped_byte(p, byte);
}

static int set_body(struct parser *p, struct regex_set *s)
{
    bool first = true;
    while (first || peek(p) != ']' || !more(p)) {
        unsigned char from, to;
        bool is_class;
        int rc = set_item(p, s, &from, &is_class);
        if (rc) return rc;
        first = false;
        if (is_class) continue;
        to = from;
        struct sv rest = sv_from(p->text, p->at);
        if (rest.n > 1 && rest.p[0] == '-' && rest.p[1] != ']') {
            size_t at = p->at++;
            rc = set_item(p, s, &to, &is_class);
            if (rc) return rc;
            if (is_class || to < from)
                return refuse_at(p, at, "not a range of characters");
        }
        set_add(s, from, to);
    }
    p->at++;
    return 0;
}

static int set_parse(struct parser *p, uint16_t *out)
{
    struct regex_set s = { { 0 } };
    bool inverted = eat(p, "^");
    int rc = set_body(p, &s);
    if (rc) return rc;
    if (p->fold) set_fold(&s); /* before it is inverted */
    if (inverted) set_invert(&s);
    bool fold = p->fold;
    p->fold = fold && !inverted;
    rc = set_node(p, &s, out);
    p->fold = fold;
    return rc;
}

/* --- the grammar --------------------------------------------------------------- */

static int alternatives(struct parser *p, uint16_t *out);

static int group_flags(struct parser *p, bool *whole_rest)
{
    *whole_rest = false;
    if (!eat(p, "?")) return 0;
    if (eat(p, ":")) return 0;
    if (eat(p, "i:")) {
        p->fold = true;
        return 0;
    }
    if (eat(p, "i)")) {
        p->fold = true;
        *whole_rest = true;
        return 0;
    }
    return refuse(p, "expected ?: or ?i: (no look-around, no names)");
}

/* Behind the '('. A bare (?i) holds to the end of the group around it. */
static int group(struct parser *p, uint16_t *out)
{
    size_t open = p->at - 1;
    bool fold = p->fold, whole_rest;
    if (++p->depth > DEPTH_MAX)
        return refuse_at(p, open, "groups are nested too deeply");
    int rc = group_flags(p, &whole_rest);
    if (rc) return rc;
    p->depth -= whole_rest;
    if (whole_rest)
        return node_new(p, (struct node){ .kind = NODE_EMPTY }, out);
    rc = alternatives(p, out);
    if (rc) return rc;
    if (!eat(p, ")")) return refuse_at(p, open, "unclosed group");
    p->fold = fold;
    p->depth--;
    return 0;
}

/* A character beyond ASCII is its bytes, held together for what follows. */
static int character(struct parser *p, uint16_t *out)
{
    unsigned char c = (unsigned char)p->text.p[p->at++];
    int rc = byte_node(p, c, out);
    while (rc == 0 && c >= 0xC0 && more(p) &&
           ((unsigned char)peek(p) & 0xC0) == 0x80) {
        uint16_t next;
        rc = byte_node(p, (unsigned char)p->text.p[p->at++], &next);
        if (rc == 0) rc = join(p, NODE_THEN, *out, next, out);
    }
    return rc;
}

static int atom(struct parser *p, uint16_t *out)
{
    struct regex_set s = { { 0 } };
    switch (peek(p)) {
    case '(': p->at++; return group(p, out);
    case '[': p->at++; return set_parse(p, out);
    case '\\': p->at++; return escape(p, out);
    case '.':
        p->at++;
        set_add(&s, '\n', '\n');
        set_invert(&s);
        return set_node(p, &s, out);
    case '^':
    case '$':
        return node_new(p,
                        (struct node){ .kind = NODE_ASSERT,
                                       .a = p->text.p[p->at++] == '^'
                                                ? REGEX_BEGIN
                                                : REGEX_END },
                        out);
    case '*':
    case '+':
    case '?': return refuse(p, "nothing to repeat");
    default: return character(p, out);
    }
}

static bool number(struct parser *p, int *out)
{
    size_t start = p->at;
    int v = 0;
    while (more(p) && peek(p) >= '0' && peek(p) <= '9' && v <= REGEX_REPEAT_MAX)
        v = v * 10 + (p->text.p[p->at++] - '0');
    *out = v;
    return p->at > start;
}

/* {n}, {n,}, {n,m}; another brace is a literal, as everywhere. */
static bool braces(struct parser *p, int *min, int *max)
{
    size_t start = p->at;
    if (!eat(p, "{") || !number(p, min)) goto literal;
    *max = *min;
    if (eat(p, ",") && !number(p, max)) *max = -1;
    if (eat(p, "}")) return true;
literal:
    p->at = start;
    return false;
}

static bool repeat_read(struct parser *p, int *min, int *max)
{
    *min = peek(p) == '+';
    *max = peek(p) == '?' ? 1 : -1;
    if (eat(p, "*") || eat(p, "+") || eat(p, "?")) return true;
    return peek(p) == '{' && braces(p, min, max);
}

static int repeated(struct parser *p, uint16_t *out)
{
    int rc = atom(p, out), min, max;
    size_t at = p->at;
    if (rc || !more(p) || !repeat_read(p, &min, &max)) return rc;
    if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX)
        return refuse_at(p, at, "repeats more than 1000 times");
    if (max >= 0 && max < min)
        return refuse_at(p, at, "the second number is below the first");
    eat(p, "?"); /* lazy: whether it matches is the same */
    size_t next = p->at;
    int ignored;
    if (more(p) && repeat_read(p, &ignored, &ignored))
        return refuse_at(p, next, "a repeat cannot be repeated; use (?:…)");
    return node_new(p,
                    (struct node){ .kind = NODE_REPEAT,
                                   .a = *out,
                                   .min = (int16_t)min,
                                   .max = (int16_t)max },
                    out);
}

static int sequence(struct parser *p, uint16_t *out)
{
    int rc = node_new(p, (struct node){ .kind = NODE_EMPTY }, out);
    while (rc == 0 && more(p) && peek(p) != '|' && peek(p) != ')') {
        uint16_t next;
        rc = repeated(p, &next);
        if (rc) break;
        if (p->node[*out].kind == NODE_EMPTY)
            *out = next;
        else
            rc = join(p, NODE_THEN, *out, next, out);
    }
    return rc;
}

static int alternatives(struct parser *p, uint16_t *out)
{
    int rc = sequence(p, out);
    while (rc == 0 && eat(p, "|")) {
        uint16_t next;
        rc = sequence(p, &next);
        if (rc == 0) rc = join(p, NODE_OR, *out, next, out);
    }
    return rc;
}

/* --- tree to program ------------------------------------------------------------ */

static bool emit(struct regex_program *prog, enum regex_op op, unsigned x,
                 unsigned y)
{
    if (prog->n == REGEX_PROGRAM_MAX) return false;
    prog->step[prog->n++] = (struct regex_step){ .op = (uint8_t)op,
                                                 .x = (uint16_t)x,
                                                 .y = (uint16_t)y };
    return true;
}

static bool write_node(struct parser *p, uint16_t number);

/* a?: SPLIT in, out; a; out:   a*: top: SPLIT in, out; a; JUMP top; out: */
static bool write_optional(struct parser *p, const struct node *n, bool loop)
{
    struct regex_program *prog = p->out;
    unsigned top = prog->n;
    if (!emit(prog, REGEX_SPLIT, top + 1, 0) || !write_node(p, n->a))
        return false;
    if (loop && !emit(prog, REGEX_JUMP, top, 0)) return false;
    prog->step[top].y = (uint16_t)prog->n;
    return true;
}

static bool write_repeat(struct parser *p, const struct node *n)
{
    for (int i = 0; i < n->min; i++)
        if (!write_node(p, n->a)) return false;
    if (n->max < 0) return write_optional(p, n, true);
    for (int i = n->min; i < n->max; i++)
        if (!write_optional(p, n, false)) return false;
    return true;
}

static bool write_or(struct parser *p, const struct node *n)
{
    struct regex_program *prog = p->out;
    unsigned top = prog->n;
    if (!emit(prog, REGEX_SPLIT, top + 1, 0) || !write_node(p, n->a))
        return false;
    unsigned jump = prog->n;
    if (!emit(prog, REGEX_JUMP, 0, 0)) return false;
    prog->step[top].y = (uint16_t)prog->n;
    if (!write_node(p, n->b)) return false;
    prog->step[jump].x = (uint16_t)prog->n;
    return true;
}

/* THEN and OR lean to the left, as deep as the pattern is long; repeats and
 * groups nest to the right, DEPTH_MAX deep: the left spine is a loop. */
static bool write_then(struct parser *p, uint16_t number)
{
    uint16_t *spine = mem_alloc(sizeof *spine * NODES_MAX);
    unsigned n = 0;
    bool ok;
    for (; p->node[number].kind == NODE_THEN; number = p->node[number].a)
        spine[n++] = p->node[number].b;
    ok = write_node(p, number);
    while (ok && n > 0) ok = write_node(p, spine[--n]);
    mem_free(spine);
    return ok;
}

static bool write_node(struct parser *p, uint16_t number)
{
    const struct node *n = &p->node[number];
    if (++p->writes > WRITES_MAX) return false;
    switch ((enum node_kind)n->kind) {
    case NODE_EMPTY: return true;
    case NODE_SET: return emit(p->out, REGEX_BYTE, n->a, 0);
    case NODE_ASSERT: return emit(p->out, (enum regex_op)n->a, 0, 0);
    case NODE_THEN: return write_then(p, number);
    case NODE_OR: return write_or(p, n);
    case NODE_REPEAT: return write_repeat(p, n);
    }
    return false;
}

int regex_parse(struct sv pattern, struct regex_program *out,
                struct regex_error *why)
{
    if (pattern.n > REGEX_TEXT_MAX) {
        *why =
            (struct regex_error){ REGEX_TEXT_MAX, "the pattern is too long" };
        return ERR_INVALID;
    }
    struct parser *p = mem_alloc(sizeof *p);
    *p = (struct parser){ .text = pattern, .out = out, .why = why };
    out->n = out->sets_n = 0;
    out->has_words = false;
    uint16_t root;
    int rc = alternatives(p, &root);
    if (rc == 0 && more(p)) rc = refuse(p, "no group is open here");
    if (rc == 0 && !(write_node(p, root) && emit(out, REGEX_MATCH, 0, 0)))
        rc = refuse_at(p, 0, "the pattern is too large: fewer repeats");
    mem_free(p);
    return rc;
}
