/* Answers of origins by the document, for profiles with `responses: log`: one of
 * so many, when its body has passed. Nothing waits for the verdict, so it is a
 * finding at most; what takes more than a turn's budget is counted and left. */
#include "check/request.h"
#include "check/schema.h"

bool schema_answer_wanted(const struct exchange *x)
{
    const struct plan_schema *s = x->plan->schema;
    if (!s || !s->profile.responses || !x->operation) return false;
    return schema_lane_of(x)->answers++ % s->profile.sample == 0;
}

void schema_answer_judge(struct exchange *x, const struct plan_schema *s,
                         const struct openapi_answer *answer)
{
    struct schema_lane *l = schema_lane_of(x);
    struct arena work;
    struct schema_judge j = schema_turn(schema_lane_of(x), &work);
    struct schema_said said = {
        .j = openapi_judge_answer(s->document, answer, &j),
    };
    schema_count(&l->stats.answers[schema_outcome_of(&said.j)]);
    if (said.j.verdict == OPENAPI_BLOCK && !said.j.over) {
        schema_say(s, &said.j, &j, &work, &said);
        check_found(x, "response_violation", DETECTOR_MONITOR, false,
                    arena_dup(x->arena, said.evidence));
    }
    arena_fini(&work);
}
