/* What the files of tokens share. */
#ifndef ADMIN_TOKEN_INT_H
#define ADMIN_TOKEN_INT_H

#include "admin/admin_int.h"
#include "admin/nouns.h"
#include "model/token.h"

struct fresh_secret {
    char text[TOKEN_SECRET_MAX];
    size_t n;
};

/* The token that the path names; false after a 404. */
bool token_find(struct call *c, bool revoked, struct token_row *out);
/* Its application's image; NULL: the application is gone. */
const struct plan_app *token_app(struct call *c, const struct token_row *row);
/* A new secret of the application's form: digest, start, prefix_n. */
bool token_secret_new(struct call *c, const struct plan_app *app,
                      struct token_row *row, struct fresh_secret *out);
/* Lifetime of the profile for a token made now: 0 never. */
int64_t token_default_expiry(const struct call *c, const struct plan_app *app);

/* The object of an answer; secret NULL: without. */
void token_show(struct call *c, const struct token_row *row,
                const struct fresh_secret *secret, struct buf *out);
/* The record alone: no counters, no secret: for the audit log and as what a
 * patch is laid over. */
struct sv token_record_text(struct call *c, const struct token_row *row);
void token_answer(struct call *c, const struct token_row *row,
                  const struct fresh_secret *secret, unsigned status,
                  const char *message);

/* What a take of this token would ask; terms point into own and app. */
void token_ask(const struct plan_app *app, const struct token_row *row,
               const struct token_own *own, struct take_ask *out);
/* Reads its counters; a contended line is tried again. */
int token_counters(struct call *c, const struct take_ask *ask,
                   struct counter_state *out);
/* What is due is given before a top-up. */
int token_settle(struct call *c, const struct take_ask *ask);

#endif
