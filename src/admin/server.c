/* The server's own paths: description, health, figures. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "admin/openapi.h"

void server_openapi(struct call *c)
{
    answer_ok(c->a, 200, "");
    buf_clear(&c->a->body);
    buf_put(&c->a->body, buf_sv(&c->admin->openapi));
}

void server_health(struct call *c)
{
    answer_ok(c->a, 200, "ok");
}

void server_ready(struct call *c)
{
    char why[128] = "";
    if (admin_ready(c->admin, why)) {
        answer_ok(c->a, 200, "ready");
        return;
    }
    call_fail(c, 503, "not_ready", NULL, why);
    c->a->retry_after_s = 1;
}

void server_metrics(struct call *c)
{
    answer_ok(c->a, 200, "");
    buf_clear(&c->a->body);
    c->a->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (c->admin->conf.journal)
        metrics_render(c->admin->conf.journal, &c->a->body);
}
