/* Accounts: of the server, for root keys only. One that still owns something
 * stays; its own keys and tags go with it. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "base/err.h"

static bool remove_all(struct call *c, struct sv account_id, enum kind kind)
{
    struct store *s = c->admin->conf.store;
    struct store_filter any = STORE_FILTER_ANY;
    struct store_page page = { .after = SV(""),
                               .before = SV(""),
                               .limit = 1000 };
    struct store_records rows = { .has_more = true };
    while (rows.has_more) {
        int err = store_record_list(s, kind, account_id, &any, &page, c->arena,
                                    &rows);
        for (uint32_t i = 0; !err && i < rows.n; i++)
            err = store_record_delete(s, kind, account_id,
                                      id_sv(&rows.rows[i].id));
        if (err) return call_fail_store(c, err);
    }
    return true;
}

static bool leaving(struct call *c, const struct record *r)
{
    uint64_t apps = 0, profiles = 0;
    struct store *s = c->admin->conf.store;
    int err = store_record_count(s, KIND_APPLICATION, id_sv(&r->id), &apps);
    if (!err)
        err = store_record_count(s, KIND_AUTHENTICATION, id_sv(&r->id),
                                 &profiles);
    if (err) return call_fail_store(c, err);
    if (apps || profiles)
        return call_fail(c, 409, "in_use", NULL,
                         "The account still owns applications or profiles.");
    return remove_all(c, id_sv(&r->id), KIND_MANAGEMENT_KEY) &&
           remove_all(c, id_sv(&r->id), KIND_TAG);
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc, (void)before;
    return change_row(c, KIND_ACCOUNT, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_ACCOUNT, id_sv(&r->id)) && change_keys(c);
}

const struct noun noun_account = {
    .name = "account",
    .shape = &shape_account,
    .stored = stored,
    .leaving = leaving,
    .gone = gone,
    .unique_field = "slug",
};

void account_create(struct call *c)
{
    noun_create(c, &noun_account);
}
void account_list(struct call *c)
{
    noun_list(c, &noun_account);
}
void account_get(struct call *c)
{
    noun_get(c, &noun_account);
}
void account_patch(struct call *c)
{
    noun_patch(c, &noun_account);
}
void account_delete(struct call *c)
{
    noun_delete(c, &noun_account);
}
