/* Files of data that the server uses and did not make: which editions are in
 * force, and whom their licences want to be named (docs/decisions/0046). */
#include "admin/admin_int.h"
#include "admin/nouns.h"

static void show(struct buf *b, const struct data_file *f)
{
    buf_putc(b, '{');
    json_put_member(b, "id", f->name);
    json_put_member(b, "kind", f->kind);
    json_put_member(b, "type", f->type);
    json_put_bool(b, "inForce", f->built_ms != 0);
    json_put_time(b, "builtAt", f->built_ms);
    json_put_member(b, "licence", f->licence);
    json_put_member(b, "attribution", f->attribution);
    json_put_member(b, "url", f->url);
    json_put_member(b, "problem", f->problem);
    buf_putc(b, '}');
}

void data_list(struct call *c)
{
    const struct admin_conf *conf = &c->admin->conf;
    struct data_file files[DATA_FILES_MAX];
    unsigned n = conf->data_files ? conf->data_files(conf->ctx, files) : 0;
    answer_begin(c->a, 200, "");
    for (unsigned i = 0; i < n; i++) {
        answer_next(c->a);
        show(&c->a->body, &files[i]);
    }
    answer_end(c->a);
}
