/* Expression rules: any text compiles or is refused with a place inside of
 * it, and what compiles runs over any request. The part behind the first NUL
 * is the request's path, query, header and address. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/err.h"
#include "codec/expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `not (…)` holds when it does not. It may be too long or too deep. */
static void opposite(struct sv text, const struct expression *e,
                     const struct expression_request *r)
{
    char negated[EXPRESSION_TEXT_MAX + 8];
    struct buf b;
    struct arena a;
    const struct expression *not_e;
    struct expression_error why;
    buf_init_fixed(&b, negated, sizeof negated);
    buf_puts(&b, "not (");
    buf_put(&b, text);
    buf_putc(&b, ')');
    arena_init(&a, 8 << 20, NULL, 0);
    if (expression_compile(buf_sv(&b), &a, &not_e, &why) == 0) {
        ENSURE(expression_eval(not_e, r) != expression_eval(e, r));
        ENSURE(expression_names_token(not_e) == expression_names_token(e));
        ENSURE(expression_names_place(not_e) == expression_names_place(e));
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv rest, text = sv_cut(sv_of(data, size), '\0', &rest);
    struct arena a;
    const struct expression *e;
    struct expression_error why;
    arena_init(&a, 8 << 20, NULL, 0);
    int rc = expression_compile(text, &a, &e, &why);
    if (rc == 0) {
        struct http_field field = { .name = SV("cookie"), .value = rest };
        struct expression_request r = {
            .method = rest,
            .host = rest,
            .target = rest,
            .path = rest,
            .query = rest,
            .fields = &field,
            .fields_n = 1,
            .country = rest,
            .token_id = rest,
            .token_scopes = &rest,
            .token_scopes_n = 1,
        };
        if (rest.n >= sizeof r.ip) {
            memcpy(&r.ip, rest.p, sizeof r.ip);
            r.has_ip = true;
        }
        ENSURE(expression_eval(e, &r) == expression_eval(e, &r));
        opposite(text, e, &r);
    } else if (rc == ERR_INVALID) {
        ENSURE(why.at <= text.n && why.line > 0 && why.column > 0);
        ENSURE(why.message[0] != '\0');
    }
    arena_fini(&a);
    return 0;
}
