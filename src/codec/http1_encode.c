/* Writing HTTP/1.x heads. A relayed head is mostly runs of fields as they came
 * in: "Name: value CRLF Name: value" that lie behind each other are one copy. */
#include "codec/http1.h"

size_t http1_head_size(struct sv start_line, const struct http_field *f,
                       size_t n, struct sv tail)
{
    size_t size = start_line.n + tail.n + 4;
    for (size_t i = 0; i < n; i++) size += f[i].name.n + f[i].value.n + 4;
    return size;
}

static inline char *put(char *out, const char *p, size_t n)
{
    if (n) memcpy(out, p, n);
    return out + n;
}

/* Is `next` what stands behind `p` when `between` (two bytes) is there? */
static inline bool follows(const char *p, const char *next,
                           const char between[2])
{
    return next == p + 2 && p[0] == between[0] && p[1] == between[1];
}

size_t http1_head_encode(char *out, struct sv start_line,
                         const struct http_field *f, size_t n, struct sv tail)
{
    char *o = put(put(out, start_line.p, start_line.n), "\r\n", 2);
    struct sv run = { "", 0 }; /* not yet copied */
    for (size_t i = 0; i < n; i++) {
        struct sv name = f[i].name;
        struct sv value = f[i].value.n ? f[i].value : SV("");
        if (i > 0 && !follows(run.p + run.n, name.p, "\r\n")) {
            o = put(put(o, run.p, run.n), "\r\n", 2);
            run.p = name.p;
        }
        if (i == 0) run.p = name.p;
        run.n = (size_t)(name.p + name.n - run.p);
        if (!follows(run.p + run.n, value.p, ": ")) {
            o = put(put(o, run.p, run.n), ": ", 2);
            run.p = value.p;
        }
        run.n = (size_t)(value.p + value.n - run.p);
    }
    if (n) o = put(put(o, run.p, run.n), "\r\n", 2);
    o = put(put(o, tail.p, tail.n), "\r\n", 2);
    return (size_t)(o - out);
}
