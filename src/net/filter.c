/* The connection's side of a filter. */
#include "net/reactor_int.h"

#include "base/err.h"
#include "base/mem.h"

void conn_filter(struct conn *c, const struct filter_ops *ops, void *state)
{
    ENSURE(!c->filter && !c->rest.n && !c->out.head);
    c->filter = NEW(struct filter);
    c->filter->ops = ops;
    c->filter->state = state;
    if (!c->connecting && ops->on_start) ops->on_start(c, state);
}

void *filter_state(const struct conn *c, const struct filter_ops *ops)
{
    return c->filter && c->filter->ops == ops ? c->filter->state : NULL;
}

void filter_free(struct conn *c)
{
    struct filter *f = c->filter;
    if (!f) return;
    rest_drop(&f->plain);
    f->ops->on_free(f->state);
    mem_free(f);
    c->filter = NULL;
}

bool filter_wants(const struct conn *c)
{
    bool wants = c->reading && !c->finishing && !c->closing && !c->eof_told;
    c->filter->held = !wants;
    return wants;
}

char *filter_up_room(struct conn *c, size_t *room)
{
    struct filter *f = c->filter;
    f->up = conn_input_room(c, &f->plain, &c->r->plain, &f->up_at);
    if (!f->up) {
        conn_starve(c);
        return NULL;
    }
    if (f->up_at == BLOCK_BYTES) {
        conn_fail(c, ERR_TOOBIG);
        return NULL;
    }
    *room = BLOCK_BYTES - f->up_at;
    return f->up->data + f->up_at;
}

void filter_up(struct conn *c, size_t n)
{
    struct filter *f = c->filter;
    conn_input(c, &f->plain, &c->r->plain, f->up_at, (uint32_t)n);
}

void filter_up_eof(struct conn *c)
{
    if (c->eof_told || c->finishing || c->closing) return;
    c->eof_told = true;
    if (c->ops->on_eof)
        c->ops->on_eof(c);
    else
        conn_fail(c, 0);
}

bool filter_ended(const struct conn *c)
{
    return c->eof_told;
}

void filter_counted(struct conn *c, bool resumed)
{
    STAT_ADD(c->r, handshakes, 1);
    if (resumed) STAT_ADD(c->r, handshakes_resumed, 1);
}

void filter_opened(struct conn *c)
{
    c->filter->open = true;
    conn_touch(c);
    conn_opened(c);
}
