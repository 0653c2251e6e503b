#include "codec/smtp.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "codec/host.h"

enum { BASE64_LINE = 57 /* bytes that make 76 characters */, WORD_BYTES = 39 };

/* --- replies --------------------------------------------------------------------- */

static void offers_read(struct smtp_reply *r, struct sv text)
{
    struct sv words, name = sv_cut(text, ' ', &words);
    if (sv_eq_nocase(name, SV("STARTTLS"))) r->offers |= SMTP_STARTTLS;
    if (!sv_eq_nocase(name, SV("AUTH"))) return;
    while (words.n) {
        struct sv word = sv_cut(words, ' ', &words);
        if (sv_eq_nocase(word, SV("PLAIN"))) r->offers |= SMTP_AUTH_PLAIN;
        if (sv_eq_nocase(word, SV("LOGIN"))) r->offers |= SMTP_AUTH_LOGIN;
    }
}

static void text_keep(struct smtp_reply *r, struct sv text)
{
    size_t n = text.n < SMTP_TEXT_MAX - 1 ? text.n : SMTP_TEXT_MAX - 1;
    for (size_t i = 0; i < n; i++)
        r->text[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?';
    r->text[n] = 0;
}

/* 1: the last one. */
static int line_read(struct smtp_reply *r, struct sv line)
{
    unsigned code = 0;
    if (line.n < 3) return ERR_PROTOCOL;
    for (int i = 0; i < 3; i++) {
        if (line.p[i] < '0' || line.p[i] > '9') return ERR_PROTOCOL;
        code = code * 10 + (unsigned)(line.p[i] - '0');
    }
    char then = line.n > 3 ? line.p[3] : ' ';
    if (code < 200 || code > 599 || (then != ' ' && then != '-') ||
        (r->code && r->code != code))
        return ERR_PROTOCOL;
    r->code = code;
    offers_read(r, sv_from(line, 4));
    text_keep(r, sv_from(line, 4));
    return then == ' ';
}

int smtp_reply_read(struct smtp_reply *r, struct sv in, size_t *used)
{
    for (*used = 0; *used < in.n;) {
        char c = in.p[(*used)++];
        if (++r->total_n > SMTP_REPLY_MAX) return ERR_TOOBIG;
        if (c != '\n') {
            if (r->line_n == SMTP_LINE_MAX) return ERR_TOOBIG;
            r->line[r->line_n++] = c;
            continue;
        }
        struct sv line = sv_of(r->line, r->line_n);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        r->line_n = 0;
        int rc = line_read(r, line);
        if (rc) return rc;
    }
    return 0;
}

/* --- addresses --------------------------------------------------------------------- */

static bool is_atext(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

bool smtp_address_is_valid(struct sv address)
{
    struct host host;
    size_t at = sv_rfind(address, '@');
    if (at == SIZE_MAX || at == 0 || at > 64 || address.n > SMTP_ADDRESS_MAX)
        return false;
    char last = '.';
    for (size_t i = 0; i < at; i++) {
        char c = address.p[i];
        if (!is_atext(c) && (c != '.' || last == '.')) return false;
        last = c;
    }
    struct sv domain = sv_from(address, at + 1);
    for (size_t i = 0; i < domain.n; i++)
        if (domain.p[i] <= 0x20 || domain.p[i] >= 0x7f) return false;
    return last != '.' && host_parse(domain, false, &host) == 0 &&
           host.kind == HOST_NAME;
}

/* --- the message ---------------------------------------------------------------------- */

void smtp_put_base64(struct buf *b, struct sv bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t w = 0;
        for (size_t k = 0; k < 3; k++)
            w = w << 8 | (k < n ? (uint8_t)bytes.p[i + k] : 0);
        char out[4] = { digits[w >> 18], digits[w >> 12 & 63],
                        n > 1 ? digits[w >> 6 & 63] : '=',
                        n > 2 ? digits[w & 63] : '=' };
        buf_put(b, sv_of(out, sizeof out));
    }
}

void smtp_put_plain(struct buf *b, struct sv user, struct sv password)
{
    char text[1024];
    struct buf t;
    buf_init_fixed(&t, text, sizeof text);
    buf_putc(&t, 0);
    buf_put(&t, user);
    buf_putc(&t, 0);
    buf_put(&t, password);
    if (!t.overflow) smtp_put_base64(b, buf_sv(&t));
    memset(text, 0, sizeof text);
}

/* Encoded words (RFC 2047), whole code points in each: whatever stands in the
 * text, no line of a header ends there. */
static void put_words(struct buf *b, struct sv text)
{
    bool first = true;
    while (text.n) {
        size_t n = text.n < WORD_BYTES ? text.n : WORD_BYTES;
        while (n < text.n && n > 1 && ((uint8_t)text.p[n] & 0xc0) == 0x80) n--;
        buf_puts(b, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        smtp_put_base64(b, sv_first(text, n));
        buf_puts(b, "?=");
        text = sv_from(text, n);
        first = false;
    }
}

static void put_date(struct buf *b, int64_t wall_ms)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun",
                                        "Mon", "Tue", "Wed" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
                                          "May", "Jun", "Jul", "Aug",
                                          "Sep", "Oct", "Nov", "Dec" };
    struct civil c = civil_from_ms(wall_ms);
    buf_printf(b, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n",
               days[wall_ms / 86400000 % 7], c.day, months[c.month - 1], c.year,
               c.hour, c.minute, c.second);
}

void smtp_put_data(struct buf *b, struct sv text)
{
    while (text.n) {
        struct sv rest, line = sv_cut(text, '\n', &rest);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n && line.p[0] == '.') buf_putc(b, '.');
        for (size_t i = 0; i < line.n; i++) /* a bare CR ends no line */
            buf_putc(b, line.p[i] == '\r' ? ' ' : line.p[i]);
        buf_puts(b, "\r\n");
        text = rest.p ? rest : SV("");
    }
}

void smtp_mail_encode(const struct smtp_mail *m, struct buf *out)
{
    struct buf b;
    buf_init(&b, out->max);
    put_date(&b, m->wall_ms);
    buf_printf(&b, "From: <%.*s>\r\nTo: ", SV_FMT(m->from));
    for (size_t i = 0; i < m->to_n; i++)
        buf_printf(&b, "%s<%.*s>", i ? ",\r\n " : "", SV_FMT(m->to[i]));
    buf_puts(&b, "\r\nSubject: ");
    put_words(&b, m->subject);
    buf_printf(&b, "\r\nMessage-ID: <%.*s@%.*s>\r\n", SV_FMT(m->id),
               SV_FMT(sv_from(m->from, sv_rfind(m->from, '@') + 1)));
    buf_puts(&b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                 "Content-Type: text/plain; charset=utf-8\r\n"
                 "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t at = 0; at < m->text.n; at += BASE64_LINE) {
        smtp_put_base64(&b, sv_first(sv_from(m->text, at), BASE64_LINE));
        buf_puts(&b, "\r\n");
    }
    smtp_put_data(out, buf_sv(&b));
    buf_puts(out, ".\r\n");
    if (b.overflow) out->overflow = true;
    buf_fini(&b);
}
