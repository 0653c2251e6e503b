/* The order of gateway.md §1: address lists, areas, rules without a token,
 * global limit, rules with one, travel and anomalies, mail, WAF. */
#include <stdio.h>

#include "base/err.h"
#include "detect/area.h"
#include "detect/firewall.h"
#include "main/simulate.h"
#include "plan/security.h"

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
    if (j->out->faults_n < SIMULATE_FAULTS_MAX)
        j->out->faults[j->out->faults_n++] = what;
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

/* The value of a field that comes once; else "". */
static struct sv value_once(const struct expression_request *seen,
                            struct sv name)
{
    struct sv value = SV("");
    unsigned n = 0;
    for (unsigned i = 0; i < seen->fields_n; i++) {
        if (!sv_eq_nocase(seen->fields[i].name, name)) continue;
        value = seen->fields[i].value;
        n++;
    }
    return n == 1 ? value : SV("");
}

/* The address (IPv6: its /64), unless the profile counts by something else
 * that the request has. "": counted nowhere. */
static struct sv limit_key(struct judging *j)
{
    const struct abuse *p = j->rules->abuse;
    const struct expression_request *seen = &j->r->seen;
    struct ip ip = seen->ip;
    struct sv value = SV("");
    if (p->scope == ABUSE_BY_HEADER) value = value_once(seen, p->scope_header);
    if (value.n) return arena_printf(j->a, "h%.*s", SV_FMT(value));
    if (p->scope == ABUSE_BY_TOKEN)
        return j->r->has_token
                   ? arena_printf(j->a, "t%.*s", SV_FMT(seen->token_id))
                   : SV("");
    if (!seen->has_ip) return SV("");
    if (!ip_is_v4(&ip)) memset(ip.b + 8, 0, 8);
    return arena_dup(j->a, sv_of(ip.b, sizeof ip.b));
}

static bool check_limit(struct judging *j)
{
    if (!j->rules->limit) return false;
    struct sv key = limit_key(j);
    return key.n &&
           !simulate_limit_take(j->rules->limit, key, j->r->cost,
                                j->r->at_ms) &&
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
    if (j->rules->abuse->travel.enabled && j->r->seen.has_ip &&
        !j->rules->places)
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

static bool check_mail(struct judging *j)
{
    struct simulate_mail v;
    simulate_mail(j->rules, j->r, j->a, &v);
    if (v.code[0]) return refused(j, v.code, v.evidence);
    return v.fault && faulty(j, v.fault, j->rules->abuse->on_fault, false);
}

/* Telemetry need not tell of a Host field: that is no mark of its client.
 * NULL: too large. */
static const struct http_field *fields_with_host(struct judging *j, unsigned *n)
{
    const struct expression_request *seen = &j->r->seen;
    for (unsigned i = 0; i < seen->fields_n; i++)
        if (seen->fields[i].id == HN_HOST) return seen->fields;
    struct http_field *to =
        ARENA_ARRAY(j->a, struct http_field, seen->fields_n + 1);
    if (!to) return NULL;
    to[0] = (struct http_field){
        .name = SV("Host"),
        .value = seen->host.n ? seen->host : SV("localhost"),
        .id = HN_HOST,
    };
    for (unsigned i = 0; i < seen->fields_n; i++) to[i + 1] = seen->fields[i];
    *n = seen->fields_n + 1;
    return to;
}

/* Where nothing is refused, a fault does not either. */
static bool waf_faulty(struct judging *j, int rc)
{
    bool closed = plan_waf_closed(j->rules->security);
    return faulty(j, err_text(rc), closed ? FAULT_CLOSED : FAULT_OPEN, closed);
}

static bool check_waf(struct judging *j)
{
    const struct security *s = j->rules->security;
    const struct expression_request *seen = &j->r->seen;
    const struct http_field *fields = seen->fields;
    unsigned fields_n = seen->fields_n;
    struct waf_verdict v;
    if (!s || !j->rules->waf || j->walk.skips_waf) return false;
    /* telemetry that tells of no request */
    if (!seen->target.n && !seen->fields_n) return false;
    if (j->r->out_of_band) fields = fields_with_host(j, &fields_n);
    if (!fields) return waf_faulty(j, ERR_NOMEM);
    bool over = j->r->body.n > s->waf.inspect_bytes;
    if (over && s->waf.over_blocks) return refused(j, "body_too_large", SV(""));
    struct waf_request r = {
        .method = seen->method.n ? seen->method : SV("GET"),
        .uri = seen->target,
        .fields = fields,
        .fields_n = fields_n,
        .body = sv_first(j->r->body, s->waf.inspect_bytes),
        .partial = over,
        .has_client = seen->has_ip,
        .client = seen->ip,
    };
    int rc = waf_judge(j->rules->waf, &r, &v);
    if (rc) return waf_faulty(j, rc);
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
    unsigned n =
        simulate_anomaly_add(j->rules->subjects, j->rules->abuse, j->r,
                             j->out->outcome == SIMULATE_BLOCK, j->a, found);
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
