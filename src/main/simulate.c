/* `typeauth simulate`: profiles from files, requests from standard input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "main/command.h"
#include "main/data.h"
#include "main/process.h"
#include "main/simulate.h"

enum {
    PROFILE_BYTES_MAX = 64 << 20,
    PROFILE_ARENA_BYTES = 1 << 30,
    LINE_BYTES_MAX = 16 << 20,
    LINE_ARENA_BYTES = 256 << 20,
};

struct asked {
    const char *security, *abuse, *data, *waf_rules;
    bool json;
};

struct simulation {
    struct asked q;
    struct arena arena; /* of the profiles */
    struct simulate_rules rules;
    struct security security;
    struct abuse abuse;
    struct mail_list mail;
    struct place_data *places;
    struct waf_rules *waf;
    bool unreadable; /* a line was */
};

static int usage(FILE *to)
{
    fprintf(to,
            "usage: typeauth simulate --security FILE [--abuse FILE] "
            "[--data DIR]\n"
            "                         [--waf-rules DIR] [--json]\n\n"
            "Judges requests by profiles as the gateway would, without a "
            "server: address lists,\nareas, rules, global limit, GeoSentry, "
            "anomaly detection, disposable mail, WAF, in\nthis order. FILE "
            "holds a profile as it is sent to the management API. Requests\n"
            "come from standard input, one JSON object a line:\n\n"
            "  {\"method\": \"POST\", \"uri\": \"/path?query\", \"headers\": "
            "{\"name\": \"value\"},\n"
            "   \"body\": \"text\", \"address\": \"192.0.2.1\", \"time\": "
            "1700000000000}\n\n"
            "uri may be absolute; a header's value may be an array, and so "
            "may headers, of\npairs; body may be JSON; time is milliseconds or "
            "RFC 3339. Besides: country, asn\n(else by the place files of "
            "DIR), token {id, name, owner, subject, scopes, tags},\nstatus "
            "and responseMs of the answer that it got. GeoSentry and anomaly "
            "detection\nneed time, the former also token and place.\n\n"
            "A line with telemetry is a question out of band, judged as "
            "/authenticate does:\n\n"
            "  {\"telemetry\": {\"url\": \"/path?query\", \"method\": "
            "\"POST\", \"ipaddress\":\n   \"192.0.2.1\", \"timestamp\": "
            "1700000000000, \"headers\": {}}, \"cost\": 1}\n\n"
            "All of its members may be missing, what cannot be read is "
            "absent, there is no body.\nBeside it: time (of the question; "
            "without it timestamp is), country, asn, token,\nstatus (400 or "
            "above: refused).\n\n"
            "One line back for each: verdict, code, rules, score, evidence, "
            "by tabs.\n\n"
            "  verdict   pass; log: passes, something was noted; challenge; "
            "block; error\n"
            "  code      error.code of the refusal, or -\n"
            "  rules     names of rules, ids of WAF rules, detectors that "
            "matched, or -\n"
            "  score     of the WAF\n"
            "  evidence  what decided, checks that could not be made, or -\n\n"
            "--abuse FILE      also an abuse profile\n"
            "--data DIR        mail.list and places, as of `typeauth data "
            "update`\n"
            "--waf-rules DIR   other rules than the package modsecurity-crs\n"
            "--json            one JSON object a line instead\n\n"
            "Status: 0, 1 when a line could not be read, 2 for wrong usage or "
            "profiles.\n");
    return to == stdout ? 0 : 2;
}

static bool asked_read(struct asked *q, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char **text = !strcmp(argv[i], "--security")    ? &q->security
                            : !strcmp(argv[i], "--abuse")     ? &q->abuse
                            : !strcmp(argv[i], "--data")      ? &q->data
                            : !strcmp(argv[i], "--waf-rules") ? &q->waf_rules
                                                              : NULL;
        if (text && i + 1 < argc)
            *text = argv[++i];
        else if (!strcmp(argv[i], "--json"))
            q->json = true;
        else
            return false;
    }
    return q->security || q->abuse;
}

/* --- profiles --------------------------------------------------------------------- */

static int says(const char *what, const char *why)
{
    fprintf(stderr, "typeauth: %s: %s\n", what, why);
    return -1;
}

static int profile_read(struct simulation *s, const struct shape *shape,
                        const char *path, struct sv *out)
{
    struct shape_env env = { .arena = &s->arena, .role = ROLE_ROOT };
    struct shape_problem why = { .code = "" };
    struct json_why bad = { .reason = "too large" };
    struct sv text;
    yyjson_doc *input;
    yyjson_mut_doc *doc;
    if (data_file_read(path, PROFILE_BYTES_MAX, &s->arena, &text)) return -1;
    if (json_decode(text, &s->arena, &input, &bad))
        return says(path, bad.reason);
    int rc = shape_create(shape, &env, yyjson_doc_get_root(input), &doc, &why);
    if (rc == ERR_NOMEM) return says(path, "too large");
    if (rc) {
        fprintf(stderr, "typeauth: %s: %s%s%s\n", path, why.field,
                why.field[0] ? ": " : "", why.message);
        return -1;
    }
    *out = json_encode(&s->arena, yyjson_mut_doc_get_root(doc));
    return out->p ? 0 : says(path, "too large");
}

static int security_open(struct simulation *s)
{
    struct network_why bad;
    struct waf_why why;
    struct sv doc;
    if (profile_read(s, &shape_security, s->q.security, &doc)) return -1;
    int rc = security_decode(doc, &s->arena, &s->security);
    if (rc) return says(s->q.security, err_text(rc));
    const struct ip_lists *ip = &s->security.ip;
    s->rules.security = &s->security;
    if (ip->allow_n + ip->deny_n > 0)
        rc = network_build(&s->arena, ip->allow, ip->allow_n, ip->deny,
                           ip->deny_n, &s->rules.network, &bad);
    if (rc) return says(s->q.security, err_text(rc));
    if (s->security.waf.mode == WAF_OFF) return 0;
    rc = waf_rules_compile(&waf_modsecurity, &s->security.waf, s->q.waf_rules,
                           &s->waf, &why);
    s->rules.waf = s->waf;
    return rc ? says("WAF", why.message[0] ? why.message : err_text(rc)) : 0;
}

static int abuse_open(struct simulation *s)
{
    struct abuse *p = &s->abuse;
    struct sv doc;
    if (profile_read(s, &shape_abuse, s->q.abuse, &doc)) return -1;
    int rc = abuse_decode(doc, &s->arena, p);
    if (rc == 0)
        rc = mail_set_make(p->blocklist, p->blocklist_n, &s->arena,
                           &s->rules.blocklist, NULL);
    if (rc == 0)
        rc = mail_set_make(p->exceptions, p->exceptions_n, &s->arena,
                           &s->rules.exceptions, NULL);
    if (rc) return says(s->q.abuse, err_text(rc));
    s->rules.abuse = p;
    if (p->has_limit) s->rules.limit = simulate_limit_new(p);
    if (p->travel.enabled || p->anomaly.enabled)
        s->rules.subjects = simulate_subjects_new();
    return 0;
}

/* What is not there is no error: the lines say which check could not be made. */
static int data_open(struct simulation *s)
{
    const char *paths[2], *names[] = { DATA_PLACE_FILE_4, DATA_PLACE_FILE_6 };
    struct place_why why;
    size_t n = 0;
    const char *path = data_path(s->q.data, DATA_MAIL_FILE);
    int rc = mail_list_open(path, &s->mail);
    if (rc && rc != ERR_NOTFOUND) return says(path, err_text(rc));
    if (rc == 0) s->rules.mail = &s->mail;
    for (size_t i = 0; i < 2; i++) {
        paths[n] = data_path(s->q.data, names[i]);
        n += access(paths[n], R_OK) == 0;
    }
    if (n == 0) return 0;
    rc = place_data_open(paths, n, &s->places, &why);
    s->rules.places = s->places;
    return rc ? says(paths[why.file], why.reason) : 0;
}

/* --- lines ------------------------------------------------------------------------- */

static const char *const outcomes[] = { "pass", "log", "challenge", "block" };

static void put_matches(const struct simulate_verdict *v, struct buf *out,
                        bool json)
{
    for (unsigned i = 0; i < v->matches_n; i++) {
        if (i) buf_putc(out, ',');
        if (json)
            json_put_text(out, v->matches[i]);
        else
            buf_put(out, v->matches[i]);
    }
}

static void put_json(const struct simulate_verdict *v, struct buf *out)
{
    buf_putc(out, '{');
    json_put_name(out, "verdict");
    json_put_text(out, sv_cstr(outcomes[v->outcome]));
    json_put_name(out, "code");
    json_put_text(out, sv_cstr(v->code));
    json_put_name(out, "rules");
    buf_putc(out, '[');
    put_matches(v, out, true);
    buf_putc(out, ']');
    json_put_name(out, "score");
    buf_put_u64(out, v->score);
    json_put_name(out, "evidence");
    json_put_text(out, v->evidence);
    json_put_name(out, "faults");
    buf_putc(out, '[');
    for (unsigned i = 0; i < v->faults_n; i++) {
        if (i) buf_putc(out, ',');
        json_put_text(out, sv_cstr(v->faults[i]));
    }
    buf_puts(out, "]}\n");
}

static void put_line(const struct simulate_verdict *v, struct buf *out)
{
    buf_printf(out, "%s\t%s\t", outcomes[v->outcome],
               v->code[0] ? v->code : "-");
    if (v->matches_n)
        put_matches(v, out, false);
    else
        buf_putc(out, '-');
    buf_printf(out, "\t%u\t", v->score);
    buf_put(out, v->evidence);
    for (unsigned i = 0; i < v->faults_n; i++) {
        if (v->evidence.n || i) buf_puts(out, "; ");
        buf_puts(out, v->faults[i]);
    }
    buf_puts(out, v->evidence.n || v->faults_n ? "\n" : "-\n");
}

static void put_error(const struct asked *q, const char *why, struct buf *out)
{
    if (!q->json) {
        buf_printf(out, "error\t-\t-\t0\t%s\n", why);
        return;
    }
    buf_puts(out, "{\"verdict\":\"error\",\"evidence\":");
    json_put_text(out, sv_cstr(why));
    buf_puts(out, "}\n");
}

static void line_judge(struct simulation *s, struct sv line)
{
    static struct simulate_request r;
    static struct simulate_verdict v;
    const char *why = "";
    struct arena a;
    struct buf out;
    arena_init(&a, LINE_ARENA_BYTES, NULL, 0);
    buf_init(&out, LINE_BYTES_MAX);
    if (simulate_request_read(line, &a, &r, &why)) {
        s->unreadable = true;
        put_error(&s->q, why, &out);
    } else {
        simulate_judge(&s->rules, &r, &a, &v);
        if (s->q.json)
            put_json(&v, &out);
        else
            put_line(&v, &out);
    }
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
    arena_fini(&a);
}

static void lines_judge(struct simulation *s)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) >= 0) {
        struct sv text = sv_of(line, (size_t)n);
        if (text.n && text.p[text.n - 1] == '\n')
            text = sv_first(text, text.n - 1);
        if (text.n && text.p[text.n - 1] == '\r')
            text = sv_first(text, text.n - 1);
        if (text.n) line_judge(s, text);
    }
    free(line); /* of getline */
}

int command_simulate(int argc, char **argv)
{
    static struct simulation s;
    if (argc == 1 && !strcmp(argv[0], "--help")) return usage(stdout);
    if (!asked_read(&s.q, argc, argv)) return usage(stderr);
    arena_init(&s.arena, PROFILE_ARENA_BYTES, NULL, 0);
    int rc = s.q.security ? security_open(&s) : 0;
    if (rc == 0 && s.q.abuse) rc = abuse_open(&s);
    if (rc == 0 && s.q.data) rc = data_open(&s);
    if (rc == 0) lines_judge(&s);
    waf_rules_free(&s.waf);
    place_data_free(&s.places);
    simulate_limit_free(&s.rules.limit);
    simulate_subjects_free(&s.rules.subjects);
    if (s.rules.mail) mail_list_close(&s.mail);
    arena_fini(&s.arena);
    if (fflush(stdout)) rc = says("standard output", strerror(errno));
    return rc ? 2 : s.unreadable;
}
