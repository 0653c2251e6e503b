/* JSON lines to standard error. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static _Atomic int least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

static void put_escaped(struct buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_putc(b, (char)c);
    }
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    static const char *const name[] = { "debug", "info", "warn", "error" };
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    char text[1024], mem[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct civil t = civil_from_ms(clock_wall_ms());
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem - 3);
    buf_printf(&b,
               "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\","
               "\"level\":\"%s\",\"area\":\"%s\",\"message\":\"",
               t.year, t.month, t.day, t.hour, t.minute, t.second, t.ms,
               name[level], area);
    put_escaped(&b, text);
    memcpy(mem + b.n, "\"}\n", 3);
    ssize_t ignored = write(STDERR_FILENO, mem, b.n + 3);
    (void)ignored;
}
