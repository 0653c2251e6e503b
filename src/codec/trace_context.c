#include "codec/trace_context.h"

#include "base/err.h"
#include "base/fmt.h"

enum { MEMBERS_MAX = 32, KEY_MAX = 256, VALUE_MAX = 256 };

/* --- traceparent ------------------------------------------------------------------ */

/* Lower case only. */
static bool hex_decode_lower(struct sv text, uint8_t *out)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int v = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
        if (v < 0) return false;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
    }
    return true;
}

static bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= p[i];
    return !any;
}

/* 00-<32>-<16>-<2> */
int trace_parent_decode(struct sv text, struct trace_context *out)
{
    uint8_t version, flags;
    struct trace_context c;
    if (text.n < TRACE_PARENT_TEXT || text.p[2] != '-' || text.p[35] != '-' ||
        text.p[52] != '-' || !hex_decode_lower(sv_first(text, 2), &version) ||
        !hex_decode_lower(sv_of(text.p + 3, 32), c.trace_id) ||
        !hex_decode_lower(sv_of(text.p + 36, 16), c.span_id) ||
        !hex_decode_lower(sv_of(text.p + 53, 2), &flags))
        return ERR_INVALID;
    if (version == 0xff || is_zero(c.trace_id, sizeof c.trace_id) ||
        is_zero(c.span_id, sizeof c.span_id))
        return ERR_INVALID;
    if (text.n > TRACE_PARENT_TEXT &&
        (version == 0 || text.p[TRACE_PARENT_TEXT] != '-'))
        return ERR_INVALID;
    c.flags = flags & TRACE_SAMPLED;
    *out = c;
    return 0;
}

void trace_parent_encode(char out[TRACE_PARENT_TEXT],
                         const struct trace_context *c)
{
    memcpy(out, "00-", 3);
    fmt_hex(out + 3, c->trace_id, sizeof c->trace_id);
    out[35] = '-';
    fmt_hex(out + 36, c->span_id, sizeof c->span_id);
    out[52] = '-';
    fmt_hex(out + 53, &c->flags, 1);
}

/* --- tracestate ------------------------------------------------------------------- */

static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '*' || c == '/';
}

static bool starts_well(struct sv s, bool digit)
{
    return s.n && ((s.p[0] >= 'a' && s.p[0] <= 'z') ||
                   (digit && s.p[0] >= '0' && s.p[0] <= '9'));
}

static bool all_key_bytes(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_key_byte(s.p[i])) return false;
    return true;
}

/* name, or tenant@system */
static bool is_key(struct sv key)
{
    struct sv system, tenant = sv_cut(key, '@', &system);
    if (key.n > KEY_MAX || !all_key_bytes(tenant)) return false;
    if (!system.p) return starts_well(tenant, false);
    return starts_well(tenant, true) && starts_well(system, false) &&
           tenant.n <= 241 && system.n <= 14 && all_key_bytes(system);
}

static bool is_value(struct sv v)
{
    if (!v.n || v.n > VALUE_MAX || v.p[v.n - 1] == ' ') return false;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < 0x20 || v.p[i] > 0x7e || v.p[i] == '=') return false;
    return true;
}

static bool is_known(const struct sv *keys, unsigned n, struct sv key)
{
    for (unsigned i = 0; i < n; i++)
        if (sv_eq(keys[i], key)) return true;
    return false;
}

bool trace_state_is_valid(struct sv text)
{
    struct sv keys[MEMBERS_MAX];
    unsigned n = 0;
    if (text.n > TRACE_STATE_MAX) return false;
    while (text.n) {
        struct sv value, member = sv_trim(sv_cut(text, ',', &text));
        if (!member.n) continue; /* empty members are allowed */
        struct sv key = sv_cut(member, '=', &value);
        if (!value.p || !is_key(key) || !is_value(value) || n == MEMBERS_MAX ||
            is_known(keys, n, key))
            return false;
        keys[n++] = key;
    }
    return n > 0;
}
