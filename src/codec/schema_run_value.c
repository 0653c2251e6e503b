/* Operations about one value alone. */
#include <stdio.h>

#include "codec/schema_run_int.h"
#include "codec/text.h"

static const struct {
    unsigned types;
    const char *name;
} type_names[] = {
    { SCHEMA_T_NULL, "null" },        { SCHEMA_T_BOOLEAN, "a boolean" },
    { SCHEMA_T_NUMBER, "a number" },  { SCHEMA_T_INTEGER, "an integer" },
    { SCHEMA_T_STRING, "a string" },  { SCHEMA_T_ARRAY, "an array" },
    { SCHEMA_T_OBJECT, "an object" },
};

static const char *value_name(const yyjson_val *v)
{
    switch (yyjson_get_type(unconst_val(v))) {
    case YYJSON_TYPE_NULL: return "null";
    case YYJSON_TYPE_BOOL: return "a boolean";
    case YYJSON_TYPE_STR: return "a string";
    case YYJSON_TYPE_ARR: return "an array";
    case YYJSON_TYPE_OBJ: return "an object";
    default: return "a number";
    }
}

static bool fail_type(const struct look *l)
{
    char wanted[120] = "";
    size_t n = 0;
    unsigned types = l->op->a;
    if (types & SCHEMA_T_NUMBER) types &= ~(unsigned)SCHEMA_T_INTEGER;
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (types & type_names[i].types)
            n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s%s",
                                  n ? " or " : "", type_names[i].name);
    return run_fail(l, KW_TYPE, "must be %s, is %s", wanted, value_name(l->v));
}

/* Of a kind that is not allowed, or a number where only integers are. */
bool run_type(const struct look *l)
{
    struct decimal d;
    if (l->op->a & SCHEMA_T_INTEGER && decimal_of(l->v, &d) &&
        decimal_is_integer(&d))
        return true;
    return run_stops(l->r) ? false : fail_type(l);
}

bool run_enum(const struct look *l)
{
    const struct schema *s = l->r->s;
    if (!run_spend(l->r, l->op->b / 8)) return false;
    for (uint32_t i = 0; i < l->op->b; i++)
        if (schema_equal(l->r, s->values[l->op->a + i], l->v)) return true;
    if (l->r->over) return false;
    if (l->op->b == 1 && yyjson_is_str(unconst_val(s->values[l->op->a])))
        return run_fail(l, l->op->keyword, "must be \"%.*s\"",
                        SV_FMT(run_cut(json_text(s->values[l->op->a]))));
    if (l->op->kind == OP_CONST)
        return run_fail(l, KW_CONST, "must be the one value allowed");
    return run_fail(l, KW_ENUM, "must be one of the %u values listed",
                    l->op->b);
}

bool run_number(const struct look *l)
{
    const struct decimal *bound = &l->r->s->numbers[l->op->a];
    struct decimal d;
    const char *must = NULL;
    if (!decimal_of(l->v, &d)) return true;
    if (!run_spend(l->r, (size_t)d.digits.n / 16)) return false;
    int c = l->op->kind == OP_MULTIPLE ? 0 : decimal_cmp(&d, bound);
    switch (l->op->kind) {
    case OP_MINIMUM: must = c < 0 ? "at least" : NULL; break;
    case OP_MAXIMUM: must = c > 0 ? "at most" : NULL; break;
    case OP_XMINIMUM: must = c <= 0 ? "above" : NULL; break;
    case OP_XMAXIMUM: must = c >= 0 ? "below" : NULL; break;
    default:
        must = decimal_is_multiple(&d, bound) ? NULL : "a multiple of";
        break;
    }
    if (!must) return true;
    struct sv digits = bound->digits;
    if (bound->is_small)
        return run_fail(l, l->op->keyword, "must be %s %lld", must,
                        (long long)bound->small);
    /* digits of 0.05 are "5": such bounds are said by their exponent */
    char sign[2] = { bound->negative ? '-' : '\0', '\0' };
    if (sv_find(digits, '.') != SIZE_MAX || bound->exponent == 0)
        return run_fail(l, l->op->keyword, "must be %s %s%.*s", must, sign,
                        SV_FMT(run_cut(digits)));
    return run_fail(l, l->op->keyword, "must be %s %s%.*se%lld", must, sign,
                    SV_FMT(run_cut(digits)), (long long)bound->exponent);
}

bool run_length(const struct look *l)
{
    struct sv text = json_text(l->v);
    uint32_t bound = l->op->a;
    bool is_max = l->op->kind == OP_MAX_LENGTH;
    /* a character is one to four bytes */
    if (is_max ? text.n <= bound : (text.n + 3) / 4 >= bound) return true;
    if (!run_spend(l->r, text.n / 64)) return false;
    size_t n = utf8_count(text);
    if (is_max ? n <= bound : n >= bound) return true;
    return run_fail(l, l->op->keyword, "must have at %s %u characters, has %zu",
                    is_max ? "most" : "least", bound, n);
}

bool run_text_pattern(const struct look *l)
{
    enum pattern_verdict v = run_pattern(l->r, l->op->a, json_text(l->v));
    if (v != PATTERN_NO) return v == PATTERN_YES;
    return run_fail(l, KW_PATTERN, "must match the pattern");
}

bool run_format(const struct look *l)
{
    struct sv text = json_text(l->v);
    if (!run_spend(l->r, text.n / 16)) return false;
    if (schema_format_holds((int)l->op->a, l->v)) return true;
    return run_fail(l, KW_FORMAT, "must be %s",
                    schema_format_says((int)l->op->a));
}
