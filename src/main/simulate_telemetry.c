/* A line that holds a question's telemetry, read as the verify door reads it
 * and turned to a request as its checks do: what is judged here is what would
 * be judged there. Besides `telemetry`: token, time, country, asn, cost, and of
 * the answer its status. */
#include "base/err.h"
#include "check/request.h"
#include "edge/question.h"
#include "main/simulate.h"

/* Now, for the clock of a line that names none: when it says it was sent. */
static int64_t now_of(const struct simulate_request *r, yyjson_val *telemetry)
{
    int64_t at_ms = 0;
    if (r->has_time) return r->at_ms;
    return json_is_int(json_find(telemetry, "timestamp"), &at_ms) ? at_ms : 0;
}

static int cost_read(yyjson_val *cost, struct simulate_request *out,
                     const char **why)
{
    int64_t n = 1;
    if (cost && (!json_is_int(cost, &n) || n < 1 || n > QUESTION_COST_MAX)) {
        *why = "cost: an integer of 1 to 1000000";
        return ERR_INVALID;
    }
    out->cost = (uint32_t)n;
    return 0;
}

int simulate_telemetry_read(yyjson_val *root, struct arena *a,
                            struct simulate_request *out, const char **why)
{
    yyjson_val *telemetry = json_find(root, "telemetry");
    struct question *q = ARENA_NEW(a, struct question);
    struct exchange *x = ARENA_NEW(a, struct exchange);
    struct question_problem bad;
    int64_t now_ms = now_of(out, telemetry);
    if (!q || !x) return ERR_NOMEM;
    if (question_telemetry(telemetry, now_ms, q, &bad)) {
        *why = "telemetry: an object";
        return ERR_INVALID;
    }
    *x = (struct exchange){ .arena = a,
                            .door = DOOR_VERIFY,
                            .client = q->client,
                            .has_client = q->has_client,
                            .headers = q->headers,
                            .method = q->method,
                            .url = q->url };
    const struct expression_request *r = check_request(x);
    if (!r) return ERR_NOMEM;
    out->seen = *r;
    out->out_of_band = true;
    out->has_time = now_ms > 0;
    out->at_ms = now_ms;
    out->sent_ms = q->at_ms;
    return cost_read(json_find(root, "cost"), out, why);
}
