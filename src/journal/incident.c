/* Incidents as bytes. */
#include "journal/incident.h"

#include "base/ensure.h"
#include "base/err.h"
#include "journal/journal.h"
#include "journal/names.h"

struct head {
    struct ulid id, account, application, token;
    struct ip client;
    int64_t at_ms, since_ms;
    uint32_t count;
    uint16_t status;
    uint16_t text_n[INCIDENT_TEXTS];
    uint8_t door, outcome, flags, findings_n, findings_lost, zero[7];
};
enum { HAS_TOKEN = 1, HAS_CLIENT = 2, CUT = 4, IS_SUM = 8, FLAGS_ALL = 15 };
_Static_assert(sizeof(struct head) == INCIDENT_MIN, "the form on the disk");

struct finding_head {
    uint8_t action, enforced;
    uint16_t code_n, evidence_n;
};
_Static_assert(sizeof(struct finding_head) == 6, "the form on the disk");

static const uint16_t text_max[INCIDENT_TEXTS] = {
    [INCIDENT_CODE] = INCIDENT_CODE_MAX,
    [INCIDENT_REQUEST_ID] = INCIDENT_WORD_MAX,
    [INCIDENT_METHOD] = INCIDENT_WORD_MAX,
    [INCIDENT_HOST] = INCIDENT_NAME_MAX,
    [INCIDENT_PATH] = INCIDENT_PATH_MAX,
    [INCIDENT_SUBJECT] = INCIDENT_NAME_MAX,
    [INCIDENT_OWNER] = INCIDENT_NAME_MAX,
};
_Static_assert(sizeof(struct head) + INCIDENT_CODE_MAX + 2 * INCIDENT_WORD_MAX +
                       3 * INCIDENT_NAME_MAX + INCIDENT_PATH_MAX +
                       INCIDENT_EVIDENCE_MAX +
                       FINDINGS_MAX *
                           (sizeof(struct finding_head) + INCIDENT_CODE_MAX) <=
                   INCIDENT_MAX,
               "any incident fits");

bool incident_is_enforced(const struct incident *i)
{
    if (i->outcome != OUTCOME_PASSED) return true;
    for (unsigned k = 0; k < i->findings_n; k++)
        if (i->findings[k].enforced) return true;
    return false;
}

/* Text is cut where it is too long; JSON would be broken by that, and goes. */
void incident_trim(struct incident *i)
{
    size_t room = INCIDENT_EVIDENCE_MAX;
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++) {
        if (i->text[k].n <= text_max[k]) continue;
        i->text[k].n = text_max[k];
        i->cut = true;
    }
    for (unsigned k = 0; k < i->findings_n; k++) {
        struct incident_finding *f = &i->findings[k];
        f->code = sv_first(f->code, INCIDENT_CODE_MAX);
        if (f->evidence.n > room || f->evidence.n > FINDING_EVIDENCE_MAX) {
            f->evidence.n = 0;
            i->cut = true;
        }
        room -= f->evidence.n;
    }
}

size_t incident_size(const struct incident *i)
{
    size_t n = sizeof(struct head);
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++) n += i->text[k].n;
    for (unsigned k = 0; k < i->findings_n; k++)
        n += sizeof(struct finding_head) + i->findings[k].code.n +
             i->findings[k].evidence.n;
    return n;
}

static char *put(char *at, struct sv s)
{
    if (s.n) memcpy(at, s.p, s.n);
    return at + s.n;
}

void incident_encode(const struct incident *i, void *out)
{
    struct head h = {
        .id = i->id,
        .account = i->account,
        .application = i->application,
        .token = i->token,
        .client = i->client,
        .at_ms = i->at_ms,
        .since_ms = i->since_ms,
        .count = i->count,
        .status = i->status,
        .door = i->door,
        .outcome = i->outcome,
        .flags = (uint8_t)((i->has_token ? HAS_TOKEN : 0) |
                           (i->has_client ? HAS_CLIENT : 0) |
                           (i->cut ? CUT : 0) | (i->is_sum ? IS_SUM : 0)),
        .findings_n = i->findings_n,
        .findings_lost = i->findings_lost,
    };
    char *at = (char *)out + sizeof h;
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++) {
        h.text_n[k] = (uint16_t)i->text[k].n;
        at = put(at, i->text[k]);
    }
    memcpy(out, &h, sizeof h);
    for (unsigned k = 0; k < i->findings_n; k++) {
        const struct incident_finding *f = &i->findings[k];
        struct finding_head fh = { .action = (uint8_t)f->action,
                                   .enforced = f->enforced,
                                   .code_n = (uint16_t)f->code.n,
                                   .evidence_n = (uint16_t)f->evidence.n };
        at = put(at, sv_of(&fh, sizeof fh));
        at = put(put(at, f->code), f->evidence);
    }
}

static bool take(struct sv *from, size_t n, struct sv *out)
{
    if (from->n < n) return false;
    *out = sv_first(*from, n);
    *from = sv_from(*from, n);
    return true;
}

static bool take_finding(struct sv *from, struct incident_finding *out)
{
    struct finding_head h;
    struct sv head;
    if (!take(from, sizeof h, &head)) return false;
    memcpy(&h, head.p, sizeof h);
    if (h.action > DETECTOR_BLOCK || h.enforced > 1 ||
        h.code_n > INCIDENT_CODE_MAX || h.evidence_n > FINDING_EVIDENCE_MAX)
        return false;
    out->action = (enum detector_action)h.action;
    out->enforced = h.enforced;
    return take(from, h.code_n, &out->code) &&
           take(from, h.evidence_n, &out->evidence);
}

static bool is_head(const struct head *h)
{
    return h->count && h->door < EVENT_DOORS && h->outcome < OUTCOME_COUNT &&
           !(h->flags & ~FLAGS_ALL) && h->findings_n <= FINDINGS_MAX;
}

/* But the findings, which are many bytes and seldom there. */
static void head_of(const struct head *h, struct incident *out)
{
    memset(out, 0, offsetof(struct incident, findings));
    out->id = h->id;
    out->account = h->account;
    out->application = h->application;
    out->token = h->token;
    out->client = h->client;
    out->at_ms = h->at_ms;
    out->since_ms = h->since_ms;
    out->count = h->count;
    out->status = h->status;
    out->door = h->door;
    out->outcome = h->outcome;
    out->has_token = h->flags & HAS_TOKEN;
    out->has_client = h->flags & HAS_CLIENT;
    out->is_sum = h->flags & IS_SUM;
    out->cut = h->flags & CUT;
    out->findings_n = h->findings_n;
    out->findings_lost = h->findings_lost;
}

int incident_decode(struct sv bytes, struct incident *out)
{
    struct head h;
    struct sv head;
    if (bytes.n > INCIDENT_MAX || !take(&bytes, sizeof h, &head))
        return ERR_INVALID;
    memcpy(&h, head.p, sizeof h);
    if (!is_head(&h)) return ERR_INVALID;
    head_of(&h, out);
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++)
        if (h.text_n[k] > text_max[k] ||
            !take(&bytes, h.text_n[k], &out->text[k]))
            return ERR_INVALID;
    for (unsigned k = 0; k < out->findings_n; k++)
        if (!take_finding(&bytes, &out->findings[k])) return ERR_INVALID;
    return bytes.n ? ERR_INVALID : 0;
}

const struct ulid *incident_id(const void *bytes)
{
    return (const void *)((const char *)bytes + offsetof(struct head, id));
}

const struct ulid *incident_account(const void *bytes)
{
    return (const void *)((const char *)bytes + offsetof(struct head, account));
}

void incident_set_id(void *bytes, const struct ulid *id)
{
    memcpy((char *)bytes + offsetof(struct head, id), id, sizeof *id);
}

uint32_t incident_count(const void *bytes)
{
    uint32_t n;
    memcpy(&n, (const char *)bytes + offsetof(struct head, count), sizeof n);
    return n;
}

int64_t incident_at_ms(const void *bytes)
{
    int64_t ms;
    memcpy(&ms, (const char *)bytes + offsetof(struct head, at_ms), sizeof ms);
    return ms;
}

uint8_t incident_findings(const void *bytes)
{
    return ((const uint8_t *)bytes)[offsetof(struct head, findings_n)];
}
