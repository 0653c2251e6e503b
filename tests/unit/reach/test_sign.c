/* The signature of webhooks against vectors of another implementation
 * (Python's hmac). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "reach/sign.h"

static const struct vector {
    int64_t wall_ms;
    struct sv body, secrets[2];
    size_t secrets_n;
    const char *text;
} vectors[] = {
    { 1790000000123ll,
      SV("{\"type\":\"test\"}"),
      { SV("whsec_first") },
      1,
      "t=1790000000,v1=af4a02b0778ec23be1acbb27b0de9682fd74ab024344d43882"
      "18a01c4e4878f9" },
    { 0ll,
      SV(""),
      { SV("k") },
      1,
      "t=0,v1=6b4a4b8b3c40f1e8f53a3d36682e5f99f7ad2ac1df1c93dfe336f329167"
      "641e7" },
    { 1790000000999ll,
      SV("{\"a\":\"\xc3\xa9\"}"),
      { SV("new"), SV("old") },
      2,
      "t=1790000000,v1=71a95e1eeaf3f61bd0b8a2c703fc86a6bebe899c95fca46a4b"
      "7020b8a35e1812,v1=3c79c946f6baca5094525c698a2260bf7ab837033bf39f11"
      "f342aa6fbfb01964" },
};

static void signatures_are_those_of_the_vectors(void **state)
{
    char text[SIGN_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct sv got =
            sign_body(text, v->wall_ms, v->body, v->secrets, v->secrets_n);
        assert_int_equal(got.n, strlen(v->text));
        assert_memory_equal(got.p, v->text, got.n);
    }
}

static void the_time_is_inside_what_is_signed(void **state)
{
    char a[SIGN_TEXT_MAX], b[SIGN_TEXT_MAX];
    const struct sv secret = SV("s");
    struct sv at = sign_body(a, 1000, SV("{}"), &secret, 1);
    struct sv later = sign_body(b, 2000, SV("{}"), &secret, 1);
    (void)state;
    assert_false(sv_eq(sv_from(at, 4), sv_from(later, 4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_vectors),
        cmocka_unit_test(the_time_is_inside_what_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
