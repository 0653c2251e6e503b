/* The order of gateway.md §1: address lists, areas, rules without a token,
 * global limit, rules with one, travel and anomalies, mail, WAF. */
#include <stdio.h>

#include "base/err.h"
#include "detect/area.h"
#include "detect/firewall.h"
#include "detect/mail_property.h"
#include "main/simulate.h"

_Static_assert((int)MAIL_IN_HEADER == 1 && (int)MAIL_IN_BODY == 8,
               "abuse.locations has the bits of mail_property.h");

struct judging {
    const struct simulate_rules *rules;
    struct simulate_request *r;
    struct arena *a;
    struct simulate_verdict *out;
    struct firewall_walk walk; /* of both halves of the rules */
};

/* True: it is decided. */
typedef bool check_fn(struct judging *j);

static bool refused(struct judging *j, const char *code, struct sv evidence)
{
    j->out->outcome = SIMULATE_BLOCK;
    j->out->code = code;
    j->out->evidence = evidence;
    return true;
}

static void noted(struct judging *j, struct sv match)
{
    if (j->out->matches_n < SIMULATE_MATCHES_MAX)
        j->out->matches[j->out->matches_n++] = match;
}

/* A check that cannot be made; closed by default or not. True: refused. */
static bool faulty(struct judging *j, const char *what, enum fault_rule rule,
                   bool closed_by_default)
{
    j->out->faults[j->out->faults_n++ & 3] = what;
    if (j->out->faults_n > 4) j->out->faults_n = 4;
    bool closed =
        rule == FAULT_CLOSED || (rule == FAULT_DEFAULT && closed_by_default);
    return closed && refused(j, "check_unavailable", sv_cstr(what));
}

static bool check_address(struct judging *j)
{
    const struct security *s = j->rules->security;
    const struct expression_request *seen = &j->r->seen;
    const struct cidr *c;
    char text[IP_TEXT_MAX];
    if (!s) return false;
    switch (firewall_address(&s->ip, j->rules->network,
                             seen->has_ip ? &seen->ip : NULL, &c)) {
    case FIREWALL_PASSES: return false;
    case FIREWALL_IN_NO_LIST: return refused(j, "ip_blocked", SV("in no list"));
    case FIREWALL_DENIED: break;
    }
    size_t n = ip_format(&c->ip, text);
    unsigned bits = c->bits - (ip_is_v4(&c->ip) ? 96u : 0u);
    return refused(j, "ip_blocked",
                   arena_printf(j->a, "%.*s/%u", (int)n, text, bits));
}

/* Where the line says nothing, the place files are asked. */
static void place_look_up(struct judging *j)
{
    struct expression_request *seen = &j->r->seen;
    const struct place *place = &j->r->place;
    char code[3];
    j->r->has_place = seen->has_ip && place_data_find(j->rules->places,
                                                      &seen->ip, &j->r->place);
    if (!j->r->has_place) return;
    if (!seen->asn) seen->asn = place->asn;
    if (seen->country.n || !place->country) return;
    country_text(place->country, code);
    seen->country = arena_dup(j->a, sv_cstr(code));
}

/* An address is needed to know that its place is not known. */
static bool is_blind(const struct judging *j)
{
    const struct expression_request *seen = &j->r->seen;
    return seen->has_ip && !seen->country.n && !seen->asn && !j->rules->places;
}

static bool check_area(struct judging *j)
{
    const struct security *s = j->rules->security;
    struct sv country = j->r->seen.country;
    if (!s || !s->geoblock.on) return false;
    if (is_blind(j))
        return faulty(j, "geoblock: no place data", s->on_fault, false);
    switch (area_judge(&s->geoblock, country_of_code(country))) {
    case AREA_PASSES: return false;
    case AREA_REFUSED: return refused(j, "geo_blocked", country);
    case AREA_REFUSED_UNKNOWN: break;
    }
    return refused(j, "geo_blocked", SV("unknown"));
}

static bool check_rules(struct judging *j, bool with_token)
{
    const struct security *s = j->rules->security;
    const struct security_rule *rule;
    struct firewall_walk *walk = &j->walk;
    if (!s) return false;
    walk->next = 0;
    walk->passed = false;
    walk->blind = is_blind(j);
    while ((rule = firewall_rule_next(s, with_token, &j->r->seen, walk))) {
        noted(j, rule->name);
        if (rule->action == RULE_BLOCK)
            return refused(j, "rule_blocked", rule->name);
    }
    return walk->passed &&
           faulty(j, "rules: no place data", s->on_fault, false);
}

static bool check_rules_early(struct judging *j)
{
    return check_rules(j, false);
}

static bool check_rules_late(struct judging *j)
{
    return check_rules(j, true);
}

/* The address (IPv6: its /64), unless the profile counts by something else
 * that the request has. */
static struct sv limit_key(struct judging *j)
{
    const struct abuse *p = j->rules->abuse;
    const struct expression_request *seen = &j->r->seen;
    struct ip ip = seen->ip;
    for (unsigned i = 0; p->scope == ABUSE_BY_HEADER && i < seen->fields_n; i++)
        if (sv_eq_nocase(seen->fields[i].name, p->scope_header))
            return arena_printf(j->a, "h%.*s", SV_FMT(seen->fields[i].value));
    if (p->scope == ABUSE_BY_TOKEN)
        return j->r->has_token
                   ? arena_printf(j->a, "t%.*s", SV_FMT(seen->token_id))
                   : SV("");
    if (!ip_is_v4(&ip)) memset(ip.b + 8, 0, 8);
    return arena_dup(j->a, sv_of(ip.b, sizeof ip.b));
}

static bool check_limit(struct judging *j)
{
    if (!j->rules->limit) return false;
    struct sv key = limit_key(j);
    return key.n && !simulate_limit_take(j->rules->limit, key, j->r->at_ms) &&
           refused(j, "global_rate_limited", SV(""));
}

/* True: refused. */
static bool acted(struct judging *j, enum detector_action action,
                  const char *name, const char *code, struct sv evidence)
{
    if (action == DETECTOR_ALLOW) return false;
    noted(j, sv_cstr(name));
    j->out->evidence = evidence;
    if (action < DETECTOR_CHALLENGE) return false;
    refused(j, action == DETECTOR_BLOCK ? code : "challenge_required",
            evidence);
    if (action == DETECTOR_CHALLENGE) j->out->outcome = SIMULATE_CHALLENGE;
    return true;
}

static bool check_travel(struct judging *j)
{
    struct sv evidence = SV("");
    if (!j->rules->subjects) return false;
    if (j->rules->abuse->travel.enabled && !j->rules->places)
        return faulty(j, "geoSentry: no place data", j->rules->abuse->on_fault,
                      false);
    enum detector_action action = simulate_travel(
        j->rules->subjects, j->rules->abuse, j->r, j->a, &evidence);
    return acted(j, action, "geoSentry", "impossible_travel", evidence);
}

static bool check_anomaly(struct judging *j)
{
    struct sv evidence = SV("");
    if (!j->rules->subjects) return false;
    enum detector_action action =
        simulate_anomaly(j->rules->subjects, j->rules->abuse, j->r, &evidence);
    return acted(j, action, "anomalyDetection", "anomaly_blocked", evidence);
}

static bool address_refused(struct judging *j, struct sv text)
{
    const struct simulate_rules *rules = j->rules;
    struct mail_evidence e;
    struct host host;
    for (int i = 0; i < MAIL_ADDRESSES_MAX && mail_domain_next(&text, &host);
         i++) {
        enum mail_verdict v =
            mail_check(rules->blocklist, rules->exceptions, rules->mail,
                       sv_of(host.text, host.n), &e);
        if (v != MAIL_BLOCKED && v != MAIL_DISPOSABLE) continue;
        return refused(j, "disposable_email",
                       arena_printf(j->a, "%.*s (%s)", SV_FMT(e.domain),
                                    v == MAIL_BLOCKED ? "blocklist" : "list"));
    }
    return false;
}

static bool check_mail(struct judging *j)
{
    const struct abuse *p = j->rules->abuse;
    const struct expression_request *seen = &j->r->seen;
    struct mail_texts texts = { .n = 0 };
    struct sv type = SV("");
    if (!p || !p->property.n) return false;
    mail_find_head(p->locations, p->property, seen->fields, seen->fields_n,
                   seen->query, j->a, &texts);
    for (unsigned i = 0; i < seen->fields_n; i++)
        if (seen->fields[i].id == HN_CONTENT_TYPE) type = seen->fields[i].value;
    if (p->locations & MAIL_IN_BODY &&
        mail_find_body(p->property, type, j->r->body, j->a, &texts) &&
        faulty(j, "mail: the body is no JSON", p->on_fault, false))
        return true;
    for (unsigned i = 0; i < texts.n; i++)
        if (address_refused(j, texts.text[i])) return true;
    return texts.n && !j->rules->mail &&
           faulty(j, "mail: no list", p->on_fault, false);
}

static bool check_waf(struct judging *j)
{
    const struct security *s = j->rules->security;
    const struct expression_request *seen = &j->r->seen;
    struct waf_verdict v;
    if (!s || !j->rules->waf || j->walk.skips_waf) return false;
    struct waf_request r = {
        .method = seen->method,
        .uri = seen->target,
        .fields = seen->fields,
        .fields_n = seen->fields_n,
        .body = sv_first(j->r->body, s->waf.inspect_bytes),
        .has_client = seen->has_ip,
        .client = seen->ip,
    };
    bool over = j->r->body.n > s->waf.inspect_bytes;
    if (over && s->waf.over_blocks) return refused(j, "body_too_large", SV(""));
    int rc = waf_judge(j->rules->waf, &r, &v);
    if (rc) return faulty(j, err_text(rc), s->on_fault, true);
    for (uint32_t i = 0; i < v.matches_n; i++)
        noted(j, arena_printf(j->a, "%u", v.matches[i]));
    j->out->score = v.score;
    return v.blocked && s->waf.mode == WAF_BLOCK &&
           refused(j, "waf_blocked", SV(""));
}

/* The line has passed or was refused by others: the detector learns from it. */
static void findings_add(struct judging *j)
{
    struct sv found[ANOMALY_PATTERNS];
    const char *code = j->out->code;
    if (!j->rules->subjects || !strcmp(code, "anomaly_blocked") ||
        !strcmp(code, "challenge_required"))
        return;
    unsigned n = simulate_anomaly_add(j->rules->subjects, j->rules->abuse, j->r,
                                      j->a, found);
    if (n) noted(j, SV("anomalyDetection"));
    if (n && !j->out->evidence.n) j->out->evidence = found[0];
}

void simulate_judge(const struct simulate_rules *rules,
                    struct simulate_request *r, struct arena *a,
                    struct simulate_verdict *out)
{
    static check_fn *const checks[] = {
        check_address, check_area,       check_rules_early,
        check_limit,   check_rules_late, check_travel,
        check_anomaly, check_mail,       check_waf,
    };
    struct judging j = { .rules = rules, .r = r, .a = a, .out = out };
    memset(out, 0, sizeof *out);
    out->code = "";
    out->evidence = SV("");
    place_look_up(&j);
    bool decided = false;
    for (size_t i = 0; !decided && i < sizeof checks / sizeof *checks; i++)
        decided = checks[i](&j);
    findings_add(&j);
    if (!decided && (out->matches_n || out->faults_n))
        out->outcome = SIMULATE_LOG;
}
