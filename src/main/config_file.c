/* The configuration file: a flat YAML mapping of setting names to scalars or
 * lists of scalars. Anchors, aliases, tags and nesting are refused: a file
 * that protects a business should read as it is. */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "main/settings.h"

struct reader {
    struct settings *s;
    const char *path;
    yaml_parser_t parser;
    char key[64];
    bool in_list;
    int depth; /* of mappings */
};

static bool fails(const struct reader *r, const yaml_event_t *e,
                  const char *what, const char *why)
{
    fprintf(stderr, "typeauth: %s:%zu: %s %s\n", r->path,
            e->start_mark.line + 1, what, why);
    return false;
}

static bool on_scalar(struct reader *r, const yaml_event_t *e)
{
    struct sv text = sv_of(e->data.scalar.value, e->data.scalar.length);
    if (e->data.scalar.anchor) return fails(r, e, "anchors", "are not allowed");
    if (r->depth == 0)
        return fails(r, e, "the file", "must be a mapping, `name: value`");
    if (!r->key[0]) {
        if (text.n == 0 || text.n >= sizeof r->key)
            return fails(r, e, "the setting's name", "is empty or too long");
        memcpy(r->key, text.p, text.n);
        r->key[text.n] = '\0';
        return true;
    }
    const char *why = settings_set(r->s, sv_cstr(r->key), text);
    if (why) return fails(r, e, r->key, why);
    if (!r->in_list) r->key[0] = '\0';
    return true;
}

static bool on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT: return on_scalar(r, e);
    case YAML_ALIAS_EVENT: return fails(r, e, "aliases", "are not allowed");
    case YAML_MAPPING_START_EVENT:
        if (r->depth++ || r->in_list)
            return fails(r, e, r->key, "takes a value or a list of values");
        return true;
    case YAML_MAPPING_END_EVENT: r->depth--; return true;
    case YAML_SEQUENCE_START_EVENT:
        if (!r->key[0] || r->in_list)
            return fails(r, e, r->key, "takes a flat list");
        r->in_list = true;
        return true;
    case YAML_SEQUENCE_END_EVENT:
        r->in_list = false;
        r->key[0] = '\0';
        return true;
    default: return true;
    }
}

bool config_file_read(struct settings *s, const char *path)
{
    struct reader r = { .s = s, .path = path };
    FILE *in = fopen(path, "re");
    if (!in) {
        fprintf(stderr, "typeauth: cannot read %s: %s\n", path,
                strerror(errno));
        return false;
    }
    bool ok = yaml_parser_initialize(&r.parser), end = false;
    if (ok) yaml_parser_set_input_file(&r.parser, in);
    while (ok && !end) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r.parser, &e)) {
            fprintf(stderr, "typeauth: %s:%zu: %s\n", path,
                    r.parser.problem_mark.line + 1,
                    r.parser.problem ? r.parser.problem : "not valid YAML");
            ok = false;
            break;
        }
        end = e.type == YAML_STREAM_END_EVENT;
        ok = on_event(&r, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&r.parser);
    fclose(in);
    return ok;
}
