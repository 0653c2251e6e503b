/* CORS: only a site that the list names is told that it may, by the very bytes
 * it sent; and whatever is asked for, what is answered reads back as the fields
 * that were written. */
#include "base/arena.h"
#include "base/ensure.h"
#include "codec/http1.h"
#include "edge/cors.h"
#include "model/application.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits limits = { 16384, 8192, 64 };

/* By another way than cors.c: all that may stand there, written out. */
static bool is_named(struct sv origin)
{
    static const char tail[] = ".b.test:8443", head[] = "https://";
    if (sv_eq_nocase(origin, SV("https://app.test")) ||
        sv_eq_nocase(origin, SV("https://app.test:443")) ||
        sv_eq_nocase(origin, SV("http://[::1]:3000")))
        return true;
    size_t around = sizeof tail - 1 + sizeof head - 1;
    if (origin.n <= around || !sv_starts_nocase(origin, SV("https://")) ||
        !sv_eq_nocase(sv_from(origin, origin.n - (sizeof tail - 1)),
                      SV(".b.test:8443")))
        return false;
    struct sv name = sv_of(origin.p + sizeof head - 1, origin.n - around);
    return sv_find(name, '/') == SIZE_MAX && sv_find(name, '@') == SIZE_MAX &&
           sv_find(name, ':') == SIZE_MAX && sv_find(name, '#') == SIZE_MAX &&
           sv_find(name, '?') == SIZE_MAX && sv_find(name, '\\') == SIZE_MAX &&
           sv_find(name, '[') == SIZE_MAX && sv_find(name, ']') == SIZE_MAX &&
           sv_find(name, '*') == SIZE_MAX && name.p[0] != '.';
}

static void reads_back(const struct http_field *fields, size_t n)
{
    static struct http_head now;
    static char wire[20000];
    struct http1_refusal why;
    size_t searched = 0;
    struct sv line = SV("HTTP/1.1 204 No Content");
    size_t size = http1_head_size(line, fields, n, SV(""));
    ENSURE(size <= sizeof wire);
    http1_head_encode(wire, line, fields, n, SV(""));
    if (size > limits.head_bytes) return;
    ENSURE(http1_response_scan(sv_of(wire, size), &searched, &limits, HTTP_GET,
                               &now, &why) == (int)size);
    ENSURE(now.fields_n == n);
    for (size_t i = 0; i < n; i++)
        ENSURE(sv_eq(now.fields[i].value, sv_trim(fields[i].value)));
}

static void judge(const struct http_head *h, const struct cors *c,
                  struct arena *a)
{
    struct http_field fields[PREFLIGHT_FIELDS_MAX];
    char memory[64];
    struct buf text;
    const struct cors_answer *answer = cors_answer_new(c, h, a);
    ENSURE(answer);
    if (answer->allow_origin.n && !c->any_origin) {
        ENSURE(is_named(answer->allow_origin));
        ENSURE(
            sv_eq(answer->allow_origin, http_head_find(h, HN_ORIGIN)->value));
    }
    size_t n = cors_fields_put(answer, fields);
    ENSURE(n <= CORS_FIELDS_MAX);
    reads_back(fields, n);
    buf_init_fixed(&text, memory, sizeof memory);
    n = cors_preflight_put(c, h, answer, &text, fields);
    ENSURE(n <= PREFLIGHT_FIELDS_MAX && !text.overflow);
    reads_back(fields, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"allowOrigins\":[\"https://app.test\",\"https://*.b.test:8443\","
        "\"http://[::1]:3000\"],\"allowMethods\":[\"GET\",\"PUT\"],"
        "\"allowCredentials\":true,\"exposeHeaders\":[\"X-A\"],\"maxAge\":60}",
        "{\"allowOrigins\":[\"*\"],\"allowMethods\":[\"*\"],"
        "\"allowHeaders\":[\"*\"]}",
    };
    static struct http_head head;
    struct http1_refusal why;
    size_t searched = 0;
    if (http1_request_scan(sv_of(data, size), &searched, &limits, &head,
                           &why) <= 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct arena a;
        struct application app;
        char doc[1024];
        struct buf text;
        arena_init(&a, 1 << 20, NULL, 0);
        buf_init_fixed(&text, doc, sizeof doc);
        buf_printf(&text,
                   "{\"id\":\"app_1\",\"account_id\":\"acc_1\","
                   "\"name\":\"a\",\"cors\":%s}",
                   settings[i]);
        ENSURE(application_decode(buf_sv(&text), &a, &app) == 0);
        judge(&head, app.cors, &a);
        arena_fini(&a);
    }
    return 0;
}
