/* SMTP's words: hostile replies, texts that want to be headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/smtp.h"

static int read_all(struct smtp_reply *r, const char *text, size_t *used)
{
    memset(r, 0, sizeof *r);
    return smtp_reply_read(r, sv_cstr(text), used);
}

static void replies_of_several_lines_are_one(void **state)
{
    static const char text[] = "250-mail.example\r\n250-STARTTLS\r\n"
                               "250-auth LOGIN plain XOAUTH2\r\n250 ok\x01\r\n";
    struct smtp_reply r;
    size_t used;
    (void)state;
    assert_int_equal(read_all(&r, text, &used), 1);
    assert_int_equal(used, sizeof text - 1);
    assert_int_equal(r.code, 250);
    assert_int_equal(r.offers,
                     SMTP_STARTTLS | SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN);
    assert_string_equal(r.text, "ok?");
}

static void a_reply_may_come_byte_by_byte(void **state)
{
    static const char text[] = "250-a\r\n250 b\r\n";
    struct smtp_reply r = { 0 };
    size_t used;
    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++)
        assert_int_equal(smtp_reply_read(&r, sv_of(text + i, 1), &used),
                         i == sizeof text - 2);
}

static void what_comes_behind_a_reply_is_not_used(void **state)
{
    struct smtp_reply r;
    size_t used;
    (void)state;
    assert_int_equal(read_all(&r, "220 go\r\n250 injected\r\n", &used), 1);
    assert_int_equal(used, 8);
}

static void what_is_no_reply_is_refused(void **state)
{
    static const char *const bad[] = {
        "\r\n",      "25\r\n",    "2x0 a\r\n",          "250_a\r\n",
        "199 a\r\n", "600 a\r\n", "250-a\r\n251 b\r\n", "HTTP/1.1\r\n"
    };
    struct smtp_reply r;
    size_t used;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(read_all(&r, bad[i], &used), ERR_PROTOCOL);
}

static void long_lines_and_endless_replies_end(void **state)
{
    struct smtp_reply r = { 0 };
    char line[128];
    size_t used;
    int rc = 0;
    (void)state;
    memset(line, 'a', sizeof line);
    for (int i = 0; i < 100 && !rc; i++)
        rc = smtp_reply_read(&r, sv_of(line, sizeof line), &used);
    assert_int_equal(rc, ERR_TOOBIG);
    memset(&r, 0, sizeof r);
    rc = 0;
    for (int i = 0; i < 10000 && !rc; i++)
        rc = smtp_reply_read(&r, SV("250-again\r\n"), &used);
    assert_int_equal(rc, ERR_TOOBIG);
}

static void addresses_cannot_carry_commands(void **state)
{
    static const char *const good[] = { "a@example.com", "a.b+c@mx.example.com",
                                        "o'x@example.com" };
    static const char *const bad[] = {
        "",
        "a",
        "@example.com",
        "a@",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a@example.com>",
        "a b@example.com",
        "a\r\nRCPT TO:<b@example.com",
        "\"a\"@example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@exa mple.com",
        "a@example.com\r\n",
        "<a@example.com>",
        "\xc3\xa4@example.com",
        "a@\xc3\xa4.example",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(smtp_address_is_valid(sv_cstr(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(smtp_address_is_valid(sv_cstr(bad[i])));
}

static void encode(const char *subject, const char *text, char *out, size_t max)
{
    const struct sv to[] = { SV("a@example.com"), SV("b@example.com") };
    const struct smtp_mail m = { .from = SV("me@example.org"),
                                 .subject = sv_cstr(subject),
                                 .text = sv_cstr(text),
                                 .to = to,
                                 .to_n = 2,
                                 .id = SV("dlv_1"),
                                 .wall_ms = 1790000000000 };
    struct buf b;
    buf_init(&b, max - 1);
    smtp_mail_encode(&m, &b);
    assert_false(b.overflow);
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
    buf_fini(&b);
}

static void a_subject_stays_in_its_header(void **state)
{
    static char out[65536];
    char subject[200];
    (void)state;
    encode("x\r\nBcc: evil@example.com\r\n\r\n.\r\nQUIT", "t", out, sizeof out);
    assert_null(strstr(out, "Bcc"));
    assert_null(strstr(out, "QUIT"));
    assert_non_null(strstr(out, "\r\nTo: <a@example.com>,\r\n <b@example.com>"
                                "\r\nSubject: =?UTF-8?B?"));
    assert_non_null(strstr(out, "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"));
    memset(subject, 'e', sizeof subject);
    subject[sizeof subject - 1] = 0;
    encode(subject, "t", out, sizeof out);
    for (char *line = out; *line;) {
        char *end = strstr(line, "\r\n");
        assert_true(end && end - line <= 78);
        line = end + 2;
    }
}

static void the_message_ends_where_it_ends(void **state)
{
    static char out[65536];
    (void)state;
    encode("s", ".\r\n.\r\nQUIT\r\n", out, sizeof out);
    assert_string_equal(out + strlen(out) - 5, "\r\n.\r\n");
    assert_ptr_equal(strstr(out, "\r\n.\r\n"), out + strlen(out) - 5);
}

static void dots_are_doubled_and_lines_end_alike(void **state)
{
    char text[100];
    struct buf b;
    (void)state;
    buf_init_fixed(&b, text, sizeof text);
    smtp_put_data(&b, SV(".a\n..\nb\rc\r\n.\nlast"));
    assert_true(sv_eq(buf_sv(&b), SV("..a\r\n...\r\nb c\r\n..\r\nlast\r\n")));
}

static void credentials_are_those_of_the_rfc(void **state)
{
    char text[100];
    struct buf b;
    (void)state;
    buf_init_fixed(&b, text, sizeof text);
    smtp_put_plain(&b, SV("tim"), SV("tanstaaftanstaaf")); /* RFC 4954 4.1 */
    assert_true(sv_eq(buf_sv(&b), SV("AHRpbQB0YW5zdGFhZnRhbnN0YWFm")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_several_lines_are_one),
        cmocka_unit_test(a_reply_may_come_byte_by_byte),
        cmocka_unit_test(what_comes_behind_a_reply_is_not_used),
        cmocka_unit_test(what_is_no_reply_is_refused),
        cmocka_unit_test(long_lines_and_endless_replies_end),
        cmocka_unit_test(addresses_cannot_carry_commands),
        cmocka_unit_test(a_subject_stays_in_its_header),
        cmocka_unit_test(the_message_ends_where_it_ends),
        cmocka_unit_test(dots_are_doubled_and_lines_end_alike),
        cmocka_unit_test(credentials_are_those_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
