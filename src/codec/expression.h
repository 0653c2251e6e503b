/* Rules over a request in the field's well-known expression language
 * (Wireshark's, as firewalls at the edge use it; docs/rules.md):
 *
 *   ip.src in {10.0.0.0/8 192.0.2.1} and http.request.uri.path contains
 *   "/admin" and not http.user_agent matches "(?i)^mozilla"
 *
 *   expression := unary { (and | or | && | "||") unary }   `and` binds closer
 *   unary      := (not | !) unary | "(" expression ")" | test
 *   test       := value operator operand | function(value, "text")
 *   value      := field | field["name"] | lower(value) | url_decode(value)
 *               | len(value)
 *   operator   := eq ne lt le gt ge (== != < <= > >=) | contains
 *               | matches (~) | starts_with | ends_with | in {…} | not in {…}
 *   text       := "…" with \" \\ \n \r \t \xHH | r"…" | r#"…"#
 *
 * Fields, with the short name:
 *
 *   text     http.request.method method · http.host host (in lower case) ·
 *            http.request.uri uri (as sent) · http.request.uri.path path ·
 *            http.request.uri.query query · http.user_agent user_agent ·
 *            http.referer referer · http.cookie cookie ·
 *            ip.src.country country, also ip.geoip.country ("DE", any case)
 *   texts    http.request.headers["name"] headers[…] ·
 *            http.request.cookies["name"] cookies[…] ·
 *            http.request.uri.args["name"] args[…] (decoded)
 *   address  ip.src ip
 *   number   ip.src.asnum asn, also ip.geoip.asnum (0: unknown)
 *   token    token.id · token.name · token.owner · token.subject · texts:
 *            token.scopes · token.tags
 *
 * A test of texts holds when one of them does; `ne` and `not in` are `not` of
 * `eq` and `in`. What is absent reads as one empty text, an unknown address as
 * one that is in no network. Comparisons are of bytes, case counts. `path` is as sent:
 * url_decode(path) undoes %XX once (16 KiB at most are looked at).
 *
 * A text compiles once into a flat program in the arena: tests and jumps.
 * Evaluating allocates nothing, keeps no state, runs on any thread, and costs
 * at most EXPRESSION_COST_MAX steps a byte of each value. */
#ifndef CODEC_EXPRESSION_H
#define CODEC_EXPRESSION_H

#include "base/arena.h"
#include "base/ip.h"
#include "codec/http.h"

enum {
    EXPRESSION_TEXT_MAX = 4096,
    EXPRESSION_DEPTH_MAX = 32,
    EXPRESSION_TESTS_MAX = 256,
    EXPRESSION_COST_MAX = 1024, /* of all patterns without a table */
};

struct expression;

struct expression_error {
    size_t at;             /* byte of the text */
    unsigned line, column; /* from 1; columns count bytes */
    char message[160];     /* what was expected, what was found */
};

/* Borrowed for one evaluation; what is not known stays zero. */
struct expression_request {
    struct sv method, host, target, path, query;
    const struct http_field *fields;
    unsigned fields_n;
    bool has_ip;
    struct ip ip;
    struct sv country;
    uint32_t asn;
    struct sv token_id, token_name, token_owner, token_subject;
    const struct sv *token_scopes, *token_tags;
    unsigned token_scopes_n, token_tags_n;
};

/* Takes from the head: method, target, path, query, fields, and from its
 * Host, without port, the host. */
void expression_request_of_head(struct expression_request *r,
                                const struct http_head *head);

/* ERR_INVALID with *why, ERR_NOMEM (arena). *out lives in the arena, patterns
 * with up to 128 KiB each; `text` need not outlive the call. */
int expression_compile(struct sv text, struct arena *a,
                       const struct expression **out,
                       struct expression_error *why);
bool expression_eval(const struct expression *e,
                     const struct expression_request *r);
/* Does it name a token field? Then it runs after authentication. */
bool expression_names_token(const struct expression *e);
/* Does it name the country or the network's number? Then it needs location
 * data. */
bool expression_names_place(const struct expression *e);

#endif
