/* The Core Rule Set by libmodsecurity 3 (its C interface, opened at run time:
 * a process without a WAF maps none of it). Settings of the rule set that its
 * authors leave to the installation are made here for HTTP APIs; everything of
 * a profile is a line in front of the rules (paranoia, threshold) or behind
 * them (exclusions). What matched is read from the engine's log lines, the
 * score from a line of our own. docs/decisions/0029. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "base/rand.h"
#include "detect/waf.h"

#define RULES_DIR "/usr/share/modsecurity-crs/rules"
#define LIBRARY "libmodsecurity.so.3"

enum {
    FILES_MAX = 64,
    PATH_BYTES = 512,
    CONFIG_BYTES_MAX = 64 << 10,
    SCORE_RULE = 9990001,
    PARSER_RULE = 9990012, /* the body's parser gave up */
    PARSER_SCORE = 5,
    RULES_OWN = 9990000
};

/* --- the library ------------------------------------------------------------------- */

/* As declared in its modsecurity/intervention.h. */
struct intervention {
    int status, pause;
    char *url, *log;
    int disruptive;
};

static struct library {
    void *(*init)(void);
    void (*set_connector_info)(void *msc, const char *name);
    void (*set_log_cb)(void *msc, void (*cb)(void *data, const void *text));
    void *(*create_rules_set)(void);
    int (*rules_add)(void *rules, const char *text, const char **error);
    int (*rules_add_file)(void *rules, const char *path, const char **error);
    int (*rules_cleanup)(void *rules);
    void *(*new_transaction)(void *msc, void *rules, void *data);
    int (*process_connection)(void *t, const char *client, int port,
                              const char *server, int server_port);
    int (*process_uri)(void *t, const char *uri, const char *method,
                       const char *version);
    int (*add_n_request_header)(void *t, const unsigned char *name,
                                size_t name_n, const unsigned char *value,
                                size_t value_n);
    int (*process_request_headers)(void *t);
    int (*append_request_body)(void *t, const unsigned char *p, size_t n);
    int (*process_request_body)(void *t);
    int (*intervention)(void *t, struct intervention *out);
    void (*transaction_cleanup)(void *t);
} lib;

static const struct symbol {
    const char *name;
    size_t at;
} symbols[] = {
#define SYMBOL(f)                              \
    {                                          \
        "msc_" #f, offsetof(struct library, f) \
    }
    SYMBOL(init),
    SYMBOL(set_connector_info),
    SYMBOL(set_log_cb),
    SYMBOL(create_rules_set),
    SYMBOL(rules_add),
    SYMBOL(rules_add_file),
    SYMBOL(rules_cleanup),
    SYMBOL(new_transaction),
    SYMBOL(process_connection),
    SYMBOL(process_uri),
    SYMBOL(add_n_request_header),
    SYMBOL(process_request_headers),
    SYMBOL(append_request_body),
    SYMBOL(process_request_body),
    SYMBOL(intervention),
    SYMBOL(transaction_cleanup),
#undef SYMBOL
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *engine; /* one a process, never freed; NULL: not to be had */
static char engine_why[256];
/* What the engine takes for our address: nobody else knows it. */
static char server_name[9 + 2 * 16 + 1], server_mark[sizeof server_name + 16];

static void on_match(void *data, const void *text);

static void library_open(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(engine_why, sizeof engine_why,
                 "%s (Debian: apt install libmodsecurity3 modsecurity-crs)",
                 dlerror());
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *f = dlsym(handle, symbols[i].name);
        if (!f) {
            snprintf(engine_why, sizeof engine_why, LIBRARY " has no %s",
                     symbols[i].name);
            return;
        }
        memcpy((char *)&lib + symbols[i].at, &f, sizeof f);
    }
    uint8_t secret[16];
    rand_bytes(secret, sizeof secret);
    memcpy(server_name, "typeauth-", 9);
    fmt_hex(server_name + 9, secret, sizeof secret);
    snprintf(server_mark, sizeof server_mark, "[hostname \"%s\"]", server_name);
    engine = lib.init();
    if (!engine) {
        snprintf(engine_why, sizeof engine_why, LIBRARY " does not start");
        return;
    }
    lib.set_connector_info(engine, "typeauth");
    lib.set_log_cb(engine, on_match);
}

/* --- compiling --------------------------------------------------------------------- */

struct waf_rules {
    struct waf_base base;
    void *set;
    uint32_t threshold;
    size_t inspect_bytes;
};

static const char before_rules[] =
    "SecRuleEngine On\n"
    "SecRequestBodyAccess On\n"
    "SecResponseBodyAccess Off\n"
    "SecAuditEngine Off\n"
    "SecDebugLogLevel 0\n"
    "SecRequestBodyLimitAction ProcessPartial\n"
    "SecRequestBodyJsonDepthLimit 64\n"
    "SecPcreMatchLimit 100000\n"
    "SecPcreMatchLimitRecursion 10000\n"
    "SecArgumentSeparator &\n"
    "SecCookieFormat 0\n"
    "SecUploadKeepFiles Off\n"
    "SecDefaultAction \"phase:1,log,pass\"\n"
    "SecDefaultAction \"phase:2,log,pass\"\n"
    "SecRule REQUEST_HEADERS:Content-Type "
    "\"^(?:application(?:/soap\\+|/)|text/)xml\" \"id:9990010,phase:1,t:none,"
    "t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML\"\n"
    "SecRule REQUEST_HEADERS:Content-Type "
    "\"^application/(?:[a-z0-9.-]+[+])?json\" \"id:9990011,phase:1,t:none,"
    "t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"\n"
    "SecRule REQBODY_ERROR \"!@eq 0\" \"id:9990012,phase:2,t:none,pass,log,"
    "msg:'body cannot be parsed',setvar:tx.anomaly_score_pl1=+5,"
    "setvar:tx.inbound_anomaly_score_pl1=+5\"\n"
    "SecAction \"id:9990013,phase:1,nolog,pass,t:none,"
    "setvar:tx.crs_setup_version=334,"
    "setvar:tx.enforce_bodyproc_urlencoded=1,"
    "setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE',"
    "setvar:'tx.allowed_http_versions=HTTP/1.0 HTTP/1.1 HTTP/2 HTTP/2.0',"
    "setvar:'tx.allowed_request_content_type="
    "|application/x-www-form-urlencoded| |multipart/form-data| "
    "|multipart/related| |text/xml| |application/xml| |application/soap+xml| "
    "|application/json| |application/problem+json| |application/ld+json| "
    "|application/vnd.api+json| |application/merge-patch+json| "
    "|application/json-patch+json| |application/x-ndjson| "
    "|application/graphql| |application/cloudevents+json| "
    "|application/cloudevents-batch+json| |application/grpc| "
    "|application/grpc+proto| |application/grpc-web| |application/protobuf| "
    "|application/x-protobuf| |application/octet-stream| |application/cbor| "
    "|application/msgpack| |application/csp-report| |application/reports+json| "
    "|text/plain| |text/csv| |text/event-stream|'\"\n";

/* Bookkeeping and checks that belong elsewhere: exceptions for products,
 * reputation of addresses, denial of service. */
static bool is_wanted(const char *name)
{
    static const char *const not [] = { "REQUEST-903", "REQUEST-910",
                                        "REQUEST-912", "REQUEST-900",
                                        "REQUEST-999" };
    size_t n = strlen(name);
    if (strncmp(name, "REQUEST-", 8) != 0 || n < 6 ||
        strcmp(name + n - 5, ".conf") != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(not ); i++)
        if (!strncmp(name, not [i], strlen(not [i]))) return false;
    return true;
}

static int wanted_entry(const struct dirent *d)
{
    return is_wanted(d->d_name);
}

static int refuse(struct waf_why *why, int err, const char *what,
                  const char *says)
{
    snprintf(why->message, sizeof why->message, "%.200s: %.300s", what,
             says ? says : "unknown");
    return err;
}

static int files_add(void *set, const char *dir, struct waf_why *why)
{
    struct dirent **list;
    int n = scandir(dir, &list, wanted_entry, alphasort), rc = 0;
    if (n < 0)
        return refuse(why, ERR_NOTFOUND, dir,
                      "no such directory (Debian: apt install "
                      "modsecurity-crs)");
    if (n == 0)
        rc = refuse(why, ERR_NOTFOUND, dir, "no rules of the Core Rule Set");
    for (int i = 0; i < n; i++) {
        char path[PATH_BYTES];
        const char *error = NULL;
        int len = snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        if (rc == 0 && (len < 0 || (size_t)len >= sizeof path))
            rc = refuse(why, ERR_TOOBIG, dir, "too long a name");
        if (rc == 0 && lib.rules_add_file(set, path, &error) < 0)
            rc = refuse(why, ERR_INVALID, path, error);
        free(list[i]);
    }
    free(list);
    return rc;
}

static int text_add(void *set, struct buf *text, struct waf_why *why)
{
    const char *error = NULL;
    buf_putc(text, '\0');
    if (text->overflow) return refuse(why, ERR_TOOBIG, "settings", "too long");
    return lib.rules_add(set, text->p, &error) < 0
               ? refuse(why, ERR_INVALID, "settings", error)
               : 0;
}

static void profile_before(const struct waf_profile *p, struct buf *text)
{
    unsigned level = p->paranoia;
    buf_puts(text, before_rules);
    buf_printf(text,
               "SecRequestBodyLimit %u\nSecRequestBodyNoFilesLimit %u\n"
               "SecAction \"id:9990014,phase:1,nolog,pass,t:none,"
               "setvar:tx.paranoia_level=%u,"
               "setvar:tx.executing_paranoia_level=%u,"
               "setvar:tx.blocking_paranoia_level=%u,"
               "setvar:tx.detection_paranoia_level=%u,"
               "setvar:tx.inbound_anomaly_score_threshold=%u\"\n",
               p->inspect_bytes + 1, p->inspect_bytes + 1, level, level, level,
               level, p->threshold);
}

static void profile_after(const struct waf_profile *p, struct buf *text)
{
    for (uint32_t i = 0; i < p->exclusions_n; i++) {
        const struct waf_exclusion *e = &p->exclusions[i];
        if (e->from == e->to)
            buf_printf(text, "SecRuleRemoveById %u\n", e->from);
        else
            buf_printf(text, "SecRuleRemoveById %u-%u\n", e->from, e->to);
    }
    /* The rule set's own refusal stops before the score is said: we judge. */
    buf_puts(text, "SecRuleRemoveById 949110 949111\n");
    /* "user(" is a function of SQL, and what most GraphQL queries hold. */
    buf_puts(text, "SecRuleUpdateTargetById 942190 !ARGS:json.query\n");
    buf_printf(text,
               "SecAction \"id:%d,phase:2,pass,log,t:none,"
               "msg:'score=%%{tx.anomaly_score}|"
               "%%{tx.blocking_inbound_anomaly_score}'\"\n",
               SCORE_RULE);
}

static int set_fill(void *set, const struct waf_profile *profile,
                    const char *dir, struct waf_why *why)
{
    struct buf text;
    buf_init(&text, CONFIG_BYTES_MAX);
    profile_before(profile, &text);
    int rc = text_add(set, &text, why);
    if (rc == 0) rc = files_add(set, dir ? dir : RULES_DIR, why);
    buf_clear(&text);
    profile_after(profile, &text);
    if (rc == 0) rc = text_add(set, &text, why);
    buf_fini(&text);
    return rc;
}

static int compile(const struct waf_profile *profile, const char *dir,
                   struct waf_rules **out, struct waf_why *why)
{
    pthread_once(&once, library_open);
    if (!engine) return refuse(why, ERR_NOTFOUND, "WAF", engine_why);
    void *set = lib.create_rules_set();
    if (!set) return ERR_NOMEM;
    int rc = set_fill(set, profile, dir, why);
    if (rc) {
        lib.rules_cleanup(set);
        return rc;
    }
    struct waf_rules *rules = NEW(struct waf_rules);
    *rules = (struct waf_rules){ .base = { &waf_modsecurity },
                                 .set = set,
                                 .threshold = profile->threshold,
                                 .inspect_bytes = profile->inspect_bytes };
    *out = rules;
    return 0;
}

static void rules_free(struct waf_rules *rules)
{
    lib.rules_cleanup(rules->set);
    mem_free(rules);
}

/* --- judging ----------------------------------------------------------------------- */

/* A number in front of anything else; 0 if there is none. */
static uint32_t number_at(const char *p)
{
    uint32_t v = 0;
    while (*p >= '0' && *p <= '9' && v < 100000000)
        v = v * 10 + (uint32_t)(*p++ - '0');
    return v;
}

static void match_add(struct waf_verdict *v, uint32_t id)
{
    for (uint32_t i = 0; i < v->matches_n; i++)
        if (v->matches[i] == id) return;
    if (v->matches_n == WAF_MATCHES_MAX)
        v->more = true;
    else
        v->matches[v->matches_n++] = id;
}

/* The [id "…"] of a line of the engine's log:
 *
 *   … variable `ARGS:name' (Value: `…' ) [file "…"] [line "…"] [id "942100"]
 *   [rev ""] [msg "…"] [data "…"] … [hostname "secret"] [uri "…"] …
 *
 * Name, value and uri are the client's bytes as they are, msg and data have
 * their quotes escaped. So the last id in front of the secret is the rule's. */
static const char *line_id(const char *line)
{
    const char *end = strstr(line, server_mark), *found = NULL, *at = line;
    size_t n = end ? (size_t)(end - line) : 0;
    static const char mark[] = "[id \"";
    while ((at = memmem(at, n - (size_t)(at - line), mark, sizeof mark - 1))) {
        at += sizeof mark - 1;
        found = at;
    }
    return found;
}

static void on_match(void *data, const void *text)
{
    struct waf_verdict *v = data;
    const char *id = text ? line_id(text) : NULL;
    uint32_t number = id ? number_at(id) : 0;
    if (!v || number == 0) return;
    if (number == SCORE_RULE) {
        const char *score = strstr(id, "score="), *other;
        if (!score) return;
        v->score = number_at(score + 6);
        other = strchr(score, '|');
        if (other && number_at(other + 1) > v->score)
            v->score = number_at(other + 1);
        return;
    }
    /* What only sums up the others is no match of its own. */
    if (number / 1000 == 949 || number / 1000 == 980) return;
    match_add(v, number);
}

static int text_copy(struct sv s, char **out)
{
    if (s.n > WAF_URI_MAX) return ERR_TOOBIG;
    if (s.n && memchr(s.p, '\0', s.n)) return ERR_INVALID;
    *out = mem_dup_sv(s.p ? s : SV(""));
    return 0;
}

static bool stopped(void *t)
{
    struct intervention i = { .status = 200 };
    lib.intervention(t, &i);
    free(i.url); /* of the library's malloc */
    free(i.log);
    return i.disruptive != 0;
}

static void head_add(void *t, const struct waf_request *r)
{
    for (unsigned i = 0; i < r->fields_n; i++) {
        const struct http_field *f = &r->fields[i];
        lib.add_n_request_header(
            t, (const unsigned char *)f->name.p, f->name.n,
            (const unsigned char *)(f->value.p ? f->value.p : ""), f->value.n);
    }
}

static bool run(void *t, const struct waf_rules *rules,
                const struct waf_request *r, const char *uri,
                const char *method)
{
    char client[IP_TEXT_MAX + 1] = "0.0.0.0", version[8];
    if (r->has_client) client[ip_format(&r->client, client)] = '\0';
    unsigned major = r->major ? r->major : 1;
    unsigned minor = r->major || r->minor ? r->minor : 1;
    snprintf(version, sizeof version, "%u.%u", major % 10, minor % 10);
    lib.process_connection(t, client, 0, server_name, 80);
    lib.process_uri(t, uri, method, version);
    head_add(t, r);
    lib.process_request_headers(t);
    if (stopped(t)) return true;
    size_t n =
        r->body.n < rules->inspect_bytes ? r->body.n : rules->inspect_bytes;
    if (n) lib.append_request_body(t, (const unsigned char *)r->body.p, n);
    lib.process_request_body(t);
    return stopped(t);
}

/* A body that was cut does not parse, and nobody is to blame. */
static void parser_excuse(struct waf_verdict *v)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->matches_n; i++)
        if (v->matches[i] != PARSER_RULE) v->matches[n++] = v->matches[i];
    if (n == v->matches_n) return;
    v->matches_n = n;
    v->score -= v->score < PARSER_SCORE ? v->score : PARSER_SCORE;
}

static int judge(const struct waf_rules *rules, const struct waf_request *r,
                 struct waf_verdict *out)
{
    char *uri = NULL, *method = NULL;
    int rc = text_copy(r->uri, &uri);
    if (rc == 0) rc = text_copy(r->method, &method);
    void *t = rc ? NULL : lib.new_transaction(engine, rules->set, out);
    if (t) {
        out->blocked = run(t, rules, r, uri, method);
        if (r->partial) parser_excuse(out);
        if (out->score >= rules->threshold) out->blocked = true;
        lib.transaction_cleanup(t);
    } else if (rc == 0) {
        rc = ERR_NOMEM;
    }
    mem_free(method);
    mem_free(uri);
    return rc;
}

const struct waf_engine waf_modsecurity = {
    .name = "modsecurity",
    .compile = compile,
    .free = rules_free,
    .judge = judge,
};
