/* One judgement's state, between schema_run*.c. */
#ifndef CODEC_SCHEMA_RUN_INT_H
#define CODEC_SCHEMA_RUN_INT_H

#include "codec/json.h"
#include "codec/schema_int.h"

/* Where the value lies: frames on the stack of those who call. */
struct place {
    const struct place *up;
    struct sv name; /* p NULL: an item */
    size_t index;
};

/* Members or items that were evaluated: bits in run.words from an offset. */
#define NO_SET UINT32_MAX
enum { RUN_DEPTH_MAX = 512 };

struct schema_run {
    const struct schema *s;
    struct schema_judge *j;
    uint64_t *words;
    uint32_t words_n, words_cap;
    uint32_t *scopes; /* resources, outermost first; only if has_dynamic */
    uint32_t scopes_n;
    unsigned quiet, depth;
    uint32_t ticks;
    bool over;
};

/* What an operation looks at. */
struct look {
    struct schema_run *r;
    const struct schema_op *op;
    uint32_t node;
    const yyjson_val *v;
    const struct place *at;
    uint32_t set;
};

bool run_node(struct schema_run *r, uint32_t node, const yyjson_val *v,
              const struct place *at, uint32_t set);
/* Without noting violations, and with evaluations kept only if it holds. */
bool run_quietly(const struct look *l, uint32_t node);
enum { RUN_TICKS_A_LOOK = 512 }; /* at the clock: some microseconds of them */
bool run_spend_last(struct schema_run *r, size_t steps);
/* False when the steps are used up, or the time. */
static inline bool run_spend(struct schema_run *r, size_t steps)
{
    struct schema_judge *j = r->j;
    if (r->over || steps > j->steps || r->ticks + steps >= RUN_TICKS_A_LOOK)
        return run_spend_last(r, steps);
    j->steps -= (uint32_t)steps;
    r->ticks += (uint32_t)steps;
    return true;
}
/* Is there no use in going on after a violation? */
static inline bool run_stops(const struct schema_run *r)
{
    return r->quiet || r->over || r->j->violations_max == 0 || r->j->more;
}
static inline void run_mark(const struct look *l, size_t bit)
{
    if (l->set != NO_SET)
        l->r->words[l->set + bit / 64] |= UINT64_C(1) << bit % 64;
}
/* Always false, so that it may be returned. */
bool run_fail(const struct look *l, unsigned keyword, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* At a child of the value. */
bool run_fail_at(const struct look *l, const struct place *at,
                 unsigned keyword, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* For sentences: at most 60 bytes of whole characters. */
struct sv run_cut(struct sv s);
enum pattern_verdict run_pattern(struct schema_run *r, uint32_t pattern,
                                 struct sv text);

/* Operations: does the value hold it? */
typedef bool run_fn(const struct look *l);
run_fn run_type, run_enum, run_number, run_length, run_text_pattern, run_format;
run_fn run_item_count, run_unique, run_items, run_contains,
    run_unevaluated_items;
run_fn run_member_count, run_object, run_names, run_dependent_required,
    run_dependent_schemas, run_unevaluated;

static inline yyjson_val *unconst_val(const yyjson_val *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

#endif
