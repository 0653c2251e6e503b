/* What a judgement by a schema is told as: violations for the answer, the same
 * and the operation for the event. And what a reactor keeps for judging. */
#include "base/mem.h"
#include "check/schema.h"

enum {
    VIOLATION_TEXT_MAX = 1024, /* of each text in an answer */
    OPERATION_TEXT_MAX = 512,
};

const char *const schema_outcome_labels[SCHEMA_OUTCOME_COUNT] = {
#define X(name, label) [SCHEMA_OUTCOME_##name] = label,
    SCHEMA_OUTCOMES(X)
#undef X
};

struct schema_lane *schema_lanes_new(unsigned reactors)
{
    return mem_aligned(64, reactors * sizeof(struct schema_lane));
}

void schema_lanes_free(struct schema_lane **lanes, unsigned reactors)
{
    if (!*lanes) return;
    for (unsigned i = 0; i < reactors; i++) {
        mem_free((*lanes)[i].scratch);
        pattern_room_free(&(*lanes)[i].room);
    }
    mem_free(*lanes);
    *lanes = NULL;
}

/* Not cut within a character. */
static struct sv at_most(struct sv s, size_t most)
{
    if (s.n <= most) return s.p ? s : SV("");
    s.n = most;
    while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) s.n--;
    return s;
}

static void put_text(struct buf *out, const char *name, struct sv s)
{
    json_put_name(out, name);
    json_put_text(out, at_most(s, VIOLATION_TEXT_MAX));
}

static void put_violation(struct buf *out, const struct schema_violation *v)
{
    buf_putc(out, '{');
    put_text(out, "pointer", v->instance);
    put_text(out, "keyword", v->keyword);
    put_text(out, "schema", v->location);
    put_text(out, "message", v->says);
    buf_putc(out, '}');
}

#define MORE                                                           \
    "{\"pointer\":\"\",\"keyword\":\"\",\"schema\":\"#\",\"message\":" \
    "\"there are more violations\"}"

/* As many as fit, whole ones; true: there are more. */
static bool put_violations(struct buf *out, const struct schema_violation *v,
                           unsigned n, size_t most)
{
    buf_putc(out, '[');
    for (unsigned i = 0; i < n; i++) {
        size_t before = out->n;
        if (i) buf_putc(out, ',');
        put_violation(out, &v[i]);
        if (!out->overflow && out->n + sizeof MORE + 2 < most) continue;
        out->n = before;
        out->overflow = false;
        buf_puts(out, i ? "," MORE "]" : "]");
        return true;
    }
    buf_putc(out, ']');
    return false;
}

static struct schema_violation unknown(const struct openapi_judgement *j)
{
    bool method = j->status == 405;
    return (struct schema_violation){
        .instance = method ? SV("/method") : SV("/path"),
        .keyword = SV("paths"),
        .location = SV("#/paths"),
        .says = method ? SV("the document has no such method at this path")
                       : SV("the document has no such path"),
    };
}

static struct schema_violation over(void)
{
    return (struct schema_violation){
        .instance = SV(""),
        .keyword = SV("budget"),
        .location = SV("#"),
        .says = SV("takes more work to judge than is allowed"),
    };
}

static void put_operation(struct buf *out, const struct plan_schema *s,
                          const struct openapi_judgement *j)
{
    struct sv method, path, id;
    if (j->operation == UINT_MAX) {
        buf_puts(out, "{\"operation\":null");
        return;
    }
    openapi_operation_name(s->document, j->operation, &method, &path, &id);
    buf_puts(out, "{\"operation\":");
    char text[OPERATION_TEXT_MAX];
    struct buf name;
    buf_init_fixed(&name, text, sizeof text);
    buf_put(&name, method);
    buf_putc(&name, ' ');
    buf_put(&name, at_most(path, sizeof text - 32));
    json_put_text(out, buf_sv(&name));
}

/* Without room nothing is said: the buffer overflows at once. */
static void room_take(struct arena *a, size_t most, struct buf *out)
{
    char *text = arena_alloc(a, most);
    buf_init_fixed(out, text, text ? most : 0);
}

void schema_say(const struct plan_schema *s, const struct openapi_judgement *j,
                const struct schema_judge *found, struct arena *a,
                struct schema_said *out)
{
    const struct schema_violation *v = found->violations;
    struct schema_violation own;
    unsigned n = found->violations_n;
    struct buf b;
    out->violations = out->evidence = SV("");
    if (j->verdict == OPENAPI_OK || j->verdict == OPENAPI_PASSED) return;
    if (j->verdict == OPENAPI_UNKNOWN || (j->over && !n)) {
        own = j->verdict == OPENAPI_UNKNOWN ? unknown(j) : over();
        v = &own;
        n = 1;
    }
    room_take(a, SCHEMA_SAYS_MAX, &b);
    put_violations(&b, v, n, SCHEMA_SAYS_MAX);
    if (!b.overflow) out->violations = buf_sv(&b);
    room_take(a, FINDING_EVIDENCE_MAX, &b);
    put_operation(&b, s, j);
    buf_printf(&b, ",\"status\":%u,\"violations\":", j->status);
    bool more = put_violations(&b, v, n, FINDING_EVIDENCE_MAX - 16);
    buf_puts(&b, more || found->more ? ",\"more\":true}" : "}");
    if (!b.overflow) out->evidence = buf_sv(&b);
}
