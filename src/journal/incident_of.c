/* From an event to an incident, on the reactor's thread. */
#include "base/ensure.h"
#include "journal/journal_int.h"
#include "model/kind.h"

static void findings_of(struct incident *i, const struct findings *f)
{
    i->findings_n = f->n;
    i->findings_lost = f->lost;
    for (unsigned k = 0; k < f->n; k++)
        i->findings[k] = (struct incident_finding){
            .code = sv_cstr(f->at[k].code),
            .action = f->at[k].action,
            .enforced = f->at[k].enforced,
            .evidence = f->at[k].evidence,
        };
}

/* Whose it is; nobody could ask for one without an account. */
static bool begin(struct incident *i, struct sv account_id, struct sv app_id,
                  const uint8_t *token_id)
{
    /* not the findings: they are many bytes and seldom there */
    memset(i, 0, offsetof(struct incident, findings));
    if (id_parse(KIND_ACCOUNT, account_id, &i->account) ||
        id_parse(KIND_APPLICATION, app_id, &i->application))
        return false;
    i->count = 1;
    i->has_token = token_id != NULL;
    if (token_id) memcpy(i->token.b, token_id, sizeof i->token.b);
    return true;
}

static bool is_known(const struct ip *ip)
{
    static const struct ip none;
    return !ip_eq(ip, &none);
}

void journal_incident_of(struct journal *j, unsigned r, const struct event *e)
{
    const struct event_more *m = e->more;
    struct incident i;
    if (!begin(&i, m->account_id, e->app_id, e->token_id)) return;
    i.at_ms = i.since_ms = e->wall_ms;
    i.client = e->client;
    i.has_client = is_known(&e->client);
    i.status = (uint16_t)e->status;
    i.door = e->door;
    i.outcome = (uint8_t)e->outcome;
    i.text[INCIDENT_CODE] = sv_cstr(e->code);
    i.text[INCIDENT_REQUEST_ID] = e->request_id;
    i.text[INCIDENT_METHOD] = m->method;
    i.text[INCIDENT_HOST] = m->host;
    i.text[INCIDENT_PATH] = m->path;
    i.text[INCIDENT_SUBJECT] = m->subject;
    i.text[INCIDENT_OWNER] = m->owner;
    if (m->findings) findings_of(&i, m->findings);
    sieve_add(&j->lanes[r].sieve, &i, m->now_ms / 1000);
}

void journal_finding(struct journal *j, int r, const struct journal_note *n)
{
    struct incident i;
    struct findings one = { .n = 1, .at[0] = *n->finding };
    ENSURE(r == JOURNAL_ELSEWHERE || (r >= 0 && (unsigned)r < j->reactors));
    if (!j->recorder || !begin(&i, n->account_id, n->app_id, n->token_id))
        return;
    i.at_ms = i.since_ms = n->wall_ms;
    i.door = n->door;
    i.outcome = OUTCOME_PASSED;
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++) i.text[k] = SV("");
    i.text[INCIDENT_SUBJECT] = n->subject;
    findings_of(&i, &one);
    if (r != JOURNAL_ELSEWHERE) {
        sieve_add(&j->lanes[r].sieve, &i, n->now_ms / 1000);
        return;
    }
    pthread_mutex_lock(&j->elsewhere_lock);
    sieve_add(&j->elsewhere, &i, n->now_ms / 1000);
    pthread_mutex_unlock(&j->elsewhere_lock);
}
