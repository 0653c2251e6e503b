/* What an origin gets to see of a request, and a client of an answer: whole
 * lists of fields as golden text. */
#include "edge/forward.h"
#include "heads.h"

static const struct authentication
    bearer = { .place = PLACE_BEARER },
    header = { .place = PLACE_HEADER, .place_name = { "X-Api-Key", 9 } },
    query = { .place = PLACE_QUERY, .place_name = { "api_key", 7 } },
    cookie = { .place = PLACE_COOKIE, .place_name = { "key", 3 } };

/* What every request gets, from peer 203.0.113.9. */
#define OURS                                                           \
    "X-Request-Id: id\nX-Forwarded-For: 203.0.113.9\n"                 \
    "X-Forwarded-Proto: http\nX-Forwarded-Host: a.test\n"              \
    "Forwarded: for=203.0.113.9;host=a.test;proto=http\nVia: 1.1 us\n" \
    "X-Typeauth-Application: app_1\n"

static const struct row {
    const char *says, *fields;
    const struct authentication *hide;
    const char *seen; /* between Host and ours */
} rows[] = {
    { "end-to-end fields stay, in order", "B: 1\r\nA: 2\r\nB: 3\r\n", NULL,
      "B: 1\nA: 2\nB: 3\n" },
    { "hop-by-hop fields go",
      "Connection: close\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
      "Proxy-Connection: close\r\nProxy-Authorization: Basic YQ==\r\n"
      "Upgrade: websocket\r\nHTTP2-Settings: AAA\r\nA: 1\r\n",
      NULL, "A: 1\n" },
    { "so do those that Connection names",
      "Connection: close, X-Hop, x-other\r\nX-Hop: 1\r\nX-Other: 2\r\n"
      "X-Stays: 3\r\n",
      NULL, "X-Stays: 3\n" },
    { "in any of several Connection fields",
      "Connection: close\r\nConnection: X-Hop\r\nX-Hop: 1\r\n", NULL, "" },
    { "Connection cannot name away what is judged or ours",
      "Connection: Content-Type, Cookie, Host, X-Forwarded-For, "
      "X-Typeauth-Application, X-Request-Id, Via, Authorization\r\n"
      "Content-Type: text/plain\r\nCookie: a=b\r\nAuthorization: Basic x\r\n",
      NULL, "Content-Type: text/plain\nCookie: a=b\nAuthorization: Basic x\n" },
    { "fields of ours are replaced, whatever their case",
      "x-typeauth-application: app_2\r\nX-TYPEAUTH-OWNER: me\r\n"
      "X-Typeauth-Anything: 1\r\nX-Forwarded-For: 1.2.3.4\r\n"
      "x-forwarded-proto: https\r\nX-Forwarded-Host: evil.test\r\n"
      "forwarded: for=1.2.3.4\r\nX-Request-Id: mine\r\n",
      NULL, "" },
    { "and so is what reads like them with '_'",
      "X_Typeauth_Owner: me\r\nX_Forwarded_For: 1.2.3.4\r\n"
      "x-typeauth_token-id: tok\r\nX_Request_Id: 1\r\nX-Forwarded_Host: e\r\n",
      NULL, "" },
    { "a framing name with '_' does not pass",
      "Content_Length: 5\r\nTransfer_Encoding: chunked\r\n", NULL, "" },
    { "the bearer is hidden", "Authorization: Bearer s3cret\r\nA: 1\r\n",
      &bearer, "A: 1\n" },
    { "or not, as the profile says", "Authorization: Bearer s3cret\r\n", NULL,
      "Authorization: Bearer s3cret\n" },
    { "another header is hidden in any case",
      "x-api-key: s3cret\r\nAuthorization: Basic YQ==\r\n", &header,
      "Authorization: Basic YQ==\n" },
    { "one cookie is taken out of many", "Cookie: a=1; key=s3cret; b=2\r\n",
      &cookie, "Cookie: a=1; b=2\n" },
    { "the first cookie too", "Cookie: key=s3cret; b=2\r\n", &cookie,
      "Cookie: b=2\n" },
    { "the last too", "Cookie: a=1; key=s3cret\r\n", &cookie, "Cookie: a=1\n" },
    { "with all of them the field", "Cookie: key=s3cret\r\nA: 1\r\n", &cookie,
      "A: 1\n" },
    { "a cookie that only begins alike stays",
      "Cookie: keys=1; monkey=2; key=s3cret\r\n", &cookie,
      "Cookie: keys=1; monkey=2\n" },
    { "a client cannot make itself an upgrade of ours",
      "Upgrade: websocket\r\n", NULL, "" },
    { "an upgrade keeps its field",
      "Connection: upgrade\r\n"
      "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
      NULL, "Upgrade: websocket\nSec-WebSocket-Key: x\n" },
    { "but not to another HTTP, which would escape us",
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAA\r\n",
      NULL, "" },
    { "Expect is said by http/",
      "Expect: 100-continue\r\nContent-Length: 1\r\n", NULL, "" },
};

static struct address peer_address(const char *text, bool trusted)
{
    struct address a = { .known = true, .peer_trusted = trusted };
    a.peer = a.client = ip_of(text);
    return a;
}

static struct forward_facts facts_of(const struct address *a)
{
    return (struct forward_facts){
        .address = a,
        .request_id = SV("id"),
        .via = SV("1.1 us"),
        .host = SV("origin"),
        .app_id = SV("app_1"),
    };
}

static const char *request_fields(const struct http_head *h,
                                  const struct forward_facts *f,
                                  struct sv *target)
{
    static struct forward out;
    static char memory[FORWARD_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof memory);
    assert_int_equal(forward_request(h, f, &text, &out), 0);
    if (target) *target = out.target;
    return fields_text(out.fields, out.n);
}

static void the_origin_sees_these_fields(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048], expected[4096];
    struct address peer = peer_address("203.0.113.9", false);
    struct forward_facts f = facts_of(&peer);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        head_request(&h, memory, sizeof memory, NULL, rows[i].fields);
        f.hide = rows[i].hide;
        snprintf(expected, sizeof expected, "Host: origin\n%s" OURS,
                 rows[i].seen);
        const char *seen = request_fields(&h, &f, NULL);
        if (strcmp(seen, expected) != 0) head_fail(rows[i].says, seen);
    }
}

static void a_trusted_peer_is_appended_to(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048];
    struct address peer = peer_address("10.0.0.1", true);
    struct forward_facts f = facts_of(&peer);
    f.tls = true;
    head_request(&h, memory, sizeof memory, NULL,
                 "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n"
                 "X-Forwarded-Proto: http\r\nX-Forwarded-Host: b.test:81\r\n"
                 "Forwarded: for=1.2.3.4\r\nVia: 1.0 fred\r\n"
                 "X-Typeauth-Owner: me\r\n");
    assert_string_equal(
        request_fields(&h, &f, NULL),
        "Host: origin\nX-Request-Id: id\n"
        "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.1\n"
        "X-Forwarded-Proto: http\nX-Forwarded-Host: b.test:81\n"
        "Forwarded: for=1.2.3.4, for=10.0.0.1;host=a.test;proto=https\n"
        "Via: 1.0 fred, 1.1 us\nX-Typeauth-Application: app_1\n");
}

static void a_trusted_peer_still_cannot_invent_a_scheme(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048];
    struct address peer = peer_address("10.0.0.1", true);
    struct forward_facts f = facts_of(&peer);
    head_request(&h, memory, sizeof memory, NULL,
                 "X-Forwarded-Proto: https, http\r\n");
    assert_non_null(
        strstr(request_fields(&h, &f, NULL), "X-Forwarded-Proto: http\n"));
}

static void ipv6_and_ports_are_quoted_in_forwarded(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048];
    struct address peer = peer_address("2001:db8::1", false);
    struct forward_facts f = facts_of(&peer);
    head_request(&h, memory, sizeof memory, NULL, "");
    h.host = SV("a.test:8080");
    assert_string_equal(
        request_fields(&h, &f, NULL),
        "Host: origin\nX-Request-Id: id\nX-Forwarded-For: 2001:db8::1\n"
        "X-Forwarded-Proto: http\nX-Forwarded-Host: a.test:8080\n"
        "Forwarded: for=\"[2001:db8::1]\";host=\"a.test:8080\";proto=http\n"
        "Via: 1.1 us\nX-Typeauth-Application: app_1\n");
}

static void a_token_is_named_with_owner_and_scopes(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048];
    struct address peer = peer_address("203.0.113.9", false);
    struct forward_facts f = facts_of(&peer);
    f.token_id = SV("tok_1");
    f.owner = SV("m%C3%BCller");
    f.scopes = SV("read write");
    head_request(&h, memory, sizeof memory, NULL, "");
    assert_string_equal(request_fields(&h, &f, NULL),
                        "Host: origin\n" OURS "X-Typeauth-Token-Id: tok_1\n"
                        "X-Typeauth-Owner: m%C3%BCller\n"
                        "X-Typeauth-Scopes: read write\n");
}

static const struct target_row {
    const char *line, *base;
    const struct authentication *hide;
    const char *target;
} targets[] = {
    { "GET /a/b?x=1", "", NULL, "/a/b?x=1" },
    { "GET /a/b?x=1", "/base", NULL, "/base/a/b?x=1" },
    { "GET /", "/base", NULL, "/base/" },
    { "GET /a?", "/base", NULL, "/base/a?" },
    { "GET http://a.test/a?x", "", NULL, "/a?x" },
    { "GET http://a.test", "", NULL, "/" },
    { "OPTIONS *", "/base", NULL, "*" },
    { "GET /a?x=1&api_key=s&y=2", "", &query, "/a?x=1&y=2" },
    { "GET /a?api_key=s", "", &query, "/a" },
    { "GET /a?api_key=s&api_key=t&", "", &query, "/a" },
    { "GET /a?api%5Fkey=s&y", "", &query, "/a?y" },
    { "GET /a?API_KEY=s&xapi_key=2&api_keys=3", "", &query,
      "/a?API_KEY=s&xapi_key=2&api_keys=3" },
    { "GET /a?x=%2F%20+&&api_key=s", "/b", &query, "/b/a?x=%2F%20+&" },
    { "GET /a?q=api_key=s", "", &query, "/a?q=api_key=s" },
    { "GET /api_key=s/b", "", &query, "/api_key=s/b" },
};

static void the_target_keeps_its_bytes_but_for_the_credential(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048], expected[256];
    struct address peer = peer_address("203.0.113.9", false);
    struct forward_facts f = facts_of(&peer);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct target_row *t = &targets[i];
        struct sv target;
        head_request(&h, memory, sizeof memory, t->line, "");
        f.base = sv_cstr(t->base);
        f.hide = t->hide;
        request_fields(&h, &f, &target);
        snprintf(expected, sizeof expected, "%.*s", SV_FMT(target));
        if (strcmp(expected, t->target) != 0) head_fail(t->line, expected);
    }
}

/* Only requests that fit the buffer are sent. */
static void too_little_room_is_an_error(void **state)
{
    (void)state;
    static struct http_head h;
    static struct forward out;
    char memory[2048], small[16];
    struct address peer = peer_address("203.0.113.9", false);
    struct forward_facts f = facts_of(&peer);
    struct buf text;
    head_request(&h, memory, sizeof memory, NULL, "");
    buf_init_fixed(&text, small, sizeof small);
    assert_int_equal(forward_request(&h, &f, &text, &out), ERR_TOOBIG);
}

static const char *response_fields(const char *status, const char *fields,
                                   const struct forward_answer *a)
{
    static struct http_head h;
    static struct forward out;
    static char memory[2048];
    head_response(&h, memory, sizeof memory, status, fields);
    forward_response(&h, a, &out);
    return fields_text(out.fields, out.n);
}

static void the_client_sees_these_fields(void **state)
{
    (void)state;
    struct http_field limit = { SV("RateLimit"), SV("ours"), HN_RATELIMIT };
    struct forward_answer plain = { .request_id = SV("id") };
    struct forward_answer limited = {
        .request_id = SV("id"), .limits = &limit, .limits_n = 1, .limited = true
    };
    const char *fields =
        "Content-Length: 2\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        "Keep-Alive: 5\r\nUpgrade: h2\r\nX-Typeauth-Owner: evil\r\n"
        "x_typeauth_scopes: all\r\nX-Request-Id: theirs\r\n"
        "RateLimit: theirs\r\nX-RateLimit-Limit: 5\r\nSet-Cookie: a\r\n"
        "Set-Cookie: b\r\nServer: nginx\r\n";
    assert_string_equal(response_fields("200 OK", fields, &plain),
                        "RateLimit: theirs\nX-RateLimit-Limit: 5\n"
                        "Set-Cookie: a\nSet-Cookie: b\nServer: nginx\n"
                        "X-Request-Id: id\n");
    assert_string_equal(response_fields("200 OK", fields, &limited),
                        "Set-Cookie: a\nSet-Cookie: b\nServer: nginx\n"
                        "X-Request-Id: id\nRateLimit: ours\n");
}

static void an_answer_that_upgrades_keeps_its_field(void **state)
{
    (void)state;
    struct forward_answer a = { .request_id = SV("id") };
    assert_string_equal(
        response_fields("101 Switching Protocols",
                        "Connection: Upgrade\r\nUpgrade: websocket\r\n", &a),
        "Upgrade: websocket\nX-Request-Id: id\n");
}

static void trailers_carry_nothing_that_is_ours(void **state)
{
    (void)state;
    static struct http_head h;
    struct http_field out[HTTP_FIELDS_MAX];
    char memory[2048];
    head_request(&h, memory, sizeof memory, NULL,
                 "X-Checksum: 1\r\nX_Typeauth_Owner: me\r\n"
                 "X-Forwarded-For: 1.2.3.4\r\nx-request-id: 1\r\n"
                 "Connection: close\r\nETag: 2\r\n");
    size_t n = forward_trailers(&h, SV(""), out);
    assert_string_equal(fields_text(out, n), "X-Checksum: 1\nETag: 2\n");
    n = forward_trailers(&h, SV("x-checksum"), out);
    assert_string_equal(fields_text(out, n), "ETag: 2\n");
    assert_int_equal(forward_trailers(NULL, SV(""), out), 0);
}

static void only_a_sane_request_id_is_kept(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048], fields[512], longest[200];
    static const struct {
        const char *fields, *id;
    } ids[] = {
        { "X-Request-Id: aZ09._-\r\n", "aZ09._-" },
        { "X-Request-Id: a b\r\n", "" },
        { "X-Request-Id: a/b\r\n", "" },
        { "X-Request-Id:\r\n", "" },
        { "", "" },
        { "X-Request-Id: a\r\nX-Request-Id: b\r\n", "" },
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        head_request(&h, memory, sizeof memory, NULL, ids[i].fields);
        struct sv id = forward_request_id(&h);
        if (!sv_eq(id, sv_cstr(ids[i].id))) head_fail("id", ids[i].fields);
    }
    for (size_t n = 128; n <= 129; n++) {
        memset(longest, 'x', n);
        longest[n] = '\0';
        snprintf(fields, sizeof fields, "X-Request-Id: %s\r\n", longest);
        head_request(&h, memory, sizeof memory, NULL, fields);
        assert_int_equal(forward_request_id(&h).n, n == 128 ? 128 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_origin_sees_these_fields),
        cmocka_unit_test(a_trusted_peer_is_appended_to),
        cmocka_unit_test(a_trusted_peer_still_cannot_invent_a_scheme),
        cmocka_unit_test(ipv6_and_ports_are_quoted_in_forwarded),
        cmocka_unit_test(a_token_is_named_with_owner_and_scopes),
        cmocka_unit_test(the_target_keeps_its_bytes_but_for_the_credential),
        cmocka_unit_test(too_little_room_is_an_error),
        cmocka_unit_test(the_client_sees_these_fields),
        cmocka_unit_test(an_answer_that_upgrades_keeps_its_field),
        cmocka_unit_test(trailers_carry_nothing_that_is_ours),
        cmocka_unit_test(only_a_sane_request_id_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
