/* `typeauth schema validate`: one JSON value a line against one schema. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "main/schema.h"

enum {
    SCHEMA_BYTES_MAX = 16 << 20,
    DOCUMENT_BYTES_MAX = 512 << 20,
    LINE_ARENA_BYTES_MAX = 256 << 20, /* of the line as values */
};

struct asked {
    const char *file, *dialect;
    bool formats;
};

struct validator {
    struct schema *program;
    uint32_t entry;
    struct pattern_room *room;
};

void schema_validate_help(FILE *to)
{
    fprintf(
        to,
        "validate   Reads one JSON value a line from standard input and "
        "prints for each\n"
        "           `valid`, or `invalid` followed by its violations, each on "
        "a line of\n"
        "           its own that begins with two spaces:\n"
        "             POINTER: SENTENCE (KEYWORD PLACE)\n"
        "           POINTER leads to the value (/ is the whole), PLACE to the "
        "keyword in\n"
        "           the schema. A line that is not JSON, or costs more than "
        "50 ms or\n"
        "           32 MiB to judge, is `invalid` and says so. Status: 0 all "
        "valid, 1 one\n"
        "           invalid, 2 wrong usage or unusable schema.\n\n"
        "--schema FILE  a JSON Schema as JSON (- is not possible)\n"
        "--dialect D    2020-12 (default), or 3.0 for schemas of OpenAPI 3.0\n"
        "--formats      `format` decides too; always so with --dialect 3.0. "
        "In 2020-12\n"
        "               it is by default a note, as the standard says\n");
}

static int usage(FILE *to)
{
    fprintf(to, "usage: typeauth schema validate --schema FILE [--dialect D] "
                "[--formats]\n\n");
    schema_validate_help(to);
    return to == stdout ? 0 : 2;
}

static bool asked_read(struct asked *q, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char **text = !strcmp(argv[i], "--schema")    ? &q->file
                            : !strcmp(argv[i], "--dialect") ? &q->dialect
                                                            : NULL;
        if (text && i + 1 < argc) {
            *text = argv[++i];
        } else if (!strcmp(argv[i], "--formats")) {
            q->formats = true;
        } else {
            fprintf(stderr, "typeauth: schema validate: '%s' is %s\n\n",
                    argv[i], text ? "without its value" : "not an option");
            return false;
        }
    }
    if (!q->file)
        fprintf(stderr, "typeauth: schema validate: --schema is missing\n\n");
    return q->file != NULL;
}

static bool dialect_read(const struct asked *q, struct schema_options *out)
{
    *out = (struct schema_options){ .formats = q->formats, .jit = true };
    if (!q->dialect || !strcmp(q->dialect, "2020-12")) return true;
    if (!strcmp(q->dialect, "3.0")) {
        out->dialect = SCHEMA_OPENAPI_30;
        out->formats = true;
        return true;
    }
    fprintf(stderr, "typeauth: --dialect: 2020-12 or 3.0, not '%s'\n",
            q->dialect);
    return false;
}

static void say_why(const char *path, const yyjson_val *root,
                    const struct schema_why *why)
{
    struct buf place;
    buf_init(&place, 4096);
    if (why->at) json_place_put(&place, root, why->at);
    fprintf(stderr, "typeauth: %s: #", path);
    schema_put_line_text(stderr, buf_sv(&place));
    fprintf(stderr, ": ");
    schema_put_line_text(stderr, sv_cstr(why->reason));
    fprintf(stderr, "\n");
    buf_fini(&place);
}

static bool program_make(const char *path, struct sv text,
                         const struct schema_options *options,
                         struct validator *v)
{
    struct arena a;
    yyjson_doc *doc;
    struct json_why bad;
    struct schema_build *b = NULL;
    struct schema_why why = { .reason = "it takes too much memory" };
    arena_init(&a, DOCUMENT_BYTES_MAX, NULL, 0);
    int rc = json_decode_exact(text, &a, &doc, &bad);
    if (rc != 0) {
        fprintf(stderr, "typeauth: %s: byte %zu: %s\n", path, bad.at,
                bad.reason ? bad.reason : err_text(rc));
        arena_fini(&a);
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    rc = schema_build_new(root, yyjson_doc_get_val_count(doc), options, &b,
                          &why);
    if (rc == 0) rc = schema_build_add(b, root, &v->entry, &why);
    if (rc == 0)
        v->program = schema_build_done(&b);
    else
        say_why(path, root, &why);
    schema_build_free(&b);
    arena_fini(&a);
    return rc == 0;
}

static bool judge_line(void *context, struct sv line)
{
    const struct validator *v = context;
    struct arena text, work;
    struct json_why why;
    yyjson_doc *doc;
    arena_init(&text, LINE_ARENA_BYTES_MAX, NULL, 0);
    arena_init(&work, SCHEMA_ARENA_BYTES_MAX, NULL, 0);
    struct schema_judge j = { .arena = &work,
                              .room = v->room,
                              .steps = SCHEMA_STEPS_DEFAULT,
                              .now_ns = clock_mono_ns,
                              .until_ns = clock_mono_ns() + SCHEMA_BUDGET_NS,
                              .violations_max = SCHEMA_VIOLATIONS_MAX };
    bool valid = false;
    int rc = line.n > SCHEMA_LINE_BYTES_MAX
                 ? ERR_TOOBIG
                 : json_decode_exact(line, &text, &doc, &why);
    if (rc != 0) {
        printf("invalid\n  /: not JSON that is judged: %s\n",
               rc == ERR_INVALID ? why.reason : err_text(rc));
    } else {
        enum schema_verdict verdict =
            schema_judge(v->program, v->entry, yyjson_doc_get_root(doc), &j);
        valid = verdict == SCHEMA_VALID;
        puts(valid ? "valid" : "invalid");
        for (unsigned i = 0; i < j.violations_n; i++)
            schema_put_violation(stdout, &j.violations[i]);
        if (verdict == SCHEMA_OVER)
            printf("  /: takes more work to judge than is allowed\n");
    }
    arena_fini(&work);
    arena_fini(&text);
    return valid;
}

int schema_validate(int argc, char **argv)
{
    struct asked q = { 0 };
    struct validator v = { 0 };
    struct schema_options options;
    struct buf text;
    if (argc == 1 && !strcmp(argv[0], "--help")) return usage(stdout);
    if (!asked_read(&q, argc, argv)) return usage(stderr);
    if (!dialect_read(&q, &options)) return 2;
    if (!schema_file_read(q.file, SCHEMA_BYTES_MAX, &text)) return 2;
    bool made = program_make(q.file, buf_sv(&text), &options, &v);
    buf_fini(&text);
    if (!made) return 2;
    v.room = pattern_room_new();
    int status = !v.room ? 2 : schema_lines_read(stdin, judge_line, &v) ? 0 : 1;
    pattern_room_free(&v.room);
    schema_free(&v.program);
    return status;
}
