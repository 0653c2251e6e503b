/* Nouns, ids and roles as data. */
#include "model/kind.h"

#include "base/ensure.h"
#include "base/err.h"
#include "codec/json.h"

static const struct {
    const char *prefix, *noun;
} kinds[KIND_COUNT] = {
#define X(name, prefix, noun, field) [KIND_##name] = { prefix, noun },
    KIND_LIST(X)
#undef X
};

static const char *const roles[ROLE_COUNT] = {
    [ROLE_VERIFIER] = "verifier", [ROLE_VIEWER] = "viewer",
    [ROLE_EDITOR] = "editor",     [ROLE_ADMIN] = "admin",
    [ROLE_OWNER] = "owner",       [ROLE_ROOT] = "root",
};

const char *kind_prefix(enum kind kind)
{
    ENSURE(kind > KIND_NONE && kind < KIND_COUNT);
    return kinds[kind].prefix;
}

const char *kind_noun(enum kind kind)
{
    ENSURE(kind > KIND_NONE && kind < KIND_COUNT);
    return kinds[kind].noun;
}

struct id id_make(enum kind kind, const struct ulid *u)
{
    struct id id = { "" };
    size_t n = strlen(kind_prefix(kind));
    memcpy(id.text, kind_prefix(kind), n);
    ulid_encode(id.text + n, u);
    return id;
}

void json_put_id(struct buf *b, const char *name, enum kind kind,
                 const struct ulid *u)
{
    struct id id = id_make(kind, u);
    json_put_member(b, name, id_sv(&id));
}

int id_parse(enum kind kind, struct sv text, struct ulid *out)
{
    struct ulid ignored;
    struct sv prefix = sv_cstr(kind_prefix(kind));
    if (!sv_starts(text, prefix)) return ERR_INVALID;
    return ulid_decode(sv_from(text, prefix.n), out ? out : &ignored);
}

enum kind id_kind(struct sv text)
{
    for (int kind = KIND_NONE + 1; kind < KIND_COUNT; kind++)
        if (id_parse((enum kind)kind, text, NULL) == 0) return (enum kind)kind;
    return KIND_NONE;
}

const char *role_name(enum role role)
{
    ENSURE(role < ROLE_COUNT);
    return roles[role];
}

bool role_parse(struct sv text, enum role *out)
{
    for (int i = 0; i < ROLE_ROOT; i++)
        if (sv_eq(text, sv_cstr(roles[i]))) {
            *out = (enum role)i;
            return true;
        }
    return false;
}
