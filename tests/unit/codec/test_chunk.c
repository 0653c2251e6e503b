/* The chunked coding: vectors, any cut, llhttp as oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../fuzz/http1_oracle.h"
#include "vectors.h"

static struct oracle_text text;
static const struct http_head chunked = { .body = HTTP_BODY_CHUNKED };
static const char post[] = "POST / HTTP/1.1\r\nHost: a\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";

static bool whole_is_good(struct sv in)
{
    text.fields_n = text.body_n = 0;
    return oracle_our_body(&chunked, &in, &text) && in.n == 0;
}

static void body_has_its_verdict(const struct vector *v)
{
    char *p = exact(v->bytes, v->n);
    bool good = whole_is_good(sv_of(p, v->n));
    if (good != !strcmp(v->verdict, "ok"))
        fail_msg("%s: wanted %s", v->name, v->verdict);
    free(p);
}

static void every_shape_has_its_verdict(void **state)
{
    (void)state;
    assert_in_range(vectors_each("chunks.txt", body_has_its_verdict), 45, 999);
}

/* The decoder alone, given `step` bytes a call; data goes to text.body. */
static enum chunk_event decode_by(const struct vector *v, size_t step)
{
    struct chunk_decoder d = { 0 };
    enum chunk_event e = CHUNK_MORE;
    text.body_n = 0;
    for (size_t at = 0; at < v->n; at += step) {
        struct sv in = sv_first(sv_from(sv_of(v->bytes, v->n), at), step);
        do {
            struct sv data = { NULL, 0 };
            e = chunk_decode(&d, &in, &data);
            if (e == CHUNK_LAST || e == CHUNK_BAD) return e;
            if (e != CHUNK_DATA) continue;
            size_t taken = data.n > 1 ? data.n / 2 : 1; /* the rest again */
            oracle_add(text.body, &text.body_n, data.p, taken);
            chunk_take(&d, taken);
            in = sv_from(in, taken);
        } while (in.n);
    }
    return e == CHUNK_DATA ? CHUNK_MORE : e;
}

static void cut_anywhere(const struct vector *v)
{
    char body[1024];
    enum chunk_event whole = decode_by(v, v->n);
    size_t n = text.body_n;
    memcpy(body, text.body, n);
    for (size_t step = 1; step < v->n; step++) {
        assert_int_equal(decode_by(v, step), whole);
        assert_int_equal(text.body_n, n);
        assert_memory_equal(text.body, body, n);
    }
}

static void a_body_in_any_pieces_is_the_same(void **state)
{
    (void)state;
    vectors_each("chunks.txt", cut_anywhere);
}

static void flip(const struct vector *v)
{
    char p[2048];
    memcpy(p, post, sizeof post - 1);
    memcpy(p + sizeof post - 1, v->bytes, v->n);
    size_t n = sizeof post - 1 + v->n;
    oracle_request(sv_of(p, n));
    for (size_t bit = 8 * sizeof post - 8; bit < 8 * n; bit++) {
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
        oracle_request(sv_of(p, n));
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
    }
}

static void llhttp_agrees_with_any_bit_flipped(void **state)
{
    (void)state;
    vectors_each("chunks.txt", flip);
}

static void a_size_line_has_a_limit(void **state)
{
    (void)state;
    char line[400] = "3;";
    struct chunk_decoder d = { 0 };
    memset(line + 2, 'x', sizeof line - 2);
    struct sv in = sv_of(line, CHUNK_LINE_MAX), data;
    assert_int_equal(chunk_decode(&d, &in, &data), CHUNK_MORE);
    in = sv_of(line, 3);
    assert_int_equal(chunk_decode(&d, &in, &data), CHUNK_BAD);
}

static void nothing_is_taken_after_the_last_chunk(void **state)
{
    (void)state;
    struct chunk_decoder d = { 0 };
    struct sv in = SV("0\r\n5\r\n"), data;
    assert_int_equal(chunk_decode(&d, &in, &data), CHUNK_LAST);
    assert_int_equal(in.n, 3);
    assert_int_equal(chunk_decode(&d, &in, &data), CHUNK_BAD);
}

static void sizes_are_written_in_hex(void **state)
{
    (void)state;
    char out[CHUNK_HEAD_MAX];
    static const struct {
        uint64_t size;
        const char *text;
    } cases[] = {
        { 0, "0\r\n" },
        { 15, "f\r\n" },
        { 16, "10\r\n" },
        { 4096, "1000\r\n" },
        { UINT64_MAX, "ffffffffffffffff\r\n" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = chunk_head(out, cases[i].size);
        assert_int_equal(n, strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, n);
    }
}

int main(void)
{
    (void)oracle_response;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_has_its_verdict),
        cmocka_unit_test(a_body_in_any_pieces_is_the_same),
        cmocka_unit_test(llhttp_agrees_with_any_bit_flipped),
        cmocka_unit_test(a_size_line_has_a_limit),
        cmocka_unit_test(nothing_is_taken_after_the_last_chunk),
        cmocka_unit_test(sizes_are_written_in_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
