/* Disposable mail addresses as step 12 of the gateway judges them
 * (check/mail.c): the head, then the body; too many addresses hide one. */
#include "detect/mail_property.h"
#include "main/simulate.h"

_Static_assert((int)MAIL_IN_HEADER == 1 && (int)MAIL_IN_BODY == 8,
               "abuse.locations has the bits of mail_property.h");

struct mail_judging {
    const struct simulate_rules *rules;
    struct arena *a;
    struct simulate_mail *out;
};

/* True: refused. */
static bool refused(struct mail_judging *j, struct sv evidence)
{
    j->out->code = "disposable_email";
    j->out->evidence = evidence;
    return true;
}

static bool domain_refused(struct mail_judging *j, const struct host *host)
{
    const struct simulate_rules *rules = j->rules;
    struct mail_evidence e;
    enum mail_verdict v =
        mail_check(rules->blocklist, rules->exceptions, rules->mail,
                   sv_of(host->text, host->n), &e);
    if (v == MAIL_NONE && !rules->mail) j->out->fault = "mail: no list";
    if (v != MAIL_BLOCKED && v != MAIL_DISPOSABLE) return false;
    return refused(j, arena_printf(j->a, "%.*s (%s)", SV_FMT(e.domain),
                                   v == MAIL_BLOCKED ? "blocklist" : "list"));
}

static bool texts_refused(struct mail_judging *j,
                          const struct mail_texts *texts)
{
    struct host host;
    bool too_many = texts->over;
    for (unsigned i = 0; i < texts->n; i++) {
        struct sv text = texts->text[i];
        unsigned n = 0;
        while (n < MAIL_ADDRESSES_MAX && mail_domain_next(&text, &host)) {
            if (domain_refused(j, &host)) return true;
            n++;
        }
        too_many |= n == MAIL_ADDRESSES_MAX && mail_domain_next(&text, &host);
    }
    return too_many && refused(j, SV("number of addresses"));
}

static struct sv content_type(const struct expression_request *seen)
{
    for (unsigned i = 0; i < seen->fields_n; i++)
        if (seen->fields[i].id == HN_CONTENT_TYPE) return seen->fields[i].value;
    return SV("");
}

void simulate_mail(const struct simulate_rules *rules,
                   const struct simulate_request *r, struct arena *a,
                   struct simulate_mail *out)
{
    const struct abuse *p = rules->abuse;
    struct mail_judging j = { .rules = rules, .a = a, .out = out };
    struct mail_texts head = { .n = 0 }, body = { .n = 0 };
    *out = (struct simulate_mail){ .code = "", .evidence = SV("") };
    if (!p || !p->property.n) return;
    mail_find_head(p->locations, p->property, r->seen.fields, r->seen.fields_n,
                   r->seen.query, a, &head);
    if (texts_refused(&j, &head) || !(p->locations & MAIL_IN_BODY)) return;
    if (mail_find_body(p->property, content_type(&r->seen), r->body, a, &body))
        out->code = "bad_request";
    else
        texts_refused(&j, &body);
}
