/* The run of a compiled expression: one truth value, tests and jumps. */
#include "codec/expression.h"

#include "codec/expression_int.h"

static char folded(char c, bool fold)
{
    return fold ? ascii_lower(c) : c;
}

static bool same(struct sv value, struct sv text, bool fold)
{
    if (!fold) return memcmp(value.p, text.p, text.n) == 0;
    for (size_t i = 0; i < text.n; i++)
        if (ascii_lower(value.p[i]) != text.p[i]) return false;
    return true;
}

/* As sv_cmp, the value folded when asked. */
static int order(struct sv value, struct sv text, bool fold)
{
    size_t n = value.n < text.n ? value.n : text.n;
    for (size_t i = 0; i < n; i++) {
        int d =
            (unsigned char)folded(value.p[i], fold) - (unsigned char)text.p[i];
        if (d) return d;
    }
    return (value.n > text.n) - (value.n < text.n);
}

static bool text_in(const struct expression_test *t, struct sv value)
{
    unsigned low = 0, high = t->set_n;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int d = order(value, t->texts[middle], t->lower);
        if (d == 0) return true;
        if (d < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool number_holds(const struct expression_test *t, int64_t v)
{
    int64_t than = t->numbers[0].from;
    switch ((enum expression_op)t->op) {
    case OP_LT: return v < than;
    case OP_LE: return v <= than;
    case OP_GT: return v > than;
    case OP_GE: return v >= than;
    default: break;
    }
    unsigned low = 0, high = t->set_n;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (v < t->numbers[middle].from)
            high = middle;
        else if (v > t->numbers[middle].to)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

static bool address_holds(const struct expression_test *t, const struct ip *ip)
{
    unsigned low = 0, high = t->set_n;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (memcmp(ip->b, t->ips[middle].from.b, sizeof ip->b) < 0)
            high = middle;
        else if (memcmp(ip->b, t->ips[middle].to.b, sizeof ip->b) > 0)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

static bool text_holds(const struct expression_test *t, struct sv value)
{
    if (t->len) return number_holds(t, (int64_t)value.n);
    switch ((enum expression_op)t->op) {
    case OP_EQ:
    case OP_NE: return value.n == t->text.n && same(value, t->text, t->lower);
    case OP_IN:
    case OP_NOT_IN: return text_in(t, value);
    case OP_STARTS:
        return value.n >= t->text.n && same(value, t->text, t->lower);
    case OP_ENDS:
        return value.n >= t->text.n &&
               same(sv_from(value, value.n - t->text.n), t->text, t->lower);
    case OP_CONTAINS:
        if (t->text.n == 0) return true;
        if (!t->regex)
            return memmem(value.p, value.n, t->text.p, t->text.n) != NULL;
        return regex_search(t->regex, value);
    case OP_MATCHES: return regex_search(t->regex, value);
    default: return false;
    }
}

/* Apart, so that only those who decode pay for the room. */
static __attribute__((noinline)) bool decoded_holds(
    const struct expression_test *t, struct sv value)
{
    char text[EXPRESSION_DECODED_MAX], again[EXPRESSION_DECODED_MAX];
    bool arg = t->field == FIELD_ARG;
    struct sv s = { text, expression_decode(value, arg, text, sizeof text) };
    if (arg && t->decode) /* once more than it came */
        s = sv_of(again, expression_decode(s, false, again, sizeof again));
    return text_holds(t, s);
}

static bool any_text_holds(const struct expression_test *t,
                           const struct expression_request *r)
{
    struct expression_cursor c = { .r = r, .test = t };
    struct sv value;
    while (expression_value_next(&c, &value)) {
        bool arg = t->field == FIELD_ARG;
        bool coded = ((t->decode || arg) && memchr(value.p, '%', value.n)) ||
                     (arg && memchr(value.p, '+', value.n));
        if (coded ? decoded_holds(t, value) : text_holds(t, value)) return true;
    }
    return false;
}

static bool test_holds(const struct expression_test *t,
                       const struct expression_request *r)
{
    bool holds;
    if (t->field == FIELD_IP) {
        holds = r->has_ip && address_holds(t, &r->ip);
    } else if (t->field == FIELD_ASN) {
        holds = number_holds(t, r->asn);
    } else {
        holds = any_text_holds(t, r);
    }
    return holds != (t->op == OP_NE || t->op == OP_NOT_IN);
}

bool expression_eval(const struct expression *e,
                     const struct expression_request *r)
{
    bool value = false;
    for (unsigned i = 0; i < e->steps_n; i++) {
        const struct expression_step *s = &e->step[i];
        switch ((enum expression_code)s->code) {
        case CODE_TEST: value = test_holds(&e->test[s->arg], r); break;
        case CODE_NOT: value = !value; break;
        case CODE_JUMP_IF_FALSE:
            if (!value) i = s->arg - 1u;
            break;
        case CODE_JUMP_IF_TRUE:
            if (value) i = s->arg - 1u;
            break;
        }
    }
    return value;
}

bool expression_names_token(const struct expression *e)
{
    return e->token;
}

bool expression_names_place(const struct expression *e)
{
    return e->place;
}
