/* An incident: what a refusal, a finding or a check that could not be made
 * leaves behind for its account (api.md §9; there they are called events).
 * Here: its form as bytes, in the reactors' rings and on the disk alike.
 *
 *   head (fixed) | code request_id method host path subject owner |
 *   finding: action enforced lengths | code evidence ...
 *
 * Numbers are of the machine's own order: a data directory stays on one kind
 * of machine. Pure; the decoder takes any bytes. */
#ifndef JOURNAL_INCIDENT_H
#define JOURNAL_INCIDENT_H

#include "base/ip.h"
#include "codec/ulid.h"
#include "model/finding.h"

enum {
    INCIDENT_CODE_MAX = 64,
    INCIDENT_WORD_MAX = 128, /* request id, method */
    INCIDENT_NAME_MAX = 255, /* host, subject, owner */
    INCIDENT_PATH_MAX = 1024,
    INCIDENT_EVIDENCE_MAX = 8192, /* of all findings together */
    INCIDENT_MIN = 128, INCIDENT_MAX = 11 * 1024, /* bytes of any */
};

enum incident_text { INCIDENT_CODE, INCIDENT_REQUEST_ID, INCIDENT_METHOD,
                     INCIDENT_HOST, INCIDENT_PATH, INCIDENT_SUBJECT,
                     INCIDENT_OWNER, INCIDENT_TEXTS };

struct incident_finding {
    struct sv code;
    enum detector_action action;
    bool enforced;
    struct sv evidence; /* JSON object, or "" */
};

struct incident {
    struct ulid id;          /* given by the recorder; rises */
    struct ulid account, application, token;
    struct ip client;
    int64_t at_ms;           /* of several: of the last */
    int64_t since_ms;        /* of several: of the first; else at_ms */
    uint32_t count;          /* requests that it tells of */
    uint16_t status;         /* to the client; 0: none, or of several */
    uint8_t door, outcome;   /* as in struct event */
    bool has_token, has_client;
    bool is_sum;             /* tells of `count` requests, of none by itself */
    bool cut;                /* a text or evidence was too long */
    struct sv text[INCIDENT_TEXTS]; /* "" unknown */
    uint8_t findings_n;
    uint8_t findings_lost;   /* there were more than fit */
    struct incident_finding findings[FINDINGS_MAX];
};

/* A refusal, or something that was enforced. */
bool incident_is_enforced(const struct incident *i);

/* Cuts what is too long; afterwards incident_size and incident_encode hold
 * what they promise. */
void incident_trim(struct incident *i);
size_t incident_size(const struct incident *i); /* <= INCIDENT_MAX */
/* Exactly incident_size bytes. */
void incident_encode(const struct incident *i, void *out);
/* Views into `bytes`. ERR_INVALID: not exactly one incident. */
int incident_decode(struct sv bytes, struct incident *out);

/* In encoded bytes, without decoding: */
void incident_set_id(void *bytes, const struct ulid *id);
const struct ulid *incident_id(const void *bytes);
const struct ulid *incident_account(const void *bytes);
uint32_t incident_count(const void *bytes);
int64_t incident_at_ms(const void *bytes);
uint8_t incident_findings(const void *bytes);

#endif
