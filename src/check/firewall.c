/* Steps 3 and 10: the security profile's lists of networks, its areas, and its
 * rules. What is judged is detect/'s; here is what a verdict leaves behind.
 *
 * Lists and areas judge the client's address, whichever door told of it; a
 * rule sees the whole request, and behind authentication the credential. */
#include "detect/firewall.h"

#include "check/check.h"
#include "check/request.h"
#include "check/where.h"
#include "detect/area.h"

/* Refused, or (enforced false) what would be. */
static enum verdict tell(struct exchange *x, enum reason why, bool enforced,
                         struct sv evidence)
{
    check_found(x, reason_rows[why].code,
                enforced ? DETECTOR_BLOCK : DETECTOR_MONITOR, enforced,
                evidence.p ? evidence : SV(""));
    return enforced ? check_deny(x, why) : VERDICT_PASS;
}

/* --- addresses --------------------------------------------------------------- */

static struct sv network_evidence(struct exchange *x, const struct cidr *c)
{
    char text[IP_TEXT_MAX];
    if (!c) return SV("{\"network\":null}");
    int n = (int)ip_format(&c->ip, text);
    return arena_printf(x->arena, "{\"network\":\"%.*s/%u\"}", n, text,
                        c->bits - (ip_is_v4(&c->ip) ? 96u : 0u));
}

static enum verdict judge_address(struct exchange *x,
                                  const struct plan_security *s)
{
    const struct cidr *entry;
    const struct ip *client = x->has_client ? &x->client : NULL;
    if (firewall_address(&s->profile.ip, s->network, client, &entry) ==
        FIREWALL_PASSES)
        return VERDICT_PASS;
    return tell(x, REASON_IP_BLOCKED, true, network_evidence(x, entry));
}

/* --- areas ------------------------------------------------------------------- */

/* A client without an address is nowhere, with data or without. */
static bool is_blind(const struct exchange *x)
{
    return x->has_client && !check_places(x);
}

static enum verdict judge_area(struct exchange *x,
                               const struct plan_security *s)
{
    const struct geoblock *g = &s->profile.geoblock;
    if (!g->on) return VERDICT_PASS;
    const struct place *place = check_place(x);
    if (is_blind(x))
        return check_fault(x, s->profile.on_fault, false, "geoblock");
    if (area_judge(g, place ? place->country : 0) == AREA_PASSES)
        return VERDICT_PASS;
    return tell(x, REASON_GEO_BLOCKED, true,
                arena_printf(x->arena, "{\"country\":\"%.*s\",\"asn\":%u}",
                             SV_FMT(check_country(x)), place ? place->asn : 0));
}

/* --- rules ------------------------------------------------------------------- */

static void put_place(struct exchange *x, struct expression_request *r)
{
    const struct place *place = check_place(x);
    r->country = check_country(x);
    r->asn = place ? place->asn : 0;
}

static struct sv rule_evidence(struct exchange *x,
                               const struct plan_security *s,
                               const struct security_rule *rule)
{
    struct sv name = s->rule_names[rule - s->profile.rules];
    if (!expression_names_place(rule->expression))
        return arena_printf(x->arena, "{\"rule\":%.*s}", SV_FMT(name));
    const struct place *place = check_place(x);
    return arena_printf(
        x->arena, "{\"rule\":%.*s,\"country\":\"%.*s\",\"asn\":%u}",
        SV_FMT(name), SV_FMT(check_country(x)), place ? place->asn : 0);
}

/* What an earlier half said holds for this one; what this one could not judge
 * is told once it has let pass. */
static enum verdict judge_rules(struct exchange *x, bool with_token,
                                const struct expression_request *r)
{
    const struct plan_security *s = x->plan->security;
    struct firewall_walk walk = { .blind = s->place_rules && is_blind(x),
                                  .over = x->rules_over };
    const struct security_rule *rule;
    while ((rule = firewall_rule_next(&s->profile, with_token, r, &walk))) {
        bool blocks = rule->action == RULE_BLOCK;
        if (!blocks && rule->action != RULE_LOG) continue;
        enum verdict v =
            tell(x, REASON_RULE_BLOCKED, blocks, rule_evidence(x, s, rule));
        if (v != VERDICT_PASS) return v;
    }
    x->rules_over = walk.over;
    x->skips_waf |= walk.skips_waf;
    return walk.passed ? check_fault(x, s->profile.on_fault, false, "rules")
                       : VERDICT_PASS;
}

static struct expression_request *request_of(struct exchange *x)
{
    struct expression_request *r = check_request(x);
    if (r && x->plan->security->place_rules) put_place(x, r);
    return r;
}

static enum verdict no_room(struct exchange *x)
{
    return check_fault(x, x->plan->security->profile.on_fault, true, "rules");
}

/* --- the steps --------------------------------------------------------------- */

enum verdict check_firewall(struct exchange *x)
{
    const struct plan_security *s = x->plan->security;
    enum verdict v = judge_address(x, s);
    if (v == VERDICT_PASS) v = judge_area(x, s);
    if (v != VERDICT_PASS || !s->early_rules) return v;
    const struct expression_request *r = request_of(x);
    return r ? judge_rules(x, false, r) : no_room(x);
}

static bool put_token(struct exchange *x, struct expression_request *r)
{
    const struct token_cold *cold = x->has_token ? x->token.cold : NULL;
    if (x->has_token) {
        struct ulid u;
        memcpy(u.b, x->token.id, sizeof u.b);
        struct id id = id_make(KIND_TOKEN, &u);
        r->token_id = arena_dup(x->arena, id_sv(&id));
    }
    if (cold) {
        r->token_name = cold->name;
        r->token_owner = cold->owner;
        r->token_scopes = cold->scopes;
        r->token_scopes_n = cold->scopes_n;
        r->token_tags = cold->tags;
        r->token_tags_n = cold->tags_n;
    }
    if (x->jwt) {
        r->token_subject = x->jwt->subject;
        r->token_scopes = x->jwt->scopes;
        r->token_scopes_n = x->jwt->scopes_n;
    }
    return !x->has_token || r->token_id.p;
}

enum verdict check_token_rules(struct exchange *x)
{
    /* passed over by onFault: open, with nobody to ask */
    if (!x->has_token && !x->jwt && x->faults) return VERDICT_PASS;
    struct expression_request *r = request_of(x);
    return r && put_token(x, r) ? judge_rules(x, true, r) : no_room(x);
}
