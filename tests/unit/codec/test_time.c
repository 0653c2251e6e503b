/* RFC 3339 and ULIDs. */
#include "codec/rfc3339.h"
#include "codec/ulid.h"
#include "codec_kit.h"

static void times_are_read_as_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1985-04-12T23:20:50.52Z", 482196050520 }, /* RFC 3339 5.8 */
        { "1996-12-19T16:39:57-08:00", 851042397000 },
        { "1990-12-31T23:59:60Z", 662688000000 },
        { "1990-12-31T15:59:60-08:00", 662688000000 },
        { "1937-01-01T12:00:27.87+00:20", -1041337172130 },
        { "2024-02-29t12:00:00z", 1709208000000 },
        { "2024-02-29T12:00:00.123456789Z", 1709208000123 },
        { "0000-01-01T00:00:00Z", -62167219200000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 0;
        struct sv text = exact(sv_cstr(rows[i].text));
        if (rfc3339_decode(text, &ms) || ms != rows[i].ms)
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
        /* every truncation of it is something else or nothing */
        for (size_t n = 0; n < text.n; n++) {
            struct sv cut = exact(sv_first(text, n));
            assert_int_equal(rfc3339_decode(cut, &ms), ERR_INVALID);
            exact_free(cut);
        }
        exact_free(text);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.0123456789Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+0100",
        "2024-01-01T00:00:00Zx",
        "+024-01-01T00:00:00Z",
        "24-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:60Z",
        "2024-1-01T00:00:00Z",
        "2024-01-01T00:00:00,5Z",
    };
    int64_t ms;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (rfc3339_decode(sv_cstr(bad[i]), &ms) != ERR_INVALID)
            fail_msg("%s", bad[i]);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char text[RFC3339_TEXT];
    struct rand_fast r = { 7 };
    for (int i = 0; i < 100000; i++) {
        int64_t ms = (int64_t)(rand_fast_next(&r) % 315569519999999u) -
                     62167219200000,
                back;
        rfc3339_encode(text, ms);
        if (rfc3339_decode(sv_of(text, sizeof text), &back) || back != ms)
            fail_msg("%lld %.24s", (long long)ms, text);
    }
    rfc3339_encode(text, 1709208000001);
    assert_memory_equal(text, "2024-02-29T12:00:00.001Z", 24);
    rfc3339_encode(text, INT64_MAX);
    assert_memory_equal(text, "9999-12-31T23:59:59.999Z", 24);
    rfc3339_encode(text, INT64_MIN);
    assert_memory_equal(text, "0000-01-01T00:00:00.000Z", 24);
}

static void a_ulid_has_the_specs_text(void **state)
{
    (void)state;
    struct ulid u;
    char text[ULID_TEXT];
    assert_int_equal(ulid_decode(SV("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &u), 0);
    assert_int_equal(ulid_ms(&u), 1469922850259);
    ulid_encode(text, &u);
    assert_memory_equal(text, "01ARZ3NDEKTSV4RRFFQ69G5FAV", ULID_TEXT);
    memset(&u, 0xff, sizeof u);
    ulid_encode(text, &u);
    assert_memory_equal(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", ULID_TEXT);
    struct ulid back;
    assert_int_equal(ulid_decode(sv_of(text, sizeof text), &back), 0);
    assert_memory_equal(&u, &back, sizeof u);
    assert_int_equal(ulid_tag(&back), UINT32_MAX);
}

static void only_our_own_form_of_a_ulid_is_taken(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "01ARZ3NDEKTSV4RRFFQ69G5FA",
        "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "01arz3ndektsv4rrffq69g5fav",
        "01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "01ARZ3NDEKTSV4RRFFQ69G5FAL",
        "01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "01ARZ3NDEKTSV4RRFFQ69G5FA-",
    };
    struct ulid u;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (ulid_decode(sv_cstr(bad[i]), &u) != ERR_INVALID)
            fail_msg("%s", bad[i]);
    char zero[ULID_TEXT];
    memset(zero, '0', sizeof zero);
    zero[5] = '\0';
    assert_int_equal(ulid_decode(sv_of(zero, sizeof zero), &u), ERR_INVALID);
}

static void ulids_rise_strictly_whatever_the_clock_does(void **state)
{
    (void)state;
    struct ulid last = { { 0 } }, before, u;
    char text[ULID_TEXT], text_before[ULID_TEXT] = { 0 };
    int64_t ms = 1700000000000;
    ulid_next(&last, ms, &before);
    assert_int_equal(ulid_ms(&before), ms);
    for (int i = 0; i < 20000; i++) {
        ms += i % 7 == 0 ? -3 : i % 5 == 0;
        ulid_next(&last, ms, &u);
        ulid_encode(text, &u);
        assert_true(ulid_cmp(&before, &u) < 0);
        assert_true(memcmp(text_before, text, sizeof text) < 0);
        before = u;
        memcpy(text_before, text, sizeof text);
    }
    memset(last.b + 6, 0xff, 10); /* the millisecond is full */
    int64_t full = ulid_ms(&last);
    ulid_next(&last, full, &u);
    assert_int_equal(ulid_ms(&u), full + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(times_are_read_as_the_standard_says),
        TEST(what_is_no_time_is_refused),
        TEST(what_is_written_is_read_back),
        TEST(a_ulid_has_the_specs_text),
        TEST(only_our_own_form_of_a_ulid_is_taken),
        TEST(ulids_rise_strictly_whatever_the_clock_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
