/* Heads for tests, as the scanner reads them. */
#ifndef SUPPORT_HEADS_H
#define SUPPORT_HEADS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "codec/http1.h"

static const struct http1_limits head_limits = { 16384, 8192, 64 };

static inline void head_fail(const char *text, const char *why)
{
    fprintf(stderr, "# %s\n# %s\n", text, why);
    fail();
}

/* The fields of a request to http://a.test/ or, with `line`, to that. */
static inline void head_request(struct http_head *h, char *memory, size_t max,
                                const char *line, const char *fields)
{
    struct http1_refusal why = { 0, "" };
    size_t searched = 0;
    int n = snprintf(memory, max, "%s HTTP/1.1\r\nHost: a.test\r\n%s\r\n",
                     line ? line : "GET /", fields);
    if (http1_request_scan(sv_of(memory, (size_t)n), &searched, &head_limits,
                           h, &why) != n)
        head_fail(memory, why.reason);
}

static inline void head_response(struct http_head *h, char *memory, size_t max,
                                 const char *status, const char *fields)
{
    struct http1_refusal why = { 0, "" };
    size_t searched = 0;
    int n = snprintf(memory, max, "HTTP/1.1 %s\r\n%s\r\n", status, fields);
    if (http1_response_scan(sv_of(memory, (size_t)n), &searched, &head_limits,
                            HTTP_GET, h, &why) != n)
        head_fail(memory, why.reason);
}

/* "Name: value\n" of each field, for comparing with golden text. */
static inline const char *fields_text(const struct http_field *f, size_t n)
{
    static char text[16384];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text - 1);
    for (size_t i = 0; i < n; i++) {
        buf_put(&b, f[i].name);
        buf_puts(&b, ": ");
        buf_put(&b, f[i].value);
        buf_putc(&b, '\n');
    }
    assert_false(b.overflow);
    text[b.n] = '\0';
    return text;
}

static inline struct ip ip_of(const char *text)
{
    struct ip ip;
    if (ip_parse(sv_cstr(text), &ip) != 0) head_fail(text, "not an address");
    return ip;
}

#endif
