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
    const char *run = NULL, *run_end = NULL; /* not yet copied */
    for (size_t i = 0; i < n; i++, f++) {
        if (!run || !follows(run_end, f->name.p, "\r\n")) {
            if (run) o = put(put(o, run, (size_t)(run_end - run)), "\r\n", 2);
            run = f->name.p;
        }
        run_end = f->name.p + f->name.n;
        if (!follows(run_end, f->value.p, ": ")) {
            o = put(put(o, run, (size_t)(run_end - run)), ": ", 2);
            run = f->value.p;
        }
        run_end = f->value.p + f->value.n;
    }
    if (run) o = put(put(o, run, (size_t)(run_end - run)), "\r\n", 2);
    o = put(put(o, tail.p, tail.n), "\r\n", 2);
    return (size_t)(o - out);
}
