/* A web application firewall behind an interface of our own: an engine turns a
 * profile into rules once, and judges requests by them. Which engine is a row
 * of functions, so that a faster one can take its place.
 *
 * Threads: waf_rules_compile and _free on a thread that may block (0.3 s, 25
 * MiB); waf_judge on any thread with at least 1 MiB of stack, several at once,
 * but never on a reactor: a request costs milliseconds and heap. Rules are
 * immutable. */
#ifndef DETECT_WAF_H
#define DETECT_WAF_H

#include "base/ip.h"
#include "codec/http.h"
#include "model/security.h"

enum { WAF_MATCHES_MAX = 64, WAF_URI_MAX = 64 << 10 };

struct waf_request {
    struct sv method, uri; /* the target as the client sent it */
    uint8_t major, minor;  /* of HTTP; 0.0: 1.1 */
    const struct http_field *fields;
    unsigned fields_n;
    struct sv body;        /* up to inspectBytes of it */
    bool partial;          /* it goes on: that its parser does not come to an
                              end says nothing */
    bool has_client;
    struct ip client;
};

struct waf_verdict {
    bool blocked;          /* whatever the mode: the caller knows it */
    uint32_t score;
    uint32_t matches_n;
    uint32_t matches[WAF_MATCHES_MAX]; /* rule ids, in the order they matched */
    bool more;             /* matched than there is room for */
};

struct waf_why {
    char message[512];     /* for an operator: which file, which line */
};

struct waf_rules; /* begins with struct waf_base */

struct waf_engine {
    const char *name;
    /* `dir`: of the rule files; NULL: the distribution's. ERR_NOTFOUND: the
     * engine or the rules are not installed; ERR_INVALID: the rules are not
     * understood; with *why. */
    int (*compile)(const struct waf_profile *profile, const char *dir,
                   struct waf_rules **out, struct waf_why *why);
    void (*free)(struct waf_rules *rules);
    /* ERR_INVALID: not judgeable (a NUL in the target); ERR_TOOBIG; ERR_NOMEM:
     * the engine gave up. All are faults, not verdicts. */
    int (*judge)(const struct waf_rules *rules, const struct waf_request *r,
                 struct waf_verdict *out);
};

struct waf_base {
    const struct waf_engine *engine;
};

/* libmodsecurity, opened when a profile first needs it; rules of the package
 * modsecurity-crs. */
extern const struct waf_engine waf_modsecurity;

int waf_rules_compile(const struct waf_engine *engine,
                      const struct waf_profile *profile, const char *dir,
                      struct waf_rules **out, struct waf_why *why);
void waf_rules_free(struct waf_rules **rules);
int waf_judge(const struct waf_rules *rules, const struct waf_request *r,
              struct waf_verdict *out);

#endif
