/* Tags (api.md §8): records of their own for people who want a list, and
 * plain texts on applications and tokens. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "base/err.h"

#include <stdio.h>

enum { TAGS_MAX = 5 };

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc, (void)before;
    return change_row(c, KIND_TAG, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_TAG, id_sv(&r->id));
}

/* "usage": how many applications and tokens bear it now. */
static void show(struct call *c, const struct record *r, struct buf *out)
{
    uint64_t apps = 0, tokens = 0;
    store_tag_count(c->admin->conf.store, id_sv(&c->account_id), r->name, &apps,
                    &tokens);
    record_show(r, out);
    if (out->overflow) return;
    out->n--;
    buf_printf(out, ",\"usage\":{\"applications\":%llu,\"tokens\":%llu}}",
               (unsigned long long)apps, (unsigned long long)tokens);
}

const struct noun noun_tag = {
    .name = "tag",
    .shape = &shape_tag,
    .stored = stored,
    .gone = gone,
    .unique_field = "name",
    .show = show,
};

void tag_create(struct call *c)
{
    noun_create(c, &noun_tag);
}
void tag_list(struct call *c)
{
    noun_list(c, &noun_tag);
}
void tag_get(struct call *c)
{
    noun_get(c, &noun_tag);
}
void tag_patch(struct call *c)
{
    noun_patch(c, &noun_tag);
}
void tag_delete(struct call *c)
{
    noun_delete(c, &noun_tag);
}

/* --- tags of another object --------------------------------------------- */

static bool has(yyjson_mut_val *list, yyjson_mut_val *tag)
{
    size_t i, max;
    yyjson_mut_val *one;
    yyjson_mut_arr_foreach(list, i, max,
                           one) if (yyjson_mut_equals(one, tag)) return true;
    return false;
}

yyjson_val *tags_patch(struct call *c, yyjson_val *present)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    yyjson_mut_doc *asked, *out = json_new(c->arena);
    yyjson_mut_val *tag;
    size_t i, max;
    int err = shape_create(&shape_tag_attach, &env, c->input, &asked, &why);
    if (err) {
        call_fail_shape(c, err, &why);
        return NULL;
    }
    yyjson_val *had = json_find(present, "tags");
    yyjson_mut_val *list = yyjson_is_arr(had) ? yyjson_val_mut_copy(out, had)
                                              : yyjson_mut_arr(out);
    yyjson_mut_val *add =
        yyjson_mut_obj_get(yyjson_mut_doc_get_root(asked), "tags");
    yyjson_mut_arr_foreach(add, i, max, tag) if (!has(list, tag))
        yyjson_mut_arr_append(list, yyjson_mut_val_mut_copy(out, tag));
    if (yyjson_mut_arr_size(list) > TAGS_MAX) {
        call_fail(c, 400, "out_of_range", "tags",
                  "An object bears at most 5 tags.");
        return NULL;
    }
    yyjson_mut_val *root = yyjson_mut_obj(out);
    yyjson_mut_obj_add_val(out, root, "tags", list);
    yyjson_val *patch = call_parse(c, json_encode(c->arena, root));
    if (!patch) call_fail_store(c, ERR_NOMEM);
    return patch;
}
