/* What telemetry tells of a request, as the checks see it: views that lie in
 * one another, whatever the url and the headers are. */
#include "base/ensure.h"
#include "check/request.h"
#include "detect/mail_property.h"
#include "edge/question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_whole(const struct expression_request *r)
{
    ENSURE(r->path.n + r->query.n <= r->target.n);
    if (r->target.n) {
        ENSURE(sv_starts(r->target, r->path));
        ENSURE(sv_eq(sv_from(r->target, r->target.n - r->query.n), r->query));
        ENSURE(r->path.n + r->query.n + 1 >= r->target.n);
    }
    ENSURE(sv_find(r->path, '?') == SIZE_MAX);
    ENSURE(sv_find(r->target, '#') == SIZE_MAX);
    ENSURE(r->fields_n <= HTTP_FIELDS_MAX);
    for (unsigned i = 0; i < r->fields_n; i++)
        ENSURE(r->fields[i].name.p && r->fields[i].value.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct question q;
    struct question_problem why = { NULL, NULL };
    struct mail_texts found = { .n = 0 };
    struct arena a;
    yyjson_doc *doc;
    arena_init(&a, 4 << 20, NULL, 0);
    if (json_decode(sv_of(data, size), &a, &doc, NULL) == 0 &&
        question_telemetry(yyjson_doc_get_root(doc), 1700000000000, &q, &why) ==
            0) {
        struct exchange x = { .arena = &a,
                              .door = DOOR_VERIFY,
                              .has_client = q.has_client,
                              .client = q.client,
                              .headers = q.headers,
                              .method = q.method,
                              .url = q.url };
        const struct expression_request *r = check_request(&x);
        if (r) {
            is_whole(r);
            ENSURE(check_request(&x) == r);
            mail_find_head(MAIL_IN_HEADER | MAIL_IN_COOKIE | MAIL_IN_QUERY,
                           SV("email"), r->fields, r->fields_n, r->query, &a,
                           &found);
        }
    }
    arena_fini(&a);
    return 0;
}
