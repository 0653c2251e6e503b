/* Text to the value that a schema wants, and judging what was made. */
#include "codec/decimal.h"
#include "codec/openapi_int.h"
#include "codec/percent.h"
#include "codec/text.h"

struct sv openapi_decode(struct openapi_run *run, struct sv s, bool plus)
{
    if (sv_find(s, '%') != SIZE_MAX || (plus && sv_find(s, '+') != SIZE_MAX)) {
        char *p = arena_alloc(run->j->arena, s.n);
        if (!p) {
            run->over = true;
            return (struct sv){ NULL, 0 };
        }
        memcpy(p, s.p, s.n);
        for (size_t i = 0; plus && i < s.n; i++)
            if (p[i] == '+') p[i] = ' ';
        s = sv_of(p, percent_decode(p, sv_of(p, s.n)));
    }
    if (!s.p) return SV("");
    return utf8_is_valid(s) ? s : (struct sv){ NULL, 0 };
}

/* What the text would be: 'n' number, 'b' boolean, '0' null, 's' string. */
static char reading_of(unsigned types, struct sv text)
{
    struct decimal d;
    bool numbers = types & (SCHEMA_T_INTEGER | SCHEMA_T_NUMBER);
    if (numbers && decimal_parse(text, &d)) return 'n';
    if (types & SCHEMA_T_BOOLEAN &&
        (sv_eq(text, SV("true")) || sv_eq(text, SV("false"))))
        return 'b';
    if (types & SCHEMA_T_NULL && !(types & SCHEMA_T_STRING) &&
        (!text.n || sv_eq(text, SV("null"))))
        return '0';
    return 's';
}

static void put(struct json_flat *f, char reading, struct sv text)
{
    switch (reading) {
    case 'n': json_flat_number(f, text); break;
    case 'b': json_flat_bool(f, text.p[0] == 't'); break;
    case '0': json_flat_null(f); break;
    default: json_flat_text(f, text);
    }
}

void openapi_put_text(struct openapi_run *run, uint32_t schema, struct sv text)
{
    const struct schema *s = run->o->schema;
    unsigned types = schema_types(s, schema);
    char reading = reading_of(types, text);
    if (reading != 's' && types & SCHEMA_T_STRING && schema != SCHEMA_NONE) {
        /* Both are allowed: a number that the schema refuses is read as the
         * text that it also is. */
        struct json_flat one;
        yyjson_val memory;
        struct schema_judge quiet = *run->j;
        quiet.violations_max = quiet.violations_n = 0;
        json_flat_init(&one, 1, &memory, 1);
        put(&one, reading, text);
        if (one.n &&
            schema_judge(s, schema, one.values, &quiet) == SCHEMA_INVALID)
            reading = 's';
        json_flat_fini(&one);
        run->j->steps = quiet.steps;
    }
    put(&run->flat, reading, text);
}

void openapi_fail(struct openapi_run *run, struct sv instance,
                  const char *keyword, const char *says)
{
    run->bad = true;
    schema_judge_note(run->j, (struct schema_violation){
                                  .instance = instance,
                                  .keyword = sv_cstr(keyword),
                                  .location = SV("#"),
                                  .says = sv_cstr(says),
                              });
}

void openapi_judge_value(struct openapi_run *run, uint32_t schema,
                         struct sv prefix, const yyjson_val *v)
{
    struct sv outer = run->j->prefix;
    run->j->prefix = prefix;
    switch (schema_judge(run->o->schema, schema, v, run->j)) {
    case SCHEMA_VALID: break;
    case SCHEMA_INVALID: run->bad = true; break;
    case SCHEMA_OVER: run->over = true; break;
    }
    run->j->prefix = outer;
}

void openapi_judge_flat(struct openapi_run *run, uint32_t schema,
                        struct sv prefix)
{
    if (run->flat.failed || !run->flat.n)
        run->over = true;
    else
        openapi_judge_value(run, schema, prefix, run->flat.values);
    json_flat_clear(&run->flat);
}

struct sv openapi_field(const struct openapi_run *run, struct sv name)
{
    const struct openapi_request *r = run->request;
    for (unsigned i = 0; i < r->fields_n; i++)
        if (sv_eq_nocase(r->fields[i].name, name)) return r->fields[i].value;
    return (struct sv){ NULL, 0 };
}
