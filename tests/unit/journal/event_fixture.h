/* A usual event, to be changed by the test. */
#ifndef JOURNAL_EVENT_FIXTURE_H
#define JOURNAL_EVENT_FIXTURE_H

#include "journal/journal.h"

static const uint8_t event_token_id[16] = { 0x01, 0x93, 0x5a, 1, 2, 3, 4, 5,
                                            6, 7, 8, 9, 10, 11, 12, 13 };

static inline struct event event_usual(void)
{
    struct event e = {
        .wall_ms = 1732392665123,
        .outcome = OUTCOME_PASSED,
        .code = "",
        .request_id = SV("01JDCW3T5Q8ZB4R9N6M0X7K2VE"),
        .method = SV("GET"),
        .host = SV("api.example.com"),
        .path = SV("/v1/users/42"),
        .app_id = SV("app_01JD0000000000000000000001"),
        .token_id = event_token_id,
        .token_slot = 7,
        .status = 200,
        .bytes_in = 231,
        .bytes_out = 1480,
        .total_us = 812,
        .origin_us = 640,
        .http_minor = 1,
    };
    ip_parse(SV("192.0.2.9"), &e.client);
    return e;
}

#endif
