/* The words of SMTP (RFC 5321): replies of a server that may say anything, and
 * a message that no text put into it can break out of. Pure. */
#ifndef CODEC_SMTP_H
#define CODEC_SMTP_H

#include "base/buf.h"

enum {
    SMTP_LINE_MAX = 1000,   /* of a reply; RFC 5321 4.5.3.1.5 asks for 512 */
    SMTP_REPLY_MAX = 16384, /* all lines of one */
    SMTP_ADDRESS_MAX = 254,
    SMTP_TEXT_MAX = 120,
};

/* What an answer to EHLO offers. */
enum smtp_offer { SMTP_STARTTLS = 1, SMTP_AUTH_PLAIN = 2, SMTP_AUTH_LOGIN = 4 };

struct smtp_reply {
    unsigned code;             /* 200-599, when it is whole */
    unsigned offers;           /* set of enum smtp_offer */
    char text[SMTP_TEXT_MAX];  /* of its last line: printable ASCII, NUL */
    /* own */
    size_t line_n, total_n;
    char line[SMTP_LINE_MAX];
};

/* Zero *r before each reply. 1: it is whole, *used of `in` were its bytes
 * (what is behind them nobody asked for); 0: more is needed, all was used;
 * ERR_PROTOCOL, ERR_TOOBIG. */
int smtp_reply_read(struct smtp_reply *r, struct sv in, size_t *used);

/* local@domain: dot-atom and a host name, ASCII. Nothing in it can end a line
 * or a command. */
bool smtp_address_is_valid(struct sv address);

struct smtp_mail {
    struct sv from, subject, text; /* text: UTF-8, LF or CRLF */
    const struct sv *to;
    size_t to_n;
    struct sv id;             /* of the message: [A-Za-z0-9_.-] */
    int64_t wall_ms;
};
/* The message as DATA takes it: headers, text in base64, the dots of lines that
 * begin with one doubled, the final dot. */
void smtp_mail_encode(const struct smtp_mail *m, struct buf *out);
/* Lines end in CRLF, and a dot in front is doubled (RFC 5321 4.5.2). */
void smtp_put_data(struct buf *out, struct sv text);
/* AUTH PLAIN (RFC 4616) and the two answers of LOGIN, base64. */
void smtp_put_plain(struct buf *out, struct sv user, struct sv password);
void smtp_put_base64(struct buf *out, struct sv bytes);

#endif
