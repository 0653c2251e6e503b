/* The audit log, read: who, when, what, from where (api.md §1). Written by
 * call_audit in the transaction of each change. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "base/err.h"

static void put_json(struct buf *b, const char *name, struct sv json)
{
    json_put_name(b, name);
    buf_put(b, json.n ? json : SV("null"));
}

static void show(struct buf *b, const struct audit_entry *e)
{
    struct id id = id_make(KIND_EVENT, &e->id);
    buf_putc(b, '{');
    json_put_member(b, "id", id_sv(&id));
    json_put_member(b, "key_id", e->key_id);
    json_put_member(b, "action", e->action);
    json_put_member(b, "object_id", e->object_id);
    json_put_member(b, "from", e->from);
    put_json(b, "before", e->before);
    put_json(b, "after", e->after);
    json_put_time(b, "createdAt", e->at_ms);
    json_put_time(b, "updatedAt", e->at_ms);
    buf_putc(b, '}');
}

void audit_list(struct call *c)
{
    struct sv object = query_find(&c->query, SV("object_id"));
    struct store_page page;
    struct audit_page rows;
    if (!call_page(c, KIND_EVENT, &page)) return;
    int err =
        store_audit_list(c->admin->conf.store, id_sv(&c->account_id),
                         object.p ? object : SV(""), &page, c->arena, &rows);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    for (uint32_t i = 0; i < rows.n; i++) {
        answer_next(c->a);
        show(&c->a->body, &rows.rows[i]);
    }
    answer_end_list(c->a, rows.has_more);
}
