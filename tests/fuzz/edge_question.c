/* Bodies of /authenticate: whatever the bytes, a question is whole and within
 * its bounds, or refused with a reason. */
#include "base/ensure.h"
#include "base/err.h"
#include "edge/question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct sv body, bool batch)
{
    const int64_t now = INT64_C(1700000000000);
    struct arena a;
    struct questions qs;
    struct question q;
    struct question_problem why = { NULL, NULL };
    arena_init(&a, 4 << 20, NULL, 0);
    int err = questions_open(&qs, body, batch, &a, &why);
    ENSURE(err != ERR_INVALID || (why.field && why.text));
    ENSURE(err || qs.n <= QUESTION_BATCH_MAX);
    for (size_t i = 0; !err && i < qs.n; i++) {
        why = (struct question_problem){ NULL, NULL };
        if (questions_get(&qs, i, now, &q, &why) != 0) {
            ENSURE(why.field && why.text);
            continue;
        }
        ENSURE(q.cost - 1 < QUESTION_COST_MAX);
        ENSURE(q.scopes_n <= QUESTION_SCOPES_MAX);
        ENSURE(q.token.p && q.app_id.p);
        ENSURE(q.at_ms > now - 300000 && q.at_ms < now + 300000);
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_all(sv_of(data, size), false);
    read_all(sv_of(data, size), true);
    return 0;
}
