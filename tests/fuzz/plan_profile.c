/* Profiles of firewall and abuse, as an administrator may send them: what is
 * taken compiles, is taken again as a patch of itself, and judges any request.
 * The first byte says which; behind the first NUL is the request's text. */
#include "base/ensure.h"
#include "base/err.h"
#include "codec/json.h"
#include "detect/area.h"
#include "detect/firewall.h"
#include "detect/mail.h"
#include "model/record.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void firewall_ask(const struct plan_security *s, struct sv text)
{
    struct http_field field = { .name = SV("x"), .value = text };
    struct expression_request r = { .method = SV("GET"),
                                    .host = text,
                                    .target = text,
                                    .path = text,
                                    .query = text,
                                    .fields = &field,
                                    .fields_n = 1,
                                    .token_id = text };
    const struct cidr *entry;
    r.has_ip = text.n >= sizeof r.ip.b;
    if (r.has_ip) memcpy(r.ip.b, text.p, sizeof r.ip.b);
    if (firewall_address(&s->profile.ip, s->network, r.has_ip ? &r.ip : NULL,
                         &entry) == FIREWALL_DENIED)
        ENSURE(cidr_has(entry, &r.ip));
    area_judge(&s->profile.geoblock, 0);
    for (int half = 0; half < 2; half++) {
        struct firewall_walk walk = { .blind = half };
        const struct security_rule *rule;
        unsigned n = 0;
        while ((rule = firewall_rule_next(&s->profile, half, &r, &walk))) {
            ENSURE(++n <= s->profile.rules_n);
            if (rule->action == RULE_BLOCK) break;
        }
    }
}

static void abuse_ask(const struct plan_abuse *s, struct sv text)
{
    struct mail_evidence e;
    struct host host;
    while (mail_domain_next(&text, &host))
        mail_check(s->blocklist, s->exceptions, NULL, sv_of(host.text, host.n),
                   &e);
    ENSURE(!s->profile.has_limit || (s->limit.limit && s->limit.window_s));
}

static void again(const struct shape *shape, const struct shape_env *env,
                  struct sv once, struct arena *a)
{
    struct shape_problem why;
    yyjson_doc *present;
    yyjson_mut_doc *doc;
    ENSURE(!json_decode(once, a, &present, NULL));
    yyjson_val *root = yyjson_doc_get_root(present);
    int rc = shape_patch(shape, env, root, root, &doc, &why);
    ENSURE(rc == 0 || rc == ERR_NOMEM);
    struct sv twice = { 0 };
    if (rc == 0) twice = json_encode(a, yyjson_mut_doc_get_root(doc));
    ENSURE(!twice.p || sv_eq(once, twice));
}

static void compile(bool abuse, struct sv doc, struct sv text)
{
    const struct compiled_type *type =
        abuse ? &plan_abuse_type : &plan_security_type;
    struct plan_problem why = { .field = "" };
    const void *value;
    struct arena a;
    arena_init(&a, type->budget, NULL, 0);
    int rc = type->build(doc, &a, &value, &why);
    ENSURE(rc == 0 || rc == ERR_NOMEM || (rc == ERR_INVALID && why.field[0]));
    if (rc == 0)
        (abuse ? (void)abuse_ask(value, text) : firewall_ask(value, text));
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shape_problem why;
    yyjson_doc *input;
    yyjson_mut_doc *doc;
    struct arena a;
    if (!size) return 0;
    bool abuse = data[0] & 1;
    struct sv text, body = sv_cut(sv_of(data + 1, size - 1), '\0', &text);
    const struct shape *shape = abuse ? &shape_abuse : &shape_security;
    arena_init(&a, 32 << 20, NULL, 0);
    struct shape_env env = { .arena = &a,
                             .now_ms = 1700000000000,
                             .role = ROLE_OWNER };
    if (json_decode(body, &a, &input, NULL) == 0) {
        int rc =
            shape_create(shape, &env, yyjson_doc_get_root(input), &doc, &why);
        ENSURE(rc == 0 || rc == ERR_NOMEM ||
               (rc == ERR_INVALID && why.code[0] && why.message[0]));
        struct sv once = { 0 };
        if (rc == 0) once = json_encode(&a, yyjson_mut_doc_get_root(doc));
        if (once.p) {
            again(shape, &env, once, &a);
            compile(abuse, once, text.p ? text : SV(""));
        }
    }
    arena_fini(&a);
    return 0;
}
