/* A control plane without sockets: store, counters, tokens, plan and admin
 * over a scratch folder; requests are values. */
#ifndef SUPPORT_ADMIN_RIG_H
#define SUPPORT_ADMIN_RIG_H

#include <yyjson.h>

#include "admin/admin.h"

struct rig {
    char dir[64];
    struct store *store;
    struct counters *counters;
    struct tokens *tokens;
    struct plan *plan;
    struct keysets *keysets;
    struct admin *admin;
    char account[40];     /* its id */
    char owner[80];       /* secret of its owner key */
    char root[80];        /* secret of a root key */
    int publish_fault;    /* ERR_*: tokens do not get in force */
    struct waf_sets_conf waf; /* set before rig_open or rig_restart */
    /* of the last call */
    struct answer a;
    yyjson_doc *doc;
    /* for the next call only */
    const char *idempotency_key, *if_match, *content_type, *peer;
    bool ops_open;
};

void rig_open(struct rig *r);
void rig_close(struct rig *r);
/* As a restart: everything but the folder is closed and opened again. */
void rig_restart(struct rig *r);
/* A further account with an owner key. */
void rig_account(struct rig *r, const char *slug, char id[40], char key[80]);
/* A further key of the first account. */
void rig_key(struct rig *r, const char *role, char key[80]);

/* "{a}" in the path is the account; the query stands behind '?'. key NULL:
 * no Authorization; body NULL: none. Returns the status. */
unsigned rig_ask(struct rig *r, const char *key, const char *method,
                 const char *path, const char *body);
/* The same, as the owner; printf into the path. */
unsigned rig_get(struct rig *r, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
unsigned rig_delete(struct rig *r, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
unsigned rig_post(struct rig *r, const char *path, const char *body);
unsigned rig_patch(struct rig *r, const char *path, const char *body);

/* Of the last answer, by JSON pointer. */
yyjson_val *rig_at(struct rig *r, const char *pointer);
/* Text or ""; a copy in a ring of buffers. */
const char *rig_text(struct rig *r, const char *pointer);
int64_t rig_int(struct rig *r, const char *pointer); /* INT64_MIN: none */
size_t rig_count(struct rig *r);                     /* length of data */

/* Asserts. */
void rig_expect(struct rig *r, unsigned status);
void rig_expect_error(struct rig *r, unsigned status, const char *code,
                      const char *field);

/* What the data plane sees of a secret. */
bool rig_finds(struct rig *r, const char *app_id, const char *secret,
               struct token_view *out);
/* A take of cost 1 by this token, as the chain would do it. */
enum take rig_take(struct rig *r, const char *app_id, const char *secret,
                   struct take_answer *out);

#endif
