/* POST …/token/{id}/rotate: a new secret under the same id, limits and use.
 * The old one lives on as an alias until the grace period ends; a second
 * rotation ends the first grace. */
#include "admin/token_int.h"

#include "base/err.h"
#include "base/mem.h"

enum { ALIASES_MAX = 64 };

static bool grace_of(struct call *c, int64_t *ms)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    yyjson_mut_doc *doc;
    int64_t s = 0;
    int err = shape_create(&shape_token_rotate, &env, c->input, &doc, &why);
    if (err) return call_fail_shape(c, err, &why);
    json_is_int((const yyjson_val *)yyjson_mut_obj_get(
                    yyjson_mut_doc_get_root(doc), "gracePeriod"),
                &s);
    *ms = s * 1000;
    return true;
}

static bool rotate(struct call *c, struct token_row *row, int64_t grace_ms)
{
    struct store *s = c->admin->conf.store;
    uint32_t *ended = ARENA_ARRAY(c->arena, uint32_t, ALIASES_MAX);
    int64_t ends_ms = c->now_ms + grace_ms;
    unsigned n = 0;
    int err = ended ? store_token_aliases(s, row->slot, ended, ALIASES_MAX, &n)
                    : ERR_NOMEM;
    if (err) return call_fail_store(c, err);
    uint32_t alias_slot = change_slot(c, ulid_tag(&row->id));
    if (alias_slot == UINT32_MAX) return false;
    row->updated_ms = c->now_ms;
    err = store_token_rotate(s, row, alias_slot, ends_ms, c->now_ms);
    return err ? call_fail_store(c, err)
               : change_token_rotate(c, row, alias_slot, grace_ms ? ends_ms : 0,
                                     ended, n);
}

void token_rotate(struct call *c)
{
    struct token_row *row = ARENA_NEW(c->arena, struct token_row);
    struct fresh_secret secret = { .n = 0 };
    int64_t grace_ms = 0;
    if (!row || !token_find(c, false, row) || !call_if_match(c, row->version) ||
        !grace_of(c, &grace_ms))
        return;
    struct sv before = token_record_text(c, row);
    struct id id = id_make(KIND_TOKEN, &row->id);
    if (token_secret_new(c, token_app(c, row), row, &secret) &&
        rotate(c, row, grace_ms) &&
        call_audit(c, "token", "rotate", id_sv(&id), before,
                   token_record_text(c, row)))
        token_answer(c, row, &secret, 200, "Rotated.");
    mem_wipe(&secret, sizeof secret);
}
