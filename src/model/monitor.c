/* The field table of a monitor and its typed form. */
#include "model/monitor.h"

#include "base/err.h"
#include "codec/url.h"
#include "model/fields_int.h"

enum { PATH_PREFIX = 8 }; /* "http://h" */

/* --- checks of single fields ----------------------------------------------- */

static int url_check(const struct shape_env *env, yyjson_mut_doc *doc,
                     yyjson_mut_val **value, struct shape_problem *why)
{
    char text[MONITOR_URL_MAX + PATH_PREFIX];
    struct sv given = json_mut_text(*value), url = given;
    struct url ignored;
    (void)env, (void)doc;
    if (given.n > MONITOR_URL_MAX)
        return shape_problem_set(why, NULL, "out_of_range", "is too long");
    if (monitor_is_path(given)) {
        memcpy(text, "http://h", PATH_PREFIX);
        memcpy(text + PATH_PREFIX, given.p, given.n);
        url = sv_of(text, PATH_PREFIX + given.n);
    }
    if (!url_decode(url, &ignored)) return 0;
    return shape_problem_set(why, NULL, "invalid_value",
                             "must be a path of the origin, /health, or an "
                             "absolute http or https URL, without user and "
                             "fragment");
}

static int headers_check(const struct shape_env *env, yyjson_mut_doc *doc,
                         yyjson_mut_val **value, struct shape_problem *why)
{
    yyjson_mut_val *name, *text;
    size_t i, max;
    (void)env, (void)doc;
    if (yyjson_mut_obj_size(*value) > MONITOR_HEADERS_MAX)
        return shape_problem_set(why, NULL, "out_of_range",
                                 "must not have more than %d fields",
                                 MONITOR_HEADERS_MAX);
    yyjson_mut_obj_foreach(*value, i, max, name, text)
    {
        if (!http_is_token(json_mut_text(name)) ||
            http_name_is_framing(json_mut_text(name)))
            return shape_problem_set(why, NULL, "invalid_value",
                                     "must have names of header fields, not "
                                     "of framing, connection or Host");
        if (!yyjson_mut_is_str(text) ||
            !http_is_field_value(json_mut_text(text)))
            return shape_problem_set(why, NULL, "invalid_value",
                                     "must have texts of visible characters "
                                     "as values");
    }
    return 0;
}

/* --- the table -------------------------------------------------------------- */

static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", NULL };

#define FIELDS_ENDPOINT                                                    \
    { .name = "url",                                                       \
      .alias = "endpoint",                                                 \
      .types = SHAPE_STRING,                                               \
      .len_min = 1,                                                        \
      .len_max = MONITOR_URL_MAX,                                          \
      .text = &text_plain,                                                 \
      .fallback = "\"/\"",                                                 \
      .check = url_check,                                                  \
      .about = "What is asked: a path of the application's origin, or an " \
               "absolute URL." },                                          \
        { .name = "method",                                                \
          .types = SHAPE_STRING,                                           \
          .options = methods,                                              \
          .fallback = "\"GET\"",                                           \
          .about = "By which method; without a body." },                   \
        { .name = "status_code",                                           \
          .types = SHAPE_INTEGER,                                          \
          .min = 100,                                                      \
          .max = 599,                                                      \
          .fallback = "200",                                               \
          .about = "The status that is good." },                           \
        { .name = "headers",                                               \
          .types = SHAPE_MAP,                                              \
          .len_max = MONITOR_HEADERS_BYTES_MAX,                            \
          .flags = SHAPE_SECRET,                                           \
          .fallback = "{}",                                                \
          .check = headers_check,                                          \
          .about = "Up to ten header fields of the request, by name." },   \
    {                                                                      \
        .name = "body_match", .types = SHAPE_STRING, .len_min = 1,         \
        .len_max = MONITOR_MATCH_MAX,                                      \
        .about = "Text that the first 64 KiB of the answer's body hold."   \
    }

static const struct shape_field endpoint_fields[] = { FIELDS_ENDPOINT, { 0 } };

const struct shape_field monitor_fields[] = {
    { .name = "enabled",
      .types = SHAPE_BOOLEAN,
      .fallback = "true",
      .about = "Off: nothing is asked; the history stays." },
    FIELDS_ENDPOINT,
    { .name = "interval",
      .types = SHAPE_INTEGER,
      .min = 30,
      .max = 300,
      .fallback = "60",
      .about = "Seconds between two checks." },
    { .name = "timeout",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 29,
      .fallback = "5",
      .about = "Seconds for the whole of a check." },
    { .name = "slow_after",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 29000,
      .about = "Milliseconds; an answer that takes longer is DEGRADED." },
    { .name = "certificate_days",
      .types = SHAPE_INTEGER,
      .min = 0,
      .max = 365,
      .fallback = "14",
      .about = "DEGRADED when the certificate ends within; 0: never." },
    { .name = "maintenance",
      .types = SHAPE_BOOLEAN,
      .fallback = "false",
      .about = "Checks go on and are not judged; no incident begins." },
    { .name = "endpoints",
      .types = SHAPE_OBJECTS,
      .fields = endpoint_fields,
      .len_max = MONITOR_ENDPOINTS_MAX,
      .fallback = "[]",
      .about = "Several to be asked, in place of the one above." },
    { 0 },
};

const struct shape shape_monitor = {
    .name = "MonitorSettings",
    .kind = KIND_MONITOR,
    .fields = monitor_fields,
};

/* --- the typed form ----------------------------------------------------------- */

static int headers_decode(yyjson_val *v, struct arena *a,
                          struct monitor_endpoint *out)
{
    size_t i, max, n = yyjson_obj_size(v);
    yyjson_val *name, *text;
    if (n > MONITOR_HEADERS_MAX) return ERR_CORRUPT;
    struct http_field *to = ARENA_ARRAY(a, struct http_field, n + 1);
    if (!to) return ERR_NOMEM;
    out->headers = to;
    if (!n) return 0; /* an absent object cannot be walked */
    yyjson_obj_foreach(v, i, max, name, text)
    {
        to->name = arena_dup(a, json_text(name));
        to->value = arena_dup(a, json_text(text));
        to->id = http_name_of(to->name);
        to++;
    }
    out->headers_n = (unsigned)n;
    return 0;
}

static int endpoint_decode(yyjson_val *v, struct arena *a,
                           struct monitor_endpoint *out)
{
    out->url = text_decode(v, "url", a);
    out->method = text_decode(v, "method", a);
    if (!out->url.n) out->url = SV("/");
    if (!out->method.n) out->method = SV("GET");
    out->status = (uint16_t)int_decode(v, "status_code", 200);
    out->body_match = text_decode(v, "body_match", a);
    return headers_decode(json_find(v, "headers"), a, out);
}

static uint32_t number(yyjson_val *v, const char *name, uint32_t unset)
{
    int64_t n = int_decode(v, name, unset);
    return n >= 0 && n <= 29000 ? (uint32_t)n : unset;
}

int monitor_decode(const yyjson_val *value, struct arena *a,
                   const struct monitor **out)
{
    yyjson_val *v = (yyjson_val *)(uintptr_t)value, *one;
    struct monitor *m = ARENA_NEW(a, struct monitor);
    size_t i, max;
    if (!m) return ERR_NOMEM;
    yyjson_val *list = json_find(v, "endpoints");
    m->enabled = bool_decode(v, "enabled", true);
    m->maintenance = bool_decode(v, "maintenance", false);
    m->interval_ms = number(v, "interval", 60) * 1000;
    m->timeout_ms = number(v, "timeout", 5) * 1000;
    m->slow_ms = number(v, "slow_after", 0);
    m->certificate_days = number(v, "certificate_days", 14);
    if (yyjson_arr_size(list) > MONITOR_ENDPOINTS_MAX) return ERR_CORRUPT;
    *out = m;
    if (!yyjson_arr_size(list))
        return endpoint_decode(v, a, &m->endpoints[m->n++]);
    int rc = 0;
    yyjson_arr_foreach(list, i, max, one)
    {
        if (!rc) rc = endpoint_decode(one, a, &m->endpoints[m->n++]);
    }
    return rc;
}
