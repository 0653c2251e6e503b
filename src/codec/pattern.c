/* PCRE2 with limits. Options: UTF without UCP, so that \d, \w and \b mean
 * ASCII as in ECMA-262; $ is the end alone; a reference to a group that took
 * no part matches nothing. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/pattern_int.h"

enum { JIT_STACK_BYTES_MIN = 32 << 10, JIT_STACK_BYTES_MAX = 512 << 10 };

struct pattern {
    pcre2_code *code;
};

struct pattern_room {
    pcre2_match_context *limits;
    pcre2_match_data *found;
    pcre2_jit_stack *stack;
};

static void *room_alloc(size_t n, void *ctx)
{
    (void)ctx;
    return mem_alloc_try(n);
}

static void room_release(void *p, void *ctx)
{
    (void)ctx;
    mem_free(p);
}

static int compile(struct sv text, pcre2_code **out, struct pattern_why *why)
{
    pcre2_general_context *memory =
        pcre2_general_context_create(room_alloc, room_release, NULL);
    pcre2_compile_context *context =
        memory ? pcre2_compile_context_create(memory) : NULL;
    int code = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at = 0;
    *out = NULL;
    if (context)
        *out = pcre2_compile((PCRE2_SPTR)text.p, text.n,
                             PCRE2_UTF | PCRE2_DOLLAR_ENDONLY |
                                 PCRE2_MATCH_UNSET_BACKREF |
                                 PCRE2_NEVER_BACKSLASH_C,
                             &code, &at, context);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    if (*out) return 0;
    why->at = 0;
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why->reason,
                            sizeof why->reason);
    return ERR_INVALID;
}

int pattern_new(struct sv source, bool jit, struct pattern **out,
                struct pattern_why *why)
{
    struct buf text;
    struct pattern *p = NULL;
    pcre2_code *code = NULL;
    buf_init(&text, 8 * PATTERN_BYTES_MAX);
    buf_puts(&text, "(?:)"); /* nothing at the start is an option or verb */
    int rc = pattern_translate(source, &text, why);
    if (rc == 0) rc = compile(buf_sv(&text), &code, why);
    if (rc == 0) {
        p = NEW(struct pattern);
        p->code = code;
        /* Without it the search is interpreted: slower, the same answer. */
        if (jit) (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    }
    buf_fini(&text);
    *out = p;
    return rc;
}

void pattern_free(struct pattern **p)
{
    if (!*p) return;
    pcre2_code_free((*p)->code);
    mem_free(*p);
    *p = NULL;
}

struct pattern_room *pattern_room_new(void)
{
    struct pattern_room *r = NEW(struct pattern_room);
    pcre2_general_context *memory =
        pcre2_general_context_create(room_alloc, room_release, NULL);
    if (memory) {
        r->limits = pcre2_match_context_create(memory);
        r->found = pcre2_match_data_create(1, memory);
        r->stack = pcre2_jit_stack_create(JIT_STACK_BYTES_MIN,
                                          JIT_STACK_BYTES_MAX, memory);
    }
    pcre2_general_context_free(memory);
    if (!r->limits || !r->found) {
        pattern_room_free(&r);
        return NULL;
    }
    pcre2_set_heap_limit(r->limits, PATTERN_HEAP_BYTES_MAX / 1024);
    pcre2_set_depth_limit(r->limits, PATTERN_DEPTH_MAX);
    if (r->stack) pcre2_jit_stack_assign(r->limits, NULL, r->stack);
    return r;
}

void pattern_room_free(struct pattern_room **r)
{
    if (!*r) return;
    pcre2_jit_stack_free((*r)->stack);
    pcre2_match_data_free((*r)->found);
    pcre2_match_context_free((*r)->limits);
    mem_free(*r);
    *r = NULL;
}

enum pattern_verdict pattern_find(const struct pattern *p,
                                  struct pattern_room *room, struct sv text,
                                  uint32_t steps)
{
    pcre2_set_match_limit(room->limits, steps);
    int n = pcre2_match(p->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0,
                        PCRE2_NO_UTF_CHECK, room->found, room->limits);
    if (n >= 0) return PATTERN_YES;
    return n == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_LIMIT;
}
