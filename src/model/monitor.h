/* A monitor (api.md §7): what of an application's origin is asked, how often,
 * and which answer is good. Field `monitor` of an application, so that there
 * is one from its creation; an application that was stored before there were
 * monitors has the published defaults. */
#ifndef MODEL_MONITOR_H
#define MODEL_MONITOR_H

#include "base/arena.h"
#include "codec/http.h"
#include "codec/json.h"

enum {
    MONITOR_ENDPOINTS_MAX = 5,
    MONITOR_HEADERS_MAX = 10,
    MONITOR_URL_MAX = 2000,
    MONITOR_HEADERS_BYTES_MAX = 4096,
    MONITOR_MATCH_MAX = 1000,
};

struct monitor_endpoint {
    struct sv url;           /* "/path?query" at the origin, or absolute */
    struct sv method;
    const struct http_field *headers;
    unsigned headers_n;
    uint16_t status;         /* that is expected */
    struct sv body_match;    /* "" any; else the answer's body holds it */
};

struct monitor {
    bool enabled, maintenance;
    uint32_t interval_ms, timeout_ms;
    uint32_t slow_ms;        /* DEGRADED above it; 0: never */
    uint32_t certificate_days; /* DEGRADED when it ends within; 0: never */
    struct monitor_endpoint endpoints[MONITOR_ENDPOINTS_MAX];
    unsigned n;              /* >= 1 */
};

/* Of an application's member `monitor`; NULL or null: the defaults. */
int monitor_decode(const yyjson_val *v, struct arena *a,
                   const struct monitor **out);
/* "/path" of the application's origin, not an absolute URL. */
static inline bool monitor_is_path(struct sv url)
{
    return url.n && url.p[0] == '/';
}

#endif
