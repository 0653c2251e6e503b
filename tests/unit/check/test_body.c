/* The step BODY by itself: rows of heads, and what the image wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/ensure.h"
#include "check/check.h"

#define WANT(n, over, block)                                     \
    {                                                            \
        .inspect_bytes = n, .over_blocks = over, .blocks = block \
    }

#define WANT_CLOSED(n)                     \
    {                                      \
        .inspect_bytes = n, .closed = true \
    }

static const struct row {
    const char *says;
    struct plan_body want;
    enum http_body body;
    uint64_t length;
    const char *encoding[2]; /* Content-Encoding fields */
    enum intake intake;
    bool over;
    enum verdict verdict;
    enum reason reason; /* of the denial, or of the finding */
    bool has_body;
} rows[] = {
    { "a body is asked for",
      WANT(10, true, true),
      HTTP_BODY_LENGTH,
      10,
      { NULL },
      INTAKE_UNASKED,
      false,
      VERDICT_BODY,
      REASON_NONE,
      false },
    { "chunks are asked for",
      WANT(10, true, true),
      HTTP_BODY_CHUNKED,
      0,
      { NULL },
      INTAKE_UNASKED,
      false,
      VERDICT_BODY,
      REASON_NONE,
      false },
    { "no body is no question",
      WANT(10, true, true),
      HTTP_BODY_NONE,
      0,
      { "gzip" },
      INTAKE_UNASKED,
      false,
      VERDICT_PASS,
      REASON_NONE,
      false },
    { "an empty body is none",
      WANT(10, true, true),
      HTTP_BODY_LENGTH,
      0,
      { NULL },
      INTAKE_UNASKED,
      false,
      VERDICT_PASS,
      REASON_NONE,
      false },
    { "a length above the limit is refused",
      WANT(10, true, false),
      HTTP_BODY_LENGTH,
      11,
      { NULL },
      INTAKE_UNASKED,
      false,
      VERDICT_DENY,
      REASON_BODY_TOO_LARGE,
      false },
    { "a length above the limit is read where it may pass",
      WANT(10, false, true),
      HTTP_BODY_LENGTH,
      11,
      { NULL },
      INTAKE_UNASKED,
      false,
      VERDICT_BODY,
      REASON_NONE,
      false },
    { "encoded is refused",
      WANT(10, false, true),
      HTTP_BODY_CHUNKED,
      0,
      { "gzip" },
      INTAKE_UNASKED,
      false,
      VERDICT_DENY,
      REASON_UNSUPPORTED_ENCODING,
      false },
    { "encoded is noted",
      WANT(10, true, false),
      HTTP_BODY_CHUNKED,
      0,
      { "x" },
      INTAKE_UNASKED,
      false,
      VERDICT_PASS,
      REASON_UNSUPPORTED_ENCODING,
      false },
    { "a list is encoded",
      WANT(10, true, true),
      HTTP_BODY_CHUNKED,
      0,
      { "identity, gzip" },
      INTAKE_UNASKED,
      false,
      VERDICT_DENY,
      REASON_UNSUPPORTED_ENCODING,
      false },
    { "the second field counts too",
      WANT(10, true, true),
      HTTP_BODY_CHUNKED,
      0,
      { "identity", "gzip" },
      INTAKE_UNASKED,
      false,
      VERDICT_DENY,
      REASON_UNSUPPORTED_ENCODING,
      false },
    { "identity is no encoding",
      WANT(10, true, true),
      HTTP_BODY_CHUNKED,
      0,
      { "IDENTITY", "" },
      INTAKE_UNASKED,
      false,
      VERDICT_BODY,
      REASON_NONE,
      false },
    { "what came is there",
      WANT(10, true, true),
      HTTP_BODY_CHUNKED,
      0,
      { NULL },
      INTAKE_DONE,
      false,
      VERDICT_PASS,
      REASON_NONE,
      true },
    { "longer than that is refused",
      WANT(10, true, false),
      HTTP_BODY_CHUNKED,
      0,
      { NULL },
      INTAKE_DONE,
      true,
      VERDICT_DENY,
      REASON_BODY_TOO_LARGE,
      true },
    { "longer than that is noted",
      WANT(10, false, true),
      HTTP_BODY_CHUNKED,
      0,
      { NULL },
      INTAKE_DONE,
      true,
      VERDICT_PASS,
      REASON_BODY_TOO_LARGE,
      true },
    { "without memory it is refused",
      WANT_CLOSED(10),
      HTTP_BODY_CHUNKED,
      0,
      { NULL },
      INTAKE_FAILED,
      false,
      VERDICT_DENY,
      REASON_CHECK_UNAVAILABLE,
      false },
    { "without memory it is noted",
      WANT(10, true, false),
      HTTP_BODY_CHUNKED,
      0,
      { NULL },
      INTAKE_FAILED,
      false,
      VERDICT_PASS,
      REASON_CHECK_UNAVAILABLE,
      false },
};

static void head_make(struct http_head *h, const struct row *r)
{
    memset(h, 0, sizeof *h);
    h->body = r->body;
    h->content_length = r->length;
    for (unsigned i = 0; i < 2 && r->encoding[i]; i++) {
        h->fields[h->fields_n++] =
            (struct http_field){ .name = SV("Content-Encoding"),
                                 .value = sv_cstr(r->encoding[i]),
                                 .id = HN_CONTENT_ENCODING };
        if (i == 0) h->at[HN_CONTENT_ENCODING] = 1;
    }
}

static void run_row(const struct row *r)
{
    static struct http_head head;
    struct plan_app app = { .body[PLAN_BODY_ALL] = r->want };
    struct arena arena;
    arena_init(&arena, 1 << 16, NULL, 0);
    struct exchange x = { .plan = &app,
                          .head = &head,
                          .intake = r->intake,
                          .body_over = r->over,
                          .arena = &arena };
    print_message("# %s\n", r->says);
    head_make(&head, r);
    assert_int_equal(check_body(&x), r->verdict);
    assert_int_equal(x.has_body, r->has_body);
    bool denied = r->verdict == VERDICT_DENY;
    bool noted = r->intake == INTAKE_FAILED ||
                 (r->verdict == VERDICT_PASS && r->reason != REASON_NONE);
    assert_int_equal(x.reason, denied ? r->reason : REASON_NONE);
    assert_int_equal(x.findings != NULL, noted);
    if (noted) {
        assert_int_equal(x.findings->n, 1);
        assert_string_equal(x.findings->at[0].code,
                            reason_rows[r->reason].code);
        assert_int_equal(x.findings->at[0].enforced, denied);
    }
    x.head = NULL; /* the verify door */
    assert_int_equal(check_body(&x), VERDICT_PASS);
    arena_fini(&arena);
}

static void a_body_is_asked_for_refused_or_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) run_row(&rows[i]);
}

static const struct sum {
    struct plan_body a, b, all;
} sums[] = {
    { WANT(0, true, true), WANT(0, true, true), WANT(0, false, false) },
    { WANT(10, false, false), WANT(0, true, true), WANT(10, false, false) },
    { WANT(10, false, false), WANT(20, false, true), WANT(20, false, true) },
    /* who refuses longer ones sets the length */
    { WANT(10, true, true), WANT(20, true, false), WANT(10, true, true) },
    { WANT(10, true, true), WANT(20, false, false), WANT(10, true, true) },
    { WANT(20, true, true), WANT(10, false, false), WANT(20, true, true) },
    { WANT(10, true, false), WANT(0, false, false), WANT(10, true, false) },
};

static void what_profiles_want_adds_up_in_any_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sums); i++)
        for (int turn = 0; turn < 2; turn++) {
            struct plan_body all = { 0 };
            plan_body_want(&all, turn ? &sums[i].a : &sums[i].b);
            plan_body_want(&all, turn ? &sums[i].b : &sums[i].a);
            assert_int_equal(all.inspect_bytes, sums[i].all.inspect_bytes);
            assert_int_equal(all.over_blocks, sums[i].all.over_blocks);
            assert_int_equal(all.blocks, sums[i].all.blocks);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_asked_for_refused_or_noted),
        cmocka_unit_test(what_profiles_want_adds_up_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
