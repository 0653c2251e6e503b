/* Members of an answer's object, one call each. */
#ifndef ADMIN_PUT_H
#define ADMIN_PUT_H

#include "codec/json.h"
#include "codec/rfc3339.h"

static inline void put_text(struct buf *b, const char *name, struct sv s)
{
    json_put_name(b, name);
    json_put_text(b, s);
}

static inline void put_number(struct buf *b, const char *name, uint64_t n)
{
    json_put_name(b, name);
    buf_put_u64(b, n);
}

static inline void put_flag(struct buf *b, const char *name, bool v)
{
    json_put_name(b, name);
    buf_puts(b, v ? "true" : "false");
}

static inline void put_time(struct buf *b, const char *name, int64_t ms)
{
    char at[RFC3339_TEXT];
    rfc3339_encode(at, ms);
    put_text(b, name, sv_of(at, sizeof at));
}

static inline void put_null(struct buf *b, const char *name)
{
    json_put_name(b, name);
    buf_puts(b, "null");
}

#endif
