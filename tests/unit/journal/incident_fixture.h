/* Usual incidents, to be changed by the test. */
#ifndef JOURNAL_INCIDENT_FIXTURE_H
#define JOURNAL_INCIDENT_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ensure.h"
#include "journal/journal.h"

/* Ids that rise with n. */
static inline struct ulid ulid_of(uint32_t n)
{
    struct ulid u = { { 0x01, 0x93, 0x5a, 1, 2, 3 } };
    for (int i = 0; i < 4; i++) u.b[15 - i] = (uint8_t)(n >> 8 * i);
    return u;
}

static inline struct incident incident_usual(uint32_t n)
{
    struct incident i = {
        .id = ulid_of(n),
        .account = ulid_of(1000000),
        .application = ulid_of(2000000),
        .at_ms = 1732392665123 + n,
        .since_ms = 1732392665123 + n,
        .count = 1,
        .status = 429,
        .door = 1,
        .outcome = OUTCOME_LIMITED,
        .has_client = true,
        .text = { [INCIDENT_CODE] = SV("rate_limited"),
                  [INCIDENT_REQUEST_ID] = SV("01JDCW3T5Q8ZB4R9N6M0X7K2VE"),
                  [INCIDENT_METHOD] = SV("GET"),
                  [INCIDENT_HOST] = SV("api.example.com"),
                  [INCIDENT_PATH] = SV("/v1/users/42"),
                  [INCIDENT_SUBJECT] = SV(""),
                  [INCIDENT_OWNER] = SV("customer-7") },
    };
    ip_parse(SV("192.0.2.9"), &i.client);
    return i;
}

static inline struct incident incident_finding_usual(uint32_t n)
{
    struct incident i = incident_usual(n);
    i.outcome = OUTCOME_PASSED;
    i.text[INCIDENT_CODE] = SV("");
    i.findings_n = 2;
    i.findings[0] = (struct incident_finding){
        .code = SV("geo_blocked"),
        .action = DETECTOR_MONITOR,
        .evidence = SV("{\"country\":\"KP\"}"),
    };
    i.findings[1] = (struct incident_finding){ .code = SV("waf_blocked"),
                                               .action = DETECTOR_BLOCK,
                                               .enforced = true,
                                               .evidence = SV("") };
    return i;
}

static inline bool incident_eq(const struct incident *a,
                               const struct incident *b)
{
    char x[INCIDENT_MAX], y[INCIDENT_MAX];
    size_t n = incident_size(a);
    if (n != incident_size(b)) return false;
    incident_encode(a, x);
    incident_encode(b, y);
    return memcmp(x, y, n) == 0;
}

#endif
