/* `typeauth schema check`: what is wrong with an OpenAPI document, and what
 * the gateway would say of requests by it. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/openapi.h"
#include "main/schema.h"

enum {
    REPORT_BYTES_MAX = 16 << 20,
    LINE_ARENA_BYTES_MAX = 256 << 20,
    FIELDS_MAX = 100,
};

struct asked {
    const char *file, *requests;
};

struct checker {
    struct openapi *document;
    struct pattern_room *room;
};

void schema_check_help(FILE *to)
{
    fprintf(
        to,
        "check      Prints what is wrong with an OpenAPI document (3.0, 3.1; "
        "JSON or YAML),\n"
        "           a line each: `error PLACE: SENTENCE` or `warning PLACE: "
        "SENTENCE`,\n"
        "           PLACE being FILE[:LINE:COLUMN]:#POINTER, and last `ok, N "
        "operations`\n"
        "           or `N errors, N warnings`. With --request these lines go "
        "to standard\n"
        "           error, and each request gets one line on standard "
        "output:\n"
        "             ok METHOD TEMPLATE            as the document says\n"
        "             block STATUS METHOD TEMPLATE  not so; STATUS 400 or "
        "415, or\n"
        "             block 400                     not a request or path "
        "that is judged\n"
        "             unknown STATUS                no such path (404) or "
        "method (405);\n"
        "                                           `unknownEndpoints` "
        "decides\n"
        "           followed by its violations, each on a line that begins "
        "with two spaces.\n"
        "           Status: 0 all good, 1 a request is not ok, 2 wrong usage "
        "or a document\n"
        "           with errors.\n\n"
        "--request FILE one request a line (- for standard input), as JSON:\n"
        "                 {\"method\":\"POST\",\"path\":\"/a?b=c\",\"headers\":"
        "{\"X\":\"1\"},\"body\":\"…\"}\n"
        "               A header's value may be a list. A body that is a text "
        "is sent as\n"
        "               it is, another value as its JSON with Content-Type\n"
        "               application/json unless a header says otherwise. The "
        "path may\n"
        "               begin with that of one of the document's servers\n");
}

static int usage(FILE *to)
{
    fprintf(to, "usage: typeauth schema check OPENAPI [--request FILE]\n\n");
    schema_check_help(to);
    return to == stdout ? 0 : 2;
}

static bool asked_read(struct asked *q, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        bool is_option = argv[i][0] == '-' && argv[i][1];
        const char *wrong = NULL;
        if (!strcmp(argv[i], "--request")) {
            if (i + 1 < argc)
                q->requests = argv[++i];
            else
                wrong = "without its value";
        } else if (is_option) {
            wrong = "not an option";
        } else if (q->file) {
            wrong = "one document too many";
        } else {
            q->file = argv[i];
        }
        if (!wrong) continue;
        fprintf(stderr, "typeauth: schema check: '%s' is %s\n\n", argv[i],
                wrong);
        return false;
    }
    if (!q->file)
        fprintf(stderr, "typeauth: schema check: no document is named\n\n");
    return q->file != NULL;
}

static void notes_print(FILE *to, const char *file,
                        const struct openapi_report *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        const struct openapi_note *n = &r->notes[i];
        fprintf(to, "%s %s:", n->is_error ? "error" : "warning", file);
        if (n->line) fprintf(to, "%u:%u:", n->line, n->column);
        fputc('#', to);
        schema_put_line_text(to, n->place);
        fputs(": ", to);
        schema_put_line_text(to, n->says);
        fputc('\n', to);
    }
    if (r->more) fprintf(to, "warning %s:#: more was found\n", file);
}

static bool document_load(const char *file, FILE *to, struct openapi **out)
{
    const struct openapi_options options = { .jit = true };
    struct openapi_report report = { 0 };
    struct arena a;
    struct buf text;
    if (!schema_file_read(file, OPENAPI_BYTES_MAX, &text)) return false;
    arena_init(&a, REPORT_BYTES_MAX, NULL, 0);
    report.arena = &a;
    int rc = openapi_load(buf_sv(&text), &options, out, &report);
    buf_fini(&text);
    notes_print(to, file, &report);
    if (rc == 0)
        fprintf(to, "ok, %u operations\n", openapi_operations(*out));
    else if (report.errors)
        fprintf(to, "%u errors, %u warnings\n", report.errors,
                report.n -
                    (report.errors < report.n ? report.errors : report.n));
    else
        fprintf(stderr, "typeauth: %s: %s\n", file, err_text(rc));
    arena_fini(&a);
    return rc == 0;
}

/* --- requests --------------------------------------------------------------------- */

struct asked_request {
    struct openapi_request r;
    struct http_field fields[FIELDS_MAX];
    const char *wrong;
};

static void field_add(struct asked_request *q, struct sv name,
                      const yyjson_val *value)
{
    struct sv text = json_text(value);
    if (!text.p)
        q->wrong = "a header's value must be a text or a list of texts";
    else if (q->r.fields_n == FIELDS_MAX)
        q->wrong = "more than 100 headers";
    else
        q->fields[q->r.fields_n++] =
            (struct http_field){ name, sv_trim(text), HN_OTHER };
}

static void fields_read(struct asked_request *q, yyjson_val *headers)
{
    yyjson_val *key, *value, *one;
    size_t i, max, k, most;
    if (headers && !yyjson_is_obj(headers))
        q->wrong = "`headers` must be an object";
    yyjson_obj_foreach(json_place_or_none(headers), i, max, key, value)
    {
        if (!yyjson_is_arr(value)) field_add(q, json_text(key), value);
        yyjson_arr_foreach(value, k, most, one)
        {
            field_add(q, json_text(key), one);
        }
    }
}

static void body_read(struct asked_request *q, yyjson_val *body,
                      struct arena *a)
{
    static const struct http_field json = { { "Content-Type", 12 },
                                            { "application/json", 16 },
                                            HN_CONTENT_TYPE };
    if (!body || yyjson_is_null(body)) return;
    q->r.has_body = true;
    if (yyjson_is_str(body)) {
        q->r.body = json_text(body);
        return;
    }
    q->r.body = json_encode_val(a, body);
    for (unsigned i = 0; i < q->r.fields_n; i++)
        if (sv_eq_nocase(q->fields[i].name, json.name)) return;
    if (q->r.fields_n < FIELDS_MAX) q->fields[q->r.fields_n++] = json;
}

static void request_read(struct asked_request *q, struct sv line,
                         struct arena *a)
{
    struct json_why why;
    yyjson_doc *doc;
    yyjson_val *root, *key, *value;
    size_t i, max;
    int rc = line.n > SCHEMA_LINE_BYTES_MAX
                 ? ERR_TOOBIG
                 : json_decode_exact(line, a, &doc, &why);
    if (rc != 0) {
        q->wrong = rc == ERR_INVALID ? why.reason : err_text(rc);
        return;
    }
    root = yyjson_doc_get_root(doc);
    q->r.method = json_text(json_find(root, "method"));
    q->r.path = json_text(json_find(root, "path"));
    if (!q->r.method.p || !q->r.path.p)
        q->wrong = "`method` and `path` must be texts";
    yyjson_obj_foreach(root, i, max, key, value)
    {
        static const char *const known[] = { "method", "path", "headers",
                                             "body" };
        bool is_known = false;
        for (size_t k = 0; k < 4; k++)
            is_known |= sv_eq(json_text(key), sv_cstr(known[k]));
        if (!is_known)
            q->wrong = "only method, path, headers and body are read";
    }
    q->r.path = sv_first(q->r.path, sv_find(q->r.path, '#'));
    q->r.path = sv_cut(q->r.path, '?', &q->r.query);
    fields_read(q, json_find(root, "headers"));
    body_read(q, json_find(root, "body"), a);
    q->r.fields = q->fields;
}

static bool verdict_print(const struct checker *c,
                          const struct openapi_judgement *said,
                          const struct schema_judge *j)
{
    struct sv method, path, id;
    static const char *const words[] = { "ok", "block", "unknown" };
    fputs(words[said->verdict], stdout);
    if (said->verdict != OPENAPI_OK) printf(" %u", said->status);
    if (said->operation != UINT_MAX) {
        openapi_operation_name(c->document, said->operation, &method, &path,
                               &id);
        printf(" %.*s ", SV_FMT(method));
        schema_put_line_text(stdout, path);
    }
    putchar('\n');
    for (unsigned i = 0; i < j->violations_n; i++)
        schema_put_violation(stdout, &j->violations[i]);
    if (said->over) printf("  /: takes more work to judge than is allowed\n");
    return said->verdict == OPENAPI_OK;
}

static bool request_judge(void *context, struct sv line)
{
    const struct checker *c = context;
    struct asked_request q = { .wrong = NULL };
    struct arena text, work;
    bool good = false;
    arena_init(&text, LINE_ARENA_BYTES_MAX, NULL, 0);
    arena_init(&work, SCHEMA_ARENA_BYTES_MAX, NULL, 0);
    struct schema_judge j = { .arena = &work,
                              .room = c->room,
                              .steps = SCHEMA_STEPS_DEFAULT,
                              .now_ns = clock_mono_ns,
                              .violations_max = SCHEMA_VIOLATIONS_MAX };
    request_read(&q, line, &text);
    if (q.wrong) {
        printf("block 400\n  /: not a request: %s\n", q.wrong);
    } else {
        j.until_ns = clock_mono_ns() + SCHEMA_BUDGET_NS;
        struct openapi_judgement said = openapi_judge(c->document, &q.r, &j);
        good = verdict_print(c, &said, &j);
    }
    arena_fini(&work);
    arena_fini(&text);
    return good;
}

static int requests_judge(const char *path, struct checker *c)
{
    FILE *in = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
    if (!in) {
        fprintf(stderr, "typeauth: cannot read %s: %s\n", path,
                strerror(errno));
        return 2;
    }
    c->room = pattern_room_new();
    int status = !c->room ? 2 : schema_lines_read(in, request_judge, c) ? 0 : 1;
    if (ferror(in)) {
        fprintf(stderr, "typeauth: cannot read %s: %s\n", path,
                strerror(errno));
        status = 2;
    }
    pattern_room_free(&c->room);
    if (in != stdin) fclose(in);
    return status;
}

int schema_check(int argc, char **argv)
{
    struct asked q = { 0 };
    struct checker c = { 0 };
    if (argc == 1 && !strcmp(argv[0], "--help")) return usage(stdout);
    if (!asked_read(&q, argc, argv)) return usage(stderr);
    if (!document_load(q.file, q.requests ? stderr : stdout, &c.document))
        return 2;
    int status = q.requests ? requests_judge(q.requests, &c) : 0;
    openapi_free(&c.document);
    return status;
}
