/* Replies of an SMTP server: whatever it says, a reply ends within its bounds,
 * also cut anywhere; and no subject or text leaves its place in a mail. */
#include <stdlib.h>

#include "codec/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of((const char *)data, size);
    struct smtp_reply whole = { 0 }, cut = { 0 };
    size_t used, part = size / 2, used2;
    int rc = smtp_reply_read(&whole, text, &used);
    must(used <= size && (rc != 0 || used == size));
    must(rc != 1 || (whole.code >= 200 && whole.code < 600));
    int rc2 = smtp_reply_read(&cut, sv_first(text, part), &used2);
    if (rc2 == 0) rc2 = smtp_reply_read(&cut, sv_from(text, part), &used2);
    must(rc == rc2);
    smtp_address_is_valid(text);
    struct sv to = SV("a@example.com");
    struct smtp_mail m = { .from = SV("me@example.org"),
                           .subject = text,
                           .text = text,
                           .to = &to,
                           .to_n = 1,
                           .id = SV("id") };
    struct buf b;
    buf_init(&b, 1 << 20);
    smtp_mail_encode(&m, &b);
    if (!b.overflow) must(memmem(b.p, b.n, "\r\n.\r\n", 5) == b.p + b.n - 5);
    buf_fini(&b);
    return 0;
}
