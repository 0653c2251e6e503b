/* Documents made of members that the test names, and defaults. */
#include "plan_fixture.h"

#include <stdio.h>
#include <stdlib.h>

const char *plan_fixture_id(uint32_t num)
{
    static _Thread_local char id[32];
    snprintf(id, sizeof id, "app_01JD0000000000%012u", num);
    return id;
}

static const char *member(char *out, size_t max, const char *name,
                          const char *value)
{
    out[0] = '\0';
    if (value) snprintf(out, max, ",\"%s\":\"%s\"", name, value);
    return out;
}

int plan_fixture_build(struct plan *p, const struct plan_fixture *f,
                       struct plan_app **out, struct plan_problem *why)
{
    char application[4096], profile[2048] = "", domain[512], origin[512];
    const char *id = f->id ? f->id : plan_fixture_id(f->num);
    int n = snprintf(
        application, sizeof application,
        "{\"id\":\"%s\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"a\"%s%s%s"
        "%s%s}",
        id, member(domain, sizeof domain, "domain", f->domain),
        member(origin, sizeof origin, "originHostname", f->origin),
        f->auth ? ",\"auth_id\":\"auth_01JD0000000000000000000000\"" : "",
        f->auth || (f->more && strstr(f->more, "\"public\""))
            ? ""
            : ",\"public\":true",
        f->more ? f->more : "");
    int m = 0;
    if (f->auth)
        m = snprintf(profile, sizeof profile,
                     "{\"id\":\"auth_01JD0000000000000000000000\","
                     "\"account_id\":\"acc_01JD0000000000000000000000\","
                     "\"name\":\"p\"%s%s%s}",
                     strstr(f->auth, "keyType") ? "" : ",\"keyType\":\"token\"",
                     f->auth[0] ? "," : "", f->auth);
    char jwt[4096] = "";
    int k = 0;
    if (f->jwt)
        k = snprintf(jwt, sizeof jwt,
                     "{\"id\":\"jwt_01JD0000000000000000000000\","
                     "\"account_id\":\"acc_01JD0000000000000000000000\","
                     "\"name\":\"j\"%s%s}",
                     f->jwt[0] ? "," : "", f->jwt);
    struct plan_source src = {
        .application = { application, (size_t)n },
        .authentication = { profile, (size_t)m },
        .jwt = { jwt, (size_t)k },
        .jwt_rules = sv_cstr(f->jwt_rules ? f->jwt_rules : ""),
        .keysets_n = f->keysets_n,
        .num = f->num,
        .imported = f->imported,
        .quota_slot = f->quota_slot,
        .quota_tag = f->quota_tag,
        .seq = f->seq,
    };
    for (int i = 0; i < FORM_COUNT; i++)
        src.forms[i] = sv_cstr(f->forms[i] ? f->forms[i] : "");
    src.openapi = sv_cstr(f->openapi ? f->openapi : "");
    if (f->keysets_n)
        memcpy(src.keysets, f->keysets, f->keysets_n * sizeof *f->keysets);
    return plan_build(p, &src, out, why);
}

struct plan_app *plan_fixture_publish(struct plan *p,
                                      const struct plan_fixture *f)
{
    struct plan_app *a;
    struct plan_problem why;
    int rc = plan_fixture_build(p, f, &a, &why);
    if (rc != 0) {
        fprintf(stderr, "# fixture: %d %s: %s\n", rc, why.field, why.message);
        abort();
    }
    plan_publish(p, a);
    return a;
}
